package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// viewsSQL tells whether row r is a Consent of another that is seen in part: gateway.ConsentScope as a
// predicate. It begins with " or ", and is empty for every other type.
func (s *scoped) viewsSQL(r string) string {
	if s.kind != "Consent" {
		return ``
	}
	c := s.Consents
	sql := ``
	if len(c.Views) > 0 {
		sql += ` or ` + r + `.id = any(` + s.place(consentsParameter, texts(c.IDs()), "::text[]") + `)`
	}
	if len(c.Registrars) > 0 {
		sql += ` or ` + r + `.custodian = any(` + s.place(registrarsParameter, texts(c.Registrars), "::text[]") + `)`
	}
	if c.Each != nil {
		sql += ` or ` + s.eachSQL(r)
	}
	if sql == `` {
		return ``
	}
	return ` or (not ` + r + `.deleted and (false` + sql + `))`
}

// currentViewSQL is viewsSQL for version v of resource r: a view is of the current version only.
func (s *scoped) currentViewSQL(v, r string) string {
	views := s.viewsSQL(v)
	if views == `` {
		return ``
	}
	return ` or (` + v + `.vkey = ` + r + `.vkey and (false` + views + `))`
}

// eachSQL looks at the grants of each row's own person.
func (s *scoped) eachSQL(r string) string {
	each := s.Consents.Each
	now := s.args.bind(moment(each.Now)) + `::timestamptz`
	holders := s.args.bind(texts(each.Holders)) + `::text[]`
	parties := s.args.bind(texts(each.Parties)) + `::text[]`
	keys := s.args.bind(texts(each.Recipients)) + `::text[]`
	return `exists (select 1 from grant_ g where g.consent = ` + r + `.id and g.person = ` + r + `.person and g.starts <= ` + now + ` and ` + now + ` < g.ends
    and (g.allow and g.recipients && ` + keys + ` and ` + automaticSQL("g") + `
      or exists (select 1 from unnest(` + holders + `) as h(party) join epoch e on e.person = ` + r + `.person
        where h.party = any(e.holders) and (g.custodians is null or h.party = any(g.custodians)))
      or g.allow and exists (select 1 from unnest(g.recipients) as k(key) where split_part(regexp_replace(k.key, '^.*/', ''), ':', 2) = any(` + parties + `))))`
}

// reviewsSQL tells whether row r is a Task that compliance is to see; it begins with " or ".
func (s *scoped) reviewsSQL(r string) string {
	if s.kind != "Task" || len(s.Reviews) == 0 {
		return ``
	}
	return ` or ` + r + `.id = any(` + s.place(reviewsParameter, texts(s.Reviews), "::text[]") + `)`
}

// consentsSQL gives, under the name r, every Consent that a question which names nobody may reach: what is the
// party's own, what a grant names, and what binds records of those whom the party has a Patient of.
func (q *query) consentsSQL() string {
	each := q.Consents.Each
	ways := []string{
		`select o.rid from resource o where o.type = 'Consent' and (o.custodian = ` + q.own() + ` or o.custodian = any(` + q.args.bind(texts(q.Consents.Registrars)) + `::text[]))`,
		`select o.rid from resource p join grant_ g on g.person = p.person join resource o on o.type = 'Consent' and o.id = g.consent
    where p.type = 'Patient' and p.custodian = any(` + q.args.bind(texts(each.Holders)) + `::text[])`,
		`select o.rid from fetched f join resource o on o.rid = f.rid and o.type = 'Consent' where f.party = ` + q.own(),
	}
	if len(each.Recipients) > 0 {
		ways = append(ways, `select o.rid from grant_ g join resource o on o.type = 'Consent' and o.id = g.consent where g.recipients && `+
			q.args.bind(texts(each.Recipients))+`::text[]`)
	}
	if len(each.Parties) > 0 {
		ways = append(ways, `select o.rid from grant_ g join resource o on o.type = 'Consent' and o.id = g.consent where exists (
    select 1 from unnest(g.recipients) as k(key) where split_part(regexp_replace(k.key, '^.*/', ''), ':', 2) = any(`+q.args.bind(texts(each.Parties))+`::text[]))`)
	}
	return `(` + strings.Join(ways, `
  union `) + `) n
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.rid = n.rid offset 0) r`
}

// reviewedSQL gives, under the name r, the Tasks that compliance is to see.
func (q *query) reviewedSQL() string {
	return `(select distinct i.id from unnest(` + q.args.bind(texts(q.Reviews)) + `::text[]) as i(id)) n
cross join lateral (select r.* from ` + sourceSQL(q.kind) + ` where r.type = ` + q.typed() + ` and r.id = n.id offset 0) r`
}

const reviewsSQL = `select w.task from review w where w.party = any($1::text[]) order by w.at desc limit $2`

// Reviews lists Tasks that ask for a review of accesses by the parties, the latest first.
func (v *view) Reviews(ctx context.Context, parties []gateway.HERID, limit int) ([]fhir.ID, error) {
	const op = "postgres.reviews"
	return collected(ctx, v, op, reviewsSQL, []any{texts(parties), limit}, pgx.RowTo[fhir.ID])
}
