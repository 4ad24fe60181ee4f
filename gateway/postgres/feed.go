package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// changesSQL reads one ordered run for each type. What is as old as an open transaction, or younger, is
// left: a transaction that commits late would come before what was read.
const changesSQL = `
select c.tx::text, c.key, c.type, c.id, c.version, c.custodian, coalesce(c.person, 0), c.deleted, c.ended, c.told, c.at
from subscription s
cross join lateral unnest(s.types) as t(type)
cross join lateral (
  select c.* from change c
  where c.type = t.type and (c.tx, c.key) > ($2::text::xid8, $3::bigint)
    and c.tx < pg_snapshot_xmin(pg_current_snapshot()) and not pg_visible_in_snapshot(c.tx, s.began)
  order by c.tx, c.key limit $4) c
where s.id = $1
order by c.tx, c.key limit $4`

// Changes lists what was written after the place of the subscription and after it began.
func (t *Tx) Changes(ctx context.Context, s gateway.Subscription, limit int) ([]gateway.FeedChange, error) {
	const op = "postgres.changes"
	rows, err := t.tx.Query(ctx, changesSQL, string(s.ID), formatXID(s.Place.Tx), s.Place.Key, limit)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c gateway.FeedChange, err error) {
		var (
			xid  string
			told []string
		)
		if err = row.Scan(&xid, &c.Place.Key, &c.Record.Type, &c.Record.ID, &c.Record.Version, &c.Custodian, &c.Person,
			&c.Deleted, &c.Ended, &told, &c.At); err != nil {
			return c, err
		}
		for _, party := range told {
			c.Told = append(c.Told, gateway.HERID(party))
		}
		c.Place.Tx, err = parseXID(xid)
		return c, err
	})
	return list, failure(op, err)
}

const forgetSQL = `
with old as (
  select c.type, c.tx, c.key from change c
  where c.at < $1 and not exists (
    select from subscription s
    where s.status <> 'off' and c.type = any(s.types) and (c.tx, c.key) > (s.tx, s.key) and not pg_visible_in_snapshot(c.tx, s.began))
  limit $2)
delete from change c using old where c.type = old.type and c.tx = old.tx and c.key = old.key`

// Forget removes changes that no subscription waits for.
func (t *Tx) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := t.tx.Exec(ctx, forgetSQL, before, limit)
	if err != nil {
		return 0, failure("postgres.forget", err)
	}
	return int(tag.RowsAffected()), nil
}

var _ gateway.Feed = (*Tx)(nil)

// kinds writes types as text.
func kinds(list []fhir.Type) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}
