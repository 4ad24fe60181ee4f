//go:build reference

package fhir_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// reference is the folder of the official data, SLUSE_REFERENCE or ../shared/reference seen from
// the module's root.
func reference(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SLUSE_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "shared", "reference")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", "..", dir)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the reference data is not there: set SLUSE_REFERENCE (%v)", err)
	}
	return dir
}

// examples gives the official R4 examples by file name.
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(reference(t), "fhir-r4", "examples", "*.json"))
	if err != nil || len(names) < 500 {
		t.Fatalf("found %d examples: %v", len(names), err)
	}
	all := make(map[string][]byte, len(names))
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = body
	}
	return all
}

// TestExamplesValidate validates every official example. Those listed in faulty have faults of
// their own, each looked at; the findings must be exactly those.
func TestExamplesValidate(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for name, body := range examples(t) {
		r, err := fhir.ParseBundle(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var found []string
		for _, i := range fhir.Validate(r) {
			found = append(found, i.Code+" "+i.Expression+" "+strings.Join(i.Args, " "))
		}
		want := faulty[name]
		seen[name] = true
		if len(found) == 0 && len(want.findings) == 0 {
			continue
		}
		if !reflect.DeepEqual(found, want.findings) {
			t.Errorf("%s:\n\t%s", name, strings.Join(found, "\n\t"))
		}
	}
	for name, f := range faulty {
		if !seen[name] || f.reason == "" {
			t.Errorf("%s is listed and not there, or without a reason", name)
		}
	}
}

// TestExamplesComeBack stamps every official example and compares it with the original, leaf
// by leaf with literal numbers, all but id and meta.
func TestExamplesComeBack(t *testing.T) {
	t.Parallel()
	for name, body := range examples(t) {
		r, err := fhir.ParseBundle(bytes.Clone(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		stamped, err := r.Stamp("stamped", fhir.Meta{VersionID: "v1", LastUpdated: time.Unix(1e9, 0),
			Custodian: fhir.Reference{Type: "Organization", ID: "c"}, Security: []fhir.Coding{{System: "s", Code: "c"}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := fhir.ParseLimits(stamped, fhir.Limits{Bytes: fhir.BundleBytes}); err != nil {
			t.Errorf("%s: stamped: %v", name, err)
		}
		before, after := decode(t, body), decode(t, stamped)
		compareMeta(t, name, before["meta"], after["meta"])
		for _, m := range []map[string]any{before, after} {
			delete(m, "meta")
			delete(m, "id")
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s: changed by stamping", name)
		}
		if bytes.Count(stamped, []byte("\n")) < bytes.Count(body, []byte("\n"))-60 {
			t.Errorf("%s: white space outside meta was lost", name)
		}
	}
}

// compareMeta asks that what the client owns of meta is unchanged.
func compareMeta(t *testing.T, name string, before, after any) {
	t.Helper()
	b, _ := before.(map[string]any)
	a, _ := after.(map[string]any)
	for _, own := range []string{"profile", "_profile", "source", "_source", "tag", "id"} {
		if !reflect.DeepEqual(b[own], a[own]) {
			t.Errorf("%s: meta.%s changed", name, own)
		}
	}
	if a["versionId"] != "v1" || a["lastUpdated"] == nil || a["security"] == nil {
		t.Errorf("%s: meta is not stamped: %v", name, a)
	}
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	m := map[string]any{}
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}
