package mapping

import "strings"

// partyOut writes a logical reference as fk1:HealthcareProfessional, Organisation or Person. The schema wants an
// identifier for the first two. A dialogmelding has names and identifiers of persons in its own namespace.
func (x *emitter) partyOut(name string, f *field, ref, base *node) *out {
	o := &out{name: name}
	typ := identifierType(ref.dig("identifier", "system").string())
	if f.kind != "PERSON" && typ == "" {
		return nil
	}
	if x.log && reveals(ref.get("display").string()) {
		x.findings = append(x.findings, Finding{Path: f.name, Outcome: Reveals, Target: "NotSent"})
		return nil
	}
	prefix := "fk1:"
	if strings.HasPrefix(f.ns, nsDialog) && f.kind != "ORG" {
		prefix = x.name(f.prefix, "")
	}
	ref.get("type").take()
	o.handledRole(x, f, base, prefix)
	if f.kind == "ORG" {
		o.add("fk1:OrganisationName", orDash(ref.get("display").take()))
	} else {
		o.personName(ref, prefix, f.kind == "PERSON" && prefix != "fk1:")
	}
	if typ != "" && f.kind != "PERSON" {
		ref.dig("identifier", "system").take()
		list := "8116"
		if f.kind == "ORG" {
			list = "9051"
		}
		o.kids = append(o.kids, &out{name: prefix + "Ident", kids: []*out{
			{name: "fk1:Id", text: ref.dig("identifier", "value").take()},
			{name: "fk1:TypeId", attrs: []string{"V", typ, "S", volven + list, "DN", x.t.codes[list][typ]}}}})
	}
	for _, point := range ref.find(steps("extension{telecom}.valueContactPoint")) {
		o.telecom(point, prefix+"TeleCom")
	}
	ref.handled = true
	return o
}

// nsDialog begins the namespaces of dialogmelding.
const nsDialog = "http://www.kith.no/xmlstds/dialog/"

// personName writes the parts of a name as they were, where extension navn tells them, else the last word of display as
// the family name. dialogmelding has the given name of a Person first.
func (o *out) personName(ref *node, prefix string, givenFirst bool) {
	display := ref.get("display").take()
	given, family := splitName(display)
	middle := ""
	for _, v := range ref.find(nameParts) {
		family, given = v.get("family").take(), ""
		for i, g := range v.get("given").items() {
			if i == 0 {
				given = g.take()
			} else {
				middle = g.take()
			}
		}
	}
	parts := [][2]string{{"FamilyName", family}, {"MiddleName", middle}, {"GivenName", given}}
	if givenFirst {
		parts[0], parts[2] = parts[2], parts[0]
	}
	for _, p := range parts {
		o.add(prefix+p[0], p[1])
	}
}

var nameParts = steps("extension{navn}.valueHumanName")

// nameOf gives the parts of a name that its display alone would not give back.
func nameOf(e *elem, display string) *node {
	given, middle, family := e.kid("GivenName").value(), e.kid("MiddleName").value(), e.kid("FamilyName").value()
	if g, f := splitName(display); middle == "" && g == given && f == family {
		return nil
	}
	name := object()
	if family != "" {
		name.set("family", str(family))
	}
	list := array()
	for _, g := range []string{given, middle} {
		if g != "" {
			list.kids = append(list.kids, str(g))
		}
	}
	if len(list.kids) > 0 {
		name.set("given", list)
	}
	return name
}

func (o *out) handledRole(x *emitter, f *field, base *node, prefix string) {
	if len(f.targets) < 2 {
		return
	}
	for _, role := range base.find(f.targets[1].path) {
		if r := x.codedOut(prefix+"RoleToPatient", &field{kind: "CV", lists: []string{"9034"}}, role); r != nil {
			o.kids = append(o.kids, r)
			return
		}
	}
}

func (o *out) add(name, text string) {
	if text != "" {
		o.kids = append(o.kids, &out{name: name, text: text})
	}
}

func (o *out) telecom(point *node, name string) {
	uri, typ := telecomURI(point)
	if uri == "" {
		return
	}
	point.markAll()
	t := &out{name: name}
	if typ != "" {
		t.kids = append(t.kids, &out{name: "fk1:TypeTelecom", attrs: []string{"V", typ}})
	}
	t.kids = append(t.kids, &out{name: "fk1:TeleAddress", attrs: []string{"V", uri}})
	o.kids = append(o.kids, t)
}

// contactOut writes Patient.contact as a fk1:Person.
func (x *emitter) contactOut(name string, contact *node) []*out {
	o := &out{name: name}
	o.add("fk1:FamilyName", contact.dig("name", "family").take())
	given := contact.dig("name", "given").items()
	if len(given) > 1 {
		o.add("fk1:MiddleName", given[1].take())
	}
	if len(given) > 0 {
		o.add("fk1:GivenName", given[0].take())
	}
	if v := contact.dig("name", "text"); len(o.kids) == 0 && v != nil && !v.handled {
		o.add("fk1:FamilyName", v.take())
	}
	if code, text := sexCode(contact.get("gender").string()); code != "" {
		contact.get("gender").take()
		o.kids = append(o.kids, &out{name: "fk1:Sex", attrs: []string{"V", code, "DN", text}})
	}
	if a := contact.get("address"); a != nil {
		address := &out{name: "fk1:Address"}
		if line := a.get("line").first(); line != nil {
			address.add("fk1:StreetAdr", line.take())
		}
		address.add("fk1:PostalCode", a.get("postalCode").take())
		if address.add("fk1:City", a.get("city").take()); len(address.kids) > 0 {
			o.kids = append(o.kids, address)
		}
	}
	for _, point := range contact.get("telecom").items() {
		o.telecom(point, "fk1:TeleCom")
	}
	if len(o.kids) == 0 {
		return nil
	}
	return []*out{o}
}
