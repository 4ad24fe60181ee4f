// Package gateway decides, performs and records every exchange of health information between
// the parties it connects: bydel, fastlege and helseforetak.
//
// Whoever reads this file understands the system. A party keeps its own records; before anything
// under taushetsplikt crosses to another, the person's samtykke decides. The types hold the
// promises:
//
//   - No permit, no row. The store reads and writes only against a Permit, which only a Gateway
//     makes, of an answer of the Decider on the facts of the same snapshot.
//   - No record, no answer. Every access is durable in the ledger before its Release is returned.
//   - No acknowledgement before durable. Do and Receive return after commit.
//   - One effect. Receive is idempotent on (sender HER-id, MsgId).
//   - Every doubt is a no. The zero Permit, Scope, Attest, Set and Actor reach nothing; an error
//     of the Decider, Labeller or Store is a refusal.
//
// The layers: rest and exchange turn protocols into Interactions and Messages; helseid turns a
// token into an Actor; consent is the Decider; postgres is the Store; audit renders the ledger.
package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Gateway performs interactions and exchanges messages. It is the only way in.
type Gateway struct {
	Config
	standings *recent[standingKey, Standing] // what decisions stood on lately
}

// Config wires a Gateway. Every field but Orders, Notices, Exports, Fetch and Log is required.
type Config struct {
	Store      Store
	Decider    Decider
	Labeller   Labeller
	Normalizer Normalizer
	Clock      func() time.Time
	Random     io.Reader    // versions and ids
	SealKey    []byte       // 32 bytes; seals page cursors, and the secrets of subscriptions
	Orders     Orders       // which messages a Communication may order; nil: none
	Notices    Notices      // where subscribers may be notified; the zero value: nowhere
	Exports    ExportLimits // of bulk exports; the zero value: the defaults
	Fetch      FetchLimits  // by when messages must be fetched; nil: the defaults
	Log        *slog.Logger
}

// New checks the wiring and tells all that is missing at once.
func New(c Config) (*Gateway, error) {
	missing := ""
	for name, absent := range map[string]bool{
		"Store": c.Store == nil, "Decider": c.Decider == nil, "Labeller": c.Labeller == nil,
		"Normalizer": c.Normalizer == nil, "Clock": c.Clock == nil, "Random": c.Random == nil,
		"SealKey (32 bytes)": len(c.SealKey) != 32,
	} {
		if absent {
			missing += " " + name
		}
	}
	if missing != "" {
		return nil, fmt.Errorf("gateway: missing configuration:%s", missing)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Gateway{Config: c, standings: newRecent[standingKey, Standing](maxStandings)}, nil
}

// Do performs one FHIR interaction for the actor. It returns after the ledger is durable; an
// error is always an *Error and never tells more than the actor may know.
func (g *Gateway) Do(ctx context.Context, a Actor, in Interaction) (_ Outcome, err error) {
	defer g.failed(ctx, a, in, &err)
	if refused, err := g.outsideEmergency(ctx, a, in); err != nil || refused {
		if err != nil {
			return Outcome{}, err
		}
		return Outcome{}, g.refuseEmergency(ctx, a, in)
	}
	switch in.Code {
	case Read, VRead:
		return g.read(ctx, a, in)
	case History, HistoryType, HistorySystem:
		return g.history(ctx, a, in)
	case Find, FindSystem:
		return g.search(ctx, a, in)
	case Create, Update, Patch, Delete:
		return g.write(ctx, a, in)
	case Operate:
		return g.operate(ctx, a, in)
	default:
		return Outcome{}, Fault("gateway.do", NotSupported,
			fhir.Issue{Severity: "error", Type: "not-supported", Code: "interaction"})
	}
}

// Store keeps resources, grants, messages and the ledger in one database.
type Store interface {
	// Snapshot runs fn on one read-only snapshot (REPEATABLE READ): facts, rows and covered
	// labels are of the same instant. fn may run again after a serialization failure.
	Snapshot(ctx context.Context, fn func(View) error) error
	// Tx runs fn in one transaction that commits when fn returns nil; after Tx returns nil
	// everything in it survives kill -9. fn may run again after a serialization failure.
	Tx(ctx context.Context, fn func(Tx) error) error
	// Directory is who is who, at most a second old, without a round trip.
	Directory(ctx context.Context) (Directory, error)
	// Create writes a new record, its index, history and ledger entry in one round trip.
	// A record with that id already: Conflict. The record's person is resolved from the draft.
	Create(ctx context.Context, p Permit, d Draft, e AuditEntry) (Record, error)
	// Record makes the entries durable; many callers share one commit.
	Record(ctx context.Context, entries []AuditEntry, fetched []FetchedVersion) error
	StandingReader
}

// FetchedVersion tells that a party has a version in its journal by message, and which labels
// were covered then; it stays readable to that party (hpl. §§ 39–40).
type FetchedVersion struct {
	Party  HERID
	Record fhir.Reference // with Version
	Mask   Labels
}

// View reads one snapshot. Every read takes a Permit and obeys its Scope in SQL; the zero Permit
// finds nothing. Errors are *Error; what is outside the scope and what does not exist are both
// NotFound, by the same statements.
type View interface {
	// Directory is the directory as of this snapshot.
	Directory(ctx context.Context) (Directory, error)
	// FactsOf resolves a record to its person, and that person to epoch and grants; it returns
	// nothing of the row, and an unknown reference takes the same statement.
	FactsOf(ctx context.Context, record fhir.Reference) (Facts, error)
	// FactsAbout does the same for a patient named in a question. own tells whether the Patient
	// is party's own, so that a search by it finds what may be seen of the whole person.
	FactsAbout(ctx context.Context, party HERID, s Subject) (f Facts, own bool, err error)
	// FactsFor gives the facts of persons already found, for the page of a search.
	FactsFor(ctx context.Context, persons []PersonID) ([]Facts, error)
	// Read gives the current version, deleted ones included (Deleted is set), or the version named.
	Read(ctx context.Context, p Permit, r fhir.Reference) (Record, error)
	// History lists versions, newest first, from after the cursor: of one record, or of all records of
	// the type where r has no id. A past version needs the current labels, person and date as well.
	History(ctx context.Context, p Permit, r fhir.Reference, w Window, limit int, after Cursor) ([]Record, error)
	// Search lists current, undeleted records, at most limit, from after the cursor.
	// person limits the conditions to one patient; AuditEvent is searched by the LedgerScope.
	Search(ctx context.Context, p Permit, t fhir.Type, s Search, person PersonID, limit int, after Cursor) ([]Record, error)
	// Total counts what Search would list on all its pages together, at most limit; a limit of 0 is none.
	// What lies outside the scope is not counted.
	Total(ctx context.Context, p Permit, t fhir.Type, s Search, person PersonID, limit int) (int, error)
	// Match lists current, undeleted records for which the conditions of s hold, at most limit:
	// those of the permit's own party, or whatever stands in the directory for who keeps it. Nothing
	// that is shared is ever matched.
	Match(ctx context.Context, p Permit, t fhir.Type, s Search, person PersonID, limit int) ([]Record, error)
	// Pointed gives the union of the labels of own records, for what takes them over, and the
	// person when they all have the same one; ok is false when any is not the custodian's.
	Pointed(ctx context.Context, custodian HERID, refs []fhir.Reference) (l Labels, person PersonID, ok bool, err error)
	ExportReader
	BearingReader
	ReviewReader
	InsightReader
	DisclosureReader
}

// Cursor is a place in an order: the sort value and key of the last row given.
type Cursor struct {
	At    time.Time
	Key   int64
	Set   bool      // false: from the beginning
	Since time.Time // when the first page was given: what changed later keeps the place that it had then
	Keys  []SortValue
}

// SortValue is the value of one key of Search.By, as the store writes it; nil when there is none.
type SortValue *string

// Tx reads and writes one transaction. The error of what only writes may be told by a later call, or at the end: nothing is
// kept of a transaction in which one was told, whoever listened.
type Tx interface {
	View
	// Lock takes the current row of an own record for update: NotFound when it is not there.
	Lock(ctx context.Context, p Permit, r fhir.Reference) (Record, error)
	// TakeTurn makes those follow each other who ask the same condition of the same party's records of
	// a type and have found nothing: whoever comes second finds what the first has made.
	TakeTurn(ctx context.Context, party HERID, t fhir.Type, s Search) error
	// Put writes a version of an own record: history is kept, index and person follow. A Patient
	// whose national identifier changes takes its own custodian's records to the new person, and
	// both epochs rise.
	Put(ctx context.Context, p Permit, d Draft) (Record, error)
	// PutAll writes first versions of own records, none of the directory, in two round trips: a Patient is there
	// before what is about her. The records come in the order of the drafts.
	PutAll(ctx context.Context, p Permit, drafts []Draft) ([]Record, error)
	// PutGrants replaces the grants of a Consent by those of its new version, keeps what it was
	// resolved against, and raises the person's epoch.
	PutGrants(ctx context.Context, person PersonID, consent fhir.Reference, grants []Grant, basis Basis) error
	// ConsentsNaming lists Consents whose grants rest on the CareTeam, each once.
	ConsentsNaming(ctx context.Context, team fhir.Reference) ([]StoredConsent, error)
	Confirmations
	// Team reads a CareTeam for resolving grants; a zero Version is the current one.
	Team(ctx context.Context, r fhir.Reference) (body []byte, custodian HERID, err error)
	// Record writes entries into the ledger of this transaction.
	Record(ctx context.Context, entries []AuditEntry) error
	Exchange
	Subscriptions
	Exports
	Emergencies
	Shields
	Switchboard
	Withholdings
	Withdrawals
	Reminders
	Duties
	ConsentReader
}

// StoredConsent is a Consent that must be normalised anew because a CareTeam changed.
type StoredConsent struct {
	Consent   fhir.Reference // with Version
	Person    PersonID
	Custodian HERID
	Body      []byte
	Basis     Basis
	By        HERID // who writes the version, when it is not the Custodian
}
