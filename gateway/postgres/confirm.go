package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.Confirmations = (*Tx)(nil)

const (
	confirmSQL = `insert into confirmation (type, id, version, party, patient, person, at) values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing`

	// A person's confirmation counts for the person that it was made by.
	confirmedSQL = `select c.version, c.party, c.patient, c.person, c.at
from confirmation c
where c.type = $1 and c.id = $2 order by c.at, c.party, c.version`

	registeredSQL = `select r.id, r.version, coalesce(r.person, 0), r.custodian, r.body, g.basis, g.grants
from consent_grants g
join resource r on r.type = 'Consent' and r.id = g.consent and not r.deleted
where g.consent = $1`

	consentsByRoleSQL = `select r.id, r.version, coalesce(r.person, 0), r.custodian, r.body, g.basis
from consent_grants g
join resource r on r.type = 'Consent' and r.id = g.consent and not r.deleted
where g.person = $1 and g.roles order by r.id`

	consentsBySQL = `select r.id, r.version, coalesce(r.person, 0), r.custodian, r.body, g.basis
from consent_grants g
join resource r on r.type = 'Consent' and r.id = g.consent and not r.deleted
where g.person = $1 and r.custodian || '' = $2 order by r.id`

	bearingsSQL = `select r.custodian, r.body from resource r
where r.person = $1 and r.type in ('Patient', 'CareTeam') and not r.deleted order by r.rid`
)

// Confirm keeps the row; one that is there stays as it is.
func (t *Tx) Confirm(ctx context.Context, c gateway.Confirmation) (bool, error) {
	tag, err := t.tx.Exec(ctx, confirmSQL, string(c.Version.Type), string(c.Version.ID), c.Version.Version, string(c.By),
		c.Patient, int64(c.Person), c.At)
	return tag.RowsAffected() == 1, failure("postgres.confirm", err)
}

// Confirmed lists who has confirmed any version.
func (t *Tx) Confirmed(ctx context.Context, r fhir.Reference) ([]gateway.Confirmation, error) {
	const op = "postgres.confirmed"
	rows, err := t.tx.Query(ctx, confirmedSQL, string(r.Type), string(r.ID))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (gateway.Confirmation, error) {
		c := gateway.Confirmation{Version: fhir.Reference{Type: r.Type, ID: r.ID}}
		err := row.Scan(&c.Version.Version, &c.By, &c.Patient, &c.Person, &c.At)
		return c, err
	})
	return list, failure(op, err)
}

// Registered gives a Consent that counts.
func (t *Tx) Registered(ctx context.Context, consent fhir.Reference) (gateway.StoredConsent, []gateway.Grant, error) {
	const op = "postgres.registered"
	c := gateway.StoredConsent{Consent: fhir.Reference{Type: "Consent"}}
	var stored, basis, encoded []byte
	err := t.tx.QueryRow(ctx, registeredSQL, string(consent.ID)).
		Scan(&c.Consent.ID, &c.Consent.Version, &c.Person, &c.Custodian, &stored, &basis, &encoded)
	if err != nil {
		return c, nil, failure(op, err)
	}
	if err := unpack(op, &c, stored, basis); err != nil {
		return c, nil, err
	}
	if encoded, err = expand(op, encoded); err != nil {
		return c, nil, err
	}
	grants, err := gateway.DecodeGrants(encoded)
	if err != nil {
		return c, nil, gateway.Failed(op, gateway.Internal, err)
	}
	return c, grants, nil
}

// unpack reads body and basis as they are stored.
func unpack(op string, c *gateway.StoredConsent, body, basis []byte) (err error) {
	if c.Body, err = expand(op, body); err != nil {
		return err
	}
	if basis, err = expand(op, basis); err != nil {
		return err
	}
	if err := json.Unmarshal(basis, &c.Basis); err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	return nil
}

// storedConsents reads the rows of consentsNamingSQL or consentsByRoleSQL.
func (t *Tx) storedConsents(ctx context.Context, op, sql string, args ...any) ([]gateway.StoredConsent, error) {
	rows, err := t.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (gateway.StoredConsent, error) {
		c := gateway.StoredConsent{Consent: fhir.Reference{Type: "Consent"}}
		var stored, basis []byte
		if err := row.Scan(&c.Consent.ID, &c.Consent.Version, &c.Person, &c.Custodian, &stored, &basis); err != nil {
			return c, err
		}
		return c, unpack(op, &c, stored, basis)
	})
	return list, failure(op, err)
}

// ConsentsByRole lists the person's Consents that name roles.
func (t *Tx) ConsentsByRole(ctx context.Context, person gateway.PersonID) ([]gateway.StoredConsent, error) {
	return t.storedConsents(ctx, "postgres.consentsbyrole", consentsByRoleSQL, int64(person))
}

// ConsentsBy lists the person's Consents that a party has registered.
func (t *Tx) ConsentsBy(ctx context.Context, person gateway.PersonID, registrar gateway.HERID) ([]gateway.StoredConsent, error) {
	return t.storedConsents(ctx, "postgres.consentsby", consentsBySQL, int64(person), string(registrar))
}

// Bearings gives the Patients and CareTeams about the person.
func (v *view) Bearings(ctx context.Context, person gateway.PersonID) ([]gateway.Bearing, error) {
	const op = "postgres.bearings"
	rows, err := v.tx.Query(ctx, bearingsSQL, int64(person))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b gateway.Bearing, err error) {
		if err = row.Scan(&b.Custodian, &b.Body); err == nil {
			b.Body, err = expand(op, b.Body)
		}
		return b, err
	})
	return list, failure(op, err)
}

// Raise raises the person's epoch.
func (t *Tx) Raise(ctx context.Context, person gateway.PersonID) error {
	return t.raise(ctx, "postgres.raise", person)
}

// Rouse raises the person's epoch, and has nothing looked at.
func (t *Tx) Rouse(ctx context.Context, person gateway.PersonID) error {
	return t.widen(ctx, "postgres.rouse", person)
}
