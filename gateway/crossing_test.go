package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// The whole of it in one story: nothing crosses without samtykke, what crosses is what it says,
// and it ends with the next request after a withdrawal.
func TestNothingCrossesWithoutConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	hidden := w.mustPost(at(bydel), plan(p, "a"))
	missing := fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"}

	if body, err := w.read(at(bydel), hidden); err != nil || !strings.Contains(body, "kanari-narrativ") {
		t.Fatalf("custodian reads its own: %v %s", err, body)
	}
	_, hiddenErr := w.read(at(ous), hidden)
	_, missingErr := w.read(at(ous), missing)
	wantCode(t, hiddenErr, gateway.NotFound)
	wantCode(t, missingErr, gateway.NotFound)
	if hiddenErr.Error() != missingErr.Error() {
		t.Fatalf("hidden %q differs from missing %q", hiddenErr, missingErr)
	}

	given := w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig"}, ous))
	body, err := w.read(at(ous), hidden)
	must(t, err)
	wantNone(t, body, "kanari-okonomi", "kanari-narrativ", "kanari-navn")
	if !strings.Contains(body, "kanari-bolig-a") || !strings.Contains(body, "SUBSETTED") {
		t.Fatalf("consented part is missing: %s", body)
	}
	for name, a := range map[string]gateway.Actor{
		"a party not named": at(sosial),
		"no attest":         func() gateway.Actor { a := at(ous); a.Attest = gateway.Attest{}; return a }(),
		"a machine":         func() gateway.Actor { a := at(ous); a.Kind = gateway.Machine; return a }(),
		"attest of another": func() gateway.Actor {
			a := at(ous)
			nin, err := gateway.NewNIN(ola)
			must(t, err)
			a.Attest = gateway.Attest{NIN: nin}
			return a
		}(),
	} {
		if body, err := w.read(a, hidden); gateway.CodeOf(err) != gateway.NotFound || body != "" {
			t.Errorf("%s: %v %q, want not-found", name, err, body)
		}
	}
	if _, err := w.put(at(ous), strings.Replace(plan(p, "x"), `{`, `{"id":"`+string(hidden.ID)+`",`, 1), ""); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("write of a visible record of another: %v, want forbidden", err)
	}
	if _, err := w.put(at(sosial), strings.Replace(plan(p, "x"), `{`, `{"id":"`+string(hidden.ID)+`",`, 1), ""); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("write of a hidden record: %v, want not-found", err)
	}

	out, err := w.put(at(bydel), strings.Replace(consentOf(p, []string{"plan"}, gp), `{`, `{"id":"`+string(given.ID)+`",`, 1), "")
	must(t, err)
	if _, err := w.read(at(ous), hidden); gateway.CodeOf(err) != gateway.NotFound {
		t.Fatalf("after withdrawal: %v, want not-found at once", err)
	}
	if _, err := w.put(at(bydel), strings.Replace(consentOf(p, []string{"plan"}, ous), `{`, `{"id":"`+string(given.ID)+`",`, 1), "en-annen"); gateway.CodeOf(err) != gateway.Precondition {
		t.Fatalf("If-Match of another version than %s: %v", out.Version, err)
	}
	w.clock.forward(366 * 24 * time.Hour)
	if _, err := w.read(at(gp), hidden); gateway.CodeOf(err) != gateway.NotFound {
		t.Fatalf("after the period: %v, want not-found", err)
	}
}

// A search finds what a read would give and nothing else, with and without a named patient.
func TestSearchFindsOnlyWhatMayBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	mine := w.patientOf(at(ous), kari)
	w.mustPost(at(bydel), plan(p, "vist"))
	w.mustPost(at(bydel), plan(other, "skjult"))
	w.mustPost(at(ous), plan(mine, "egen"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	for name, s := range map[string]gateway.Search{
		"own Patient":       {Subject: gateway.Subject{Patient: mine}},
		"custodian's":       {Subject: gateway.Subject{Patient: p}},
		"no patient":        {},
		"by number":         {Subject: gateway.Subject{NIN: nin(t, kari)}},
		"another's Patient": {Subject: gateway.Subject{Patient: other}},
		"nobody":            {Subject: gateway.Subject{Patient: fhir.Reference{Type: "Patient", ID: "ingen"}}},
	} {
		body, err := w.find(at(ous), "CarePlan", s)
		must(t, err)
		wantNone(t, body, "kanari-skjult", "kanari-okonomi-vist", "kanari-bolig-vist", "\"total\"")
		if !strings.Contains(body, "viser bare det som er delt med deg") {
			t.Errorf("%s: constant outcome is missing: %s", name, body)
		}
		shown := strings.Contains(body, "kanari-vist")
		want := name == "own Patient" || name == "custodian's" || name == "no patient" || name == "by number"
		if shown != want {
			t.Errorf("%s: shared plan found = %v, want %v", name, shown, want)
		}
	}
	bound := at(ous)
	bound.Attest = gateway.Attest{NIN: nin(t, ola)}
	body, err := w.find(bound, "CarePlan", gateway.Search{})
	must(t, err)
	wantNone(t, body, "kanari-vist", "kanari-egen", "kanari-skjult")
}

func nin(t testing.TB, digits string) gateway.NIN {
	t.Helper()
	n, err := gateway.NewNIN(digits)
	must(t, err)
	return n
}

// Person (DESIGN § 2): who somebody is cannot be guessed, borrowed or doubled.
func TestPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))

	_, err := w.post(at(bydel), `{"resourceType":"Patient","identifier":[
		{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"14837912092"},{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"03918537774"}]}`)
	wantCode(t, err, gateway.Invalid)
	if strings.Contains(err.Error(), kari) || strings.Contains(err.Error(), ola) {
		t.Fatal("the refusal repeats a number")
	}

	foreign := w.mustPost(at(gp), plan(p, "fremmed")) // the GP names the bydel's Patient
	w.mustPost(at(gp), consentOf(w.patientOf(at(gp), kari), []string{"plan"}, ous))
	if _, err := w.read(at(ous), foreign); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a record that names another custodian's Patient has a person: %v", err)
	}
	guessed := w.mustPost(at(gp), plan(fhir.Reference{Type: "Patient", ID: "gjettet"}, "gjettet"))
	for _, r := range []fhir.Reference{foreign, guessed} {
		if _, err := w.read(at(gp), r); err != nil {
			t.Errorf("its custodian reads %s: %v", r, err)
		}
	}
	_, err = w.post(at(gp), consentOf(p, []string{"plan"}, ous))
	wantCode(t, err, gateway.Invalid)
	_, missing := w.post(at(gp), consentOf(fhir.Reference{Type: "Patient", ID: "gjettet"}, []string{"plan"}, ous))
	if missing == nil || missing.Error() != err.Error() {
		t.Errorf("a Consent about a foreign Patient (%v) and about none (%v) differ", err, missing)
	}
}

// A number that was wrong and is put right takes the records along, and the old person's samtykke
// no longer holds for them.
func TestChangedNumberMovesThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := w.patientOf(at(bydel), kari)
	right := w.patientOf(at(bydel), ola)
	r := w.mustPost(at(bydel), plan(wrong, "flyttet"))
	w.mustPost(at(bydel), consentOf(wrong, []string{"plan"}, ous))
	if _, err := w.read(at(ous), r); err != nil {
		t.Fatal(err)
	}
	_, err := w.put(at(bydel), `{"resourceType":"Patient","id":"`+string(wrong.ID)+`","identifier":[
		{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"03918537774"},{"use":"old","system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"14837912092"}]}`, "")
	must(t, err)
	w.mustPost(at(bydel), consentOf(right, []string{"plan"}, gp))
	if _, err := w.read(at(gp), r); err != nil {
		t.Errorf("the record follows the new number: %v", err)
	}
	body, err := w.find(at(gp), "CarePlan", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
	must(t, err)
	wantNone(t, body, "kanari-flyttet")
}

// Kari reads who has seen what, and only she and those in it do.
func TestLedgerTellsThePatient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	consent := w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	_, err := w.read(at(ous), r)
	must(t, err)
	_, err = w.read(at(sosial), r)
	wantCode(t, err, gateway.NotFound)
	body, err := w.find(w.patient(), "AuditEvent", gateway.Search{})
	must(t, err)
	for _, want := range []string{r.String(), consent.String() + "/_history/", "hpl. § 22", "80001006", `"code":"create"`, `"code":"read"`} {
		if !strings.Contains(body, want) {
			t.Errorf("her log lacks %q: %s", want, body)
		}
	}
	wantNone(t, body, kari, "kanari")
	body, err = w.find(at(sosial), "AuditEvent", gateway.Search{})
	must(t, err)
	wantNone(t, body, string(r.ID), `"reference":"AuditEvent/`) // nor that she looked at the refusal
	w.party("80001009", "ideell", "helse-kommune")
	watch := gateway.Actor{Kind: gateway.Compliance, Party: "80001009", Name: "Liv Aas", Purpose: gateway.Administer, Client: "test"}
	body, err = w.find(watch, "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(body, "80001006") {
		t.Errorf("by agreement, compliance sees accesses of OUS: %s", body)
	}
	wantNone(t, body, kari, "kanari")
	if _, err := w.read(watch, r); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("compliance reads no clinical content: %v", err)
	}
}

// A page with records of two custodians is two entries: a custodian who reads the ledger learns
// nothing of what another holds.
func TestLedgerKeepsCustodiansApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.patientOf(at(bydel), kari), w.patientOf(at(gp), kari)
	a, b := w.mustPost(at(bydel), plan(p, "a")), w.mustPost(at(gp), plan(q, "b"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	w.mustPost(at(gp), consentOf(q, []string{"plan"}, ous))
	body, err := w.find(at(ous), "CarePlan", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
	must(t, err)
	if !strings.Contains(body, string(a.ID)) || !strings.Contains(body, string(b.ID)) {
		t.Fatalf("both plans should be on the page: %s", body)
	}
	body, err = w.find(at(bydel), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(body, string(a.ID)) {
		t.Errorf("the custodian does not see the release of its record: %s", body)
	}
	wantNone(t, body, string(b.ID))
}

// A deleted record is gone for who could read it and absent for everybody else.
func TestGoneOnlyForWhoCouldRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	if _, err := w.Do(t.Context(), at(bydel), gateway.Interaction{Code: gateway.Delete, Target: r}); err != nil {
		t.Fatal(err)
	}
	for party, want := range map[gateway.HERID]gateway.Code{bydel: gateway.Gone, ous: gateway.Gone, sosial: gateway.NotFound} {
		if _, err := w.read(at(party), r); gateway.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", party, err, want)
		}
	}
}

// team is a CareTeam of the party's with these parties as members.
func team(patient fhir.Reference, name string, members ...gateway.HERID) string {
	var list []string
	for _, m := range members {
		list = append(list, `{"member":{"reference":"Organization/`+string(drift)+`-`+string(m)+`"}}`)
	}
	return `{"resourceType":"CareTeam","status":"active","name":"` + name + `","subject":{"reference":"` + patient.String() +
		`"},"participant":[` + strings.Join(list, ",") + `]}`
}

func withID(body string, r fhir.Reference) string {
	return strings.Replace(body, `{`, `{"id":"`+string(r.ID)+`",`, 1)
}

// Who is added to a team after the samtykke was given is not in it, whatever else is written later;
// who is removed is out at once, and in again when back (DESIGN § 3, CareTeam).
func TestLaterTeamMemberIsNotInTheConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	one, two := w.mustPost(at(bydel), team(p, "En", gp)), w.mustPost(at(bydel), team(p, "To", gp, ous))
	w.mustPost(at(bydel), consentNaming(p, []string{"plan"}, one, two))
	sees := func(party gateway.HERID, want bool, when string) {
		t.Helper()
		if _, err := w.read(at(party), r); (err == nil) != want {
			t.Errorf("%s: %s reads = %v (%v), want %v", when, party, err == nil, err, want)
		}
	}
	change := func(ref fhir.Reference, name string, members ...gateway.HERID) {
		t.Helper()
		_, err := w.put(at(bydel), withID(team(p, name, members...), ref), "")
		must(t, err)
	}
	sees(ous, true, "as listed")
	sees(sosial, false, "as listed")
	change(two, "To", gp, ous, sosial)
	sees(sosial, false, "added later")
	change(one, "En, nytt navn", gp)
	sees(sosial, false, "added later, and the other team written")
	change(two, "To", gp)
	sees(ous, false, "removed")
	change(two, "To", gp, ous)
	sees(ous, true, "back again")
	sees(gp, true, "never gone")
}

// What a reference meant when the samtykke was stored is what it means: who owns the directory
// entry cannot turn it into somebody else (DESIGN § 3, In FHIR R4).
func TestDirectoryEditDoesNotWidenAConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	crew := w.mustPost(at(bydel), team(p, "En", gp))
	roleOf := func(party gateway.HERID) string {
		return `{"resourceType":"PractitionerRole","organization":{"reference":"Organization/` + string(drift) + `-` + string(party) +
			`"},"code":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9060","code":"lege"}]}]}`
	}
	role := w.mustPost(at(sosial), roleOf(sosial))
	w.mustPost(at(bydel), consentNaming(p, []string{"plan"}, role, crew))
	if _, err := w.read(at(sosial), r); err != nil {
		t.Fatalf("the role as named: %v", err)
	}
	_, err := w.put(at(sosial), withID(roleOf(ous), role), "")
	must(t, err)
	_, err = w.put(at(bydel), withID(team(p, "En, nytt navn", gp), crew), "")
	must(t, err)
	if _, err := w.read(at(ous), r); gateway.CodeOf(err) != gateway.NotFound {
		t.Fatalf("an edit of the directory widened the consent: %v", err)
	}
	if _, err := w.read(at(sosial), r); err != nil {
		t.Fatalf("whom the samtykke named is still named: %v", err)
	}
}

// A part that is labelled now does not leave in an older version that had no label, and a label
// that a later version leaves out stays on the part that is still there.
func TestPartLabelsHoldForOldAndNewVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	bare := func(labelled bool, more string) string {
		label := ""
		if labelled {
			label = `"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
				"valueCoding":{"system":"` + gateway.LabelSystem + `","code":"rus"}}],`
		}
		return `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"` + p.String() + `"},
			"activity":[` + more + `{` + label + `"detail":{"status":"in-progress","description":"kanari-del"}}]}`
	}
	first := w.mustPost(at(bydel), bare(false, ""))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	body, err := w.read(at(ous), first)
	must(t, err)
	if !strings.Contains(body, "kanari-del") {
		t.Fatalf("without a label the part is the plan's: %s", body)
	}
	old := first
	old.Version = parse(t, body).Root().Get("meta", "versionId").Text()
	_, err = w.put(at(bydel), withID(bare(true, ""), first), "")
	must(t, err)
	body, err = w.read(at(ous), first)
	must(t, err)
	wantNone(t, body, "kanari-del")
	if body, err := w.read(at(ous), old); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("the old version: %v %s, want not-found", err, body)
	}
	out, err := w.Do(t.Context(), at(ous), gateway.Interaction{
		Code: gateway.History, Target: first, Search: gateway.Search{Count: 10, Base: "http://sluse.test/fhir"},
	})
	must(t, err)
	wantNone(t, bodyOf(out), "kanari-del")
	_, err = w.put(at(bydel), withID(bare(false, `{"detail":{"status":"in-progress","description":"ny"}},`), first), "")
	must(t, err)
	body, err = w.read(at(ous), first)
	must(t, err)
	wantNone(t, body, "kanari-del")
	if !strings.Contains(body, `"ny"`) {
		t.Errorf("a new part without a label is the plan's: %s", body)
	}
}

// A token bound to one patient writes about no other.
func TestBoundTokenWritesOnePatientOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	bound := at(bydel)
	bound.Attest = gateway.Attest{NIN: nin(t, kari)}
	if _, err := w.post(bound, plan(p, "a")); err != nil {
		t.Fatal(err)
	}
	_, err := w.post(bound, plan(other, "forbudt"))
	wantCode(t, err, gateway.Forbidden)
	body, err := w.find(at(bydel), "CarePlan", gateway.Search{})
	must(t, err)
	wantNone(t, body, "kanari-forbudt")
}

// Whose a record is comes before what is wrong with the body; a subject that cannot be found is
// refused, not lost.
func TestRefusalsInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	wrong := `{"resourceType":"CarePlan","id":"` + string(r.ID) + `","status":"tull"}`
	for party, want := range map[gateway.HERID]gateway.Code{
		bydel: gateway.Invalid, ous: gateway.Forbidden, sosial: gateway.NotFound,
	} {
		_, err := w.put(at(party), wrong, "")
		if gateway.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", party, err, want)
		}
	}
	_, err := w.post(at(bydel), strings.Replace(plan(p, "b"), `"reference":"Patient/`, `"reference":"https://sluse.test/fhir/Patient/`, 1))
	wantCode(t, err, gateway.Invalid)
}

// A later member is not in, even one whom the samtykke knows as custodian.
func TestLaterTeamMemberKnownOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	crew := w.mustPost(at(bydel), team(p, "En", gp))
	custodian := func(party gateway.HERID) string {
		return `{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},
			"reference":{"reference":"Organization/` + string(drift) + `-` + string(party) + `"}},`
	}
	w.mustPost(at(bydel), strings.Replace(consentNaming(p, []string{"plan"}, crew), `"actor":[`, `"actor":[`+custodian(bydel)+custodian(ous), 1))
	if _, err := w.read(at(gp), r); err != nil {
		t.Fatal(err)
	}
	_, err := w.put(at(bydel), withID(team(p, "En", gp, ous), crew), "")
	must(t, err)
	if _, err := w.read(at(ous), r); gateway.CodeOf(err) != gateway.NotFound {
		t.Fatalf("who joined later reads: %v", err)
	}
}
