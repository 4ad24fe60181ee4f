package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// ids answers each key with an id that shows where it came from.
func ids(key string) string { return "id-" + key }

// messages returns every in.xml below testdata.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*/in.xml")
	if err != nil || len(paths) < 7 {
		t.Fatalf("found %d samples: %v", len(paths), err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(filepath.Dir(p))] = raw
	}
	return out
}

// golden is what a case is compared by: everything Read says, with the resources as JSON.
type golden struct {
	Sections  []Section
	Report    []Finding
	Problems  []string `json:",omitempty"`
	Resources []struct {
		Key, Section string
		Body         json.RawMessage
	}
}

func TestReadGolden(t *testing.T) {
	for name, raw := range samples(t) {
		t.Run(name, func(t *testing.T) {
			in, err := read(raw, ids, true)
			if err != nil {
				t.Fatal(err)
			}
			g := golden{Sections: in.Sections, Report: in.Report}
			for _, a := range in.Attachments {
				g.Problems = append(g.Problems, a.Name+": "+a.Problem+a.FileRef)
			}
			for _, r := range in.Resources {
				body := r.Body
				if r.Key == "original-binary" {
					body = []byte(`"the message"`)
				}
				g.Resources = append(g.Resources, struct {
					Key, Section string
					Body         json.RawMessage
				}{r.Key, r.Section, body})
			}
			got, err := json.MarshalIndent(g, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata", name, "want.json"), append(got, '\n'))
		})
	}
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; first difference at line %d (run with -update to see it in the diff)", path, firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) int {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return i + 1
		}
	}
	return len(x) + 1
}

var _ fhir.Type
