package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Action is what consent may allow to be done with a record of another custodian.
type Action string

// Actions of a grant.
const (
	ReadAction       Action = "read"       // the requester asks
	MessageAction    Action = "message"    // the custodian sends
	NotifyAction     Action = "notify"     // the requester is told that something changed
	ContributeAction Action = "contribute" // the requester writes into it
	WriteAction      Action = "write"      // not of a grant: a party writes its own
)

// Effect of a grant or a decision. The zero value denies.
type Effect uint8

// The two effects.
const (
	Deny Effect = iota
	Allow
)

// Set is one dimension of a grant. The zero value matches nothing; Any matches everything.
type Set[T comparable] struct {
	Any bool
	Of  []T
}

// Every is the set that matches everything.
func Every[T comparable]() Set[T] { return Set[T]{Any: true} }

// Only is the set of exactly these.
func Only[T comparable](of ...T) Set[T] { return Set[T]{Of: of} }

// Has tells whether v is in the set.
func (s Set[T]) Has(v T) bool { return s.Any || slices.Contains(s.Of, v) }

// Recipient is the canonical key of a receiver: what a permit matches exactly.
//
//	p:HERID                party
//	u:PARTY:HERID          unit of a party
//	h:PARTY:HPR            practitioner at a party
//	c:PARTY:CODE           role code at a party (PractitionerRole without practitioner)
//	r:PARTY:HPR:CODE       practitioner, party and code together
//
// A deny that names somebody inside a party also lists the key with "?" for what a requester
// may leave out (h:PARTY:?), which only an actor who leaves it out carries. A key that begins with
// the name of a receiver group and "/" (akuttkjeden-oslo/p:HERID) is carried only by who is in the
// group now; "a+b/" by who is in both.
type Recipient string

// Grant is the normal form of one effective provision of one Consent version (DESIGN § 3).
// Everything is resolved: references to numbers, purposes to their descendants, nested periods
// to intersections, teams to members, so that matching is set membership in Rego, Go and SQL.
type Grant struct {
	Consent    fhir.Reference // with Version
	Path       string         // "Consent.provision.provision[1]"
	Effect     Effect
	Objection  bool // PBRL53: above every samtykke
	Custodians Set[HERID]
	Recipients Set[Recipient]
	Roles      Set[string]
	Purposes   Set[Purpose]
	Actions    Set[Action]
	Labels     Labels
	Types      Set[fhir.Type]      // of a deny, HeldType too
	Items      Set[fhir.Reference] // of a deny, HeldItem too
	DataLow    time.Time           // zero: no dataPeriod
	DataHigh   time.Time           // half-open
	Start      time.Time
	End        time.Time // half-open; zero: never ends, which only a deny may
	Law        string
	Paragraph  string
	Trust      HERID `json:",omitempty"` // counts only for custodians that now trust this registrar by agreement
}

// Facts is what a decision may look at: one person, as of one snapshot.
type Facts struct {
	Person PersonID // zero: nobody known by that reference
	Epoch  int64    // raised by every write that could change the answer
	Grants []byte   // EncodeGrants of the person's active grants; decoded only on a cache miss

	Shield   Shield  // adressesperre that stands, whoever set it
	Holders  []HERID // parties that have a Patient of the person
	Withheld []byte  // EncodeWithholdings: what the person herself may not read
}

// Question is put to the Decider.
type Question struct {
	Actor  Actor
	Party  Party     // of the actor, from the directory
	Parts  []HERID   // parties that the actor's party is part of, upwards, for wide denies
	Action Action    // ReadAction, MessageAction or WriteAction
	Type   fhir.Type // WriteAction: what is written
	Named  bool      // a patient is named; otherwise the question is "whoever it is"
	Own    PersonID  // Kind Patient: her person
	Facts  Facts
	Now    time.Time

	Message string  // MessageAction: kind of the message (kodeverk 8279)
	Hjemler Hjemler // what parties have switched on
}

// Term is one grant that applies to the question, as a predicate on records.
type Term struct {
	Effect     Effect
	Sent       bool   // holds for records sent to the party by message; otherwise for all others
	Standing   bool   // by an agreement or a hjemmel, whoever the record is about
	Via        string // with Sent: only what messages of this kind released; "" of any kind
	Custodians Set[HERID]
	Types      Set[fhir.Type]
	Items      Set[fhir.Reference]
	Low, High  time.Time // dataPeriod; zero: none
	Mask       Labels
	Citation   int // index in Decision.Citations
}

// Join tells the store to find the grants of each row's own person, for a question that names
// no patient. Keys and codes are the actor's; the grant table holds the rest.
type Join struct {
	Permits  []Recipient // keys that a permit may name
	Denies   []Recipient // keys that a deny may name
	Roles    []string    // role codes that match; "?" is among them in a deny when none is told
	Trusts   []string    // "REGISTRAR CUSTODIAN" for every agreement by which one trusts the other now
	Purposes []Purpose
	Now      time.Time
	Person   PersonID // attest bound to one patient: zero for each
}

// Scope is the part of a decision that becomes predicates. The zero Scope reaches nothing.
type Scope struct {
	Own       HERID    // custodian whose records are released whatever their labels; "" none
	Person    PersonID // only records of this person; zero: no such limit
	Self      bool     // Own is not enough: the record's person must be Person as well
	Directory bool     // directory types, which hold no taushetsplikt
	Fetched   bool     // versions that Own has fetched by message stay readable
	Terms     []Term
	Join      *Join
	Except    []fhir.Type // types that never cross
	Write     bool        // Own's records may be written
	Emergency Labels      // covered whatever the consents say (BTG); never of more than the one Person
	Address   bool        // where the person is may cross: no adressesperre stands
	Consents  ConsentScope
	Reviews   []fhir.ID // Tasks that ask for a review, for compliance
	Manual    bool      // adressesperre kode 6: people settle what is to cross
	Ledger    LedgerScope
	Revision  string // policy revision, part of a page's seal
}

// LedgerScope says which AuditEvents are reached.
type LedgerScope struct {
	Asker      HERID    // accesses that succeeded, by this party
	Custodian  HERID    // releases of this party's records
	Person     PersonID // all about this person
	Compliance []HERID  // all accesses by and releases of these parties
}

// reaches tells whether an AuditEvent is within the scope: what succeeded for who asked, releases
// of its own records for a custodian, everything about her for the patient.
func (l LedgerScope) reaches(r Record) bool {
	if l.Person > 0 && r.Person == l.Person {
		return true
	}
	released := func(party HERID) bool { _, ok := r.sentTo(party); return ok }
	for _, party := range l.Compliance {
		if party != "" && (r.Custodian == party || released(party)) {
			return true
		}
	}
	return !r.Refused && (l.Asker != "" && r.Custodian == l.Asker || l.Custodian != "" && released(l.Custodian))
}

// Covered gives the labels that the scope covers for a record: the same formula as the SQL
// predicate and as Rego's releasable (DESIGN § 3).
func (s Scope) Covered(r Record) Labels { return s.covered(&r) }

func (s *Scope) covered(r *Record) Labels {
	var permitted, denied Labels
	limit, sent := r.sentTo(s.Own)
	for i := range s.Terms {
		t := &s.Terms[i]
		if t.Sent != sent || !t.touches(r) {
			continue
		}
		if t.Effect == Allow {
			permitted |= t.mask(r, s.Own)
		} else {
			denied |= t.Mask
		}
	}
	return permitted&^denied&limit | s.Emergency
}

// mask is what the term covers of a record for the receiver.
func (t *Term) mask(r *Record, own HERID) Labels {
	if t.Via == "" {
		return t.Mask
	}
	return t.Mask & r.sentAs(own, t.Via)
}

func (t *Term) touches(r *Record) bool {
	if !t.Custodians.Has(r.Custodian) || !t.names(r) {
		return false
	}
	if t.Low.IsZero() && t.High.IsZero() {
		return true
	}
	if r.Low.IsZero() && r.High.IsZero() { // undated: outside every permit's period, inside every deny's
		return t.Effect == Deny
	}
	inside := func(low, high time.Time) bool {
		return (t.Low.IsZero() || !low.Before(t.Low)) && (t.High.IsZero() || !high.After(t.High))
	}
	if t.Effect == Allow {
		return inside(r.Low, r.High)
	}
	return (t.High.IsZero() || r.Low.Before(t.High)) && (t.Low.IsZero() || r.High.After(t.Low))
}

// owns tells whether the record is the party's own to read.
func (s Scope) owns(r Record) bool { return s.owned(&r) }

func (s *Scope) owned(r *Record) bool {
	return s.Own != "" && r.Custodian == s.Own && (!s.Self || (s.Person != 0 && r.Person == s.Person))
}

// Releases tells whether the record may leave, and under which covered labels.
func (s Scope) Releases(r Record) (Labels, bool) { return s.releases(&r) }

func (s *Scope) releases(r *Record) (Labels, bool) {
	if IsDirectory(r.Reference.Type) {
		return AllLabels, s.Directory
	}
	if s.owned(r) || len(s.Reviews) > 0 && s.reviews(*r) {
		return AllLabels, true
	}
	if r.Person == 0 || (s.Person != 0 && r.Person != s.Person) {
		return 0, false
	}
	if s.Fetched && r.Fetched != 0 {
		return r.Fetched&^addressMask | s.open(), true
	}
	if s.Consents.shows(*r) {
		return AllLabels, true
	}
	if slices.Contains(s.Except, r.effective().Type) || r.Labels == 0 {
		return 0, false
	}
	c := s.covered(r) | s.open()
	return c, r.Labels.Within(c)
}

// Decision is the answer of the Decider.
type Decision struct {
	Effect    Effect
	Scope     Scope
	Citations []Citation       // what the terms stand on
	Emergency Citation         // what emergency access stands on
	Looked    []fhir.Reference // every Consent version that was looked at
	Until     time.Time        // next period boundary; the answer holds until then
	Policy    string           // policy revision
	Reason    string           // stable code, of a deny
}

// Decider is the policy decision point. An error is a deny; there is no third answer.
// It may remember an answer for (person, epoch, policy, actor class, purpose, action) until
// Decision.Until, and for nothing else.
type Decider interface {
	Decide(context.Context, Question) (Decision, error)
	// Revision identifies the policy with its data.
	Revision() string
	// Protection is what the policy says of emergency access, adressesperre and withheld insight.
	Protection() Protection
	Explainer
}

// Labelling is what the rules find in a resource.
type Labelling struct {
	Labels Labels // of the record, parts left out; never empty
	Added  Labels // those that the custodian named itself
	Parts  []Part
	Points []fhir.Reference // own records whose labels it takes over: DocumentReference, Binary, Provenance
}

// Labeller finds the labels of content. An error refuses the write.
type Labeller interface {
	Label(context.Context, *fhir.Resource) (Labelling, error)
	// Named gives what the name of a unit, a place or a sender tells.
	Named(ctx context.Context, name string) (Labels, error)
}

// Normalizer turns a Consent into grants and tells what it lacks.
type Normalizer interface {
	// Grants gives the normal form in its setting. Issues of severity error mean that the Consent cannot
	// be stored.
	Grants(consent *fhir.Resource, ref fhir.Reference, in Setting) ([]Grant, []fhir.Issue)
}

// Permit is proof of a decision. Its zero value permits nothing and only Gateway makes another,
// so that no row is read and no version written without asking.
type Permit struct {
	decision Decision
	code     InteractionCode
	actor    Actor
	party    Party
	withheld []Withholding
}

// Scope is what the store turns into predicates; the zero Permit's scope reaches nothing.
func (p Permit) Scope() Scope { return *p.scope() }

func (p *Permit) scope() *Scope {
	if p.decision.Effect != Allow {
		return &Scope{}
	}
	return &p.decision.Scope
}

// Interaction tells what the permit is for.
func (p Permit) Interaction() InteractionCode { return p.code }

// Party is the requester's party.
func (p Permit) Party() Party { return p.party }
