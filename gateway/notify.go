package gateway

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// Notification is one HTTP request to a subscriber, made of what its Permits allowed.
type Notification struct {
	Endpoint    string
	Destination Destination // what the endpoint was found to be; the address it resolves to must fit as well
	Method      string      // POST, or PUT of one resource for an R4 Subscription with payload
	Path        string      // below the endpoint, "" for the endpoint itself
	Header      []string    // "Name: value": secrets, which are logged nowhere
	Body        Release     // application/fhir+json; empty: no body
	Timeout     time.Duration
}

// Courier carries a notification to its endpoint, and nowhere else. Nil means that it was received: an
// answer of 2xx. An error says why not, in words that hold nothing of the answer.
type Courier interface {
	Carry(ctx context.Context, n Notification) error
}

// Undelivered is why a notification was not received, for the subscriber to read.
type Undelivered struct{ Reason string }

// Error gives the reason.
func (u *Undelivered) Error() string { return u.Reason }

// notice is a notification on its way.
type notice struct {
	Notification
	subscription Subscription
	last         int64 // the event it ends with
	fetched      []FetchedVersion
}

// changesAtATime bounds how far one transaction reads the feed.
const changesAtATime = 200

// claimMargin is how long a delivery may take beyond its timeout before another takes it over.
const claimMargin = 5 * time.Second

var errSealed = errors.New("the header of a subscription cannot be opened")

// NotifyOnce does the next piece of work on a subscription: it decides now, for each change, whether
// the subscriber may be told of it, gives numbers to those it may, records that, and only then sends.
// What was sent and not confirmed is sent again under the same numbers. It tells whether there was
// anything to do.
func (g *Gateway) NotifyOnce(ctx context.Context, c Courier) (bool, error) {
	var (
		n     *notice
		tried Subscription
	)
	err := g.Store.Tx(ctx, func(tx Tx) error {
		n, tried = nil, Subscription{}
		s, err := tx.DueSubscription(ctx, g.Clock())
		if err != nil {
			if CodeOf(err) == NotFound {
				return nil
			}
			return err
		}
		tried = s
		n, err = g.notice(ctx, tx, s)
		return err
	})
	if err == nil && n != nil && len(n.fetched) > 0 {
		err = g.record(ctx, nil, n.fetched)
	}
	switch {
	case err != nil && (tried.ID == "" || CodeOf(err) == Unavailable): // what is not the subscription's fault does not count
		return false, err
	case err != nil:
		failed := err
		if err := g.concluded(ctx, tried, 0, &Undelivered{Reason: "Varselet kunne ikke lages."}); err != nil {
			return true, err
		}
		return true, failed
	case n == nil:
		return tried.ID != "", nil
	}
	carried := c.Carry(ctx, n.Notification)
	if carried != nil && ctx.Err() != nil { // we are ending: nobody knows, and the claim runs out
		return true, nil
	}
	return true, g.concluded(ctx, n.subscription, n.last, carried)
}

// notice decides what the subscription is to be told now; nil when it is nothing.
func (g *Gateway) notice(ctx context.Context, tx Tx, s Subscription) (*notice, error) {
	now := g.Clock()
	if !s.End.IsZero() && !now.Before(s.End) {
		return nil, g.halt(ctx, tx, s, SubscriptionOff, "Abonnementet er utløpt.")
	}
	d, ok := g.Notices.destination(s.Endpoint)
	if !ok {
		return nil, g.halt(ctx, tx, s, SubscriptionError, "Adressen er ikke lenger tillatt.")
	}
	who, err := g.subscriber(ctx, tx, s)
	if CodeOf(err) == Forbidden {
		return nil, g.halt(ctx, tx, s, SubscriptionOff, "Virksomheten er ikke lenger kjent.")
	}
	if err != nil {
		return nil, err
	}
	b := &bulletin{gateway: g, tx: tx, who: who, subscription: s, code: Notify}
	kind := "handshake"
	if s.Status == SubscriptionActive {
		if err := b.gather(ctx); err != nil {
			return nil, err
		}
		kind = "event-notification"
		if len(b.items) == 0 {
			kind = "heartbeat"
			if s.Heart == 0 || now.Before(s.Sent.Add(s.Heart)) {
				b.subscription.Next = now
				return nil, tx.AdvanceSubscription(ctx, b.subscription)
			}
		}
	}
	if err := tx.Record(ctx, b.entries); err != nil {
		return nil, err
	}
	n := &notice{fetched: b.fetched, last: s.Delivered}
	if len(b.items) > 0 {
		n.last = b.items[len(b.items)-1].event.Number
		if b.plainly() && b.items[0].body == nil { // it may no longer be sent, and nothing else can stand for it
			b.subscription.Delivered, b.subscription.Next = n.last, now
			return nil, tx.AdvanceSubscription(ctx, b.subscription)
		}
	}
	n.Notification = Notification{Endpoint: s.Endpoint, Destination: d, Method: "POST", Timeout: s.Timeout}
	if n.Header, err = g.openHeader(s); err != nil {
		return nil, g.halt(ctx, tx, s, SubscriptionError, "Hodefeltene må oppgis på nytt.")
	}
	if err := b.write(&n.Notification, kind); err != nil {
		return nil, err
	}
	if b.subscription.Attempt, err = newID(g.Random); err != nil {
		return nil, err
	}
	b.subscription.Claimed = now.Add(s.Timeout + claimMargin)
	n.subscription = b.subscription
	return n, tx.AdvanceSubscription(ctx, b.subscription)
}

// subscriber is the actor that asked for the subscription, as the directory knows its party now.
func (g *Gateway) subscriber(ctx context.Context, v View, s Subscription) (asked, error) {
	who, err := g.resolve(ctx, v, s.Actor)
	if err == nil && s.Attested != 0 { // its token was bound to one patient, and so is all that follows from it
		who.attested, who.Attest.Each = s.Attested, true
	}
	return who, err
}

// concluded keeps how a delivery went. One that another has taken over is none of ours.
func (g *Gateway) concluded(ctx context.Context, tried Subscription, last int64, carried error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return g.Store.Tx(ctx, func(tx Tx) error {
		s, err := tx.Subscription(ctx, tried.Party, tried.ID)
		if err != nil {
			return ignoreAbsent(err)
		}
		if s.Attempt != tried.Attempt || s.Endpoint != tried.Endpoint {
			return nil
		}
		now := g.Clock()
		s.Attempt, s.Claimed = "", time.Time{}
		if s.Status == SubscriptionOff || s.Status == SubscriptionError {
			return tx.AdvanceSubscription(ctx, s)
		}
		if carried == nil {
			handshake := s.Status == SubscriptionRequested && tried.Status == SubscriptionRequested
			s.Delivered, s.Tries, s.Sent, s.Next = max(s.Delivered, last), 0, now, now
			if !handshake {
				return tx.AdvanceSubscription(ctx, s)
			}
			return g.halt(ctx, tx, s, SubscriptionActive, "")
		}
		s.Tries++
		if tried.Status == SubscriptionRequested || s.Tries >= g.Notices.tries() {
			return g.halt(ctx, tx, s, SubscriptionError, "Varslingen er stanset. "+reasonOf(carried))
		}
		pause, err := g.pause(s.Tries)
		if err != nil {
			return err
		}
		s.Next = now.Add(pause)
		return tx.AdvanceSubscription(ctx, s)
	})
}

func reasonOf(err error) string {
	var u *Undelivered
	if errors.As(err, &u) {
		return u.Reason
	}
	return "Mottakeren svarte ikke."
}

// pause is how long to wait after a number of failures: doubled each time, and half of it by chance,
// so that many that failed together do not come back together.
func (g *Gateway) pause(tries int) (time.Duration, error) {
	d := g.Notices.longest()
	if tries < 20 {
		d = min(d, g.Notices.backoff()<<(tries-1))
	}
	var seed [32]byte
	if err := fill(g.Random, seed[:]); err != nil {
		return 0, err
	}
	half := int64(d) / 2
	return time.Duration(half + rand.New(rand.NewChaCha8(seed)).Int64N(half+1)), nil //nolint:gosec // spreads, hides nothing
}

func fill(random io.Reader, b []byte) error {
	if _, err := io.ReadFull(random, b); err != nil {
		return Failed("gateway.random", Unavailable, err)
	}
	return nil
}

// halt gives a subscription another status, in its state and in its resource.
func (g *Gateway) halt(ctx context.Context, tx Tx, s Subscription, status SubscriptionStatus, text string) error {
	s.Status, s.Attempt, s.Claimed, s.Tries = status, "", time.Time{}, 0
	if err := tx.AdvanceSubscription(ctx, s); err != nil {
		return err
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(s.Party)
	if !ok { // nobody is left to read it
		return nil
	}
	return g.setSubscription(ctx, tx, asked{Actor: s.Actor, party: party}, s, text)
}
