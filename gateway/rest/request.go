package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// request is what HTTP said, checked and in our words.
type request struct {
	ctx    context.Context
	http   *http.Request
	writer http.ResponseWriter // only to end the connection of a body that is too large
	target fhir.Reference
	actor  gateway.Actor
	format string // media type of the answer
	prefer preference
	proven bool   // must prove who asks
	within string // compartment search: the type, or "*"
	begun  time.Time
	bare   bool // something that was asked for is not there, or may not be seen
}

// handle performs one interaction: negotiate, authenticate, check the name, perform, answer. proven
// says that the client must prove who it is.
func (a *api) handle(t fhir.Type, proven bool, do performer) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), a.Timeout)
		defer cancel()
		r := &request{ctx: ctx, http: c.Request, writer: c.Writer, format: fhirJSON, prefer: preferred(c.Request.Header), proven: proven, begun: a.Clock()}
		r.target = fhir.Reference{Type: t, ID: fhir.ID(c.Param("id")), Version: c.Param("version")}
		r.within = c.Param("kind")
		ans, err := a.perform(r, do)
		note(c, r, err)
		mayPack(c, err == nil && ans.packs())
		if err != nil || r.bare {
			a.even(r)
		}
		a.respond(c, r, ans, err)
	}
}

func (a *api) perform(r *request, do performer) (answer, error) {
	format, err := negotiate(r.http)
	if err != nil {
		return answer{}, err
	}
	r.format = format
	if r.proven {
		if r.actor, err = a.authenticate(r); err != nil {
			return answer{}, err
		}
		if err := wellFormed(r.target); err != nil {
			return answer{}, err
		}
	}
	return do(a, r)
}

// authenticate asks the Authenticator. Credentials given twice are refused: two readers of the
// request could choose differently.
func (a *api) authenticate(r *request) (gateway.Actor, error) {
	for _, name := range []string{"Authorization", "DPoP"} {
		if len(r.http.Header.Values(name)) > 1 {
			return gateway.Actor{}, fault(gateway.Malformed, "http.credentials-repeated", "http."+name)
		}
	}
	actor, err := a.Authenticator.Authenticate(r.ctx, r.http)
	if err == nil {
		return actor, nil
	}
	var known *gateway.Error
	if errors.As(err, &known) {
		return gateway.Actor{}, err
	}
	return gateway.Actor{}, gateway.Failed("rest.authenticate", gateway.Unauthorized, err)
}

// wellFormed refuses what cannot be an id. Names that begin with "$" or "_" are operations and
// system paths of FHIR that Sluse does not have.
func wellFormed(r fhir.Reference) error {
	for _, part := range []string{string(r.ID), r.Version} {
		if part == "" || fhir.ID(part).Valid() {
			continue
		}
		if err := unknownOperation(root + "/" + string(r.Type) + "/" + part); err != nil {
			return err
		}
		if strings.HasPrefix(part, "$") || strings.HasPrefix(part, "_") {
			return refuse(http.StatusNotFound, gateway.NotSupported, "http.route")
		}
		return fault(gateway.Malformed, "http.id-malformed")
	}
	return nil
}

// preference is what the client would like (RFC 7240, R4 http.html#ops).
type preference struct {
	answer  string // "minimal", "representation" or "OperationOutcome"; "" when nothing was said
	async   bool   // the answer may come later (respond-async)
	lenient bool   // unknown search parameters are left out instead of refused
}

// preferred reads Prefer. Preferences that are not known are ignored, as RFC 7240 § 2 demands.
func preferred(h http.Header) preference {
	var p preference
	for _, line := range h.Values("Prefer") {
		for _, one := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "return":
				if value == "minimal" || value == "representation" || value == "OperationOutcome" {
					p.answer = value
				}
			case "respond-async":
				p.async = true
			case "handling":
				p.lenient = value == "lenient"
			}
		}
	}
	return p
}
