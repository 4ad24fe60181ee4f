package postgres

import (
	"context"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// query is one search on its way to SQL. Its text depends on the shape of the search only; every
// value of scope, conditions and cursor is bound.
type query struct {
	*scoped
	keys       keyring
	conditions []string // all must hold
	ids        string   // source of the rows of _id
	tokens     string   // predicate of the most selective token, for the GIN index
	named      string   // source of the rids found by a text prefix
	order      order_
	after      string // keyset predicate
	limit      string
}

// order_ is the order of a search: columns of the row, and their places in recordSQL.
type order_ struct {
	column    string
	direction string
	byPlace   string
}

// The order by the date of the type, or by when the version was written. Key decides between equal
// ones, so that the order never changes.
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

func (o order_) sql(r string) string {
	return ` order by ` + r + `.` + o.column + o.direction + `, ` + r + `.rid` + o.direction
}

func (o order_) placesSQL() string {
	return ` order by ` + o.byPlace + o.direction + `, 1` + o.direction
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
	o := orderOf(s.Sort)
	if o.column == "updated" || s.Sort.Descending { // -infinity, which undated records have, comes last by itself
		return v.page(ctx, op, scope, t, s, person, limit, o, func(a *arguments) string {
			if !after.Set {
				return "true"
			}
			less := " > "
			if s.Sort.Descending {
				less = " < "
			}
			return `(r.` + o.column + `, r.rid)` + less + `(` + a.bind(moment(after.At)) + `::timestamptz, ` + a.bind(after.Key) + `::bigint)`
		})
	}
	var list []gateway.Record
	if !after.Set || !after.At.IsZero() {
		dated, err := v.page(ctx, op, scope, t, s, person, limit, o, func(a *arguments) string {
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
	undated, err := v.page(ctx, op, scope, t, s, person, limit-len(list), o, func(a *arguments) string {
		return `r.low = '-infinity' and r.rid > ` + a.bind(after.Key) + `::bigint`
	})
	return append(list, undated...), err
}

// page runs one statement: the rows of one stretch of the order.
func (v *view) page(ctx context.Context, op string, scope gateway.Scope, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int, o order_, after func(*arguments) string) ([]gateway.Record, error) {
	var args arguments
	q := &query{scoped: newScoped(scope, t, &args), keys: v.store.keys, order: o}
	with := q.termSQL()
	driven := person != 0 || (scope.Self && scope.Person != 0)
	if err := q.compile(op, s.Conditions, !driven); err != nil {
		return nil, err
	}
	q.after = after(&args)
	q.limit = args.bind(limit) + "::bigint"
	if person != 0 {
		q.conditions = append(q.conditions, `r.person = `+args.bind(int64(person))+`::bigint`)
	} else if driven {
		q.conditions = append(q.conditions, `r.person = `+q.person())
	}
	var body string
	switch {
	case q.ids != "":
		body = q.keyedSQL(q.ids, `true`)
	case driven:
		body = q.directSQL(`r.type = ` + q.typed())
	case q.tokens != "":
		body = q.keyedSQL(`resource r`, `(r.type = `+q.typed()+`) is true and `+q.tokens)
	case q.named != "":
		body = q.keyedSQL(q.named+` n cross join lateral (select r.* from resource r where r.rid = n.rid offset 0) r`, `r.type = `+q.typed())
	case gateway.IsDirectory(t) || len(scope.Terms) > 0:
		body = q.keyedSQL(`resource r`, `r.type = `+q.typed())
	default:
		reach, open := q.openSQL()
		with, body = with+reach, open
	}
	return v.records(ctx, op, t, `with `+with+`
`+body, args.values)
}

// whereSQL is what every branch asks of row r besides its way to it.
func (q *query) whereSQL() string {
	where := `not r.deleted and ` + q.after
	for _, c := range q.conditions {
		where += `
  and ` + c
	}
	return where
}

// selectSQL reads rows r, from a source that has them, inside the scope.
func (q *query) selectSQL(from, where string) string {
	return `select ` + recordSQL("r", "rid", "coalesce(f.mask, 0)", "c.covered") + `
from ` + from + `
left join fetched f on f.party = ` + q.own() + ` and f.rid = r.rid and f.version = r.version` + q.coverSQL("r", "c") + `
where ` + where + ` and ` + q.releasesSQL("r", "c", "f")
}

// directSQL reads rows by an index that has them in order, or has few.
func (q *query) directSQL(way string) string {
	return q.selectSQL(sourceSQL(q.kind), way+` and `+q.whereSQL()) + q.order.sql("r") + ` limit ` + q.limit
}

// keyedSQL finds the keys of candidates and puts them in order first, then looks at one row after
// the other until the page is full: the scope is computed for no more rows than it takes.
func (q *query) keyedSQL(from, way string) string {
	keyed := `(select r.rid, r.` + q.order.column + ` from ` + from + ` where ` + way + ` and ` + q.whereSQL() + q.order.sql("r") + `) k
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = k.rid offset 0) r`
	return q.selectSQL(keyed, `true`) + q.order.sql("k") + ` limit ` + q.limit
}

// openSQL searches without patient and without anything selective: the party's own records, those
// of the persons who have named it in a grant, and what it has fetched. No statement walks through
// records that it cannot reach.
func (q *query) openSQL() (reach, body string) {
	reach = `,
reach as materialized (select null::bigint as person where false)`
	if q.Join != nil {
		reach = `,
reach as materialized (
  select distinct g.person from grant_ g
  where g.allow and g.recipients && ` + q.permits() + ` and ` + q.appliesSQL("g") + `)`
	}
	where := `r.type = ` + q.typed() + ` and ` + q.whereSQL()
	end := q.order.sql("r") + ` limit ` + q.limit
	own := `select ` + recordSQL("r", "rid", "0::bigint", allLabels) + `
from ` + sourceSQL(q.kind) + ` where r.custodian = ` + q.own() + ` and ` + q.ownsSQL("r") + ` and ` + where + end
	if q.order.column != "low" {
		own = `select ` + recordSQL("r", "rid", "0::bigint", allLabels) + `
from (select r.rid, r.updated from resource r where r.custodian = ` + q.own() + ` and ` + q.ownsSQL("r") + ` and ` + where + end + `) k
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = k.rid offset 0) r`
	}
	shared := `select x.* from reach w cross join lateral (` +
		q.selectSQL(sourceSQL(q.kind), `r.person = w.person and r.custodian <> `+q.own()+` and `+where) + end + `) x` +
		q.order.placesSQL() + ` limit ` + q.limit
	kept := `select ` + recordSQL("r", "rid", "f.mask", "0::bigint") + `
from fetched f cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = f.rid and r.version = f.version offset 0) r
where f.party = ` + q.own() + ` and ` + q.fetchedSQL("f") + ` and ` + q.aboutSQL("r") + ` and r.custodian <> ` + q.own() + `
  and not exists (select 1 from reach w where w.person = r.person) and ` + where + end
	return reach, `(` + own + `)
union all
(` + shared + `)
union all
(` + kept + `)` + q.order.placesSQL() + ` limit ` + q.limit
}

// compile turns conditions into predicates on row r. With choose, the first selective one becomes
// the way to the rows; every other token is kept from the planner as a way, since the rows of a
// common token, such as a status, are many.
func (q *query) compile(op string, conditions []gateway.Condition, choose bool) error {
	for i := range conditions {
		c := &conditions[i]
		switch {
		case c.Param.Name == "_id":
			if q.ids != "" {
				q.conditions = append(q.conditions, `r.id = any(`+q.args.bind(idsOf(c))+`::text[])`)
				continue
			}
			q.ids = `(select distinct i.id from unnest(` + q.args.bind(idsOf(c)) + `::text[]) as i(id)) n
  cross join lateral (select r.* from resource r where r.type = ` + q.typed() + ` and r.id = n.id offset 0) r`
		case c.Param.Name == "_lastUpdated":
			q.conditions = append(q.conditions, q.datesSQL(c, `r.updated`, `(r.updated + interval '1 microsecond')`))
		case c.Param.Type == fhir.Token || c.Param.Type == fhir.ReferenceParam || c.Param.Type == fhir.Uri:
			overlap := `r.tok && ` + q.args.bind(q.hashes(c)) + `::bigint[]`
			selective := c.Param.Type == fhir.ReferenceParam || c.Param.Name == "identifier"
			if choose && selective && q.tokens == "" {
				q.tokens = overlap
				continue
			}
			q.conditions = append(q.conditions, `(`+overlap+`) is true`)
		case c.Param.Type == fhir.Date:
			q.conditions = append(q.conditions, q.dateSQL(c))
		case c.Param.Type == fhir.StringParam:
			prefix := q.prefixSQL(c)
			if choose && q.tokens == "" && q.named == "" {
				q.named = `(select distinct v.rid from text_value v where ` + prefix + `)`
			}
			q.conditions = append(q.conditions, `exists (select 1 from text_value v where v.rid = r.rid and `+prefix+`)`)
		default:
			return gateway.Fault(op, gateway.BadQuery, fhir.Issue{
				Severity: "error", Type: "not-supported", Code: "search.parameter-unsupported", Expression: c.Param.Name,
			})
		}
	}
	return nil
}

func idsOf(c *gateway.Condition) []string {
	ids := make([]string, 0, len(c.Values))
	for _, v := range c.Values {
		if v.Reference.ID != "" {
			ids = append(ids, string(v.Reference.ID))
		} else {
			ids = append(ids, v.Code)
		}
	}
	return ids
}

// hashes gives the hashes of which a row must have one.
func (q *query) hashes(c *gateway.Condition) []int64 {
	t, name := string(q.kind), c.Param.Name
	out := make([]int64, 0, len(c.Values))
	for i := range c.Values {
		v := &c.Values[i]
		switch {
		case c.Param.Type == fhir.ReferenceParam:
			out = append(out, q.keys.referenceHash(t, name, v.Reference, c.Param.Targets))
		case v.AnySystem || c.Param.Type == fhir.Uri:
			out = append(out, q.keys.token(t, name, anyForm, v.Code))
		case v.Code == "":
			out = append(out, q.keys.token(t, name, systemForm, v.System))
		default:
			out = append(out, q.keys.token(t, name, exactForm, v.System, v.Code))
		}
	}
	return out
}

// referenceHash is that of "Type/id", or of the id alone when its type is not told and not the only
// one there is.
func (k keyring) referenceHash(t, param string, r fhir.Reference, targets []fhir.Type) int64 {
	r.Version = ""
	if r.Type == "" && len(targets) == 1 {
		r.Type = targets[0]
	}
	if r.Type == "" {
		return k.token(t, param, anyForm, string(r.ID))
	}
	return k.token(t, param, exactForm, r.String())
}

// dateSQL matches a date parameter: the record's own date where it is that, otherwise its value.
func (q *query) dateSQL(c *gateway.Condition) string {
	name := q.args.bind(c.Param.Name) + "::text"
	return `((` + name + ` = any(r.date_params) and ` + q.datesSQL(c, `r.low`, `r.high`) + `)
    or exists (select 1 from date_value d where d.rid = r.rid and d.mask = 0 and d.param = ` + name + ` and ` +
		q.datesSQL(c, `d.low`, `d.high`) + `))`
}

// datesSQL compares an interval of a row with each value of the condition (R4 search.html#prefix).
func (q *query) datesSQL(c *gateway.Condition, low, high string) string {
	any_ := make([]string, 0, len(c.Values))
	for i := range c.Values {
		v := &c.Values[i]
		from, to := q.args.bind(moment(v.Low))+"::timestamptz", q.args.bind(endless(v.High))+"::timestamptz"
		inside := `(` + low + ` >= ` + from + ` and ` + high + ` <= ` + to + `)`
		above, below := high+` > `+to, low+` < `+from
		sql := inside
		switch v.Prefix {
		case "ne":
			sql = `not ` + inside
		case "gt":
			sql = above
		case "lt":
			sql = below
		case "ge":
			sql = `(` + above + ` or ` + inside + `)`
		case "le":
			sql = `(` + below + ` or ` + inside + `)`
		case "sa":
			sql = low + ` >= ` + to
		case "eb":
			sql = high + ` <= ` + from
		}
		// every value is bound where it stands, whichever of the two its prefix looks at
		any_ = append(any_, `(`+sql+` and `+from+` is not null and `+to+` is not null)`)
	}
	if len(any_) == 0 {
		return `false`
	}
	return `(` + strings.Join(any_, ` or `) + `)`
}

// prefixSQL matches a text parameter of text_value v by folded prefix (R4 search.html#string).
func (q *query) prefixSQL(c *gateway.Condition) string {
	any_ := make([]string, 0, len(c.Values))
	for i := range c.Values {
		prefix := Fold(c.Values[i].Text)
		any_ = append(any_, `(v.value >= `+q.args.bind(prefix)+`::text and v.value < `+q.args.bind(above(prefix))+`::text)`)
	}
	if len(any_) == 0 {
		return `false`
	}
	return `v.mask = 0 and v.type = ` + q.typed() + ` and v.param = ` + q.args.bind(c.Param.Name) + `::text and (` + strings.Join(any_, ` or `) + `)`
}
