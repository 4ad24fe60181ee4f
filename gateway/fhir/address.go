package fhir

// Addresses lists every value that holds an address: elements of type uri, url, oid and uuid, and the
// text of a Reference; those of contained resources and extensions too, in source order. Elements of
// type canonical and the URL that names an extension are none: they are names (R4
// http.html#trules). Elements that the tables do not know are passed over; Validate refuses them.
func (r *Resource) Addresses() []*Value {
	return r.elements(func(holder *structure, s *slot, v *Value) bool {
		if v.kind != String || s.element == nil || s.typ == nil {
			return false
		}
		switch s.typ.name {
		case "uri", "url", "oid", "uuid":
			return !s.attribute
		}
		return holder.name == "Reference" && s.element.name == "reference"
	})
}

// Narratives lists every value of type xhtml, in source order.
func (r *Resource) Narratives() []*Value {
	return r.elements(func(_ *structure, s *slot, v *Value) bool { return v.kind == String && s.narrative })
}
