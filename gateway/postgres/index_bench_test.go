package postgres

import (
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// What a create spends on its index before the database sees it: extraction, masks and hashes.
func BenchmarkIndex(b *testing.B) {
	res, err := fhir.Parse([]byte(plainObservation))
	if err != nil {
		b.Fatal(err)
	}
	keys := newKeyring([32]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		d := gateway.Draft{Reference: fhir.Reference{Type: "Observation", ID: "o1"}, Method: gateway.Create, Index: fhir.Index(res)}
		d.MarkIndex(res)
		keys.indexOf(d)
	}
}
