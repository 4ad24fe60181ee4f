package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// acute is a doctor at the party with emergency access to Kari.
func (w *world) acute(party gateway.HERID) gateway.Actor {
	a := at(party)
	a.Purpose, a.Reason, a.Attest = gateway.BreakTheGlass, "kanari-grunn: funnet bevisstløs", gateway.Attest{NIN: nin(w.t, kari)}
	return a
}

func medication(patient fhir.Reference, canary string) string {
	return `{"resourceType":"MedicationStatement","status":"active","subject":{"reference":"` + patient.String() + `"},
		"effectiveDateTime":"2026-10-01","medicationCodeableConcept":{"text":"kanari-` + canary + `"}}`
}

// objection is a sperring of everything against everybody (pbrl. § 5-3).
func objection(patient fhir.Reference) string {
	return `{"resourceType":"Consent","status":"active","dateTime":"2026-11-01","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"` + patient.String() + `"},
		"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"PBRL53"}]},"provision":{"type":"deny"}}`
}

// Emergency access passes an objection and a samtykke that is not there, for its own categories and for
// no other, and ends with the token (DESIGN § 3, Emergency).
func TestEmergencyPassesObjection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	given := w.mustPost(at(bydel), medication(p, "medisin"))
	plan1, hers := w.mustPost(at(bydel), plan(p, "plan")), w.mustPost(at(bydel), medication(other, "ola"))
	w.mustPost(at(bydel), objection(p))
	treating := at(ous)
	for name, purpose := range map[string]gateway.Purpose{"treatment": gateway.Treat, "ETREAT": gateway.EmergencyTreat} {
		treating.Purpose = purpose
		if _, err := w.read(treating, given); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s: %v, want not-found", name, err)
		}
	}
	body, err := w.read(w.acute(ous), given)
	must(t, err)
	if !strings.Contains(body, "kanari-medisin") {
		t.Fatalf("emergency access reads the medication: %s", body)
	}
	for name, r := range map[string]fhir.Reference{"outside its categories": plan1, "another person's": hers} {
		if body, err := w.read(w.acute(ous), r); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s: %v %s, want not-found", name, err, body)
		}
	}
	body, err = w.find(w.acute(ous), "MedicationStatement", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
	must(t, err)
	if !strings.Contains(body, "kanari-medisin") {
		t.Errorf("search: %s", body)
	}
	wantNone(t, body, "kanari-ola", "kanari-plan")
	body, err = w.find(w.acute(ous), "MedicationStatement", gateway.Search{Subject: gateway.Subject{Patient: other}})
	must(t, err)
	wantNone(t, body, "kanari-ola", "kanari-medisin")
	after := at(ous)
	if _, err := w.read(after, given); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("what was read in an emergency stays readable after it: %v", err)
	}
}

// Who has no emergency access, and what is not read or search: refused, and in the ledger.
func TestEmergencyIsForFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.party("80001007", "legevakt", "helse-kommune")
	w.party("80001003", "nav-stat", "nav-stat")
	given := w.mustPost(at(bydel), medication(w.patientOf(at(bydel), kari), "medisin"))
	for party, want := range map[gateway.HERID]gateway.Code{
		"80001007": "", ous: "", gp: "", bydel: "", sosial: gateway.Forbidden, "80001003": gateway.Forbidden,
	} {
		_, err := w.read(w.acute(party), given)
		if want == "" && err != nil || want != "" && gateway.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", party, err, want)
		}
	}
	faults := map[string]func(*gateway.Actor){
		"no HPR number": func(a *gateway.Actor) { a.Practitioner = "" },
		"no reason":     func(a *gateway.Actor) { a.Reason = "" },
		"not bound":     func(a *gateway.Actor) { a.Attest = gateway.Attest{Each: true} },
		"a machine":     func(a *gateway.Actor) { a.Kind = gateway.Machine },
	}
	before := w.refusedOf(ous)
	for name, break_ := range faults {
		a := w.acute(ous)
		break_(&a)
		if _, err := w.read(a, given); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
	if n := w.refusedOf(ous) - before; n != len(faults) {
		t.Errorf("%d refusals in the ledger, want %d", n, len(faults))
	}
	_, err := w.Transact(context.Background(), w.acute(ous), []gateway.Entry{{Interaction: gateway.Interaction{Code: gateway.Read, Target: given}}})
	wantCode(t, err, gateway.Forbidden)
}

// Everybody who must know is told once in a spell, in the transaction of the ledger line: the patient, the
// custodian, and the asking party's reviewer; each told no more than it may know.
func TestEmergencyIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.party("80001009", "ideell", "helse-kommune")
	p, q := w.patientOf(at(bydel), kari), w.patientOf(at(gp), kari)
	one, two := w.mustPost(at(bydel), medication(p, "en")), w.mustPost(at(gp), medication(q, "to"))
	mine := w.patientOf(at(ous), kari)
	own := w.mustPost(at(ous), medication(mine, "egen"))
	_, err := w.read(w.acute(ous), own)
	must(t, err)
	tasks := func(a gateway.Actor, code string) (string, int) {
		t.Helper()
		body, err := w.find(a, "Task", gateway.Search{Count: 100})
		must(t, err)
		return body, strings.Count(body, `"code":"`+code+`"`)
	}
	if _, n := tasks(at(ous), "emergency-review"); n != 0 {
		t.Errorf("reading one's own record asks for a review")
	}
	for range 3 {
		_, err = w.read(w.acute(ous), one)
		must(t, err)
	}
	_, err = w.read(w.acute(ous), two)
	must(t, err)
	for name, tt := range map[string]struct {
		actor gateway.Actor
		code  string
		never []string
	}{
		"patient":       {w.patient(), "emergency-tell-patient", []string{"kanari"}},
		"bydel":         {at(bydel), "emergency-tell-custodian", []string{"kanari-grunn", "Part " + string(ous), "Part " + string(gp), string(ous)}},
		"fastlege":      {at(gp), "emergency-tell-custodian", []string{"kanari-grunn", "Part " + string(ous), "Part " + string(bydel), string(ous)}},
		"asking party":  {at(ous), "emergency-review", []string{"kanari-grunn", "Part " + string(bydel), "Part " + string(gp)}},
		"its reviewers": {w.compliance(), "emergency-review", []string{"kanari", "Part "}},
	} {
		body, n := tasks(tt.actor, tt.code)
		if n != 1 {
			t.Errorf("%s is told %d times, want once: %s", name, n, body)
		}
		for _, never := range tt.never {
			if strings.Contains(body, never) {
				t.Errorf("%s: LEAK of %q in %s", name, never, body)
			}
		}
	}
	w.clock.forward(25 * time.Hour)
	_, err = w.read(w.acute(ous), one)
	must(t, err)
	if _, n := tasks(at(bydel), "emergency-tell-custodian"); n != 2 {
		t.Errorf("a new spell is told: %d Tasks, want 2", n)
	}
	body, err := w.find(at(bydel), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(body, `"code":"BTG"`) || !strings.Contains(body, "hpl. § 7") {
		t.Errorf("the custodian sees emergency access in the ledger: %s", body)
	}
}

// Who has broken the glass does not settle whether it was right; a colleague does.
func TestNobodyReviewsHerself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.patientOf(at(ous), kari)
	given := w.mustPost(at(bydel), medication(w.patientOf(at(bydel), kari), "en"))
	_, err := w.read(w.acute(ous), given)
	must(t, err)
	body, err := w.find(at(ous), "Task", gateway.Search{})
	must(t, err)
	res := parse(t, body)
	task := res.Root().Get("entry").Items()[0].Get("resource")
	done := strings.Replace(string(task.Raw()), `"requested"`, `"completed"`, 1)
	elsewhere := at(ous)
	elsewhere.Client, elsewhere.Name = "en annen EPJ", "Lin, Rita"
	for name, a := range map[string]gateway.Actor{"herself": at(ous), "herself through another system": elsewhere} {
		if _, err := w.put(a, done, ""); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
	colleague := at(ous)
	colleague.Practitioner, colleague.Name = "9900002", "Jon Berg"
	_, err = w.put(colleague, done, "")
	must(t, err)
}

// compliance is the personvernombud of the demo, bound by agreement to several parties.
func (w *world) compliance() gateway.Actor {
	return gateway.Actor{Kind: gateway.Compliance, Party: "80001009", Name: "Liv Aas", Purpose: gateway.Administer, Client: "test"}
}
