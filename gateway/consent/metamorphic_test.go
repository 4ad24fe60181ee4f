package consent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/policies/cases"
)

// change makes a case of which nothing must cross that does not cross before; ok is false when there is nothing to
// change. same tells that nothing may cross less either.
type change struct {
	name string
	same bool
	make func(c cases.Case) (cases.Case, bool)
}

// bodies gives the case with each Consent's body changed by f, until it says that it has.
func bodies(c cases.Case, f func(body map[string]any) bool) (cases.Case, bool) {
	c.Consents = slices.Clone(c.Consents)
	for i := range c.Consents {
		var body map[string]any
		if json.Unmarshal(c.Consents[i].Body, &body) == nil && f(body) {
			c.Consents[i].Body, _ = json.Marshal(body)
			return c, true
		}
	}
	return c, false
}

func provisionOf(body map[string]any) map[string]any {
	p, _ := body["provision"].(map[string]any)
	return p
}

const (
	labelSystem = "http://sluse.no/fhir/CodeSystem/informasjonskategori"
	deny        = `{"type":"deny","securityLabel":[{"system":"` + labelSystem + `","code":"samarbeid"},{"system":"` + labelSystem + `","code":"plan"}]}`
	consentHead = `{"resourceType":"Consent","status":"active","dateTime":"2026-11-20","patient":{"reference":"Patient/kari"},"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":`
)

// added is the case with one Consent more, registered by the patient.
func added(c cases.Case, law, provision string) (cases.Case, bool) {
	c.Consents = append(slices.Clone(c.Consents), cases.Consent{
		ID: "added", Version: "1", Registrar: "pasient", Patient: true, Body: json.RawMessage(consentHead + `"` + law + `"}]},"provision":` + provision + `}`),
	})
	return c, true
}

var changes = []change{
	{"a nested deny is added", false, func(c cases.Case) (cases.Case, bool) {
		return bodies(c, func(body map[string]any) bool {
			p := provisionOf(body)
			if p["type"] != "permit" {
				return false
			}
			var d any
			_ = json.Unmarshal([]byte(deny), &d)
			nested, _ := p["provision"].([]any)
			p["provision"] = append(nested, d)
			return true
		})
	}},
	{"a Consent that denies is added", false, func(c cases.Case) (cases.Case, bool) { return added(c, "HPL22", deny) }},
	{"an objection is added", false, func(c cases.Case) (cases.Case, bool) { return added(c, "PBRL53", deny) }},
	{"a permit is removed", false, func(c cases.Case) (cases.Case, bool) {
		at := slices.IndexFunc(c.Consents, func(one cases.Consent) bool {
			var body map[string]any
			return json.Unmarshal(one.Body, &body) == nil && plain(body)
		})
		if at < 0 {
			return c, false
		}
		c.Consents = slices.Delete(slices.Clone(c.Consents), at, at+1)
		return c, true
	}},
	{"a permit is withdrawn", false, func(c cases.Case) (cases.Case, bool) {
		return bodies(c, func(body map[string]any) bool {
			if !plain(body) {
				return false
			}
			body["status"] = "inactive"
			return true
		})
	}},
	{"the period of a permit is shortened", false, func(c cases.Case) (cases.Case, bool) {
		return bodies(c, func(body map[string]any) bool {
			period, _ := provisionOf(body)["period"].(map[string]any)
			if !plain(body) || period["end"] == "2026-11-30" {
				return false
			}
			period["end"] = "2026-11-30"
			return true
		})
	}},
	{"an unrelated Consent is added", true, func(c cases.Case) (cases.Case, bool) {
		return added(c, "HPL22", `{"type":"permit","period":{"start":"2026-11-20","end":"2027-01-01"},"securityLabel":[{"system":"`+labelSystem+`","code":"arbeid"}],
			"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/nav"}},
			{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"Organization/legevakt"}}]}`)
	}},
	{"the Consents stand in another order", true, func(c cases.Case) (cases.Case, bool) {
		c.Consents = slices.Clone(c.Consents)
		slices.Reverse(c.Consents)
		return c, len(c.Consents) > 1
	}},
	{"provisions and actors stand in another order", true, turned},
}

// turned turns every list within the provisions round.
func turned(c cases.Case) (cases.Case, bool) {
	found := false
	var turn func(v any)
	turn = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, one := range v {
				turn(one)
			}
		case []any:
			found = found || len(v) > 1
			slices.Reverse(v)
			for _, one := range v {
				turn(one)
			}
		}
	}
	c.Consents = slices.Clone(c.Consents)
	for i := range c.Consents {
		var body map[string]any
		if json.Unmarshal(c.Consents[i].Body, &body) == nil {
			turn(body["provision"])
			c.Consents[i].Body, _ = json.Marshal(body)
		}
	}
	return c, found
}

// plain tells of a permit in force without exceptions, which would go with it.
func plain(body map[string]any) bool {
	p := provisionOf(body)
	return p["type"] == "permit" && p["provision"] == nil && body["status"] == "active"
}

// TestNothingWidens changes generated consent sets in ways that may only narrow, or may change nothing, and asks
// about every class of what was before: nothing crosses that did not, and no label is covered that was not, by Rego
// and by Go.
func TestNothingWidens(t *testing.T) {
	t.Parallel()
	x := consenttest.NewTrio(t, 16)
	done, narrowed, crossed := map[string]int{}, map[string]int{}, 0
	for seed := range 40 {
		before, ok := x.Set(t, 5_000_000+seed)
		if !ok {
			continue
		}
		classes, err := x.Answers(before)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, how := range changes {
			changed, ok := how.make(before.Case)
			if !ok {
				continue
			}
			after, ok := x.Of(t, changed)
			if !ok {
				continue
			}
			done[how.name]++
			for _, a := range classes {
				if a.Crosses {
					crossed++
				}
				less, err := compare(x, after, a, how.same)
				if err != nil {
					consents, _ := json.Marshal(before.Situation["consents"])
					t.Fatalf("seed %d: %s: %v\n%s\n%s", seed, how.name, err, consenttest.Told(a.Class), consents)
				}
				if less {
					narrowed[how.name]++
				}
			}
		}
	}
	t.Logf("%v sets changed, %v classes narrowed, %d crossed before", done, narrowed, crossed)
	for _, how := range changes {
		if done[how.name] < 3 || !how.same && narrowed[how.name] == 0 {
			t.Errorf("%s: %d times, %d classes narrowed: this shows little", how.name, done[how.name], narrowed[how.name])
		}
	}
}

// compare asks Rego and Go about a class after the change.
func compare(x *consenttest.Trio, after consenttest.Set, a consenttest.Answered, same bool) (less bool, err error) {
	c := a.Class
	c.Question.Facts, c.Question.Hjemler, c.Record.Person = after.Facts, after.Hjemler, after.Facts.Person
	_, crosses, covered, err := x.Scope(c)
	if err != nil {
		return false, err
	}
	ruled, rules, err := after.Releasable(c)
	if err != nil {
		return false, err
	}
	for form, answer := range map[string]struct {
		crosses bool
		covered gateway.Labels
	}{"go": {crosses, covered}, "rego": {ruled, rules}} {
		wider := answer.crosses && !a.Crosses || c.Record.Labels != 0 && answer.covered&^a.All != 0
		other := answer.crosses != a.Crosses || c.Record.Labels != 0 && answer.covered != a.All
		if wider || same && other {
			return false, fmt.Errorf("%s: crosses %v, covered %v; before %v, %v", form, answer.crosses, answer.covered.Codes(), a.Crosses, a.All.Codes())
		}
	}
	return a.Crosses && !crosses || covered != a.All, nil
}

// TestEveryFieldIsNeeded damages the input of hand-written cases, a field at a time; make soak takes all of them.
func TestEveryFieldIsNeeded(t *testing.T) {
	t.Parallel()
	if tried := fields(t, 25); tried < 1500 {
		t.Errorf("only %d damaged inputs tried", tried)
	}
}

// fields deletes every field of the input of every n-th hand-written case that does not cross, and sets it to null and
// to every kind that it is not: it crosses by none of it. What a Consent, a CareTeam or a Patient does not say is no
// damage but another resource: what they say is mistyped only.
func fields(t *testing.T, n int) (tried int) {
	t.Helper()
	formula := consenttest.Formula(t)
	vectors := 0
	for i, v := range consenttest.Vectors(t) {
		if v.Crosses || i%n != 0 {
			continue
		}
		vectors++
		raw, _ := json.Marshal(v.Input)
		var input map[string]any
		if err := json.Unmarshal(raw, &input); err != nil {
			t.Fatal(err)
		}
		prune(input)
		mutate("input", input, func(path string) {
			said := strings.Contains(path, ".resource.") || strings.Contains(path, ".listed.") || strings.Contains(path, ".current.")
			if said && strings.HasSuffix(path, " absent") || path == "input.record.context absent" {
				return // a Binary that nothing holds has no person
			}
			tried++
			if crosses, covered, err := formula.Releasable(t.Context(), input); err == nil && crosses {
				t.Errorf("%s: crosses with %s (covered %v)", v.Name, path, covered.Codes())
			}
		})
	}
	t.Logf("%d damaged inputs of %d cases that do not cross", tried, vectors)
	return tried
}

// prune leaves out of the directory what nothing names.
func prune(input map[string]any) {
	named, _ := json.Marshal([]any{input["consents"], input["teams"], input["statements"]})
	directory := input["directory"].(map[string]any)
	for ref := range directory {
		if !strings.Contains(string(named), ref+`"`) && len(directory[ref].(map[string]any)["parts"].([]any)) == 0 {
			delete(directory, ref)
		}
	}
}
