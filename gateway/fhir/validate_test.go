package fhir_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// findings gives what Validate finds, "code expression args".
func findings(t testing.TB, body string) []string {
	t.Helper()
	var out []string
	for _, i := range fhir.Validate(parse(t, body)) {
		out = append(out, strings.TrimSpace(i.Code+" "+i.Expression+" "+strings.Join(i.Args, " ")))
	}
	return out
}

// changed gives the CarePlan with one change.
func changed(t testing.TB, from, to string) string {
	t.Helper()
	body := string(carePlan(t))
	if strings.Count(body, from) == 0 {
		t.Fatalf("the CarePlan does not hold %s", from)
	}
	return strings.Replace(body, from, to, 1)
}

// TestPlantedErrors is the acceptance list: twelve faults planted in otherwise valid resources.
func TestPlantedErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"missing status", changed(t, `"status":"active","intent"`, `"intent"`), "validation.cardinality-min CarePlan.status status 1"},
		{"bad code", changed(t, `"status":"active","intent"`, `"status":"aktiv","intent"`), "validation.binding CarePlan.status request-status"},
		{"unknown element", changed(t, `"intent":"plan"`, `"intent":"plan","intend":"plan"`), "validation.unknown-element CarePlan.intend intend CarePlan"},
		{"bad date", changed(t, `"created":"2026-09-01"`, `"created":"2026-02-30"`), "validation.format CarePlan.created dateTime"},
		{"contained not referenced", changed(t, `"goal":[{"reference":"#g1"}]`, `"goal":[{"reference":"Goal/g1"}]`), "validation.contained-unreferenced CarePlan.contained[0]"},
		{"wrong reference target", changed(t, `"subject":{"reference":"Patient/kari"},"period"`, `"subject":{"reference":"Practitioner/kari"},"period"`), "validation.reference-target CarePlan.subject.reference Practitioner Patient, Group"},
		{"string for a Reference", changed(t, `"subject":{"reference":"Patient/kari"},"period"`, `"subject":"Patient/kari","period"`), "validation.type CarePlan.subject Reference string"},
		{"array as object", changed(t, `"careTeam":[{"reference":"CareTeam/ansvarsgruppe"}]`, `"careTeam":{"reference":"CareTeam/ansvarsgruppe"}`), "validation.array-expected CarePlan.careTeam careTeam"},
		{"empty array", changed(t, `"careTeam":[{"reference":"CareTeam/ansvarsgruppe"}]`, `"careTeam":[]`), "validation.empty CarePlan.careTeam"},
		{"two choices", changed(t, `"scheduledTiming":`, `"scheduledString":"ukentlig","scheduledTiming":`), "validation.choice CarePlan.activity[0].detail.scheduledTiming scheduled[x]"},
		{"pat-1", `{"resourceType":"Patient","contact":[{"gender":"female"}]}`, "validation.invariant Patient.contact[0] pat-1"},
		{"qrs-1", `{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","answer":[{"valueBoolean":true}],"item":[{"linkId":"1.1"}]}]}`, "validation.invariant QuestionnaireResponse.item[0] qrs-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := findings(t, c.body); !slices.Equal(got, []string{c.want}) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestValidateFinds(t *testing.T) {
	t.Parallel()
	obs := func(rest string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"}` + rest + `}`
	}
	pat := func(rest string) string { return `{"resourceType":"Patient"` + rest + `}` }
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"valid", string(carePlan(t)), nil},
		{"unknown type", `{"resourceType":"Patients"}`, []string{"validation.unknown-type Patients.resourceType"}},
		{"abstract type", `{"resourceType":"DomainResource"}`, []string{"validation.unknown-type DomainResource.resourceType"}},
		{"data type as resource", `{"resourceType":"HumanName"}`, []string{"validation.unknown-type HumanName.resourceType"}},
		{"case of a name", pat(`,"Active":true`), []string{"validation.unknown-element Patient.Active Active Patient"}},
		{"array for one", pat(`,"gender":["male"]`), []string{"validation.array-unexpected Patient.gender gender"}},
		{"number for string", pat(`,"gender":1`), []string{"validation.type Patient.gender code number"}},
		{"string for number", obs(`,"valueInteger":"1"`), []string{"validation.type Observation.valueInteger integer string"}},
		{"string for boolean", pat(`,"active":"true"`), []string{"validation.type Patient.active boolean string"}},
		{"object for string", pat(`,"birthDate":{"value":"2000"}`), []string{"validation.type Patient.birthDate date object"}},
		{"array in array", pat(`,"name":[[{"text":"a"}]]`), []string{"validation.type Patient.name[0] HumanName array"}},
		{"empty string", pat(`,"language":""`), []string{"validation.empty Patient.language"}},
		{"empty object", pat(`,"maritalStatus":{}`), []string{"validation.empty Patient.maritalStatus"}},
		{"only an id", pat(`,"maritalStatus":{"id":"a"}`), []string{"validation.empty Patient.maritalStatus"}},
		{"choice of a wrong type", obs(`,"valueAddress":{"text":"a"}`), []string{"validation.unknown-element Observation.valueAddress valueAddress Observation"}},
		{"choice without type", obs(`,"value":1`), []string{"validation.unknown-element Observation.value value Observation"}},
		{"choice by sibling", obs(`,"valueInteger":1,"_valueString":{"extension":[{"url":"a","valueCode":"b"}]}`), []string{"validation.choice Observation.valueString value[x]"}},
		{"sibling of the same choice", obs(`,"valueInteger":1,"_valueInteger":{"id":"a"}`), []string{"validation.empty Observation.valueInteger"}},
		{"sibling with an extension", obs(`,"valueInteger":1,"_valueInteger":{"extension":[{"url":"a","valueCode":"b"}]}`), nil},
		{"sibling satisfies a minimum", `{"resourceType":"Observation","_status":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]},"code":{"text":"x"}}`, nil},
		{"sibling of no primitive", pat(`,"_name":[{"id":"a","extension":[{"url":"a","valueCode":"b"}]}]`), []string{"validation.unknown-element Patient.name name Patient"}},
		{"sibling with a value", pat(`,"_gender":{"value":"male"}`), []string{"validation.unknown-element Patient.gender.value value Element"}},
		{"padding", pat(`,"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"a","valueCode":"b"}]}]}]`), nil},
		{"null in both", pat(`,"name":[{"given":["a",null],"_given":[{"extension":[{"url":"a","valueCode":"b"}]},null]}]`), []string{"validation.padding Patient.name[0].given[1] given", "validation.padding Patient.name[0].given[1] given"}},
		{"null without sibling", pat(`,"name":[{"given":["a",null]}]`), []string{"validation.padding Patient.name[0].given[1] given"}},
		{"null in an array of objects", pat(`,"name":[null]`), []string{"validation.padding Patient.name[0] name"}},
		{"unequal length", pat(`,"name":[{"given":["a"],"_given":[null,{"extension":[{"url":"a","valueCode":"b"}]}]}]`), []string{"validation.padding Patient.name[0].given given"}},
		{"required Coding of another system", `{"resourceType":"Condition","subject":{"reference":"Patient/a"},"clinicalStatus":{"coding":[{"system":"http://x","code":"active"}]}}`, []string{"validation.binding Condition.clinicalStatus condition-clinical"}},
		{"required concept as text only", `{"resourceType":"Condition","subject":{"reference":"Patient/a"},"clinicalStatus":{"text":"aktiv"}}`, []string{"validation.binding Condition.clinicalStatus condition-clinical"}},
		{"required concept with a second coding", `{"resourceType":"Condition","subject":{"reference":"Patient/a"},"clinicalStatus":{"coding":[{"system":"http://x","code":"y"},{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}`, nil},
		{"extension without url", pat(`,"extension":[{"valueCode":"a"}]`), []string{"validation.cardinality-min Patient.extension[0].url url 1"}},
		{"extension without value", pat(`,"extension":[{"url":"a"}]`), []string{"validation.extension-value Patient.extension[0]"}},
		{"extension with both", pat(`,"extension":[{"url":"a","valueCode":"b","extension":[{"url":"c","valueCode":"d"}]}]`), []string{"validation.extension-value Patient.extension[0]"}},
		{"extension with two values", pat(`,"extension":[{"url":"a","valueCode":"b","valueString":"c"}]`), []string{"validation.choice Patient.extension[0].valueString value[x]"}},
		{"sibling of an extension's url", pat(`,"extension":[{"url":"a","_url":{"id":"a"},"valueCode":"b"}]`), []string{"validation.unknown-element Patient.extension[0].url url Extension"}},
		{"comparator in a SimpleQuantity", obs(`,"referenceRange":[{"low":{"value":1,"comparator":"<"}}]`), []string{"validation.cardinality-max Observation.referenceRange[0].low.comparator comparator 0"}},
		{"malformed reference", obs(`,"subject":{"reference":"Patient"}`), []string{"reference.format Observation.subject.reference"}},
		{"conditional reference", obs(`,"subject":{"reference":"Patient?identifier=a|b"}`), []string{"reference.format Observation.subject.reference"}},
		{"reference to an unknown type", obs(`,"subject":{"reference":"Person2/a"}`), []string{"reference.format Observation.subject.reference"}},
		{"reference to no type of R4", obs(`,"focus":[{"reference":"Patients/a"}]`), []string{"validation.unknown-type Observation.focus[0].reference"}},
		{"absolute reference of a wrong type", obs(`,"subject":{"reference":"https://x.no/fhir/Practitioner/a"}`), []string{"validation.reference-target Observation.subject.reference Practitioner Patient, Group, Device, Location"}},
		{"absolute reference", obs(`,"subject":{"reference":"https://x.no/fhir/Patient/a/_history/2"}`), nil},
		{"urn", obs(`,"subject":{"reference":"urn:uuid:0b2d7c7e-5f0b-4c7c-9b7d-7d2f3a1c9e10"}`), nil},
		{"fragment that is missing", obs(`,"subject":{"reference":"#p"}`), []string{"validation.contained-missing Observation.subject.reference"}},
		{"fragment of a wrong type", obs(`,"contained":[{"resourceType":"Practitioner","id":"p"}],"subject":{"reference":"#p"}`), []string{"validation.reference-target Observation.subject.reference Practitioner Patient, Group, Device, Location"}},
		{"contained in contained", obs(`,"contained":[{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Patient","id":"q"}]}],"subject":{"reference":"#p"}`), []string{"validation.contained Observation.contained[0].contained contained"}},
		{"contained with version", obs(`,"contained":[{"resourceType":"Patient","id":"p","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z","security":[{"code":"R"}]}}],"subject":{"reference":"#p"}`), []string{"validation.contained Observation.contained[0].meta.versionId meta.versionId", "validation.contained Observation.contained[0].meta.lastUpdated meta.lastUpdated", "validation.contained Observation.contained[0].meta.security meta.security"}},
		{"contained without id", obs(`,"contained":[{"resourceType":"Patient"}]`), []string{"validation.cardinality-min Observation.contained[0].id id 1"}},
		{"contained twice", obs(`,"contained":[{"resourceType":"Patient","id":"p"},{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}`), []string{"validation.contained Observation.contained[1].id id ×2"}},
		{"contained that points back", obs(`,"contained":[{"resourceType":"Provenance","id":"p","target":[{"reference":"#"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"reference":"Practitioner/a"}}]}]`), nil},
		{"contained of an unknown type", obs(`,"contained":[{"resourceType":"Secret","id":"p"}]`), []string{"validation.unknown-type Observation.contained[0].resourceType", "validation.contained-unreferenced Observation.contained[0]"}},
		{"contained without type", obs(`,"contained":[{"id":"p"}],"subject":{"reference":"#p"}`), []string{"validation.cardinality-min Observation.contained[0].resourceType resourceType 1", "validation.reference-target Observation.subject.reference ? Patient, Group, Device, Location"}},
		{"script in the narrative", pat(`,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>alert(1)</script>a</div>"}`), []string{"validation.narrative Patient.text.div"}},
		{"resource in a Bundle", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":"x"}}]}`, []string{"validation.binding Bundle.entry[0].resource.gender administrative-gender"}},
		{"content reference", `{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"1","type":"group","item":[{"linkId":"2","type":"strin"}]}]}`, []string{"validation.binding Questionnaire.item[0].item[0].type item-type"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := findings(t, c.body); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestValidatePosition(t *testing.T) {
	t.Parallel()
	issues := fhir.Validate(parse(t, "{\"resourceType\":\"Patient\",\n \"birthDate\" : \"ø\",\n \"name\":[{\"family\":\"Å\",\"use\":\"x\"}]}"))
	if len(issues) != 2 || issues[0].Line != 2 || issues[0].Col != 16 || issues[1].Line != 3 || issues[1].Col != 30 || issues[1].Severity != "error" {
		t.Errorf("%+v", issues)
	}
}

func TestValidateStopsAtMany(t *testing.T) {
	t.Parallel()
	issues := fhir.Validate(parse(t, `{"resourceType":"Patient","name":[`+strings.Repeat(`{"use":"x"},`, 500)+`{"use":"x"}]}`))
	if len(issues) != 100 || issues[99].Code != fhir.CodeTooMany {
		t.Errorf("%d issues", len(issues))
	}
}

func TestPrimitiveForms(t *testing.T) {
	t.Parallel()
	for typ, values := range map[string]struct{ good, bad []string }{
		"Base64Binary": {[]string{`"QQ=="`, `"QUJD"`, `"QUJD QQ=="`}, []string{`"QQ="`, `"QQ=A"`, `"Q-=="`, `" "`}},
		"Boolean":      {[]string{`true`, `false`}, []string{`"true"`, `1`}},
		"Code":         {[]string{`"a"`, `"a b"`}, []string{`" a"`, `"a "`, `"a  b"`, `" "`}},
		"Date":         {[]string{`"2026"`, `"2026-02"`, `"2024-02-29"`}, []string{`"2026-2"`, `"2026-13"`, `"2026-02-29"`, `"26"`, `"2026-01-01T00:00:00Z"`, `"0000"`, `"2026-00"`, `"2026-01-00"`}},
		"DateTime":     {[]string{`"2026"`, `"2026-01-01T23:59:59Z"`, `"2026-01-01T23:59:60.123+14:00"`}, []string{`"2026-01-01T10:00:00"`, `"2026-01-01T10:00Z"`, `"2026-01-01T24:00:00Z"`, `"2026-01-01 10:00:00Z"`, `"2026-01-01T10:00:00+14:30"`, `"2026-01-01T10:00:00.Z"`, `"2026-01-01T10:00:00z"`}},
		"Decimal":      {[]string{`1`, `-1.10`, `1.0e-7`, `0.00`}, []string{`"1"`}},
		"Id":           {[]string{`"a-1.B"`}, []string{`"a_1"`, `"` + strings.Repeat("a", 65) + `"`, `"ø"`}},
		"Instant":      {[]string{`"2026-01-01T10:00:00.000+01:00"`}, []string{`"2026-01-01"`, `"2026"`, `"2026-01-01T10:00:00"`}},
		"Integer":      {[]string{`0`, `-1`, `2147483647`}, []string{`1.0`, `-0`, `2147483648`, `1e3`}},
		"Oid":          {[]string{`"urn:oid:2.16.578"`}, []string{`"2.16"`, `"urn:oid:3.1"`, `"urn:oid:2.01"`, `"urn:oid:2."`}},
		"PositiveInt":  {[]string{`1`}, []string{`0`, `-1`}},
		"String":       {[]string{`"a"`, `"a\nb"`}, []string{`1`, `true`}},
		"Time":         {[]string{`"23:59:59"`, `"10:00:00.5"`}, []string{`"24:00:00"`, `"10:00"`, `"10:00:00Z"`, `"10:00:00."`}},
		"UnsignedInt":  {[]string{`0`, `7`}, []string{`-1`, `1.5`}},
		"Uri":          {[]string{`"http://x"`, `"a"`}, []string{`"a b"`, `"\n"`}},
		"Uuid":         {[]string{`"urn:uuid:0b2d7c7e-5f0b-4c7c-9b7d-7d2f3a1c9e10"`}, []string{`"urn:uuid:0B2D7C7E-5f0b-4c7c-9b7d-7d2f3a1c9e10"`, `"0b2d7c7e-5f0b-4c7c-9b7d-7d2f3a1c9e10"`, `"urn:uuid:0b2d7c7e"`}},
	} {
		for _, v := range values.good {
			if got := findings(t, `{"resourceType":"Basic","code":{"text":"a"},"extension":[{"url":"a","value`+typ+`":`+v+`}]}`); got != nil {
				t.Errorf("%s %s: %q", typ, v, got)
			}
		}
		for _, v := range values.bad {
			if got := findings(t, `{"resourceType":"Basic","code":{"text":"a"},"extension":[{"url":"a","value`+typ+`":`+v+`}]}`); len(got) != 1 {
				t.Errorf("%s %s: %q", typ, v, got)
			}
		}
	}
}

func TestNarrative(t *testing.T) {
	t.Parallel()
	const open = `<div xmlns=\"http://www.w3.org/1999/xhtml\">`
	for div, good := range map[string]bool{
		open + `a</div>`: true,
		open + `<p>a &lt; b &#248; &aelig;</p><br/><img src='#a' alt=\"b\"/></div>`: true,
		open + `<!-- a --><table><tr><td colspan=\"2\">1</td></tr></table></div>`:   true,
		open + `<a href=\"https://x.no/?a=b&amp;c\">a</a></div>`:                    true,
		open + ` </div>`: false, open + `<p></p></div>`: false, open + `<p>a</div>`: false, open + `a`: false,
		open + `a</div>b`: false, open + `a</div><div>b</div>`: false, `a`: false, `<p>a</p>`: false,
		open + `<iframe src=\"a\"/>a</div>`: false, open + `<p onclick=\"a\">a</p></div>`: false, open + `<SCRIPT>a</SCRIPT></div>`: false,
		open + `<a href=\"javascript:a\">a</a></div>`: false, open + `<a href=\" JaVa\tscript:a\">a</a></div>`: false, open + `<a href=\"&#106;avascript:a\">a</a></div>`: false,
		open + `<a href=\"data:text/html,a\">a</a></div>`: false, open + `a & b</div>`: false, open + `<p class=a>a</p></div>`: false,
		open + `<form>a</form></div>`: false, open + `<p <b>a</p></div>`: false, open + `<![CDATA[a]]></div>`: false, open + `<?php a?>a</div>`: false,
		open + `<!DOCTYPE a>a</div>`: false, open + `<style>a</style></div>`: false,
	} {
		got := findings(t, `{"resourceType":"Patient","text":{"status":"generated","div":"`+div+`"}}`)
		if (got == nil) != good {
			t.Errorf("%s: %q", div, got)
		}
	}
}
