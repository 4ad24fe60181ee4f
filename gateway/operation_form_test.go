package gateway_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const form = `{"resourceType":"Questionnaire","url":"http://sluse.no/fhir/Questionnaire/prove","version":"1.0.0","status":"active","item":[
	{"linkId":"0","text":"Hode","type":"group","item":[
		{"linkId":"0.1","text":"Født","type":"date","definition":"http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate"},
		{"linkId":"0.2","text":"Fornavn","type":"string","extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression",
			"valueExpression":{"language":"text/fhirpath","expression":"%patient.name.first().given.first()"}}]},
		{"linkId":"0.3","text":"Utenfor","type":"string","extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression",
			"valueExpression":{"language":"text/fhirpath","expression":"%resource.descendants()"}}]}]},
	{"linkId":"1","text":"Les dette","type":"display"},
	{"linkId":"2","text":"Vekt","type":"decimal","code":[{"system":"http://loinc.org","code":"29463-7"}],"extension":[
		{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract","valueBoolean":true},
		{"url":"http://hl7.org/fhir/StructureDefinition/questionnaire-unit","valueCoding":{"system":"http://unitsofmeasure.org","code":"kg","display":"kg"}}]},
	{"linkId":"3","text":"Gjeld","type":"string","code":[{"system":"http://sluse.no/x","code":"gjeld"}],"extension":[
		{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract","valueBoolean":true}]},
	{"linkId":"4","text":"Ikke uttrukket","type":"string","code":[{"system":"http://sluse.no/x","code":"annet"}]},
	{"linkId":"5","text":"Språk","type":"choice","answerOption":[{"valueCoding":{"system":"http://sluse.no/x","code":"nb"}},{"valueCoding":{"system":"http://sluse.no/x","code":"se"}}],
		"item":[{"linkId":"5.1","text":"Hvorfor","type":"string"}]},
	{"linkId":"6","text":"Barn","type":"group","repeats":true,"item":[{"linkId":"6.1","text":"Navn","type":"string"},{"linkId":"6.2","text":"Alder","type":"integer"}]},
	{"linkId":"7","text":"Foreslått","type":"boolean","initial":[{"valueBoolean":true}]}]}`

// answers is a completed response to the form; answer 2 is labelled somatisk, answer 3 okonomi.
func answers(patient fhir.Reference, canary, day string) string {
	return fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://sluse.no/fhir/Questionnaire/prove|1.0.0",
		"subject":{"reference":"%s"},"authored":"%s","item":[
		{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
			"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"somatisk"}}],"linkId":"2","answer":[{"valueDecimal":71.50}]},
		{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
			"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"okonomi"}}],"linkId":"3","answer":[{"valueString":"kanari-gjeld-%s"}]},
		{"linkId":"4","answer":[{"valueString":"svar-%s"}]},
		{"linkId":"5","answer":[{"valueCoding":{"system":"http://sluse.no/x","code":"se"},"item":[{"linkId":"5.1","answer":[{"valueString":"derfor-%s"}]}]}]},
		{"linkId":"6","item":[{"linkId":"6.1","answer":[{"valueString":"Ola-%s"}]},{"linkId":"6.2","answer":[{"valueInteger":7}]}]},
		{"linkId":"6","item":[{"linkId":"6.1","answer":[{"valueString":"Eva-%s"}]}]}]}`, patient, day, canary, canary, canary, canary, canary)
}

func (w *world) populate(a gateway.Actor, form, patient fhir.Reference) (*fhir.Resource, error) {
	w.t.Helper()
	out, err := w.operate(a, form, gateway.Operation{Name: gateway.Populate, Subject: patient}, "")
	if err != nil {
		return nil, err
	}
	return parse(w.t, string(parse(w.t, bodyOf(out)).At("Parameters.parameter[0].resource").Raw())), nil
}

// A form is begun with what the own Patient and the own latest answers say, in the form that the form
// has; what others have answered, shared or not, is not in it, nor does its absence tell.
func TestPopulate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	questionnaire := w.mustPost(at(ous), form)
	mine, theirs := w.patientOf(at(ous), kari), w.patientOf(at(bydel), kari)
	empty, err := w.populate(at(ous), questionnaire, mine)
	must(t, err)
	w.mustPost(at(bydel), answers(theirs, "skjult", "2026-11-02"))
	w.mustPost(at(bydel), consentOf(theirs, []string{"kartlegging", "okonomi", "uklassifisert"}, ous))
	again, err := w.populate(at(ous), questionnaire, mine)
	must(t, err)
	if string(again.Bytes()) != string(empty.Bytes()) {
		t.Errorf("it tells of what others have:\n%s\n%s", empty.Bytes(), again.Bytes())
	}
	old := w.mustPost(at(ous), answers(mine, "gammel", "2026-10-01"))
	latest := w.mustPost(at(ous), answers(mine, "siste", "2026-10-20"))
	w.mustPost(at(ous), strings.Replace(answers(mine, "halvt", "2026-10-30"), "completed", "in-progress", 1))
	w.mustPost(at(ous), strings.Replace(answers(mine, "annet-skjema", "2026-10-30"), "Questionnaire/prove", "Questionnaire/annet", 1))
	filled, err := w.populate(at(ous), questionnaire, mine)
	must(t, err)
	body := string(filled.Bytes())
	wantNone(t, body, "skjult", "gammel", "halvt", "annet-skjema")
	for _, want := range []string{
		`"linkId":"0.1","definition":"http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate","text":"Født","answer":[{"valueDate":"1979-03-14"}]`,
		`"answer":[{"valueString":"Kari"}]`, `"linkId":"0.3","text":"Utenfor"}`, `"answer":[{"valueDecimal":71.50}]`, "kanari-gjeld-siste", "svar-siste",
		`"answer":[{"valueCoding":{"system":"http://sluse.no/x","code":"se"},"item":[{"linkId":"5.1","text":"Hvorfor","answer":[{"valueString":"derfor-siste"}]}]}]`,
		`{"linkId":"6.1","text":"Navn","answer":[{"valueString":"Ola-siste"}]},{"linkId":"6.2","text":"Alder","answer":[{"valueInteger":7}]}`,
		`{"linkId":"6.1","text":"Navn","answer":[{"valueString":"Eva-siste"}]},{"linkId":"6.2","text":"Alder"}`,
		`"answer":[{"valueBoolean":true}]`, `"status":"in-progress"`, `"questionnaire":"http://sluse.no/fhir/Questionnaire/prove|1.0.0"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if issues := append(fhir.Validate(filled), fhir.CheckAnswers(parse(t, form), filled)...); len(issues) > 0 {
		t.Errorf("it is not valid: %+v", issues)
	}
	// Another's Patient is unknown, whether it is there or not.
	_, hidden := w.populate(at(ous), questionnaire, theirs)
	_, absent := w.populate(at(ous), questionnaire, fhir.Reference{Type: "Patient", ID: "finnes-ikke"})
	wantCode(t, hidden, gateway.NotFound)
	if hidden.Error() != absent.Error() {
		t.Errorf("hidden %v, absent %v", hidden, absent)
	}
	_, err = w.operate(at(ous), fhir.Reference{Type: "Questionnaire"}, gateway.Operation{Name: gateway.Populate, Subject: mine, Canonical: "http://sluse.no/fhir/Questionnaire/ukjent"}, "")
	wantCode(t, err, gateway.Invalid)
	ledger, err := w.find(at(ous), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	for r, want := range map[fhir.Reference]int{latest: 2, old: 1, mine: 1 + 3} { // written, and used: each $populate used the Patient
		if n := strings.Count(ledger, `"reference":"`+r.String()+`/_history/`); n != want {
			t.Errorf("%s stands %d times in the ledger, want %d", r, n, want)
		}
	}
}

// The form of the demonstration is begun with the latest answers by linkId, and what is answered is
// checked against it.
func TestPopulateKartlegging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alna, err := os.ReadFile("../cmd/sluse/story/kartlegging.json")
	must(t, err)
	questionnaire := w.mustPost(at(bydel), string(alna))
	mine := w.patientOf(at(bydel), kari)
	const url = "http://sluse.no/fhir/Questionnaire/alna-kartlegging"
	response := fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"%s|1.0.0","subject":{"reference":"%s"},"authored":"2026-10-20","item":[
		{"linkId":"4","item":[{"linkId":"4.2","answer":[{"valueString":"leier"}]}]},{"linkId":"9","item":[{"linkId":"9.1","answer":[{"valueInteger":4}]}]}]}`, url, mine)
	w.mustPost(at(bydel), response)
	begun, err := w.populate(at(bydel), questionnaire, mine)
	must(t, err)
	for _, want := range []string{`"linkId":"4.2","text":"Bosituasjon","answer":[{"valueString":"leier"}]`, `"linkId":"9.1","text":"Egen vurdering, 1–7","answer":[{"valueInteger":4}]`, `{"linkId":"6.3","text":"Gjeld"}`} {
		if !strings.Contains(string(begun.Bytes()), want) {
			t.Errorf("no %s in %s", want, begun.Bytes())
		}
	}
	if issues := fhir.CheckAnswers(parse(t, string(alna)), begun); len(issues) > 0 {
		t.Errorf("it does not fit the form: %+v", issues)
	}
	for body, want := range map[string]string{
		response: fhir.CodeAllOK,
		strings.Replace(response, `"valueInteger":4`, `"valueString":"fire"`, 1):     fhir.CodeAnswersType,
		strings.Replace(response, "alna-kartlegging", "ukjent", 1):                   fhir.CodeAnswersUnknownForm,
		strings.Replace(response, `"linkId":"9.1"`, `"linkId":"9.9"`, 1):             fhir.CodeAnswersUnknownItem,
		strings.Replace(response, `alna-kartlegging|1.0.0`, `alna-kartlegging|9`, 1): fhir.CodeAnswersUnknownForm,
	} {
		out, err := w.operate(at(bydel), fhir.Reference{Type: "QuestionnaireResponse"}, gateway.Operation{Name: gateway.Validation}, body)
		must(t, err)
		if !slices.ContainsFunc(out.Issues, func(i fhir.Issue) bool { return i.Code == want }) {
			t.Errorf("no %s in %+v", want, out.Issues)
		}
	}
}

// Answers become Observations that are never less protected than the answers, and of a shared response
// only what is shared.
func TestExtract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPost(at(bydel), form)
	theirs, mine := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	shared := w.mustPost(at(bydel), answers(theirs, "x", "2026-10-20T10:00:00+02:00"))
	w.mustPost(at(bydel), consentOf(theirs, []string{"kartlegging", "somatisk"}, ous))
	extract := func(a gateway.Actor, r fhir.Reference, body string) (string, error) {
		r.Type = "QuestionnaireResponse"
		out, err := w.operate(a, r, gateway.Operation{Name: gateway.Extract}, body)
		return bodyOf(out), err
	}
	whole, err := extract(at(bydel), shared, "")
	must(t, err)
	for _, want := range []string{
		`"valueQuantity":{"value":71.50,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}`, `"code":"29463-7"`, "kanari-gjeld-x",
		`"effectiveDateTime":"2026-10-20T10:00:00+02:00"`, `"derivedFrom":[{"reference":"` + shared.String() + `"}]`, `"request":{"method":"POST","url":"Observation"}`,
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("no %s in %s", want, whole)
		}
	}
	wantNone(t, whole, "svar-x", "Ola-x")
	again, err := extract(at(bydel), shared, "")
	must(t, err)
	if again != whole {
		t.Error("the same response gives another transaction")
	}
	if issues := fhir.Validate(parse(t, whole)); len(issues) > 0 {
		t.Errorf("it is not valid: %+v", issues)
	}
	debt := w.entryWith(whole, "kanari-gjeld-x")
	stored := w.mustPost(at(bydel), debt)
	body, err := w.read(at(bydel), stored)
	must(t, err)
	if !strings.Contains(body, `"code":"okonomi"`) {
		t.Errorf("the Observation has lost the label of the answer: %s", body)
	}
	// The other party gets what is shared with it, and no trace of the rest.
	part, err := extract(at(ous), shared, "")
	must(t, err)
	wantNone(t, part, "kanari-gjeld", "okonomi", "gjeld")
	if !strings.Contains(part, "71.50") {
		t.Errorf("what is shared is missing: %s", part)
	}
	_, hidden := extract(at(gp), shared, "")
	_, absent := extract(at(gp), fhir.Reference{ID: "finnes-ikke"}, "")
	wantCode(t, hidden, gateway.NotFound)
	if hidden.Error() != absent.Error() {
		t.Errorf("hidden %v, absent %v", hidden, absent)
	}
	given, err := extract(at(ous), fhir.Reference{}, answers(mine, "gitt", "2026-10-20"))
	must(t, err)
	if !strings.Contains(given, "kanari-gjeld-gitt") || !strings.Contains(given, `"code":"okonomi"`) || strings.Contains(given, "derivedFrom") {
		t.Errorf("of what was given: %s", given)
	}
	for _, unfit := range []string{
		strings.Replace(answers(mine, "x", "2026-10-20"), "completed", "in-progress", 1),
		strings.Replace(answers(mine, "x", "2026-10-20"), "Questionnaire/prove", "Questionnaire/ukjent", 1),
		strings.Replace(answers(mine, "x", "2026-10-20"), `"valueDecimal":71.50`, `"valueString":"mye"`, 1),
	} {
		_, err = extract(at(ous), fhir.Reference{}, unfit)
		wantCode(t, err, gateway.Invalid)
	}
	if found, err := w.find(at(ous), "Observation", gateway.Search{}); err != nil || len(bundleOf(t, found).urls("match")) != 0 {
		t.Errorf("something was stored: %v %s", err, found)
	}
}

// What is extracted of a shared response tells nothing of an answer that is not shared, not even by the
// labels of another answer to the same question.
func TestExtractHiddenLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// A form with rules: what stands in an answer does not take over the labels of that answer.
	w.mustPost(at(bydel), strings.NewReplacer("Questionnaire/prove", "Questionnaire/alna-kartlegging", `"linkId":"2"`, `"linkId":"5.2"`).Replace(form))
	theirs := w.patientOf(at(bydel), kari)
	const label = `"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
		"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"%s"}}],`
	weight := func(code, value string) string {
		return fmt.Sprintf(`{`+label+`"linkId":"5.2","answer":[{"valueDecimal":%s}]}`, code, value)
	}
	w.mustPost(at(bydel), consentOf(theirs, []string{"kartlegging", "somatisk", "plan"}, ous))
	extract := func(a gateway.Actor, hidden ...string) string {
		r := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://sluse.no/fhir/Questionnaire/alna-kartlegging|1.0.0",
			"subject":{"reference":"%s"},"authored":"2026-10-20","item":[%s]}`, theirs, strings.Join(append(hidden, weight("somatisk", "71.50")), ",")))
		r.Type = "QuestionnaireResponse"
		out, err := w.operate(a, r, gateway.Operation{Name: gateway.Extract}, "")
		must(t, err)
		return bodyOf(out)
	}
	labels := func(bundle string) string {
		return string(parse(t, w.entryWith(bundle, "71.50")).Root().Get("meta", "security").Raw())
	}
	want := labels(extract(at(ous)))
	within := fmt.Sprintf(`{`+label+`"linkId":"4","answer":[{"valueString":"skjult","item":[%s]}]}`, "okonomi", weight("plan", "69"))
	for hidden, code := range map[string]string{weight("okonomi", "70"): "okonomi", within: "plan"} { // beside it, and below a hidden one
		if whole := extract(at(bydel), hidden); !strings.Contains(labels(whole), `"`+code+`"`) {
			t.Errorf("the custodian's lacks the label %s: %s", code, whole)
		}
		if got := extract(at(ous), hidden); labels(got) != want {
			t.Errorf("LEAK: the labels are %s, want %s", labels(got), want)
		}
	}
}

// entryWith gives the one resource of a Bundle that holds the text.
func (w *world) entryWith(bundle, text string) string {
	w.t.Helper()
	entries := parse(w.t, bundle).Root().Get("entry").Items()
	at := slices.IndexFunc(entries, func(e *fhir.Value) bool { return strings.Contains(string(e.Raw()), text) })
	if at < 0 {
		w.t.Fatalf("no entry with %s in %s", text, bundle)
	}
	return string(entries[at].Get("resource").Raw())
}

// A plan as a document holds what is released and nothing of what is not: it is byte for byte the
// document of a plan without the hidden parts.
func TestDocument(t *testing.T) {
	t.Parallel()
	var documents [2]string
	for i := range documents {
		w := newWorld(t)
		theirs := w.patientOf(at(bydel), kari)
		w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
		goal := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"mål <1>"},"subject":{"reference":"%s"}}`, theirs))
		secret := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Goal","meta":{"security":[%stvang"}]},"lifecycleStatus":"active","description":{"text":"kanari-mål"},"subject":{"reference":"%s"}}`, labelled, theirs))
		practitioner := w.mustPost(at(bydel), `{"resourceType":"Practitioner","name":[{"family":"Lin"}]}`)
		body := strings.Replace(plan(theirs, "x"), `"title"`, `"goal":[{"reference":"`+goal.String()+`"},{"reference":"`+secret.String()+`"}],"author":{"reference":"`+practitioner.String()+`"},"title"`, 1)
		if i == 1 {
			body = strings.Replace(body, activity("okonomi", "x")+",", "", 1)
		}
		r := w.mustPost(at(bydel), body)
		ask := func(a gateway.Actor, r fhir.Reference) (string, error) {
			out, err := w.operate(a, r, gateway.Operation{Name: gateway.Document}, "")
			return bodyOf(out), err
		}
		own, err := ask(at(bydel), r)
		must(t, err)
		if want := i == 0; strings.Contains(own, "kanari-okonomi-x") != want || !strings.Contains(own, "kanari-mål") {
			t.Errorf("the custodian's document: %s", own)
		}
		got, err := ask(at(ous), r)
		must(t, err)
		wantNone(t, got, "kanari-okonomi", "kanari-mål", "kanari-narrativ", "tvang")
		for _, want := range []string{`"type":"document"`, `"resourceType":"Composition"`, "mål &lt;1&gt;", "kanari-bolig-x", `"family":"Lin"`, practitioner.String(), "SUBSETTED"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		w.clock.forward(time.Hour)
		again, err := ask(at(ous), r)
		must(t, err)
		if again != got {
			t.Error("the same plan gives another document")
		}
		if issues := fhir.Validate(parse(t, got)); len(issues) > 0 {
			t.Errorf("it is not valid: %+v\n%s", issues, got)
		}
		_, hidden := ask(at(gp), r)
		_, absent := ask(at(gp), fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"})
		wantCode(t, hidden, gateway.NotFound)
		if hidden.Error() != absent.Error() {
			t.Errorf("hidden %v, absent %v", hidden, absent)
		}
		documents[i] = masked(got)
	}
	if documents[0] != documents[1] {
		t.Errorf("the document tells of what is hidden:\n%s\n%s", documents[0], documents[1])
	}
}
