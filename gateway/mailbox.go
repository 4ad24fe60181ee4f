package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Mail lists unread messages of the actor's own party: AppRecs, and documents of which something
// may be fetched now. What was stopped since it came is not there.
func (g *Gateway) Mail(ctx context.Context, a Actor, q MailQuery) (_ []Listed, err error) {
	const op = "gateway.mail"
	defer g.failed(ctx, a, Interaction{Code: Listing}, &err)
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return nil, err
	}
	q.Party = who.party.ID
	q.Receivers = slices.Compact(slices.Sorted(slices.Values(q.Receivers))) // each mailbox once
	var list []Listed
	err = g.Store.Tx(ctx, func(tx Tx) error {
		list = nil
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		for _, id := range q.Receivers {
			if p, ok := dir.Party(id); !ok || p.ID != who.party.ID {
				return forbidden(op, "message.receiver-not-own")
			}
		}
		var people []PersonID
		for next := q; len(list) < q.Limit; {
			page, err := tx.Unread(ctx, next)
			if err != nil {
				return err
			}
			for _, e := range page {
				next.AfterAt, next.AfterKey = e.Message.Generated, e.Key
				shown := who.concerns(e.Person)
				if shown {
					if shown, err = g.shown(ctx, tx, dir, e); err != nil {
						return err
					}
				}
				if !shown || len(list) == q.Limit {
					continue
				}
				list = append(list, listed(e))
				if e.Person != 0 && !e.AppRec && !slices.Contains(people, e.Person) {
					people = append(people, e.Person)
				}
			}
			if len(page) < next.Limit {
				break
			}
		}
		return g.listing(ctx, tx, who, people)
	})
	return list, err
}

// listing writes one entry for each patient on the list; an empty one concerns nobody.
func (g *Gateway) listing(ctx context.Context, tx Tx, who asked, people []PersonID) error {
	var entries []AuditEntry
	for _, person := range people {
		e, err := g.entry(who, Listing, Released, person)
		if err != nil {
			return err
		}
		e.Type = "Communication"
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil
	}
	return tx.Record(ctx, entries)
}

func listed(e Envelope) Listed {
	return Listed{
		ID: e.Message.ID, Receiver: e.Receiver, Sender: e.Message.Sender.HERID, MsgID: e.Message.MsgID,
		Generated: e.Message.Generated, AppRec: e.AppRec,
	}
}

// concerns tells whether a message about the person may be handled: by a token bound to one patient,
// only one about her.
func (w asked) concerns(person PersonID) bool {
	return w.attested == 0 || person != 0 && person == w.attested
}

// entries gives the entries of a message for the actor's party that the actor may handle.
func (g *Gateway) entries(ctx context.Context, tx Tx, who asked, id MessageID) ([]Envelope, error) {
	list, err := tx.Entries(ctx, id, who.party.ID)
	return slices.DeleteFunc(list, func(e Envelope) bool { return !who.concerns(e.Person) }), err
}

// shown tells whether something of the message may be fetched now.
func (g *Gateway) shown(ctx context.Context, v View, dir Directory, e Envelope) (bool, error) {
	if e.AppRec || e.Fetched != nil {
		return true, nil
	}
	o, err := g.open(ctx, v, dir, e)
	return o.crosses, err
}

// opened is the answer on a message that is about to be fetched.
type opened struct {
	permit   Permit
	crosses  bool
	withhold []string
	missing  Labels
	records  []Record // those that cross
}

// open decides now what of a stored message its receiver may have. Labels, person and date of a
// record must allow it both as they were sent and as they are; what was withheld at receipt stays
// withheld.
func (g *Gateway) open(ctx context.Context, v View, dir Directory, e Envelope) (opened, error) {
	p, records, intact, err := g.stored(ctx, v, dir, e)
	if err != nil || !intact {
		return opened{}, err
	}
	if e.Content.Relayed {
		return openRelayed(p, e, records), nil
	}
	return openParts(p, e, records), nil
}

// stored decides now for the receiver of a stored message, and reads its records.
func (g *Gateway) stored(ctx context.Context, v View, dir Directory, e Envelope) (p Permit, records []Record, intact bool, err error) {
	party, ok := dir.Party(e.Party)
	if !ok || e.Person == 0 {
		return Permit{}, nil, false, nil
	}
	to := Addressee{HERID: e.Receiver}
	for _, r := range e.Message.Receivers {
		if r.HERID == e.Receiver {
			to = r
		}
	}
	facts, err := v.FactsFor(ctx, []PersonID{e.Person})
	if err != nil {
		return Permit{}, nil, false, err
	}
	q := Question{Action: MessageAction, Named: true, Facts: Facts{Person: e.Person}, Message: e.Message.Kind}
	if len(facts) == 1 {
		q.Facts = facts[0]
	}
	if p, err = g.permit(ctx, mailboxOf(dir, party, to), Collect, q); err != nil {
		return Permit{}, nil, false, err
	}
	if e.Content.Notice {
		p = p.telling(e.Message.Party, e.Content.records()...)
	}
	records, intact, err = g.sent(ctx, v, dir, e)
	return p, records, intact, err
}

// sent reads the records of a message as their custodian has them. A record that is deleted, or has
// become another person's, stops the message: intact is false.
func (g *Gateway) sent(ctx context.Context, v View, dir Directory, e Envelope) (records []Record, intact bool, err error) {
	owner, ok := dir.Party(e.Message.Party)
	if !ok {
		return nil, false, nil
	}
	p := g.custody(asked{party: owner}, Collect)
	for _, kept := range e.Content.Resources {
		r, err := v.Read(ctx, p, kept.Record)
		if err != nil {
			return nil, false, ignoreAbsent(err)
		}
		now, err := v.Read(ctx, p, fhir.Reference{Type: kept.Record.Type, ID: kept.Record.ID})
		if err != nil {
			return nil, false, ignoreAbsent(err)
		}
		if now.Deleted || r.Person != now.Person || (now.Person != 0 && now.Person != e.Person) {
			return nil, false, nil
		}
		r.Labels |= now.Labels
		r.Body = nil
		records = append(records, r)
		if !r.Low.Equal(now.Low) || !r.High.Equal(now.High) { // both dates must be inside
			records[len(records)-1].Low, records[len(records)-1].High = span(r, now)
		}
	}
	return records, true, nil
}

// span is the shortest period that holds both dates; undated when either is.
func span(a, b Record) (low, high time.Time) {
	if a.Low.IsZero() || b.Low.IsZero() {
		return time.Time{}, time.Time{}
	}
	low, high = a.Low, a.High
	if b.Low.Before(low) {
		low = b.Low
	}
	if b.High.After(high) {
		high = b.High
	}
	return low, high
}

func ignoreAbsent(err error) error {
	if c := CodeOf(err); c == NotFound || c == Gone {
		return nil
	}
	return err
}

// openParts decides an inbound message section by section.
func openParts(p Permit, e Envelope, records []Record) opened {
	j, list := judged(p, e, records)
	o := opened{permit: p, crosses: len(j.crossing) > 0, withhold: j.paths(list), missing: j.missing}
	for i, r := range records {
		kept := e.Content.Resources[i]
		limit, sent := r.sentTo(e.Party)
		passes := o.crosses && sent && r.Labels.Within(p.covers(r)&limit)
		switch {
		case kept.Whole:
			passes = passes && len(o.withhold) == 0
		case kept.Section != "":
			passes = passes && slices.Contains(j.crossing, kept.Section)
		}
		if passes {
			o.records = append(o.records, r)
		}
	}
	return o
}

// judged decides a stored message part by part.
func judged(p Permit, e Envelope, records []Record) (judge, []piece) {
	j := judge{permit: p, custodian: e.Message.Party, person: e.Person}
	for _, kept := range e.Content.Resources {
		if kept.Record.Type == "Patient" {
			j.patient = kept.Record
		}
	}
	document := Record{Custodian: e.Message.Party, Person: e.Person, Low: e.Message.Generated}
	document.Reference.Type = "DocumentReference"
	if !document.Low.IsZero() {
		document.High = document.Low.Add(1)
	}
	list := pieces(e.Content.Sections, records, func(i int) string { return e.Content.Resources[i].Section }, document)
	j.decide(list, e.Content.AllOrNothing || e.Whole, e.Withheld)
	return j, list
}

// openRelayed lets a document that Sluse rendered cross as it was rendered or not at all.
func openRelayed(p Permit, e Envelope, records []Record) opened {
	o := opened{permit: p, crosses: len(records) > 0, records: records}
	for i, r := range records {
		need := r.Labels | e.Content.Resources[i].Included
		if covered := p.covers(r); !need.Within(covered) {
			o.crosses = false
			o.missing |= (need &^ covered).told()
		}
	}
	return o
}

// Look gives the line of one message, as Mail would list it; hidden is absent.
func (g *Gateway) Look(ctx context.Context, a Actor, id MessageID) (Listed, error) {
	var line Listed
	_, err := g.collect(ctx, a, id, opening{line: func(l Listed) { line = l }})
	return line, err
}

// Document gives the business document of a message to the party that it was sent to, less what is
// withheld, and to the party that sent it, as it sent it. What a receiver has once fetched is part
// of its journal and stays as it was fetched (hpl. §§ 39–40).
func (g *Gateway) Document(ctx context.Context, a Actor, id MessageID, t Translator) (Release, error) {
	return g.collect(ctx, a, id, opening{translator: t, keep: true})
}

// Preview gives the document as Document does, for somebody to look at: the ledger has that look as it has a fetch, but the
// message is not fetched by it. What waits to be fetched waits on, and what is withdrawn before it is fetched is not given.
func (g *Gateway) Preview(ctx context.Context, a Actor, id MessageID, t Translator) (Release, error) {
	return g.collect(ctx, a, id, opening{translator: t})
}

// opening is what is wanted of a message.
type opening struct {
	translator Translator   // nil: no document
	line       func(Listed) // nil: no line
	keep       bool         // the receiver has it from then on
}

// collect opens a message.
func (g *Gateway) collect(ctx context.Context, a Actor, id MessageID, how opening) (_ Release, err error) {
	const op = "gateway.collect"
	defer g.failed(ctx, a, Interaction{Code: Collect}, &err)
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return Release{}, err
	}
	var out Release
	var refusal error
	err = g.Store.Tx(ctx, func(tx Tx) error {
		out, refusal = Release{}, nil
		entries, err := g.entries(ctx, tx, who, id)
		if err != nil {
			return err
		}
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			done, err := g.fetch(ctx, tx, dir, who, e, how, &out)
			if err != nil {
				return err
			}
			if done {
				if how.line != nil {
					how.line(listed(e))
				}
				return nil
			}
		}
		m, about, err := tx.Sent(ctx, id, who.party.ID)
		if err == nil && !who.concerns(about) {
			err = absent(op)
		}
		if err == nil {
			if how.line != nil {
				how.line(listed(Envelope{Message: m, Receiver: firstReceiver(m), AppRec: m.Kind == KindAppRec}))
			}
			out = Release{body: m.Document}
			return nil // its own bytes, which it has already
		}
		if CodeOf(err) != NotFound {
			return err
		}
		refusal = absent(op)
		var person PersonID
		if len(entries) > 0 {
			person = entries[0].Person
		}
		entry, err := g.entry(who, Collect, Refused, person)
		if err != nil {
			return err
		}
		entry.Code, entry.Type = NotFound, "Communication"
		return tx.Record(ctx, []AuditEntry{entry})
	})
	if err != nil {
		return Release{}, err
	}
	return out, refusal
}

func firstReceiver(m Message) HERID {
	if len(m.Receivers) == 0 {
		return ""
	}
	return m.Receivers[0].HERID
}

// fetch releases the document of one entry. The first time that it is to be kept, the bytes and the
// versions that the receiver now has are kept in the same transaction as the ledger.
func (g *Gateway) fetch(ctx context.Context, tx Tx, dir Directory, who asked, e Envelope, how opening, out *Release) (bool, error) {
	if e.AppRec {
		*out = Release{body: e.Message.Document}
		return true, nil
	}
	entry, err := g.entry(who, Collect, Released, e.Person)
	if err != nil {
		return false, err
	}
	entry.Message, entry.Type = string(e.Message.MsgID), "Communication"
	if e.Fetched != nil {
		*out = Release{body: e.Fetched, whole: e.Whole}
		return true, tx.Record(ctx, []AuditEntry{entry})
	}
	o, err := g.open(ctx, tx, dir, e)
	if err != nil || !o.crosses {
		return false, err
	}
	if how.translator == nil {
		return true, g.listing(ctx, tx, who, []PersonID{e.Person})
	}
	document, err := how.translator.Withhold(e.Message.Document, o.withhold)
	if err != nil {
		return false, err
	}
	var versions []FetchedVersion
	entry.Entities, versions = o.disclosed(e)
	if how.keep {
		if err := tx.Fetch(ctx, e.Key, document, versions); err != nil {
			return false, err
		}
		if err := g.endNoted(ctx, tx, e, fetchedText); err != nil {
			return false, err
		}
	}
	*out = Release{body: document, whole: e.Whole}
	return true, tx.Record(ctx, []AuditEntry{entry})
}

// disclosed gives what the ledger keeps of an opened message, and the versions that its receiver then has.
func (o opened) disclosed(e Envelope) (entities []AuditEntity, versions []FetchedVersion) {
	for _, r := range o.records {
		entities = append(entities, AuditEntity{
			Record: r.Reference, Custodian: r.Custodian, Citations: o.permit.citations(plain(r)), Withheld: o.missing,
		})
		if !e.Content.Relayed && e.Party != e.Message.Party {
			versions = append(versions, FetchedVersion{Party: e.Party, Record: r.Reference, Mask: o.permit.covers(r) &^ addressMask})
		}
	}
	return entities, versions
}

// plain is the record as a question about messages sees it: not yet sent.
func plain(r Record) Record {
	r.Sent, r.Fetched = nil, 0
	return r
}

// Status tells the sender how it went with each receiver. It holds no health information.
func (g *Gateway) Status(ctx context.Context, a Actor, id MessageID) ([]DeliveryStatus, error) {
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return nil, err
	}
	var list []DeliveryStatus
	err = g.Store.Tx(ctx, func(tx Tx) error {
		_, about, err := tx.Sent(ctx, id, who.party.ID)
		if err != nil && CodeOf(err) != NotFound {
			return err
		}
		if err != nil || !who.concerns(about) {
			return absent("gateway.status")
		}
		list, err = tx.Statuses(ctx, id)
		return err
	})
	return list, err
}

// Acknowledge takes an AppRec that the receiver's system states as values; Sluse writes the
// document. receiver must be an address of the actor's party that the message was laid ready for.
func (g *Gateway) Acknowledge(ctx context.Context, a Actor, id MessageID, receiver HERID, status AppRecStatus, errs []AppRecError, t Translator) (MessageID, error) {
	const op = "gateway.acknowledge"
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return "", err
	}
	var receipt MessageID
	err = g.Store.Tx(ctx, func(tx Tx) error {
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		if p, ok := dir.Party(receiver); !ok || p.ID != who.party.ID {
			return forbidden(op, "message.receiver-not-own")
		}
		entries, err := g.entries(ctx, tx, who, id)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(entries, func(e Envelope) bool { return e.Receiver == receiver && !e.AppRec })
		if at < 0 {
			return absent(op)
		}
		shown, err := g.shown(ctx, tx, dir, entries[at])
		if err != nil {
			return err
		}
		if !shown {
			return absent(op)
		}
		receipt, err = g.stateReceipt(ctx, tx, who, entries[at], status, errs, t)
		return err
	})
	return receipt, err
}

// MarkRead takes a message off the list of unread ones.
func (g *Gateway) MarkRead(ctx context.Context, a Actor, id MessageID, receiver HERID) error {
	who, err := g.exchanger(ctx, a)
	if err != nil {
		return err
	}
	return g.Store.Tx(ctx, func(tx Tx) error {
		dir, err := tx.Directory(ctx)
		if err != nil {
			return err
		}
		if p, ok := dir.Party(receiver); !ok || p.ID != who.party.ID {
			return forbidden("gateway.markread", "message.receiver-not-own")
		}
		entries, err := g.entries(ctx, tx, who, id)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Receiver != receiver {
				continue
			}
			shown, err := g.shown(ctx, tx, dir, e)
			if err != nil {
				return err
			}
			if shown {
				return tx.MarkRead(ctx, id, receiver)
			}
		}
		return absent("gateway.markread")
	})
}
