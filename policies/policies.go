// Package policies holds the rules of Sluse as Rego, and the data they work on.
//
// Jurists read the .rego files and the .json files; programs read them through this package. All
// of data/ is marked needsLegalReview. The only interpreter is package consent of the gateway.
package policies

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed *.rego data/*.json
var files embed.FS

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
func Data() (map[string]any, error) {
	names, err := fs.Glob(files, "data/*.json")
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	policy := map[string]any{}
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("policies: %w", err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("policies: %s: %w", name, err)
		}
		policy[strings.TrimSuffix(path.Base(name), ".json")] = doc
	}
	return map[string]any{"policy": policy}, nil
}

// Table reads one file of data/ into v: Table("laws", &laws).
func Table(name string, v any) error {
	b, err := files.ReadFile("data/" + name + ".json")
	if err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("policies: %s: %w", name, err)
	}
	return nil
}

// Revision identifies rules and data together: the first 16 hexadecimal digits of the SHA-256 of
// every file but tests, in the order of their names.
func Revision() (string, error) {
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
			b, err := files.ReadFile(name)
			if err != nil {
				return "", fmt.Errorf("policies: %w", err)
			}
			fmt.Fprintf(h, "%s %d\n", name, len(b))
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
