package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that must hold for the server to be ready.
type Check struct {
	Name  string
	Test  func(context.Context) error // nil error: it holds
	Warns bool                        // the server is ready even so; what it tells is an alarm
}

// AdminConfig is what the admin handler shows.
type AdminConfig struct {
	Checks  []Check
	Metrics prometheus.Gatherer
}

// checkTime bounds all checks of one look together.
const checkTime = time.Second

// Admin serves health, readiness and metrics. It belongs on a listener of its own, which no
// client of the API reaches; it tells nothing about records.
//
//	GET /healthz  200 while the process answers
//	GET /readyz   200 when every check holds but those that only warn, 503 otherwise; which ones fail, not why
//	GET /metrics  Prometheus text format
func Admin(c AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		status, word, checks := http.StatusOK, "ready", make(map[string]bool, len(c.Checks))
		for _, check := range c.Checks {
			holds := check.Test(ctx) == nil
			checks[check.Name] = holds
			if !holds && !check.Warns {
				status, word = http.StatusServiceUnavailable, "not ready"
			}
		}
		tell(w, status, map[string]any{"status": word, "checks": checks})
	})
	if c.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{}))
	}
	return mux
}
