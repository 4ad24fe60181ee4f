package gateway

import (
	"context"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Notify is the interaction by which a subscriber is told of a change.
const Notify InteractionCode = "notify"

// Notices says how subscribers are notified. The zero Notices allows no destination, so that no
// Subscription can be stored.
type Notices struct {
	Base         string // absolute FHIR base: of what notifications refer to, and of references that name this server
	Destinations []Destination
	Tries        int           // failed deliveries in a row after which a Subscription is in error; 8 when zero
	Backoff      time.Duration // before the second try, doubled for each further one; 1 s when zero
	Longest      time.Duration // of a pause between tries; 10 min when zero
	Each         int           // Subscriptions that a party may have; 50 when zero
}

func (n Notices) tries() int             { return cmpOr(n.Tries, 8) }
func (n Notices) backoff() time.Duration { return cmpOr(n.Backoff, time.Second) }
func (n Notices) longest() time.Duration { return cmpOr(n.Longest, 10*time.Minute) }
func (n Notices) each() int              { return cmpOr(n.Each, 50) }

func cmpOr[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// SubscriptionStatus is a code of http://hl7.org/fhir/subscription-status.
type SubscriptionStatus string

// The statuses: a client writes requested and off, the server the others.
const (
	SubscriptionRequested SubscriptionStatus = "requested"
	SubscriptionActive    SubscriptionStatus = "active"
	SubscriptionError     SubscriptionStatus = "error"
	SubscriptionOff       SubscriptionStatus = "off"
)

// PayloadContent is how much a notification tells (backport IG, backport-payload-content).
type PayloadContent string

// The contents.
const (
	PayloadEmpty  PayloadContent = "empty"
	PayloadIDOnly PayloadContent = "id-only"
	PayloadFull   PayloadContent = "full-resource"
)

// Subscription is what a party wants to be told of, and how far it has been told.
type Subscription struct {
	ID       fhir.ID
	Party    HERID
	Actor    Actor    // who asked for it: as whom each event is decided
	Attested PersonID // the one person that its token was bound to; zero: none
	Topic    string   // canonical; "" for an R4 Subscription whose criteria is a query
	Filters  []string // "Task?status=requested": all of those of a type must hold
	Types    []fhir.Type
	Status   SubscriptionStatus
	Endpoint string
	Header   []byte         // sealed, never readable back
	Content  PayloadContent // of a topic; for a query empty or full
	Heart    time.Duration  // between heartbeats; zero: none
	Timeout  time.Duration  // of one delivery
	Max      int            // events in one notification
	End      time.Time      // zero: none

	Place     Place // how far the feed is read
	Number    int64 // of the last event: events since the subscription began
	Delivered int64 // of the last event that was received
	Tries     int   // failures in a row
	Next      time.Time
	Attempt   string    // the delivery under way
	Claimed   time.Time // until when it is
	Sent      time.Time // the last delivery that was received
}

// Event is one numbered event of a subscription. Its number never changes, and no other has it.
type Event struct {
	Number    int64
	Record    fhir.Reference // with Version
	Custodian HERID
	Person    PersonID
	Deleted   bool
	Told      bool // of a Consent of another's that named the party: told by reference only
	At        time.Time
}

// Subscriptions keeps subscriptions and their events. Errors are *Error.
type Subscriptions interface {
	// Subscribe keeps a subscription that is new, or begins anew: it is told of what is written
	// from now on. Otherwise place and numbers stay.
	Subscribe(ctx context.Context, s Subscription, anew bool) error
	// Subscription gives a subscription, locked; NotFound when there is none.
	Subscription(ctx context.Context, party HERID, id fhir.ID) (Subscription, error)
	// SubscriptionCount counts those of a party that are not off.
	SubscriptionCount(ctx context.Context, party HERID) (int, error)
	// Subscribed lists the subscriptions of a party, by id.
	Subscribed(ctx context.Context, party HERID) ([]Subscription, error)
	// Unsubscribe forgets a subscription with its events.
	Unsubscribe(ctx context.Context, party HERID, id fhir.ID) error
	// DueSubscription locks one that has something to be told; NotFound when none has.
	DueSubscription(ctx context.Context, now time.Time) (Subscription, error)
	// StaleSubscription locks one that has been in error since before the time; NotFound when none has.
	StaleSubscription(ctx context.Context, before time.Time) (Subscription, error)
	// AdvanceSubscription keeps what changes by the work on a subscription.
	AdvanceSubscription(ctx context.Context, s Subscription) error
	// Announce keeps numbered events.
	Announce(ctx context.Context, id fhir.ID, events []Event) error
	// Announced lists events by number, from and to included.
	Announced(ctx context.Context, id fhir.ID, from, to int64, limit int) ([]Event, error)
	Feed
}

// subscribe follows a stored Subscription: what it asks for counts from the commit on.
func (g *Gateway) subscribe(ctx context.Context, tx Tx, who asked, w *written, r Record) error {
	s := w.subscription.Subscription
	s.ID, s.Party, s.Actor, s.Next = r.Reference.ID, who.party.ID, who.Actor, g.Clock()
	full, err := g.resolve(ctx, tx, who.Actor)
	if err != nil {
		return err
	}
	s.Attested = full.attested
	was, err := tx.Subscription(ctx, s.Party, s.ID)
	fresh := CodeOf(err) == NotFound
	if err != nil && !fresh {
		return err
	}
	header := w.subscription.header
	switch {
	case fresh && s.Status != SubscriptionRequested:
		return refuseSubscription("subscription.status", "Subscription.status")
	case s.Status == SubscriptionActive && (was.Status != SubscriptionActive || was.Endpoint != s.Endpoint || len(header) > 0):
		return refuseSubscription("subscription.status", "Subscription.status")
	case !fresh && len(header) == 0 && was.Endpoint == s.Endpoint:
		s.Header = was.Header // what cannot be read back is not taken away by writing back what was read
	}
	if len(header) > 0 {
		if s.Header, err = g.sealHeader(s, header); err != nil {
			return err
		}
	}
	if fresh || was.Status == SubscriptionOff && s.Status != SubscriptionOff {
		n, err := tx.SubscriptionCount(ctx, s.Party)
		if err != nil {
			return err
		}
		if n >= g.Notices.each() {
			return refuseSubscription("subscription.too-many", "Subscription")
		}
	}
	if !fresh {
		s.Place, s.Number, s.Delivered, s.Sent = was.Place, was.Number, was.Delivered, was.Sent
	}
	return tx.Subscribe(ctx, s, fresh || was.Status == SubscriptionOff)
}

// systemSubscriptions reaches, for a system without a person, the subscriptions of its own party, which
// it may write, and nothing else. ok is false for every other question.
func (g *Gateway) systemSubscriptions(ctx context.Context, who asked, code InteractionCode, t fhir.Type) (p Permit, ok bool, err error) {
	if who.Kind != Machine || t != "Subscription" {
		return Permit{}, false, nil
	}
	p, err = g.permit(ctx, who, code, Question{Action: WriteAction, Type: t})
	if scope := p.Scope(); err == nil {
		p.decision.Scope = Scope{Own: scope.Own, Revision: scope.Revision}
	}
	return p, true, err
}

func refuseSubscription(code, expression string) error {
	return Fault("gateway.subscription", Invalid, fhir.Issue{
		Severity: "error", Type: "business-rule", Code: code, Expression: expression,
	})
}

// setSubscription writes the next version of a Subscription with the status that the server gives it.
func (g *Gateway) setSubscription(ctx context.Context, tx Tx, who asked, s Subscription, text string) error {
	p := g.custody(who, Update)
	current, err := tx.Lock(ctx, p, fhir.Reference{Type: "Subscription", ID: s.ID})
	if err != nil {
		return ignoreAbsent(err)
	}
	if current.Deleted {
		return nil
	}
	res, err := ParseAuthored(current.Body)
	if err != nil {
		return Failed("gateway.subscription", Internal, err)
	}
	e := res.Edit()
	e.Set(res.Root(), "status", appendJSON(nil, string(s.Status)))
	if text != "" {
		e.Set(res.Root(), "error", appendJSON(nil, text))
	} else if v := res.Root().Get("error"); v != nil {
		e.Remove(v)
	}
	body, err := e.Bytes()
	if err != nil {
		return Failed("gateway.subscription", Internal, err)
	}
	return g.revise(ctx, tx, who, p, current, body)
}
