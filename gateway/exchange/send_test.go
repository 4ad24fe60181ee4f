package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
)

// order is a Communication of the bydel's about Kari, to be sent.
func order(patient fhir.Reference, kind, to, rest string) string {
	return `{"resourceType":"Communication","status":"in-progress","subject":{"reference":"` + patient.String() + `"},
	  "category":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8279","code":"` + kind + `"}]}],
	  "recipient":[{"reference":"Organization/` + to + `"}]` + rest + `}`
}

const note = `,"topic":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7322","code":"7"}],"text":"Mottak"},
  "payload":[{"contentString":"kanari-dialog: vi tar imot mandag"}]`

// sending is a world where the bydel may send to the GP what the labels cover.
func sending(t testing.TB, labels ...string) (*world, fhir.Reference) {
	w := newWorld(t)
	p := w.patient(bydel)
	if len(labels) > 0 {
		w.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", labels...))
	}
	return w, p
}

func (w *world) communication(r fhir.Reference) (status, reason string) {
	w.t.Helper()
	c, err := w.read(person(bydel), r)
	must(w.t, err)
	return c.Root().Get("status").Text(), c.Root().Get("statusReason", "text").Text()
}

// TestSentAndAccepted: a Communication becomes a dialogmelding in the receiver's mailbox, and is
// completed by its AppRec, once.
func TestSentAndAccepted(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	if status, _ := w.communication(c); status != "in-progress" {
		t.Errorf("status %s before the AppRec", status)
	}
	list, _ := w.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	body, _ := w.fetch(gp, list[0].ID)
	if !strings.Contains(body, "kanari-dialog") || !strings.Contains(body, `V="7"`) {
		t.Errorf("the document is not what was ordered:\n%s", body)
	}
	w.once()
	if list, _ := w.documents(gp); len(list) != 1 {
		t.Errorf("%d documents after a second round, want 1", len(list))
	}
	a := w.call(gp, "POST", "/edi/Messages/"+list[0].ID+"/apprec/"+gp, map[string]any{"appRecStatus": "Ok"})
	if a.status != http.StatusCreated {
		t.Fatalf("AppRec: %d %s", a.status, a.body)
	}
	if status, _ := w.communication(c); status != "completed" {
		t.Errorf("status %s after the AppRec, want completed", status)
	}
	a = w.call(gp, "POST", "/edi/Messages/"+list[0].ID+"/apprec/"+gp, map[string]any{
		"appRecStatus": "Rejected", "appRecErrorList": []map[string]string{{"errorCode": "T02", "details": ""}},
	})
	if status, _ := w.communication(c); status != "completed" || a.status != http.StatusConflict {
		t.Errorf("a second AppRec changed the status to %s (%d)", status, a.status)
	}
}

// TestHeldBack: without samtykke nothing reaches the receiver's mailbox, and the sender learns the
// category.
func TestHeldBack(t *testing.T) {
	w, p := sending(t)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	status, reason := w.communication(c)
	if status != "stopped" || !strings.Contains(reason, "samtykke mangler") {
		t.Errorf("%s %q, want stopped and the reason", status, reason)
	}
	if list := w.list(gp); len(list) != 0 {
		t.Error("it reached the receiver")
	}
	if all := w.searchAll(person(gp)); strings.Contains(all, "kanari") {
		t.Error("the receiver reads it over FHIR")
	}
}

// TestPlanLessActivity: a part that is not covered stays behind, the sender is told its category,
// and the rest is sent.
func TestPlanLessActivity(t *testing.T) {
	w, p := sending(t, "samarbeid", "plan", "tjenester")
	plan := w.create(person(bydel), "CarePlan", `{"resourceType":"CarePlan","status":"active","intent":"plan","created":"2026-03-10",
	  "subject":{"reference":"`+p.String()+`"},"activity":[
	   {"detail":{"status":"in-progress","description":"kanari-plan: ukentlig samtale"}},
	   {"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"system":"`+gateway.LabelSystem+`","code":"okonomi"}}],
	    "detail":{"status":"in-progress","description":"kanari-okonomi: gjeldsordning"}}]}`)
	c := w.create(person(bydel), "Communication", order(p, "HELSEOPPLYSNINGER_LEGE", "fastlege",
		`,"payload":[{"contentReference":{"reference":"CarePlan/`+string(plan.ID)+`"}}]`))
	w.once()
	status, reason := w.communication(c)
	if status != "in-progress" || !strings.Contains(reason, "økonomi") {
		t.Errorf("%s %q, want in-progress and økonomi", status, reason)
	}
	list, _ := w.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	body, _ := w.fetch(gp, list[0].ID)
	if !strings.Contains(body, "kanari-plan") || strings.Contains(body, "kanari-okonomi") {
		t.Errorf("plan %t, økonomi %t", strings.Contains(body, "kanari-plan"), strings.Contains(body, "kanari-okonomi"))
	}
}

// TestWithdrawnAfterSending: what lies in the mailbox and is not fetched stops with the samtykke.
func TestWithdrawnAfterSending(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	k := w.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", clinical...))
	w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	list, _ := w.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	w.update(person(bydel), k, withID(consentBody("inactive", p, "bydel", "fastlege", clinical...), k))
	if _, status := w.fetch(gp, list[0].ID); status != http.StatusNotFound || len(w.list(gp)) != 0 {
		t.Errorf("fetch after the withdrawal: %d", status)
	}
}

// TestOthersRecord: only records of the sender about the one person are sent.
func TestOthersRecord(t *testing.T) {
	w, p := sending(t, clinical...)
	theirs := w.create(person(gp), "Condition", `{"resourceType":"Condition","subject":{"reference":"`+w.patient(gp).String()+`"},
	  "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icpc-2","code":"P16"}],"text":"kanari-fremmed"}}`)
	c := w.create(person(bydel), "Communication", order(p, "HELSEOPPLYSNINGER_LEGE", "fastlege",
		`,"payload":[{"contentReference":{"reference":"Condition/`+string(theirs.ID)+`"}}]`))
	w.once()
	if status, _ := w.communication(c); status != "stopped" || len(w.list(gp)) != 0 {
		t.Errorf("status %s, %d messages", status, len(w.list(gp)))
	}
}

// TestAppRecNeverAnswered: an AppRec as a business document is applied, and brings about no other.
func TestAppRecNeverAnswered(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	list, _ := w.documents(gp)
	body, _ := w.fetch(gp, list[0].ID)
	m, err := exchange.Translator{}.Head([]byte(body))
	must(t, err)
	receipt, err := exchange.Translator{}.WriteAppRec(gateway.AppRec{
		MsgID: "1f0b8f5e-9f0b-4a9c-8f3f-5d0a7c1e2b11", From: gp, To: bydel, Original: m.MsgID,
		Status: gateway.AppRecRejected, Errors: []gateway.AppRecError{{Code: "E36", Text: "for lite"}}, At: w.clock(),
	}, m)
	must(t, err)
	for range 2 {
		w.send(gp, string(receipt))
	}
	w.once()
	if status, reason := w.communication(c); status != "stopped" || !strings.Contains(reason, "E36") {
		t.Errorf("%s %q, want stopped with E36", status, reason)
	}
	for _, party := range []string{gp, bydel} {
		if _, receipts := w.documents(party); len(receipts) != 0 {
			t.Errorf("an AppRec was answered by %d AppRecs to %s", len(receipts), party)
		}
	}
	outsider, err := exchange.Translator{}.WriteAppRec(gateway.AppRec{
		MsgID: "2f0b8f5e-9f0b-4a9c-8f3f-5d0a7c1e2b11", From: sosial, To: bydel, Original: m.MsgID, Status: gateway.AppRecOK, At: w.clock(),
	}, m)
	must(t, err)
	w.send(sosial, string(outsider))
	if status, _ := w.communication(c); status != "stopped" {
		t.Errorf("another party's AppRec made it %s", status)
	}
}

// TestAppRecMissing: an AppRec that does not come in time is told by a Task; a late one counts.
func TestAppRecMissing(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	w.wait(2 * time.Hour)
	w.once()
	w.once()
	if n := strings.Count(w.search(person(bydel), "Task"), "apprec-missing"); n != 1 {
		t.Errorf("%d Tasks, want 1", n)
	}
	list, _ := w.documents(gp)
	if a := w.call(gp, "POST", "/edi/Messages/"+list[0].ID+"/apprec/"+gp, map[string]any{"appRecStatus": 1}); a.status != http.StatusCreated {
		t.Fatalf("late AppRec: %d %s", a.status, a.body)
	}
	if status, _ := w.communication(c); status != "completed" {
		t.Errorf("status %s after the late AppRec", status)
	}
}

// TestOrderRefused: what cannot be addressed is refused when it is written.
func TestOrderRefused(t *testing.T) {
	w, p := sending(t, clinical...)
	for name, body := range map[string]string{
		"unknown receiver":  order(p, "DIALOG_HELSEFAGLIG", "finnes-ikke", note),
		"another's patient": order(w.patient(gp), "DIALOG_HELSEFAGLIG", "fastlege", note),
	} {
		t.Run(name, func(t *testing.T) {
			res, err := fhir.Parse([]byte(body))
			must(t, err)
			_, err = w.gateway.Do(context.Background(), person(bydel), gateway.Interaction{
				Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}, Body: res,
			})
			if gateway.CodeOf(err) != gateway.Invalid || err == nil {
				t.Errorf("error %v, want invalid", err)
			}
		})
	}
}
