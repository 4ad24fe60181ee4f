package gateway

import "github.com/sluse/sluse/gateway/fhir"

// Outline is how what is written will be cut for others, to be stored beside its body; nil for what is never cut, or is to
// be read each time.
func (d *Draft) Outline() fhir.Outline {
	if len(d.Body) == 0 || IsDirectory(d.Reference.Type) {
		return nil
	}
	var room [16]fhir.TrimPart
	parts := room[:0]
	for _, p := range d.Parts {
		parts = append(parts, fhir.TrimPart{Path: p.Path})
	}
	return crossing.Outline(d.Reference.Type, d.Body, parts)
}

// cut appends to dst what is covered of a record, less what leaves whatever is covered: by its Outline, else by reading it.
func cut(dst []byte, r *Record, covered Labels) (body []byte, withheld Labels, err error) {
	var room [16]fhir.TrimPart
	parts := room[:0]
	for i := range r.Parts {
		part := &r.Parts[i]
		goes := !part.Labels.Within(covered)
		if goes {
			withheld |= part.Labels &^ covered
		}
		parts = append(parts, fhir.TrimPart{Path: part.Path, Goes: goes})
	}
	if out, ok := crossing.Cut(dst, r.Reference.Type, r.Body, r.Outline, parts); ok {
		return out, withheld, nil
	}
	var paths []string
	for _, p := range parts {
		if p.Goes {
			paths = append(paths, p.Path)
		}
	}
	if body, err = crossing.Append(dst, r.Body, storedLimits, paths); err != nil {
		return nil, 0, Failed("gateway.release", Internal, err)
	}
	return body, withheld, nil
}
