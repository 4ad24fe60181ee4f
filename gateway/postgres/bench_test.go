package postgres

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// cost tells CPU of the server's processes and of this one: the figures to trust on a machine that
// does other work too.
type cost struct{ server, client time.Duration }

func costNow(b *testing.B) cost {
	b.Helper()
	postmaster := strconv.Itoa(postgrestest.Server(b).PID())
	var ticks int64
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range stats {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 14 || (fields[1] != postmaster && !strings.HasPrefix(string(raw), postmaster+" ")) {
			continue
		}
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return cost{server: time.Duration(ticks) * 10 * time.Millisecond, client: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}
}

func measure(b *testing.B, run func(i int)) {
	b.Helper()
	for i := range 50 { // statements are prepared, pages are read
		run(-1 - i)
	}
	before := costNow(b)
	b.ResetTimer()
	for i := range b.N {
		run(i)
	}
	b.StopTimer()
	after := costNow(b)
	b.ReportMetric(float64((after.server-before.server).Microseconds())/float64(b.N), "pg-µs/op")
	b.ReportMetric(float64((after.client-before.client).Microseconds())/float64(b.N), "go-µs/op")
}

// planDraft is a CarePlan of 6.5 KB with tokens, a reference and a date.
func (b *bench) planDraft(patient string, n int) gateway.Draft {
	r := rand.New(rand.NewPCG(uint64(n), 7)) //nolint:gosec // filler
	d := b.draft("100", ref("CarePlan", uuid(b)), patient, gateway.Plan|gateway.Rus)
	d.Low, d.High = start.Add(-time.Duration(r.IntN(1e6))*time.Second), start
	body := &strings.Builder{}
	body.WriteString(`{"resourceType":"CarePlan","text":[`)
	for body.Len() < 6500 {
		fmt.Fprintf(body, `{"id":"%08x","status":"scheduled","description":"tiltak nummer %d for pasienten"},`, r.Uint32(), r.IntN(1000))
	}
	body.WriteString(`{}]}`)
	d.Body = []byte(body.String())
	value := func(param string, v fhir.IndexValue) fhir.IndexValue {
		p := fhir.SearchParameterOf("CarePlan", param)
		v.Kind, v.Key, v.Bits = p.Type, p.Keys[0], 1<<p.Ordinal
		return v
	}
	d.Index = []fhir.IndexValue{
		value("subject", fhir.IndexValue{Code: "Patient/" + patient}),
		value("status", fhir.IndexValue{System: "http://hl7.org/fhir/request-status", Code: []string{"active", "completed", "draft"}[r.IntN(3)]}),
		value("identifier", fhir.IndexValue{System: "urn:x", Code: uuid(b)}),
		value("date", fhir.IndexValue{Low: d.Low, High: d.High}),
	}
	return d
}

func benchStore(b *testing.B, patients, each int) (*bench, []gateway.PersonID, []fhir.Reference) {
	b.Helper()
	s := newBench(b)
	var persons []gateway.PersonID
	var records []fhir.Reference
	for i := range patients {
		id := fmt.Sprintf("100-p%d", i)
		persons = append(persons, s.patient("100", id, "").Person)
		for range each {
			d := s.planDraft(id, len(records))
			s.make(d)
			records = append(records, ref("CarePlan", string(d.Reference.ID)))
		}
	}
	return s, persons, records
}

// crossing is the scope of a question that ten grants answer.
func crossing(person gateway.PersonID) gateway.Scope {
	s := permitting(gateway.Plan | gateway.Rus | gateway.Samarbeid)
	s.Person = person
	for range 9 {
		t := s.Terms[0]
		t.Custodians = gateway.Only[gateway.HERID]("100", "300", "400")
		t.Low, t.High = start.AddDate(-2, 0, 0), start.AddDate(2, 0, 0)
		s.Terms = append(s.Terms, t)
	}
	return s
}

func BenchmarkCreate(b *testing.B) {
	s, _, _ := benchStore(b, 50, 1)
	measure(b, func(i int) { s.make(s.planDraft(fmt.Sprintf("100-p%d", (i+50)%50), i)) })
}

func BenchmarkRead(b *testing.B) {
	s, persons, records := benchStore(b, 50, 40)
	measure(b, func(i int) {
		n := (i + 50) % len(records)
		if _, _, err := s.readStanding(s.ctx, crossing(persons[n/40]), records[n], gateway.NIN{}); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	s, persons, _ := benchStore(b, 50, 40)
	search := gateway.Search{Sort: gateway.Sort{Descending: true}}
	measure(b, func(i int) {
		person := persons[(i+50)%len(persons)]
		if err := s.Snapshot(s.ctx, func(gv gateway.View) error {
			v := gv.(*view)
			if _, err := v.FactsOf(s.ctx, ref("Patient", "100-p1")); err != nil {
				return err
			}
			list, err := v.search(s.ctx, crossing(person), "CarePlan", search, person, 21, gateway.Cursor{})
			if len(list) != 21 {
				b.Fatalf("%d rows", len(list))
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	s := newBench(b)
	measure(b, func(int) {
		if err := s.Record(s.ctx, []gateway.AuditEntry{s.access("200", gateway.Released, 1, "100", "x")}, nil); err != nil {
			b.Fatal(err)
		}
	})
}
