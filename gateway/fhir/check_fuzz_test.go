package fhir_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// FuzzCheck: whatever is read can be judged, by every profile and as a response and a Questionnaire,
// without a panic; what a write refuses, Check says too; and no outcome has a hole in its text.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"Consent-samtykke", "CarePlan-kriseplan", "Communication-melding", "Patient-kari", "AuditEvent-utlevering", "ServiceRequest-henvisning", "Organization-bydel-sagene"} {
		f.Add(string(example(f, name)))
	}
	for _, name := range []string{"testdata/questionnaire.json", "testdata/careplan.json"} {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	f.Add(`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"2","answer":[{"valueCoding":{"code":1}},{"valueInteger":"x"}]},{"linkId":["1"]}]}`)
	f.Add(`{"resourceType":"Patient","identifier":{"system":"HNR","value":[]},"address":[{"_district":[]}]}`)
	f.Add(`{"resourceType":"Consent","status":"active","provision":{"type":"permit","provision":[{"type":"permit","actor":[{"role":[]}]}]}}`)
	q := form(f)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			return
		}
		o := fhir.Options{Profiles: fhir.Profiles(r.Type()), Questionnaire: func(string) *fhir.Resource { return q }}
		issues := fhir.Check(r, o)
		fhir.CheckAnswers(r, r)
		fhir.CheckAnswers(q, r)
		fhir.CheckAnswers(r, q)
		if len(issues) > 100 {
			t.Fatalf("%d findings", len(issues))
		}
		refused := len(fhir.Validate(r)) > 0
		said := false
		for _, i := range issues {
			said = said || i.Severity == fhir.SeverityError
			if text := i.Text("nb"); text == i.Code || strings.Contains(text, "{0}") {
				t.Errorf("%s: %q", i.Code, text)
			}
			if i.Line < 1 || i.Expression == "" {
				if i.Code != fhir.CodeTooMany {
					t.Errorf("%+v has no place", i)
				}
			}
		}
		if refused && !said && len(issues) < 100 {
			t.Errorf("a write refuses what Check passes")
		}
	})
}
