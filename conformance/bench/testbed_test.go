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
	"sync"

	"github.com/jackc/pgx/v5"
)

// transactionPath is where Sluse takes a transaction.
const transactionPath = "/fhir"

// side is one of the servers with what is stored in it: thin takes every token.
type side struct {
	name string
	*process
	writer, reader string // tokens: of the party that wrote everything, and of another one under consent
	bundles        string // path that takes a transaction
	patients       []string
	plans          []string
}

// patient gives one of the stored, in turn.
func (s *side) patient(n int) string { return s.patients[n%len(s.patients)] }

// rig is Sluse and the thin server beside each other, on one PostgreSQL.
type rig struct {
	dir         string
	sluse, thin side
	postgres    int
	dsn         string // of the PostgreSQL, up to the name of the database
}

const (
	people    = 40
	perPerson = 30 // plans, each with two of the goals
	goals     = 4
)

// started is what testbed has begun to start.
var started *rig

var testbed = sync.OnceValues(func() (*rig, error) {
	r, err := newRig()
	started = r
	if err != nil {
		return nil, err
	}
	return r, r.fill()
})

// newRig starts both servers.
func newRig() (*rig, error) {
	dir, err := os.MkdirTemp("", "sluse-bench")
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir, sluse: side{name: "sluse", bundles: transactionPath}, thin: side{name: "thin", bundles: "/fhir/Bundle"}}
	return r, errors.Join(os.Chmod(dir, 0o755), r.start(), r.startThin())
}

func (r *rig) stop() {
	for _, p := range []*process{r.thin.process, r.sluse.process} {
		if p != nil {
			p.stop()
		}
	}
	_ = os.RemoveAll(r.dir)
}

func (r *rig) start() error {
	path, err := built(r.dir, "./cmd/sluse")
	if err != nil {
		return err
	}
	data := filepath.Join(r.dir, "data")
	if r.sluse.process, err = launch(path, "demo", "--no-story", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); err != nil {
		return err
	}
	r.sluse.data = data
	pid, socket, err := r.sluse.postgres()
	r.postgres, r.dsn = pid, fmt.Sprintf("host=%s user=sluse dbname=", socket)
	return err
}

func (r *rig) startThin() error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, r.dsn+"postgres")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "create database thin"); err != nil {
		return err
	}
	path, err := built(r.dir, "./conformance/bench/thin")
	if err == nil {
		r.thin.process, err = launch(path, r.dsn+"thin pool_max_conns=16")
	}
	return err
}

// fill stores the same people, goals and plans in both.
func (r *rig) fill() error {
	own, err := r.enter()
	if err != nil {
		return err
	}
	for _, s := range []*side{&r.sluse, &r.thin} {
		for n := range people {
			if err := s.person(n, own, perPerson, goals, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// parties are the organizations of the two that take part.
type parties struct{ own, hospital string }

// enter gets the tokens of Sluse.
func (r *rig) enter() (p parties, err error) {
	if r.sluse.writer, p.own, err = r.sluse.token("bydel-sagene"); err == nil {
		r.sluse.reader, p.hospital, err = r.sluse.token("ous-tsb")
	}
	return p, err
}

// person stores a patient with her samtykke, goals, plans and observations.
func (s *side) person(n int, p parties, plans, goals, observations int) error {
	ref, err := s.put("Patient", patient(n))
	if err != nil {
		return err
	}
	s.patients = append(s.patients, ref)
	if s.writer != "" {
		if _, err := s.put("Consent", samtykke(ref, p.own, p.hospital)); err != nil {
			return err
		}
	}
	var aims []string
	for i := range goals {
		aim, err := s.put("Goal", goal(ref, i))
		if err != nil {
			return err
		}
		aims = append(aims, aim)
	}
	for i := range plans {
		plan, err := s.put("CarePlan", carePlan(ref, i, aims[i%goals], aims[(i+1)%goals]))
		if err != nil {
			return err
		}
		s.plans = append(s.plans, plan)
	}
	for i := range observations {
		if _, err := s.put("Observation", observation(ref, i)); err != nil {
			return err
		}
	}
	return nil
}

// put stores a resource as the party that writes, and gives its reference.
func (s *side) put(kind, body string) (string, error) {
	req, err := s.request(http.MethodPost, "/fhir/"+kind, s.writer, body)
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
