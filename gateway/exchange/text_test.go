package exchange

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// issueCodes lists the codes that the Go files of a folder put into issues, by literal or by forbidden.
func issueCodes(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	take := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				found = append(found, s)
			}
		}
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.KeyValueExpr:
				if k, ok := x.Key.(*ast.Ident); ok && k.Name == "Code" {
					take(x.Value)
				}
			case *ast.CallExpr:
				if k, ok := x.Fun.(*ast.Ident); ok && k.Name == "forbidden" && len(x.Args) == 2 {
					take(x.Args[1])
				}
			}
			return true
		})
	}
	return found
}

// TestCodesHaveTexts: no code reaches a caller without a sentence in bokmål.
func TestCodesHaveTexts(t *testing.T) {
	all := []string{"absent", "actor-unknown"}
	all = append(all, issueCodes(t, "*.go")...)
	ours := 0
	for _, c := range issueCodes(t, "../*.go") {
		if strings.HasPrefix(c, "message.") {
			all, ours = append(all, c), ours+1
		}
	}
	for _, c := range constants(t, "../../mapping/error.go", "Code") {
		all = append(all, "message."+c)
	}
	if ours < 5 || len(all) < 25 {
		t.Fatalf("%d codes, %d of the Gateway: the test sees too little", len(all), ours)
	}
	for _, c := range all {
		if strings.HasSuffix(c, ".") || errorTexts[c] != "" {
			continue // the stem of the faults of package mapping, which are all here; codes of an AppRec
		}
		text := texts[c]
		if !strings.HasSuffix(text, ".") {
			t.Errorf("%s has no text", c)
		}
		line := explained(fhir.Issue{Code: c, Expression: "/MsgHead"}, "")
		if !strings.HasPrefix(line, strings.TrimSuffix(text, ".")) || !strings.HasSuffix(line, "/MsgHead."+remedyOf(c)+" ("+c+")") {
			t.Errorf("%s: %q", c, line)
		}
	}
	for code, f := range failures {
		if line := explained(fhir.Issue{Code: "unheard-of"}, f.text); !strings.HasPrefix(line, f.text) || f.text == "" {
			t.Errorf("%s: %q", code, line)
		}
	}
}

// TestAppRecTime: an AppRec tells its time in milliseconds and no finer.
func TestAppRecTime(t *testing.T) {
	at := time.Date(2026, 3, 20, 12, 0, 0, 123456789, time.UTC)
	document, err := Translator{}.WriteAppRec(
		gateway.AppRec{MsgID: "a", From: "8100020", To: "8100010", Original: "b", Status: gateway.AppRecOK, At: at},
		gateway.Message{Kind: string(mapping.KindMedicalInformation), Generated: at, Sender: gateway.Addressee{HERID: "8100010"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), "<GenDate>2026-03-20T12:00:00.123Z</GenDate>") {
		t.Errorf("%s", document)
	}
}
