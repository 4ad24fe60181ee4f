package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var errParts = errors.New("the parts of a version cannot be read")

// recordSQL lists what scanRecord reads of row r, a current or a past version. key is the column
// for cursors.
func recordSQL(r, key, mask, covered string) string {
	return r + `.` + key + `, ` + r + `.id, ` + r + `.version, ` + r + `.custodian, coalesce(` + r + `.person, 0), ` +
		r + `.low, ` + r + `.high, ` + r + `.labels, ` + r + `.added, ` + r + `.parts, ` + r + `.sent_to, ` + r + `.sent_mask, ` +
		mask + `, ` + r + `.updated, ` + r + `.deleted, ` + r + `.method, ` + covered + `, coalesce(` + r + `.context_type, ''), coalesce(` +
		r + `.context_id, ''), ` + r + `.body`
}

// scanRecord reads one row of recordSQL, and the columns behind it.
func scanRecord(op string, t fhir.Type, row pgx.CollectableRow, more ...any) (gateway.Record, error) {
	var (
		r               = gateway.Record{Reference: fhir.Reference{Type: t}}
		low, high       pgtype.Timestamptz
		updated         pgtype.Timestamptz
		parts, body     []byte
		sentTo          []string
		sentMask        []int64
		labels, added   int64
		fetched, covers int64
		// plain types: to scan into one of ours costs the driver a look by reflection each time
		person                 int64
		id, custodian, method  string
		contextType, contextID string
	)
	err := row.Scan(append([]any{&r.Key, &id, &r.Reference.Version, &custodian, &person, &low, &high, &labels, &added,
		&parts, &sentTo, &sentMask, &fetched, &updated, &r.Deleted, &method, &covers, &contextType, &contextID, &body}, more...)...)
	if err != nil {
		return gateway.Record{}, failure(op, err)
	}
	r.Reference.ID, r.Custodian, r.Person = fhir.ID(id), gateway.HERID(custodian), gateway.PersonID(person)
	r.Method, r.Context = gateway.InteractionCode(method), fhir.Reference{Type: fhir.Type(contextType), ID: fhir.ID(contextID)}
	r.Low, r.High, r.Updated = plain(low), plain(high), plain(updated)
	r.Labels, r.Added = gateway.Labels(labels), gateway.Labels(added)      //nolint:gosec // written from Labels
	r.Fetched, r.Covered = gateway.Labels(fetched), gateway.Labels(covers) //nolint:gosec // written from Labels
	r.Sent = unpackSent(sentTo, sentMask)
	if r.Parts, err = unpackParts(parts); err != nil {
		return gateway.Record{}, gateway.Failed(op, gateway.Internal, errParts)
	}
	r.Body, r.Outline, err = unpackBody(op, body)
	return r, err
}

func (v *view) records(ctx context.Context, op string, t fhir.Type, sql string, args []any) ([]gateway.Record, error) {
	return collected(ctx, v, op, sql, args, func(row pgx.CollectableRow) (gateway.Record, error) { return scanRecord(op, t, row) })
}

// collected reads the rows of one statement.
func collected[T any](ctx context.Context, v *view, op, sql string, args []any, scan pgx.RowToFunc[T]) (list []T, err error) {
	collect := func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, scan)
		return err
	}
	if r, ok := v.tx.(*reading); ok && v.timed {
		err = r.timed(ctx, sql, args, collect)
		return list, failure(op, err)
	}
	rows, err := v.tx.Query(ctx, sql, args...)
	if err == nil {
		err = collect(rows)
	}
	return list, failure(op, err)
}

func one(op string, list []gateway.Record, err error) (gateway.Record, error) {
	switch {
	case err != nil:
		return gateway.Record{}, err
	case len(list) != 1:
		return gateway.Record{}, absent(op)
	}
	return list[0], nil
}

// sourceSQL gives the rows of a type under the name r. A Binary takes person, date and receivers
// from the record named as its securityContext, as that record is now, and its labels as well;
// without one, or with one that is a Binary itself, it has no person (DESIGN § 5).
func sourceSQL(t fhir.Type) string { return sourceAs(t, "r") }

// sourceAs is sourceSQL under another name.
func sourceAs(t fhir.Type, r string) string {
	if t != "Binary" {
		return `resource ` + r
	}
	return `(select b.rid, b.vkey, x.person, b.labels | coalesce(x.labels, 0) as labels, b.added,
    coalesce(x.low, '-infinity') as low, coalesce(x.high, '-infinity') as high, b.updated, b.deleted, b.type, b.id,
    b.version, b.custodian, b.method, x.sent_to, x.sent_mask, b.date_params, b.parts, b.tok, b.mark, b.present, b.self, b.body,
    x.type as context_type, x.id as context_id
  from resource b
  left join resource x on x.type = b.context_type and x.id = b.context_id and x.custodian || '' = b.custodian and not x.deleted and x.type <> 'Binary'
  where b.type = 'Binary') ` + r
}

// Read gives the current version, deleted ones included, or the version named.
func (v *view) Read(ctx context.Context, p gateway.Permit, r fhir.Reference) (gateway.Record, error) {
	return v.read(ctx, p.Scope(), r)
}

func (v *view) read(ctx context.Context, scope gateway.Scope, r fhir.Reference) (gateway.Record, error) {
	const op = "postgres.read"
	if r.Type == "AuditEvent" {
		return v.readEvent(ctx, scope, r)
	}
	var args arguments
	s := newScoped(scope, r.Type, &args)
	s.named = true
	kind, id := args.bind(string(r.Type)), args.bind(string(r.ID))
	if r.Version != "" {
		list, err := v.records(ctx, op, r.Type, s.versionsSQL(kind, id, "v.version = "+args.bind(r.Version), "1"), args.values)
		return one(op, list, err)
	}
	sql := `select ` + recordSQL("r", "rid", "coalesce(f.mask, 0)", "c.covered") + `
from ` + sourceSQL(r.Type) + `
left join fetched f on f.party = ` + s.own() + ` and f.rid = r.rid and f.version = r.version` + s.coverOneSQL() + `
where r.type = ` + kind + ` and r.id = ` + id + ` and ` + s.releasesSQL("r", "c", "f")
	list, err := v.records(ctx, op, r.Type, sql, args.values)
	return one(op, list, err)
}

// versionsSQL selects versions v of one resource r, current and past. A past version is released
// only if its own and the current labels, person and date allow it, or if the party has fetched
// that very version (DESIGN § 3, What is released).
func (s *scoped) versionsSQL(kind, id, which, limit string) string {
	var released string
	if gateway.IsDirectory(s.kind) {
		released = s.directory()
	} else {
		released = `((` + s.ownsSQL("v") + ` and ` + s.ownsSQL("r") + `)
    or (` + s.aboutSQL("v") + ` and (` + s.fetchedSQL("f") + s.currentViewSQL("v", "r") + `
      or (v.person is not distinct from r.person and ` + s.coveredSQL("v", "c") + ` and ` + s.coveredSQL("r", "n") + `))))`
	}
	own := "h.person, h.labels, h.low, h.high, h.sent_to, h.sent_mask"
	if s.kind == "Binary" { // what it follows has no past of its own
		own = "r.person, h.labels | r.labels, r.low, r.high, r.sent_to, r.sent_mask"
	}
	return `with ` + s.termSQL() + `
select ` + recordSQL("v", "vkey", "coalesce(f.mask, 0)", "c.covered") + `
from ` + sourceSQL(s.kind) + `
cross join lateral (
  select r.vkey, r.version, r.person, r.labels, r.low, r.high, r.sent_to, r.sent_mask, r.added, r.parts, r.updated,
         r.deleted, r.method, r.body, r.custodian, r.id, r.context_type, r.context_id
  union all
  select h.vkey, h.version, ` + own + `, h.added, h.parts, h.updated,
         h.deleted, h.method, h.body, r.custodian, r.id, r.context_type, r.context_id
  from history h where h.rid = r.rid) v
left join fetched f on f.party = ` + s.own() + ` and f.rid = r.rid and f.version = v.version` +
		s.coverSQL("v", "c") + s.coverSQL("r", "n") + `
where r.type = ` + kind + ` and r.id = ` + id + ` and ` + which + ` and ` + released + `
order by v.vkey desc limit ` + limit
}

// Lock takes the current row of an own record for update.
func (t *Tx) Lock(ctx context.Context, p gateway.Permit, r fhir.Reference) (gateway.Record, error) {
	return t.lock(ctx, p.Scope(), r)
}

func (t *Tx) lock(ctx context.Context, scope gateway.Scope, r fhir.Reference) (gateway.Record, error) {
	const op = "postgres.lock"
	var args arguments
	s := newScoped(scope, r.Type, &args)
	s.named = true
	sql := `select ` + recordSQL("r", "rid", "0::bigint", allLabels) + `
from resource r
where r.type = ` + args.bind(string(r.Type)) + ` and r.id = ` + args.bind(string(r.ID)) + `
  and ` + args.bind(scope.Write) + `::bool and ` + s.writesSQL("r") + `
for update of r`
	list, err := t.records(ctx, op, r.Type, sql, args.values)
	return one(op, list, err)
}

// writesSQL tells whether row r is the party's own to write: its own record, or a resource of the
// directory for who keeps the directory.
func (s *scoped) writesSQL(r string) string {
	if gateway.IsDirectory(s.kind) {
		return `(` + s.ownsSQL(r) + ` or ` + s.directory() + `)`
	}
	return s.ownsSQL(r)
}

const teamSQL = `select v.body, r.custodian
from resource r
cross join lateral (
  select r.version, r.deleted, r.body
  union all
  select h.version, h.deleted, h.body from history h where $2::text <> '' and h.rid = r.rid) v
where r.type = 'CareTeam' and r.id = $1 and not v.deleted and (v.version = $2 or $2 = '')
limit 1`

// Team reads a CareTeam for resolving grants; a zero Version is the current one.
func (t *Tx) Team(ctx context.Context, r fhir.Reference) (body []byte, custodian gateway.HERID, err error) {
	const op = "postgres.team"
	var stored []byte
	if err := t.tx.QueryRow(ctx, teamSQL, string(r.ID), r.Version).Scan(&stored, &custodian); err != nil {
		return nil, "", failure(op, err)
	}
	body, err = expand(op, stored)
	return body, custodian, err
}

const pointedSQL = `select count(r.rid), coalesce(bit_or(r.labels), 0), coalesce(min(coalesce(r.person, 0)), 0),
  coalesce(max(coalesce(r.person, 0)), 0)
from unnest($2::text[], $3::text[]) as p(type, id)
cross join lateral (select r.rid, r.labels, r.person from resource r
  where r.type = p.type and r.id = p.id and r.custodian || '' = $1 and not r.deleted offset 0) r`

// Pointed gives the union of the labels of own records.
func (v *view) Pointed(ctx context.Context, custodian gateway.HERID, refs []fhir.Reference) (gateway.Labels, gateway.PersonID, bool, error) {
	const op = "postgres.pointed"
	seen := make(map[fhir.Reference]bool, len(refs))
	var types, ids []string
	for _, r := range refs {
		r.Version = ""
		if !seen[r] {
			seen[r] = true
			types, ids = append(types, string(r.Type)), append(ids, string(r.ID))
		}
	}
	var (
		count     int
		labels    int64
		low, high gateway.PersonID
	)
	if err := v.tx.QueryRow(ctx, pointedSQL, string(custodian), types, ids).Scan(&count, &labels, &low, &high); err != nil {
		return 0, 0, false, failure(op, err)
	}
	if low != high {
		low = 0
	}
	return gateway.Labels(labels), low, count == len(ids), nil //nolint:gosec // written from Labels
}
