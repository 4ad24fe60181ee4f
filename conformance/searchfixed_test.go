package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
)

// fixed stores, beside what is random, what needs more than values: resources with rules of their
// own, and those that the cases written by hand look for.
func (l *library) fixed(a *author) {
	kari := a.ids["Patient"][0]
	for name, body := range map[string]string{
		"Patient/foedt":     `{"resourceType":"Patient","birthDate":"1990-02-28","deceasedDateTime":"2024-02-29","name":[{"family":"Ås-Øien","given":["Bjørn  Åge","André"],"text":"Bjørn Åge"}],"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName","valueString":"Ødegård"}]}`,
		"Patient/levende":   `{"resourceType":"Patient","deceasedBoolean":false,"gender":"female","birthDate":"1990-02"}`,
		"Patient/doed":      `{"resourceType":"Patient","deceasedBoolean":true,"gender":"male","birthDate":"1990"}`,
		"Observation/tung":  `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"vekt"}]},"subject":{"reference":"` + kari + `"},"valueQuantity":{"value":5.40,"unit":"g","system":"http://unitsofmeasure.org","code":"g"}}`,
		"Observation/lett":  `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"vekt"}]},"subject":{"reference":"` + kari + `"},"valueQuantity":{"value":5400,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}`,
		"Observation/under": `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"crp"}]},"subject":{"reference":"` + kari + `"},"valueQuantity":{"value":5,"comparator":"<","unit":"mg/L","system":"http://unitsofmeasure.org","code":"mg/L"}}`,
		"Observation/trykk": `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"trykk"}]},"subject":{"reference":"` + kari + `"},"effectivePeriod":{"start":"2012","end":"2014-06"},
			"component":[{"code":{"coding":[{"system":"urn:sluse:a","code":"over"}]},"valueQuantity":{"value":120,"unit":"mmHg"}},{"code":{"coding":[{"system":"urn:sluse:a","code":"under"}]},"valueQuantity":{"value":80,"unit":"mmHg"}}]}`,
		"Observation/gen": `{"resourceType":"Observation","status":"final","code":{"text":"gen"},"subject":{"reference":"` + kari + `"},"extension":[
			{"url":"http://hl7.org/fhir/StructureDefinition/observation-geneticsGene","valueCodeableConcept":{"coding":[{"system":"http://www.genenames.org","code":"1097","display":"BRAF"}]}},
			{"url":"http://hl7.org/fhir/StructureDefinition/observation-geneticsDnaVariant","valueString":"c.1799T>A"},
			{"url":"http://hl7.org/fhir/StructureDefinition/observation-geneticsAminoAcidChangeName","valueString":"p.Val600Glu"}]}`,
		"Patient/lenket": `{"resourceType":"Patient","link":[{"type":"seealso","other":{"reference":"` + kari + `"}}]}`,
		"Observation/begrep": `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"funn"}]},"subject":{"reference":"` + kari + `"},"specimen":{"reference":"Specimen/finnes-ikke"},
			"valueCodeableConcept":{"coding":[{"system":"urn:sluse:a","code":"ja"}],"text":"Ja visst"},"component":[{"code":{"coding":[{"system":"urn:sluse:a","code":"del"}]},"valueCodeableConcept":{"coding":[{"system":"urn:sluse:a","code":"nei"}]}}]}`,
		"Observation/mangler": `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"uten"}]},"subject":{"reference":"` + kari + `"},"dataAbsentReason":{"coding":[{"system":"urn:sluse:a","code":"ukjent"}]},
			"component":[{"code":{"coding":[{"system":"urn:sluse:a","code":"del"}]},"dataAbsentReason":{"coding":[{"system":"urn:sluse:a","code":"nektet"}]}}]}`,
		"Observation/tekst":          `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"fritekst"}]},"subject":{"reference":"` + kari + `"},"valueString":"Gjøken galer"}`,
		"Observation/naar":           `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"urn:sluse:a","code":"debut"}]},"subject":{"reference":"` + kari + `"},"valueDateTime":"2001-05"}`,
		"MedicationStatement/middel": `{"resourceType":"MedicationStatement","status":"active","subject":{"reference":"` + kari + `"},"medicationReference":{"reference":"Medication/finnes-ikke"}}`,
		"MedicationStatement/kode":   `{"resourceType":"MedicationStatement","status":"active","subject":{"reference":"` + kari + `"},"medicationCodeableConcept":{"coding":[{"system":"http://www.whocc.no/atc","code":"N07BB04"}]},"effectiveDateTime":"2024-03"}`,
		"Task/hennes":                `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"` + kari + `"}}`,
		"CarePlan/med-detalj":        `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"` + kari + `"},"activity":[{"detail":{"performer":[{"reference":"` + a.at("Practitioner") + `"}],"status":"not-started","code":{"coding":[{"system":"urn:sluse:a","code":"a"}]},"scheduledPeriod":{"start":"2024-03","end":"2024-05"}}},{"detail":{"status":"not-started","scheduledString":"hver uke"}}]}`,
		"Appointment/time": `{"resourceType":"Appointment","status":"booked","start":"2024-03-31T10:15:00+02:00","end":"2024-03-31T11:15:00+02:00",
			"participant":[{"actor":{"reference":"` + kari + `"},"status":"accepted"},{"actor":{"reference":"` + a.at("Location") + `"},"status":"accepted"},{"actor":{"reference":"` + a.at("Practitioner") + `"},"status":"accepted"}]}`,
		"Goal/hennes": `{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"Bolig"},"subject":{"reference":"` + kari + `"},"startDate":"2024-03","target":[{"dueDate":"2024-12-31"}]}`,
		"Composition/hennes": `{"resourceType":"Composition","status":"final","type":{"text":"Plan"},"subject":{"reference":"` + kari + `"},"date":"2024-03-31","title":"Plan","author":[{"reference":"` + a.at("Practitioner") + `"}],
			"relatesTo":[{"code":"replaces","targetReference":{"reference":"` + a.at("Composition") + `"}},{"code":"appends","targetIdentifier":{"system":"urn:sluse:id","value":"1"}}]}`,
		"Communication/hennes":        `{"resourceType":"Communication","status":"completed","subject":{"reference":"` + kari + `"},"sent":"2024-03-31T10:15:00+02:00"}`,
		"Flag/hennes":                 `{"resourceType":"Flag","status":"active","code":{"text":"Hund"},"subject":{"reference":"` + kari + `"},"period":{"start":"2024-03"}}`,
		"List/hennes":                 `{"resourceType":"List","status":"current","mode":"working","title":"Liste","subject":{"reference":"` + kari + `"},"entry":[{"item":{"reference":"` + a.at("Observation") + `"}}]}`,
		"Condition/over":              `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]},"code":{"text":"over"},"subject":{"reference":"` + kari + `"},"abatementString":"gikk over","onsetAge":{"value":30,"unit":"år","system":"http://unitsofmeasure.org","code":"a"}}`,
		"Condition/under":             `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]},"code":{"text":"under"},"subject":{"reference":"` + kari + `"},"abatementAge":{"value":42,"unit":"år","system":"http://unitsofmeasure.org","code":"a"},"onsetDateTime":"2001"}`,
		"Condition/slutt":             `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]},"code":{"text":"slutt"},"subject":{"reference":"` + kari + `"},"abatementDateTime":"2011-02","onsetPeriod":{"start":"2003"}}`,
		"Condition/alkohol":           `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F10.2","display":"Alkoholavhengighet"}]},"subject":{"reference":"` + kari + `"},"onsetString":"i ungdommen","recordedDate":"2024-03-31T03:30:00+02:00"}`,
		"Questionnaire/deler":         `{"resourceType":"Questionnaire","url":"http://example.org/q","status":"draft","useContext":[{"code":{"system":"urn:sluse:a","code":"a"},"valueRange":{"low":{"value":12,"unit":"år","system":"http://unitsofmeasure.org","code":"a"},"high":{"value":18,"unit":"år","system":"http://unitsofmeasure.org","code":"a"}}}]}`,
		"Questionnaire/mengde":        `{"resourceType":"Questionnaire","url":"http://example.org/q2","status":"draft","useContext":[{"code":{"system":"urn:sluse:a","code":"b"},"valueQuantity":{"value":18,"unit":"år","system":"http://unitsofmeasure.org","code":"a"}}]}`,
		"QuestionnaireResponse/svar":  `{"resourceType":"QuestionnaireResponse","status":"in-progress","questionnaire":"http://example.org/q|1","subject":{"reference":"` + kari + `"},"item":[{"linkId":"1","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject","valueBoolean":true}],"answer":[{"valueReference":{"reference":"` + kari + `"}}]}]}`,
		"Binary/fil":                  `{"resourceType":"Binary","contentType":"text/plain","data":"aGVp","securityContext":{"reference":"` + kari + `"},"meta":{"tag":[{"system":"urn:sluse:a","code":"a"}],"source":"http://example.org/a","profile":["http://hl7.org/fhir/StructureDefinition/Binary"]}}`,
		"DocumentReference/erstatter": `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"` + kari + `"},"relatesTo":[{"code":"replaces","target":{"reference":"` + a.ids["DocumentReference"][1] + `"}}],"content":[{"attachment":{"contentType":"application/pdf","title":"epikrise","url":"http://example.org/fil/1"}}]}`,
	} {
		if kind, _, _ := strings.Cut(name, "/"); l.offers[kind] != nil {
			l.keep(a, name, body)
		}
	}
	for n := range 4 {
		body := consent(kari, l.organization, []string{a.ids["Organization"][1]}, []string{l.organization}, []string{"plan", "rus", "somatisk"}[:n%3+1])
		body = strings.Replace(body, `"status":"active"`, fmt.Sprintf(`"meta":{"tag":[{"system":"urn:sluse:a","code":"b"}],"source":"http://example.org/a/b","profile":["http://hl7.org/fhir/StructureDefinition/Consent"]},"status":"%s","identifier":[{"system":"urn:sluse:id","value":"%d"}],"sourceReference":{"reference":"%s"}`, []string{"draft", "rejected", "inactive", "proposed"}[n], n, a.ids["DocumentReference"][0]), 1)
		body = strings.Replace(body, `"securityLabel":`, fmt.Sprintf(`"action":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"access"}]}],
			"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}],"data":[{"meaning":"instance","reference":{"reference":"%s"}}],"securityLabel":`, a.ids["CarePlan"][n]), 1)
		l.keep(a, fmt.Sprintf("Consent/samtykke-%d", n), body)
	}
	for n := range 4 {
		body := fmt.Sprintf(`{"resourceType":"Provenance","meta":{"tag":[{"system":"urn:sluse:a","code":"a"}],"source":"http://example.org/a","profile":["http://hl7.org/fhir/StructureDefinition/Provenance"]},"target":[{"reference":"%s"}],"recorded":"2024-0%d-01T10:00:00+01:00","occurredDateTime":"2024-0%[2]d","location":{"reference":"%s"},
			"agent":[{"type":{"coding":[{"system":"urn:sluse:a","code":"a"}]},"role":[{"coding":[{"system":"urn:sluse:a","code":"b"}]}],"who":{"reference":"%s"}}],
			"entity":[{"role":"source","what":{"reference":"%s"}}],
			"signature":[{"type":[{"system":"urn:iso-astm:E1762-95:2013","code":"1.2.840.10065.1.12.1.1"}],"when":"2024-01-01T10:00:00Z","who":{"reference":"%[4]s"}}]}`,
			[]string{kari, a.ids["CarePlan"][0], "Observation/" + a.prefix + "tung", kari}[n], n+1, a.at("Location"), l.organization, a.ids["Condition"][0])
		if answer, err := l.try(http.MethodPost, "/fhir/Provenance", "application/fhir+json", []byte(body)); err != nil || answer.status != http.StatusCreated {
			l.refused["Provenance"] = append(l.refused["Provenance"], fmt.Sprintf("%d %s\n\t%s", answer.status, outcomeOf(answer.body), body))
		}
	}
}

// organize stores one of the directory that operations write, with all that is searched for.
func (l *library) organize(a *author, drift *client) {
	body := fmt.Sprintf(`{"resourceType":"Organization","meta":{"tag":[{"system":"urn:sluse:a","code":"a"}],"source":"http://example.org/a","profile":["http://hl7.org/fhir/StructureDefinition/Organization"]},
		"active":true,"name":"Bydel Åsgård","alias":["Ås"],"type":[{"coding":[{"system":"urn:sluse:a","code":"a","display":"Ærlig"}]}],"identifier":[{"system":"urn:sluse:id","value":"1"}],
		"telecom":[{"system":"phone","value":"+4722000001"}],"address":[{"use":"work","line":["Gata 1"],"city":"Oslo","postalCode":"0470","state":"Oslo","country":"NO"}],
		"partOf":{"reference":"%s"},"endpoint":[{"reference":"%s"}]}`, a.ids["Organization"][0], a.ids["Endpoint"][0])
	for kind, body := range map[string]string{"Organization": body, "Location": `{"resourceType":"Location","name":"Rom 2","partOf":{"reference":"` + a.at("Location") + `"}}`} {
		answer, err := drift.try(http.MethodPost, "/fhir/"+kind, "application/fhir+json", []byte(body))
		if err != nil || answer.status != http.StatusCreated {
			l.refused[kind] = append(l.refused[kind], fmt.Sprintf("%d %s\n\t%s", answer.status, outcomeOf(answer.body), body))
		}
	}
}

// at gives a reference to the first of a type.
func (a *author) at(kind string) string {
	return kind + "/" + a.prefix + strings.ToLower(kind) + "-0"
}

// keep puts one under "Type/name", the name after the party's prefix.
func (l *library) keep(a *author, name, body string) {
	kind, id, _ := strings.Cut(name, "/")
	id = a.prefix + id
	body = strings.Replace(body, "{", `{"id":"`+id+`",`, 1)
	answer, err := l.try(http.MethodPut, "/fhir/"+kind+"/"+id, "application/fhir+json", []byte(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if answer.status != http.StatusCreated {
		l.refused[kind] = append(l.refused[kind], fmt.Sprintf("%s: %d %s\n\t%s", name, answer.status, outcomeOf(answer.body), body))
	}
}
