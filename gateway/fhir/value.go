package fhir

import "strconv"

// Kind is the JSON kind of a Value.
type Kind uint8

// The kinds of JSON values. Null is also the kind of an absent (nil) Value.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String names the kind as JSON does.
func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Member is one name and value of an object, in source order.
type Member struct {
	Name  string
	Value *Value
}

// Value is one node of a strictly parsed document. It points into the source and is
// immutable; every method works on nil, which stands for what is absent.
type Value struct {
	doc        *document
	parent     *Value
	text       string   // decoded string or literal number, "true", "false"
	members    []Member // of an object
	items      []*Value // of an array
	key        int32    // of a member: offset of its name in the source; of an element: -1 - its position
	start, end int32    // byte range in the source
	kind       Kind
}

// Kind gives the JSON kind; Null when the value is absent.
func (v *Value) Kind() Kind {
	if v == nil {
		return Null
	}
	return v.kind
}

// Get walks object members by name and gives nil when one is absent. It does not look into arrays.
func (v *Value) Get(names ...string) *Value {
	for _, name := range names {
		if v == nil {
			return nil
		}
		v = v.member(name)
	}
	return v
}

// member gives the value of one member, or nil.
func (v *Value) member(name string) *Value {
	for i := range v.members {
		if v.members[i].Name == name {
			return v.members[i].Value
		}
	}
	return nil
}

// Items gives the elements of an array, nil for every other kind. The slice must not be changed.
func (v *Value) Items() []*Value {
	if v == nil {
		return nil
	}
	return v.items
}

// Members gives the members of an object in source order, nil for every other kind.
// The slice must not be changed.
func (v *Value) Members() []Member {
	if v == nil {
		return nil
	}
	return v.members
}

// Text gives a string decoded, a number literally (1.10 stays 1.10), a boolean as "true"
// or "false", and "" for everything else.
func (v *Value) Text() string {
	if v == nil {
		return ""
	}
	return v.text
}

// Span gives the byte range of the value in the source.
func (v *Value) Span() (start, end int) {
	if v == nil {
		return 0, 0
	}
	return int(v.start), int(v.end)
}

// Raw gives the literal bytes of the value. The slice must not be changed.
func (v *Value) Raw() []byte {
	if v == nil {
		return nil
	}
	return v.doc.body[v.start:v.end:v.end]
}

// Parent gives the object or array that holds the value, nil for the root.
func (v *Value) Parent() *Value {
	if v == nil {
		return nil
	}
	return v.parent
}

// Position gives line and column of the value in the source, both from 1, the column in characters.
func (v *Value) Position() (line, col int) {
	if v == nil {
		return 0, 0
	}
	return v.doc.position(int(v.start))
}

// Name gives the member name under which the value, or the array that holds it, stands;
// "" for the root.
func (v *Value) Name() string {
	for v != nil && v.parent != nil {
		if v.parent.kind == Object {
			for i := range v.parent.members {
				if v.parent.members[i].Value == v {
					return v.parent.members[i].Name
				}
			}
		}
		v = v.parent
	}
	return ""
}

// Expression gives the place of the value as a FHIRPath expression from the root, such as
// "CarePlan.activity[2].detail"; elements inside a contained or bundled resource are
// given from the root as well.
func (v *Value) Expression() string {
	if v == nil {
		return ""
	}
	return string(v.appendExpression(nil))
}

func (v *Value) appendExpression(b []byte) []byte {
	p := v.parent
	if p == nil {
		if t := v.member("resourceType"); t != nil && t.kind == String && validTypeName(t.text) {
			return append(b, t.text...)
		}
		return append(b, "Resource"...)
	}
	b = p.appendExpression(b)
	if p.kind == Array {
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(-1-v.key), 10)
		return append(b, ']')
	}
	for i := range p.members {
		if p.members[i].Value == v {
			return appendElementName(append(b, '.'), p.members[i].Name)
		}
	}
	return b
}

// appendElementName appends a member name, less the underscore of a primitive's sibling.
// A name that is no FHIR element name may hold anything, personal data too, and is given as "?".
func appendElementName(b []byte, name string) []byte {
	return append(b, safeName(name)...)
}

// safeName gives a member name for use in an expression or text: as it stands when it has the
// form of an element name of at most 64 letters and digits, "?" otherwise.
func safeName(name string) string {
	if len(name) > 1 && name[0] == '_' {
		name = name[1:]
	}
	if len(name) == 0 || len(name) > 64 || isDigit(name[0]) {
		return "?"
	}
	digits := 0
	for i := 0; i < len(name); i++ {
		if !isAlphanumeric(name[i]) {
			return "?"
		}
		if isDigit(name[i]) {
			digits++
		}
	}
	if digits > 4 {
		return "?"
	}
	return name
}
