package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
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
	return collected(ctx, v, op, sql, args, func(row pgx.CollectableRow) (gateway.Record, error) {
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
		kept, err := unpackLine(op, stored)
		if err != nil {
			return r, err
		}
		if r.Body, err = audit.Event(kept); err != nil {
			return r, gateway.Failed(op, gateway.Internal, err)
		}
		return r, nil
	})
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
	where, err := q.eventsSQL(op, s, person)
	if err != nil {
		return nil, err
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

// eventsSQL is what is asked of line l, within what binds the question to one person.
func (q *query) eventsSQL(op string, s gateway.Search, person gateway.PersonID) (string, error) {
	where, err := q.eventConditions(op, s.Criteria)
	where += ` and ` + boundSQL(q.Scope, q.args)
	if person != 0 {
		where += ` and l.person = ` + q.args.bind(int64(person)) + `::bigint`
	}
	return where, err
}

// totalEvents counts lines of the ledger, at most limit; a limit of 0 is none.
func (v *view) totalEvents(ctx context.Context, scope gateway.Scope, s gateway.Search, person gateway.PersonID, limit int) (int, error) {
	const op = "postgres.total"
	var args arguments
	q := &query{scoped: newScoped(scope, "AuditEvent", &args), keys: v.store.keys}
	where, err := q.eventsSQL(op, s, person)
	if err != nil {
		return 0, err
	}
	end := ``
	if limit > 0 {
		end = ` limit ` + args.bind(limit) + `::bigint`
	}
	keys := ``
	for i, reason := range ledgerScope(scope, v.store.keys, &args) {
		if i > 0 {
			keys += ` union `
		}
		keys += `(select l.key from ledger l where ` + reason + ` and ` + where + end + `)`
	}
	if keys == `` {
		return 0, nil
	}
	return v.counted(ctx, op, `select count(*) from (select u.key from (`+keys+`) u`+end+`) counted`, args.values)
}

// eventConditions turns the parameters of AuditEvent into predicates on line l.
func (q *query) eventConditions(op string, criteria []fhir.Criterion) (string, error) {
	const t = "AuditEvent"
	where := `true`
	for i := range criteria {
		c := &criteria[i]
		if len(c.Ways) != 1 || len(c.Ways[0].Hops) > 0 || c.Modifier != "" && c.Ways[0].Param.Type != fhir.ReferenceParam {
			return "", unsupported(op, c.Name)
		}
		var tok []int64
		switch c.Ways[0].Param.Name {
		case "_id":
			where += ` and l.id = any(` + q.args.bind(idsOf(c.Values)) + `::text[])`
			continue
		case "date", "_lastUpdated":
			where += ` and ` + q.datesSQL(c.Values, `l.recorded`, `(l.recorded + interval '1 microsecond')`)
			continue
		case "entity":
			where += q.entitySQL(c)
			continue
		case "patient":
			for _, v := range c.Values {
				patient := fhir.Reference{Type: "Patient", ID: v.Reference.ID}
				tok = append(tok, q.keys.token(t, "entity", exactForm, patient.String()))
			}
		case "agent":
			for _, r := range referencesOf(c) {
				r.Version = ""
				tok = append(tok, q.keys.token(t, "agent", exactForm, r.String()))
			}
			where += ` and l.exact && ` + q.args.bind(tok) + `::bigint[]`
			continue
		case "outcome":
			where += ` and l.result = any(` + q.args.bind(codesOf(c)) + `::text[])`
			continue
		case "policy":
			where += ` and l.policy = any(` + q.args.bind(codesOf(c)) + `::text[])`
			continue
		default:
			return "", unsupported(op, c.Name)
		}
		where += ` and l.tok && ` + q.args.bind(tok) + `::bigint[]`
	}
	return where, nil
}

// entitySQL finds entities by name, and among those the versions asked for.
func (q *query) entitySQL(c *fhir.Criterion) string {
	names, whole, versions := []int64{}, []int64{}, []int64{}
	for _, r := range referencesOf(c) {
		bare := r
		bare.Version = ""
		name := q.keys.token("AuditEvent", "entity", exactForm, bare.String())
		names = append(names, name)
		if r.Version == "" {
			whole = append(whole, name)
		} else {
			versions = append(versions, q.keys.token("AuditEvent", "entity", exactForm, r.String()))
		}
	}
	sql := ` and l.tok && ` + q.args.bind(names) + `::bigint[]`
	if len(versions) > 0 {
		sql += ` and (l.exact && ` + q.args.bind(versions) + `::bigint[] or l.tok && ` + q.args.bind(whole) + `::bigint[])`
	}
	return sql
}

// codesOf gives the codes of a token, or the uris, of a condition.
func codesOf(c *fhir.Criterion) []string {
	codes := make([]string, 0, len(c.Values))
	for _, v := range c.Values {
		codes = append(codes, cmp.Or(v.Code, v.URL, v.Text))
	}
	return codes
}

// referencesOf gives the references asked for; an id alone means each type that it may be of.
func referencesOf(c *fhir.Criterion) (out []fhir.Reference) {
	for _, v := range c.Values {
		if v.Reference.ID != "" {
			out = append(out, possible(v.Reference, c.Ways[0].Param.Targets)...)
		}
	}
	return out
}

func unsupported(op, name string) error {
	return gateway.Fault(op, gateway.BadQuery, fhir.Issue{
		Severity: "error", Type: "not-supported", Code: "search.parameter-unsupported", Expression: name,
	})
}
