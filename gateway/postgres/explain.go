package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	// keepStateSQL remembers what a Consent gave from now on, for explaining what was decided by it.
	keepStateSQL = `insert into consent_state (person, at, consent, version, grants) values ($1, $2, $3, $4, $5)`

	grantsAtSQL = `select s.grants from (
  select distinct on (x.consent) x.consent, x.grants from consent_state x
  where x.person = $1 and x.at <= $2 order by x.consent, x.key desc) s
order by s.consent`
)

// GrantsAt gives the grants that were in force at an instant: of each Consent those of its last state.
func (v *view) GrantsAt(ctx context.Context, person gateway.PersonID, at time.Time) ([]gateway.Grant, error) {
	const op = "postgres.grantsat"
	rows, err := v.tx.Query(ctx, grantsAtSQL, int64(person), at)
	if err != nil {
		return nil, failure(op, err)
	}
	states, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, failure(op, err)
	}
	var all []gateway.Grant
	for _, state := range states {
		encoded, err := expand(op, state)
		if err != nil {
			return nil, err
		}
		grants, err := gateway.DecodeGrants(encoded)
		if err != nil {
			return nil, gateway.Failed(op, gateway.Internal, err)
		}
		all = append(all, grants...)
	}
	return all, nil
}

// Held lists records of one person without their bodies.
func (v *view) Held(ctx context.Context, p gateway.Permit, h gateway.Holding) ([]gateway.Record, error) {
	const op = "postgres.held"
	var all []gateway.Record
	for _, t := range h.Types {
		if gateway.IsDirectory(t) || t == "AuditEvent" {
			continue
		}
		var args arguments
		q := &holding{scoped: newScoped(p.Scope(), t, &args), Holding: h}
		list, err := v.records(ctx, op, t, q.sql(h.Limit-len(all)), args.values)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); len(all) >= h.Limit {
			break
		}
	}
	return all, nil
}

// holding is one list of a person's records of one type on its way to SQL.
type holding struct {
	*scoped
	gateway.Holding
}

func (h *holding) sql(limit int) string {
	if !h.At.IsZero() && h.kind != "Binary" {
		return h.pastSQL(limit)
	}
	return `with ` + h.termSQL() + `
select ` + bodilessSQL("r", "rid", "coalesce(f.mask, 0)", "c.covered") + `
from ` + sourceSQL(h.kind) + h.fetchSQL("r", "r", "f") + h.coverSQL("r", "c") + `
where r.type = ` + h.typed() + ` and ` + h.namedSQL("r") + ` and not r.deleted
  and (` + h.knownSQL("r") + ` or ` + h.releasesSQL("r", "c", "f") + `)
order by r.rid limit ` + h.args.bind(limit) + `::bigint`
}

// pastSQL lists the versions that were current at the instant. What was released then is not computed
// anew: only what is known whatever is released is listed.
func (h *holding) pastSQL(limit int) string {
	return `select ` + bodilessSQL("r", "vkey", "0::bigint", "0::bigint") + `
from resource k
cross join lateral (
  select x.*, k.id, k.custodian, k.context_type, k.context_id from (
    select k.vkey, k.version, k.person, k.low, k.high, k.labels, k.added, k.parts, k.sent_to, k.sent_mask, k.updated, k.deleted, k.method
    union all
    select y.vkey, y.version, y.person, y.low, y.high, y.labels, y.added, y.parts, y.sent_to, y.sent_mask, y.updated, y.deleted, y.method
    from history y where y.rid = k.rid) x
  where x.updated <= ` + h.args.bind(moment(h.At)) + `::timestamptz order by x.vkey desc limit 1) r
where k.type = ` + h.typed() + ` and ` + h.namedSQL("k") + ` and not r.deleted
  and (` + h.knownSQL("k") + ` or ` + h.ownsSQL("k") + `)
order by r.vkey limit ` + h.args.bind(limit) + `::bigint`
}

// namedSQL is whose record row r is, and which.
func (h *holding) namedSQL(r string) string {
	sql := r + `.person = ` + h.args.bind(int64(h.Holding.Person)) + `::bigint`
	if h.Only != "" {
		sql += ` and ` + r + `.id = ` + h.args.bind(string(h.Only)) + `::text`
	}
	return sql
}

// knownSQL is what the LedgerScope makes known of row r: all of hers for the patient, that of its parties
// for compliance.
func (h *holding) knownSQL(r string) string {
	return `(` + r + `.person = nullif(` + h.args.bind(int64(h.Ledger.Person)) + `::bigint, 0) or ` +
		r + `.custodian = any(` + h.args.bind(texts(h.Ledger.Compliance)) + `::text[]))`
}

// bodilessSQL is recordSQL without the body.
func bodilessSQL(r, key, mask, covered string) string {
	return strings.TrimSuffix(recordSQL(r, key, mask, covered), r+`.body`) + `''::bytea`
}

// keepState adds to a batch what the Consent gives from now on.
func (t *Tx) keepState(b *pgx.Batch, person gateway.PersonID, consent fhir.Reference, grants []byte) {
	if person > 0 {
		b.Queue(keepStateSQL, int64(person), t.store.clock(), string(consent.ID), consent.Version, compress(grants))
	}
}
