package gateway

import (
	"io"

	"github.com/sluse/sluse/gateway/fhir"
)

// Release is the only type that turns rows into bytes that leave: a body that a Permit allowed,
// with everything removed that it did not. Only a Gateway makes one; its zero value is empty.
type Release struct {
	head  []byte // of a Bundle: what stands before its entries
	body  []byte
	whole bool
}

// Whole tells of a message's document that its sender has said: whole, or not at all. Whoever passes it on says so too.
func (r Release) Whole() bool { return r.whole }

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

const (
	observationValue = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
	subsettedTag     = `{"system":"` + observationValue + `","code":"SUBSETTED"}`
)

// crossing is what leaves a record before it leaves for anybody but the custodian, whatever is covered: narrative, and
// what references to records tell of their targets. Types with parts carry SUBSETTED on every crossing, trimmed or not,
// so that the tag tells nothing.
var crossing = fhir.Trim{
	Members: map[fhir.Type]string{"Communication": "statusReason"}, // it tells the sender what stayed behind, by category
	Tags: map[fhir.Type]string{
		"CarePlan": subsettedTag, "Composition": subsettedTag, "QuestionnaireResponse": subsettedTag, "Observation": subsettedTag,
		"Patient": subsettedTag,
	},
	Open:        directoryTypes,
	OpenSystems: numberSystems,
}

// release gives the bytes of a record for the scope: literal for the custodian; for everybody
// else less the parts not covered, less narrative, less display and identifier of references to
// records. It refuses rather than guess: a part that cannot be found withholds the record.
func (p Permit) release(r Record) (body []byte, withheld Labels, err error) {
	scope := p.scope()
	covered, ok := scope.releases(&r)
	if !ok && !(r.Reference.Type == "AuditEvent" && scope.Ledger.reaches(r)) {
		return nil, 0, Failed("gateway.release", Internal, errNotCovered)
	}
	if body, err = p.uncut(&r); body != nil || err != nil {
		return body, 0, err
	}
	return cut(nil, &r, covered)
}

// uncut gives the bytes of a record of which nothing is cut, its own or of which there is a view; nil of any other.
func (p *Permit) uncut(r *Record) ([]byte, error) {
	scope := p.scope()
	switch {
	case r.Reference.Type == "AuditEvent" && scope.Ledger.reaches(*r), scope.owned(r), IsDirectory(r.Reference.Type):
		return r.Body, nil
	case scope.Consents.shows(*r):
		return p.consentView(*r)
	case scope.reviews(*r):
		return reviewView(*r)
	}
	return nil, nil
}
