package mapping

import (
	"slices"
	"strconv"
	"strings"
)

// out is an XML element to be written.
type out struct {
	name  string
	attrs []string
	text  string
	kids  []*out
}

func (o *out) write(w *writer) {
	switch {
	case len(o.kids) > 0:
		w.open(o.name, o.attrs...)
		for _, k := range o.kids {
			k.write(w)
		}
		w.close(o.name)
	case o.text != "":
		w.text(o.name, o.text, o.attrs...)
	default:
		w.empty(o.name, o.attrs...)
	}
}

// source is a resource to be sent.
type source struct {
	node  *node
	typ   string
	index int // in Outgoing.Resources; -1 for what this package adds
	used  bool
}

// emitter walks plo.table the other way: from resources to elements.
type emitter struct {
	t         *table
	sent      string
	plain     string // prefix that is the default namespace
	resources []*source
	findings  []Finding
	single    bool     // one resource per container: each note is approved on its own
	missing   []string // required elements without a value
}

// classOut returns the children of an element of the class, in the table's order.
func (x *emitter) classOut(c *class, base *node) []*out {
	var kids []*out
	for _, f := range c.fields {
		got := x.fieldOut(f, base)
		kids = append(kids, got...)
	}
	if len(kids) > 0 {
		for _, f := range c.fields {
			if f.min > 0 && !slices.ContainsFunc(kids, func(o *out) bool { return o.name == x.name(f.prefix, f.name) }) {
				x.missing = append(x.missing, f.name)
			}
		}
	}
	x.settle(c, base)
	return kids
}

// settle marks the constants of a class as carried, where the resource says the same.
func (x *emitter) settle(c *class, base *node) {
	for _, k := range append(slices.Clone(c.consts), c.defaults...) {
		want := k.json
		if want == "$sent" {
			want = string(quote(nil, x.sent))
		}
		for _, v := range base.find(k.path) {
			if string(v.bytes()) == want {
				v.markAll()
			}
		}
	}
}

func (n *node) markAll() {
	n.handled = true
	for _, k := range n.kids {
		k.markAll()
	}
}

func (x *emitter) fieldOut(f *field, base *node) []*out {
	name := x.name(f.prefix, f.name)
	switch {
	case f.kind == "KEEP":
		return nil
	case f.class == nil:
		return x.leafOut(f, base)
	case f.class.resource != "":
		return x.resourcesOut(f)
	case len(f.targets) > 0:
		return x.itemsOut(f, base)
	}
	if !f.many || f.section.mode != "one" {
		if kids := x.classOut(f.class, base); len(kids) > 0 {
			return []*out{{name: name, kids: kids}}
		}
		return nil
	}
	var all []*out
	outer := x.single
	x.single = true
	for {
		kids := x.classOut(f.class, base)
		if len(kids) == 0 {
			break
		}
		all = append(all, &out{name: name, kids: kids})
	}
	x.single = outer
	return all
}

// resourcesOut writes the resources that belong to a class.
func (x *emitter) resourcesOut(f *field) []*out {
	name := x.name(f.prefix, f.name)
	var all []*out
	for _, s := range x.resources {
		if s.typ != f.class.resource || s.unsendable() {
			continue
		}
		if f.class.single {
			if items := x.itemsOut(f, s.node); len(items) > 0 {
				s.used = true
				x.settleTop(s)
				all = append(all, items...)
			}
			continue
		}
		if s.used || !s.node.fits(f.class.when, x.t) || len(f.class.skip) > 0 && s.node.fits(f.class.skip, x.t) {
			continue
		}
		s.used = true
		o := &out{name: name, kids: x.classOut(f.class, s.node)}
		if len(f.class.text) > 0 {
			for _, v := range s.node.find(f.class.text) {
				o.text = v.take()
			}
		}
		if len(o.kids) == 0 && o.text == "" {
			continue
		}
		if all = append(all, o); x.single {
			break
		}
	}
	return all
}

// settleTop marks what the single CareTeam of a message always says.
func (x *emitter) settleTop(s *source) {
	if v := s.node.get("status"); s.typ == "CareTeam" && v.string() == "active" {
		v.take()
	}
}

func (x *emitter) itemsOut(f *field, base *node) []*out {
	var all []*out
	for _, item := range base.find(f.targets[0].path) {
		if item.handled || !item.fits(f.class.when, x.t) || len(f.class.skip) > 0 && item.fits(f.class.skip, x.t) {
			continue
		}
		if kids := x.classOut(f.class, item); len(kids) > 0 {
			item.handled = true
			all = append(all, &out{name: x.name(f.prefix, f.name), kids: kids})
		}
	}
	return all
}

// unsendable tells of a resource that is withdrawn or refuted.
func (s *source) unsendable() bool {
	for _, code := range []string{s.node.get("status").string(), s.node.dig("verificationStatus", "coding", "code").string()} {
		if code == "entered-in-error" || code == "refuted" {
			return true
		}
	}
	return false
}

// fits tells whether one of the values stands at each path; "-" means that nothing does, and a list number means its
// system.
func (n *node) fits(conditions []condition, t *table) bool {
	for _, c := range conditions {
		values := n.find(c.path)
		ok := len(values) == 0 && slices.Contains(c.values, "-")
		for _, v := range values {
			have := v.string()
			ok = ok || slices.Contains(c.values, have) || slices.Contains(c.values, strings.TrimPrefix(t.oid(have), volven))
		}
		if !ok {
			return false
		}
	}
	return true
}

// leafOut writes an element without a class, by its kind.
func (x *emitter) leafOut(f *field, base *node) []*out {
	name := x.name(f.prefix, f.name)
	if f.kind == "CONTACT" {
		return x.contactOut(name, base)
	}
	if len(f.targets) == 0 {
		return nil
	}
	var all []*out
	for _, v := range x.values(f, base) {
		var o *out
		switch f.kind {
		case "CS", "CV", "CODE":
			o = x.codedOut(name, f, v)
		case "PQ":
			o = &out{name: name, attrs: []string{"V", v.get("value").take(), "U", v.get("unit").take()}}
		case "TS":
			o = &out{name: name, attrs: []string{"V", v.take()}}
		case "HCP", "ORG", "PERSON":
			o = x.partyOut(name, f, v, base)
		case "DAY":
			if _, ok := birthDate(v.string()); ok {
				o = &out{name: name, text: v.take()}
			}
		default:
			o = &out{name: name, text: v.take()}
		}
		if o == nil || o.hollow() {
			continue
		}
		if all = append(all, o); !f.many {
			break
		}
	}
	if len(all) == 0 && len(f.targets) > 1 {
		all = x.mappedBack(name, f, base)
	}
	x.settleTargets(f, base, all)
	return all
}

func (o *out) hollow() bool {
	if o.text != "" || len(o.kids) > 0 {
		return false
	}
	for i := 1; i < len(o.attrs); i += 2 {
		if o.attrs[i] != "" {
			return false
		}
	}
	return true
}

// values finds what nobody has written yet, at the path or else at its fallbacks.
func (x *emitter) values(f *field, base *node) []*node {
	path := f.targets[0].path
	if f.kind == "CODE" && path[len(path)-1].name == "coding" {
		path = append(slices.Clone(path[:len(path)-1]), step{name: "coding", append: true}) // any of them
	}
	for _, p := range append([][]step{path}, f.targets[0].fallbacks...) {
		var fresh []*node
		for _, v := range base.find(p) {
			if !v.handled && v.kind != '0' {
				fresh = append(fresh, v)
			}
		}
		if len(fresh) > 0 {
			return fresh
		}
	}
	return nil
}

// codedOut writes V, S, DN, OT. A code of a list that the element does not take, or of a system without an OID, is not
// written as a code.
func (x *emitter) codedOut(name string, f *field, v *node) *out {
	codings := v.get("coding").items()
	if f.kind == "CODE" {
		codings = []*node{v}
	}
	for _, c := range codings {
		oid := x.t.oid(c.get("system").string())
		list := strings.TrimPrefix(oid, volven)
		if oid == "" && c.get("code") != nil || len(f.lists) > 0 && oid != "" && !slices.Contains(f.lists, list) {
			continue
		}
		c.get("system").take()
		o := &out{name: name, attrs: []string{"V", c.get("code").take(), "S", oid, "DN", c.get("display").take()}}
		if f.kind == "CS" {
			o.attrs = []string{"V", o.attrs[1], "DN", o.attrs[5]}
		}
		if text := v.get("text"); f.kind == "CV" && text != nil && !text.handled {
			o.attrs = append(o.attrs, "OT", text.take())
		}
		c.handled, v.handled = true, true
		return o
	}
	if text := v.get("text"); f.kind == "CV" && text != nil && !text.handled {
		v.handled = true
		return &out{name: name, attrs: []string{"OT", text.take()}}
	}
	return nil
}

// mappedBack writes the code that a mapped FHIR code stands for, when the message's own code is not there.
func (x *emitter) mappedBack(name string, f *field, base *node) []*out {
	for _, g := range f.targets[1:] {
		for _, v := range base.find(g.path) {
			for _, pair := range x.t.maps[g.through] {
				if pair[1] == v.string() && len(f.lists) == 1 {
					v.take()
					attrs := []string{"V", pair[0], "S", volven + f.lists[0], "DN", x.t.codes[f.lists[0]][pair[0]]}
					if f.kind == "CS" {
						attrs = []string{"V", pair[0], "DN", attrs[5]}
					}
					return []*out{{name: name, attrs: attrs}}
				}
			}
		}
	}
	return nil
}

// settleTargets marks the further targets of a field as carried where they follow from what was written.
func (x *emitter) settleTargets(f *field, base *node, written []*out) {
	if len(written) == 0 {
		return
	}
	for _, g := range f.targets {
		for _, v := range base.find(g.path) {
			switch {
			case g.literal != nil && string(v.bytes()) == string(g.literal.bytes()):
				v.markAll()
			case g.through != "":
				for _, pair := range x.t.maps[g.through] {
					if pair[0] == written[0].attrs[1] && pair[1] == v.string() {
						v.take()
					}
				}
			}
		}
	}
}

// partyOut writes a logical reference as fk1:HealthcareProfessional, Organisation or Person. The schema wants an
// identifier for the first two.
func (x *emitter) partyOut(name string, f *field, ref, base *node) *out {
	o := &out{name: name}
	typ := identifierType(ref.dig("identifier", "system").string())
	if f.kind != "PERSON" && typ == "" {
		return nil
	}
	display := ref.get("display").take()
	ref.get("type").take()
	o.handledRole(x, f, base)
	if f.kind == "ORG" {
		o.add("fk1:OrganisationName", orDash(display))
	} else {
		given, family := splitName(display)
		o.add("fk1:FamilyName", family)
		o.add("fk1:GivenName", given)
	}
	if typ != "" && f.kind != "PERSON" {
		ref.dig("identifier", "system").take()
		list := "8116"
		if f.kind == "ORG" {
			list = "9051"
		}
		o.kids = append(o.kids, &out{name: "fk1:Ident", kids: []*out{
			{name: "fk1:Id", text: ref.dig("identifier", "value").take()},
			{name: "fk1:TypeId", attrs: []string{"V", typ, "S", volven + list, "DN",
				map[string]string{"HPR": "HPR-nummer", "HER": "HER-id", "ENH": "Organisasjonsnummeret i Enhetsregister"}[typ]}}}})
	}
	for _, point := range ref.find(steps("extension{telecom}.valueContactPoint")) {
		o.telecom(point)
	}
	ref.handled = true
	return o
}

func (o *out) handledRole(x *emitter, f *field, base *node) {
	if len(f.targets) < 2 {
		return
	}
	for _, role := range base.find(f.targets[1].path) {
		if r := x.codedOut("fk1:RoleToPatient", &field{kind: "CV", lists: []string{"9034"}}, role); r != nil {
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

func (o *out) telecom(point *node) {
	uri, typ := telecomURI(point)
	if uri == "" {
		return
	}
	point.markAll()
	t := &out{name: "fk1:TeleCom"}
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
	if v := contact.dig("name", "text"); len(o.kids) == 0 && v != nil {
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
		o.telecom(point)
	}
	if len(o.kids) == 0 {
		return nil
	}
	return []*out{o}
}

// planNotes gives the words around a plan (title, description, period, notes), which PLO has no element for, to the
// receiver as a note under the heading "Planer for videre oppfølging".
func (x *emitter) planNotes() {
	for _, s := range slices.Clone(x.resources) {
		if s.typ != "CarePlan" || s.unsendable() {
			continue
		}
		var lines []string
		for _, name := range []string{"title", "description"} {
			if v := s.node.get(name); v != nil {
				lines = append(lines, v.take())
			}
		}
		if p := s.node.get("period"); p != nil {
			lines = append(lines, strings.TrimSpace("Gjelder "+p.get("start").take()+" – "+p.get("end").take()))
		}
		for _, note := range s.node.get("note").items() {
			if v := note.get("text"); v != nil {
				lines = append(lines, v.take())
			}
		}
		if len(lines) == 0 {
			continue
		}
		n := obj("resourceType", "Observation", "status", "final", "valueString", strings.Join(lines, "\n"))
		n.put(steps("code.coding[0]"), obj("system", "urn:oid:"+volven+"9142", "code", "OP", "display", x.t.codes["9142"]["OP"]))
		x.resources = append(x.resources, &source{node: n, typ: "Observation", index: -1})
	}
}

// leftovers reports every resource and every value that no element carries.
func (x *emitter) leftovers() {
	for _, s := range x.resources {
		if s.index < 0 || s.typ == "Patient" {
			continue
		}
		path := s.typ + "[" + strconv.Itoa(s.index) + "]"
		if !s.used {
			x.findings = append(x.findings, Finding{Path: path, Outcome: NotSent})
			continue
		}
		for i, name := range s.node.names {
			switch name {
			case "resourceType", "id", "meta", "text", "implicitRules", "language", subjects[s.typ]:
				continue
			}
			x.leftover(path+"."+name, s.node.kids[i])
		}
	}
}

func (x *emitter) leftover(path string, n *node) {
	switch n.kind {
	case 'o':
		for i, name := range n.names {
			carried := name == "url" || name == "code" && n.get("code").dig("text") != nil && len(n.get("code").names) == 1
			if carried && len(n.names) > 1 { // names its neighbour, which is looked at itself
				continue
			}
			x.leftover(path+"."+name, n.kids[i])
		}
	case 'a':
		for i, k := range n.kids {
			x.leftover(path+"["+strconv.Itoa(i)+"]", k)
		}
	default:
		if !n.handled {
			x.findings = append(x.findings, Finding{Path: path, Outcome: NotSent})
		}
	}
}
