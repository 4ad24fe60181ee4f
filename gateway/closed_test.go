package gateway_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// lent is what crosses to ous by a samtykke, and what lies beside it.
type lent struct {
	hers, his fhir.Reference // bydel's Patients
	record    fhir.Reference // a plan of hers, shared
	hidden    fhir.Reference // hers, not shared
	foreign   fhir.Reference // a plan of his, shared
	consent   fhir.Reference // hers
	given     string         // its body
	kept      map[fhir.Reference]gateway.Record
	conn      *pgx.Conn // for looking behind the store
}

func (w *world) share() lent {
	w.t.Helper()
	s := lent{hers: w.patientOf(at(bydel), kari), his: w.patientOf(at(bydel), ola), kept: map[fhir.Reference]gateway.Record{}}
	conn, err := pgx.Connect(context.Background(), w.dsn)
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	s.conn = conn
	s.record = w.mustPost(at(bydel), plan(s.hers, "delt"))
	s.hidden = w.mustPost(at(bydel), medication(s.hers, "skjult"))
	s.foreign = w.mustPost(at(bydel), plan(s.his, "fremmed"))
	s.given = consentOf(s.hers, []string{"plan"}, ous)
	s.consent = w.mustPost(at(bydel), s.given)
	w.mustPost(at(bydel), consentOf(s.his, []string{"plan"}, ous))
	custodian := (&faulty{world: w, row: func(r gateway.Record) gateway.Record {
		s.kept[fhir.Reference{Type: r.Reference.Type, ID: r.Reference.ID}] = r
		return r
	}}).process()
	for _, r := range []fhir.Reference{s.record, s.hidden, s.foreign} {
		_, err := custodian.read(at(bydel), r)
		must(w.t, err)
	}
	return s
}

// doors are the ways to her plan.
func (s lent) doors() map[string]gateway.Interaction {
	asked := func(canonical string) gateway.Search {
		return gateway.Search{Count: 20, Base: "http://sluse.test/fhir", Self: "http://sluse.test/fhir/x", Canonical: canonical}
	}
	version := s.record
	version.Version = s.kept[s.record].Reference.Version
	named := asked("CarePlan?subject")
	named.Subject.Patient = s.hers
	return map[string]gateway.Interaction{
		"read":              {Code: gateway.Read, Target: s.record},
		"version":           {Code: gateway.VRead, Target: version},
		"history":           {Code: gateway.History, Target: s.record, Search: asked("history")},
		"search by patient": {Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: named},
		"search of all":     {Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: asked("CarePlan?")},
		"everything": {Code: gateway.Operate, Target: s.hers, Search: asked("everything"),
			Operation: gateway.Operation{Name: gateway.Everything, Types: []fhir.Type{"CarePlan", "MedicationStatement"}}},
		"document": {Code: gateway.Operate, Target: s.record, Search: asked("document"), Operation: gateway.Operation{Name: gateway.Document}},
	}
}

// every canary that lies in the records.
var planted = []string{"kanari-delt", "kanari-skjult", "kanari-fremmed", "kanari-okonomi", "kanari-bolig", "kanari-narrativ", "kanari-navn"}

// ask is one question, however it ends. A panic that goes on is a 500 to whoever asked over HTTP.
func (w *world) ask(ctx context.Context, a gateway.Actor, in gateway.Interaction) (body string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = gateway.Failed("test.panic", gateway.Internal, errors.New("panic"))
		}
	}()
	out, err := w.Do(ctx, a, in)
	return bodyOf(out), err
}

// refusedBy counts the refusals of a party in the ledger.
func (s lent) refusedBy(t *testing.T, party gateway.HERID) (n int) {
	t.Helper()
	s.one(t, &n, `select count(*) from ledger where outcome = 'refused' and party = $1`, string(party))
	return n
}

func (s lent) one(t *testing.T, into any, sql string, args ...any) {
	t.Helper()
	must(t, s.conn.QueryRow(context.Background(), sql, args...).Scan(into))
}

// ours tells whether a refusal says that we failed: 500 or 503.
func ours(err error) bool {
	code := gateway.CodeOf(err)
	return code == gateway.Unavailable || code == gateway.Internal
}

var errFault = errors.New("fault of the test")

// fault is one thing that goes wrong while ous asks for what is lent with it.
type fault struct {
	name     string
	arm      func(f *faulty)
	actor    func(*gateway.Actor)
	context  func() (context.Context, context.CancelFunc)
	doors    []string // nil: all
	absent   bool     // the answer may be that there is nothing; otherwise every door says that we failed
	unlisted bool     // the ledger is down, or no entry can be made: nothing is recorded
	warm     bool     // the process has got the plan before, and remembers what it may
}

// readFaults are what may go wrong with a question.
var readFaults = slices.Concat(deciderFaults, factFaults, rowFaults, ledgerFaults, timeFaults, askerFaults)

var deciderFaults = []fault{
	{name: "the engine fails", arm: deciding(func(gateway.Decision, error) (gateway.Decision, error) { return gateway.Decision{}, errFault })},
	{name: "the engine answers and fails", arm: deciding(func(d gateway.Decision, _ error) (gateway.Decision, error) { return d, errFault })},
	{name: "the engine does not end in time", context: within(30 * time.Millisecond), arm: func(f *faulty) {
		f.decide = func(_ gateway.Decider, ctx context.Context, _ gateway.Question) (gateway.Decision, error) {
			<-ctx.Done()
			return gateway.Decision{}, ctx.Err()
		}
	}},
	{name: "the engine panics", arm: deciding(func(gateway.Decision, error) (gateway.Decision, error) { panic("fault of the test") })},
	{name: "the engine fails the second time", warm: true, arm: deciding(func(gateway.Decision, error) (gateway.Decision, error) { return gateway.Decision{}, errFault })},
	{name: "no decision", absent: true, arm: deciding(func(gateway.Decision, error) (gateway.Decision, error) { return gateway.Decision{}, nil })},
	{name: "nil scope", absent: true, arm: deciding(func(d gateway.Decision, err error) (gateway.Decision, error) {
		d.Scope = gateway.Scope{}
		return d, err
	})},
	{name: "denied, with a scope", absent: true, arm: deciding(func(d gateway.Decision, err error) (gateway.Decision, error) {
		d.Effect = gateway.Deny
		return d, err
	})},
	{name: "an effect that does not exist", absent: true, arm: deciding(func(d gateway.Decision, err error) (gateway.Decision, error) {
		d.Effect = 7
		return d, err
	})},
	{name: "terms that cover nothing", absent: true, arm: deciding(func(d gateway.Decision, err error) (gateway.Decision, error) {
		d.Scope.Terms = slices.Clone(d.Scope.Terms)
		for i := range d.Scope.Terms {
			d.Scope.Terms[i].Mask = 0
		}
		d.Scope.Join = nil
		return d, err
	})},
	{name: "the answer to another party", absent: true, arm: func(f *faulty) {
		f.decide = func(next gateway.Decider, ctx context.Context, q gateway.Question) (gateway.Decision, error) {
			q.Actor.Party, q.Party.ID = bydel, bydel // who keeps it all
			d, err := next.Decide(ctx, q)
			d.Scope.Terms, d.Scope.Join = nil, nil
			return d, err
		}
	}},
	{name: "emergency that nobody asked for", absent: true, arm: deciding(func(d gateway.Decision, err error) (gateway.Decision, error) {
		d.Scope.Emergency, d.Scope.Terms, d.Scope.Join = gateway.AllLabels, nil, nil
		return d, err
	})},
}

// deciding puts an answer in the place of the real one.
func deciding(change func(gateway.Decision, error) (gateway.Decision, error)) func(*faulty) {
	return func(f *faulty) {
		f.decide = func(next gateway.Decider, ctx context.Context, q gateway.Question) (gateway.Decision, error) {
			return change(next.Decide(ctx, q))
		}
	}
}

func within(d time.Duration) func() (context.Context, context.CancelFunc) {
	return func() (context.Context, context.CancelFunc) { return context.WithTimeout(context.Background(), d) }
}

var factFaults = []fault{
	{name: "no snapshot", arm: func(f *faulty) {
		f.snapshot = func() error { return gateway.Failed("test", gateway.Unavailable, errFault) }
		f.read = f.snapshot
	}},
	{name: "an error of no kind", arm: func(f *faulty) {
		f.snapshot, f.read = func() error { return errFault }, func() error { return errFault }
	}},
	{name: "no facts", arm: func(f *faulty) {
		f.facts = func(gateway.Facts, error) (gateway.Facts, error) { return gateway.Facts{}, errFault }
		f.page = func([]gateway.Facts, error) ([]gateway.Facts, error) { return nil, errFault }
	}},
	{name: "a negative person", absent: true, arm: lying(func(x *gateway.Facts) { x.Person = -1 })},
	{name: "facts of nobody", absent: true, arm: lying(func(x *gateway.Facts) { *x = gateway.Facts{} })},
	{name: "grants without a person", arm: lying(func(x *gateway.Facts) { x.Person = 0 }), doors: []string{"read", "version", "history", "search by patient", "document"}},
	{name: "grants that cannot be read", arm: lying(func(x *gateway.Facts) { x.Epoch, x.Grants = x.Epoch+1000, []byte(`[{"Effect":`) })},
	{name: "grants of another form", arm: lying(func(x *gateway.Facts) { x.Epoch, x.Grants = x.Epoch+2000, []byte(`{"Effect":1}`) })},
	{name: "facts without grants", absent: true, arm: lying(func(x *gateway.Facts) { x.Epoch, x.Grants = x.Epoch+3000, nil })},
	{name: "a page without its persons", arm: func(f *faulty) {
		f.page = func([]gateway.Facts, error) ([]gateway.Facts, error) { return nil, nil }
	}, doors: []string{"search of all"}},
	{name: "no directory", arm: func(f *faulty) {
		f.listed = func(gateway.Directory, error) (gateway.Directory, error) { return nil, errFault }
	}},
	{name: "a directory without who asks", absent: true, arm: func(f *faulty) {
		f.listed = func(dir gateway.Directory, err error) (gateway.Directory, error) { return without{dir, ous}, err }
	}},
	{name: "the number stands for another", absent: true, actor: bound, arm: func(f *faulty) {
		person := f.shared.kept[f.shared.foreign].Person
		f.facts = func(x gateway.Facts, err error) (gateway.Facts, error) {
			x.Person = person
			return x, err
		}
		f.stands = func(s gateway.Standing, err error) (gateway.Standing, error) {
			s.Bound = person
			return s, err
		}
	}, doors: []string{"read", "version", "history", "search by patient", "document"}},
}

// lying changes the facts, wherever they are asked for.
func lying(change func(*gateway.Facts)) func(*faulty) {
	return func(f *faulty) {
		f.facts = func(x gateway.Facts, err error) (gateway.Facts, error) {
			change(&x)
			return x, err
		}
		f.page = func(list []gateway.Facts, err error) ([]gateway.Facts, error) {
			for i := range list {
				change(&list[i])
			}
			return list, err
		}
	}
}

// without is a directory that does not have one party.
type without struct {
	gateway.Directory
	party gateway.HERID
}

func (d without) Party(id gateway.HERID) (gateway.Party, bool) {
	if id == d.party {
		return gateway.Party{}, false
	}
	return d.Directory.Party(id)
}

var rowFaults = []fault{
	{name: "another row of hers", arm: func(f *faulty) { f.row = instead(f, f.shared.hidden) }},
	{name: "another person's row", arm: func(f *faulty) { f.row = instead(f, f.shared.foreign) }, doors: []string{"read", "version", "history", "search by patient", "document"}},
	{name: "a row of nobody", arm: changing(func(r *gateway.Record) { r.Person = 0 })},
	{name: "a row without labels", arm: changing(func(r *gateway.Record) { r.Labels = 0 })},
	{name: "a row with another custodian", arm: changing(func(r *gateway.Record) { r.Custodian = gp })},
	{name: "a row with one more label", arm: changing(func(r *gateway.Record) { r.Labels |= gateway.Rus })},
	{name: "the cover of SQL is wider", arm: changing(func(r *gateway.Record) { r.Covered |= gateway.Rus })},
	{name: "the cover of SQL is narrower", arm: changing(func(r *gateway.Record) { r.Covered = 0 })},
	{name: "a part that is not there", arm: changing(func(r *gateway.Record) {
		r.Parts = slices.Clone(r.Parts)
		r.Parts[0].Path = "CarePlan.activity[7]"
	})},
	{name: "half a body", warm: true, arm: changing(func(r *gateway.Record) { r.Body = r.Body[:len(r.Body)/2] })},
	{name: "a body that cannot be read", arm: changing(func(r *gateway.Record) { r.Body = []byte(`{"resourceType":`) })},
	{name: "no body", arm: changing(func(r *gateway.Record) { r.Body = nil })},
	{name: "a row that panics", arm: changing(func(*gateway.Record) { panic("fault of the test") })},
}

func changing(change func(*gateway.Record)) func(*faulty) {
	return func(f *faulty) {
		f.row = func(r gateway.Record) gateway.Record {
			if r.Reference.Type == "CarePlan" {
				change(&r)
			}
			return r
		}
	}
}

// instead gives a row that was kept in the place of every plan.
func instead(f *faulty, other fhir.Reference) func(gateway.Record) gateway.Record {
	return func(r gateway.Record) gateway.Record {
		if r.Reference.Type != "CarePlan" {
			return r
		}
		kept := f.shared.kept[other]
		kept.Place, kept.Covered = r.Place, r.Covered
		return kept
	}
}

var ledgerFaults = []fault{
	{name: "the ledger is down", unlisted: true, arm: func(f *faulty) { f.ledger = func(context.Context) error { return errFault } }},
	{name: "the ledger does not end in time", unlisted: true, context: within(30 * time.Millisecond), arm: func(f *faulty) {
		f.ledger = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
	}},
	{name: "ledger and engine are down", unlisted: true, arm: func(f *faulty) {
		deciding(func(gateway.Decision, error) (gateway.Decision, error) { return gateway.Decision{}, errFault })(f)
		f.ledger = func(context.Context) error { return errFault }
	}},
	{name: "ledger down, who asks unknown", unlisted: true, arm: func(f *faulty) {
		f.listed = func(dir gateway.Directory, err error) (gateway.Directory, error) { return without{dir, ous}, err }
		f.ledger = func(context.Context) error { return errFault }
	}},
	{name: "no randomness", unlisted: true, arm: func(f *faulty) { f.random = strings.NewReader("") }},
}

var timeFaults = []fault{
	{name: "the clock steps back", absent: true, warm: true, arm: stopped(time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC))},
	{name: "the clock steps forward", absent: true, warm: true, arm: stopped(time.Date(2027, 12, 1, 0, 0, 0, 0, time.UTC))},
	{name: "the clock is lost", unlisted: true, arm: stopped(time.Time{})},
	{name: "the clock is of 1970", absent: true, arm: stopped(time.Unix(0, 0))},
	{name: "the clock is past the end of nanoseconds", absent: true, arm: stopped(time.Date(2611, 6, 1, 0, 0, 0, 0, time.UTC))},
}

func stopped(t time.Time) func(*faulty) {
	return func(f *faulty) { f.now = func() time.Time { return t } }
}

var askerFaults = []fault{
	{name: "a kind that does not exist", absent: true, actor: func(a *gateway.Actor) { a.Kind = 99 }},
	{name: "no kind", absent: true, actor: func(a *gateway.Actor) { a.Kind = gateway.Nobody }},
	{name: "a party that does not exist", absent: true, actor: func(a *gateway.Actor) { a.Party = "80009999" }},
	{name: "no attest", absent: true, actor: func(a *gateway.Actor) { a.Attest = gateway.Attest{} }},
	{name: "cancelled before", context: func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	}},
}

// bound binds the token to her.
func bound(a *gateway.Actor) {
	n, err := gateway.NewNIN(kari)
	if err == nil {
		a.Attest = gateway.Attest{NIN: n}
	}
}

// Whatever fails, nothing leaves: not what may not cross, and not what may, since nobody knows whether it may. Every
// refusal is in the ledger, unless that is what fails (DESIGN § 1, P2 and P5).
func TestFailClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.share()
	for door, in := range s.doors() { // or nothing of what follows means anything
		if body, err := w.ask(t.Context(), at(ous), in); err != nil || !strings.Contains(body, "kanari-delt") {
			t.Fatalf("%s gives nothing when nothing fails: %v\n%s", door, err, body)
		}
	}
	for _, x := range readFaults {
		t.Run(x.name, func(t *testing.T) {
			for door, in := range s.doors() {
				if x.doors == nil || slices.Contains(x.doors, door) {
					x.provoke(t, w, s, door, in)
				}
			}
		})
	}
	if len(readFaults) < 30 {
		t.Errorf("only %d faults", len(readFaults))
	}
}

// provoke asks at one door under the fault.
func (x fault) provoke(t *testing.T, w *world, s lent, door string, in gateway.Interaction) {
	t.Helper()
	f, a := faulty{world: w, shared: s}, at(ous)
	if x.actor != nil {
		x.actor(&a)
	}
	process := f.process()
	if x.warm {
		if _, err := process.ask(t.Context(), a, in); err != nil {
			t.Fatalf("%s: before the fault: %v", door, err)
		}
	}
	if x.arm != nil {
		x.arm(&f)
		if !x.warm {
			process = f.process()
		} else if f.now != nil {
			process.Clock = f.now
		}
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if x.context != nil {
		ctx, cancel = x.context()
	}
	defer cancel()
	before := s.refusedBy(t, a.Party)
	body, err := process.ask(ctx, a, in)
	for _, canary := range planted {
		if strings.Contains(body, canary) {
			t.Errorf("%s: LEAK of %s", door, canary)
		}
	}
	switch code := gateway.CodeOf(err); {
	case err != nil && body != "":
		t.Errorf("%s: a refusal with a body: %v %s", door, err, body)
	case ours(err):
	case !x.absent:
		t.Errorf("%s: %v, want a refusal that says we failed", door, err)
	case err != nil && code != gateway.NotFound && code != gateway.Forbidden:
		t.Errorf("%s: %v", door, err)
	}
	want := 0
	if err != nil && !x.unlisted {
		want = 1
	}
	if n := s.refusedBy(t, a.Party) - before; n != want {
		t.Errorf("%s: %d refusals in the ledger, want %d (%v)", door, n, want, err)
	}
}

// What changes between the decision and the row is seen: by the statement that brings the row, or because the
// snapshot is older than the change.
func TestFailClosedBetween(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, s lent){
		"withdrawn": func(w *world, s lent) { withdraw(w, s.hers, s.consent, s.record, s.given) },
		"labelled": func(w *world, s lent) {
			body := strings.Replace(withID(plan(s.hers, "delt"), s.record), `"resourceType":"CarePlan"`,
				`"resourceType":"CarePlan","meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]}`, 1)
			_, err := w.put(at(bydel), body, "")
			must(w.t, err)
		},
		"of another person than the token": func(w *world, s lent) {
			_, err := w.put(at(bydel), withID(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"25908830264"}]}`, s.hers), "")
			must(w.t, err)
		},
		"objected to": func(w *world, s lent) { w.mustPost(at(bydel), objection(s.hers)) },
	} {
		for _, warm := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", remembered"}[warm], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				f := faulty{world: w, shared: w.share()}
				process, done, a := f.process(), false, at(ous)
				if strings.HasSuffix(name, "the token") {
					bound(&a)
				}
				if warm {
					_, err := process.read(a, f.shared.record)
					must(t, err)
				}
				f.read = func() error {
					if !done {
						done = true
						change(w, f.shared)
					}
					return nil
				}
				before := f.shared.refusedBy(t, ous)
				body, err := process.read(a, f.shared.record)
				wantNone(t, body, planted...)
				wantCode(t, err, gateway.NotFound)
				if n := f.shared.refusedBy(t, ous) - before; n != 1 || !done {
					t.Errorf("%d refusals in the ledger, changed %v", n, done)
				}
			})
		}
	}
}

// No byte is given before its entry is durable, however long that takes.
func TestNothingLeavesBeforeTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.share()
	for door, in := range s.doors() {
		reached, let := make(chan struct{}, 10), make(chan struct{})
		f := faulty{world: w, shared: s, ledger: func(context.Context) error {
			reached <- struct{}{}
			<-let
			return nil
		}}
		given := make(chan string, 1)
		go func() {
			body, _ := f.process().ask(context.Background(), at(ous), in)
			given <- body
		}()
		<-reached
		select {
		case <-given:
			t.Errorf("%s: answered before the entry", door)
		case <-time.After(30 * time.Millisecond):
		}
		close(let)
		if body := <-given; !strings.Contains(body, "kanari-delt") {
			t.Errorf("%s: nothing once it is durable: %s", door, body)
		}
	}
}

// doorsOfWriting are the ways in which bydel writes.
func (s lent) doorsOfWriting(t *testing.T) map[string]gateway.Interaction {
	t.Helper()
	fresh, changed := parse(t, plan(s.hers, "ny")), parse(t, withID(plan(s.hers, "endret"), s.record))
	return map[string]gateway.Interaction{
		"create":  {Code: gateway.Create, Target: fhir.Reference{Type: "CarePlan"}, Body: fresh},
		"update":  {Code: gateway.Update, Target: s.record, Body: changed},
		"consent": {Code: gateway.Create, Target: fhir.Reference{Type: "Consent"}, Body: parse(t, consentOf(s.hers, []string{"rus"}, ous))},
		"delete":  {Code: gateway.Delete, Target: s.record},
	}
}

var writeFaults = []fault{
	{name: "the labeller fails", doors: []string{"create", "update", "consent"}, arm: labelling(func(gateway.Labelling, error) (gateway.Labelling, error) { return gateway.Labelling{}, errFault })},
	{name: "the labeller panics", doors: []string{"create", "update", "consent"}, arm: labelling(func(gateway.Labelling, error) (gateway.Labelling, error) { panic("fault of the test") })},
	{name: "the normalizer panics", doors: []string{"consent"}, arm: func(f *faulty) {
		f.grants = func(gateway.Normalizer, *fhir.Resource, fhir.Reference, gateway.Setting) ([]gateway.Grant, []fhir.Issue) {
			panic("fault of the test")
		}
	}},
	deciderFaults[0], deciderFaults[3], ledgerFaults[0], ledgerFaults[4], askerFaults[4],
	{name: "no transaction", doors: []string{"update", "consent", "delete"}, arm: func(f *faulty) { f.snapshot = func() error { return errFault } }},
	{name: "no directory", arm: func(f *faulty) {
		f.listed = func(gateway.Directory, error) (gateway.Directory, error) { return nil, errFault }
	}},
	{name: "a party that does not exist", absent: true, actor: func(a *gateway.Actor) { a.Party = "80009999" }},
	{name: "a kind that does not exist", absent: true, actor: func(a *gateway.Actor) { a.Kind = 99 }},
}

func labelling(change func(gateway.Labelling, error) (gateway.Labelling, error)) func(*faulty) {
	return func(f *faulty) {
		f.label = func(next gateway.Labeller, ctx context.Context, r *fhir.Resource) (gateway.Labelling, error) {
			return change(next.Label(ctx, r))
		}
	}
}

// Whatever fails, nothing is written by halves: no version, no grant, no epoch; and the refusal is in the ledger.
func TestFailClosedWriting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.share()
	doors := s.doorsOfWriting(t)
	for _, x := range writeFaults {
		t.Run(x.name, func(t *testing.T) {
			for _, door := range slices.Sorted(maps.Keys(doors)) {
				if x.doors == nil || slices.Contains(x.doors, door) {
					x.provokeWrite(t, w, s, door, doors[door])
				}
			}
		})
	}
}

// What a labeller that says nothing has let through is nobody's but the custodian's.
func TestUnlabelledCrossesToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := faulty{world: w, shared: w.share()}
	labelling(func(gateway.Labelling, error) (gateway.Labelling, error) { return gateway.Labelling{}, nil })(&f)
	r := f.process().mustPost(at(bydel), plan(f.shared.hers, "uten-kategori"))
	_, err := w.read(at(ous), r)
	wantCode(t, err, gateway.NotFound)
	body, err := w.find(at(ous), "CarePlan", gateway.Search{Subject: gateway.Subject{Patient: f.shared.hers}})
	must(t, err)
	wantNone(t, body, "kanari-uten-kategori")
	if !strings.Contains(body, "kanari-delt") {
		t.Error("what is labelled is not found")
	}
}

const standsSQL = `select (select coalesce(sum(hashtext(r::text)), 0) from resource r)::text || ' ' || (select count(*) from history) || ' ' ||
  (select coalesce(sum(epoch), 0) from epoch) || ' ' || (select coalesce(sum(hashtext(g::text)), 0) from grant_ g)`

func (x fault) provokeWrite(t *testing.T, w *world, s lent, door string, in gateway.Interaction) {
	t.Helper()
	f, a := faulty{world: w, shared: s}, at(bydel)
	if x.actor != nil {
		x.actor(&a)
	}
	if x.arm != nil {
		x.arm(&f)
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if x.context != nil {
		ctx, cancel = x.context()
	}
	defer cancel()
	var stood, stands string
	s.one(t, &stood, standsSQL)
	before := s.refusedBy(t, a.Party)
	_, err := f.process().ask(ctx, a, in)
	s.one(t, &stands, standsSQL)
	if err == nil || !ours(err) && !(x.absent && gateway.CodeOf(err) == gateway.Forbidden) {
		t.Errorf("%s: %v, want a refusal that says we failed", door, err)
	}
	if stood != stands {
		t.Errorf("%s: something was written: %s, then %s", door, stood, stands)
	}
	want := 1
	if x.unlisted {
		want = 0
	}
	if n := s.refusedBy(t, a.Party) - before; n != want {
		t.Errorf("%s: %d refusals in the ledger, want %d (%v)", door, n, want, err)
	}
}
