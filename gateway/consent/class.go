package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Situation is all that policies/releasable.rego looks at besides a question and a record: the person's Consents as
// they stand, and what they were resolved against. Its members are consents, teams, directory, statements and
// hjemler, as that file describes them.
type Situation map[string]any

// constants is what a Situation names.
type constants struct {
	parties, custodians []gateway.HERID
	units               []gateway.HERID
	hprs                []gateway.HPRNumber
	roles               []string
	purposes            []string
	types               []fhir.Type
	items               []fhir.Reference
	labels              gateway.Labels
	times, dates        []time.Time
	together            []map[string]bool // by Consent: dimensions that it names constants of
	directory, groups   map[string]any    // the groups are of the Consent that is read
}

func include[T comparable](list *[]T, values ...T) {
	var none T
	for _, v := range values {
		if v != none && !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
}

// constantsOf reads a Situation. What cannot be read names nothing.
func constantsOf(t *tables, s Situation) *constants {
	k := &constants{}
	k.directory, _ = s["directory"].(map[string]any)
	consents, _ := s["consents"].([]any)
	for _, c := range consents {
		c, _ := c.(map[string]any)
		resource, _ := c["resource"].(map[string]any)
		include(&k.custodians, gateway.HERID(textOf(c, "registrar")))
		if undated(resource["provision"]) { // it begins when it is dated
			k.bound(&k.times, resource["dateTime"], true)
		}
		for _, o := range listOf(resource, "organization") {
			k.actor(o, true, nil)
		}
		names := map[string]bool{}
		k.groups, _ = c["groups"].(map[string]any)
		k.provision(t, resource["provision"], names)
		k.together = append(k.together, names)
		k.stated(listOf(c, "confirmed"))
	}
	teams, _ := s["teams"].(map[string]any)
	for _, team := range teams {
		team, _ := team.(map[string]any)
		k.team(team["listed"])
		k.team(team["current"])
		k.stated(listOf(team, "confirmed"))
	}
	k.stated(listOf(map[string]any(s), "statements"))
	for _, on := range listOf(map[string]any(s), "hjemler") {
		include(&k.custodians, gateway.HERID(textOf(on, "party")))
	}
	k.agreed(t)
	return k
}

// agreed adds what agreements name that are about parties already named.
func (k *constants) agreed(t *tables) {
	for i := range t.agreed.Trust {
		x := &t.agreed.Trust[i]
		if slices.Contains(k.custodians, x.Custodian) && slices.Contains(k.custodians, x.Registrar) {
			include(&k.times, x.span.low, x.span.high)
		}
	}
	for _, x := range t.agreed.Lov {
		if !slices.Contains(k.custodians, x.Custodian.Party) || !slices.Contains(k.parties, x.Recipient.Party) {
			continue
		}
		if period, err := lasting(x.Start, x.End); err == nil {
			include(&k.times, period.low, period.high)
		}
		for _, role := range x.Roles {
			if role != anyParty {
				include(&k.roles, role)
			}
		}
		for _, p := range x.Purposes {
			include(&k.purposes, string(p))
		}
		include(&k.types, x.Types...)
	}
}

// undated tells whether a permit in the provision says no start.
func undated(v any) bool {
	p, _ := v.(map[string]any)
	if textOf(p["period"], "start") != "" {
		return false
	}
	return textOf(p, "type") == "permit" || slices.ContainsFunc(listOf(p, "provision"), undated)
}

func textOf(v any, name string) string {
	m, _ := v.(map[string]any)
	s, _ := m[name].(string)
	return s
}

func listOf(v any, name string) []any {
	m, _ := v.(map[string]any)
	l, _ := m[name].([]any)
	return l
}

// provision reads one and all below it; names collects the dimensions of which the Consent names constants.
func (k *constants) provision(t *tables, v any, names map[string]bool) {
	p, _ := v.(map[string]any)
	for _, a := range listOf(p, "actor") {
		a, _ := a.(map[string]any)
		role := ""
		for _, c := range listOf(a["role"], "coding") {
			role = textOf(c, "code")
		}
		k.actor(a["reference"], role == "CST", names)
		ref, _ := a["reference"].(map[string]any)
		k.group(t, textOf(ref["identifier"], "value"))
	}
	for _, c := range listOf(p, "purpose") {
		include(&k.purposes, textOf(c, "code"))
		include(&k.purposes, t.purposes[textOf(c, "code")].Below...)
		names["purpose"] = true
	}
	for _, c := range listOf(p, "class") {
		include(&k.types, fhir.Type(strings.TrimPrefix(textOf(c, "code"), baseProfile)))
		names["kind"] = true
	}
	for _, d := range listOf(p, "data") {
		d, _ := d.(map[string]any)
		if ref, err := fhir.ParseReference(textOf(d["reference"], "reference")); err == nil {
			ref.Version = ""
			include(&k.items, ref)
			include(&k.types, ref.Type)
		}
		names["kind"] = true
	}
	for _, l := range listOf(p, "securityLabel") {
		label, _ := gateway.LabelOf(textOf(l, "code"))
		k.labels |= label
	}
	if k.period(&k.dates, p["dataPeriod"]) {
		names["date"] = true
	}
	k.period(&k.times, p["period"])
	for _, n := range listOf(p, "provision") {
		k.provision(t, n, names)
	}
}

func (k *constants) period(into *[]time.Time, v any) bool {
	p, ok := v.(map[string]any)
	k.bound(into, p["start"], true)
	k.bound(into, p["end"], false)
	return ok
}

func (k *constants) bound(into *[]time.Time, v any, start bool) {
	text, _ := v.(string)
	low, high, err := fhir.ParseDate(text)
	if err != nil {
		return
	}
	if !start {
		low = high
	}
	include(into, low.UTC())
}

// actor reads whom a Reference names, as custodian or as receiver.
func (k *constants) actor(v any, custodian bool, names map[string]bool) {
	ref, _, _ := strings.Cut(textOf(v, "reference"), "/_history/")
	a, known := k.directory[ref].(map[string]any)
	if !known { // a team, a role or a group, whose members are read elsewhere; or nobody
		for _, n := range []string{"unit", "hpr", "role"} {
			if names != nil {
				names[n] = true
			}
		}
		return
	}
	parties := &k.parties
	if custodian {
		parties = &k.custodians
	}
	include(parties, gateway.HERID(textOf(a, "party")))
	if parts := listOf(a, "parts"); len(parts) > 0 { // the parts of a party are alike, but where they are named
		part, _ := parts[0].(string)
		include(parties, gateway.HERID(part))
	}
	told := func(name, value string) {
		if value != "" && names != nil {
			names[name] = true
		}
	}
	include(&k.units, gateway.HERID(textOf(a, "unit")))
	include(&k.hprs, gateway.HPRNumber(textOf(a, "practitioner")))
	include(&k.roles, textOf(a, "role"))
	told("unit", textOf(a, "unit"))
	told("hpr", textOf(a, "practitioner"))
	told("role", textOf(a, "role"))
}

// stated reads who has stated or confirmed something, and what.
func (k *constants) stated(list []any) {
	for _, s := range list {
		include(&k.custodians, gateway.HERID(textOf(s, "by")))
		m, _ := s.(map[string]any)
		k.team(m["resource"])
	}
}

// team reads a CareTeam, or a Patient who names her fastlege.
func (k *constants) team(v any) {
	r, _ := v.(map[string]any)
	k.period(&k.times, r["period"])
	for _, g := range listOf(r, "generalPractitioner") {
		k.actor(g, false, nil)
	}
	for _, p := range listOf(r, "participant") {
		p, _ := p.(map[string]any)
		k.actor(p["member"], false, nil)
		k.actor(p["onBehalfOf"], false, nil)
		k.period(&k.times, p["period"])
	}
	meta, _ := r["meta"].(map[string]any)
	for _, x := range listOf(meta, "extension") {
		x, _ := x.(map[string]any)
		k.actor(x["valueReference"], true, nil)
	}
}

// group reads who was in a receiver group, and who is.
func (k *constants) group(t *tables, name string) {
	for _, m := range listOf(k.groups, name) {
		include(&k.parties, gateway.HERID(textOf(m, "party")))
		include(&k.units, gateway.HERID(textOf(m, "unit")))
	}
	for _, m := range t.groups.members(name) {
		include(&k.parties, m.Party)
		include(&k.units, m.Unit)
	}
}
