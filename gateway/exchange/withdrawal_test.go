package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// sent is a world in which the bydel has sent the GP a dialogmelding on a samtykke.
func sent(t *testing.T) (w *world, p, consent fhir.Reference, body, message string) {
	w = newWorld(t)
	p = w.patient(bydel)
	body = consentBody("active", p, "bydel", "fastlege", clinical...)
	consent = w.create(person(bydel), "Consent", body)
	w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	list, _ := w.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	return w, p, consent, body, list[0].ID
}

func (w *world) withdraw(consent fhir.Reference, body string) {
	w.t.Helper()
	w.update(person(bydel), consent, withID(strings.Replace(body, `"active"`, `"inactive"`, 1), consent))
}

// tasks counts the Tasks of one code that lie with the party.
func (w *world) tasks(party, code string) int {
	w.t.Helper()
	q, _, err := fhir.ParseQuery("Task", []fhir.Parameter{{Name: "code", Value: "http://sluse.no/fhir/CodeSystem/oppgave|" + code}}, fhir.QueryConfig{})
	must(w.t, err)
	out, err := w.gateway.Do(context.Background(), person(party), gateway.Interaction{
		Code: gateway.Find, Target: fhir.Reference{Type: "Task"},
		Search: gateway.Search{Criteria: q.Criteria, Count: 100, Self: "/fhir/Task", Base: "http://sluse.test/fhir", Canonical: "Task"},
	})
	must(w.t, err)
	var b strings.Builder
	_, err = out.Release.WriteTo(&b)
	must(w.t, err)
	return strings.Count(b.String(), `"mode":"match"`)
}

// Who has only fetched messages is told of a withdrawal by a dialogmelding as well, from who sent them: it
// holds that a samtykke is gone and the head of the patient, nothing else, and comes once.
func TestWithdrawalIsToldByMessage(t *testing.T) {
	w, p, consent, body, message := sent(t)
	w.update(person(bydel), p, `{"resourceType":"Patient","id":"`+string(p.ID)+`","name":[{"family":"Nordlie","given":["Kari"]}],"birthDate":"1992-06-21",
	  "address":[{"line":["Kanariveien 7"]}],"telecom":[{"system":"phone","value":"40000000"}],"identifier":[{"system":"`+fhir.SystemFNR+`","value":"`+kari+`"}]}`)
	if _, status := w.fetch(gp, message); status != http.StatusOK {
		t.Fatalf("fetch: %d", status)
	}
	for range 2 {
		w.withdraw(consent, body)
		w.wait(2 * time.Minute)
		w.once()
	}
	if n := w.tasks(gp, "withdrawal"); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
	list, _ := w.documents(gp)
	told := 0
	for _, m := range list {
		document, status := w.fetch(gp, m.ID)
		if m.ID == message {
			continue
		}
		if told++; status != http.StatusOK || !strings.Contains(document, "trukket tilbake") || !strings.Contains(document, kari) || m.SenderHerID != 8100020 {
			t.Errorf("the notice: %d from %d\n%s", status, m.SenderHerID, document)
		}
		if strings.Contains(document, "kanari") || strings.Contains(document, "Kanariveien") || strings.Contains(document, "40000000") {
			t.Errorf("it holds more than it should:\n%s", document)
		}
		if a := w.call(gp, "POST", "/edi/Messages/"+m.ID+"/apprec/"+gp, map[string]any{"appRecStatus": "Ok"}); a.status != http.StatusCreated {
			t.Errorf("its AppRec: %d %s", a.status, a.body)
		}
	}
	if told != 1 {
		t.Errorf("%d notices, want 1: %s", told, w.search(person(bydel), "Communication"))
	}
}

// Who has fetched nothing is not told, and nothing of what waited is given: neither what lies in the mailbox,
// nor what is queued behind it.
func TestQueuedMessageStopsWithTheConsent(t *testing.T) {
	w, p, consent, body, message := sent(t)
	queued := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.withdraw(consent, body)
	w.wait(2 * time.Minute)
	w.once()
	if status, reason := w.communication(queued); status != "stopped" || !strings.Contains(reason, "samtykke mangler") {
		t.Errorf("the queued message: %s %q", status, reason)
	}
	if _, status := w.fetch(gp, message); status != http.StatusNotFound || len(w.list(gp)) != 0 || w.tasks(gp, "withdrawal") != 0 {
		t.Errorf("fetch %d, %d in the mailbox, %d Tasks", status, len(w.list(gp)), w.tasks(gp, "withdrawal"))
	}
}

// An objection holds the notice back as it does everything else: only the receiver's own Task tells it.
func TestObjectionHoldsTheNotice(t *testing.T) {
	for name, late := range map[string]bool{"before it is sent": false, "before it is fetched": true} {
		t.Run(name, func(t *testing.T) {
			w, p, consent, body, message := sent(t)
			w.fetch(gp, message)
			w.withdraw(consent, body)
			if late {
				w.once()
			}
			w.create(person(bydel), "Consent", strings.NewReplacer(`"HPL22"`, `"PBRL53"`, `"type":"permit","period":{"start":"2026-03-01","end":"2026-12-31"},`, `"type":"deny",`).
				Replace(consentBody("active", p, "bydel", "fastlege", "samarbeid")))
			w.once()
			if list, _ := w.documents(gp); len(list) != 1 || list[0].ID != message {
				t.Errorf("%d documents", len(list))
			}
			if n := w.tasks(gp, "withdrawal"); n != 1 {
				t.Errorf("%d Tasks, want 1", n)
			}
		})
	}
}

// Under adressesperre kode 6 nothing goes by itself, the notice neither: its sender gets a Task.
func TestShieldHoldsTheNotice(t *testing.T) {
	w, p, consent, body, message := sent(t)
	w.fetch(gp, message)
	_, err := w.gateway.Do(t.Context(), person(bydel), gateway.Interaction{Code: gateway.Operate, Target: p,
		Operation: gateway.Operation{Name: gateway.Protect, Code: "strengt-fortrolig", Reason: "prøve"}})
	must(t, err)
	w.withdraw(consent, body)
	w.once()
	if list, _ := w.documents(gp); len(list) != 1 {
		t.Errorf("%d documents, want the one that was there", len(list))
	}
	if n, m := w.tasks(gp, "withdrawal"), w.tasks(bydel, "message-by-hand"); n != 1 || m != 1 {
		t.Errorf("%d Tasks to the receiver, %d to the sender", n, m)
	}
}

// The registry holds what was laid ready and that it was fetched, to whom, and nothing of it to the receiver.
func TestDisclosedByMessage(t *testing.T) {
	w, _, consent, body, message := sent(t)
	count := func(a actor) (waiting, fetched int) {
		out, err := w.gateway.Do(context.Background(), a, gateway.Interaction{
			Code: gateway.Operate, Target: fhir.Reference{Type: "Consent", ID: consent.ID}, Operation: gateway.Operation{Name: gateway.Disclosed},
			Search: gateway.Search{Count: 100, Self: "/fhir/Consent", Base: "http://sluse.test/fhir", Canonical: "Consent"},
		})
		must(t, err)
		var b strings.Builder
		_, err = out.Release.WriteTo(&b)
		must(t, err)
		if !strings.Contains(b.String(), "Sagene legesenter") || !strings.Contains(b.String(), `"Communication"`) {
			t.Errorf("to whom and what: %s", b.String())
		}
		return strings.Count(b.String(), `"fetched","valueBoolean":false`), strings.Count(b.String(), `"fetched","valueBoolean":true`)
	}
	if waiting, fetched := count(person(bydel)); waiting != 1 || fetched != 0 {
		t.Errorf("laid ready: %d waiting, %d fetched", waiting, fetched)
	}
	w.fetch(gp, message)
	w.fetch(gp, message)
	w.withdraw(consent, body)
	if waiting, fetched := count(person(bydel)); waiting != 1 || fetched != 1 {
		t.Errorf("fetched: %d waiting, %d fetched", waiting, fetched)
	}
}

// The same holds for a message that came in as a document.
func TestDisclosedByDocument(t *testing.T) {
	w := newWorld(t)
	own := w.patient(bydel)
	body := consentBody("active", own, "fastlege", "bydel", clinical...)
	consent := w.create(person(bydel), "Consent", body)
	w.send(gp, document(t, "medisinske-opplysninger"))
	w.once()
	out, err := w.gateway.Do(context.Background(), person(gp), gateway.Interaction{
		Code: gateway.Operate, Target: fhir.Reference{Type: "Consent", ID: consent.ID}, Operation: gateway.Operation{Name: gateway.Disclosed},
		Search: gateway.Search{Count: 100, Self: "/fhir/Consent", Base: "http://sluse.test/fhir", Canonical: "Consent"},
	})
	must(t, err)
	var b strings.Builder
	_, err = out.Release.WriteTo(&b)
	must(t, err)
	if !strings.Contains(b.String(), "Bydel Sagene") || strings.Count(b.String(), `"fetched","valueBoolean":false`) != 1 {
		t.Errorf("the registry of the sender: %s", b.String())
	}
}
