package postgres

import (
	"context"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// History lists versions inside the scope, newest first: of one record, or of all records of a type.
func (v *view) History(ctx context.Context, p gateway.Permit, r fhir.Reference, w gateway.Window, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	return v.history(ctx, p.Scope(), r, w, limit, after)
}

func (v *view) history(ctx context.Context, scope gateway.Scope, r fhir.Reference, w gateway.Window, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	const op = "postgres.history"
	if r.Type == "AuditEvent" { // a line of the ledger has one version
		return nil, absent(op)
	}
	var args arguments
	h := &timeline{scoped: newScoped(scope, r.Type, &args), window: w, one: r.ID != "", after: after}
	h.limit = args.bind(limit) + "::bigint"
	sql := h.sql(r.ID)
	list, err := v.records(ctx, op, r.Type, sql, args.values)
	if err == nil && len(list) == 0 && h.one {
		err = absent(op)
	}
	return list, err
}

// timeline is one history on its way to SQL. Of one record the versions have the order in which they
// were written; of many, that of their time.
type timeline struct {
	*scoped
	window gateway.Window
	one    bool
	after  gateway.Cursor
	limit  string
	low    string // place of the beginning of _at, bound once
}

// timelineColumns are what scanRecord and the predicates ask of a version, besides what its resource
// says.
const timelineColumns = `vkey, version, labels, added, low, high, sent_to, sent_mask, parts, updated, deleted, method, body`

func (h *timeline) sql(id fhir.ID) string {
	with := `with ` + h.termSQL()
	var ways []string
	switch {
	case h.one:
		ways = []string{h.way(`resource r`, `r.type = `+h.typed()+` and r.id = `+h.args.bind(string(id)))}
	case gateway.IsDirectory(h.kind):
		ways = []string{h.way(`resource r`, `r.type = `+h.typed())}
	case h.Self:
		ways = []string{h.way(sourceSQL(h.kind), `r.type = `+h.typed()+` and r.person = `+h.person())}
	default:
		ways = []string{h.ownSQL(), h.keptSQL()}
	}
	if !h.one && h.Join != nil && !h.Self && !gateway.IsDirectory(h.kind) {
		with += `,
reach as materialized (
  select distinct g.person from grant_ g
  where g.allow and g.recipients && ` + h.permits() + ` and ` + h.appliesSQL("g") + `)`
		ways = append(ways, h.way(`reach w cross join lateral (select r.* from `+sourceSQL(h.kind)+` where r.person = w.person offset 0) r`,
			`r.type = `+h.typed()+` and r.custodian <> `+h.own()))
	}
	where := h.releasedSQL("v", "c", "f")
	if !h.window.High.IsZero() {
		where += ` and ` + h.currentSQL("v")
	}
	return with + `
select ` + recordSQL("v", "vkey", "coalesce(f.mask, 0)", "c.covered") + `
from (select u.rid, u.vkey, u.updated from (` + strings.Join(ways, `
  union `) + `) u order by ` + h.orderSQL("u") + `) k
cross join lateral (select r.* from ` + sourceSQL(h.kind) + ` where r.rid = k.rid offset 0) r
cross join lateral (` + h.versionSQL("r", "k.vkey") + `) v` + h.fetchSQL("r", "v", "f") +
		h.coverSQL("v", "c") + h.coverSQL("r", "n") + `
where ` + where + `
order by ` + h.orderSQL("k") + ` limit ` + h.limit
}

func (h *timeline) orderSQL(x string) string {
	if h.one {
		return x + `.vkey desc`
	}
	return x + `.updated desc, ` + x + `.vkey desc`
}

// cutSQL limits the versions x to the window and to what comes after the cursor.
func (h *timeline) cutSQL() string {
	var all []string
	if h.after.Set && h.one {
		all = append(all, `x.vkey < `+h.args.bind(h.after.Key)+`::bigint`)
	} else if h.after.Set {
		all = append(all, `(x.updated, x.vkey) < (`+h.args.bind(moment(h.after.At))+`::timestamptz, `+h.args.bind(h.after.Key)+`::bigint)`)
	}
	if !h.window.Since.IsZero() {
		all = append(all, `x.updated >= `+h.args.bind(moment(h.window.Since))+`::timestamptz`)
	}
	if !h.window.High.IsZero() {
		all = append(all, `x.updated < `+h.args.bind(moment(h.window.High))+`::timestamptz`)
	}
	if len(all) == 0 {
		return `true`
	}
	return strings.Join(all, ` and `)
}

// way gives the keys of all versions of resources r.
func (h *timeline) way(from, where string) string {
	return `(select r.rid, x.vkey, x.updated from ` + from + `
  cross join lateral (select r.vkey, r.updated union all select p.vkey, p.updated from history p where p.rid = r.rid) x
  where ` + where + ` and ` + h.cutSQL() + `)`
}

// ownSQL gives the keys of the newest own versions, no more than are asked for: the party has all of
// them, whatever their labels.
func (h *timeline) ownSQL() string {
	end := ` order by x.updated desc, x.vkey desc limit ` + h.limit
	past := h.cutSQL()
	if !h.window.High.IsZero() { // an own version is followed by own ones
		past += ` and not exists (select 1 from history y where y.rid = x.rid and y.vkey > x.vkey and y.updated <= ` + h.lowSQL() + `)
    and not exists (select 1 from resource y where y.rid = x.rid and y.updated <= ` + h.lowSQL() + `)`
	}
	return `(select x.rid, x.vkey, x.updated from resource x where x.custodian = ` + h.own() + ` and x.type = ` + h.typed() + ` and ` + h.cutSQL() + end + `)
  union (select x.rid, x.vkey, x.updated from history x where x.custodian = ` + h.own() + ` and x.type = ` + h.typed() + ` and ` + past + end + `)`
}

// keptSQL gives the keys of versions that the party has in its own journal.
func (h *timeline) keptSQL() string {
	return `(select r.rid, x.vkey, x.updated from (select t.rid, t.version from fetched t where t.party = ` + h.own() + ` offset 0) t
  cross join lateral (select r.* from resource r where r.rid = t.rid and r.type || '' = ` + h.typed() + ` offset 0) r
  cross join lateral (select r.vkey, r.updated where r.version = t.version
    union all select p.vkey, p.updated from history p where p.rid = r.rid and p.version = t.version) x
  where ` + h.cutSQL() + `)`
}

// versionSQL gives the version of resource r with a key; without a key all of them.
func (h *timeline) versionSQL(r, key string) string {
	current, past := ``, ``
	if key != "" {
		current, past = ` where `+r+`.vkey = `+key, ` and p.vkey = `+key
	}
	person, labels, dates := "p.person", "p.labels", "p.low, p.high, p.sent_to, p.sent_mask"
	if h.kind == "Binary" { // what it follows has no past of its own
		person, labels, dates = r+".person", "p.labels | "+r+".labels", r+".low, "+r+".high, "+r+".sent_to, "+r+".sent_mask"
	}
	named := r + `.id, ` + r + `.custodian, ` + r + `.context_type, ` + r + `.context_id, `
	return `select ` + named + r + `.person, ` + r + `.` + strings.ReplaceAll(timelineColumns, ", ", ", "+r+".") + current + `
  union all
  select ` + named + person + `, p.vkey, p.version, ` + labels + `, p.added, ` + dates + `, p.parts, p.updated, p.deleted, p.method, p.body
  from history p where p.rid = ` + r + `.rid` + past
}

// releasedSQL tells whether version v of resource r, with coverage c and n, may be released: by its own
// labels, person and date and by the current ones, those of parts included, since what is a part now
// may stand in an older version without that label; or because the party has fetched that very version
// (DESIGN § 3, What is released).
func (h *timeline) releasedSQL(v, c, f string) string {
	if gateway.IsDirectory(h.kind) {
		return h.directory()
	}
	return `((` + h.ownsSQL(v) + ` and ` + h.ownsSQL("r") + `)
    or (` + h.aboutSQL(v) + ` and (` + h.fetchedSQL(f) + h.currentViewSQL(v, "r") + `
      or (` + v + `.person is not distinct from r.person and ` + h.coveredSQL(v, c) + ` and ` + h.coveredSQL("r", "n") + `
        and (` + v + `.vkey = r.vkey or ` + partsSQL("r") + ` & ~(` + c + `.covered | ` + h.openSQL("r") + `) = 0)))))`
}

// partsSQL is the union of the labels of the parts of a version, as packParts writes them.
func partsSQL(r string) string {
	return `(select coalesce(bit_or((e.value->>'Labels')::bigint), 0) from jsonb_array_elements(convert_from(` + r + `.parts, 'UTF8')::jsonb) e)`
}

// currentSQL tells whether version v was current at some instant of _at, as far as the party can see:
// that another, hidden from it, had followed by then is not told.
func (h *timeline) currentSQL(v string) string {
	return `not exists (select 1 from (` + h.versionSQL("r", "") + `) x` + h.fetchSQL("r", "x", "y") + h.coverSQL("x", "d") + `
    where x.vkey > ` + v + `.vkey and x.updated <= ` + h.lowSQL() + ` and ` + h.releasedSQL("x", "d", "y") + `)`
}

func (h *timeline) lowSQL() string {
	if h.low == "" {
		h.low = h.args.bind(moment(h.window.Low)) + "::timestamptz"
	}
	return h.low
}
