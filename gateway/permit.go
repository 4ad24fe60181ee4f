package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// asked is an Actor whose party, own person and attest are resolved on one snapshot.
type asked struct {
	Actor
	party    Party
	own      PersonID // Kind Patient
	attested PersonID // attest bound to one patient; nobody when that patient is unknown
	self     Facts    // Kind Patient: about herself, on this snapshot
	reviews  []fhir.ID
	hjemler  Hjemler // what parties have switched on, as of the same snapshot
}

// nobody is a person that no record has: the question was about somebody, and there is none.
const nobody PersonID = -1

func (g *Gateway) resolve(ctx context.Context, v View, a Actor) (asked, error) {
	dir, err := v.Directory(ctx)
	if err != nil {
		return asked{}, Failed("gateway.resolve", Unavailable, err)
	}
	who, err := asking(dir, a, func(n NIN) (PersonID, error) { return g.personOf(ctx, v, a.Party, n) })
	if err != nil {
		return asked{}, err
	}
	if a.Kind == Patient {
		if who.self, _, err = v.FactsAbout(ctx, a.Party, Subject{NIN: a.Self}); err != nil {
			return asked{}, err
		}
	}
	who.reviews, err = g.reviewsFor(ctx, v, who)
	return who, err
}

func (g *Gateway) personOf(ctx context.Context, v View, party HERID, n NIN) (PersonID, error) {
	f, _, err := v.FactsAbout(ctx, party, Subject{NIN: n})
	return orNobody(f.Person), err
}

// asking is the actor as the directory tells it. person tells who has a national number.
func asking(dir Directory, a Actor, person func(NIN) (PersonID, error)) (who asked, err error) {
	party, ok := dir.Party(a.Party)
	if a.Kind == Nobody || (!ok && a.Kind != Operator) {
		return asked{}, forbidden("gateway.resolve", actorUnknown)
	}
	who = asked{Actor: a, party: party, hjemler: hjemlerOf(dir)}
	if a.Kind == Patient {
		if who.own, err = person(a.Self); err != nil {
			return asked{}, err
		}
	}
	if !a.Attest.NIN.IsZero() {
		if who.attested, err = person(a.Attest.NIN); err != nil {
			return asked{}, err
		}
	}
	return who, nil
}

// orNobody is the person, or nobody when there is none.
func orNobody(p PersonID) PersonID {
	if p == 0 {
		return nobody
	}
	return p
}

// permit asks the Decider and wraps the answer. A denial is a permit that reaches nothing, so
// that what is denied runs the same statements as what is not there; an error is a refusal.
func (g *Gateway) permit(ctx context.Context, who asked, code InteractionCode, q Question) (Permit, error) {
	q.Actor, q.Party, q.Parts, q.Own, q.Now, q.Hjemler = who.Actor, who.party, who.party.Above, who.own, g.Clock(), who.hjemler
	if who.attested != 0 && q.Facts.Person != who.attested {
		q.Facts = Facts{} // a token bound to one patient brings no other person's grants
	}
	d, err := g.Decider.Decide(ctx, q)
	if err != nil {
		return Permit{}, Failed("gateway.permit", Unavailable, err)
	}
	d.Scope = d.Scope.bounded(q)
	if who.attested <= 0 || q.Facts.Person != who.attested {
		d.Scope.Emergency = 0
	}
	withheld, err := g.guardInsight(who, q, &d.Scope)
	if err != nil {
		return Permit{}, err
	}
	if who.attested != 0 {
		d.Scope.Self, d.Scope.Person = true, who.attested
		if d.Scope.Join != nil {
			join := *d.Scope.Join
			join.Person = who.attested
			d.Scope.Join = &join
		}
	}
	return Permit{decision: d, code: code, actor: who.Actor, party: who.party, withheld: withheld}, nil
}

// guardInsight keeps from the patient what is withheld from her, and lets compliance see what it is to review.
func (g *Gateway) guardInsight(who asked, q Question, s *Scope) ([]Withholding, error) {
	if q.Action != ReadAction {
		return nil, nil
	}
	s.Reviews = who.reviews
	if who.Kind != Patient {
		return nil, nil
	}
	withheld, known, err := g.withheldFrom(who, q)
	if err != nil {
		return nil, err
	}
	if !known {
		s.Terms = nil
		return nil, nil
	}
	*s = s.Less(withheld)
	return withheld, nil
}

// bounded holds a scope to its question, whatever the policy answered: terms only about the one
// person asked about, a join only where nobody was named, and beside it only what stands whoever the
// record is about.
func (s Scope) bounded(q Question) Scope {
	s.Directory = true
	if s.Own != q.Party.ID && s.Own != q.Actor.Party { // custody is of who asks, and of nobody else
		s.Own = ""
	}
	if q.Named || q.Action != ReadAction {
		s.Join = nil
	}
	if q.Named || q.Action != ReadAction {
		s.Consents.Each = nil
	}
	if q.Action != ReadAction || q.Named && q.Facts.Person <= 0 {
		s.Emergency, s.Consents = 0, ConsentScope{}
	}
	if !q.Named {
		s.Emergency, s.Consents.Views = 0, nil
	}
	switch {
	case q.Action == ReadAction && !q.Named && s.Self: // about herself, whether she is named or not
	case q.Action == WriteAction, q.Named && q.Facts.Person <= 0, !q.Named && s.Join == nil:
		s.Terms = nil
	case !q.Named:
		s.Terms = slices.DeleteFunc(slices.Clone(s.Terms), func(t Term) bool { return !t.Standing })
	}
	if q.Named && !s.Self {
		s.Person = q.Facts.Person
	}
	if s.Self && s.Person <= 0 {
		s.Person = nobody
	}
	if q.Named && q.Facts.Person <= 0 {
		s.Fetched = false
	}
	return s
}

// directoryPermit reaches the directory, which every authenticated party reads.
func directoryPermit(who asked, code InteractionCode) Permit {
	return Permit{
		decision: Decision{Effect: Allow, Scope: Scope{Directory: true}},
		code:     code, actor: who.Actor, party: who.party,
	}
}

// checked recomputes in Go what the store found in SQL. A difference is a broken promise: nothing
// is released, whichever of the two said no.
func (p Permit) checked(r Record) error {
	_, err := p.recomputed(&r)
	return err
}

// recomputed is checked, and gives what is covered.
func (p *Permit) recomputed(r *Record) (Labels, error) {
	const op = "gateway.check"
	scope := p.scope()
	if r.Reference.Type == "AuditEvent" {
		if !scope.Ledger.reaches(*r) {
			return 0, Failed(op, Internal, errNotCovered)
		}
		return 0, nil
	}
	covered, ok := scope.releases(r)
	if !ok {
		return 0, Failed(op, Internal, errNotCovered)
	}
	crossing := !IsDirectory(r.Reference.Type) && !scope.owned(r) && r.Fetched == 0
	if crossing && !scope.Consents.shows(*r) && !scope.reviews(*r) && covered&^addressMask != r.Covered {
		return 0, Failed(op, Internal, errCoverDiffers)
	}
	return covered, nil
}

// citations gives what a release stands on.
func (p Permit) citations(r Record) []Citation {
	return p.cites(&r, nil)
}

// cites is citations behind what stands in a list.
func (p *Permit) cites(r *Record, list []Citation) []Citation {
	if p.decision.Effect != Allow {
		return list
	}
	return p.decision.cited(r, list)
}

// Cited gives what a release of the record by the decision stands on: every permit that touches it and covers
// a label of it.
func (d Decision) Cited(r Record) []Citation { return d.cited(&r, nil) }

// cited is Cited behind what stands in a list.
func (d *Decision) cited(r *Record, cited []Citation) []Citation {
	scope := &d.Scope
	if scope.owned(r) {
		return cited
	}
	if scope.Emergency != 0 {
		return append(cited, d.Emergency)
	}
	_, sent := r.sentTo(scope.Own)
	for i := range scope.Terms {
		t := &scope.Terms[i]
		if t.Effect != Allow || t.Sent != sent || t.mask(r, scope.Own)&r.Labels == 0 || !t.touches(r) {
			continue
		}
		if t.Citation >= 0 && t.Citation < len(d.Citations) {
			if c := d.Citations[t.Citation]; !slices.Contains(cited, c) {
				cited = append(cited, c)
			}
		}
	}
	return cited
}

// holder is the party that an entry about the record names as its custodian. A look at the ledger
// names none: who is seen there must not see who looked.
func holder(r *Record) HERID {
	if r.Reference.Type == "AuditEvent" {
		return ""
	}
	return r.Custodian
}

// fetched tells which version now belongs to the receiver's own journal: a record that came by
// message and was read.
func (p Permit) fetched(r Record) (FetchedVersion, bool) { return p.fetches(&r) }

func (p *Permit) fetches(r *Record) (FetchedVersion, bool) {
	scope := p.scope()
	if _, sent := r.sentTo(scope.Own); !sent || scope.Emergency != 0 || r.Reference.Type == "AuditEvent" || r.Fetched != 0 || scope.owned(r) {
		return FetchedVersion{}, false
	}
	covered, _ := scope.releases(r)
	return FetchedVersion{Party: scope.Own, Record: r.Reference, Mask: covered &^ addressMask}, true
}

// entry begins a line of the ledger.
func (g *Gateway) entry(who asked, code InteractionCode, outcome AuditOutcome, person PersonID) (AuditEntry, error) {
	id, err := newID(g.Random)
	if err != nil {
		return AuditEntry{}, err
	}
	if person < 0 {
		person = 0
	}
	return AuditEntry{
		ID: id, Recorded: g.Clock(), Interaction: code, Outcome: outcome, Actor: who.Actor,
		Party: who.party, Person: person, Policy: g.Decider.Revision(),
	}, nil
}

// opRecord is the operation of an error of the ledger itself.
const opRecord = "gateway.record"

// record makes entries durable before anything leaves.
func (g *Gateway) record(ctx context.Context, entries []AuditEntry, fetched []FetchedVersion) error {
	if accesses := broken(entries); len(accesses) > 0 {
		if err := g.recordEmergency(ctx, entries, accesses); err != nil {
			return Failed(opRecord, Unavailable, err)
		}
		entries = nil
	}
	if err := g.Store.Record(ctx, entries, fetched); err != nil {
		return Failed(opRecord, Unavailable, err)
	}
	return nil
}

func forbidden(op, code string) *Error {
	return Fault(op, Forbidden, fhir.Issue{Severity: "error", Type: "forbidden", Code: code})
}
