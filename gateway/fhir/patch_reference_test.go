//go:build reference

package fhir_test

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// choiceName is the JSON name of a choice element.
var choiceName = regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)*(Boolean|Integer|Decimal|String|Code|Uri|Canonical|Id|Date|DateTime|Time|Instant|Period|Quantity|Range|Ratio|Age|Duration|Reference|CodeableConcept|Coding|Timing|Attachment|Identifier|SampledData|Annotation|Money|Base64Binary|Signature|ContactPoint|HumanName|Address|UnsignedInt|PositiveInt|Markdown|Url|Oid|Uuid|Expression|TriggerDefinition|ContactDetail|Dosage)$`)

// TestPathFindsEveryExampleElement asks for each value of the official examples by its own expression:
// the path gives that value and no other. Choice elements are not named so in FHIRPath and are refused.
func TestPathFindsEveryExampleElement(t *testing.T) {
	t.Parallel()
	found, refused := 0, 0
	for name, body := range examples(t) {
		r, err := fhir.ParseBundle(body)
		if err != nil || len(body) > 50_000 {
			continue
		}
		for _, s := range patchSpots(r.Root(), "") {
			if s.value.Kind() == fhir.Array || bytes.Contains([]byte(s.pointer), []byte("/_")) {
				continue
			}
			p, err := fhir.CompilePath(s.value.Expression())
			if err != nil {
				t.Fatalf("%s %s: %v", name, s.value.Expression(), err)
			}
			values, err := p.Find(r)
			switch {
			case err != nil && faults(t, err)[0].Code == fhir.CodePathElement:
				refused++
				if member := faults(t, err)[0].Args[0]; member != "resourceType" && !choiceName.MatchString(member) {
					t.Errorf("%s %s: %v", name, s.value.Expression(), err)
				}
			case err != nil || len(values) != 1 || s.value.Kind() != fhir.Null && values[0] != s.value:
				t.Errorf("%s %s gave %d values, %v", name, s.value.Expression(), len(values), err)
			default:
				found++
			}
		}
	}
	t.Logf("%d found, %d refused", found, refused)
	if found < 20_000 || refused > found/5 {
		t.Errorf("%d found, %d refused", found, refused)
	}
}

// TestJSONPatchInverseExamples: for each official example, random operations undone give its bytes.
func TestJSONPatchInverseExamples(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	tried := 0
	for name, body := range examples(t) {
		r, err := fhir.ParseBundle(body)
		if err != nil || len(body) > 50_000 || r.At("status").Kind() != fhir.String {
			continue
		}
		all := patchSpots(r.Root(), "")
		random := rand.New(rand.NewPCG(seed, uint64(len(body))))
		for range 10 {
			forth, back, ok := inversePatch(random, all[random.IntN(len(all))])
			if !ok {
				continue
			}
			tried++
			if got, err := fhir.ApplyJSONPatch(r, []byte("["+forth+","+back+"]")); err != nil || !equalButSpace(got, body) {
				t.Fatalf("seed %d %s: %s %s: %v\n%s", seed, name, forth, back, err, got)
			}
		}
	}
	t.Logf("%d pairs", tried)
	if tried < 500 {
		t.Errorf("only %d pairs were tried", tried)
	}
}

// equalButSpace compares bytes but for the white space around what was taken out and put back.
func equalButSpace(a, b []byte) bool {
	strip := func(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }
	return bytes.Equal(strip(a), strip(b))
}
