package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// TestMain prints the figures beside their floors when all have run.
func TestMain(m *testing.M) {
	code := m.Run()
	report(os.Stdout)
	reportMessages(os.Stdout)
	if started != nil { // also when what came after it failed
		started.stop()
	}
	os.Exit(code)
}

// row is a piece of work that both servers do.
type row struct {
	name    string
	request func(s *side, n int) (*http.Request, error)
	share   float64       // of thin that DESIGN § 7 asks for at eight clients; 0: it has none
	cpu     time.Duration // of the server's process that it allows; 0: it has none
}

var rows = []row{
	{"create", create, 0.30, time.Millisecond},
	{"read by id", readByID, 0.30, 0},
	{"search by patient, newest 20", searchNewest, 0.40, 0},
	{"compound search with include", searchCompound, 0, 0},
	{"mixed: 60 % read, 25 % search, 15 % create", mixed, 0, 0},
	{"transaction of 5 entries", func(s *side, n int) (*http.Request, error) {
		return s.request(http.MethodPost, s.bundles, s.writer, transaction(s.patient(n), n))
	}, 0, 0},
	{"create of an Observation with components", func(s *side, n int) (*http.Request, error) {
		return s.request(http.MethodPost, "/fhir/Observation", s.writer, bloodPressure(s.patient(n), n))
	}, 0, 0},
}

func create(s *side, n int) (*http.Request, error) {
	return s.request(http.MethodPost, "/fhir/CarePlan", s.writer, carePlan(s.patient(n), n))
}

// readByID reads as another party, decided and ledgered.
func readByID(s *side, n int) (*http.Request, error) {
	return s.request(http.MethodGet, "/fhir/"+s.plans[n*7%len(s.plans)], s.reader, "")
}

// searchNewest searches as another party, decided and ledgered.
func searchNewest(s *side, n int) (*http.Request, error) {
	return s.request(http.MethodGet, "/fhir/CarePlan?_sort=-_lastUpdated&_count=20&patient="+s.patient(n), s.reader, "")
}

// searchCompound asks for what is active and not yet over, with the goals it names.
func searchCompound(s *side, n int) (*http.Request, error) {
	return s.request(http.MethodGet, "/fhir/CarePlan?status=active&date=ge2026-03&_include=CarePlan:goal&_sort=-date&_count=20&patient="+s.patient(n), s.reader, "")
}

// mixed is the load of a day, in 20 parts.
func mixed(s *side, n int) (*http.Request, error) {
	switch part := n * 7 % 20; { // 7 and 20 have no common factor: the parts come spread
	case part < 12:
		return readByID(s, n)
	case part < 15:
		return create(s, n)
	case part%2 == 0:
		return searchCompound(s, n)
	}
	return searchNewest(s, n)
}

// crowds are how many clients ask at the same time; budgets hold for eight (DESIGN § 7).
var crowds = []int{1, 8, 32}

const budgeted = 8

// cell names one figure.
type cell struct {
	work, server string
	clients      int
}

var figures = map[cell]figure{} // the last measured of each

// BenchmarkBudget measures every row on both servers: BENCH=Budget/create is one row.
func BenchmarkBudget(b *testing.B) {
	r, err := testbed()
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range rows {
		for _, clients := range crowds {
			for _, s := range []*side{&r.thin, &r.sluse} {
				b.Run(fmt.Sprintf("%s/%d/%s", w.name, clients, s.name), func(b *testing.B) {
					f := load(b, clients, s.cmd.Process.Pid, r.postgres, func(n int) (*http.Request, error) { return w.request(s, n) })
					figures[cell{w.name, s.name, clients}] = f
				})
			}
		}
	}
}

// report prints the last figure of each row beside its floor: CPU of the server's own process and of
// PostgreSQL for each request, in µs.
func report(w io.Writer) {
	if len(figures) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-43s %7s | %8s %6s %6s | %8s %6s %6s | %s\n%-43s %7s | %8s %6s %6s | %8s %6s %6s |\n",
		"", "", "sluse", "CPU", "CPU", "thin", "CPU", "CPU", "sluse", "", "clients", "/s", "server", "PG", "/s", "server", "PG")
	for _, work := range rows {
		for _, clients := range crowds {
			sluse, ok := figures[cell{work.name, "sluse", clients}]
			thin, both := figures[cell{work.name, "thin", clients}]
			if !ok || !both {
				continue
			}
			share := sluse.perSecond / thin.perSecond
			fmt.Fprintf(w, "%-43s %7d | %8.0f %6d %6d | %8.0f %6d %6d | %3.0f %% of thin%s\n", work.name, clients,
				sluse.perSecond, sluse.server.Microseconds(), sluse.postgres.Microseconds(),
				thin.perSecond, thin.server.Microseconds(), thin.postgres.Microseconds(), 100*share, work.verdict(clients, share, sluse.server))
		}
	}
}

func (w *row) verdict(clients int, share float64, cpu time.Duration) string {
	if w.share == 0 || clients != budgeted {
		return ""
	}
	text, verdict := fmt.Sprintf("; budget %.0f %%", 100*w.share), "within"
	if w.cpu > 0 {
		text += fmt.Sprintf(" and %d µs", w.cpu.Microseconds())
	}
	if share < w.share || w.cpu > 0 && cpu > w.cpu {
		verdict = "OVER"
	}
	return text + ": " + verdict
}
