//go:build reference

package fhir_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// basisFaults are the examples of the no-basis package with faults of their own, each looked at.
var basisFaults = map[string][]string{
	// the number is masked: 210377xxxxx
	"no-basis-Patient-Espen-Eksempel.json": {"error identifier.national Patient.identifier[0].value"},
}

// TestBasisExamples holds the examples of the no-basis package to the rules that we state in our words.
func TestBasisExamples(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(reference(t), "fhir-no", "no-basis-2.2.0", "examples", "*.json"))
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	held := 0
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		profiles := fhir.Profiles(r.Type())
		if len(profiles) == 0 {
			continue
		}
		held++
		var got []string
		for _, i := range fhir.Check(r, fhir.Options{Profiles: profiles[:1]}) {
			got = append(got, i.Severity+" "+i.Code+" "+i.Expression)
		}
		if want := basisFaults[filepath.Base(name)]; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", filepath.Base(name), got, want)
		}
	}
	if held < 3 {
		t.Errorf("%d examples of types with rules", held)
	}
}

// TestBasisFixedValues: every value that no-basis fixes in a type whose rules we state, we fix at
// the same place, slices under names of our own.
func TestBasisFixedValues(t *testing.T) {
	t.Parallel()
	type sheet struct {
		Differential struct {
			Element []struct {
				Path     string
				FixedURI string `json:"fixedUri"`
				Fixed    string `json:"fixedCode"`
				Min      int
			}
		}
	}
	read := func(body []byte) map[string]int {
		var s sheet
		if err := json.Unmarshal(body, &s); err != nil {
			t.Fatal(err)
		}
		all := map[string]int{}
		for _, e := range s.Differential.Element {
			if e.FixedURI != "" {
				all[e.Path+" "+e.FixedURI] = e.Min
			}
		}
		return all
	}
	for _, typ := range []string{"Patient", "Practitioner", "PractitionerRole", "Organization", "DocumentReference"} {
		names, err := filepath.Glob(filepath.Join(reference(t), "fhir-no", "no-basis-2.2.0", "no-basis-"+typ+".[sS]tructure*"))
		if err != nil || len(names) != 1 {
			t.Fatal(typ, names, err)
		}
		theirs, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		file, err := definitions.Own().Open("StructureDefinition-NoBasis" + typ + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var ours json.RawMessage
		if err := json.NewDecoder(file).Decode(&ours); err != nil {
			t.Fatal(err)
		}
		own := read(ours)
		for fixed, min := range read(theirs) {
			if strings.Contains(fixed, ".type.coding.system urn:oid:2.16.578.1.12.4.1.1.8327") {
				continue // of an H-nummer we go by the system, which tells the same
			}
			if got, ok := own[fixed]; !ok || got != min {
				t.Errorf("%s: %s is %d..1 there, and here %v %d..1", typ, fixed, min, ok, got)
			}
		}
	}
}

// TestReferenceAnswers: the official responses to questionnaires that are there too, and the Norwegian
// questionnaires, which take their own empty answer as in progress.
func TestReferenceAnswers(t *testing.T) {
	t.Parallel()
	all := examples(t)
	get := func(name string) *fhir.Resource {
		r, err := fhir.Parse(all[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r
	}
	for _, c := range []struct {
		questionnaire, response string
		want                    []string
	}{
		// Yes is 1 of one code system in the answer, and Y of another in the condition.
		{"Questionnaire-3141.json", "QuestionnaireResponse-3141.json", []string{
			"warning answers.unknown-value-set QuestionnaireResponse.item[0].item[0].answer[0].valueCoding",
			"error answers.disabled QuestionnaireResponse.item[0].item[0].answer[0].item[0]",
		}},
		{"Questionnaire-gcs.json", "QuestionnaireResponse-gcs.json", nil},
		// The question about allergies stands in no item, and two of yes or no have texts.
		{"Questionnaire-f201.json", "QuestionnaireResponse-f201.json", []string{
			"error answers.unknown-item QuestionnaireResponse.item[0].item[0].linkId",
			"error answers.type QuestionnaireResponse.item[2].item[0].answer[0].valueString",
			"error answers.type QuestionnaireResponse.item[2].item[1].answer[0].valueString",
		}},
	} {
		var got []string
		for _, i := range fhir.CheckAnswers(get(c.questionnaire), get(c.response)) {
			got = append(got, i.Severity+" "+i.Code+" "+i.Expression)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.response, got)
		}
	}
	names, err := filepath.Glob(filepath.Join(reference(t), "fhir-no", "questionnaires", "Questionnaire-*.json"))
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		q, err := fhir.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		if issues := fhir.Validate(q); issues != nil {
			t.Errorf("%s: %v", name, issues)
		}
		r := parse(t, `{"resourceType":"QuestionnaireResponse","questionnaire":"`+q.At("url").Text()+`","status":"in-progress"}`)
		if issues := fhir.CheckAnswers(q, r); issues != nil {
			t.Errorf("%s: %v", name, issues)
		}
	}
}
