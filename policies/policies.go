// Package policies holds the rules of Sluse as Rego, and the data they work on.
//
// Jurists read the .rego files and the .json files; programs read them through this package. All
// of data/ is marked needsLegalReview. The only interpreter is package consent of the gateway.
package policies

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
)

//go:embed *.rego data/*.json
var files embed.FS

// Set is the rules with their data: what comes with the program, and the documents that the controller
// has put in the place of some of it. The zero Set is what comes with the program.
type Set struct{ over map[string][]byte }

// With gives a Set in which data/NAME.json is the document. Only data that a controller decides of may be
// replaced: agreements and groups.
func (s Set) With(name string, document []byte) (Set, error) {
	if name != "agreements" && name != "groups" {
		return Set{}, fmt.Errorf("policies: data/%s.json is not the controller's to replace", name)
	}
	if !json.Valid(document) {
		return Set{}, fmt.Errorf("policies: data/%s.json is not JSON", name)
	}
	over := maps.Clone(s.over)
	if over == nil {
		over = map[string][]byte{}
	}
	over["data/"+name+".json"] = bytes.Clone(document)
	return Set{over}, nil
}

// read gives one file of the Set.
func (s Set) read(name string) ([]byte, error) {
	if b, ok := s.over[name]; ok {
		return b, nil
	}
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	return b, nil
}

// Modules gives the Rego modules by file name; tests tells whether *_test.rego are among them.
func Modules(tests bool) (map[string]string, error) {
	names, err := fs.Glob(files, "*.rego")
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	out := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.rego") && !tests {
			continue
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("policies: %w", err)
		}
		out[name] = string(b)
	}
	return out, nil
}

// Data gives the policy data as one document: data/laws.json is data.policy.laws in Rego, and so on.
func (s Set) Data() (map[string]any, error) {
	names, err := fs.Glob(files, "data/*.json")
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	policy := map[string]any{}
	for _, name := range names {
		b, err := s.read(name)
		if err != nil {
			return nil, err
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("policies: %s: %w", name, err)
		}
		policy[strings.TrimSuffix(path.Base(name), ".json")] = doc
	}
	return map[string]any{"policy": policy}, nil
}

// Data gives the policy data that comes with the program.
func Data() (map[string]any, error) { return Set{}.Data() }

// Table reads one file of data/ into v: Table("laws", &laws).
func (s Set) Table(name string, v any) error {
	b, err := s.read("data/" + name + ".json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("policies: %s: %w", name, err)
	}
	return nil
}

// Table reads one file that comes with the program.
func Table(name string, v any) error { return Set{}.Table(name, v) }

// Revision identifies rules and data together, agreements and groups among them: the first 16 hexadecimal
// digits of the SHA-256 of every file but tests, in the order of their names.
func (s Set) Revision() (string, error) {
	h := sha256.New()
	for _, pattern := range []string{"*.rego", "data/*.json"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return "", fmt.Errorf("policies: %w", err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.rego") {
				continue
			}
			b, err := s.read(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s %d\n", name, len(b))
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// Revision identifies what comes with the program.
func Revision() (string, error) { return Set{}.Revision() }
