package fhir

import "strings"

// Reference is a literal relative reference, "Type/id" or "Type/id/_history/version"
// (R4 references.html#literal). Version is empty when the reference names none.
type Reference struct {
	Type    Type
	ID      ID
	Version string
}

// ParseReference reads a relative reference. Absolute URLs, URNs, fragments ("#x"),
// conditional references and whatever else is malformed are errors of type *Error; the
// error never repeats the text.
func ParseReference(s string) (Reference, error) {
	r, ok := parseReference(s)
	if !ok {
		return Reference{}, &Error{Issues: []Issue{newIssue(CodeReferenceFormat, IssueInvalid)}}
	}
	return r, nil
}

// LocalReference reads a reference to a resource of the server at base, the absolute URL without a slash
// at its end: a relative one, or an absolute one that begins with base (R4 references.html#literal).
func LocalReference(base, s string) (Reference, bool) {
	if base != "" {
		s = strings.TrimPrefix(s, base+"/")
	}
	return parseReference(s)
}

// parseReference is ParseReference without the allocation of an error.
func parseReference(s string) (Reference, bool) {
	name, rest, ok := strings.Cut(s, "/")
	if !ok || !validTypeName(name) {
		return Reference{}, false
	}
	id, rest, versioned := strings.Cut(rest, "/")
	if !validID(id) {
		return Reference{}, false
	}
	r := Reference{Type: Type(name), ID: ID(id)}
	if versioned {
		version, found := strings.CutPrefix(rest, "_history/")
		if !found || !validID(version) {
			return Reference{}, false
		}
		r.Version = version
	}
	return r, true
}

// String gives the reference as it is written in a resource; the zero Reference gives "".
func (r Reference) String() string {
	if r.Type == "" && r.ID == "" {
		return ""
	}
	s := string(r.Type) + "/" + string(r.ID)
	if r.Version != "" {
		s += "/_history/" + r.Version
	}
	return s
}

// IsZero reports whether the reference names nothing.
func (r Reference) IsZero() bool { return r.Type == "" && r.ID == "" && r.Version == "" }

// References lists every element of data type Reference in the resource, contained resources and
// extensions included, in source order. Elements that the tables do not know are passed over;
// Validate refuses them.
func (r *Resource) References() []*Value {
	return r.elements(func(_ *structure, s *slot, v *Value) bool { return v.kind == Object && s.reference })
}

// elements lists the values that is accepts, told the structure and the slot that each stands in, in
// source order.
func (r *Resource) elements(is func(holder *structure, s *slot, v *Value) bool) []*Value {
	var found []*Value
	known := tables().structures
	var walk func(v *Value, s *structure)
	walk = func(v *Value, s *structure) {
		if s != nil && s.abstract {
			s = known[v.Get("resourceType").Text()]
		}
		if s == nil {
			return
		}
		for i := range v.members {
			m := &v.members[i]
			at := s.slots[m.Name]
			if at == nil && strings.HasPrefix(m.Name, "_") {
				at = &slot{typ: known["Element"]}
			}
			if at == nil {
				continue
			}
			values := []*Value{m.Value}
			if m.Value.kind == Array {
				values = m.Value.items
			}
			for _, one := range values {
				if is(s, at, one) {
					found = append(found, one)
				}
				if one.kind == Object {
					walk(one, at.typ)
				}
			}
		}
	}
	walk(r.root, known[string(r.kind)])
	return found
}
