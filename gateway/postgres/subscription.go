package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// channelRow is what a subscription keeps of its channel besides what statements look at.
type channelRow struct {
	Filters []string
	Content gateway.PayloadContent
	Timeout time.Duration
	Max     int
}

func formatXID(n uint64) string { return strconv.FormatUint(n, 10) }

func parseXID(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }

// subscribeSQL begins a subscription at what no open transaction can come before; began leaves out what
// was committed between that and now.
const subscribeSQL = `
insert into subscription as s (id, party, attested, each_one, tx, key, number, delivered, heart, next_at, sent, ends, began, status,
  topic, endpoint, types, settings, actor, header)
values ($1, $2, $3, $4, (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8, 9223372036854775807, $5, $6,
  make_interval(secs => $7), $8, $9, $10, pg_current_snapshot(), $11, $12, $13, $14, $15, $16, $17)
on conflict (id) do update set attested = excluded.attested, each_one = excluded.each_one,
  tx = case when $18 then excluded.tx else s.tx end, key = case when $18 then excluded.key else s.key end,
  began = case when $18 then excluded.began else s.began end, heart = excluded.heart, next_at = excluded.next_at,
  ends = excluded.ends, status = excluded.status, topic = excluded.topic, endpoint = excluded.endpoint, types = excluded.types,
  settings = excluded.settings, actor = excluded.actor, header = excluded.header, tries = 0, attempt = '', claimed = null`

// Subscribe keeps a subscription.
func (t *Tx) Subscribe(ctx context.Context, s gateway.Subscription, anew bool) error {
	const op = "postgres.subscribe"
	actor, err := actorJSON(s.Actor)
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	settings, err := json.Marshal(channelRow{s.Filters, s.Content, s.Timeout, s.Max})
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	t.tx.later(op, subscribeSQL, string(s.ID), string(s.Party), int64(s.Attested), s.Actor.Attest.Each, s.Number, s.Delivered,
		s.Heart.Seconds(), s.Next, instant(s.Sent), instant(s.End), string(s.Status), s.Topic, s.Endpoint, kinds(s.Types), settings, actor,
		s.Header, anew)
	return nil
}

const subscriptionColumns = `s.id, s.party, s.attested, s.each_one, s.tx::text, s.key, s.number, s.delivered, s.tries,
  extract(epoch from s.heart)::float8, s.next_at, s.claimed, s.sent, s.ends, s.status, s.attempt, s.topic, s.endpoint, s.types,
  s.settings, s.actor, s.header`

func scanSubscription(row pgx.CollectableRow) (s gateway.Subscription, err error) {
	var (
		each                bool
		xid                 string
		heart               float64
		claimed, sent, ends *time.Time
		types               []string
		settings, actor     []byte
	)
	err = row.Scan(&s.ID, &s.Party, &s.Attested, &each, &xid, &s.Place.Key, &s.Number, &s.Delivered, &s.Tries, &heart, &s.Next,
		&claimed, &sent, &ends, &s.Status, &s.Attempt, &s.Topic, &s.Endpoint, &types, &settings, &actor, &s.Header)
	if err != nil {
		return s, err
	}
	if s.Place.Tx, err = parseXID(xid); err != nil {
		return s, err
	}
	for _, of := range []struct {
		from *time.Time
		to   *time.Time
	}{{claimed, &s.Claimed}, {sent, &s.Sent}, {ends, &s.End}} {
		if of.from != nil {
			*of.to = *of.from
		}
	}
	for _, t := range types {
		s.Types = append(s.Types, fhir.Type(t))
	}
	var c channelRow
	if err := json.Unmarshal(settings, &c); err != nil {
		return s, err
	}
	var a actorRow
	if err := json.Unmarshal(actor, &a); err != nil {
		return s, err
	}
	s.Actor = a.actor()
	s.Actor.Attest.Each = each
	s.Filters, s.Content, s.Timeout, s.Max = c.Filters, c.Content, c.Timeout, c.Max
	s.Heart = time.Duration(heart * float64(time.Second))
	return s, nil
}

func (t *Tx) subscriptions(ctx context.Context, op, statement string, args ...any) ([]gateway.Subscription, error) {
	rows, err := t.tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, scanSubscription)
	return list, failure(op, err)
}

func (t *Tx) subscription(ctx context.Context, op, statement string, args ...any) (gateway.Subscription, error) {
	list, err := t.subscriptions(ctx, op, statement, args...)
	if err == nil && len(list) == 0 {
		err = absent(op)
	}
	if err != nil {
		return gateway.Subscription{}, err
	}
	return list[0], nil
}

const subscriptionSQL = `select ` + subscriptionColumns + ` from subscription s where s.id = $1 and s.party = $2 for update`

// Subscription gives a subscription, locked.
func (t *Tx) Subscription(ctx context.Context, party gateway.HERID, id fhir.ID) (gateway.Subscription, error) {
	return t.subscription(ctx, "postgres.subscription", subscriptionSQL, string(id), string(party))
}

const subscribedSQL = `select ` + subscriptionColumns + ` from subscription s where s.party = $1 order by s.id`

// Subscribed lists the subscriptions of a party.
func (t *Tx) Subscribed(ctx context.Context, party gateway.HERID) ([]gateway.Subscription, error) {
	return t.subscriptions(ctx, "postgres.subscribed", subscribedSQL, string(party))
}

const subscriptionCountSQL = `select count(*) from subscription s where s.party = $1 and s.status <> 'off'`

// SubscriptionCount counts those of a party that are not off.
func (t *Tx) SubscriptionCount(ctx context.Context, party gateway.HERID) (n int, err error) {
	err = t.tx.QueryRow(ctx, subscriptionCountSQL, string(party)).Scan(&n)
	return n, failure("postgres.subscriptioncount", err)
}

const unsubscribeSQL = `with gone as (delete from subscription s where s.id = $1 and s.party = $2 returning s.id)
delete from subscription_event e using gone where e.subscription = gone.id`

// Unsubscribe forgets a subscription with its events.
func (t *Tx) Unsubscribe(ctx context.Context, party gateway.HERID, id fhir.ID) error {
	t.tx.later("postgres.unsubscribe", unsubscribeSQL, string(id), string(party))
	return nil
}

// dueSQL finds what has something to do: a handshake, an end, events that were not received, changes,
// a heartbeat. Who waits longest comes first.
const dueSQL = `select ` + subscriptionColumns + ` from subscription s
where s.status in ('requested', 'active') and s.next_at <= $1 and (s.claimed is null or s.claimed <= $1) and (
  s.status = 'requested' or s.delivered < s.number or s.ends <= $1
  or s.heart > interval '0' and coalesce(s.sent, '-infinity') + s.heart <= $1
  or exists (select from unnest(s.types) as t(type) cross join lateral (
    select from change c
    where c.type = t.type and (c.tx, c.key) > (s.tx, s.key)
      and c.tx < pg_snapshot_xmin(pg_current_snapshot()) and not pg_visible_in_snapshot(c.tx, s.began)
    limit 1) c))
order by s.next_at, s.id limit 1 for update of s skip locked`

// DueSubscription locks one that has something to be told.
func (t *Tx) DueSubscription(ctx context.Context, now time.Time) (gateway.Subscription, error) {
	return t.subscription(ctx, "postgres.duesubscription", dueSQL, now)
}

const staleSQL = `select ` + subscriptionColumns + ` from subscription s
where s.status = 'error' and s.next_at < $1 order by s.next_at, s.id limit 1 for update of s skip locked`

// StaleSubscription locks one that has been in error since before the time.
func (t *Tx) StaleSubscription(ctx context.Context, before time.Time) (gateway.Subscription, error) {
	return t.subscription(ctx, "postgres.stalesubscription", staleSQL, before)
}

const advanceSubscriptionSQL = `
update subscription set status = $2, tx = $3::text::xid8, key = $4, number = $5, delivered = $6, tries = $7, next_at = $8, attempt = $9,
  claimed = $10, sent = $11 where id = $1`

// AdvanceSubscription keeps what changes by the work on a subscription.
func (t *Tx) AdvanceSubscription(ctx context.Context, s gateway.Subscription) error {
	t.tx.later("postgres.advancesubscription", advanceSubscriptionSQL, string(s.ID), string(s.Status), formatXID(s.Place.Tx), s.Place.Key, s.Number,
		s.Delivered, s.Tries, s.Next, s.Attempt, instant(s.Claimed), instant(s.Sent))
	return nil
}

const announceSQL = `
insert into subscription_event (subscription, number, person, at, deleted, told, type, id, version, custodian)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// Announce keeps numbered events.
func (t *Tx) Announce(ctx context.Context, id fhir.ID, events []gateway.Event) error {
	if len(events) == 0 {
		return nil
	}
	var b pgx.Batch
	for _, e := range events {
		b.Queue(announceSQL, string(id), e.Number, orNobody(e.Person), e.At, e.Deleted, e.Told, string(e.Record.Type), string(e.Record.ID),
			e.Record.Version, string(e.Custodian))
	}
	return failure("postgres.announce", t.tx.run(ctx, &b))
}

const announcedSQL = `
select e.number, coalesce(e.person, 0), e.at, e.deleted, e.told, e.type, e.id, e.version, e.custodian
from subscription_event e where e.subscription = $1 and e.number between $2 and $3 order by e.number limit $4`

// Announced lists events by number.
func (t *Tx) Announced(ctx context.Context, id fhir.ID, from, to int64, limit int) ([]gateway.Event, error) {
	const op = "postgres.announced"
	rows, err := t.tx.Query(ctx, announcedSQL, string(id), from, to, limit)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e gateway.Event, err error) {
		err = row.Scan(&e.Number, &e.Person, &e.At, &e.Deleted, &e.Told, &e.Record.Type, &e.Record.ID, &e.Record.Version, &e.Custodian)
		return e, err
	})
	return list, failure(op, err)
}
