package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// rig is Sluse and the thin server beside each other, on one PostgreSQL.
type rig struct {
	dir         string
	sluse, thin *process
	postgres    int
	bydel, ous  string // tokens
	patients    []string
	plans       []string // readable by the hospital
	thinPlans   []string
}

const (
	people   = 40
	perChild = 30 // plans for each person
)

var testbed = sync.OnceValues(func() (*rig, error) {
	dir, err := os.MkdirTemp("", "sluse-bench")
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir}
	return r, errors.Join(os.Chmod(dir, 0o755), r.start(), r.fill())
})

// TestMain prints the figures beside their floors when all have run.
func TestMain(m *testing.M) {
	code := m.Run()
	report(os.Stdout)
	if r, err := testbed(); len(figures) > 0 && err == nil {
		r.thin.stop()
		r.sluse.stop()
		_ = os.RemoveAll(r.dir)
	}
	os.Exit(code)
}

func (r *rig) start() error {
	path, err := built(r.dir, "./cmd/sluse")
	if err != nil {
		return err
	}
	data := filepath.Join(r.dir, "data")
	if r.sluse, err = launch(path, "demo", "--no-story", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); err != nil {
		return err
	}
	r.sluse.data = data
	pid, socket, err := r.sluse.postgres()
	if err != nil {
		return err
	}
	r.postgres = pid
	dsn := fmt.Sprintf("host=%s user=sluse dbname=", socket)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn+"postgres")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "create database thin"); err != nil {
		return err
	}
	if path, err = built(r.dir, "./conformance/bench/thin"); err != nil {
		return err
	}
	r.thin, err = launch(path, dsn+"thin pool_max_conns=16")
	return err
}

// fill stores the same people and plans in both.
func (r *rig) fill() error {
	if r.thin == nil {
		return nil // start has told why
	}
	var own, hospital string
	var err error
	if r.bydel, own, err = r.sluse.token("bydel-sagene"); err != nil {
		return err
	}
	if r.ous, hospital, err = r.sluse.token("ous-tsb"); err != nil {
		return err
	}
	for n := range people {
		ref, err := r.put(r.sluse, r.bydel, "Patient", fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":"Syntetisk","given":["Nr %d"]}],"birthDate":"1990-01-01"}`, n))
		if err != nil {
			return err
		}
		r.patients = append(r.patients, ref)
		if _, err := r.put(r.sluse, r.bydel, "Consent", samtykke(ref, own, hospital)); err != nil {
			return err
		}
		for range perChild {
			plan, err := r.put(r.sluse, r.bydel, "CarePlan", carePlan(ref))
			if err != nil {
				return err
			}
			r.plans = append(r.plans, plan)
			if plan, err = r.put(r.thin, "", "CarePlan", carePlan(ref)); err != nil {
				return err
			}
			r.thinPlans = append(r.thinPlans, plan)
		}
	}
	return nil
}

func (r *rig) put(p *process, token, kind, body string) (string, error) {
	req, err := p.request(http.MethodPost, "/fhir/"+kind, token, body)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("POST %s: status %d: %.300s", kind, res.StatusCode, answer)
	}
	var head struct{ ID string }
	if err == nil {
		err = json.Unmarshal(answer, &head)
	}
	return kind + "/" + head.ID, err
}

func samtykke(patient, own, hospital string) string {
	now := time.Now()
	return fmt.Sprintf(`{"resourceType":"Consent","status":"active",
"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"infa"}]}],
"patient":{"reference":"%s"},"dateTime":"%s","organization":[{"reference":"%s"}],
"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
"provision":{"type":"permit","period":{"start":"%[2]s","end":"%[4]s"},"actor":[
{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"%[5]s"}},
{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"%[3]s"}}],
"securityLabel":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"}]}}`,
		patient, now.Format(time.DateOnly), own, now.AddDate(0, 0, 300).Format(time.DateOnly), hospital)
}

// carePlan is an individuell plan of 6.5 KB.
func carePlan(patient string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"CarePlan","status":"active","intent":"plan","title":"Individuell plan","subject":{"reference":"%s"},"period":{"start":"2026-01-01","end":"2026-12-31"},"activity":[`, patient)
	for n := 0; b.Len() < 6350; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"detail":{"status":"in-progress","code":{"text":"Tiltak %d"},"description":"Oppfølging hver uke etter avtale med koordinator, evalueres i ansvarsgruppen.","scheduledPeriod":{"start":"2026-02-01","end":"2026-05-01"}}}`, n)
	}
	b.WriteString("]}")
	return b.String()
}

// figures by row and server, in the order they were measured.
var figures []struct {
	work, server string
	figure
}

func measure(b *testing.B, work string, thin, sluse func(r *rig) func(n int) (*http.Request, error), want int) {
	r, err := testbed()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name string
		p    *process
		one  func(*rig) func(int) (*http.Request, error)
	}{{"thin", r.thin, thin}, {"sluse", r.sluse, sluse}} {
		b.Run(s.name, func(b *testing.B) {
			f := load(b, s.p.cmd.Process.Pid, r.postgres, s.one(r), want)
			figures = append(figures, struct {
				work, server string
				figure
			}{work, s.name, f})
		})
	}
}

// BenchmarkCreate: validate, label, index, history, ledger; beside one statement.
func BenchmarkCreate(b *testing.B) {
	body := func(r *rig, n int) string { return carePlan(r.patients[n%len(r.patients)]) }
	measure(b, "create",
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.thin.request(http.MethodPost, "/fhir/CarePlan", "", body(r, n))
			}
		},
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.sluse.request(http.MethodPost, "/fhir/CarePlan", r.bydel, body(r, n))
			}
		}, http.StatusCreated)
}

// BenchmarkRead: by id, by another party, decided and ledgered; beside one statement.
func BenchmarkRead(b *testing.B) {
	measure(b, "read by id",
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.thin.request(http.MethodGet, "/fhir/"+r.thinPlans[n*7%len(r.thinPlans)], "", "")
			}
		},
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.sluse.request(http.MethodGet, "/fhir/"+r.plans[n*7%len(r.plans)], r.ous, "")
			}
		}, http.StatusOK)
}

// BenchmarkSearch: by patient, the newest 20, by another party, decided and ledgered.
func BenchmarkSearch(b *testing.B) {
	measure(b, "search by patient, newest 20",
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.thin.request(http.MethodGet, "/fhir/CarePlan?patient="+r.patients[n%len(r.patients)], "", "")
			}
		},
		func(r *rig) func(int) (*http.Request, error) {
			return func(n int) (*http.Request, error) {
				return r.sluse.request(http.MethodGet, "/fhir/CarePlan?_sort=-_lastUpdated&_count=20&patient="+r.patients[n%len(r.patients)], r.ous, "")
			}
		}, http.StatusOK)
}

// budgets of DESIGN § 7, as a share of the thin server.
var budgets = map[string]float64{"create": 0.30, "read by id": 0.30, "search by patient, newest 20": 0.40}

// report prints the last figure of each row beside its floor.
func report(w io.Writer) {
	last, order := map[string]figure{}, []string{}
	for _, f := range figures {
		if _, ok := last[f.work+"/sluse"]; !ok && f.server == "sluse" {
			order = append(order, f.work)
		}
		last[f.work+"/"+f.server] = f.figure
	}
	for _, work := range order {
		thin, sluse := last[work+"/thin"], last[work+"/sluse"]
		share, verdict := sluse.perSecond/thin.perSecond, "within"
		if share < budgets[work] {
			verdict = "OVER"
		}
		fmt.Fprintf(w, "%-30s sluse %6.0f/s, CPU %5d + PostgreSQL %5d µs | thin %6.0f/s, CPU %5d + %5d µs | %3.0f %% of thin, budget %.0f %%: %s\n",
			work, sluse.perSecond, sluse.server.Microseconds(), sluse.postgres.Microseconds(),
			thin.perSecond, thin.server.Microseconds(), thin.postgres.Microseconds(), 100*share, 100*budgets[work], verdict)
	}
}
