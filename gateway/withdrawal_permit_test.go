package gateway

import (
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// The message that tells of a withdrawal crosses with the head of its Patient and nothing more, and not against a deny or
// under adressesperre kode 6.
func TestNoticeCrossesAlone(t *testing.T) {
	order, patient := fhir.Reference{Type: "Communication", ID: "a"}, fhir.Reference{Type: "Patient", ID: "b"}
	record := func(r fhir.Reference, custodian HERID, person PersonID) Record {
		return Record{Reference: r, Custodian: custodian, Person: person, Labels: Samarbeid}
	}
	open := Decision{Effect: Allow, Scope: Scope{Own: "2", Person: 7}}
	denied, manual, unknown, refused := open, open, open, open
	denied.Scope.Terms = []Term{{
		Effect: Deny, Custodians: Every[HERID](), Types: Every[fhir.Type](), Items: Every[fhir.Reference](), Mask: AllLabels,
	}}
	manual.Scope.Manual = true
	unknown.Scope.Person = 0
	refused.Effect = Deny
	for name, c := range map[string]struct {
		decision Decision
		record   Record
		want     Labels
	}{
		"the message":           {open, record(order, "1", 7), Samarbeid},
		"its patient":           {open, record(patient, "1", 7), Samarbeid},
		"another message":       {open, record(fhir.Reference{Type: "Communication", ID: "c"}, "1", 7), 0},
		"a plan":                {open, record(fhir.Reference{Type: "CarePlan", ID: "a"}, "1", 7), 0},
		"another custodian's":   {open, record(order, "3", 7), 0},
		"about another":         {open, record(order, "1", 8), 0},
		"denied":                {denied, record(order, "1", 7), 0},
		"kode 6":                {manual, record(order, "1", 7), 0},
		"of nobody":             {unknown, record(order, "1", 7), 0},
		"no decision to permit": {refused, record(order, "1", 7), 0},
	} {
		before := len(c.decision.Scope.Terms)
		if got := (Permit{decision: c.decision}).telling("1", order, patient).covers(c.record); got != c.want {
			t.Errorf("%s: %v, want %v", name, got.Codes(), c.want.Codes())
		}
		if len(c.decision.Scope.Terms) != before {
			t.Errorf("%s: the decision itself was changed", name)
		}
	}
}
