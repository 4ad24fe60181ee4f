package consent_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
)

// Encounter, EpisodeOfCare, Appointment, Flag, List, Composition, Group and RelatedPerson: what tells of
// more than that the person is known is told by its label, and what no rule knows is a doubt.
func TestLabelsOfFurtherTypes(t *testing.T) {
	t.Parallel()
	l, err := consent.NewLabeller(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	named := `"meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"bolig"}]},`
	class := `"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}`
	snomed := `{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}`
	for _, c := range []struct {
		name, body, labels string
		parts              []string
	}{
		{"encounter", `{"resourceType":"Encounter",` + class + `}`, "samarbeid", nil},
		{"encounter of another class", `{"resourceType":"Encounter","class":{"system":"urn:local","code":"TSB-DOGN"}}`, "samarbeid uklassifisert", nil},
		{"encounter of a class that is a sensitivity", `{"resourceType":"Encounter","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"ETH"}}`, "samarbeid rus", nil},
		{"encounter at a place whose name reveals it", `{"resourceType":"Encounter",` + class + `,"location":[{"location":{"reference":"Location/1","display":"TSB Gaustad"}}]}`, "samarbeid rus", nil},
		{"encounter at a place whose id reveals it", `{"resourceType":"Encounter",` + class + `,"location":[{"location":{"reference":"Location/ous-tsb"}}]}`, "samarbeid rus", nil},
		{"encounter by a unit whose name reveals it", `{"resourceType":"Encounter",` + class + `,"serviceProvider":{"reference":"Organization/1","display":"Avrusning Aker"}}`, "samarbeid rus", nil},
		{"encounter of a specialty", `{"resourceType":"Encounter",` + class + `,"serviceType":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8451","code":"360"}]}}`, "samarbeid rus", nil},
		{"encounter for a reason", `{"resourceType":"Encounter",` + class + `,"reasonCode":[` + with(icd10, "F20") + `]}`, "samarbeid psykisk", nil},
		{"encounter for an unknown reason", `{"resourceType":"Encounter",` + class + `,"reasonCode":[` + snomed + `]}`, "samarbeid uklassifisert", nil},
		{"encounter for an unknown reason, label named", `{"resourceType":"Encounter",` + named + class + `,"reasonCode":[` + snomed + `]}`, "samarbeid bolig", nil},
		{"encounter for an unknown reason and one of rus, label named", `{"resourceType":"Encounter",` + named + class + `,"reasonCode":[` + snomed + `,` + with(icd10, "F11") + `]}`, "samarbeid rus psykisk bolig uklassifisert", nil},
		{"encounter with a code in an extension", `{"resourceType":"Encounter",` + class + `,"extension":[{"url":"urn:x","valueCodeableConcept":` + snomed + `}]}`, "samarbeid uklassifisert", nil},
		{"episode", `{"resourceType":"EpisodeOfCare","status":"active","managingOrganization":{"reference":"Organization/1","display":"Rustad legesenter"}}`, "samarbeid", nil},
		{"episode of TSB", `{"resourceType":"EpisodeOfCare","type":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8655","code":"R11"}]}]}`, "samarbeid rus", nil},
		{"episode with a team whose organisation reveals it", `{"resourceType":"EpisodeOfCare","managingOrganization":{"reference":"Organization/1","display":"Rusteam Sagene"}}`, "samarbeid rus", nil},
		{"appointment", `{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":"Patient/p"},"status":"accepted"}]}`, "samarbeid logistikk", nil},
		{"appointment at a unit whose name reveals it", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"HealthcareService/1","display":"LAR-poliklinikken"},"status":"accepted"}]}`, "samarbeid rus logistikk", nil},
		{"appointment for a service in words", `{"resourceType":"Appointment","serviceType":[{"text":"LAR-samtale"}]}`, "samarbeid rus logistikk uklassifisert", nil},
		{"appointment for a service whose display reveals it", `{"resourceType":"Appointment","serviceType":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9151","code":"1","display":"Avrusning"}]}]}`, "samarbeid rus logistikk", nil},
		{"appointment with a comment", `{"resourceType":"Appointment","comment":"x"}`, "samarbeid logistikk uklassifisert", nil},
		{"appointment with a description", `{"resourceType":"Appointment","description":"x"}`, "samarbeid logistikk uklassifisert", nil},
		{"appointment with an instruction", `{"resourceType":"Appointment","patientInstruction":"x"}`, "samarbeid logistikk uklassifisert", nil},
		{"appointment with a comment, label named", `{"resourceType":"Appointment",` + named + `"comment":"x"}`, "samarbeid bolig logistikk", nil},
		{"flag of a code without system", `{"resourceType":"Flag","code":{"coding":[{"display":"Ruser seg igjen"}]}}`, "samarbeid uklassifisert", nil},
		{"flag of an unknown code", `{"resourceType":"Flag","code":` + snomed + `}`, "samarbeid uklassifisert", nil},
		{"flag of a label", `{"resourceType":"Flag","code":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"voldsrisiko"}]}}`, "samarbeid voldsrisiko", nil},
		{"next of kin", `{"resourceType":"RelatedPerson","name":[{"text":"x"}],"relationship":[{"text":"mor"}]}`, "parorende", nil},
		{"list", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"CarePlan/1"}}]}`, "samarbeid", nil},
		{"list with a title", `{"resourceType":"List","title":"x"}`, "samarbeid uklassifisert", nil},
		{"list whose title reveals it", `{"resourceType":"List",` + named + `"title":"Pasienter i LAR"}`, "samarbeid rus bolig", nil},
		{"list with a note", `{"resourceType":"List","note":[{"text":"x"}]}`, "samarbeid uklassifisert", nil},
		{"list of what is elsewhere", `{"resourceType":"List","entry":[{"item":{"reference":"https://x.no/fhir/Condition/1"}}]}`, "samarbeid uklassifisert", nil},
		{"list of a known code with a title", `{"resourceType":"List","title":"x","code":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"}]}}`, "samarbeid plan", nil},
		{"group", `{"resourceType":"Group","type":"person","actual":true,"name":"x"}`, "samarbeid uklassifisert", nil},
		{"document in words", `{"resourceType":"Composition","title":"x"}`, "samarbeid uklassifisert", nil},
		{"document of a label", `{"resourceType":"Composition",` + named + `"title":"x"}`, "samarbeid bolig", nil},
		{"sections", `{"resourceType":"Composition",` + named + `"title":"x","section":[` +
			`{` + with(inline, "okonomi") + `,"title":"Gjeld","text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}},` +
			`{"code":` + with(icd10, "F11") + `,"entry":[{"reference":"Condition/1"}]},` +
			`{"title":"Avrusning","section":[{"text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}]}]}`,
			"samarbeid bolig", []string{"Composition.section[0] okonomi", "Composition.section[1] rus psykisk bolig", "Composition.section[2] rus bolig"}},
		{"a section in words without a label", `{"resourceType":"Composition","section":[{"text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}},{"code":` + snomed + `,"entry":[{"reference":"Condition/1"}]}]}`,
			"samarbeid", []string{"Composition.section[0] uklassifisert", "Composition.section[1] uklassifisert"}},
	} {
		r, err := fhir.Parse([]byte(c.body))
		if err != nil {
			t.Fatal(c.name, err)
		}
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
		}
		if !slices.Equal(parts, c.parts) {
			t.Errorf("%s: parts %q, want %q", c.name, parts, c.parts)
		}
	}
}

// A List and a Composition take over what they point at, however deep it stands.
func TestPointsOfFurtherTypes(t *testing.T) {
	t.Parallel()
	l, err := consent.NewLabeller(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"resourceType":"List","subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"entry":[{"item":{"reference":"CarePlan/c"}},{"item":{"reference":"Location/l"}},{"item":{"reference":"Patient/q"}}]}`:                                                                                                                                                     "Encounter/e CarePlan/c",
		`{"resourceType":"Composition","encounter":{"reference":"Encounter/e"},"relatesTo":[{"code":"replaces","targetReference":{"reference":"Composition/o"}}],"event":[{"detail":[{"reference":"Condition/d"}]}],"section":[{"focus":{"reference":"Goal/f"},"entry":[{"reference":"Condition/a"}],"section":[{"entry":[{"reference":"Observation/b"},{"reference":"#inside"}]}]}]}`: "Encounter/e Composition/o Condition/d Goal/f Condition/a Observation/b",
	} {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Label(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		var points []string
		for _, p := range got.Points {
			points = append(points, p.String())
		}
		if strings.Join(points, " ") != want {
			t.Errorf("%s: %s, want %s", body, points, want)
		}
	}
}
