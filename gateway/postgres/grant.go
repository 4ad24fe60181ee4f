package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var errNobody = errors.New("grants without a person")

const (
	oldGrantsSQL = `select g.person from consent_grants g where g.consent = $1 for update`

	clearGrantsSQL = `with g as (delete from grant_ where consent = $1),
t as (delete from consent_team where consent = $1)
delete from consent_grants where consent = $1`

	keepGrantsSQL = `insert into consent_grants (consent, version, person, grants, basis, roles) values ($1, $2, $3, $4, $5, $6)`

	keepTeamsSQL = `insert into consent_team (consent, team, version)
select $1, v.team, v.version from unnest($2::text[], $3::text[]) as v(team, version) on conflict do nothing`

	grantSQL = `insert into grant_ (person, labels, low, high, starts, ends, allow, objection, consent, version, path, law,
  paragraph, custodians, recipients, roles, purposes, actions, types, items, trust)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`

	// raiseSQL locks the epochs in one order and raises them.
	raiseSQL = `insert into epoch (person, epoch) select p, 1 from unnest($1::bigint[]) as v(p) order by p
on conflict (person) do update set epoch = epoch.epoch + 1`

	storedGrantsSQL = `select g.grants from consent_grants g where g.person = $1 order by g.consent`

	// lookNowSQL lets what lies unfetched about the persons be looked at: it may not be theirs to fetch any more.
	lookNowSQL = `update mailbox set look_at = $2
where person = any($1::bigint[]) and fetched_at is null and not reminded and fetch_by is not null and look_at > $2`

	// lookAtRecordSQL lets what lies unfetched with the record be looked at: a message goes with its records as they are
	// now, and not without one. One that is due already is written
	// too: who looks at it this moment sees the record as it was.
	lookAtRecordSQL = `update mailbox set look_at = $3 where key = any(array(
  select b.key from message_record r cross join lateral (
    select i.key from mailbox i
    where i.message = r.message and i.fetched_at is null and not i.reminded and i.fetch_by is not null offset 0) b
  where r.type = $1 and r.id = $2))`

	// keepEpochSQL writes what a decision looks at beside the person's grants as well (migration 0007).
	keepEpochSQL = `update epoch set grants = $2, withheld = $3,
  shield = coalesce((select max(s.grade) from shield s where s.person = $1), 0),
  holders = array(select distinct r.custodian from resource r where r.person = $1 and r.type = 'Patient' and not r.deleted order by 1)
where person = $1`
)

// PutGrants replaces the grants of a Consent by those of its new version, keeps what it was
// resolved against, and raises the person's epoch; that of an earlier person too.
func (t *Tx) PutGrants(ctx context.Context, person gateway.PersonID, consent fhir.Reference, grants []gateway.Grant, basis gateway.Basis) error {
	const op = "postgres.putgrants"
	var was gateway.PersonID
	err := t.tx.QueryRow(ctx, oldGrantsSQL, string(consent.ID)).Scan(&was)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return failure(op, err)
	}
	if person <= 0 && len(grants) > 0 {
		return gateway.Failed(op, gateway.Internal, errNobody)
	}
	stored, err := gateway.EncodeGrants(grants)
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	resolved, err := json.Marshal(basis)
	if err != nil {
		return gateway.Failed(op, gateway.Internal, err)
	}
	var b pgx.Batch
	b.Queue(clearGrantsSQL, string(consent.ID))
	if person > 0 && len(grants)+len(basis.Teams)+len(basis.Addresses)+len(basis.Groups) > 0 || person > 0 && (basis.Roles || !basis.Recalled.IsZero()) {
		b.Queue(keepGrantsSQL, string(consent.ID), consent.Version, int64(person), compress(stored), compress(resolved), basis.Roles)
		for i := range grants {
			queueGrant(&b, person, consent, &grants[i])
		}
		var ids, versions []string
		for _, team := range basis.Teams {
			ids, versions = append(ids, string(team.ID)), append(versions, team.Version)
		}
		b.Queue(keepTeamsSQL, string(consent.ID), ids, versions)
	}
	if was != person && was > 0 {
		t.keepState(&b, was, consent, nil)
	}
	if was > 0 || len(grants) > 0 {
		t.keepState(&b, person, consent, stored)
	}
	if err := t.tx.run(ctx, &b); err != nil {
		return failure(op, err)
	}
	if was <= 0 && !slices.ContainsFunc(grants, func(g gateway.Grant) bool { return g.Effect != gateway.Allow }) {
		return t.widen(ctx, op, person)
	}
	return t.raise(ctx, op, was, person)
}

func queueGrant(b *pgx.Batch, person gateway.PersonID, consent fhir.Reference, g *gateway.Grant) {
	var items []string
	if !g.Items.Any {
		items = make([]string, 0, len(g.Items.Of))
		for _, i := range g.Items.Of {
			items = append(items, i.String())
		}
	}
	b.Queue(grantSQL, int64(person), int64(g.Labels), moment(g.DataLow), moment(g.DataHigh), moment(g.Start), endless(g.End), //nolint:gosec // fewer than 63 bits
		g.Effect == gateway.Allow, g.Objection, string(consent.ID), consent.Version, g.Path, g.Law, g.Paragraph,
		members(g.Custodians), members(g.Recipients), members(g.Roles), members(g.Purposes), members(g.Actions), members(g.Types), items, orNull(g.Trust))
}

// raise raises the epochs of the persons, and what lies unfetched about them is looked at.
func (t *Tx) raise(ctx context.Context, op string, persons ...gateway.PersonID) error {
	ids := distinct(persons)
	t.tx.later(op, raiseSQL, ids)
	t.tx.later(op, lookNowSQL, ids, t.store.clock())
	return t.rewrite(ctx, op, ids)
}

// widen is raise when whoever might fetch something about the persons before still may.
func (t *Tx) widen(ctx context.Context, op string, persons ...gateway.PersonID) error {
	ids := distinct(persons)
	t.tx.later(op, raiseSQL, ids)
	return t.rewrite(ctx, op, ids)
}

func distinct(persons []gateway.PersonID) (ids []int64) {
	for _, p := range persons {
		if p > 0 && !slices.Contains(ids, int64(p)) {
			ids = append(ids, int64(p))
		}
	}
	return ids
}

// rewrite writes anew the grants that lie beside the epochs.
func (t *Tx) rewrite(ctx context.Context, op string, ids []int64) error {
	for _, id := range ids {
		rows, err := t.tx.Query(ctx, storedGrantsSQL, id)
		if err != nil {
			return failure(op, err)
		}
		lists, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return failure(op, err)
		}
		var all []gateway.Grant
		for _, list := range lists {
			encoded, err := expand(op, list)
			if err != nil {
				return err
			}
			grants, err := gateway.DecodeGrants(encoded)
			if err != nil {
				return gateway.Failed(op, gateway.Internal, err)
			}
			all = append(all, grants...)
		}
		encoded, err := gateway.EncodeGrants(all)
		if err != nil {
			return gateway.Failed(op, gateway.Internal, err)
		}
		withheld, err := t.withheld(ctx, op, id)
		if err != nil {
			return err
		}
		t.tx.later(op, keepEpochSQL, id, encoded, withheld)
	}
	return nil
}

const consentsNamingSQL = `select r.id, r.version, coalesce(r.person, 0), r.custodian, r.body, g.basis
from consent_team t
join consent_grants g on g.consent = t.consent
join resource r on r.type = 'Consent' and r.id = t.consent and not r.deleted
where t.team = $1 order by r.id`

// ConsentsNaming lists Consents whose grants rest on the CareTeam.
func (t *Tx) ConsentsNaming(ctx context.Context, team fhir.Reference) ([]gateway.StoredConsent, error) {
	const op = "postgres.consentsnaming"
	return t.storedConsents(ctx, op, consentsNamingSQL, string(team.ID))
}
