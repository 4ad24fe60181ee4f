package gateway

import (
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Record is one version of a resource as the store holds it. It is not releasable: only the
// Gateway turns it into a Release, against a Permit. Of an AuditEvent, Custodian is the party
// that asked, and Sent lists the parties whose records were released.
type Record struct {
	Key       int64          // row, for cursors
	Reference fhir.Reference // with Version
	Custodian HERID
	Person    PersonID  // zero: no person, only the custodian reads it
	Low, High time.Time // its date, half-open; zero: undated
	Labels    Labels
	Added     Labels // those the custodian ever named itself
	Parts     []Part
	Sent      []Sent         // parties it was sent to by message, fixed at receipt
	Fetched   Labels         // covered when the scope's own party fetched this version by message; zero: it has not
	Context   fhir.Reference // Binary.securityContext, when that record is there; without version
	Updated   time.Time
	Deleted   bool
	Method    InteractionCode // what made this version
	Covered   Labels          // what the store found covered; the Gateway computes it anew and compares
	Refused   bool            // AuditEvent only: of a refusal
	Place     Cursor          // in the order of the search that found it
	Body      []byte
	Outline   fhir.Outline // how the body is cut; nil: it is read
}

// at is the place in the order of the last search, or among what was written lately.
func (r Record) at() Cursor {
	if r.Place.Set {
		return r.Place
	}
	return Cursor{At: r.Updated, Key: r.Key, Set: true}
}

// Sent is one receiver of a message that a record came with, and what was covered then. What was withheld is
// never released later by that message (DESIGN § 3). A receiver has one without Message, of all that it was
// sent, and one for each kind of message.
type Sent struct {
	To      HERID
	Message string // kind, of kodeverk 8279; "": whatever the kind
	Mask    Labels
}

// SentBy adds to the list what a receiver got by a message of a kind.
func SentBy(list []Sent, to HERID, kind string, mask Labels) []Sent {
	for _, name := range []string{"", kind} {
		at := slices.IndexFunc(list, func(s Sent) bool { return s.To == to && s.Message == name })
		if at >= 0 {
			list[at].Mask |= mask
		} else {
			list = append(list, Sent{To: to, Message: name, Mask: mask})
		}
	}
	return list
}

// sentTo tells whether the record was sent to the party, and the labels released by that.
func (r *Record) sentTo(party HERID) (Labels, bool) {
	for _, s := range r.Sent {
		if s.To == party && s.Message == "" {
			return s.Mask, true
		}
	}
	return AllLabels, false
}

// sentAs gives the labels released to the party by messages of a kind.
func (r *Record) sentAs(party HERID, kind string) (released Labels) {
	for _, s := range r.Sent {
		if s.To == party && s.Message == kind {
			released |= s.Mask
		}
	}
	return released
}

// Draft is a version about to be written. The store resolves its person from Subject: a Patient
// of the same custodian, or none.
type Draft struct {
	Reference fhir.Reference // with the new Version
	Previous  string         // version that must be current; "" when the record is new
	Custodian HERID
	Subject   fhir.Reference // literal Patient reference of the content, zero when none
	National  NIN            // a Patient's one current national identifier
	Context   fhir.Reference // Binary.securityContext
	Low, High time.Time
	Labels    Labels
	Added     Labels
	Parts     []Part
	Sent      []Sent
	Index     []fhir.IndexValue // each with the mask of the parts that hold it (fhir.MarkParts)
	Updated   time.Time
	Method    InteractionCode // create, update or delete
	Actor     Actor
	Body      []byte
}

// directoryTypes hold no taushetsplikt and are read by every authenticated party.
var directoryTypes = map[fhir.Type]bool{
	"Organization": true, "Practitioner": true, "PractitionerRole": true, "HealthcareService": true,
	"Location": true, "Endpoint": true, "Questionnaire": true,
}

// IsDirectory tells whether the type belongs to the directory. Every other type is a record.
func IsDirectory(t fhir.Type) bool { return directoryTypes[t] }
