package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluse/sluse/gateway"
)

// Worker settles what was taken in and not finished, sends what is queued, and watches for AppRecs
// that do not come and messages that nobody fetches; it tells of withdrawals and of samtykker that end.
// Any number of Workers may run side by side, in any number of processes.
type Worker struct{ WorkerConfig }

// WorkerConfig wires a Worker. Gateway is required.
type WorkerConfig struct {
	Gateway  *gateway.Gateway
	Interval time.Duration // between looks at the queues; 1 s when zero
	AppRec   time.Duration // how long a sent message may wait for its AppRec; 24 h when zero
	Log      *slog.Logger  // nil: nothing is logged

	Translator Translator // the zero value: henvisning v2.0 is not written
}

// NewWorker checks the wiring.
func NewWorker(c WorkerConfig) (*Worker, error) {
	if c.Gateway == nil {
		return nil, errors.New("exchange: missing configuration: Gateway")
	}
	if c.Interval < 0 || c.AppRec < 0 {
		return nil, fmt.Errorf("exchange: a duration below zero: interval %s, apprec %s", c.Interval, c.AppRec)
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.AppRec == 0 {
		c.AppRec = 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Worker{c}, nil
}

// batch is how many messages one look settles or expires at most.
const batch = 50

// Run works until the context ends.
func (w *Worker) Run(ctx context.Context) {
	every(ctx, w.Interval, func() {
		if err := w.Once(ctx); err != nil && ctx.Err() == nil {
			w.Log.ErrorContext(ctx, "message worker", slog.Any("error", err))
		}
	})
}

// every does something now and so long after each time that it is done, until the context ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		do()
		timer.Reset(interval)
	}
}

// Once empties the queues of what can be done now. The errors of one kind of work do not keep the
// others from going on.
func (w *Worker) Once(ctx context.Context) error {
	var failed []error
	if _, err := w.Gateway.Resume(ctx, w.Translator, batch); err != nil {
		failed = append(failed, err)
	}
	for range batch {
		worked, err := w.Gateway.RelayOnce(ctx, w.Translator, w.AppRec)
		if err != nil {
			failed = append(failed, err)
		}
		if !worked || ctx.Err() != nil {
			break
		}
	}
	if _, err := w.Gateway.ExpireOverdue(ctx, batch); err != nil {
		failed = append(failed, err)
	}
	if _, err := w.Gateway.WatchUnfetched(ctx, batch); err != nil {
		failed = append(failed, err)
	}
	if _, err := w.Gateway.SettleWithdrawals(ctx, batch); err != nil {
		failed = append(failed, err)
	}
	if _, err := w.Gateway.RemindEnding(ctx, batch); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
