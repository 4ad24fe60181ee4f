package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Miss names a dimension in which a provision does not meet a question or a record (DESIGN § 3, applies
// and touches).
type Miss string

// The misses, in the order in which they are looked for.
const (
	MissRecipient   Miss = "recipient"   // given to somebody else
	MissRole        Miss = "role"        // given to somebody in another role
	MissPurpose     Miss = "purpose"     // given for another purpose
	MissAction      Miss = "action"      // not given for this use
	MissNotBegun    Miss = "not-begun"   // its period has not begun
	MissEnded       Miss = "ended"       // its period is over
	MissUnconfirmed Miss = "unconfirmed" // neither the custodian nor the patient has confirmed it
	MissCustodian   Miss = "custodian"   // about what another party holds
	MissType        Miss = "type"        // about other types of records
	MissItem        Miss = "item"        // about other single records
	MissDate        Miss = "date"        // about what is of another time
	MissLabel       Miss = "label"       // about other categories
)

// Weighed tells how one provision of one Consent version fared in a question. It is the one structure of
// every explanation: each text, in each language, is made of it.
type Weighed struct {
	Citation  Citation
	Effect    Effect
	Objection bool
	Misses    []Miss // none: it was weighed
	Labels    Labels // weighed: what it covers, or takes away, of what is asked about
	Lost      Labels // a permit: what it covered and a deny took away
	To        []Citation
	Start     time.Time
	End       time.Time // zero: none
}

// Weighs tells whether the provision counts in the question.
func (w *Weighed) Weighs() bool { return len(w.Misses) == 0 }

// Explainer is the decision point when it gives account of itself. What is supposed here never becomes
// what is decided: it remembers nothing.
type Explainer interface {
	// Suppose answers a question as Decide would if these were the grants of its person.
	Suppose(ctx context.Context, q Question, grants []Grant) (Decision, error)
	// Weigh tells for each provision how it fares in the question, about a record, or about whatever
	// there is when r is nil. It decides nothing.
	Weigh(q Question, grants []Grant, r *Record) []Weighed
	// Addresses tells whether the grant names the actor of the question as its receiver: by itself, and
	// not by naming everybody.
	Addresses(q Question, g *Grant) bool
	// Bearer gives an actor whom a grant to that receiver names; false when nobody can be told.
	Bearer(r Recipient) (Actor, bool)
}

// Inquiry is what $explain is asked: how a decision would fall, or how it fell.
type Inquiry struct {
	Subject      Subject        // the patient; zero where a record or an entry tells it, and for the patient herself
	Record       fhir.Reference // one record; zero: all that there is about the patient
	Receiver     fhir.Reference // Organization, HealthcareService or PractitionerRole; zero: who asks
	Practitioner HPRNumber      // of the receiver
	Role         string         // of the receiver
	Purpose      Purpose        // "": that of the token, or TREAT for another receiver
	Action       Action         // "": read
	Message      string         // type of a message (Volven 8279), where one is asked about
	At           time.Time      // in the past: as it was; zero: now
	Entry        fhir.Reference // an AuditEvent: the access to be explained, as it was
}

// Judgement is how a record fares, or all records of one custodian and type that fare alike.
type Judgement struct {
	Record    fhir.Reference // with Version; zero for several
	Custodian HERID
	Type      fhir.Type
	Count     int
	Released  bool
	Ground    Ground
	Labels    Labels // of the record; zero for several
	Missing   Labels // what is not covered
	Parts     int    // released: parts that stay behind
}

// Ground tells on what ground a record is released or withheld.
type Ground string

// The grounds.
const (
	GroundOwn       Ground = "own"       // the receiver's own record
	GroundFetched   Ground = "fetched"   // in the receiver's own journal by message (hpl. §§ 39–40)
	GroundConsent   Ground = "consent"   // every category is covered
	GroundUncovered Ground = "uncovered" // a category is not covered
	GroundNever     Ground = "never"     // records of the type never cross
	GroundNamed     Ground = "named"     // a Consent or Task that is about the receiver itself
	GroundEmergency Ground = "emergency" // by emergency access (hpl. § 7, § 23 nr. 4)
	GroundNobody    Ground = "nobody"    // the record has no person
)

// Explanation is one answer of $explain.
type Explanation struct {
	Receiver   Actor
	Party      Party
	Action     Action
	At         time.Time
	Past       bool
	Policy     string // revision of the rules by which it is explained
	Then       string // revision of the rules by which the entry was decided; "" without an entry
	Judgements []Judgement
	Weighed    []Weighed
	Remedies   []Remedy
	Own        bool // told to the receiver itself: what it may not see is not in it
}

// Remedy is what would have to change for more to be released, and who may change it.
type Remedy struct {
	Miss     Miss     // what a permit misses; "" when a deny takes it away or no permit is near
	Who      Who      // may change it
	Citation Citation // the provision; zero: a new samtykke
	Denied   bool     // a deny takes it away
	Labels   Labels
}

// Who may change something.
type Who string

// Those who may.
const (
	ByPatient   Who = "patient"
	ByCustodian Who = "custodian" // the custodian or the patient
	ByReceiver  Who = "receiver"  // by asking in another way
	ByTime      Who = "time"      // nobody needs to
)

// maxHeld is how many records of a person an explanation looks at.
const maxHeld = 10_000

// InsightReader looks at what is held about a person and at what was in force, without contents.
type InsightReader interface {
	// Held lists records of one person without their bodies: what the scope of the permit releases, and
	// what its LedgerScope makes known (all of hers to the patient, that of its parties to compliance).
	// As of an instant in the past only what is the party's own or made known is listed.
	Held(ctx context.Context, p Permit, h Holding) ([]Record, error)
	// GrantsAt gives the grants that were in force about a person at an instant, as they were resolved then.
	GrantsAt(ctx context.Context, person PersonID, at time.Time) ([]Grant, error)
}

// Holding is what of a person's records is listed.
type Holding struct {
	Person PersonID
	Types  []fhir.Type
	Only   fhir.ID   // one record of the one type; "" for all
	At     time.Time // zero: now
	Limit  int
}

// explainAt answers $explain: for the patient about herself, for a custodian about its own records, for
// compliance about those of its parties, and for a receiver about itself. What each may know decides
// which grants and records go into the answer, before anything is computed of them.
func (g *Gateway) explainAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	e, err := g.newExplaining(ctx, v, who, in)
	if err != nil {
		return g.refusedExplaining(who, in, err)
	}
	if !in.Operation.Inquiry.Entry.IsZero() {
		if err := e.fromEntry(ctx, in.Operation.Inquiry.Entry); err != nil {
			return g.refusedExplaining(who, in, err)
		}
	}
	if err := e.subject(ctx); err != nil {
		return g.refusedExplaining(who, in, err)
	}
	if err := e.inForce(ctx); err != nil {
		return g.refusedExplaining(who, in, err)
	}
	records, err := e.records(ctx)
	if err != nil {
		return g.refusedExplaining(who, in, err)
	}
	x, err := e.explain(ctx, records)
	if err != nil {
		return looked{}, err
	}
	return e.answer(in, x, records)
}

// refusedExplaining records a refusal that the caller is told; any other failure is one.
func (g *Gateway) refusedExplaining(who asked, in Interaction, err error) (looked, error) {
	known, ok := err.(*Error) //nolint:errorlint // made here, never wrapped
	if !ok || known.Code != Forbidden && known.Code != NotFound {
		return looked{}, err
	}
	return g.refusedAt(who, in, 0, known)
}

// explain puts the question for what is known to the reader.
func (e *explaining) explain(ctx context.Context, records []Record) (Explanation, error) {
	q := e.question()
	x := Explanation{
		Receiver: q.Actor, Party: q.Party, Action: q.Action, At: q.Now, Past: e.past, Policy: e.Decider.Revision(), Then: e.then,
		Own: e.view == viewReceiver,
	}
	scope, err := e.supposed(ctx, q, e.grants)
	if err != nil {
		return Explanation{}, err
	}
	for _, r := range records {
		x.Judgements = append(x.Judgements, judgement(scope, r, e.released(r)))
	}
	if e.view == viewReceiver {
		x.Judgements = append(x.Judgements, e.touched...)
	}
	var about *Record
	switch {
	case e.in.Operation.Inquiry.Record.ID != "" && len(records) == 1:
		about = &records[0]
	case e.only == nil:
		x.Judgements = counted(x.Judgements)
	case len(records) == 1:
		about = &records[0]
	}
	x.Weighed = e.Decider.Weigh(q, e.grants, about)
	if e.view != viewReceiver {
		x.Remedies = remedies(x.Weighed, x.Judgements, about != nil)
	} else {
		x.Remedies = receiverRemedies(x.Weighed)
	}
	return x, nil
}

// supposed asks what would be reached on those grants.
func (g *Gateway) supposed(ctx context.Context, q Question, grants []Grant) (Scope, error) {
	d, err := g.Decider.Suppose(ctx, q, grants)
	if err != nil {
		return Scope{}, Failed("gateway.explain", Unavailable, err)
	}
	return d.Scope.bounded(q), nil
}

// judgement is how a record fares in a scope. released: it has been found releasable to the reader by
// the decision itself.
func judgement(s Scope, r Record, released bool) Judgement {
	v := Judgement{Record: r.Reference, Custodian: r.Custodian, Type: r.Reference.Type, Count: 1, Labels: r.Labels}
	covered, ok := s.Releases(r)
	plain := s
	plain.Emergency = 0
	_, consented := plain.Releases(r)
	switch {
	case s.owns(r):
		v.Ground = GroundOwn
	case s.Consents.shows(r) || s.reviews(r):
		v.Ground = GroundNamed
	case ok && s.Fetched && r.Fetched != 0:
		v.Ground = GroundFetched
	case ok && !consented:
		v.Ground = GroundEmergency
	case ok || released:
		v.Ground = GroundConsent
	case r.Person == 0:
		v.Ground = GroundNobody
	case slices.Contains(s.Except, r.effective().Type):
		v.Ground = GroundNever
	default:
		v.Ground, v.Missing = GroundUncovered, r.Labels&^covered
	}
	if v.Released = ok || released; v.Released && v.Ground != GroundOwn && v.Ground != GroundNamed && !released {
		for _, part := range r.Parts {
			if !part.Labels.Within(covered) {
				v.Parts++
			}
		}
	}
	return v
}

// counted joins judgements that differ in nothing but the record.
func counted(list []Judgement) []Judgement {
	var out []Judgement
	at := make(map[Judgement]int)
	for _, v := range list {
		v.Record, v.Labels, v.Parts = fhir.Reference{}, 0, 0
		key := v
		key.Count = 0
		if i, ok := at[key]; ok {
			out[i].Count++
			continue
		}
		at[key] = len(out)
		out = append(out, v)
	}
	slices.SortStableFunc(out, byHolding)
	return out
}
