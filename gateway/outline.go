package gateway

import "github.com/sluse/sluse/gateway/fhir"

// outlines remembers of versions that have left lately what to take away of them, so that the same
// version is read once and then only cut. It holds byte ranges, the paths of labelled parts and no
// labels, and is asked after a permit has allowed the version: nobody gets anything by it, and who may
// not see a record learns nothing of it. Its nil value remembers nothing.
type outlines struct {
	*recent[fhir.Reference, outlined]
}

// outlined is one version: its outline, and the paths of its labelled parts, which are the choices.
type outlined struct {
	outline *fhir.Outline
	paths   []string
}

// maxOutlined bounds the values of all outlines kept, of about 100 bytes each.
const maxOutlined = 1 << 16

func newOutlines() *outlines {
	return &outlines{newRecent[fhir.Reference, outlined](maxOutlined)}
}

// cut makes a release of a version that is remembered.
func (o *outlines) cut(r Record, covered Labels) (body []byte, withheld Labels, ok bool) {
	if o == nil {
		return nil, 0, false
	}
	known, ok := o.get(r.Reference)
	if !ok || len(known.paths) != len(r.Parts) {
		return nil, 0, false
	}
	without := make([]bool, len(r.Parts))
	for i, part := range r.Parts {
		if part.Path != known.paths[i] {
			return nil, 0, false
		}
		if !part.Labels.Within(covered) {
			without[i] = true
			withheld |= part.Labels &^ covered
		}
	}
	body, ok = known.outline.Apply(r.Body, without)
	return body, withheld, ok
}

func (o *outlines) remember(r Record, e *fhir.Editor, parts []*fhir.Value) {
	if o == nil {
		return
	}
	known := outlined{outline: e.Outline(parts), paths: make([]string, len(r.Parts))}
	if known.outline == nil {
		return
	}
	for i, part := range r.Parts {
		known.paths[i] = part.Path
	}
	o.put(r.Reference, known, known.outline.Size())
}
