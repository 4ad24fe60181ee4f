package fhir

import (
	"strings"
	"unicode/utf8"
)

// xmlReader turns one XML document into canonical JSON in one pass, led by the tables.
type xmlReader struct {
	doc    *document
	src    string
	pos    int
	depth  int
	nodes  int
	limits Limits
	issues []Issue
	attrs  []xmlAttr
	bound  []xmlBinding
	steps  []xmlStep
	out    []byte
	marks  []xmlMark
}

// xmlStep is one step of the expression: an element and, in a list, its position.
type xmlStep struct {
	name  string
	index int // -1: no list
}

// fault records a fault after which reading stops.
func (x *xmlReader) fault(offset int, code string, t IssueType, args ...string) bool {
	i := newIssue(code, t, args...)
	i.Line, i.Col = x.doc.position(offset)
	i.Expression = x.expression()
	x.issues = append(x.issues, i)
	return false
}

// mild records a fault that reading survives, up to a number of them.
func (x *xmlReader) mild(offset int, code string, t IssueType, args ...string) bool {
	x.fault(offset, code, t, args...)
	return len(x.issues) < maxParseIssues
}

// expression gives the place that is being read, as Value.Expression does.
func (x *xmlReader) expression() string {
	var b []byte
	for i, s := range x.steps {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, safeName(s.name)...)
		if s.index >= 0 {
			b = append(b, '[')
			b = append(b, itoa(s.index)...)
			b = append(b, ']')
		}
	}
	return string(b)
}

func (x *xmlReader) push(name string, index int) {
	x.steps = append(x.steps, xmlStep{name: name, index: index})
}
func (x *xmlReader) pop() { x.steps = x.steps[:len(x.steps)-1] }

// mark remembers where the JSON that follows comes from.
func (x *xmlReader) mark(at int32) {
	x.marks = append(x.marks, xmlMark{to: int32(len(x.out)), from: at})
}

// comma separates a member or item from the one before.
func (x *xmlReader) comma() {
	if c := x.out[len(x.out)-1]; c != '{' && c != '[' {
		x.out = append(x.out, ',')
	}
}

// document reads the prolog, the resource, and nothing after it.
func (x *xmlReader) document() bool {
	if !x.prolog() {
		return false
	}
	if !utf8.ValidString(x.src) {
		return x.fault(invalidUTF8(x.src), CodeParseUTF8, IssueStructure)
	}
	if i := xmlCharacters(x.src); i >= 0 {
		return x.fault(i, CodeParseControl, IssueStructure)
	}
	switch x.next() {
	case xmlStart:
	case xmlStop:
		return false
	default:
		return x.syntax()
	}
	if !x.resource() {
		return false
	}
	switch x.next() {
	case xmlDone:
		return true
	case xmlStop:
		return false
	}
	return x.syntax()
}

// resource reads a resource element, which begins at the present place.
func (x *xmlReader) resource() bool {
	h, ok := x.open()
	if !ok {
		return false
	}
	if len(x.steps) == 0 {
		x.push(h.local, -1)
		defer x.pop()
	}
	s := tables().structures[h.local]
	switch {
	case h.space != spaceFHIR:
		return x.mild(int(h.at), CodeXMLNamespace, IssueStructure, safeName(h.local), xmlFHIR) && x.skip(h)
	case s == nil || !s.resource:
		return x.mild(int(h.at), CodeUnknownType, IssueNotSupported) && x.skip(h)
	}
	x.mark(h.at)
	if _, ok := x.admit(h, admitLocation); !ok {
		return false
	}
	x.out = append(x.out, `{"resourceType":"`...)
	x.out = append(append(x.out, s.name...), '"')
	if !x.members(h, s, xmlValues{}) {
		return false
	}
	x.out = append(x.out, '}')
	return true
}

// skip passes over an element that has been opened and refused, asking only that it is well-formed.
func (x *xmlReader) skip(h xmlHead) bool {
	stack := []xmlHead{h}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if top.empty {
			x.leave()
			stack = stack[:len(stack)-1]
			continue
		}
		n := strings.IndexByte(x.src[x.pos:], '<')
		if n < 0 {
			x.pos = len(x.src)
			return x.syntax()
		}
		x.pos += n
		rest := x.src[x.pos:]
		switch {
		case strings.HasPrefix(rest, "</"):
			if !x.close(top) {
				return false
			}
			stack = stack[:len(stack)-1]
		case strings.HasPrefix(rest, "<!--"):
			if !x.comment() {
				return false
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			end := strings.Index(rest, "]]>")
			if end < 0 {
				return x.syntax()
			}
			x.pos += end + 3
		case !x.allowed(rest):
			return false
		default:
			child, ok := x.open()
			if !ok {
				return false
			}
			stack = append(stack, child)
		}
	}
	return true
}

// Which attributes an element may have.
type xmlAdmit uint8

const (
	admitID xmlAdmit = 1 << iota
	admitURL
	admitValue
	admitLocation // xsi:schemaLocation, which says nothing about the content
)

// xmlValues are the attributes of an element.
type xmlValues struct {
	id, url, value          string
	hasID, hasURL, hasValue bool
}

// admit takes the attributes of the element just opened and refuses those it may not have.
func (x *xmlReader) admit(h xmlHead, allowed xmlAdmit) (v xmlValues, ok bool) {
	for i := range x.attrs {
		a := &x.attrs[i]
		switch {
		case a.prefix == "" && a.local == "value" && allowed&admitValue != 0:
			v.value, v.hasValue = unescapeXML(a.raw), true
		case a.prefix == "" && a.local == "id" && allowed&admitID != 0:
			v.id, v.hasID = unescapeXML(a.raw), true
		case a.prefix == "" && a.local == "url" && allowed&admitURL != 0:
			v.url, v.hasURL = unescapeXML(a.raw), true
		default:
			if space, _ := x.space(a.prefix); a.prefix != "" && space == spaceSchema && allowed&admitLocation != 0 &&
				(a.local == "schemaLocation" || a.local == "noNamespaceSchemaLocation") {
				continue
			}
			if !x.mild(int(h.at), CodeXMLAttribute, IssueStructure, safeName(a.local)) {
				return v, false
			}
		}
	}
	return v, true
}

// xmlRun is the values of one member that stand one after the other.
type xmlRun struct {
	slot  *slot
	name  string
	count int
	from  int       // where the member begins in the JSON
	marks int       // number of marks before it
	some  bool      // a primitive has a value
	side  []byte    // the "_" member of a primitive: its items, separated by commas
	sides int       // number of items in side
	notes []xmlMark // of side, relative to it
}

// members reads the content of an element up to and with its end tag. Attributes come first in the
// JSON, as in the official examples.
func (x *xmlReader) members(h xmlHead, s *structure, v xmlValues) bool {
	if v.hasID {
		x.attributeMember("id", v.id)
	}
	if v.hasURL {
		x.attributeMember("url", v.url)
	}
	var run xmlRun
	for !h.empty {
		next := x.next()
		if next == xmlEnd {
			break
		}
		if next != xmlStart {
			return next == xmlDone && x.syntax()
		}
		child, ok := x.open()
		if !ok {
			return false
		}
		slot := x.slot(child, s, &run)
		if slot == nil {
			if len(x.issues) >= maxParseIssues || !x.skip(child) {
				return false
			}
			continue
		}
		if slot != run.slot {
			x.finish(&run)
			x.begin(&run, slot, child.local)
		}
		if !x.value(child, &run) {
			return false
		}
	}
	x.finish(&run)
	return x.close(h)
}

func (x *xmlReader) attributeMember(name, value string) {
	x.comma()
	x.out = append(append(append(x.out, '"'), name...), `":`...)
	x.out = appendString(x.out, value)
}

// slot finds what a child element is, nil after a fault: unknown, of another namespace, out of
// order (R4 xml.html: elements must always appear in the order documented), or once too often.
func (x *xmlReader) slot(child xmlHead, s *structure, run *xmlRun) *slot {
	slot := s.slots[child.local]
	space, uri := spaceFHIR, xmlFHIR
	if slot != nil && slot.narrative {
		space, uri = spaceXHTML, xmlXHTML
	}
	index := -1
	if slot != nil && slot.element.list() && slot == run.slot {
		index = run.count
	} else if slot != nil && slot.element.list() {
		index = 0
	}
	x.push(child.local, index)
	defer x.pop()
	switch {
	case child.space != space:
		x.fault(int(child.at), CodeXMLNamespace, IssueStructure, safeName(child.local), uri)
	case slot == nil || slot.attribute:
		x.fault(int(child.at), CodeUnknownElement, IssueStructure, safeName(child.local), s.name)
	case run.slot == nil:
		return slot
	case slot == run.slot && !slot.element.list():
		x.fault(int(child.at), CodeCardinalityMax, IssueStructure, slot.element.shown, "1")
	case slot != run.slot && slot.element == run.slot.element:
		x.fault(int(child.at), CodeChoice, IssueStructure, slot.element.shown)
	case slot.element.index < run.slot.element.index:
		x.fault(int(child.at), CodeXMLOrder, IssueStructure, child.local, run.name)
	default:
		return slot
	}
	return nil
}

// begin writes the name of a member and, for one that repeats, the bracket.
func (x *xmlReader) begin(run *xmlRun, s *slot, name string) {
	*run = xmlRun{slot: s, name: name, from: len(x.out), marks: len(x.marks)}
	x.comma()
	x.out = append(append(append(x.out, '"'), name...), `":`...)
	if s.element.list() {
		x.out = append(x.out, '[')
	}
}

// finish ends a member: without any value it is dropped, and the ids and extensions of a
// primitive follow as the "_" member (R4 json.html#primitive).
func (x *xmlReader) finish(run *xmlRun) {
	if run.slot == nil {
		return
	}
	list := run.slot.element.list()
	if run.slot.typ.primitive != nil && !run.slot.narrative && !run.some {
		x.out, x.marks = x.out[:run.from], x.marks[:run.marks]
	} else if list {
		x.out = append(x.out, ']')
	}
	if run.sides == 0 {
		run.slot = nil
		return
	}
	x.comma()
	x.out = append(append(append(x.out, '"', '_'), run.name...), `":`...)
	if list {
		x.out = append(x.out, '[')
	}
	for _, m := range run.notes {
		x.marks = append(x.marks, xmlMark{to: m.to + int32(len(x.out)), from: m.from})
	}
	x.out = append(x.out, run.side...)
	if list {
		for ; run.sides < run.count; run.sides++ {
			x.out = append(x.out, ",null"...)
		}
		x.out = append(x.out, ']')
	}
	run.slot = nil
}

// value reads one value of a member, whose element has been opened.
func (x *xmlReader) value(h xmlHead, run *xmlRun) bool {
	s, index := run.slot, -1
	if s.element.list() {
		index = run.count
		if run.count > 0 {
			x.out = append(x.out, ',')
		}
	}
	run.count++
	x.push(run.name, index)
	x.mark(h.at)
	var ok bool
	switch t := s.typ; {
	case s.narrative:
		ok = x.narrative(h)
	case t.primitive != nil:
		ok = x.primitive(h, run)
	case t.abstract:
		ok = x.wrapped(h)
	default:
		allowed := admitID
		if u := t.slots["url"]; u != nil && u.attribute {
			allowed |= admitURL
		}
		var v xmlValues
		if v, ok = x.admit(h, allowed); ok {
			x.out = append(x.out, '{')
			ok = x.members(h, t, v)
			x.out = append(x.out, '}')
		}
	}
	x.pop()
	return ok
}

// wrapped reads the one resource inside contained, Bundle.entry.resource or a parameter.
func (x *xmlReader) wrapped(h xmlHead) bool {
	if _, ok := x.admit(h, 0); !ok {
		return false
	}
	for count := 0; ; count++ {
		next := xmlEnd
		if !h.empty {
			next = x.next()
		}
		switch {
		case next == xmlStop:
			return false
		case next == xmlDone:
			return x.syntax()
		case next == xmlEnd && count == 0:
			x.out = append(x.out, "{}"...)
			return x.mild(int(h.at), CodeXMLResource, IssueStructure, safeName(h.local)) && x.close(h)
		case next == xmlEnd:
			return x.close(h)
		case count > 0:
			return x.fault(x.pos, CodeXMLResource, IssueStructure, safeName(h.local))
		case !x.resource():
			return false
		}
	}
}

// primitive reads a primitive element: its value, and in the "_" member its id and extensions.
func (x *xmlReader) primitive(h xmlHead, run *xmlRun) bool {
	v, ok := x.admit(h, admitID|admitValue)
	if !ok {
		return false
	}
	switch p := run.slot.typ.primitive; {
	case !v.hasValue:
		x.out = append(x.out, "null"...)
	case p.kind == String:
		run.some = true
		x.out = appendString(x.out, v.value)
	case p.kind == Bool && (v.value == "true" || v.value == "false") || p.kind == Number && validNumber(v.value):
		run.some = true
		x.out = append(x.out, v.value...)
	default:
		run.some = true
		x.out = append(x.out, "null"...)
		if !x.mild(int(h.at), CodeFormat, IssueValue, p.name) {
			return false
		}
	}
	if h.empty && !v.hasID {
		x.leave()
		return v.hasValue || x.mild(int(h.at), CodeEmpty, IssueStructure)
	}
	// The "_" member is written at the end of the JSON and moved to where it is kept until the
	// member is complete.
	from, marks := len(x.out), len(x.marks)
	x.mark(h.at)
	x.out = append(x.out, '{')
	if !x.members(h, tables().structures["Element"], xmlValues{id: v.id, hasID: v.hasID}) {
		return false
	}
	x.out = append(x.out, '}')
	if len(x.out) == from+2 {
		x.out, x.marks = x.out[:from], x.marks[:marks]
		return v.hasValue || x.mild(int(h.at), CodeEmpty, IssueStructure)
	}
	for ; run.sides < run.count-1; run.sides++ {
		if run.sides > 0 {
			run.side = append(run.side, ',')
		}
		run.side = append(run.side, "null"...)
	}
	if run.sides > 0 {
		run.side = append(run.side, ',')
	}
	for _, m := range x.marks[marks:] {
		run.notes = append(run.notes, xmlMark{to: m.to - int32(from) + int32(len(run.side)), from: m.from})
	}
	run.side = append(run.side, x.out[from:]...)
	run.sides++
	x.out, x.marks = x.out[:from], x.marks[:marks]
	return true
}

// validNumber reports whether s is a number by the grammar of RFC 8259, which is that of R4's decimal.
func validNumber(s string) bool {
	if s == "" {
		return false
	}
	n := scanner{src: s, doc: &document{}}
	_, ok := n.number(&Value{})
	return ok && n.pos == len(s)
}
