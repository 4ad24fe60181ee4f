package fhir_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// definition makes a profile of a type from the elements of its differential.
func definition(t testing.TB, typ, elements string) *fhir.Resource {
	t.Helper()
	return parse(t, `{"resourceType":"StructureDefinition","url":"http://example.no/p","name":"P","type":"`+typ+`","differential":{"element":[`+elements+`]}}`)
}

// TestOverlay goes through what an overlay can ask, one thing at a time.
func TestOverlay(t *testing.T) {
	t.Parallel()
	slicing := func(path, rules string) string {
		return `{"id":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"` + path + `"}],"rules":"` + rules + `"}},`
	}
	const slice = `{"id":"Patient.identifier:A","sliceName":"A","min":1,"max":"1"},{"id":"Patient.identifier:A.system","fixedUri":"a"},{"id":"Patient.identifier:A.value","min":1}`
	for _, c := range []struct {
		name, typ, elements, body string
		want                      []string
	}{
		{"minimum", "Patient", `{"id":"Patient.name","min":2}`, `"name":[{"text":"a"}]`, []string{"profile.min Patient.name"}},
		{"minimum met by a sibling", "Patient", `{"id":"Patient.birthDate","min":1}`, `"_birthDate":{"extension":[{"url":"a","valueCode":"b"}]}`, nil},
		{"minimum met by padding", "Patient", `{"id":"Patient.name.given","min":2}`, `"name":[{"given":["a",null],"_given":[null,{"id":"x"}]}]`, nil},
		{"minimum inside what is absent", "Patient", `{"id":"Patient.contact.name","min":1}`, `"active":true`, nil},
		{"minimum inside each", "Patient", `{"id":"Patient.contact.name","min":1}`, `"contact":[{"name":{"text":"a"}},{"gender":"male"}]`, []string{"profile.min Patient.contact[1].name"}},
		{"maximum", "Patient", `{"id":"Patient.name","max":"1"}`, `"name":[{"text":"a"},{"text":"b"}]`, []string{"profile.max Patient.name"}},
		{"prohibited", "Patient", `{"id":"Patient.active","max":"0"}`, `"active":true`, []string{"profile.max Patient.active"}},
		{"prohibited choice", "Patient", `{"id":"Patient.deceased[x]","max":"0"}`, `"deceasedBoolean":true`, []string{"profile.max Patient.deceasedBoolean"}},
		{"narrowed choice", "Patient", `{"id":"Patient.deceased[x]","type":[{"code":"dateTime"}]}`, `"deceasedBoolean":true`, []string{"profile.type Patient.deceasedBoolean"}},
		{"choice as narrowed", "Patient", `{"id":"Patient.deceased[x]","type":[{"code":"dateTime"}]}`, `"deceasedDateTime":"2026"`, nil},
		{"fixed", "Patient", `{"id":"Patient.gender","fixedCode":"male"}`, `"gender":"female"`, []string{"profile.fixed Patient.gender"}},
		{"fixed object with more", "Patient", `{"id":"Patient.maritalStatus","fixedCodeableConcept":{"text":"a"}}`, `"maritalStatus":{"text":"a","id":"x"}`, []string{"profile.fixed Patient.maritalStatus"}},
		{"pattern with more", "Patient", `{"id":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"code":"M"}]}}`, `"maritalStatus":{"text":"a","coding":[{"code":"S"},{"system":"s","code":"M"}]}`, nil},
		{"pattern with less", "Patient", `{"id":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"system":"s","code":"M"}]}}`, `"maritalStatus":{"coding":[{"code":"M"},{"system":"s"}]}`, []string{"profile.pattern Patient.maritalStatus"}},
		{"decimals are equal by value", "Observation", `{"id":"Observation.value[x]","patternQuantity":{"value":1.50}}`, `"valueQuantity":{"value":1.5}`, nil},
		{"fixed and absent", "Patient", `{"id":"Patient.gender","fixedCode":"male"}`, `"active":true`, nil},
		{"binding", "Patient", `{"id":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://sluse.no/fhir/ValueSet/sone"}}`, `"maritalStatus":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sone","code":"rosa"}]}`, []string{"profile.binding Patient.maritalStatus"}},
		{"binding, another strength", "Patient", `{"id":"Patient.maritalStatus","binding":{"strength":"preferred","valueSet":"http://x"}}`, `"maritalStatus":{"text":"a"}`, nil},
		{"binding of R4", "Patient", `{"id":"Patient.language","binding":{"strength":"required","valueSet":"http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1"}}`, `"language":"nb"`, []string{"profile.binding Patient.language"}},
		{"target", "Patient", `{"id":"Patient.generalPractitioner","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]}`, `"generalPractitioner":[{"reference":"Practitioner/a"},{"reference":"Organization/a"},{"identifier":{"value":"a"}},{"reference":"https://x.no/fhir/Organization/a"},{"type":"Organization","identifier":{"value":"a"}}]`,
			[]string{"profile.reference-target Patient.generalPractitioner[1].reference", "profile.reference-target Patient.generalPractitioner[3].reference", "profile.reference-target Patient.generalPractitioner[4]"}},
		{"contained target", "Patient", `{"id":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]}`, `"contained":[{"resourceType":"Organization","id":"o","name":"a"}],"managingOrganization":{"reference":"#o"}`, []string{"profile.reference-target Patient.managingOrganization.reference"}},
		{"slice missing", "Patient", slicing("system", "open") + slice, `"identifier":[{"system":"b","value":"1"}]`, []string{"profile.slice-min Patient.identifier"}},
		{"slice twice", "Patient", slicing("system", "open") + slice, `"identifier":[{"system":"a","value":"1"},{"system":"b"},{"system":"a","value":"2"}]`, []string{"profile.slice-max Patient.identifier[2]"}},
		{"slice incomplete", "Patient", slicing("system", "open") + slice, `"identifier":[{"system":"a"}]`, []string{"profile.min Patient.identifier[0].value"}},
		{"open slicing", "Patient", slicing("system", "open") + slice, `"identifier":[{"system":"b"},{"system":"a","value":"1"}]`, nil},
		{"closed slicing", "Patient", slicing("system", "closed") + slice, `"identifier":[{"system":"b"},{"system":"a","value":"1"}]`, []string{"profile.slice-closed Patient.identifier[0]"}},
		{"slice by a path through a list", "Patient", slicing("type.coding.code", "open") + `{"id":"Patient.identifier:A","min":1,"max":"1"},{"id":"Patient.identifier:A.type.coding.code","fixedCode":"X"},{"id":"Patient.identifier:A.period","min":1}`, `"identifier":[{"type":{"coding":[{"code":"Y"},{"code":"X"}]}}]`, []string{"profile.fixed Patient.identifier[0].type.coding[0].code", "profile.min Patient.identifier[0].period"}},
		{"slice by the value itself", "Patient", `{"id":"Patient.communication.language","slicing":{"discriminator":[{"type":"value","path":"$this"}],"rules":"open"}},{"id":"Patient.communication.language:nb","patternCodeableConcept":{"coding":[{"code":"nb"}]}},{"id":"Patient.communication.language:nb.text","min":1}`,
			`"communication":[{"language":{"coding":[{"code":"nb"}]}},{"language":{"coding":[{"code":"en"}]}}]`, []string{"profile.min Patient.communication[0].language.text"}},
		{"extension of a primitive", "Patient", `{"id":"Patient.birthDate.extension","min":1}`, `"birthDate":"2000"`, []string{"profile.min Patient.birthDate.extension"}},
		{"data type profile", "Patient", `{"id":"Patient.address","type":[{"code":"Address","profile":["http://hl7.no/fhir/StructureDefinition/no-basis-Address"]}]}`, `"address":[{"postalCode":"12"}]`, []string{"validation.invariant Patient.address[0]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, i := range fhir.HoldTo(definition(t, c.typ, c.elements), parse(t, `{"resourceType":"`+c.typ+`",`+c.body+`}`)) {
				got = append(got, i.Code+" "+i.Expression)
				if text := i.Text("nb"); strings.Contains(text, "{") || text == i.Code {
					t.Errorf("%s: %q", i.Code, text)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// TestDefinitionsThatCannotBeHeld: a profile that says what the overlay does not do is not read as one that
// says nothing.
func TestDefinitionsThatCannotBeHeld(t *testing.T) {
	t.Parallel()
	for _, elements := range []string{
		`{"id":"Patient.name.text","maxLength":5}`, `{"id":"Patient.multipleBirth[x]","minValueInteger":1}`, `{"id":"Task.status"}`,
		`{"id":"Patient.name","constraint":[{"key":"none-1"}]}`, `{"id":"Patient.gender","binding":{"strength":"required","valueSet":"http://x"}}`,
		`{"id":"Patient.name","slicing":{"discriminator":[{"type":"profile","path":"resolve()"}]}}`, `{"id":"Patient.name:A"}`,
		`{"id":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}]}},{"id":"Patient.name:A.text","min":1}`,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is read", elements)
				}
			}()
			fhir.HoldTo(definition(t, "Patient", elements), parse(t, `{"resourceType":"Patient","active":true}`))
		}()
	}
}
