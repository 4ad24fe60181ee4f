package postgres

import (
	"os"
	"syscall"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// What a create spends on its index before the database sees it: extraction, masks and hashes. At
// most 15 % of the CPU of a create.
func BenchmarkIndex(b *testing.B) {
	plan, err := os.ReadFile("../fhir/testdata/careplan.json") // 6.5 KB
	if err != nil {
		b.Fatal(err)
	}
	keys := newKeyring([32]byte{1})
	for name, body := range map[string][]byte{"CarePlan": plan, "Observation": []byte(plainObservation)} {
		res, err := fhir.Parse(body)
		if err != nil {
			b.Fatal(err)
		}
		draft := func() gateway.Draft {
			d := gateway.Draft{Reference: fhir.Reference{Type: fhir.Type(name), ID: "o1"}, Method: gateway.Create, Index: fhir.Index(res)}
			d.MarkIndex(res)
			return d
		}
		for part, run := range map[string]func(d gateway.Draft){
			"whole": func(gateway.Draft) { keys.indexOf(draft()) }, "extract": func(gateway.Draft) { draft() }, "hash": func(d gateway.Draft) { keys.indexOf(d) },
		} {
			b.Run(name+"/"+part, func(b *testing.B) {
				d := draft()
				b.ReportAllocs()
				before := spent(b)
				for b.Loop() {
					run(d)
				}
				b.ReportMetric(float64((spent(b)-before)/1000)/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// spent is the CPU time of this process in nanoseconds: what else the machine does is not in it.
func spent(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
