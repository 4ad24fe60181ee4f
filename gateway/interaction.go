package gateway

import (
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// InteractionCode is an R4 restful interaction (http://hl7.org/fhir/restful-interaction), or one
// of the message exchange.
type InteractionCode string

// The interactions.
const (
	Read    InteractionCode = "read"
	VRead   InteractionCode = "vread"
	Create  InteractionCode = "create"
	Update  InteractionCode = "update"
	Delete  InteractionCode = "delete"
	Patch   InteractionCode = "patch"
	History InteractionCode = "history-instance"
	Find    InteractionCode = "search-type"

	FindSystem InteractionCode = "search-system"

	HistoryType   InteractionCode = "history-type"
	HistorySystem InteractionCode = "history-system"
	Batch         InteractionCode = "batch"
	Transaction   InteractionCode = "transaction"
	Operate       InteractionCode = "operation"

	Submit  InteractionCode = "message-in"    // a message arrives
	Listing InteractionCode = "message-list"  // a mailbox is listed
	Collect InteractionCode = "message-fetch" // a document is fetched
	Relay   InteractionCode = "message-out"   // a message leaves
)

// Interaction is what an Actor asks for.
type Interaction struct {
	Code    InteractionCode
	Target  fhir.Reference // Type, but for history-system; ID and Version where the interaction has them
	Body    *fhir.Resource // create and update
	Patch   Amendment      // patch
	IfMatch string         // version that must be current, "" when not asked
	Absent  bool           // update: the resource must not be there yet (If-None-Match: *)
	When    *Search        // create, update, patch, delete: asked of the writer's own records (R4 http.html#cond-update)
	Search  Search         // search-type; Count and Page also for history
	Window  Window         // history

	Operation Operation // operation; Body is the resource that it was given
}

// Window limits a history in time (R4 http.html#history). The zero Window holds everything.
type Window struct {
	Since     time.Time   // versions made at or after this instant; zero: from the first
	Low, High time.Time   // versions that were current at some instant in [Low, High); zero: at any
	Types     []fhir.Type // history-system: the types that have a history
}

// Search is a parsed search: every condition known to the registry, every value typed.
type Search struct {
	Subject   Subject // the patient asked for, from patient/subject/identifier; zero when none
	Sort      Sort
	Count     int       // rows on a page; 0 asks for the total only
	Page      string    // sealed cursor of an earlier page, "" for the first
	Self      string    // link of this search as asked, without national identifiers
	Base      string    // absolute FHIR base, for fullUrl and links
	English   bool      // what the page tells of itself is in English; else in bokmål
	Canonical string    // what a cursor is bound to and what the ledger shows; national values left out
	Pretend   time.Time // zero; reserved for explain, which asks as of another time

	Types       []fhir.Type      // of a search of the system or of all of a compartment; nil: the type of the target
	Criteria    []fhir.Criterion // all must hold
	By          []fhir.SortKey   // order by values; none: Sort
	Includes    []fhir.Include
	Summary     fhir.Summary
	Elements    []string
	Total       fhir.Total
	Compartment bool // what is in the compartment of the Subject, a Patient (R4 compartmentdefinition-patient.html)
}

// Sort is the order of a search: newest first by the date of the type unless asked otherwise.
type Sort struct {
	Param      string // "" for the date of the type, "_lastUpdated"
	Descending bool
}

// Subject names a patient in a question: by a reference, or by national number, or not at all.
type Subject struct {
	Patient fhir.Reference
	NIN     NIN
}

// IsZero tells whether no patient is named.
func (s Subject) IsZero() bool { return s.Patient == (fhir.Reference{}) && s.NIN.IsZero() }

// Outcome is what an interaction gives back. Everything that depends on a record is in Release.
type Outcome struct {
	Release  Release // body; empty for delete
	Version  string  // ETag
	Updated  time.Time
	Location fhir.Reference // with Version, for create and update
	Created  bool
	Bare     bool         // a page without a record: how long it took must not tell whether one was hidden
	Issues   []fhir.Issue // $validate: what there is to say, never nothing; create and update: remarks on what is stored
}
