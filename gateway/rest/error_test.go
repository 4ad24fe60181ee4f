package rest

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var update = flag.Bool("update", false, "write the golden files")

// declaredCodes reads the constants of gateway.Code from the source.
func declaredCodes(t *testing.T) []gateway.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "error.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []gateway.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, gateway.Code(s))
			}
		}
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("found only %d codes in gateway/error.go", len(codes))
	}
	return codes
}

// Every Code has a row, a text in both languages, and is a 4xx or 5xx.
func TestEveryCodeIsRendered(t *testing.T) {
	t.Parallel()
	codes := declaredCodes(t)
	for _, code := range codes {
		row, ok := renderings[code]
		if !ok || row.status < 400 || row.issue == "" {
			t.Errorf("%s: no rendering", code)
		}
		if text := texts[textOf[code]]; text.nb == "" || text.en == "" || text.nb == text.en {
			t.Errorf("%s: no text", code)
		}
	}
	if len(renderings) != len(codes) || len(textOf) != len(codes) {
		t.Errorf("%d codes, %d renderings, %d texts", len(codes), len(renderings), len(textOf))
	}
}

// The whole table as bytes: what clients get for each Code, in both languages.
func TestOutcomesGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, code := range declaredCodes(t) {
		for _, lang := range []string{"nb", "en"} {
			status, _, issues := rendered(gateway.Failed("op", code, errors.New("the cause must not show")))
			b.WriteString(strconv.Itoa(status) + " " + string(code) + " " + lang + " " + string(outcome(issues, lang)) + "\n")
		}
	}
	issue := fhir.Issue{Severity: "error", Type: "required", Code: "validation.cardinality-min", Expression: "Task.status", Line: 2, Col: 3, Args: []string{"status", "1"}}
	b.WriteString("with place " + string(outcome([]fhir.Issue{issue}, "nb")) + "\n")
	golden := filepath.Join("testdata", "outcomes.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Split(string(want), "\n")
	for n, line := range strings.Split(b.String(), "\n") {
		if n >= len(wanted) || line != wanted[n] {
			t.Fatalf("line %d changed (go test -update writes them):\n%s", n+1, line)
		}
	}
}

// Every text is a whole sentence in both languages and is not lost in an Issue.
func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	for _, code := range slices.Sorted(maps.Keys(texts)) {
		text := texts[code]
		for _, s := range []string{text.nb, text.en} {
			if len(s) < 5 || !strings.HasSuffix(s, ".") {
				t.Errorf("%s: %q", code, s)
			}
		}
		if got := sentence(fhir.Issue{Code: code}, "en"); got != text.en {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// Absent is one answer: whatever the error tells, the answer is the same bytes.
func TestAbsentIsOneAnswer(t *testing.T) {
	t.Parallel()
	plain := gateway.Failed("a", gateway.NotFound, errors.New("no such row"))
	telling := gateway.Fault("b", gateway.NotFound, fhir.Issue{Severity: "error", Type: "not-found", Code: "hidden", Expression: "Patient"})
	for _, code := range []gateway.Code{gateway.NotFound, gateway.Internal, gateway.Unavailable, gateway.Unauthorized} {
		plain.Code, telling.Code = code, code
		s1, _, i1 := rendered(plain)
		s2, _, i2 := rendered(telling)
		if s1 != s2 || string(outcome(i1, "nb")) != string(outcome(i2, "nb")) {
			t.Errorf("%s: the answer depends on the error", code)
		}
	}
}

// An error that is none of ours, and a Code that nobody declared, are Internal.
func TestUnknownErrorsAreInternal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("x"), gateway.Failed("x", "made-up", nil)} {
		if status, code, _ := rendered(err); status != 500 || code != gateway.Internal {
			t.Errorf("%v: %d %s", err, status, code)
		}
	}
}

// Every code that package gateway puts into an issue has a text here.
func TestGatewayCodesHaveTexts(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("..", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			pair, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, isName := pair.Key.(*ast.Ident)
			lit, isText := pair.Value.(*ast.BasicLit)
			if isName && isText && key.Name == "Code" && lit.Kind == token.STRING {
				code, _ := strconv.Unquote(lit.Value)
				seen++
				if strings.HasPrefix(code, "message.") {
					return true // the message API's, rendered by package exchange
				}
				if i := (fhir.Issue{Code: code}); sentence(i, "nb") == code {
					t.Errorf("%s: %s has no text", filepath.Base(path), code)
				}
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no codes were found: the test sees nothing")
	}
}
