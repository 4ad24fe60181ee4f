package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluse/sluse/gateway"
)

// Transport carries business documents to parties outside and from them. Both ways are at-least-once:
// the same document may come again, and whoever takes it in has one effect of it by (sender HER-id,
// MsgId).
type Transport interface {
	// Send returns nil when the other side has the document for good, with what it calls it. An error of
	// code Malformed, Invalid, NotSupported, TooLarge, TooCostly or Conflict is its no to this document;
	// after any other the same parcel comes again. No error tells anything of the content.
	Send(ctx context.Context, p gateway.Parcel) (reference string, err error)
	// Receive hands over what lies ready now, each to take, and returns. It acknowledges to the other
	// side only after take has returned nil: then it is durable here. After one of the codes above, or
	// Forbidden, it tells the other side no, and does not bring it again; after any other error it
	// acknowledges nothing.
	Receive(ctx context.Context, take func(context.Context, gateway.Arrival) error) error
}

// refused tells whether the error is a no to the document: the same at every try.
func refused(err error) bool {
	switch gateway.CodeOf(err) {
	case gateway.Malformed, gateway.Invalid, gateway.NotSupported, gateway.TooLarge, gateway.TooCostly,
		gateway.Conflict, gateway.Forbidden:
		return err != nil
	}
	return false
}

// CarrierConfig wires a Carrier. Gateway, Transport and Route are required.
type CarrierConfig struct {
	Gateway   *gateway.Gateway
	Transport Transport
	Route     gateway.Route // its name, and the HER-ids outside that it reaches
	Interval  time.Duration // between looks; 1 s when zero
	Log       *slog.Logger  // nil: nothing is logged
}

func (c CarrierConfig) validate() error {
	var faults []error
	for name, absent := range map[string]bool{
		"Gateway": c.Gateway == nil, "Transport": c.Transport == nil, "Route.Name": c.Route.Name == "", "Route.HERIDs": len(c.Route.HERIDs) == 0,
	} {
		if absent {
			faults = append(faults, fmt.Errorf("exchange: missing configuration: %s", name))
		}
	}
	for _, id := range c.Route.HERIDs {
		if !herForm.MatchString(string(id)) {
			faults = append(faults, fmt.Errorf("exchange: route %s: not a HER-id", c.Route.Name))
		}
	}
	if c.Interval < 0 {
		faults = append(faults, fmt.Errorf("exchange: an interval below zero: %s", c.Interval))
	}
	return errors.Join(faults...)
}

// Carrier keeps one Transport going: what lies in the mailboxes of those whom its route reaches leaves
// by it, decided when it does; what it brings is received as any message, and its AppRec leaves the
// same way. Several may run side by side, in any number of processes.
type Carrier struct{ CarrierConfig }

// NewCarrier checks the wiring and tells all that is wrong at once.
func NewCarrier(c CarrierConfig) (*Carrier, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Carrier{c}, nil
}

// Run works until the context ends.
func (c *Carrier) Run(ctx context.Context) {
	every(ctx, c.Interval, func() {
		if err := c.Once(ctx); err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, "transport", slog.String("transport", c.Route.Name), slog.Any("error", err))
		}
	})
}

// Once takes in what has come and sends what is due. A transport that does not answer ends the round:
// what is left waits for the next.
func (c *Carrier) Once(ctx context.Context) error {
	var failed []error
	err := c.Transport.Receive(ctx, func(ctx context.Context, in gateway.Arrival) error {
		err := c.Gateway.Arrive(ctx, c.Route, in, Translator{})
		if err != nil {
			c.Log.WarnContext(ctx, "message was not taken in", slog.String("transport", c.Route.Name), slog.Any("error", err))
		}
		return err
	})
	if err != nil {
		failed = append(failed, err)
	}
	for range batch {
		worked, err := c.Gateway.ConveyOnce(ctx, c.Route, Translator{}, c.Transport.Send)
		if err != nil {
			failed = append(failed, err)
		}
		if !worked || err != nil || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}
