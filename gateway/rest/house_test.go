package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/helseid"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// house is the API on a real Gateway, store and policy, with tokens of the demo issuer.
type house struct {
	http.Handler
	t       *testing.T
	issuer  *helseid.Issuer
	log     *guarded
	metrics *prometheus.Registry
	tokens  map[string]string
	core    *gateway.Gateway // for what goes on in the background
	pauses  []time.Duration  // that answers waited
}

// guarded is a log that many write and one reads.
type guarded struct {
	mu sync.Mutex
	bytes.Buffer
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Buffer.Write(p)
}

// byHelseID authenticates as the server's wiring does.
type byHelseID struct{ *helseid.Verifier }

func (v byHelseID) Authenticate(ctx context.Context, r *http.Request) (gateway.Actor, error) {
	return v.Verify(ctx, helseid.Request{Authorization: r.Header.Get("Authorization"), Method: r.Method, URL: testBase})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{t: t, log: new(guarded), metrics: prometheus.NewRegistry(), tokens: make(map[string]string)}
	dsn := postgrestest.OpenPrepared(t, "rest", func(dsn string) error { return postgres.Migrate(ctx, dsn) })
	store, err := postgres.Open(ctx, postgres.Config{
		DSN: dsn, HashKey: [32]byte{1}, Clock: time.Now, Unsafe: true, MaxConns: 4, Source: audit.Source{Site: "sluse.example"},
	})
	must(t, err)
	t.Cleanup(store.Close)
	decider, err := consent.NewDecider(ctx, consent.Config{})
	must(t, err)
	labeller, err := consent.NewLabeller(ctx, 0)
	must(t, err)
	normalizer, err := consent.NewNormalizer()
	must(t, err)
	g, err := gateway.New(gateway.Config{
		Store: store, Decider: decider, Labeller: labeller, Normalizer: normalizer,
		Clock: time.Now, Random: rand.Reader, SealKey: make([]byte, 32),
	})
	must(t, err)
	h.core = g
	h.issuer, err = helseid.NewIssuer(helseid.IssuerConfig{Clock: time.Now, Rand: rand.Reader, URL: "https://sluse.example/demo"})
	must(t, err)
	verifier, err := helseid.New(h.issuer.Verifier())
	must(t, err)
	h.Handler, err = New(Config{
		Gateway: g, Authenticator: byHelseID{verifier}, Base: testBase, Version: "test", Clock: time.Now,
		Random: rand.Reader, Metrics: h.metrics, Log: slog.New(slog.NewJSONHandler(h.log, nil)),
		Pause: func(_ context.Context, d time.Duration) { h.pauses = append(h.pauses, d) },
	})
	must(t, err)
	for _, p := range helseid.Personas() {
		_, id, _ := strings.Cut(p.Organization, "/")
		h.want(http.StatusCreated, h.as("drift", "PUT", "/fhir/"+p.Organization, fmt.Sprintf(`{"resourceType":"Organization","id":"%s","active":true,"name":"%s",
			"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"%s"}],
			"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"%s"}]},
			{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"%s"}]}]}`, id, p.Party, p.HERID, p.Sector, p.Lovgrunnlag)))
	}
	return h
}

// as performs one request as a persona. Header lines are "Name: value"; a body is FHIR JSON
// unless a header says otherwise.
func (h *house) as(persona, method, target, body string, header ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	token, ok := h.tokens[persona]
	if !ok && persona != "" {
		var err error
		token, _, err = h.issuer.Token(persona, helseid.Options{})
		must(h.t, err)
		h.tokens[persona] = token
	}
	r := httptest.NewRequest(method, strings.TrimPrefix(target, strings.TrimSuffix(testBase, root)), strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	} else {
		r.Header.Set("Content-Type", fhirJSON)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (h *house) want(status int, w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	h.t.Helper()
	if w.Code != status {
		h.t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	return w
}

// create stores a resource and gives "Type/id".
func (h *house) create(persona, body string) string {
	h.t.Helper()
	var kind struct {
		ResourceType string `json:"resourceType"`
	}
	must(h.t, json.Unmarshal([]byte(body), &kind))
	w := h.want(http.StatusCreated, h.as(persona, "POST", "/fhir/"+kind.ResourceType, body))
	reference, _, _ := strings.Cut(strings.TrimPrefix(w.Header().Get("Location"), testBase+"/"), "/_history/")
	return reference
}

func (h *house) patient(persona, nin string) string {
	h.t.Helper()
	return h.create(persona, `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"`+nin+`"}],"name":[{"family":"Prøve","given":["Kari"]}],"birthDate":"1992-05-12"}`)
}

const carePlan = `{ "resourceType" : "CarePlan","status":"active","intent":"plan","subject":{"reference":"%s"},"period":{"start":"2026-10-01"},"title":"Plan", "_title":{"extension":[{"url":"http://sluse.no/x","valueDecimal":1.500}]}}`

// bundle is what a test looks at of a Bundle.
type bundle struct {
	Type string `json:"type"`
	Link []struct{ Relation, URL string }
	// Entry holds the raw resources with their search mode.
	Entry []struct {
		FullURL  string `json:"fullUrl"`
		Resource json.RawMessage
		Search   struct{ Mode string }
	}
}

func (h *house) bundle(w *httptest.ResponseRecorder) (b bundle) {
	h.t.Helper()
	h.want(http.StatusOK, w)
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
		h.t.Fatalf("%v: %s", err, w.Body)
	}
	return b
}

func (b bundle) matches() (urls []string) {
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			urls = append(urls, e.FullURL)
		}
	}
	return urls
}

func (b bundle) link(relation string) string {
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}
