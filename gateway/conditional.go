package gateway

import (
	"context"

	"github.com/sluse/sluse/gateway/fhir"
)

// condition settles which record a conditional write is about (R4 http.html#ccreate, #cond-update,
// #cdelete). It is asked of the writer's own records only, so that no answer tells of another's; done
// says that nothing is left to write.
func (g *Gateway) condition(ctx context.Context, tx Tx, s *step) (out Outcome, done bool, err error) {
	const op = "gateway.condition"
	found, err := g.matches(ctx, tx, s.who, s.in)
	switch {
	case err != nil:
		return Outcome{}, false, err
	case len(found) > 1:
		return Outcome{}, false, Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "multiple-matches", Code: "condition-multiple"})
	case len(found) == 0:
		return g.unmatched(ctx, tx, s)
	}
	id := found[0].Reference.ID
	if s.in.Code == Create {
		out, err := g.existing(ctx, tx, *s, found[0])
		return out, true, err
	}
	if s.in.Code == Update && s.in.Body.ID() != "" && s.in.Body.ID() != id {
		return Outcome{}, false, Fault(op, Malformed, fhir.Issue{
			Severity: "error", Type: "value", Code: "condition-id-differs", Expression: string(s.in.Target.Type) + ".id",
		})
	}
	s.in.Target.ID = id
	return Outcome{}, false, nil
}

// unmatched says what a condition that finds nothing means: a create goes on, in turn with those that
// ask the same; an update becomes one; a patch has nothing to change; a delete has nothing to do.
func (g *Gateway) unmatched(ctx context.Context, tx Tx, s *step) (Outcome, bool, error) {
	switch s.in.Code {
	case Patch:
		return Outcome{}, false, absent("gateway.condition")
	case Delete:
		return Outcome{}, true, nil
	case Update:
		if id := s.in.Body.ID(); id != "" {
			s.in.Target.ID, s.fresh = id, true
		} else {
			s.in.Code = Create
		}
	}
	return Outcome{}, false, tx.TakeTurn(ctx, s.who.Party, s.in.Target.Type, *s.in.When)
}

// existing answers a conditional create by the one record that is there. That is a release of it, to
// its own custodian.
func (g *Gateway) existing(ctx context.Context, tx Tx, s step, r Record) (Outcome, error) {
	entry, err := g.entry(s.who, s.in.Code, Released, r.Person)
	if err != nil {
		return Outcome{}, err
	}
	entry.Type = r.Reference.Type
	entry.Entities = []AuditEntity{{Record: r.Reference, Custodian: holder(&r)}}
	if !IsDirectory(r.Reference.Type) {
		if err := tx.Record(ctx, []AuditEntry{entry}); err != nil {
			return Outcome{}, err
		}
	}
	return accepted(r, r.Body, false), nil
}

// matches gives the writer's own records that fulfil the condition of a write, two at most: more than
// one is all that anybody asks.
func (g *Gateway) matches(ctx context.Context, v View, who asked, in Interaction) ([]Record, error) {
	p, err := g.ownPermit(ctx, v, who, in)
	if err != nil {
		return nil, err
	}
	search := *in.When
	var person PersonID
	if !search.Subject.IsZero() {
		facts, own, err := v.FactsAbout(ctx, p.party.ID, search.Subject)
		switch {
		case err != nil:
			return nil, err
		case !own && search.Subject.NIN.IsZero():
			if search, err = byPatient(in.Target.Type, search); err != nil {
				return nil, err
			}
		case facts.Person == 0:
			person = nobody
		default:
			person = facts.Person
		}
	}
	return v.Match(ctx, p, in.Target.Type, search, person, 2)
}

// ownPermit reaches the records that the writer could read as its own, and nothing that is shared
// with it: what a condition matches must not depend on anybody's consent, nor tell of it.
func (g *Gateway) ownPermit(ctx context.Context, v View, who asked, in Interaction) (Permit, error) {
	if who.Kind == Operator { // keeps the directory, others' entries too
		return directoryPermit(who, in.Code), nil
	}
	full, err := g.resolve(ctx, v, who.Actor)
	if err != nil {
		return Permit{}, err
	}
	p, system, err := g.systemSubscriptions(ctx, full, in.Code, in.Target.Type)
	if err == nil && !system {
		p, err = g.permit(ctx, full, in.Code, Question{Action: ReadAction})
	}
	if err != nil {
		return Permit{}, err
	}
	reach := p.Scope()
	if reach.Own == "" {
		return Permit{}, forbidden("gateway.condition", "write-not-allowed")
	}
	p.decision.Scope = Scope{Own: reach.Own, Self: reach.Self, Person: reach.Person, Revision: reach.Revision}
	return p, nil
}
