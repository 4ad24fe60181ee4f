package fhir_test

import (
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// BenchmarkIndex extracts every parameter of a 6.5 KB CarePlan: at most 15 % of a create.
func BenchmarkIndex(b *testing.B) {
	r, err := fhir.Parse(carePlan(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(fhir.Index(r)) == 0 {
			b.Fatal("nothing found")
		}
	}
}

// BenchmarkIndexParts adds the marking of parts.
func BenchmarkIndexParts(b *testing.B) {
	r, err := fhir.Parse(carePlan(b))
	if err != nil {
		b.Fatal(err)
	}
	parts := []fhir.Part{{Path: "CarePlan.activity[0]", Mask: 1}, {Path: "CarePlan.activity[1]", Mask: 2}, {Path: "CarePlan.contained[0]", Mask: 4}}
	b.ReportAllocs()
	for b.Loop() {
		fhir.MarkParts(r, fhir.Index(r), parts)
	}
}

// BenchmarkParseQuery reads a compound search.
func BenchmarkParseQuery(b *testing.B) {
	params := []fhir.Parameter{
		{Name: "patient", Value: "Patient/a"}, {Name: "status", Value: "active,on-hold"}, {Name: "authored", Value: "ge2026"},
		{Name: "requester.name", Value: "legevakt"}, {Name: "_include", Value: "ServiceRequest:requester"}, {Name: "_sort", Value: "-authored"}, {Name: "_count", Value: "20"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := fhir.ParseQuery("ServiceRequest", params, fhir.QueryConfig{}); err != nil {
			b.Fatal(err)
		}
	}
}
