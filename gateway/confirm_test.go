package gateway_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// from adds custodians to a samtykke.
func from(consent string, custodians ...gateway.HERID) string {
	var list []string
	for _, c := range custodians {
		list = append(list, `{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},
			"reference":{"reference":"Organization/`+string(drift)+`-`+string(c)+`"}}`)
	}
	return strings.Replace(consent, `"actor":[`, `"actor":[`+strings.Join(list, ",")+`,`, 1)
}

// toNamed makes a role or a group the receiver.
func toNamed(consent, system, name string) string {
	at := strings.Index(consent, `"reference":{"reference":"`)
	end := at + strings.Index(consent[at:], `}`) + 1
	return consent[:at] + `"reference":{"identifier":{"system":"http://sluse.no/fhir/NamingSystem/` + system + `","value":"` + name + `"}}` + consent[end:]
}

func (w *world) version(a gateway.Actor, r fhir.Reference) string {
	w.t.Helper()
	out, err := w.Do(w.t.Context(), a, gateway.Interaction{Code: gateway.Read, Target: r})
	must(w.t, err)
	return out.Version
}

func (w *world) confirm(a gateway.Actor, r fhir.Reference, version string) (string, error) {
	w.t.Helper()
	out, err := w.Do(w.t.Context(), a, gateway.Interaction{
		Code: gateway.Operate, Target: r, Operation: gateway.Operation{Name: gateway.Confirm, Version: version}})
	return bodyOf(out), err
}

func (w *world) crosses(a gateway.Actor, r fhir.Reference, want bool, when string) {
	w.t.Helper()
	body, err := w.read(a, r)
	if want && err != nil {
		w.t.Fatalf("%s: %v, want it released", when, err)
	}
	if !want && (gateway.CodeOf(err) != gateway.NotFound || body != "") {
		w.t.Fatalf("LEAK %s: %v %s", when, err, body)
	}
}

// What another party has registered does not bind a custodian's records for reading until that custodian, or
// the patient, stands by this very version; a new version needs a new word.
func TestConfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	w.patientOf(w.patient(), kari)
	r := w.mustPost(at(ous), plan(q, "ous"))
	consent := w.mustPost(at(bydel), from(consentOf(p, []string{"plan"}, gp, bydel), bydel, ous, sosial))
	for _, party := range []gateway.HERID{gp, bydel} {
		w.crosses(at(party), r, false, "registered by another, not confirmed")
	}
	const stranger = gateway.HERID("80001009")
	w.party(stranger, "ideell", "helse-kommune")
	version := w.version(at(bydel), consent)
	machine := at(ous)
	machine.Kind = gateway.Machine
	for name, a := range map[string]gateway.Actor{"a party not named": at(stranger), "a receiver": at(gp), "no attest": func() gateway.Actor {
		a := at(ous)
		a.Attest = gateway.Attest{}
		return a
	}()} {
		if body, err := w.confirm(a, consent, version); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s confirms: %v %s", name, err, body)
		}
	}
	if _, err := w.confirm(machine, consent, version); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("a machine confirms: %v", err)
	}
	_, unknown := w.confirm(at(stranger), fhir.Reference{Type: "Consent", ID: "finnes-ikke"}, version)
	_, hidden := w.confirm(at(stranger), consent, version)
	if unknown == nil || unknown.Error() != hidden.Error() {
		t.Errorf("an unknown Consent (%v) and a hidden one (%v) differ", unknown, hidden)
	}
	if _, err := w.confirm(at(ous), consent, "en-annen"); gateway.CodeOf(err) != gateway.Precondition {
		t.Errorf("another version: %v", err)
	}
	w.crosses(at(gp), r, false, "nobody has confirmed")
	body, err := w.confirm(at(ous), consent, version)
	must(t, err)
	if !strings.Contains(body, `"target":[{"reference":"`+consent.String()+`/_history/`+version+`"}]`) || !strings.Contains(body, "Bekreftet") {
		t.Errorf("the answer is no Provenance of the version: %s", body)
	}
	w.crosses(at(gp), r, true, "the custodian has confirmed")
	w.crosses(at(bydel), r, true, "the registering party, once the custodian has confirmed")
	for _, party := range []gateway.HERID{bydel, ous} {
		if found, err := w.find(at(party), "Provenance", gateway.Search{}); err != nil || !strings.Contains(found, consent.String()+"/_history/"+version) {
			t.Errorf("%s finds no Provenance: %v %s", party, err, found)
		}
	}
	if again, err := w.confirm(at(ous), consent, version); err != nil || !strings.Contains(again, version) {
		t.Errorf("to confirm again: %v", err)
	}

	anew := strings.Replace(from(consentOf(p, []string{"plan"}, gp), bydel, ous, sosial), `{`, `{"id":"`+string(consent.ID)+`",`, 1)
	_, err = w.put(at(bydel), anew, "")
	must(t, err)
	w.crosses(at(gp), r, false, "a new version that nobody has confirmed")
	if _, err := w.confirm(at(sosial), consent, w.version(at(bydel), consent)); err != nil {
		t.Fatalf("another custodian confirms: %v", err)
	}
	w.crosses(at(gp), r, false, "another custodian has confirmed the new version, this one only the old")
	if _, err := w.confirm(w.patient(), consent, w.version(at(bydel), consent)); err != nil {
		t.Fatalf("the patient confirms: %v", err)
	}
	w.crosses(at(gp), r, true, "the patient has confirmed")
	body, err = w.find(w.patient(), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(body, base64.StdEncoding.EncodeToString([]byte("Consent/$confirm"))) {
		t.Error("her log does not tell of confirmations")
	}
	_, err = w.put(at(bydel), strings.Replace(anew, `"status":"active"`, `"status":"inactive"`, 1), "")
	must(t, err)
	if _, err := w.confirm(at(ous), consent, w.version(at(bydel), consent)); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("what is withdrawn is confirmed: %v", err)
	}
	w.crosses(at(gp), r, false, "withdrawn")
}

// A later member of a team counts when the patient, or the custodian, has confirmed the version that lists it.
func TestConfirmedTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.patientOf(w.patient(), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	id := w.mustPost(at(bydel), team(p, "ansvarsgruppe", sosial))
	w.mustPost(at(bydel), consentNaming(p, []string{"plan"}, id))
	w.crosses(at(sosial), r, true, "a member then")
	_, err := w.put(at(bydel), strings.Replace(team(p, "ansvarsgruppe", sosial, ous), `{`, `{"id":"`+string(id.ID)+`",`, 1), "")
	must(t, err)
	w.crosses(at(ous), r, false, "a later member")
	version := w.version(at(bydel), id)
	for name, a := range map[string]gateway.Actor{"the later member": at(ous), "a member": at(sosial)} {
		if _, err := w.confirm(a, id, version); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s confirms the team: %v", name, err)
		}
	}
	w.crosses(at(ous), r, false, "confirmed by itself")
	if _, err := w.confirm(w.patient(), id, version); err != nil {
		t.Fatal(err)
	}
	w.crosses(at(ous), r, true, "confirmed by the patient")
	_, err = w.put(at(bydel), strings.Replace(team(p, "ansvarsgruppe", sosial), `{`, `{"id":"`+string(id.ID)+`",`, 1), "")
	must(t, err)
	w.crosses(at(ous), r, false, "removed again")

	// what was confirmed before the Consent was stored is no later member of it
	other := w.mustPost(at(bydel), team(p, "gammel", sosial, gp))
	if _, err := w.confirm(at(bydel), other, w.version(at(bydel), other)); err != nil {
		t.Fatal(err)
	}
	_, err = w.put(at(bydel), strings.Replace(team(p, "gammel", sosial), `{`, `{"id":"`+string(other.ID)+`",`, 1), "")
	must(t, err)
	w.mustPost(at(bydel), consentNaming(p, []string{"plan"}, other))
	_, err = w.put(at(bydel), strings.Replace(team(p, "gammel", sosial, gp), `{`, `{"id":"`+string(other.ID)+`",`, 1), "")
	must(t, err)
	w.crosses(at(gp), r, false, "confirmed before the samtykke was given")
}

// Who the fastlege is, is told by who keeps the records, or by the patient: nobody makes itself a receiver, and it
// follows at once.
func TestRoleOfThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	w.mustPost(at(bydel), toNamed(consentOf(p, []string{"plan"}, gp), "mottakerrolle", "fastlege"))
	w.crosses(at(gp), r, false, "nobody tells who it is")

	named := func(nin string, who gateway.HERID) string {
		return fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],
			"generalPractitioner":[{"reference":"Organization/%s-%s"}]}`, nin, drift, who)
	}
	mine := w.mustPost(at(gp), named(kari, gp))
	w.mustPost(at(gp), strings.Replace(team(mine, "lege", gp), `{"member"`, `{"role":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9034","code":"6"}]}],"member"`, 1))
	w.mustPost(at(gp), strings.Replace(team(p, "lege", gp), `{"member"`, `{"role":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9034","code":"6"}]}],"member"`, 1))
	w.crosses(at(gp), r, false, "the practice says that it is the fastlege")
	w.mustPost(at(ous), named(kari, gp))
	w.crosses(at(gp), r, false, "a third party says it")

	vikar := w.mustPost(at(bydel), strings.Replace(team(p, "lege", gp), `{"member"`, `{"role":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9034","code":"15"}]}],"member"`, 1))
	w.crosses(at(gp), r, true, "the custodian names the vikar in a team")
	if _, err := w.Do(t.Context(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: vikar}); err != nil {
		t.Fatal(err)
	}
	w.crosses(at(gp), r, false, "the team is gone")

	_, err := w.put(at(bydel), strings.Replace(named(kari, gp), `{`, `{"id":"`+string(p.ID)+`",`, 1), "")
	must(t, err)
	w.crosses(at(gp), r, true, "the custodian's Patient names it")
	_, err = w.put(at(bydel), strings.Replace(named(kari, ous), `{`, `{"id":"`+string(p.ID)+`",`, 1), "")
	must(t, err)
	w.crosses(at(gp), r, false, "another is fastlege now")
	w.crosses(at(ous), r, true, "the new fastlege")
	w.mustPost(w.patient(), named(kari, gp))
	w.crosses(at(gp), r, true, "the patient names her own")
	body, err := w.find(at(gp), "CarePlan", gateway.Search{})
	must(t, err)
	if !strings.Contains(body, "kanari-a") {
		t.Errorf("a search that names nobody does not find it: %s", body)
	}
}

// A kriseplan written to be read at night is read by the legevakt then, through a receiver group; who is in no
// group reads nothing by it.
func TestReceiverGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const legevakt = gateway.HERID("80001007")
	w.party(legevakt, "legevakt", "helse-kommune")
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"`+p.String()+`"},"title":"kanari-krise",
		"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"kriseplan"}]}}`)
	w.mustPost(at(bydel), toNamed(consentOf(p, []string{"plan", "kriseplan"}, gp), "mottakergruppe", "akuttkjeden-oslo"))
	w.clock.forward(18 * time.Hour) // three in the morning
	w.crosses(at(legevakt), r, true, "a member")
	mottak := at(ous)
	mottak.Unit = "80001061"
	w.crosses(mottak, r, true, "a unit that is a member")
	ward := at(ous)
	ward.Unit = "80001063"
	for name, a := range map[string]gateway.Actor{"the fastlege": at(gp), "OUS outside the unit": at(ous), "another unit": ward} {
		w.crosses(a, r, false, name)
	}
	_, err := w.post(at(bydel), toNamed(consentOf(p, []string{"plan"}, gp), "mottakergruppe", "finnes-ikke"))
	wantCode(t, err, gateway.Invalid)
}
