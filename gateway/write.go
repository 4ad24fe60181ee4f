package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// write performs create, update and delete of a party's own records.
func (g *Gateway) write(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	const op = "gateway.write"
	if in.Target.Type == "Provenance" && in.Code != Create { // who did what is not rewritten
		return Outcome{}, Fault(op, NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "interaction"})
	}
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return Outcome{}, Failed(op, Unavailable, err)
	}
	party, ok := dir.Party(a.Party)
	if !ok && a.Kind != Operator {
		return Outcome{}, forbidden(op, "actor-unknown")
	}
	who := asked{Actor: a, party: party}
	p, err := g.permit(ctx, who, in.Code, Question{Action: WriteAction, Type: in.Target.Type})
	if err != nil {
		return Outcome{}, err
	}
	if p.decision.Effect != Allow || !p.Scope().Write {
		entry, err := g.refusal(who, in, 0, Forbidden)
		if err != nil {
			return Outcome{}, err
		}
		if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
			return Outcome{}, err
		}
		return Outcome{}, forbidden(op, "write-not-allowed")
	}
	if in.Code == Delete {
		return g.delete(ctx, who, p, in)
	}
	w, err := g.prepare(ctx, who, dir, in)
	if err != nil {
		return Outcome{}, g.refuseContent(ctx, who, p, in, err)
	}
	if in.Code == Create && !w.composite() && a.Attest.NIN.IsZero() {
		return g.create(ctx, who, p, w)
	}
	return g.put(ctx, who, p, in, w)
}

// refuseContent tells what is wrong with a body, but only to who may write what it is for: whose a
// record is comes before what it should hold.
func (g *Gateway) refuseContent(ctx context.Context, who asked, p Permit, in Interaction, fault error) error {
	if in.Code != Update {
		return fault
	}
	err := g.Store.Tx(ctx, func(tx Tx) error {
		_, err := g.writable(ctx, tx, who, p, in)
		return err
	})
	if err == nil || CodeOf(err) == NotFound && ownPrefix(who, in.Target.ID) {
		return fault
	}
	return err
}

// written is a checked and labelled resource on its way into the store.
type written struct {
	resource *fhir.Resource
	draft    Draft
	points   []fhir.Reference
	dir      Directory
}

// composite writes need more than the row: grants, labels of what they point at, a queue.
func (w *written) composite() bool {
	t := w.draft.Reference.Type
	return t == "Consent" || t == "CareTeam" || len(w.points) > 0 || queues(w.resource)
}

// prepare checks and labels a body: everything that needs no transaction.
func (g *Gateway) prepare(ctx context.Context, who asked, dir Directory, in Interaction) (*written, error) {
	const op = "gateway.write"
	res := in.Body
	if issues := fhir.Validate(res); len(issues) > 0 {
		return nil, Fault(op, Invalid, issues...)
	}
	if issues := ownRules(who, dir, res); len(issues) > 0 {
		return nil, Fault(op, Invalid, issues...)
	}
	if err := g.directoryRules(who, res); err != nil {
		return nil, err
	}
	found, err := g.Labeller.Label(ctx, res)
	if err != nil {
		return nil, err
	}
	ref, err := g.newReference(res.Type(), in.Target.ID)
	if err != nil {
		return nil, err
	}
	d := Draft{
		Reference: ref, Custodian: who.Party, Labels: found.Labels, Added: found.Added, Parts: found.Parts,
		Index: fhir.Extract(res), Updated: g.Clock(), Method: in.Code, Actor: who.Actor,
	}
	d.Subject, _ = res.Subject()
	d.Low, d.High, _ = res.Date()
	if res.Type() == "Binary" {
		if c, err := fhir.ParseReference(res.Root().Get("securityContext", "reference").Text()); err == nil {
			d.Context = c
		}
	}
	if res.Type() == "Patient" {
		if d.National, err = nationalOf(who, res); err != nil {
			return nil, err
		}
	}
	return &written{resource: res, draft: d, points: found.Points, dir: dir}, nil
}

// stamp fixes the bytes: id and meta are the server's, every other byte is the writer's.
func (g *Gateway) stamp(who asked, w *written) error {
	m := fhir.Meta{VersionID: w.draft.Reference.Version, LastUpdated: w.draft.Updated}
	if !IsDirectory(w.draft.Reference.Type) {
		m.Custodian = who.party.Organization
		for _, code := range (w.draft.Labels | w.draft.Added).Codes() {
			m.Security = append(m.Security, fhir.Coding{System: LabelSystem, Code: code})
		}
	}
	body, err := w.resource.Stamp(w.draft.Reference.ID, m)
	if err != nil {
		return Failed("gateway.stamp", Internal, err)
	}
	w.draft.Labels |= w.draft.Added
	w.draft.Body = body
	return nil
}

// create is the short way: one round trip for row, index, history and ledger.
func (g *Gateway) create(ctx context.Context, who asked, p Permit, w *written) (Outcome, error) {
	if err := g.stamp(who, w); err != nil {
		return Outcome{}, err
	}
	entry, err := g.writtenEntry(who, w, 0)
	if err != nil {
		return Outcome{}, err
	}
	r, err := g.Store.Create(ctx, p, w.draft, entry)
	if err != nil {
		return Outcome{}, err
	}
	return accepted(r, w.draft.Body, true), nil
}

// put is the long way: everything that reads before it writes.
func (g *Gateway) put(ctx context.Context, who asked, p Permit, in Interaction, w *written) (Outcome, error) {
	const op = "gateway.put"
	var out Outcome
	base := w.draft
	err := g.Store.Tx(ctx, func(tx Tx) error {
		w.draft = base
		created := in.Code == Create
		if !created {
			current, err := g.writable(ctx, tx, who, p, in)
			switch {
			case CodeOf(err) == NotFound && err != nil && ownPrefix(who, in.Target.ID):
				created, w.draft.Method = true, Create
			case err != nil:
				return err
			default:
				if err := g.ordered(ctx, tx, current); err != nil {
					return err
				}
				w.draft.Previous = current.Reference.Version
				w.draft.Added |= current.Added
				if err := carryParts(current, w); err != nil {
					return err
				}
				w.draft.Custodian = current.Custodian
				w.draft.Sent = current.Sent
			}
		}
		if created && in.IfMatch != "" {
			return Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
		}
		if err := g.takeOver(ctx, tx, w); err != nil {
			return err
		}
		if err := g.stamp(who, w); err != nil {
			return err
		}
		r, err := tx.Put(ctx, p, w.draft)
		if err != nil {
			return err
		}
		if err := g.attestedWrite(ctx, tx, who, r); err != nil {
			return err
		}
		if err := g.follow(ctx, tx, who, w, r); err != nil {
			return err
		}
		entry, err := g.writtenEntry(who, w, r.Person)
		if err != nil {
			return err
		}
		if err := tx.Record(ctx, []AuditEntry{entry}); err != nil {
			return err
		}
		out = accepted(r, w.draft.Body, created)
		return nil
	})
	return out, err
}

// attestedWrite holds a token that is bound to one patient to her records.
func (g *Gateway) attestedWrite(ctx context.Context, tx Tx, who asked, r Record) error {
	if who.Attest.NIN.IsZero() || r.Person == 0 {
		return nil
	}
	attested, err := g.personOf(ctx, tx, who.Party, who.Attest.NIN)
	if err != nil {
		return err
	}
	if r.Person != attested {
		return forbidden("gateway.write", "attest-other-patient")
	}
	return nil
}

// writable gives the own record that a write is about. What is visible and another's is
// Forbidden; what is not visible is absent.
func (g *Gateway) writable(ctx context.Context, tx Tx, who asked, p Permit, in Interaction) (Record, error) {
	const op = "gateway.write"
	full, err := g.resolve(ctx, tx, who.Actor)
	if err != nil && who.Kind != Operator {
		return Record{}, err
	}
	if who.Kind == Operator {
		full = who
	}
	reader, _, err := g.permitFor(ctx, tx, full, Read, in.Target)
	if err != nil {
		return Record{}, err
	}
	seen, err := tx.Read(ctx, reader, fhir.Reference{Type: in.Target.Type, ID: in.Target.ID})
	if err != nil {
		if CodeOf(err) == NotFound {
			return Record{}, absent(op)
		}
		return Record{}, err
	}
	if seen.Deleted {
		return Record{}, Fault(op, Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
	}
	if seen.Custodian != who.Party && (!IsDirectory(in.Target.Type) || who.Kind != Operator) {
		return Record{}, forbidden(op, "not-yours")
	}
	current, err := tx.Lock(ctx, p, in.Target)
	if err != nil {
		return Record{}, err
	}
	if in.IfMatch != "" && in.IfMatch != current.Reference.Version {
		return Record{}, Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
	}
	return current, nil
}

// takeOver adds the labels of the own records that this one holds or points at.
func (g *Gateway) takeOver(ctx context.Context, tx Tx, w *written) error {
	if len(w.points) == 0 {
		return nil
	}
	labels, _, ok, err := tx.Pointed(ctx, w.draft.Custodian, w.points)
	if err != nil {
		return err
	}
	w.draft.Labels |= labels
	if !ok && w.draft.Reference.Type != "Communication" { // a reply may point at what another party wrote
		w.draft.Labels |= Uklassifisert
	}
	return nil
}

// follow does what a write brings with it, in the same transaction.
func (g *Gateway) follow(ctx context.Context, tx Tx, who asked, w *written, r Record) error {
	switch w.draft.Reference.Type {
	case "Consent":
		return g.register(ctx, tx, who, w, r)
	case "CareTeam":
		return g.renormalise(ctx, tx, w)
	case "Communication":
		if queues(w.resource) {
			return g.enqueue(ctx, tx, who, w.resource, r)
		}
	}
	return nil
}

func (g *Gateway) delete(ctx context.Context, who asked, p Permit, in Interaction) (Outcome, error) {
	err := g.Store.Tx(ctx, func(tx Tx) error {
		current, err := g.writable(ctx, tx, who, p, in)
		if err != nil {
			return err
		}
		ref, err := g.newReference(in.Target.Type, in.Target.ID)
		if err != nil {
			return err
		}
		d := Draft{
			Reference: ref, Previous: current.Reference.Version, Custodian: current.Custodian,
			Low: current.Low, High: current.High, Labels: current.Labels, Added: current.Added,
			Parts: current.Parts, Sent: current.Sent, Updated: g.Clock(), Method: Delete, Actor: who.Actor,
		}
		r, err := tx.Put(ctx, p, d)
		if err != nil {
			return err
		}
		w := &written{draft: d}
		switch ref.Type {
		case "Consent":
			err = tx.PutGrants(ctx, current.Person, ref, nil, Basis{})
		case "CareTeam":
			err = g.renormalise(ctx, tx, w)
		}
		if err != nil {
			return err
		}
		entry, err := g.writtenEntry(who, w, r.Person)
		if err != nil {
			return err
		}
		return tx.Record(ctx, []AuditEntry{entry})
	})
	if CodeOf(err) == Gone && err != nil {
		return Outcome{}, nil // R4 http.html#delete: deleting what is deleted succeeds
	}
	return Outcome{}, err
}

func (g *Gateway) writtenEntry(who asked, w *written, person PersonID) (AuditEntry, error) {
	entry, err := g.entry(who, w.draft.Method, Written, person)
	entry.Type = w.draft.Reference.Type
	entry.Entities = []AuditEntity{{Record: w.draft.Reference, Custodian: w.draft.Custodian}}
	return entry, err
}

func accepted(r Record, body []byte, created bool) Outcome {
	return Outcome{
		Release: Release{body: body}, Version: r.Reference.Version, Updated: r.Updated,
		Location: r.Reference, Created: created,
	}
}

// ownPrefix tells whether a client may choose the id: its own HER-id and a hyphen first (DESIGN § 5).
// Patients share a party, and a taken id would tell one of another: they choose none.
func ownPrefix(who asked, id fhir.ID) bool {
	prefix := string(who.Party) + "-"
	return who.Kind != Patient && who.Party != "" && len(id) > len(prefix) && string(id[:len(prefix)]) == prefix
}

// queues tells whether a Communication asks to be sent as a message (DESIGN § 5, Sending over FHIR).
func queues(res *fhir.Resource) bool {
	if res == nil || res.Type() != "Communication" {
		return false
	}
	root := res.Root()
	return root.Get("status").Text() == "in-progress" && slices.ContainsFunc(root.Get("category").Items(), func(c *fhir.Value) bool {
		return slices.ContainsFunc(c.Get("coding").Items(), func(coding *fhir.Value) bool {
			return coding.Get("system").Text() == messageTypeSystem
		})
	})
}

// messageTypeSystem is kodeverk 8279, the type of a message (Volven).
const messageTypeSystem = "urn:oid:2.16.578.1.12.4.1.1.8279"
