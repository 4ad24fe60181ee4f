package gateway

import (
	"context"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// relayTries is how often an order is tried before its Communication is stopped.
const relayTries = 5

// enqueue queues a stored Communication for every recipient, in the transaction that stores it.
// MsgId and conversation are fixed here, once: each later try sends the same.
func (g *Gateway) enqueue(ctx context.Context, tx Tx, who asked, res *fhir.Resource, r Record) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	root := res.Root()
	if r.Person == 0 {
		return refuseOrder("communication.subject-not-own", "Communication.subject")
	}
	if err := g.ordered(ctx, tx, r); err != nil { // it is sent once
		return err
	}
	if err := g.orderable(root); err != nil {
		return err
	}
	sender := Addressee{HERID: who.party.ID, Practitioner: who.Practitioner}
	if who.Unit != "" {
		sender.HERID = who.Unit
	}
	if named := root.Get("sender", "reference").Text(); named != "" {
		a, ok := addressed(dir, named)
		if !ok || a.Party != who.party.ID {
			return refuseOrder("communication.sender-not-own", "Communication.sender")
		}
		sender = addressee(a, sender)
	}
	conversation, parent, err := g.thread(ctx, tx, who, root)
	if err != nil {
		return err
	}
	if parent == "" && kindOf(root) == "DIALOG_SVAR" {
		return refuseOrder("communication.answer-to-nothing", "Communication.inResponseTo")
	}
	if err := g.changed(ctx, tx, who, root, r.Person, parent); err != nil {
		return err
	}
	recipients := root.Get("recipient").Items()
	if len(recipients) == 0 {
		return refuseOrder("communication.recipient", "Communication.recipient")
	}
	for i, item := range recipients {
		a, ok := addressed(dir, item.Get("reference").Text())
		if !ok || a.Party == "" {
			return refuseOrder("communication.recipient", "Communication.recipient")
		}
		if err := receivable(dir, addressee(a, Addressee{}).HERID, kindOf(root), g.Clock()); err != nil {
			return err
		}
		msgID, err := newID(g.Random)
		if err != nil {
			return err
		}
		o := Order{
			Communication: r.Reference, Party: who.party.ID, Sender: sender, Receiver: addressee(a, Addressee{}),
			ReceiverParty: a.Party, Person: r.Person, MsgID: MsgID(msgID), Conversation: conversation, Parent: parent,
			State: Queued, Actor: who.Actor,
		}
		if to, ok := dir.Party(o.Receiver.HERID); ok && i == 0 { // the same for all of them
			if err := g.expressible(ctx, tx, who, res, o, to); err != nil {
				return err
			}
		}
		if err := tx.Enqueue(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func refuseOrder(code, expression string) error {
	return Fault("gateway.enqueue", Invalid, fhir.Issue{
		Severity: "error", Type: "business-rule", Code: code, Expression: expression,
	})
}

func addressed(dir Directory, reference string) (Address, bool) {
	ref, err := fhir.ParseReference(reference)
	if err != nil {
		return Address{}, false
	}
	return dir.Resolve(ref)
}

func addressee(a Address, to Addressee) Addressee {
	to.HERID = a.Party
	if a.Unit != "" {
		to.HERID = a.Unit
	}
	if a.Practitioner != "" {
		to.Practitioner = a.Practitioner
	}
	return to
}

// thread finds the conversation that a Communication answers in: a message that the party sent, or
// that lies in its mailbox. Naming any other starts no conversation and tells nothing.
func (g *Gateway) thread(ctx context.Context, tx Tx, who asked, root *fhir.Value) (conversation, parent string, err error) {
	for _, item := range root.Get("inResponseTo").Items() {
		ref, err := fhir.ParseReference(item.Get("reference").Text())
		if err != nil {
			continue
		}
		parent, conversation, err = tx.Conversation(ctx, who.party.ID, ref)
		if err != nil {
			return "", "", err
		}
		if parent != "" {
			if conversation == "" {
				conversation = parent
			}
			return conversation, parent, nil
		}
	}
	return "", "", nil
}

// RelayOnce sends the next order whose turn it is: decides now, renders what is covered, and lays
// the document into the receiver's mailbox, where it waits for its AppRec for the time given. It
// tells whether there was one. Bytes and MsgId are fixed at the first rendering.
func (g *Gateway) RelayOnce(ctx context.Context, t Translator, within time.Duration) (bool, error) {
	var tried Order
	worked := false
	err := g.Store.Tx(ctx, func(tx Tx) error {
		tried, worked = Order{}, false
		o, err := tx.Next(ctx, g.Clock())
		if err != nil {
			if CodeOf(err) == NotFound {
				return nil
			}
			return err
		}
		tried, worked = o, true
		return g.relay(ctx, tx, o, t, within)
	})
	if err == nil || tried.Key == 0 || CodeOf(err) == Unavailable { // what is not the order's fault does not count
		return worked && err == nil, err
	}
	tried.Tries++
	failed := err
	err = g.Store.Tx(ctx, func(tx Tx) error {
		if tried.Tries < relayTries {
			return tx.Advance(ctx, tried, g.Clock().Add(time.Duration(1<<tried.Tries)*time.Second), string(CodeOf(failed)))
		}
		return g.stop(ctx, tx, tried, Rejected, "Ikke sendt: meldingen kunne ikke lages.")
	})
	if err != nil {
		return worked, err
	}
	return worked, failed
}

// relay sends one order in the transaction.
func (g *Gateway) relay(ctx context.Context, tx Tx, o Order, t Translator, within time.Duration) error {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	from, known := dir.Party(o.Party)
	to, reachable := dir.Party(o.Receiver.HERID)
	if !known || !reachable {
		return g.stop(ctx, tx, o, Rejected, "Ikke sendt: mottakeren finnes ikke.")
	}
	owner := asked{Actor: o.Actor, party: from}
	own := g.custody(owner, Relay)
	order, err := tx.Read(ctx, own, fhir.Reference{Type: "Communication", ID: o.Communication.ID})
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	res, broken := ParseAuthored(order.Body)
	if err != nil || order.Deleted || broken != nil || res.Root().Get("status").Text() != "in-progress" {
		o.State = Rejected
		return tx.Advance(ctx, o, time.Time{}, "withdrawn") // its sender took it back
	}
	if reason := notSendable(dir, o.Receiver.HERID, kindOf(res.Root()), g.Clock()); reason != "" && !o.Notice {
		return g.stop(ctx, tx, o, Rejected, reason)
	}
	p, err := g.relayPermit(ctx, tx, dir, to, o, kindOf(res.Root()))
	if err != nil {
		return err
	}
	if subject, _ := res.Subject(); o.Notice {
		p = p.telling(o.Party, o.Communication, subject)
	}
	s := sending{gateway: g, order: o, kind: kindOf(res.Root()), own: own, permit: p, communication: order}
	if err := s.collect(ctx, tx, res); err != nil {
		return err
	}
	if s.reason == lackingReason {
		s.reason = withheldText("Ikke sendt", s.missing, t)
	}
	if s.reason != "" {
		return g.hold(ctx, tx, s, owner)
	}
	s.whole = !o.Notice && undivided(t, res.Root())
	if s.missing != 0 && (len(s.out.Records) == 0 && !s.text || s.whole) {
		s.reason = withheldText("Ikke sendt", s.missing, t)
		return g.hold(ctx, tx, s, owner)
	}
	if s.out.Thread, err = g.follows(ctx, tx, o, res.Root(), t); err != nil {
		return err
	}
	return g.lay(ctx, tx, s, owner, to, t, within)
}

func (g *Gateway) relayPermit(ctx context.Context, v View, dir Directory, to Party, o Order, kind string) (Permit, error) {
	facts, err := v.FactsFor(ctx, []PersonID{o.Person})
	if err != nil {
		return Permit{}, err
	}
	q := Question{Action: MessageAction, Named: true, Facts: Facts{Person: o.Person}, Message: kind}
	if len(facts) == 1 {
		q.Facts = facts[0]
	}
	return g.permit(ctx, mailboxOf(dir, to, o.Receiver), Relay, q)
}

// lackingReason stands for the text that names what samtykke lacks for.
const lackingReason = "missing"

// sending is what one order will carry.
type sending struct {
	gateway       *Gateway
	order         Order
	kind          string // kodeverk 8279
	own           Permit // reads the sender's records
	permit        Permit // the receiver's
	communication Record
	out           Outbound
	content       Content
	entities      []AuditEntity
	missing       Labels
	text          bool
	whole         bool   // whole, or not at all
	reason        string // why nothing leaves
}

// collect decides for the Communication, the Patient and each payload, and takes what is covered.
// A message is mapped only from records of its sender about the one person.
func (s *sending) collect(ctx context.Context, v View, res *fhir.Resource) error {
	covered, err := s.take(s.communication)
	if err != nil {
		return err
	}
	if !covered {
		s.reason = lackingReason
		return nil
	}
	s.out.Communication = s.out.Records[0].Body
	s.out.Records = nil
	subject, _ := res.Subject()
	patient, err := v.Read(ctx, s.own, fhir.Reference{Type: "Patient", ID: subject.ID})
	if err != nil {
		return err
	}
	earlier := s.missing
	if covered, err = s.take(patient); err != nil {
		return err
	}
	if !covered {
		s.reason = lackingReason
		return nil
	}
	s.out.Patient = s.out.Records[0].Body
	s.out.Records = nil
	if !carriesAddress(s.kind) { // what the message never holds does not lack
		if s.missing = earlier; sexOf(patient.Body) != sexOf(s.out.Patient) {
			s.missing |= Demografi
		}
	}
	for _, item := range res.Root().Get("payload").Items() {
		if item.Get("contentString") != nil {
			s.text = true
		}
		named := item.Get("contentReference", "reference").Text()
		if named == "" {
			continue
		}
		ref, err := fhir.ParseReference(named)
		if err != nil {
			s.reason = "Ikke sendt: vedlagt innhold finnes ikke."
			return nil
		}
		r, err := v.Read(ctx, s.own, ref)
		if CodeOf(err) == NotFound && err != nil || err == nil && (r.Deleted || r.Person != s.order.Person || r.Custodian != s.order.Party) {
			s.reason = "Ikke sendt: vedlagt innhold finnes ikke." // not there, not the sender's, or another person's
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.take(r); err != nil {
			return err
		}
	}
	return nil
}

// carriesAddress tells of the messages that tell where the patient is reached: others hold no more of her than who she is.
func carriesAddress(kind string) bool { return strings.HasPrefix(kind, "HENVISNING") }

func sexOf(patient []byte) string {
	res, err := ParseAuthored(patient)
	if err != nil {
		return ""
	}
	return res.Root().Get("gender").Text()
}

// take adds a record as the receiver may have it, less the parts that are not covered.
func (s *sending) take(r Record) (bool, error) {
	r = plain(r)
	covered := s.permit.covers(r)
	if !r.Labels.Within(covered) {
		s.missing |= (r.Labels &^ covered).told()
		s.entities = append(s.entities, AuditEntity{Record: r.Reference, Custodian: r.Custodian, Withheld: r.Labels &^ covered})
		return false, nil
	}
	body, withheld, err := s.permit.sent(r, covered)
	if err != nil {
		return false, err
	}
	s.missing |= withheld.told()
	included := Labels(0)
	for _, part := range r.Parts {
		if part.Labels.Within(covered) {
			included |= part.Labels
		}
	}
	s.out.Records = append(s.out.Records, OutboundRecord{Reference: r.Reference, Body: body})
	s.content.Resources = append(s.content.Resources, ContentResource{Record: r.Reference, Included: included})
	s.entities = append(s.entities, AuditEntity{
		Record: r.Reference, Custodian: r.Custodian, Citations: s.permit.citations(r), Withheld: withheld,
	})
	return true, nil
}

// sent gives a covered record as a message carries it. A team, which no grant lets another party read, is whom a message
// names as contacts and as answering for it: it goes as the section does that it becomes.
func (p Permit) sent(r Record, covered Labels) (body []byte, withheld Labels, err error) {
	if r.Reference.Type == "CareTeam" && !p.Scope().owns(r) {
		return cut(nil, &r, covered)
	}
	return p.release(r)
}

// lay renders the document and lays it into the receiver's mailbox.
func (g *Gateway) lay(ctx context.Context, tx Tx, s sending, owner asked, to Party, t Translator, within time.Duration) error {
	o := s.order
	now := g.Clock()
	s.out.Order, s.out.At, s.out.From, s.out.To = o, now, owner.party, to
	document, report, err := t.Render(s.out)
	if err != nil {
		switch CodeOf(err) {
		case NotSupported, Invalid, Malformed:
			s.reason = inexpressibleText(err)
			if s.missing != 0 { // what is left is no message
				s.reason = withheldText("Ikke sendt", s.missing, t)
			}
			return g.hold(ctx, tx, s, owner)
		}
		return err
	}
	m, err := t.Head(document)
	if err != nil {
		return Failed("gateway.relay", Internal, err)
	}
	id, err := newID(g.Random)
	if err != nil {
		return err
	}
	m.ID, m.Party, m.Document, m.Digest, m.At = MessageID(id), o.Party, document, digestOf(document), now
	m.State, m.Actor, m.Whole = Acknowledged, o.Actor, s.whole
	s.content.Relayed, s.content.Notice, s.content.Report = true, o.Notice, report
	if err := tx.Lay(ctx, m, o.Person, s.content); err != nil {
		return err
	}
	if err := tx.Deliver(ctx, Envelope{Receiver: o.Receiver.HERID, Party: to.ID, Message: m, Person: o.Person, Disclosed: cited(s.entities, "", to.ID)}); err != nil {
		return err
	}
	o.State, o.Message, o.Deadline = SentOut, m.ID, now.Add(within)
	if err := tx.Advance(ctx, o, time.Time{}, ""); err != nil {
		return err
	}
	if err := g.stepOut(ctx, tx, s, m, to); err != nil {
		return err
	}
	if s.missing != 0 {
		if err := g.setCommunication(ctx, tx, owner, s.own, o, "in-progress", withheldText("Delvis sendt", s.missing, t)); err != nil {
			return err
		}
	}
	if err := g.relayed(ctx, tx, s, owner, Released, ""); err != nil {
		return err
	}
	return g.joinEarly(ctx, tx, m, o.Receiver.HERID, t)
}

// hold ends an order of which nothing leaves, with the reason to its sender.
func (g *Gateway) hold(ctx context.Context, tx Tx, s sending, owner asked) error {
	state, code := Rejected, Invalid
	if s.missing != 0 {
		state, code = Held, Forbidden
	}
	if err := g.relayed(ctx, tx, s, owner, Refused, code); err != nil {
		return err
	}
	if s.permit.Scope().Manual {
		if err := g.remind(ctx, tx, s.order.Party, s.order.Person, messageByHand, byHandText); err != nil {
			return err
		}
	}
	if o := s.order; state == Held && !o.Notice && s.kind == "DIALOG_SVAR" {
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		u := unanswered{from: o.Sender, to: o.Receiver, person: o.Person, conversation: o.Conversation, parent: o.Parent}
		if err := g.tellUnanswered(ctx, tx, dir, u); err != nil {
			return err
		}
	}
	return g.stop(ctx, tx, s.order, state, s.reason)
}

// relayed writes the ledger entry of one order.
func (g *Gateway) relayed(ctx context.Context, tx Tx, s sending, owner asked, outcome AuditOutcome, code Code) error {
	e, err := g.entry(owner, Relay, outcome, s.order.Person)
	if err != nil {
		return err
	}
	e.Code, e.Message, e.Type, e.Entities = code, string(s.order.MsgID), "Communication", s.entities
	return tx.Record(ctx, []AuditEntry{e})
}

// withheldText tells a sender, by category and never by content, what stayed behind.
func withheldText(what string, l Labels, t Translator) string {
	return what + ": samtykke mangler for " + t.Category(l) + "."
}

// inexpressibleText names the FHIR element that the message lacks or has no place for.
func inexpressibleText(err error) string {
	text := "Ikke sendt: innholdet kan ikke uttrykkes i denne meldingstypen"
	if place := missingFrom(err); place != "" {
		text += " (" + place + ")"
	}
	return text + "."
}

// stop ends an order and its Communication with the reason.
func (g *Gateway) stop(ctx context.Context, tx Tx, o Order, state MessageState, reason string) error {
	o.State = state
	if err := tx.Advance(ctx, o, time.Time{}, reason); err != nil {
		return err
	}
	return g.conclude(ctx, tx, o, reason)
}

// conclude sets the Communication once none of its orders is open: completed when every receiver
// has accepted, stopped otherwise.
func (g *Gateway) conclude(ctx context.Context, tx Tx, o Order, reason string) error {
	open, failed, err := tx.Open(ctx, o.Party, o.Communication.ID)
	if err != nil || open > 0 {
		return err
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(o.Party)
	if !ok {
		return Failed("gateway.conclude", Internal, errCustodianUnknown)
	}
	owner := asked{Actor: o.Actor, party: party}
	status := "completed"
	if failed > 0 {
		status = "stopped"
	}
	return g.setCommunication(ctx, tx, owner, g.custody(owner, Update), o, status, reason)
}

// setCommunication writes the next version of a Communication with the status of its sending. One
// that its sender has ended otherwise in the meantime stays as it is.
func (g *Gateway) setCommunication(ctx context.Context, tx Tx, owner asked, p Permit, o Order, status, reason string) error {
	current, err := tx.Lock(ctx, p, fhir.Reference{Type: "Communication", ID: o.Communication.ID})
	if err != nil {
		return ignoreAbsent(err)
	}
	if current.Deleted {
		return nil
	}
	res, err := ParseAuthored(current.Body)
	if err != nil {
		return Failed("gateway.communication", Internal, err)
	}
	root := res.Root()
	if was := root.Get("status").Text(); was != "in-progress" && was != "stopped" {
		return nil
	}
	e := res.Edit()
	e.Set(root, "status", appendJSON(nil, status))
	if reason != "" {
		e.Set(root, "statusReason", append(appendJSON([]byte(`{"text":`), reason), '}'))
	} else if v := root.Get("statusReason"); v != nil && status == "completed" && failedText(v) {
		e.Remove(v)
	}
	body, err := e.Bytes()
	if err != nil {
		return Failed("gateway.communication", Internal, err)
	}
	return g.revise(ctx, tx, owner, p, current, body)
}

// failedText tells whether a statusReason of an earlier failure must go when a late AppRec says yes.
func failedText(v *fhir.Value) bool {
	return v.Get("text").Text() == overdueText
}
