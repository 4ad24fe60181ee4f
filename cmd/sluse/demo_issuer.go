package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/helseid"
)

// maxTokenForm bounds the body of POST /demo/token in bytes.
const maxTokenForm = 8 << 10

// demoIssuer serves the demo's tokens over HTTP: who there is to be, and a token for one of them.
//
//	GET  /demo/personas
//	POST /demo/token?persona=NAME  (also purpose, reason, expires_in; patient in the body only)
type demoIssuer struct{ issuer *helseid.Issuer }

// ServeHTTP answers both paths. Errors have the shape of RFC 6749 § 5.2.
func (d demoIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/demo/personas" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		answerJSON(w, http.StatusOK, helseid.Personas())
	case r.URL.Path == "/demo/token" && r.Method == http.MethodPost:
		d.token(w, r)
	case r.URL.Path == "/demo/personas" || r.URL.Path == "/demo/token":
		w.Header().Set("Allow", map[string]string{"/demo/personas": "GET, HEAD", "/demo/token": "POST"}[r.URL.Path])
		refuseToken(w, http.StatusMethodNotAllowed, "GET /demo/personas and POST /demo/token")
	default:
		refuseToken(w, http.StatusNotFound, "GET /demo/personas and POST /demo/token")
	}
}

// token issues one. Parameters may stand in the URL or in a form; patient is a national identity
// number and stands in the form, so that it is in no log on the way.
func (d demoIssuer) token(w http.ResponseWriter, r *http.Request) {
	asked, err := tokenForm(w, r)
	if err != nil {
		refuseToken(w, http.StatusBadRequest, err.Error())
		return
	}
	options := helseid.Options{Purpose: gateway.Purpose(asked.Get("purpose")), Reason: asked.Get("reason")}
	if s := asked.Get("expires_in"); s != "" {
		seconds, err := strconv.Atoi(s)
		if err != nil || seconds < 1 || seconds > 3600 {
			refuseToken(w, http.StatusBadRequest, "expires_in is 1 to 3600 s")
			return
		}
		options.ExpiresIn = time.Duration(seconds) * time.Second
	}
	if s := asked.Get("patient"); s != "" {
		if options.Patient, err = gateway.NewNIN(s); err != nil {
			refuseToken(w, http.StatusBadRequest, "patient is not a valid national identity number")
			return
		}
	}
	token, lifetime, err := d.issuer.Token(asked.Get("persona"), options)
	switch {
	case errors.Is(err, helseid.ErrOptions):
		refuseToken(w, http.StatusBadRequest, err.Error())
	case err != nil:
		refuseToken(w, http.StatusServiceUnavailable, "no token can be issued now")
	default:
		answerJSON(w, http.StatusOK, map[string]any{
			"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime / time.Second),
		})
	}
}

var (
	errNumberInURL = errors.New("a national identity number must not stand in a URL: send patient in the body, as application/x-www-form-urlencoded")
	errForm        = errors.New("the parameters cannot be read")
	errUnknown     = errors.New("parameters are persona, purpose, reason, patient and expires_in, each once")
)

func tokenForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.URL.Query().Has("patient") || fhir.ContainsNIN(r.URL.Path+" "+r.URL.RawQuery) {
		return nil, errNumberInURL
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenForm)
	if kind := r.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		return nil, errForm
	}
	if err := r.ParseForm(); err != nil {
		return nil, errForm
	}
	for name, values := range r.Form {
		switch name {
		case "persona", "purpose", "reason", "patient", "expires_in":
			if len(values) == 1 {
				continue
			}
		}
		return nil, errUnknown
	}
	return r.Form, nil
}

func refuseToken(w http.ResponseWriter, status int, text string) {
	answerJSON(w, status, map[string]string{"error": "invalid_request", "error_description": text})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // strings and numbers always marshal
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone: nothing is left to tell
}
