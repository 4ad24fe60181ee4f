// Package rest speaks the RESTful API of FHIR R4 (R4 http.html) for a Gateway.
//
// It turns HTTP into gateway.Interaction and back, and decides nothing: who asks is the
// Authenticator's answer, what may leave is the Gateway's. What it guards itself is the wire:
// sizes, pace, media types, national identifiers in URLs, and parameters that it does not know,
// which it refuses, since a filter that is dropped shows more than was asked for.
package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluse/sluse/gateway"
)

// Authenticator proves who asks.
type Authenticator interface {
	// Authenticate reads the credentials of the request and nothing else of it. Any error is a
	// refusal: a *gateway.Error keeps its code, everything else is Unauthorized.
	Authenticate(ctx context.Context, r *http.Request) (gateway.Actor, error)
}

// Config wires the API.
type Config struct {
	Gateway       *gateway.Gateway
	Authenticator Authenticator
	Base          string                // absolute FHIR base without a slash at its end: "https://host/fhir"
	Version       string                // of the software, for the CapabilityStatement
	Clock         func() time.Time      // for durations and the date of the CapabilityStatement
	Random        io.Reader             // request ids
	Log           *slog.Logger          // default: none
	Metrics       prometheus.Registerer // default: a registry nobody reads
	Timeout       time.Duration         // of one interaction; default 10 s
	Demo          bool                  // tells clients of the demo issuer
	Tokens        Tokens                // what clients are told of where tokens come from; default: nothing
	// Pause waits so long, or until nobody waits any longer; default: by a timer.
	Pause func(context.Context, time.Duration)
	// Origins are the web applications, as "https://host[:port]", that a browser may let read the
	// answers (CORS); "*" is any. Default: none. Credentials that a browser adds by itself are never
	// allowed: a token must be put into the header.
	Origins []string
}

func (c *Config) validate() error {
	var faults []error
	for _, field := range []struct {
		name   string
		absent bool
	}{
		{"Gateway", c.Gateway == nil}, {"Authenticator", c.Authenticator == nil},
		{"Clock", c.Clock == nil}, {"Random", c.Random == nil}, {"Version", c.Version == ""},
	} {
		if field.absent {
			faults = append(faults, errors.New("rest: "+field.name+" is missing"))
		}
	}
	base, err := url.Parse(c.Base)
	if err != nil || base.Scheme == "" || base.Host == "" || base.RawQuery != "" || !strings.HasSuffix(base.Path, root) {
		faults = append(faults, errors.New("rest: Base must be absolute and end in "+root))
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
			faults = append(faults, errors.New("rest: Origins holds what is no origin"))
		}
	}
	faults = append(faults, c.Tokens.validate())
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return errors.Join(faults...)
}

// New makes the handler of everything below /fhir.
func New(c Config) (http.Handler, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	observed, err := newMeasures(c.Metrics)
	if err != nil {
		return nil, err
	}
	statement, err := capability(c)
	if err != nil {
		return nil, err
	}
	smart, err := c.Tokens.configuration()
	if err != nil {
		return nil, err
	}
	own, err := readDefinitions()
	if err != nil {
		return nil, err
	}
	a := &api{Config: c, measures: observed, statement: statement, definitions: own, smartDocument: smart, large: make(chan struct{}, largeBodies), heavy: make(chan struct{}, heavyBundles)}
	return a.router(), nil
}

// api is the state that all requests share; nothing in it changes.
type api struct {
	Config
	measures      *measures
	statement     []byte                 // the CapabilityStatement
	definitions   []definition           // our own
	smartDocument []byte                 // the SMART configuration
	description   func() ([]byte, error) // the OpenAPI document, made when it is first asked for
	large         chan struct{}          // places for large bodies
	heavy         chan struct{}          // places for large Bundles, until they are answered
}
