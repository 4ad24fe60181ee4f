package consent

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Weigh tells for each provision how it fares in the question: what it won, what it lost and to which
// provision, and for one that does not apply everything in which it misses. A provision that became
// several grants is told of once, by the grants that come closest. It is computed on demand, from the
// grants of the versions that the ledger names, and decides nothing.
func (d *Decider) Weigh(q gateway.Question, grants []gateway.Grant, r *gateway.Record) []gateway.Weighed {
	by := d.asker(q, q.Party.ID)
	action := q.Action
	if r != nil && action == gateway.ReadAction && slices.ContainsFunc(r.Sent, func(s gateway.Sent) bool { return s.To == q.Party.ID }) {
		action = gateway.MessageAction
	}
	if standing := d.agreed.standingFor(q.Party); len(standing) > 0 {
		grants = append(slices.Clone(grants), standing...)
	}
	place := make(map[gateway.Citation]int, len(grants))
	out := make([]gateway.Weighed, 0, len(grants))
	for i := range grants {
		g := &grants[i]
		w := gateway.Weighed{
			Citation: gateway.Citation{Consent: g.Consent, Path: g.Path, Law: g.Law, Paragraph: g.Paragraph},
			Effect:   g.Effect, Objection: g.Objection, Start: g.Start, End: g.End,
			Misses: d.misses(g, q, by, r, action),
		}
		if w.Labels = g.Labels; r != nil {
			w.Labels &= r.Labels
		}
		if w.Labels == 0 {
			w.Misses = append(w.Misses, gateway.MissLabel)
		}
		if !w.Weighs() {
			w.Labels = 0
		}
		at, known := place[w.Citation]
		if !known {
			place[w.Citation] = len(out)
			out = append(out, w)
			continue
		}
		merge(&out[at], w)
	}
	out = append(out, d.lawfully(q, r)...)
	for i := range out {
		contest(&out[i], out)
	}
	return out
}

// lawfully tells of the legal bases other than samtykke that are switched on for the question. A failure to
// find them is a failure of the decision too, which rests on the same.
func (d *Decider) lawfully(q gateway.Question, r *gateway.Record) (list []gateway.Weighed) {
	bases, err := d.lawfulFor(context.Background(), q)
	if err != nil {
		return nil
	}
	for _, b := range bases {
		w := gateway.Weighed{Effect: gateway.Allow, Labels: b.row.mask, Citation: gateway.Citation{
			Path: gateway.HjemmelPath + string(b.row.ID), Law: b.row.Law, Paragraph: d.laws[b.row.Law].text(q.Now.Format(time.DateOnly)),
		}}
		if r != nil {
			w.Labels &= r.Labels
			if !slices.Contains(b.parties, r.Custodian) {
				w.Misses = append(w.Misses, gateway.MissCustodian)
			}
			if q.Action != gateway.MessageAction {
				if came := cameBy(r, q.Party.ID, b.row.Messages); came == 0 {
					w.Misses = append(w.Misses, gateway.MissAction)
				} else {
					w.Labels &= came
				}
			}
			if w.Labels == 0 {
				w.Misses = append(w.Misses, gateway.MissLabel)
			}
		}
		if !w.Weighs() {
			w.Labels = 0
		}
		list = append(list, w)
	}
	return list
}

// cameBy gives the labels that a party got of a record by messages of the kinds.
func cameBy(r *gateway.Record, party gateway.HERID, kinds []string) (released gateway.Labels) {
	for _, s := range r.Sent {
		if s.To == party && slices.Contains(kinds, s.Message) {
			released |= s.Mask
		}
	}
	return released
}

// merge joins what two grants of one provision tell.
func merge(into *gateway.Weighed, w gateway.Weighed) {
	switch {
	case into.Weighs() && w.Weighs():
		into.Labels |= w.Labels
	case into.Weighs():
	case w.Weighs():
		*into = w
	case unconfirmed(into.Misses, w.Misses):
		into.Misses = []gateway.Miss{gateway.MissUnconfirmed}
	case len(w.Misses) < len(into.Misses) || len(w.Misses) == len(into.Misses) && slices.Contains(w.Misses, gateway.MissUnconfirmed):
		*into = w
	}
}

// unconfirmed tells that one grant of a permit lacks only the use and its twin only the custodian: what
// has the use is bound to the registering party's own records until it is confirmed.
func unconfirmed(a, b []gateway.Miss) bool {
	only := func(m []gateway.Miss, miss gateway.Miss) bool { return len(m) == 1 && m[0] == miss }
	return only(a, gateway.MissAction) && only(b, gateway.MissCustodian) || only(a, gateway.MissCustodian) && only(b, gateway.MissAction)
}

// contest finds what a permit lost, and to what.
func contest(w *gateway.Weighed, all []gateway.Weighed) {
	if !w.Weighs() || w.Effect == gateway.Deny {
		return
	}
	for i := range all {
		if d := &all[i]; d.Weighs() && d.Effect == gateway.Deny && d.Labels&w.Labels != 0 {
			w.Lost |= d.Labels & w.Labels
			w.To = append(w.To, d.Citation)
		}
	}
}

// misses gives the dimensions in which a grant does not meet the question and the record.
func (d *Decider) misses(g *gateway.Grant, q gateway.Question, by *asker, r *gateway.Record, action gateway.Action) (list []gateway.Miss) {
	miss := func(missed bool, m gateway.Miss) {
		if missed {
			list = append(list, m)
		}
	}
	keys := by.permits
	if g.Effect == gateway.Deny {
		keys = by.denies
	}
	miss(!g.Recipients.Any && !slices.ContainsFunc(keys, g.Recipients.Has), d.missed(g, q, by))
	miss(!g.Roles.Has(by.role), gateway.MissRole)
	miss(!g.Purposes.Has(d.purposeOf(q.Actor)), gateway.MissPurpose)
	miss(!g.Actions.Has(action), gateway.MissAction)
	miss(q.Now.Before(g.Start), gateway.MissNotBegun)
	miss(!g.End.IsZero() && !q.Now.Before(g.End), gateway.MissEnded)
	named := g.Custodians // before what an agreement of trust leaves of them
	bound := named
	if g.Trust != "" {
		bound = d.agreed.trusting(*g, q.Now)
	}
	if r == nil {
		miss(empty(bound) && !empty(named), gateway.MissUnconfirmed)
		return list
	}
	t := touching(g, *r)
	trusted := t(func(t *gateway.Term) { t.Custodians = bound })
	miss(!trusted && named.Has(r.Custodian), gateway.MissUnconfirmed)
	miss(!trusted && !named.Has(r.Custodian), gateway.MissCustodian)
	miss(!t(func(t *gateway.Term) { t.Types = g.Types }), gateway.MissType)
	miss(!t(func(t *gateway.Term) { t.Items = g.Items }), gateway.MissItem)
	miss(!t(func(t *gateway.Term) { t.Low, t.High = g.DataLow, g.DataHigh }), gateway.MissDate)
	return list
}

// missed tells whether a receiver would be named if it told another role, or is another altogether.
func (d *Decider) missed(g *gateway.Grant, q gateway.Question, by *asker) gateway.Miss {
	for _, k := range g.Recipients.Of {
		w := parseKey(k)
		if g.Effect != gateway.Allow || w.code == "" || w.code == by.role || w.party != q.Party.ID {
			continue
		}
		other := q
		other.Actor.Role = w.code
		if slices.Contains(d.asker(other, q.Party.ID).permits, k) {
			return gateway.MissRole
		}
	}
	return gateway.MissRecipient
}

// touching asks of one dimension at a time whether a grant touches the record, by the one formula there
// is: every other dimension is left open.
func touching(g *gateway.Grant, r gateway.Record) func(func(*gateway.Term)) bool {
	record := gateway.Record{
		Reference: r.Reference, Custodian: r.Custodian, Person: 1, Low: r.Low, High: r.High, Labels: gateway.AllLabels, Context: r.Context,
	}
	open := gateway.Term{
		Effect: gateway.Allow, Custodians: gateway.Every[gateway.HERID](), Types: gateway.Every[fhir.Type](),
		Items: gateway.Every[fhir.Reference](), Mask: gateway.AllLabels,
	}
	return func(limit func(*gateway.Term)) bool {
		t := open
		limit(&t)
		if g.Effect == gateway.Deny { // a deny is read widely: it takes away what it touches
			t.Effect = gateway.Deny
			return gateway.Scope{Terms: []gateway.Term{t, open}}.Covered(record) == 0
		}
		return gateway.Scope{Terms: []gateway.Term{t}}.Covered(record) != 0
	}
}

// Addresses tells whether a grant names the actor of the question as its receiver.
func (d *Decider) Addresses(q gateway.Question, g *gateway.Grant) bool {
	by := d.asker(q, q.Party.ID)
	keys := by.permits
	if g.Effect == gateway.Deny {
		keys = by.denies
	}
	return !g.Recipients.Any && slices.ContainsFunc(keys, g.Recipients.Has)
}

// Bearer gives an actor whom a grant to the receiver names, who tells no more than the receiver's key.
func (d *Decider) Bearer(k gateway.Recipient) (gateway.Actor, bool) {
	w := parseKey(k)
	a := gateway.Actor{
		Kind: gateway.Person, Party: w.party, Unit: w.unit, Practitioner: w.hpr, Role: w.code, Attest: gateway.Attest{Each: true},
	}
	by := d.asker(gateway.Question{Actor: a}, w.party)
	return a, w.party != "" && w.party != anyParty && slices.Contains(by.permits, k)
}
