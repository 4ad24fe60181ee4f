package gateway

import (
	"context"

	"github.com/sluse/sluse/gateway/fhir"
)

// read performs read and vread: snapshot → facts → decision → permit → row → re-check → ledger →
// release. What is hidden and what is not there take the same way and get the same answer.
func (g *Gateway) read(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	seen, ok, err := g.readStanding(ctx, a, in)
	if err == nil && !ok {
		err = g.Store.Snapshot(ctx, func(v View) (err error) {
			seen, err = g.readAt(ctx, v, a, in)
			return err
		})
	}
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.record(ctx, seen.entries, seen.fetched); err != nil {
			return Outcome{}, err
		}
	}
	return seen.out, seen.refusal
}

// readAt reads one record or one version of it on a snapshot on which more may be read.
func (g *Gateway) readAt(ctx context.Context, v View, a Actor, in Interaction) (looked, error) {
	who, p, facts, err := g.permitted(ctx, v, a, in)
	if err != nil {
		return looked{}, err
	}
	r, err := v.Read(ctx, p, in.Target)
	if err == nil && in.Code == VRead {
		if err = p.checked(r); err == nil {
			err = g.past(ctx, v, p, r)
		}
	}
	return g.answerRead(who, p, in, facts.Person, r, err)
}

// answerRead checks anew the row that was found, or the error instead of one, and makes of it what leaves and what the
// ledger keeps.
func (g *Gateway) answerRead(who asked, p Permit, in Interaction, person PersonID, r Record, err error) (looked, error) {
	const op = "gateway.read"
	if err == nil {
		err = p.checked(r)
	}
	if err == nil && r.Deleted {
		err = Fault(op, Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
	}
	var seen looked
	switch CodeOf(err) {
	case NotFound:
		if seen.refusal = p.tellWithheld(in.Target); seen.refusal == nil {
			seen.refusal = absent(op)
		}
	case Gone:
		seen.refusal = err
	default:
		if err != nil {
			return looked{}, err
		}
	}
	var entry AuditEntry
	if seen.refusal != nil {
		entry, err = g.refusal(who, in, person, CodeOf(seen.refusal))
	} else {
		seen.out, entry, err = g.releaseOne(who, p, in, r)
		if f, ok := p.fetched(r); ok {
			seen.fetched = []FetchedVersion{f}
		}
	}
	seen.entries = []AuditEntry{entry}
	return seen, err
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

// permitted resolves who asks and asks about the record named: its facts first, since they come with
// the snapshot.
func (g *Gateway) permitted(ctx context.Context, v View, a Actor, in Interaction) (asked, Permit, Facts, error) {
	var facts Facts
	var err error
	if !IsDirectory(in.Target.Type) {
		if facts, err = v.FactsOf(ctx, fhir.Reference{Type: in.Target.Type, ID: in.Target.ID}); err != nil {
			return asked{}, Permit{}, Facts{}, err
		}
	}
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return asked{}, Permit{}, Facts{}, err
	}
	if IsDirectory(in.Target.Type) {
		return who, directoryPermit(who, in.Code), Facts{}, nil
	}
	if p, ok, err := g.systemSubscriptions(ctx, who, in.Code, in.Target.Type); ok || err != nil {
		return who, p, facts, err
	}
	p, err := g.permit(ctx, who, in.Code, Question{Action: ReadAction, Named: true, Facts: facts})
	return who, p, facts, err
}

// permitFor asks about one record by reference.
func (g *Gateway) permitFor(ctx context.Context, v View, who asked, code InteractionCode, r fhir.Reference) (Permit, Facts, error) {
	if IsDirectory(r.Type) {
		return directoryPermit(who, code), Facts{}, nil
	}
	if p, ok, err := g.systemSubscriptions(ctx, who, code, r.Type); ok || err != nil {
		return p, Facts{}, err
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
		Record: r.Reference, Custodian: holder(&r), Citations: p.citations(r), Withheld: withheld,
	}}
	return Outcome{Release: Release{body: body}, Version: r.Reference.Version, Updated: r.Updated}, entry, nil
}

func (g *Gateway) refusal(who asked, in Interaction, person PersonID, code Code) (AuditEntry, error) {
	entry, err := g.entry(who, in.Code, Refused, person)
	entry.Code, entry.Type = code, in.Target.Type
	entry.Entities = []AuditEntity{{Record: in.Target}}
	return entry, err
}
