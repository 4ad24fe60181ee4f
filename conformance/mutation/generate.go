package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluse/sluse/policies"
)

// The Go files whose decisions are mutated: what turns a Consent into grants, and grants into a scope; and what turns a
// scope into SQL, with its texts.
var (
	consentFiles  = []string{"builder", "spread", "provision", "recipient", "careteam", "index", "question", "agreement", "bearer", "group", "hjemmel", "protection", "normalizer"}
	postgresFiles = []string{"scope", "cover", "held"}
)

// generate gives every mutant, and the Go files that hold those of Go behind their switches.
func generate() ([]mutant, map[string][]byte, error) {
	var all []mutant
	names := map[string]int{}
	add := func(m mutant) int {
		names[m.Name]++
		if n := names[m.Name]; n > 1 {
			m.Name += fmt.Sprintf(" #%d", n)
		}
		m.ID = len(all) + 1
		all = append(all, m)
		return m.ID
	}
	modules, err := policies.Modules(false)
	if err != nil {
		return nil, nil, err
	}
	var sorted []string
	for name := range modules {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		if err := mutateRego(name, modules[name], add); err != nil {
			return nil, nil, err
		}
	}
	files := map[string][]byte{}
	for _, of := range []struct {
		suite, dir string
		files      []string
		texts      bool
	}{{"consent", "gateway/consent", consentFiles, false}, {"postgres", "gateway/postgres", postgresFiles, true}} {
		for _, name := range of.files {
			path := filepath.ToSlash(filepath.Join(of.dir, name+".go"))
			source, err := os.ReadFile(path)
			if err != nil {
				return nil, nil, err
			}
			g := golang{suite: of.suite, path: path, source: source, texts: of.texts, add: add}
			if files[path], err = g.mutate(); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return all, files, nil
}

// short is a piece of source on one line.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 90 {
		s = s[:60] + "…" + s[len(s)-24:]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "…"), "::", ": :")
}
