package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/helseid"
)

func newDemoIssuer(t *testing.T) (demoIssuer, *helseid.Verifier) {
	t.Helper()
	issuer, err := helseid.NewIssuer(helseid.IssuerConfig{Clock: time.Now, Rand: rand.Reader, URL: "http://sluse.example/demo"})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := helseid.New(issuer.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return demoIssuer{issuer}, verifier
}

func askIssuer(d demoIssuer, method, target, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func TestPersonasAreListed(t *testing.T) {
	t.Parallel()
	d, _ := newDemoIssuer(t)
	w := askIssuer(d, http.MethodGet, "/demo/personas", "")
	var listed []map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &listed); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	names := ""
	for _, p := range listed {
		names += p["name"] + " "
		for _, field := range []string{"party", "sector", "role", "orgnr", "herId", "organization"} {
			if p[field] == "" {
				t.Errorf("%s has no %s", p["name"], field)
			}
		}
	}
	for _, want := range strings.Fields("bydel-sagene sosial-sagene nav-sagene velferdsetaten fastlege-sagene ous-tsb legevakt pasient personvern drift") {
		if !strings.Contains(names, want+" ") {
			t.Errorf("%s is not listed", want)
		}
	}
}

func TestDemoTokens(t *testing.T) {
	t.Parallel()
	d, verifier := newDemoIssuer(t)
	const kari = "12859200212"
	for _, tt := range []struct {
		name, query, form string
		check             func(gateway.Actor) bool
	}{
		{"by query", "?persona=bydel-sagene", "", func(a gateway.Actor) bool { return a.Party == "80001001" && a.Attest.Each }},
		{"by form", "", "persona=ous-tsb&purpose=COC", func(a gateway.Actor) bool { return a.Party == "80001006" && a.Purpose == gateway.Coordinate }},
		{"bound", "?persona=legevakt&purpose=BTG", "reason=bevisstl%C3%B8s&patient=" + kari, func(a gateway.Actor) bool {
			return a.Attest.NIN.Reveal() == kari && !a.Attest.Each && a.Purpose == gateway.BreakTheGlass && a.Reason != ""
		}},
	} {
		w := askIssuer(d, http.MethodPost, "/demo/token"+tt.query, tt.form)
		var granted struct {
			Token   string `json:"access_token"`
			Type    string `json:"token_type"`
			Expires int    `json:"expires_in"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &granted); err != nil || w.Code != http.StatusOK || granted.Type != "Bearer" || granted.Expires < 1 {
			t.Errorf("%s: %d %v %s", tt.name, w.Code, err, w.Body)
			continue
		}
		actor, err := verifier.Verify(t.Context(), helseid.Request{Authorization: "Bearer " + granted.Token, Method: "GET", URL: "http://sluse.example/fhir/Task"})
		if err != nil || !tt.check(actor) {
			t.Errorf("%s: %+v %v", tt.name, actor, err)
		}
	}
}

func TestDemoTokenRefusals(t *testing.T) {
	t.Parallel()
	d, _ := newDemoIssuer(t)
	const kari = "12859200212"
	for _, tt := range []struct {
		method, target, form string
		status               int
	}{
		{"POST", "/demo/token", "", 400},
		{"POST", "/demo/token?persona=nobody", "", 400},
		{"POST", "/demo/token?persona=bydel-sagene&expires_in=0", "", 400},
		{"POST", "/demo/token?persona=bydel-sagene&expires_in=86400", "", 400},
		{"POST", "/demo/token?persona=bydel-sagene&purpose=HMARKT", "", 400},
		{"POST", "/demo/token?persona=bydel-sagene&patient=" + kari, "", 400},
		{"POST", "/demo/token?persona=bydel-sagene&reason=" + kari, "", 400},
		{"POST", "/demo/token?persona=bydel-sagene", "patient=12345678901", 400},
		{"POST", "/demo/token?persona=bydel-sagene", "persona=drift", 400},
		{"POST", "/demo/token?persona=bydel-sagene&colour=red", "", 400},
		{"POST", "/demo/token", "persona=" + strings.Repeat("a", maxTokenForm), 400},
		{"GET", "/demo/token?persona=bydel-sagene", "", 405},
		{"POST", "/demo/personas", "", 405},
		{"GET", "/demo/", "", 404},
	} {
		w := askIssuer(d, tt.method, tt.target, tt.form)
		if w.Code != tt.status || strings.Contains(w.Body.String(), "access_token") {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.target, tt.form, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), kari) {
			t.Errorf("%s: the refusal repeats the number", tt.target)
		}
	}
}
