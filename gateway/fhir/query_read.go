package fhir

import (
	"net/url"
	"slices"
	"strings"
)

// queryReader reads one query.
type queryReader struct {
	config QueryConfig
	query  *Query
	seen   map[string]bool
	canon  []string
	issues []Issue
	left   []Issue
}

// ParseQuery reads the parameters of a search in one type, or in the system when t is "": then
// _type names the types, and every parameter must exist in each of them with one meaning. All that
// is wrong is told at once: the error is *Error, each issue with the parameter as expression. left
// tells what was left out because the config is lenient.
func ParseQuery(t Type, params []Parameter, config QueryConfig) (q Query, left []Issue, err error) {
	if config.Types == nil {
		config.Types = searchable
	}
	q = Query{Count: DefaultCount}
	r := &queryReader{config: config, query: &q, seen: map[string]bool{}}
	if len(params) > MaxParameters {
		return Query{}, nil, &Error{Issues: []Issue{r.fault(Parameter{}, QueryTooMany, itoa(MaxParameters), itoa(MaxAlternatives))}}
	}
	if t != "" {
		q.Types = []Type{t}
	} else {
		r.types(params)
	}
	for _, p := range params {
		if len(q.Types) > 0 {
			r.read(t, p)
		}
	}
	if q.Summary != SummaryNone && len(q.Elements) > 0 {
		r.refuse(Parameter{Name: "_elements"}, QueryCombination, "_elements", "_summary")
	}
	if len(r.issues) > 0 {
		return Query{}, nil, &Error{Issues: r.issues}
	}
	slices.Sort(r.canon)
	q.Canonical = strings.Join(slices.Compact(r.canon), "&")
	return q, r.left, nil
}

// fault gives an issue about a parameter. Its value is never told: it may be about a person.
func (r *queryReader) fault(p Parameter, code string, args ...string) Issue {
	kind := IssueValue
	switch code {
	case QueryParameterUnknown, QueryModifierUnknown, QueryChainParameter, QueryInclude:
		kind = IssueNotSupported
	case QueryTooMany, QueryChainDepth, QueryIncludeMany, QueryValueSetLarge:
		kind = IssueTooCostly
	}
	return Issue{Severity: SeverityError, Type: kind, Code: code, Expression: p.expression(), Args: args}
}

func (r *queryReader) refuse(p Parameter, code string, args ...string) {
	r.issues = append(r.issues, r.fault(p, code, args...))
}

// expression names the parameter when its name looks like one: a client may put anything there.
func (p Parameter) expression() string {
	if p.Name == "" || len(p.Name) > 80 || ContainsNIN(p.Name) || strings.ContainsFunc(p.Name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.' || c == ':')
	}) {
		return "http.parameter"
	}
	return "http." + p.Name
}

// unknown is refused, or left out and told.
func (r *queryReader) unknown(p Parameter, i Issue) {
	if !r.config.Lenient {
		r.issues = append(r.issues, i)
		return
	}
	r.left = append(r.left, Issue{Severity: SeverityWarning, Type: IssueNotSupported, Code: QueryLeftOut, Expression: p.expression()})
}

// types reads _type of a search of the system.
func (r *queryReader) types(params []Parameter) {
	for _, p := range params {
		if p.Name != "_type" {
			continue
		}
		for name := range strings.SplitSeq(p.Value, ",") {
			if !slices.Contains(r.config.Types, Type(name)) {
				r.refuse(p, QueryType, typeNames(r.config.Types))
				return
			}
			if !slices.Contains(r.query.Types, Type(name)) {
				r.query.Types = append(r.query.Types, Type(name))
			}
		}
	}
	slices.Sort(r.query.Types)
	if len(r.query.Types) == 0 {
		r.refuse(Parameter{Name: "_type"}, QueryTypeRequired)
	}
}

// ignored are the parameters that others read.
var ignored = map[string]bool{"_format": true, "_pretty": true}

func (r *queryReader) read(t Type, p Parameter) {
	if ignored[p.Name] {
		return
	}
	base, _, _ := strings.Cut(p.Name, ":")
	if t == "" && p.Name == "_type" {
		if r.seen[p.Name] {
			r.refuse(p, QueryRepeated)
		}
		r.seen[p.Name] = true
		r.remember(p.Name, strings.ReplaceAll(typeNames(r.query.Types), ", ", ","))
		return
	}
	if control := controls[base]; control != nil {
		if p.Value == "" {
			r.refuse(p, QueryValueEmpty)
			return
		}
		control(r, p)
		return
	}
	r.criterion(p)
}

// remember keeps a parameter for the normal form.
func (r *queryReader) remember(name, value string) {
	r.canon = append(r.canon, name+"="+url.QueryEscape(value))
}

// criterion reads a parameter that narrows the search.
func (r *queryReader) criterion(p Parameter) {
	c := Criterion{Name: p.Name}
	for _, t := range r.query.Types {
		ways, modifier, fault := r.name(t, p, p.Name, nil)
		if fault != nil {
			if fault.Code == QueryParameterUnknown || fault.Code == QueryModifierUnknown {
				r.unknown(p, *fault)
			} else {
				r.issues = append(r.issues, *fault)
			}
			return
		}
		if len(ways) > MaxWays {
			r.refuse(p, QueryChainAmbiguous)
			return
		}
		for i := range ways {
			ways[i].From = t
		}
		c.Ways, c.Modifier = append(c.Ways, ways...), modifier
	}
	for _, w := range c.Ways[1:] {
		if w.Param.Type != c.Ways[0].Param.Type || !slices.Equal(w.Param.Components, c.Ways[0].Param.Components) {
			r.refuse(p, QueryChainAmbiguous)
			return
		}
	}
	for _, w := range c.Ways {
		if !w.Param.Allows(c.Modifier) {
			r.unknown(p, r.fault(p, QueryModifierUnknown, w.Param.Name, modifierNames(w.Param)))
			return
		}
	}
	r.values(p, &c)
}

// name reads a name: a chain, _has, or a parameter and its modifier. hops are those gone already.
func (r *queryReader) name(t Type, p Parameter, name string, hops []Hop) ([]Way, Modifier, *Issue) {
	fail := func(code string, args ...string) ([]Way, Modifier, *Issue) {
		i := r.fault(p, code, args...)
		return nil, "", &i
	}
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		f := strings.SplitN(rest, ":", 3)
		if len(f) < 3 || f[2] == "" {
			return fail(QueryHas)
		}
		other := Type(f[0])
		if !slices.Contains(r.config.Types, other) {
			return fail(QueryType, typeNames(r.config.Types))
		}
		param := SearchParameterOf(other, f[1])
		if param == nil || !slices.Contains(param.Chains, t) {
			return fail(QueryHasReference, string(other), string(t), referencesTo(other, t))
		}
		return r.onward(p, f[2], append(hops[:len(hops):len(hops)], Hop{Param: param, Reverse: true, From: t, To: other}))
	}
	head, rest, chained := strings.Cut(name, ".")
	base, modifier, _ := strings.Cut(head, ":")
	param := SearchParameterOf(t, base)
	if param == nil {
		return fail(QueryParameterUnknown, string(t), parameterNames(t))
	}
	if !chained {
		if strings.HasSuffix(head, ":") || modifier == string(ModifierType) {
			return fail(QueryModifierUnknown, param.Name, modifierNames(param))
		}
		return []Way{{Hops: hops, Param: param}}, Modifier(modifier), nil
	}
	if len(param.Chains) == 0 {
		return fail(QueryChainReference, param.Name)
	}
	targets := param.Chains
	if modifier != "" || strings.HasSuffix(head, ":") {
		if !slices.Contains(param.Chains, Type(modifier)) {
			return fail(QueryChainType, param.Name, typeNames(param.Chains))
		}
		targets = []Type{Type(modifier)}
	}
	return r.chain(t, p, param, targets, rest, hops)
}

// chain goes on to each type that the reference may point at, and keeps the ways that lead on.
func (r *queryReader) chain(t Type, p Parameter, param *SearchParameter, targets []Type, rest string, hops []Hop) ([]Way, Modifier, *Issue) {
	var (
		ways     []Way
		modifier Modifier
		first    *Issue
	)
	for _, target := range targets {
		if !slices.Contains(r.config.Types, target) {
			continue
		}
		more, m, fault := r.onward(p, rest, append(hops[:len(hops):len(hops)], Hop{Param: param, From: t, To: target}))
		if fault != nil {
			if first == nil || fault.Code == QueryChainDepth {
				first = fault
			}
			continue
		}
		ways, modifier = append(ways, more...), m
	}
	if len(ways) > 0 {
		return ways, modifier, nil
	}
	if first != nil && (len(targets) == 1 || first.Code == QueryChainDepth) {
		return nil, "", first
	}
	i := r.fault(p, QueryChainParameter, param.Name, typeNames(targets))
	return nil, "", &i
}

func (r *queryReader) onward(p Parameter, rest string, hops []Hop) ([]Way, Modifier, *Issue) {
	if len(hops) > MaxChain {
		i := r.fault(p, QueryChainDepth, itoa(MaxChain))
		return nil, "", &i
	}
	return r.name(hops[len(hops)-1].To, p, rest, hops)
}

// parameterNames lists the parameters of a type for a message.
func parameterNames(t Type) string {
	list := SearchParameters(t)
	names := make([]string, 0, len(list))
	for i := range list {
		names = append(names, list[i].Name)
	}
	return strings.Join(names, ", ")
}

func typeNames(list []Type) string {
	names := make([]string, 0, len(list))
	for _, t := range list {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// modifierNames lists the modifiers of a parameter for a message; "–" when it has none.
func modifierNames(p *SearchParameter) string {
	var names []string
	for _, m := range p.Modifiers {
		if m == ModifierType {
			names = append(names, typeNames(p.Chains))
			continue
		}
		names = append(names, string(m))
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}

// referencesTo lists the parameters of a type that may point at another.
func referencesTo(t, target Type) string {
	var names []string
	list := SearchParameters(t)
	for i := range list {
		if slices.Contains(list[i].Chains, target) {
			names = append(names, list[i].Name)
		}
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}
