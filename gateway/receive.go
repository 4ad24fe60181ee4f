package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// poisonTries is how often a message is tried before its sender gets a negative AppRec.
const poisonTries = 5

// Receive takes in one business document. The bytes and the claim on (sender, MsgId) are durable
// before anything is read out of them; what they bring about follows in a transaction of its own,
// which Resume takes up again when this process dies in between. The same sender, MsgId and bytes
// give the first receipt; other bytes are Conflict. An error means that nothing was kept.
func (g *Gateway) Receive(ctx context.Context, a Actor, s Submission, t Translator) (_ Receipt, err error) {
	const op = "gateway.receive"
	defer g.failed(ctx, a, Interaction{Code: Submit}, &err)
	m, err := t.Head(s.Document)
	if err != nil {
		return Receipt{}, err
	}
	if m.Receivers, err = chosen(m.Receivers, s.Only); err != nil {
		return Receipt{}, err
	}
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return Receipt{}, err
	}
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return Receipt{}, Failed(op, Unavailable, err)
	}
	if from, ok := dir.Party(m.Sender.HERID); !ok || from.ID != who.party.ID {
		if err := g.refuseMessage(ctx, who, Submit, m.MsgID); err != nil {
			return Receipt{}, err
		}
		return Receipt{}, forbidden(op, "message.sender-not-own")
	}
	about, err := g.concerns(ctx, who, m, s.Document, t)
	if err != nil {
		return Receipt{}, err
	}
	if !about {
		if err := g.refuseMessage(ctx, who, Submit, m.MsgID); err != nil {
			return Receipt{}, err
		}
		return Receipt{}, forbidden(op, "message.patient-not-attested")
	}
	id, err := newID(g.Random)
	if err != nil {
		return Receipt{}, err
	}
	m.ID, m.Party, m.Document, m.Digest = MessageID(id), who.party.ID, s.Document, digestOf(s.Document)
	m.At, m.State, m.Actor, m.Whole = g.Clock(), Received, a, s.Whole
	var r Receipt
	err = g.Store.Tx(ctx, func(tx Tx) error {
		if r, err = tx.Claim(ctx, m); err != nil {
			return err
		}
		return s.origin.keep(ctx, tx, r.ID)
	})
	if err != nil {
		if CodeOf(err) == Conflict {
			g.warnOfConflict(ctx, who, m)
		}
		return Receipt{}, err
	}
	if r.State == Received {
		err := g.settle(ctx, r.ID, t)
		for again := 0; again < 2 && err != nil && CodeOf(err) == Unavailable && ctx.Err() == nil; again++ {
			err = g.settle(ctx, r.ID, t) // many messages about one person at once
		}
		if err != nil { // durable already: Resume goes on with it
			g.Log.WarnContext(ctx, "message waits for another try", slog.String("message", string(r.ID)), slog.Any("error", err))
		}
	}
	return r, nil
}

// chosen keeps the receivers that are to be handled, each once.
func chosen(all []Addressee, only []HERID) ([]Addressee, error) {
	var list []Addressee
	for _, a := range all {
		named := len(only) == 0 || slices.Contains(only, a.HERID)
		if named && !slices.ContainsFunc(list, func(b Addressee) bool { return b.HERID == a.HERID }) {
			list = append(list, a)
		}
	}
	for _, id := range only {
		if !slices.ContainsFunc(all, func(a Addressee) bool { return a.HERID == id }) {
			return nil, Fault("gateway.receive", Malformed, fhir.Issue{Severity: "error", Type: "value", Code: "message.receiver-not-named"})
		}
	}
	return list, nil
}

// concerns tells whether the actor may hand in the document: with a token bound to one patient, only
// what is about her. An AppRec is about whom the message is about that it answers.
func (g *Gateway) concerns(ctx context.Context, who asked, m Message, document []byte, t Translator) (bool, error) {
	if who.attested == 0 {
		return true, nil
	}
	if m.Kind != KindAppRec {
		return m.National == who.Attest.NIN, nil
	}
	a, err := t.ReadAppRec(document)
	if err != nil {
		return false, err
	}
	about := false
	err = g.Store.Tx(ctx, func(tx Tx) error {
		e, err := tx.Original(ctx, a.To, a.Original, a.From)
		if err != nil {
			about = false
			return ignoreAbsent(err)
		}
		about = e.Party == who.party.ID && who.concerns(e.Person)
		return nil
	})
	return about, err
}

// exchanger resolves an actor that hands in or fetches messages: a system or a person of a party,
// and the one patient that its token may be bound to.
func (g *Gateway) exchanger(ctx context.Context, a Actor) (asked, error) {
	const op = "gateway.exchange"
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return asked{}, Failed(op, Unavailable, err)
	}
	party, ok := dir.Party(a.Party)
	if !ok || (a.Kind != Machine && a.Kind != Person) {
		return asked{}, forbidden(op, actorUnknown)
	}
	who := asked{Actor: a, party: party}
	if a.Attest.NIN.IsZero() {
		return who, nil
	}
	err = g.Store.Snapshot(ctx, func(v View) (err error) {
		who.attested, err = g.personOf(ctx, v, party.ID, a.Attest.NIN)
		return err
	})
	return who, err
}

// refuseMessage keeps a refusal that concerns no patient that is known yet.
func (g *Gateway) refuseMessage(ctx context.Context, who asked, code InteractionCode, id MsgID) error {
	e, err := g.entry(who, code, Refused, 0)
	if err != nil {
		return err
	}
	e.Code, e.Message = Forbidden, string(id)
	return g.record(ctx, []AuditEntry{e}, nil)
}

// Resume takes up messages whose bytes are here and whose effect is not: at start and now and
// then. One that fails again and again gets a negative AppRec and is put aside; the others go on.
// It tells how many it settled.
func (g *Gateway) Resume(ctx context.Context, t Translator, limit int) (int, error) {
	var ids []MessageID
	err := g.Store.Tx(ctx, func(tx Tx) (err error) {
		ids, err = tx.Pending(ctx, g.Clock(), limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	settled := 0
	for _, id := range ids {
		if ctx.Err() != nil {
			return settled, ctx.Err()
		}
		err := g.settle(ctx, id, t)
		if err == nil {
			settled++
			continue
		}
		if ctx.Err() != nil {
			return settled, ctx.Err()
		}
		g.Log.WarnContext(ctx, "message could not be settled", slog.String("message", string(id)), slog.Any("error", err))
		if CodeOf(err) == Unavailable { // not the message's fault: it is tried again, however often
			continue
		}
		if err := g.postpone(ctx, id, t); err != nil {
			return settled, err
		}
	}
	return settled, nil
}

// postpone counts a failed try; the last one ends with a negative AppRec.
func (g *Gateway) postpone(ctx context.Context, id MessageID, t Translator) error {
	tries := 0
	err := g.Store.Tx(ctx, func(tx Tx) error {
		if _, err := tx.Take(ctx, id); err != nil {
			return err
		}
		var err error
		tries, err = tx.Postpone(ctx, id, g.Clock().Add(time.Duration(1<<min(tries, 6))*time.Second))
		return err
	})
	if errors.Is(err, errSettled) || CodeOf(err) == NotFound && err != nil {
		return nil
	}
	if err != nil || tries < poisonTries {
		return err
	}
	return g.giveUp(ctx, id, t, ProcessingFailed)
}

// issuesOf is what an error tells of the content: the first few places, as many as somebody reads.
func issuesOf(err error) []fhir.Issue {
	e, ok := asError(err)
	if !ok {
		return nil
	}
	var list []fhir.Issue
	for _, i := range e.Issues[:min(len(e.Issues), 5)] {
		list = append(list, fhir.Issue{Severity: i.Severity, Type: i.Type, Code: i.Code, Expression: i.Expression, Line: i.Line})
	}
	return list
}

var errSettled = errors.New("message is settled")

// ofContent tells whether an error is a fault of the document, which is the same at every try.
func ofContent(err error) bool {
	switch CodeOf(err) {
	case Malformed, Invalid, NotSupported, TooLarge, TooCostly:
		return err != nil
	}
	return false
}

// settle gives a claimed message its effect, once. A fault of its content is answered at once.
func (g *Gateway) settle(ctx context.Context, id MessageID, t Translator) error {
	err := g.effect(ctx, id, t)
	if !ofContent(err) {
		return err
	}
	g.Log.WarnContext(ctx, "message is not valid", slog.String("message", string(id)), slog.Any("error", err))
	return g.giveUp(ctx, id, t, ContentInvalid, issuesOf(err)...)
}

// giveUp ends a claimed message with a negative AppRec.
func (g *Gateway) giveUp(ctx context.Context, id MessageID, t Translator, why Reason, faults ...fhir.Issue) error {
	err := g.Store.Tx(ctx, func(tx Tx) error {
		m, err := g.take(ctx, tx, id, t)
		if err != nil {
			return err
		}
		if err := g.reject(ctx, tx, m, t, why, faults...); err != nil || why != ProcessingFailed {
			return err
		}
		return g.quarantined(ctx, tx, m)
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// What the sender of a message is told that failed at every try.
const (
	quarantineTask = "message-quarantined"
	quarantineText = "En melding kunne ikke behandles, og er lagt til side etter flere forsøk. Mottakeren har den ikke. Ta kontakt med mottakeren på en annen måte."
)

// quarantined tells the sender's people of a message that was put aside: its AppRec says only that it failed.
func (g *Gateway) quarantined(ctx context.Context, tx Tx, m Message) error {
	g.Log.ErrorContext(ctx, "message was put aside", slog.String("alarm", quarantineTask), slog.String("message", string(m.ID)))
	var person PersonID
	if !m.National.IsZero() {
		f, _, err := tx.FactsAbout(ctx, m.Party, Subject{NIN: m.National})
		if err != nil {
			return err
		}
		person = f.Person
	}
	return g.remind(ctx, tx, m.Party, person, quarantineTask, quarantineText)
}

// effect settles in one transaction.
func (g *Gateway) effect(ctx context.Context, id MessageID, t Translator) error {
	err := g.Store.Tx(ctx, func(tx Tx) error {
		m, err := g.take(ctx, tx, id, t)
		if err != nil {
			return err
		}
		if m.Kind == KindAppRec {
			return g.applyAppRec(ctx, tx, m, t)
		}
		return g.deliver(ctx, tx, m, t)
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// take locks the claimed message and reads its head anew: the row holds only what the bytes do not.
func (g *Gateway) take(ctx context.Context, tx Tx, id MessageID, t Translator) (Message, error) {
	kept, err := tx.Take(ctx, id)
	if err != nil {
		if CodeOf(err) == NotFound {
			return Message{}, errSettled
		}
		return Message{}, err
	}
	m, err := t.Head(kept.Document)
	if err != nil {
		return Message{}, err
	}
	m.Named = m.Receivers
	m.ID, m.Party, m.Document, m.Digest = kept.ID, kept.Party, kept.Document, kept.Digest
	m.At, m.State, m.Actor, m.Receivers, m.Whole = kept.At, kept.State, kept.Actor, kept.Receivers, kept.Whole
	return m, nil
}

// arrival is a message on its way into the store.
type arrival struct {
	message  Message
	sender   asked
	permit   Permit // to write under the sender's custody
	patient  fhir.Reference
	known    bool // the Patient is there already
	facts    Facts
	delivery Delivery
	reason   Reason       // why nothing of it crosses, whatever the consents say
	faults   []fhir.Issue // of its content
	drafts   []*written
	records  []Record // as they will be, for the decision; parallel to drafts and Resources
	verdicts []Verdict
	earlier  []Envelope // what it changes or cancels, where it names no parent
	early    bool       // it names what it changes so, and that is not here
	first    *Record    // the Patient, when it had to be stored before what names it
}

// deliver maps, decides, stores under the sender's custody, lays into mailboxes and answers, all in
// one transaction.
func (g *Gateway) deliver(ctx context.Context, tx Tx, m Message, t Translator) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	sender, ok := dir.Party(m.Party)
	if !ok {
		return Failed("gateway.deliver", Internal, errCustodianUnknown)
	}
	w := &arrival{message: m, sender: asked{Actor: m.Actor, party: sender}}
	w.permit = g.custody(w.sender, Submit)
	if err := g.identify(ctx, tx, w); err != nil {
		return err
	}
	switch kept, err := tx.Kept(ctx, m.ID); {
	case err == nil:
		return g.extend(ctx, tx, dir, w, kept, t)
	case CodeOf(err) != NotFound:
		return err
	}
	if err := g.threaded(ctx, tx, w); err != nil {
		return err
	}
	if err := g.mapped(ctx, w, t); err != nil {
		return err
	}
	if err := g.stated(ctx, tx, dir, w); err != nil {
		return err
	}
	if w.reason != NoReason {
		w.message.Change = NoChange // it changes nothing that it cannot be shown to be about
	}
	state := Rejected
	for _, to := range m.Receivers {
		v, err := g.admit(ctx, dir, w, to)
		if err != nil {
			return err
		}
		if v.Crosses {
			state = Acknowledged
		}
		w.verdicts = append(w.verdicts, v)
	}
	content, person, err := g.keep(ctx, tx, w)
	if err != nil {
		return err
	}
	if err := g.answer(ctx, tx, w, content, person, state, t); err != nil {
		return err
	}
	return g.awaited(ctx, tx, w, person)
}

// custody lets a party's records be read and written on its own behalf: the token that handed the
// message in, or ordered it, has shown that the party did.
func (g *Gateway) custody(who asked, code InteractionCode) Permit {
	return Permit{
		decision: Decision{Effect: Allow, Scope: Scope{Own: who.party.ID, Write: true, Revision: g.Decider.Revision()}},
		code:     code, actor: who.Actor, party: who.party,
	}
}

// identify finds the person and the sender's own Patient. Messages of one sender about one person
// follow each other from here on.
func (g *Gateway) identify(ctx context.Context, tx Tx, w *arrival) error {
	m := w.message
	key := string(m.Party) + "\x00" + m.National.Reveal()
	if m.National.IsZero() {
		thread := m.Parent
		if thread == "" {
			thread = string(m.MsgID)
		}
		key += "\x00" + thread
	}
	if err := tx.Serialize(ctx, key); err != nil {
		return err
	}
	switch m.Fault {
	case NationalMissing:
		w.reason = NINMissing
	case NationalWrong:
		w.reason = NINWrong
	}
	if m.National.IsZero() {
		if w.reason == NoReason {
			w.reason = NINMissing
		}
		return nil
	}
	var err error
	if w.patient, err = tx.PatientOf(ctx, m.Party, m.National); err != nil {
		return err
	}
	w.known = w.patient.ID != ""
	w.facts, _, err = tx.FactsAbout(ctx, m.Party, Subject{NIN: m.National})
	return err
}

// threaded finds what a message without ConversationRef changes or cancels: the earlier messages of its sender about the
// same person and thing. One that names nothing is refused: what it changes could never be found. One that names what is not
// here yet waits for it (replace).
func (g *Gateway) threaded(ctx context.Context, tx Tx, w *arrival) error {
	m := w.message
	if !m.Threaded || m.Parent != "" || m.Change != Supersede && m.Change != Cancel || w.reason != NoReason {
		return nil
	}
	if m.Thread == "" {
		w.reason = ParentUnnamed
		return nil
	}
	var err error
	if w.facts.Person > 0 {
		w.earlier, err = tx.Threaded(ctx, m, w.facts.Person)
	}
	w.early = len(w.earlier) == 0
	return err
}

// mapped makes checked and labelled drafts. What cannot be mapped is kept as it came, and nothing
// of it crosses.
func (g *Gateway) mapped(ctx context.Context, w *arrival, t Translator) error {
	var failed error
	name := func(rt fhir.Type, _ string) fhir.ID {
		if rt == "Patient" && w.known {
			return w.patient.ID
		}
		s, err := newID(g.Random)
		if err != nil {
			failed = err
		}
		if rt == "Patient" {
			w.patient = fhir.Reference{Type: "Patient", ID: fhir.ID(s)}
		}
		return fhir.ID(s)
	}
	if w.reason == NoReason {
		d, err := t.Map(w.message, name)
		switch code := CodeOf(err); {
		case err == nil:
			w.delivery = d
			w.delivery.AllOrNothing = d.AllOrNothing || w.message.Whole
		case code == NotSupported:
			w.reason, w.faults = KindUnknown, issuesOf(err)
		case ofContent(err):
			w.reason, w.faults = ContentInvalid, issuesOf(err)
		default:
			return err
		}
	}
	if w.reason == NoReason {
		err := g.draftAll(ctx, w)
		if err != nil && !ofContent(err) {
			return err
		}
		if err != nil {
			g.Log.WarnContext(ctx, "mapped message is not valid", slog.String("message", string(w.message.ID)), slog.Any("error", err))
			w.reason, w.faults = ContentInvalid, issuesOf(err)
		}
	}
	if w.reason != NoReason {
		w.delivery, w.drafts, w.records = Delivery{}, nil, nil
		if !w.known {
			w.patient = fhir.Reference{}
		}
		original, err := t.Original(w.message, w.patient, name)
		if err != nil {
			return err
		}
		w.delivery.Resources = original
		if err := g.draftAll(ctx, w); err != nil {
			return err
		}
	}
	return failed
}
