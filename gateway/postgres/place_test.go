package postgres

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
)

// orders are those of each kind: by a column of the row, and by values.
var orders = []string{"", "date", "_lastUpdated", "-_lastUpdated", "period", "-period,_id"}

// inOrder reads an order as package rest does.
func (b *bench) inOrder(order string) gateway.Search {
	b.Helper()
	switch order {
	case "":
		return gateway.Search{Sort: gateway.Sort{Descending: true}}
	case "date", "-date":
		return gateway.Search{Sort: gateway.Sort{Descending: order[0] == '-'}}
	case "_lastUpdated", "-_lastUpdated":
		return gateway.Search{Sort: gateway.Sort{Param: "_lastUpdated", Descending: order[0] == '-'}}
	}
	return b.asked("Task", "_sort="+order)
}

// following gives the page after a place, and the place of its last row: without the limit of time that a
// search has, since the machine may have other work.
func (b *bench) following(scope gateway.Scope, s gateway.Search, person gateway.PersonID, size int, after gateway.Cursor, since time.Time) ([]gateway.Record, gateway.Cursor) {
	b.Helper()
	var page []gateway.Record
	b.see(func(v *view) (err error) {
		page, err = v.ordered(b.ctx, "postgres.test", asking{scope: scope, kind: "Task", search: s, person: person}, size, after)
		return err
	})
	if len(page) > 0 {
		after = page[len(page)-1].Place
		after.Since = since
	}
	return page, after
}

// However many rows change between two pages, each is given once: in the place that it had.
func TestManyChangesBetweenPages(t *testing.T) {
	b := newBench(t)
	const many, size = 10_400, 3000
	b.patient("100", "100-kari", kari)
	person := b.make(b.draft("100", ref("Task", "first"), "100-kari", gateway.Samarbeid)).Person
	place := b.keys.place("Task", "executionPeriod")
	b.run(`insert into resource (person, custodian, type, id, version, method, labels, added, low, high, updated, tok, body, subject)
		select $1, '100', 'Task', 'm' || i, 'v0-' || i, 'create', 2, 0, case when i % 9 = 0 then '-infinity' else $2::timestamptz + make_interval(hours => i % 977) end,
		case when i % 9 = 0 then '-infinity' else $2::timestamptz + make_interval(hours => i % 977 + 1) end, $2::timestamptz + make_interval(secs => i), '{}', $4, '100-kari' from generate_series(1, $3::int) i`,
		int64(person), start.Add(-time.Hour*2000), many, compress([]byte(`{}`)))
	b.run(`insert into date_value (rid, mask, key, low, high) select r.rid, 0, $1, $2::timestamptz + make_interval(hours => (r.rid % 613)::int), 'infinity' from resource r where r.type = 'Task' and r.rid % 11 <> 0`, place, start)
	for n, order := range orders {
		about := []gateway.PersonID{person, 0}[n%2]
		s, scope := b.inOrder(order), own("100")
		since := start.Add(24 * time.Hour * time.Duration(n+1))
		whole, _ := b.following(scope, s, about, many+10, gateway.Cursor{}, since)
		page, after := b.following(scope, s, about, size, gateway.Cursor{}, since)
		got := slices.Clone(page)
		b.turnOver(place, since)
		for len(page) == size && len(got) <= many+10 {
			page, after = b.following(scope, s, about, size, after, since)
			got = append(got, page...)
		}
		if len(got) != many+1 || ids(got) != ids(whole) {
			t.Errorf("%q, person %d: %d rows of %d, the same: %v", order, about, len(got), len(whole), ids(got) == ids(whole))
		}
	}
}

// run runs a statement that is no business of the store.
func (b *bench) run(sql string, args ...any) {
	b.Helper()
	if _, err := b.pool.Exec(b.ctx, sql, args...); err != nil {
		b.Fatal(err)
	}
}

// turnOver writes a new version of every Task, by which it goes to the other end of each order: as
// oldSQL and replace do it for one.
func (b *bench) turnOver(place int64, since time.Time) {
	b.Helper()
	tx, err := b.pool.Begin(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	for _, sql := range []string{
		`with old as (select r.* from resource r where r.type = 'Task') insert into history (` + historyColumns + placeColumns + `) select ` + historyColumns + keptPlaces + ` from old` + keptFrom,
		`update resource r set vkey = nextval('version_key'), version = 'v' || nextval('version_key'),
			low = case when r.low = '-infinity' then '` + start.Format(time.RFC3339) + `' when r.rid % 5 = 0 then '-infinity' else r.low + make_interval(hours => (977 - 2 * (r.rid % 977))::int) end,
			updated = '` + since.Add(time.Second).Format(time.RFC3339) + `'::timestamptz + make_interval(secs => 20000 - (r.rid % 20000)::int) where r.type = 'Task'`,
		`update resource r set high = r.low where r.type = 'Task'`,
		fmt.Sprintf(`update date_value v set low = v.low + make_interval(hours => (613 - 2 * (v.rid %% 613))::int) where v.key = %d`, place),
	} {
		if _, err := tx.Exec(b.ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(b.ctx); err != nil {
		b.Fatal(err)
	}
}

// A row that was hidden when the first page was given has no place on the pages after it: the place would
// tell of the version that is hidden. For its custodian it has one.
func TestHiddenVersionHasNoPlace(t *testing.T) {
	b := newBench(t)
	b.patient("100", "100-kari", kari)
	b.patient("200", "200-kari", kari)
	task := func(id string, n int) string {
		return fmt.Sprintf(`{"resourceType":"Task","id":"%s","status":"ready","intent":"order","executionPeriod":{"start":"2026-11-%02d"},"authoredOn":"2026-10-%02d"}`, id, n, n)
	}
	rows := make(map[string]gateway.Record)
	for n := range 8 {
		labels := gateway.Samarbeid
		if n == 4 {
			labels = gateway.Rus
		}
		id := fmt.Sprintf("t%d", n)
		rows[id] = b.make(b.resource("100", task(id, 10+n), "100-kari", labels))
	}
	since := rows["t7"].Updated
	open := permitting(gateway.Samarbeid)
	type asker struct {
		scope gateway.Scope
		want  string
	}
	all := map[string]asker{"another": {open, "t5 t6 t7"}, "custodian": {own("100"), "t4 t5 t6 t7"}}
	after := make(map[string]gateway.Cursor)
	for who, a := range all {
		for _, order := range []string{"period", "date"} {
			_, c := b.following(a.scope, b.inOrder(order), rows["t0"].Person, 4, gateway.Cursor{}, since)
			after[who+order] = c
		}
	}
	for n := range 8 { // the hidden one becomes visible, and everything changes places
		id := fmt.Sprintf("t%d", n)
		next := b.resource("100", task(id, 28-n), "100-kari", gateway.Samarbeid)
		b.set(b.next(rows[id], func(d *gateway.Draft) {
			d.Subject, d.Labels, d.Index, d.Low, d.High, d.Updated = next.Subject, next.Labels, next.Index, next.Low, next.High, since.Add(time.Minute)
		}))
	}
	for who, a := range all {
		for _, order := range []string{"period", "date"} {
			page, _ := b.following(a.scope, b.inOrder(order), rows["t0"].Person, 10, after[who+order], since)
			if got := ids(page); got != a.want {
				t.Errorf("%s, by %s: %s, want %s", who, order, got, a.want)
			}
		}
	}
}
