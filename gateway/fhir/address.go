package fhir

// Addresses lists every value that holds an address: elements of type uri, url, oid and uuid, and the
// text of a Reference; those of contained resources and extensions too, in source order. Elements of
// type canonical and the URL that names an extension are none: they are names (R4
// http.html#trules). Elements that the tables do not know are passed over; Validate refuses them.
func (r *Resource) Addresses() []*Value {
	return r.primitives(func(holder *structure, s *slot) bool {
		switch s.typ.name {
		case "uri", "url", "oid", "uuid":
			return !s.attribute
		}
		return holder.name == "Reference" && s.element.name == "reference"
	})
}

// Narratives lists every value of type xhtml, in source order.
func (r *Resource) Narratives() []*Value {
	return r.primitives(func(_ *structure, s *slot) bool { return s.narrative })
}

// primitives lists the strings that stand where is says so, as the tables have it.
func (r *Resource) primitives(is func(holder *structure, s *slot) bool) []*Value {
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
			if at == nil && len(m.Name) > 1 && m.Name[0] == '_' {
				at = &slot{typ: known["Element"]}
			}
			if at == nil || at.typ == nil {
				continue
			}
			values := []*Value{m.Value}
			if m.Value.kind == Array {
				values = m.Value.items
			}
			for _, one := range values {
				switch {
				case one.kind == Object:
					walk(one, at.typ)
				case one.kind == String && at.element != nil && is(s, at):
					found = append(found, one)
				}
			}
		}
	}
	walk(r.root, known[string(r.kind)])
	return found
}
