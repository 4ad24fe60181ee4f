// Package exchange is the message API of Sluse: in the shape of NHN's MSH API v2, so that a system
// that knows that API needs only another base address. It turns protocol into calls of the Gateway,
// and, as the Gateway's Translator, business documents into values by package mapping.
//
// One header is Sluse's own: with "Sluse-Delvis: nei" a posted message is delivered whole or not at all, and the AppRec
// names the categories that samtykke lacks for. PLO has no place for it: it is decided here, before anything leaves, and told
// to another Sluse by the same header of the message API (both when a message is posted and when it is fetched), by the
// ending .udelt.xml of a file in a spool, and by the property X-Sluse-Delvis of a queue. A message service that is no Sluse
// does not pass it on, and what is behind such a service does not know of it.
//
// Parties that do not come to the message API themselves are reached by a Transport: the message API of
// others (Client), a directory (Spool) or queues (Queue). A Carrier keeps one going.
package exchange

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Authenticator turns a request's token into an Actor. An error is Unauthorized unless it says
// otherwise.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request) (gateway.Actor, error)
}

// Config wires the message API. Gateway, Authenticator and Clock are required.
type Config struct {
	Gateway       *gateway.Gateway
	Authenticator Authenticator
	Clock         func() time.Time
	Log           *slog.Logger // nil: nothing is logged
}

func (c Config) validate() error {
	missing := ""
	for _, f := range []struct {
		name   string
		absent bool
	}{{"Gateway", c.Gateway == nil}, {"Authenticator", c.Authenticator == nil}, {"Clock", c.Clock == nil}} {
		if f.absent {
			missing += " " + f.name
		}
	}
	if missing != "" {
		return fmt.Errorf("exchange: missing configuration:%s", missing)
	}
	return nil
}

// Limits of a request (DESIGN § 5, REST).
const (
	maxBody     = 14 << 20
	maxDrained  = 8 << 20 // of a body too large, thrown away
	maxDocument = 10 << 20
)

type api struct {
	Config
	translator Translator
}

// Handler serves the paths below /edi. It is mounted at the root: the prefix is part of its routes.
func Handler(c Config) (http.Handler, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{Config: c}
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for pattern, h := range map[string]handler{
		"POST /edi/Messages":                       a.postMessage,
		"GET /edi/Messages":                        a.listMessages,
		"GET /edi/Messages/{id}":                   a.getMessage,
		"GET /edi/Messages/{id}/business-document": a.getDocument,
		"GET /edi/Messages/{id}/status":            a.getStatus,
		"GET /edi/Messages/{id}/apprec":            a.getAppRec,
		"POST /edi/Messages/{id}/apprec/{herId}":   a.postAppRec,
		"PUT /edi/Messages/{id}/read/{herId}":      a.putRead,
	} {
		mux.Handle(pattern, a.serve(pattern, h))
		method, path, _ := strings.Cut(pattern, " ")
		if allowed[path] = append(allowed[path], method); method == http.MethodGet {
			allowed[path] = append(allowed[path], http.MethodHead)
		}
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		mux.Handle(path, a.serve(path, func(c *call) error {
			c.w.Header().Set("Allow", allow)
			return gateway.Fault("exchange.route", gateway.NotSupported, fhir.Issue{Severity: "error", Type: "not-supported", Code: "method"})
		}))
	}
	mux.Handle("/edi/", a.serve("", func(*call) error {
		return gateway.Fault("exchange.route", gateway.NotFound, fhir.Issue{Severity: "error", Type: "not-found", Code: "path"})
	}))
	return mux, nil
}

// handler answers one call, or gives the error that is answered instead.
type handler func(*call) error

// call is one request with its actor.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	actor   gateway.Actor
	request string // id of the request, for ErrorMessage and log
}

func (a *api) serve(pattern string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := a.Clock()
		c := &call{w: w, r: r, request: requestID(a.Gateway.Random)}
		whole := r.Body
		r.Body = http.MaxBytesReader(w, whole, maxBody)
		err := a.authenticate(c)
		if err == nil {
			err = h(c)
		}
		code := gateway.Code("")
		if err != nil {
			if code = gateway.CodeOf(err); code == gateway.TooLarge { // so that the client sees the answer
				_, _ = io.CopyN(io.Discard, whole, maxDrained)
			}
			fail(c, err)
		}
		level := slog.LevelInfo
		if code == gateway.Internal || code == gateway.Unavailable {
			level = slog.LevelError
		}
		a.Log.LogAttrs(r.Context(), level, "message api", slog.String("route", pattern), slog.String("request", c.request),
			slog.String("party", string(c.actor.Party)), slog.String("code", string(code)),
			slog.Duration("took", a.Clock().Sub(began)), slog.Any("error", err))
	})
}

// authenticate refuses a national identifier anywhere in the URL before it asks who calls: it must
// reach no log of anybody (DESIGN § 5, Identifiers).
func (a *api) authenticate(c *call) error {
	if u := c.r.URL; fhir.ContainsNIN(u.Path) || fhir.ContainsNIN(u.RawQuery) || fhir.ContainsNIN(unescaped(u.RawQuery)) {
		return gateway.Fault("exchange.url", gateway.BadQuery, fhir.Issue{Severity: "error", Type: "security", Code: "nin-in-url"})
	}
	actor, err := a.Authenticator.Authenticate(c.r.Context(), c.r)
	if err != nil {
		if gateway.CodeOf(err) == gateway.Internal {
			return gateway.Failed("exchange.authenticate", gateway.Unauthorized, err)
		}
		return err
	}
	c.actor = actor
	return nil
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// messageID reads {id}, which must be a GUID.
func (c *call) messageID() (gateway.MessageID, error) {
	id := c.r.PathValue("id")
	if !guid.MatchString(id) {
		return "", badQuery("id")
	}
	return gateway.MessageID(strings.ToLower(id)), nil
}

// herID reads {herId}.
func (c *call) herID() (gateway.HERID, error) { return herID("herId", c.r.PathValue("herId")) }

var herForm = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

func herID(parameter, value string) (gateway.HERID, error) {
	if !herForm.MatchString(value) {
		return "", badQuery(parameter)
	}
	return gateway.HERID(value), nil
}

func unknownParameter(name string) error {
	return gateway.Fault("exchange.parameter", gateway.BadQuery,
		fhir.Issue{Severity: "error", Type: "not-supported", Code: "parameter-unknown", Args: []string{name}})
}

func badQuery(parameter string) error {
	return gateway.Fault("exchange.parameter", gateway.BadQuery,
		fhir.Issue{Severity: "error", Type: "value", Code: "parameter", Args: []string{parameter}})
}
