package consent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// Decider is the policy decision point: Rego's `scope`, prepared once. Its `rights` are asked once
// for each kind of question, its `across` over an index of the person's grants that is built once
// for each epoch and period. Its answers are shared between callers and must not be changed.
type Decider struct {
	*tables
	revision  string
	rights    rego.PreparedEvalQuery // of a kind of question, and nothing else
	across    rego.PreparedEvalQuery // of an actor's keys and a person's index, and nothing else
	terms     *interned
	kinds     *lru.Cache[kindKey, rights]
	indexes   *lru.Cache[indexKey, *index]
	decisions *lru.Cache[decisionKey, *remembered]
	askers    *lru.Cache[askerKey, *asker]
	none      *index // of a question that concerns nobody known

	hjemmelRule rego.PreparedEvalQuery // of the rows that are on, the sender and the receiver
	bases       *lru.Cache[lawfulKey, []lawful]
}

var _ gateway.Decider = (*Decider)(nil)

// Config sizes a Decider. The zero value is fit for use.
type Config struct {
	Decisions int // answers remembered; 16384 when zero
	Persons   int // persons whose grants are kept indexed; 2048 when zero
	Kinds     int // kinds of question whose rights are remembered; 1024 when zero

	Policies policies.Set // the rules and their data; as they come with the program when zero
}

// errInput is the deny of a question that does not fit together.
var errInput = errors.New("consent: question does not fit together")

// NewDecider compiles the policies. An error means that the program is built wrongly.
func NewDecider(ctx context.Context, c Config) (*Decider, error) {
	if c.Decisions == 0 {
		c.Decisions = 16384
	}
	if c.Persons == 0 {
		c.Persons = 2048
	}
	if c.Kinds == 0 {
		c.Kinds = 1024
	}
	t, err := loadTables(c.Policies)
	if err != nil {
		return nil, err
	}
	d := &Decider{tables: t, terms: newInterned()}
	d.none = d.newIndex(nil, past)
	queries, revision, err := prepare(ctx, c.Policies, []string{"data.sluse.scope.rights", "data.sluse.scope.across", "data.sluse.hjemler.lawful"}, rego.GenerateJSON(literal))
	if err != nil {
		return nil, err
	}
	d.rights, d.across, d.hjemmelRule, d.revision = queries[0], queries[1], queries[2], revision
	if d.kinds, err = lru.New[kindKey, rights](c.Kinds); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.indexes, err = lru.New[indexKey, *index](c.Persons); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.decisions, err = lru.New[decisionKey, *remembered](c.Decisions); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.bases, err = lru.New[lawfulKey, []lawful](1024); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if d.askers, err = lru.New[askerKey, *asker](4096); err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return d, nil
}

// Revision identifies the rules with their data.
func (d *Decider) Revision() string { return d.revision }

// decisionKey is what an answer may depend on (DESIGN § 3, Epoch), besides the policy of this
// Decider and the period, which the entry itself holds.
type decisionKey struct {
	person  gateway.PersonID
	epoch   int64
	action  gateway.Action
	typ     fhir.Type
	purpose gateway.Purpose
	message string // kind of what is sent
	hjemler string // gateway.Hjemler.Key
	class   class
}

// class is all of the actor that the rules look at.
type class struct {
	kind      gateway.Kind
	party     gateway.HERID
	unit      gateway.HERID
	hpr       gateway.HPRNumber
	role      string
	above     string
	partyID   gateway.HERID
	law       gateway.Lovgrunnlag
	sector    gateway.Sector
	own       gateway.PersonID
	attested  bool
	glass     glass
	noPatient bool
}

type remembered struct {
	from, until time.Time
	decision    gateway.Decision
	trusts      func(time.Time) []string
}

// at is the answer for a time between the boundaries: the same, but that a Join tells the store
// which grants hold now. Those have boundaries of their own, so nothing that joins is kept further.
func (r *remembered) at(now time.Time) gateway.Decision {
	d := r.decision
	if d.Scope.Consents.Each != nil {
		each := *d.Scope.Consents.Each
		each.Now = now
		d.Scope.Consents.Each, d.Until = &each, now
	}
	if d.Scope.Join != nil {
		join := *d.Scope.Join
		join.Now = now
		join.Trusts = r.trusts(now)
		d.Scope.Join, d.Until = &join, now
	}
	return d
}

// Decide answers the question. An answer found for the same key holds from the last period
// boundary to the next. A question without patient has no grants, and so no boundaries.
func (d *Decider) Decide(ctx context.Context, q gateway.Question) (gateway.Decision, error) {
	k := decisionKey{
		person: q.Facts.Person, epoch: q.Facts.Epoch, action: q.Action, typ: q.Type, purpose: q.Actor.Purpose,
		message: q.Message, hjemler: q.Hjemler.Key,
		class: class{
			kind: q.Actor.Kind, party: q.Actor.Party, unit: q.Actor.Unit, hpr: q.Actor.Practitioner,
			role: q.Actor.Role, partyID: q.Party.ID, law: q.Party.Lovgrunnlag, sector: q.Party.Sector, own: q.Own, attested: attested(q.Actor), noPatient: !q.Named,
			above: above(q.Parts), glass: d.glassOf(q),
		},
	}
	if r, ok := d.decisions.Get(k); ok && !q.Now.Before(r.from) && q.Now.Before(r.until) {
		return r.at(q.Now), nil
	}
	r, err := d.decide(ctx, q)
	if err != nil {
		return gateway.Decision{}, err
	}
	d.decisions.Add(k, r)
	return r.at(q.Now), nil
}

// above joins the parties above the actor's, for a key.
func above(parties []gateway.HERID) string {
	if len(parties) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range parties {
		b.WriteString(string(p))
		b.WriteByte(' ')
	}
	return b.String()
}

func attested(a gateway.Actor) bool { return a.Attest.Each || !a.Attest.NIN.IsZero() }

// decide asks Rego. An error of any kind is a deny.
func (d *Decider) decide(ctx context.Context, q gateway.Question) (*remembered, error) {
	ix, err := d.index(q.Facts, q.Now)
	if err != nil {
		return nil, err
	}
	return d.answer(ctx, q, ix)
}

// answer asks Rego on grants already indexed.
func (d *Decider) answer(ctx context.Context, q gateway.Question, ix *index) (*remembered, error) {
	own := q.Party.ID
	if own == "" {
		own = q.Actor.Party // drift need not be in the directory that it keeps
	}
	a, err := d.rightsOf(ctx, q)
	if err != nil {
		return nil, err
	}
	out := gateway.Decision{Policy: d.revision, Until: ix.until, Looked: ix.looked, Reason: "consent"}
	s := gateway.Scope{Revision: d.revision, Except: d.except, Write: a.write, Self: a.self, Fetched: a.fetched}
	if a.own {
		s.Own = own
	}
	switch {
	case a.self:
		s.Person = q.Own
	case q.Named:
		s.Person = q.Facts.Person
	}
	d.ledger(&s, a.ledger, q)
	from, until := ix.from, ix.until
	asker := d.asker(q, own)
	d.protect(&s, &out, a, q, ix, asker.permits)
	if a.plain || a.join {
		if a.join {
			s.Join = &gateway.Join{Permits: asker.permits, Denies: asker.denies, Roles: []string{asker.role},
				Purposes: []gateway.Purpose{d.purposeOf(q.Actor)}}
			a.plain, a.sent = true, true // of what stands whoever it is about; the rest is joined
		}
		for _, one := range []*index{ix, d.standing(q)} {
			if one == nil {
				continue
			}
			from, until = latest(from, one.from), earliest(until, one.until)
			if len(one.grants) == 0 {
				continue
			}
			chosen, err := d.choose(ctx, q.Now, one, asker)
			if err != nil {
				return nil, err
			}
			one.expand(&s, &out, a, chosen, q.Action, asker.role)
		}
		if err := d.byHjemmel(ctx, &s, &out, q); err != nil {
			return nil, err
		}
		out.Until = until
	}
	if a.own || a.write || s.Ledger.Asker != "" || s.Ledger.Person != 0 || len(s.Ledger.Compliance) > 0 || len(s.Terms) > 0 || s.Join != nil || s.Manual {
		out.Effect, out.Scope, out.Reason = gateway.Allow, s, ""
	}
	return &remembered{from: from, until: until, decision: out, trusts: d.agreed.trusts}, nil
}

// standing is the index of the agreements by which the asker's party may receive; nil when there are none.
// It is not for a question about somebody who is not known.
func (d *Decider) standing(q gateway.Question) *index {
	if q.Named && q.Facts.Person <= 0 {
		return nil
	}
	grants := d.agreed.standingFor(q.Party)
	if len(grants) == 0 {
		return nil
	}
	ix := d.newIndex(grants, q.Now)
	ix.standing = true
	return ix
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ledger says which accesses the actor may look up.
func (d *Decider) ledger(s *gateway.Scope, which string, q gateway.Question) {
	switch which {
	case "ledger-party":
		s.Ledger = gateway.LedgerScope{Asker: q.Party.ID, Custodian: q.Party.ID}
	case "ledger-person":
		s.Ledger = gateway.LedgerScope{Person: q.Own}
	case "ledger-compliance":
		s.Ledger = gateway.LedgerScope{Compliance: append([]gateway.HERID{q.Party.ID}, d.complianceOf[string(q.Party.ID)]...)}
	}
}

func (d *Decider) insight() []gateway.Citation {
	return []gateway.Citation{{Law: "PBRL51", Paragraph: d.laws["PBRL51"].text("")}}
}

// purposeOf is the purpose that the rules know; "?" when none is told or it is unknown.
func (d *Decider) purposeOf(a gateway.Actor) gateway.Purpose {
	if _, ok := d.purposes[string(a.Purpose)]; !ok {
		return untold
	}
	return a.Purpose
}

// asker is an actor as the rules see it; the same for every patient.
type asker struct {
	permits, denies     []gateway.Recipient
	role                string
	asPermits, asDenies *ast.Term
}

type askerKey struct {
	who     who
	purpose gateway.Purpose
	above   string
}

// asker gives the actor's keys as terms, made once for each actor and purpose.
func (d *Decider) asker(q gateway.Question, party gateway.HERID) *asker {
	w := d.told(q.Actor)
	w.party = party
	k := askerKey{w, d.purposeOf(q.Actor), above(q.Parts)}
	if found, ok := d.askers.Get(k); ok {
		return found
	}
	a := &asker{permits: permitKeys(w, d.groups.of(w, q.Parts, false)), denies: denyKeys(w, q.Parts, d.groups.of(w, q.Parts, true)), role: orUntold(w.code)}
	a.asPermits, a.asDenies = named(a.permits, k.purpose), named(a.denies, k.purpose)
	d.askers.Add(k, a)
	return a
}
