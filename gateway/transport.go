package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Route is a transport by name, with the HER-ids of the parties and services outside that it reaches:
// what is for one of them leaves by it, and what is from one of them is taken in from nowhere else.
type Route struct {
	Name   string
	HERIDs []HERID
}

// Parcel is one business document on its way to a party outside. The same Message and Receiver is the
// same bytes, however often it is handed over.
type Parcel struct {
	Message      MessageID // ours: with Receiver, what names the parcel
	Sender       HERID
	Receiver     HERID
	MsgID        MsgID
	Kind         string // kodeverk 8279, or APPREC
	Conversation string
	Parent       string
	Answers      string // for an AppRec, what the transport calls the message that it answers; "" when that came otherwise
	Whole        bool   // the sender has said: whole, or not at all. It is decided here, and told where the transport has a place for it
	Document     Release

	entry    Envelope
	tries    int
	versions []FetchedVersion
}

// AppRec tells whether the document is an applikasjonskvittering.
func (p Parcel) AppRec() bool { return p.entry.AppRec }

// Arrival is what a transport brings: a business document, or word that one of ours did not get through.
type Arrival struct {
	Document  []byte
	Sender    HERID     // for whom the transport vouches; "": it has nothing but the document
	Reference string    // what the transport calls it
	Whole     bool      // it says that the message goes whole or not at all
	Returned  MessageID // a Parcel of ours that the other side could not take in; Document is nil
	Receiver  HERID     // of what was returned
}

// Outgoing is a mailbox entry of a receiver outside.
type Outgoing struct {
	Envelope
	Tries   int
	Answers string // Parcel.Answers
}

// Transports is the part of a transaction that hands mailbox entries to transports.
type Transports interface {
	// NextParcel locks the next entry for the receivers: unread, not fetched, due, and the oldest
	// document of its sender, receiver and person; AppRecs wait for nothing. NotFound: there is none.
	NextParcel(ctx context.Context, receivers []HERID, now time.Time) (Outgoing, error)
	// Attempt counts a try before it is made, fixes what is withheld, and sets when the next may be made.
	Attempt(ctx context.Context, key int64, withheld []string, next time.Time) error
	// Postpone sets when an entry may be handed over again.
	PostponeParcel(ctx context.Context, key int64, next time.Time) error
	// Conveyed ends the work on an entry: the transport has taken it over under the reference.
	Conveyed(ctx context.Context, key int64, reference string) error
	// Parcelled finds an entry by message and receiver; NotFound when there is none.
	Parcelled(ctx context.Context, id MessageID, receiver HERID) (Envelope, error)
	// Arrived keeps what the transport calls a message that came by it.
	Arrived(ctx context.Context, id MessageID, transport, reference string) error
}

// How long a try may take before another is made, and the longest wait between tries.
const (
	conveyLease   = 2 * time.Minute
	conveyLongest = 10 * time.Minute
)

// ConveyOnce hands the next document for a party outside to send: it decides now, once more at every
// try, records the release, and only then lets the bytes go. When send returns nil the other side has
// the document: its order is delivered and waits for the AppRec. Malformed, Invalid, NotSupported,
// TooLarge, TooCostly and Conflict are the other side's no: the order is rejected, or the sender told
// by a Task. Any other error is tried again, later and later, for ever. It tells whether there was a
// document, and the error of send.
func (g *Gateway) ConveyOnce(ctx context.Context, r Route, t Translator, send func(context.Context, Parcel) (reference string, err error)) (bool, error) {
	p, found, err := g.parcel(ctx, r, t)
	if err != nil || !found {
		return false, err
	}
	if p.Document.Len() == 0 { // ended: it may not leave
		return true, nil
	}
	trying, done := context.WithTimeout(ctx, conveyLease/2)
	reference, failed := send(trying, p)
	done()
	ctx = context.WithoutCancel(ctx) // what has left is written down even when we are told to end
	switch {
	case failed == nil:
		return true, g.conveyed(ctx, p, reference)
	case ofContent(failed) || CodeOf(failed) == Conflict:
		g.Log.WarnContext(ctx, "message was refused by a transport", slog.String("message", string(p.Message)),
			slog.String("transport", r.Name), slog.Any("error", failed))
		return true, g.returned(ctx, p.Message, p.Receiver)
	}
	wait, err := g.backoff(p.tries)
	if err != nil {
		return true, err
	}
	err = g.Store.Tx(ctx, func(tx Tx) error { return tx.PostponeParcel(ctx, p.entry.Key, g.Clock().Add(wait)) })
	return true, errors.Join(failed, err)
}

// backoff is how long to wait after so many tries: doubled each time, and no two alike.
func (g *Gateway) backoff(tries int) (time.Duration, error) {
	var b [1]byte
	if _, err := g.Random.Read(b[:]); err != nil {
		return 0, Failed("gateway.backoff", Internal, err)
	}
	wait := min(time.Second<<min(tries, 10), conveyLongest)
	return wait*3/4 + wait*time.Duration(b[0])/512, nil
}

// parcel takes the next entry and decides for it, in one transaction with the ledger. A Parcel without
// a document is one that was ended, since it may not leave any more.
func (g *Gateway) parcel(ctx context.Context, r Route, t Translator) (p Parcel, found bool, err error) {
	err = g.Store.Tx(ctx, func(tx Tx) error {
		p, found = Parcel{}, false
		e, err := tx.NextParcel(ctx, r.HERIDs, g.Clock())
		if err != nil {
			return ignoreAbsent(err)
		}
		m := e.Message
		p, found = Parcel{
			Message: m.ID, Sender: m.Sender.HERID, Receiver: e.Receiver, MsgID: m.MsgID, Kind: m.Kind,
			Conversation: m.Conversation, Parent: m.Parent, Answers: e.Answers, Whole: e.Whole, entry: e.Envelope, tries: e.Tries,
		}, true
		return g.pack(ctx, tx, r, e, t, &p)
	})
	return p, found, err
}

// pack decides what of an entry may leave now. The first try fixes what is withheld, and with it the
// bytes; when less than that is allowed at a later one, nothing leaves.
func (g *Gateway) pack(ctx context.Context, tx Tx, r Route, e Outgoing, t Translator, p *Parcel) error {
	next := g.Clock().Add(conveyLease)
	if e.AppRec {
		p.Document = Release{body: e.Message.Document}
		return tx.Attempt(ctx, e.Key, e.Withheld, next)
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, _ := dir.Party(e.Party)
	entry, err := g.entry(asked{Actor: Actor{Kind: Machine, Party: e.Party, Client: r.client()}, party: party}, Collect, Released, e.Person)
	if err != nil {
		return err
	}
	entry.Message, entry.Type = string(e.Message.MsgID), "Communication"
	o, err := g.open(ctx, tx, dir, e.Envelope)
	if err != nil {
		return err
	}
	if narrowed := e.Tries > 0 && !slices.Equal(o.withhold, e.Withheld); !o.crosses || narrowed {
		entry.Outcome, entry.Code = Refused, Forbidden
		if err := tx.Record(ctx, []AuditEntry{entry}); err != nil {
			return err
		}
		return g.withdrawn(ctx, tx, e.Envelope, o.missing, t)
	}
	document, err := t.Withhold(e.Message.Document, o.withhold)
	if err != nil {
		return err
	}
	p.Document = Release{body: document}
	entry.Entities, p.versions = o.disclosed(e.Envelope)
	if err := tx.Attempt(ctx, e.Key, o.withhold, next); err != nil {
		return err
	}
	return tx.Record(ctx, []AuditEntry{entry})
}

// client is how the ledger names a transport.
func (r Route) client() string { return "transport " + r.Name }

// withdrawn ends an entry that may not leave any more: nobody outside can see that it does not lie there.
func (g *Gateway) withdrawn(ctx context.Context, tx Tx, e Envelope, missing Labels, t Translator) error {
	if !e.AppRec && e.Party != e.Message.Party { // who waits for it is told that it does not come, and nothing of it
		if err := g.remind(ctx, tx, e.Party, 0, withheldTask, withheldReceiverText); err != nil {
			return err
		}
	}
	return g.undelivered(ctx, tx, e, Held, withheldText("Ikke levert", missing, t), withheldTask,
		"En melding som var kvittert for, er holdt tilbake før den ble levert: samtykke mangler nå.")
}

// undelivered ends an entry that its receiver does not get: its order with the reason, or else a Task to
// its sender.
func (g *Gateway) undelivered(ctx context.Context, tx Tx, e Envelope, state MessageState, reason, code, text string) error {
	if err := tx.Conveyed(ctx, e.Key, ""); err != nil {
		return err
	}
	if e.AppRec { // whoever misses it sends anew
		return nil
	}
	o, err := tx.Ordered(ctx, e.Message.ID, e.Receiver)
	switch {
	case err == nil && (o.State == Accepted || o.State == Rejected || o.State == Held):
		return nil
	case err == nil:
		return g.stop(ctx, tx, o, state, reason)
	case CodeOf(err) != NotFound:
		return err
	}
	if err := g.remind(ctx, tx, e.Message.Party, e.Person, code, text); err != nil {
		return err
	}
	return tx.Reminded(ctx, e.Key)
}

// conveyed keeps that the other side has the document, and which versions it holds by it.
func (g *Gateway) conveyed(ctx context.Context, p Parcel, reference string) error {
	return g.Store.Tx(ctx, func(tx Tx) error {
		if !p.AppRec() {
			if err := tx.Fetch(ctx, p.entry.Key, p.Document.body, p.versions); err != nil {
				return err
			}
		}
		if err := tx.Conveyed(ctx, p.entry.Key, reference); err != nil {
			return err
		}
		o, err := tx.Ordered(ctx, p.Message, p.Receiver)
		if err != nil || o.State != SentOut { // the AppRec may have been faster
			return ignoreAbsent(err)
		}
		o.State = DeliveredOut
		return tx.Advance(ctx, o, time.Time{}, "")
	})
}

// returned ends a parcel that the other side could not take in.
func (g *Gateway) returned(ctx context.Context, id MessageID, receiver HERID) error {
	return g.Store.Tx(ctx, func(tx Tx) error {
		e, err := tx.Parcelled(ctx, id, receiver)
		if err != nil {
			return err
		}
		return g.undelivered(ctx, tx, e, Rejected, "Ikke levert: mottakerens system kunne ikke ta imot meldingen.", "message-refused",
			"Mottakerens system kunne ikke ta imot en melding som var kvittert for. Ta kontakt med mottakeren.")
	})
}

// Arrive takes in what a transport has brought, as Receive does what is handed in by the message API:
// from its sender, when that is one whom the route reaches and the transport names no other. A receiver
// that the same route reaches is not ours to answer for. nil means that it is durable and may be
// acknowledged; Forbidden that it was refused and recorded.
func (g *Gateway) Arrive(ctx context.Context, r Route, in Arrival, t Translator) error {
	const op = "gateway.arrive"
	if in.Returned != "" {
		if !slices.Contains(r.HERIDs, in.Receiver) {
			return forbidden(op, "message.receiver-not-named")
		}
		return ignoreAbsent(g.returned(ctx, in.Returned, in.Receiver))
	}
	m, err := t.Head(in.Document)
	if err != nil {
		return err
	}
	dir, err := g.Store.Directory(ctx)
	if err != nil {
		return Failed(op, Unavailable, err)
	}
	from, known := dir.Party(m.Sender.HERID)
	if !known || !slices.Contains(r.HERIDs, m.Sender.HERID) || in.Sender != "" && in.Sender != m.Sender.HERID {
		if err := g.refuseMessage(ctx, asked{Actor: Actor{Kind: Machine, Client: r.client()}}, Submit, m.MsgID); err != nil {
			return err
		}
		return forbidden(op, "message.sender-not-own")
	}
	s := Submission{Document: in.Document, Whole: in.Whole, origin: origin{r.Name, in.Reference}}
	for _, to := range m.Receivers {
		if _, ours := dir.Party(to.HERID); ours && !slices.Contains(r.HERIDs, to.HERID) {
			s.Only = append(s.Only, to.HERID)
		}
	}
	_, err = g.Receive(ctx, Actor{Kind: Machine, Party: from.ID, Client: r.client()}, s, t)
	return err
}

// origin is the transport that a submission came by, and what that calls it.
type origin struct{ transport, reference string }

// keep writes it beside the claim: an AppRec is sent as the answer to that name.
func (o origin) keep(ctx context.Context, tx Tx, id MessageID) error {
	if o.transport == "" {
		return nil
	}
	if fhir.ContainsNIN(o.reference) || strings.ContainsFunc(o.reference, func(c rune) bool { return c < ' ' }) || len(o.reference) > 200 {
		o.reference = ""
	}
	return tx.Arrived(ctx, id, o.transport, o.reference)
}
