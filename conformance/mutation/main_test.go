package main

import (
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/policies"
)

// The mutants fit the sources: there are many of each suite, each has a name of its own, the Go that holds them is Go,
// and every survivor that is explained is one of them.
func TestMutantsFitTheSources(t *testing.T) {
	t.Chdir("../..")
	all, files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	names, of := map[string]bool{}, map[string]int{}
	for _, m := range all {
		if names[m.Name] {
			t.Errorf("two mutants are named %s", m.Name)
		}
		names[m.Name] = true
		of[m.Suite]++
	}
	for suite, least := range map[string]int{"rego": 1000, "consent": 500, "postgres": 150} {
		if of[suite] < least {
			t.Errorf("%d mutants of %s, want %d at least", of[suite], suite, least)
		}
	}
	for path, text := range files {
		if _, err := parser.ParseFile(token.NewFileSet(), path, text, 0); err != nil {
			t.Errorf("%s with its mutants is no Go: %v", path, err)
		}
	}
	if _, err := readSurvivors("conformance/mutation/survivors.txt", all); err != nil {
		t.Error(err)
	}
	changed(t, all)
}

// changed demands that every mutant of Rego is another program than the policy: it could not be killed otherwise.
func changed(t *testing.T, all []mutant) {
	t.Helper()
	sources, err := policies.Modules(false)
	if err != nil {
		t.Fatal(err)
	}
	was := map[string]*ast.Module{}
	for name, source := range sources {
		was[name] = ast.MustParseModule(source)
	}
	for _, m := range all {
		if m.File == "" {
			continue
		}
		if is, err := ast.ParseModule(m.File, m.Text); err == nil && is.Equal(was[m.File]) {
			t.Errorf("%s is the policy as it was", m.Name)
		}
	}
}

// A run fails for each thing that it is there to find.
func TestVerdict(t *testing.T) {
	t.Parallel()
	list := make([]mutant, 0, 40)
	fates := map[int]string{}
	for i := range 40 {
		list = append(list, mutant{ID: i + 1, Name: strings.Repeat("m", i+1)})
		fates[i+1] = "TestX"
	}
	fates[1] = "survived"
	if err := verdict(io.Discard, list, fates, map[string]string{"m": "the same answer"}); err != nil {
		t.Errorf("39 of 40, one explained: %v", err)
	}
	if verdict(io.Discard, list, fates, nil) == nil {
		t.Error("a survivor without a reason is let through")
	}
	reasons := map[string]string{"m": "r", "mm": "r", "mmm": "r"}
	fates[2], fates[3] = "survived", "survived"
	if verdict(io.Discard, list, fates, reasons) == nil {
		t.Error("37 of 40 is let through")
	}
	fates[2], fates[3] = "TestX", endless
	if verdict(io.Discard, list, fates, reasons) != nil || verdict(io.Discard, list, fates, map[string]string{"m": "r"}) == nil {
		t.Error("one that does not end is not settled unless it is explained")
	}
	fates[3] = ""
	if verdict(io.Discard, list, fates, reasons) == nil {
		t.Error("a mutant that was not run is let through")
	}
}

func TestSurvivorsNeedAReason(t *testing.T) {
	t.Parallel()
	all := []mutant{{Name: "a b: c"}}
	for text, good := range map[string]bool{
		"# nothing\n\na b: c :: the branch is never taken\n": true,
		"a b: c :: no\n": false, "a b: c\n": false, "a b: d :: the branch is never taken\n": false,
		"a b: c :: the branch is never taken\na b: c :: the branch is never taken\n": false,
	} {
		path := filepath.Join(t.TempDir(), "survivors.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSurvivors(path, all); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
