package console

import (
	"bytes"
	"html"
	"net/http"
	"strconv"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/mapping"
)

// This file is the only one in which a body is written: what package mapping has rendered of a Release or of what the
// caller handed in, the files of this package, and refusals.

// page is what is answered.
type page struct {
	body   []byte
	media  string
	policy string // Content-Security-Policy
	public bool   // the same for everybody
}

// released renders a released document.
func released(r gateway.Release) (page, error) {
	var document bytes.Buffer
	if _, err := r.WriteTo(&document); err != nil {
		return page{}, gateway.Failed("console.release", gateway.Internal, err)
	}
	return shown(document.Bytes())
}

// respond writes the page, or the refusal when err is not nil. A refusal depends on nothing but its code.
func respond(q *call, p page, err error) {
	status := http.StatusOK
	h := q.w.Header()
	if err != nil {
		status, p = refusal(gateway.CodeOf(err))
		switch status {
		case http.StatusUnauthorized:
			h.Set("WWW-Authenticate", "Bearer")
		case http.StatusServiceUnavailable:
			h.Set("Retry-After", "1")
		}
	}
	h.Set("Content-Type", p.media)
	h.Set("Content-Length", strconv.Itoa(len(p.body)))
	h.Set("Content-Security-Policy", p.policy+"; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	if p.public {
		h.Set("Cache-Control", "no-cache")
	}
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_, _ = q.w.Write(p.body) // the client has gone: nothing is left to tell
	}
}

// refusals are the codes that the console answers, with what people are told.
var refusals = map[gateway.Code]struct {
	status int
	text   string
}{
	gateway.Unauthorized: {http.StatusUnauthorized, "Tokenet mangler, er utløpt eller gjelder ikke her. Hent et nytt og prøv igjen."},
	gateway.Forbidden:    {http.StatusForbidden, "Du har ikke tilgang til å gjøre dette."},
	gateway.NotFound:     {http.StatusNotFound, "Meldingen finnes ikke, eller er ikke delt med deg."},
	gateway.Gone:         {http.StatusNotFound, "Meldingen finnes ikke, eller er ikke delt med deg."},
	gateway.BadQuery:     {http.StatusBadRequest, "Adressen er ikke gyldig: en melding har en id med 32 tegn, og et fødselsnummer skal aldri stå i en adresse."},
	gateway.Malformed:    {http.StatusBadRequest, "Dokumentet kan ikke leses: det er ikke en hodemelding, henvisning, epikrise eller applikasjonskvittering, eller den er ikke gyldig XML."},
	gateway.Invalid:      {http.StatusBadRequest, "Dokumentet kan ikke leses: det er ikke gyldig."},
	gateway.TooLarge:     {http.StatusRequestEntityTooLarge, "Det som er sendt, er for stort."},
	gateway.NotSupported: {http.StatusMethodNotAllowed, "Dette kan ikke gjøres på denne adressen."},
	gateway.Unavailable:  {http.StatusServiceUnavailable, "Tjenesten er ikke tilgjengelig nå. Prøv igjen om litt."},
}

// refusal is the page of an error.
func refusal(code gateway.Code) (int, page) {
	r, ok := refusals[code]
	if !ok {
		r.status, r.text = http.StatusInternalServerError, "Noe gikk galt hos oss. Ingenting er vist."
	}
	const title = "Meldingen kan ikke vises"
	return r.status, page{media: "text/html; charset=utf-8", policy: mapping.ViewPolicy(), body: []byte(`<!DOCTYPE html>` + "\n" +
		`<html lang="nb"><head><meta charset="utf-8"><title>` + title + `</title><style>` + mapping.ViewStyle + `</style></head>` +
		`<body><main id="innhold" tabindex="-1"><h1>` + title + `</h1><p class="note">` + html.EscapeString(r.text) + `</p></main></body></html>` + "\n")}
}

// guarded refuses before the mux, which repeats a path that it cleans.
func guarded(mux, refusing http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guard(r) != nil {
			refusing.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
