package exchange_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// agreed is a world where the bydel may have all but some of what the GP sends about Kari.
func agreed(t testing.TB) *world {
	w := newWorld(t)
	w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "bydel", clinical...))
	return w
}

// TestPostedInParallel: one message posted twenty times at once has one effect.
func TestPostedInParallel(t *testing.T) {
	w := agreed(t)
	body := document(t, "medisinske-opplysninger")
	var wg sync.WaitGroup
	answers := make([]answer, 20)
	for i := range answers {
		wg.Add(1)
		go func() { defer wg.Done(); answers[i] = w.post(gp, body) }()
	}
	wg.Wait()
	for i, a := range answers {
		if a.status != http.StatusCreated || string(a.body) != string(answers[0].body) {
			t.Errorf("post %d: %d %s, first %s", i, a.status, a.body, answers[0].body)
		}
	}
	w.once()
	w.oneEffect()
}

// TestRepeated: the same bytes give the first id and the same AppRec; other bytes are refused and
// change nothing.
func TestRepeated(t *testing.T) {
	w := agreed(t)
	body := document(t, "medisinske-opplysninger")
	first := w.send(gp, body)
	_, receipts := w.documents(gp)
	before, _ := w.fetch(gp, receipts[0].ID)
	w.read1(gp, receipts[0].ID)
	if second := w.send(gp, body); second != first {
		t.Errorf("id %s, first %s", second, first)
	}
	_, receipts = w.documents(gp)
	if len(receipts) != 1 {
		t.Fatalf("%d AppRecs after repetition, want 1", len(receipts))
	}
	if after, _ := w.fetch(gp, receipts[0].ID); after != before {
		t.Error("the AppRec of the repetition has other bytes")
	}
	if a := w.post(gp, strings.Replace(body, "kanari-rus", "kanari-annet", 1)); a.status != http.StatusConflict {
		t.Errorf("other bytes: %d", a.status)
	}
	if own, _ := w.fetch(gp, first); own != body {
		t.Error("the original was touched")
	}
	if tasks := w.search(person(gp), "Task"); !strings.Contains(tasks, "msgid-reused") {
		t.Error("no Task tells the sender of the conflict")
	}
	w.oneEffect()
}

// oneEffect asserts that one message of Kari's is in the store and the mailboxes, once.
func (w *world) oneEffect() {
	w.t.Helper()
	w.receipt(gp, medicalID)
	if list, _ := w.documents(bydel); len(list) != 1 {
		w.t.Errorf("%d documents in the mailbox, want 1", len(list))
	}
	for kind, want := range map[string]int{"Patient": 1, "Condition": 3, "Communication": 1} {
		if n := strings.Count(w.search(person(gp), kind), `"mode":"match"`); n != want {
			w.t.Errorf("%d of %s, want %d", n, kind, want)
		}
	}
}

func (w *world) once() {
	w.t.Helper()
	must(w.t, w.worker.Once(context.Background()))
}

func (w *world) read1(party, id string) {
	w.t.Helper()
	if a := w.call(party, "PUT", "/edi/Messages/"+id+"/read/"+party, nil); a.status != http.StatusNoContent {
		w.t.Fatalf("read: %d %s", a.status, a.body)
	}
}

// TestCrashBetweenTransactions: a message whose claim is durable and whose effect is not gets it
// when a process starts again, once.
func TestCrashBetweenTransactions(t *testing.T) {
	dsn := postgrestest.OpenPrepared(t, "exchange", func(dsn string) error { return postgres.Migrate(context.Background(), dsn) })
	w := worldOn(t, dsn)
	w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "bydel", clinical...))
	body := []byte(document(t, "medisinske-opplysninger"))
	m, err := exchange.Translator{}.Head(body)
	must(t, err)
	m.ID, m.Party, m.Document, m.Digest = "7d3ad1f6-6a2c-4a39-9f70-5a2f9d7f1c11", gp, body, sha256.Sum256(body)
	m.At, m.State, m.Actor = w.clock(), gateway.Received, machine(gp)
	must(t, w.store.Tx(context.Background(), func(tx gateway.Tx) error {
		_, err := tx.Claim(context.Background(), m)
		return err
	}))
	if list := w.list(gp); len(list) != 0 {
		t.Fatal("an AppRec before the effect")
	}
	again := worldOn(t, dsn)
	again.once()
	again.once()
	again.oneEffect()
	if id := again.send(gp, string(body)); id != string(m.ID) {
		t.Errorf("id %s after the crash, want %s", id, m.ID)
	}
	again.oneEffect()
}

// broken fails in the middle of the work on every message, as a fault of our own would.
type broken struct{ exchange.Translator }

func (broken) Map(gateway.Message, func(fhir.Type, string) fhir.ID) (gateway.Delivery, error) {
	return gateway.Delivery{}, gateway.Failed("test", gateway.Internal, errors.New("broken"))
}

// TestPoison: a message that cannot be processed ends with a negative AppRec, and the next goes on.
func TestPoison(t *testing.T) {
	w := agreed(t)
	ctx := context.Background()
	_, err := w.gateway.Receive(ctx, machine(gp), gateway.Submission{Document: []byte(document(t, "medisinske-opplysninger"))}, broken{})
	must(t, err)
	for range 4 {
		w.wait(time.Hour)
		_, err := w.gateway.Resume(ctx, broken{}, 10)
		must(t, err)
		if list := w.list(gp); len(list) != 0 {
			t.Fatal("given up too early")
		}
	}
	w.wait(time.Hour)
	_, err = w.gateway.Resume(ctx, broken{}, 10)
	must(t, err)
	if status, code, _ := w.receipt(gp, medicalID); status != 2 || code != "X99" {
		t.Errorf("AppRec %d %s, want 2 X99", status, code)
	}
	w.send(gp, document(t, "medisinske-opplysninger", medicalID, "another-message"))
	if list, _ := w.documents(bydel); len(list) != 1 {
		t.Errorf("%d documents after the poisoned one, want 1", len(list))
	}
}

// TestWithdrawnBeforeFetch: a withdrawal between receipt and fetch stops the message everywhere.
func TestWithdrawnBeforeFetch(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	c := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	if list, _ := w.documents(bydel); len(list) != 1 {
		t.Fatalf("%d documents before withdrawal, want 1", len(list))
	}
	w.update(person(bydel), c, withID(consentBody("inactive", p, "fastlege", "bydel", clinical...), c))
	if list := w.list(bydel); len(list) != 0 {
		t.Error("the list shows a message whose samtykke is withdrawn")
	}
	for _, path := range []string{"", "/business-document"} {
		if a := w.call(bydel, "GET", "/edi/Messages/"+id+path, nil); a.status != http.StatusNotFound {
			t.Errorf("GET %q: %d, want 404", path, a.status)
		}
	}
	if a := w.call(bydel, "PUT", "/edi/Messages/"+id+"/read/"+bydel, nil); a.status != http.StatusNotFound {
		t.Errorf("read: %d, want 404", a.status)
	}
	if all := w.searchAll(person(bydel)); strings.Contains(all, "kanari") {
		t.Error("it is readable over FHIR")
	}
}

// TestNarrowedBeforeFetch: what is no longer covered at the fetch is left out, the rest crosses.
func TestNarrowedBeforeFetch(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	c := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	w.update(person(bydel), c, withID(consentBody("active", p, "fastlege", "bydel", "samarbeid", "plan", "tjenester", "rus"), c))
	body, status := w.fetch(bydel, id)
	if status != http.StatusOK || !strings.Contains(body, "kanari-plan") {
		t.Fatalf("fetch: %d", status)
	}
	for _, canary := range []string{"kanari-rus", "kanari-psykisk", "kanari-notat", "kanari-legemidler", "Kanariveien", "Parorende"} {
		if strings.Contains(body, canary) {
			t.Errorf("%s crossed after it was withdrawn", canary)
		}
	}
}

// TestFetchedStays: what was fetched before a withdrawal is part of the receiver's journal: the same
// bytes, also over FHIR.
func TestFetchedStays(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	c := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	before, _ := w.fetch(bydel, id)
	w.update(person(bydel), c, withID(consentBody("inactive", p, "fastlege", "bydel", clinical...), c))
	after, status := w.fetch(bydel, id)
	if status != http.StatusOK || after != before {
		t.Errorf("fetched anew: %d, same bytes %t", status, after == before)
	}
	if found := w.search(person(bydel), "Condition"); !strings.Contains(found, "kanari-rus") {
		t.Error("what was fetched is gone over FHIR")
	}
	w.send(gp, document(t, "medisinske-opplysninger", medicalID, "after-withdrawal", "kanari", "fugl"))
	if list, _ := w.documents(bydel); len(list) != 1 || strings.Contains(w.searchAll(person(bydel)), "fugl-") {
		t.Error("a message after the withdrawal crossed")
	}
}

// withID puts the id into a body for an update.
func withID(body string, r fhir.Reference) string {
	return strings.Replace(body, `{"resourceType":`, `{"id":"`+string(r.ID)+`","resourceType":`, 1)
}

// TestWidenedLater: what was withheld at receipt is never released later by that message, neither by
// the mailbox nor over FHIR; the next message is decided anew.
func TestWidenedLater(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	k := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", "samarbeid", "rus", "plan", "tjenester"))
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	w.update(person(bydel), k, withID(consentBody("active", p, "fastlege", "bydel", clinical...), k))
	body, _ := w.fetch(bydel, id)
	all := w.searchAll(person(bydel))
	if !strings.Contains(body, "kanari-plan") || !strings.Contains(all, "kanari-plan") {
		t.Error("what was covered at receipt is not there")
	}
	for _, canary := range []string{"kanari-psykisk", "kanari-notat", "kanari-legemidler", "kanari-somatisk"} {
		if strings.Contains(body, canary) || strings.Contains(all, canary) {
			t.Errorf("%s crossed after the samtykke was widened: mailbox %t, FHIR %t", canary, strings.Contains(body, canary), strings.Contains(all, canary))
		}
	}
	w.send(gp, document(t, "medisinske-opplysninger", medicalID, "next", "kanari", "ny"))
	if all := w.searchAll(person(bydel)); !strings.Contains(all, "ny-psykisk") {
		t.Error("the next message is not decided anew")
	}
}
