package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// carryParts keeps the labels of parts that are still there: a part known by its id, its linkId or
// its unchanged content has every label that it ever had, whatever the new version leaves out
// (DESIGN § 3, Labels).
func carryParts(current Record, w *written) error {
	if len(current.Parts) == 0 {
		return nil
	}
	old, err := fhir.ParseLimits(current.Body, storedLimits)
	if err != nil {
		return Failed("gateway.part", Internal, err)
	}
	for _, part := range current.Parts {
		was := old.At(part.Path)
		at := strings.LastIndexByte(part.Path, '[')
		if was == nil || at < 0 {
			continue
		}
		parent := part.Path[:at]
		for i, now := range w.resource.At(parent).Items() {
			if samePart(was, now) {
				w.label(parent+"["+strconv.Itoa(i)+"]", part.Labels)
			}
		}
	}
	return nil
}

// label adds labels to the part at the path.
func (w *written) label(path string, l Labels) {
	for i := range w.draft.Parts {
		if w.draft.Parts[i].Path == path {
			w.draft.Parts[i].Labels |= l
			return
		}
	}
	w.draft.Parts = append(w.draft.Parts, Part{Path: path, Labels: l})
}

// ownersOnly is the mask of a value that never crosses: no label covers it.
const ownersOnly = 1 << 62

// MarkIndex tells of each value to be indexed which parts hold it, as the parts stand when the version
// is stored: nothing of a part is ever matched by who may not see it. The identifier of a reference to
// a record is released to nobody but the custodian (release), and matches for nobody else.
func (d *Draft) MarkIndex(res *fhir.Resource) {
	parts := make([]fhir.Part, 0, len(d.Parts))
	for _, p := range d.Parts {
		parts = append(parts, fhir.Part{Path: p.Path, Mask: uint64(p.Labels)})
	}
	d.Index = slices.Clone(d.Index) // a transaction may run again
	fhir.MarkParts(res, d.Index, parts)
	for i := range d.Index {
		if d.Reference.Type == "Consent" {
			hideConsent(&d.Index[i])
		}
		if v := &d.Index[i]; v.Form == fhir.IdentifierForm && !IsDirectory(v.Target) && !(v.Target == "" && numberSystems[v.System]) {
			v.Mask |= ownersOnly
		}
	}
}

func samePart(a, b *fhir.Value) bool {
	for _, name := range []string{"id", "linkId"} {
		if v := a.Get(name).Text(); v != "" && v == b.Get(name).Text() {
			return true
		}
	}
	return bytes.Equal(content(a), content(b))
}

// content is what a part says, without its labels.
func content(v *fhir.Value) []byte {
	var b bytes.Buffer
	for _, m := range v.Members() {
		if m.Name == "extension" || m.Name == "id" {
			continue
		}
		b.WriteString(m.Name)
		if err := json.Compact(&b, m.Value.Raw()); err != nil {
			return nil
		}
	}
	return b.Bytes()
}

// oldVersion tells whether a past version may leave: every label that a part has now must be
// covered as well, since the past version may hold the same words without that label.
func (p Permit) oldVersion(past, current Record) bool {
	scope := p.Scope()
	if past.Reference.Version == current.Reference.Version || past.Fetched != 0 || scope.owns(past) || IsDirectory(past.Reference.Type) {
		return true
	}
	covered, ok := scope.Releases(past)
	if !ok {
		return false
	}
	for _, part := range current.Parts {
		if !part.Labels.Within(covered) {
			return false
		}
	}
	return true
}
