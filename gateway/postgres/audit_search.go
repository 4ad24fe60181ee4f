package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// ledgerScope is gateway.LedgerScope as predicates on line l: one for each reason to reach it, with
// the way by which its lines are found.
func ledgerScope(scope gateway.Scope, keys keyring, a *arguments) []string {
	const released = `l.outcome = 'released'`
	var reasons []string
	l := scope.Ledger
	of := func(parties []string) string {
		hashes := make([]int64, len(parties))
		for i, p := range parties {
			hashes[i] = keys.token("AuditEvent", "custodian", exactForm, p)
		}
		return `l.tok && ` + a.bind(hashes) + `::bigint[] and l.custodians && ` + a.bind(parties) + `::text[] and ` + released
	}
	if l.Asker != "" {
		reasons = append(reasons, `l.party = `+a.bind(string(l.Asker))+` and l.outcome <> 'refused'`)
	}
	if l.Custodian != "" {
		reasons = append(reasons, of([]string{string(l.Custodian)}))
	}
	if l.Person != 0 {
		reasons = append(reasons, `l.person = `+a.bind(int64(l.Person))+`::bigint`)
	}
	if len(l.Compliance) > 0 {
		reasons = append(reasons, `l.party = any(`+a.bind(texts(l.Compliance))+`::text[])`, of(texts(l.Compliance)))
	}
	if len(reasons) == 0 {
		reasons = append(reasons, `false`)
	}
	return reasons
}

// boundSQL keeps a token that is bound to one patient to the accesses about her.
func boundSQL(scope gateway.Scope, a *arguments) string {
	if scope.Person == 0 {
		return `true`
	}
	return `l.person = ` + a.bind(int64(scope.Person)) + `::bigint`
}

const eventColumns = `l.key, l.id, coalesce(l.person, 0), l.recorded, l.body, l.party, l.custodians, l.outcome = 'refused'`

// events runs a statement that gives eventColumns. A line says who asked and whose records left, so
// that the gateway decides anew whether it may be seen.
func (v *view) events(ctx context.Context, op string, sql string, args []any) ([]gateway.Record, error) {
	rows, err := v.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (gateway.Record, error) {
		r := gateway.Record{
			Reference: fhir.Reference{Type: "AuditEvent", Version: "1"}, Method: gateway.Create,
		}
		var (
			stored     []byte
			custodians []gateway.HERID
		)
		err := row.Scan(&r.Key, &r.Reference.ID, &r.Person, &r.Updated, &stored, &r.Custodian, &custodians, &r.Refused)
		if err != nil {
			return r, err
		}
		for _, c := range custodians {
			r.Sent = append(r.Sent, gateway.Sent{To: c, Mask: gateway.AllLabels})
		}
		r.Updated = r.Updated.UTC()
		r.Low, r.High = r.Updated, r.Updated.Add(time.Microsecond)
		r.Body, err = expand(op, stored)
		return r, err
	})
	return list, failure(op, err)
}

func (v *view) readEvent(ctx context.Context, scope gateway.Scope, r fhir.Reference) (gateway.Record, error) {
	const op = "postgres.read"
	var args arguments
	sql := `select ` + eventColumns + ` from ledger l where l.id = ` + args.bind(string(r.ID)) + ` and ` + args.bind(r.Version) +
		`::text in ('', '1') and ` + boundSQL(scope, &args) + ` and (`
	for i, reason := range ledgerScope(scope, v.store.keys, &args) {
		if i > 0 {
			sql += ` or `
		}
		sql += `(` + reason + `)`
	}
	list, err := v.events(ctx, op, sql+`)`, args.values)
	return one(op, list, err)
}

// searchEvents lists lines of the ledger: for each reason to reach them the first of the page, then
// the first of all these.
func (v *view) searchEvents(ctx context.Context, scope gateway.Scope, s gateway.Search, person gateway.PersonID, limit int, after gateway.Cursor) ([]gateway.Record, error) {
	const op = "postgres.search"
	var args arguments
	q := &query{scoped: newScoped(scope, "AuditEvent", &args), keys: v.store.keys}
	where, err := q.eventConditions(op, s.Conditions)
	if err != nil {
		return nil, err
	}
	where += ` and ` + boundSQL(scope, &args)
	if person != 0 {
		where += ` and l.person = ` + args.bind(int64(person)) + `::bigint`
	}
	direction, less := "", " > "
	if s.Sort.Descending {
		direction, less = " desc", " < "
	}
	if after.Set {
		where += ` and (l.recorded, l.key)` + less + `(` + args.bind(moment(after.At)) + `::timestamptz, ` + args.bind(after.Key) + `::bigint)`
	}
	end := ` order by recorded` + direction + `, key` + direction + ` limit ` + args.bind(limit) + `::bigint`
	var keys string
	for i, reason := range ledgerScope(scope, v.store.keys, &args) {
		if i > 0 {
			keys += ` union `
		}
		keys += `(select l.key, l.recorded from ledger l where ` + reason + ` and ` + where + end + `)`
	}
	sql := `select ` + eventColumns + ` from (select u.key, u.recorded from (` + keys + `) u` + end + `) k
cross join lateral (select l.* from ledger l where l.key = k.key offset 0) l order by l.recorded` + direction + `, l.key` + direction
	return v.events(ctx, op, sql, args.values)
}

// eventConditions turns the parameters of AuditEvent into predicates on line l.
func (q *query) eventConditions(op string, conditions []gateway.Condition) (string, error) {
	const t = "AuditEvent"
	where := `true`
	for i := range conditions {
		c := &conditions[i]
		var tok []int64
		switch c.Param.Name {
		case "_id":
			where += ` and l.id = any(` + q.args.bind(idsOf(c)) + `::text[])`
			continue
		case "date", "_lastUpdated":
			where += ` and ` + q.datesSQL(c, `l.recorded`, `(l.recorded + interval '1 microsecond')`)
			continue
		case "entity":
			for _, v := range c.Values {
				tok = append(tok, q.keys.token(t, "entity", exactForm, v.Reference.String()))
			}
		case "patient":
			for _, v := range c.Values {
				patient := fhir.Reference{Type: "Patient", ID: v.Reference.ID}
				tok = append(tok, q.keys.token(t, "entity", exactForm, patient.String()))
			}
		case "agent":
			for _, v := range c.Values {
				v.Reference.Version = ""
				tok = append(tok, q.keys.token(t, "agent", exactForm, v.Reference.String()))
			}
		case "outcome":
			where += ` and l.result = any(` + q.args.bind(codesOf(c)) + `::text[])`
			continue
		case "policy":
			where += ` and l.policy = any(` + q.args.bind(codesOf(c)) + `::text[])`
			continue
		default:
			return "", gateway.Fault(op, gateway.BadQuery, fhir.Issue{
				Severity: "error", Type: "not-supported", Code: "search.parameter-unsupported", Expression: c.Param.Name,
			})
		}
		where += ` and l.tok && ` + q.args.bind(tok) + `::bigint[]`
	}
	return where, nil
}

// codesOf gives the codes of a token, or the uris, of a condition.
func codesOf(c *gateway.Condition) []string {
	codes := make([]string, 0, len(c.Values))
	for _, v := range c.Values {
		if v.Code != "" {
			codes = append(codes, v.Code)
		} else {
			codes = append(codes, v.Text)
		}
	}
	return codes
}
