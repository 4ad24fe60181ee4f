package notification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluse/sluse/gateway"
)

// Worker notifies subscribers until it is told to end. Any number of Workers may run side by side, in
// any number of processes: a subscription has one delivery under way at a time.
type Worker struct{ WorkerConfig }

// WorkerConfig wires a Worker. Gateway and Courier are required.
type WorkerConfig struct {
	Gateway  *gateway.Gateway
	Courier  gateway.Courier
	Interval time.Duration // between looks when there was nothing to do; 1 s when zero
	Abreast  int           // deliveries at a time, so that one slow receiver does not hold up all; 4 when zero
	Keep     time.Duration // how long a change that nobody waits for is kept; 24 h when zero
	Log      *slog.Logger  // nil: nothing is logged
}

// NewWorker checks the wiring.
func NewWorker(c WorkerConfig) (*Worker, error) {
	if c.Gateway == nil || c.Courier == nil {
		return nil, errors.New("notification: missing configuration: Gateway or Courier")
	}
	if c.Interval < 0 || c.Abreast < 0 || c.Keep < 0 {
		return nil, fmt.Errorf("notification: below zero: interval %s, abreast %d, keep %s", c.Interval, c.Abreast, c.Keep)
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Abreast == 0 {
		c.Abreast = 4
	}
	if c.Keep == 0 {
		c.Keep = 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Worker{c}, nil
}

// Run works until the context ends.
func (w *Worker) Run(ctx context.Context) {
	var working sync.WaitGroup
	for range w.Abreast {
		working.Go(func() { w.repeat(ctx, w.Interval, "notification", w.Gateway.NotifyOnce) })
	}
	working.Go(func() { w.repeat(ctx, 60*w.Interval, "change feed", w.forget) })
	working.Wait()
}

// forgotten is how many changes one transaction removes at most.
const forgotten = 1000

func (w *Worker) forget(ctx context.Context, _ gateway.Courier) (bool, error) {
	n, err := w.Gateway.ForgetChanges(ctx, w.Keep, forgotten)
	return n == forgotten, err
}

// repeat does work for as long as there is any, and then waits.
func (w *Worker) repeat(ctx context.Context, pause time.Duration, what string, work func(context.Context, gateway.Courier) (bool, error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		worked, err := work(ctx, w.Courier)
		if err != nil && ctx.Err() == nil {
			w.Log.ErrorContext(ctx, what, slog.Any("error", err))
		}
		if worked && err == nil {
			timer.Reset(0)
		} else {
			timer.Reset(pause)
		}
	}
}
