package gateway

import (
	"io"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// Release is the only type that turns rows into bytes that leave: a body that a Permit allowed,
// with everything removed that it did not. Only a Gateway makes one; its zero value is empty.
type Release struct {
	head []byte // of a Bundle: what stands before its entries
	body []byte
}

// WriteTo writes the body.
func (r Release) WriteTo(w io.Writer) (written int64, err error) {
	for _, b := range [][]byte{r.head, r.body} {
		if len(b) == 0 {
			continue
		}
		n, err := w.Write(b)
		if written += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

// Len is the length of the body in bytes.
func (r Release) Len() int { return len(r.head) + len(r.body) }

// storedLimits are for what is in the store already: a document that came by message may be larger
// than what a FHIR client may write.
var storedLimits = fhir.Limits{Bytes: 16 << 20}

// typesWithParts carry SUBSETTED on every crossing, trimmed or not, so that the tag tells nothing.
var typesWithParts = map[fhir.Type]bool{
	"CarePlan": true, "Composition": true, "QuestionnaireResponse": true, "Observation": true, "Patient": true,
}

const (
	observationValue = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
	subsettedTag     = `{"system":"` + observationValue + `","code":"SUBSETTED"}`
)

// release gives the bytes of a record for the scope: literal for the custodian; for everybody
// else less the parts not covered, less narrative, less display and identifier of references to
// records. It refuses rather than guess: a part that cannot be found withholds the record.
func (p Permit) release(r Record) (body []byte, withheld Labels, err error) {
	scope := p.Scope()
	if r.Reference.Type == "AuditEvent" && scope.Ledger.reaches(r) {
		return r.Body, 0, nil
	}
	covered, ok := scope.Releases(r)
	if !ok {
		return nil, 0, Failed("gateway.release", Internal, errNotCovered)
	}
	if scope.owns(r) || IsDirectory(r.Reference.Type) {
		return r.Body, 0, nil
	}
	if scope.Consents.shows(r) {
		body, err = p.consentView(r)
		return body, 0, err
	}
	if scope.reviews(r) {
		body, err = reviewView(r)
		return body, 0, err
	}
	if body, withheld, ok := p.outlines.cut(r, covered); ok {
		return body, withheld, nil
	}
	return p.outlines.edit(r, covered)
}

// edit makes a release by reading the body, and remembers how.
func (o *outlines) edit(r Record, covered Labels) (body []byte, withheld Labels, err error) {
	const op = "gateway.release"
	res, err := fhir.ParseLimits(r.Body, storedLimits)
	if err != nil {
		return nil, 0, Failed(op, Internal, err)
	}
	e := res.Edit()
	strip(e, res, r.Reference.Type)
	parts := make([]*fhir.Value, len(r.Parts))
	for i, part := range r.Parts {
		parts[i] = res.At(part.Path)
	}
	o.remember(r, e, parts)
	for i, part := range r.Parts {
		if part.Labels.Within(covered) {
			continue
		}
		if parts[i] == nil {
			return nil, 0, Failed(op, Internal, errPartNotFound)
		}
		withheld |= part.Labels &^ covered
		e.Remove(parts[i])
	}
	if body, err = e.Bytes(); err != nil {
		return nil, 0, Failed(op, Internal, err)
	}
	return body, withheld, nil
}

// strip takes away what leaves to nobody but the custodian, whatever is covered.
func strip(e *fhir.Editor, res *fhir.Resource, t fhir.Type) {
	for _, v := range append([]*fhir.Value{res.Root()}, res.Root().Get("contained").Items()...) {
		if text := v.Get("text"); text.Kind() == fhir.Object {
			e.Remove(text)
		}
	}
	if v := res.Root().Get("statusReason"); v != nil && res.Type() == "Communication" {
		e.Remove(v) // it tells the sender what stayed behind, by category
	}
	stripReferences(e, res)
	if typesWithParts[t] {
		tag := subsettedTag
		if old := res.Root().Get("meta", "tag"); old != nil {
			for _, t := range old.Items() {
				tag += "," + string(t.Raw())
			}
		}
		e.Set(res.Root().Get("meta"), "tag", []byte("["+tag+"]"))
	}
}

// stripReferences removes display, identifier and type from every reference to a record: they would
// tell what the reference's target may hide. One that says all it says by them goes whole.
func stripReferences(e *fhir.Editor, res *fhir.Resource) {
	for _, v := range res.References() {
		if namesDirectory(v) {
			continue
		}
		if v.Get("reference") == nil {
			e.Remove(v)
			continue
		}
		for _, name := range []string{"display", "identifier"} {
			if m := v.Get(name); m != nil {
				e.Remove(m)
			}
		}
	}
}

// namesDirectory tells whether a reference is to the directory: by its target, or by a number that
// only the directory has.
func namesDirectory(v *fhir.Value) bool {
	if ref := v.Get("reference"); ref != nil {
		t, _, found := strings.Cut(ref.Text(), "/")
		return found && IsDirectory(fhir.Type(t))
	}
	if t := v.Get("type"); t != nil {
		return IsDirectory(fhir.Type(t.Text()))
	}
	return numberSystems[v.Get("identifier", "system").Text()]
}
