package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// BenchmarkPage is what a page of 100 records of another party costs beside the store (DESIGN § 7:
// 400 µs): the decision, every record checked and cut, and what is said of it in the ledger.
// Every version is cut by the Outline that is stored beside it; "read" has none of them.
func BenchmarkPage(b *testing.B) {
	for _, kind := range []struct{ name, fill string }{{"1 KB", "Plan."}, {"6 KB", strings.Repeat("Oppfølging hver uke. ", 280)}} {
		w := newWorld(b)
		patient := w.patientOf(at(ous), kari)
		w.mustPost(at(ous), consentOf(patient, []string{"plan", "samarbeid", "bolig"}, gp))
		for i := range 100 {
			body := plan(patient, fmt.Sprint(i))
			w.mustPost(at(ous), strings.Replace(body, `"title":"`, `"description":"`+kind.fill+`","title":"`, 1))
		}
		w.patientOf(at(gp), kari)
		in := gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: gateway.Search{
			Count: 100, Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/CarePlan", Subject: gateway.Subject{Patient: patient},
		}}
		for _, outlined := range []bool{false, true} {
			b.Run(kind.name+map[bool]string{false: "/read", true: "/by outline"}[outlined], func(b *testing.B) {
				b.ReportAllocs()
				var spent, epoch int64
				page, err := gateway.PageOf(context.Background(), w.Gateway, at(gp), in, outlined)
				must(b, err)
				for b.Loop() {
					epoch++
					before := cpu(b)
					rows, size, err := page(epoch)
					spent += cpu(b) - before
					if must(b, err); rows != 100 || size < 40_000 {
						b.Fatalf("%d rows, %d bytes", rows, size)
					}
				}
				b.ReportMetric(float64(spent)/1000/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// cpu is what this process has spent, in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return u.Utime.Nano() + u.Stime.Nano()
}
