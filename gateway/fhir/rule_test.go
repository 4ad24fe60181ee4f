package fhir_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// broken holds, per invariant, a resource that breaks it and nothing else.
var broken = func() map[string]string {
	ext := func(value string) string {
		return `{"resourceType":"Basic","code":{"text":"a"},"extension":[{"url":"a",` + value + `}]}`
	}
	timing := func(repeat string) string { return ext(`"valueTiming":{"repeat":{` + repeat + `}}`) }
	obs := func(rest string) string {
		return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"c"}]},` + rest + `}`
	}
	condition := func(rest string) string {
		return `{"resourceType":"Condition","subject":{"reference":"Patient/a"},` + rest + `}`
	}
	clinical := func(code string) string {
		return `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"` + code + `"}]}`
	}
	list := func(mode, rest, entry string) string {
		return `{"resourceType":"List","status":"current","mode":"` + mode + `","entry":[{` + entry + `}]` + rest + `}`
	}
	appointment := func(status, rest string) string {
		return `{"resourceType":"Appointment","status":"` + status + `","participant":[{"status":"accepted","actor":{"reference":"Patient/a"}}]` + rest + `}`
	}
	question := func(item string) string {
		return `{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"1",` + item + `}]}`
	}
	bundle := func(kind, rest string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `"` + rest + `}`
	}
	capability := func(kind, rest string) string {
		return `{"resourceType":"CapabilityStatement","status":"active","date":"2026","fhirVersion":"4.0.1","format":["json"],"kind":"` + kind + `"` + rest + `}`
	}
	const rest = `,"rest":[{"mode":"server"}]`
	const named = `,"implementation":{"description":"a"}`
	const patient = `{"resource":{"resourceType":"Patient","id":"a"}`
	data := func(filter string) string {
		return `{"resourceType":"Library","status":"active","type":{"text":"a"},"dataRequirement":[{"type":"Patient",` + filter + `}]}`
	}
	trigger := func(t string) string {
		return `{"resourceType":"PlanDefinition","status":"active","action":[{"trigger":[{` + t + `}]}]}`
	}
	return map[string]string{
		"ext-1": `{"resourceType":"Basic","code":{"text":"a"},"extension":[{"url":"a"}]}`,
		"age-1": ext(`"valueAge":{"value":0,"system":"http://unitsofmeasure.org","code":"a"}`),
		"cnt-3": ext(`"valueCount":{"value":1.5,"system":"http://unitsofmeasure.org","code":"1"}`),
		"dis-1": ext(`"valueDistance":{"value":1,"system":"http://x","code":"km"}`),
		"drt-1": ext(`"valueDuration":{"system":"http://unitsofmeasure.org","code":"h"}`),
		"qty-3": obs(`"valueQuantity":{"value":1,"code":"kg"}`),
		"rng-2": obs(`"valueRange":{"low":{"value":2},"high":{"value":1.9}}`),
		"rat-1": obs(`"valueRatio":{"numerator":{"value":1}}`),
		"per-1": obs(`"effectivePeriod":{"start":"2026-02","end":"2026-01-31"}`),
		"att-1": `{"resourceType":"Patient","photo":[{"data":"QQ=="}]}`,
		"cpt-2": `{"resourceType":"Patient","telecom":[{"value":"1"}]}`,
		"exp-1": ext(`"valueExpression":{"language":"text/fhirpath"}`),
		"drq-1": data(`"codeFilter":[{"path":"a","searchParam":"b"}]`),
		"drq-2": data(`"dateFilter":[{"path":"a","searchParam":"b","valueDateTime":"2026"}]`),
		"trd-1": trigger(`"type":"data-added","data":[{"type":"Patient"}],"timingDate":"2026"`),
		"trd-2": trigger(`"type":"named-event","name":"a","condition":{"language":"text/fhirpath","expression":"true"}`),
		"trd-3": trigger(`"type":"named-event"`),
		"tim-1": timing(`"duration":1`), "tim-2": timing(`"period":1`),
		"tim-4": timing(`"duration":-0.1,"durationUnit":"h"`), "tim-5": timing(`"period":-1,"periodUnit":"h"`),
		"tim-6": timing(`"periodMax":1`), "tim-7": timing(`"durationMax":1`), "tim-8": timing(`"countMax":2`),
		"tim-9": timing(`"offset":5,"when":["C"]`), "tim-10": timing(`"timeOfDay":["10:00:00"],"when":["HS"]`),

		"pat-1": `{"resourceType":"Patient","contact":[{"gender":"female"}]}`,
		"org-1": `{"resourceType":"Organization","active":true}`,
		"org-2": `{"resourceType":"Organization","name":"a","address":[{"use":"home"}]}`,
		"org-3": `{"resourceType":"Organization","name":"a","telecom":[{"use":"home"}]}`,
		"cpl-3": `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/a"},"activity":[{"reference":{"reference":"Task/a"},"detail":{"status":"in-progress"}}]}`,
		"ctm-1": `{"resourceType":"CareTeam","participant":[{"member":{"reference":"Patient/a"},"onBehalfOf":{"reference":"Organization/a"}}]}`,
		"gol-1": `{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"a"},"subject":{"reference":"Patient/a"},"target":[{"detailString":"a"}]}`,
		"ppc-1": `{"resourceType":"Consent","status":"active","scope":{"text":"a"},"category":[{"text":"a"}]}`,
		"ppc-2": scopeless("patient-privacy"), "ppc-3": scopeless("research"), "ppc-4": scopeless("adr"), "ppc-5": scopeless("treatment"),
		"prr-1": `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/a"},"orderDetail":[{"text":"a"}]}`,
		"con-1": condition(clinical("active") + `,"stage":[{"type":{"text":"a"}}]`),
		"con-2": condition(clinical("active") + `,"evidence":[{"extension":[{"url":"a","valueCode":"b"}]}]`),
		"con-4": condition(clinical("active") + `,"abatementString":"a"`),
		"con-5": condition(clinical("active") + `,"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]}`),
		"ait-1": `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"}}`,
		"ait-2": `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},` +
			`"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"entered-in-error"}]}}`,
		"obs-3":                      obs(`"referenceRange":[{"type":{"text":"a"}}]`),
		"obs-6":                      obs(`"dataAbsentReason":{"text":"a"},"valueInteger":1`),
		"obs-7":                      obs(`"valueInteger":1,"component":[{"code":{"coding":[{"system":"s","code":"c"}]},"valueInteger":1}]`),
		"sev-1":                      `{"resourceType":"AuditEvent","type":{"code":"rest"},"recorded":"2026-01-01T00:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"a"}},"entity":[{"name":"a","query":"QQ=="}]}`,
		"grp-1":                      `{"resourceType":"Group","type":"person","actual":false,"member":[{"entity":{"reference":"Patient/a"}}]}`,
		"cmp-1":                      `{"resourceType":"Composition","status":"final","type":{"text":"a"},"date":"2026","author":[{"display":"a"}],"title":"a","section":[{"title":"a"}]}`,
		"cmp-2":                      `{"resourceType":"Composition","status":"final","type":{"text":"a"},"date":"2026","author":[{"display":"a"}],"title":"a","section":[{"entry":[{"display":"a"}],"emptyReason":{"text":"a"}}]}`,
		"lst-1":                      list("working", `,"emptyReason":{"text":"a"}`, `"item":{"display":"a"}`),
		"lst-2":                      list("working", ``, `"item":{"display":"a"},"deleted":true`),
		"lst-3":                      list("changes", ``, `"item":{"display":"a"},"date":"2026"`),
		"app-1":                      `{"resourceType":"Appointment","status":"proposed","participant":[{"status":"accepted"}]}`,
		"app-2":                      appointment("proposed", `,"start":"2026-01-01T00:00:00Z"`),
		"app-3":                      appointment("booked", ``),
		"app-4":                      appointment("proposed", `,"cancelationReason":{"text":"a"}`),
		"Parameters.parameter/inv-1": `{"resourceType":"Parameters","parameter":[{"name":"a","valueCode":"b","part":[{"name":"c","valueCode":"d"}]}]}`,
		"Task/inv-1":                 `{"resourceType":"Task","status":"draft","intent":"order","authoredOn":"2026-02-01","lastModified":"2026-01"}`,

		"que-1": question(`"type":"group"`), "que-2": `{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"1","type":"group","item":[{"linkId":"1","type":"string"}]}]}`,
		"que-3": question(`"type":"display","code":[{"code":"a"}]`), "que-4": question(`"type":"choice","answerOption":[{"valueString":"a"}],"answerValueSet":"http://x"`),
		"que-5": question(`"type":"text","answerOption":[{"valueString":"a"}]`), "que-6": question(`"type":"display","required":true`),
		"que-7": question(`"type":"string","enableWhen":[{"question":"1","operator":"exists","answerString":"a"}]`),
		"que-8": question(`"type":"group","initial":[{"valueString":"a"}],"item":[{"linkId":"2","type":"string"}]`), "que-9": question(`"type":"display","readOnly":true`),
		"que-10": question(`"type":"date","maxLength":5`), "que-11": question(`"type":"choice","answerOption":[{"valueString":"a"}],"initial":[{"valueString":"a"}]`),
		"que-12": question(`"type":"string","enableWhen":[` + strings.Repeat(`{"question":"1","operator":"=","answerString":"a"},`, 2) + `{"question":"1","operator":"=","answerString":"a"}]`),
		"que-13": question(`"type":"string","initial":[{"valueString":"a"},{"valueString":"b"}]`),
		"qrs-1":  `{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","answer":[{"valueBoolean":true}],"item":[{"linkId":"1.1"}]}]}`,

		"bdl-1": bundle("collection", `,"total":1`), "bdl-2": bundle("collection", `,"entry":[`+patient+`,"search":{"mode":"match"}}]`),
		"bdl-3": bundle("transaction", `,"entry":[`+patient+`}]`), "bdl-4": bundle("collection", `,"entry":[`+patient+`,"response":{"status":"200"}}]`),
		"bdl-5": bundle("collection", `,"entry":[{"fullUrl":"http://x/a"}]`), "bdl-7": bundle("collection", `,"entry":[{"fullUrl":"http://x/Patient/a","resource":{"resourceType":"Patient","id":"a"}},{"fullUrl":"http://x/Patient/a","resource":{"resourceType":"Patient","id":"a"}}]`),
		"bdl-8":  bundle("collection", `,"entry":[{"fullUrl":"http://x/Patient/a/_history/1","resource":{"resourceType":"Patient","id":"a"}}]`),
		"bdl-9":  bundle("document", `,"timestamp":"2026-01-01T00:00:00Z","entry":[{"resource":`+composition+`}]`),
		"bdl-10": bundle("document", `,"identifier":{"system":"a","value":"b"},"entry":[{"resource":`+composition+`}]`),
		"bdl-11": bundle("document", `,"identifier":{"system":"a","value":"b"},"timestamp":"2026-01-01T00:00:00Z","entry":[`+patient+`}]`),
		"bdl-12": bundle("message", `,"entry":[`+patient+`}]`),
		"cpb-1":  capability("instance", named), "cpb-2": capability("requirements", rest),
		"cpb-3":  capability("requirements", `,"description":"a","messaging":[{"endpoint":[{"protocol":{"code":"http"},"address":"http://x"}]}]`),
		"cpb-7":  capability("instance", named+`,"document":[{"mode":"producer","profile":"http://x"},{"mode":"producer","profile":"http://x"}]`),
		"cpb-9":  capability("instance", named+`,"rest":[{"mode":"server","resource":[{"type":"Patient"},{"type":"Patient"}]}]`),
		"cpb-12": capability("instance", named+`,"rest":[{"mode":"server","resource":[{"type":"Patient","searchParam":[{"name":"a","type":"date"},{"name":"a","type":"date"}]}]}]`),
		"cpb-14": capability("instance", rest+`,"description":"a"`), "cpb-15": capability("capability", rest+`,"description":"a"`),
		"cpb-16": capability("requirements", rest+`,"software":{"name":"a"}`),
	}
}()

const composition = `{"resourceType":"Composition","id":"c","status":"final","type":{"text":"a"},"date":"2026","author":[{"display":"a"}],"title":"a"}`

func scopeless(code string) string {
	return `{"resourceType":"Consent","status":"active","policyRule":{"text":"a"},"category":[{"text":"a"}],"scope":{"coding":[{"system":"something","code":"` + code + `"}]}}`
}

// TestRules: each invariant that Validate evaluates is broken once, and found alone.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, key := range fhir.RuleKeys() {
		body, ok := broken[key]
		if !ok {
			t.Errorf("no resource breaks %s", key)
			continue
		}
		var got []string
		for _, i := range fhir.Validate(parse(t, body)) {
			switch i.Code {
			case fhir.CodeInvariant:
				got = append(got, i.Args[0])
			case fhir.CodeExtensionValue:
				got = append(got, "ext-1")
			default:
				got = append(got, i.Code+" "+i.Expression)
			}
		}
		if !slices.Equal(got, []string{key}) {
			t.Errorf("%s: found %q", key, got)
		}
	}
	if len(broken) != len(fhir.RuleKeys()) {
		t.Errorf("%d examples for %d rules", len(broken), len(fhir.RuleKeys()))
	}
}

// TestNoRuleIsForgotten: of the data types, the served types and what these commonly contain, no
// invariant of severity error is left out.
func TestNoRuleIsForgotten(t *testing.T) {
	t.Parallel()
	types := []fhir.Type{
		"OperationOutcome", "Bundle", "CapabilityStatement", "Parameters", "Medication", "Location", "RelatedPerson", "Encounter",
		"EpisodeOfCare", "Appointment", "Flag", "Group", "Device", "Specimen", "Substance",
	}
	types = append(types, fhir.SearchTypes()...)
	texts := fhir.RuleTexts()
	for _, s := range definitions.R4().Structures {
		head, _, _ := strings.Cut(s.Name, ".")
		wanted := s.Kind == "complex" || s.Kind == "backbone" && !fhir.KnownType(fhir.Type(head)) || slices.Contains(types, fhir.Type(head))
		if !wanted || head == "ElementDefinition" { // stands in StructureDefinitions only, which nobody sends
			continue
		}
		for _, key := range s.Rules {
			_, own := texts[s.Name+"/"+key]
			if _, ok := texts[key]; !ok && !own {
				t.Errorf("%s: %s is left out", s.Name, key)
			}
		}
	}
}

func TestRuleTexts(t *testing.T) {
	t.Parallel()
	for key, texts := range fhir.RuleTexts() {
		if len(texts[0]) < 10 || len(texts[1]) < 10 || texts[0] == texts[1] {
			t.Errorf("%s: %q", key, texts)
		}
	}
}

func TestCompareDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1.00", 0}, {"10e-1", "1", 0}, {"0", "-0.0", 0}, {"0.1", "0.09", 1}, {"-2", "1", -1}, {"-2", "-1", -1}, {"9", "10", -1},
		{"1e999999999999", "2", 1}, {"1e-999999999999", "0", 1}, {"0e99999999999", "0", 0}, {"123.45", "123.4500001", -1}, {"0.001", "1e-3", 0},
	} {
		if got := fhir.CompareDecimal(c.a, c.b); got != c.want {
			t.Errorf("%s ~ %s = %d", c.a, c.b, got)
		}
		if got := fhir.CompareDecimal(c.b, c.a); got != -c.want {
			t.Errorf("%s ~ %s = %d", c.b, c.a, got)
		}
	}
}
