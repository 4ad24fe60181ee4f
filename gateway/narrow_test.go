package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// stored is a body as it is to be sent again: with the id of what is stored.
func stored(body string, r fhir.Reference) string {
	return strings.Replace(body, `{`, `{"id":"`+string(r.ID)+`",`, 1)
}

// A party that a samtykke names records that it is withdrawn: it ends at once, for everybody, and what it denied
// holds on. Who is not named, or is only denied, finds nothing, and nobody but the patient changes the rest.
func TestWithdrawnByWhoIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	body := from(consentOf(p, []string{"plan"}, gp, sosial), bydel, ous)
	body = strings.Replace(body, `"type":"permit"`, `"type":"permit","provision":[{"type":"deny","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/`+string(drift)+`-`+string(sosial)+`"}}],
		"securityLabel":[{"system":"`+gateway.LabelSystem+`","code":"plan"}]}]`, 1)
	given := w.mustPost(at(bydel), body)
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, sosial, ous))
	w.crosses(at(gp), r, true, "given")
	ended := strings.Replace(stored(body, given), `"status":"active"`, `"status":"inactive"`, 1)
	w.crosses(at(sosial), r, false, "denied by an exception")
	objection := strings.Replace(strings.Replace(consentOf(p, []string{"rus"}, ous), `"type":"permit"`, `"type":"deny"`, 1), "HPL22", "PBRL53", 1)
	denied := w.mustPost(at(bydel), objection)
	w.party("80001009", "ideell", "helse-kommune")
	if _, err := w.put(at("80001009"), ended, ""); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a party not named withdraws it: %v", err)
	}
	if _, err := w.put(at(ous), strings.Replace(stored(objection, denied), `"status":"active"`, `"status":"inactive"`, 1), ""); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a party that is only denied lifts it: %v", err)
	}
	w.crosses(at(gp), r, true, "nobody named has withdrawn it")
	widened := strings.Replace(stored(body, given), `"code":"plan"`, `"code":"rus"`, 1)
	for _, a := range []gateway.Actor{at(gp), at(ous)} {
		if _, err := w.put(a, widened, ""); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s changes what another has registered: %v", a.Party, err)
		}
	}
	if _, err := w.put(at(gp), ended, "en-annen"); gateway.CodeOf(err) != gateway.Precondition {
		t.Errorf("If-Match of another version: %v", err)
	}
	out, err := w.put(at(gp), ended, "")
	must(t, err)
	if bodyOf(out) != "" {
		t.Error("who has withdrawn a samtykke is shown all of it")
	}
	w.crosses(at(gp), r, false, "withdrawn by the receiver")
	kept, err := w.read(at(bydel), given)
	must(t, err)
	if !strings.Contains(kept, `"status":"inactive"`) || !strings.Contains(kept, `"deny"`) {
		t.Errorf("the registering party does not see that it is withdrawn: %s", kept)
	}
	found, err := w.find(at(bydel), "Task", gateway.Search{})
	if err != nil || !strings.Contains(found, "samtykke-trukket") {
		t.Errorf("the registering party is not told by a Task: %v", err)
	}
	if _, err := w.put(at(gp), ended, ""); gateway.CodeOf(err) == "" {
		t.Error("withdrawn a second time")
	}
	w.crosses(at(sosial), r, false, "what it denied holds on when the receiver has withdrawn it")
	_, err = w.put(at(bydel), ended, "")
	must(t, err)
	w.crosses(at(sosial), r, true, "the registering party has ended it, and what it denied")
}

// The patient narrows a samtykke that another has registered, and never widens it so.
func TestNarrowedByThePatient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.patientOf(w.patient(), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	body := consentOf(p, []string{"plan", "bolig"}, gp, ous)
	given := w.mustPost(at(bydel), body)
	other := strings.Replace(stored(body, given), string(drift)+"-"+string(gp), string(drift)+"-"+string(sosial), 1)
	longer := strings.Replace(stored(body, given), `"end":"2027-10-31"`, `"end":"2027-11-01"`, 1)
	wider := strings.Replace(stored(body, given), `"code":"bolig"`, `"code":"rus"`, 1)
	purposes := strings.Replace(stored(body, given), `"dateTime":"2026-11-01"`, `"dateTime":"2026-10-01"`, 1)
	for name, sent := range map[string]string{"another receiver": other, "a longer period": longer, "another label": wider, "another date": purposes} {
		_, err := w.put(w.patient(), sent, "")
		if gateway.CodeOf(err) != gateway.Forbidden || !strings.Contains(err.Error(), "consent.only-narrows Consent.") {
			t.Errorf("%s: %v, want it refused by the element", name, err)
		}
	}
	w.crosses(at(sosial), r, false, "the patient has widened what another registered")
	narrow := stored(consentOf(p, []string{"plan"}, ous), given)
	_, err := w.put(w.patient(), narrow, "")
	must(t, err)
	w.crosses(at(gp), r, false, "narrowed by the patient")
	left, err := w.read(at(ous), r)
	must(t, err)
	wantNone(t, left, "kanari-bolig-a")
	_, err = w.put(w.patient(), strings.Replace(narrow, `"status":"active"`, `"status":"inactive"`, 1), "")
	must(t, err)
	w.crosses(at(ous), r, false, "withdrawn by the patient")

	refused := strings.Replace(consentOf(p, []string{"plan"}, ous), `"status":"active"`, `"status":"rejected"`, 1)
	kept := w.mustPost(at(bydel), refused)
	w.crosses(at(ous), r, false, "refused")
	if body, err := w.read(at(bydel), kept); err != nil || !strings.Contains(body, "rejected") {
		t.Errorf("a refusal is not kept: %v", err)
	}
	if _, err := w.read(at(ous), kept); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a refusal is shown to who was refused: %v", err)
	}
}

func taskOf(patient fhir.Reference, owner gateway.HERID) string {
	return `{"resourceType":"Task","status":"requested","intent":"order","description":"kanari-oppgave","for":{"reference":"` + patient.String() + `"},
		"focus":{"reference":"ServiceRequest/finnes"},"owner":{"reference":"Organization/` + string(drift) + `-` + string(owner) + `"}}`
}

// The owner of a Task that is releasable to it sets how far it has come, by code; its words need consent to
// contribute and to be sent. To be named as owner shows nothing.
func TestOwnerOfTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	q := w.patientOf(at(ous), kari)
	_ = q
	r := w.mustPost(at(bydel), `{"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"henvisning"}]},`+taskOf(p, ous)[1:])
	step := func(body string) string {
		return strings.Replace(body, `"status":"requested"`, `"status":"accepted"`, 1)
	}
	if _, err := w.put(at(ous), step(stored(taskOf(p, ous), r)), ""); gateway.CodeOf(err) != gateway.NotFound {
		t.Fatalf("LEAK: to be named as owner shows the Task: %v", err)
	}
	w.crosses(at(ous), r, false, "named as owner")
	w.mustPost(at(bydel), consentOf(p, []string{"henvisning"}, ous, gp))
	shown, err := w.read(at(ous), r)
	must(t, err)
	if _, err := w.put(at(gp), step(shown), ""); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("somebody else who sees it: %v", err)
	}
	out, err := w.put(at(ous), step(shown), "")
	must(t, err)
	if !strings.Contains(bodyOf(out), `"accepted"`) {
		t.Errorf("the owner is not shown what it has set: %s", bodyOf(out))
	}
	kept, err := w.read(at(bydel), r)
	must(t, err)
	if !strings.Contains(kept, `"accepted"`) || !strings.Contains(kept, "kanari-oppgave") {
		t.Fatalf("the custodian's Task: %s", kept)
	}
	shown, err = w.read(at(ous), r)
	must(t, err)
	for name, sent := range map[string]string{
		"another description": strings.Replace(shown, "kanari-oppgave", "en annen", 1),
		"another owner":       strings.Replace(shown, string(drift)+"-"+string(ous), string(drift)+"-"+string(gp), 1),
		"another patient":     strings.Replace(shown, p.String(), q.String(), 1),
		"entered in error":    strings.Replace(shown, `"accepted"`, `"entered-in-error"`, 1),
	} {
		if _, err := w.put(at(ous), sent, ""); gateway.CodeOf(err) != gateway.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	note := strings.Replace(shown, `"status":`, `"note":[{"text":"kanari-svar"}],"status":`, 1)
	wordy := strings.Replace(shown, `"status":`, `"statusReason":{"text":"kanari-svar"},"status":`, 1)
	reason := func(coding string) string {
		return strings.Replace(shown, `"status":`, `"statusReason":{"coding":[`+coding+`]},"status":`, 1)
	}
	for name, sent := range map[string]string{
		"a note": note, "a reason in words": wordy,
		"words for a code": reason(`{"system":"http://example.org/arsak","code":"kanari-svar i ord"}`),
		"a diagnosis":      reason(`{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F10.2"}`),
	} {
		if _, err := w.put(at(ous), sent, ""); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s without consent to contribute: %v", name, err)
		}
	}
	actions := func(consent string, codes ...string) string {
		var list []string
		for _, c := range codes {
			list = append(list, `{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"`+c+`"}]}`)
		}
		return strings.Replace(consent, `"type":"permit"`, `"type":"permit","action":[`+strings.Join(list, ",")+`]`, 1)
	}
	w.mustPost(at(bydel), actions(consentOf(p, []string{"henvisning"}, ous), "access", "collect"))
	if _, err := w.put(at(ous), note, ""); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("a note without consent to be sent to the custodian: %v", err)
	}
	kept, err = w.read(at(bydel), r)
	must(t, err)
	wantNone(t, kept, "kanari-svar")
	w.mustPost(at(ous), from(consentOf(q, []string{"henvisning"}, bydel), ous))
	_, err = w.put(at(ous), note, "")
	must(t, err)
	kept, err = w.read(at(bydel), r)
	must(t, err)
	if !strings.Contains(kept, "kanari-svar") {
		t.Errorf("the note did not come: %s", kept)
	}
	shown, err = w.read(at(ous), r)
	must(t, err)
	if _, err := w.put(at(ous), strings.Replace(shown, "kanari-svar", "noe annet", 1), ""); gateway.CodeOf(err) != gateway.Invalid {
		t.Errorf("a note that stands is changed: %v", err)
	}
}

// Who registered a samtykke does not undo by sending its copy again what the patient, or a party named in it,
// has withdrawn or narrowed; not by way of another status either. Given anew, later, it counts.
func TestWithdrawnStaysWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.patientOf(w.patient(), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	for name, by := range map[string]gateway.Actor{"the patient": w.patient(), "a receiver": at(gp)} {
		body := consentOf(p, []string{"plan", "bolig"}, gp)
		given := w.mustPost(at(bydel), body)
		ended := strings.Replace(stored(body, given), `"status":"active"`, `"status":"inactive"`, 1)
		w.crosses(at(gp), r, true, name+": given")
		_, err := w.put(by, ended, "")
		must(t, err)
		for _, sent := range []string{stored(body, given), ended, stored(body, given)} {
			_, err := w.put(at(bydel), sent, "")
			if sent != ended && gateway.CodeOf(err) != gateway.Conflict || sent == ended && err != nil {
				t.Errorf("withdrawn by %s, and the old copy sent again: %v", name, err)
			}
			w.crosses(at(gp), r, false, name+": withdrawn")
		}
		again := strings.Replace(stored(body, given), `"dateTime":"2026-11-01"`, `"dateTime":"`+w.clock.time().Add(time.Minute).Format(time.RFC3339)+`"`, 1)
		_, err = w.put(at(bydel), again, "")
		must(t, err)
		w.crosses(at(gp), r, true, name+": given anew")
		_, err = w.put(at(bydel), ended, "")
		must(t, err)
	}
	body := consentOf(p, []string{"plan", "bolig"}, gp, ous)
	given := w.mustPost(at(bydel), body)
	_, err := w.put(w.patient(), stored(consentOf(p, []string{"plan"}, ous), given), "")
	must(t, err)
	if _, err := w.put(at(bydel), stored(body, given), ""); gateway.CodeOf(err) != gateway.Conflict {
		t.Errorf("narrowed by the patient, and the old copy sent again: %v", err)
	}
	w.crosses(at(gp), r, false, "narrowed by the patient")
}
