package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// write performs create, update, patch and delete of a party's own records. A refusal is durable before
// it is told.
func (g *Gateway) write(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	if misplaced := chosenID(in); misplaced != nil {
		return Outcome{}, misplaced
	}
	who, dir, err := g.writer(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	s := step{in: in, who: who, dir: dir}
	if s.permit, err = g.mayWrite(ctx, who, in); err != nil {
		return Outcome{}, err
	}
	if in.When == nil && (in.Code == Create || in.Code == Update && !others[in.Target.Type]) {
		if s.ready, err = g.prepare(ctx, who, dir, in); err != nil {
			return Outcome{}, g.refusedWrite(ctx, who, in, g.refuseContent(ctx, s, err))
		}
		if in.Code == Create && !s.ready.composite() && a.Attest.NIN.IsZero() {
			return g.create(ctx, who, s.permit, s.ready)
		}
	}
	var out Outcome
	err = g.Store.Tx(ctx, func(tx Tx) error {
		var err error
		out, err = g.perform(ctx, tx, s)
		return err
	})
	if err != nil {
		return Outcome{}, g.refusedWrite(ctx, who, in, err)
	}
	return out, nil
}

// refusedWrite records a refusal for whose the record is, or because there is none, after the
// transaction that it has undone, and gives it back. What cannot be recorded is not told.
func (g *Gateway) refusedWrite(ctx context.Context, who asked, in Interaction, refusal error) error {
	code := CodeOf(refusal)
	if IsDirectory(in.Target.Type) || code != NotFound && code != Forbidden && code != Gone {
		return refusal
	}
	var facts Facts
	if in.Target.ID != "" {
		err := g.Store.Snapshot(ctx, func(v View) (err error) {
			facts, err = v.FactsOf(ctx, fhir.Reference{Type: in.Target.Type, ID: in.Target.ID})
			return err
		})
		if err != nil {
			return err
		}
	}
	entry, err := g.refusal(who, in, facts.Person, code)
	if err != nil {
		return err
	}
	if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
		return err
	}
	return refusal
}

// chosenID refuses a national number in an id that a client chooses: ids stand in addresses, in the
// ledger and in logs.
func chosenID(in Interaction) error {
	if in.Code != Update {
		return nil
	}
	id := in.Target.ID
	if in.When != nil && in.Body != nil {
		id = in.Body.ID()
	}
	if !fhir.ContainsNIN(string(id)) {
		return nil
	}
	return Fault("gateway.write", Invalid, fhir.Issue{
		Severity: "error", Type: "business-rule", Code: "nin.misplaced", Expression: string(in.Target.Type) + ".id",
	})
}

// writer finds the party of who wants to write.
func (g *Gateway) writer(ctx context.Context, a Actor) (asked, Directory, error) {
	const op = "gateway.write"
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return asked{}, nil, Failed(op, Unavailable, err)
	}
	party, ok := dir.Party(a.Party)
	if a.Kind == Nobody || !ok && a.Kind != Operator {
		return asked{}, nil, forbidden(op, actorUnknown)
	}
	return asked{Actor: a, party: party}, dir, nil
}

// mayWrite asks whether the type may be written; a refusal is durable before it is told.
func (g *Gateway) mayWrite(ctx context.Context, who asked, in Interaction) (Permit, error) {
	const op = "gateway.write"
	if in.Target.Type == "Provenance" && in.Code != Create { // who did what is not rewritten
		return Permit{}, Fault(op, NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "interaction"})
	}
	p, err := g.permit(ctx, who, in.Code, Question{Action: WriteAction, Type: in.Target.Type})
	if err != nil {
		return Permit{}, err
	}
	if p.decision.Effect == Allow && p.Scope().Write {
		return p, nil
	}
	entry, err := g.refusal(who, in, 0, Forbidden)
	if err != nil {
		return Permit{}, err
	}
	if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
		return Permit{}, err
	}
	return Permit{}, forbidden(op, "write-not-allowed")
}

// step is one write on its way through a transaction: a single one, or an entry of a Bundle.
type step struct {
	in      Interaction
	who     asked
	dir     Directory
	permit  Permit
	ready   *written // prepared before the transaction; nil: prepared inside it
	version string   // chosen before for the new version, "" when any will do
	fresh   bool     // the id is chosen for a new record: one that is there is in the way
}

// perform does one write inside a transaction: condition, own record, content, labels, version,
// what follows from it, and the line of the ledger.
func (g *Gateway) perform(ctx context.Context, tx Tx, s step) (Outcome, error) {
	if s.in.When != nil {
		out, done, err := g.condition(ctx, tx, &s)
		if err != nil || done {
			return out, err
		}
	}
	if out, done, err := g.byOther(ctx, tx, s); done || err != nil {
		return out, err
	}
	switch s.in.Code {
	case Delete:
		return g.delete(ctx, tx, s)
	case Patch:
		return g.amend(ctx, tx, s)
	default:
		return g.put(ctx, tx, s)
	}
}

// refuseContent tells what is wrong with a body, but only to who may write what it is for: whose a
// record is comes before what it should hold.
func (g *Gateway) refuseContent(ctx context.Context, s step, fault error) error {
	if s.in.Code != Update {
		return fault
	}
	err := g.Store.Tx(ctx, func(tx Tx) error {
		_, err := g.writable(ctx, tx, s)
		return err
	})
	if err == nil || CodeOf(err) == NotFound && ownPrefix(s.who, s.in.Target.ID) {
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

	subscription *wanted      // of a Subscription: what it asks for
	before       Record       // the version that this one replaces; zero: none
	remarks      []fhir.Issue // on a Consent that is stored all the same
}

// composite writes need more than the row: grants, labels of what they point at, a queue.
func (w *written) composite() bool {
	t := w.draft.Reference.Type
	return t == "Consent" || t == "CareTeam" || t == "Patient" || w.subscription != nil || len(w.points) > 0 || queues(w.resource)
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
	res, sub, err := g.subscription(who, res)
	if err != nil {
		return nil, err
	}
	found, err := g.labelled(ctx, dir, res)
	if err != nil {
		return nil, err
	}
	ref, err := g.newReference(res.Type(), in.Target.ID)
	if err != nil {
		return nil, err
	}
	d := Draft{
		Reference: ref, Custodian: who.Party, Labels: found.Labels, Added: found.Added, Parts: found.Parts,
		Index: fhir.IndexAt(g.Notices.Base, res), Updated: g.Clock(), Method: in.Code, Actor: who.Actor,
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
	w := &written{resource: res, draft: d, points: found.Points, dir: dir, subscription: sub}
	w.markPlaces()
	return w, nil
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
	w.draft.MarkIndex(w.resource)
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

// put writes what was sent over an own record, or as a new one.
func (g *Gateway) put(ctx context.Context, tx Tx, s step) (Outcome, error) {
	const op = "gateway.put"
	var current Record
	created := s.in.Code == Create
	if !created {
		var err error
		current, err = g.writable(ctx, tx, s)
		switch {
		case err != nil && CodeOf(err) == NotFound && ownPrefix(s.who, s.in.Target.ID):
			created = true
		case err != nil:
			return Outcome{}, err
		case s.fresh: // R4 http.html#cond-update: no match, and the id of the body is taken
			return Outcome{}, Fault(op, Conflict, fhir.Issue{Severity: "error", Type: "conflict", Code: "condition-id-taken", Expression: "http.id"})
		case s.in.Absent:
			return Outcome{}, Fault(op, Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "exists", Expression: "http.If-None-Match"})
		}
	}
	w, err := g.prepared(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return g.keepVersion(ctx, tx, s, w, current, created)
}

// prepared gives what was prepared before, or prepares it now. The draft is a copy, since a
// transaction may run again.
func (g *Gateway) prepared(ctx context.Context, s step) (*written, error) {
	w := s.ready
	if w == nil {
		var err error
		if w, err = g.prepare(ctx, s.who, s.dir, s.in); err != nil {
			return nil, err
		}
	}
	again := *w
	again.draft.Parts = slices.Clone(w.draft.Parts)
	if s.version != "" {
		again.draft.Reference.Version = s.version
	}
	return &again, nil
}

// keepVersion stores a version with everything that it brings with it.
func (g *Gateway) keepVersion(ctx context.Context, tx Tx, s step, w *written, current Record, created bool) (Outcome, error) {
	if created {
		if s.in.IfMatch != "" {
			return Outcome{}, Fault("gateway.put", Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
		}
		w.draft.Method = Create
	} else {
		if err := g.ordered(ctx, tx, current); err != nil {
			return Outcome{}, err
		}
		w.draft.Method, w.before = Update, current
		w.draft.Previous = current.Reference.Version
		w.draft.Added |= current.Added
		if err := carryParts(current, w); err != nil {
			return Outcome{}, err
		}
		w.draft.Custodian = current.Custodian
		w.draft.Sent = current.Sent
	}
	if err := g.takeOver(ctx, tx, w); err != nil {
		return Outcome{}, err
	}
	if err := g.stamp(s.who, w); err != nil {
		return Outcome{}, err
	}
	r, err := tx.Put(ctx, s.permit, w.draft)
	if err != nil {
		return Outcome{}, err
	}
	if err := g.attestedWrite(ctx, tx, s.who, r); err != nil {
		return Outcome{}, err
	}
	if !created && r.Person > 0 && r.Person != current.Person && r.Reference.Type != "Patient" {
		if err := tx.WithholdFrom(ctx, r.Reference, current.Person, r.Person); err != nil {
			return Outcome{}, err
		}
	}
	if err := g.follow(ctx, tx, s.who, w, r); err != nil {
		return Outcome{}, err
	}
	entry, err := g.writtenEntry(s.who, w, r.Person)
	if err != nil {
		return Outcome{}, err
	}
	if err := tx.Record(ctx, []AuditEntry{entry}); err != nil {
		return Outcome{}, err
	}
	out := accepted(r, w.draft.Body, created)
	out.Issues = w.remarks
	return out, nil
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
func (g *Gateway) writable(ctx context.Context, tx Tx, s step) (Record, error) {
	const op = "gateway.write"
	who, in := s.who, s.in
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
	current, err := tx.Lock(ctx, s.permit, in.Target)
	if err != nil {
		return Record{}, err
	}
	if err := g.notOwnReview(ctx, tx, who, current); err != nil {
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
	case "CareTeam", "Patient":
		return g.bear(ctx, tx, w.before, r)
	case "Subscription":
		return g.subscribe(ctx, tx, who, w, r)
	case "Communication":
		if queues(w.resource) {
			return g.enqueue(ctx, tx, who, w.resource, r)
		}
	}
	return nil
}

// delete writes the version that tells that an own record is gone. Deleting what is deleted succeeds
// (R4 http.html#delete).
func (g *Gateway) delete(ctx context.Context, tx Tx, s step) (Outcome, error) {
	current, err := g.writable(ctx, tx, s)
	if err != nil {
		if CodeOf(err) == Gone {
			return Outcome{}, nil
		}
		return Outcome{}, err
	}
	ref, err := g.newReference(s.in.Target.Type, s.in.Target.ID)
	if err != nil {
		return Outcome{}, err
	}
	d := Draft{
		Reference: ref, Previous: current.Reference.Version, Custodian: current.Custodian,
		Low: current.Low, High: current.High, Labels: current.Labels, Added: current.Added,
		Parts: current.Parts, Sent: current.Sent, Updated: g.Clock(), Method: Delete, Actor: s.who.Actor,
	}
	r, err := tx.Put(ctx, s.permit, d)
	if err != nil {
		return Outcome{}, err
	}
	w := &written{draft: d}
	switch ref.Type {
	case "Consent":
		err = g.putGrants(ctx, tx, StoredConsent{Consent: r.Reference, Person: current.Person, Custodian: current.Custodian}, s.who.Party, nil)
	case "CareTeam", "Patient":
		err = g.bear(ctx, tx, current, r)
	case "Subscription":
		err = tx.Unsubscribe(ctx, current.Custodian, ref.ID)
	}
	if err != nil {
		return Outcome{}, err
	}
	entry, err := g.writtenEntry(s.who, w, r.Person)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Version: r.Reference.Version, Updated: r.Updated}, tx.Record(ctx, []AuditEntry{entry})
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
