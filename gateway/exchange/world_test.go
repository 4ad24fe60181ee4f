package exchange_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// HER-ids of the parties, as the messages of package mapping's test data name them.
const (
	gp      = "8100010"
	bydel   = "8100020"
	hospice = "8100030"
	sosial  = "8100040"
	stray   = "8199999" // nobody's
	kari    = "21869245515"
	ola     = "03918537774"
)

// world is a Gateway on a database of its own, with four parties and the message API.
type world struct {
	t       testing.TB
	store   *postgres.Store
	gateway *gateway.Gateway
	server  *httptest.Server
	worker  *exchange.Worker
	mu      sync.Mutex
	now     time.Time
}

// policies are compiled once for all tests. The Decider is not among them: it remembers persons by
// number, and each database counts them from one.
var policies = sync.OnceValues(func() (r struct {
	labeller   *consent.Labeller
	normalizer *consent.Normalizer
}, err error) {
	if r.labeller, err = consent.NewLabeller(context.Background(), 0); err != nil {
		return r, err
	}
	r.normalizer, err = consent.NewNormalizer()
	return r, err
})

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, exchange.Translator{})
}

// newWorldWith is a world whose messages are written as the Translator does.
func newWorldWith(t testing.TB, written exchange.Translator) *world {
	t.Helper()
	return worldWith(t, written, postgrestest.OpenPrepared(t, "exchange", func(dsn string) error {
		return postgres.Migrate(context.Background(), dsn)
	}))
}

func worldOn(t testing.TB, dsn string) *world {
	t.Helper()
	return worldWith(t, exchange.Translator{}, dsn)
}

func worldWith(t testing.TB, written exchange.Translator, dsn string) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, now: time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)}
	var err error
	w.store, err = postgres.Open(ctx, postgres.Config{
		DSN: dsn, HashKey: [32]byte{1}, Clock: w.clock, Source: audit.Source{Site: "sluse-test"}, Unsafe: true,
	})
	must(t, err)
	t.Cleanup(w.store.Close)
	rules, err := policies()
	must(t, err)
	decider, err := consent.NewDecider(ctx, consent.Config{})
	must(t, err)
	w.gateway, err = gateway.New(gateway.Config{
		Store: w.store, Decider: decider, Labeller: rules.labeller, Normalizer: rules.normalizer, Clock: w.clock, Random: rand.Reader,
		SealKey: bytes.Repeat([]byte{7}, 32), Orders: written,
	})
	must(t, err)
	h, err := exchange.Handler(exchange.Config{Gateway: w.gateway, Authenticator: bearer{}, Clock: w.clock})
	must(t, err)
	w.server = httptest.NewServer(h)
	t.Cleanup(w.server.Close)
	w.worker, err = exchange.NewWorker(exchange.WorkerConfig{Gateway: w.gateway, AppRec: time.Hour, Translator: written})
	must(t, err)
	w.organisation("fastlege", gp, "fastlege", "helse-kommune", "Sagene legesenter")
	w.organisation("bydel", bydel, "bydel-helse", "helse-kommune", "Bydel Sagene")
	w.organisation("ous", hospice, "hf", "helse-spesialist", "OUS")
	w.organisation("sosial", sosial, "bydel-sosial", "sosial", "NAV Sagene")
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/bydel"},
	  "name":"Saksbehandling","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100021"}]}`)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// bearer takes "Bearer HERID" for a system of that party, "Bearer HERID NIN" for a person of it with a
// token that is bound to that patient.
type bearer struct{}

func (bearer) Authenticate(_ context.Context, r *http.Request) (gateway.Actor, error) {
	party, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return gateway.Actor{}, gateway.Fault("test", gateway.Unauthorized)
	}
	if party, patient, bound := strings.Cut(party, " "); bound {
		a := person(party)
		nin, err := gateway.NewNIN(patient)
		a.Attest = gateway.Attest{NIN: nin}
		return a, err
	}
	return machine(party), nil
}

func machine(party string) gateway.Actor {
	return gateway.Actor{Kind: gateway.Machine, Party: gateway.HERID(party), Client: "epj"}
}

func person(party string) gateway.Actor {
	return gateway.Actor{
		Kind: gateway.Person, Party: gateway.HERID(party), Practitioner: "9144897", Name: "Grete Vang", Role: "lege",
		Purpose: gateway.Treat, Attest: gateway.Attest{Each: true}, Client: "epj",
	}
}

var operator = gateway.Actor{Kind: gateway.Operator, Client: "drift"}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) organisation(id, her, sector, law, name string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"resourceType":"Organization","id":%q,"active":true,"name":%q,"identifier":[{"system":%q,"value":%q}],
	  "type":[{"coding":[{"system":%q,"code":%q}]},{"coding":[{"system":%q,"code":%q}]}]}`,
		id, name, fhir.SystemHER, her, postgres.SystemSector, sector, postgres.SystemLovgrunnlag, law)
	res, err := fhir.Parse([]byte(body))
	must(w.t, err)
	directory, err := w.store.Directory(context.Background())
	must(w.t, err)
	if _, there := directory.Party(gateway.HERID(her)); there {
		return
	}
	_, err = w.gateway.Do(context.Background(), operator, gateway.Interaction{
		Code: gateway.Create, Target: fhir.Reference{Type: "Organization", ID: fhir.ID(id)}, Body: res,
	})
	must(w.t, err)
}

func (w *world) create(a gateway.Actor, t fhir.Type, body string) fhir.Reference {
	w.t.Helper()
	res, err := fhir.Parse([]byte(body))
	must(w.t, err)
	out, err := w.gateway.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Create, Target: fhir.Reference{Type: t}, Body: res,
	})
	if err != nil {
		w.t.Fatalf("create %s: %v", t, err)
	}
	return out.Location
}

func (w *world) update(a gateway.Actor, r fhir.Reference, body string) {
	w.t.Helper()
	res, err := fhir.Parse([]byte(body))
	must(w.t, err)
	r.Version = ""
	_, err = w.gateway.Do(context.Background(), a, gateway.Interaction{Code: gateway.Update, Target: r, Body: res})
	if err != nil {
		w.t.Fatalf("update %s: %v", r, err)
	}
}

func (w *world) read(a gateway.Actor, r fhir.Reference) (*fhir.Resource, error) {
	w.t.Helper()
	r.Version = ""
	out, err := w.gateway.Do(context.Background(), a, gateway.Interaction{Code: gateway.Read, Target: r})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = out.Release.WriteTo(&b)
	must(w.t, err)
	return gateway.ParseAuthored(b.Bytes())
}

// patient makes a party's own Patient of Kari.
func (w *world) patient(party string) fhir.Reference { return w.patientOf(party, kari) }

func (w *world) patientOf(party, nin string) fhir.Reference {
	w.t.Helper()
	r := w.create(person(party), "Patient", `{"resourceType":"Patient","name":[{"family":"Nordlie","given":["Kari"]}],"birthDate":"1992-06-21",
	  "identifier":[{"system":"`+fhir.SystemFNR+`","value":"`+nin+`"}]}`)
	r.Version = ""
	return r
}

// consentBody is a samtykke registered by the bydel: from the custodian to the recipient, for the
// labels.
func consentBody(status string, patient fhir.Reference, custodian, recipient string, labels ...string) string {
	var codes []string
	for _, l := range labels {
		codes = append(codes, fmt.Sprintf(`{"system":%q,"code":%q}`, gateway.LabelSystem, l))
	}
	return fmt.Sprintf(`{"resourceType":"Consent","status":%q,
	  "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
	  "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"infa"}]}],
	  "patient":{"reference":%q},"dateTime":"2026-03-01","organization":[{"reference":"Organization/bydel"}],
	  "policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
	  "provision":{"type":"permit","period":{"start":"2026-03-01","end":"2026-12-31"},
	    "actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"Organization/%s"}},
	             {"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/%s"}}],
	    "securityLabel":[%s]}}`, status, patient, custodian, recipient, strings.Join(codes, ","))
}

// clinical are labels that let all cross but for familie, arbeid, okonomi and the unclassified.
var clinical = []string{"samarbeid", "demografi", "rus", "psykisk", "somatisk", "legemidler", "plan", "funksjon", "tjenester",
	"logistikk", "tolk", "parorende", "henvisning", "kartlegging"}

// message reads a message of package mapping's test data, with replacements.
func document(t testing.TB, name string, replace ...string) string {
	t.Helper()
	b, err := os.ReadFile("../../mapping/testdata/" + name + "/in.xml")
	must(t, err)
	s := string(b)
	for i := 0; i+1 < len(replace); i += 2 {
		if !strings.Contains(s, replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
		s = strings.ReplaceAll(s, replace[i], replace[i+1])
	}
	return s
}

const medicalID = "6b7f3c50-1a55-4d0a-9a67-8f7f1e0c2a11"

// answer is what the message API said.
type answer struct {
	status int
	body   []byte
}

func (w *world) call(party, method, path string, in any) answer {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		must(w.t, err)
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, w.server.URL+path, body)
	must(w.t, err)
	r.Header.Set("Authorization", "Bearer "+party)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer res.Body.Close() //nolint:errcheck // read in full
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	return answer{res.StatusCode, b}
}

func (w *world) post(party, document string) answer {
	w.t.Helper()
	return w.call(party, "POST", "/edi/Messages", map[string]any{
		"businessDocument": base64.StdEncoding.EncodeToString([]byte(document)), "contentType": "application/xml", "contentTransferEncoding": "base64",
	})
}

// send posts a document that must be taken in, and gives its id.
func (w *world) send(party, document string) string {
	w.t.Helper()
	a := w.post(party, document)
	if a.status != http.StatusCreated {
		w.t.Fatalf("POST: %d %s", a.status, a.body)
	}
	var id string
	must(w.t, json.Unmarshal(a.body, &id))
	return id
}

// mail is one line of a mailbox.
type mail struct {
	ID                 string
	ReceiverHerID      int
	SenderHerID        int
	BusinessDocumentID string
	IsAppRec           bool
}

func (w *world) list(party string, receivers ...string) []mail {
	w.t.Helper()
	if len(receivers) == 0 {
		receivers = []string{party}
	}
	a := w.call(party, "GET", "/edi/Messages?IncludeMetadata=true&MessagesToFetch=100&ReceiverHerIds="+strings.Join(receivers, ","), nil)
	if a.status != http.StatusOK {
		w.t.Fatalf("list: %d %s", a.status, a.body)
	}
	var out []mail
	must(w.t, json.Unmarshal(a.body, &out))
	return out
}

// documents are the lines that are no AppRecs; receipts those that are.
func (w *world) documents(party string, receivers ...string) (documents, receipts []mail) {
	w.t.Helper()
	for _, m := range w.list(party, receivers...) {
		if m.IsAppRec {
			receipts = append(receipts, m)
		} else {
			documents = append(documents, m)
		}
	}
	return documents, receipts
}

func (w *world) fetch(party, id string) (string, int) {
	w.t.Helper()
	a := w.call(party, "GET", "/edi/Messages/"+id+"/business-document", nil)
	if a.status != http.StatusOK {
		return "", a.status
	}
	var out struct{ BusinessDocument string }
	must(w.t, json.Unmarshal(a.body, &out))
	b, err := base64.StdEncoding.DecodeString(out.BusinessDocument)
	must(w.t, err)
	return string(b), a.status
}

// receipt is the one AppRec in the party's mailbox for a MsgId.
func (w *world) receipt(address, msgID string) (status int, code, text string) {
	w.t.Helper()
	n := 0
	directory, err := w.store.Directory(context.Background())
	must(w.t, err)
	owner, _ := directory.Party(gateway.HERID(address))
	party := string(owner.ID)
	_, receipts := w.documents(party, address)
	for _, m := range receipts {
		body, _ := w.fetch(party, m.ID)
		a, err := (exchange.Translator{}).ReadAppRec([]byte(body))
		must(w.t, err)
		if string(a.Original) != msgID {
			continue
		}
		n++
		status = int(a.Status)
		if len(a.Errors) > 0 {
			code, text = a.Errors[0].Code, a.Errors[0].Text
		}
	}
	if n != 1 {
		w.t.Fatalf("%d AppRecs for %s, want 1", n, msgID)
	}
	return status, code, text
}

type actor = gateway.Actor

// search gives the Bundle of a type about Kari.
func (w *world) search(a actor, kind string) string {
	w.t.Helper()
	nin, err := gateway.NewNIN(kari)
	must(w.t, err)
	out, err := w.gateway.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Find, Target: fhir.Reference{Type: fhir.Type(kind)},
		Search: gateway.Search{Subject: gateway.Subject{NIN: nin}, Count: 100, Self: "/fhir/" + kind, Base: "http://sluse.test/fhir", Canonical: kind},
	})
	must(w.t, err)
	var b bytes.Buffer
	_, err = out.Release.WriteTo(&b)
	must(w.t, err)
	return b.String()
}
