package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sluse/sluse/gateway"
)

// PutAll writes first versions of own records that are not of the directory, in two round trips however many they are:
// the Patients and the keys of the others, then the others, one statement for each table. A Patient is there before what
// is about her, and a record before the Binaries that follow it, in whatever order they come.
func (t *Tx) PutAll(ctx context.Context, p gateway.Permit, drafts []gateway.Draft) ([]gateway.Record, error) {
	return t.putAll(ctx, p.Scope(), drafts)
}

func (t *Tx) putAll(ctx context.Context, scope gateway.Scope, drafts []gateway.Draft) ([]gateway.Record, error) {
	const op = "postgres.putall"
	if len(drafts) == 0 {
		return nil, nil
	}
	all := make([]prepared, len(drafts))
	for i, d := range drafts {
		if !mayWrite(scope, d) || d.Previous != "" || gateway.IsDirectory(d.Reference.Type) {
			return nil, forbidden(op)
		}
		var err error
		if all[i], err = t.store.prepare(op, d); err != nil {
			return nil, err
		}
	}
	out := make([]gateway.Record, len(drafts))
	keys, err := t.putPatients(ctx, op, all, out)
	if err != nil {
		return nil, err
	}
	var b pgx.Batch
	place := make(map[int64]int, len(keys))
	var plain, held rows
	for i := range all {
		if out[i].Key != 0 {
			continue
		}
		rid := keys[0]
		keys, place[rid] = keys[1:], i
		if all[i].follows() {
			held.add(rid, &all[i])
		} else {
			plain.add(rid, &all[i])
		}
	}
	made := func(found pgx.Rows) error {
		var (
			rid    int64
			person gateway.PersonID
		)
		_, err := pgx.ForEachRow(found, []any{&rid, &person}, func() error {
			out[place[rid]] = all[place[rid]].record(rid, person)
			return nil
		})
		return err
	}
	custodian := string(scope.Own)
	plain.queue(&b, plainRowsSQL, custodian, made)
	held.queue(&b, heldRowsSQL, custodian, made)
	if b.Len() == 0 {
		return out, nil
	}
	if err := t.tx.run(ctx, &b); err != nil {
		return nil, failure(op, err)
	}
	return out, nil
}

// follows tells whether the person of a record is that of what it belongs to.
func (p *prepared) follows() bool {
	return p.Reference.Type == binaryType && p.Context.Type != "" && p.Context.Type != binaryType
}

const reserveSQL = `select nextval('resource_rid_seq') from generate_series(1, $1::bigint)`

// putPatients writes the Patients, each by herself, since they make persons; and reserves keys for the other records.
func (t *Tx) putPatients(ctx context.Context, op string, all []prepared, out []gateway.Record) (keys []int64, err error) {
	var b pgx.Batch
	others := 0
	for i := range all {
		draft := &all[i]
		if draft.Reference.Type != "Patient" {
			others++
			continue
		}
		var args arguments
		b.Queue(firstSQL(draft, &args), args.values...).QueryRow(func(row pgx.Row) error {
			var (
				rid    int64
				person gateway.PersonID
			)
			err := row.Scan(&rid, &person)
			out[i] = draft.record(rid, person)
			return err
		})
	}
	if others > 0 {
		b.Queue(reserveSQL, others).Query(func(found pgx.Rows) (err error) {
			keys, err = pgx.CollectRows(found, pgx.RowTo[int64])
			return err
		})
	}
	if err := t.tx.run(ctx, &b); err != nil {
		return nil, failure(op, err)
	}
	return keys, nil
}

// lists are arrays, one for each row, laid end to end: each from a place to a place, counted from 1.
type lists[T any] struct {
	values   []T
	from, to []int32
}

func (l *lists[T]) add(v []T) {
	if l.values == nil {
		l.values = []T{} // nil would be NULL, and so would all that is taken of it
	}
	l.from = append(l.from, int32(len(l.values)+1)) //nolint:gosec // as many as a message has values
	l.values = append(l.values, v...)
	l.to = append(l.to, int32(len(l.values))) //nolint:gosec // as many as a message has values
}

// rows are first versions, column by column; the tables of their values have the key of the record in front.
type rows struct {
	rid                                        []int64
	kind, id, version, method                  []string
	subject, contextType, contextID, who       []*string
	labels, added, present, self               []int64
	low, high                                  []pgtype.Timestamptz
	updated                                    []time.Time
	parts, body                                [][]byte
	sentTo, dateKeys, wordTexts                lists[string]
	masks, tok, mark, wordKeys                 lists[int64]
	textRID, wordRID, dateRID, amountRID, part []int64
	words                                      []int64
	texts                                      textValues
	dates                                      dateValues
	amounts                                    amountValues
	partValues                                 partValues
}

// add adds a record under its key.
func (r *rows) add(rid int64, p *prepared) {
	r.rid = append(r.rid, rid)
	r.kind, r.id = append(r.kind, string(p.Reference.Type)), append(r.id, string(p.Reference.ID))
	r.version, r.method = append(r.version, p.Reference.Version), append(r.method, string(p.Method))
	r.subject = append(r.subject, orNull(p.Subject.ID))
	r.contextType, r.contextID = append(r.contextType, orNull(p.Context.Type)), append(r.contextID, orNull(p.Context.ID))
	var who *string
	if p.Subject.Type == "Patient" {
		who = orNull(p.Subject.ID)
	}
	r.who = append(r.who, who)
	r.labels, r.added = append(r.labels, int64(p.Labels)), append(r.added, int64(p.Added)) //nolint:gosec // labels have fewer than 63 bits
	r.present, r.self = append(r.present, p.index.present), append(r.self, p.index.name)
	r.low, r.high, r.updated = append(r.low, moment(p.Low)), append(r.high, moment(p.High)), append(r.updated, p.Updated)
	r.parts, r.body = append(r.parts, p.parts), append(r.body, p.body)
	r.sentTo.add(p.sentTo)
	r.masks.add(p.masks)
	r.dateKeys.add(p.index.dateKeys)
	r.tok.add(p.index.tok)
	r.mark.add(p.index.mark)
	r.values(rid, &p.index)
}

// values adds what stands in tables of its own.
func (r *rows) values(rid int64, x *index) {
	again := func(n int) []int64 { return slices.Repeat([]int64{rid}, n) }
	r.textRID = append(r.textRID, again(len(x.texts.key))...)
	r.texts.mask, r.texts.key = append(r.texts.mask, x.texts.mask...), append(r.texts.key, x.texts.key...)
	r.texts.value = append(r.texts.value, x.texts.value...)
	for _, w := range x.words {
		r.wordRID, r.words = append(r.wordRID, rid), append(r.words, w.mask)
		r.wordKeys.add(w.keys)
		r.wordTexts.add(w.text)
	}
	r.dateRID = append(r.dateRID, again(len(x.dates.key))...)
	r.dates.mask, r.dates.key = append(r.dates.mask, x.dates.mask...), append(r.dates.key, x.dates.key...)
	r.dates.low, r.dates.high = append(r.dates.low, x.dates.low...), append(r.dates.high, x.dates.high...)
	r.amountRID = append(r.amountRID, again(len(x.amounts.key))...)
	r.amounts.join(&x.amounts)
	r.part = append(r.part, again(len(x.parts.tok))...)
	r.partValues.mask, r.partValues.tok = append(r.partValues.mask, x.parts.mask...), append(r.partValues.tok, x.parts.tok...)
}

// join adds the values of another record.
func (a *amountValues) join(b *amountValues) {
	a.mask, a.key, a.exact = append(a.mask, b.mask...), append(a.key, b.key...), append(a.exact, b.exact...)
	a.code, a.word, a.base = append(a.code, b.code...), append(a.word, b.word...), append(a.base, b.base...)
	a.low, a.high = append(a.low, b.low...), append(a.high, b.high...)
	a.baseLow, a.baseHigh = append(a.baseLow, b.baseLow...), append(a.baseHigh, b.baseHigh...)
	a.slack, a.baseSlack = append(a.slack, b.slack...), append(a.baseSlack, b.baseSlack...)
}

// Where the person of a row is from: the Patient of the same custodian that it names, or the record that it belongs to
// (whoSQL). Both stay as they are until the transaction ends.
const (
	plainRowsSQL = `with who as materialized (select x.id, x.person from resource x
  where x.type = 'Patient' and x.id = any($6::text[]) and x.custodian || '' = $1 and not x.deleted for share)` +
		rowsIntoSQL + `w.person` + rowsFromSQL + `left join who w on w.id = v.who returning rid, coalesce(person, 0)`
	heldRowsSQL = rowsIntoSQL + `(select x.person from resource x
    where x.type = v.context_type and x.id = v.context_id and x.custodian || '' = $1 and not x.deleted for share)` +
		rowsFromSQL + `returning rid, coalesce(person, 0)`

	rowsIntoSQL = `
insert into resource (person, rid, custodian, type, id, version, method, subject, context_type, context_id,
  labels, added, low, high, updated, sent_to, sent_mask, date_params, parts, tok, mark, present, self, body)
overriding system value
select `
	rowsFromSQL = `, v.rid, $1, v.type, v.id, v.version, v.method, v.subject, v.context_type, v.context_id,
  v.labels, v.added, v.low, v.high, v.updated,
  nullif(($19::text[])[v.sent_from:v.sent_to], '{}'), nullif(($20::bigint[])[v.sent_from:v.sent_to], '{}'),
  nullif(($23::text[])[v.date_from:v.date_to], '{}'), v.parts,
  ($26::bigint[])[v.tok_from:v.tok_to], ($29::bigint[])[v.mark_from:v.mark_to], v.present, v.self, v.body
from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::bytea[],
    $21::int[], $22::int[], $24::int[], $25::int[], $27::int[], $28::int[], $30::int[], $31::int[], $32::bytea[])
  as v(rid, type, id, version, who, method, subject, context_type, context_id,
    labels, added, present, self, low, high, updated, parts,
    sent_from, sent_to, date_from, date_to, tok_from, tok_to, mark_from, mark_to, body)
`

	textRowsSQL = `insert into text_value (rid, mask, key, value) select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])`
	wordRowsSQL = `insert into word_value (rid, mask, keys, texts)
select v.rid, v.mask, ($3::bigint[])[v.low:v.high], ($4::text[])[v.low:v.high]
from unnest($1::bigint[], $2::bigint[], $5::int[], $6::int[]) as v(rid, mask, low, high)`
	dateRowsSQL = `insert into date_value (rid, mask, key, low, high)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])`
	amountRowsSQL = `insert into amount_value (rid, mask, key, exact, code, word, base, low, high, slack, base_low, base_high, base_slack)
select v.rid, v.mask, v.key, v.exact, v.code, v.word, v.base, v.low::numeric, v.high::numeric, v.slack::numeric,
  v.base_low::numeric, v.base_high::numeric, v.base_slack::numeric
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
  as v(rid, mask, key, exact, code, word, base, low, high, slack, base_low, base_high, base_slack)`
	partRowsSQL = `insert into part_value (rid, mask, tok) select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])`
)

// queue adds one statement for the rows, and one for each table that gets any of their values.
func (r *rows) queue(b *pgx.Batch, statement, custodian string, made func(pgx.Rows) error) {
	if len(r.rid) == 0 {
		return
	}
	b.Queue(statement, custodian, r.rid, r.kind, r.id, r.version, r.who, r.method, r.subject, r.contextType, r.contextID,
		r.labels, r.added, r.present, r.self, r.low, r.high, r.updated, r.parts,
		r.sentTo.values, r.masks.values, r.masks.from, r.masks.to, r.dateKeys.values, r.dateKeys.from, r.dateKeys.to,
		r.tok.values, r.tok.from, r.tok.to, r.mark.values, r.mark.from, r.mark.to, r.body).Query(made)
	if len(r.textRID) > 0 {
		b.Queue(textRowsSQL, r.textRID, r.texts.mask, r.texts.key, r.texts.value)
	}
	if len(r.wordRID) > 0 {
		b.Queue(wordRowsSQL, r.wordRID, r.words, r.wordKeys.values, r.wordTexts.values, r.wordKeys.from, r.wordKeys.to)
	}
	if len(r.dateRID) > 0 {
		b.Queue(dateRowsSQL, r.dateRID, r.dates.mask, r.dates.key, r.dates.low, r.dates.high)
	}
	if len(r.amountRID) > 0 {
		x := &r.amounts
		b.Queue(amountRowsSQL, r.amountRID, x.mask, x.key, x.exact, x.code, x.word, x.base, x.low, x.high, x.slack, x.baseLow, x.baseHigh, x.baseSlack)
	}
	if len(r.part) > 0 {
		b.Queue(partRowsSQL, r.part, r.partValues.mask, r.partValues.tok)
	}
}
