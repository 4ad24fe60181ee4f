package postgres

import (
	"bytes"
	"context"

	"github.com/sluse/sluse/gateway"
)

const (
	patientSQL = `select r.person, p.nin from resource r join person p on p.person = r.person
where r.type = 'Patient' and r.id = $1 and r.custodian || '' = $2 and r.version = $3 for update of r`

	personSQL = `insert into person (nin) values ($1::bytea)
on conflict (nin) do update set nin = excluded.nin returning person`

	// moveSQL takes the records that name the Patient, and the grants of the Consents among them. What the party
	// has asked for of her address holds for both persons as long as it has another Patient of the first.
	moveSQL = `with moved as (update resource r set person = $4
  where r.person = $3 and r.custodian = $1 and r.subject = $2 and r.type <> 'Patient' returning r.type, r.id),
kept as (update withholding w set person = $4 from moved m where w.type = m.type and w.id = m.id),
lifted as (delete from shield s where s.person = $3 and s.party = $1
  and not exists (select 1 from resource o where o.person = $3 and o.custodian = $1 and o.type = 'Patient' and not o.deleted)),
shielded as (insert into shield (person, party, grade, at) select $4, $1, s.grade, s.at from shield s where s.person = $3 and s.party = $1
  on conflict (person, party) do update set grade = greatest(shield.grade, excluded.grade)),
consents as (select m.id from moved m where m.type = 'Consent'),
stored as (update consent_grants g set person = $4 from consents c where g.consent = c.id)
update grant_ g set person = $4 from consents c where g.consent = c.id`
)

// putPatient writes a Patient. When its national identifier is another than before, the Patient is
// of another person, and its own custodian's records go with it; nobody else writes meanwhile, so
// that no record is left behind.
func (t *Tx) putPatient(ctx context.Context, op string, p *prepared) (gateway.Record, error) {
	var (
		was gateway.PersonID
		nin []byte
	)
	err := t.tx.QueryRow(ctx, patientSQL, string(p.Reference.ID), string(p.Custodian), p.Previous).Scan(&was, &nin)
	if err != nil {
		if gateway.CodeOf(failure(op, err)) == gateway.NotFound {
			var there bool
			if t.tx.QueryRow(ctx, existsSQL, "Patient", string(p.Reference.ID), string(p.Custodian), false).Scan(&there) == nil {
				return gateway.Record{}, outdated(op)
			}
		}
		return gateway.Record{}, failure(op, err)
	}
	now := was
	if !bytes.Equal(nin, p.nin) {
		if !t.alone {
			return gateway.Record{}, errAlone
		}
		if err := t.tx.QueryRow(ctx, personSQL, p.nin).Scan(&now); err != nil {
			return gateway.Record{}, failure(op, err)
		}
	}
	var args arguments
	custodian := args.bind(string(p.Custodian)) + "::text"
	who := `who as (select ` + args.bind(int64(now)) + `::bigint as person)`
	r, err := t.replace(ctx, op, p, who, custodian, &args)
	if err != nil || now == was {
		return r, err
	}
	t.tx.later(op, moveSQL, string(p.Custodian), string(p.Reference.ID), int64(was), int64(now))
	return r, t.raise(ctx, op, was, now)
}
