package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// item is an event with what the subscriber gets of it.
type item struct {
	event Event
	shown bool   // it may be told of now
	also  string // a further reference: the subscriber's own Patient
	body  []byte // the resource, where it is given and may be read
}

// bulletin gathers the events of one notification, or of $events.
type bulletin struct {
	gateway      *Gateway
	tx           Tx
	who          asked
	subscription Subscription
	code         InteractionCode
	asked        bool // by $events: all of it is a Bundle
	filters      []filter
	subjects     subjects
	permits      map[PersonID]Permit
	readers      map[PersonID]Permit
	grants       map[PersonID][]byte
	items        []item
	entries      []AuditEntry
	fetched      []FetchedVersion
}

// gather takes what was sent before and not confirmed, under the numbers it has; only when there is
// nothing of that, it reads on in the feed and gives numbers to what may be told of.
func (b *bulletin) gather(ctx context.Context) error {
	s := &b.subscription
	if s.Delivered < s.Number {
		again, err := b.tx.Announced(ctx, s.ID, s.Delivered+1, s.Number, b.most())
		if err != nil {
			return err
		}
		return b.again(ctx, again)
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	changes, err := b.tx.Changes(ctx, *s, changesAtATime)
	if err != nil || len(changes) == 0 {
		return err
	}
	if err := b.facts(ctx, changes); err != nil {
		return err
	}
	var events []Event
	for _, c := range changes {
		s.Place = c.Place
		e := Event{Record: c.Record, Custodian: c.Custodian, Person: c.Person, Deleted: c.Deleted, At: c.At}
		one, ok, err := b.judge(ctx, e, &c)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		s.Number++
		one.event.Number = s.Number
		b.items, events = append(b.items, one), append(events, one.event)
		if len(b.items) == b.most() {
			break
		}
	}
	return b.tx.Announce(ctx, s.ID, events)
}

// most is how many events one notification holds: one where it is the resource itself.
func (b *bulletin) most() int {
	if b.plainly() {
		return 1
	}
	return b.subscription.Max
}

// plainly tells of an R4 Subscription with payload: the resource is what is sent.
func (b *bulletin) plainly() bool {
	return !b.asked && b.subscription.Topic == "" && b.subscription.Content == PayloadFull
}

// again decides numbered events anew. One that may no longer be told of keeps its number, which the
// subscriber may have seen, and nothing else.
func (b *bulletin) again(ctx context.Context, events []Event) error {
	changes := make([]FeedChange, len(events))
	for i, e := range events {
		changes[i].Person = e.Person
	}
	if err := b.facts(ctx, changes); err != nil {
		return err
	}
	for _, e := range events {
		one, ok, err := b.judge(ctx, e, nil)
		if err != nil {
			return err
		}
		one.event, one.shown = e, ok
		if !ok {
			one.body, one.also = nil, ""
		}
		b.items = append(b.items, one)
	}
	return nil
}

// prepare reads the filters and finds whom they mean.
func (b *bulletin) prepare(ctx context.Context) error {
	b.subjects = subjects{}
	for _, text := range b.subscription.Filters {
		f, issues := b.gateway.filter(text)
		if len(issues) > 0 {
			return Fault("gateway.filter", Internal, issues...)
		}
		b.filters = append(b.filters, f)
		for _, c := range f.criteria {
			if name := c.Ways[0].Param.Name; name != "patient" && name != "subject" {
				continue
			}
			for _, o := range c.Values {
				r := patientOf(o)
				facts, own, err := b.tx.FactsAbout(ctx, b.who.party.ID, Subject{Patient: r})
				if err != nil {
					return err
				}
				if own {
					b.subjects[r] = facts.Person
				}
			}
		}
	}
	return nil
}

// facts asks about every person of the changes at once.
func (b *bulletin) facts(ctx context.Context, changes []FeedChange) error {
	b.permits, b.readers, b.grants = map[PersonID]Permit{}, map[PersonID]Permit{}, map[PersonID][]byte{}
	var persons []PersonID
	for _, c := range changes {
		if c.Person != 0 && !slices.Contains(persons, c.Person) {
			persons = append(persons, c.Person)
		}
	}
	slices.Sort(persons)
	facts := []Facts{{}}
	if len(persons) > 0 {
		known, err := b.tx.FactsFor(ctx, persons)
		if err != nil {
			return err
		}
		facts = append(facts, known...)
	}
	for _, f := range facts {
		b.grants[f.Person] = f.Grants
		for action, to := range map[Action]map[PersonID]Permit{NotifyAction: b.permits, ReadAction: b.readers} {
			p, err := b.gateway.permit(ctx, b.who, b.code, Question{Action: action, Named: true, Facts: f})
			if err != nil {
				return err
			}
			to[f.Person] = p
		}
	}
	return nil
}

// judge decides whether the subscriber may be told of the event, and when it is new, whether it wants
// to be; c is nil for one that has its number already.
func (b *bulletin) judge(ctx context.Context, e Event, c *FeedChange) (item, bool, error) {
	one := item{event: e, shown: true}
	p, ok := b.permits[e.Person]
	if !ok {
		p = b.permits[0]
	}
	r, past, found, err := b.look(ctx, p, e)
	if err != nil {
		return one, false, err
	}
	if !found {
		return b.named(ctx, one, c)
	}
	if c != nil {
		wanted, err := b.wanted(ctx, p, r, past, c)
		if err != nil || !wanted {
			return one, false, err
		}
	}
	cited := p.citations(past)
	withheld := Labels(0)
	if b.subscription.Content == PayloadFull && !r.Deleted {
		var released fhir.Reference
		if one.body, released, withheld, cited, err = b.full(ctx, e, cited); err != nil {
			return one, false, err
		}
		if one.body != nil {
			e.Record = released
		}
	}
	if b.plainly() && one.body == nil { // without the resource there is nothing to send
		return one, false, nil
	}
	return one, true, b.enter(e, cited, withheld)
}

// look reads the version that the event is about, and the current one, inside the permit to notify:
// both must be within it, as for a read of a past version.
func (b *bulletin) look(ctx context.Context, p Permit, e Event) (current, past Record, found bool, err error) {
	current, err = b.tx.Read(ctx, p, fhir.Reference{Type: e.Record.Type, ID: e.Record.ID})
	if err == nil {
		err = p.checked(current)
	}
	past = current
	if err == nil && current.Reference.Version != e.Record.Version {
		if past, err = b.tx.Read(ctx, p, e.Record); err == nil {
			err = p.checked(past)
		}
		if err == nil && !p.oldVersion(past, current) {
			return current, past, false, nil
		}
	}
	if CodeOf(err) == NotFound && err != nil {
		return current, past, false, nil
	}
	return current, past, err == nil, err
}

// named is what a party is told that a permit of a Consent named, when that Consent ends: that it has,
// and which of the party's own patients it was about, and nothing of its content (DESIGN § 3,
// Registering, confirming, withdrawing).
func (b *bulletin) named(ctx context.Context, one item, c *FeedChange) (item, bool, error) {
	e := &one.event
	if c != nil {
		e.Told = e.Record.Type == "Consent" && c.Ended && slices.Contains(c.Told, b.who.party.ID) && b.who.attested == 0 &&
			b.subscription.Topic == WithdrawalTopic && len(b.filters) == 0
	}
	if !e.Told || e.Person == 0 || b.who.attested != 0 && b.who.attested != e.Person {
		return one, false, nil
	}
	own, err := b.tx.PatientFor(ctx, b.who.party.ID, e.Person)
	if err != nil || own.ID == "" {
		return one, false, err
	}
	if held, err := b.names(*e); err != nil || held {
		return one, false, err
	}
	one.also = own.String()
	return one, true, b.enter(*e, nil, 0)
}

// names tells whether a permit of the Consent still names the party.
func (b *bulletin) names(e Event) (bool, error) {
	grants, err := DecodeGrants(b.grants[e.Person])
	if err != nil {
		return true, Failed("gateway.notify", Internal, err)
	}
	return slices.ContainsFunc(grants, func(g Grant) bool {
		return g.Effect == Allow && g.Consent.ID == e.Record.ID && slices.ContainsFunc(g.Recipients.Of, func(r Recipient) bool {
			parts := strings.Split(string(r), ":")
			return len(parts) > 1 && parts[1] == string(b.who.party.ID)
		})
	}), nil
}

// wanted tells whether the subscriber asked for the event: its topic, and every filter of its type.
func (b *bulletin) wanted(ctx context.Context, p Permit, current, past Record, c *FeedChange) (bool, error) {
	shown := past
	if past.Deleted { // what is gone is judged by what it was
		versions, err := b.tx.History(ctx, p, fhir.Reference{Type: past.Reference.Type, ID: past.Reference.ID}, Window{}, 10, Cursor{})
		if err != nil && CodeOf(err) != NotFound {
			return false, err
		}
		at := slices.IndexFunc(versions, func(r Record) bool { return !r.Deleted && p.oldVersion(r, current) })
		if at < 0 {
			return false, nil
		}
		shown = versions[at]
	}
	res, err := ParseAuthored(shown.Body)
	if err != nil {
		return false, Failed("gateway.notify", Internal, err)
	}
	switch b.subscription.Topic {
	case ReferralTopic:
		dir, err := b.tx.Directory(ctx)
		if err != nil || !addressedTo(dir, b.who.party.ID, res) {
			return false, err
		}
	case WithdrawalTopic:
		if !c.Ended || !c.Deleted && res.Root().Get("status").Text() == "active" {
			return false, nil
		}
	}
	covered, _ := p.Scope().Releases(shown)
	s := newSeen(shown, covered, res, b.subjects)
	return !slices.ContainsFunc(b.filters, func(f filter) bool { return f.kind == shown.Reference.Type && !s.fits(f) }), nil
}

// full gives the resource as it is now, to who may read it, and tells which version that is.
func (b *bulletin) full(ctx context.Context, e Event, cited []Citation) (body []byte, released fhir.Reference, withheld Labels, all []Citation, err error) {
	p, ok := b.readers[e.Person]
	if !ok {
		p = b.readers[0]
	}
	r, err := b.tx.Read(ctx, p, fhir.Reference{Type: e.Record.Type, ID: e.Record.ID})
	if err == nil {
		err = p.checked(r)
	}
	if err != nil {
		return nil, fhir.Reference{}, 0, cited, ignoreAbsent(err)
	}
	if body, withheld, err = p.release(r); err != nil {
		return nil, fhir.Reference{}, 0, cited, err
	}
	if f, ok := p.fetched(r); ok {
		b.fetched = append(b.fetched, f)
	}
	return body, r.Reference, withheld, appendNew(cited, p.citations(r)...), nil
}

// enter adds a record to the ledger entry of its person and custodian.
func (b *bulletin) enter(e Event, cited []Citation, withheld Labels) error {
	at := slices.IndexFunc(b.entries, func(l AuditEntry) bool {
		return l.Person == e.Person && l.Entities[0].Custodian == e.Custodian && l.Type == e.Record.Type
	})
	if at < 0 {
		entry, err := b.gateway.entry(b.who, b.code, Released, e.Person)
		if err != nil {
			return err
		}
		entry.Type, at = e.Record.Type, len(b.entries)
		b.entries = append(b.entries, entry)
	}
	b.entries[at].Entities = append(b.entries[at].Entities, AuditEntity{
		Record: e.Record, Custodian: e.Custodian, Citations: cited, Withheld: withheld,
	})
	return nil
}
