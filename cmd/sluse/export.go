package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluse/sluse/gateway"
)

// exportEntry bounds bulk exports. What is left out has its default.
type exportEntry struct {
	Keep  time.Duration `yaml:"keep"`  // how long the files stay after an export is complete; 24h
	Jobs  int           `yaml:"jobs"`  // that a party may have at a time; 10
	Lines int           `yaml:"lines"` // of one file; 10000
	Bytes int64         `yaml:"bytes"` // of one file, as the records are stored; 67108864
}

func (e exportEntry) validate() error {
	if e.Keep < 0 || e.Jobs < 0 || e.Lines < 0 || e.Bytes < 0 {
		return fmt.Errorf("export: a limit below zero")
	}
	return nil
}

func (e exportEntry) limits() gateway.ExportLimits {
	return gateway.ExportLimits{Keep: e.Keep, Jobs: e.Jobs, Lines: e.Lines, Bytes: e.Bytes}
}

// expired is how many jobs are removed at a time.
const expired = 10

// exporter makes the pages of exports and removes those whose time is over. Any number of processes may
// run one.
type exporter struct {
	gateway  *gateway.Gateway
	interval time.Duration // between looks; 1 s when zero
	log      *slog.Logger
}

// run works until the context ends.
func (e exporter) run(ctx context.Context) {
	if e.interval == 0 {
		e.interval = time.Second
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		worked, err := e.gateway.ExportOnce(ctx)
		if !worked {
			_, late := e.gateway.ExpireExports(ctx, expired)
			err = errors.Join(err, late)
		}
		if err != nil && ctx.Err() == nil {
			e.log.ErrorContext(ctx, "export worker", slog.Any("error", err))
		}
		if worked && err == nil {
			timer.Reset(0)
			continue
		}
		timer.Reset(e.interval)
	}
}
