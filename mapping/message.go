package mapping

import (
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// ownHead tells where a root that stands without MsgHead (henvisning v1.x, epikrise v1.x) says who sends it to whom
// about whom: paths of local names below the root, from a line "head" of a table.
type ownHead struct{ sender, receiver, copies, patient, status []string }

// ownHeadPath is the section of the head of such a message.
const ownHeadPath = "/Message/head()"

// Consent is what a sender says in a message of the patient's samtykke, where a line "statement" of a table says that
// it does: a code of Volven 9064 or 3109.
type Consent struct {
	Stated bool   // something is said
	List   string // the list that @S names, "" when it names none
	Code   string // as written, "" when only words are there
}

// IsHead tells whether the section is that of the head, which every delivery carries.
func (s Section) IsHead() bool {
	return s.Path == infoPath || strings.HasPrefix(s.Path, ownHeadPath)
}

// own finds the message whose root stands without MsgHead; nil when the root is none of those.
func (t *table) own(root *elem) *message {
	for i := range t.messages {
		if m := &t.messages[i]; t.heads[m.class] != nil && m.root == root.name && m.rootNS == root.ns {
			return m
		}
	}
	return nil
}

// headLine reads "head CLASS SENDER RECEIVER COPIES PATIENT STATUS".
func (t *table) headLine(class string, words []string) bool {
	if len(words) != 5 {
		return false
	}
	var p [5][]string
	for i, w := range words {
		p[i] = strings.Split(w, "/")
	}
	t.heads[class] = &ownHead{p[0], p[1], p[2], p[3], p[4]}
	return true
}

// readOwnHead reads the head of a root that stands without MsgHead.
func readOwnHead(root *elem, m *message) (*Head, error) {
	t := theTable()
	at := t.heads[m.class]
	h := &Head{
		MsgID: root.kid("MsgId").value(), Kind: m.kind, KindDisplay: t.codes["8279"][string(m.kind)], Namespace: root.ns, Version: m.version,
		GeneratedValue: valueOrText(root.kid("GenDate")), Sender: readHCP(root.at(at.sender...)), Receiver: readHCP(root.at(at.receiver...)),
		Patient: readOwnPatient(root.at(at.patient...)), Status: statusOf(root.at(at.status...)), Consent: t.consent(root, m.class),
		AckWanted: strings.TrimSpace(root.kid("Ack").attr("V")), Processing: strings.TrimSpace(root.kid("ProcessingStatus").attr("V")),
	}
	if at := t.threads[m.class]; at != nil {
		h.Thread, h.Threaded = root.at(at...).value(), true
	}
	if root.kid("Status").attr("V") == "TEST" { // how both versions mark a test message
		h.Processing = "D"
	}
	for _, k := range root.kids {
		if k.ns == nsXMLDSig && k.name == "Signature" {
			h.Signed = true
		}
	}
	last := len(at.copies) - 1
	for _, c := range root.at(at.copies[:last]...).all() {
		if c.name == at.copies[last] && c.ns == root.ns {
			h.CopyReceivers = append(h.CopyReceivers, readHCP(c.kid("HCP")))
		}
	}
	if g, ok := parseMoment(h.GeneratedValue); ok && g.layout == time.RFC3339 {
		h.Generated = g.at
	}
	place := "/" + root.name + "/"
	return h, h.complete(place+"MsgId", place, place+"GenDate/@V", place+strings.Join(at.sender, "/"), place+strings.Join(at.receiver, "/"))
}

// rename reads the elements of a root that is known by its local name, and the shared component in whatever version, as
// those of the table.
func (e *elem) rename(from, to, po string) {
	switch {
	case e.ns == from:
		e.ns = to
	case strings.HasPrefix(e.ns, "http://www.kith.no/xmlstds/po/poKomponent/"):
		e.ns = po
	}
	for _, k := range e.kids {
		k.rename(from, to, po)
	}
}

// valueOrText gives @V, where the standards have the time, or the text of who wrote it there.
func valueOrText(e *elem) string {
	if v := strings.TrimSpace(e.attr("V")); v != "" {
		return v
	}
	return e.value()
}

// statusOf reads Forsendelsesstatus, Volven 7309; what is none of its changes is new.
func statusOf(e *elem) Status {
	switch s := Status(strings.TrimSpace(e.attr("V"))); s {
	case StatusChange, StatusSupplement, StatusCancel, StatusHistory:
		return s
	}
	return StatusNew
}

// consent finds what the sender says of samtykke in the document, at the places that the table names for a root.
func (t *table) consent(root *elem, class string) Consent {
	for _, path := range t.statements[class] {
		if e := root.at(path...); e != nil {
			c := Consent{Stated: true, Code: strings.TrimSpace(e.attr("V"))}
			if list, ok := strings.CutPrefix(strings.TrimSpace(e.attr("S")), volven); ok {
				c.List = list
			} else if e.attr("S") != "" {
				c.List = "?"
			}
			return c
		}
	}
	return Consent{}
}

func readOwnPatient(e *elem) PatientHead {
	p := PatientHead{Present: e != nil, Sex: strings.TrimSpace(e.kid("Sex").attr("V")),
		NIN: e.kid("OffId").value(), NINType: strings.TrimSpace(e.kid("TypeOffId").attr("V"))}
	p.Given, p.Family = splitPerson(e.kid("Name").value())
	p.NINSystem = identifierSystems[p.NINType]
	p.NINValid = (p.NINType == "FNR" || p.NINType == "DNR") && fhir.ValidNIN(p.NIN)
	if stated := valueOrText(e.kid("DateOfBirth")); stated != "" {
		if day, ok := birthDate(stated); ok {
			p.BirthDate = day
		} else {
			p.BirthDateAsStated = stated
		}
	}
	return p
}

// splitPerson reads a whole name: "Nordlie, Kari" or "Kari Nordlie".
func splitPerson(s string) (given, family string) {
	if before, after, ok := strings.Cut(s, ","); ok {
		return strings.TrimSpace(after), strings.TrimSpace(before)
	}
	return splitName(s)
}

// ownHeader begins the Communication and the Patient of a root that stands without MsgHead; the table fills them.
func (r *reader) ownHeader() {
	h := &r.in.Head
	r.addSection(Section{Path: ownHeadPath, Name: "Meldingshode", Labels: []string{"samarbeid"}}, "join:hode")
	r.communication = r.build("communication", "Communication", 0)
	r.communication.filled = true
	c := r.communication.body
	c.set("status", str("completed")) // it has been sent and received
	c.set("category", array(obj("coding", array(obj("system", kindSystem, "code", string(h.Kind), "display", h.KindDisplay)))))
	if p := h.Patient; p.Present && (p.NIN != "" || p.Family != "" || p.Given != "") {
		r.patient = r.build("patient", "Patient", 0)
	}
}

// ownSweep accounts for what nothing above has, when the root is the payload.
func (r *reader) ownSweep(root *elem, comments bool) {
	for _, k := range root.kids {
		if k.ns == nsXMLDSig && k.name == "Signature" {
			r.signature(k)
		}
	}
	r.payloadStrays(root, 0)
	if comments {
		r.hide(commentPath, "Kommentarer i XML")
	}
	if r.declared {
		r.hide(namespacePath, "Navnerom og skjemahenvisninger")
	}
}

// ownKinds are the kinds of field that only a root with a head of its own has: a whole name, a national number beside
// its type, an identifier beside its type, a code that becomes a FHIR code, a date in @V, an address for calls, a document,
// and what is kept with nothing but its own code.
var ownKinds = []string{"NAME", "NIN", "IDENT", "MAPPED", "DAYV", "TELECOM", "DOC", "KEPT"}

// ownLeaf maps an element of those kinds; false for any other.
func (r *reader) ownLeaf(e *elem, f *field, cur *building, base *node, sec int) bool {
	if !slices.Contains(ownKinds, f.kind) {
		return false
	}
	if f.kind == "DOC" {
		r.document(e, sec)
		return true
	}
	for _, child := range e.kids {
		if f.kind == "KEPT" && slices.Contains(f.lists, child.name) && child.ns == e.ns && len(child.kids) == 0 {
			child.form = formCoded
			continue
		}
		r.unknown(child, sec)
	}
	if f.kind == "KEPT" { // its values are for the sweep, which knows their form
		if e.name == "MIGversion" {
			e.form = formText
		}
		return true
	}
	to := &f.targets[0]
	switch f.kind {
	case "NAME":
		if e.value() == "" {
			break
		}
		given, family := splitPerson(e.value())
		n := obj("text", e.value(), "family", family)
		if given != "" {
			n.set("given", array(str(given)))
		}
		r.put(base, to.path, n)
		r.mappedText(e, cur, to.name+".text")
	case "NIN":
		r.ownIdentifier(e, cur, base, to)
	case "IDENT":
		typ := identifierSystems[strings.TrimSpace(sibling(e).attr("V"))]
		if typ == "" || fhir.ContainsNIN(e.value()) {
			r.text(e, Kept, cur, nil)
			break
		}
		r.put(base, to.path, obj("system", typ, "value", e.value()))
		r.mappedText(e, cur, to.name+".value")
	case "MAPPED":
		for _, pair := range r.t.maps[to.through] {
			if pair[0] == strings.TrimSpace(e.attr("V")) {
				r.put(base, to.path, r.str(pair[1]))
				r.attribute(e, "V", Mapped, cur, to.name)
				return true
			}
		}
		r.attribute(e, "V", Invalid, cur, "")
	case "DAYV":
		if day, ok := birthDate(e.attr("V")); ok {
			r.put(base, to.path, r.str(day))
			r.attribute(e, "V", Mapped, cur, to.name)
		} else {
			r.attribute(e, "V", Invalid, cur, "")
		}
	case "TELECOM":
		if point := contactPoint(e.attr("V"), ""); point != nil {
			r.put(cur.body, to.path, point)
			r.attribute(e, "V", Mapped, cur, to.name+".value")
		}
	}
	return true
}

// sibling is the element that tells the type of an identifier.
func sibling(id *elem) *elem {
	if t := id.parent.kid("TypeId"); t != nil {
		return t
	}
	return id.parent.kid("Type")
}

// ownIdentifier maps the national number of the patient. One that fails its check digits gets no system.
func (r *reader) ownIdentifier(e *elem, cur *building, base *node, to *target) {
	if e.value() == "" {
		return
	}
	typ := e.parent.kid("TypeOffId")
	code := strings.TrimSpace(typ.attr("V"))
	n := obj("type", obj("coding", array(obj("system", "urn:oid:"+volven+"8116", "code", code))))
	if national := code == "FNR" || code == "DNR"; !national || fhir.ValidNIN(e.value()) {
		if s := identifierSystems[code]; s != "" {
			n.set("system", str(s))
		}
	} else {
		r.report(Finding{Path: e.path(), Outcome: Invalid, Key: cur.key, Target: "Patient.identifier"})
	}
	n.set("value", str(e.value()))
	r.put(base, to.path, n)
	r.mappedText(e, cur, to.name+".value")
	if code != "" {
		r.attribute(typ, "V", Mapped, cur, to.name+".type.coding.code")
	}
}

// document maps a RefDoc of a root without MsgHead: a document that came with the message.
func (r *reader) document(ref *elem, sec int) {
	a, data := readAttachment(ref)
	r.in.Attachments = append(r.in.Attachments, a)
	r.attachment(ref, a, data, sec)
	r.keep(ref, sec)
}
