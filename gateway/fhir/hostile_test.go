package fhir_test

import (
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestHostileSizes: bodies near the size limit, of forms that make a careless reader, validator,
// extractor or editor quadratic. Linear work takes some 0.1 s here, quadratic work minutes.
func TestHostileSizes(t *testing.T) {
	t.Parallel()
	const n = 25_000
	repeat := func(format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(format, "#N", strconv.Itoa(i)))
		}
		return b.String()
	}
	for name, body := range map[string]string{
		"contained":   `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/a"},"contained":[` + repeat(`{"resourceType":"Goal","id":"g#N"}`) + `],"goal":[` + repeat(`{"reference":"#g#N"}`) + `]}`,
		"components":  `{"resourceType":"Observation","status":"final","valueInteger":1,"code":{"coding":[` + repeat(`{"code":"a#N"}`) + `]},"component":[{"code":{"coding":[` + repeat(`{"code":"b#N"}`) + `]}}]}`,
		"identifiers": `{"resourceType":"Patient","identifier":[` + repeat(`{"value":"a#N"}`) + `]}`,
		"names":       `{"resourceType":"Practitioner","name":[{"given":[` + repeat(`"a#N"`) + `],"_given":[` + repeat(`null`) + `]}]}`,
		"members":     `{"resourceType":"Patient",` + repeat(`"a#N":1`) + `}`,
		"links":       `{"resourceType":"Questionnaire","status":"active","item":[` + repeat(`{"linkId":"a#N","type":"string"}`) + `]}`,
		"string":      `{"resourceType":"Patient","language":"` + strings.Repeat(`\u00f8`, 5*n) + `"}`,
		"narrative":   `{"resourceType":"Patient","text":{"status":"generated","div":"<div>` + strings.Repeat("<p>a &lt; b</p><!---->", n) + `</div>"}}`,
		"comments":    `{"resourceType":"Patient","text":{"status":"generated","div":"<div>` + strings.Repeat("<!--", 5*n) + `</div>"}}`,
		"tags":        `{"resourceType":"Patient","text":{"status":"generated","div":"` + strings.Repeat("<div>", 5*n) + `"}}`,
		"nesting":     `{"resourceType":"Patient","extension":` + strings.Repeat(`[{"url":"a","extension":`, 45) + `[{"url":"a","valueCode":"b"}]` + strings.Repeat(`}]`, 45) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			r, err := fhir.Parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			fhir.Validate(r)
			fhir.Index(r)
			e := r.Edit()
			for _, v := range r.At("name[0].given").Items() {
				e.Remove(v)
				break
			}
			for i, v := range r.At("identifier").Items() {
				if i%2 == 0 {
					e.Remove(v)
				}
			}
			if _, err := e.Bytes(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("%d bytes took %v", len(body), d)
			}
		})
	}
}

// TestOwnDefinitionsAreValid: what Sluse publishes of its own passes its own validator.
func TestOwnDefinitionsAreValid(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(definitions.Own(), "*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(definitions.Own(), name)
		if err != nil {
			t.Fatal(err)
		}
		if issues := fhir.Validate(parse(t, string(body))); issues != nil {
			t.Errorf("%s: %+v", name, issues)
		}
	}
}

func TestKnownTypes(t *testing.T) {
	t.Parallel()
	if len(fhir.Types()) != 146 || !fhir.KnownType("CarePlan") {
		t.Errorf("%d types", len(fhir.Types()))
	}
	for _, typ := range []fhir.Type{"", "careplan", "DomainResource", "Resource", "HumanName", "CarePlan.activity", "string"} {
		if fhir.KnownType(typ) {
			t.Errorf("%q is known", typ)
		}
	}
	for id, want := range map[fhir.ID]bool{"a": true, "A-1.z": true, "": false, "a b": false, "a/b": false, fhir.ID(strings.Repeat("a", 64)): true, fhir.ID(strings.Repeat("a", 65)): false} {
		if id.Valid() != want {
			t.Errorf("%q: %v", id, id.Valid())
		}
	}
}
