package postgres

import (
	"cmp"
	"context"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Match lists the party's own current records for which conditions hold.
func (v *view) Match(ctx context.Context, p gateway.Permit, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int) ([]gateway.Record, error) {
	return v.match(ctx, p.Scope(), t, s, person, limit)
}

func (v *view) match(ctx context.Context, scope gateway.Scope, t fhir.Type, s gateway.Search, person gateway.PersonID, limit int) ([]gateway.Record, error) {
	const op = "postgres.match"
	if t == "AuditEvent" {
		return nil, absent(op)
	}
	var args arguments
	q := &query{scoped: newScoped(scope, t, &args), keys: v.store.keys, after: "true"}
	q.with = q.termSQL()
	q.compile(s, person == 0)
	if person != 0 {
		q.extra = append(q.extra, `r.person = `+args.bind(int64(person))+`::bigint`)
	}
	// What is shared is no match, also in the directory, which everybody reads: only its keeper has
	// all of that for its own.
	q.extra = append(q.extra, `(`+q.ownsSQL("r")+` or `+q.keepsSQL()+`)`)
	from, way := sourceSQL(t), `r.type = `+q.typed()
	switch {
	case q.ids != "":
		from, way = q.ids, `true`
	case person != 0:
	case q.tokens != "" || q.named != "":
		from = cmp.Or(q.tokens, q.named) + ` n cross join lateral (select r.* from resource r where r.rid = n.rid offset 0) r`
	}
	where := q.whereSQL(everything)
	sql := `with ` + q.with + `
select ` + recordSQL("r", "rid", "0::bigint", allLabels) + `
from (select r.rid from ` + from + ` where ` + way + ` and ` + where + ` order by r.rid limit ` + args.bind(limit) + `::bigint) k
cross join lateral (select r.* from ` + sourceSQL(t) + ` where r.rid = k.rid offset 0) r
order by r.rid`
	return v.records(ctx, op, t, sql, args.values)
}

// keepsSQL tells whether the scope is that of who keeps the directory, and the type one of it.
func (s *scoped) keepsSQL() string {
	if gateway.IsDirectory(s.kind) {
		return s.directory()
	}
	return "false"
}

// turns is the number of queues in which conditional writes that found nothing follow each other.
const turns = 4096

// takeTurnSQL raises a row that every transaction with the same condition raises. An advisory lock
// would not do: under REPEATABLE READ the snapshot is as old as the statement that waits for the lock,
// so that who comes second would still not see what the first has made. Here it gets a serialization
// failure and runs again, on a snapshot that has it.
const takeTurnSQL = `insert into condition_turn (queue, turn) values ($1, 1)
on conflict (queue) do update set turn = condition_turn.turn + 1`

// TakeTurn makes those follow each other who ask the same condition and have found nothing.
func (t *Tx) TakeTurn(ctx context.Context, party gateway.HERID, kind fhir.Type, s gateway.Search) error {
	n := uint64(t.store.keys.token("turn", string(party), string(kind), s.Canonical, s.Subject.NIN.Reveal())) % turns //nolint:gosec // all 64 bits are wanted
	rows, err := t.tx.Query(ctx, takeTurnSQL, int32(n))
	if err != nil {
		return failure("postgres.taketurn", err)
	}
	rows.Close()
	return failure("postgres.taketurn", rows.Err())
}
