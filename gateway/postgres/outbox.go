package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const patientOfSQL = `
select r.id from person p join resource r on r.person = p.person
where p.nin = $2::bytea and r.type = 'Patient' and r.custodian = $1 and not r.deleted order by r.rid limit 1`

// PatientOf finds the custodian's own Patient with that current national identifier.
func (t *Tx) PatientOf(ctx context.Context, custodian gateway.HERID, n gateway.NIN) (fhir.Reference, error) {
	return t.patient(ctx, "postgres.patientof", patientOfSQL, string(custodian), t.store.keys.nin(n))
}

const patientForSQL = `
select r.id from resource r
where r.person = $2 and r.type = 'Patient' and r.custodian = $1 and not r.deleted order by r.rid limit 1`

// PatientFor finds the custodian's own Patient of a person.
func (t *Tx) PatientFor(ctx context.Context, custodian gateway.HERID, person gateway.PersonID) (fhir.Reference, error) {
	return t.patient(ctx, "postgres.patientfor", patientForSQL, string(custodian), int64(person))
}

func (t *Tx) patient(ctx context.Context, op, statement string, args ...any) (fhir.Reference, error) {
	r := fhir.Reference{Type: "Patient"}
	switch err := t.tx.QueryRow(ctx, statement, args...).Scan(&r.ID); {
	case errors.Is(err, pgx.ErrNoRows):
		return fhir.Reference{}, nil
	case err != nil:
		return fhir.Reference{}, failure(op, err)
	}
	return r, nil
}

const enqueueSQL = `
insert into outbox (party, communication, version, sender, sender_hpr, receiver, receiver_hpr, receiver_party, person, msg_id,
  conversation, parent, state, next_at, actor, queued_at, notice)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $13, $14, $13, $15)
on conflict (party, communication, receiver) do nothing`

// Enqueue adds an order. A Communication that is written again while it is being sent is not sent
// twice.
func (t *Tx) Enqueue(ctx context.Context, o gateway.Order) error {
	const op = "postgres.enqueue"
	actor, err := actorJSON(o.Actor)
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	t.tx.later(op, enqueueSQL, string(o.Party), string(o.Communication.ID), o.Communication.Version,
		string(o.Sender.HERID), string(o.Sender.Practitioner), string(o.Receiver.HERID), string(o.Receiver.Practitioner),
		string(o.ReceiverParty), int64(o.Person), string(o.MsgID), orNull(o.Conversation), orNull(o.Parent), t.store.clock(), actor, o.Notice)
	return nil
}

const orderColumns = `o.key, o.communication, o.version, o.party, o.sender, o.sender_hpr, o.receiver, o.receiver_hpr,
  o.receiver_party, o.person, o.msg_id, coalesce(o.conversation, ''), coalesce(o.parent, ''), coalesce(o.message::text, ''),
  o.tries, o.state, o.deadline, o.actor, o.notice`

func scanOrder(row pgx.CollectableRow) (o gateway.Order, err error) {
	var deadline *time.Time
	var actor []byte
	o.Communication.Type = "Communication"
	err = row.Scan(&o.Key, &o.Communication.ID, &o.Communication.Version, &o.Party, &o.Sender.HERID, &o.Sender.Practitioner,
		&o.Receiver.HERID, &o.Receiver.Practitioner, &o.ReceiverParty, &o.Person, &o.MsgID, &o.Conversation, &o.Parent,
		&o.Message, &o.Tries, &o.State, &deadline, &actor, &o.Notice)
	if err != nil {
		return o, err
	}
	if deadline != nil {
		o.Deadline = *deadline
	}
	var a actorRow
	if err := json.Unmarshal(actor, &a); err != nil {
		return o, err
	}
	o.Actor = a.actor()
	return o, nil
}

func (t *Tx) orders(ctx context.Context, op, statement string, args ...any) ([]gateway.Order, error) {
	rows, err := t.tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, scanOrder)
	if err != nil {
		return nil, failure(op, err)
	}
	return list, nil
}

func (t *Tx) order(ctx context.Context, op, statement string, args ...any) (gateway.Order, error) {
	list, err := t.orders(ctx, op, statement, args...)
	if err != nil {
		return gateway.Order{}, err
	}
	if len(list) == 0 {
		return gateway.Order{}, absent(op)
	}
	return list[0], nil
}

// Whose turn it is, is asked row by row: as a join, a plan made while the queue was empty looks at all of it ever after.
const nextSQL = `
select ` + orderColumns + ` from outbox o
where o.state = 'queued' and o.next_at <= $1 and o.key = (
  select e.key from outbox e where e.state = 'queued' and e.sender = o.sender and e.receiver = o.receiver and e.person = o.person
  order by e.key limit 1)
order by o.next_at, o.key limit 1 for update of o skip locked`

// Next locks the next order whose turn it is.
func (t *Tx) Next(ctx context.Context, now time.Time) (gateway.Order, error) {
	return t.order(ctx, "postgres.next", nextSQL, now)
}

const advanceSQL = `
update outbox set state = $2, message = $3, tries = $4, deadline = $5, next_at = coalesce($6, next_at), reason = $7 where key = $1`

// Advance sets the state of an order.
func (t *Tx) Advance(ctx context.Context, o gateway.Order, next time.Time, reason string) error {
	t.tx.later("postgres.advance", advanceSQL, o.Key, string(o.State), orNull(o.Message), o.Tries, instant(o.Deadline), instant(next), orNull(reason))
	return nil
}

const orderedSQL = `select ` + orderColumns + ` from outbox o where o.message = $1 and o.receiver = $2 for update`

// Ordered finds the order that a message came from, locked.
func (t *Tx) Ordered(ctx context.Context, message gateway.MessageID, receiver gateway.HERID) (gateway.Order, error) {
	return t.order(ctx, "postgres.ordered", orderedSQL, string(message), string(receiver))
}

const conversationSQL = `
select x.msg_id, coalesce(x.conversation, '') from (
  select o.msg_id, o.conversation from outbox o where o.party = $1 and o.communication = $2
  union all
  select m.msg_id, m.conversation from message_record r join message m on m.id = r.message
  where r.type = 'Communication' and r.id = $2
    and (m.party = $1 or exists (select from mailbox b where b.party = $1 and b.message = m.id))) x
limit 1`

// Conversation gives MsgId and conversation of the message that a Communication came with or was
// sent as.
func (t *Tx) Conversation(ctx context.Context, party gateway.HERID, communication fhir.Reference) (msgID, conversation string, err error) {
	err = t.tx.QueryRow(ctx, conversationSQL, string(party), string(communication.ID)).Scan(&msgID, &conversation)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", "", nil
	case err != nil:
		return "", "", failure("postgres.conversation", err)
	}
	return msgID, conversation, nil
}

const placedSQL = `select exists (select from outbox where party = $1 and communication = $2)`

// Placed tells whether a Communication was ever ordered to be sent.
func (t *Tx) Placed(ctx context.Context, party gateway.HERID, communication fhir.ID) (placed bool, err error) {
	if err := t.tx.QueryRow(ctx, placedSQL, string(party), string(communication)).Scan(&placed); err != nil {
		return false, failure("postgres.placed", err)
	}
	return placed, nil
}

const noticedSQL = `
select exists (select from outbox where party = $1 and receiver_party = $2 and parent = $3 and person = $4 and notice)`

// Noticed tells whether a message of Sluse's own words was ever ordered that answers a message.
func (t *Tx) Noticed(ctx context.Context, from, to gateway.HERID, parent gateway.MsgID, person gateway.PersonID) (noticed bool, err error) {
	if err := t.tx.QueryRow(ctx, noticedSQL, string(from), string(to), string(parent), int64(person)).Scan(&noticed); err != nil {
		return false, failure("postgres.noticed", err)
	}
	return noticed, nil
}

const openSQL = `
select count(*) filter (where state in ('queued', 'sent', 'delivered', 'expired')), count(*) filter (where state in ('rejected', 'held'))
from outbox where party = $1 and communication = $2`

// Open counts orders of a Communication that are not ended, and those not accepted.
func (t *Tx) Open(ctx context.Context, party gateway.HERID, communication fhir.ID) (open, failed int, err error) {
	if err := t.tx.QueryRow(ctx, openSQL, string(party), string(communication)).Scan(&open, &failed); err != nil {
		return 0, 0, failure("postgres.open", err)
	}
	return open, failed, nil
}

const overdueSQL = `
select ` + orderColumns + ` from outbox o where o.state in ('sent', 'delivered') and o.deadline < $1 order by o.deadline limit $2 for update skip locked`

// Overdue locks orders whose AppRec is not here in time.
func (t *Tx) Overdue(ctx context.Context, now time.Time, limit int) ([]gateway.Order, error) {
	return t.orders(ctx, "postgres.overdue", overdueSQL, now, limit)
}
