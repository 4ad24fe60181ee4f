package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// viewText writes what is seen of each Consent: provision, receivers and custodians that are told.
func viewText(views []gateway.ConsentView) string {
	var out []string
	for _, v := range views {
		var parts []string
		for _, p := range v.Parts {
			parts = append(parts, fmt.Sprintf("%s to %v from %v", p.Grant.Path, p.Recipients, p.Custodians))
		}
		out = append(out, string(v.Consent)+": "+strings.Join(parts, ", "))
	}
	return strings.Join(out, "; ")
}

// What is seen of Consents (DESIGN § 3): a named recipient sees the permits that name it, less other receivers; a
// custodian of hers every provision that binds its records, denies too; compliance the same for its parties.
func TestViewsOfConsents(t *testing.T) {
	t.Parallel()
	change := func(g gateway.Grant, f func(g *gateway.Grant)) gateway.Grant {
		f(&g)
		return g
	}
	permit := grantOf("a", gateway.Allow, gateway.ReadAction) // from 1 to p:3
	grants := []gateway.Grant{
		change(permit, func(g *gateway.Grant) { g.Recipients = gateway.Only[gateway.Recipient]("p:3", "p:4") }),
		change(permit, func(g *gateway.Grant) {
			g.Path, g.Effect, g.Recipients = "deny", gateway.Deny, gateway.Only[gateway.Recipient]("p:3")
		}),
		change(grantOf("b", gateway.Allow, gateway.ReadAction), func(g *gateway.Grant) { g.Custodians = gateway.Only[gateway.HERID]("5", "6") }),
		change(grantOf("later", gateway.Allow, gateway.ReadAction), func(g *gateway.Grant) { g.Start = closedNow.Add(1) }),
		change(grantOf("over", gateway.Allow, gateway.ReadAction), func(g *gateway.Grant) { g.End = closedNow }),
		change(grantOf("all", gateway.Deny, gateway.ReadAction), func(g *gateway.Grant) {
			g.Custodians, g.Recipients, g.End = gateway.Every[gateway.HERID](), gateway.Every[gateway.Recipient](), gateway.Grant{}.End
		}),
	}
	holders := []gateway.HERID{"1", "5"}
	keys := []gateway.Recipient{"p:3", "h:3:7"}
	for name, c := range map[string]struct {
		v    viewer
		want string
	}{
		"a receiver":                     {viewer{permits: true, keys: keys, own: "3"}, "a: a to [p:3] from [1]; b: b to [p:3] from [5 6]"},
		"who may see no permits":         {viewer{keys: keys, own: "3"}, ""},
		"another receiver":               {viewer{permits: true, keys: []gateway.Recipient{"p:9"}, own: "9"}, ""},
		"a custodian":                    {viewer{custody: true, own: "1"}, "a: a to [p:3 p:4] from [1], deny to [p:3] from [1]; all: all to [] from [1]"},
		"a custodian that is a receiver": {viewer{permits: true, custody: true, keys: keys, own: "5"}, "a: a to [p:3] from [1]; b: b to [p:3] from [5]; all: all to [] from [5]"},
		"a custodian without a Patient":  {viewer{custody: true, own: "6"}, ""},
		"compliance of a custodian":      {viewer{parties: []gateway.HERID{"1", "6"}}, "a: a to [p:3 p:4] from [1], deny to [p:3] from [1]; all: all to [] from [1]"},
		"compliance of a receiver":       {viewer{parties: []gateway.HERID{"4"}}, "a: a to [p:4] from [1]"},
		"nobody":                         {viewer{own: "1"}, ""},
	} {
		c.v.now = closedNow
		if got := viewText(c.v.views(grants, holders)); got != c.want {
			t.Errorf("%s sees %q, want %q", name, got, c.want)
		}
	}
	j := viewer{permits: true, custody: true, keys: keys, own: "5", now: closedNow}.join()
	if !slices.Equal(j.Recipients, keys) || !slices.Equal(j.Holders, []gateway.HERID{"5"}) || j.Parties != nil || !j.Now.Equal(closedNow) {
		t.Errorf("%+v", j)
	}
	if j := (viewer{keys: keys, own: "5", parties: []gateway.HERID{"6"}}).join(); j.Recipients != nil || !slices.Equal(j.Holders, []gateway.HERID{"6"}) || !slices.Equal(j.Parties, j.Holders) {
		t.Errorf("%+v", j)
	}
}

// Which Consents a decision shows: to whom has a patient's attest, and to compliance; to nobody else.
func TestDecisionShowsConsents(t *testing.T) {
	t.Parallel()
	d := deciderUnder(t, nil)
	q, _ := closedQuestion(t)
	own := q
	own.Party.ID, own.Actor.Party, own.Facts.Holders = "80001001", "80001001", []gateway.HERID{"80001001"}
	for name, c := range map[string]struct {
		q          gateway.Question
		change     func(q *gateway.Question)
		views      int
		each       bool
		registrars int
	}{
		"a receiver":               {q, func(*gateway.Question) {}, 1, false, 0},
		"another party":            {q, func(q *gateway.Question) { q.Party.ID, q.Actor.Party = "80001007", "80001007" }, 0, false, 0},
		"a custodian":              {own, func(*gateway.Question) {}, 1, false, 0},
		"one without attest":       {q, func(q *gateway.Question) { q.Actor.Attest = gateway.Attest{} }, 0, false, 0},
		"a custodian without":      {own, func(q *gateway.Question) { q.Actor.Attest = gateway.Attest{} }, 0, false, 0},
		"a machine":                {q, func(q *gateway.Question) { q.Actor.Kind = gateway.Machine }, 0, false, 0},
		"a message":                {q, func(q *gateway.Question) { q.Action = gateway.MessageAction }, 0, false, 0},
		"under kode 6":             {q, func(q *gateway.Question) { q.Facts.Shield = gateway.StrictlyConfidential; q.Facts.Epoch += 2 }, 0, false, 0},
		"a custodian in kode 6":    {own, func(q *gateway.Question) { q.Facts.Shield = gateway.StrictlyConfidential; q.Facts.Epoch += 2 }, 1, false, 0},
		"who names nobody":         {q, func(q *gateway.Question) { q.Named, q.Facts = false, gateway.Facts{} }, 0, true, 0},
		"compliance":               {q, func(q *gateway.Question) { q.Actor.Kind = gateway.Compliance }, 1, false, 1},
		"compliance of another":    {q, func(q *gateway.Question) { q.Actor.Kind, q.Party.ID = gateway.Compliance, "80001007" }, 0, false, 1},
		"compliance, names nobody": {q, func(q *gateway.Question) { q.Actor.Kind, q.Named, q.Facts = gateway.Compliance, false, gateway.Facts{} }, 0, true, 1},
	} {
		asked := c.q
		c.change(&asked)
		if c.views == 0 && !c.each { // nor does it show them of whoever it is about
			nobody := asked
			nobody.Actor.Attest, nobody.Named, nobody.Facts = gateway.Attest{}, false, gateway.Facts{}
			if of, err := d.Decide(context.Background(), nobody); nobody.Actor.Kind != gateway.Compliance && (err != nil || of.Scope.Consents.Each != nil) {
				t.Errorf("%s, without a name or an attest: %+v %v", name, of.Scope.Consents, err)
			}
		}
		answer, err := d.Decide(context.Background(), asked)
		if err != nil {
			t.Fatal(err)
		}
		got := answer.Scope.Consents
		if len(got.Views) != c.views || (got.Each != nil) != c.each || len(got.Registrars) != c.registrars {
			t.Errorf("%s: %d views, %+v, %v", name, len(got.Views), got.Each, got.Registrars)
		}
	}
}

// What an emergency rule is told: nothing when the purpose is another.
func TestWhatAnEmergencyTells(t *testing.T) {
	t.Parallel()
	d := deciderUnder(t, nil)
	number, err := gateway.NewNIN("14837912092")
	if err != nil {
		t.Fatal(err)
	}
	q := gateway.Question{
		Actor: gateway.Actor{Purpose: gateway.BreakTheGlass, Practitioner: "1", Reason: "bevisstløs", Attest: gateway.Attest{NIN: number}},
		Party: gateway.Party{Sector: "hf"},
	}
	for name, c := range map[string]struct {
		change func(q *gateway.Question)
		want   glass
	}{
		"all":             {func(*gateway.Question) {}, glass{true, true, true, true, "hf"}},
		"another purpose": {func(q *gateway.Question) { q.Actor.Purpose = "ETREAT" }, glass{}},
		"no number":       {func(q *gateway.Question) { q.Actor.Practitioner = "" }, glass{true, false, true, true, "hf"}},
		"no reason":       {func(q *gateway.Question) { q.Actor.Reason = "" }, glass{true, true, false, true, "hf"}},
		"any patient":     {func(q *gateway.Question) { q.Actor.Attest = gateway.Attest{Each: true} }, glass{true, true, true, false, "hf"}},
	} {
		asked := q
		c.change(&asked)
		got := d.glassOf(asked)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if text := got.term(asked.Actor.Purpose).String(); (text == "null") != (got == glass{}) {
			t.Errorf("%s: Rego is told %s", name, text)
		}
	}
	p := d.Protection()
	if p.Spell <= 0 || len(p.Grades) < 2 || len(p.GradeTexts) < 2 || len(p.Lifters) == 0 || len(p.Insight) < 3 || p.Complaint == "" {
		t.Errorf("%+v", p)
	}
	tables, err := loadTables(policies.Set{})
	if err != nil {
		t.Fatal(err)
	}
	if tables.readProtection("BTG", []string{"rus", "ukjent"}, "HPL7") == nil {
		t.Error("an emergency of an unknown label is let through")
	}
}

// Who has a role for a person, as Patients and CareTeams tell it.
func TestBearersOfARole(t *testing.T) {
	t.Parallel()
	patient := func(more, practitioners string) *fhir.Resource {
		r, err := fhir.Parse([]byte(`{"resourceType":"Patient","id":"k"` + more + `,"generalPractitioner":[` + practitioners + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ref := func(s string) string { return `{"reference":"` + s + `"}` }
	has := func(system, code string) string {
		return `,"role":[{"coding":[{"system":"urn:x","code":"6"}]},{"coding":[{"system":"` + system + `","code":"` + code + `"}]}]`
	}
	within := `,"period":{"start":"2026-01-01","end":"2026-01-31"}`
	active := `,"status":"active"`
	doctor, other := personRole{Codes: []string{"6", "15"}, General: true}, personRole{Codes: []string{"8"}}
	for name, c := range map[string]struct {
		res          *fhir.Resource
		role         personRole
		permit, deny string
		unknown      [2]bool
	}{
		"a practice":                {patient("", ref("Organization/a")), doctor, "p:1", "p:1 p:2", [2]bool{}},
		"a doctor there":            {patient("", ref("PractitionerRole/pr")), doctor, "h:1:5", "h:1:5 h:2:5", [2]bool{}},
		"a position there":          {patient("", ref("PractitionerRole/role")), doctor, "c:1:lege", "c:1:lege", [2]bool{}},
		"a doctor at no practice":   {patient("", ref("Practitioner/p")), doctor, "", "h:*:5", [2]bool{true, false}},
		"somebody unknown":          {patient("", ref("Organization/x")+","+ref("Organization/b")), doctor, "p:3", "p:3", [2]bool{true, true}},
		"somebody elsewhere":        {patient("", ref("http://x.no/Organization/a")+","+ref("Organization/b")), doctor, "p:3", "p:3", [2]bool{true, true}},
		"of another role":           {patient("", ref("Organization/a")), other, "", "", [2]bool{}},
		"a Patient not in use":      {patient(`,"active":false`, ref("Organization/a")), doctor, "", "p:1 p:2", [2]bool{}},
		"a Patient in use":          {patient(`,"active":true`, ref("Organization/a")), doctor, "p:1", "p:1 p:2", [2]bool{}},
		"by a team":                 {teamOf(t, active, memberOf("Organization/a", has("urn:r", "15"))), doctor, "p:1", "p:1 p:2", [2]bool{}},
		"by a team, another code":   {teamOf(t, active, memberOf("Organization/a", has("urn:r", "8"))), doctor, "", "", [2]bool{}},
		"by a team, another system": {teamOf(t, active, memberOf("Organization/a", has("urn:y", "15"))), doctor, "", "", [2]bool{}},
		"by a team that has ended":  {teamOf(t, `,"status":"inactive"`, memberOf("Organization/a", has("urn:r", "6"))), doctor, "", "p:1 p:2", [2]bool{}},
		"by a team for a time":      {teamOf(t, active+within, memberOf("Organization/a", has("urn:r", "6"))), doctor, "p:1[0101,0201)", "p:1 p:2", [2]bool{}},
		"a member for a time":       {teamOf(t, active, memberOf("Organization/a", within+has("urn:r", "6"))), doctor, "p:1[0101,0201)", "p:1 p:2", [2]bool{}},
		"two times apart":           {teamOf(t, active+within, memberOf("Organization/a", `,"period":{"start":"2026-02-01"}`+has("urn:r", "6"))), doctor, "", "p:1 p:2", [2]bool{}},
		"a time unread":             {teamOf(t, active+`,"period":{"start":"x"}`, memberOf("Organization/a", has("urn:r", "6"))), doctor, "", "p:1 p:2", [2]bool{}},
		"a member's time unread":    {teamOf(t, active, memberOf("Organization/a", `,"period":{"end":"x"}`+has("urn:r", "6"))), doctor, "", "p:1 p:2", [2]bool{}},
		"the patient herself":       {teamOf(t, active, memberOf("Patient/k", has("urn:r", "6"))), doctor, "", "", [2]bool{}},
		"by a team, unknown":        {teamOf(t, active, memberOf("Organization/x", has("urn:r", "6"))+","+memberOf("Organization/b", has("urn:r", "6"))), doctor, "p:3", "p:3", [2]bool{true, true}},
	} {
		for i, wide := range []bool{false, true} {
			want := []string{c.permit, c.deny}[i]
			got, unknown := resolving("1").bearing(c.res, c.role, wide)
			if sliceText(got) != want || unknown != c.unknown[i] {
				t.Errorf("%s, wide %v: %q %v, want %q %v", name, wide, sliceText(got), unknown, want, c.unknown[i])
			}
		}
	}
}

// A permit to a role believes the custodian for its own records and the person for all; a deny reaches everybody unless
// the registering party or the person tells who it is.
func TestRolesOfAPerson(t *testing.T) {
	t.Parallel()
	named := func(ref string) *fhir.Resource {
		r, err := fhir.Parse([]byte(`{"resourceType":"Patient","id":"k","generalPractitioner":[{"reference":"` + ref + `"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b, x := named("Organization/a"), named("Organization/b"), named("Organization/x")
	for name, c := range map[string]struct {
		role         string
		told         []gateway.Stated
		permit, deny string
		all          bool
	}{
		"by the registrar":        {"lege", []gateway.Stated{{By: "1", Resource: a}}, "p:1@1", "p:1 p:2", false},
		"by another":              {"lege", []gateway.Stated{{By: "4", Resource: b}}, "p:3@4", "p:3", true},
		"by her":                  {"lege", []gateway.Stated{{By: "4", Patient: true, Resource: b}}, "p:3", "p:3", false},
		"by both":                 {"lege", []gateway.Stated{{By: "4", Resource: b}, {By: "1", Resource: a}}, "p:1@1 p:3@4", "p:1 p:2 p:3", false},
		"by both, one unknown":    {"lege", []gateway.Stated{{By: "4", Resource: x}, {By: "1", Resource: a}}, "p:1@1", "p:1 p:2", true},
		"by both, the other is":   {"lege", []gateway.Stated{{By: "1", Resource: a}, {By: "4", Resource: x}}, "p:1@1", "p:1 p:2", true},
		"by nobody":               {"lege", nil, "", "", true},
		"a role that there isn't": {"konge", []gateway.Stated{{By: "1", Resource: a}}, "", "", true},
	} {
		for i, wide := range []bool{false, true} {
			r := resolving("1")
			r.persons.Person = map[string]personRole{"lege": {General: true}}
			if c.told != nil {
				r.statements = func() []gateway.Stated { return c.told }
			}
			unknown := c.role == "konge"
			got, all := r.role(actor{name: c.role, path: "x"}, wide)
			if want := []string{c.permit, c.deny}[i]; sliceText(got) != want || all != (unknown || wide && c.all) || unknown != (len(r.issues) > 0) {
				t.Errorf("%s, wide %v: %q %v %v, want %q", name, wide, sliceText(got), all, r.issues, want)
			}
		}
	}
}

// A permit to a group reaches who was in it when the Consent was stored, as long as she is; a deny who was, and who is.
// What the group is now is kept for the next time.
func TestGroupsThenAndNow(t *testing.T) {
	t.Parallel()
	n, err := under(t, "groups", map[string]any{"nameSystem": "urn:x", "groups": map[string]any{"g": map[string]any{"nb": "x", "members": []any{map[string]any{"party": "1", "unit": "2", "nb": "x"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		then         map[string][]gateway.Member
		group        string
		permit, deny string
		all          bool
		kept         int
	}{
		"then":            {map[string][]gateway.Member{"g": {{Party: "3"}}}, "g", "g/p:3", "g/p:* p:3", false, 1},
		"nobody then":     {map[string][]gateway.Member{"g": {}}, "g", "", "g/p:*", false, 1},
		"not stored yet":  {map[string][]gateway.Member{}, "g", "g/u:1:2", "g/p:* u:1:2", false, 1},
		"not kept":        {nil, "g", "g/u:1:2", "g/p:* u:1:2", false, 0},
		"no such group":   {map[string][]gateway.Member{}, "f", "", "", true, 0},
		"gone since then": {map[string][]gateway.Member{"f": {{Party: "3"}}}, "f", "f/p:3", "f/p:* p:3", false, 1},
	} {
		for i, wide := range []bool{false, true} {
			r := &resolver{reader: reader{n.tables, &sheet{}}}
			if c.then != nil {
				r.groupsThen = map[string][]gateway.Member{}
				for k, v := range c.then {
					r.groupsThen[k] = v
				}
			}
			got, all := r.group(actor{name: c.group, path: "x"}, wide)
			if want := []string{c.permit, c.deny}[i]; sliceText(got) != want || all != c.all || len(r.groupsThen) != c.kept || c.all != (len(r.issues) > 0) {
				t.Errorf("%s, wide %v: %q %v %v, want %q", name, wide, sliceText(got), all, r.groupsThen, want)
			}
		}
	}
}
