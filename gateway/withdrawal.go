package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Withdrawal is a version of a Consent that took permits away, and from whom.
type Withdrawal struct {
	Consent fhir.Reference // with Version
	Person  PersonID
	At      time.Time
	Ended   []HERID // parties that no permit of the version names any more
	Lost    []HERID // all that have lost something, those of Ended among them
}

// Reached is a party that something has left to on a Consent.
type Reached struct {
	Party HERID
	Mail  *Post // when all of it came as messages: by which way the last one came
}

// Post is a way by which messages go.
type Post struct {
	Party    HERID // the sender's
	Sender   HERID // its address
	Receiver HERID // that of the receiver
}

// Notice is who is told of a withdrawal, and by what.
type Notice struct {
	Withdrawal    *Withdrawal
	Party         HERID
	Task          fhir.ID
	Communication fhir.ID // "" when no message is sent
}

// Withdrawals is the part of a Tx that knows who must be told of a withdrawal. Errors are *Error.
type Withdrawals interface {
	// GrantsOf gives the grants that a Consent has now, and the version that gives them; none when it
	// does not count.
	GrantsOf(ctx context.Context, consent fhir.ID) (version string, grants []Grant, err error)
	// Recipients lists those of the parties that something of another has left to on a Consent about the
	// person: by what the ledger says.
	Recipients(ctx context.Context, consent fhir.ID, person PersonID, of []HERID) ([]Reached, error)
	// PutWithdrawal keeps a withdrawal.
	PutWithdrawal(ctx context.Context, w Withdrawal) error
	// OpenWithdrawal locks a withdrawal from before the time that is not settled; NotFound when there
	// is none. SettleWithdrawal takes it off that list.
	OpenWithdrawal(ctx context.Context, before time.Time) (Withdrawal, error)
	SettleWithdrawal(ctx context.Context, consent fhir.Reference) error
	// Notified lists who has been told of it; PutNotice keeps that somebody has.
	Notified(ctx context.Context, consent fhir.Reference) ([]HERID, error)
	PutNotice(ctx context.Context, n Notice) error
}

// withdrawalTask is the Task by which a party is told that what it has received rests on no samtykke any
// more (kodeverk oppgave).
const withdrawalTask = "withdrawal"

// What a party is told. Nothing in it is about health, or names anybody.
const (
	withdrawnText = "Et samtykke som dere har mottatt opplysninger etter, er trukket tilbake. Nye opplysninger kan ikke hentes på grunnlag av det. Det dere alt har hentet i melding, hører til deres journal (hpl. §§ 39–40)."
	narrowedText  = "Et samtykke som dere har mottatt opplysninger etter, er innsnevret. Se hva det fortsatt omfatter før dere bygger på det. Det dere alt har hentet i melding, hører til deres journal (hpl. §§ 39–40)."
)

// isNotice tells of the Communication by which a withdrawal is told, or that a question cannot be answered: its words are ours, and tell no more than
// that somebody has received something, whatever messages of its type are otherwise about.
func isNotice(res *fhir.Resource) bool {
	root := res.Root()
	payload := root.Get("payload").Items()
	if res.Type() != "Communication" || len(payload) != 1 || len(payload[0].Members()) != 1 {
		return false
	}
	for _, m := range root.Members() {
		if !slices.Contains(noticeElements, m.Name) {
			return false
		}
	}
	text := payload[0].Get("contentString").Text()
	if string(root.Get("topic").Raw()) == unansweredTopic {
		return text == unansweredText
	}
	return root.Get("topic", "coding") == nil && root.Get("topic", "text").Text() == noticeTopic && (text == withdrawnText || text == narrowedText)
}

const noticeTopic = "Samtykke"

// noticeElements are all that such a Communication has.
var noticeElements = []string{
	"resourceType", "id", "meta", "status", "statusReason", "category", "subject", "recipient", "topic", "payload",
}

// settleAfter is when accesses that were decided before a withdrawal are surely in the ledger.
const settleAfter = time.Minute

// putGrants makes the grants of a Consent's version count, and brings with it what follows: whoever has
// received something on it and loses a permit is told, and reminders of its end follow. Who has registered
// it, and by, who has written the version, are not told: they know.
func (g *Gateway) putGrants(ctx context.Context, tx Tx, c StoredConsent, by HERID, grants []Grant) error {
	version, before, err := tx.GrantsOf(ctx, c.Consent.ID)
	if err != nil {
		return err
	}
	if err := tx.PutGrants(ctx, c.Person, c.Consent, grants, c.Basis); err != nil {
		return err
	}
	if err := g.schedule(ctx, tx, c, grants); err != nil {
		return err
	}
	if version == c.Consent.Version || len(before) == 0 { // resolved anew: what its own version says is the same
		return nil
	}
	w := Withdrawal{Consent: c.Consent, Person: c.Person, At: g.Clock()}
	w.Ended, w.Lost = lost(before, grants, w.At)
	itself := func(party HERID) bool { return party == c.Custodian || party == by }
	w.Ended, w.Lost = slices.DeleteFunc(w.Ended, itself), slices.DeleteFunc(w.Lost, itself)
	if len(w.Lost) == 0 || w.Person <= 0 {
		return nil
	}
	if err := tx.PutWithdrawal(ctx, w); err != nil {
		return err
	}
	return g.tellWithdrawal(ctx, tx, &w)
}

// tellWithdrawal tells those who have received something and have not been told.
func (g *Gateway) tellWithdrawal(ctx context.Context, tx Tx, w *Withdrawal) error {
	received, err := tx.Recipients(ctx, w.Consent.ID, w.Person, w.Lost)
	if err != nil || len(received) == 0 {
		return err
	}
	told, err := tx.Notified(ctx, w.Consent)
	if err != nil {
		return err
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	for _, r := range received {
		party, known := dir.Party(r.Party)
		if !known || slices.Contains(told, r.Party) {
			continue
		}
		if err := g.notifyWithdrawal(ctx, tx, dir, w, party, r.Mail); err != nil {
			return err
		}
	}
	return nil
}

// notifyWithdrawal gives one party its Task, and, when all that it has came by message, a dialogmelding the
// way the last one came: from who sent it, since that one it knows.
func (g *Gateway) notifyWithdrawal(ctx context.Context, tx Tx, dir Directory, w *Withdrawal, to Party, mail *Post) error {
	text := narrowedText
	if slices.Contains(w.Ended, to.ID) {
		text = withdrawnText
	}
	n := Notice{Withdrawal: w, Party: to.ID}
	var err error
	if n.Task, err = g.taskAbout(ctx, tx, to, w.Person, withdrawalTask, text, fhir.Reference{Type: "Consent", ID: w.Consent.ID}); err != nil {
		return err
	}
	if mail != nil {
		if n.Communication, err = g.postWithdrawal(ctx, tx, dir, w, to, *mail, text); err != nil {
			return err
		}
	}
	return tx.PutNotice(ctx, n)
}

// postWithdrawal orders the dialogmelding: a Communication of the sender's, about its own Patient.
func (g *Gateway) postWithdrawal(ctx context.Context, tx Tx, dir Directory, w *Withdrawal, to Party, mail Post, text string) (fhir.ID, error) {
	from, known := dir.Party(mail.Party)
	if !known {
		return "", nil
	}
	return g.postNotice(ctx, tx, posting{from: from, to: to, mail: mail, person: w.Person, kind: "DIALOG_HELSEFAGLIG", topic: `{"text":"` + noticeTopic + `"}`, text: text})
}

// posting is a dialogmelding of words of ours.
type posting struct {
	from, to             Party
	mail                 Post
	person               PersonID
	kind                 string // kodeverk 8279
	topic, text          string // Communication.topic as JSON
	conversation, parent string
}

// postNotice orders one: a Communication of the sender's, about its own Patient; "" when it has none.
func (g *Gateway) postNotice(ctx context.Context, tx Tx, n posting) (fhir.ID, error) {
	patient, err := tx.PatientFor(ctx, n.from.ID, n.person)
	if err != nil || patient.ID == "" {
		return "", err
	}
	id, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	msgID, err := newID(g.Random)
	if err != nil {
		return "", err
	}
	body := []byte(`{"resourceType":"Communication","status":"in-progress","category":[{"coding":[{"system":"` + messageTypeSystem + `","code":"` + n.kind + `"}]}],"subject":{"reference":`)
	body = append(appendJSON(body, fhir.Reference{Type: "Patient", ID: patient.ID}.String()), `},"recipient":[{"reference":`...)
	body = append(appendJSON(body, n.to.Organization.String()), `}],"topic":`+n.topic+`,"payload":[{"contentString":`...)
	body = append(appendJSON(body, n.text), `}]}`...)
	owner := asked{Actor: Actor{Kind: Machine, Party: n.from.ID, Purpose: Administer}, party: n.from}
	order, err := g.authored(ctx, owner, body, fhir.ID(id), Samarbeid)
	if err != nil {
		return "", err
	}
	if err := g.store(ctx, tx, owner, order, n.person); err != nil {
		return "", err
	}
	return fhir.ID(id), tx.Enqueue(ctx, Order{
		Communication: order.draft.Reference, Party: n.from.ID, Sender: Addressee{HERID: n.mail.Sender}, Receiver: Addressee{HERID: n.mail.Receiver},
		ReceiverParty: n.to.ID, Person: n.person, MsgID: MsgID(msgID), State: Queued, Actor: owner.Actor, Notice: true,
		Conversation: n.conversation, Parent: n.parent,
	})
}

// telling is the permit of a message that tells of a withdrawal: besides what the samtykker cover, it
// covers that the person is known, and the head of the Patient, of the message itself. Who has received
// something is told when its basis is gone (personvernforordningen art. 19), and learns nothing that
// it has not received. A deny, an objection or adressesperre kode 6 holds it back all the same.
func (p Permit) telling(custodian HERID, records ...fhir.Reference) Permit {
	if p.decision.Effect != Allow || p.decision.Scope.Manual || p.decision.Scope.Person <= 0 {
		return p
	}
	t := Term{
		Effect: Allow, Custodians: Only(custodian), Types: Only[fhir.Type]("Communication", "Patient"), Mask: Samarbeid,
		Citation: len(p.decision.Citations),
	}
	for _, r := range records {
		t.Items.Of = append(t.Items.Of, fhir.Reference{Type: r.Type, ID: r.ID})
	}
	p.decision.Scope.Terms = append(slices.Clip(p.decision.Scope.Terms), t)
	p.decision.Citations = append(slices.Clip(p.decision.Citations), noticeCitation)
	return p
}

// records are those that the message consists of.
func (c Content) records() (list []fhir.Reference) {
	for _, kept := range c.Resources {
		list = append(list, kept.Record)
	}
	return list
}

// noticeCitation is what a message that tells of a withdrawal stands on (kodeverk rettsgrunnlag).
var noticeCitation = Citation{Law: "PVF19", Paragraph: "personvernforordningen art. 19"}

// SettleWithdrawals tells those of a withdrawal whose access was under way when it was stored, and stands
// in the ledger since. It tells how many withdrawals it has settled.
func (g *Gateway) SettleWithdrawals(ctx context.Context, limit int) (int, error) {
	count := 0
	for range limit {
		settled := false
		err := g.Store.Tx(ctx, func(tx Tx) error {
			settled = false
			w, err := tx.OpenWithdrawal(ctx, g.Clock().Add(-settleAfter))
			if err != nil {
				return ignoreAbsent(err)
			}
			settled = true
			if err := g.tellWithdrawal(ctx, tx, &w); err != nil {
				return err
			}
			return tx.SettleWithdrawal(ctx, w.Consent)
		})
		if err != nil {
			return count, err
		}
		if !settled {
			break
		}
		count++
	}
	return count, nil
}

// lost tells which parties lose by new grants something that permits of before gave them, and which of them
// no permit names any more. A deny is not looked at: that there is one is not for those it is about.
func lost(before, after []Grant, now time.Time) (ended, less []HERID) {
	still := func(party HERID) bool {
		return slices.ContainsFunc(after, func(g Grant) bool {
			return g.Effect == Allow && slices.ContainsFunc(g.Recipients.Of, func(r Recipient) bool { return r.Party() == party })
		})
	}
	for _, b := range before {
		if b.Effect != Allow || !b.End.IsZero() && !b.End.After(now) {
			continue
		}
		for _, r := range b.Recipients.Of {
			party := r.Party()
			if party == "" || slices.Contains(less, party) || kept(b, r, after, now) {
				continue
			}
			less = append(less, party)
			if !still(party) {
				ended = append(ended, party)
			}
		}
	}
	return ended, less
}

// kept tells whether all that a permit still gives a recipient is given by permits of after, each label by
// any of them.
func kept(b Grant, r Recipient, after []Grant, now time.Time) bool {
	b.Recipients = Only(r)
	if soon := now.Add(clockSkew); b.Start.Before(soon) { // what is past cannot be lost
		b.Start = soon
	}
	var covered Labels
	for _, a := range after {
		label := b
		label.Labels = b.Labels & a.Labels
		if a.Effect == Allow && reached(label, a) {
			covered |= a.Labels
		}
	}
	return b.Labels.Within(covered)
}
