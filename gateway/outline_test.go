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

// TestCutIsTheEdit releases versions with random labelled parts to random scopes, by reading the body
// and by what is remembered of it, and asks for the same bytes and the same labels withheld.
func TestCutIsTheEdit(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	bodies := []string{
		plan, strings.ReplaceAll(plan, "\n ", ""), `{"resourceType":"CarePlan","id":"a","meta":{"versionId":"1"},"activity":[{"detail":{"description":"x"}}]}`,
		`{"resourceType":"CarePlan","text":{"div":"kanari"},"meta":{"tag":[]},"activity":[ {"id":"1"} , {"id":"2"} ],"addresses":[{"display":"kanari"}],"subject":{"display":"kanari"}}`,
	}
	candidates := []string{"CarePlan.activity[0]", "CarePlan.activity[1]", "CarePlan.addresses[0]", "CarePlan.activity[0].detail", "CarePlan.contributor[1]", "CarePlan.activity[7]"}
	p := Permit{decision: Decision{Effect: Allow}, outlines: newOutlines()}
	cut := 0
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
		p.decision.Scope = Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan | Labels(random.Uint64N(1<<20)))}}
		plain := p
		plain.outlines = nil
		want, wantWithheld, wantErr := plain.release(r)
		if _, _, ok := p.outlines.cut(r, 0); ok {
			cut++
		}
		got, withheld, err := p.release(r)
		if !bytes.Equal(got, want) || withheld != wantWithheld || CodeOf(err) != CodeOf(wantErr) {
			t.Fatalf("seed %d round %d: parts %v:\ngot  %s %v %v\nwant %s %v %v", seed, round, r.Parts, got, withheld, err, want, wantWithheld, wantErr)
		}
	}
	if cut < 100 {
		t.Errorf("only %d of 4000 were remembered", cut)
	}
}

// What is remembered serves the bytes that it was made of: another body of the same name is read.
func TestCutKnowsItsBody(t *testing.T) {
	t.Parallel()
	p := Permit{decision: Decision{Effect: Allow, Scope: Scope{Own: "200", Person: 7, Terms: []Term{allow(Plan)}}}, outlines: newOutlines()}
	r := record()
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{},"text":{"div":"kanari"},"title":"a"}`)
	if _, _, err := p.release(r); err != nil {
		t.Fatal(err)
	}
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{},"title":"a","text":{"div":"kanari"}}`)
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
	r.Body = []byte(`{"resourceType":"CarePlan","meta":{},"addresses":[` + strings.Repeat(`{"display":"kanari"},`, 900) + `{"reference":"Condition/c"}]}`)
	for n := range 300 {
		r.Reference = fhir.Reference{Type: "CarePlan", ID: "a", Version: strconv.Itoa(n)}
		if _, _, err := p.release(r); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for _, at := range p.outlines.kept {
		sum += drawn[fhir.Reference, outlined](at).value.outline.Size()
	}
	if sum != p.outlines.sum || sum > maxOutlined || sum < maxOutlined/2 {
		t.Errorf("%d values are kept and %d counted; at most %d may be", sum, p.outlines.sum, maxOutlined)
	}
}
