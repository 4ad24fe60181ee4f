package consent_test

import (
	"context"
	"slices"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/policies/cases"
)

// Every hand-written case: Rego on the raw Consents and Go on the grants both give the answer that
// stands in the file.
func TestCases(t *testing.T) {
	t.Parallel()
	world, all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	answered, crossed, withheld := 0, 0, 0
	formula := consenttest.Formula(t)
	decider := consenttest.Decider(t)
	for _, c := range all {
		t.Run(c.File+"/"+c.Name, func(t *testing.T) {
			v := consenttest.Make(t, world, c)
			if refused(t, c, v) {
				return
			}
			answered++
			if c.Expect.Crosses {
				crossed++
			} else {
				withheld++
			}
			crosses, parts, covered, err := consenttest.Answer(decider, v)
			if err != nil {
				t.Fatal(err)
			}
			if crosses != c.Expect.Crosses || !consenttest.SameParts(parts, c.Expect.Parts) {
				t.Errorf("go: crosses %v with parts %v, want %v with %v (covered %v)\n%s",
					crosses, parts, c.Expect.Crosses, c.Expect.Parts, covered.Codes(), c.Sentence)
			}
			crosses, ruled, err := formula.Releasable(context.Background(), v.Input)
			if err != nil {
				t.Fatal(err)
			}
			parts = consenttest.Released(v.Record, crosses, ruled)
			if crosses != c.Expect.Crosses || !consenttest.SameParts(parts, c.Expect.Parts) {
				t.Errorf("rego: crosses %v with parts %v, want %v with %v (covered %v)\n%s",
					crosses, parts, c.Expect.Crosses, c.Expect.Parts, ruled.Codes(), c.Sentence)
			}
			if covered != ruled {
				t.Errorf("covered: go %v, rego %v", covered.Codes(), ruled.Codes())
			}
		})
	}
	if answered < 100 || crossed < 30 || withheld < 50 {
		t.Errorf("%d cases answered, %d cross, %d do not: too few of a kind to mean anything", answered, crossed, withheld)
	}
}

// refused checks the 422 of a case: exactly the elements that the file names, and that it permits nothing even if it were
// stored.
func refused(t *testing.T, c cases.Case, v consenttest.Vector) bool {
	t.Helper()
	var faults []string
	for _, i := range v.Issues {
		if i.Severity == "error" && !slices.Contains(faults, i.Expression) {
			faults = append(faults, i.Expression)
		}
	}
	if !consenttest.SameParts(faults, c.Expect.Refused) {
		t.Errorf("refused at %v, want %v\n%s", faults, c.Expect.Refused, c.Sentence)
	}
	for _, g := range v.Grants {
		if len(faults) > 0 && g.Effect == gateway.Allow {
			t.Errorf("refused, and %s permits %v to %v all the same\n%s", g.Path, g.Labels.Codes(), g.Recipients, c.Sentence)
		}
	}
	return len(c.Expect.Refused) > 0
}
