package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// receiving makes the unit with that HER-id take these message types at an Endpoint in the period (JSON), and no others.
func (w *world) receiving(her, period string, kinds ...string) {
	w.t.Helper()
	dir, err := w.store.Directory(context.Background())
	must(w.t, err)
	unit, ok := dir.(gateway.Receptions).Registered(gateway.HERID(her))
	if !ok {
		w.t.Fatalf("nobody has HER-id %s", her)
	}
	party, _ := dir.Party(gateway.HERID(her))
	var types []string
	for _, k := range kinds {
		types = append(types, `{"coding":[{"system":"`+gateway.MessageTypeSystem+`","code":"`+k+`"}]}`)
	}
	if len(types) == 0 {
		types = []string{`{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/endpoint-payload-type","code":"any"}]}`}
	}
	if period != "" {
		period = `,"period":` + period
	}
	e := w.create(operator, "Endpoint", `{"resourceType":"Endpoint","status":"active","connectionType":{"system":"http://hl7.no/fhir/CodeSystem/no-basis-connection-type","code":"no-ebxml-2"},
	  "managingOrganization":{"reference":"`+party.Organization.String()+`"},"address":"mailto:edi@example.no","payloadType":[`+strings.Join(types, ",")+`]`+period+`}`)
	e.Version = ""
	w.change(unit, func(root *fhir.Value, edit *fhir.Editor) {
		edit.Set(root, "endpoint", []byte(`[{"reference":"`+e.String()+`"}]`))
	})
}

// change writes a resource of the directory anew, and waits until everybody sees it.
func (w *world) change(r fhir.Reference, do func(*fhir.Value, *fhir.Editor)) {
	w.t.Helper()
	res, err := w.read(operator, r)
	must(w.t, err)
	edit := res.Edit()
	do(res.Root(), edit)
	body, err := edit.Bytes()
	must(w.t, err)
	w.update(operator, r, string(body))
	w.wait(2 * time.Second) // the directory is at most a second old
}

// admittedTo is a LOG_INNLAGT to the HER-id, with a MsgId of its own.
func admittedTo(t testing.TB, her, msgID string) string {
	return document(t, "log-innlagt", "<Id>8100021</Id>", "<Id>"+her+"</Id>", admissionID, msgID)
}

// TestServiceTakesItsTypes: sources do not agree on which service LOG_INNLAGT is for. Whichever a bydel has chosen takes
// it; the other refuses and names the one, to the AppRec's sender and, since a stay hangs on it, by a Task.
func TestServiceTakesItsTypes(t *testing.T) {
	for chosen, other := range map[string]string{"8100021": "8100022", "8100022": "8100021"} {
		t.Run(chosen, func(t *testing.T) {
			w := ward(t)
			w.receiving(chosen, "", "LOG_INNLAGT", "HELSEOPPL_SOKNAD")
			w.receiving(other, "", "UTSKRIVNINGSRAPPORT")
			w.send(hospice, admittedTo(t, chosen, "to-the-one"))
			if status, code, text := w.receipt("8100031", "to-the-one"); status != 1 {
				t.Errorf("AppRec %d %s %q", status, code, text)
			}
			w.duty(hospice, "transition-refused")
			id := w.send(hospice, admittedTo(t, other, "to-the-other"))
			status, code, text := w.receipt("8100031", "to-the-other")
			if status != 2 || code != "T10" || !strings.HasPrefix(text, "Ikke levert: adressen tar ikke imot denne meldingstypen.") || !strings.Contains(text, chosen+" (") {
				t.Errorf("AppRec %d %s %q, want 2 T10 with %s", status, code, text, chosen)
			}
			if _, status := w.fetch(bydel, id); status != 404 {
				t.Errorf("it reached the service all the same: %d", status)
			}
			w.duty(hospice, "transition-refused", "requested")
			if again := w.send(hospice, admittedTo(t, other, "to-the-other")); again != id {
				t.Errorf("the same again is %s, first %s", again, id)
			}
			w.receipt("8100031", "to-the-other")
		})
	}
}

// TestUnnamedTypes: where nothing is said, everything is taken; a service that names no types takes what no other one
// has named, and so does the organisation itself.
func TestUnnamedTypes(t *testing.T) {
	w := ward(t)
	w.send(hospice, admittedTo(t, "8100021", "before"))
	if status, _, _ := w.receipt("8100031", "before"); status != 1 {
		t.Errorf("AppRec %d where no types are named", status)
	}
	w.receiving("8100022", "", "LOG_INNLAGT")
	for her, want := range map[string]int{"8100021": 2, "8100022": 1, bydel: 2} {
		w.send(hospice, admittedTo(t, her, "to-"+her))
		if status, code, text := w.receipt("8100031", "to-"+her); status != want {
			t.Errorf("to %s: AppRec %d %s %q, want %d", her, status, code, text, want)
		}
	}
	w.send(hospice, document(t, "log-utskrivningsklar"))
	if status, code, text := w.receipt("8100031", readyID); status != 1 {
		t.Errorf("what nobody has named: AppRec %d %s %q", status, code, text)
	}
}

// TestAddressNotInUse: an address outside its period, one that is inactive, and one below either, are told as such: E21,
// and no silence. The last day of a period counts.
func TestAddressNotInUse(t *testing.T) {
	inactive := func(w *world, her string) {
		dir, err := w.store.Directory(context.Background())
		must(w.t, err)
		unit, _ := dir.(gateway.Receptions).Registered(gateway.HERID(her))
		w.change(unit, func(root *fhir.Value, edit *fhir.Editor) { edit.Set(root, "active", []byte("false")) })
	}
	for name, c := range map[string]struct {
		prepare func(*world)
		status  int
	}{
		"expired":           {func(w *world) { w.receiving("8100021", `{"end":"2026-03-19"}`) }, 2},
		"its last day":      {func(w *world) { w.receiving("8100021", `{"end":"2026-03-20"}`) }, 1},
		"the day after":     {func(w *world) { w.receiving("8100021", `{"end":"2026-03-20"}`); w.wait(12 * time.Hour) }, 2},
		"not yet":           {func(w *world) { w.receiving("8100021", `{"start":"2026-03-21"}`) }, 2},
		"party expired":     {func(w *world) { w.receiving(bydel, `{"end":"2026-03-19"}`) }, 2},
		"service inactive":  {func(w *world) { inactive(w, "8100021") }, 2},
		"party inactive":    {func(w *world) { inactive(w, bydel) }, 2},
		"expired and wrong": {func(w *world) { w.receiving("8100021", `{"end":"2026-03-19"}`, "LOG_DOD") }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := ward(t)
			c.prepare(w)
			w.send(hospice, document(t, "log-innlagt"))
			status, code, text := w.receipt("8100031", admissionID)
			if status != c.status || status == 2 && (code != "E21" || !strings.Contains(text, "ikke i bruk")) {
				t.Errorf("AppRec %d %s %q, want %d", status, code, text, c.status)
			}
		})
	}
}

// TestOrderToAnAddress: who orders a message to an address that would not take it is told at once; one that was queued
// before the address was closed ends with the reason.
func TestOrderToAnAddress(t *testing.T) {
	w, p := sending(t, clinical...)
	clinic := w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/fastlege"},
	  "name":"Fastlegetjeneste","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100011"}]}`)
	clinic.Version = ""
	w.wait(2 * time.Second)
	body := strings.Replace(order(p, "DIALOG_HELSEFAGLIG", "fastlege", note), "Organization/fastlege", clinic.String(), 1)
	queued := w.create(person(bydel), "Communication", body)
	ask := func(want string) {
		t.Helper()
		code, issue, place := w.refused(gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}}, body)
		if code != gateway.Invalid || issue != want || place != "Communication.recipient" {
			t.Errorf("%s %s %s, want invalid %s", code, issue, place, want)
		}
	}
	w.receiving("8100011", "", "UTSKRIVNINGSRAPPORT")
	ask("communication.recipient-type")
	w.once()
	if status, reason := w.communication(queued); status != "stopped" || !strings.Contains(reason, "tar ikke imot") {
		t.Errorf("what was queued: %s %q", status, reason)
	}
	w.receiving("8100011", `{"end":"2026-03-01"}`)
	ask("communication.recipient-closed")
	w.receiving("8100011", "", "DIALOG_HELSEFAGLIG")
	sent := w.create(person(bydel), "Communication", body)
	w.once()
	if status, reason := w.communication(sent); status != "in-progress" {
		t.Errorf("to the service that takes it: %s %q", status, reason)
	}
	if list := w.list(gp, "8100011"); len(list) != 1 {
		t.Errorf("%d messages lie at the service, want 1", len(list))
	}
}
