package conformance_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// The evaluator itself is held against the examples of R4 search.html: what judges the server must
// be right first.
func TestEvaluatorReadsSpecification(t *testing.T) {
	t.Parallel()
	of := func(kind, text string) node {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return node{value: v, kind: kind}
	}
	v := newEvaluator("http://x/fhir")
	for _, c := range []struct {
		kind, element, param, modifier, value string
		want                                  bool
	}{
		// search.html#date
		{"dateTime", `"2013-01-14T00:00:00Z"`, "date", "", "2013-01-14", true}, {"dateTime", `"2013-01-14T10:00:00Z"`, "date", "", "2013-01-14", true},
		{"dateTime", `"2013-01-15T00:30:00+01:00"`, "date", "", "2013-01-14", false}, {"dateTime", `"2013-01-15T00:00:00Z"`, "date", "", "ne2013-01-14", true},
		{"dateTime", `"2013-01-14T10:00:00Z"`, "date", "", "ne2013-01-14", false}, {"dateTime", `"2013-01-14"`, "date", "", "lt2013-01-14T10:00", true},
		{"dateTime", `"2013-01-14"`, "date", "", "gt2013-01-14T10:00", true}, {"Period", `{"start":"2013-01-21"}`, "date", "", "ge2013-03-14", true},
		{"Period", `{"end":"2013-01-21"}`, "date", "", "le2013-03-14", true}, {"Period", `{"start":"2013-01-21"}`, "date", "", "le2013-03-14", true},
		{"Period", `{"start":"2013-03-15"}`, "date", "", "sa2013-03-14", true}, {"Period", `{"start":"2013-01-21","end":"2013-05-01"}`, "date", "", "sa2013-03-14", false},
		{"Period", `{"end":"2013-03-13"}`, "date", "", "eb2013-03-14", true}, {"Period", `{"start":"2013-01-21","end":"2013-05-01"}`, "date", "", "eb2013-03-14", false},
		{"date", `"2013-03"`, "date", "", "2013", true}, {"date", `"2013"`, "date", "", "2013-03", false},
		// search.html#number and #quantity
		{"Quantity", `{"value":99.9}`, "quantity", "", "100", true}, {"Quantity", `{"value":100.9}`, "quantity", "", "100", false},
		{"Quantity", `{"value":99.999}`, "quantity", "", "100.00", true}, {"Quantity", `{"value":100}`, "quantity", "", "lt100", false},
		{"Quantity", `{"value":100}`, "quantity", "", "le100", true}, {"Quantity", `{"value":101}`, "quantity", "", "ne100", true},
		{"Quantity", `{"value":5.4,"system":"http://unitsofmeasure.org","code":"mg"}`, "quantity", "", "5.4|http://unitsofmeasure.org|mg", true},
		{"Quantity", `{"value":5.40,"unit":"mg"}`, "quantity", "", "5.4||mg", true}, {"Quantity", `{"value":5.4,"unit":"g"}`, "quantity", "", "5.4||mg", false},
		{"Quantity", `{"value":5.6}`, "quantity", "", "ap5.4", true}, {"Quantity", `{"value":6.6}`, "quantity", "", "ap5.4", false},
		// search.html#string
		{"string", `"Eve"`, "string", "", "eve", true}, {"string", `"Evelyn"`, "string", "", "eve", true}, {"string", `"Severine"`, "string", "", "eve", false},
		{"string", `"Severine"`, "string", "contains", "eve", true}, {"string", `"eve"`, "string", "exact", "Eve", false}, {"string", `"Øst"`, "string", "", "ost", false},
		{"HumanName", `{"family":"Due","given":["Eve"]}`, "string", "", "eve", true},
		// search.html#token
		{"Coding", `{"system":"http://acme.org/conditions/codes","code":"ha125"}`, "token", "", "http://acme.org/conditions/codes|ha125", true},
		{"Coding", `{"system":"http://acme.org/conditions/codes","code":"ha125"}`, "token", "", "ha125", true}, {"Coding", `{"system":"x","code":"ha125"}`, "token", "", "|ha125", false},
		{"Coding", `{"code":"ha125"}`, "token", "", "|ha125", true}, {"Coding", `{"system":"x","code":"a"}`, "token", "", "x|", true},
		{"Identifier", `{"system":"http://acme.org/patient","value":"2345"}`, "token", "", "http://acme.org/patient|2345", true},
		{"CodeableConcept", `{"text":"headache"}`, "token", "text", "head", true}, {"CodeableConcept", `{"text":"headache"}`, "token", "", "headache", false},
		// search.html#reference
		{"Reference", `{"reference":"Patient/23"}`, "reference", "", "23", true}, {"Reference", `{"reference":"Patient/23"}`, "reference", "", "Patient/23", true},
		{"Reference", `{"reference":"Patient/23"}`, "reference", "", "http://x/fhir/Patient/23", true}, {"Reference", `{"reference":"Patient/23"}`, "reference", "", "Practitioner/23", false},
		{"Reference", `{"reference":"http://y/fhir/Patient/23"}`, "reference", "", "Patient/23", false}, {"Reference", `{"reference":"Patient/23"}`, "reference", "Group", "23", false},
		{"Reference", `{"identifier":{"system":"a","value":"b"}}`, "reference", "identifier", "a|b", true}, {"canonical", `"http://x/q|2"`, "reference", "", "http://x/q", true},
		// search.html#uri
		{"uri", `"http://acme.org/fhir/ValueSet/123"`, "uri", "below", "http://acme.org/fhir/", true}, {"uri", `"http://acme.org/fhir"`, "uri", "above", "http://acme.org/fhir/ValueSet/123/_history/5", true},
		{"uri", `"http://acme.org/fhirs"`, "uri", "below", "http://acme.org/fhir", false}, {"uri", `"http://acme.org/fhir/ValueSet/123"`, "uri", "", "http://acme.org/fhir/ValueSet", false},
	} {
		if got := v.match(of(c.kind, c.element), c.param, c.modifier, c.value); got != c.want {
			t.Errorf("%s %s: %s:%s=%s is %t", c.kind, c.element, c.param, c.modifier, c.value, got)
		}
	}
}
