package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// keep stores everything of a message under the sender's custody, with what was covered for whom.
func (g *Gateway) keep(ctx context.Context, tx Tx, w *arrival) (Content, PersonID, error) {
	content := Content{
		Sections: w.delivery.Sections, AllOrNothing: w.delivery.AllOrNothing, Unreadable: w.delivery.Unreadable,
		Reason: w.reason, Faults: w.faults, Report: w.delivery.Report,
	}
	stored, err := g.keepAll(ctx, tx, w)
	if err != nil {
		return Content{}, 0, err
	}
	person := w.facts.Person
	for i, r := range stored {
		if r.Person != 0 {
			person = r.Person
		}
		res := w.delivery.Resources[i]
		content.Resources = append(content.Resources, ContentResource{
			Record: w.drafts[i].draft.Reference, Section: res.Section, Whole: res.Whole,
		})
	}
	if err := g.replace(ctx, tx, w, content, person); err != nil {
		return Content{}, 0, err
	}
	return content, person, g.ledger(ctx, tx, w, stored, person)
}

// keepAll stores the records, in the order of the drafts. The Patient may be there already, and is then shared with
// those it was sent to.
func (g *Gateway) keepAll(ctx context.Context, tx Tx, w *arrival) ([]Record, error) {
	stored := make([]Record, len(w.drafts))
	var (
		drafts []Draft
		places []int
	)
	for i := range w.drafts {
		w.drafts[i].draft.Sent = w.sentTo(i)
		if w.message.Change == Cancel && !w.delivery.Resources[i].Whole {
			if err := g.cancelled(ctx, w, i); err != nil {
				return nil, err
			}
			w.drafts[i].draft.Sent = w.sentTo(i)
		}
		d := w.drafts[i]
		if w.first != nil && d.draft.Reference == w.first.Reference {
			for _, to := range d.draft.Sent {
				if err := tx.Share(ctx, w.sender.party.ID, d.draft.Reference, to); err != nil {
					return nil, err
				}
			}
			stored[i] = *w.first
			continue
		}
		if err := g.stamp(w.sender, d); err != nil {
			return nil, err
		}
		drafts, places = append(drafts, d.draft), append(places, i)
	}
	made, err := tx.PutAll(ctx, w.permit, drafts)
	if err != nil {
		return nil, err
	}
	for n, r := range made {
		stored[places[n]] = r
		if err := g.bear(ctx, tx, Record{}, r); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// sentTo gives the receivers of a record: for a party with several addresses, what any of them got.
func (w *arrival) sentTo(i int) []Sent {
	var sent []Sent
	for _, v := range w.verdicts {
		if v.Party == "" || v.Party == w.sender.party.ID {
			continue
		}
		sent = SentBy(sent, v.Party, w.message.Kind, v.masks[i])
	}
	return sent
}

// sentLawfully gives the legal bases other than samtykke on which a record is sent: the sender is told that it
// makes use of them.
func (w *arrival) sentLawfully(i int) (list []Citation) {
	for _, v := range w.verdicts {
		if v.masks[i] == 0 {
			continue
		}
		for _, c := range v.Citations {
			if c.Consent.IsZero() && strings.HasPrefix(c.Path, HjemmelPath) {
				list = appendNew(list, c)
			}
		}
	}
	return list
}

// cancelled makes what a cancellation itself repeats as invalid as what it cancels.
func (g *Gateway) cancelled(ctx context.Context, w *arrival, i int) error {
	d := w.drafts[i]
	body, changed, err := retracted(d.resource, Cancel)
	if err != nil || !changed {
		return err
	}
	anew, err := g.authored(ctx, w.sender, body, d.draft.Reference.ID, d.draft.Added)
	if err != nil {
		return err
	}
	anew.draft.Reference, anew.draft.National = d.draft.Reference, d.draft.National
	w.drafts[i] = anew
	return nil
}

// ledger writes what was stored, and each refusal, into the transaction.
func (g *Gateway) ledger(ctx context.Context, tx Tx, w *arrival, stored []Record, person PersonID) error {
	entry, err := g.entry(w.sender, Submit, Written, person)
	if err != nil {
		return err
	}
	entry.Message, entry.Type = string(w.message.MsgID), "Communication"
	for i, r := range stored {
		entry.Entities = append(entry.Entities, AuditEntity{
			Record: r.Reference, Custodian: w.sender.party.ID, Citations: w.sentLawfully(i),
		})
	}
	entries := []AuditEntry{entry}
	for _, v := range w.verdicts {
		if !slices.Contains(v.Reasons, ConsentMissing) && !slices.Contains(v.Reasons, ContentUnknown) {
			continue
		}
		e, err := g.entry(w.sender, Submit, Refused, person)
		if err != nil {
			return err
		}
		e.Code, e.Message, e.Type = Forbidden, string(w.message.MsgID), "Communication"
		for i, r := range w.records {
			if v.masks[i] == 0 {
				e.Entities = append(e.Entities, AuditEntity{Record: r.Reference, Custodian: r.Custodian, Withheld: needs(r) & v.Missing})
			}
		}
		entries = append(entries, e)
	}
	return tx.Record(ctx, entries)
}

// answer lays the message into the mailboxes of those it crosses to and one AppRec for each
// receiver into the sender's, and ends the work on the message.
func (g *Gateway) answer(ctx context.Context, tx Tx, w *arrival, content Content, person PersonID, state MessageState, t Translator) error {
	if err := tx.Settle(ctx, w.message, person, content, state); err != nil {
		return err
	}
	for _, v := range w.verdicts {
		if v.Crosses {
			paths := make([]string, 0, len(v.Withheld))
			for _, s := range v.Withheld {
				paths = append(paths, s.Path)
			}
			if err := tx.Deliver(ctx, g.watched(Envelope{
				Receiver: v.Receiver.HERID, Party: v.Party, Message: w.message, Person: person, Withheld: paths,
				Disclosed: v.disclosed(w.message.Party, content),
			}, v.until)); err != nil {
				return err
			}
		}
		if err := g.acknowledge(ctx, tx, w.message, person, v, t); err != nil {
			return err
		}
		if v.Crosses {
			if err := g.joinEarly(ctx, tx, w.message, v.Receiver.HERID, t); err != nil {
				return err
			}
		}
	}
	if err := g.step(ctx, tx, w, content, person); err != nil {
		return err
	}
	if err := g.warnOfRefusal(ctx, tx, w.message, person, w.delivery.Responsible, w.verdicts); err != nil {
		return err
	}
	if err := g.tellAllUnanswered(ctx, tx, w.message, person, w.verdicts); err != nil {
		return err
	}
	if err := g.tellEarlyUnanswered(ctx, tx, w.message, person, w.verdicts); err != nil {
		return err
	}
	if !slices.ContainsFunc(w.verdicts, func(v Verdict) bool { return v.manual && !v.Crosses }) {
		return nil
	}
	return g.remind(ctx, tx, w.message.Party, person, messageByHand, byHandText)
}

// acknowledge lays the one AppRec of a receiver into the sender's mailbox.
func (g *Gateway) acknowledge(ctx context.Context, tx Tx, m Message, person PersonID, v Verdict, t Translator) error {
	id, err := newID(g.Random)
	if err != nil {
		return err
	}
	msgID, err := newID(g.Random)
	if err != nil {
		return err
	}
	status, errs := t.Acknowledge(v)
	now := g.Clock()
	a := AppRec{
		MsgID: MsgID(msgID), From: v.Receiver.HERID, To: m.Sender.HERID, Original: m.MsgID,
		Status: status, Errors: errs, At: now,
	}
	document, err := t.WriteAppRec(a, m)
	if err != nil {
		return err
	}
	receipt := Message{
		ID: MessageID(id), Sender: v.Receiver, MsgID: a.MsgID, Kind: KindAppRec, // of no party: only its addressee has it
		Receivers: []Addressee{m.Sender}, Generated: now, Document: document, At: now, State: Acknowledged,
	}
	if err := tx.Lay(ctx, receipt, 0, Content{}); err != nil {
		return err
	}
	first, err := tx.Answer(ctx, m.ID, v.Receiver.HERID, status, errs, receipt.ID)
	if err != nil || !first {
		return err
	}
	return tx.Deliver(ctx, Envelope{Receiver: m.Sender.HERID, Party: m.Party, Message: receipt, Person: person, AppRec: true})
}

// reject ends a message that cannot be processed: the bytes stay, every receiver's AppRec says no.
func (g *Gateway) reject(ctx context.Context, tx Tx, m Message, t Translator, why Reason, faults ...fhir.Issue) error {
	answered, err := tx.Statuses(ctx, m.ID)
	if err != nil {
		return err
	}
	content, person := Content{Reason: why, Faults: faults}, PersonID(0)
	switch kept, err := tx.Kept(ctx, m.ID); {
	case err == nil: // a receiver more of a message that is stored
		content, person = kept.Content, kept.Person
	case CodeOf(err) != NotFound:
		return err
	}
	state := Rejected
	if slices.ContainsFunc(answered, func(s DeliveryStatus) bool { return s.Delivered }) {
		state = Acknowledged
	}
	if err := tx.Settle(ctx, m, person, content, state); err != nil {
		return err
	}
	if m.Kind == KindAppRec { // an AppRec is never answered by one (plo.md § 6.2)
		return nil
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	var verdicts []Verdict
	for _, to := range m.Receivers {
		if slices.ContainsFunc(answered, func(s DeliveryStatus) bool { return s.Receiver == to.HERID && s.Status != NoAppRec }) {
			continue
		}
		v := Verdict{Receiver: to, Reasons: []Reason{why}, Faults: faults}
		if p, ok := dir.Party(to.HERID); ok {
			v.Party = p.ID
		}
		if err := g.acknowledge(ctx, tx, m, 0, v, t); err != nil {
			return err
		}
		verdicts = append(verdicts, v)
	}
	return g.warnOfRefusal(ctx, tx, m, person, nil, verdicts)
}

// replace carries out what a change or cancellation does to the earlier message, and what a later
// one that came first does to this: order never changes the final state (DESIGN § 5, Receiving).
func (g *Gateway) replace(ctx context.Context, tx Tx, w *arrival, own Content, person PersonID) error {
	m := w.message
	if (m.Change == Supersede || m.Change == Cancel) && (m.Parent != "" || m.Threaded) && w.reason == NoReason {
		earlier := w.earlier
		if m.Parent != "" {
			var err error
			if earlier, err = tx.Settled(ctx, m.Party, MsgID(m.Parent)); err != nil {
				return err
			}
		}
		for _, e := range earlier {
			if e.Person == person {
				if err := g.retract(ctx, tx, w.sender, w.permit, e.Content, m.Change); err != nil {
					return err
				}
			}
		}
	}
	later, err := tx.Followers(ctx, m.Party, m.MsgID, person)
	if err != nil {
		return err
	}
	if m.Thread != "" && w.reason == NoReason {
		more, err := tx.ThreadFollowers(ctx, m, person)
		if err != nil {
			return err
		}
		later = append(later, more...)
	}
	for _, change := range later {
		if err := g.retract(ctx, tx, w.sender, w.permit, own, change); err != nil {
			return err
		}
	}
	return nil
}

// retract leaves the records of an earlier message entered-in-error or superseded.
func (g *Gateway) retract(ctx context.Context, tx Tx, who asked, p Permit, c Content, change Change) error {
	for _, kept := range c.Resources {
		current, err := tx.Lock(ctx, p, fhir.Reference{Type: kept.Record.Type, ID: kept.Record.ID})
		if err != nil {
			if CodeOf(err) == NotFound || CodeOf(err) == Gone {
				continue
			}
			return err
		}
		if current.Deleted {
			continue
		}
		res, err := ParseAuthored(current.Body)
		if err != nil {
			return Failed("gateway.retract", Internal, err)
		}
		body, changed, err := retracted(res, change)
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		if err := g.revise(ctx, tx, who, p, current, body); err != nil {
			return err
		}
	}
	return nil
}

// statusElements tells where a type says that it was entered in error, and what must go with it
// (R4 condition.html#con-5, allergyintolerance.html#ait-2).
var statusElements = map[fhir.Type]struct{ element, value, drop string }{
	"DocumentReference":   {"status", `"entered-in-error"`, ""},
	"Observation":         {"status", `"entered-in-error"`, ""},
	"MedicationStatement": {"status", `"entered-in-error"`, ""},
	"CarePlan":            {"status", `"entered-in-error"`, ""},
	"ServiceRequest":      {"status", `"entered-in-error"`, ""},
	"Task":                {"status", `"entered-in-error"`, ""},
	"Communication":       {"status", `"entered-in-error"`, ""},
	"CareTeam":            {"status", `"entered-in-error"`, ""},
	"Encounter":           {"status", `"entered-in-error"`, ""},
	"EpisodeOfCare":       {"status", `"entered-in-error"`, ""},
	"Appointment":         {"status", `"cancelled"`, ""}, // one without times may have no other (R4 appointment.html#app-3)
	"Flag":                {"status", `"entered-in-error"`, ""},
	"Goal":                {"lifecycleStatus", `"entered-in-error"`, ""},
	"Condition": {"verificationStatus",
		`{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]}`, "clinicalStatus"},
	"AllergyIntolerance": {"verificationStatus",
		`{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"entered-in-error"}]}`, "clinicalStatus"},
}

// retracted edits the status of a resource. A change supersedes the document and makes what became
// of it invalid; a cancellation makes all of it invalid. It never goes back: cancelled stays so.
func retracted(res *fhir.Resource, change Change) (body []byte, changed bool, err error) {
	s, ok := statusElements[res.Type()]
	if !ok {
		return nil, false, nil
	}
	root, value := res.Root(), s.value
	old := root.Get(s.element)
	if string(old.Raw()) == value {
		return nil, false, nil
	}
	if res.Type() == "DocumentReference" && change == Supersede {
		value = `"superseded"`
		if string(old.Raw()) == value {
			return nil, false, nil
		}
	}
	e := res.Edit()
	e.Set(root, s.element, []byte(value))
	if v := root.Get(s.drop); s.drop != "" && v != nil {
		e.Remove(v)
	}
	body, err = e.Bytes()
	if err != nil {
		return nil, false, Failed("gateway.retract", Internal, err)
	}
	return body, true, nil
}
