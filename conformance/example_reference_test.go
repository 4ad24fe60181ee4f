//go:build reference

package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every official example of a type that the server has is stored and comes back as it was written,
// down to the digits and the order of members; written out as XML and handed in again it is the
// same resource. What the server refuses stands in testdata/examples/refused.txt with the reason,
// and nothing else is refused. SLUSE_UPDATE=1 writes that list anew.
func TestOfficialExamplesComeBack(t *testing.T) {
	t.Parallel()
	s := start(t, "--no-story")
	bydel, drift := s.as("bydel-sagene"), s.as("drift")
	offers := s.offered()
	paths, err := filepath.Glob(filepath.Join(reference(t), "fhir-r4", "examples", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	own := bydel.create(patient(kariNIN))
	var refused []string
	stored := map[string]int{}
	for _, path := range paths {
		written, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ ResourceType string }
		if json.Unmarshal(written, &head) != nil || offers[head.ResourceType] == nil || !slices.Contains(r4Types, head.ResourceType) {
			continue
		}
		c := bydel
		if head.ResourceType == "Organization" {
			c = drift
		}
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if head.ResourceType == "Consent" { // about a patient of the writer's, so that the other reasons show
			written = consentPatient.ReplaceAll(written, []byte(`"patient":{"reference":"`+own+`"`))
		}
		reason := c.comesBack(t, head.ResourceType, name, written)
		if reason != "" {
			refused = append(refused, name+": "+reason)
			continue
		}
		stored[head.ResourceType]++
	}
	t.Logf("stored %v; refused %d", stored, len(refused))
	const list = "testdata/examples/refused.txt"
	got := strings.Join(refused, "\n") + "\n"
	if os.Getenv("SLUSE_UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(list), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(list, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(got, "\n") {
		if !slices.Contains(strings.Split(string(want), "\n"), line) {
			t.Errorf("refused and not listed: %s", line)
		}
	}
	for line := range strings.SplitSeq(string(want), "\n") {
		if !slices.Contains(strings.Split(got, "\n"), line) {
			t.Errorf("listed and not refused: %s", line)
		}
	}
}

var consentPatient = regexp.MustCompile(`"patient"\s*:\s*\{\s*"reference"\s*:\s*"[^"]*"`)

// comesBack stores an example and reads it, as JSON and by way of XML. It gives the reason when the
// server refuses it.
func (c *client) comesBack(t *testing.T, kind, name string, written []byte) (refused string) {
	t.Helper()
	a, err := c.try(http.MethodPost, "/fhir/"+kind, "application/fhir+json", written)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusCreated {
		return refusal(a)
	}
	path := strings.TrimPrefix(a.header.Get("Location"), c.base)
	path, _, _ = strings.Cut(path, "/_history/")
	back := c.must(http.StatusOK, http.MethodGet, path, nil)
	if x, y := literals(t, written), literals(t, back.body); !slices.Equal(x, y) {
		t.Errorf("%s: %s", name, apart(x, y))
	}
	asXML := c.must(http.StatusOK, http.MethodGet, path, nil, "Accept", "application/fhir+xml")
	if got := asXML.header.Get("Content-Type"); !strings.HasPrefix(got, "application/fhir+xml") || !bytes.Contains(asXML.body, []byte(`xmlns="http://hl7.org/fhir"`)) {
		t.Errorf("%s: as XML: %s: %.200s", name, got, asXML.body)
	}
	again, err := c.try(http.MethodPost, "/fhir/"+kind, "application/fhir+xml", asXML.body)
	if err != nil || again.status != http.StatusCreated {
		t.Errorf("%s: its XML is refused: %v, %s\n%.2000s", name, err, refusal(again), asXML.body)
		return ""
	}
	path = strings.TrimPrefix(again.header.Get("Location"), c.base)
	path, _, _ = strings.Cut(path, "/_history/")
	twice := c.must(http.StatusOK, http.MethodGet, path, nil)
	if x, y := ownResource(t, written), ownResource(t, twice.body); !reflect.DeepEqual(x, y) {
		a, _ := json.Marshal(x)
		b, _ := json.Marshal(y)
		t.Errorf("%s: through XML: %s", name, apart(strings.Split(string(a), ","), strings.Split(string(b), ",")))
	}
	return ""
}

// refusal is the status of an answer and the codes of its issues, each with its path.
func refusal(a answer) string {
	var o struct {
		Issue []struct {
			Severity   string
			Expression []string
			Details    struct{ Coding []struct{ Code string } }
		}
	}
	_ = json.Unmarshal(a.body, &o)
	list := []string{fmt.Sprint(a.status)}
	more := 0
	for _, i := range o.Issue {
		if i.Severity != "error" && i.Severity != "fatal" {
			continue
		}
		for _, coding := range i.Details.Coding {
			if one := strings.TrimSpace(coding.Code + " " + strings.Join(i.Expression, " ")); !slices.Contains(list, one) {
				list = append(list, one)
				more++
			}
		}
	}
	if more > 4 {
		list = append(list[:5], fmt.Sprintf("and %d more", more-4))
	}
	return strings.Join(list, "; ")
}

// literals are the tokens of a resource in their order, numbers as written, without id and meta.
func literals(t *testing.T, body []byte) (list []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		member, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if member == "id" || member == "meta" {
			continue
		}
		list = append(list, fmt.Sprint(member))
		inner := json.NewDecoder(bytes.NewReader(value))
		inner.UseNumber()
		for {
			token, err := inner.Token()
			if err != nil {
				break
			}
			list = append(list, fmt.Sprintf("%T %v", token, token))
		}
	}
	return list
}

// ownResource is a resource without what the server sets.
func ownResource(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var r map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	delete(r, "id")
	meta, _ := r["meta"].(map[string]any)
	delete(r, "meta")
	for _, name := range []string{"profile", "tag", "source"} {
		if v := meta[name]; v != nil {
			r["meta."+name] = v
		}
	}
	return r
}

// apart shows where two lists part.
func apart(x, y []string) string {
	at := 0
	for at < min(len(x), len(y)) && x[at] == y[at] {
		at++
	}
	return fmt.Sprintf("written …%.300v\ncame    …%.300v", x[max(0, at-3):min(len(x), at+5)], y[max(0, at-3):min(len(y), at+5)])
}
