package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// read performs read and vread: snapshot → facts → decision → permit → row → re-check → ledger →
// release. What is hidden and what is not there take the same way and get the same answer.
func (g *Gateway) read(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.read"
	var (
		out     Outcome
		entry   AuditEntry
		fetched []FetchedVersion
		refusal error
	)
	err := g.Store.Snapshot(ctx, func(v View) error {
		out, entry, fetched, refusal = Outcome{}, AuditEntry{}, nil, nil
		who, err := g.resolve(ctx, v, a)
		if err != nil {
			return err
		}
		p, facts, err := g.permitFor(ctx, v, who, in.Code, in.Target)
		if err != nil {
			return err
		}
		r, err := v.Read(ctx, p, in.Target)
		if err == nil {
			err = p.checked(r)
		}
		if err == nil && in.Code == VRead {
			err = g.past(ctx, v, p, r)
		}
		if err == nil && r.Deleted {
			err = Fault(op, Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
		}
		switch CodeOf(err) {
		case NotFound:
			refusal = absent(op)
		case Gone:
			refusal = err
		default:
			if err != nil {
				return err
			}
		}
		if refusal != nil {
			entry, err = g.refusal(who, in, facts.Person, CodeOf(refusal))
			return err
		}
		out, entry, err = g.releaseOne(who, p, in, r)
		if f, ok := p.fetched(r); ok {
			fetched = append(fetched, f)
		}
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.record(ctx, []AuditEntry{entry}, fetched); err != nil {
			return Outcome{}, err
		}
	}
	return out, refusal
}

// past refuses a version that must not leave now. Its current version may be out of reach only for
// what a party has fetched.
func (g *Gateway) past(ctx context.Context, v View, p Permit, r Record) error {
	if r.Fetched != 0 {
		return nil
	}
	current, err := v.Read(ctx, p, fhir.Reference{Type: r.Reference.Type, ID: r.Reference.ID})
	if err != nil {
		return err
	}
	if !p.oldVersion(r, current) {
		return absent("gateway.read")
	}
	return nil
}

// pastRows leaves out versions that must not leave now.
func (g *Gateway) pastRows(ctx context.Context, v View, p Permit, target fhir.Reference, rows []Record) ([]Record, error) {
	current, err := v.Read(ctx, p, fhir.Reference{Type: target.Type, ID: target.ID})
	if CodeOf(err) == NotFound { // what was fetched is all there is
		return rows, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(r Record) bool { return !p.oldVersion(r, current) }), nil
}

// permitFor asks about one record by reference.
func (g *Gateway) permitFor(ctx context.Context, v View, who asked, code InteractionCode, r fhir.Reference) (Permit, Facts, error) {
	if IsDirectory(r.Type) {
		return directoryPermit(who, code), Facts{}, nil
	}
	facts, err := v.FactsOf(ctx, fhir.Reference{Type: r.Type, ID: r.ID})
	if err != nil {
		return Permit{}, Facts{}, err
	}
	p, err := g.permit(ctx, who, code, Question{Action: ReadAction, Named: true, Facts: facts})
	return p, facts, err
}

func (g *Gateway) releaseOne(who asked, p Permit, in Interaction, r Record) (Outcome, AuditEntry, error) {
	body, withheld, err := p.release(r)
	if err != nil {
		return Outcome{}, AuditEntry{}, err
	}
	entry, err := g.entry(who, in.Code, Released, r.Person)
	if err != nil {
		return Outcome{}, AuditEntry{}, err
	}
	entry.Type = r.Reference.Type
	entry.Entities = []AuditEntity{{
		Record: r.Reference, Custodian: holder(r), Citations: p.citations(r), Withheld: withheld,
	}}
	return Outcome{Release: Release{body: body}, Version: r.Reference.Version, Updated: r.Updated}, entry, nil
}

func (g *Gateway) refusal(who asked, in Interaction, person PersonID, code Code) (AuditEntry, error) {
	entry, err := g.entry(who, in.Code, Refused, person)
	entry.Code, entry.Type = code, in.Target.Type
	entry.Entities = []AuditEntity{{Record: in.Target}}
	return entry, err
}

// history lists the versions of one record that the actor may read, newest first.
func (g *Gateway) history(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.history"
	var (
		out     Outcome
		entries []AuditEntry
		fetched []FetchedVersion
		refusal error
	)
	err := g.Store.Snapshot(ctx, func(v View) error {
		out, entries, fetched, refusal = Outcome{}, nil, nil, nil
		who, err := g.resolve(ctx, v, a)
		if err != nil {
			return err
		}
		bound := binding(who.Actor, in.Target.String()+"/_history", g.Decider.Revision())
		after, err := g.unseal(in.Search.Page, bound)
		if err != nil {
			return err
		}
		p, facts, err := g.permitFor(ctx, v, who, in.Code, in.Target)
		if err != nil {
			return err
		}
		rows, err := v.History(ctx, p, in.Target, in.Search.Count+1, after)
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		if len(rows) > 0 {
			if rows, err = g.pastRows(ctx, v, p, in.Target, rows); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			refusal = absent(op)
			entry, err := g.refusal(who, in, facts.Person, NotFound)
			entries = []AuditEntry{entry}
			return err
		}
		page := newPage("history", in.Search)
		if len(rows) > in.Search.Count {
			rows = rows[:in.Search.Count]
			last := rows[len(rows)-1]
			if page.next, err = g.seal(Cursor{At: last.Updated, Key: last.Key, Set: true}, bound); err != nil {
				return err
			}
		}
		released, err := g.releaseRows(who, in.Code, rows, func(Record) Permit { return p }, page)
		if err != nil {
			return err
		}
		entries, fetched = released.entries, released.fetched
		out = Outcome{Release: Release{body: page.bytes()}}
		return nil
	})
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.record(ctx, entries, fetched); err != nil {
			return Outcome{}, err
		}
	}
	return out, refusal
}
