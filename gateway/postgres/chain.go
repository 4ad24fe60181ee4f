package postgres

import (
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// at gives the scope for resources of another type that the statement goes over: its terms are a
// common table of their own.
func (q *query) at(kind fhir.Type) *scoped {
	if kind == q.kind {
		return q.scoped
	}
	if q.others == nil {
		q.others = make(map[fhir.Type]*scoped)
	}
	s := q.others[kind]
	if s == nil {
		scope := q.Scope
		scope.Directory = true // which everybody reads, whatever else the question may reach
		s = newScoped(scope, kind, q.args)
		s.table = "term_" + strings.ToLower(string(kind))
		q.others[kind] = s
		if !gateway.IsDirectory(kind) {
			q.with += `,
` + s.termSQL()
		}
	}
	return s
}

// everything is what a party sees of its own: all labels, and what never crosses.
const everything = `(-1)::bigint`

// seenSQL is what the requester sees of the parts of row r, which it may read.
func (s *scoped) seenSQL(r, c, f string) string {
	if gateway.IsDirectory(s.kind) {
		return everything
	}
	return `(case when ` + s.ownsSQL(r) + ` then ` + everything + ` when ` + s.fetchedSQL(f) + ` then ` + f + `.mask | ` + s.openSQL(r) + ` else ` + c + `.covered | ` + s.openSQL(r) + ` end)`
}

// visibleSQL reads rows x of a type from a source, inside the scope: the one way by which a
// statement goes to another resource. where is given what the requester sees of the row.
func (q *query) visibleSQL(s *scoped, x, from string, where func(frame) string) string {
	f, c := x+"_f", x+"_c"
	sql := `from ` + from
	if !gateway.IsDirectory(s.kind) {
		sql += s.fetchSQL(x, x, f) + s.coverSQL(x, c)
	}
	return sql + `
  where ` + x + `.type = ` + s.typed() + ` and not ` + x + `.deleted and ` + s.releasesSQL(x, c, f) + `
    and ` + where(frame{q: q, s: s, r: x, seen: s.seenSQL(x, c, f)})
}

// waySQL follows the references of a way and compares at its end.
func (f frame) waySQL(c *fhir.Criterion, hops []fhir.Hop, p *fhir.SearchParameter) string {
	if len(hops) == 0 {
		return f.leafSQL(c, p)
	}
	hop, s, x := hops[0], f.q.at(hops[0].To), f.q.alias("x")
	onward := func(to frame) string { return to.waySQL(c, hops[1:], p) }
	if hop.Reverse {
		return f.pointedSQL(hop, s, x, onward)
	}
	return `exists (select 1 ` + f.q.visibleSQL(s, x, f.targetsSQL(hop, s, x), onward) + `)`
}

func (f frame) links(t fhir.Type, p *fhir.SearchParameter) string {
	var out []int64
	for _, key := range p.Keys {
		out = append(out, f.q.keys.link(string(t), key))
	}
	return f.bind(out) + `::bigint[]`
}

// targetsSQL gives the rows x that the row may point at: every hash of the row is tried as one made
// in the places of the parameter, since a reference is self # link.
func (f frame) targetsSQL(hop fhir.Hop, s *scoped, x string) string {
	tok := f.r + `.tok`
	if f.seen != "" {
		tok = `case when ` + f.r + `.present >= 0 then ` + f.r + `.tok else ` + f.r + `.tok || array(select v.tok from part_value v where v.rid = ` + f.r + `.rid and ` + f.visible("v") + `) end`
	}
	return `unnest(` + tok + `) as ` + x + `_u(h) cross join unnest(` + f.links(f.s.kind, hop.Param) + `) as ` + x + `_k(k)
  cross join lateral (select o.* from ` + sourceAs(s.kind, "o") + ` where o.self = ` + x + `_u.h # ` + x + `_k.k offset 0) ` + x
}

// pointedSQL tells whether a resource points at the row (_has).
func (f frame) pointedSQL(hop fhir.Hop, s *scoped, x string, onward func(frame) string) string {
	hashes := `array(select ` + f.r + `.self # k.k from unnest(` + f.links(s.kind, hop.Param) + `) as k(k))`
	from := `(select o.* from ` + sourceAs(s.kind, "o") + ` where o.tok && ` + hashes + `
    union all
    select o.* from part_value v cross join lateral (select o.* from ` + sourceAs(s.kind, "o") + ` where o.rid = v.rid offset 0) o where v.tok = any(` + hashes + `)
    offset 0) ` + x
	return `exists (select 1 ` + f.q.visibleSQL(s, x, from, func(to frame) string {
		points := to.orInPart(x+`.tok && `+hashes, func() string { return `v.tok = any(` + hashes + `)` })
		return points + ` and ` + onward(to)
	}) + `)`
}

// listedSQL tells whether the row is an item of one of the lists (R4 search.html#list).
func (f frame) listedSQL(lists []fhir.ID) string {
	item := fhir.SearchParameterOf("List", "item")
	if item == nil {
		return `false`
	}
	s, x := f.q.at("List"), f.q.alias("x")
	ids := make([]string, 0, len(lists))
	for _, id := range lists {
		ids = append(ids, string(id))
	}
	hashes := `array(select ` + f.r + `.self # k.k from unnest(` + f.links("List", item) + `) as k(k))`
	from := `(select o.* from resource o where o.type = 'List' and o.id = any(` + f.bind(ids) + `::text[]) offset 0) ` + x
	return `exists (select 1 ` + f.q.visibleSQL(s, x, from, func(to frame) string {
		return to.orInPart(x+`.tok && `+hashes, func() string { return `v.tok = any(` + hashes + `)` })
	}) + `)`
}
