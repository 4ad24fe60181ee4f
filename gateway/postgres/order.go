package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// order_ is the order of a search: by a column of the row that an index has, or by values of search
// parameters. Key decides between equal ones, so that the order never changes.
type order_ struct {
	column    string // "" when it is by values
	direction string
	byPlace   string // place of the column in recordSQL
	from      string // laterals that give k1, k2 …
	keys      []sortKey
	tie       string // direction of the key that decides between equal values
}

// sortKey is one value in an order: what has none comes last.
type sortKey struct {
	cast       string
	descending bool
	endless    bool // none is -infinity
}

// none tells whether the value of a name is none.
func (k sortKey) none(name string) string {
	if k.endless {
		return `(` + name + ` = '-infinity')`
	}
	return `(` + name + ` is null)`
}

// order is that by the value of a name, after whether there is none.
func (k sortKey) order(none, name string) string {
	if k.descending {
		name += ` desc`
	}
	return none + `, ` + name + `, `
}

// orderOf is the order by the date of the type, or by when the version was written.
func orderOf(s gateway.Sort) order_ {
	o := order_{column: "low", byPlace: "6"}
	if s.Param == "_lastUpdated" {
		o = order_{column: "updated", byPlace: "14"}
	}
	if s.Descending {
		o.direction = " desc"
	}
	return o
}

// longestKey bounds what of a string counts in an order, in characters.
const longestKey = 24

// placeLayout is how an instant stands in a cursor.
const placeLayout = "2006-01-02T15:04:05.000000Z"

// orderBy is the order by values that lie outside labelled parts: never by what is hidden, not even
// for who sees it. Of several values the least counts, or the greatest when it is descending (R4
// search.html#sort).
func (q *query) orderBy(keys []fhir.SortKey) order_ {
	var o order_
	for i := range keys {
		p := fhir.SearchParameterOf(q.kind, keys[i].Param.Name)
		name := "k" + strconv.Itoa(i+1)
		one := sortKey{descending: keys[i].Descending}
		var sql string
		sql, one.cast = q.sortSQL(p, keys[i].Descending)
		o.from += `
cross join lateral (select ` + sql + `) ` + name + `(` + name + `)`
		o.keys = append(o.keys, one)
	}
	return o
}

func (o order_) sql(r string) string {
	if o.column != "" {
		return ` order by ` + r + `.` + o.column + o.direction + `, ` + r + `.rid` + o.direction
	}
	sql := ` order by `
	for i, k := range o.keys {
		n := strconv.Itoa(i + 1)
		sql += k.order(r+`.n`+n, r+`.k`+n)
	}
	return sql + r + `.rid` + o.tie
}

// inner is the order of the candidates, whose keys have no row of their own yet.
func (o order_) inner() string {
	if o.column != "" {
		return o.sql("r")
	}
	sql := ` order by `
	for i, k := range o.keys {
		name := `k` + strconv.Itoa(i+1) + `.k` + strconv.Itoa(i+1)
		sql += k.order(k.none(name), name)
	}
	return sql + `r.rid` + o.tie
}

// columnsSQL are the columns of the candidates that the order needs. Whether a value is none is a column
// of its own, so that the database sees that the candidates are in order already.
func (o order_) columnsSQL() string {
	if o.column != "" {
		return `, r.` + o.column
	}
	sql := ""
	for i, k := range o.keys {
		n := strconv.Itoa(i + 1)
		name := `k` + n + `.k` + n
		sql += `, ` + name + `, ` + k.none(name) + ` as n` + n
	}
	return sql
}

// shown are the keys as text, for cursors.
func (o order_) shown() []string {
	var out []string
	for i := range o.keys {
		name := `k.k` + strconv.Itoa(i+1)
		if o.keys[i].cast == "timestamptz" {
			out = append(out, `case when isfinite(`+name+`) then to_char(`+name+` at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else `+name+`::text end`)
			continue
		}
		out = append(out, name+`::text`)
	}
	return out
}

func (o order_) placesSQL() string {
	return ` order by ` + o.byPlace + o.direction + `, 1` + o.direction
}

// afterSQL is what comes after a place in the order by values.
func (q *query) afterSQL(after gateway.Cursor) string {
	if !after.Set {
		return `true`
	}
	sql, equal := `false`, `true`
	for i, k := range q.order.keys {
		name := `k` + strconv.Itoa(i+1) + `.k` + strconv.Itoa(i+1)
		if i >= len(after.Keys) || after.Keys[i] == nil {
			equal += ` and ` + name + ` is null`
			continue
		}
		value := q.args.bind(*after.Keys[i]) + `::text::` + k.cast
		less := " > "
		if k.descending {
			less = " < "
		}
		sql += ` or (` + equal + ` and (` + name + ` is null or ` + name + less + value + `))`
		equal += ` and ` + name + ` = ` + value
	}
	return `(` + sql + ` or (` + equal + ` and r.rid > ` + q.args.bind(after.Key) + `::bigint))`
}

// ordered gives the first rows after a place.
func (v *view) ordered(ctx context.Context, op string, k asking, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	if len(k.search.By) > 0 {
		return v.byValues(ctx, op, k, limit, after)
	}
	o := orderOf(k.search.Sort)
	list, err := v.settled(ctx, op, k, limit, after, o)
	if err != nil || !after.Set || after.Since.IsZero() {
		return list, err
	}
	moved, err := v.moved(ctx, op, k, limit, after, o)
	if err != nil || len(moved) == 0 {
		return list, err
	}
	list = append(list, moved...)
	slices.SortFunc(list, func(a, b gateway.Record) int {
		n := cmp.Or(a.Place.At.Compare(b.Place.At), cmp.Compare(a.Key, b.Key))
		if o.column == "low" && o.direction == "" && a.Place.At.IsZero() != b.Place.At.IsZero() { // undated comes last
			n = -a.Place.At.Compare(b.Place.At)
		}
		if o.direction != "" {
			n = -n
		}
		return n
	})
	return list[:min(len(list), limit)], nil
}

// settled gives the rows that have not changed since the first page: those are where they were.
func (v *view) settled(ctx context.Context, op string, k asking, limit int, after gateway.Cursor, o order_) ([]gateway.Record, error) {
	if o.column == "updated" || o.direction != "" { // -infinity, which undated records have, comes last by itself
		return v.page(ctx, op, k, limit, after, o, func(a *arguments) string {
			if !after.Set {
				return "true"
			}
			less := " > "
			if o.direction != "" {
				less = " < "
			}
			return `(r.` + o.column + `, r.rid)` + less + `(` + a.bind(moment(after.At)) + `::timestamptz, ` + a.bind(after.Key) + `::bigint)`
		})
	}
	var list []gateway.Record
	if !after.Set || !after.At.IsZero() {
		dated, err := v.page(ctx, op, k, limit, after, o, func(a *arguments) string {
			if !after.Set {
				return `r.low > '-infinity'`
			}
			return `(r.low, r.rid) > (` + a.bind(moment(after.At)) + `::timestamptz, ` + a.bind(after.Key) + `::bigint)`
		})
		if err != nil || len(dated) >= limit {
			return dated, err
		}
		list, after.Key = dated, 0
	}
	undated, err := v.page(ctx, op, k, limit-len(list), after, o, func(a *arguments) string {
		return `r.low = '-infinity' and r.rid > ` + a.bind(after.Key) + `::bigint`
	})
	return append(list, undated...), err
}

// page runs one statement: the rows of one stretch of the order.
func (v *view) page(ctx context.Context, op string, k asking, limit int, after gateway.Cursor, o order_, stretch func(*arguments) string) ([]gateway.Record, error) {
	q, driven := v.query(k)
	q.order = o
	q.after = stretch(q.args)
	if !after.Since.IsZero() {
		q.after += ` and r.updated <= ` + q.args.bind(after.Since) + `::timestamptz`
	}
	q.limit = q.args.bind(limit) + "::bigint"
	body := q.bodySQL(driven)
	list, err := v.records(ctx, op, k.kind, `with `+q.with+`
`+body, q.args.values)
	for i := range list {
		r := &list[i]
		r.Place = gateway.Cursor{At: r.Low, Key: r.Key, Set: true, Since: after.Since}
		if o.column == "updated" {
			r.Place.At = r.Updated
		}
	}
	return list, err
}

// moved gives the rows that have changed since the first page was given, in the place that they had
// then. What was made later has no place.
func (v *view) moved(ctx context.Context, op string, k asking, limit int, after gateway.Cursor, o order_) ([]gateway.Record, error) {
	q, driven := v.query(k)
	since := q.args.bind(after.Since) + `::timestamptz`
	undated := o.column == "low" && o.direction == "" // which comes last
	q.order = order_{
		from: q.pastSQL(since) + `
cross join lateral (select b.` + o.column + `) k1(k1)`,
		keys: []sortKey{{cast: "timestamptz", descending: o.direction != "", endless: undated}},
		tie:  o.direction,
	}
	less, at := " > ", q.args.bind(moment(after.At))+`::timestamptz`
	if o.direction != "" {
		less = " < "
	}
	q.after = `r.updated > ` + since + ` and not b.deleted and `
	if undated {
		q.after += `((k1.k1 = '-infinity'), k1.k1, r.rid) > ((` + at + ` = '-infinity'), ` + at + `, ` + q.args.bind(after.Key) + `::bigint)`
	} else {
		q.after += `(k1.k1, r.rid)` + less + `(` + at + `, ` + q.args.bind(after.Key) + `::bigint)`
	}
	q.recent = ` and o.updated > ` + since
	q.limit = q.args.bind(limit) + `::bigint`
	list, err := v.keyed(ctx, op, q, driven, func(r *gateway.Record, keys []*string) error {
		at, err := time.Parse(placeLayout, *keys[0])
		if *keys[0] == `-infinity` {
			at, err = time.Time{}, nil
		}
		r.Place = gateway.Cursor{At: at, Key: r.Key, Set: true, Since: after.Since}
		return err
	})
	return list, err
}

// byValues gives rows in the order of values: of those that they had when the first page was given.
func (v *view) byValues(ctx context.Context, op string, k asking, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	q, driven := v.query(k)
	past, stood := ``, ``
	if after.Set && !after.Since.IsZero() {
		since := q.args.bind(after.Since) + `::timestamptz`
		past, stood = q.pastSQL(since), `(r.updated <= `+since+` or not b.deleted) and `
	}
	q.order = q.orderBy(k.search.By)
	q.order.from = past + q.order.from
	q.after = stood + q.afterSQL(after)
	q.limit = q.args.bind(limit) + "::bigint"
	return v.keyed(ctx, op, q, driven, func(r *gateway.Record, keys []*string) error {
		for _, key := range keys {
			r.Place.Keys = append(r.Place.Keys, key)
		}
		return nil
	})
}

// keyed runs a statement in an order by values; place takes the values of each row.
func (v *view) keyed(ctx context.Context, op string, q *query, driven bool, place func(*gateway.Record, []*string) error) ([]gateway.Record, error) {
	body := q.bodySQL(driven)
	kind := q.kind
	return collected(ctx, v, op, `with `+q.with+`
`+body, q.args.values, func(row pgx.CollectableRow) (gateway.Record, error) {
		keys := make([]*string, len(q.order.keys))
		more := make([]any, len(keys))
		for i := range keys {
			more[i] = &keys[i]
		}
		r, err := scanRecord(op, kind, row, more...)
		if err != nil {
			return r, err
		}
		r.Place = gateway.Cursor{Key: r.Key, Set: true}
		return r, place(&r, keys)
	})
}
