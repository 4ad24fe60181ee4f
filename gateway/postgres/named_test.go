package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// spoken is each statement once that went through a connection, those of batches included.
type spoken struct {
	mu       sync.Mutex
	seen     map[string]bool
	trips    atomic.Int64 // questions, those of a batch as one
	prepared atomic.Int64
}

func (s *spoken) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	s.prepared.Add(1)
	return ctx
}
func (s *spoken) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

func (s *spoken) add(sql string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[sql] = true
}

func (s *spoken) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.trips.Add(1)
	s.add(d.SQL)
	return ctx
}
func (s *spoken) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *spoken) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	s.trips.Add(1)
	return ctx
}
func (s *spoken) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	s.add(d.SQL)
}
func (s *spoken) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

var (
	plannable  = regexp.MustCompile(`^\s*(select|with|insert|update|delete)\b`)
	places     = regexp.MustCompile(`\$(\d+)`)
	roundabout = regexp.MustCompile(`(?m)Index Scan using resource_(custodian|updated|person|orphan).*\n.*Index Cond:.*\n.*Filter:.*\bid = `)
)

// TestNamesFindRows asks the planner of a database that was never analysed for its way of every statement
// about a named row: none may look through all that a party keeps for the one.
func TestNamesFindRows(t *testing.T) {
	b, heard := listening(t)
	kariPatient := b.patient("100", "100-kari", kari)
	for n := range 40 {
		b.make(b.draft("100", ref("CarePlan", fmt.Sprintf("100-c%d", n)), "100-kari", gateway.Plan))
	}
	plan := b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	held := b.draft("100", ref("Binary", "100-file"), "", gateway.Plan)
	held.Context = fhir.Reference{Type: "CarePlan", ID: "100-plan"}
	b.make(held)
	bare := ref("CarePlan", "100-plan")
	b.see(func(v *view) error {
		for _, r := range []fhir.Reference{bare, plan.Reference, ref("Binary", "100-file")} {
			if _, err := v.FactsOf(b.ctx, r); err != nil {
				return err
			}
			for _, scope := range []gateway.Scope{own("100"), permitting(gateway.Plan)} {
				if _, err := v.read(b.ctx, scope, r); err != nil && gateway.CodeOf(err) != gateway.NotFound {
					return err
				}
				if _, _, err := b.readStanding(b.ctx, scope, fhir.Reference{Type: r.Type, ID: r.ID}, gateway.NIN{}); err != nil && gateway.CodeOf(err) != gateway.NotFound {
					return err
				}
			}
		}
		_, _, _, err := v.Pointed(b.ctx, "100", []fhir.Reference{bare})
		return err
	})
	plan = b.set(b.next(plan, func(d *gateway.Draft) { d.Method = gateway.Update }))
	b.set(b.next(kariPatient, func(d *gateway.Draft) { d.Method = gateway.Update }))
	if err := b.tx(func(tx *Tx) error {
		if _, err := tx.lock(b.ctx, own("100"), bare); err != nil {
			return err
		}
		return tx.Share(b.ctx, "100", bare, gateway.Sent{To: "200", Mask: gateway.Plan})
	}); err != nil {
		t.Fatal(err)
	}
	b.set(b.next(plan, func(d *gateway.Draft) { d.Method = gateway.Delete }))

	b.plans(heard, "resource", 12, func(sql, plan string) {
		if roundabout.MatchString(plan) {
			t.Errorf("a row is named and not found by its name:\n%s\n%s", sql, plan)
		}
	})
}

// listening is a bench whose statements are heard.
func listening(t *testing.T) (*bench, *spoken) {
	heard := &spoken{seen: map[string]bool{}}
	b := newBench(t)
	b.Store = openWith(t, func(c *Config) { c.Tracer = heard })
	return b, heard
}

// plans shows the plan of each statement that was heard and has the text, of which there must be so many.
func (b *bench) plans(heard *spoken, text string, least int, look func(sql, plan string)) {
	b.Helper()
	conn, err := b.pool.Acquire(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	heard.mu.Lock()
	statements := heard.seen
	heard.seen = map[string]bool{}
	heard.mu.Unlock()
	checked := 0
	for sql := range statements {
		if plannable.MatchString(sql) && strings.Contains(sql, text) {
			checked++
			look(sql, b.planned(conn.Conn(), sql))
		}
	}
	if checked < least {
		b.Errorf("only %d statements were looked at", checked)
	}
}

// planned is the plan of a statement made once for whatever values.
func (b *bench) planned(conn *pgx.Conn, sql string) string {
	b.Helper()
	count := 0
	for _, m := range places.FindAllStringSubmatch(sql, -1) {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err == nil {
			count = max(count, n)
		}
	}
	for _, s := range []string{`set plan_cache_mode = force_generic_plan`, `prepare planned as ` + sql} {
		if _, err := conn.PgConn().Exec(b.ctx, s).ReadAll(); err != nil {
			b.Fatalf("%v: %s", err, s)
		}
	}
	execute := `explain (costs off) execute planned`
	if count > 0 {
		execute += `(` + strings.TrimSuffix(strings.Repeat(`null, `, count), `, `) + `)`
	}
	results, err := conn.PgConn().Exec(b.ctx, execute).ReadAll()
	if err != nil {
		b.Fatalf("%v: %s", err, sql)
	}
	if _, err := conn.PgConn().Exec(b.ctx, `deallocate planned`).ReadAll(); err != nil {
		b.Fatal(err)
	}
	var lines []string
	for _, row := range results[0].Rows {
		lines = append(lines, string(row[0]))
	}
	return strings.Join(lines, "\n")
}

// TestWhatWasFetchedIsFoundByItsKey asks the same planner for its way of searches: a party that has fetched for years has a
// million rows in fetched, and no search of one person's records may read them all.
func TestWhatWasFetchedIsFoundByItsKey(t *testing.T) {
	b, heard := listening(t)
	person := b.patient("100", "100-kari", kari).Person
	b.make(b.draft("100", ref("CarePlan", "100-c"), "100-kari", gateway.Plan))
	open := permitting(gateway.Plan)
	open.Join = &gateway.Join{}
	for _, scope := range []gateway.Scope{own("100"), permitting(gateway.Plan), open} {
		for _, query := range []string{"", "status=active", "_sort=-date", "_lastUpdated=gt2020-01-01", "_sort=_lastUpdated", "_id=100-c", "goal.lifecycle-status=active"} {
			b.find(scope, "CarePlan", b.asked("CarePlan", query), person)
		}
	}
	b.plans(heard, "from fetched", 12, func(sql, plan string) {
		if wholeFetched.MatchString(plan) {
			t.Errorf("what the party has fetched is read whole:\n%s\n%s", sql, plan)
		}
	})
}

// wholeFetched is a plan that goes through all rows of a party.
var wholeFetched = regexp.MustCompile(`fetched_pkey(.*\n)\s+Index Cond: \(party = \$\d+\)`)
