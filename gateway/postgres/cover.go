package postgres

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// fewTerms is how many terms a statement about one record writes out. Each shape of them is a
// statement of its own, of which a connection keeps the plan.
const fewTerms = 4

// coverOneSQL is coverSQL for a statement about one record, row r under alias c, and gives the same. A few terms are written
// out, each with what it asks and nothing else: to fetch one record takes less than to make a table
// of the terms and to sum over it.
func (s *scoped) coverOneSQL() string {
	const r, c = "r", "c"
	rows := termsFor(s.Scope, s.kind)
	if s.Join != nil || len(rows.mask) > fewTerms || s.byKind() || s.kind == binaryType {
		return s.coverBySQL(r, c, s.termRowsSQL())
	}
	at := c + "_at"
	permitted, denied := `0::bigint`, `0::bigint`
	for i := range rows.mask {
		holds := s.args.bind(rows.mask[i]) + `::bigint`
		touches := s.touchesOneSQL(&rows, i, r, at+`.place`)
		if holds = ` | case when ` + touches + ` then ` + holds + ` else 0 end`; rows.allow[i] {
			permitted += holds
		} else {
			denied += holds
		}
	}
	return `
cross join lateral (select array_position(` + r + `.sent_to, ` + s.own() + `) as place) ` + at + `
cross join lateral (select (` + permitted + `) & ~(` + denied + `) & coalesce(` + r + `.sent_mask[` + at + `.place], ` +
		allLabels + `)` + s.emergencySQL() + ` as covered) ` + c
}

// touchesOneSQL tells whether term i touches row r, whose place among the receivers of messages is given.
func (s *scoped) touchesOneSQL(rows *terms, i int, r, place string) string {
	asks := []string{place + ` is null`}
	if rows.sent[i] {
		asks[0] = place + ` is not null`
	}
	if v := rows.custodian[i]; v != nil {
		asks = append(asks, r+`.custodian = `+s.args.bind(*v)+`::text`)
	}
	if v := rows.item[i]; v != nil {
		asks = append(asks, r+`.id = `+s.args.bind(*v)+`::text`)
	}
	low, high := rows.low[i], rows.high[i]
	if low.InfinityModifier == pgtype.NegativeInfinity && high.InfinityModifier == pgtype.NegativeInfinity {
		return strings.Join(asks, ` and `)
	}
	bounds := []string{}
	bound := func(v pgtype.Timestamptz, allow, deny string) {
		if v.InfinityModifier == pgtype.NegativeInfinity {
			return
		}
		compare := deny
		if rows.allow[i] {
			compare = allow
		}
		bounds = append(bounds, r+compare+s.args.bind(v)+`::timestamptz`)
	}
	bound(low, `.low >= `, `.high > `)
	bound(high, `.high <= `, `.low < `)
	within := strings.Join(bounds, ` and `)
	undated := `(` + r + `.low = '-infinity' and ` + r + `.high = '-infinity')`
	if rows.allow[i] {
		return strings.Join(append(asks, `not `+undated, within), ` and `)
	}
	return strings.Join(append(asks, `(`+undated+` or `+within+`)`), ` and `)
}

// releasesOneSQL is releasesSQL for a statement about one record, for what a named person reads: what the scope
// does not have is not asked. It releases nothing that releasesSQL does not.
func (s *scoped) releasesOneSQL(r, c, f string) string {
	var ways, crossing []string
	if s.Own != "" && !(s.Self && s.Person == 0) {
		own := keptBySQL(r, s.own())
		if s.Self {
			own += ` and ` + r + `.person = ` + s.person()
		}
		ways = append(ways, own)
	}
	if s.Fetched {
		crossing = append(crossing, f+`.mask <> 0`)
	}
	if s.kind == binaryType || !slices.Contains(s.Except, s.kind) {
		covered := r + `.labels <> 0 and ` + r + `.labels & ~` + c + `.covered = 0`
		if s.kind == binaryType {
			covered = s.coveredSQL(r, c)
		}
		crossing = append(crossing, covered)
	}
	if len(crossing) > 0 {
		about := r + `.person is not null`
		if s.Person != 0 {
			about = r + `.person = ` + s.person()
		}
		ways = append(ways, about+` and (`+strings.Join(crossing, ` or `)+`)`)
	}
	if len(ways) == 0 {
		return `false`
	}
	return `(` + strings.Join(ways, ` or `) + `)`
}
