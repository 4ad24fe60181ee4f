package main

import (
	"os"
	"strings"
	"testing"
)

// The list fits the sources: each breakage can be applied and names a test.
func TestListFitsTheSources(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("conformance/sabotage/list.txt")
	if err != nil {
		t.Fatal(err)
	}
	breakages, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(breakages) == 0 {
		t.Fatal("the list is empty")
	}
	for _, b := range breakages {
		if _, err := b.apply(); err != nil {
			t.Errorf("%s: %v", b.ID, err)
		}
		name, _, _ := strings.Cut(b.Test, "/")
		if !declares(t, b.Package, name) {
			t.Errorf("%s: %s has no test %s", b.ID, b.Package, name)
		}
	}
}

func declares(t *testing.T, dir, test string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(dir + "/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+test+"(") {
			return true
		}
	}
	return false
}

// The runner itself can fail: a harmless edit, an edit that does not compile
// and a text that is not there are all reported.
func TestRunnerReportsWhatIsNotRed(t *testing.T) {
	t.Chdir("../..")
	good := breakage{
		ID: "x", Guard: "x", File: "conformance/sabotage/main.go",
		Old: `seen[b.ID] = true`, New: `seen[b.ID] = false`,
		Package: "./conformance/sabotage", Test: "TestParse",
	}
	if err := good.provoke(); err != nil {
		t.Errorf("a breakage that a test notices: %v", err)
	}
	harmless := good
	harmless.New = `seen[b.ID] = 1 == 1`
	uncompilable := good
	uncompilable.New = `seen[b.ID] = "yes"`
	absent := good
	absent.Old = "no such " + "text"
	untested := good
	untested.Test = "TestNoSuchTest"
	for name, b := range map[string]breakage{"harmless": harmless, "uncompilable": uncompilable, "absent": absent, "untested": untested} {
		if b.provoke() == nil {
			t.Errorf("%s: reported as red", name)
		}
	}
}

func TestParse(t *testing.T) {
	block := "id: a\nguard: g\nfile: f\nold: o: p\nnew: \"\\tn\"\npackage: ./p\ntest: T\n"
	got, err := parse("# comment\n\n" + block)
	if err != nil || len(got) != 1 || got[0].Old != "o: p" || got[0].New != "\tn" {
		t.Errorf("parse = %+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"twice":      block + "\n" + block,
		"incomplete": "id: a\n",
		"unknown":    strings.Replace(block, "guard", "gard", 1),
		"no change":  strings.Replace(strings.Replace(block, "old: o: p", "old: o", 1), `new: "\tn"`, "new: o", 1),
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
