package fhir

import (
	"cmp"
	"slices"
)

// xmlWriter writes the tree of a resource as XML.
type xmlWriter struct {
	out     []byte
	indent  bool
	entries []xmlEntry // of the elements being written
	issues  []Issue    // the first fault
}

// xmlEntry is one member of an object that is an element in XML.
type xmlEntry struct {
	slot    *slot
	name    string
	value   *Value
	sibling bool // "_name"
}

// fault records the first fault; what is written after it is not used.
func (w *xmlWriter) fault(v *Value, code string, t IssueType, args ...string) {
	if len(w.issues) == 0 {
		w.issues = append(w.issues, issueAt(v, code, t, args...))
	}
}

// line begins a new line at a level when the form is indented.
func (w *xmlWriter) line(level int) {
	if !w.indent {
		return
	}
	w.out = append(w.out, '\n')
	for range level {
		w.out = append(w.out, "  "...)
	}
}

// resource writes a resource element; the outermost one names the namespace.
func (w *xmlWriter) resource(v *Value, level int) {
	if v.Kind() != Object {
		w.fault(v, CodeWrongType, IssueStructure, "Resource", v.Kind().String())
		return
	}
	name := v.member("resourceType")
	s := tables().structures[name.Text()]
	if s == nil || !s.resource || name.kind != String {
		w.fault(v, CodeUnknownType, IssueNotSupported)
		return
	}
	w.line(level)
	w.out = append(append(w.out, '<'), s.name...)
	if level == 0 {
		w.out = append(w.out, ` xmlns="`+xmlFHIR+`"`...)
	}
	w.object(v, s, s.name, level)
}

// object writes attributes, content and end tag of an element whose name is already written.
func (w *xmlWriter) object(v *Value, s *structure, name string, level int) {
	base := len(w.entries)
	w.collect(v, s)
	list := w.entries[base:]
	if !slices.IsSortedFunc(list, byOrder) {
		slices.SortStableFunc(list, byOrder)
	}
	count := 0
	for _, e := range list {
		if e.slot.attribute {
			w.attribute(e.name, e.value)
			count++
		}
	}
	if count == len(list) {
		w.out = append(w.out, "/>"...)
		w.entries = w.entries[:base]
		return
	}
	w.out = append(w.out, '>')
	for i := base; i < base+len(list) && len(w.issues) == 0; i++ {
		e := w.entries[i]
		if e.slot.attribute {
			continue
		}
		value, side := e.value, (*Value)(nil)
		if e.sibling {
			value, side = nil, e.value
		} else if i+1 < base+len(list) && w.entries[i+1].slot == e.slot {
			side = w.entries[i+1].value
			i++
		}
		w.member(&e, value, side, level+1)
	}
	w.entries = w.entries[:base]
	w.line(level)
	w.out = append(append(append(w.out, "</"...), name...), '>')
}

// byOrder sorts members as R4 orders their elements, a value before its "_" sibling.
func byOrder(a, b xmlEntry) int {
	if c := cmp.Compare(a.slot.element.index, b.slot.element.index); c != 0 || a.slot != b.slot {
		return c
	}
	switch {
	case a.sibling == b.sibling:
		return 0
	case b.sibling:
		return -1
	}
	return 1
}

// collect finds the element of each member.
func (w *xmlWriter) collect(v *Value, s *structure) {
	if v.Kind() != Object {
		w.fault(v, CodeWrongType, IssueStructure, s.name, v.Kind().String())
		return
	}
	for i := range v.members {
		m := &v.members[i]
		name := m.Name
		if s.resource && name == "resourceType" {
			continue
		}
		sibling := len(name) > 1 && name[0] == '_'
		if sibling {
			name = name[1:]
		}
		slot := s.slots[name]
		if slot == nil || slot.typ == nil || sibling && (slot.typ.primitive == nil || slot.attribute || slot.narrative) {
			w.fault(m.Value, CodeUnknownElement, IssueStructure, safeName(name), s.name)
			return
		}
		w.entries = append(w.entries, xmlEntry{slot: slot, name: name, value: m.Value, sibling: sibling})
	}
}

// member writes the elements of one member; value or side is nil when it is absent.
func (w *xmlWriter) member(e *xmlEntry, value, side *Value, level int) {
	if !e.slot.element.list() {
		if value.Kind() == Array || side.Kind() == Array {
			w.fault(e.value, CodeArrayUnexpected, IssueStructure, e.name)
			return
		}
		w.element(e, value, side, level)
		return
	}
	if value != nil && value.kind != Array || side != nil && side.kind != Array {
		w.fault(e.value, CodeArrayExpected, IssueStructure, e.name)
		return
	}
	values, sides := value.Items(), side.Items()
	if value != nil && side != nil && len(values) != len(sides) {
		w.fault(e.value, CodePadding, IssueStructure, e.name)
		return
	}
	for i := range max(len(values), len(sides)) {
		var one, other *Value
		if i < len(values) && values[i].kind != Null {
			one = values[i]
		}
		if i < len(sides) && sides[i].kind != Null {
			other = sides[i]
		}
		if one == nil && other == nil {
			w.fault(e.value, CodePadding, IssueStructure, e.name)
			return
		}
		w.element(e, one, other, level)
	}
}

// element writes one element.
func (w *xmlWriter) element(e *xmlEntry, value, side *Value, level int) {
	s := e.slot
	w.line(level)
	if s.narrative {
		w.narrative(value)
		return
	}
	w.out = append(append(w.out, '<'), e.name...)
	switch t := s.typ; {
	case t.primitive != nil:
		w.primitive(e, value, side, level)
	case t.abstract:
		w.out = append(w.out, '>')
		w.resource(value, level+1)
		w.line(level)
		w.out = append(append(append(w.out, "</"...), e.name...), '>')
	default:
		w.object(value, t, e.name, level)
	}
}

// primitive writes the value as an attribute, and ids and extensions from the "_" member.
func (w *xmlWriter) primitive(e *xmlEntry, value, side *Value, level int) {
	p := e.slot.typ.primitive
	if value != nil && value.kind != p.kind {
		w.fault(value, CodeWrongType, IssueStructure, p.name, value.kind.String())
		return
	}
	if side == nil {
		if value != nil {
			w.attribute("value", value)
		}
		w.out = append(w.out, "/>"...)
		return
	}
	if value == nil {
		w.object(side, tables().structures["Element"], e.name, level)
		return
	}
	// id stands before value, as in R4's own examples.
	if id := side.Get("id"); id != nil {
		w.attribute("id", id)
	}
	w.attribute("value", value)
	extension := side.Get("extension")
	if extension == nil {
		w.out = append(w.out, "/>"...)
	} else {
		w.out = append(w.out, '>')
		slot := tables().structures["Element"].slots["extension"]
		w.member(&xmlEntry{slot: slot, name: "extension", value: extension}, extension, nil, level+1)
		w.line(level)
		w.out = append(append(append(w.out, "</"...), e.name...), '>')
	}
	for i := range side.Members() {
		if m := &side.members[i]; m.Name != "id" && m.Name != "extension" {
			w.fault(m.Value, CodeUnknownElement, IssueStructure, safeName(m.Name), "Element")
		}
	}
	if side.Kind() != Object {
		w.fault(side, CodeWrongType, IssueStructure, "Element", side.Kind().String())
	}
}

// narrative writes the div as it is.
func (w *xmlWriter) narrative(v *Value) {
	if v.Kind() != String {
		w.fault(v, CodeWrongType, IssueStructure, "xhtml", v.Kind().String())
		return
	}
	text, ok := xhtmlOf(v.text)
	if !ok {
		w.fault(v, CodeNarrative, IssueInvariant)
		return
	}
	w.out = append(w.out, text...)
}

// attribute writes name="value".
func (w *xmlWriter) attribute(name string, v *Value) {
	switch v.Kind() {
	case String, Number, Bool:
	default:
		w.fault(v, CodeWrongType, IssueStructure, "string", v.Kind().String())
		return
	}
	w.out = append(append(append(w.out, ' '), name...), `="`...)
	var ok bool
	if w.out, ok = appendXMLAttribute(w.out, v.text); !ok {
		w.fault(v, CodeXMLCharacter, IssueValue)
	}
	w.out = append(w.out, '"')
}

// attributePlain marks the bytes that stand for themselves in an attribute. 0xef begins the two
// characters that XML has no place for.
var attributePlain = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '&' && i != '<' && i != '>' && i != 0xef
	}
	return t
}()

// appendXMLAttribute appends the value of an attribute so that XML's normalisation of white space
// gives it back; false when XML cannot carry it.
func appendXMLAttribute(b []byte, s string) ([]byte, bool) {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if attributePlain[c] {
			continue
		}
		var replacement string
		switch c {
		case '"':
			replacement = "&quot;"
		case '&':
			replacement = "&amp;"
		case '<':
			replacement = "&lt;"
		case '>':
			replacement = "&gt;"
		case '\n':
			replacement = "&#10;"
		case '\r':
			replacement = "&#13;"
		case '\t':
			replacement = "&#9;"
		case 0xef:
			if xmlCharacters(s[i:min(len(s), i+3)]) >= 0 {
				return b, false
			}
			continue
		default:
			return b, false
		}
		b = append(append(b, s[from:i]...), replacement...)
		from = i + 1
	}
	return append(b, s[from:]...), true
}

// appendXMLText appends character data.
func appendXMLText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
