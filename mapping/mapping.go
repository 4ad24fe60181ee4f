// Package mapping turns Norwegian health messages (Hodemelding, PLO, dialogmelding, henvisning, epikrise, AppRec) into FHIR R4 and back.
//
// It is pure: bytes in, values out. It has no context, database, clock, network or randomness; ids and times come in
// as parameters, so the same input always gives the same bytes. What a message looks like (elements, order,
// cardinality, data types, code lists, FHIR path, label) stands in data files, codes.table and one per standard, which reading, writing
// and checking share, since no XSD for pleie- og omsorgsmeldinger is public.
//
// XML is read by a parser of this package, in one pass with the guard against hostile documents: a library's tree alone
// costs as much time as a whole message now does, and a second reader might see another message than the one that is
// decided. Tests hold it against etree and encoding/xml; etree writes what is withheld from.
package mapping

import (
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Kind is a message type, a code of Volven 8279 (MsgInfo/Type/@V).
type Kind string

// The message types of Volven 8279 that this package knows by name.
const (
	KindAppRec                 Kind = "APPREC"
	KindDialogQuestion         Kind = "DIALOG_FORESPORSEL"
	KindDialogAnswer           Kind = "DIALOG_SVAR"
	KindDialogNote             Kind = "DIALOG_NOTAT"
	KindDialogDeviation        Kind = "DIALOG_AVVIK"
	KindDialogClinical         Kind = "DIALOG_HELSEFAGLIG"
	KindMedicalInformation     Kind = "MEDISINSKE_OPPLYSNINGER"
	KindInformationToGP        Kind = "HELSEOPPLYSNINGER_LEGE"
	KindAdmitted               Kind = "LOG_INNLAGT"
	KindReadyForDischarge      Kind = "LOG_UTSKRIVNINGSKLAR"
	KindNotReadyAfterAll       Kind = "LOG_AVMELDING"
	KindDischarged             Kind = "LOG_UTSKREVET"
	KindDeath                  Kind = "LOG_DOD"
	KindLogistics              Kind = "PASIENTLOGISTIKK" // PLO 1.5: any of these, as its content says
	KindInformationToMunicipal Kind = "HELSEOPPL_SOKNAD"
	KindAdmissionReport        Kind = "INNLEGGELSESRAPPORT"
	KindDischargeReport        Kind = "UTSKRIVNINGSRAPPORT"
	KindServicesOffered        Kind = "ORIENTERING_TJENESTETILBUD"
	KindMedicationHandling     Kind = "LEGEMIDDELHANDTERING"
	KindRecordExtract          Kind = "EPJ-EKSTRAKT"
	KindDischargeSummary       Kind = "EPIKRISE"
	KindReferral               Kind = "HENVISNING"
	KindReferralNewCondition   Kind = "HENVISNING_NYTILSTAND"
	KindReferralOnward         Kind = "HENVISNING_VIDERE"
	KindReferralChildPsych     Kind = "HENVISNING_BUP"
	KindReferralRehabilitation Kind = "HENVISNING_REHAB"
	KindReferralStatus         Kind = "DIALOG_STATUS_HENVISNING"
)

// logistics tells of the kinds that never hold health information (plo.md § 2.5).
func (k Kind) logistics() bool { return strings.HasPrefix(string(k), "LOG_") || k == KindLogistics }

// Status is what a message does to an earlier one: Forsendelsesstatus, Volven 7309.
type Status string

// The values of Volven 7309.
const (
	StatusNew        Status = "N"
	StatusChange     Status = "M"
	StatusSupplement Status = "A"
	StatusCancel     Status = "C"
	StatusHistory    Status = "H"
)

// Address is one communication party of a message: an organisation, optionally a service of it (subunit) and a
// healthcare person. The deepest HER-id is the one that is addressed (HIS 1153).
type Address struct {
	HERID, OrgNumber, Name string // the organisation (level 1)
	UnitHERID, UnitName    string // the service (level 2), empty when level 1 is addressed itself
	HPR, PersonName        string // the healthcare person, when the sender names one
}

// Addressed returns the HER-id the message goes to or comes from: the service's when there is one.
func (a Address) Addressed() string {
	if a.UnitHERID != "" {
		return a.UnitHERID
	}
	return a.HERID
}

// Display returns the readable name: service, organisation, whichever are given.
func (a Address) Display() string {
	switch {
	case a.UnitName == "":
		return a.Name
	case a.Name == "":
		return a.UnitName
	}
	return a.UnitName + ", " + a.Name
}

// PostalAddress is a postal or visiting address of a patient.
type PostalAddress struct {
	Type                              string // Volven 3401
	Street, PostalCode, City, Postbox string
	County, CountyName, Country       string // codes, and the text of County
}

// Telecom is one way to reach somebody; URI is "tel:", "fax:" or "mailto:" with the address.
type Telecom struct {
	Type string // Volven 9061
	URI  string
}

// PatientHead is the head of the patient as the message carries it. A NIN never goes into logs or error texts.
type PatientHead struct {
	Present           bool   // MsgInfo/Patient is there
	NIN               string // first fnr or D-number, else the first identifier of any kind
	NINType           string // Volven 8116: FNR, DNR, HNR, DUF …
	NINSystem         string // FHIR identifier system, empty when the type has no national one
	NINValid          bool   // fnr or D-number with right check digits
	Given             string
	Middle            string
	Family            string
	BirthDate         string // YYYY-MM-DD, empty when absent or malformed
	Sex               string // Volven 3101: 1 mann, 2 kvinne, 0 ikke kjent, 9 ikke spesifisert
	Addresses         []PostalAddress
	Telecom           []Telecom
	OtherIdentifiers  []PatientIdentifier // further identifiers in message order
	BirthDateAsStated string              // what the message says when it is no date
}

// PatientIdentifier is an identifier beyond the first national one.
type PatientIdentifier struct{ Type, System, Value string }

// Head is what the Hodemelding (MsgHead 1.2, HIS 80601) says, whatever it carries.
type Head struct {
	MsgID             string
	Kind              Kind
	KindDisplay       string
	Namespace         string // namespace of the first payload
	Version           string // of the payload: "1.6", "1.0", "1.1"; empty when unknown
	Generated         time.Time
	GeneratedValue    string // GenDate as written: an AppRec repeats the instant, and the zone may be missing
	Sender            Address
	Receiver          Address
	CopyReceivers     []Address
	Patient           PatientHead
	RefToParent       string
	RefToConversation string
	Thread            string // of a root without MsgHead: the id of what it is about, by which a change or cancellation names it
	Threaded          bool   // the root names it so, and has no other way
	Signed            bool   // an XML signature is present: all or nothing
	Status            Status // 7309 of the PLO payload; StatusNew when the payload has none
	Consent           Consent
	AckWanted         string // Volven 7304: J, N, F; empty when absent
	Processing        string // Volven 8113: P, D (test message), T
}

// AllOrNothing tells that the message may not be delivered in parts: it is signed, or an epikrise or a henvisning.
func (h Head) AllOrNothing() bool {
	switch h.Kind {
	case KindDischargeSummary, KindReferral, KindReferralNewCondition, KindReferralOnward, KindReferralChildPsych,
		KindReferralRehabilitation:
		return true
	}
	return h.Signed
}

// Section is a part of a message that is decided as one. Medication list, CAVE, diagnosis list and each single note
// are one section each and never split (DESIGN § 3).
type Section struct {
	Path      string   // stable location: local names, [n] where siblings share a name, " | " between alternatives
	Name      string   // Norwegian heading for reports
	Labels    []string // informasjonskategorier from the table, sorted in no order of meaning
	ByContent bool     // the codes of the resources decide; Labels then holds only what the table adds
	Keys      []string // the resources made from it; the Patient belongs to the head alone
	Whole     bool     // the kept original: every label of every part; not a path for Withhold
	Where     string   `json:",omitempty"` // it tells where the person is, and so does this element of the resource that it is part of: "location"
	Drop      bool     // LOG_: free text or a clinical reference, to be dropped from every delivery and reported
}

// Resource is one FHIR resource that became of the message.
type Resource struct {
	Key     string    // unique in the message: "condition-1"
	Type    fhir.Type // R4 type
	Body    []byte    // JSON without id and meta; references hold the ids the caller gave
	Section string    // Path of its Section
}

// Outcome says what became of one leaf of a message, or of one element of a resource.
type Outcome string

// The outcomes of a Finding.
const (
	Mapped      Outcome = "mapped"       // stands in Target of the resource Key
	Kept        Outcome = "kept"         // stands only in the kept original
	Dropped     Outcome = "dropped"      // LOG_: left out of every delivery; stands in the kept original
	UnknownCode Outcome = "unknown-code" // mapped, but the code is not in the list the table names
	Invalid     Outcome = "invalid"      // breaks its data type or cardinality; stands in the kept original
	Reveals     Outcome = "reveals"      // a name that tells that substance-use care is given
	NotSent     Outcome = "not-sent"     // FHIR element that the outgoing message has no place for
)

// Finding is one line of the mapping report. It never holds a value from the message.
type Finding struct {
	Path    string  // in the message; when writing: in the resource
	Outcome Outcome //
	Key     string  // resource, empty when none
	Target  string  // FHIR element; when writing: message element
}

// Attachment is a document that came with the message.
type Attachment struct {
	MimeType string
	Name     string
	Bytes    []byte // decoded; nil when there is a FileRef or a Problem
	FileRef  string // recorded, never fetched
	Problem  string // stable code: "base64", "too-large", "compressed", "empty"; the AppRec then says status 3
}

// Incoming is a message that could be read.
type Incoming struct {
	Head         Head
	Resources    []Resource
	Sections     []Section
	Report       []Finding
	AllOrNothing bool
	Attachments  []Attachment
}
