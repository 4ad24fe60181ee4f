package gateway

import (
	"context"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Setting is all that the meaning of a Consent depends on besides its own bytes. The zero value of a
// field adds nothing to what is permitted.
type Setting struct {
	Registrar Party // wrote it
	Patient   bool  // the person herself did
	Withdrawn bool  // by another than who registered it, or the person: what it denies still holds
	Directory Directory
	// Team finds a CareTeam as it was when this version of the Consent was stored, and as it is now.
	Team func(fhir.Reference) (listed, current *fhir.Resource)
	// Later finds versions of a CareTeam that have been confirmed since; nil: none.
	Later func(fhir.Reference) []Stated
	// Confirmed tells who has confirmed this version of the Consent, the registrar apart.
	Confirmed []Stated
	// Groups are the members of the receiver groups that it names, as they were when it was stored, by
	// the group's name. The Normalizer adds the groups that it has to look up itself.
	Groups map[string][]Member
	// Bearers gives the Patients and CareTeams about the person, which tell who has a role for her now;
	// it is asked only for a Consent that names such a role. nil: none.
	Bearers func() []Stated
}

// Stated is what a party, or the person herself, has stated or confirmed.
type Stated struct {
	By       HERID
	Patient  bool           // the person herself
	Resource *fhir.Resource // a Patient or CareTeam; nil where there is nothing to read
}

// Member is a party of a receiver group, or one unit of it.
type Member struct {
	Party HERID `json:"party"`
	Unit  HERID `json:"unit,omitempty"` // "" for the whole party
}

// Basis is what a Consent was resolved against when its version was stored: what its references
// meant, which versions of CareTeams it saw, and who was in the groups that it names. Later edits of
// any never widen it.
type Basis struct {
	Addresses map[string]Address  // by reference, as written
	Teams     []fhir.Reference    // with Version
	Groups    map[string][]Member `json:",omitempty"`
	Roles     bool                `json:",omitempty"` // it names a role of the person, and follows who has it
	Withdrawn bool                `json:",omitempty"`
	Recalled  time.Time           `json:",omitzero"` // when another than who registered it withdrew or narrowed it
	At        time.Time           // when the version was stored
}

// Confirmation is a row of its own: one version of a Consent or CareTeam, and who stands by it for the
// records that it keeps, or the person herself for all.
type Confirmation struct {
	Version fhir.Reference // with Version
	By      HERID
	Patient bool
	Person  PersonID
	At      time.Time
}

// Confirmations is the part of a Tx that keeps what custodians and persons stand by, and finds the Consents
// whose meaning follows.
type Confirmations interface {
	// Confirm keeps the row; kept is false when it was there already.
	Confirm(ctx context.Context, c Confirmation) (kept bool, err error)
	// Confirmed lists who has confirmed any version of the Consent or CareTeam, oldest first.
	Confirmed(ctx context.Context, r fhir.Reference) ([]Confirmation, error)
	// Registered gives a Consent that counts, with what it was resolved against and its grants; NotFound
	// when it does not count.
	Registered(ctx context.Context, consent fhir.Reference) (StoredConsent, []Grant, error)
	// ConsentsByRole lists the person's Consents that name roles, each once.
	ConsentsByRole(ctx context.Context, person PersonID) ([]StoredConsent, error)
	// ConsentsBy lists the person's Consents that count and that a party has registered, each once.
	ConsentsBy(ctx context.Context, person PersonID, registrar HERID) ([]StoredConsent, error)
	// Raise raises the person's epoch: what a decision about her rests on has changed.
	Raise(ctx context.Context, person PersonID) error
	// Rouse raises the person's epoch though her Consents mean what they meant: whoever stores one meanwhile begins
	// again, and sees what is written.
	Rouse(ctx context.Context, person PersonID) error
}

// BearingReader is the part of a View that finds who may have a role for a person.
type BearingReader interface {
	// Bearings gives the bodies of the Patients and CareTeams about the person, and who keeps each.
	Bearings(ctx context.Context, person PersonID) ([]Bearing, error)
}

// Bearing is a record that may tell who has a role for a person.
type Bearing struct {
	Custodian HERID
	Body      []byte
}
