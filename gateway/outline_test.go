package gateway

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestCutIsTheEdit releases versions with random labelled parts to random scopes, with and without their Outline, and asks
// for the same bytes and the same labels withheld.
func TestCutIsTheEdit(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	bodies := []string{
		plan, strings.ReplaceAll(plan, "\n ", ""), `{"resourceType":"CarePlan","id":"a","meta":{"versionId":"1"},"activity":[{"detail":{"description":"x"}}]}`,
		`{"resourceType":"CarePlan","text":{"div":"kanari"},"meta":{"tag":[]},"activity":[ {"id":"1"} , {"id":"2"} ],"addresses":[{"display":"kanari"}],"subject":{"display":"kanari"}}`,
	}
	candidates := []string{"CarePlan.activity[0]", "CarePlan.activity[1]", "CarePlan.addresses[0]", "CarePlan.activity[0].detail", "CarePlan.contributor[1]", "CarePlan.activity[7]"}
	outlined := 0
	for round := range 4000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		r := record()
		r.Body = []byte(bodies[random.IntN(len(bodies))])
		for _, path := range candidates {
			if random.IntN(4) == 0 {
				r.Parts = append(r.Parts, Part{Path: path, Labels: Labels(1) << random.IntN(20)})
			}
		}
		covered := Plan | Labels(random.Uint64N(1<<20))
		want, wantWithheld, wantErr := cut(nil, &r, covered)
		if r.Outline = outlineOf(r); r.Outline != nil {
			outlined++
		}
		got, withheld, err := cut(nil, &r, covered)
		if !bytes.Equal(got, want) || withheld != wantWithheld || CodeOf(err) != CodeOf(wantErr) {
			t.Fatalf("seed %d round %d: parts %v:\ngot  %s %v %v\nwant %s %v %v", seed, round, r.Parts, got, withheld, err, want, wantWithheld, wantErr)
		}
	}
	if outlined < 200 {
		t.Errorf("%d Outlines: this shows little", outlined)
	}
}

// outlineOf is the Outline of a record, as it is stored.
func outlineOf(r Record) fhir.Outline {
	d := Draft{Reference: r.Reference, Parts: r.Parts, Body: r.Body}
	return d.Outline()
}

// An Outline serves the body that it was made of: another body of the same name is read.
func TestCutKnowsItsBody(t *testing.T) {
	t.Parallel()
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}}
	r := record()
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{"versionId":"1"},"text":{"div":"kanari"},"title":"a"}`)
	if r.Outline = outlineOf(r); r.Outline == nil {
		t.Fatal("no Outline")
	}
	if body, _, err := p.release(r); err != nil || bytes.Contains(body, []byte("kanari")) {
		t.Fatalf("release = %s, %v", body, err)
	}
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{"versionId":"1"},"title":"a","text":{"div":"kanari"}}`)
	body, _, err := p.release(r)
	if err != nil || bytes.Contains(body, []byte("kanari")) || !bytes.Contains(body, []byte(`"title":"a"`)) {
		t.Fatalf("release = %s, %v", body, err)
	}
}

// A part that is labelled after the Outline was made goes all the same.
func TestCutKnowsItsParts(t *testing.T) {
	t.Parallel()
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}}
	r := record()
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{"versionId":"1"},"activity":[{"id":"a"},{"id":"kanari"}]}`)
	r.Parts = []Part{{Path: "CarePlan.activity[0]", Labels: Plan}}
	r.Outline = outlineOf(r)
	r.Parts = append(r.Parts, Part{Path: "CarePlan.activity[1]", Labels: Rus})
	body, withheld, err := p.release(r)
	if err != nil || withheld != Rus || bytes.Contains(body, []byte("kanari")) {
		t.Fatalf("release = %s, %v, %v", body, withheld.Codes(), err)
	}
}
