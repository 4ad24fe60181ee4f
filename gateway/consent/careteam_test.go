package consent

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// numbers is a directory as a table: what each reference is in numbers.
type numbers map[string]gateway.Address

func (n numbers) Party(gateway.HERID) (gateway.Party, bool) { return gateway.Party{}, false }

func (n numbers) Resolve(r fhir.Reference) (gateway.Address, bool) {
	if r.Version != "" {
		return gateway.Address{}, false // the directory is asked for who somebody is, not for a version
	}
	a, ok := n[r.String()]
	return a, ok
}

var listedNumbers = numbers{
	"Organization/a": {Party: "1", Parts: []gateway.HERID{"2"}}, "Organization/b": {Party: "3"}, "Organization/nobody": {}, "Organization/unit": {Party: "1", Unit: "9"},
	"HealthcareService/u": {Party: "1", Unit: "7", Parts: []gateway.HERID{"2"}}, "HealthcareService/none": {Party: "1"}, "HealthcareService/loose": {Unit: "7"},
	"Practitioner/p": {Practitioner: "5"}, "Practitioner/none": {},
	"PractitionerRole/pr": {Party: "1", Practitioner: "5", Role: "lege", Parts: []gateway.HERID{"2"}}, "PractitionerRole/role": {Party: "1", Role: "lege"},
	"PractitionerRole/person": {Party: "1", Practitioner: "5"}, "PractitionerRole/none": {Party: "1"}, "PractitionerRole/loose": {Practitioner: "5", Role: "lege"},
	"Location/l": {Party: "1"},
}

func resolving(registrar gateway.HERID) *resolver {
	return &resolver{reader: reader{&tables{persons: roles{CodeSystem: "urn:r"}}, &sheet{}}, dir: listedNumbers, registrar: gateway.Party{ID: registrar}}
}

func refOf(t *testing.T, s string) fhir.Reference {
	t.Helper()
	r, err := fhir.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whoText writes receivers, sorted.
func whoText(list []who) string {
	var out []string
	for _, w := range list {
		out = append(out, string(key(w)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// What a reference is in numbers: a permit takes exactly who is named, a deny the parts too. Who lacks a number is nobody.
func TestReferencesInNumbers(t *testing.T) {
	t.Parallel()
	parties := []gateway.HERID{"1", "3"}
	for ref, want := range map[string][2]string{
		"Organization/a": {"p:1", "p:1 p:2"}, "Organization/a/_history/2": {"p:1", "p:1 p:2"}, "Organization/b": {"p:3", "p:3"}, "Organization/unit": {"u:1:9", "u:1:9"},
		"HealthcareService/u": {"u:1:7", "u:1:7"}, "PractitionerRole/pr": {"r:1:5:lege", "r:1:5:lege r:2:5:lege"}, "PractitionerRole/role": {"c:1:lege", "c:1:lege"},
		"PractitionerRole/person": {"h:1:5", "h:1:5"}, "Practitioner/p": {"h:1:5 h:3:5", "h:1:5 h:3:5"},
		"Organization/nobody": {}, "Organization/x": {}, "HealthcareService/none": {}, "HealthcareService/loose": {}, "HealthcareService/x": {}, "Practitioner/none": {}, "Practitioner/x": {},
		"PractitionerRole/none": {}, "PractitionerRole/loose": {}, "PractitionerRole/x": {}, "Location/l": {}, "Patient/k": {},
	} {
		for i, wide := range []bool{false, true} {
			if got := whoText(resolving("1").address(refOf(t, ref), wide, parties)); got != want[i] {
				t.Errorf("%s, wide %v: %q, want %q", ref, wide, got, want[i])
			}
		}
	}
	p := refOf(t, "Practitioner/p")
	if got := whoText(resolving("1").address(p, true, nil)); got != "h:*:5" {
		t.Errorf("a deny of a practitioner at no party: %q", got)
	}
	if got := resolving("1").address(p, false, nil); got != nil {
		t.Errorf("a permit to a practitioner at no party: %v", got)
	}
}

func teamOf(t *testing.T, more, participants string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"CareTeam","id":"t"%s,"participant":[%s]}`, more, participants))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const ownedBy = `,"status":"active","meta":{"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"%s"}}]}`

func memberOf(ref, more string) string { return `{"member":{"reference":"` + ref + `"}` + more + `}` }

// slices as a text: who, from whom, and when.
func sliceText(list []slice) string {
	var out []string
	for _, s := range list {
		text := string(key(s.who))
		if s.custodian != "" {
			text += "@" + string(s.custodian)
		}
		if s.span != (span{}) {
			text += fmt.Sprintf("[%s,%s)", s.low.In(fhir.Oslo()).Format("0102"), s.high.In(fhir.Oslo()).Format("0102"))
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// A member of a team is a receiver: a practitioner within the party on whose behalf she is there.
func TestMembersInNumbers(t *testing.T) {
	t.Parallel()
	behalf := func(ref string) string { return `,"onBehalfOf":{"reference":"` + ref + `"}` }
	for _, c := range []struct {
		member       string
		permit, deny string
		skip         bool
	}{
		{memberOf("Organization/a", ""), "p:1", "p:1 p:2", false}, {memberOf("Organization/b", behalf("Organization/a")), "p:3", "p:3", false},
		{memberOf("Patient/k", ""), "", "", true}, {memberOf("RelatedPerson/m", behalf("Organization/a")), "", "", true},
		{memberOf("Practitioner/p", ""), "h:9:5", "h:9:5", false}, {memberOf("Practitioner/p", behalf("Organization/a")), "h:1:5", "h:1:5 h:2:5", false},
		{memberOf("Practitioner/p", behalf("Organization/a/_history/1")), "h:1:5", "h:1:5 h:2:5", false},
		{memberOf("Practitioner/p", behalf("Organization/x")), "", "", false}, {memberOf("Practitioner/p", behalf("Organization/nobody")), "", "", false},
		{memberOf("Practitioner/p", behalf("HealthcareService/u")), "", "", false}, {memberOf("Practitioner/p", behalf("http://x.no/Organization/a")), "", "", false},
		{memberOf("Practitioner/p", `,"onBehalfOf":{"display":"x"}`), "h:9:5", "h:9:5", false},
		{memberOf("http://x.no/Organization/a", ""), "", "", false}, {`{"role":[]}`, "", "", false},
	} {
		p := teamOf(t, "", c.member).Root().Get("participant").Items()[0]
		for want, wide := range map[*string]bool{&c.permit: false, &c.deny: true} {
			found, skip := resolving("1").member(p, wide, []gateway.HERID{"9"})
			if got := whoText(found); got != *want || skip != c.skip || *want == "" && found != nil {
				t.Errorf("%s, wide %v: %q %v, want %q", c.member, wide, got, skip, *want)
			}
		}
	}
}

// The members that count for a permit: then and now, inside both periods, of the registering party's team for all, of
// another's for that custodian's records; later ones when they are confirmed.
func TestMembersThatCount(t *testing.T) {
	t.Parallel()
	a, b := memberOf("Organization/a", ""), memberOf("Organization/b", "")
	owner := func(ref string) string { return fmt.Sprintf(ownedBy, ref) }
	within := func(low, high string) string { return `,"period":{"start":"` + low + `","end":"` + high + `"}` }
	team := func(members string) *fhir.Resource { return teamOf(t, owner("Organization/a"), members) }
	for name, c := range map[string]struct {
		registrar       gateway.HERID
		listed, current *fhir.Resource
		later           []gateway.Stated
		want            string
	}{
		"the registrar's":        {"1", team(a), team(a + "," + b), nil, "p:1"},
		"another's":              {"8", team(a + "," + b), team(a), nil, "p:1@1"},
		"nobody's":               {"1", team(a), teamOf(t, owner("Organization/nobody"), a), nil, ""},
		"somebody unknown's":     {"1", team(a), teamOf(t, owner("Organization/x"), a), nil, ""},
		"gone":                   {"1", team(a), nil, nil, ""},
		"not there then":         {"1", nil, team(a), nil, ""},
		"never there":            {"1", nil, nil, nil, ""},
		"not active":             {"1", team(a), teamOf(t, strings.Replace(owner("Organization/a"), "active", "inactive", 1), a), nil, ""},
		"not active then":        {"1", teamOf(t, strings.Replace(owner("Organization/a"), "active", "proposed", 1), a), team(a), nil, ""},
		"a period":               {"1", teamOf(t, owner("Organization/a")+within("2026-01-01", "2026-01-31"), memberOf("Organization/a", within("2026-01-05", "2026-02-28"))), team(a), nil, "p:1[0105,0201)"},
		"two periods apart":      {"1", teamOf(t, owner("Organization/a")+within("2026-01-01", "2026-01-31"), a), team(memberOf("Organization/a", within("2026-02-01", "2026-02-28"))), nil, ""},
		"a period unread":        {"1", teamOf(t, owner("Organization/a")+within("i dag", "2026-01-31"), a), team(a), nil, ""},
		"a member's unread":      {"1", team(memberOf("Organization/a", within("2026-01-01", "x"))), team(a), nil, ""},
		"another's member's":     {"1", team(memberOf("Organization/a", within("2026-01-01", "x")) + "," + b), team(a + "," + b), nil, "p:3"},
		"confirmed by her":       {"1", team(b), team(a), []gateway.Stated{{Patient: true, Resource: team(a)}}, "p:1"},
		"confirmed by custodian": {"1", team(b), team(a), []gateway.Stated{{By: "4", Resource: team(a)}}, "p:1@4"},
		"another's, confirmed":   {"8", team(b), team(a), []gateway.Stated{{By: "1", Resource: team(a)}, {By: "4", Resource: team(a)}}, "p:1@1"},
		"another's, by her":      {"8", team(b), team(a), []gateway.Stated{{By: "4", Patient: true, Resource: team(a)}}, "p:1@1"},
	} {
		r := resolving(c.registrar)
		r.team = func(fhir.Reference) (listed, current *fhir.Resource) { return c.listed, c.current }
		if c.later != nil {
			r.later = func(fhir.Reference) []gateway.Stated { return c.later }
		}
		got, all := r.members(refOf(t, "CareTeam/t"), "x", false, nil)
		if sliceText(got) != c.want || all {
			t.Errorf("%s: %q %v, want %q", name, sliceText(got), all, c.want)
		}
		if missing := c.listed == nil && c.current == nil; missing != (len(r.issues) > 0) {
			t.Errorf("%s: %v", name, r.issues)
		}
	}
}

// The members that a deny reaches: whoever is or was one, and everybody when the team cannot be read in full.
func TestMembersThatAreDenied(t *testing.T) {
	t.Parallel()
	a, b, k := memberOf("Organization/a", ""), memberOf("Organization/b", ""), memberOf("Patient/k", "")
	team := func(members string) *fhir.Resource { return teamOf(t, "", members) }
	for name, c := range map[string]struct {
		listed, current *fhir.Resource
		want            string
		all             bool
	}{
		"then and now":            {team(a), team(b), "p:1 p:2 p:3", false},
		"with the patient":        {team(a + "," + k), team(k + "," + b), "p:1 p:2 p:3", false},
		"gone":                    {team(a), nil, "", true},
		"not there then":          {nil, team(a), "", true},
		"of nobody now":           {team(a), team(""), "p:1 p:2", true},
		"of nobody then":          {team(""), team(b), "p:3", true},
		"of the patient alone":    {team(k), team(k), "", true},
		"of somebody unknown":     {team(memberOf("Organization/x", "") + "," + a), team(b), "p:1 p:2 p:3", true},
		"of somebody unknown now": {team(a), team(b + "," + memberOf("Organization/x", "")), "p:1 p:2 p:3", true},
	} {
		got, all := resolving("1").everybody(c.listed, c.current)
		if sliceText(got) != c.want || all != c.all {
			t.Errorf("%s: %q %v, want %q %v", name, sliceText(got), all, c.want, c.all)
		}
		r := resolving("1")
		r.team = func(fhir.Reference) (listed, current *fhir.Resource) { return c.listed, c.current }
		if again, every := r.members(refOf(t, "CareTeam/t"), "x", true, nil); sliceText(again) != c.want || every != c.all {
			t.Errorf("%s: %q %v", name, sliceText(again), every)
		}
	}
}

// The receivers of a provision: one that cannot be told is nobody to a permit, and everybody to a deny.
func TestReceiversOfAProvision(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refs         string
		permit, deny string
		all          bool
		faults       int
	}{
		"two":                            {"Organization/a Organization/b", "p:1 p:3", "p:1 p:2 p:3", false, 0},
		"one unknown":                    {"Organization/x Organization/b", "p:3", "p:3", true, 1},
		"one unknown, last":              {"Organization/b Organization/x", "p:3", "p:3", true, 1},
		"one elsewhere":                  {"http://x.no/Organization/a Organization/b", "p:3", "p:3", true, 1},
		"a team and one":                 {"CareTeam/t Organization/b", "p:3", "p:3", true, 1},
		"one and then a team":            {"Organization/x CareTeam/t Organization/b", "p:3", "p:3", true, 2},
		"one, then a team that is known": {"Organization/x CareTeam/known", "p:3", "p:3 p:3", true, 1},
		"a team that is known":           {"CareTeam/known", "p:3", "p:3 p:3", false, 0},
	} {
		for want, wide := range map[*string]bool{&c.permit: false, &c.deny: true} {
			r := resolving("1")
			r.team = func(ref fhir.Reference) (listed, current *fhir.Resource) {
				if ref.ID != "known" {
					return nil, nil
				}
				known := teamOf(t, fmt.Sprintf(ownedBy, "Organization/a"), memberOf("Organization/b", ""))
				return known, known
			}
			p := &provision{}
			for _, ref := range strings.Fields(c.refs) {
				p.recipients = append(p.recipients, actor{ref: ref, path: "x"})
			}
			got, all := r.recipients(p, wide, nil)
			if sliceText(got) != *want || all != (c.all && wide) || len(r.issues) != c.faults {
				t.Errorf("%s, wide %v: %q %v %d faults", name, wide, sliceText(got), all, len(r.issues))
			}
		}
	}
}

// The custodians of a provision: a party, in a deny with its parts; nothing less than a party.
func TestCustodiansInNumbers(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string][2]string{
		"Organization/a": {"[1]", "[1 2]"}, "Organization/a/_history/3": {"[1]", "[1 2]"}, "Organization/nobody": {"[]", "[]"}, "Organization/unit": {"[]", "[]"}, "Organization/x": {"[]", "[]"},
		"HealthcareService/none": {"[]", "[]"}, "http://x.no/Organization/a": {"[]", "[]"}, "": {"[]", "[]"},
	} {
		for i, wide := range []bool{false, true} {
			b := &builder{resolver: *resolving("1")}
			got, ok := b.custodian(actor{ref: ref, path: "x"}, wide)
			if fmt.Sprint(got) != want[i] || ok != (want[i] != "[]") || ok != (len(b.issues) == 0) {
				t.Errorf("%s, wide %v: %v %v, want %s", ref, wide, got, b.issues, want[i])
			}
		}
	}
}
