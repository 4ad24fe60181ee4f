package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.StandingReader = (*Store)(nil)

// Standing gives what a decision about the record rests on now.
func (s *Store) Standing(ctx context.Context, record fhir.Reference, bound gateway.NIN) (gateway.Standing, error) {
	now, err := s.standing(ctx, s.pool, record, bound)
	return now, failure("postgres.standing", err)
}

// DirectoryAt gives the directory of a revision when it is the latest known.
func (s *Store) DirectoryAt(revision int64) (gateway.Directory, bool) {
	l := s.listing.Load()
	if l == nil || l.revision != revision {
		return nil, false
	}
	return l, true
}

// ReadStanding reads the row and, by the same statement, what holds beside it. One statement is one
// snapshot, whatever the isolation of the session.
func (s *Store) ReadStanding(ctx context.Context, p gateway.Permit, r fhir.Reference, bound gateway.NIN) (gateway.Record, gateway.Standing, error) {
	return s.readStanding(ctx, p.Scope(), r, bound)
}

func (s *Store) readStanding(ctx context.Context, within gateway.Scope, r fhir.Reference, bound gateway.NIN) (gateway.Record, gateway.Standing, error) {
	const op = "postgres.readstanding"
	var args arguments
	scope := newScoped(within, r.Type, &args)
	scope.named = true
	kind, id := args.bind(string(r.Type)), args.bind(string(r.ID))
	person := `0::bigint`
	if !bound.IsZero() {
		person = `coalesce((select b.person from person b where b.nin = ` + args.bind(s.keys.nin(bound)) + `::bytea), 0)`
	}
	sql := `select ` + recordSQL("r", "rid", "coalesce(f.mask, 0)", "c.covered") + `,
  coalesce(r.person, 0), coalesce(e.epoch, 0), (select d.revision from directory d), ` + person + `
from ` + sourceSQL(r.Type) + `
left join epoch e on e.person = r.person
left join fetched f on f.party = ` + scope.own() + ` and f.rid = r.rid and f.version = r.version` + scope.coverOneSQL() + `
where r.type = ` + kind + ` and r.id = ` + id + ` and ` + scope.releasesOneSQL("r", "c", "f")
	rows, err := s.pool.Query(ctx, sql, args.values...)
	if err != nil {
		return gateway.Record{}, gateway.Standing{}, failure(op, err)
	}
	var now gateway.Standing
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (gateway.Record, error) {
		return scanRecord(op, r.Type, row, (*int64)(&now.Facts.Person), &now.Facts.Epoch, &now.Revision, (*int64)(&now.Bound))
	})
	found, err := one(op, list, failure(op, err))
	return found, now, err
}
