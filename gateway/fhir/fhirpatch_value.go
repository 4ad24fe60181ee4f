package fhir

import "strings"

// pathValue is an element that a patch brings: its value, its "_" sibling, or both.
type pathValue struct {
	value, sibling *patchNode
}

// givenValue is what one part of the Parameters holds.
type givenValue struct {
	suffix         string // of the member value[x]; "" for parts and a resource
	value, sibling *Value
	resource       bool
	parts          []*Value
}

func readGivenValue(part *Value) givenValue {
	var g givenValue
	for _, m := range part.Members() {
		name := bareName(m.Name)
		suffix, isValue := strings.CutPrefix(name, "value")
		switch {
		case isValue && m.Name[0] == '_':
			g.sibling, g.suffix = m.Value, suffix
		case isValue:
			g.value, g.suffix = m.Value, suffix
		case name == "resource":
			g.value, g.resource = m.Value, true
		case name == "part":
			g.parts = m.Value.Items()
		}
	}
	return g
}

// typeName gives the type in a message.
func (g *givenValue) typeName() string {
	switch {
	case g.resource:
		return "Resource"
	case g.parts != nil:
		return "part"
	}
	if low := strings.ToLower(g.suffix[:min(1, len(g.suffix))]) + g.suffix[min(1, len(g.suffix)):]; primitives[low] != nil {
		return low
	}
	return g.suffix
}

// primitiveFamilies are the types that JSON writes alike: Parameters has no xhtml, clients send a
// code as string or a date where a dateTime stands. Validate checks the form afterwards.
var primitiveFamilies = map[string]string{
	"string": "text", "code": "text", "id": "text", "markdown": "text", "xhtml": "text", "uri": "text",
	"url": "text", "canonical": "text", "oid": "text", "uuid": "text",
	"date": "time", "dateTime": "time", "instant": "time",
	"integer": "number", "positiveInt": "number", "unsignedInt": "number",
}

// suits reports whether the value may stand in a slot that is no choice.
func (g *givenValue) suits(s *slot) bool {
	switch t := s.typ; {
	case t == nil || g.suffix == "" && !g.resource && g.parts == nil:
		return false
	case t.abstract:
		return g.resource
	case g.parts != nil:
		return t.primitive == nil
	case t.primitive != nil:
		name := g.typeName()
		family := primitiveFamilies[t.name]
		return name == t.name || family != "" && family == primitiveFamilies[name] || t.name == "decimal" && name == "integer"
	default:
		return t.typeName() == g.suffix
	}
}

// member gives the JSON name of an element for the type of the value.
func (a *pathApplication) member(typ *structure, name string, g *givenValue) (string, error) {
	names := typ.elementNames(name)
	if names == nil {
		return "", a.e.fault(CodePathElement, IssueValue, safeName(name), typ.name)
	}
	slot := typ.slots[names[0]]
	if slot.element.choice {
		member := name + g.suffix
		if s := typ.slots[member]; g.suffix != "" && s != nil && s.element == slot.element {
			return member, nil
		}
	} else if g.suits(slot) {
		return name, nil
	}
	return "", a.fault(CodePatchValue, itoa(a.o.number), safeName(name), g.typeName(), expectedTypes(typ, names))
}

// expectedTypes names the types that an element takes.
func expectedTypes(typ *structure, names []string) string {
	var types []string
	for _, n := range names {
		if t := typ.slots[n].typ; t != nil {
			name := t.typeName()
			if t.backbone {
				name = "part"
			}
			types = append(types, name)
		}
	}
	return strings.Join(types, ", ")
}

// build makes the element from the value of the operation: its JSON name and its nodes.
func (a *pathApplication) build(typ *structure, name string) (string, pathValue, error) {
	g := readGivenValue(a.o.value)
	member, err := a.member(typ, name, &g)
	if err != nil {
		return "", pathValue{}, err
	}
	if g.parts != nil {
		json, err := a.object(nil, typ.slots[member].typ, g.parts)
		if err != nil {
			return "", pathValue{}, err
		}
		v, err := scan(json, Limits{})
		if err != nil {
			return "", pathValue{}, err
		}
		return member, pathValue{value: newPatchNode(v)}, nil
	}
	var v pathValue
	if g.value != nil {
		v.value = newPatchNode(g.value)
	}
	if g.sibling != nil {
		v.sibling = newPatchNode(g.sibling)
	}
	return member, v, nil
}

// object writes the object whose elements are given as parts, in the order of their first.
func (a *pathApplication) object(out []byte, typ *structure, parts []*Value) ([]byte, error) {
	groups := map[string][]givenValue{}
	var order []string
	for _, part := range parts {
		g := readGivenValue(part)
		member, err := a.member(typ, part.member("name").Text(), &g)
		if err != nil {
			return nil, err
		}
		if groups[member] == nil {
			order = append(order, member)
		}
		groups[member] = append(groups[member], g)
	}
	out = append(out, '{')
	for i, member := range order {
		if i > 0 {
			out = append(out, ',')
		}
		slot, group := typ.slots[member], groups[member]
		if len(group) > 1 && !slot.element.list() {
			return nil, a.fault(CodePatchExists, itoa(a.o.number), safeName(slot.element.name))
		}
		var err error
		if out, err = a.elements(out, slot, member, group); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// elements writes the member, and the "_" member when there is something in it.
func (a *pathApplication) elements(out []byte, s *slot, member string, group []givenValue) ([]byte, error) {
	values, siblings := false, false
	for i := range group {
		values = values || group[i].value != nil || group[i].parts != nil
		siblings = siblings || group[i].sibling != nil
	}
	var err error
	if values {
		out = append(appendString(out, member), ':')
		out, err = writeGroup(out, s, group, func(out []byte, g *givenValue) ([]byte, error) {
			if g.parts != nil {
				return a.object(out, s.typ, g.parts)
			}
			return appendRaw(out, g.value), nil
		})
	}
	if err != nil || !siblings {
		return out, err
	}
	if values {
		out = append(out, ',')
	}
	out = append(appendString(out, "_"+member), ':')
	return writeGroup(out, s, group, func(out []byte, g *givenValue) ([]byte, error) {
		return appendRaw(out, g.sibling), nil
	})
}

// writeGroup writes one value, or the array of them for an element that repeats.
func writeGroup(out []byte, s *slot, group []givenValue, write func([]byte, *givenValue) ([]byte, error)) ([]byte, error) {
	if !s.element.list() {
		return write(out, &group[0])
	}
	out = append(out, '[')
	for i := range group {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = write(out, &group[i]); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

// appendRaw appends the literal bytes of a value, null for none.
func appendRaw(out []byte, v *Value) []byte {
	if v == nil {
		return append(out, "null"...)
	}
	return append(out, v.Raw()...)
}
