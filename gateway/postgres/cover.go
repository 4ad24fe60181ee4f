package postgres

import "strconv"

// fewTerms is how many terms a statement about one record writes out. Each number of them is a
// statement of its own, of which a connection keeps the plan.
const fewTerms = 4

// coverOneSQL is coverSQL for a statement about one record, and gives the same. A few terms are written
// out, each a row of its own: to fetch one record takes less than to make a table of the terms and
// to sum over it.
func (s *scoped) coverOneSQL(r, c string) string {
	rows := termsFor(s.Scope, s.kind)
	if s.Join != nil || len(rows.mask) > fewTerms {
		return s.coverBySQL(r, c, s.termRowsSQL())
	}
	at := c + "_at"
	sql := `
cross join lateral (select array_position(` + r + `.sent_to, ` + s.own() + `) as place) ` + at
	permitted, denied := `0::bigint`, `0::bigint`
	for i := range rows.mask {
		t := c + "_t" + strconv.Itoa(i)
		sql += `
cross join (select ` + s.args.bind(rows.allow[i]) + `::bool as allow, ` + s.args.bind(rows.sent[i]) + `::bool as sent, ` +
			s.args.bind(rows.custodian[i]) + `::text as custodian, ` + s.args.bind(rows.item[i]) + `::text as item, ` +
			s.args.bind(rows.low[i]) + `::timestamptz as low, ` + s.args.bind(rows.high[i]) + `::timestamptz as high, ` +
			s.args.bind(rows.mask[i]) + `::bigint as mask) ` + t
		touches := t + `.sent = (` + at + `.place is not null)
    and (` + t + `.custodian is null or ` + t + `.custodian = ` + r + `.custodian)
    and ` + s.itemSQL(t, r) + `
    and ` + touchSQL(t, r)
		permitted += ` | case when ` + t + `.allow and ` + touches + ` then ` + t + `.mask else 0 end`
		denied += ` | case when not ` + t + `.allow and ` + touches + ` then ` + t + `.mask else 0 end`
	}
	return sql + `
cross join lateral (select (` + permitted + `) & ~(` + denied + `) & coalesce(` + r + `.sent_mask[` + at + `.place], ` +
		allLabels + `) as covered) ` + c
}
