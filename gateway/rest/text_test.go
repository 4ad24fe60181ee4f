package rest

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// feil is the CodeSystem that outcomes name.
type feil struct {
	ResourceType     string     `json:"resourceType"`
	ID               string     `json:"id"`
	Language         string     `json:"language"`
	URL              string     `json:"url"`
	Version          string     `json:"version"`
	Name             string     `json:"name"`
	Title            string     `json:"title"`
	Status           string     `json:"status"`
	Experimental     bool       `json:"experimental"`
	Publisher        string     `json:"publisher"`
	Description      string     `json:"description"`
	CaseSensitive    bool       `json:"caseSensitive"`
	ValueSet         string     `json:"valueSet,omitempty"`
	HierarchyMeaning string     `json:"hierarchyMeaning,omitempty"`
	Content          string     `json:"content"`
	Count            int        `json:"count"`
	Concept          []feilCode `json:"concept"`
}

type feilCode struct {
	Code        string     `json:"code"`
	Display     string     `json:"display"`
	Designation []feilText `json:"designation,omitempty"`
}

type feilText struct {
	Language string `json:"language"`
	Value    string `json:"value"`
}

// codeTexts are the codes of all tables with their texts.
func codeTexts(t *testing.T) map[string]text {
	t.Helper()
	all := maps.Clone(texts)
	for _, code := range slices.Concat(fhir.Codes(), fhir.QueryCodes()) {
		if _, twice := all[code]; twice {
			t.Errorf("%s has two texts", code)
		}
		issue := fhir.Issue{Code: code, Args: []string{"{0}", "{1}", "{2}", "{3}"}}
		all[code] = text{issue.Text("nb"), issue.Text("en")}
	}
	return all
}

// Every code that an outcome may hold is in the CodeSystem with the text of the tables in bokmål and
// English, and nothing else is.
func TestErrorCodesArePublished(t *testing.T) {
	t.Parallel()
	const name = "CodeSystem-feil.json"
	file, err := definitions.Own().Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var published feil
	d := json.NewDecoder(file)
	d.DisallowUnknownFields()
	if err := d.Decode(&published); err != nil {
		t.Fatal(err)
	}
	all := codeTexts(t)
	if *update {
		published.Concept = nil
		for _, code := range slices.Sorted(maps.Keys(all)) {
			published.Concept = append(published.Concept, feilCode{code, all[code].nb, []feilText{{"en", all[code].en}}})
		}
		published.Count = len(published.Concept)
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(published); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("..", "..", "conformance", "definitions", "own", name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, c := range published.Concept {
		want, known := all[c.Code]
		if !known || seen[c.Code] {
			t.Errorf("%s is published twice, or is in no table", c.Code)
			continue
		}
		seen[c.Code] = true
		if len(c.Designation) != 1 || c.Designation[0].Language != "en" || c.Display != want.nb || c.Designation[0].Value != want.en {
			t.Errorf("%s is published as %q, %v; the tables have %q, %q", c.Code, c.Display, c.Designation, want.nb, want.en)
		}
		if want.nb == want.en || want.nb == c.Code || want.en == c.Code {
			t.Errorf("%s lacks a language", c.Code)
		}
	}
	for code := range all {
		if !seen[code] {
			t.Errorf("%s is not published: go test ./gateway/rest -run TestErrorCodesArePublished -update writes it", code)
		}
	}
	if published.Count != len(published.Concept) {
		t.Errorf("count %d of %d", published.Count, len(published.Concept))
	}
}

// tellers are the functions that make an issue of a code, each with the place of the code among what
// they are given.
var tellers = map[string]int{
	"fault": 1, "refuse": 2, "problem": 1, "forbidden": 1, "wrong": 1, "refuseSubscription": 0, "refuseOrder": 0,
}

var (
	codeForm  = regexp.MustCompile(`^[a-z]+([.-][a-z]+)+$`)
	inOutcome = regexp.MustCompile(`CodeSystem/feil","code":"([^"]+)"`)
)

// codesIn collects the codes in a file: Code of an issue, what is given to a teller, constants named as
// codes, and outcomes that are written as they stand.
func codesIn(t *testing.T, path string, found map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	literal := func(n ast.Node) string {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return ""
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			return ""
		}
		return s
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" && codeForm.MatchString(literal(n.Value)) {
				found[literal(n.Value)] = path
			}
		case *ast.CallExpr:
			callee := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				callee = f.Name
			case *ast.SelectorExpr:
				callee = f.Sel.Name
			}
			if at, tells := tellers[callee]; tells && at < len(n.Args) && codeForm.MatchString(literal(n.Args[at])) {
				found[literal(n.Args[at])] = path
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if i < len(n.Values) && (strings.HasPrefix(name.Name, "Code") || strings.HasPrefix(name.Name, "Query")) && codeForm.MatchString(literal(n.Values[i])) {
					found[literal(n.Values[i])] = path
				}
			}
		case *ast.BasicLit:
			for _, m := range inOutcome.FindAllStringSubmatch(literal(n), -1) {
				found[m[1]] = path
			}
		}
		return true
	})
}

// Every code in the sources is in the tables. Those of the message API are rendered by package exchange.
func TestErrorCodesOfTheSources(t *testing.T) {
	t.Parallel()
	found := map[string]string{}
	for _, folder := range []string{"", "rest", "consent", "fhir", "postgres", "notification", "audit", "helseid"} {
		paths, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, path := range paths {
			if !strings.HasSuffix(path, "_test.go") {
				codesIn(t, path, found)
			}
		}
	}
	all := codeTexts(t)
	for _, code := range slices.Sorted(maps.Keys(found)) {
		if _, known := all[code]; !known && !strings.HasPrefix(code, "message.") {
			t.Errorf("%s: %s has no text", strings.TrimPrefix(found[code], "../"), code)
		}
	}
	if len(found) < 200 {
		t.Errorf("%d codes were found: the test does not see them", len(found))
	}
}

// What a searchset tells of itself is in the language of the request, alone and in a Bundle.
func TestSearchsetInTheLanguageAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	bundle := func(kind string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[{"request":{"method":"GET","url":"Task?status=draft"}}]}`
	}
	for lang, want := range map[string]string{"en": "shows only what is shared with you", "nb": "viser bare det som er delt med deg"} {
		for _, ask := range [][3]string{{"GET", "/fhir/Task?status=draft"}, {"POST", "/fhir", bundle("batch")}, {"POST", "/fhir", bundle("transaction")}} {
			a := h.as("bydel-sagene", ask[0], ask[1], ask[2], "Accept-Language: "+lang)
			if h.want(http.StatusOK, a); !strings.Contains(a.Body.String(), want) {
				t.Errorf("%s %s %s: %s", lang, ask[0], ask[2], a.Body)
			}
		}
	}
}
