package gateway

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// What the sender of a message is told of its AppRec.
const (
	overdueText    = "Ingen applikasjonskvittering er kommet innen fristen."
	appRecCameText = "Applikasjonskvitteringen er kommet."
)

func digestOf(document []byte) [32]byte { return sha256.Sum256(document) }

// applyAppRec applies an AppRec that came as a business document. It is kept whatever it answers,
// and never answered itself (plo.md § 6.2).
func (g *Gateway) applyAppRec(ctx context.Context, tx Tx, m Message, t Translator) error {
	a, err := t.ReadAppRec(m.Document)
	if err != nil {
		return g.reject(ctx, tx, m, t, ContentInvalid, issuesOf(err)...)
	}
	if err := tx.Serialize(ctx, turnOfAppRec(a.To, a.Original)); err != nil {
		return err
	}
	if err := tx.Settle(ctx, m, 0, Content{}, Acknowledged); err != nil {
		return err
	}
	return g.join(ctx, tx, m, a)
}

// turnOfAppRec is the key by which a message that is laid ready and its AppRecs follow each other.
func turnOfAppRec(sender HERID, original MsgID) string {
	return "apprec\x00" + string(sender) + "\x00" + string(original)
}

// join applies a kept AppRec to the message that it answers. One that answers nothing that lies ready for its sender
// yet waits for that.
func (g *Gateway) join(ctx context.Context, tx Tx, m Message, a AppRec) error {
	original, err := tx.Original(ctx, a.To, a.Original, a.From)
	if err != nil && CodeOf(err) == NotFound {
		return tx.Park(ctx, a, m.ID)
	}
	if err != nil {
		return err
	}
	if original.Party != m.Party { // an AppRec comes from the party that has the message
		return nil
	}
	_, first, err := tx.State(ctx, original.Message.ID, original.Receiver, a.Status, a.Errors, m.ID)
	if err != nil || !first { // said before: what was said first holds
		return err
	}
	return g.receipted(ctx, tx, original, a.Status, a.Errors, m.ID)
}

// joinEarly applies the AppRecs that were here before the message that has now been laid ready for the receiver.
func (g *Gateway) joinEarly(ctx context.Context, tx Tx, m Message, receiver HERID, t Translator) error {
	if err := tx.Serialize(ctx, turnOfAppRec(m.Sender.HERID, m.MsgID)); err != nil {
		return err
	}
	waiting, err := tx.Parked(ctx, m.Sender.HERID, m.MsgID, receiver)
	if err != nil {
		return err
	}
	for _, early := range waiting {
		a, err := t.ReadAppRec(early.Document)
		if err != nil {
			return err
		}
		if err := g.join(ctx, tx, early, a); err != nil {
			return err
		}
	}
	return nil
}

// stateReceipt writes the AppRec document of a receiver that states it as values, and applies it. The
// same said again gives the first document; anything else, after what was said once, is Conflict.
func (g *Gateway) stateReceipt(ctx context.Context, tx Tx, who asked, e Envelope, status AppRecStatus, errs []AppRecError, t Translator) (MessageID, error) {
	id, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	msgID, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	said, first, err := tx.State(ctx, e.Message.ID, e.Receiver, status, errs, MessageID(id))
	switch {
	case err != nil:
		return "", err
	case !first && said.Same(status, errs):
		return said.Document, nil
	case !first:
		return "", Fault("gateway.acknowledge", Conflict, fhir.Issue{Severity: "error", Type: "conflict", Code: "message.apprec-given"})
	}
	now := g.Clock()
	a := AppRec{
		MsgID: MsgID(msgID), From: e.Receiver, To: e.Message.Sender.HERID, Original: e.Message.MsgID,
		Status: status, Errors: errs, At: now,
	}
	document, err := t.WriteAppRec(a, e.Message)
	if err != nil {
		return "", err
	}
	m := Message{
		ID: MessageID(id), Sender: Addressee{HERID: e.Receiver}, Party: who.party.ID, MsgID: a.MsgID, Kind: KindAppRec,
		Receivers: []Addressee{e.Message.Sender}, Generated: now, Document: document, Digest: digestOf(document), At: now,
		State: Acknowledged, Actor: who.Actor,
	}
	if err := tx.Lay(ctx, m, 0, Content{}); err != nil {
		return "", err
	}
	return m.ID, g.receipted(ctx, tx, e, status, errs, m.ID)
}

// receipted applies the first answer of a receiver's own system. For a message that Sluse has sent it is
// the AppRec: order and Communication follow it, a late one too. A message that came by the message
// API got its AppRec when it was taken in; the sender of one that is then refused after all is told
// by a Task.
func (g *Gateway) receipted(ctx context.Context, tx Tx, e Envelope, status AppRecStatus, errs []AppRecError, document MessageID) error {
	first, err := tx.Answer(ctx, e.Message.ID, e.Receiver, status, errs, document)
	if err != nil {
		return err
	}
	o, err := tx.Ordered(ctx, e.Message.ID, e.Receiver)
	if CodeOf(err) == NotFound && err != nil {
		if status == AppRecRejected && !first {
			return g.remind(ctx, tx, e.Message.Party, e.Person, "message-refused",
				"Mottakeren har avvist en melding som var levert. Ta kontakt med mottakeren.")
		}
		return nil
	}
	if err != nil || !first {
		return err
	}
	if o.State == Expired {
		if err := g.endNoted(ctx, tx, e, appRecCameText); err != nil {
			return err
		}
	}
	reason := ""
	o.State = Accepted
	if status == AppRecRejected {
		o.State = Rejected
		reason = rejectedText(errs)
	}
	if err := tx.Advance(ctx, o, time.Time{}, reason); err != nil {
		return err
	}
	return g.conclude(ctx, tx, o, reason)
}

// rejectedText repeats the codes of a negative AppRec: a receiver's free text may hold anything.
func rejectedText(errs []AppRecError) string {
	text := "Avvist av mottakeren"
	for i, e := range errs {
		if i == 0 {
			text += ": "
		} else {
			text += ", "
		}
		text += e.Code
	}
	return text + "."
}

// ExpireOverdue marks orders whose AppRec is not here in time and tells the sender to act (plo.md
// § 6.2). It tells how many there were.
func (g *Gateway) ExpireOverdue(ctx context.Context, limit int) (int, error) {
	count := 0
	err := g.Store.Tx(ctx, func(tx Tx) error {
		orders, err := tx.Overdue(ctx, g.Clock(), limit)
		if err != nil {
			return err
		}
		count = len(orders)
		for _, o := range orders {
			o.State = Expired
			if err := tx.Advance(ctx, o, time.Time{}, overdueText); err != nil {
				return err
			}
			if err := g.note(ctx, tx, o.Message, o.Receiver.HERID, o.Party, o.Person, "apprec-missing", overdueText); err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}

// warnOfConflict tells a sender's party that one MsgId was used for two contents (DESIGN § 5).
func (g *Gateway) warnOfConflict(ctx context.Context, who asked, m Message) {
	g.Log.ErrorContext(ctx, "one MsgId for two contents", slog.String("alarm", "msgid-reused"), slog.String("party", string(who.party.ID)),
		slog.String("sender", string(m.Sender.HERID)))
	err := g.Store.Tx(ctx, func(tx Tx) error {
		var person PersonID
		if !m.National.IsZero() {
			f, _, err := tx.FactsAbout(ctx, who.party.ID, Subject{NIN: m.National})
			if err != nil {
				return err
			}
			person = f.Person
		}
		e, err := g.entry(who, Submit, Refused, person)
		if err != nil {
			return err
		}
		e.Code, e.Message, e.Type = Conflict, string(m.MsgID), "Communication"
		if err := tx.Record(ctx, []AuditEntry{e}); err != nil {
			return err
		}
		first, err := tx.Reused(ctx, m)
		if err != nil || !first { // told before
			return err
		}
		return g.remind(ctx, tx, who.party.ID, person, "msgid-reused",
			"En melding ble avvist fordi meldingsidentifikatoren er brukt før med et annet innhold.")
	})
	if err != nil {
		g.Log.ErrorContext(ctx, "conflict of a message could not be told", slog.Any("error", err))
	}
}
