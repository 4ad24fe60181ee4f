package rest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// measures are the figures of the wire. The label route is the pattern, never the path.
type measures struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	underway prometheus.Gauge
}

func newMeasures(r prometheus.Registerer) (*measures, error) {
	m := &measures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluse_http_requests_total", Help: "Requests answered, by route pattern, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluse_http_request_seconds", Help: "Time from header to last byte, by route pattern and method.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
		underway: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluse_http_requests_underway", Help: "Requests being answered now.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.underway} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("rest: metrics: %w", err)
		}
	}
	return m, nil
}

// account is what the log line tells beside the request itself.
type account struct {
	actor gateway.Actor
	err   error
}

const accountKey = "sluse.account"

func note(c *gin.Context, r *request, err error) {
	c.Set(accountKey, account{actor: r.actor, err: err})
}

// observe gives every request an id, one line in the log and its figures, and turns a panic into
// a 500 that tells the client nothing.
func (a *api) observe(c *gin.Context) {
	begun := a.Clock()
	id := a.requestID(c.Request)
	c.Writer.Header().Set("X-Request-Id", id)
	a.measures.underway.Inc()
	defer a.measures.underway.Dec()
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // recovered value, net/http compares it so too
				panic(v)
			}
			a.recovered(c, id, v)
		}
		a.finish(c, id, a.Clock().Sub(begun))
	}()
	c.Next()
}

func (a *api) recovered(c *gin.Context, id string, v any) {
	a.Log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("request", id),
		slog.String("route", routeOf(c)), slog.String("what", panicText(v)), slog.String("stack", string(debug.Stack())))
	err := gateway.Failed("rest.panic", gateway.Internal, errPanic)
	if c.Writer.Written() {
		note(c, &request{}, err)
		return
	}
	a.refuseWith(err)(c)
}

var errPanic = errors.New("panic")

// panicText tells what kind of panic it was. The value itself may hold content and is not told.
func panicText(v any) string {
	var fault runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &fault) {
		return fault.Error()
	}
	return fmt.Sprintf("%T", v)
}

func (a *api) finish(c *gin.Context, id string, took time.Duration) {
	route, method, status := routeOf(c), methodOf(c.Request), c.Writer.Status()
	a.measures.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	a.measures.seconds.WithLabelValues(route, method).Observe(took.Seconds())
	attrs := []slog.Attr{
		slog.String("request", id), slog.String("method", method), slog.String("route", route),
		slog.Int("status", status), slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
	}
	level := slog.LevelInfo
	if v, ok := c.Get(accountKey); ok {
		done, _ := v.(account)
		if done.actor.Party != "" {
			attrs = append(attrs, slog.String("party", string(done.actor.Party)), slog.String("client", done.actor.Client))
		}
		if done.err != nil {
			attrs = append(attrs, slog.String("error", loggable(done.err)))
		}
	}
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	a.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// loggable gives the line of an error, or only its code when a number has come into it.
func loggable(err error) string {
	if s := err.Error(); !fhir.ContainsNIN(s) {
		return s
	}
	return string(gateway.CodeOf(err)) + ": text left out"
}

func routeOf(c *gin.Context) string {
	if p := c.FullPath(); p != "" {
		return p
	}
	return "none"
}

// methodOf bounds the label: a client may invent methods.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9\-._]{1,64}$`)

// requestID takes the client's X-Request-Id when it is harmless (R4 http.html#custom), or makes one.
func (a *api) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestIDPattern.MatchString(id) && !fhir.ContainsNIN(id) {
		return id
	}
	var b [12]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return "none"
	}
	return hex.EncodeToString(b[:])
}
