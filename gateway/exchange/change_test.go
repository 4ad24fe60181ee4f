package exchange_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
)

// follower is a message that changes or cancels the first one.
func follower(t testing.TB, status, id, canary string) string {
	return document(t, "medisinske-opplysninger", medicalID, id, `<po:Forsendelsesstatus V="N" DN="Ny"/>`, `<po:Forsendelsesstatus V="`+status+`"/>`,
		"0b3d0e0c-51a9-4b8c-8a15-2a8b5d0f7c01", medicalID, "kanari", canary)
}

// TestChangeAndCancel: whatever order the three arrive in, the first is cancelled, the change
// stands, and every record says so; the receiver sees the same.
func TestChangeAndCancel(t *testing.T) {
	first := document(t, "medisinske-opplysninger")
	change := follower(t, "M", "changed", "endret")
	cancel := follower(t, "C", "cancelled", "kansellert")
	for i, order := range [][]string{{first, change, cancel}, {cancel, first, change}, {change, cancel, first}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := agreed(t)
			for _, d := range order {
				w.send(gp, d)
			}
			for _, a := range []actor{person(gp), person(bydel)} {
				conditions := entries(w.search(a, "Condition"))
				w.status(conditions, "kanari-rus", "entered-in-error", a)
				w.status(conditions, "kansellert-rus", "entered-in-error", a)
				w.status(conditions, "endret-rus", "", a)
			}
			documents := entries(w.search(person(gp), "DocumentReference"))
			w.status(documents, `"value":"`+medicalID+`"`, `"status":"entered-in-error"`, person(gp))
			w.status(documents, `"value":"changed"`, `"status":"current"`, person(gp))
		})
	}
}

// TestChangeSupersedes: a change alone leaves the older document superseded.
func TestChangeSupersedes(t *testing.T) {
	w := agreed(t)
	w.send(gp, document(t, "medisinske-opplysninger"))
	w.send(gp, follower(t, "M", "changed", "endret"))
	documents := entries(w.search(person(gp), "DocumentReference"))
	w.status(documents, `"value":"`+medicalID+`"`, `"status":"superseded"`, person(gp))
	w.status(entries(w.search(person(gp), "Condition")), "kanari-rus", "entered-in-error", person(gp))
	w.status(entries(w.search(person(gp), "Condition")), "endret-rus", "", person(gp))
}

// TestOthersCannotCancel: a message that names another party's as its parent leaves it alone.
func TestOthersCannotCancel(t *testing.T) {
	w := agreed(t)
	w.send(gp, document(t, "medisinske-opplysninger"))
	w.send(hospice, strings.Replace(follower(t, "C", "foreign", "fremmed"), "<Id>"+gp+"</Id>", "<Id>"+hospice+"</Id>", 1))
	w.status(entries(w.search(person(gp), "Condition")), "kanari-rus", "", person(gp))
}

func entries(bundle string) []string { return strings.Split(bundle, `"fullUrl"`) }

// status asserts that the one entry with the canary says the status, or, for "", no error.
func (w *world) status(list []string, canary, want string, a actor) {
	w.t.Helper()
	for _, e := range list {
		if !strings.Contains(e, canary) {
			continue
		}
		if want == "" && strings.Contains(e, "entered-in-error") || !strings.Contains(e, want) {
			w.t.Errorf("%s for %s: want %q", canary, a.Party, want)
		}
		return
	}
	w.t.Errorf("%s finds no %s", a.Party, canary)
}

// TestLogistics: free text and what names the ward never leave a LOG_ message, and the sender is
// told; the event crosses.
func TestLogistics(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	k := w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", "logistikk", "samarbeid"))
	body := document(t, "log-fritekst")
	m, err := exchange.Translator{}.Head([]byte(body))
	must(t, err)
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
	  "name":"ARA","identifier":[{"system":"`+fhir.SystemHER+`","value":"`+string(m.Sender.HERID)+`"}]}`)
	w.wait(2 * time.Second) // the directory is at most a second old
	w.send(hospice, strings.Replace(body, string(m.MsgID), "without-rus", 1))
	if status, _, text := w.receipt(string(m.Sender.HERID), "without-rus"); status != 2 || !strings.HasPrefix(text, "Ikke levert: samtykke mangler for rus. ") {
		t.Errorf("the name of the sender reveals rus: AppRec %d %q", status, text)
	}
	w.update(person(bydel), k, withID(consentBody("active", p, "ous", "bydel", "logistikk", "samarbeid", "rus"), k))
	w.send(hospice, body)
	if status, code, text := w.receipt(string(m.Sender.HERID), string(m.MsgID)); status != 3 || code != "X99" || !strings.HasPrefix(text, "Ikke levert: ") {
		t.Errorf("AppRec %d %s %q", status, code, text)
	}
	list, _ := w.documents(bydel, "8100021")
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	copied, _ := w.fetch(bydel, list[0].ID)
	all := w.searchAll(person(bydel))
	for _, secret := range []string{"overdose", "vrusningspost", "F11.2", "a2FuYXJp"} {
		if strings.Contains(copied, secret) || strings.Contains(all, secret) {
			t.Errorf("%s crossed", secret)
		}
	}
	if !strings.Contains(copied, "2026-03-20T22:10:00") || !strings.Contains(all, "2026-03-20T22:10:00") {
		t.Error("the event did not cross")
	}
}

// TestOnePatient: many messages about one person at once make one Patient of the sender, which no
// later message changes.
func TestOnePatient(t *testing.T) {
	w := agreed(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w.send(gp, document(t, "medisinske-opplysninger", medicalID, fmt.Sprintf("message-%d", i), "Nordlie", fmt.Sprintf("Nordlie%d", i)))
		}()
	}
	wg.Wait()
	w.once()
	before := w.search(person(gp), "Patient")
	if n := strings.Count(before, `"mode":"match"`); n != 1 {
		t.Errorf("%d Patients, want 1", n)
	}
	w.send(gp, document(t, "medisinske-opplysninger", "Kanariveien", "Gjøkveien"))
	if after := w.search(person(gp), "Patient"); after != before {
		t.Error("a later message changed the Patient")
	}
	if list, _ := w.documents(bydel); len(list) != 7 {
		t.Errorf("%d documents, want 7", len(list))
	}
}

// TestReceivers: each receiver is decided for by itself and has its own AppRec; those that are not
// chosen are not handled.
func TestReceivers(t *testing.T) {
	w := agreed(t)
	both := strings.Replace(document(t, "medisinske-opplysninger"), "</Receiver>", `</Receiver><OtherReceiver><RoleReceiver V="COP"/><Organisation>
	  <OrganisationName>NAV</OrganisationName><Ident><Id>`+sosial+`</Id><TypeId V="HER"/></Ident></Organisation></OtherReceiver>`, 1)
	id := w.send(gp, both)
	if _, receipts := w.documents(gp); len(receipts) != 2 {
		t.Errorf("%d AppRecs, want 2", len(receipts))
	}
	if list := w.list(sosial); len(list) != 0 {
		t.Error("the receiver without samtykke has it")
	}
	if _, status := w.fetch(sosial, id); status != http.StatusNotFound {
		t.Errorf("fetch by the receiver without samtykke: %d", status)
	}
	if all := w.searchAll(person(sosial)); strings.Contains(all, "kanari") {
		t.Error("the receiver without samtykke reads it over FHIR")
	}
	a := w.call(gp, "GET", "/edi/Messages/"+id+"/status", nil)
	if got := string(a.body); !strings.Contains(got, `"receiverHerId":8100020,"transportDeliveryState":"Acknowledged","appRecStatus":"OkErrorInMessagePart"`) ||
		!strings.Contains(got, `"receiverHerId":8100040,"transportDeliveryState":"Acknowledged","appRecStatus":"Rejected"`) {
		t.Errorf("status: %s", got)
	}
	if a := w.call(bydel, "GET", "/edi/Messages/"+id+"/status", nil); a.status != http.StatusNotFound {
		t.Errorf("the receiver reads the sender's status: %d", a.status)
	}
}

// TestRefusedAfterDelivery: a receiver that refuses what was acknowledged gives the sender a Task and
// no second AppRec.
func TestRefusedAfterDelivery(t *testing.T) {
	w := agreed(t)
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	a := w.call(bydel, "POST", "/edi/Messages/"+id+"/apprec/"+bydel, map[string]any{
		"appRecStatus": "Rejected", "appRecErrorList": []map[string]string{{"errorCode": "T02", "details": ""}},
	})
	if a.status != http.StatusCreated {
		t.Fatalf("AppRec: %d %s", a.status, a.body)
	}
	w.receipt(gp, medicalID)
	if tasks := w.search(person(gp), "Task"); !strings.Contains(tasks, "message-refused") {
		t.Error("no Task tells the sender")
	}
	if a := w.call(sosial, "POST", "/edi/Messages/"+id+"/apprec/"+sosial, map[string]any{"appRecStatus": "Ok"}); a.status != http.StatusNotFound {
		t.Errorf("AppRec of one who has not got it: %d", a.status)
	}
}

// TestWorkerEnds: the worker goes on until its context ends.
func TestWorkerEnds(t *testing.T) {
	w := agreed(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.worker.Run(ctx); close(done) }()
	w.send(gp, document(t, "medisinske-opplysninger"))
	cancel()
	<-done
	w.oneEffect()
}

// TestNotFetched: an acknowledged message that is not fetched in time, or is withheld before it is,
// gives its sender one Task.
func TestNotFetched(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	k := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	w.send(gp, document(t, "medisinske-opplysninger"))
	w.once()
	w.wait(25 * time.Hour)
	w.once()
	w.once()
	if n := strings.Count(w.search(person(gp), "Task"), `"code":"message-not-fetched"`); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
	w.send(gp, document(t, "medisinske-opplysninger", medicalID, "second"))
	w.update(person(bydel), k, withID(consentBody("inactive", p, "fastlege", "bydel", clinical...), k))
	w.wait(25 * time.Hour)
	w.once()
	if n := strings.Count(w.search(person(gp), "Task"), `"code":"message-withheld"`); n != 1 {
		t.Errorf("%d Tasks of what was withheld, want 1", n)
	}
}

// TestLedger: submission, refusal, listing and fetch stand in the ledger, about the person.
func TestLedger(t *testing.T) {
	w := agreed(t)
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	w.list(bydel)
	w.fetch(bydel, id)
	w.fetch(sosial, id)
	for party, want := range map[string][]string{
		gp: {"message-in", "message-fetch"}, bydel: {"message-list", "message-fetch"},
	} {
		found := w.search(person(party), "AuditEvent")
		for _, code := range want {
			if !strings.Contains(found, `"`+code+`"`) {
				t.Errorf("%s finds no %s", party, code)
			}
		}
		if strings.Contains(found, kari) {
			t.Error("a national identifier in the ledger's view")
		}
	}
}
