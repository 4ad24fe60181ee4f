package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

func (b *bench) grant(person gateway.PersonID, consent fhir.Reference, recipient gateway.Recipient, mask gateway.Labels) gateway.Grant {
	return gateway.Grant{
		Consent: consent, Path: "Consent.provision", Effect: gateway.Allow, Labels: mask,
		Custodians: gateway.Only[gateway.HERID]("100"), Recipients: gateway.Only(recipient), Roles: gateway.Every[string](),
		Purposes: gateway.Every[gateway.Purpose](), Actions: gateway.Only(gateway.ReadAction), Types: gateway.Every[fhir.Type](),
		Items: gateway.Every[fhir.Reference](), Start: start.Add(-time.Hour), End: start.Add(1000 * time.Hour), Law: "HPL22", Paragraph: "hpl. § 22",
	}
}

// While a Consent is given and withdrawn without pause, a reader who decides on the facts of a
// snapshot and reads the row of the same snapshot never has the one without the other; and once a
// withdrawal is committed no later snapshot permits.
func TestRevocationIsNeverStale(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	consent := b.make(b.draft("100", ref("Consent", "100-samtykke"), "100-kari", gateway.Samarbeid))
	plan := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	var generation atomic.Int64 // odd: given
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := consent; ; {
			select {
			case <-stop:
				return
			default:
			}
			var grants []gateway.Grant
			given := generation.Load()%2 == 0
			if given {
				grants = append(grants, b.grant(p.Person, consent.Reference, "p:200", gateway.Plan))
			}
			if given { // what the grant opens is written with it
				generation.Add(1)
			}
			if err := b.tx(func(tx *Tx) error {
				if err := tx.PutGrants(b.ctx, p.Person, consent.Reference, grants, gateway.Basis{}); err != nil {
					return err
				}
				// the label follows the consent: covered before, not covered after
				label := gateway.Plan
				if !given {
					label = gateway.Plan | gateway.Rus
				}
				current, err := tx.lock(b.ctx, own("100"), plan.Reference)
				if err != nil {
					return err
				}
				_, err = tx.put(b.ctx, own("100"), b.next(current, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), label }))
				return err
			}); err != nil {
				t.Error(err)
				return
			}
			if !given {
				generation.Add(1)
			}
			_ = r
		}
	})
	var permitted, refused, stale atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := generation.Load()
				err := b.Snapshot(b.ctx, func(gv gateway.View) error {
					v := gv.(*view)
					f, err := v.FactsOf(b.ctx, plan.Reference)
					if err != nil {
						return err
					}
					grants, err := gateway.DecodeGrants(f.Grants)
					if err != nil {
						return err
					}
					scope := gateway.Scope{Own: "200"}
					for _, g := range grants {
						scope.Terms = append(scope.Terms, gateway.Term{Effect: g.Effect, Custodians: g.Custodians, Types: g.Types, Items: g.Items, Mask: g.Labels})
					}
					r, err := v.read(b.ctx, scope, ref("CarePlan", "100-plan"))
					switch {
					case err == nil && (len(grants) == 0 || r.Labels != gateway.Plan):
						stale.Add(1)
					case err == nil:
						permitted.Add(1)
						if before%2 == 0 && generation.Load() == before { // withdrawn all the while
							stale.Add(1)
						}
					case gateway.CodeOf(err) == gateway.NotFound && len(grants) > 0:
						stale.Add(1) // the grant of one instant, the row of another
					case gateway.CodeOf(err) == gateway.NotFound:
						refused.Add(1)
					default:
						return err
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	close(stop)
	wg.Wait()
	if stale.Load() != 0 {
		t.Errorf("%d stale answers of %d permitted and %d refused", stale.Load(), permitted.Load(), refused.Load())
	}
	if permitted.Load() < 50 || refused.Load() < 50 {
		t.Errorf("%d permitted, %d refused: the test shows little", permitted.Load(), refused.Load())
	}
}

func TestEpochRisesAndIsHeld(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	consent := ref("Consent", "c")
	epoch := func() int64 { f, _ := b.about("100", gateway.Subject{NIN: nin(b, kari)}); return f.Epoch }
	first := epoch()
	put := func(grants ...gateway.Grant) {
		t.Helper()
		if err := b.tx(func(tx *Tx) error { return tx.PutGrants(b.ctx, p.Person, consent, grants, gateway.Basis{}) }); err != nil {
			t.Fatal(err)
		}
	}
	put(b.grant(p.Person, consent, "p:200", gateway.Plan))
	second := epoch()
	put()
	third := epoch()
	if first >= second || second >= third {
		t.Errorf("epochs %d %d %d", first, second, third)
	}
	// a Tx that decided on the facts of an epoch holds it until it ends
	order := make(chan string, 2)
	held := make(chan struct{})
	go func() {
		<-held
		put(b.grant(p.Person, consent, "p:200", gateway.Plan))
		order <- "consent"
	}()
	if err := b.tx(func(tx *Tx) error {
		if _, err := tx.FactsOf(b.ctx, ref("Patient", "100-kari")); err != nil {
			return err
		}
		close(held)
		time.Sleep(200 * time.Millisecond)
		order <- "decision"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := <-order + " " + <-order; got != "decision consent" {
		t.Errorf("order %q: a Consent was written between a decision and its effect", got)
	}
}

func TestGrantsRoundTrip(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	other := b.patient("100", "100-ola", ola)
	one, two := ref("Consent", "c1"), ref("Consent", "c2")
	deny := b.grant(p.Person, two, "p:300", gateway.AllLabels)
	deny.Effect, deny.End, deny.Recipients, deny.Custodians = gateway.Deny, time.Time{}, gateway.Set[gateway.Recipient]{}, gateway.Every[gateway.HERID]()
	if err := b.tx(func(tx *Tx) error {
		if err := tx.PutGrants(b.ctx, p.Person, one, []gateway.Grant{b.grant(p.Person, one, "p:200", gateway.Plan)}, gateway.Basis{Teams: []fhir.Reference{{Type: "CareTeam", ID: "t", Version: "v1"}}}); err != nil {
			return err
		}
		return tx.PutGrants(b.ctx, p.Person, two, []gateway.Grant{deny}, gateway.Basis{})
	}); err != nil {
		t.Fatal(err)
	}
	list := func(n string) []gateway.Grant {
		f, _ := b.about("100", gateway.Subject{NIN: nin(b, n)})
		grants, err := gateway.DecodeGrants(f.Grants)
		if err != nil {
			t.Fatal(err)
		}
		return grants
	}
	if got := list(kari); len(got) != 2 || got[1].Effect != gateway.Deny || got[1].Recipients.Any || len(got[1].Recipients.Of) != 0 || !got[1].Custodians.Any {
		t.Errorf("grants %+v", got)
	}
	if n := b.one(`select count(*) from grant_ where recipients = '{}' and custodians is null and ends = 'infinity'`); n != 1 {
		t.Error("the empty set and any are not told apart in the table")
	}
	b.make(b.draft("100", one, "100-kari", gateway.Samarbeid))
	if err := b.tx(func(tx *Tx) error {
		stored, err := tx.ConsentsNaming(b.ctx, ref("CareTeam", "t"))
		if len(stored) != 1 || stored[0].Consent.ID != "c1" || len(stored[0].Basis.Teams) != 1 || stored[0].Basis.Teams[0].Version != "v1" || stored[0].Person != p.Person || len(stored[0].Body) == 0 {
			t.Errorf("consents naming the team: %+v", stored)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// the Consent becomes another person's: both are told
	before, _ := b.about("100", gateway.Subject{NIN: nin(b, kari)})
	if err := b.tx(func(tx *Tx) error {
		return tx.PutGrants(b.ctx, other.Person, one, []gateway.Grant{b.grant(other.Person, one, "p:200", gateway.Plan)}, gateway.Basis{})
	}); err != nil {
		t.Fatal(err)
	}
	after, _ := b.about("100", gateway.Subject{NIN: nin(b, kari)})
	if len(list(kari)) != 1 || len(list(ola)) != 1 || after.Epoch <= before.Epoch {
		t.Errorf("%d and %d grants, epoch %d then %d", len(list(kari)), len(list(ola)), before.Epoch, after.Epoch)
	}
	b.wants(b.tx(func(tx *Tx) error { return tx.PutGrants(b.ctx, 0, one, []gateway.Grant{deny}, gateway.Basis{}) }), gateway.Internal)
	b.see(func(v *view) error {
		facts, err := v.FactsFor(b.ctx, []gateway.PersonID{p.Person, other.Person, 999})
		if len(facts) != 2 {
			t.Errorf("facts of %d persons", len(facts))
		}
		return err
	})
}

func TestTeamReadsTheVersionNamed(t *testing.T) {
	b := newBench(t)
	v1 := b.make(b.draft("100", ref("CareTeam", "t"), "", gateway.Samarbeid))
	v2 := b.set(b.next(v1, nil))
	if err := b.tx(func(tx *Tx) error {
		for _, want := range []struct {
			version string
			body    []byte
		}{{"", v2.Body}, {v1.Reference.Version, v1.Body}, {v2.Reference.Version, v2.Body}} {
			body, custodian, err := tx.Team(b.ctx, fhir.Reference{Type: "CareTeam", ID: "t", Version: want.version})
			if err != nil || custodian != "100" || string(body) != string(want.body) {
				t.Errorf("team %q: %s %v", want.version, body, err)
			}
		}
		_, _, err := tx.Team(b.ctx, ref("CareTeam", "none"))
		b.wants(err, gateway.NotFound)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTxUndoesEverything(t *testing.T) {
	b := newBench(t)
	failed := errors.New("no")
	err := b.tx(func(tx *Tx) error {
		d := b.draft("100", ref("Goal", "100-goal"), "", gateway.Plan)
		if _, err := tx.put(b.ctx, own("100"), d); err != nil {
			return err
		}
		if err := tx.Record(b.ctx, []gateway.AuditEntry{b.entry("100", d)}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	if n := b.one(`select (select count(*) from resource) + (select count(*) from ledger) + (select count(*) from ledger_queue)`); n != 0 {
		t.Errorf("%d rows of a transaction that failed", n)
	}
}

func TestUnsafeSettingsAreRefused(t *testing.T) {
	// the cluster of the tests runs without fsync, so that a store that minds refuses it
	dsn := postgrestest.OpenPrepared(t, "store", func(dsn string) error { return Migrate(context.Background(), dsn) })
	c := Config{DSN: dsn, HashKey: [32]byte{1}, Clock: ticking(), Source: audit.Source{Site: "x"}}
	_, err := Open(context.Background(), c)
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if err == nil || !strings.Contains(err.Error(), name+" = off") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Unsafe = true
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.unsafe = false
	if err := s.Ready(context.Background()); gateway.CodeOf(err) != gateway.Unavailable || err == nil {
		t.Errorf("ready in spite of them: %v", err)
	}
}

func TestOpenTellsWhatIsMissing(t *testing.T) {
	_, err := Open(context.Background(), Config{})
	for _, name := range []string{"DSN", "HashKey", "Clock", "Source"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	empty := Config{DSN: postgrestest.Open(t), HashKey: [32]byte{1}, Clock: ticking(), Source: audit.Source{Site: "x"}, Unsafe: true}
	if _, err := Open(context.Background(), empty); err == nil || !strings.Contains(err.Error(), "sluse migrate") {
		t.Errorf("no schema: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 { // all at once
		wg.Go(func() {
			if err := Migrate(context.Background(), empty.DSN); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := Open(context.Background(), empty)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(context.Background(), Config{DSN: "postgres://u:hemmelig@h:x/", HashKey: [32]byte{1}, Clock: ticking(), Source: audit.Source{Site: "x"}}); err == nil || strings.Contains(err.Error(), "hemmelig") {
		t.Errorf("an unreadable connection string: %v", err)
	}
}

func TestErrorsTellNoValues(t *testing.T) {
	b := newBench(t)
	secret := "14837912092"
	_, err := b.pool.Exec(b.ctx, `select $1::text::int / 0`, "x"+secret)
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.Contains(err.Error(), secret) {
		t.Fatalf("the driver's error does not repeat the value: %v", err)
	}
	if text := failure("postgres.test", err).Error(); strings.Contains(text, secret) || !strings.Contains(text, "22P02") {
		t.Errorf("the error tells %q", text)
	}
	for code, want := range map[string]gateway.Code{
		"23505": gateway.Conflict, "40001": gateway.Unavailable, "53100": gateway.Unavailable, "57P01": gateway.Unavailable,
		"08006": gateway.Unavailable, "42601": gateway.Internal, "22P02": gateway.Internal, "58030": gateway.Unavailable,
	} {
		if got := gateway.CodeOf(failure("x", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
	if gateway.CodeOf(failure("x", pgx.ErrNoRows)) != gateway.NotFound || gateway.CodeOf(failure("x", context.DeadlineExceeded)) != gateway.Unavailable {
		t.Error("no rows or a deadline has another code")
	}
}

// An answer that is lost on the way tells nothing: neither success nor a retry that could write twice.
func TestLostAnswerIsNotSuccess(t *testing.T) {
	b := newBench(t)
	var pid int
	err := b.tx(func(tx *Tx) error {
		if err := tx.tx.QueryRow(b.ctx, `select pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		if _, err := tx.put(b.ctx, own("100"), b.draft("100", ref("Goal", "g"), "", gateway.Plan)); err != nil {
			return err
		}
		_, err := b.pool.Exec(b.ctx, `select pg_terminate_backend($1)`, pid)
		time.Sleep(50 * time.Millisecond)
		return err
	})
	b.wants(err, gateway.Unavailable)
	if n := b.one(`select count(*) from resource`); n != 0 {
		t.Errorf("%d rows", n)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	b.wants(b.Snapshot(ctx, func(v gateway.View) error {
		var nothing any
		return failure("x", v.(*view).tx.QueryRow(ctx, `select pg_sleep(10)::text`).Scan(&nothing))
	}), gateway.Unavailable)
	if _, err := b.Directory(b.ctx); err != nil {
		t.Errorf("the pool did not recover: %v", err)
	}
}

// Behind a pooler nothing may rest on the connection: the same work goes through the mode that
// prepares nothing, with one connection for all.
func TestWithoutSessionState(t *testing.T) {
	b := newBench(t)
	b.Store = openWith(t, func(c *Config) { c.ExecMode, c.MaxConns = pgx.QueryExecModeExec, 1 })
	p := b.patient("100", "100-kari", kari)
	d := b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan)
	d.Low, d.High = day(1)
	d.Sent = []gateway.Sent{{To: "200", Mask: gateway.Plan}}
	d.Parts = []gateway.Part{{Path: "CarePlan.activity[0]", Labels: gateway.Okonomi}}
	d.Index = []fhir.IndexValue{
		{Key: "status", Bits: 1, Kind: fhir.Token, System: "s", Code: "c"}, {Key: "n", Bits: 2, Kind: fhir.StringParam, Text: "t", Folded: "t"},
		{Key: "d", Bits: 4, Kind: fhir.Date, Low: start, High: start.Add(1)}, {Key: "status", Bits: 1, Kind: fhir.Token, Code: "x", Mask: uint64(gateway.Okonomi)},
	}
	r := b.make(d)
	b.set(b.next(r, func(d *gateway.Draft) { d.Subject = ref("Patient", "100-kari") }))
	consent := ref("Consent", "c")
	if err := b.tx(func(tx *Tx) error {
		return tx.PutGrants(b.ctx, p.Person, consent, []gateway.Grant{b.grant(p.Person, consent, "p:200", gateway.Plan)}, gateway.Basis{})
	}); err != nil {
		t.Fatal(err)
	}
	join := gateway.Scope{Own: "200", Fetched: true, Join: &gateway.Join{Permits: []gateway.Recipient{"p:200"}, Now: start, Roles: []string{}, Purposes: []gateway.Purpose{"TREAT"}}}
	if got := b.find(join, "CarePlan", gateway.Search{}, 0); len(got) != 0 {
		t.Errorf("a record sent by message is read by a grant for read: %s", ids(got))
	}
	if _, err := b.get(permitting(gateway.Plan), r.Reference); gateway.CodeOf(err) != gateway.NotFound {
		t.Error(err)
	}
	if err := b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, p.Person, "100", "x")}, []gateway.FetchedVersion{{Party: "200", Record: r.Reference, Mask: gateway.Plan}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.get(permitting(0), r.Reference); err != nil {
		t.Error(err)
	}
	b.list("Organization", "o", organization("100", "helse-kommune", ""))
	if _, _, err := b.place(b.ctx); err != nil {
		t.Error(err)
	}
	if got := b.find(gateway.Scope{Own: "9", Ledger: gateway.LedgerScope{Person: p.Person, Asker: "100"}}, "AuditEvent", gateway.Search{}, 0); len(got) != 3 {
		t.Errorf("%d lines", len(got))
	}
}
