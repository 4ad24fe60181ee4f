package postgres

import (
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// binaryType is the type whose type and id, for grants, are those of the record that holds it. Of a row of
// it context_type and context_id name that record, when it is there (sourceSQL).
const binaryType = fhir.Type("Binary")

// heldItems gives the items of a term for Binaries: what it says of types before the bar, of items
// behind it. An asterisk is any.
func heldItems(term *gateway.Term) []*string {
	types, items := []string{"*"}, []string{"*"}
	if !term.Types.Any {
		types = nil
		for _, t := range term.Types.Of {
			types = append(types, string(t))
		}
	}
	if !term.Items.Any {
		items = nil
		for _, i := range term.Items.Of {
			items = append(items, i.String())
		}
	}
	var out []*string
	for _, t := range types {
		for _, i := range items {
			both := t + "|" + i
			out = append(out, &both)
		}
	}
	return out
}

// heldNamesSQL gives the arrays of types and of items by which a grant names Binary r: those of its
// holder, and for a deny its own and both together (gateway.HeldType).
func heldNamesSQL(allow, r string) (types, items string) {
	kind, id := r+`.context_type`, r+`.context_id`
	holder := kind + ` || '/' || ` + id
	return `case when ` + allow + ` then array[` + kind + `] else array[` + kind + `, 'Binary', 'Binary ' || ` + kind + `] end`,
		`case when ` + allow + ` then array[` + holder + `] else array[` + holder + `, 'Binary/' || ` + r + `.id, 'Binary ' || ` + holder + ` || ' ' || ` + r + `.id] end`
}

// itemSQL tells whether term t is about row r.
func (s *scoped) itemSQL(t, r string) string {
	if s.kind != binaryType {
		return `(` + t + `.item is null or ` + t + `.item = ` + r + `.id)`
	}
	types, items := heldNamesSQL(t+".allow", r)
	return `(split_part(` + t + `.item, '|', 1) = any(array['*'] || ` + types + `) and split_part(` + t + `.item, '|', 2) = any(array['*'] || ` + items + `))`
}

// namesSQL tells whether types and items of grant g have row r.
func (s *scoped) namesSQL(g, r string) string {
	if s.kind != binaryType {
		return `(` + g + `.types is null or ` + s.typed() + ` = any(` + g + `.types))
    and (` + g + `.items is null or ` + s.typed() + ` || '/' || ` + r + `.id = any(` + g + `.items))`
	}
	types, items := heldNamesSQL(g+".allow", r)
	return `(` + g + `.types is null or ` + g + `.types && (` + types + `))
    and (` + g + `.items is null or ` + g + `.items && (` + items + `))`
}

// crossesSQL tells whether row r is of a type that crosses at all.
func (s *scoped) crossesSQL(r string) string {
	if s.kind != binaryType {
		return s.crosses()
	}
	return `(` + r + `.context_type <> all(` + s.place(crossesParameter, texts(s.Except), "::text[]") + `)) is true`
}
