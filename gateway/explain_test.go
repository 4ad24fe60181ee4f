package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// heldTypes are those that explanations look at here.
var heldTypes = []fhir.Type{"CarePlan", "CareTeam", "Consent", "Observation", "Patient", "Task"}

func (w *world) explain(a gateway.Actor, q gateway.Inquiry, lang gateway.Language) (string, error) {
	in := gateway.Interaction{Code: gateway.Operate, Target: fhir.Reference{Type: "Consent"}, Operation: gateway.Operation{
		Name: gateway.Explain, Types: heldTypes, Inquiry: q, Language: lang,
	}}
	in.Search.Canonical = "Consent/$explain"
	out, err := w.Do(context.Background(), a, in)
	return bodyOf(out), err
}

func (w *world) simulate(a gateway.Actor, draft string) (string, error) {
	out, err := w.operate(a, fhir.Reference{Type: "Consent"}, gateway.Operation{Name: gateway.Simulate, Types: heldTypes}, draft)
	return bodyOf(out), err
}

// party gives the Organization of a party.
func organizationOf(id gateway.HERID) fhir.Reference {
	return fhir.Reference{Type: "Organization", ID: fhir.ID(drift + "-" + id)}
}

// answered is Parameters as a test reads them.
type answered struct {
	ResourceType string
	Parameter    []answeredPart
}

type answeredPart struct {
	Name             string
	ValueBoolean     bool
	ValueCode        string
	ValueCoding      struct{ Code, Display string }
	ValueReference   struct{ Reference, Display string }
	ValueString      string
	ValueUnsignedInt int
	Part             []answeredPart
	Resource         json.RawMessage
}

func parametersIn(t testing.TB, body string) (a answered) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.ResourceType != "Parameters" {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

func of(list []answeredPart, name string) (found []answeredPart) {
	for _, p := range list {
		if p.Name == name {
			found = append(found, p)
		}
	}
	return found
}

func codes(list []answeredPart, name string) (found []string) {
	for _, p := range of(list, name) {
		found = append(found, p.ValueCode+p.ValueCoding.Code)
	}
	return found
}

// text is all that is said in words.
func words(list []answeredPart) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.ValueString + "\n" + words(p.Part))
	}
	return b.String()
}

// objectionOf is what the patient opposes.
func objectionOf(patient fhir.Reference, labels []string, recipients ...gateway.HERID) string {
	body := consentOf(patient, labels, recipients...)
	body = strings.Replace(body, `"HPL22"`, `"PBRL53"`, 1)
	return strings.Replace(body, `"type":"permit"`, `"type":"deny"`, 1)
}

// Stores that differ only in what the reader may not know give the same bytes: to the receiver about
// itself, to a custodian about its own records, of a draft and of what is remarked on it.
func TestExplanationsOfTwoWorlds(t *testing.T) {
	t.Parallel()
	var answers [2][]string
	for i := range answers {
		w := newWorld(t)
		chosen := func(a gateway.Actor, id, body string) fhir.Reference {
			ref := fhir.Reference{Type: parse(t, body).Type(), ID: fhir.ID(a.Party) + "-" + fhir.ID(id)}
			_, err := w.put(a, strings.Replace(body, `{`, `{"id":"`+string(ref.ID)+`",`, 1), "")
			must(t, err)
			return ref
		}
		theirs := chosen(at(bydel), "kari", patientBody(kari))
		mine := chosen(at(ous), "kari", patientBody(kari))
		shared := chosen(at(bydel), "plan", plan(theirs, "delt"))
		must(t, second(w.post(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))))
		hidden := fhir.Reference{Type: "Observation", ID: fhir.ID(bydel) + "-skjult"}
		if i == 0 {
			social := chosen(at(sosial), "kari", patientBody(kari))
			chosen(at(sosial), "plan", plan(social, "sosial"))
			must(t, second(w.post(at(sosial), consentOf(social, []string{"plan", "okonomi"}, gp))))
			must(t, second(w.post(at(sosial), strings.Replace(objectionOf(social, []string{"okonomi"}, gp, ous), `"actor":[`,
				`"actor":[`+custodianActor(sosial)+`,`, 1))))
		}
		ask := func(a gateway.Actor, q gateway.Inquiry) {
			for _, lang := range []gateway.Language{"nb", "nn", "en"} {
				body, err := w.explain(a, q, lang)
				answers[i] = append(answers[i], fmt.Sprint(masked(body), gateway.CodeOf(err), err))
			}
		}
		nin, err := gateway.NewNIN(kari)
		must(t, err)
		subject := gateway.Subject{Patient: mine}
		ask(at(ous), gateway.Inquiry{Subject: subject})
		ask(at(ous), gateway.Inquiry{Subject: gateway.Subject{NIN: nin}})
		ask(at(gp), gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}})
		ask(at(ous), gateway.Inquiry{Record: shared})
		ask(at(ous), gateway.Inquiry{Record: hidden})
		ask(at(ous), gateway.Inquiry{Record: fhir.Reference{Type: "CarePlan", ID: fhir.ID(sosial) + "-plan"}})
		ask(at(bydel), gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}, Receiver: organizationOf(gp)})
		ask(at(bydel), gateway.Inquiry{Subject: gateway.Subject{NIN: nin}, Receiver: organizationOf(ous)})
		ask(at(bydel), gateway.Inquiry{Record: shared, Receiver: organizationOf(gp)})
		ask(at(bydel), gateway.Inquiry{Record: shared, Receiver: organizationOf(gp), At: w.clock.time()})
		draft := consentOf(theirs, []string{"plan", "okonomi"}, gp, sosial)
		body, err := w.simulate(at(bydel), draft)
		must(t, err)
		answers[i] = append(answers[i], masked(body))
		out, err := w.operate(at(bydel), fhir.Reference{Type: "Consent"}, gateway.Operation{Name: gateway.Validation, Mode: fhir.ModeCreate}, draft)
		must(t, err)
		answers[i] = append(answers[i], fmt.Sprint(out.Issues))
		if all := strings.Join(answers[i], ""); strings.Contains(all, string(sosial)+"-") || strings.Contains(all, "kanari") {
			t.Errorf("LEAK: %s", all)
		}
	}
	for i, with := range answers[0] {
		if without := answers[1][i]; with != without {
			t.Errorf("answer %d tells of what is hidden:\n%s\n%s", i, with, without)
		}
	}
	if !strings.Contains(answers[0][0], `"not-applicable"`) && !strings.Contains(answers[0][0], `"won"`) {
		t.Errorf("the receiver is told nothing of the permit that names it: %s", answers[0][0])
	}
	if answers[0][12] != answers[0][15] || !strings.Contains(answers[0][12], string(gateway.NotFound)) {
		t.Errorf("a hidden record differs from none: %s, %s", answers[0][12], answers[0][15])
	}
}

func second(_ gateway.Outcome, err error) error { return err }

func custodianActor(id gateway.HERID) string {
	return fmt.Sprintf(`{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"%s"}}`,
		organizationOf(id))
}

// A deny that takes away what a permit gives: the patient reads all of it, the custodian what concerns its
// own records, and the receiver no more than that there is a permit that names it.
func TestExplainWonAndLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, mine := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	herself := w.mustPost(w.patient(), patientBody(kari))
	record := w.mustPost(at(bydel), strings.Replace(plan(theirs, "x"), `"title"`, `"period":{"start":"2026-10-01"},"title"`, 1))
	permit := w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
	deny := w.mustPost(w.patient(), objectionOf(herself, []string{"plan"}, ous))

	body, err := w.explain(at(bydel), gateway.Inquiry{Record: record, Receiver: organizationOf(ous)}, gateway.Bokmal)
	must(t, err)
	a := parametersIn(t, body)
	r := of(a.Parameter, "record")
	if len(r) != 1 || of(r[0].Part, "released")[0].ValueBoolean || !slices.Equal(codes(r[0].Part, "missing"), []string{"plan"}) {
		t.Fatalf("the custodian reads %s", body)
	}
	outcomes := map[string]string{}
	for _, p := range of(a.Parameter, "provision") {
		outcomes[strings.Split(of(p.Part, "consent")[0].ValueReference.Reference, "/")[1]] = codes(p.Part, "outcome")[0]
	}
	if outcomes[string(permit.ID)] != "lost" || outcomes[string(deny.ID)] != "won" {
		t.Errorf("how it went: %v in %s", outcomes, body)
	}
	for _, want := range []string{"taper plan til Consent/" + string(deny.ID), "pbrl. § 5-3", "hpl. § 22", "Det kan bare pasienten gjøre", "holdes tilbake fra Part 80001006"} {
		if !strings.Contains(words(a.Parameter)+body, want) {
			t.Errorf("%q is not in %s", want, words(a.Parameter))
		}
	}
	for lang, want := range map[gateway.Language]string{gateway.Nynorsk: "Opplysninga blir halden tilbake", gateway.English: "The record is withheld"} {
		body, err := w.explain(w.patient(), gateway.Inquiry{Record: record, Receiver: organizationOf(ous)}, lang)
		must(t, err)
		if !strings.Contains(body, want) {
			t.Errorf("%s: %s", lang, body)
		}
	}
	body, err = w.explain(at(ous), gateway.Inquiry{Subject: gateway.Subject{Patient: mine}}, gateway.Bokmal)
	must(t, err)
	wantNone(t, body, string(deny.ID), "PBRL53", "taper", string(record.ID), string(bydel)+"-")
	if !strings.Contains(body, string(permit.ID)) {
		t.Errorf("the receiver is not told of the permit that names it: %s", body)
	}
	_, err = w.explain(at(ous), gateway.Inquiry{Record: record}, gateway.Bokmal)
	wantCode(t, err, gateway.NotFound)
}

// Who may ask what: a party about itself as it is, or about its own records; the patient about herself.
func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	record := w.mustPost(at(bydel), plan(theirs, "x"))
	other := w.mustPost(at(ous), plan(w.patientOf(at(ous), ola), "ola"))
	machine := at(bydel)
	machine.Kind = gateway.Machine
	otherRole := gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}, Receiver: organizationOf(bydel), Role: "ruskonsulent"}
	otherPurpose := gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}, Purpose: gateway.Coordinate}
	then := gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}, At: w.clock.time()}
	bound := at(bydel)
	nin, err := gateway.NewNIN(ola)
	must(t, err)
	bound.Attest = gateway.Attest{NIN: nin}
	for name, tt := range map[string]struct {
		who  gateway.Actor
		q    gateway.Inquiry
		want gateway.Code
	}{
		"a machine":                   {machine, gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}}, gateway.Forbidden},
		"drift":                       {w.operator(), gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}}, gateway.Forbidden},
		"itself in another role":      {at(bydel), otherRole, gateway.Forbidden},
		"itself for another purpose":  {at(bydel), otherPurpose, gateway.Forbidden},
		"itself as it was":            {at(bydel), then, gateway.Forbidden},
		"another's record":            {at(ous), gateway.Inquiry{Record: record, Receiver: organizationOf(gp)}, gateway.NotFound},
		"another's patient":           {at(ous), gateway.Inquiry{Subject: gateway.Subject{Patient: theirs}, Receiver: organizationOf(gp)}, gateway.NotFound},
		"the patient of another":      {w.patient(), gateway.Inquiry{Record: other, Receiver: organizationOf(gp)}, gateway.NotFound},
		"the patient of no receiver":  {w.patient(), gateway.Inquiry{}, gateway.BadQuery},
		"nobody":                      {at(bydel), gateway.Inquiry{Receiver: organizationOf(gp)}, gateway.BadQuery},
		"a receiver that is not":      {at(bydel), gateway.Inquiry{Record: record, Receiver: fhir.Reference{Type: "Organization", ID: "x"}}, gateway.Invalid},
		"bound to another patient":    {bound, gateway.Inquiry{Record: record, Receiver: organizationOf(gp)}, gateway.NotFound},
		"an entry that is not":        {at(bydel), gateway.Inquiry{Entry: fhir.Reference{Type: "AuditEvent", ID: "x"}}, gateway.NotFound},
		"itself bound to another one": {bound, gateway.Inquiry{Record: record}, gateway.NotFound},
	} {
		body, err := w.explain(tt.who, tt.q, gateway.Bokmal)
		if gateway.CodeOf(err) != tt.want || body != "" {
			t.Errorf("%s: %v %s, want %s", name, err, body, tt.want)
		}
	}
	emergency := at(bydel)
	emergency.Purpose = gateway.BreakTheGlass
	_, err = w.explain(emergency, gateway.Inquiry{Record: record}, gateway.Bokmal)
	wantCode(t, err, gateway.Forbidden)
	unattested := at(ous)
	unattested.Attest = gateway.Attest{}
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
	body, err := w.explain(unattested, gateway.Inquiry{Subject: gateway.Subject{Patient: w.patientOf(at(ous), kari)}}, gateway.Bokmal)
	must(t, err)
	wantNone(t, body, "permit")
}

// As it was: what a withdrawn samtykke gave is explained at its time, and an access by its entry.
func TestExplainAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	record := w.mustPost(at(bydel), plan(theirs, "x"))
	given := consentOf(theirs, []string{"plan", "bolig", "okonomi"}, ous)
	permit := w.mustPost(at(bydel), given)
	_, err := w.read(at(ous), record)
	must(t, err)
	before := w.clock.time()
	w.clock.forward(time.Hour)
	withdrawn := strings.Replace(given, `{`, `{"id":"`+string(permit.ID)+`",`, 1)
	_, err = w.put(at(bydel), strings.Replace(withdrawn, `"status":"active"`, `"status":"inactive"`, 1), "")
	must(t, err)

	q := gateway.Inquiry{Record: record, Receiver: organizationOf(ous)}
	released := func(q gateway.Inquiry, who gateway.Actor) (bool, string) {
		body, err := w.explain(who, q, gateway.Bokmal)
		must(t, err)
		r := of(parametersIn(t, body).Parameter, "record")
		if len(r) != 1 {
			t.Fatalf("no record in %s", body)
		}
		return of(r[0].Part, "released")[0].ValueBoolean, body
	}
	if now, body := released(q, at(bydel)); now || strings.Contains(body, string(permit.ID)) {
		t.Errorf("now: %v %s", now, body)
	}
	q.At = before
	if then, body := released(q, at(bydel)); !then || !strings.Contains(body, "Consent/"+string(permit.ID)+"/_history/") || !strings.Contains(body, "kunne utleveres") {
		t.Errorf("then: %v %s", then, body)
	}
	if then, _ := released(q, w.patient()); !then {
		t.Error("the patient reads that it was not released then")
	}
	events, err := w.find(at(bydel), "AuditEvent", gateway.Search{Count: 50})
	must(t, err)
	var entry fhir.Reference
	for _, e := range bundleOf(t, events).Entry {
		if raw, _ := json.Marshal(e.Resource); strings.Contains(string(raw), record.String()) && strings.Contains(string(raw), `"code":"read"`) {
			entry = fhir.Reference{Type: "AuditEvent", ID: fhir.ID(fmt.Sprint(e.Resource["id"]))}
		}
	}
	for name, who := range map[string]gateway.Actor{"custodian": at(bydel), "patient": w.patient(), "receiver": at(ous)} {
		then, body := released(gateway.Inquiry{Entry: entry}, who)
		if !then || !strings.Contains(body, string(permit.ID)) || !strings.Contains(body, "lege") {
			t.Errorf("%s by entry: %v %s", name, then, body)
		}
	}
	_, err = w.explain(at(gp), gateway.Inquiry{Entry: entry}, gateway.Bokmal)
	wantCode(t, err, gateway.NotFound)
}

// Each explanation stands in the ledger, and what is refused too.
func TestExplanationsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	record := w.mustPost(at(bydel), plan(theirs, "x"))
	_, err := w.explain(at(bydel), gateway.Inquiry{Record: record, Receiver: organizationOf(ous)}, gateway.Bokmal)
	must(t, err)
	_, err = w.simulate(at(bydel), consentOf(theirs, []string{"plan"}, ous))
	must(t, err)
	events, err := w.find(at(bydel), "AuditEvent", gateway.Search{Count: 50})
	must(t, err)
	if n := strings.Count(events, `"code":"operation"`); n != 2 {
		t.Errorf("%d operations in the ledger, want 2: %s", n, events)
	}
}

// Who has got a record may not ask whom else it reaches: that is its custodian's to know, and what it is told is what it
// is told of a record that there is not.
func TestExplainOfSharedRecordsIsTheCustodians(t *testing.T) {
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	shared := w.mustPost(at(bydel), plan(theirs, "delt"))
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan"}, ous))
	body, err := w.explain(at(ous), gateway.Inquiry{Record: fhir.Reference{Type: shared.Type, ID: shared.ID}, Receiver: organizationOf(gp)}, gateway.Bokmal)
	if gateway.CodeOf(err) != gateway.NotFound || body != "" {
		t.Errorf("%v %s, want %s", err, body, gateway.NotFound)
	}
}
