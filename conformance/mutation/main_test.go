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
	fates := map[string]string{}
	for i := range 40 {
		list = append(list, mutant{ID: i + 1, Name: strings.Repeat("m", i+1)})
		fates[list[i].Name] = "TestX"
	}
	fates["m"] = "survived 7 units"
	if err := verdict(io.Discard, list, fates, map[string]string{"m": "the same answer"}); err != nil {
		t.Errorf("39 of 40, one explained: %v", err)
	}
	if verdict(io.Discard, list, fates, nil) == nil {
		t.Error("a survivor without a reason is let through")
	}
	reasons := map[string]string{"m": "r", "mm": "r", "mmm": "r"}
	fates["mm"], fates["mmm"] = "survived 7 units", "survived, nothing reaches it"
	if verdict(io.Discard, list, fates, reasons) == nil {
		t.Error("37 of 40 is let through")
	}
	fates["mm"], fates["mmm"] = "TestX", endless
	if verdict(io.Discard, list, fates, reasons) != nil || verdict(io.Discard, list, fates, map[string]string{"m": "r"}) == nil {
		t.Error("one that does not end is not settled unless it is explained")
	}
	fates["mmm"] = ""
	if verdict(io.Discard, list, fates, reasons) == nil {
		t.Error("a mutant that was not run is let through")
	}
	for i := range list { // the other suite makes up for nothing
		list[i].Suite = map[bool]string{true: "a", false: "b"}[i < 10]
	}
	fates["mmm"] = "TestX"
	if verdict(io.Discard, list, fates, reasons) == nil {
		t.Error("9 of 10 of one suite is let through")
	}
}

// Fates are kept by name; a survivor is asked again.
func TestFates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fates")
	if fates, err := readFates(path); err != nil || len(fates) > 0 {
		t.Fatalf("%v %v", fates, err)
	}
	text := "\tsound 3 units in 1s\na: x\tbegun\na: x\tsurvived 3 units\nb: y\tbegun\nb: y\tTestX\nc: z\tbegun\nd: q\tinvalid\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fates, err := readFates(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a: x": false, "b: y": true, "c: z": false, "d: q": true, "e: r": false} {
		if settled(fates[name]) != want {
			t.Errorf("%s is %q", name, fates[name])
		}
	}
	if err := os.WriteFile(path, []byte("a: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFates(path); err == nil {
		t.Error("a line without a fate is read")
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
