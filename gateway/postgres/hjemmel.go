package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
)

var (
	_ gateway.Switchboard = (*Tx)(nil)
	_ gateway.Lawful      = (*listing)(nil)
)

const (
	// lookAtSentSQL lets what a party has sent and what lies unfetched be looked at.
	lookAtSentSQL = `update mailbox b set look_at = $2 from message m
where m.id = b.message and m.party = $1 and b.fetched_at is null and not b.reminded and b.fetch_by is not null`

	switchSQL = `insert into hjemmel (id, party, version, active, decider, reason, at)
select $1, $2, coalesce(max(h.version), 0) + 1, $3, $4, $5, $6 from hjemmel h where h.id = $1 and h.party = $2
returning version`

	switchedSQL = `select s.id, s.party from (
  select distinct on (h.id, h.party) h.id, h.party, h.active from hjemmel h order by h.id, h.party, h.version desc) s
where s.active`
)

// SwitchHjemmel keeps what a controller has decided. The revision of the directory is raised first: its row is
// what decisions of several controllers wait for.
func (t *Tx) SwitchHjemmel(ctx context.Context, s gateway.HjemmelSwitch) (version int64, err error) {
	const op = "postgres.switchhjemmel"
	t.tx.later(op, reviseSQL)
	err = t.tx.QueryRow(ctx, switchSQL, string(s.Hjemmel), string(s.Party), s.On, s.By, s.Reason, s.At).Scan(&version)
	if err != nil {
		return 0, failure(op, err)
	}
	if !s.On {
		t.tx.later(op, lookAtSentSQL, string(s.Party), t.store.clock())
	}
	return version, nil
}

// Hjemler are those that are on.
func (l *listing) Hjemler() gateway.Hjemler { return l.hjemler }

// switched reads what is on, for the parties of the listing: one whose party is no longer there is off.
func (v *view) switched(ctx context.Context, l *listing) error {
	rows, err := v.tx.Query(ctx, switchedSQL)
	if err != nil {
		return err
	}
	on, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s gateway.Switched, err error) {
		err = row.Scan(&s.Hjemmel, &s.Party)
		return s, err
	})
	if err != nil {
		return err
	}
	known := on[:0]
	for _, s := range on {
		if p, ok := l.parties[s.Party]; ok && p.ID == s.Party {
			s.Sector = p.Sector
			known = append(known, s)
		}
	}
	l.hjemler = gateway.NewHjemler(known)
	return nil
}
