package consent_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluse/sluse/gateway/consent/consenttest"
)

// On generated consent sets Rego's formulas on the raw Consents and Go's scope on the grants agree,
// about the record, its parts and every covered label.
func TestGeneratedAgree(t *testing.T) {
	g, d := consenttest.NewGenerator(t), consenttest.Decider(t)
	asked, crossed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		v, ok := g.Vector(t)
		if !ok {
			return
		}
		asked++
		crosses, parts, covered, err := consenttest.Answer(d, v)
		if err != nil {
			t.Fatal(err)
		}
		if crosses {
			crossed++
		}
		if crosses != v.Crosses || covered != v.Covered || !consenttest.SameParts(parts, v.Parts) {
			input, _ := json.MarshalIndent(v.Input, "", " ")
			grants, _ := json.Marshal(v.Grants)
			t.Fatalf("go: %v %v, rego: %v %v\n%s\n%s", crosses, covered.Codes(), v.Crosses, v.Covered.Codes(), input, grants)
		}
	})
	t.Logf("%d sets asked, %d crossed", asked, crossed)
	if asked < 20 || crossed == 0 {
		t.Errorf("%d sets asked, %d crossed: the generator has gone dull", asked, crossed)
	}
}
