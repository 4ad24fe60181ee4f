package mapping

import (
	"slices"
	"strconv"
	"strings"
)

// payload builds the fagmelding: its root, or the components that stand in Content alone.
func (x *emitter) payload(m *message, o Outgoing) ([]*out, error) {
	c := object()
	if o.Message != nil {
		var err error
		if c, err = parseJSON(o.Message); err != nil || c.get("resourceType").string() != "Communication" {
			return nil, fault(NotFHIR, "Message", "not a Communication")
		}
	}
	if err := x.take(o.Resources); err != nil {
		return nil, err
	}
	if o.Dialog != nil {
		return x.dialogOut(m, o, c)
	}
	if !x.log {
		x.planNotes()
	}
	if err := x.content(m, o, c); err != nil {
		return nil, err
	}
	status := o.Head.Status
	if status == "" {
		status = StatusNew
	}
	if slices.ContainsFunc(m.rootClass.fields, func(f *field) bool { return f.name == "InformasjonOmForsendelsen" }) {
		c.put(steps("extension{forsendelsesstatus}.valueCodeableConcept"), obj("coding", array(obj("system", "urn:oid:"+volven+"7309",
			"code", string(status), "display", x.t.codes["7309"][string(status)]))))
	} else if status != StatusNew {
		x.findings = append(x.findings, Finding{Path: "Head.Status", Outcome: NotSent})
	}
	for _, ev := range x.t.events {
		if ev.kind == o.Head.Kind {
			x.event = ev.element
		}
	}
	root := x.root(m)
	x.expr = "Communication"
	root.kids = x.classOut(m.rootClass, c)
	if err := x.told(m, root); err != nil {
		return nil, err
	}
	if err := x.complete(); err != nil {
		return nil, err
	}
	x.leftovers()
	x.messageLeftovers(c)
	if m.rootNS != nsHead {
		return []*out{root}, nil
	}
	for _, k := range root.kids { // Content itself: each component is a root
		k.attrs = append(k.attrs, root.attrs...)
	}
	return root.kids, nil
}

// take parses the resources, and believes the place that one tells when the message has it.
func (x *emitter) take(bodies [][]byte) error {
	for i, body := range bodies {
		n, err := parseJSON(body)
		if err != nil || n.get("resourceType").string() == "" {
			return fault(NotFHIR, "Resources["+strconv.Itoa(i)+"]", "not a FHIR resource")
		}
		s := &source{node: n, typ: n.get("resourceType").string(), index: i}
		if told := n.placed(); told != "" && slices.ContainsFunc(x.homes, func(h home) bool {
			return h.path == withoutIndexes(told) && h.class.resource == s.typ
		}) {
			s.place = told
		}
		for _, h := range x.homes {
			if h.class.resource == s.typ && h.class.wants(n, x.t) {
				x.constantsOut(h.class.top, n)
			}
		}
		x.resources = append(x.resources, s)
	}
	return nil
}

// content sets what the kind says it holds: as asked, else as the Communication says, else as the table does.
func (x *emitter) content(m *message, o Outgoing, c *node) error {
	list := m.contentList()
	code := o.Content
	switch {
	case list == "" && code == "":
		return nil
	case code == "" && codeOf(c.get("topic"), "urn:oid:"+volven+list) != "":
		return nil
	case code == "":
		if code = x.t.contents[m.kind]; code == "" {
			return nil
		}
	}
	if x.t.codes[list][code] == "" {
		return &Error{Code: Malformed, Path: "TypeInnhold", FHIR: "Communication.topic", Text: "not a code of the content types of this message"}
	}
	c.set("topic", obj("coding", array(obj("system", "urn:oid:"+volven+list, "code", code, "display", x.t.codes[list][code]))))
	return nil
}

// contentList is the list of the content types of a kind, "" when it has none.
func (m *message) contentList() string {
	for _, f := range m.rootClass.fields {
		if f.class != nil && len(f.class.fields) > 0 && strings.HasPrefix(f.class.fields[0].name, "TypeInnhold") {
			return f.class.fields[0].lists[0]
		}
	}
	return ""
}

// carried are the elements of a Communication that the head of a message carries, or that say nothing of their own.
var carried = []string{"resourceType", "id", "meta", "text", "language", "implicitRules", "identifier", "status", "category", "sent", "sender",
	"recipient", "inResponseTo", "partOf", "subject", "received", "medium", "priority", "statusReason", "basedOn", "about", "encounter"}

// messageLeftovers reports what the Communication of the message says, and no element carries.
func (x *emitter) messageLeftovers(c *node) {
	for i, name := range c.names {
		switch {
		case slices.Contains(carried, name):
		case name == "payload":
			for n, p := range c.kids[i].items() {
				if v := p.get("contentString"); v != nil {
					x.leftover("Communication.payload["+strconv.Itoa(n)+"].contentString", v)
				}
			}
		default:
			x.leftover("Communication."+name, c.kids[i])
		}
	}
}

// questionLists are the lists of Foresporsel/TypeForesp; every other theme is a Notat (plo.md § 7.2).
var questionLists = []string{"9152", "9153", "9154", "9155", "8331"}

// dialogOut builds a dialogmelding of what is asked for, and of what only the Communication says.
func (x *emitter) dialogOut(m *message, o Outgoing, c *node) ([]*out, error) {
	d := o.Dialog
	if x.t.codes[d.ThemeList][d.ThemeCode] == "" {
		return nil, &Error{Code: Malformed, Path: "Dialogmelding", FHIR: "Communication.topic", Text: "a theme of a known list is required"}
	}
	if o.Head.Kind == KindDialogAnswer && o.Head.RefToParent == "" {
		return nil, &Error{Code: Malformed, Path: "/MsgHead/MsgInfo/ConversationRef", FHIR: "Communication.inResponseTo", Text: "an answer names what it answers"}
	}
	x.plain = m.prefix
	other := "Foresporsel"
	if question := slices.Contains(questionLists, d.ThemeList); question && (o.Head.Kind == KindDialogQuestion || o.Head.Kind == KindDialogClinical) {
		other = "Notat"
	}
	base := d.node(x.t)
	base.merge(c)
	root := x.root(m)
	x.expr = "Communication"
	said := false
	for _, f := range m.rootClass.fields {
		if f.name != other {
			kids := x.fieldOut(f, base)
			said = said || f.class != nil && len(kids) > 0
			root.kids = append(root.kids, kids...)
		}
	}
	if !said {
		return nil, &Error{Code: Malformed, Path: "Dialogmelding", FHIR: "Communication.topic", Text: "the theme is not of a list that the message takes"}
	}
	if err := x.complete(); err != nil {
		return nil, err
	}
	x.leftovers()
	x.messageLeftovers(base)
	return []*out{root}, nil
}

// merge adds what a Communication says by extension, and its reasons, where a Dialog has no field for it.
func (n *node) merge(c *node) {
	for _, name := range []string{"extension", "reasonCode"} {
		for _, x := range c.get(name).items() {
			url := x.get("url").string()
			have := slices.ContainsFunc(n.get(name).items(), func(y *node) bool { return url != "" && y.get("url").string() == url && !repeated(c, url) })
			if have {
				continue
			}
			if n.get(name) == nil {
				n.set(name, array())
			}
			n.get(name).kids = append(n.get(name).kids, x)
		}
	}
}

// repeated tells whether a resource has the extension more than once.
func repeated(c *node, url string) bool {
	times := 0
	for _, x := range c.get("extension").items() {
		if x.get("url").string() == url {
			times++
		}
	}
	return times > 1
}

// node makes of a Dialog what the tables map from: the Communication that reading would give.
func (d *Dialog) node(t *table) *node {
	display := d.ThemeDisplay
	if display == "" {
		display = t.codes[d.ThemeList][d.ThemeCode]
	}
	c := object()
	c.put(steps("topic.coding[0]"), obj("system", "urn:oid:"+volven+d.ThemeList, "code", d.ThemeCode, "display", display))
	for _, pair := range [][2]string{{"topic.text", d.Subject}, {"payload[+].contentString", d.Text}, {"note[+].text", d.Remark},
		{"extension{dato-notat}.valueDate", d.Date}} {
		if pair[1] != "" {
			c.put(steps(pair[0]), str(pair[1]))
		}
	}
	if d.Urgency != "" {
		c.put(steps("extension{hastegrad}.valueCodeableConcept.coding[0]"),
			obj("system", "urn:oid:"+volven+"9067", "code", d.Urgency, "display", t.codes["9067"][d.Urgency]))
	}
	return c
}

// root declares every namespace of the table that the payload may use.
func (x *emitter) root(m *message) *out {
	root := &out{name: x.name(m.prefix, m.root)}
	if x.plain != "" {
		root.attrs = []string{"xmlns", m.rootNS}
	} else {
		if m.rootNS != nsHead {
			root.attrs = []string{"xmlns:" + m.prefix, m.rootNS}
		}
		for _, p := range []string{"po", "epj1", "epj2", "epj3"} {
			root.attrs = append(root.attrs, "xmlns:"+p, x.t.ns[p])
		}
	}
	root.attrs = append(root.attrs, "xmlns:fk1", nsFK1)
	return root
}
