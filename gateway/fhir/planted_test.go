package fhir_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// planted is a fault put into a valid resource: a body of its own, or a base with one text replaced.
type planted struct {
	Name, Group    string
	Base, From, To string
	All            bool // every occurrence
	Body           string
	Want           []string // "code expression", and the key of an invariant of ours
}

// resource gives the faulty body.
func (p planted) resource(t testing.TB) string {
	t.Helper()
	if p.Body != "" {
		return p.Body
	}
	body := carePlan(t)
	if name, ok := strings.CutPrefix(p.Base, "example/"); ok {
		body = example(t, name)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(compact.String(), p.From) {
		t.Fatalf("%s does not hold %s", p.Base, p.From)
	}
	n := 1
	if p.All {
		n = -1
	}
	return strings.Replace(compact.String(), p.From, p.To, n)
}

// TestPlanted is the acceptance list: the twelve faults that other validators were measured by, and
// those that clients make. Each is found at its place by its code, and nothing else is.
func TestPlanted(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/planted.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []planted
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	groups, broken := map[string]int{}, map[string]bool{}
	for _, p := range list {
		groups[p.Group]++
		for _, w := range p.Want {
			if f := strings.Fields(w); len(f) == 3 {
				broken[f[2]] = true
			}
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, p.resource(t))
			var got []string
			for _, i := range fhir.Validate(r) {
				line := i.Code + " " + i.Expression
				if i.Code == fhir.CodeInvariant && strings.HasPrefix(i.Args[0], "sluse-") {
					line += " " + i.Args[0]
				}
				got = append(got, line)
				if i.Severity != fhir.SeverityError || i.Line < 1 || i.Col < 1 {
					t.Errorf("%+v has no place", i)
				}
				for _, lang := range []string{"nb", "en"} {
					if text := i.Text(lang); text == i.Code || strings.Contains(text, "{") {
						t.Errorf("%s in %s: %q", i.Code, lang, text)
					}
				}
			}
			if !slices.Equal(got, p.Want) {
				t.Errorf("found %q, want %q", got, p.Want)
			}
			// What a write refuses, $validate says as well.
			var checked []string
			for _, i := range fhir.Check(r, fhir.Options{}) {
				if i.Severity == fhir.SeverityError {
					checked = append(checked, i.Code+" "+i.Expression)
				}
			}
			for _, w := range p.Want {
				if f := strings.Fields(w); !slices.Contains(checked, f[0]+" "+f[1]) {
					t.Errorf("Check finds %q, not %s", checked, w)
				}
			}
		})
	}
	for _, key := range fhir.ProfileRuleKeys() {
		if !broken[key] && key != "sluse-nummer-1" { // which gives codes of its own
			t.Errorf("nothing breaks %s", key)
		}
	}
	if groups["fhir-stack 5.6"] != 12 || len(list) < 12+40 {
		t.Errorf("the list holds %v", groups)
	}
}
