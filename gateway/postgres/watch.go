package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.ConsentReader = (*Tx)(nil)

// consentsAboutSQL lists those without grants and without a basis too: what a Consent denies may have been lost.
const consentsAboutSQL = `select r.id, r.version, r.person, r.custodian, r.body, g.basis
from resource r
left join consent_grants g on g.consent = r.id
where r.person = $1 and r.type = 'Consent' and not r.deleted order by r.id`

// ConsentsAbout lists the person's Consents.
func (t *Tx) ConsentsAbout(ctx context.Context, person gateway.PersonID) ([]gateway.StoredConsent, error) {
	const op = "postgres.consentsabout"
	rows, err := t.tx.Query(ctx, consentsAboutSQL, int64(person))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c gateway.StoredConsent, err error) {
		c.Consent.Type = fhir.Type("Consent")
		var body, basis []byte
		if err := row.Scan(&c.Consent.ID, &c.Consent.Version, &c.Person, &c.Custodian, &body, &basis); err != nil {
			return c, err
		}
		if basis != nil {
			return c, unpack(op, &c, body, basis)
		}
		c.Body, err = expand(op, body)
		return c, err
	})
	return list, failure(op, err)
}
