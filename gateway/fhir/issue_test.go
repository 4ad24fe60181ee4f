package fhir_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestEveryCodeHasBothTexts: both languages, the same placeholders, and the code is in the
// CodeSystem that outcomes name, with the Norwegian text.
func TestEveryCodeHasBothTexts(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{\d\}`)
	published := map[string]string{}
	for _, c := range definitions.CodeSystem(fhir.CodeSystemError) {
		published[c.Code] = c.Display
	}
	for code, texts := range fhir.IssueTexts() {
		if len(texts[0]) < 10 || len(texts[1]) < 10 || texts[0] == texts[1] {
			t.Errorf("%s: %q", code, texts)
		}
		nb, en := map[string]bool{}, map[string]bool{}
		for _, p := range placeholder.FindAllString(texts[0], -1) {
			nb[p] = true
		}
		for _, p := range placeholder.FindAllString(texts[1], -1) {
			en[p] = true
			if !nb[p] {
				t.Errorf("%s: %s is only in English", code, p)
			}
		}
		if len(nb) != len(en) {
			t.Errorf("%s: placeholders differ", code)
		}
		if published[code] != texts[0] {
			t.Errorf("%s is %q in the CodeSystem, %q here", code, published[code], texts[0])
		}
	}
}

// TestEveryCodeConstantHasAText reads the sources: no Code… constant is without a row.
func TestEveryCodeConstantHasAText(t *testing.T) {
	t.Parallel()
	texts := fhir.IssueTexts()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, ident := range spec.Names {
				if !strings.HasPrefix(ident.Name, "Code") || ident.Name == "CodeSystemError" || i >= len(spec.Values) {
					continue
				}
				if lit, ok := spec.Values[i].(*ast.BasicLit); ok {
					found++
					code, err := strconv.Unquote(lit.Value)
					if _, known := texts[code]; err != nil || !known {
						t.Errorf("%s %s has no text", ident.Name, lit.Value)
					}
				}
			}
			return true
		})
	}
	if found != len(texts) {
		t.Errorf("%d constants, %d texts", found, len(texts))
	}
}

func TestIssueText(t *testing.T) {
	t.Parallel()
	i := fhir.Issue{Code: fhir.CodeCardinalityMin, Args: []string{"status", "1"}}
	if got := i.Text("nb"); got != "status mangler: minst 1 kreves." {
		t.Error(got)
	}
	if got := i.Text("en-GB"); got != "status is missing: at least 1 required." {
		t.Error(got)
	}
	if got := i.Text("sv"); got != i.Text("nb") {
		t.Error(got)
	}
	rule := fhir.Issue{Code: fhir.CodeInvariant, Args: []string{"qrs-1"}}
	if got := rule.Text("en"); got != "The rule qrs-1 is broken: Nested items stand in the answer when there is one." {
		t.Error(got)
	}
	if got := (fhir.Issue{Code: "other"}).Text("nb"); got != "other" {
		t.Error(got)
	}
}

func TestOperationOutcome(t *testing.T) {
	t.Parallel()
	r := parse(t, "{\"resourceType\":\"Patient\",\n\"gender\":\"x\"}")
	got := string(fhir.OperationOutcome(fhir.Validate(r), "en"))
	want := `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"code-invalid","details":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/feil","code":"validation.binding"}],` +
		`"text":"The code is not in the value set administrative-gender, which is required here."},"diagnostics":"line 2, column 10","expression":["Patient.gender"]}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if nb := string(fhir.OperationOutcome(fhir.Validate(r), "nb")); !strings.Contains(nb, "linje 2, kolonne 10") {
		t.Error(nb)
	}
	for _, issues := range [][]fhir.Issue{nil, {{}}, {{Code: "a\"b"}, {Severity: "warning", Type: "informational", Code: "x", Line: 1, Col: 2, Expression: "a"}}} {
		for _, lang := range []string{"nb", "en"} {
			out := fhir.OperationOutcome(issues, lang)
			if !json.Valid(out) {
				t.Errorf("%s", out)
			}
			if found := fhir.Validate(parse(t, string(out))); found != nil {
				t.Errorf("%s: %v", out, found)
			}
		}
	}
}

// TestNoCodeIsUnused: every Code… constant of the package is given by something in it.
func TestNoCodeIsUnused(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared, used := map[string]bool{}, map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for _, ident := range n.Names {
					if strings.HasPrefix(ident.Name, "Code") && len(n.Values) > 0 {
						declared[ident.Name] = true
					}
				}
				if len(n.Names) == 1 && strings.HasSuffix(n.Names[0].Name, "Texts") {
					return false // the table of texts is no use
				}
				for _, v := range n.Values {
					ast.Inspect(v, func(n ast.Node) bool {
						if ident, ok := n.(*ast.Ident); ok {
							used[ident.Name] = true
						}
						return true
					})
				}
				return false
			case *ast.Ident:
				used[n.Name] = true
			}
			return true
		})
	}
	if len(declared) < 80 {
		t.Fatalf("%d codes", len(declared))
	}
	for name := range declared {
		if !used[name] {
			t.Errorf("%s is given by nothing", name)
		}
	}
}
