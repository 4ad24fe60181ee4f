package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Profiles of the Subscriptions R5 Backport IG for R4.
const (
	notificationProfile = backport + "backport-subscription-notification-r4"
	statusProfile       = backport + "backport-subscription-status-r4"
)

// The interactions by which a party asks how its subscriptions are, and for events it has been told of.
const (
	AskStatus InteractionCode = "subscription-status"
	AskEvents InteractionCode = "subscription-events"
)

// write puts what was gathered into the form that the subscription asks for: a Bundle of the backport
// IG for a topic, the resource or nothing for a query of R4.
func (b *bulletin) write(n *Notification, kind string) error {
	s := &b.subscription
	if s.Topic != "" {
		body, err := b.bundle(kind, s.Content)
		n.Body = Release{body: body}
		return err
	}
	if b.plainly() && len(b.items) > 0 {
		r := b.items[0].event.Record
		n.Method, n.Path, n.Body = "PUT", string(r.Type)+"/"+string(r.ID), Release{body: b.items[0].body}
	}
	return nil
}

// bundle is a notification: the SubscriptionStatus first, then what the events are about.
func (b *bulletin) bundle(kind string, content PayloadContent) ([]byte, error) {
	id, err := newID(b.gateway.Random)
	if err != nil {
		return nil, err
	}
	status, err := b.status(kind, content)
	if err != nil {
		return nil, err
	}
	base := b.gateway.Notices.Base
	out := []byte(`{"resourceType":"Bundle","id":"` + id + `","meta":{"profile":["` + notificationProfile + `"]},"type":"history","timestamp":"` +
		fhir.FormatInstant(b.gateway.Clock()) + `","entry":[{`)
	out = append(out, status...)
	out = append(out, `,"request":{"method":"GET","url":`...)
	out = appendJSON(out, base+"/Subscription/"+string(b.subscription.ID)+"/$status")
	out = append(out, `},"response":{"status":"200"}}`...)
	given := map[fhir.Reference]bool{}
	for _, one := range b.items {
		r := fhir.Reference{Type: one.event.Record.Type, ID: one.event.Record.ID}
		if content == PayloadEmpty || !one.shown || given[r] {
			continue
		}
		given[r] = true
		out = append(out, `,{"fullUrl":`...)
		out = appendJSON(out, base+"/"+r.String())
		if one.body != nil {
			out = append(append(out, `,"resource":`...), one.body...)
		}
		method, code := "PUT", "200"
		if one.event.Deleted {
			method, code = "DELETE", "204"
		}
		out = append(out, `,"request":{"method":"`+method+`","url":`...)
		out = appendJSON(out, r.String())
		out = append(out, `},"response":{"status":"`+code+`"}}`...)
	}
	return append(out, "]}"...), nil
}

// status is fullUrl and resource of the entry that holds a SubscriptionStatus, in R4 a Parameters.
func (b *bulletin) status(kind string, content PayloadContent) ([]byte, error) {
	id, err := newID(b.gateway.Random)
	if err != nil {
		return nil, err
	}
	s, base := &b.subscription, b.gateway.Notices.Base
	out := []byte(`"fullUrl":"urn:uuid:` + id + `","resource":{"resourceType":"Parameters","id":"` + id + `","meta":{"profile":["` + statusProfile + `"]},"parameter":[`)
	out = appendReference(append(out, `{"name":"subscription","valueReference":`...), base+"/Subscription/"+string(s.ID))
	if s.Topic != "" {
		out = appendJSON(append(out, `},{"name":"topic","valueCanonical":`...), s.Topic)
	}
	out = append(out, `},{"name":"status","valueCode":"`+string(s.Status)+`"},{"name":"type","valueCode":"`+kind+
		`"},{"name":"events-since-subscription-start","valueString":"`+eventNumber(s.Number)+`"}`...)
	for _, one := range b.items {
		out = append(out, `,{"name":"notification-event","part":[{"name":"event-number","valueString":"`+eventNumber(one.event.Number)+`"}`...)
		if one.shown {
			out = append(out, `,{"name":"timestamp","valueInstant":"`+fhir.FormatInstant(one.event.At)+`"}`...)
		}
		if one.shown && content != PayloadEmpty {
			r := fhir.Reference{Type: one.event.Record.Type, ID: one.event.Record.ID}
			out = append(appendReference(append(out, `,{"name":"focus","valueReference":`...), base+"/"+r.String()), '}')
			if one.also != "" {
				out = append(appendReference(append(out, `,{"name":"additional-context","valueReference":`...), base+"/"+one.also), '}')
			}
		}
		out = append(out, "]}"...)
	}
	return append(out, "]}"...), nil
}

func appendReference(b []byte, to string) []byte {
	return append(appendJSON(append(b, `{"reference":`...), to), '}')
}

// SubscriptionStatus tells how subscriptions of the actor's own party are ($status of the backport IG):
// those named, or all; of the statuses named, or any. One that is not the party's is absent.
func (g *Gateway) SubscriptionStatus(ctx context.Context, a Actor, ids []fhir.ID, statuses []SubscriptionStatus, self string) (Release, error) {
	var out Release
	err := g.Store.Tx(ctx, func(tx Tx) error {
		who, err := g.subscriptionOwner(ctx, tx, a, AskStatus)
		if err != nil {
			return err
		}
		list, err := tx.Subscribed(ctx, who.party.ID)
		if err != nil {
			return err
		}
		body := []byte(`{"resourceType":"Bundle","type":"searchset","timestamp":"` + fhir.FormatInstant(g.Clock()) + `","link":[{"relation":"self","url":`)
		body = appendJSON(body, self)
		body = append(body, `}]`...)
		entry, err := g.entry(who, AskStatus, Released, 0)
		if err != nil {
			return err
		}
		entry.Type = "Subscription"
		for _, s := range list {
			if len(ids) > 0 && !slices.Contains(ids, s.ID) || len(statuses) > 0 && !slices.Contains(statuses, s.Status) {
				continue
			}
			one := bulletin{gateway: g, subscription: s}
			status, err := one.status("query-status", PayloadEmpty)
			if err != nil {
				return err
			}
			if len(entry.Entities) == 0 {
				body = append(body, `,"entry":[{`...)
			} else {
				body = append(body, `,{`...)
			}
			body = append(append(body, status...), `,"search":{"mode":"match"}}`...)
			entry.Entities = append(entry.Entities, AuditEntity{Record: fhir.Reference{Type: "Subscription", ID: s.ID}, Custodian: s.Party})
		}
		if len(ids) == 1 && len(entry.Entities) == 0 && len(statuses) == 0 {
			return absent("gateway.subscription")
		}
		if len(entry.Entities) > 0 {
			body = append(body, ']')
		}
		out = Release{body: append(body, '}')}
		return tx.Record(ctx, []AuditEntry{entry})
	})
	return out, err
}

// EventsAsked is a question for past events: numbers from and to, both included; content "" is that
// of the subscription.
type EventsAsked struct {
	ID       fhir.ID
	From, To int64 // zero: no bound
	Content  PayloadContent
}

// SubscriptionEvents gives events that a subscription of the actor's own party has numbered ($events of
// the backport IG), each decided anew for who asks now. One that may no longer be told of has its
// number and nothing else. At most 100 are given, the first.
func (g *Gateway) SubscriptionEvents(ctx context.Context, a Actor, q EventsAsked) (Release, error) {
	var (
		out Release
		b   *bulletin
	)
	err := g.Store.Tx(ctx, func(tx Tx) error {
		who, err := g.subscriptionOwner(ctx, tx, a, AskEvents)
		if err != nil {
			return err
		}
		s, err := tx.Subscription(ctx, who.party.ID, q.ID)
		if err != nil {
			if CodeOf(err) == NotFound {
				return absent("gateway.subscription")
			}
			return err
		}
		if q.Content == "" {
			q.Content = s.Content
		}
		s.Content = q.Content
		to := s.Number
		if q.To > 0 {
			to = min(to, q.To)
		}
		events, err := tx.Announced(ctx, s.ID, max(q.From, 1), to, mostEvents)
		if err != nil {
			return err
		}
		b = &bulletin{gateway: g, tx: tx, who: who, subscription: s, code: AskEvents, asked: true}
		if err := b.again(ctx, events); err != nil {
			return err
		}
		body, err := b.bundle("query-event", q.Content)
		if err != nil {
			return err
		}
		out = Release{body: body}
		question, err := g.entry(who, AskEvents, Released, 0)
		question.Type = "Subscription"
		question.Entities = []AuditEntity{{Record: fhir.Reference{Type: "Subscription", ID: s.ID}, Custodian: s.Party}}
		if err != nil {
			return err
		}
		return tx.Record(ctx, append(b.entries, question))
	})
	if err != nil {
		return Release{}, err
	}
	if len(b.fetched) > 0 {
		if err := g.record(ctx, nil, b.fetched); err != nil {
			return Release{}, err
		}
	}
	return out, nil
}

// subscriptionOwner finds who asks about subscriptions of its own party: whoever may read its records.
func (g *Gateway) subscriptionOwner(ctx context.Context, v View, a Actor, code InteractionCode) (asked, error) {
	if err := withoutEmergency(a); err != nil {
		return asked{}, err
	}
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return asked{}, err
	}
	p, system, err := g.systemSubscriptions(ctx, who, code, "Subscription")
	if err == nil && !system {
		p, err = g.permit(ctx, who, code, Question{Action: ReadAction})
	}
	if err != nil {
		return asked{}, err
	}
	if scope := p.Scope(); scope.Own == "" || scope.Self && a.Kind == Patient {
		return asked{}, absent("gateway.subscription")
	}
	return who, nil
}

// longestError is how long a Subscription may be in error before what it waits for is forgotten.
const longestError = 30 * 24 * time.Hour

// ForgetChanges removes what no subscription waits for any more: changes older than age. One that has
// been in error for long waits no more: it is off, and begins anew when it is asked for again.
func (g *Gateway) ForgetChanges(ctx context.Context, age time.Duration, limit int) (int, error) {
	n := 0
	err := g.Store.Tx(ctx, func(tx Tx) error {
		n = 0
		s, err := tx.StaleSubscription(ctx, g.Clock().Add(-longestError))
		switch {
		case err == nil:
			if err := g.halt(ctx, tx, s, SubscriptionOff, "Abonnementet har vært stanset i mer enn 30 døgn."); err != nil {
				return err
			}
		case CodeOf(err) != NotFound:
			return err
		}
		n, err = tx.Forget(ctx, g.Clock().Add(-age), limit)
		return err
	})
	return n, err
}
