package suite

import (
	"encoding/json"
	"net/http"
	"strings"
)

// markSystem is the system of the identifiers that the suite writes.
const markSystem = "http://sluse.no/conformance"

// sample is one resource that the suite writes, and searches that must find it. {mark} is that of the
// run, {patient} the reference of its patient.
type sample struct {
	body  string
	finds []string // "parameter=value"; one that the server does not promise is not asked
}

const (
	head    = `"identifier":[{"system":"` + markSystem + `","value":"{mark}"}],`
	about   = `"subject":{"reference":"{patient}"},`
	marked  = "identifier=" + markSystem + "|{mark}"
	subject = "patient={patient}"
)

// samples has one resource for each type that the suite knows how to write without an effect outside
// the server: no message is sent, no samtykke becomes active, no address is called.
var samples = map[string]sample{
	"AllergyIntolerance": {`{"resourceType":"AllergyIntolerance",` + head + `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"criticality":"low","code":{"text":"Pollen"},"patient":{"reference":"{patient}"}}`,
		[]string{marked, subject, "criticality=low", "clinical-status=active"}},
	"Appointment": {`{"resourceType":"Appointment",` + head + `"status":"proposed","start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z","participant":[{"actor":{"reference":"{patient}"},"status":"needs-action"}]}`,
		[]string{marked, "status=proposed", "date=2026-03-02"}},
	"Binary":   {`{"resourceType":"Binary","contentType":"text/plain","data":"U2x1c2U="}`, nil},
	"CarePlan": {`{"resourceType":"CarePlan",` + head + about + `"status":"draft","intent":"plan","title":"Plan","period":{"start":"2026-03-02","end":"2026-03-31"},"extension":[{"url":"http://sluse.no/conformance/decimal","valueDecimal":1.50}]}`, []string{marked, subject, "status=draft", "intent=plan", "date=ge2026-03-10"}},
	"CareTeam": {`{"resourceType":"CareTeam",` + head + about + `"status":"proposed","name":"Team","period":{"start":"2026-03-02"}}`, []string{marked, subject, "status=proposed", "date=ge2026-03-02"}},
	// in preparation: it is not sent
	"Communication": {`{"resourceType":"Communication",` + head + about + `"status":"preparation","payload":[{"contentString":"Prøve"}]}`, []string{marked, subject, "status=preparation"}},
	"Composition":   {`{"resourceType":"Composition","identifier":{"system":"` + markSystem + `","value":"{mark}"},` + about + `"status":"preliminary","type":{"text":"Notat"},"date":"2026-03-02","author":[{"display":"Sluse"}],"title":"Notat {mark}"}`, []string{subject, "status=preliminary", "date=2026-03-02", "title=Notat {mark}"}},
	"Condition":     {`{"resourceType":"Condition",` + head + about + `"code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"J45"}]},"recordedDate":"2026-03-02"}`, []string{marked, subject, "code=J45", "recorded-date=2026-03-02"}},
	// a draft permits nothing
	"Consent":             {`{"resourceType":"Consent",` + head + `"status":"draft","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"infa"}]}],"patient":{"reference":"{patient}"},"dateTime":"2026-03-02","policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]}}`, []string{marked, subject, "status=draft", "date=2026-03-02"}},
	"DocumentReference":   {`{"resourceType":"DocumentReference",` + head + about + `"status":"current","date":"2026-03-02T09:00:00Z","content":[{"attachment":{"contentType":"text/plain","data":"U2x1c2U="}}]}`, []string{marked, subject, "status=current", "date=2026-03-02"}},
	"Encounter":           {`{"resourceType":"Encounter",` + head + about + `"status":"planned","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"period":{"start":"2026-03-02"}}`, []string{marked, subject, "status=planned", "class=AMB"}},
	"Endpoint":            {`{"resourceType":"Endpoint",` + head + `"status":"off","connectionType":{"system":"http://terminology.hl7.org/CodeSystem/endpoint-connection-type","code":"hl7-fhir-rest"},"name":"Prøve {mark}","payloadType":[{"text":"FHIR"}],"address":"https://sluse.example/fhir"}`, []string{marked, "status=off", "name=Prøve {mark}"}},
	"EpisodeOfCare":       {`{"resourceType":"EpisodeOfCare",` + head + `"patient":{"reference":"{patient}"},"status":"planned","period":{"start":"2026-03-02"}}`, []string{marked, subject, "status=planned", "date=ge2026-03-02"}},
	"Flag":                {`{"resourceType":"Flag",` + head + about + `"status":"inactive","code":{"text":"Prøve"},"period":{"start":"2026-03-02"}}`, []string{marked, subject, "date=ge2026-03-02"}},
	"Goal":                {`{"resourceType":"Goal",` + head + about + `"lifecycleStatus":"proposed","description":{"text":"Mål"},"startDate":"2026-03-02"}`, []string{marked, subject, "lifecycle-status=proposed", "start-date=2026-03-02"}},
	"Group":               {`{"resourceType":"Group",` + head + `"type":"person","actual":true,"member":[{"entity":{"reference":"{patient}"}}]}`, []string{marked, "type=person", "actual=true"}},
	"HealthcareService":   {`{"resourceType":"HealthcareService",` + head + `"active":false,"name":"Tjeneste {mark}"}`, []string{marked, "active=false", "name=Tjeneste {mark}"}},
	"List":                {`{"resourceType":"List",` + head + about + `"status":"current","mode":"working","title":"Liste","date":"2026-03-02"}`, []string{marked, subject, "status=current", "date=2026-03-02"}},
	"Location":            {`{"resourceType":"Location",` + head + `"status":"inactive","name":"Sted {mark}"}`, []string{marked, "status=inactive", "name=Sted {mark}"}},
	"MedicationStatement": {`{"resourceType":"MedicationStatement",` + head + about + `"status":"active","medicationCodeableConcept":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7180","code":"N02BE01"}]},"effectiveDateTime":"2026-03-02"}`, []string{marked, subject, "status=active", "effective=2026-03-02"}},
	"Observation":         {`{"resourceType":"Observation",` + head + about + `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"effectiveDateTime":"2026-03-02T09:00:00Z","valueQuantity":{"value":71.50,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`, []string{marked, subject, "status=final", "code=http://loinc.org|29463-7", "date=2026-03-02", "value-quantity=71.5"}},
	"Organization":        {`{"resourceType":"Organization",` + head + `"active":false,"name":"Virksomhet {mark}"}`, []string{marked, "name=Virksomhet {mark}"}},
	"Patient":             {`{"resourceType":"Patient",` + head + `"name":[{"family":"Prøve-{mark}","given":["Ålov"]}],"gender":"female","birthDate":"1992-03-02","extension":[{"url":"http://sluse.no/conformance/decimal","valueDecimal":1.50}]}`, []string{marked, "family=PRØVE-{mark}", "given=Ålov", "gender=female", "birthdate=1992-03-02"}},
	"Practitioner":        {`{"resourceType":"Practitioner",` + head + `"active":false,"name":[{"family":"Fagperson-{mark}"}]}`, []string{marked, "active=false", "name=Fagperson-{mark}"}},
	"PractitionerRole":    {`{"resourceType":"PractitionerRole",` + head + `"active":false,"code":[{"text":"Prøve"}]}`, []string{marked, "active=false"}},
	"Questionnaire":       {`{"resourceType":"Questionnaire","url":"http://sluse.no/conformance/{mark}","status":"draft","title":"Skjema {mark}","item":[{"linkId":"1","text":"Spørsmål","type":"string"}]}`, []string{"url=http://sluse.no/conformance/{mark}", "status=draft", "title=Skjema {mark}"}},
	"QuestionnaireResponse": {`{"resourceType":"QuestionnaireResponse","identifier":{"system":"` + markSystem + `","value":"{mark}"},` + about + `"status":"in-progress","authored":"2026-03-02","item":[{"linkId":"1","answer":[{"valueString":"Svar"}]}]}`,
		[]string{marked, subject, "status=in-progress", "authored=2026-03-02"}},
	"RelatedPerson":  {`{"resourceType":"RelatedPerson",` + head + `"patient":{"reference":"{patient}"},"name":[{"family":"Pårørende-{mark}"}]}`, []string{marked, subject, "name=Pårørende-{mark}"}},
	"ServiceRequest": {`{"resourceType":"ServiceRequest",` + head + about + `"status":"draft","intent":"proposal","authoredOn":"2026-03-02"}`, []string{marked, subject, "status=draft", "intent=proposal", "authored=2026-03-02"}},
	"Task":           {`{"resourceType":"Task",` + head + `"for":{"reference":"{patient}"},"status":"draft","intent":"proposal","authoredOn":"2026-03-02","description":"Oppgave"}`, []string{marked, subject, "status=draft", "intent=proposal", "authored-on=2026-03-02"}},
}

// unwritten says why a type that can be created has no sample.
var unwritten = map[string]string{
	"Subscription": "to write one makes the server call an address: see the group subscription",
	"Provenance":   "it cannot be deleted: see the group provenance",
}

// fill puts the run's own into a text.
func (s *session) fill(text string) string {
	return strings.NewReplacer("{mark}", s.mark, "{patient}", s.patient).Replace(text)
}

// subjectOf makes the patient that records are about, once.
func (t *trial) subjectOf() string {
	if t.patient == "" {
		t.patient = t.create(t.fill(samples["Patient"].body))
	}
	return t.patient
}

// sampleOf makes the sample of a type ready to be written.
func (t *trial) sampleOf(kind string) string {
	t.subjectOf()
	return t.fill(samples[kind].body)
}

// with adds a member at the top of a resource. Nothing else of its text changes.
func with(body []byte, member string) []byte {
	text := strings.TrimSpace(string(body))
	return []byte(strings.TrimSuffix(text, "}") + "," + member + "}")
}

// language is what the suite changes about a resource: every type has it.
func language(a answer) string {
	s, _ := a.object()["language"].(string)
	return s
}

// read gives the current version, which has to be there.
func (t *trial) read(reference string) answer {
	a := t.ask(http.MethodGet, "/"+reference, nil)
	if a.status != http.StatusOK {
		t.fatalf("GET %s: %s", reference, a)
	}
	return a
}

// canonical is JSON without its spaces, digits kept, members by name.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // it came from JSON
		return ""
	}
	return string(b)
}
