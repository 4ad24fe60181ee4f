package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// exportActor is what a job keeps of who began it: nothing that tells of a patient.
type exportActor struct {
	actorRow
	Each bool // attested each patient asked for
}

const exportColumns = `e.key, e.id, e.owner, e.party, e.actor, e.request, e.canonical, e.types, e.left_out, e.since, e.at, e.state, e.place,
  e.after_patient, e.after_rid, e.lines, e.tries, e.next_at, e.lease, e.leased_until, e.completed, e.expires`

func scanExport(row pgx.CollectableRow) (j gateway.ExportJob, err error) {
	var (
		actor                              []byte
		types                              []string
		since, at, next, completed, leased pgtype.Timestamptz
	)
	err = row.Scan(&j.Key, &j.ID, &j.Owner, &j.Party, &actor, &j.Request, &j.Canonical, &types, &j.LeftOut, &since, &at, &j.State,
		&j.Place, &j.After.Patient, &j.After.Row, &j.Lines, &j.Tries, &next, &j.Lease, &leased, &completed, &j.Expires)
	if err != nil {
		return j, err
	}
	j.Since, j.At, j.Next, j.Until, j.Completed = plain(since), plain(at), plain(next), plain(leased), plain(completed)
	for _, t := range types {
		j.Types = append(j.Types, fhir.Type(t))
	}
	var a exportActor
	if err := json.Unmarshal(actor, &a); err != nil {
		return j, err
	}
	j.Actor = a.actor()
	j.Actor.Attest.Each = a.Each
	return j, nil
}

func (v *view) export(ctx context.Context, op, sql string, args ...any) (gateway.ExportJob, error) {
	list, err := collected(ctx, v, op, sql, args, scanExport)
	switch {
	case err != nil:
		return gateway.ExportJob{}, err
	case len(list) != 1:
		return gateway.ExportJob{}, absent(op)
	}
	return list[0], nil
}

const (
	exportOfSQL = `select ` + exportColumns + ` from export e where e.id = $1 and e.owner = $2 and e.expires > $3`

	exportFilesSQL = `select f.number, f.id, f.type, f.first, f.last, f.bytes from export_file f where f.export = $1 order by f.number`
)

// ExportOf gives a job with its files.
func (v *view) ExportOf(ctx context.Context, id string, owner []byte, now time.Time) (gateway.ExportJob, []gateway.ExportFile, error) {
	const op = "postgres.exportof"
	j, err := v.export(ctx, op, exportOfSQL, id, owner, now)
	if err != nil {
		return gateway.ExportJob{}, nil, err
	}
	files, err := v.exportFiles(ctx, op, exportFilesSQL, j.Key)
	return j, files, err
}

func (v *view) exportFiles(ctx context.Context, op, sql string, args ...any) ([]gateway.ExportFile, error) {
	return collected(ctx, v, op, sql, args, func(row pgx.CollectableRow) (f gateway.ExportFile, err error) {
		return f, row.Scan(&f.Number, &f.ID, &f.Type, &f.First, &f.Last, &f.Bytes)
	})
}

const supersededSQL = `select v.version from unnest($2::text[], $3::text[]) as v(id, version)
join resource r on r.type = $1 and r.id = v.id and r.version <> v.version`

// Superseded tells which of the records are no longer the current version.
func (v *view) Superseded(ctx context.Context, t fhir.Type, rows []gateway.Record) (map[string]bool, error) {
	ids, versions := make([]string, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		ids[i], versions[i] = string(r.Reference.ID), r.Reference.Version
	}
	list, err := collected(ctx, v, "postgres.superseded", supersededSQL, []any{string(t), ids, versions}, pgx.RowTo[string])
	out := make(map[string]bool, len(list))
	for _, version := range list {
		out[version] = true
	}
	return out, err
}

const exportCountSQL = `select count(*) from export e where e.party = $1 and e.expires > $2`

// ExportCount counts the jobs of a party that have not expired.
func (t *Tx) ExportCount(ctx context.Context, party gateway.HERID, now time.Time) (n int, err error) {
	err = t.tx.QueryRow(ctx, exportCountSQL, string(party), now).Scan(&n)
	return n, failure("postgres.exportcount", err)
}

const (
	putExportSQL = `insert into export (id, party, owner, actor, request, canonical, types, left_out, since, at, state, place,
  after_patient, after_rid, next_at, expires)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, $13, $14) returning key`

	// The persons have the order of the party's own Patients. That of their numbers tells whom another party knew first.
	putMembersSQL = `insert into export_person (export, person, place)
select $1::bigint, r.person, min(r.rid) from unnest($3::text[]) as m(id)
join resource r on r.type = 'Patient' and r.id = m.id and r.custodian || '' = $2 and not r.deleted and r.person is not null group by r.person`

	enrolSQL = `insert into export_person (export, person, place)
select $1::bigint, r.person, min(r.rid) from resource r
where r.custodian = $2 and r.type = 'Patient' and not r.deleted and r.person is not null group by r.person
on conflict do nothing`
)

// PutExport keeps a new job.
func (t *Tx) PutExport(ctx context.Context, j gateway.ExportJob, members []fhir.ID) error {
	const op = "postgres.putexport"
	a := j.Actor
	actor, err := json.Marshal(exportActor{actorRow{
		a.Kind, a.Party, a.Unit, a.Practitioner, a.Name, a.Role, a.Purpose, a.Reason, a.Client, a.TokenID,
	}, a.Attest.Each})
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	types := make([]string, len(j.Types))
	for i, kind := range j.Types {
		types[i] = string(kind)
	}
	var key int64
	err = t.tx.QueryRow(ctx, putExportSQL, j.ID, string(j.Party), j.Owner, actor, j.Request, j.Canonical, types, texts(j.LeftOut),
		moment(j.Since), moment(j.At), string(j.State), j.Place, moment(j.Next), j.Expires).Scan(&key)
	if err != nil || members == nil {
		return failure(op, err)
	}
	t.tx.later(op, putMembersSQL, key, string(j.Party), texts(members))
	return nil
}

// Enrol counts up the persons whom the party has a Patient of.
func (t *Tx) Enrol(ctx context.Context, j gateway.ExportJob) error {
	t.tx.later("postgres.enrol", enrolSQL, j.Key, string(j.Party))
	return nil
}

const (
	// A job waits until every transaction from before its kick-off has ended: what such a one writes
	// is older than the export, and would otherwise be in neither this one nor the next.
	claimExportSQL = `update export e set lease = $3, leased_until = $2
where e.key = (
  select c.key from export c
  where c.state = 'running' and c.next_at <= $1 and c.leased_until <= $1 and c.expires > $1
    and c.fence < pg_snapshot_xmin(pg_current_snapshot())
  order by c.next_at, c.key limit 1 for update skip locked)
returning ` + exportColumns

	lockExportSQL = `select ` + exportColumns + ` from export e where e.key = $1 and e.lease = $2 and e.state = 'running' for update`

	advanceExportSQL = `update export set state = $2, place = $3, after_patient = $4, after_rid = $5, lines = $6, tries = $7, next_at = $8,
  lease = $9, leased_until = $10, completed = $11, expires = $12
where key = $1`
)

// ClaimExport leases the job whose turn it is.
func (t *Tx) ClaimExport(ctx context.Context, now, until time.Time, lease string) (gateway.ExportJob, error) {
	return t.export(ctx, "postgres.claimexport", claimExportSQL, now, until, lease)
}

// LockExport takes a job for update.
func (t *Tx) LockExport(ctx context.Context, key int64, lease string) (gateway.ExportJob, error) {
	return t.export(ctx, "postgres.lockexport", lockExportSQL, key, lease)
}

// AdvanceExport keeps how far a job has come.
func (t *Tx) AdvanceExport(ctx context.Context, j gateway.ExportJob) error {
	var completed *time.Time
	if !j.Completed.IsZero() {
		completed = &j.Completed
	}
	t.tx.later("postgres.advanceexport", advanceExportSQL, j.Key, string(j.State), j.Place, j.After.Patient, j.After.Row, j.Lines, j.Tries,
		moment(j.Next), j.Lease, moment(j.Until), completed, j.Expires)
	return nil
}

const lastExportFileSQL = `select f.number, f.id, f.type, f.first, f.last, f.bytes from export_file f
where f.export = $1 order by f.number desc limit 1`

// LastExportFile gives the last file of a job.
func (t *Tx) LastExportFile(ctx context.Context, j gateway.ExportJob) (gateway.ExportFile, error) {
	files, err := t.exportFiles(ctx, "postgres.lastexportfile", lastExportFileSQL, j.Key)
	if err != nil || len(files) == 0 {
		return gateway.ExportFile{}, err
	}
	return files[0], nil
}

const (
	exportFileSQL = `insert into export_file (export, number, id, type, first, last, bytes) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (export, number) do update set last = excluded.last, bytes = excluded.bytes`

	exportLinesSQL = `insert into export_line (export, line, rid, version)
select $1, v.line, v.rid, v.version from unnest($2::bigint[], $3::bigint[], $4::text[]) as v(line, rid, version)`
)

// AddExportLines adds lines after the last one of the job.
func (t *Tx) AddExportLines(ctx context.Context, j gateway.ExportJob, files []gateway.ExportFile, rows []gateway.Record) error {
	var b pgx.Batch
	for _, f := range files {
		b.Queue(exportFileSQL, j.Key, f.Number, f.ID, string(f.Type), f.First, f.Last, f.Bytes)
	}
	lines, rids, versions := make([]int64, len(rows)), make([]int64, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		lines[i], rids[i], versions[i] = j.Lines-int64(len(rows)-1-i), r.Key, r.Reference.Version
	}
	b.Queue(exportLinesSQL, j.Key, lines, rids, versions)
	return failure("postgres.addexportlines", t.tx.run(ctx, &b))
}

const (
	dropExportSQL = `delete from export where id = $1 and owner = $2 and expires > $3`

	expireExportsSQL = `delete from export where key in (
  select e.key from export e where e.expires <= $1 order by e.expires limit $2 for update skip locked)`
)

// DropExport removes a job of the owner.
func (t *Tx) DropExport(ctx context.Context, id string, owner []byte, now time.Time) error {
	const op = "postgres.dropexport"
	tag, err := t.tx.Exec(ctx, dropExportSQL, id, owner, now)
	if err == nil && tag.RowsAffected() == 0 {
		return absent(op)
	}
	return failure(op, err)
}

// ExpireExports removes jobs whose time is over.
func (t *Tx) ExpireExports(ctx context.Context, now time.Time, limit int) (int, error) {
	tag, err := t.tx.Exec(ctx, expireExportsSQL, now, limit)
	return int(tag.RowsAffected()), failure("postgres.expireexports", err)
}

// enrolled is how many persons the rows of one page come from at most: no page walks through more that
// it cannot reach.
const enrolled = 200

const (
	exportPersonsSQL = `select count(*), coalesce(max(p.place), 0) from (
  select x.place from export_person x where x.export = $1 and x.place >= $2 order by x.place limit $3) p`

	exportKeysSQL = `select x.place, k.rid
from (select e.person, e.place from export_person e where e.export = $1 and e.place >= $2 and e.place <= $5 offset 0) x
cross join lateral (
  select 1 from (select o.custodian, o.deleted from resource o where o.person = x.person and o.type = 'Patient' offset 0) o
  where o.custodian = $6 and not o.deleted limit 1) own
cross join lateral (select r.rid, r.deleted from resource r where r.person = x.person and r.type = $4 offset 0) k
where not k.deleted and (x.place, k.rid) > ($2, $3)
order by x.place, k.rid limit $7`
)

var errExportDate = errors.New("an export without a time")

// ExportRows looks at the next rows of the type, by person and row, and reads those inside the scope.
func (t *Tx) ExportRows(ctx context.Context, p gateway.Permit, j gateway.ExportJob, kind fhir.Type, limit int) (rows []gateway.Record, next gateway.ExportPlace, done bool, err error) {
	const op = "postgres.exportrows"
	if j.At.IsZero() {
		return nil, next, false, gateway.Failed(op, gateway.Internal, errExportDate)
	}
	var (
		count int
		last  int64
	)
	if err := t.tx.QueryRow(ctx, exportPersonsSQL, j.Key, j.After.Patient, enrolled).Scan(&count, &last); err != nil {
		return nil, next, false, failure(op, err)
	}
	keys, err := collected(ctx, &t.view, op, exportKeysSQL,
		[]any{j.Key, j.After.Patient, j.After.Row, string(kind), last, string(j.Party), limit}, pgx.RowToStructByPos[gateway.ExportPlace])
	if err != nil {
		return nil, next, false, err
	}
	next, done = gateway.ExportPlace{Patient: last, Row: math.MaxInt64}, count < enrolled
	if len(keys) == limit {
		next, done = keys[limit-1], false
	}
	if len(keys) == 0 {
		return nil, next, done, nil
	}
	rids := make([]int64, len(keys))
	for i, k := range keys {
		rids[i] = k.Row
	}
	var args arguments
	s := newScoped(p.Scope(), kind, &args)
	with := `with ` + s.termSQL()
	at := args.bind(moment(j.At)) + "::timestamptz"
	then := `select ` + lineColumns("r") + ` where r.updated <= ` + at + `
  union all
  (select ` + pastLineColumns + ` from history h where r.updated > ` + at + ` and h.rid = r.rid and h.updated <= ` + at + ` order by h.vkey desc limit 1)`
	sql := with + `
` + s.exportedSQL(`unnest(`+args.bind(rids)+`::bigint[]) with ordinality as k(rid, place)`, "k.rid", then) +
		` and v.updated >= ` + args.bind(moment(j.Since)) + `::timestamptz
order by k.place`
	rows, err = t.records(ctx, op, kind, sql, args.values)
	return rows, next, done, err
}

// ExportLines reads the versions of the lines after one line, inside the scope as it is now.
func (v *view) ExportLines(ctx context.Context, p gateway.Permit, j gateway.ExportJob, f gateway.ExportFile, after int64, limit int) ([]gateway.Record, error) {
	var args arguments
	s := newScoped(p.Scope(), f.Type, &args)
	with := `with ` + s.termSQL()
	version := `k.version`
	keyed := `(select l.line, l.rid, l.version from export_line l where l.export = ` + args.bind(j.Key) + `::bigint and l.line > ` + args.bind(after) +
		`::bigint and l.line <= ` + args.bind(min(after+int64(limit), f.Last)) + `::bigint order by l.line) k`
	then := `select ` + lineColumns("r") + ` where r.version = ` + version + `
  union all
  select ` + pastLineColumns + ` from history h where r.version <> ` + version + ` and h.rid = r.rid and h.version = ` + version
	sql := with + `
` + s.exportedSQL(keyed, "k.line", then) + ` and ` + s.enrolledSQL("r.person") + `
order by k.line`
	return v.records(ctx, "postgres.exportlines", f.Type, sql, args.values)
}

// lineColumns are those of recordSQL that a version has, of row r; its key is added.
func lineColumns(r string) string {
	return r + `.version, ` + r + `.person, ` + r + `.low, ` + r + `.high, ` + r + `.labels, ` + r + `.added, ` + r + `.parts, ` +
		r + `.sent_to, ` + r + `.sent_mask, ` + r + `.updated, ` + r + `.deleted, ` + r + `.method, ` + r + `.body`
}

var pastLineColumns = lineColumns("h")

// enrolledSQL tells whether the party has a Patient of the person now.
func (s *scoped) enrolledSQL(person string) string {
	return `exists (select 1 from (select o.custodian, o.deleted from resource o where o.person = ` + person + ` and o.type = 'Patient' offset 0) o
    where o.custodian = ` + s.own() + ` and not o.deleted)`
}

// exportedSQL reads one version v of each resource r whose key k has, inside the scope: a past version
// only if its own and the current labels, person and date allow it, or if the party has fetched that
// very version. key is the column that becomes Record.Key.
func (s *scoped) exportedSQL(keyed, key, then string) string {
	return `select ` + recordSQL("v", "key", "coalesce(f.mask, 0)", "c.covered") + `
from ` + keyed + `
cross join lateral (select r.* from resource r where r.rid = k.rid offset 0) r
cross join lateral (select ` + key + ` as key, r.id, r.custodian, r.context_type, r.context_id, w.* from (` + then + `) w offset 0) v` +
		s.fetchSQL("r", "v", "f") + s.coverSQL("v", "c") + s.coverSQL("r", "n") + `
where r.type = ` + s.typed() + ` and not r.deleted and not v.deleted and v.person = r.person
  and ((` + s.ownsSQL("v") + ` and ` + s.ownsSQL("r") + `)
    or (` + s.aboutSQL("v") + ` and (` + s.fetchedSQL("f") + ` or (` + s.coveredSQL("v", "c") + ` and ` + s.coveredSQL("r", "n") + `))))`
}
