package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// query is one search on its way to SQL. Its text depends on the shape of the search only; every
// value of scope, conditions and cursor is bound.
type query struct {
	*scoped
	keys     keyring
	criteria []fhir.Criterion // all must hold, beside the way
	extra    []string         // predicates on row r that are no criteria
	ids      string           // source of the rows of _id
	tokens   string           // source of the rids found by a selective token
	named    string           // source of the rids found by a text, or back over a reference
	order    order_
	after    string // keyset predicate
	past     bool   // the order is that of an earlier instant: see pastSQL
	limit    string
	with     string // common tables
	others   map[fhir.Type]*scoped
	aliases  int
	recent   string // limits what is reached, of resource o, for what has changed lately
}

// Search lists current, undeleted records inside the scope.
func (v *view) Search(ctx context.Context, p gateway.Permit, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	return v.search(ctx, p.Scope(), t, s, person, limit, after)
}

func (v *view) search(ctx context.Context, scope gateway.Scope, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	const op = "postgres.search"
	if t == "AuditEvent" {
		return v.searchEvents(ctx, scope, s, person, limit, after)
	}
	v.timed = true
	list, err := v.ordered(ctx, op, asking{scope: scope, kind: t, search: s, person: person}, limit, after)
	return list, costly(ctx, op, err)
}

// costly tells of a statement that was ended because it took too long: nobody else's wait, but the
// question's own work.
func costly(ctx context.Context, op string, err error) error {
	var kept *serverError
	if errors.As(err, &kept) && kept.state == "57014" && ctx.Err() == nil {
		return gateway.Fault(op, gateway.TooCostly, fhir.Issue{Severity: "error", Type: "too-costly", Code: "search.too-costly"})
	}
	return err
}

// asking is what is searched for, within what.
type asking struct {
	scope  gateway.Scope
	kind   fhir.Type
	search gateway.Search
	person gateway.PersonID
}

// query compiles the search up to its way and its order.
func (v *view) query(k asking) (*query, bool) {
	var args arguments
	q := &query{scoped: newScoped(k.scope, k.kind, &args), keys: v.store.keys, after: "true"}
	q.with = q.termSQL()
	driven := k.person != 0 || (k.scope.Self && k.scope.Person != 0)
	q.compile(k.search, !driven)
	if k.person != 0 {
		q.extra = append(q.extra, `r.person = `+args.bind(int64(k.person))+`::bigint`)
	} else if driven {
		q.extra = append(q.extra, `r.person = `+q.person())
	}
	return q, driven
}

// bodySQL reads the rows by the best way there is: _id, the person, a selective token, a value of a
// side table, and otherwise all that the scope reaches. No choice is left to statistics.
func (q *query) bodySQL(driven bool) string {
	plain := q.order.column != ""
	switch {
	case q.ids != "":
		return q.keyedSQL(q.ids, `true`)
	case driven && plain:
		return q.directSQL(`r.type = ` + q.typed())
	case driven:
		return q.keyedSQL(sourceSQL(q.kind), `r.type = `+q.typed())
	case q.tokens != "" || q.named != "":
		return q.keyedSQL(cmp.Or(q.tokens, q.named)+` n cross join lateral (select r.* from `+sourceSQL(q.kind)+` where r.rid = n.rid offset 0) r`, `r.type = `+q.typed())
	case q.kind == "Consent" && q.Consents.Each != nil:
		return q.keyedSQL(q.consentsSQL(), `true`)
	case len(q.Reviews) > 0 && q.kind == "Task":
		return q.keyedSQL(q.reviewedSQL(), `true`)
	case gateway.IsDirectory(q.kind) || len(q.Terms) > 0:
		return q.keyedSQL(sourceSQL(q.kind), `r.type = `+q.typed())
	case plain:
		reach, open := q.openSQL()
		q.with += reach
		return open
	}
	q.with += q.reachSQL()
	return q.keyedSQL(q.reachedSQL(), `true`)
}

// whereSQL is what every branch asks of row r besides its way to it. seen is what the requester
// sees of its parts.
func (q *query) whereSQL(seen string) string {
	where := `not r.deleted and ` + q.after
	for _, c := range q.extra {
		where += `
  and ` + c
	}
	f := frame{q: q, s: q.scoped, r: "r", seen: seen}
	for i := range q.criteria {
		where += `
  and ` + f.sql(&q.criteria[i])
	}
	return where
}

// likelySQL is whereSQL before the scope of the row is computed: it asks nothing of the parts of a
// row, and keeps every row that has values in its parts for partsSQL to ask.
func (q *query) likelySQL() string {
	where := `not r.deleted and ` + q.after
	for _, c := range q.extra {
		where += `
  and ` + c
	}
	f := frame{q: q, s: q.scoped, r: "r"}
	for i := range q.criteria {
		where += `
  and (r.present < 0 or ` + f.sql(&q.criteria[i]) + `)`
	}
	return where
}

// partsSQL asks the criteria of a row with values in its parts, as far as the requester sees them.
func (q *query) partsSQL(seen string) string {
	where := `true`
	f := frame{q: q, s: q.scoped, r: "r", seen: seen}
	for i := range q.criteria {
		where += `
  and (r.present >= 0 or ` + f.sql(&q.criteria[i]) + `)`
	}
	return where
}

// selectSQL reads rows r, from a source that has them, inside the scope.
func (q *query) selectSQL(from, where string, more ...string) string {
	sql := `select ` + recordSQL("r", "rid", "coalesce(f.mask, 0)", "c.covered")
	for _, m := range more {
		sql += `, ` + m
	}
	return sql + `
from ` + from + q.fetchSQL("r", "r", "f") + q.coverSQL("r", "c") + `
where ` + where + ` and ` + q.releasesSQL("r", "c", "f")
}

func (q *query) seen() string { return q.seenSQL("r", "c", "f") }

// directSQL reads rows by an index that has them in order, or has few.
func (q *query) directSQL(way string) string {
	return q.selectSQL(sourceSQL(q.kind), way+` and `+q.whereSQL(q.seen())) + q.order.sql("r") + ` limit ` + q.limit
}

// keyedSQL finds the keys of candidates and puts them in order first, then looks at one row after
// the other until the page is full: the scope is computed for no more rows than it takes.
func (q *query) keyedSQL(from, way string) string {
	past := ``
	if q.past {
		past = `, b.version as past`
	}
	then, had := q.hadSQL()
	keyed := `(select r.rid` + past + q.order.columnsSQL() + ` from ` + from + q.order.from + ` where ` + way + ` and ` + q.likelySQL() + q.order.inner() + `) k
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = k.rid offset 0) r` + then
	return q.selectSQL(keyed, q.partsSQL(q.seen())+` and `+had, q.order.shown()...) + q.order.sql("k") + ` limit ` + q.limit
}

// reachSQL is the common table of the persons who have named the party in a grant.
func (q *query) reachSQL() string {
	if q.Join == nil {
		return `,
reach as materialized (select null::bigint as person where false)`
	}
	return `,
reach as materialized (
  select distinct g.person from grant_ g
  where g.allow and g.recipients && ` + q.permits() + ` and ` + q.appliesSQL("g") + `)`
}

// reachedSQL are all rows r of the type that the scope can reach, in no order.
func (q *query) reachedSQL() string {
	return `(select o.rid from resource o where o.custodian = ` + q.own() + ` and o.type = ` + q.typed() + q.recent + `
  union select o.rid from reach w cross join lateral (select o.rid from ` + sourceAs(q.kind, "o") + ` where o.person = w.person and o.type = ` + q.typed() + q.recent + ` offset 0) o
  union select f.rid from fetched f where f.party = ` + q.own() + `) n
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = n.rid and r.type = ` + q.typed() + ` offset 0) r`
}

// openSQL searches without patient and without anything selective: the party's own records, those
// of the persons who have named it in a grant, and what it has fetched. No statement walks through
// records that it cannot reach.
func (q *query) openSQL() (reach, body string) {
	reach = q.reachSQL()
	where := func(seen string) string { return `r.type = ` + q.typed() + ` and ` + q.whereSQL(seen) }
	end := q.order.sql("r") + ` limit ` + q.limit
	own, mine := `select `+recordSQL("r", "rid", "0::bigint", allLabels)+`
from `, `r.custodian = `+q.own()+` and `+q.ownsSQL("r")+` and `+where(everything)+end // once: what is bound stands in the statement
	if q.order.column == "low" {
		own += sourceSQL(q.kind) + ` where ` + mine
	} else {
		own += `(select r.rid, r.updated from resource r where ` + mine + `) k
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = k.rid offset 0) r`
	}
	shared := `select x.* from reach w cross join lateral (` +
		q.selectSQL(sourceSQL(q.kind), `r.person = w.person and r.custodian <> `+q.own()+` and `+where(q.seen())) + end + `) x` +
		q.order.placesSQL() + ` limit ` + q.limit
	kept := `select ` + recordSQL("r", "rid", "f.mask", "0::bigint") + `
from fetched f cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = f.rid and r.version = f.version offset 0) r
where f.party = ` + q.own() + ` and ` + q.fetchedSQL("f") + ` and ` + q.aboutSQL("r") + ` and r.custodian <> ` + q.own() + `
  and not exists (select 1 from reach w where w.person = r.person) and ` + where("f.mask") + end
	return reach, `(` + own + `)
union all
(` + shared + `)
union all
(` + kept + `)` + q.order.placesSQL() + ` limit ` + q.limit
}

// compile takes what is asked. With choose, the first selective criterion becomes the way to the rows.
func (q *query) compile(s gateway.Search, choose bool) {
	choose = choose && !slices.ContainsFunc(s.Criteria, namesRows) // _id is the way then
	for i := range s.Criteria {
		c := &s.Criteria[i]
		if q.ids == "" && namesRows(*c) {
			q.ids = `(select distinct i.id from unnest(` + q.args.bind(idsOf(c.Values)) + `::text[]) as i(id)) n
  cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.type = ` + q.typed() + ` and r.id = n.id offset 0) r`
			continue
		}
		q.criteria = append(q.criteria, *c)
		if choose && q.tokens == "" && q.named == "" { // a second way would leave the first one's argument unused
			q.way(c)
		}
	}
}

// namesRows tells whether the criterion is _id of the rows themselves.
func namesRows(c fhir.Criterion) bool {
	return len(c.Ways) > 0 && len(c.Ways[0].Hops) == 0 && c.Ways[0].Param.Name == "_id"
}

// way makes a criterion the way to the rows, if it finds few: the criterion itself is asked as well.
func (q *query) way(c *fhir.Criterion) {
	if c.Negate || c.Missing != "" || len(c.Lists) > 0 || c.Modifier == fhir.ModifierText {
		return
	}
	var rids []string
	chained := false
	for i := range c.Ways {
		w := &c.Ways[i]
		if w.From != q.kind {
			continue
		}
		sql := ""
		switch {
		case len(w.Hops) == 0:
			sql = q.findsSQL(q.kind, c, w.Param)
		case len(w.Hops) == 1 && !w.Hops[0].Reverse:
			sql, chained = q.backSQL(c, w), true
		}
		if sql == "" {
			return
		}
		rids = append(rids, sql)
	}
	if len(rids) == 0 || chained && q.named != "" {
		return
	}
	source := `(select distinct n.rid from (` + strings.Join(rids, ` union all `) + `) n)`
	switch p := c.Ways[0].Param; {
	case chained, p.Type == fhir.StringParam:
		if q.named == "" {
			q.named = source
		}
	default:
		q.tokens = source
	}
}

// findsSQL selects the rids of the rows of a type that a value may be on, seen or not; "" when the
// parameter does not find few.
func (q *query) findsSQL(kind fhir.Type, c *fhir.Criterion, p *fhir.SearchParameter) string {
	if p.Name == "_id" || p.Name == "_lastUpdated" || p.Name == "_security" {
		return ""
	}
	tok, marks, ok := q.keys.hashes(kind, c, p)
	switch {
	case ok && len(marks) == 0 && len(tok) > 0:
		h := q.args.bind(tok) + `::bigint[]`
		return `select o.rid from resource o where o.tok && ` + h + ` union all select v.rid from part_value v where v.tok = any(` + h + `)`
	case p.Type == fhir.StringParam && c.Modifier == fhir.ModifierNone:
		places := frame{q: q, s: &scoped{kind: kind}}.places(p)
		return `select v.rid from text_value v where v.key = any(` + q.args.bind(places) + `::bigint[]) and ` + q.textSQL(c)
	}
	return ""
}

// backSQL selects the rids of what points at few: the targets are found first, inside the scope, and
// from there what refers to them.
func (q *query) backSQL(c *fhir.Criterion, w *fhir.Way) string {
	hop := w.Hops[0]
	finds := q.findsSQL(hop.To, c, w.Param)
	if finds == "" {
		return ""
	}
	s, x := q.at(hop.To), q.alias("x")
	from := `(select distinct n.rid from (` + finds + `) n) ` + x + `_n
  cross join lateral (select o.* from ` + sourceAs(s.kind, "o") + ` where o.rid = ` + x + `_n.rid offset 0) ` + x
	targets := `select ` + x + `.self ` + q.visibleSQL(s, x, from, func(to frame) string { return to.leafSQL(c, w.Param) })
	links := frame{q: q, s: q.scoped}.links(q.kind, hop.Param)
	return `select p.rid from (` + targets + ` offset 0) as h(self) cross join unnest(` + links + `) as k(k) cross join lateral (
    select o.rid from resource o where o.tok && array[h.self # k.k] union all select v.rid from part_value v where v.tok = h.self # k.k offset 0) p`
}

// Total counts what a search finds, at most limit; a limit of 0 is none.
func (v *view) Total(ctx context.Context, p gateway.Permit, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int) (int, error) {
	return v.total(ctx, p.Scope(), t, s, person, limit)
}

func (v *view) total(ctx context.Context, scope gateway.Scope, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int) (int, error) {
	const op = "postgres.total"
	if t == "AuditEvent" {
		return v.totalEvents(ctx, scope, s, person, limit)
	}
	v.timed = true
	q, driven := v.query(asking{scope: scope, kind: t, search: s, person: person})
	q.limit = `null`
	if limit > 0 {
		q.limit = q.args.bind(limit) + `::bigint`
	}
	body := q.bodySQL(driven)
	return v.counted(ctx, op, `with `+q.with+`
select count(*) from (`+body+`) counted`, q.args.values)
}

func (v *view) counted(ctx context.Context, op, sql string, args []any) (int, error) {
	list, err := collected(ctx, v, op, sql, args, func(row pgx.CollectableRow) (n int, err error) {
		err = row.Scan(&n)
		return n, err
	})
	if err != nil || len(list) != 1 {
		return 0, costly(ctx, op, err)
	}
	return list[0], nil
}
