package mapping

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sluse/sluse/gateway/fhir"
)

// Read maps a message of any kind that the tables read: PLO 1.6 and 1.5, EPJ-innhold, dialogmelding 1.0 and 1.1,
// henvisning, epikrise. Any other type is an *Error with code NotSupported. id gives the id of the resource with a key; it is asked once
// per key, and references between the resources hold what it answers. Every leaf of the message has a line in the
// report; what no resource holds stands in the kept original (keys "original", "original-binary").
func Read(raw []byte, id func(key string) string) (*Incoming, error) { return read(raw, id, false) }

// read also takes what is only sent (messages of direction out) when all is set: for translating back.
func read(raw []byte, id func(key string) string, all bool) (*Incoming, error) {
	d := newDesk()
	defer d.leave()
	return readOn(d, raw, id, all)
}

// readOn is read on a desk.
func readOn(d *desk, raw []byte, id func(key string) string, all bool) (*Incoming, error) {
	root, comments, err := parseOn(d, raw)
	if err != nil {
		return nil, err
	}
	head, err := readHead(root)
	if err != nil {
		return nil, err
	}
	t := theTable()
	payload, m, err := t.payload(root, head, all)
	if err != nil {
		return nil, err
	}
	r := &reader{forge: &d.forge, t: t, root: payload, in: &Incoming{Head: *head, AllOrNothing: head.AllOrNothing(), Report: make([]Finding, 0, min(len(raw)/40, 4096))}, ids: map[string]string{}, ask: id,
		counts: map[string]count{}, groups: map[string]int{}, grouped: map[int]bool{}, systems: map[string]string{},
		log: t.logs[m.class]}
	if m.loose {
		payload.rename(payload.ns, m.rootNS, t.ns["po"])
	}
	generated, _ := parseMoment(head.GeneratedValue) // readHead has checked it
	r.sent = generated.text
	if own := payload == root; own {
		r.ownHeader()
	} else {
		r.header(root)
	}
	r.findEvent(payload)
	r.class(payload, m.rootClass, r.communication, r.communication.body, 0)
	if i, ok := r.groups["join:dialog"]; ok {
		r.communication.section = i // it holds the text of the dialogue
	}
	r.documents(root, payload)
	if payload == root {
		r.ownSweep(root, comments)
	} else {
		r.sweep(root, payload, comments)
	}
	r.tellPlaces(m.rootClass)
	r.original(raw)
	r.finish()
	return r.in, nil
}

// findEvent finds which event a message of logistics holds.
func (r *reader) findEvent(payload *elem) {
	for _, ev := range r.t.events {
		if payload.kid(ev.element) != nil {
			r.event = ev.element
		}
	}
}

// payload finds the first document whose root the table knows.
func (t *table) payload(root *elem, h *Head, all bool) (*elem, *message, error) {
	if m := t.own(root); m != nil && (m.reads || all) {
		return root, m, nil
	}
	for _, doc := range root.kidsNamed("Document") {
		for _, content := range doc.at("RefDoc", "Content").all() {
			for i := range t.messages {
				m := &t.messages[i]
				if m.kind != h.Kind || !m.reads && !all {
					continue
				}
				if root := m.payload(content); root != nil {
					return root, m, t.accepts(root, m)
				}
			}
		}
	}
	return nil, nil, fault(NotSupported, "/MsgHead/MsgInfo/Type", "no mapping for this message type and version")
}

// payload gives the root when a child of Content is of the message: itself, or Content, when its components stand there
// alone.
func (m *message) payload(content *elem) *elem {
	switch {
	case m.root == content.name && (m.rootNS == content.ns || m.loose):
		return content
	case m.root == content.parent.name && m.rootNS == content.parent.ns && m.rootClass.field(content) != nil:
		return content.parent
	}
	return nil
}

// accepts refuses logistics of unknown kinds, those that hold no event, and those whose type names another event than
// they hold: by its type a message is decided. A type that names none leaves it to the element.
func (t *table) accepts(content *elem, m *message) error {
	if !t.logs[m.class] {
		return nil
	}
	events := 0
	for _, k := range content.kids {
		if k.ns != content.ns {
			continue
		}
		if events++; m.rootClass.field(k) == nil {
			return fault(NotSupported, k.path(), "no mapping for this kind of logistics message")
		}
	}
	if events != 1 {
		return fault(Malformed, content.path(), "not exactly one event")
	}
	for _, ev := range t.events {
		if ev.kind == m.kind && content.kid(ev.element) == nil {
			return fault(Malformed, infoPath+"/Type", "the type names another event than the message holds")
		}
	}
	return nil
}

func (e *elem) all() []*elem {
	if e == nil {
		return nil
	}
	return e.kids
}

// building is a resource in the making.
type building struct {
	key, typ  string
	body      *node
	section   int
	filled    bool   // a leaf of the message stands in it
	reference string // once somebody has asked
	data      []byte // of a Binary
	from      origin
}

// count numbers the resources of a type.
type count struct {
	key  string // what their keys begin with
	last int
}

type reader struct {
	*forge
	t             *table
	in            *Incoming
	ask           func(string) string
	ids           map[string]string
	builds        []*building
	counts        map[string]count
	groups        map[string]int // list and join sections
	grouped       map[int]bool   // the sections among them
	root          *elem          // of the payload
	box           *elem          // see origin
	event         string         // LOG_: the element that makes the message what it is
	sent          string         // GenDate as FHIR writes it
	log           bool           // LOG_: no free text, no clinical reference
	sender        *node          // logical reference to the sending unit
	agent, entity *node          // of every Provenance
	declared      bool           // a namespace or a schema hint is of no standard
	communication *building
	patient       *building
	careTeam      *building
	systems       map[string]string // OID → FHIR system
}

// element names a FHIR element as the report does.
func (r *reader) element(typ, path string) string { return r.root.places.join(typ, ".", path) }

func (r *reader) id(key string) string {
	if _, ok := r.ids[key]; !ok {
		r.ids[key] = r.ask(key)
	}
	return r.ids[key]
}

func (r *reader) reference(b *building) *node {
	if b.reference == "" {
		b.reference = b.typ + "/" + r.id(b.key)
	}
	n := r.object()
	r.with(n, "reference", b.reference)
	return n
}

// build begins a resource. The first CareTeam and the Patient have fixed keys.
func (r *reader) build(key, typ string, section int) *building {
	if key == "" {
		n := r.counts[typ]
		if n.last++; n.key == "" {
			n.key = keyOf(typ) + "-"
		}
		r.counts[typ] = n
		key = n.key + strconv.Itoa(n.last)
	}
	b := &building{key: key, typ: typ, section: section, body: r.object()}
	r.with(b.body, "resourceType", typ)
	r.builds = append(r.builds, b)
	return b
}

// keyOf writes MedicationStatement as medication-statement.
func keyOf(typ string) string {
	var b strings.Builder
	for i, c := range typ {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// section returns the index of the section that an element belongs to under a rule.
func (r *reader) section(e *elem, rule sectionRule, enclosing int) int {
	var group string
	path := e.path()
	switch rule.mode {
	case "":
		return enclosing
	case "list":
		path = e.listPath()
		group = "list:" + path
	case "join":
		path = e.listPath()
		group = "join:" + rule.group
	}
	i, ok := r.groups[group]
	if group == "" || !ok {
		return r.addSection(Section{Path: path, Name: rule.heading, Labels: slices.Clone(rule.labels), ByContent: rule.content}, group)
	}
	if s := &r.in.Sections[i]; s.Path != path && !slices.Contains(strings.Split(s.Path, " | "), path) {
		s.Path += " | " + path
	}
	r.label(i, rule.labels...)
	return i
}

func (r *reader) addSection(s Section, group string) int {
	r.in.Sections = append(r.in.Sections, s)
	i := len(r.in.Sections) - 1
	if group != "" {
		r.groups[group] = i
		r.grouped[i] = true
	}
	return i
}

func (r *reader) label(section int, labels ...string) {
	s := &r.in.Sections[section]
	for _, l := range labels {
		if !slices.Contains(s.Labels, l) {
			s.Labels = append(s.Labels, l)
		}
	}
}

func (r *reader) indivisible(section int) bool {
	return section > 0 && r.grouped[section]
}

// class walks the children of an element by the table. base is where relative paths begin in cur.
func (r *reader) class(e *elem, c *class, cur *building, base *node, sec int) {
	r.constants(c, base)
	if c.text != nil && strings.TrimSpace(e.text) != "" {
		r.put(base, c.text, r.str(e.text))
		r.text(e, Mapped, cur, c.text)
	}
	count := make([]int, len(c.fields))
	last := -1
	for _, k := range e.kids {
		f := c.field(k)
		if f == nil {
			r.unknown(k, sec)
			continue
		}
		if count[f.slot]++; count[f.slot] == 2 && !f.many {
			r.report(Finding{Path: k.path(), Outcome: Invalid, Target: "cardinality"})
		}
		if f.order < last {
			r.report(Finding{Path: k.path(), Outcome: Invalid, Target: "order"})
		}
		last = max(last, f.order)
		if count[f.slot] > 1 && !f.many {
			r.unknown(k, sec) // only the first is read
			continue
		}
		r.field(k, f, cur, base, r.section(k, f.section, sec))
	}
	for _, f := range c.fields {
		if f.min > 0 && count[f.order] == 0 {
			r.report(Finding{Path: e.path() + "/" + f.name, Outcome: Invalid, Target: "cardinality"})
		}
	}
	for _, d := range c.defaults {
		if base.get(d.path[0].name) == nil {
			r.constant(d, base)
		}
	}
}

func (r *reader) constants(c *class, base *node) {
	for _, k := range c.consts {
		r.constant(k, base)
	}
}

func (r *reader) constant(k constant, base *node) {
	if k.value == nil {
		r.put(base, k.path, r.str(r.sent))
		return
	}
	r.put(base, k.path, r.clone(k.value))
}

func (r *reader) field(k *elem, f *field, cur *building, base *node, sec int) {
	k.form, k.kind, k.section = formOf(f), f.kind, sec
	switch {
	case f.kind == "KEEP":
		r.keep(k, sec)
	case f.class == nil:
		r.leaf(k, f, cur, base, sec)
	case f.class.resource != "":
		if r.patient == nil {
			r.keep(k, sec) // nobody to be about
			return
		}
		c := f.choice(k)
		next := r.resourceFor(c, sec)
		if !c.single {
			next.from = origin{c, r.place(k), r.box}
		}
		for _, top := range c.top {
			r.constant(top, next.body)
		}
		at := next.body
		if len(f.targets) > 0 {
			at = r.object()
			r.put(next.body, f.targets[0].path, at)
		}
		r.class(k, c, next, at, sec)
		if next.filled && cur.from.class != nil {
			cur.filled = true // what stands in it needs it
		}
	case len(f.targets) > 0:
		at := r.object()
		r.put(base, f.targets[0].path, at)
		r.class(k, f.class, cur, at, sec)
	default:
		outer := r.box
		if f.many && f.section.mode == "one" {
			r.box = k
		}
		r.class(k, f.choice(k), cur, base, sec)
		r.box = outer
	}
}

// place is the path of an element below the root, without its own index.
func (r *reader) place(e *elem) string {
	return strings.TrimPrefix(e.listPath(), r.root.path())
}

// resourceFor begins the resource of a class, or returns the single one of the message.
func (r *reader) resourceFor(c *class, sec int) *building {
	switch {
	case c.single && c.resource == "Patient":
		return r.patient
	case c.single:
		if r.careTeam == nil {
			r.careTeam = r.build("care-team", c.resource, sec)
			r.careTeam.body.set("status", str("active"))
		}
		return r.careTeam
	}
	return r.build("", c.resource, sec)
}

// unknown handles an element that the table does not know: kept in the original, and never released by the labels of
// its neighbours. An indivisible list takes the label as a whole.
func (r *reader) unknown(e *elem, sec int) {
	if r.log {
		r.drop(e, "Ukjent element")
		return
	}
	if r.indivisible(sec) {
		r.label(sec, "uklassifisert")
		r.keep(e, sec)
		return
	}
	r.addSection(Section{Path: e.path(), Name: "Ukjent element", Labels: []string{"uklassifisert"}}, "")
	e.leaves(func(l *elem, a *attr) { r.leafReport(l, a, Kept, "", "") })
}

// keep reports every leaf of an element as standing in the original only.
func (r *reader) keep(e *elem, sec int) {
	e.leaves(func(l *elem, a *attr) {
		if a != nil && a.name == "V" {
			r.labelByCode(l, sec)
		}
		r.leafReport(l, a, Kept, "", "")
	})
}

// drop takes an element out of every delivery of a LOG_ message.
func (r *reader) drop(e *elem, name string) {
	r.addSection(Section{Path: e.path(), Name: name, Labels: []string{"uklassifisert"}, Drop: true}, "")
	e.leaves(func(l *elem, a *attr) { r.leafReport(l, a, Dropped, "", "") })
}

func (r *reader) report(f Finding) { r.in.Report = append(r.in.Report, f) }

func (r *reader) leafReport(e *elem, a *attr, o Outcome, key, target string) {
	if a != nil && a.done {
		return
	}
	var path string
	if a == nil {
		if e.done || strings.TrimSpace(e.text) == "" {
			return
		}
		e.done, path = true, e.path()
	} else {
		a.done = true
		path = e.places.join(e.path(), "/@", a.name)
	}
	r.report(Finding{Path: path, Outcome: o, Key: key, Target: target})
}

// text reports the element's text, and marks the resource as filled when it is mapped.
func (r *reader) text(e *elem, o Outcome, cur *building, path []step) {
	if r.log && o == Invalid {
		r.stray(stray{e, nil}, 0) // not of its type: free text
		return
	}
	if o == Kept || o == Invalid || o == Dropped {
		r.leafReport(e, nil, o, "", "")
		return
	}
	r.mappedText(e, cur, pathName(path))
}

func (r *reader) mappedText(e *elem, cur *building, target string) {
	if cur.filled = true; !e.done {
		r.leafReport(e, nil, Mapped, cur.key, r.element(cur.typ, target))
	}
}

func (r *reader) attribute(e *elem, name string, o Outcome, cur *building, target string) {
	for i := range e.attrs {
		if a := &e.attrs[i]; a.name == name && a.ns == "" && !a.done {
			if r.log && o == Invalid {
				r.stray(stray{e, a}, 0)
			} else if o == Mapped || o == UnknownCode {
				cur.filled = true
				r.leafReport(e, a, o, cur.key, r.element(cur.typ, target))
			} else {
				r.leafReport(e, a, o, "", "")
			}
		}
	}
}

// subjects names the element that holds the patient.
var subjects = map[string]string{
	"AllergyIntolerance": "patient", "CarePlan": "subject", "CareTeam": "subject", "Communication": "subject",
	"Condition": "subject", "DocumentReference": "subject", "Goal": "subject", "MedicationStatement": "subject",
	"Observation": "subject", "ServiceRequest": "subject", "Encounter": "subject", "EpisodeOfCare": "patient", "Flag": "subject",
	"RelatedPerson": "patient", "Task": "for", "Appointment": "participant",
}

// finish writes the resources and ties each section's to the message by one Provenance.
func (r *reader) finish() {
	kept := r.builds[:0]
	for _, b := range r.builds {
		if !b.filled {
			continue
		}
		if at := subjects[b.typ]; at != "" && r.patient != nil {
			about := r.reference(r.patient)
			if b.typ == "Appointment" {
				about = array(obj("actor", about, "status", "needs-action"))
			}
			b.body.set(at, about)
		}
		b.body.prune()
		kept = append(kept, b)
	}
	r.builds = kept
	for i := range r.in.Sections {
		var targets []*building
		for _, b := range kept {
			if b.section == i {
				targets = append(targets, b)
				r.in.Sections[i].Keys = append(r.in.Sections[i].Keys, b.key)
			}
		}
		if len(targets) > 0 {
			p := r.provenance(i, targets)
			r.in.Sections[i].Keys = append(r.in.Sections[i].Keys, p.key)
		}
	}
	for _, b := range r.builds {
		r.in.Resources = append(r.in.Resources, Resource{Key: b.key, Type: fhir.Type(b.typ), Body: b.bytes(),
			Section: r.in.Sections[b.section].Path})
	}
}
