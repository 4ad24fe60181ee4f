package gateway

import (
	"io"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// Release is the only type that turns rows into bytes that leave: a body that a Permit allowed,
// with everything removed that it did not. Only a Gateway makes one; its zero value is empty.
type Release struct{ body []byte }

// WriteTo writes the body.
func (r Release) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(r.body)
	return int64(n), err
}

// Len is the length of the body in bytes.
func (r Release) Len() int { return len(r.body) }

// typesWithParts carry SUBSETTED on every crossing, trimmed or not, so that the tag tells nothing.
var typesWithParts = map[fhir.Type]bool{
	"CarePlan": true, "QuestionnaireResponse": true, "Observation": true, "Patient": true,
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
	res, err := fhir.Parse(r.Body)
	if err != nil {
		return nil, 0, Failed("gateway.release", Internal, err)
	}
	e := res.Edit()
	for _, part := range r.Parts {
		if part.Labels.Within(covered) {
			continue
		}
		v := res.At(part.Path)
		if v == nil {
			return nil, 0, Failed("gateway.release", Internal, errPartNotFound)
		}
		withheld |= part.Labels &^ covered
		e.Remove(v)
	}
	if v := res.Root().Get("text"); v != nil {
		e.Remove(v)
	}
	stripReferences(e, res.Root())
	if typesWithParts[r.Reference.Type] {
		tag := subsettedTag
		if old := res.Root().Get("meta", "tag"); old != nil {
			for _, t := range old.Items() {
				tag += "," + string(t.Raw())
			}
		}
		e.Set(res.Root().Get("meta"), "tag", []byte("["+tag+"]"))
	}
	body, err = e.Bytes()
	if err != nil {
		return nil, 0, Failed("gateway.release", Internal, err)
	}
	return body, withheld, nil
}

// stripReferences removes display and identifier from every reference to a record: they would
// tell what the reference's target may hide.
func stripReferences(e *fhir.Editor, v *fhir.Value) {
	for _, item := range v.Items() {
		stripReferences(e, item)
	}
	if ref := v.Get("reference"); ref != nil && ref.Kind() == fhir.String && !namesDirectory(ref.Text()) {
		for _, name := range []string{"display", "identifier"} {
			if m := v.Get(name); m != nil {
				e.Remove(m)
			}
		}
	}
	for _, m := range v.Members() {
		stripReferences(e, m.Value)
	}
}

func namesDirectory(ref string) bool {
	t, _, found := strings.Cut(ref, "/")
	return found && IsDirectory(fhir.Type(t))
}
