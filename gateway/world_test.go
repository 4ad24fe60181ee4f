package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// world is a whole Sluse without its protocols: real PostgreSQL, real policy, real ledger, and a
// directory of four parties.
type world struct {
	*gateway.Gateway
	t     testing.TB
	clock *clock
	store *postgres.Store
	dsn   string
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const (
	bydel  gateway.HERID = "80001001"
	sosial gateway.HERID = "80001002"
	gp     gateway.HERID = "80001005"
	ous    gateway.HERID = "80001006"
	people gateway.HERID = "80001008"
	drift  gateway.HERID = "80001099"
	kari                 = "14837912092" // synthetic: month + 80
	ola                  = "03918537774"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := context.Background()
	c := &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	dsn := postgrestest.OpenPrepared(t, "gateway", func(dsn string) error { return postgres.Migrate(ctx, dsn) })
	w := replica(t, dsn, c)
	w.party(bydel, "bydel-helse", "helse-kommune")
	w.party(sosial, "bydel-sosial", "sosial")
	w.party(gp, "fastlege", "helse-kommune")
	w.party(ous, "hf", "helse-spesialist")
	w.party(people, "pasient", "privat")
	return w
}

// replica is one process on a database: a store, a policy and memories of its own.
func replica(t testing.TB, dsn string, c *clock) *world {
	t.Helper()
	ctx := context.Background()
	store, err := postgres.Open(ctx, postgres.Config{
		DSN: dsn, HashKey: [32]byte{1}, Clock: c.time, Unsafe: true, MaxConns: 8,
		Source: audit.Source{Site: "sluse.test"},
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
		Clock: c.time, Random: rand.Reader, SealKey: make([]byte, 32),
	})
	must(t, err)
	return &world{Gateway: g, t: t, clock: c, store: store, dsn: dsn}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) party(id gateway.HERID, sector, law string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"resourceType":"Organization","id":"%s-%s","active":true,"name":"Part %s",
		"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"%s"}],
		"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"%s"}]},
		{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"%s"}]}]}`, drift, id, id, id, sector, law)
	_, err := w.put(w.operator(), body, "")
	must(w.t, err)
}

func (w *world) operator() gateway.Actor {
	return gateway.Actor{Kind: gateway.Operator, Party: drift, Role: "drift", Purpose: gateway.Administer, Client: "test"}
}

// at is a named health worker of the party, attested each patient asked for.
func at(party gateway.HERID) gateway.Actor {
	return gateway.Actor{
		Kind: gateway.Person, Party: party, Practitioner: "9900001", Name: "Rita Lin", Role: "lege",
		Purpose: gateway.Treat, Client: "test", Attest: gateway.Attest{Each: true},
	}
}

func (w *world) patient() gateway.Actor {
	nin, err := gateway.NewNIN(kari)
	must(w.t, err)
	return gateway.Actor{
		Kind: gateway.Patient, Party: people, Self: nin, Purpose: gateway.PatientRequest, Client: "test",
		Attest: gateway.Attest{NIN: nin},
	}
}

func parse(t testing.TB, body string) *fhir.Resource {
	t.Helper()
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return res
}

func (w *world) post(a gateway.Actor, body string) (gateway.Outcome, error) {
	res := parse(w.t, body)
	return w.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Create, Target: fhir.Reference{Type: res.Type()}, Body: res,
	})
}

func (w *world) put(a gateway.Actor, body, ifMatch string) (gateway.Outcome, error) {
	res := parse(w.t, body)
	return w.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Update, Target: fhir.Reference{Type: res.Type(), ID: res.ID()}, Body: res, IfMatch: ifMatch,
	})
}

func (w *world) mustPost(a gateway.Actor, body string) fhir.Reference {
	w.t.Helper()
	out, err := w.post(a, body)
	if err != nil {
		w.t.Fatalf("create: %v\n%s", err, body)
	}
	return fhir.Reference{Type: out.Location.Type, ID: out.Location.ID}
}

func (w *world) read(a gateway.Actor, r fhir.Reference) (string, error) {
	code := gateway.Read
	if r.Version != "" {
		code = gateway.VRead
	}
	out, err := w.Do(context.Background(), a, gateway.Interaction{Code: code, Target: r})
	return bodyOf(out), err
}

func (w *world) find(a gateway.Actor, t fhir.Type, s gateway.Search) (string, error) {
	if s.Count == 0 {
		s.Count = 20
	}
	s.Base, s.Self = "http://sluse.test/fhir", "http://sluse.test/fhir/"+string(t)
	s.Sort.Descending = true
	out, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: t}, Search: s})
	return bodyOf(out), err
}

func bodyOf(out gateway.Outcome) string {
	var b bytes.Buffer
	_, _ = out.Release.WriteTo(&b)
	return b.String()
}

// patientOf makes the party's own Patient for a national number.
func (w *world) patientOf(a gateway.Actor, nin string) fhir.Reference {
	w.t.Helper()
	return w.mustPost(a, fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],
		"name":[{"family":"Prøve","given":["Kari"]}],"birthDate":"1979-03-14"}`, nin))
}

func plan(patient fhir.Reference, canary string) string {
	return fmt.Sprintf(`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"%s","display":"kanari-navn"},
		"created":"2026-10-01","title":"kanari-%s","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari-narrativ</div>"},
		"activity":[%s,%s]}`, patient, canary, activity("okonomi", canary), activity("bolig", canary))
}

func activity(label, canary string) string {
	return fmt.Sprintf(`{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
		"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"%s"}}],
		"detail":{"status":"in-progress","description":"kanari-%s-%s"}}`, label, label, canary)
}

// consentOf is a samtykke to parties: labels, recipients, twelve months.
func consentOf(patient fhir.Reference, labels []string, recipients ...gateway.HERID) string {
	refs := make([]fhir.Reference, 0, len(recipients))
	for _, r := range recipients {
		refs = append(refs, fhir.Reference{Type: "Organization", ID: fhir.ID(drift + "-" + r)})
	}
	return consentNaming(patient, labels, refs...)
}

// consentNaming is a samtykke to whatever the references mean.
func consentNaming(patient fhir.Reference, labels []string, recipients ...fhir.Reference) string {
	provision := map[string]any{
		"type":   "permit",
		"period": map[string]string{"start": "2026-11-01", "end": "2027-10-31"},
	}
	var codings, actors []any
	for _, l := range labels {
		codings = append(codings, map[string]string{"system": gateway.LabelSystem, "code": l})
	}
	for _, r := range recipients {
		actors = append(actors, map[string]any{
			"role":      coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
			"reference": map[string]string{"reference": r.String()},
		})
	}
	provision["securityLabel"], provision["actor"] = codings, actors
	raw, _ := json.Marshal(map[string]any{
		"resourceType": "Consent", "status": "active", "dateTime": "2026-11-01",
		"scope":      coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
		"category":   []any{coded("http://loinc.org", "59284-0")},
		"patient":    map[string]string{"reference": patient.String()},
		"policyRule": coded("http://sluse.no/fhir/CodeSystem/rettsgrunnlag", "HPL22"),
		"provision":  provision,
	})
	return string(raw)
}

func coded(system, code string) map[string]any {
	return map[string]any{"coding": []any{map[string]string{"system": system, "code": code}}}
}

func wantCode(t testing.TB, err error, want gateway.Code) {
	t.Helper()
	if err == nil || gateway.CodeOf(err) != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func wantNone(t testing.TB, body string, canaries ...string) {
	t.Helper()
	for _, c := range canaries {
		if strings.Contains(body, c) {
			t.Fatalf("LEAK of %q in %s", c, body)
		}
	}
}
