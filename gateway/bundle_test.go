package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func (w *world) entry(code gateway.InteractionCode, url, body string) gateway.Entry {
	w.t.Helper()
	res := parse(w.t, body)
	return gateway.Entry{FullURL: url, Interaction: gateway.Interaction{
		Code: code, Target: fhir.Reference{Type: res.Type(), ID: res.ID()}, Body: res,
	}}
}

func (w *world) post1(url, body string) gateway.Entry { return w.entry(gateway.Create, url, body) }

const (
	uuidP = "urn:uuid:0b0f2a5e-3f1c-4d57-8a0e-000000000001"
	uuidC = "urn:uuid:0b0f2a5e-3f1c-4d57-8a0e-000000000002"
	uuidD = "urn:uuid:0b0f2a5e-3f1c-4d57-8a0e-000000000003"
)

func patientBody(nin string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],"name":[{"family":"Prøve"}]}`, nin)
}

// wantEntry asks for a fault of one entry.
func wantEntry(t testing.TB, err error, entry int, code gateway.Code, issue string) {
	t.Helper()
	var at *gateway.EntryError
	if !errors.As(err, &at) || at.Entry != entry || gateway.CodeOf(err) != code || !strings.Contains(err.Error(), issue) {
		t.Errorf("got %v, want entry %d, %s, %s", err, entry, code, issue)
	}
}

// Entries that name each other name what the server has made of them, wherever an address stands, in
// whatever order they came.
func TestTransactionNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"` + uuidP + `"},
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href='` + uuidC + `'>x</a> <img src=\"` + uuidP + `\"/> href=` + uuidC + `</div>"},
		"identifier":[{"system":"urn:ietf:rfc:3986","value":"` + uuidC + `"}],
		"extension":[{"url":"http://sluse.no/x","valueUri":"` + uuidC + `"},{"url":"http://sluse.no/x","valueUrl":"` + uuidP + `"},
			{"url":"http://sluse.no/x","valueReference":{"reference":"` + uuidD + `"}},{"url":"http://sluse.no/x","valueDecimal":1.50}],
		"instantiatesCanonical":["` + uuidC + `"]}`
	document := `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"` + uuidP + `"},
		"content":[{"attachment":{"url":"` + uuidC + `"}}],"context":{"related":[{"reference":"` + uuidC + `"}]}}`
	out, err := w.Transact(context.Background(), at(bydel), []gateway.Entry{
		w.post1(uuidD, document), w.post1(uuidC, body), w.post1(uuidP, patientBody(kari)),
		{Interaction: gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: gateway.Search{Count: 5, Sort: gateway.Sort{Descending: true}}}},
	})
	must(t, err)
	name := func(i int) string { return string(out[i].Location.Type) + "/" + string(out[i].Location.ID) }
	d, c, p := name(0), name(1), name(2)
	got := bodyOf(out[1])
	for _, want := range []string{
		`"subject":{"reference":"` + p + `"}`, `<a href='` + c + `'>x</a> <img src=\"` + p + `\"/> href=` + uuidC,
		`"value":"` + uuidC + `"`, `"valueUri":"` + c + `"`, `"valueUrl":"` + p + `"`, `"valueReference":{"reference":"` + d + `"}`,
		`"valueDecimal":1.50`, `"instantiatesCanonical":["` + uuidC + `"]`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if doc := bodyOf(out[0]); !strings.Contains(doc, `"attachment":{"url":"`+c+`"}`) || !strings.Contains(doc, `"reference":"`+c+`"`) {
		t.Errorf("document: %s", doc)
	}
	if found := bodyOf(out[3]); !strings.Contains(found, c[len("CarePlan/"):]) {
		t.Errorf("a read in the transaction does not see its writes: %s", found)
	}
	if body, err := w.find(at(bydel), "CarePlan", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}}); err != nil || !strings.Contains(body, c[len("CarePlan/"):]) {
		t.Errorf("the plan has no person: %v %s", err, body)
	}
	for i := range 3 {
		if !out[i].Created || out[i].Version == "" || out[i].Updated.IsZero() {
			t.Errorf("entry %d: %+v", i, out[i])
		}
	}
}

// A conditional reference means an own record or an entry of the directory; that another party has a
// Patient with the number is told by nothing.
func TestConditionalReferencesAreOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	mine := w.patientOf(at(ous), kari)
	const text = "Patient?identifier=x"
	of := func(number string) map[string]gateway.Lookup {
		return map[string]gateway.Lookup{text: {Type: "Patient", Search: gateway.Search{Canonical: "Patient?identifier=", Subject: gateway.Subject{NIN: nin(t, number)}}}}
	}
	conditional := func(number string) gateway.Entry {
		e := w.post1("", strings.ReplaceAll(plan(fhir.Reference{Type: "Patient", ID: "x"}, "a"), `"Patient/x"`, `"`+text+`"`))
		e.Lookups = of(number)
		return e
	}
	out, err := w.Transact(context.Background(), at(ous), []gateway.Entry{conditional(kari)})
	must(t, err)
	if body := bodyOf(out[0]); !strings.Contains(body, mine.String()) || strings.Contains(body, string(theirs.ID)) {
		t.Errorf("the reference means another's Patient: %s", body)
	}
	_, known := w.Transact(context.Background(), at(sosial), []gateway.Entry{conditional(kari)})
	_, unknown := w.Transact(context.Background(), at(sosial), []gateway.Entry{conditional("12859200212")})
	wantEntry(t, known, 0, gateway.Invalid, "bundle.reference-none CarePlan.subject.reference")
	if known.Error() != unknown.Error() {
		t.Errorf("the answers tell who is known: %v, %v", known, unknown)
	}
	w.patientOf(at(ous), kari)
	_, err = w.Transact(context.Background(), at(ous), []gateway.Entry{conditional(kari)})
	wantEntry(t, err, 0, gateway.Precondition, "bundle.reference-multiple")
	// What the transaction itself makes is found; a number may be in an own condition.
	e := w.post1("", patientBody(ola))
	when := of(ola)[text].Search
	e.When = &when
	out, err = w.Transact(context.Background(), at(ous), []gateway.Entry{conditional(ola), e})
	must(t, err)
	if body := bodyOf(out[0]); !strings.Contains(body, string(out[1].Location.ID)) {
		t.Errorf("the reference does not mean the Patient of the Bundle: %s", body)
	}
	again, err := w.Transact(context.Background(), at(ous), []gateway.Entry{e})
	if err != nil || again[0].Created || again[0].Location.ID != out[1].Location.ID {
		t.Errorf("one effect: %v %+v", err, again)
	}
}

// cancelling is the labeller, and a client that goes away at one of its calls.
type cancelling struct {
	gateway.Labeller
	left   atomic.Int32
	cancel context.CancelFunc
}

func (c *cancelling) Label(ctx context.Context, r *fhir.Resource) (gateway.Labelling, error) {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return c.Labeller.Label(ctx, r)
}

// traces counts what there is of the party's writes: lines of the ledger, records, grants.
func (w *world) traces(p fhir.Reference) string {
	w.t.Helper()
	var b strings.Builder
	for _, kind := range []fhir.Type{"AuditEvent", "CarePlan", "Consent", "Patient", "Communication"} {
		body, err := w.find(at(bydel), kind, gateway.Search{Count: 100})
		must(w.t, err)
		n := strings.Count(body, `"fullUrl"`)
		if kind == "AuditEvent" {
			n = strings.Count(body, `"code":"create"`) + strings.Count(body, `"code":"update"`)
		}
		fmt.Fprintf(&b, "%s %d, ", kind, n)
	}
	plans, err := w.find(at(ous), "CarePlan", gateway.Search{Count: 100})
	must(w.t, err)
	fmt.Fprintf(&b, "shared %d", strings.Count(plans, `"fullUrl"`))
	return b.String()
}

// All or nothing: whatever ends a transaction, at whatever entry, leaves no record, no grant, no order
// and no line that says it was written.
func TestTransactionLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), plan(p, "a"))
	before := w.traces(p)
	good := func() []gateway.Entry {
		return []gateway.Entry{
			w.post1(uuidP, patientBody(ola)), w.post1("", plan(p, "b")), w.post1("", consentOf(p, []string{"plan"}, ous)),
			w.post1("", strings.Replace(plan(p, "c"), p.String(), uuidP, 1)),
		}
	}
	bad := w.post1("", strings.Replace(plan(p, "d"), `"active"`, `"ingen"`, 1))
	stale := w.entry(gateway.Update, "", strings.Replace(plan(p, "e"), `{`, `{"id":"80001001-ny",`, 1))
	stale.IfMatch = "feil"
	missing := gateway.Entry{Interaction: gateway.Interaction{Code: gateway.Read, Target: fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"}}}
	lost := w.post1("", strings.Replace(plan(p, "f"), p.String(), uuidD, 1))
	for _, tt := range []struct {
		last  gateway.Entry
		code  gateway.Code
		issue string
	}{
		{bad, gateway.Invalid, "CarePlan.status"}, {stale, gateway.Precondition, "version-conflict"},
		{missing, gateway.NotFound, "absent"}, {lost, gateway.Invalid, "bundle.reference-unresolved CarePlan.subject.reference"},
	} {
		_, err := w.Transact(context.Background(), at(bydel), append(good(), tt.last))
		wantEntry(t, err, 4, tt.code, tt.issue)
		if after := w.traces(p); after != before {
			t.Errorf("%s: %s, before %s", tt.issue, after, before)
		}
	}
	for n := int32(1); n <= 4; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		config := w.Config
		c := &cancelling{Labeller: config.Labeller, cancel: cancel}
		c.left.Store(n)
		config.Labeller = c
		g, err := gateway.New(config)
		must(t, err)
		if _, err := g.Transact(ctx, at(bydel), good()); err == nil {
			t.Fatalf("a transaction whose client went away at write %d succeeded", n)
		}
		cancel()
		if after := w.traces(p); after != before {
			t.Errorf("cancelled at %d: %s, before %s", n, after, before)
		}
	}
	if _, err := w.Transact(context.Background(), at(bydel), good()); err != nil {
		t.Fatal(err)
	}
	if after := w.traces(p); after == before || !strings.HasSuffix(after, "shared 2") {
		t.Errorf("the test sees nothing: %s", after)
	}
}

func TestTransactionIdentities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	one := w.mustPost(at(bydel), numbered(p, "1", "a"))
	body := strings.Replace(numbered(p, "1", "b"), `{`, `{"id":"`+string(one.ID)+`",`, 1)
	update := w.entry(gateway.Update, "", body)
	remove := gateway.Entry{Interaction: gateway.Interaction{Code: gateway.Delete, Target: one}}
	conditional := remove
	conditional.Target.ID, conditional.When = "", by(t, "CarePlan", "identifier", planSystem, "1")
	for _, entries := range [][]gateway.Entry{{update, update}, {update, remove}, {remove, conditional}, {conditional, update}} {
		_, err := w.Transact(context.Background(), at(bydel), entries)
		if gateway.CodeOf(err) != gateway.Invalid && gateway.CodeOf(err) != gateway.Gone {
			t.Errorf("the same record twice: %v", err)
		}
	}
	twice := w.post1(uuidC, numbered(p, "2", "c"))
	_, err := w.Transact(context.Background(), at(bydel), []gateway.Entry{twice, twice})
	wantEntry(t, err, 1, gateway.Invalid, "bundle.full-url-twice")
	// Two creates under one condition are one record.
	a, b := w.post1(uuidC, numbered(p, "3", "d")), w.post1(uuidD, numbered(p, "3", "e"))
	a.When, b.When = by(t, "CarePlan", "identifier", planSystem, "3"), by(t, "CarePlan", "identifier", planSystem, "3")
	out, err := w.Transact(context.Background(), at(bydel), []gateway.Entry{a, b})
	must(t, err)
	if !out[0].Created || out[1].Created || out[0].Location != out[1].Location {
		t.Errorf("%+v", out)
	}
	// Another's record is as absent here as alone; nobody's type may be written here that may not be alone.
	_, hidden := w.Transact(context.Background(), at(sosial), []gateway.Entry{update})
	wantEntry(t, hidden, 0, gateway.NotFound, "absent")
	_, err = w.Transact(context.Background(), w.operator(), []gateway.Entry{a})
	wantEntry(t, err, 0, gateway.Forbidden, "write-not-allowed")
}
