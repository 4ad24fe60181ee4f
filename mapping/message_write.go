package mapping

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// writeOwn maps to a root that stands without MsgHead: henvisning v1.1, or v1.0 when Head.Version says so. All of it
// comes from the table.
func writeOwn(t *table, m *message, o Outgoing) ([]byte, []Finding, error) {
	x := &emitter{t: t, sent: instant(o.Head.Generated), plain: m.prefix, homes: m.rootClass.homes, own: &o.Head, attached: o.Attachments,
		expr: "Communication"}
	if err := x.take(o.Resources); err != nil {
		return nil, nil, err
	}
	x.resources = append(x.resources, &source{node: o.Head.Patient.node(), typ: "Patient", index: -1})
	root := &out{name: m.root, attrs: []string{"xmlns", m.rootNS, "xmlns:fk1", nsFK1}}
	for _, p := range []string{"po", "po15"} {
		root.attrs = append(root.attrs, "xmlns:"+p, t.ns[p])
	}
	base, c := o.Head.node(t), object()
	if o.Message != nil {
		var err error
		if c, err = parseJSON(o.Message); err != nil || c.get("resourceType").string() != "Communication" {
			return nil, nil, fault(NotFHIR, "Message", "not a Communication")
		}
		base.merge(c)
		o.Head.name(c)
		if topic := c.get("topic"); topic != nil {
			base.set("topic", topic)
		}
	}
	if o.Head.Thread != "" {
		base.get("identifier").kids = append(base.get("identifier").kids, obj("value", o.Head.Thread))
	}
	root.kids = x.classOut(m.rootClass, base)
	if err := x.complete(); err != nil {
		return nil, nil, err
	}
	x.leftovers()
	x.messageLeftovers(c)
	w := newWriter()
	root.write(w)
	return w.bytes(), x.findings, nil
}

// name takes the id of what the message is about from the Communication, where the head names none.
func (h *Head) name(c *node) {
	for _, v := range c.get("identifier").items() {
		if h.Thread == "" && v.get("system").string() != msgIDSystem {
			h.Thread = v.get("value").string()
		}
	}
}

// node is the head as the Communication that reading it would give.
func (h Head) node(t *table) *node {
	c := obj("sent", instant(h.Generated))
	c.put(steps("identifier[0]"), obj("system", msgIDSystem, "value", h.MsgID))
	status := h.Status
	if status == "" {
		status = StatusNew
	}
	c.put(steps("extension{forsendelsesstatus}.valueCodeableConcept.coding[0]"),
		obj("system", "urn:oid:"+volven+"7309", "code", string(status), "display", t.codes["7309"][string(status)]))
	c.put(steps("extension{utstedt}.valueDateTime"), str(instant(h.Generated)))
	c.set("sender", h.Sender.node())
	to := array(h.Receiver.node())
	for _, other := range h.CopyReceivers {
		to.kids = append(to.kids, other.node())
	}
	c.set("recipient", to)
	return c
}

// node is a communication party as the reference that reading it would give.
func (a Address) node() *node {
	if a.HERID == "" { // only the unit is known: it is the institution then
		a.HERID, a.Name, a.UnitHERID = a.UnitHERID, a.UnitName, ""
	}
	n := obj("type", "Organization", "identifier", obj("system", identifierSystems["HER"], "value", a.HERID), "display", orDash(a.Name))
	if a.UnitHERID != "" {
		n.put(steps("extension[+avdeling].valueReference"),
			obj("type", "Organization", "identifier", obj("system", identifierSystems["HER"], "value", a.UnitHERID), "display", orDash(a.UnitName)))
	}
	if a.HPR != "" {
		n.put(steps("extension[+helsepersonell].valueReference"),
			obj("type", "Practitioner", "identifier", obj("system", identifierSystems["HPR"], "value", a.HPR), "display", orDash(a.PersonName)))
	}
	return n
}

// node is the patient's head as a Patient.
func (p PatientHead) node() *node {
	n := obj("resourceType", "Patient", "birthDate", p.BirthDate, "gender", gender(p.Sex))
	n.set("name", array(obj("text", strings.Join(strings.Fields(p.Given+" "+p.Middle+" "+p.Family), " "))))
	if p.NIN != "" {
		typ := p.NINType
		if typ == "" {
			typ = identifierType(p.NINSystem)
		}
		n.set("identifier", array(obj("type", obj("coding", array(obj("code", typ))), "value", p.NIN)))
	}
	for _, a := range p.Addresses {
		to := obj("postalCode", a.PostalCode, "city", a.City)
		if a.Street != "" {
			to.set("line", array(str(a.Street)))
		}
		n.put(steps("address[+]"), to)
	}
	if len(p.Addresses) == 0 && len(p.Telecom) > 0 {
		n.set("address", array(object()))
	}
	return n
}

// wholeOut writes the one resource of its type that an element is.
func (x *emitter) wholeOut(f *field) []*out {
	for _, s := range x.resources {
		if s.typ == f.class.resource && s.index < 0 {
			expr := x.expr
			defer func() { x.expr = expr }()
			x.expr = s.typ
			return x.inside(x.name(f.prefix, f.name), x.here+"/"+f.name, f.class, s.node)
		}
	}
	return nil
}

// ownOut writes an element of the kinds that only a root with a head of its own has; false for any other.
func (x *emitter) ownOut(name string, f *field, base *node) ([]*out, bool) {
	var all []*out
	switch f.kind {
	case "NAME":
		for _, v := range base.find(f.targets[0].path) {
			if text := v.get("text"); text.string() != "" {
				all = append(all, &out{name: name, text: text.take()})
			}
		}
	case "NIN":
		for _, v := range base.find(f.targets[0].path) {
			typ := v.dig("type", "coding", "code").string()
			all = append(all, &out{name: name, text: v.get("value").take()},
				&out{name: x.name(f.prefix, "TypeOffId"), attrs: []string{"V", typ, "DN", identDisplays[typ]}})
			return all, true
		}
	case "IDENT":
		for _, v := range base.find(f.targets[0].path) {
			typ := identifierType(v.get("system").string())
			if v.handled || typ == "" {
				continue
			}
			v.markAll()
			all = append(all, &out{name: name, text: v.get("value").string()},
				&out{name: x.name(f.prefix, "TypeId"), attrs: []string{"V", typ, "DN", ownDisplays[typ]}})
			return all, true
		}
	case "MAPPED":
		for _, v := range base.find(f.targets[0].path) {
			for _, pair := range x.t.maps[f.targets[0].through] {
				if pair[1] == v.string() && len(all) == 0 {
					v.take()
					all = append(all, &out{name: name, attrs: []string{"V", pair[0]}})
				}
			}
		}
	case "DAYV":
		for _, v := range base.find(f.targets[0].path) {
			all = append(all, &out{name: name, attrs: []string{"V", v.take()}})
		}
	case "TELECOM":
		for _, t := range x.own.Patient.Telecom {
			all = append(all, &out{name: name, attrs: []string{"V", t.URI}})
		}
	case "DOC":
		all = x.documentsOut(f)
	default:
		return nil, false
	}
	return all, true
}

var ownDisplays = map[string]string{"HER": "HER-id", "HPR": "HPR-nummer", "ENH": "Organisasjonsnummeret i Enhetsregister"}

// documentsOut writes what is sent along.
func (x *emitter) documentsOut(f *field) []*out {
	var all []*out
	for i, a := range x.attached {
		if a.Bytes == nil {
			x.findings = append(x.findings, Finding{Path: "Attachment[" + strconv.Itoa(i) + "]", Outcome: NotSent})
			continue
		}
		doc := &out{name: x.name(f.prefix, f.name), kids: []*out{{name: x.name(f.prefix, "MsgType"), attrs: []string{"V", "A", "DN", "Vedlegg"}}}}
		doc.add(x.name(f.prefix, "MimeType"), a.MimeType)
		doc.add(x.name(f.prefix, "Description"), a.Name)
		doc.kids = append(doc.kids, &out{name: x.name(f.prefix, "Content"), kids: []*out{
			{name: "Base64Container", attrs: []string{"xmlns", nsBase64}, text: base64.StdEncoding.EncodeToString(a.Bytes)}}})
		all = append(all, doc)
	}
	return all
}
