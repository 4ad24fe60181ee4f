package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
)

// The registry keeps on which Consents a message was laid ready, one row for each version.
const deliverSQL = `
with laid as (
  insert into mailbox (party, receiver, message, generated, person, apprec, withheld, laid_at, fetch_by, look_at, whole)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  on conflict (party, message, receiver) do nothing returning 1)
insert into delivered (person, at, consent, version, party, receiver, custodian, message, body)
select coalesce($5, 0), $8, d.consent, d.version, $1, $2, d.custodian, $3, d.body
from laid, unnest($12::text[], $13::text[], $14::text[], $15::jsonb[]) as d(consent, version, custodian, body)
on conflict do nothing`

// Deliver lays a message in a receiver's mailbox.
func (t *Tx) Deliver(ctx context.Context, e gateway.Envelope) error {
	const op = "postgres.deliver"
	generated, withheld := e.Message.Generated, e.Withheld
	if generated.IsZero() {
		generated = e.Message.At
	}
	if withheld == nil {
		withheld = []string{}
	}
	d, err := deliveredOn(op, e.Disclosed)
	if err != nil {
		return err
	}
	t.tx.later(op, deliverSQL, string(e.Party), string(e.Receiver), string(e.Message.ID), generated,
		orNobody(e.Person), e.AppRec, withheld, t.store.clock(), instant(e.FetchBy), instant(e.LookAt), e.Message.Whole,
		d.consent, d.version, d.custodian, d.body)
	return nil
}

const answerSQL = `
insert into apprec (message, receiver, status, errors, document, at) values ($1, $2, $3, $4, $5, $6)
on conflict (message, receiver) do nothing`

// Answer keeps the one AppRec of a receiver for a message.
func (t *Tx) Answer(ctx context.Context, m gateway.MessageID, receiver gateway.HERID, status gateway.AppRecStatus, errs []gateway.AppRecError, document gateway.MessageID) (bool, error) {
	const op = "postgres.answer"
	if errs == nil {
		errs = []gateway.AppRecError{}
	}
	list, err := json.Marshal(errs)
	if err != nil {
		return false, gateway.Failed(op, gateway.Internal, err)
	}
	tag, err := t.tx.Exec(ctx, answerSQL, string(m), string(receiver), int16(status), list, string(document), t.store.clock())
	if err != nil {
		return false, failure(op, err)
	}
	return tag.RowsAffected() == 1, nil
}

const (
	stateSQL = `
insert into statement (message, receiver, status, errors, document, at) values ($1, $2, $3, $4, $5, $6)
on conflict (message, receiver) do nothing`
	statedSQL = `select status, errors, document::text from statement where message = $1 and receiver = $2`
)

// State keeps what the receiver's own system says of a message, once.
func (t *Tx) State(ctx context.Context, m gateway.MessageID, receiver gateway.HERID, status gateway.AppRecStatus, errs []gateway.AppRecError, document gateway.MessageID) (gateway.Statement, bool, error) {
	const op = "postgres.state"
	if errs == nil {
		errs = []gateway.AppRecError{}
	}
	list, err := json.Marshal(errs)
	if err != nil {
		return gateway.Statement{}, false, gateway.Failed(op, gateway.Internal, err)
	}
	tag, err := t.tx.Exec(ctx, stateSQL, string(m), string(receiver), int16(status), list, string(document), t.store.clock())
	if err != nil {
		return gateway.Statement{}, false, failure(op, err)
	}
	if tag.RowsAffected() == 1 {
		return gateway.Statement{Status: status, Errors: errs, Document: document}, true, nil
	}
	var s gateway.Statement
	if err := t.tx.QueryRow(ctx, statedSQL, string(m), string(receiver)).Scan(&s.Status, &list, &s.Document); err != nil {
		return s, false, failure(op, err)
	}
	if err := json.Unmarshal(list, &s.Errors); err != nil {
		return s, false, gateway.Failed(op, gateway.Internal, err)
	}
	return s, false, nil
}

const entryColumns = messageColumns + `, b.key, b.party, b.receiver, coalesce(b.person, 0), b.apprec, b.withheld, b.read,
  b.generated, b.fetched, b.fetch_by, b.whole, m.content`

type entryRow struct {
	messageRow
	e                gateway.Envelope
	listed           time.Time
	by               *time.Time
	fetched, content []byte
}

func (r *entryRow) targets() []any {
	return append(r.messageRow.targets(),
		&r.e.Key, &r.e.Party, &r.e.Receiver, &r.e.Person, &r.e.AppRec, &r.e.Withheld, &r.e.Read, &r.listed, &r.fetched, &r.by, &r.e.Whole, &r.content)
}

func (t *Tx) envelopes(ctx context.Context, op, statement string, args ...any) ([]gateway.Envelope, error) {
	return t.envelopesWith(ctx, op, nil, statement, args...)
}

// envelopesWith scans more columns after entryColumns: of the last row, where there are several.
func (t *Tx) envelopesWith(ctx context.Context, op string, more []any, statement string, args ...any) ([]gateway.Envelope, error) {
	rows, err := t.tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	defer rows.Close()
	var list []gateway.Envelope
	for rows.Next() {
		var r entryRow
		if err := rows.Scan(append(r.targets(), more...)...); err != nil {
			return nil, failure(op, err)
		}
		e := r.e
		if e.Message, err = r.message(op); err != nil {
			return nil, err
		}
		e.Message.Generated = r.listed
		if r.by != nil {
			e.FetchBy = *r.by
		}
		if r.fetched != nil {
			if e.Fetched, err = expand(op, r.fetched); err != nil {
				return nil, err
			}
		}
		if len(r.content) > 0 {
			if e.Content, err = unpackContent(op, r.content); err != nil {
				return nil, err
			}
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, failure(op, err)
	}
	return list, nil
}

// The next entries of each mailbox are taken by the index that holds them in their order, and of those the first.
const (
	unreadOfSQL = `
select ` + entryColumns + ` from (
  select u.key from unnest($1::text[]) r (receiver)
  cross join lateral (
    select i.key, i.generated from mailbox i
    where i.party = $7 and i.receiver = r.receiver and not i.read
      and ($2 = '' or (select n.sender from message n where n.id = i.message) = $2) and $3 = '' and (i.generated, i.key) `
	unreadUpSQL = unreadOfSQL + `> (coalesce($4::timestamptz, '-infinity'), $5)
    order by i.generated, i.key limit $6) u
  order by u.generated, u.key limit $6) d
join mailbox b on b.key = d.key join message m on m.id = b.message
order by b.generated, b.key`
	unreadDownSQL = unreadOfSQL + `< (coalesce($4::timestamptz, 'infinity'), $5)
    order by i.generated desc, i.key desc limit $6) u
  order by u.generated desc, u.key desc limit $6) d
join mailbox b on b.key = d.key join message m on m.id = b.message
order by b.generated desc, b.key desc`
)

// Entries of messages with one name are few: they are found by it.
const (
	unreadNamedSQL = `
select ` + entryColumns + ` from (select n.id from message n where n.msg_id = $3 and ($2 = '' or n.sender = $2) offset 0) n
cross join lateral (select * from mailbox i where i.message = n.id and i.party = $7 and not i.read offset 0) b
join message m on m.id = b.message
where b.receiver = any($1) and (b.generated, b.key) `
	unreadNamedUpSQL = unreadNamedSQL + `> (coalesce($4::timestamptz, '-infinity'), $5)
order by b.generated, b.key limit $6`
	unreadNamedDownSQL = unreadNamedSQL + `< (coalesce($4::timestamptz, 'infinity'), $5)
order by b.generated desc, b.key desc limit $6`
)

// Unread lists entries of mailboxes, by time of generation.
func (t *Tx) Unread(ctx context.Context, q gateway.MailQuery) ([]gateway.Envelope, error) {
	statement := unreadUpSQL
	switch {
	case q.MsgID != "" && q.Descending:
		statement = unreadNamedDownSQL
	case q.MsgID != "":
		statement = unreadNamedUpSQL
	case q.Descending:
		statement = unreadDownSQL
	}
	return t.envelopes(ctx, "postgres.unread", statement,
		hers(q.Receivers), string(q.Sender), string(q.MsgID), instant(q.AfterAt), q.AfterKey, q.Limit, string(q.Party))
}

const entriesSQL = `
select ` + entryColumns + ` from mailbox b join message m on m.id = b.message
where b.party = $2 and b.message = $1 order by b.key`

// Entries gives the entries of one message for the receivers of a party.
func (t *Tx) Entries(ctx context.Context, id gateway.MessageID, party gateway.HERID) ([]gateway.Envelope, error) {
	return t.envelopes(ctx, "postgres.entries", entriesSQL, string(id), string(party))
}

const originalSQL = `
select ` + entryColumns + ` from mailbox b join message m on m.id = b.message
where m.sender = $1 and m.msg_id = $2 and b.receiver = $3 and not b.apprec order by b.key limit 1`

// Original finds the message that an AppRec answers.
func (t *Tx) Original(ctx context.Context, sender gateway.HERID, id gateway.MsgID, receiver gateway.HERID) (gateway.Envelope, error) {
	const op = "postgres.original"
	list, err := t.envelopes(ctx, op, originalSQL, string(sender), string(id), string(receiver))
	if err != nil {
		return gateway.Envelope{}, err
	}
	if len(list) == 0 {
		return gateway.Envelope{}, absent(op)
	}
	return list[0], nil
}

const statusesSQL = `
select r.value->>'HERID', b.key is not null, b.fetched_at is not null, coalesce(a.status, 0), coalesce(a.errors, '[]'::jsonb)
from message m
cross join lateral jsonb_array_elements(m.receivers) with ordinality r (value, place)
left join mailbox b on b.message = m.id and b.receiver = r.value->>'HERID'
left join apprec a on a.message = m.id and a.receiver = r.value->>'HERID'
where m.id = $1 order by r.place`

// Statuses tells how it went with each receiver.
func (t *Tx) Statuses(ctx context.Context, id gateway.MessageID) ([]gateway.DeliveryStatus, error) {
	const op = "postgres.statuses"
	rows, err := t.tx.Query(ctx, statusesSQL, string(id))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s gateway.DeliveryStatus, err error) {
		var errs []byte
		if err := row.Scan(&s.Receiver, &s.Delivered, &s.Fetched, &s.Status, &errs); err != nil {
			return s, err
		}
		return s, json.Unmarshal(errs, &s.Errors)
	})
	if err != nil {
		return nil, failure(op, err)
	}
	return list, nil
}

const markReadSQL = `update mailbox set read = true where message = $1 and receiver = $2`

// MarkRead takes an entry off the list of unread ones.
func (t *Tx) MarkRead(ctx context.Context, id gateway.MessageID, receiver gateway.HERID) error {
	const op = "postgres.markread"
	tag, err := t.tx.Exec(ctx, markReadSQL, string(id), string(receiver))
	if err != nil {
		return failure(op, err)
	}
	if tag.RowsAffected() == 0 {
		return absent(op)
	}
	return nil
}

const keepFetchedDocumentSQL = `update mailbox set fetched = $2, fetched_at = $3 where key = $1 and fetched is null`

// Fetch keeps the bytes that a receiver fetched, the first time, and which versions it now has.
func (t *Tx) Fetch(ctx context.Context, key int64, document []byte, versions []gateway.FetchedVersion) error {
	const op = "postgres.fetch"
	tag, err := t.tx.Exec(ctx, keepFetchedDocumentSQL, key, compress(document), t.store.clock())
	if err != nil {
		return failure(op, err)
	}
	if tag.RowsAffected() != 1 {
		return gateway.Failed(op, gateway.Internal, errFetched)
	}
	var b pgx.Batch
	for _, v := range versions {
		queueFetched(&b, v)
	}
	t.tx.laterAll(op, &b)
	return nil
}

var errFetched = errors.New("the document was fetched before")

const unfetchedSQL = `
select ` + entryColumns + ` from mailbox b join message m on m.id = b.message
where b.fetched_at is null and not b.reminded and b.fetch_by is not null and b.look_at <= $1
order by b.look_at limit $2 for update of b skip locked`

// Unfetched locks entries that somebody waits to see fetched and that are to be looked at now.
func (t *Tx) Unfetched(ctx context.Context, now time.Time, limit int) ([]gateway.Envelope, error) {
	return t.envelopes(ctx, "postgres.unfetched", unfetchedSQL, now, limit)
}

const remindedSQL = `update mailbox set reminded = true where key = $1`

// Reminded marks an entry whose sender has been told.
func (t *Tx) Reminded(ctx context.Context, key int64) error {
	t.tx.later("postgres.reminded", remindedSQL, key)
	return nil
}
