package gateway

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestCutIsTheEdit releases versions with random labelled parts to random scopes, with and without what is remembered of
// them, and asks for the same bytes and the same labels withheld.
func TestCutIsTheEdit(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	bodies := []string{
		plan, strings.ReplaceAll(plan, "\n ", ""), `{"resourceType":"CarePlan","id":"a","meta":{"versionId":"1"},"activity":[{"detail":{"description":"x"}}]}`,
		`{"resourceType":"CarePlan","text":{"div":"kanari"},"meta":{"tag":[]},"activity":[ {"id":"1"} , {"id":"2"} ],"addresses":[{"display":"kanari"}],"subject":{"display":"kanari"}}`,
	}
	candidates := []string{"CarePlan.activity[0]", "CarePlan.activity[1]", "CarePlan.addresses[0]", "CarePlan.activity[0].detail", "CarePlan.contributor[1]", "CarePlan.activity[7]"}
	known := newOutlines()
	for round := range 4000 {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		r := record()
		which := random.IntN(len(bodies))
		r.Body, r.Reference.Version = []byte(bodies[which]), strconv.Itoa(which)
		for _, path := range candidates {
			if random.IntN(3) == 0 {
				r.Parts = append(r.Parts, Part{Path: path, Labels: Labels(1) << random.IntN(20)})
			}
		}
		covered := Plan | Labels(random.Uint64N(1<<20))
		want, wantWithheld, wantErr := (*outlines)(nil).cut(nil, &r, covered)
		for range 2 {
			got, withheld, err := known.cut(nil, &r, covered)
			if !bytes.Equal(got, want) || withheld != wantWithheld || CodeOf(err) != CodeOf(wantErr) {
				t.Fatalf("seed %d round %d: parts %v:\ngot  %s %v %v\nwant %s %v %v", seed, round, r.Parts, got, withheld, err, want, wantWithheld, wantErr)
			}
		}
	}
	if len(known.kept) != len(bodies) {
		t.Errorf("%d versions are remembered of %d", len(known.kept), len(bodies))
	}
}

// What is remembered serves the bytes that it was made of: another body of the same name is read.
func TestCutKnowsItsBody(t *testing.T) {
	t.Parallel()
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}, outlines: newOutlines()}
	r := record()
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{},"text":{"div":"kanari"},"title":"a"}`)
	r.Body = bytes.Replace(r.Body, []byte(`"meta":{}`), []byte(`"meta":{"versionId":"1"}`), 1)
	if _, _, err := p.release(r); err != nil || len(p.outlines.kept) != 1 {
		t.Fatal(err, len(p.outlines.kept))
	}
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{"versionId":"1"},"title":"a","text":{"div":"kanari"}}`)
	body, _, err := p.release(r)
	if err != nil || bytes.Contains(body, []byte("kanari")) || !bytes.Contains(body, []byte(`"title":"a"`)) {
		t.Fatalf("release = %s, %v", body, err)
	}
}

// What is remembered is bounded, whatever is read.
func TestOutlinesAreBounded(t *testing.T) {
	t.Parallel()
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}, outlines: newOutlines()}
	r := record()
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{"versionId":"1"},"addresses":[` + strings.Repeat(`{"reference":"Condition/c","display":"kanari"},`, 900) + `{"reference":"Condition/c"}]}`)
	for n := range 300 {
		r.Reference = fhir.Reference{Type: "CarePlan", ID: "a", Version: strconv.Itoa(n)}
		if _, _, err := p.release(r); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for _, at := range p.outlines.kept {
		sum += drawn[fhir.Reference, outlined](at).value.cuts.Size()
	}
	if sum != p.outlines.sum || sum > maxOutlined || sum < maxOutlined/2 {
		t.Errorf("%d ranges are kept and %d counted; at most %d may be", sum, p.outlines.sum, maxOutlined)
	}
}
