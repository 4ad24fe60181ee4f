package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// mayWrite tells whether the scope lets a version of the draft's custodian be written.
func mayWrite(scope gateway.Scope, d gateway.Draft) bool {
	if !scope.Write {
		return false
	}
	if gateway.IsDirectory(d.Reference.Type) && scope.Directory {
		return true
	}
	return scope.Own != "" && d.Custodian == scope.Own
}

func forbidden(op string) error {
	return gateway.Fault(op, gateway.Forbidden, fhir.Issue{Severity: "error", Type: "forbidden", Code: "not-yours"})
}

func outdated(op string) error {
	return gateway.Fault(op, gateway.Precondition, fhir.Issue{Severity: "error", Type: "conflict", Code: "version-conflict"})
}

// prepared is a draft with everything computed that its statements bind.
type prepared struct {
	gateway.Draft
	index   index
	outline fhir.Outline
	parts   []byte
	sentTo  []string
	masks   []int64
	body    []byte // packed, with the outline
	nin     []byte
	keeper  bool // the writer keeps the directory: others' entries too
}

func (s *Store) prepare(op string, d gateway.Draft) (prepared, error) {
	d.Updated = d.Updated.UTC().Truncate(time.Microsecond)
	d.Low, d.High = d.Low.UTC().Truncate(time.Microsecond), d.High.UTC().Truncate(time.Microsecond)
	p := prepared{Draft: d, index: s.keys.indexOf(d), outline: d.Outline(), nin: s.keys.nin(d.National)}
	p.body = packBody(d.Body, p.outline)
	p.sentTo, p.masks = packSent(d.Sent)
	var err error
	if p.parts, err = packParts(d.Parts); err != nil {
		return p, gateway.Failed(op, gateway.Internal, err)
	}
	return p, nil
}

// record gives what was written, as a later Read would.
func (p *prepared) record(rid int64, person gateway.PersonID) gateway.Record {
	return gateway.Record{
		Key: rid, Reference: p.Reference, Custodian: p.Custodian, Person: person, Low: p.Low, High: p.High,
		Labels: p.Labels, Added: p.Added, Parts: p.Parts, Sent: p.Sent, Context: p.Context, Updated: p.Updated,
		Deleted: p.Method == gateway.Delete, Method: p.Method, Covered: gateway.AllLabels, Body: p.Body, Outline: p.outline,
	}
}

// whoSQL resolves the person of a draft: that of a Patient of the same custodian, of the record a
// Binary follows, or for a Patient the one with the same national identifier, otherwise a new one.
// lock keeps that Patient as it is in a transaction whose snapshot is older than the statement.
func whoSQL(p *prepared, custodian, lock string, a *arguments) string {
	switch {
	case p.Reference.Type == "Patient":
		return `who as (insert into person (nin) values (` + a.bind(p.nin) + `::bytea)
  on conflict (nin) do update set nin = excluded.nin returning person),
raised as (insert into epoch (person, epoch, holders) select who.person, 1, array[` + custodian + `] from who
  on conflict (person) do update set epoch = epoch.epoch + 1,
    holders = case when epoch.holders @> excluded.holders then epoch.holders else epoch.holders || excluded.holders end),
adopted as (update resource r set person = who.person from who
  where r.custodian = ` + custodian + ` and r.subject = ` + a.bind(string(p.Reference.ID)) + ` and r.person is null
  returning r.type, r.id, r.person),
followed as (update withholding w set person = m.person from adopted m where w.type = m.type and w.id = m.id)`
	case p.Reference.Type == binaryType && p.Context.Type != "" && p.Context.Type != binaryType:
		return `who as (select (select x.person from resource x where x.type = ` + a.bind(string(p.Context.Type)) +
			` and x.id = ` + a.bind(string(p.Context.ID)) + ` and ` + keptBySQL("x", custodian) + ` and not x.deleted` + lock + `) as person)`
	case p.Subject.Type == "Patient" && !gateway.IsDirectory(p.Reference.Type):
		return `who as (select (select x.person from resource x where x.type = 'Patient' and x.id = ` + a.bind(string(p.Subject.ID)) +
			` and ` + keptBySQL("x", custodian) + ` and not x.deleted` + lock + `) as person)`
	default:
		return `who as (select null::bigint as person)`
	}
}

// insertSQL writes the first version; it goes on with what depends on row made.
func insertSQL(p *prepared, lock string, a *arguments) string {
	custodian := a.bind(string(p.Custodian)) + "::text"
	return `with ` + whoSQL(p, custodian, lock, a) + `,
made as (insert into resource (person, custodian, type, id, version, method, subject, context_type, context_id,
    labels, added, low, high, updated, sent_to, sent_mask, date_params, parts, tok, mark, present, self, body)
  select who.person, ` + custodian + `, ` + a.bind(string(p.Reference.Type)) + `, ` + a.bind(string(p.Reference.ID)) + `, ` +
		a.bind(p.Reference.Version) + `, ` + a.bind(string(p.Method)) + `, ` + a.bind(orNull(p.Subject.ID)) + `, ` +
		a.bind(orNull(p.Context.Type)) + `, ` + a.bind(orNull(p.Context.ID)) + `, ` + a.bind(int64(p.Labels)) + `::bigint, ` +
		a.bind(int64(p.Added)) + `::bigint, ` + a.bind(moment(p.Low)) + `::timestamptz, ` + a.bind(moment(p.High)) + `::timestamptz, ` +
		a.bind(p.Updated) + `::timestamptz, ` + a.bind(p.sentTo) + `::text[], ` + a.bind(p.masks) + `::bigint[], ` +
		a.bind(p.index.dateKeys) + `::text[], ` + a.bind(p.parts) + `::bytea, ` + a.bind(p.index.tok) + `::bigint[], ` +
		a.bind(p.index.mark) + `::bigint[], ` + a.bind(p.index.present) + `::bigint, ` + a.bind(p.index.name) + `::bigint, ` +
		a.bind(p.body) + `::bytea
  from who returning rid, person)` + sideSQL(p, a)
}

// sideSQL writes the values that arrays of hashes do not fit, for row made: into those tables only
// that get any.
func sideSQL(p *prepared, a *arguments) (sql string) {
	x := &p.index
	if len(x.texts.key) > 0 {
		sql += `,
text_values as (insert into text_value (rid, mask, key, value)
  select made.rid, v.mask, v.key, v.value from made, unnest(` + a.bind(x.texts.mask) + `::bigint[], ` + a.bind(x.texts.key) + `::bigint[], ` +
			a.bind(x.texts.value) + `::text[]) as v(mask, key, value))`
	}
	for i, w := range x.words {
		sql += `,
word_values` + strconv.Itoa(i) + ` as (insert into word_value (rid, mask, keys, texts)
  select made.rid, ` + a.bind(w.mask) + `::bigint, ` + a.bind(w.keys) + `::bigint[], ` + a.bind(w.text) + `::text[] from made)`
	}
	if len(x.dates.key) > 0 {
		sql += `,
date_values as (insert into date_value (rid, mask, key, low, high)
  select made.rid, v.mask, v.key, v.low, v.high from made, unnest(` + a.bind(x.dates.mask) + `::bigint[], ` + a.bind(x.dates.key) + `::bigint[], ` +
			a.bind(x.dates.low) + `::timestamptz[], ` + a.bind(x.dates.high) + `::timestamptz[]) as v(mask, key, low, high))`
	}
	if len(x.amounts.key) > 0 {
		sql += amountsSQL(&x.amounts, a)
	}
	if len(x.parts.tok) > 0 {
		sql += `,
part_values as (insert into part_value (rid, mask, tok)
  select made.rid, v.mask, v.tok from made, unnest(` + a.bind(x.parts.mask) + `::bigint[], ` + a.bind(x.parts.tok) + `::bigint[]) as v(mask, tok))`
	}
	return sql
}

func amountsSQL(x *amountValues, a *arguments) string {
	return `,
amount_values as (insert into amount_value (rid, mask, key, exact, code, word, base, low, high, slack, base_low, base_high, base_slack)
  select made.rid, v.mask, v.key, v.exact, v.code, v.word, v.base, v.low::numeric, v.high::numeric, v.slack::numeric,
    v.base_low::numeric, v.base_high::numeric, v.base_slack::numeric from made, unnest(` +
		a.bind(x.mask) + `::bigint[], ` + a.bind(x.key) + `::bigint[], ` + a.bind(x.exact) + `::bigint[], ` + a.bind(x.code) + `::bigint[], ` +
		a.bind(x.word) + `::bigint[], ` + a.bind(x.base) + `::bigint[], ` + a.bind(x.low) + `::text[], ` + a.bind(x.high) + `::text[], ` +
		a.bind(x.slack) + `::text[], ` + a.bind(x.baseLow) + `::text[], ` + a.bind(x.baseHigh) + `::text[], ` + a.bind(x.baseSlack) +
		`::text[]) as v(mask, key, exact, code, word, base, low, high, slack, base_low, base_high, base_slack))`
}

// Create writes a new record, its index and its ledger entry in one round trip: one statement, and
// for the directory three in one implicit transaction.
func (s *Store) Create(ctx context.Context, p gateway.Permit, d gateway.Draft, e gateway.AuditEntry) (gateway.Record, error) {
	return s.create(ctx, p.Scope(), d, e)
}

func (s *Store) create(ctx context.Context, scope gateway.Scope, d gateway.Draft, e gateway.AuditEntry) (gateway.Record, error) {
	const op = "postgres.create"
	if !mayWrite(scope, d) || d.Previous != "" {
		return gateway.Record{}, forbidden(op)
	}
	draft, err := s.prepare(op, d)
	if err != nil {
		return gateway.Record{}, err
	}
	line, err := s.line(op, e)
	if err != nil {
		return gateway.Record{}, err
	}
	address, err := addressOf(op, d)
	if err != nil {
		return gateway.Record{}, err
	}
	var (
		args   arguments
		rid    int64
		person gateway.PersonID
	)
	sql := insertSQL(&draft, "", &args) + `,
` + entrySQL(&line, &args) + `
select made.rid, coalesce(made.person, 0) from made`
	err = s.repeat(ctx, op, func(bool) error {
		return s.single(ctx, op, func(conn *pgx.Conn) error {
			if address == nil {
				return conn.QueryRow(ctx, sql, args.values...).Scan(&rid, &person)
			}
			var b pgx.Batch
			b.Queue(sql, args.values...).QueryRow(func(row pgx.Row) error { return row.Scan(&rid, &person) })
			address.queue(&b)
			return conn.SendBatch(ctx, &b).Close()
		})
	})
	if err != nil {
		return gateway.Record{}, err
	}
	if address != nil {
		s.listing.Store(nil)
	}
	return draft.record(rid, person), nil
}

// Put writes a version of an own record.
func (t *Tx) Put(ctx context.Context, p gateway.Permit, d gateway.Draft) (gateway.Record, error) {
	return t.put(ctx, p.Scope(), d)
}

func (t *Tx) put(ctx context.Context, scope gateway.Scope, d gateway.Draft) (gateway.Record, error) {
	const op = "postgres.put"
	if !mayWrite(scope, d) {
		return gateway.Record{}, forbidden(op)
	}
	draft, err := t.store.prepare(op, d)
	if err != nil {
		return gateway.Record{}, err
	}
	address, err := addressOf(op, d)
	if err != nil {
		return gateway.Record{}, err
	}
	draft.keeper = gateway.IsDirectory(d.Reference.Type) && scope.Directory
	var r gateway.Record
	switch {
	case d.Previous == "":
		r, err = t.putFirst(ctx, op, &draft)
	case d.Method == gateway.Delete:
		if r, err = t.erase(ctx, op, &draft); err == nil && d.Reference.Type == "Patient" {
			err = t.raise(ctx, op, r.Person) // the party is no holder of hers any more
		}
	case d.Reference.Type == "Patient":
		r, err = t.putPatient(ctx, op, &draft)
	default:
		var args arguments
		custodian := args.bind(string(draft.Custodian)) + "::text"
		who := whoSQL(&draft, custodian, " for share", &args)
		r, err = t.replace(ctx, op, &draft, who, custodian, &args)
	}
	if err == nil && d.Previous != "" {
		t.tx.later(op, lookAtRecordSQL, string(d.Reference.Type), string(d.Reference.ID), t.store.clock())
	}
	if err != nil || address == nil {
		return r, err
	}
	var b pgx.Batch
	address.queue(&b)
	if err := t.tx.run(ctx, &b); err != nil {
		return gateway.Record{}, failure(op, err)
	}
	t.store.listing.Store(nil)
	t.revision = 0
	return r, nil
}

// firstSQL writes the first version in a transaction, and gives its key and its person.
func firstSQL(p *prepared, a *arguments) string {
	return insertSQL(p, " for share", a) + `
select made.rid, coalesce(made.person, 0) from made`
}

func (t *Tx) putFirst(ctx context.Context, op string, draft *prepared) (gateway.Record, error) {
	var (
		args   arguments
		rid    int64
		person gateway.PersonID
	)
	sql := firstSQL(draft, &args)
	if err := t.tx.QueryRow(ctx, sql, args.values...).Scan(&rid, &person); err != nil {
		return gateway.Record{}, failure(op, err)
	}
	return draft.record(rid, person), nil
}

const historyColumns = `rid, vkey, person, labels, added, low, high, updated, deleted, version, method, sent_to, sent_mask, parts, body, custodian, type`

// oldSQL takes the current row if it is the one expected, and keeps it in the history. Who keeps
// the directory keeps others' entries too.
func oldSQL(draft *prepared, custodian string, a *arguments) string {
	owner := `(` + keptBySQL("r", custodian) + ` or ` + a.bind(draft.keeper) + `::bool)`
	return `old as (select r.* from resource r where r.type = ` + a.bind(string(draft.Reference.Type)) +
		` and r.id = ` + a.bind(string(draft.Reference.ID)) + ` and r.version = ` + a.bind(draft.Previous) + ` and ` + owner + ` for update),
kept as (insert into history (` + historyColumns + placeColumns + `) select ` + historyColumns + keptPlaces + ` from old` + keptFrom + `),
gone_texts as (delete from text_value v using old where v.rid = old.rid),
gone_words as (delete from word_value v using old where v.rid = old.rid),
gone_dates as (delete from date_value v using old where v.rid = old.rid),
gone_amounts as (delete from amount_value v using old where v.rid = old.rid),
gone_parts as (delete from part_value v using old where v.rid = old.rid)`
}

// replace writes a version over the one expected.
func (t *Tx) replace(ctx context.Context, op string, p *prepared, who, custodian string, a *arguments) (gateway.Record, error) {
	sql := `with ` + who + `,
` + oldSQL(p, custodian, a) + `,
made as (update resource r set vkey = nextval('version_key'), person = who.person, version = ` + a.bind(p.Reference.Version) +
		`, method = ` + a.bind(string(p.Method)) + `, deleted = false, subject = ` + a.bind(orNull(p.Subject.ID)) +
		`, context_type = ` + a.bind(orNull(p.Context.Type)) + `, context_id = ` + a.bind(orNull(p.Context.ID)) +
		`, labels = ` + a.bind(int64(p.Labels)) + `, added = ` + a.bind(int64(p.Added)) +
		`, low = ` + a.bind(moment(p.Low)) + `, high = ` + a.bind(moment(p.High)) + `, updated = ` + a.bind(p.Updated) +
		`, sent_to = ` + a.bind(p.sentTo) + `, sent_mask = ` + a.bind(p.masks) + `, date_params = ` + a.bind(p.index.dateKeys) +
		`, parts = ` + a.bind(p.parts) + `, tok = ` + a.bind(p.index.tok) + `, mark = ` + a.bind(p.index.mark) +
		`, present = ` + a.bind(p.index.present) + `, body = ` + a.bind(p.body) + `
  from old, who where r.rid = old.rid returning r.rid, r.person, r.custodian)` + sideSQL(p, a) + `
select made.rid, coalesce(made.person, 0), made.custodian from made`
	return t.written(ctx, op, p, sql, a)
}

// erase writes the version that tells that the record is deleted. It keeps labels, person, date and
// receivers of the last one, so that who could read that is told that it is gone.
func (t *Tx) erase(ctx context.Context, op string, p *prepared) (gateway.Record, error) {
	var args arguments
	a := &args
	custodian := a.bind(string(p.Custodian)) + "::text"
	sql := `with ` + oldSQL(p, custodian, a) + `,
made as (update resource r set vkey = nextval('version_key'), version = ` + a.bind(p.Reference.Version) +
		`, method = ` + a.bind(string(p.Method)) + `, deleted = true, updated = ` + a.bind(p.Updated) +
		`, date_params = null, parts = null, tok = '{}', mark = '{}', present = 0, body = ` + a.bind(p.body) + `
  from old where r.rid = old.rid returning r.rid, r.person, r.custodian)
select made.rid, coalesce(made.person, 0), made.custodian from made`
	return t.written(ctx, op, p, sql, a)
}

const existsSQL = `select true from resource r where r.type = $1 and r.id = $2 and (r.custodian = $3 or $4)`

// written runs a statement of replace or erase. No row means another version, or no such record.
func (t *Tx) written(ctx context.Context, op string, p *prepared, sql string, a *arguments) (gateway.Record, error) {
	var (
		rid    int64
		person gateway.PersonID
	)
	err := t.tx.QueryRow(ctx, sql, a.values...).Scan(&rid, &person, &p.Custodian)
	if err == pgx.ErrNoRows { //nolint:errorlint // the driver gives it as it is
		var there bool
		err = t.tx.QueryRow(ctx, existsSQL, string(p.Reference.Type), string(p.Reference.ID), string(p.Custodian), p.keeper).Scan(&there)
		if err == nil {
			return gateway.Record{}, outdated(op)
		}
	}
	if err != nil {
		return gateway.Record{}, failure(op, err)
	}
	return p.record(rid, person), nil
}
