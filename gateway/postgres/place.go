package postgres

import (
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// A page that follows another gives what has changed between them in the place that it had when the
// first page was given: neither skipped nor given twice because it moved. What an order by values asks of
// a version that is no longer current therefore stays with it in the history: the least that can stand
// in a cursor, and only what lies outside the parts that have labels of their own.
const (
	placeColumns = `, date_params, text_keys, text_values, date_keys, date_values, amount_keys, amount_values`

	// keptPlaces are the values of placeColumns of row old, as keptFrom has joined them.
	keptPlaces = `, old.date_params, t.keys, t.places, d.keys, d.places, a.keys, a.places`
)

// keptFrom joins to row old the values of its side tables that an order may be by.
var keptFrom = `
  cross join lateral (select array_agg(v.key) as keys, array_agg(left(v.value, ` + strconv.Itoa(longestKey) + `)) as places from text_value v where v.rid = old.rid and v.mask = 0) t
  cross join lateral (select array_agg(v.key) as keys, array_agg(v.low) as places from date_value v where v.rid = old.rid and v.mask = 0) d
  cross join lateral (select array_agg(v.key) as keys, array_agg(` + amountPlace + `) as places from amount_value v where v.rid = old.rid and v.mask = 0) a`

// amountPlace is the place of amount_value v in an order.
const amountPlace = `round(coalesce(v.base_low, v.low), 12)`

// pastSQL gives, for a row r that has changed since an instant, version b that was current then.
func (q *query) pastSQL(since string) string {
	q.past = true
	return `
left join lateral (select h.version, h.updated, h.low, h.deleted` + strings.ReplaceAll(placeColumns, `, `, `, h.`) + ` from history h
  where r.updated > ` + since + ` and h.rid = r.rid and h.updated <= ` + since + ` order by h.vkey desc limit 1) b on true`
}

// hadSQL tells whether the requester may have version k.past of row r, which decides its place: the place
// would tell of a version that is hidden. It is asked of one row after the other, like the scope of the row.
func (q *query) hadSQL() (from, where string) {
	if !q.past || gateway.IsDirectory(q.kind) {
		return ``, `true`
	}
	h := &timeline{scoped: q.scoped}
	return `
left join lateral (select true as had
  from (select x.* from (` + h.versionSQL("r", "") + `) x where x.version = k.past) v` + h.fetchSQL("r", "v", "f") + h.coverSQL("v", "c") + h.coverSQL("r", "n") + `
  where ` + h.releasedSQL("v", "c", "f") + `) b on true`, `(k.past is null or b.had)`
}

// thenSQL is a value of row r now, or of the version that was current when the first page was given.
func (q *query) thenSQL(now, then string) string {
	if !q.past {
		return now
	}
	return `case when b.version is null then ` + now + ` else ` + then + ` end`
}

// sideSQL is the least value, or the greatest, that row r has in a place of a side table v, or that version b
// had.
func (q *query) sideSQL(table, value, kept, pick, places string) string {
	now := `(select ` + pick + `(` + value + `) from ` + table + ` v where v.rid = r.rid and v.mask = 0 and v.key = any(` + places + `))`
	then := `(select ` + pick + `(u.place) from unnest(b.` + kept + `_keys, b.` + kept + `_values) as u(key, place) where u.key = any(` + places + `))`
	return q.thenSQL(now, then)
}

// sortSQL is the value of a parameter that an order is by, and its type.
func (q *query) sortSQL(p *fhir.SearchParameter, descending bool) (sql, cast string) {
	pick, best := "min", "least"
	if descending {
		pick, best = "max", "greatest"
	}
	if p == nil {
		return `null::text`, "text"
	}
	places := func() string {
		return q.args.bind(frame{q: q, s: q.scoped}.places(p)) + `::bigint[]`
	}
	switch {
	case p.Name == "_id":
		return `r.id`, `text collate "C"`
	case p.Name == "_lastUpdated":
		return q.thenSQL(`r.updated`, `b.updated`), "timestamptz"
	case p.Type == fhir.Date:
		keys := q.args.bind(p.Keys) + `::text[]`
		own := q.thenSQL(`case when r.date_params && `+keys+` then r.low end`, `case when b.date_params && `+keys+` then b.low end`)
		return best + `(` + own + `, ` + q.sideSQL(`date_value`, `v.low`, `date`, pick, places()) + `)`, "timestamptz"
	case p.Type == fhir.StringParam:
		return q.sideSQL(`text_value`, `left(v.value, `+strconv.Itoa(longestKey)+`) collate "C"`, `text`, pick, places()), `text collate "C"`
	}
	return q.sideSQL(`amount_value`, amountPlace, `amount`, pick, places()), "numeric"
}
