package fhir

import (
	"slices"
	"strconv"
	"strings"
)

// controls read the parameters that say how to answer (R4 search.html#return). It is filled in by
// init, since the readers refer back to it.
var controls map[string]func(*queryReader, Parameter)

func init() {
	controls = map[string]func(*queryReader, Parameter){
		"_count":      once((*queryReader).count),
		"_page":       once(func(r *queryReader, p Parameter) { r.query.Page = p.Value }),
		"_sort":       once((*queryReader).sort),
		"_summary":    once((*queryReader).summary),
		"_elements":   once((*queryReader).elements),
		"_total":      once((*queryReader).total),
		"_include":    (*queryReader).include,
		"_revinclude": (*queryReader).include,
		"_list":       (*queryReader).list,
	}
}

// once reads a parameter that has no modifier and may stand only once.
func once(read func(*queryReader, Parameter)) func(*queryReader, Parameter) {
	return func(r *queryReader, p Parameter) {
		name, _, modified := strings.Cut(p.Name, ":")
		switch {
		case modified:
			r.refuse(p, QueryModifierUnknown, name, "–")
		case r.seen[name]:
			r.refuse(p, QueryRepeated)
		default:
			r.seen[name] = true
			read(r, p)
		}
	}
}

// count reads _count. More than MaxCount is MaxCount: R4 lets the server give less than asked.
func (r *queryReader) count(p Parameter) {
	n, err := strconv.Atoi(p.Value)
	if err != nil || n < 0 || p.Value[0] == '+' {
		r.refuse(p, QueryCount, itoa(MaxCount))
		return
	}
	r.query.Count = min(n, MaxCount)
}

func (r *queryReader) summary(p Parameter) {
	switch s := Summary(p.Value); s {
	case "false":
	case SummaryTrue, SummaryText, SummaryData, SummaryCount:
		r.query.Summary = s
		r.remember(p.Name, p.Value)
	default:
		r.refuse(p, QuerySummary)
	}
}

func (r *queryReader) total(p Parameter) {
	switch t := Total(p.Value); t {
	case TotalNone, TotalEstimate, TotalAccurate:
		r.query.Total = t
	default:
		r.refuse(p, QueryTotal)
	}
}

// elements reads _elements: names at the first level of a type that is searched.
func (r *queryReader) elements(p Parameter) {
	var names []string
	for name := range strings.SplitSeq(p.Value, ",") {
		known := false
		for _, t := range r.query.Types {
			known = known || hasElement(tables().structures[string(t)], name)
		}
		if !known {
			r.refuse(p, QueryElements, typeNames(r.query.Types))
			return
		}
		names = append(names, name)
	}
	slices.Sort(names)
	r.query.Elements = slices.Compact(names)
	r.remember(p.Name, strings.Join(r.query.Elements, ","))
}

// hasElement tells whether a type has an element: a choice by its own name or that of a member.
func hasElement(s *structure, name string) bool {
	if s.slots[name] != nil {
		return true
	}
	base := strings.TrimSuffix(name, "[x]")
	for _, slot := range s.slots {
		if slot.element.choice && slot.element.name == base {
			return true
		}
	}
	return false
}

// sort reads _sort: names with values in an order, the same in each type searched.
func (r *queryReader) sort(p Parameter) {
	keys := strings.Split(p.Value, ",")
	if len(keys) > MaxSortKeys {
		r.refuse(p, QuerySort, itoa(MaxSortKeys), sortNames(r.query.Types))
		return
	}
	seen := map[string]bool{}
	for _, key := range keys {
		name, down := strings.CutPrefix(key, "-")
		param := sortable(r.query.Types, name)
		if param == nil && !seen[name] && slices.ContainsFunc(r.query.Types, func(t Type) bool {
			own := SearchParameterOf(t, name)
			return own != nil && own.Parted
		}) {
			r.refuse(p, QuerySortPart, name, sortNames(r.query.Types))
			return
		}
		if param == nil || seen[name] {
			r.refuse(p, QuerySort, itoa(MaxSortKeys), sortNames(r.query.Types))
			return
		}
		seen[name] = true
		r.query.Sort = append(r.query.Sort, SortKey{Param: param, Descending: down})
	}
	r.remember(p.Name, p.Value)
}

// sortable gives the parameter of the first type, when every type has one of the name and they are
// of one type.
func sortable(types []Type, name string) *SearchParameter {
	first := SearchParameterOf(types[0], name)
	for _, t := range types {
		p := SearchParameterOf(t, name)
		if p == nil || !p.Sortable || p.Type != first.Type {
			return nil
		}
	}
	return first
}

func sortNames(types []Type) string {
	var names []string
	list := SearchParameters(types[0])
	for i := range list {
		if sortable(types, list[i].Name) != nil {
			names = append(names, list[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

// include reads _include and _revinclude: Type:parameter, or Type:parameter:Target.
func (r *queryReader) include(p Parameter) {
	name, modifier, modified := strings.Cut(p.Name, ":")
	if modified && modifier != "iterate" {
		r.refuse(p, QueryModifierUnknown, name, "iterate")
		return
	}
	f := strings.Split(p.Value, ":")
	if len(f) != 2 && len(f) != 3 || !slices.Contains(r.config.Types, Type(f[0])) {
		r.refuse(p, QueryIncludeForm)
		return
	}
	i := Include{Reverse: name == "_revinclude", Iterate: modified, Param: SearchParameterOf(Type(f[0]), f[1])}
	if i.Param == nil || i.Param.Include == "" {
		r.refuse(p, QueryInclude, f[0], includeNames(Type(f[0])))
		return
	}
	if len(f) == 3 {
		i.Target = Type(f[2])
		if !slices.Contains(i.Param.Chains, i.Target) {
			r.refuse(p, QueryIncludeTarget, i.Param.Include, typeNames(i.Param.Chains))
			return
		}
	}
	if !i.Iterate && !r.leads(i) {
		r.refuse(p, QueryIncludeLost, typeNames(r.query.Types))
		return
	}
	if len(r.query.Includes) == MaxIncludes {
		r.refuse(p, QueryIncludeMany, itoa(MaxIncludes))
		return
	}
	r.query.Includes = append(r.query.Includes, i)
	r.remember(p.Name, p.Value)
}

// leads tells whether an include can begin at what is searched.
func (r *queryReader) leads(i Include) bool {
	if !i.Reverse {
		return slices.Contains(r.query.Types, i.Param.Base)
	}
	return slices.ContainsFunc(r.query.Types, func(t Type) bool {
		return slices.Contains(i.Param.Chains, t) && (i.Target == "" || i.Target == t)
	})
}

func includeNames(t Type) string {
	var names []string
	list := SearchParameters(t)
	for i := range list {
		if list[i].Include != "" {
			names = append(names, list[i].Include)
		}
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}

// list reads _list: ids of List resources (R4 search.html#list). The lists that R4 names by "$" are
// not kept here.
func (r *queryReader) list(p Parameter) {
	c := Criterion{Name: p.Name}
	ids := strings.Split(p.Value, ",")
	if strings.Contains(p.Name, ":") {
		r.refuse(p, QueryModifierUnknown, "_list", "–")
		return
	}
	if len(ids) > MaxAlternatives {
		r.refuse(p, QueryTooMany, itoa(MaxParameters), itoa(MaxAlternatives))
		return
	}
	for _, id := range ids {
		id = strings.TrimPrefix(id, "List/")
		if !validID(id) {
			r.refuse(p, QueryList)
			return
		}
		c.Lists = append(c.Lists, ID(id))
	}
	slices.Sort(c.Lists)
	r.query.Criteria = append(r.query.Criteria, c)
	r.remember(p.Name, strings.Join(ids, ","))
}
