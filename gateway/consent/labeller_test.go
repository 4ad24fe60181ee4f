package consent_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	icd10  = `{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"%"}]}`
	theme  = `{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.%"}]}`
	inline = `"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"%"}}]`
)

func with(template, code string) string { return strings.ReplaceAll(template, "%", code) }

func TestLabels(t *testing.T) {
	t.Parallel()
	l, err := consent.NewLabeller(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	named := `"meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"bolig"}]},`
	for _, c := range []struct {
		name, body, labels string
		parts              []string
	}{
		{"plan", `{"resourceType":"CarePlan","status":"active"}`, "plan", nil},
		{"kriseplan", `{"resourceType":"CarePlan","category":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9602","code":"A01-2"}]}]}`, "kriseplan", nil},
		{"activities", `{"resourceType":"CarePlan","activity":[{"detail":{"status":"scheduled"}},{` + with(inline, "okonomi") + `},{"detail":{"code":` + with(icd10, "F11.2") + `}}]}`,
			"plan", []string{"CarePlan.activity[1] okonomi", "CarePlan.activity[2] rus psykisk"}},
		{"condition of alcohol", `{"resourceType":"Condition","code":` + with(icd10, "F10.2") + `}`, "rus psykisk", nil},
		{"condition of tobacco", `{"resourceType":"Condition","code":` + with(icd10, "F17.2") + `}`, "somatisk", nil},
		{"condition in words", `{"resourceType":"Condition","code":{"text":"vond rygg"}}`, "uklassifisert", nil},
		{"condition with an unknown code", `{"resourceType":"Condition","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}`, "uklassifisert", nil},
		{"condition in words, label named", `{"resourceType":"Condition",` + named + `"code":{"text":"bor trangt"}}`, "bolig", nil},
		{"rule and named label", `{"resourceType":"Condition",` + named + `"code":` + with(icd10, "I10") + `}`, "somatisk bolig", nil},
		{"two codes, one unknown", `{"resourceType":"Condition","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"},{"system":"urn:oid:2.16.578.1.12.4.1.1.7170","code":"P15"}]}}`, "rus psykisk", nil},
		{"methadone", `{"resourceType":"MedicationStatement","medicationCodeableConcept":{"coding":[{"system":"http://www.whocc.no/atc","code":"N07BC02"}]}}`, "rus legemidler", nil},
		{"medicine of an unknown register", `{"resourceType":"MedicationStatement","medicationCodeableConcept":{"coding":[{"system":"urn:x","code":"1"}]}}`, "legemidler uklassifisert", nil},
		{"allergy", `{"resourceType":"AllergyIntolerance","code":{"text":"bjørk"}}`, "somatisk legemidler", nil},
		{"components", `{"resourceType":"Observation","code":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/brukerplan","code":"brukerplan"}]},"component":[{"code":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/brukerplan","code":"bolig"}]}},{"code":{"text":"?"}}]}`,
			"kartlegging", []string{"Observation.component[0] bolig", "Observation.component[1] uklassifisert"}},
		{"items", `{"resourceType":"QuestionnaireResponse","questionnaire":"http://sluse.no/fhir/Questionnaire/alna-kartlegging|1","item":[{"linkId":"5","item":[{"linkId":"5.4"},{"linkId":"5.2"}]},{"linkId":"6","item":[{"linkId":"6.1"},{"linkId":"6.3","answer":[{"item":[{"linkId":"5.4"}]}]}]},{"linkId":"99"}]}`,
			"kartlegging", []string{"QuestionnaireResponse.item[0] kartlegging", "QuestionnaireResponse.item[0].item[0] rus", "QuestionnaireResponse.item[0].item[1] somatisk", "QuestionnaireResponse.item[1] okonomi",
				"QuestionnaireResponse.item[1].item[1].answer[0].item[0] rus", "QuestionnaireResponse.item[2] uklassifisert"}},
		{"patient", `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"x"},{"system":"urn:local","value":"H1"}],"name":[{"family":"S"}],"birthDate":"1992-05-12","gender":"female","telecom":[{"value":"1"}],"address":[{"city":"Oslo"}],"contact":[{"name":{"family":"M"}}]}`,
			"samarbeid", []string{"Patient.identifier[1] demografi", "Patient.gender demografi", "Patient.telecom[0] demografi", "Patient.address[0] demografi", "Patient.contact[0] parorende"}},
		{"task of a referral", `{"resourceType":"Task","focus":{"reference":"ServiceRequest/1"}}`, "henvisning", nil},
		{"task of nothing", `{"resourceType":"Task"}`, "samarbeid", nil},
		{"task of a referral for opioids", `{"resourceType":"Task","focus":{"reference":"ServiceRequest/1"},"reasonCode":` + with(icd10, "F11") + `}`, "rus psykisk henvisning", nil},
		{"referral to a unit whose name reveals it", `{"resourceType":"ServiceRequest","performer":[{"reference":"Organization/1","display":"OUS, TSB"}]}`, "rus henvisning", nil},
		{"referral to a unit whose name does not", `{"resourceType":"ServiceRequest","performer":[{"reference":"Organization/1","display":"Rustad legesenter"}]}`, "henvisning", nil},
		{"specialty of a referral", `{"resourceType":"ServiceRequest","code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8655","code":"R11"}]}}`, "rus henvisning", nil},
		{"contained condition", `{"resourceType":"CarePlan","contained":[{"resourceType":"Condition","id":"c","code":` + with(icd10, "F11") + `}]}`, "rus psykisk plan", nil},
		{"label inside the record", `{"resourceType":"Goal","note":[{` + with(inline, "familie") + `,"text":"x"}]}`, "plan familie", nil},
		{"document of a binary", `{"resourceType":"DocumentReference","content":[{"attachment":{"url":"Binary/b1"}}]}`, "samarbeid", nil},
		{"document with its bytes inside", `{"resourceType":"DocumentReference","content":[{"attachment":{"data":"eA=="}}]}`, "samarbeid uklassifisert", nil},
		{"document with its bytes inside, label named", `{"resourceType":"DocumentReference",` + named + `"content":[{"attachment":{"data":"eA=="}}]}`, "bolig", nil},
		{"dialogue without a theme", `{"resourceType":"Communication","payload":[{"contentString":"Kari ruser seg og har psykose"}]}`, "samarbeid uklassifisert", nil},
		{"dialogue of a theme", `{"resourceType":"Communication","topic":` + with(theme, "7322\",\"code\":\"7") + `,"payload":[{"contentString":"vi tar imot mandag"}]}`, "samarbeid logistikk", nil},
		{"dialogue of a clinical theme", `{"resourceType":"Communication","topic":` + with(theme, "9152\",\"code\":\"1") + `,"note":[{"text":"x"}]}`, "samarbeid rus psykisk somatisk", nil},
		{"dialogue of a theme among its categories", `{"resourceType":"Communication","category":[` + with(theme, "7322\",\"code\":\"7") + `],"note":[{"text":"x"}]}`, "samarbeid logistikk", nil},
		{"dialogue of a theme and one that is unknown", `{"resourceType":"Communication","topic":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7322","code":"7"},{"system":"urn:x","code":"1"}]},"payload":[{"contentString":"x"}]}`, "samarbeid logistikk uklassifisert", nil},
		{"dialogue without a theme, of a message type", `{"resourceType":"Communication","category":[` + with(theme, "8279\",\"code\":\"DIALOG_NOTAT") + `],"payload":[{"contentString":"x"}]}`, "samarbeid rus psykisk somatisk", nil},
		{"dialogue of a theme that is narrower than the message type", `{"resourceType":"Communication","category":[` + with(theme, "8279\",\"code\":\"DIALOG_HELSEFAGLIG") + `],"topic":` + with(theme, "7322\",\"code\":\"7") + `,"payload":[{"contentString":"x"}]}`, "samarbeid logistikk", nil},
		{"dialogue with a note", `{"resourceType":"Communication","note":[{"text":"x"}]}`, "samarbeid uklassifisert", nil},
		{"dialogue, label named", `{"resourceType":"Communication",` + named + `"payload":[{"contentString":"x"}]}`, "samarbeid bolig", nil},
		{"a diagnosis among the tags", `{"resourceType":"CarePlan","meta":{"tag":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F112"}]}}`, "rus psykisk plan", nil},
		{"how sensitive it is", `{"resourceType":"CarePlan","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"ETH"}]}}`, "rus plan", nil},
		{"an extension of the meta", `{"resourceType":"CarePlan","meta":{"extension":[{"url":"urn:a","valueCoding":{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"K21"}}]}}`, "somatisk plan", nil},
		{"confidential, and no more", `{"resourceType":"CarePlan","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}}`, "plan", nil},
		{"dialogue, only samarbeid named", `{"resourceType":"Communication","meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"samarbeid"}]},"payload":[{"contentString":"x"}]}`, "samarbeid uklassifisert", nil},
		{"dialogue in an attachment", `{"resourceType":"Communication","payload":[{"contentAttachment":{"data":"eA=="}}]}`, "samarbeid uklassifisert", nil},
		{"dialogue in an extension", `{"resourceType":"Communication","extension":[{"url":"urn:x","valueString":"Kari ruser seg"}]}`, "samarbeid uklassifisert", nil},
		{"dialogue in the subject line", `{"resourceType":"Communication","topic":{"text":"Kari ruser seg"}}`, "samarbeid uklassifisert", nil},
		{"dialogue without text", `{"resourceType":"Communication","status":"completed","statusReason":{"text":"Ikke sendt"},"sent":"2026-01-01"}`, "samarbeid", nil},
		{"dialogue with a contained one", `{"resourceType":"Communication","contained":[{"resourceType":"Task","id":"t","description":"x"}]}`, "samarbeid uklassifisert", nil},
		{"dialogue with a unit whose id reveals it", `{"resourceType":"Communication","recipient":[{"reference":"Organization/8140006-ous-tsb"}]}`, "samarbeid rus", nil},
		{"task with a description", `{"resourceType":"Task","description":"Kari ruser seg"}`, "samarbeid uklassifisert", nil},
		{"task with a note", `{"resourceType":"Task","note":[{"text":"x"}]}`, "samarbeid uklassifisert", nil},
		{"task with input", `{"resourceType":"Task","input":[{"type":{"coding":[{"system":"urn:x","code":"1"}]},"valueString":"x"}]}`, "samarbeid uklassifisert", nil},
		{"task with output", `{"resourceType":"Task","output":[{"type":{"text":"x"},"valueMarkdown":"x"}]}`, "samarbeid uklassifisert", nil},
		{"task of a referral with a description", `{"resourceType":"Task","focus":{"reference":"ServiceRequest/1"},"description":"x"}`, "henvisning", nil},
		{"flag in words", `{"resourceType":"Flag","code":{"text":"x"}}`, "samarbeid uklassifisert", nil},
		{"encounter with a reason in words", `{"resourceType":"Encounter","reasonCode":[{"text":"x"}]}`, "samarbeid uklassifisert", nil},
		{"episode with a type in words", `{"resourceType":"EpisodeOfCare","type":[{"text":"x"}]}`, "samarbeid uklassifisert", nil},
		{"referral with an unknown code", `{"resourceType":"ServiceRequest","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}`, "henvisning uklassifisert", nil},
		{"referral with a code of the list of services", `{"resourceType":"ServiceRequest","code":` + with(theme, "9151\",\"code\":\"1") + `}`, "henvisning", nil},
		{"activity with an unknown code", `{"resourceType":"CarePlan","activity":[{"detail":{"code":{"coding":[{"system":"urn:x","code":"1"}]}}},{"detail":{"code":` + with(theme, "9132\",\"code\":\"3") + `}},{` + with(inline, "bolig") + `,"detail":{"code":{"coding":[{"system":"urn:x","code":"1"}]}}}]}`,
			"plan", []string{"CarePlan.activity[0] uklassifisert", "CarePlan.activity[2] bolig"}},
		{"a type without a rule", `{"resourceType":"Device"}`, "uklassifisert", nil},
	} {
		r, err := fhir.Parse([]byte(c.body))
		if err != nil {
			t.Fatal(c.name, err)
		}
		for range 2 { // the second time from memory
			got, err := l.Label(context.Background(), r)
			if err != nil {
				t.Fatal(c.name, err)
			}
			if codes := strings.Join(got.Labels.Codes(), " "); codes != c.labels {
				t.Errorf("%s: %s, want %s", c.name, codes, c.labels)
			}
			var parts []string
			for _, p := range got.Parts {
				parts = append(parts, p.Path+" "+strings.Join(p.Labels.Codes(), " "))
				if r.At(p.Path) == nil {
					t.Errorf("%s: no part at %s", c.name, p.Path)
				}
			}
			if !slices.Equal(parts, c.parts) {
				t.Errorf("%s: parts %q, want %q", c.name, parts, c.parts)
			}
		}
	}
}

func TestLabelPoints(t *testing.T) {
	t.Parallel()
	l, err := consent.NewLabeller(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string][]fhir.Reference{
		`{"resourceType":"DocumentReference","subject":{"reference":"Patient/p"},"content":[{"attachment":{"url":"Binary/b1"}}],"context":{"related":[{"reference":"CarePlan/c"},{"reference":"Organization/o"}]}}`:                                                                {{Type: "Binary", ID: "b1"}, {Type: "CarePlan", ID: "c"}},
		`{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"DocumentReference/d"}}`:                                                                                                                                                               {{Type: "DocumentReference", ID: "d"}},
		`{"resourceType":"Communication","payload":[{"contentReference":{"reference":"Condition/a"}}],"about":[{"reference":"Observation/b"}],"basedOn":[{"reference":"CarePlan/c"}],"partOf":[{"reference":"Communication/d"}],"inResponseTo":[{"reference":"Communication/e"}]}`: {{Type: "Condition", ID: "a"}, {Type: "Observation", ID: "b"}, {Type: "CarePlan", ID: "c"}, {Type: "Communication", ID: "d"}},
		`{"resourceType":"Task","focus":{"reference":"ServiceRequest/s"},"basedOn":[{"reference":"CarePlan/c"}]}`:                                                                                                                                                                  nil,
		`{"resourceType":"Provenance","target":[{"reference":"CarePlan/c/_history/2"}],"entity":[{"what":{"reference":"Binary/b"}}]}`:                                                                                                                                              {{Type: "CarePlan", ID: "c"}, {Type: "Binary", ID: "b"}},
	} {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Label(context.Background(), r)
		if err != nil || !slices.Equal(got.Points, want) {
			t.Errorf("%s: %v %v, want %v", body, got.Points, err, want)
		}
	}
}

// A label that does not exist refuses the write, wherever it stands.
func TestUnknownNamedLabelIsRefused(t *testing.T) {
	t.Parallel()
	l, err := consent.NewLabeller(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"resourceType":"Goal","meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"hemmelig"}]}}`,
		`{"resourceType":"CarePlan","activity":[{` + with(inline, "hemmelig") + `}]}`,
	} {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Label(context.Background(), r); gateway.CodeOf(err) != gateway.Invalid || err == nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
