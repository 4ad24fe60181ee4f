package gateway

import (
	"fmt"
	"log/slog"

	"github.com/sluse/sluse/gateway/fhir"
)

// HERID identifies a communication party or one of its services in Adresseregisteret
// (urn:oid:2.16.578.1.12.4.1.2). A party is known by the HER-id of its root address.
type HERID string

// OrgNumber is an organisation number of Enhetsregisteret (urn:oid:2.16.578.1.12.4.1.4.101).
type OrgNumber string

// HPRNumber identifies an authorised health professional (urn:oid:2.16.578.1.12.4.1.4.4).
type HPRNumber string

// PersonID is the internal identity of a patient. Zero is nobody.
type PersonID int64

// NIN is a national identity number (fødselsnummer or D-nummer). It never prints:
// every formatting verb, slog and every encoder sees only that one was there.
type NIN struct{ digits string }

// NewNIN checks the digits and returns the number, or an error that does not repeat it.
func NewNIN(s string) (NIN, error) {
	if !fhir.ValidNIN(s) {
		return NIN{}, fmt.Errorf("not a valid national identity number")
	}
	return NIN{digits: s}, nil
}

// IsZero tells whether there is no number.
func (n NIN) IsZero() bool { return n.digits == "" }

// Reveal gives the digits to the few places that must have them: the keyed hash of the
// store, the body of a Patient and of a message.
func (n NIN) Reveal() string { return n.digits }

// String hides the number.
func (n NIN) String() string {
	if n.IsZero() {
		return ""
	}
	return "[nin]"
}

// Format hides the number from every verb, %#v included.
func (n NIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.String())) }

// GoString hides the number.
func (n NIN) GoString() string { return n.String() }

// LogValue hides the number from slog.
func (n NIN) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalText hides the number from every encoder.
func (n NIN) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// Sector is what kind of party it is, as the person would say it.
type Sector string

// Sectors with a meaning of their own in the rules.
const (
	SectorBydelHelse Sector = "bydel-helse"
	SectorBydelSos   Sector = "bydel-sosial"
	SectorFastlege   Sector = "fastlege"
	SectorHF         Sector = "hf"
	SectorPatient    Sector = "pasient"
	SectorRelative   Sector = "parorende"
)

// Lovgrunnlag is the law under which a party keeps its secrets: one party, one lovgrunnlag.
type Lovgrunnlag string

// Party is the circle within which taushetsplikt is shared: one virksomhet under one lovgrunnlag.
type Party struct {
	ID           HERID // HER-id of its root address
	OrgNumber    OrgNumber
	Name         string
	Sector       Sector
	Lovgrunnlag  Lovgrunnlag
	Organization fhir.Reference // its entry in the directory
	Above        []HERID        // parties that it is part of, upwards; a deny of one of them holds for it
}

// Kind tells what an Actor is.
type Kind uint8

// Kinds of actor. The zero value may do nothing.
const (
	Nobody     Kind = iota
	Machine         // a system without a person: directory, status and its own mailbox
	Person          // a named person at a party
	Patient         // the person herself
	Operator        // drift: keeps the directory, sees no record
	Compliance      // personvern: Consents, decisions and ledger, never clinical content
)

// Attest says for which patients the actor has shown a care relationship (tillitsrammeverk).
// The zero value attests nobody, so that nothing crosses.
type Attest struct {
	Each bool // each patient asked for; only the demo issuer gives this
	NIN  NIN  // exactly this patient
}

// Actor is who asks, proven by a token: the subject of XACML.
type Actor struct {
	Kind         Kind
	Party        HERID
	Unit         HERID // the service inside the party, "" when not told
	Practitioner HPRNumber
	Name         string // for the patient's own access log
	Role         string // role code of the token, e.g. "lege", "ruskonsulent"
	Purpose      Purpose
	Reason       string // free text that the emergency purpose demands
	Self         NIN    // Kind Patient: herself
	Attest       Attest
	Client       string // OAuth client
	TokenID      string // jti, for tracing an access to its token
}

// Purpose is a code of v3-ActReason.
type Purpose string

// Purposes that Sluse knows.
const (
	Treat          Purpose = "TREAT"
	EmergencyTreat Purpose = "ETREAT"
	Coordinate     Purpose = "COC"
	BreakTheGlass  Purpose = "BTG"
	PatientRequest Purpose = "PATRQT"
	Administer     Purpose = "HOPERAT"
)

// Address is what a reference to the directory means, as numbers that later edits of the
// directory do not move.
type Address struct {
	Party        HERID     // the party it belongs to
	Unit         HERID     // a HealthcareService
	Practitioner HPRNumber // a Practitioner or PractitionerRole
	Role         string    // PractitionerRole.code
	Parts        []HERID   // parties below an Organization by partOf, however deep
}

// Directory tells who is who. It holds nothing under taushetsplikt.
type Directory interface {
	// Party finds a party by any of its HER-ids, those of its services included.
	Party(HERID) (Party, bool)
	// Resolve tells what a reference to Organization, HealthcareService, PractitionerRole,
	// Practitioner or Endpoint means; false when it names nothing with numbers.
	Resolve(fhir.Reference) (Address, bool)
}
