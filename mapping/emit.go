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
	place string // that it tells of itself and the message has; "" for where its kind goes
}

// emitter walks the tables the other way: from resources to elements.
type emitter struct {
	t         *table
	sent      string
	plain     string // prefix that is the default namespace
	resources []*source
	findings  []Finding
	single    bool   // one resource per container: each note is approved on its own
	missing   []lack // required elements without a value
	expr      string // FHIR expression of what is being written
	homes     []home // of the root
	here      string // place of the element whose children are being written
	log       bool   // LOG_: no free text
	event     string // LOG_: the element that the kind names
	own       *Head  // of a root without MsgHead
	attached  []Attachment
}

// classOut returns the children of an element of the class, in the table's order.
func (x *emitter) classOut(c *class, base *node) []*out {
	x.settle(c, base) // what the class says of itself is no value to be written
	var kids []*out
	for _, f := range c.fields {
		got := x.fieldOut(f, base)
		kids = append(kids, got...)
	}
	if len(kids) > 0 {
		for _, f := range c.fields {
			if f.min > 0 && !slices.ContainsFunc(kids, func(o *out) bool { return o.name == x.name(f.prefix, f.name) }) {
				x.missing = append(x.missing, lack{x.here + "/" + f.name, f.expression(x.expr)})
			}
		}
	}
	return kids
}

// settle marks the constants of a class as carried, where the resource says the same.
func (x *emitter) settle(c *class, base *node) {
	x.constantsOut(c.consts, base)
	x.constantsOut(c.defaults, base)
}

func (x *emitter) constantsOut(constants []constant, base *node) {
	for _, k := range constants {
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
	case f.kind == "KEEP" || x.log && (f.kind == "NOTE" || f.kind == "RICH" || f.name != x.event && x.t.isEvent(f.name)):
		return nil
	case f.class != nil && f.class.single && len(f.targets) == 0:
		return x.wholeOut(f)
	case f.class == nil:
		return x.leafOut(f, base)
	case f.class.resource != "":
		return x.resourcesOut(f)
	case len(f.targets) > 0:
		return x.itemsOut(f, base)
	}
	at := x.here + "/" + f.name
	if !f.many {
		if !base.fits(f.class.when, x.t) {
			return nil // another class writes it
		}
		return x.inside(name, at, f.class, base)
	}
	return append(x.unplaced(name, at, f, base), x.placed(name, at, f, base)...)
}

// inside writes one element at a place; none when nothing is in it.
func (x *emitter) inside(name, at string, c *class, base *node) []*out {
	outer := x.here
	x.here = at
	kids := x.classOut(c, base)
	if x.here = outer; len(kids) == 0 {
		return nil
	}
	return []*out{{name: name, kids: kids}}
}

// placed writes the elements of a name that resources say they came from, in their order.
func (x *emitter) placed(name, at string, f *field, base *node) []*out {
	var all []*out
	for _, n := range x.indexes(at) {
		all = append(all, x.inside(name, at+"["+strconv.Itoa(n)+"]", f.class, base)...)
	}
	return all
}

// unplaced writes what says nothing of the kind: in one element, or each alone where a section is one.
func (x *emitter) unplaced(name, at string, f *field, base *node) []*out {
	if !base.fits(f.class.when, x.t) {
		return nil
	}
	outer := x.single
	defer func() { x.single = outer }()
	each := f.section.mode == "one"
	x.single = outer || each
	var all []*out
	for {
		one := x.inside(name, at, f.class, base)
		if all = append(all, one...); len(one) == 0 || !each {
			return all
		}
	}
}

// indexes are the [n] that resources give for the elements at a place.
func (x *emitter) indexes(at string) []int {
	var all []int
	for _, s := range x.resources {
		rest, ok := strings.CutPrefix(s.place, at+"[")
		if !ok || s.used {
			continue
		}
		number, _, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(number); err == nil && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// resourcesOut writes the resources that belong at a place: those that say so, and those of a kind that goes there.
func (x *emitter) resourcesOut(f *field) []*out {
	name, at := x.name(f.prefix, f.name), x.here+"/"+f.name
	if f.class.single {
		return x.singlesOut(f)
	}
	list, classes := x.candidates(f, at)
	var all []*out
	for i, s := range list {
		s.used = true
		place := at
		if len(list) > 1 {
			place += "[" + strconv.Itoa(i+1) + "]"
		}
		all = append(all, x.resourceOut(name, place, f, classes[i], s)...)
	}
	return all
}

func (x *emitter) candidates(f *field, at string) (list []*source, classes []*class) {
	told := slices.ContainsFunc(x.resources, func(s *source) bool { return !s.used && strings.HasPrefix(s.place, x.here+"/") })
	for _, s := range x.resources {
		if s.used || s.unsendable() || s.place != "" && s.place != at || s.place == "" && (strings.Contains(at, "[") || x.single && told) {
			continue
		}
		var class *class
		for _, c := range f.classes() {
			if c.resource == s.typ && (c.wants(s.node, x.t) || s.place != "" && class == nil) {
				class = c
				if c.wants(s.node, x.t) {
					break
				}
			}
		}
		if class == nil {
			continue
		}
		list, classes = append(list, s), append(classes, class)
		if x.single && s.place == "" || !f.many {
			break
		}
	}
	return list, classes
}

// resourceOut writes one resource; one element for each item, when the class fills a part of it.
func (x *emitter) resourceOut(name, place string, f *field, c *class, s *source) []*out {
	bases := []*node{s.node}
	if len(f.targets) > 0 {
		bases = s.node.find(f.targets[0].path)
	}
	x.constantsOut(c.top, s.node)
	for _, ext := range s.node.get("extension").items() {
		if ext.get("url").string() == placeExtension {
			ext.markAll()
		}
	}
	var all []*out
	for _, base := range bases {
		outer, single, expr := x.here, x.single, x.expr
		x.here, x.single, x.expr = place, false, s.typ
		if len(f.targets) > 0 {
			x.expr += "." + f.targets[0].name
		}
		o := &out{name: name, kids: x.classOut(c, base)}
		x.here, x.single, x.expr = outer, single, expr
		if len(c.text) > 0 {
			for _, v := range base.find(c.text) {
				o.text = v.take()
			}
		}
		if len(o.kids) > 0 || o.text != "" {
			all = append(all, o)
		}
	}
	return all
}

// singlesOut writes the items of the one resource of its type that a message makes.
func (x *emitter) singlesOut(f *field) []*out {
	var all []*out
	for _, s := range x.resources {
		if s.typ != f.class.resource || s.unsendable() {
			continue
		}
		expr := x.expr
		x.expr = s.typ
		items := x.itemsOut(f, s.node)
		if x.expr = expr; len(items) > 0 {
			s.used = true
			x.settleTop(s)
			all = append(all, items...)
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
		expr := x.expr
		x.expr = strings.TrimPrefix(expr+"."+f.targets[0].name, ".")
		kids := x.classOut(f.class, item)
		if x.expr = expr; len(kids) > 0 {
			item.handled = true
			all = append(all, &out{name: x.name(f.prefix, f.name), kids: kids})
			if !f.many {
				break
			}
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
	if all, own := x.ownOut(name, f, base); own {
		return all
	}
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
		case "CS", "CV", "CODE", "ANY":
			o = x.codedOut(name, f, v)
		case "PLACE", "WHERE":
			if !x.log || !reveals(v.string()) {
				o = &out{name: name, text: v.take()}
			} else {
				x.findings = append(x.findings, Finding{Path: f.name, Outcome: Reveals, Target: "NotSent"})
			}
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

// planNotes gives the words around a plan (title, description, period, notes), which PLO has no element for, to the
// receiver as a note under the heading "Planer for videre oppfølging".
func (x *emitter) planNotes() {
	for _, s := range slices.Clone(x.resources) {
		if s.typ != "CarePlan" || s.unsendable() {
			continue
		}
		var lines []string
		for _, name := range []string{"title", "description"} {
			if v := s.node.get(name); v != nil && !v.handled {
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
