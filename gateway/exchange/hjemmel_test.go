package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
)

const (
	logistics   = "logistikk-hf-bydel"
	admittedID  = "11111111-aaaa-4111-8111-111111111111"
	admission   = "2026-03-20T22:10:00"
	byParagraph = "hpl. § 25, forskrift om kommunal betaling for utskrivningsklare pasienter §§ 8–10"
)

// controller is the compliance of a party.
func controller(party string) gateway.Actor {
	return gateway.Actor{Kind: gateway.Compliance, Party: gateway.HERID(party), Client: "personvern"}
}

// turn switches a hjemmel.
func (w *world) turn(a gateway.Actor, id string, on bool, reason string) error {
	_, err := w.gateway.Do(context.Background(), a, gateway.Interaction{Code: gateway.Operate, Operation: gateway.Operation{
		Name: gateway.Hjemmel, Code: id, Active: on, Reason: reason,
	}})
	return err
}

// hospital is a world in which OUS sends from a service of its own about Kari, whom the bydel knows.
func hospital(t testing.TB, service string) (w *world, bydelsKari fhir.Reference) {
	w = newWorld(t)
	bydelsKari = w.patient(bydel)
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
	  "name":"`+service+`","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100031"}]}`)
	w.wait(2 * time.Second) // the directory is at most a second old
	return w, bydelsKari
}

// admitted sends the message that Kari is admitted, under a MsgId of its own.
func (w *world) admitted(id string, replace ...string) (status int, text string) {
	w.t.Helper()
	replace = append([]string{admittedID, id, "Psykiatri plo meldingsmottak", "Meldingsmottak"}, replace...)
	w.send(hospice, document(w.t, "log-innlagt", replace...))
	status, _, text = w.receipt("8100031", id)
	return status, text
}

// TestHjemmel: a legal basis holds when the sender's controller has switched it on, from the next question, and
// no longer when it is switched off; the paragraph stands in the ledger of both sides.
func TestHjemmel(t *testing.T) {
	w, _ := hospital(t, "Meldingsmottak")
	crossed := func() bool { return strings.Contains(w.searchAll(person(bydel)), admission) }
	if status, text := w.admitted("off"); status != 2 || !strings.HasPrefix(text, "Ikke levert: samtykke mangler") || crossed() {
		t.Fatalf("off: AppRec %d %q, crossed %v", status, text, crossed())
	}
	must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
	if crossed() {
		t.Error("what was held back crosses when the hjemmel is switched on later")
	}
	for _, id := range []string{"on", "fetched"} {
		if status, text := w.admitted(id); status != 1 {
			t.Fatalf("on: AppRec %d %q", status, text)
		}
		if !strings.Contains(w.search(person(hospice), "AuditEvent"), byParagraph) {
			t.Error("the sender's ledger does not tell on which paragraph it was sent")
		}
	}
	list, _ := w.documents(bydel, "8100021")
	if len(list) != 2 || !crossed() {
		t.Fatalf("on: %d documents, crossed %v", len(list), crossed())
	}
	copied, _ := w.fetch(bydel, list[1].ID)
	if !strings.Contains(copied, admission) {
		t.Error("the event is not in the document")
	}
	for _, a := range []gateway.Actor{person(hospice), person(bydel)} {
		if !strings.Contains(w.search(a, "AuditEvent"), byParagraph) {
			t.Errorf("the ledger of %s does not tell the paragraph", a.Party)
		}
	}
	must(t, w.turn(controller(hospice), logistics, false, "Avtalen er sagt opp"))
	if _, status := w.fetch(bydel, list[0].ID); status == 200 {
		t.Error("off again, and a message that was not fetched can be")
	}
	if _, status := w.fetch(bydel, list[1].ID); status != 200 {
		t.Error("what was fetched is part of the receiver's journal")
	}
	if status, _ := w.admitted("off-again"); status != 2 {
		t.Errorf("off again: AppRec %d", status)
	}
}

// TestHjemmelIsReadOnlyWhileItHolds: what came by a message and was not fetched is no longer read when the basis
// is switched off, by a reader whose decisions are remembered; and both are told at once that it will not come.
func TestHjemmelIsReadOnlyWhileItHolds(t *testing.T) {
	w, _ := hospital(t, "Meldingsmottak")
	must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
	w.admitted("on")
	must(t, w.turn(controller(hospice), logistics, false, "Avtalen er sagt opp"))
	if strings.Contains(w.searchAll(person(bydel)), admission) {
		t.Error("switched off and never fetched, and it is read")
	}
	w.once()
	w.duty(hospice, "message-withheld", "requested")
	w.duty(bydel, "message-withheld", "requested")
	must(t, w.turn(controller(hospice), logistics, true, "Ny avtale"))
	if !strings.Contains(w.searchAll(person(bydel)), admission) {
		t.Error("switched on again, and it is not read")
	}
}

// TestHjemmelYields: an objection, a deny, kode 6 and the ceiling stand above the row, and it is for one type of
// message, one sender and one kind of receiver.
func TestHjemmelYields(t *testing.T) {
	deny := func(p fhir.Reference, law string) string {
		return strings.NewReplacer(`"HPL22"`, `"`+law+`"`, `"type":"permit"`, `"type":"deny"`).Replace(consentBody("active", p, "ous", "bydel", "logistikk"))
	}
	for name, tt := range map[string]struct {
		service string
		before  func(w *world, p fhir.Reference)
		replace []string
		status  int
		tells   string
	}{
		"nothing in the way":      {"Meldingsmottak", func(*world, fhir.Reference) {}, nil, 1, ""},
		"an objection":            {"Meldingsmottak", func(w *world, p fhir.Reference) { w.create(person(bydel), "Consent", deny(p, "PBRL53")) }, nil, 2, "logistikk"},
		"a deny":                  {"Meldingsmottak", func(w *world, p fhir.Reference) { w.create(person(bydel), "Consent", deny(p, "HPL22")) }, nil, 2, "logistikk"},
		"kode 6":                  {"Meldingsmottak", func(w *world, p fhir.Reference) { w.protect(bydel, p, "strengt-fortrolig") }, nil, 2, ""},
		"a ward that reveals rus": {"Meldingsmottak", func(*world, fhir.Reference) {}, []string{"Meldingsmottak", "Avrusningsposten"}, 2, "rus"},
		"a receiver of another kind": {"Meldingsmottak", func(*world, fhir.Reference) {},
			[]string{"8100020", sosial, "8100021", sosial}, 2, "samtykke mangler"},
		"switched off by another party": {"Meldingsmottak", func(w *world, _ fhir.Reference) {
			if err := w.turn(controller(bydel), logistics, false, "x"); gateway.CodeOf(err) != gateway.Invalid {
				w.t.Errorf("a party that the row is not for: %v", err)
			}
		}, nil, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := hospital(t, tt.service)
			must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
			tt.before(w, p)
			status, text := w.admitted("m", tt.replace...)
			if status != tt.status || !strings.Contains(text, tt.tells) {
				t.Errorf("AppRec %d %q, want %d with %q", status, text, tt.status, tt.tells)
			}
			if crossed := strings.Contains(w.searchAll(person(bydel)), admission); crossed != (tt.status == 1) {
				t.Errorf("crossed: %v", crossed)
			}
		})
	}
}

// TestHjemmelUnderKode6: what came by a hjemmel is no longer found when the person's address is strictly secret,
// whether she is named or not.
func TestHjemmelUnderKode6(t *testing.T) {
	w, p := hospital(t, "Meldingsmottak")
	must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
	w.admitted("on")
	all := func() string {
		out, err := w.gateway.Do(context.Background(), person(bydel), gateway.Interaction{
			Code: gateway.Find, Target: fhir.Reference{Type: "Encounter"},
			Search: gateway.Search{Count: 100, Self: "/fhir/Encounter", Base: "http://sluse.test/fhir", Canonical: "Encounter"},
		})
		must(t, err)
		var b strings.Builder
		_, err = out.Release.WriteTo(&b)
		must(t, err)
		return b.String()
	}
	w.protect(bydel, p, "fortrolig")
	w.protect(bydel, p, "strengt-fortrolig")
	if strings.Contains(all(), admission) || strings.Contains(w.searchAll(person(bydel)), admission) {
		t.Error("under kode 6, and it is found")
	}
	w.protect(bydel, p, "ugradert")
	if !strings.Contains(all(), admission) {
		t.Error("kode 6 is lifted, and it is not found")
	}
}

// TestHjemmelController: only the compliance of the sending party switches, by name and with a reason; each
// decision is a version, and stands in the ledger.
func TestHjemmelController(t *testing.T) {
	w, _ := hospital(t, "Meldingsmottak")
	for i, tt := range []struct {
		actor      gateway.Actor
		id, reason string
		code       gateway.Code
	}{
		{person(hospice), logistics, "x", gateway.Forbidden},
		{machine(hospice), logistics, "x", gateway.Forbidden},
		{operator, logistics, "x", gateway.Forbidden},
		{controller(stray), logistics, "x", gateway.Forbidden},
		{controller(gp), logistics, "x", gateway.Invalid},
		{controller(hospice), "logistikk", "x", gateway.Invalid},
		{controller(hospice), logistics, "", gateway.Invalid},
	} {
		if err := w.turn(tt.actor, tt.id, true, tt.reason); gateway.CodeOf(err) != tt.code || err == nil {
			t.Errorf("%d: %v, want %s", i, err, tt.code)
		}
	}
	if status, _ := w.admitted("m"); status != 2 {
		t.Errorf("AppRec %d after nothing but refusals", status)
	}
	must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
	must(t, w.turn(controller(hospice), logistics, false, "Feil rad"))
	ledger := w.searchLedger(controller(hospice))
	for _, want := range []string{"Vedtak 2026/14", "Feil rad"} {
		if !strings.Contains(ledger, want) {
			t.Errorf("the ledger does not hold %q", want)
		}
	}
}

// searchLedger gives the ledger as an actor sees it, whoever it is about.
func (w *world) searchLedger(a gateway.Actor) string {
	w.t.Helper()
	out, err := w.gateway.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Find, Target: fhir.Reference{Type: "AuditEvent"},
		Search: gateway.Search{Count: 100, Self: "/fhir/AuditEvent", Base: "http://sluse.test/fhir", Canonical: "AuditEvent"},
	})
	must(w.t, err)
	var b strings.Builder
	_, err = out.Release.WriteTo(&b)
	must(w.t, err)
	return fmt.Sprint(b.String())
}

// TestHjemmelEndsWithTheSector: a row is for one kind of receiver. A party that the directory gives another sector
// reads nothing by it from the next question, also when its decisions are remembered.
func TestHjemmelEndsWithTheSector(t *testing.T) {
	w, _ := hospital(t, "Meldingsmottak")
	must(t, w.turn(controller(hospice), logistics, true, "Vedtak 2026/14"))
	w.admitted("on")
	if !strings.Contains(w.searchAll(person(bydel)), admission) { // it is part of the receiver's journal now
		t.Fatal("on, and it is not read")
	}
	const later = "2026-03-20T23:11:00"
	if status, text := w.admitted("later", admission, later); status != 1 {
		t.Fatalf("AppRec %d %q", status, text)
	}
	became := strings.NewReplacer("%ID", bydel, "%HER", fhir.SystemHER, "%SECTOR", postgres.SystemSector, "%LAW", postgres.SystemLovgrunnlag).
		Replace(`{"resourceType":"Organization","id":"bydel","active":true,"name":"Bydel Sagene","identifier":[{"system":"%HER","value":"%ID"}],
		  "type":[{"coding":[{"system":"%SECTOR","code":"privat-tsb"}]},{"coding":[{"system":"%LAW","code":"helse-kommune"}]}]}`)
	w.update(operator, fhir.Reference{Type: "Organization", ID: "bydel"}, became)
	w.wait(2 * time.Second)
	if strings.Contains(w.searchAll(person(bydel)), later) {
		t.Error("LEAK: the row is not for its sector any more, and it is read")
	}
}
