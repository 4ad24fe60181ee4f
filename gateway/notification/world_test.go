package notification_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/notification"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

const (
	bydel gateway.HERID = "80001001"
	ous   gateway.HERID = "80001006"
	gp    gateway.HERID = "80001005"
	drift gateway.HERID = "80001099"
	kari                = "14837912092" // synthetic: month + 80
	ola                 = "03918537774"
	base                = "https://sluse.test/fhir"
)

// world is a Sluse on real PostgreSQL with a real receiver on loopback.
type world struct {
	*gateway.Gateway
	t        *testing.T
	dsn      string
	conn     *pgx.Conn
	store    *postgres.Store
	receiver *receiver
	courier  *notification.Courier
	mu       sync.Mutex
	now      time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Microsecond)
	return w.now
}

func (w *world) forward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var rules = sync.OnceValues(func() (r struct {
	labeller   *consent.Labeller
	normalizer *consent.Normalizer
}, err error) {
	if r.labeller, err = consent.NewLabeller(context.Background(), 0); err != nil {
		return r, err
	}
	r.normalizer, err = consent.NewNormalizer()
	return r, err
})

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), receiver: newReceiver(t)}
	w.dsn = postgrestest.OpenPrepared(t, "notification", func(dsn string) error { return postgres.Migrate(ctx, dsn) })
	var err error
	w.store, err = postgres.Open(ctx, postgres.Config{
		DSN: w.dsn, HashKey: [32]byte{1}, Clock: w.clock, Unsafe: true, MaxConns: 16, Source: audit.Source{Site: "sluse.test"},
	})
	must(t, err)
	t.Cleanup(w.store.Close)
	w.conn, err = pgx.Connect(ctx, w.dsn)
	must(t, err)
	t.Cleanup(func() { _ = w.conn.Close(ctx) })
	decider, err := consent.NewDecider(ctx, consent.Config{})
	must(t, err)
	r, err := rules()
	must(t, err)
	place, err := gateway.NewDestination(w.receiver.URL+"/varsel", nil, true)
	must(t, err)
	w.Gateway, err = gateway.New(gateway.Config{
		Store: w.store, Decider: decider, Labeller: r.labeller, Normalizer: r.normalizer, Clock: w.clock, Random: rand.Reader,
		SealKey: bytes.Repeat([]byte{7}, 32),
		Notices: gateway.Notices{Base: base, Destinations: []gateway.Destination{place}, Tries: 3},
	})
	must(t, err)
	w.courier = notification.NewCourier(notification.Config{})
	w.party(bydel, "bydel-helse", "helse-kommune")
	w.party(gp, "fastlege", "helse-kommune")
	w.party(ous, "hf", "helse-spesialist")
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receiver is a subscriber's endpoint: it keeps what it gets, and answers as it is told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	got      []received
	status   int
	location string
}

type received struct {
	method, path string
	header       http.Header
	body         string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{q.Method, q.URL.Path, q.Header.Clone(), string(body)})
		if r.location != "" {
			w.Header().Set("Location", r.location)
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// told is a notification, read.
type told struct {
	kind, status, since, topic string
	numbers                    []int
	focus                      map[int]string
	also                       map[int]string
	resources                  map[string]string
}

func readNotification(t *testing.T, body string) told {
	t.Helper()
	res, err := fhir.ParseBundle([]byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if issues := fhir.Validate(res); len(issues) > 0 {
		t.Fatalf("the notification is not valid R4: %+v\n%s", issues, body)
	}
	out := told{focus: map[int]string{}, also: map[int]string{}, resources: map[string]string{}}
	for i, e := range res.Root().Get("entry").Items() {
		if i > 0 {
			out.resources[strings.TrimPrefix(e.Get("fullUrl").Text(), base+"/")] = string(e.Get("resource").Raw())
			continue
		}
		for _, p := range e.Get("resource", "parameter").Items() {
			switch p.Get("name").Text() {
			case "status":
				out.status = p.Get("valueCode").Text()
			case "type":
				out.kind = p.Get("valueCode").Text()
			case "topic":
				out.topic = p.Get("valueCanonical").Text()
			case "events-since-subscription-start":
				out.since = p.Get("valueString").Text()
			case "notification-event":
				n := 0
				for _, part := range p.Get("part").Items() {
					switch part.Get("name").Text() {
					case "event-number":
						n, err = strconv.Atoi(part.Get("valueString").Text())
						must(t, err)
						out.numbers = append(out.numbers, n)
					case "focus":
						out.focus[n] = strings.TrimPrefix(part.Get("valueReference", "reference").Text(), base+"/")
					case "additional-context":
						out.also[n] = strings.TrimPrefix(part.Get("valueReference", "reference").Text(), base+"/")
					}
				}
			}
		}
	}
	return out
}

// settled waits until nothing that was written before can be held back by an open transaction: those
// of other tests, in other databases of the same server, count as well.
func (w *world) settled() {
	w.t.Helper()
	var now, oldest uint64
	must(w.t, w.conn.QueryRow(context.Background(), "select pg_current_xact_id()::text::bigint").Scan(&now))
	for range 2000 {
		must(w.t, w.conn.QueryRow(context.Background(), "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").Scan(&oldest))
		if oldest > now {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatal("a transaction does not end")
}

// work does everything that there is to do.
func (w *world) work() {
	w.t.Helper()
	w.settled()
	for range 1000 {
		worked, err := w.NotifyOnce(context.Background(), w.courier)
		must(w.t, err)
		if !worked {
			return
		}
	}
	w.t.Fatal("the work does not end")
}

// told works, and reads what the receiver got.
func (w *world) told() (all []told) {
	w.t.Helper()
	w.work()
	for _, r := range w.receiver.take() {
		all = append(all, readNotification(w.t, r.body))
	}
	return all
}

func (w *world) one() told {
	w.t.Helper()
	all := w.told()
	if len(all) != 1 {
		w.t.Fatalf("%d notifications, want 1: %+v", len(all), all)
	}
	return all[0]
}

func (w *world) silent() {
	w.t.Helper()
	if all := w.told(); len(all) > 0 {
		w.t.Fatalf("nobody was to be told: %+v", all)
	}
}

func (w *world) party(id gateway.HERID, sector, law string) {
	w.t.Helper()
	w.mustPut(operator, fmt.Sprintf(`{"resourceType":"Organization","id":"%s-%s","active":true,"name":"Part %s",
		"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"%s"}],
		"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"%s"}]},
		{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"%s"}]}]}`, drift, id, id, id, sector, law))
}

var operator = gateway.Actor{Kind: gateway.Operator, Party: drift, Role: "drift", Purpose: gateway.Administer, Client: "test"}

func at(party gateway.HERID) gateway.Actor {
	return gateway.Actor{
		Kind: gateway.Person, Party: party, Practitioner: "9900001", Name: "Rita Lin", Role: "lege",
		Purpose: gateway.Treat, Client: "test", Attest: gateway.Attest{Each: true},
	}
}

// unattested is one that has shown no care relationship: it may be told that something has changed.
func unattested(party gateway.HERID) gateway.Actor {
	a := at(party)
	a.Attest = gateway.Attest{}
	return a
}

func (w *world) do(a gateway.Actor, code gateway.InteractionCode, body string) (gateway.Outcome, error) {
	w.t.Helper()
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		w.t.Fatalf("%v: %s", err, body)
	}
	in := gateway.Interaction{Code: code, Target: fhir.Reference{Type: res.Type()}, Body: res}
	if code == gateway.Update {
		in.Target.ID = res.ID()
	}
	return w.Do(context.Background(), a, in)
}

func (w *world) mustPost(a gateway.Actor, body string) fhir.Reference {
	w.t.Helper()
	out, err := w.do(a, gateway.Create, body)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, body)
	}
	return fhir.Reference{Type: out.Location.Type, ID: out.Location.ID}
}

func (w *world) mustPut(a gateway.Actor, body string) {
	w.t.Helper()
	if _, err := w.do(a, gateway.Update, body); err != nil {
		w.t.Fatalf("%v\n%s", err, body)
	}
}

func (w *world) delete(a gateway.Actor, r fhir.Reference) {
	w.t.Helper()
	_, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Delete, Target: r})
	must(w.t, err)
}

func (w *world) read(a gateway.Actor, r fhir.Reference) string {
	w.t.Helper()
	out, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Read, Target: r})
	must(w.t, err)
	return bodyOf(out.Release)
}

func bodyOf(r gateway.Release) string {
	var b bytes.Buffer
	_, _ = r.WriteTo(&b)
	return b.String()
}

func (w *world) statusOf(a gateway.Actor, r fhir.Reference) string {
	w.t.Helper()
	var s struct{ Status, Error string }
	must(w.t, json.Unmarshal([]byte(w.read(a, r)), &s))
	return s.Status
}

func (w *world) patientOf(a gateway.Actor, nin string) fhir.Reference {
	w.t.Helper()
	return w.mustPost(a, fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],
		"name":[{"family":"Prøve","given":["Kari"]}],"birthDate":"1979-03-14"}`, nin))
}

func organization(party gateway.HERID) string { return "Organization/" + string(drift+"-"+party) }

func task(id string, patient fhir.Reference, owner gateway.HERID, status string) string {
	if id != "" {
		id = `"id":"` + id + `",`
	}
	return `{"resourceType":"Task",` + id + `"status":"` + status + `","intent":"order","for":{"reference":"` + patient.String() + `"},
		"owner":{"reference":"` + organization(owner) + `"},"description":"kanari-oppgave","authoredOn":"2026-11-01"}`
}

func plan(patient fhir.Reference) string {
	return `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"` + patient.String() + `"},"title":"kanari-plan"}`
}

func consentOf(patient fhir.Reference, status string, actions, labels []string, recipients ...gateway.HERID) string {
	var parts []string
	for _, r := range recipients {
		parts = append(parts, `{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"`+organization(r)+`"}}`)
	}
	var codes, acts []string
	for _, l := range labels {
		codes = append(codes, `{"system":"`+gateway.LabelSystem+`","code":"`+l+`"}`)
	}
	for _, a := range actions {
		acts = append(acts, `{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"`+a+`"}]}`)
	}
	action := ""
	if len(acts) > 0 {
		action = `"action":[` + strings.Join(acts, ",") + `],`
	}
	return `{"resourceType":"Consent","status":"` + status + `","dateTime":"2026-11-01",
	"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
	"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"` + patient.String() + `"},
	"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
	"provision":{"type":"permit",` + action + `"period":{"start":"2026-11-01","end":"2027-10-31"},"securityLabel":[` + strings.Join(codes, ",") + `],"actor":[` + strings.Join(parts, ",") + `]}}`
}

func withID(body string, r fhir.Reference) string {
	return `{"id":"` + string(r.ID) + `",` + strings.TrimPrefix(strings.TrimSpace(body), "{")
}

// hook is a Subscription to a topic; more is JSON members of the channel.
func (w *world) hook(topic, content, more string, filters ...string) string {
	extension := ""
	for i, f := range filters {
		if i > 0 {
			extension += ","
		}
		extension += `{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"` + f + `"}`
	}
	if extension != "" {
		extension = `"_criteria":{"extension":[` + extension + `]},`
	}
	return `{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"http://sluse.no/fhir/SubscriptionTopic/` + topic + `",` + extension + `
	"channel":{"type":"rest-hook","endpoint":"` + w.receiver.URL + `/varsel/inn","payload":"application/fhir+json",
	"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"` + content + `"}]}` + more + `}}`
}

// subscribed makes a Subscription and sees its handshake.
func (w *world) subscribed(a gateway.Actor, body string) fhir.Reference {
	w.t.Helper()
	r := w.mustPost(a, body)
	if hello := w.one(); hello.kind != "handshake" || hello.since != "0" || len(hello.numbers) > 0 {
		w.t.Fatalf("no handshake: %+v", hello)
	}
	if s := w.statusOf(a, r); s != "active" {
		w.t.Fatalf("status %q after the handshake", s)
	}
	return r
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
