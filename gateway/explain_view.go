package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// view says what the reader of an explanation may know.
type viewpoint uint8

const (
	viewReceiver   viewpoint = iota // itself: what is released to it, and the permits that name it
	viewCustodian                   // its own records, and what is consented about these
	viewCompliance                  // those of its parties
	viewPatient                     // everything about herself
)

// explaining is one $explain on its way.
type explaining struct {
	*Gateway
	v       View
	in      Interaction
	who     asked
	dir     Directory
	view    viewpoint
	parties []HERID // whose records the reader knows of: custodian, compliance
	actor   Actor   // the receiver asked about
	party   Party
	facts   Facts
	permit  Permit // the reader's own
	grants  []Grant
	at      time.Time
	past    bool
	then    string
	touched []Judgement             // of an entry, for the receiver: what it was given then
	only    []fhir.Reference        // of an entry: what it was about
	held    map[fhir.Reference]bool // released to the reader by its own permit
}

// newExplaining finds out who asks about whom, and so what may be known.
func (g *Gateway) newExplaining(ctx context.Context, v View, who asked, in Interaction) (*explaining, error) {
	const op = "gateway.explain"
	dir, err := v.Directory(ctx)
	if err != nil {
		return nil, Failed(op, Unavailable, err)
	}
	q := in.Operation.Inquiry
	e := &explaining{Gateway: g, v: v, in: in, who: who, dir: dir, actor: who.Actor, party: who.party, at: g.Clock()}
	if !q.At.IsZero() {
		e.past, e.at = q.At.Before(e.at), q.At
	}
	switch who.Kind {
	case Person:
		e.view, e.parties = viewReceiver, []HERID{who.party.ID}
	case Patient:
		e.view = viewPatient
	case Compliance:
		e.view = viewCompliance
		p, err := g.permit(ctx, who, Operate, Question{Action: ReadAction})
		if err != nil {
			return nil, err
		}
		e.parties = p.Scope().Ledger.Compliance
	default:
		return nil, forbidden(op, "explain.actor")
	}
	if err := e.receiver(q); err != nil {
		return nil, err
	}
	if e.view == viewReceiver && !q.At.IsZero() { // what stood against it then, or will, is not its to know
		return nil, forbidden(op, "explain.time")
	}
	return e, nil
}

// receiver settles whom the decision is about. Of itself a party asks with its own token only; another
// receiver is asked about by who holds the records.
func (e *explaining) receiver(q Inquiry) error {
	const op = "gateway.explain"
	if q.Receiver.IsZero() {
		if e.who.Kind != Person {
			if q.Entry.IsZero() {
				return Fault(op, BadQuery, fhir.Issue{Severity: "error", Type: "required", Code: "explain.receiver", Expression: "Parameters.parameter"})
			}
			return nil
		}
		return e.itself(q)
	}
	address, ok := e.dir.Resolve(fhir.Reference{Type: q.Receiver.Type, ID: q.Receiver.ID})
	party, known := e.dir.Party(address.Party)
	if !ok || !known || q.Receiver.Type == "Practitioner" || q.Receiver.Type == "Endpoint" {
		return Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "not-found", Code: "consent.unknown-party", Expression: "Parameters.parameter"})
	}
	if e.who.Kind == Person && party.ID == e.who.party.ID {
		if q.Receiver.Type != "Organization" {
			return forbidden(op, "explain.itself")
		}
		return e.itself(q)
	}
	if e.view == viewReceiver {
		e.view = viewCustodian
	}
	e.party = party
	e.actor = Actor{
		Kind: Person, Party: party.ID, Unit: address.Unit, Practitioner: cmp.Or(q.Practitioner, address.Practitioner),
		Role: cmp.Or(q.Role, address.Role), Purpose: cmp.Or(q.Purpose, Treat), Attest: Attest{Each: true},
	}
	if e.actor.Purpose == BreakTheGlass { // as if it were shown to be one: a reason, and a token bound to her
		e.actor.Reason, e.actor.Attest = "$explain", Attest{NIN: q.Subject.NIN}
		if e.who.Kind == Patient {
			e.actor.Attest.NIN = e.who.Self
		}
	}
	return nil
}

// itself refuses to suppose another person, role or purpose than the token proves: what would be
// released then is not released now.
func (e *explaining) itself(q Inquiry) error {
	a := e.who.Actor
	if q.Practitioner != "" && q.Practitioner != a.Practitioner || q.Role != "" && q.Role != a.Role || q.Purpose != "" && q.Purpose != a.Purpose {
		return forbidden("gateway.explain", "explain.itself")
	}
	return nil
}

// subject finds the person, and who may not know of her finds nobody. What is hidden and what is not
// there take the same way.
func (e *explaining) subject(ctx context.Context) (err error) {
	const op = "gateway.explain"
	q := e.in.Operation.Inquiry
	own := true
	switch {
	case e.facts.Person != 0: // told by the entry
	case !q.Record.IsZero():
		e.facts, err = e.v.FactsOf(ctx, fhir.Reference{Type: q.Record.Type, ID: q.Record.ID})
	case e.view == viewPatient && q.Subject.IsZero():
		e.facts, _, err = e.v.FactsAbout(ctx, e.who.party.ID, Subject{NIN: e.who.Self})
	case q.Subject.IsZero():
		return Fault(op, BadQuery, fhir.Issue{Severity: "error", Type: "required", Code: "explain.subject", Expression: "Parameters.parameter"})
	case e.view == viewCompliance && q.Subject.NIN.IsZero():
		own = false
		for i := 0; i < len(e.parties) && err == nil && !own; i++ {
			e.facts, own, err = e.v.FactsAbout(ctx, e.parties[i], q.Subject)
		}
	default:
		e.facts, own, err = e.v.FactsAbout(ctx, e.who.party.ID, q.Subject)
	}
	if err != nil {
		return err
	}
	switch {
	case e.view == viewPatient && e.facts.Person != e.who.own:
		return absent(op)
	case !own && e.view != viewPatient && q.Record.IsZero():
		return absent(op)
	}
	if e.who.attested != 0 && e.facts.Person != e.who.attested {
		e.facts = Facts{} // a token bound to one patient asks about no other
	}
	return nil
}

// inForce gathers the grants at the time asked about and leaves out what the reader may not know of,
// so that nothing in the answer can depend on it.
func (e *explaining) inForce(ctx context.Context) error {
	var err error
	if e.permit, err = e.Gateway.permit(ctx, e.who, Operate, Question{Action: ReadAction, Named: true, Facts: e.facts}); err != nil {
		return err
	}
	if e.past {
		e.grants, err = e.v.GrantsAt(ctx, e.facts.Person, e.at)
	} else {
		e.grants, err = DecodeGrants(e.facts.Grants)
	}
	if err != nil {
		return Failed("gateway.explain", CodeOf(err), err)
	}
	switch e.view {
	case viewReceiver:
		e.grants = e.addressed(e.grants)
	case viewCustodian, viewCompliance:
		e.grants = concerning(e.grants, e.parties)
	case viewPatient:
	}
	return nil
}

// addressed keeps the permits that name the receiver itself. Without an attest it learns of none: that
// somebody has consented tells that she is known.
func (e *explaining) addressed(grants []Grant) (kept []Grant) {
	if !e.actor.Attest.Each && e.actor.Attest.NIN.IsZero() {
		return nil
	}
	q := e.question()
	for i := range grants {
		if g := grants[i]; g.Effect == Allow && e.Decider.Addresses(q, &g) {
			kept = append(kept, g)
		}
	}
	return kept
}

// concerning keeps what is granted or denied about the records of the parties, and no more of it than that.
func concerning(grants []Grant, parties []HERID) (kept []Grant) {
	for _, g := range grants {
		var of []HERID
		for _, p := range parties {
			if p != "" && g.Custodians.Has(p) {
				of = append(of, p)
			}
		}
		if len(of) > 0 {
			g.Custodians = Only(of...)
			kept = append(kept, g)
		}
	}
	return kept
}

// question is the one that is explained.
func (e *explaining) question() Question {
	q := Question{
		Actor: e.actor, Party: e.party, Parts: e.party.Above, Action: cmp.Or(e.in.Operation.Inquiry.Action, ReadAction),
		Named: true, Facts: e.facts, Now: e.at, Message: e.in.Operation.Inquiry.Message, Hjemler: hjemlerOf(e.dir),
	}
	q.Facts.Grants = nil // those known to the reader come beside it
	if e.view != viewPatient {
		q.Facts.Shield = NoShield // who set it is not told, nor that it is set
	}
	return q
}

// records lists what the reader knows of: all, or the one asked about.
func (e *explaining) records(ctx context.Context) ([]Record, error) {
	const op = "gateway.explain"
	h := Holding{Person: e.facts.Person, Types: e.in.Operation.Types, Limit: maxHeld + 1}
	if e.past && e.view != viewReceiver {
		h.At = e.at
	}
	one := e.in.Operation.Inquiry.Record
	if one.ID != "" {
		h.Types, h.Only = []fhir.Type{one.Type}, one.ID
	}
	if e.only != nil && e.view == viewReceiver {
		return nil, nil // the ledger says what it was given
	}
	list, err := e.v.Held(ctx, e.permit, h)
	if e.only != nil {
		list, err = e.heldThen(ctx)
	}
	if err != nil {
		return nil, err
	}
	e.held = make(map[fhir.Reference]bool, len(list))
	kept := list[:0]
	for _, r := range list {
		if e.view == viewReceiver {
			if err := e.permit.checked(r); err != nil && h.At.IsZero() {
				return nil, err
			}
			e.held[r.Reference] = true
		} else if !e.permit.Scope().Ledger.knows(r) && !e.permit.Scope().owns(r) {
			if e.view == viewCustodian { // shared with who asks: whom else it reaches is its custodian's to know
				continue
			}
			return nil, Failed(op, Internal, errNotCovered)
		} else if e.view != viewPatient && !slices.Contains(e.parties, r.Custodian) {
			continue
		}
		kept = append(kept, r)
	}
	switch {
	case len(kept) > maxHeld:
		return nil, Fault(op, TooCostly)
	case one.ID != "" && len(kept) != 1:
		return nil, absent(op)
	case e.view == viewCustodian && len(kept) == 0:
		e.grants = nil // a party that holds nothing is no custodian of hers
	}
	return kept, nil
}

// released tells whether the record is released to the reader, who is the receiver.
func (e *explaining) released(r Record) bool { return e.held[r.Reference] && !e.past }

// knows tells whether an explanation may be about the record: all of hers for the patient, that of its
// parties for compliance.
func (l LedgerScope) knows(r Record) bool {
	return l.Person > 0 && r.Person == l.Person || r.Custodian != "" && slices.Contains(l.Compliance, r.Custodian)
}

// byHolding orders judgements by custodian and type, what is released first.
func byHolding(a, b Judgement) int {
	rank := func(v Judgement) int {
		if v.Released {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Custodian, b.Custodian), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Missing, b.Missing))
}
