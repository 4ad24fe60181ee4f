package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Facts come with the revision of the directory, so that the first statement of a snapshot brings
// both. Each statement gives one row, whatever there is.
const (
	factsOfSQL = `select coalesce(r.person, 0), coalesce(e.epoch, 0), coalesce(e.grants, ''), coalesce(e.shield, 0), coalesce(e.holders, '{}'), coalesce(e.withheld, ''), d.revision, coalesce(b.person, 0)
from directory d
left join resource r on r.type = $1 and r.id = $2
left join epoch e on e.person = r.person
left join person b on b.nin = $3::bytea`

	// The person of a Binary is that of the record named as its securityContext.
	factsOfBinarySQL = `select coalesce(x.person, 0), coalesce(e.epoch, 0), coalesce(e.grants, ''), coalesce(e.shield, 0), coalesce(e.holders, '{}'), coalesce(e.withheld, ''), d.revision, coalesce(b.person, 0)
from directory d
left join resource r on r.type = $1 and r.id = $2
left join resource x on x.type = r.context_type and x.id = r.context_id and x.custodian || '' = r.custodian and not x.deleted and x.type <> 'Binary'
left join epoch e on e.person = x.person
left join person b on b.nin = $3::bytea`

	// The person of an AuditEvent is that of the access.
	factsOfEventSQL = `select coalesce(l.person, 0), coalesce(e.epoch, 0), coalesce(e.grants, ''), coalesce(e.shield, 0), coalesce(e.holders, '{}'), coalesce(e.withheld, ''), d.revision, coalesce(b.person, 0)
from directory d
left join ledger l on $1::text = 'AuditEvent' and l.id = $2
left join epoch e on e.person = l.person
left join person b on b.nin = $3::bytea`

	factsAboutSQL = `select coalesce(f.person, 0), coalesce(e.epoch, 0), coalesce(e.grants, ''), coalesce(e.shield, 0), coalesce(e.holders, '{}'), coalesce(e.withheld, ''), coalesce(f.own, false)
from (select 1) one
left join lateral (
  select p.person, true as own from person p where p.nin = $3::bytea
  union all
  select r.person, r.custodian = $2 as own from resource r
  where $3::bytea is null and r.type = 'Patient' and r.id = $1
  limit 1) f on true
left join epoch e on e.person = f.person`

	factsForSQL = `select e.person, e.epoch, e.grants, e.shield, e.holders, e.withheld from epoch e where e.person = any($1::bigint[]) order by e.person`

	// lockEpochSQL keeps what a decision rests on as it is until the transaction ends. In a
	// transaction that began before the epoch was raised it fails, and the transaction runs again.
	lockEpochSQL = `select e.epoch from epoch e where e.person = any($1::bigint[]) order by e.person for share`
)

// FactsOf resolves a record to its person, and that person to epoch and grants.
func (v *view) FactsOf(ctx context.Context, record fhir.Reference) (gateway.Facts, error) {
	const op = "postgres.factsof"
	s, err := v.store.standing(ctx, v.tx, record, gateway.NIN{})
	if err != nil {
		return gateway.Facts{}, failure(op, err)
	}
	v.sees(s.Revision)
	return s.Facts, v.hold(ctx, op, s.Facts.Person)
}

// standing asks the one statement about a record of whatever type.
func (s *Store) standing(ctx context.Context, q querier, record fhir.Reference, bound gateway.NIN) (now gateway.Standing, err error) {
	sql := factsOfSQL
	switch record.Type {
	case "AuditEvent":
		sql = factsOfEventSQL
	case "Binary":
		sql = factsOfBinarySQL
	}
	err = q.QueryRow(ctx, sql, string(record.Type), string(record.ID), s.keys.nin(bound)).
		Scan(&now.Facts.Person, &now.Facts.Epoch, &now.Facts.Grants, &now.Facts.Shield, &now.Facts.Holders, &now.Facts.Withheld, &now.Revision, &now.Bound)
	return now, err
}

// FactsAbout resolves a patient named by a Patient reference or by national number.
func (v *view) FactsAbout(ctx context.Context, party gateway.HERID, s gateway.Subject) (f gateway.Facts, own bool, err error) {
	const op = "postgres.factsabout"
	err = v.tx.QueryRow(ctx, factsAboutSQL, string(s.Patient.ID), string(party), v.store.keys.nin(s.NIN)).
		Scan(&f.Person, &f.Epoch, &f.Grants, &f.Shield, &f.Holders, &f.Withheld, &own)
	if err != nil {
		return gateway.Facts{}, false, failure(op, err)
	}
	return f, own, v.hold(ctx, op, f.Person)
}

// FactsFor gives the facts of persons already found.
func (v *view) FactsFor(ctx context.Context, persons []gateway.PersonID) ([]gateway.Facts, error) {
	const op = "postgres.factsfor"
	ids := make([]int64, len(persons))
	for i, p := range persons {
		ids[i] = int64(p)
	}
	rows, err := v.tx.Query(ctx, factsForSQL, ids)
	if err != nil {
		return nil, failure(op, err)
	}
	facts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f gateway.Facts, err error) {
		err = row.Scan(&f.Person, &f.Epoch, &f.Grants, &f.Shield, &f.Holders, &f.Withheld)
		return f, err
	})
	if err != nil {
		return nil, failure(op, err)
	}
	return facts, v.hold(ctx, op, persons...)
}

// hold locks the epochs that a decision of a Tx rests on. In a Tx the statement runs for nobody
// too, so that an unknown record takes the same way as a hidden one.
func (v *view) hold(ctx context.Context, op string, persons ...gateway.PersonID) error {
	if !v.writes {
		return nil
	}
	ids := make([]int64, len(persons))
	for i, p := range persons {
		ids[i] = int64(p)
	}
	rows, err := v.tx.Query(ctx, lockEpochSQL, ids)
	if err != nil {
		return failure(op, err)
	}
	rows.Close()
	return failure(op, rows.Err())
}
