package postgres

import (
	"context"
	"time"

	"github.com/sluse/sluse/gateway"
)

// One row for each receiver at most is looked at, by the index that holds unread entries in their order: not by key, which
// entries long read have too.
const nextParcelSQL = `
select ` + entryColumns + `, b.tries, coalesce((
    select a.reference from apprec p join arrival a on a.message = p.message where p.document = b.message), '')
from (
  select due.key from unnest($1::text[]) with ordinality r (receiver, place)
  cross join lateral (
    select o.key, o.laid_at from mailbox o join message n on n.id = o.message
    where o.receiver = r.receiver and not o.read and (o.apprec or o.fetched_at is null) and (o.next_at is null or o.next_at <= $2)
      and (o.apprec or (
        select e.key from mailbox e join message f on f.id = e.message
        where e.receiver = o.receiver and coalesce(e.person, 0) = coalesce(o.person, 0) and not e.read and not e.apprec
          and e.fetched_at is null and f.sender = n.sender and e.key < o.key limit 1) is null)
    order by o.laid_at, o.key limit 1) due
  order by due.laid_at, due.key limit 1) d
join mailbox b on b.key = d.key join message m on m.id = b.message
where not b.read and (b.next_at is null or b.next_at <= $2)
for update of b skip locked`

// NextParcel locks the next entry for receivers outside.
func (t *Tx) NextParcel(ctx context.Context, receivers []gateway.HERID, now time.Time) (gateway.Outgoing, error) {
	const op = "postgres.nextparcel"
	var o gateway.Outgoing
	list, err := t.envelopesWith(ctx, op, []any{&o.Tries, &o.Answers}, nextParcelSQL, hers(receivers), now)
	if err != nil {
		return o, err
	}
	if len(list) == 0 {
		return o, absent(op)
	}
	o.Envelope = list[0]
	return o, nil
}

func hers(list []gateway.HERID) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = string(id)
	}
	return out
}

const attemptSQL = `update mailbox set tries = tries + 1, withheld = $2, next_at = $3 where key = $1`

// Attempt counts a try before it is made.
func (t *Tx) Attempt(ctx context.Context, key int64, withheld []string, next time.Time) error {
	if withheld == nil {
		withheld = []string{}
	}
	t.tx.later("postgres.attempt", attemptSQL, key, withheld, next)
	return nil
}

const postponeParcelSQL = `update mailbox set next_at = $2 where key = $1`

// PostponeParcel sets when an entry may be handed over again.
func (t *Tx) PostponeParcel(ctx context.Context, key int64, next time.Time) error {
	t.tx.later("postgres.postponeparcel", postponeParcelSQL, key, next)
	return nil
}

// Who sends anew finds the AppRec as unread, and gets it at once.
const conveyedSQL = `update mailbox set read = true, reference = $2, next_at = null where key = $1`

// Conveyed ends the work on an entry.
func (t *Tx) Conveyed(ctx context.Context, key int64, reference string) error {
	t.tx.later("postgres.conveyed", conveyedSQL, key, orNull(reference))
	return nil
}

const parcelledSQL = `
select ` + entryColumns + ` from mailbox b join message m on m.id = b.message
where b.message = $1 and b.receiver = $2 for update of b`

// Parcelled finds an entry by message and receiver.
func (t *Tx) Parcelled(ctx context.Context, id gateway.MessageID, receiver gateway.HERID) (gateway.Envelope, error) {
	const op = "postgres.parcelled"
	list, err := t.envelopes(ctx, op, parcelledSQL, string(id), string(receiver))
	if err != nil {
		return gateway.Envelope{}, err
	}
	if len(list) == 0 {
		return gateway.Envelope{}, absent(op)
	}
	return list[0], nil
}

const arrivedSQL = `
insert into arrival (message, transport, reference) values ($1, $2, $3)
on conflict (message) do update set transport = excluded.transport, reference = excluded.reference`

// Arrived keeps what the transport calls a message that came by it: of a repetition, the last name.
func (t *Tx) Arrived(ctx context.Context, id gateway.MessageID, transport, reference string) error {
	t.tx.later("postgres.arrived", arrivedSQL, string(id), transport, reference)
	return nil
}
