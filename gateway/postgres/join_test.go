package postgres

import (
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// A question that names nobody finds the grants of each person as the actor is: any of her roles is enough, and a token
// that is bound to one patient reaches no other.
func TestGrantsMeetWhoAsks(t *testing.T) {
	b := newBench(t)
	record := gateway.Record{
		Reference: fhir.Reference{Type: "CarePlan", ID: "a", Version: "1"}, Custodian: "100", Person: 7, Labels: gateway.Plan,
		Low: start, High: start.AddDate(0, 0, 1),
	}
	b.plant(record, []gateway.Grant{{
		Consent: fhir.Reference{Type: "Consent", ID: "c", Version: "1"}, Path: "Consent.provision", Effect: gateway.Allow, Law: "HPL22",
		Custodians: gateway.Only[gateway.HERID]("100"), Recipients: gateway.Only[gateway.Recipient]("p:200"), Roles: gateway.Only("lege", "psykolog"),
		Purposes: gateway.Only[gateway.Purpose]("TREAT", "COC"), Actions: gateway.Only(gateway.ReadAction, gateway.MessageAction), Labels: gateway.Plan,
		Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Start: start, End: start.AddDate(1, 0, 0),
	}}, "200")
	for name, c := range map[string]struct {
		change func(*gateway.Join)
		out    bool
	}{
		"one of the roles":          {func(*gateway.Join) {}, true},
		"another role":              {func(j *gateway.Join) { j.Roles = []string{"sykepleier"} }, false},
		"no role":                   {func(j *gateway.Join) { j.Roles = nil }, false},
		"another purpose":           {func(j *gateway.Join) { j.Purposes = []gateway.Purpose{"ETREAT"} }, false},
		"another party":             {func(j *gateway.Join) { j.Permits = []gateway.Recipient{"p:300"} }, false},
		"as a deny would name it":   {func(j *gateway.Join) { j.Permits, j.Denies = nil, j.Permits }, false},
		"bound to her":              {func(j *gateway.Join) { j.Person = 7 }, true},
		"bound to somebody else":    {func(j *gateway.Join) { j.Person = 8 }, false},
		"when it begins":            {func(j *gateway.Join) { j.Now = start }, true},
		"a moment before it begins": {func(j *gateway.Join) { j.Now = start.Add(-time.Second) }, false},
		"when it has ended":         {func(j *gateway.Join) { j.Now = start.AddDate(1, 0, 0) }, false},
	} {
		join := gateway.Join{Permits: []gateway.Recipient{"p:200"}, Roles: []string{"lege"}, Purposes: []gateway.Purpose{"TREAT"}, Now: start.Add(time.Hour)}
		c.change(&join)
		if out, _, err := b.answers(gateway.Scope{Own: "200", Join: &join}, record, false); err != nil || out != c.out {
			t.Errorf("%s: released %v, want %v: %v", name, out, c.out, err)
		}
	}
}

// A deny that names several types, or several records, reaches the Binary that one of them holds.
func TestDenyOfSeveralReachesTheirBinaries(t *testing.T) {
	b := newBench(t)
	record := gateway.Record{
		Reference: fhir.Reference{Type: "Binary", ID: "b", Version: "1"}, Context: ref("CarePlan", "a"), Custodian: "100", Person: 7, Labels: gateway.Plan,
	}
	grant := func(effect gateway.Effect) gateway.Grant {
		return gateway.Grant{
			Consent: fhir.Reference{Type: "Consent", ID: "c", Version: "1"}, Effect: effect, Custodians: gateway.Every[gateway.HERID](),
			Recipients: gateway.Only[gateway.Recipient]("p:200"), Roles: gateway.Every[string](), Purposes: gateway.Every[gateway.Purpose](),
			Actions: gateway.Every[gateway.Action](), Labels: gateway.Plan, Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](), Start: start, End: start.AddDate(1, 0, 0),
		}
	}
	for name, c := range map[string]struct {
		types gateway.Set[fhir.Type]
		items gateway.Set[fhir.Reference]
		out   bool
	}{
		"its type and another":  {gateway.Only[fhir.Type]("CarePlan", "Goal"), gateway.Every[fhir.Reference](), false},
		"other types":           {gateway.Only[fhir.Type]("Task", "Goal"), gateway.Every[fhir.Reference](), true},
		"the record and others": {gateway.Every[fhir.Type](), gateway.Only(ref("CarePlan", "a"), ref("CarePlan", "c")), false},
		"other records":         {gateway.Every[fhir.Type](), gateway.Only(ref("Goal", "a"), ref("CarePlan", "c")), true},
	} {
		deny := grant(gateway.Deny)
		deny.Types, deny.Items = c.types, c.items
		b.plant(record, []gateway.Grant{grant(gateway.Allow), deny}, "200")
		join := gateway.Join{Permits: []gateway.Recipient{"p:200"}, Denies: []gateway.Recipient{"p:200"}, Now: start}
		if out, _, err := b.answers(gateway.Scope{Own: "200", Join: &join}, record, false); err != nil || out != c.out {
			t.Errorf("%s: released %v, want %v: %v", name, out, c.out, err)
		}
	}
}

// What is the party's own to read of one person alone is hers, and nobody else's.
func TestOwnOfHerselfAlone(t *testing.T) {
	b := newBench(t)
	record := gateway.Record{Reference: fhir.Reference{Type: "CarePlan", ID: "a", Version: "1"}, Custodian: "200", Person: 7, Labels: gateway.Plan}
	b.plant(record, nil, "200")
	for person, want := range map[gateway.PersonID]bool{7: true, 8: false, 0: false} {
		if out, _, err := b.answers(gateway.Scope{Own: "200", Self: true, Person: person}, record, true); err != nil || out != want {
			t.Errorf("person %d: released %v: %v", person, out, err)
		}
	}
}
