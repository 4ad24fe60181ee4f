// Package console serves pages for people: a message shown as its receiver reads it.
//
// What may be shown is the Gateway's answer (Preview), the same as the message API gives its receiver; this package
// decides nothing and keeps nothing. Every page is text that package mapping renders, under a strict policy: no script
// but the page's own, nothing from elsewhere, no cookie, and no token in a URL.
package console

import (
	"context"
	"embed"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// Authenticator turns a request's token into an Actor. An error is Unauthorized unless it says
// otherwise.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request) (gateway.Actor, error)
}

// Config wires the console. All but Log are required.
type Config struct {
	Gateway       *gateway.Gateway
	Authenticator Authenticator
	Translator    gateway.Translator // of business documents
	Clock         func() time.Time
	Log           *slog.Logger // nil: nothing is logged
}

func (c Config) validate() error {
	var faults []error
	for _, f := range []struct {
		name   string
		absent bool
	}{{"Gateway", c.Gateway == nil}, {"Authenticator", c.Authenticator == nil}, {"Translator", c.Translator == nil}, {"Clock", c.Clock == nil}} {
		if f.absent {
			faults = append(faults, errors.New("console: "+f.name+" is missing"))
		}
	}
	return errors.Join(faults...)
}

// Limits of a request, as the other APIs have them (DESIGN § 5, REST).
const (
	maxURL      = 8 << 10
	maxDocument = 10 << 20
	maxDrained  = 8 << 20 // of a body too large, thrown away
)

// files are the page, its script and its style sheet.
//
//go:embed static
var files embed.FS

type console struct{ Config }

// Handler serves the paths below /console/. It is mounted at the root: the prefix is part of its routes.
func Handler(c Config) (http.Handler, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &console{c}
	mux := http.NewServeMux()
	paths := map[string]string{}
	for _, one := range []struct {
		method, path string
		handle       handler
	}{
		{http.MethodGet, "/console/{$}", static("page.html", "text/html; charset=utf-8")},
		{http.MethodGet, "/console/console.js", static("console.js", "text/javascript; charset=utf-8")},
		{http.MethodGet, "/console/console.css", static("console.css", "text/css; charset=utf-8")},
		{http.MethodGet, "/console/messages/{id}", s.message},
		{http.MethodPost, "/console/view", s.view},
	} {
		mux.Handle(one.method+" "+one.path, s.serve(one.path, one.handle))
		if paths[one.path] = one.method; one.method == http.MethodGet {
			paths[one.path] += ", " + http.MethodHead
		}
	}
	for path, allow := range paths {
		mux.Handle(path, s.serve(path, func(q *call) (page, error) {
			q.w.Header().Set("Allow", allow)
			return page{}, gateway.Fault("console.route", gateway.NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "method"})
		}))
	}
	mux.Handle("/console/", s.serve("", func(*call) (page, error) {
		return page{}, gateway.Fault("console.route", gateway.NotFound, fhir.Issue{Severity: "error", Type: "not-found", Code: "path"})
	}))
	return guarded(mux, s.serve("", func(q *call) (page, error) { return page{}, guard(q.r) })), nil
}

// handler answers one call, or gives the error that is answered instead.
type handler func(*call) (page, error)

// call is one request, with its actor once it is asked for.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	actor gateway.Actor
}

func (s *console) serve(pattern string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Clock()
		q := &call{w: w, r: r}
		whole := r.Body
		r.Body = http.MaxBytesReader(w, whole, maxDocument)
		p, err := page{}, guard(r)
		if err == nil {
			p, err = h(q)
		}
		code := gateway.Code("")
		level := slog.LevelInfo
		if err != nil {
			switch code = gateway.CodeOf(err); code {
			case gateway.TooLarge: // so that the client sees the answer
				_, _ = io.CopyN(io.Discard, whole, maxDrained)
			case gateway.Internal, gateway.Unavailable:
				level = slog.LevelError
			}
		}
		respond(q, p, err)
		s.Log.LogAttrs(r.Context(), level, "console", slog.String("route", pattern), slog.String("party", string(q.actor.Party)),
			slog.String("code", string(code)), slog.Duration("took", s.Clock().Sub(began)), slog.Any("error", err))
	})
}

// guard refuses a national identifier anywhere in the URL before anything else looks at it: it must reach no log of
// anybody (DESIGN § 5, Identifiers).
func guard(r *http.Request) error {
	if len(r.RequestURI) > maxURL {
		return gateway.Fault("console.url", gateway.TooLarge, fhir.Issue{Severity: "error", Type: "too-long", Code: "url-size"})
	}
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		query = ""
	}
	if slices.ContainsFunc([]string{r.URL.Path, r.URL.RawQuery, query}, fhir.ContainsNIN) {
		return gateway.Fault("console.url", gateway.BadQuery, fhir.Issue{Severity: "error", Type: "security", Code: "nin-in-url"})
	}
	return nil
}

// authenticate finds who asks.
func (s *console) authenticate(q *call) (err error) {
	q.actor, err = s.Authenticator.Authenticate(q.r.Context(), q.r)
	if err != nil && gateway.CodeOf(err) == gateway.Internal {
		return gateway.Failed("console.authenticate", gateway.Unauthorized, err)
	}
	return err
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// message shows a message of the caller's own mailbox, or one that its party has sent.
func (s *console) message(q *call) (page, error) {
	if err := s.authenticate(q); err != nil {
		return page{}, err
	}
	id := q.r.PathValue("id")
	if !guid.MatchString(id) {
		return page{}, gateway.Fault("console.message", gateway.BadQuery, fhir.Issue{Severity: "error", Type: "value", Code: "id"})
	}
	release, err := s.Gateway.Preview(q.r.Context(), q.actor, gateway.MessageID(strings.ToLower(id)), s.Translator)
	if err != nil {
		return page{}, err
	}
	return released(release)
}

// view shows a document that the caller hands in. It is kept nowhere.
func (s *console) view(q *call) (page, error) {
	if err := s.authenticate(q); err != nil {
		return page{}, err
	}
	document, err := io.ReadAll(q.r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return page{}, gateway.Fault("console.view", gateway.TooLarge, fhir.Issue{Severity: "error", Type: "too-long", Code: "body-size"})
	case err != nil:
		return page{}, gateway.Fault("console.view", gateway.Malformed, fhir.Issue{Severity: "error", Type: "timeout", Code: "body-slow"})
	}
	return shown(document)
}

// shown renders a document.
func shown(document []byte) (page, error) {
	rendered, err := mapping.View(document)
	if err == nil {
		return page{body: rendered, media: "text/html; charset=utf-8", policy: mapping.ViewPolicy() + "; sandbox"}, nil
	}
	var fault *mapping.Error
	if !errors.As(err, &fault) {
		return page{}, gateway.Failed("console.view", gateway.Internal, err)
	}
	return page{}, gateway.Fault("console.view", gateway.Malformed, fhir.Issue{Severity: "error", Type: "structure", Code: "message." + string(fault.Code), Expression: fault.Path})
}

// static is a file of this package.
func static(name, media string) handler {
	body, err := files.ReadFile("static/" + name)
	if name == "console.css" {
		body = append([]byte(mapping.ViewStyle+"\n"), body...)
	}
	return func(*call) (page, error) {
		if err != nil {
			return page{}, gateway.Failed("console.static", gateway.Internal, err)
		}
		return page{body: body, media: media, policy: pagePolicy, public: true}, nil
	}
}

// pagePolicy is for the page itself: its own script and style sheet, and calls to its own origin.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
