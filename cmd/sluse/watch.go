package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/policies"
)

// newWatch compares the forms of the rules in the background whenever a person's Consents have changed.
func newWatch(ctx context.Context, store gateway.Store, d *consent.Decider, clock func() time.Time, log *slog.Logger, metrics prometheus.Registerer) (*gateway.Watch, error) {
	checker, err := consent.NewChecker(ctx, d, policies.Set{})
	if err != nil {
		return nil, err
	}
	w, err := gateway.NewWatch(gateway.WatchConfig{Store: store, Comparer: checker, Clock: clock, Log: log})
	if err != nil {
		return nil, err
	}
	for name, one := range map[string]struct {
		help string
		of   func(gateway.WatchFigures) int64
	}{
		"sluse_rules_compared_total":    {"Persons whose Consents both forms of the rules were asked about.", func(f gateway.WatchFigures) int64 { return f.Compared }},
		"sluse_rules_classes_total":     {"Requests that they were asked about.", func(f gateway.WatchFigures) int64 { return f.Classes }},
		"sluse_rules_left_total":        {"Requests that were too many to ask about.", func(f gateway.WatchFigures) int64 { return f.Left }},
		"sluse_rules_overflowed_total":  {"Changes that did not fit the queue, and were not compared.", func(f gateway.WatchFigures) int64 { return f.Overflowed }},
		"sluse_rules_failed_total":      {"Comparisons that could not be made.", func(f gateway.WatchFigures) int64 { return f.Failed }},
		"sluse_rules_differences_total": {"Requests that the forms answered differently. More than none is an alarm.", func(f gateway.WatchFigures) int64 { return f.Differences }},
	} {
		if err := metrics.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: one.help},
			func() float64 { return float64(one.of(w.Figures())) })); err != nil {
			return nil, err
		}
	}
	for name, one := range map[string]struct {
		help string
		of   func(gateway.WatchFigures) int
	}{
		"sluse_rules_waiting":  {"Persons whose Consents wait to be compared.", func(f gateway.WatchFigures) int { return f.Waiting }},
		"sluse_rules_disagree": {"Persons about whose Consents the forms disagreed when last compared. More than none is an alarm.", func(f gateway.WatchFigures) int { return f.Unlike }},
	} {
		if err := metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: one.help},
			func() float64 { return float64(one.of(w.Figures())) })); err != nil {
			return nil, err
		}
	}
	return w, nil
}
