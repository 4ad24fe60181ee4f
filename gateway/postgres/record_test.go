package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// permitting is a scope of party 200 with one permit for records of party 100.
func permitting(mask gateway.Labels) gateway.Scope {
	return gateway.Scope{Own: "200", Fetched: true, Terms: []gateway.Term{{
		Effect: gateway.Allow, Custodians: gateway.Only[gateway.HERID]("100"), Types: gateway.Every[fhir.Type](),
		Items: gateway.Every[fhir.Reference](), Mask: mask,
	}}}
}

func TestZeroScopeReachesNothing(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	r := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	org := b.draft("100", ref("Organization", "o1"), "", 0)
	b.make(org)
	b.see(func(v *view) error {
		var zero gateway.Permit
		for _, target := range []fhir.Reference{r.Reference, ref("CarePlan", "100-plan"), ref("Patient", "100-kari"), ref("Organization", "o1"), ref("AuditEvent", "x")} {
			if _, err := v.Read(b.ctx, zero, target); gateway.CodeOf(err) != gateway.NotFound || err == nil {
				t.Errorf("read %s: %v", target, err)
			}
			if list, err := v.History(b.ctx, zero, target, gateway.Window{}, 10, gateway.Cursor{}); gateway.CodeOf(err) != gateway.NotFound || len(list) > 0 {
				t.Errorf("history %s: %v", target, err)
			}
			for _, person := range []gateway.PersonID{0, r.Person} {
				if list, err := v.Search(b.ctx, zero, target.Type, gateway.Search{}, person, 10, gateway.Cursor{}); err != nil || len(list) > 0 {
					t.Errorf("search %s: %v %v", target.Type, list, err)
				}
			}
		}
		return nil
	})
	d := b.draft("100", ref("CarePlan", "100-other"), "", gateway.Plan)
	_, err := b.Create(b.ctx, gateway.Permit{}, d, b.entry("100", d))
	b.wants(err, gateway.Forbidden)
	b.wants(b.Tx(b.ctx, func(tx gateway.Tx) error {
		_, err := tx.Lock(b.ctx, gateway.Permit{}, r.Reference)
		return err
	}), gateway.NotFound)
	b.wants(b.Tx(b.ctx, func(tx gateway.Tx) error {
		_, err := tx.Put(b.ctx, gateway.Permit{}, d)
		return err
	}), gateway.Forbidden)
	if n := b.one(`select count(*) from resource where id = '100-other'`); n != 0 {
		t.Error("written without a permit")
	}
	// another party's name in the draft is not its own either
	_, err = b.create(b.ctx, own("200"), d, b.entry("100", d))
	b.wants(err, gateway.Forbidden)
}

func TestHiddenIsAbsent(t *testing.T) {
	seen := &statements{}
	b := newBench(t)
	b.Store = openWith(t, func(c *Config) { c.Tracer = seen })
	b.patient("100", "100-kari", kari)
	b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan|gateway.Rus))
	type answer struct {
		err  string
		sent []string
	}
	ask := func(id, version string) answer {
		var a answer
		seen.take()
		b.see(func(v *view) error {
			r := ref("CarePlan", id)
			f, err := v.FactsOf(b.ctx, r)
			if err != nil {
				return err
			}
			_ = f
			r.Version = version
			scope := permitting(gateway.Plan)
			_, err = v.read(b.ctx, scope, r)
			a.err = err.Error()
			if _, err := v.history(b.ctx, scope, r, gateway.Window{}, 10, gateway.Cursor{}); err == nil || err.Error() == "" {
				t.Error("the history is not absent")
			}
			list, err := v.search(b.ctx, scope, "CarePlan", gateway.Search{Criteria: []fhir.Criterion{id_("CarePlan", id)}}, 0, 10, gateway.Cursor{})
			if len(list) > 0 {
				t.Error("found")
			}
			return err
		})
		a.sent = seen.take()
		return a
	}
	hidden, none := ask("100-plan", ""), ask("100-none", "")
	if hidden.err != none.err || strings.Join(hidden.sent, ";") != strings.Join(none.sent, ";") || len(none.sent) < 5 {
		t.Errorf("hidden %v\nnone %v", hidden, none)
	}
	hidden, none = ask("100-plan", "v1"), ask("100-none", "v1")
	if hidden.err != none.err || strings.Join(hidden.sent, ";") != strings.Join(none.sent, ";") {
		t.Errorf("hidden %v\nnone %v", hidden, none)
	}
}

func id_(t fhir.Type, id string) fhir.Criterion {
	return param(t, "_id", fhir.Operand{Code: id, AnySystem: true})
}

func TestPastVersionNeedsBothItsOwnAndTheCurrentLabels(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	v1 := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	v2 := b.set(b.next(v1, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), gateway.Plan|gateway.Rus }))
	v3 := b.set(b.next(v2, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), gateway.Plan }))
	readable := func(mask gateway.Labels) string {
		var out []string
		for i, v := range []gateway.Record{v1, v2, v3} {
			if _, err := b.get(permitting(mask), v.Reference); err == nil {
				out = append(out, string(rune('1'+i)))
			}
		}
		list, err := func() (l []gateway.Record, err error) {
			b.see(func(v *view) error {
				l, err = v.history(b.ctx, permitting(mask), ref("CarePlan", "100-plan"), gateway.Window{}, 10, gateway.Cursor{})
				return nil
			})
			return
		}()
		if err == nil && len(list) != len(out) {
			t.Errorf("history gives %d versions, vread %d", len(list), len(out))
		}
		return strings.Join(out, " ")
	}
	if got := readable(gateway.Plan); got != "1 3" {
		t.Errorf("plan alone reads versions %q", got)
	}
	if got := readable(gateway.Plan | gateway.Rus); got != "1 2 3" {
		t.Errorf("plan and rus read versions %q", got)
	}
	v4 := b.set(b.next(v3, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), gateway.Plan|gateway.Rus }))
	if got := readable(gateway.Plan); got != "" {
		t.Errorf("after rus came, plan alone still reads versions %q", got)
	}
	// without a person nobody else reads any version
	b.set(b.next(v4, func(d *gateway.Draft) { d.Labels = gateway.Plan }))
	if got := readable(gateway.AllLabels); got != "" {
		t.Errorf("of a record without person versions %q are read", got)
	}
	if _, err := b.get(own("100"), v1.Reference); err != nil {
		t.Errorf("the custodian reads its own past version: %v", err)
	}
}

func TestHistoryPages(t *testing.T) {
	b := newBench(t)
	r := b.make(b.draft("100", ref("Goal", "100-goal"), "", gateway.Plan))
	want := []string{r.Reference.Version}
	for range 4 {
		r = b.set(b.next(r, nil))
		want = append([]string{r.Reference.Version}, want...)
	}
	var got []string
	var after gateway.Cursor
	for {
		var page []gateway.Record
		var err error
		b.see(func(v *view) error {
			page, err = v.history(b.ctx, own("100"), ref("Goal", "100-goal"), gateway.Window{}, 2, after)
			return nil
		})
		if err != nil {
			b.wants(err, gateway.NotFound)
			break
		}
		for _, r := range page {
			got = append(got, r.Reference.Version)
		}
		last := page[len(page)-1]
		after = gateway.Cursor{At: last.Updated, Key: last.Key, Set: true}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("pages give %v, want %v", got, want)
	}
}

func TestHistoryAndLedgerAreAppendOnly(t *testing.T) {
	b := newBench(t)
	r := b.make(b.draft("100", ref("Goal", "100-goal"), "", gateway.Plan))
	b.set(b.next(r, nil))
	if _, _, err := b.place(b.ctx); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"history", "ledger", "ledger_chain"} {
		if b.one(`select count(*) from `+table) == 0 {
			t.Errorf("%s is empty: nothing is shown", table)
		}
		for _, sql := range []string{`delete from ` + table, `truncate ` + table, map[string]string{
			"history": `update history set labels = 0`, "ledger": `update ledger set party = ''`, "ledger_chain": `update ledger_chain set seq = seq + 1`,
		}[table]} {
			_, err := b.pool.Exec(b.ctx, sql)
			var server *pgconn.PgError
			if !errors.As(err, &server) || server.Code != "23001" {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

func TestDeletedIsGoneForWhoCouldReadIt(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	r := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	d := b.draft("100", ref("CarePlan", "100-plan"), "", 0) // whatever the draft says
	d.Previous, d.Method, d.Body = r.Reference.Version, gateway.Delete, nil
	if gone := b.set(d); !gone.Deleted {
		t.Error("the version does not tell that it is deleted")
	}
	got, err := b.get(permitting(gateway.Plan), ref("CarePlan", "100-plan"))
	if err != nil || !got.Deleted || got.Labels != gateway.Plan || got.Person != r.Person {
		t.Errorf("who could read it gets %v, %v", got, err)
	}
	_, err = b.get(permitting(gateway.Rus), ref("CarePlan", "100-plan"))
	b.wants(err, gateway.NotFound)
	if _, err := b.get(permitting(gateway.Plan), r.Reference); err != nil {
		t.Errorf("the last version before: %v", err)
	}
	if list := b.find(own("100"), "CarePlan", gateway.Search{}, 0); len(list) != 0 {
		t.Errorf("a deleted record is found: %s", ids(list))
	}
}

func TestFetchedVersionStaysReadable(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	d := b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan)
	d.Sent = []gateway.Sent{{To: "200", Mask: gateway.Plan | gateway.Samarbeid}}
	v1 := b.make(d)
	nothing := gateway.Scope{Own: "200", Fetched: true}
	_, err := b.get(nothing, v1.Reference)
	b.wants(err, gateway.NotFound)
	if err := b.Record(b.ctx, nil, []gateway.FetchedVersion{{Party: "200", Record: v1.Reference, Mask: gateway.Plan}}); err != nil {
		t.Fatal(err)
	}
	check := func(r fhir.Reference) {
		t.Helper()
		got, err := b.get(nothing, r)
		if err != nil || got.Fetched != gateway.Plan || got.Reference.Version != v1.Reference.Version {
			t.Errorf("read %s: %v %v", r, got, err)
		}
	}
	check(v1.Reference)
	check(ref("CarePlan", "100-plan"))
	if list := b.find(nothing, "CarePlan", gateway.Search{}, v1.Person); ids(list) != "100-plan" {
		t.Errorf("search of the person finds %q", ids(list))
	}
	if list := b.find(nothing, "CarePlan", gateway.Search{}, 0); ids(list) != "100-plan" {
		t.Errorf("search without patient finds %q", ids(list))
	}
	v2 := b.set(b.next(v1, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), gateway.Plan|gateway.Rus }))
	check(v1.Reference)
	for _, r := range []fhir.Reference{v2.Reference, ref("CarePlan", "100-plan")} {
		_, err := b.get(nothing, r)
		b.wants(err, gateway.NotFound)
	}
	if list := b.find(nothing, "CarePlan", gateway.Search{}, v1.Person); len(list) != 0 {
		t.Errorf("the version not fetched is found: %s", ids(list))
	}
	other := nothing
	other.Own = "300"
	_, err = b.get(other, v1.Reference)
	b.wants(err, gateway.NotFound)
	unfetched := nothing
	unfetched.Fetched = false
	_, err = b.get(unfetched, v1.Reference)
	b.wants(err, gateway.NotFound)
}

func TestBinaryFollowsItsSecurityContext(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	bin := b.draft("100", ref("Binary", "100-bin"), "", gateway.Somatisk)
	bin.Context = ref("DocumentReference", "100-doc")
	b.make(bin)
	alone := b.draft("100", ref("Binary", "100-alone"), "", gateway.Somatisk)
	b.make(alone)
	_, err := b.get(permitting(gateway.AllLabels), ref("Binary", "100-bin"))
	b.wants(err, gateway.NotFound) // its context is not there yet
	d := b.draft("100", ref("DocumentReference", "100-doc"), "100-kari", gateway.Somatisk)
	doc := b.make(d)
	got, err := b.get(permitting(gateway.Somatisk), ref("Binary", "100-bin"))
	if err != nil || got.Person != doc.Person {
		t.Fatalf("with its context: %v %v", got, err)
	}
	b.see(func(v *view) error {
		f, err := v.FactsOf(b.ctx, ref("Binary", "100-bin"))
		if f.Person != doc.Person {
			t.Errorf("facts of the Binary are of person %d, want %d", f.Person, doc.Person)
		}
		return err
	})
	doc = b.set(b.next(doc, func(d *gateway.Draft) { d.Subject, d.Labels = ref("Patient", "100-kari"), gateway.Somatisk|gateway.Rus }))
	_, err = b.get(permitting(gateway.Somatisk), ref("Binary", "100-bin"))
	b.wants(err, gateway.NotFound)
	if got, err := b.get(permitting(gateway.Somatisk|gateway.Rus), ref("Binary", "100-bin")); err != nil || got.Labels != gateway.Somatisk|gateway.Rus {
		t.Errorf("with both labels covered: %v %v", got, err)
	}
	b.set(b.next(doc, func(d *gateway.Draft) { d.Labels = gateway.Somatisk })) // no person any more
	for _, id := range []string{"100-bin", "100-alone"} {
		_, err = b.get(permitting(gateway.AllLabels), ref("Binary", id))
		b.wants(err, gateway.NotFound)
		if _, err := b.get(own("100"), ref("Binary", id)); err != nil {
			t.Errorf("the custodian reads %s: %v", id, err)
		}
	}
	// a context of another party gives nothing
	foreign := b.draft("300", ref("Binary", "300-bin"), "", gateway.Somatisk)
	foreign.Context = ref("DocumentReference", "100-doc")
	if r := b.make(foreign); r.Person != 0 {
		t.Error("a Binary took its person from another party's record")
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	b := newBench(t)
	first := b.make(b.draft("100", ref("Goal", "100-goal"), "", gateway.Plan))
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range writers {
		wg.Go(func() {
			for range rounds {
				err := b.tx(func(tx *Tx) error {
					current, err := tx.lock(b.ctx, own("100"), ref("Goal", "100-goal"))
					if err != nil {
						return err
					}
					_, err = tx.put(b.ctx, own("100"), b.next(current, nil))
					return err
				})
				if err == nil {
					mu.Lock()
					done++
					mu.Unlock()
				} else if gateway.CodeOf(err) != gateway.Unavailable {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := b.one(`select count(*) from history`); int(n) != done || done == 0 {
		t.Errorf("%d versions kept, %d updates acknowledged", n, done)
	}
	// one of two that expect the same version wins
	errs := make(chan error, writers)
	current, err := b.get(own("100"), first.Reference)
	if err != nil {
		t.Fatal(err)
	}
	now, _ := b.get(own("100"), ref("Goal", "100-goal"))
	for range writers {
		go func() {
			errs <- b.tx(func(tx *Tx) error {
				_, err := tx.put(b.ctx, own("100"), b.next(now, nil))
				return err
			})
		}()
	}
	won := 0
	for range writers {
		if err := <-errs; err == nil {
			won++
		} else {
			b.wants(err, gateway.Precondition)
		}
	}
	if won != 1 {
		t.Errorf("%d updates of one version won", won)
	}
	err = b.tx(func(tx *Tx) error {
		_, err := tx.put(b.ctx, own("100"), b.next(current, nil))
		return err
	})
	b.wants(err, gateway.Precondition)
}

func TestPointedGivesTheUnion(t *testing.T) {
	b := newBench(t)
	p := b.patient("100", "100-kari", kari)
	b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	b.make(b.draft("100", ref("Observation", "100-obs"), "100-kari", gateway.Rus))
	b.make(b.draft("300", ref("Observation", "300-obs"), "", gateway.Psykisk))
	b.see(func(v *view) error {
		l, person, ok, err := v.Pointed(b.ctx, "100", []fhir.Reference{ref("CarePlan", "100-plan"), ref("Observation", "100-obs"), ref("CarePlan", "100-plan")})
		if err != nil || !ok || l != gateway.Plan|gateway.Rus || person != p.Person {
			t.Errorf("own: %v %v %v %v", l.Codes(), person, ok, err)
		}
		l, _, ok, err = v.Pointed(b.ctx, "100", []fhir.Reference{ref("CarePlan", "100-plan"), ref("Observation", "300-obs")})
		if err != nil || ok || l != gateway.Plan {
			t.Errorf("with another's: %v %v %v", l.Codes(), ok, err)
		}
		return nil
	})
}

func TestBodiesAreCompressedAndExact(t *testing.T) {
	for _, body := range [][]byte{nil, {}, []byte("{}"), []byte(strings.Repeat("æøå 1.10\x00", 5000))} {
		got, err := expand("postgres.test", compress(body))
		if err != nil || string(got) != string(body) {
			t.Errorf("%d bytes came back as %d, %v", len(body), len(got), err)
		}
	}
	stored := compress([]byte(strings.Repeat("plan ", 100)))
	stored[len(stored)-1] ^= 1
	if _, err := expand("postgres.test", stored); gateway.CodeOf(err) != gateway.Internal || err == nil {
		t.Error("a damaged body was given")
	}
}

// A body comes back with its Outline, and without where nobody asks for it.
func TestBodiesCarryTheirOutline(t *testing.T) {
	for _, outline := range []fhir.Outline{nil, fhir.Outline("o"), fhir.Outline(strings.Repeat("outline", 1000))} {
		for _, body := range []string{"{}", strings.Repeat("plan ", 100)} {
			stored := packBody([]byte(body), outline)
			got, o, err := unpackBody("postgres.test", stored)
			if err != nil || string(got) != body || string(o) != string(outline) {
				t.Errorf("%q came back as %q with %q, %v", body, got, o, err)
			}
			if got, err := expand("postgres.test", stored); err != nil || string(got) != body {
				t.Errorf("%q came back as %q, %v", body, got, err)
			}
		}
	}
	stored := packBody([]byte("{}"), fhir.Outline("o"))
	for n := 1; n < asideHead+2; n++ {
		if body, _, err := unpackBody("postgres.test", stored[:n]); err == nil && len(body) > 0 {
			t.Errorf("the first %d bytes gave %q", n, body)
		}
	}
}
