package fhir

import (
	"strings"
	"testing"
)

// BenchmarkTrim is what is done with a record before it crosses: in one reading, by what is kept of it,
// and by an Editor; and what that takes to make.
func BenchmarkTrim(b *testing.B) {
	activity := `{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
		"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"bolig"}}],
		"detail":{"status":"in-progress","description":"kanari-bolig-1"}}`
	body := []byte(`{"resourceType":"CarePlan","id":"0123456789abcdef","meta":{"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian",` +
		`"valueReference":{"reference":"Organization/8000000-8140006"}}],"versionId":"fedcba9876543210","lastUpdated":"2026-11-22T10:00:00.000Z","security":[` +
		strings.Repeat(`{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"},`, 2) + `{"code":"okonomi"}]},` +
		`"status":"active","intent":"plan","subject":{"reference":"Patient/x","display":"kanari-navn"},"created":"2026-10-01","description":"Plan.","title":"kanari-1",` +
		`"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari-narrativ</div>"},"activity":[` + activity + "," + activity + `]}`)
	paths := []string{"CarePlan.activity[0]"}
	parts := []TrimPart{{Path: "CarePlan.activity[0]", Goes: true}, {Path: "CarePlan.activity[1]"}}
	outline := trimmed.Outline("CarePlan", body, parts)
	room := make([]byte, 0, 4096)
	for name, run := range map[string]func() bool{
		"one reading": func() bool { _, ok := inOneReading(room, body, paths); return ok },
		"outline":     func() bool { return trimmed.Outline("CarePlan", body, parts) != nil },
		"by outline":  func() bool { _, ok := trimmed.Cut(room, "CarePlan", body, outline, parts); return ok },
		"editor":      func() bool { _, err := trimmed.edit(room, body, Limits{}, paths); return err == nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !run() {
					b.Fatal("not trimmed")
				}
			}
		})
	}
}
