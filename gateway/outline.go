package gateway

import (
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// outlines remembers of versions that have left lately how they were cut, so that the same version is read once and then
// only cut. It holds byte ranges and the paths of parts, and is asked after a permit has allowed the version: nobody gets
// anything by it, and who may not see a record learns nothing of it. Its nil value remembers nothing.
type outlines struct {
	*recent[fhir.Reference, outlined]
}

// outlined is one version as it left last: its cuts, and the paths of the parts that were not covered.
type outlined struct {
	cuts  *fhir.Cuts
	paths []string
}

// maxOutlined bounds the ranges of all cuts kept, of eight bytes each; a version has about ten.
const maxOutlined = 1 << 17

func newOutlines() *outlines {
	return &outlines{newRecent[fhir.Reference, outlined](maxOutlined)}
}

// cut appends to dst what is covered of a record, less what leaves whatever is covered.
func (o *outlines) cut(dst []byte, r *Record, covered Labels) (body []byte, withheld Labels, err error) {
	var room [16]string
	paths := room[:0]
	for i := range r.Parts {
		part := &r.Parts[i]
		if part.Labels.Within(covered) {
			continue
		}
		withheld |= part.Labels &^ covered
		paths = append(paths, part.Path)
	}
	if body, err = o.append(dst, r, paths); err != nil {
		return nil, 0, Failed("gateway.release", Internal, err)
	}
	return body, withheld, nil
}

// append appends to dst the record less its parts at paths.
func (o *outlines) append(dst []byte, r *Record, paths []string) ([]byte, error) {
	if o != nil {
		if known, ok := o.get(r.Reference); ok && slices.Equal(known.paths, paths) {
			if out, ok := known.cuts.Append(dst, r.Body); ok {
				return out, nil
			}
		}
	}
	out, cuts, err := crossing.Append(dst, r.Body, storedLimits, paths)
	if err != nil {
		return nil, err
	}
	if o != nil && cuts != nil {
		o.put(r.Reference, outlined{cuts, slices.Clone(paths)}, cuts.Size()+4*len(paths))
	}
	return out, nil
}
