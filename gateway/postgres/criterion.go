package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// frame is one resource in a statement: the row under alias r, read inside the scope of s. seen is
// the SQL of what the requester may see of its parts; "" looks at nothing inside parts.
type frame struct {
	q    *query
	s    *scoped
	r    string
	seen string
}

func (f frame) bind(v any) string { return f.q.args.bind(v) }
func (f frame) kind() string      { return string(f.s.kind) }

// visible tells whether value v, of a side table, may be looked at.
func (f frame) visible(v string) string {
	if f.seen == "" {
		return v + `.mask = 0`
	}
	return `(` + v + `.mask = 0 or ` + v + `.mask & ~` + f.seen + ` = 0)`
}

// sql tells whether the criterion holds of the row: by any of the ways that begin at its type.
func (f frame) sql(c *fhir.Criterion) string {
	if len(c.Lists) > 0 {
		return f.listedSQL(c.Lists)
	}
	var alternatives []string
	for i := range c.Ways {
		if w := &c.Ways[i]; w.From == f.s.kind {
			alternatives = append(alternatives, f.waySQL(c, w.Hops, w.Param))
		}
	}
	return either(alternatives)
}

func either(list []string) string {
	switch len(list) {
	case 0:
		return `false`
	case 1:
		return list[0]
	}
	return `(` + strings.Join(list, ` or `) + `)`
}

// leafSQL compares the values of a parameter of the row itself.
func (f frame) leafSQL(c *fhir.Criterion, p *fhir.SearchParameter) string {
	if c.Missing != "" {
		has := f.presentSQL(p)
		if c.Missing == "true" {
			return `not ` + has
		}
		return has
	}
	sql := f.valuesSQL(c, p)
	if c.Negate {
		return `not coalesce(` + sql + `, false)`
	}
	return sql
}

// presentSQL tells whether the parameter has a value that may be looked at.
func (f frame) presentSQL(p *fhir.SearchParameter) string {
	switch p.Name {
	case "_id", "_lastUpdated":
		return `true`
	case "_security":
		if gateway.IsDirectory(f.s.kind) { // labels are for records
			return `false`
		}
		return `(` + f.r + `.labels <> 0)`
	}
	bit := f.bind(int64(1)<<p.Ordinal) + `::bigint`
	return f.orInPart(`(`+f.r+`.present & `+bit+` <> 0)`, func() string {
		return `v.tok = ` + f.bind(f.q.keys.presence(f.kind(), p.Ordinal)) + `::bigint`
	})
}

// orInPart adds what a visible part of the row may hold.
func (f frame) orInPart(sql string, match func() string) string {
	if f.seen == "" {
		return `(` + sql + `) is true`
	}
	return `((` + sql + `) is true or (` + f.r + `.present < 0 and exists (select 1 from part_value v where v.rid = ` + f.r + `.rid and ` + match() + ` and ` + f.visible("v") + `)))`
}

// hasSQL tells whether the row has one of the hashes.
func (f frame) hasSQL(tok, mark []int64) string {
	var alternatives []string
	if len(tok) > 0 {
		alternatives = append(alternatives, f.r+`.tok && `+f.bind(tok)+`::bigint[]`)
	}
	if len(mark) > 0 {
		alternatives = append(alternatives, f.r+`.mark && `+f.bind(mark)+`::bigint[]`)
	}
	if len(alternatives) == 0 {
		return `false`
	}
	return f.orInPart(strings.Join(alternatives, ` or `), func() string {
		return `v.tok = any(` + f.bind(slices.Concat(tok, mark)) + `::bigint[])`
	})
}

func (f frame) valuesSQL(c *fhir.Criterion, p *fhir.SearchParameter) string {
	switch {
	case p.Name == "_id":
		return f.r + `.id = any(` + f.bind(idsOf(c.Values)) + `::text[])`
	case p.Name == "_lastUpdated":
		return f.q.datesSQL(c.Values, f.r+`.updated`, `(`+f.r+`.updated + interval '1 microsecond')`)
	case p.Name == "_security":
		return f.labelsSQL(c)
	case c.Modifier == fhir.ModifierText:
		return f.wordsSQL(c, p)
	case p.Type == fhir.Composite:
		return f.pairsSQL(c, p)
	}
	if tok, mark, ok := f.q.keys.hashes(f.s.kind, c, p); ok {
		return f.hasSQL(tok, mark)
	}
	switch p.Type {
	case fhir.StringParam:
		return f.textsSQL(c, f.places(p))
	case fhir.Date:
		return f.dateSQL(c, p)
	}
	return f.amountsSQL(c.Values, f.places(p))
}

// places are the hashes of the places that a parameter looks at.
func (f frame) places(p *fhir.SearchParameter) []int64 {
	out := make([]int64, 0, len(p.Keys))
	for _, key := range p.Keys {
		out = append(out, f.q.keys.place(f.kind(), key))
	}
	return out
}

// labelsSQL compares the labels of the record itself, which are seen with it.
func (f frame) labelsSQL(c *fhir.Criterion) string {
	if gateway.IsDirectory(f.s.kind) {
		return `false`
	}
	var mask gateway.Labels
	for _, v := range c.Values {
		switch {
		case v.System != gateway.LabelSystem && !v.AnySystem:
		case v.Code == "":
			mask = gateway.AllLabels
		default:
			if l, ok := gateway.LabelOf(v.Code); ok {
				mask |= l
			}
		}
	}
	return `(` + f.r + `.labels & ` + f.bind(int64(mask)) + `::bigint <> 0)` //nolint:gosec // a mask has fewer than 63 bits
}

func idsOf(values []fhir.Operand) []string {
	ids := make([]string, 0, len(values))
	for _, v := range values {
		if v.Reference.ID != "" {
			ids = append(ids, string(v.Reference.ID))
		} else {
			ids = append(ids, v.Code)
		}
	}
	return ids
}

// textsSQL matches strings: folded, from the beginning or anywhere (R4 search.html#string).
func (f frame) textsSQL(c *fhir.Criterion, keys []int64) string {
	return `exists (select 1 from text_value v where v.rid = ` + f.r + `.rid and ` + f.visible("v") + ` and v.key = any(` +
		f.bind(keys) + `::bigint[]) and ` + f.q.textSQL(c) + `)`
}

// textSQL compares text_value v.
func (q *query) textSQL(c *fhir.Criterion) string {
	alternatives := make([]string, 0, len(c.Values))
	for i := range c.Values {
		folded := cutText(c.Values[i].Folded)
		if c.Modifier == fhir.ModifierContains {
			alternatives = append(alternatives, `position(`+q.args.bind(folded)+`::text in v.value) > 0`)
			continue
		}
		alternatives = append(alternatives, `(v.value >= `+q.args.bind(folded)+`::text and v.value < `+q.args.bind(above(folded))+`::text)`)
	}
	return either(alternatives)
}

// wordsSQL matches the texts of codes by their beginning (R4 search.html#token, :text).
func (f frame) wordsSQL(c *fhir.Criterion, p *fhir.SearchParameter) string {
	alternatives := make([]string, 0, len(c.Values))
	for i := range c.Values {
		folded := c.Values[i].Folded
		alternatives = append(alternatives, `(u.t >= `+f.bind(folded)+`::text and u.t < `+f.bind(above(folded))+`::text)`)
	}
	return `exists (select 1 from word_value w, unnest(w.keys, w.texts) as u(k, t) where w.rid = ` + f.r + `.rid and ` + f.visible("w") +
		` and u.k = any(` + f.bind(f.places(p)) + `::bigint[]) and ` + either(alternatives) + `)`
}

// dateSQL matches a date parameter: the record's own date where it is that, otherwise its values.
func (f frame) dateSQL(c *fhir.Criterion, p *fhir.SearchParameter) string {
	return `((` + f.r + `.date_params && ` + f.bind(p.Keys) + `::text[] and ` + f.q.datesSQL(c.Values, f.r+`.low`, f.r+`.high`) + `) is true
    or ` + f.spansSQL(c.Values, f.places(p)) + `)`
}

func (f frame) spansSQL(values []fhir.Operand, keys []int64) string {
	return `exists (select 1 from date_value d where d.rid = ` + f.r + `.rid and ` + f.visible("d") + ` and d.key = any(` +
		f.bind(keys) + `::bigint[]) and ` + f.q.datesSQL(values, `d.low`, `d.high`) + `)`
}

// datesSQL compares an interval of a row with each value of the condition (R4 search.html#prefix).
func (q *query) datesSQL(values []fhir.Operand, low, high string) string {
	alternatives := make([]string, 0, len(values))
	for i := range values {
		v := &values[i]
		from, to := q.args.bind(moment(v.Low))+"::timestamptz", q.args.bind(endless(v.High))+"::timestamptz"
		inside := `(` + low + ` >= ` + from + ` and ` + high + ` <= ` + to + `)`
		above, below := high+` > `+to, low+` < `+from
		sql := inside
		switch v.Prefix {
		case fhir.NotEqual:
			sql = `not ` + inside
		case fhir.Greater:
			sql = above
		case fhir.Less:
			sql = below
		case fhir.GreaterEqual:
			sql = `(` + above + ` or ` + inside + `)`
		case fhir.LessEqual:
			sql = `(` + below + ` or ` + inside + `)`
		case fhir.StartsAfter:
			sql = low + ` >= ` + to
		case fhir.EndsBefore:
			sql = high + ` <= ` + from
		case fhir.Approximate:
			sql = `(` + low + ` < ` + to + ` and ` + high + ` > ` + from + `)`
		}
		// every value is bound where it stands, whichever of the two its prefix looks at
		alternatives = append(alternatives, `(`+sql+` and `+from+` is not null and `+to+` is not null)`)
	}
	return either(alternatives)
}

// amountsSQL compares numbers and quantities of amount_value a.
func (f frame) amountsSQL(values []fhir.Operand, keys []int64) string {
	alternatives := make([]string, 0, len(values))
	for i := range values {
		alternatives = append(alternatives, f.q.amountSQL(&values[i]))
	}
	return `exists (select 1 from amount_value a where a.rid = ` + f.r + `.rid and ` + f.visible("a") + ` and a.key = any(` +
		f.bind(keys) + `::bigint[]) and ` + either(alternatives) + `)`
}

// amountSQL compares amount_value a with one value: in UCUM base units where its unit has them, in
// the unit as written otherwise (R4 search.html#quantity). Bounds that are not there are infinite.
func (q *query) amountSQL(v *fhir.Operand) string {
	number := func(s string) string { return q.args.bind(s) + `::text::numeric` }
	a := v.Amount
	if a == nil {
		return `false`
	}
	unit, prefix := `true`, ``
	low, high, slack := a.Low, a.High, a.Slack
	switch {
	case a.Base != "":
		unit, prefix = `a.base = `+q.args.bind(q.keys.token(ucumForm, a.Base))+`::bigint`, `base_`
		low, high, slack = a.BaseLow, a.BaseHigh, a.BaseSlack
	case v.Code != "" && v.AnySystem:
		unit = `(a.code = ` + q.args.bind(q.keys.token(unitForm, v.Code)) + `::bigint or a.word = ` + q.args.bind(q.keys.token(unitForm, v.Code)) + `::bigint)`
	case v.Code != "":
		unit = `a.exact = ` + q.args.bind(q.keys.token(unitForm, v.System, v.Code)) + `::bigint`
	}
	from, to, room := `a.`+prefix+`low`, `a.`+prefix+`high`, `a.`+prefix+`slack`
	p := number(low)
	var sql string
	switch v.Prefix {
	case fhir.Greater:
		sql = `(` + to + ` is null or ` + to + ` > ` + p + `)`
	case fhir.Less:
		sql = `(` + from + ` is null or ` + from + ` < ` + p + `)`
	case fhir.GreaterEqual:
		sql = `(` + to + ` is null or ` + to + ` >= ` + p + `)`
	case fhir.LessEqual:
		sql = `(` + from + ` is null or ` + from + ` <= ` + p + `)`
	case fhir.StartsAfter:
		sql = `coalesce(` + from + ` > ` + p + `, false)`
	case fhir.EndsBefore:
		sql = `coalesce(` + to + ` < ` + p + `, false)`
	case fhir.Approximate:
		sql = `((` + to + ` is null or ` + to + ` >= ` + p + `) and (` + from + ` is null or ` + from + ` <= ` + number(high) + `))`
	default:
		s := number(orZero(slack))
		equal := `coalesce(` + from + ` - ` + room + ` >= ` + p + ` - ` + s + ` and ` + to + ` + ` + room + ` <= ` + p + ` + ` + s + `, false)`
		if sql = equal; v.Prefix == fhir.NotEqual {
			sql = `not ` + equal
		}
	}
	return `(` + unit + ` and ` + sql + `)`
}

// pairsSQL compares composites: the second part in the place that the first one names.
func (f frame) pairsSQL(c *fhir.Criterion, p *fhir.SearchParameter) string {
	var alternatives []string
	for i := range c.Values {
		tuple := c.Values[i].Tuple
		if len(tuple) != 2 || len(p.Components) != 2 {
			return `false`
		}
		firsts := f.q.keys.asked(p.Components[0], &tuple[0], p)
		for _, key := range p.Keys {
			for _, first := range firsts {
				alternatives = append(alternatives, f.pairSQL(p, append([]string{f.kind(), key, pairForm}, first...), tuple[1]))
			}
		}
	}
	return either(alternatives)
}

func (f frame) pairSQL(p *fhir.SearchParameter, place []string, second fhir.Operand) string {
	keys := []int64{f.q.keys.token(place...)}
	switch p.Components[1] {
	case fhir.Date:
		return f.spansSQL([]fhir.Operand{second}, keys)
	case fhir.Quantity, fhir.NumberParam:
		return f.amountsSQL([]fhir.Operand{second}, keys)
	case fhir.StringParam:
		return f.textsSQL(&fhir.Criterion{Values: []fhir.Operand{second}}, keys)
	}
	var tok []int64
	for _, other := range f.q.keys.asked(p.Components[1], &second, p) {
		tok = append(tok, f.q.keys.token(append(place[:len(place):len(place)], other...)...))
	}
	return f.hasSQL(tok, nil)
}

// asked gives the forms of one part of a composite that a value names.
func (k keyring) asked(kind fhir.ParamType, v *fhir.Operand, p *fhir.SearchParameter) [][]string {
	switch {
	case kind == fhir.ReferenceParam && v.Reference.ID != "":
		var out [][]string
		for _, r := range possible(v.Reference, p.Targets) {
			out = append(out, []string{exactForm, r.String()})
		}
		return out
	case kind == fhir.ReferenceParam || kind == fhir.Uri:
		return [][]string{{exactForm, v.URL}}
	case v.AnySystem:
		return [][]string{{anyForm, v.Code}}
	case v.Code == "":
		return [][]string{{systemForm, v.System}}
	}
	return [][]string{{exactForm, v.System, v.Code}}
}

// possible gives the references that an id alone may mean.
func possible(r fhir.Reference, targets []fhir.Type) []fhir.Reference {
	if r.Type != "" {
		return []fhir.Reference{r}
	}
	if targets == nil {
		targets = fhir.SearchTypes()
	}
	var out []fhir.Reference
	for _, t := range targets {
		out = append(out, fhir.Reference{Type: t, ID: r.ID, Version: r.Version})
	}
	return out
}

// hashes gives the hashes of which a row must have one; false for what is not compared by hashes.
func (k keyring) hashes(t fhir.Type, c *fhir.Criterion, p *fhir.SearchParameter) (tok, mark []int64, ok bool) {
	switch {
	case c.Modifier == fhir.ModifierIdentifier, p.Type == fhir.Token, p.Type == fhir.ReferenceParam, p.Type == fhir.Uri:
	case p.Type == fhir.StringParam && c.Modifier == fhir.ModifierExact:
	default:
		return nil, nil, false
	}
	for _, key := range p.Keys {
		for i := range c.Values {
			v := &c.Values[i]
			switch {
			case c.Modifier == fhir.ModifierIdentifier:
				tok = append(tok, k.logical(string(t), key, v, p))
			case p.Type == fhir.StringParam:
				mark = append(mark, k.token(string(t), key, wholeForm, v.Text))
			case p.Type == fhir.Token:
				a, b := k.codes(t, key, v)
				tok, mark = append(tok, a...), append(mark, b...)
			case v.Reference.ID != "":
				a, b := k.references(string(t), key, v, p)
				tok, mark = append(tok, a...), append(mark, b...)
			default:
				a, b := k.urls(string(t), key, v)
				tok, mark = append(tok, a...), append(mark, b...)
			}
		}
	}
	return tok, mark, true
}

func (k keyring) codes(t fhir.Type, key string, v *fhir.Operand) (tok, mark []int64) {
	kind := string(t)
	switch {
	case v.Code == "":
		return nil, []int64{k.token(kind, key, systemForm, v.System)}
	case v.AnySystem:
		tok = []int64{k.token(kind, key, anyForm, v.Code)}
	default:
		tok = []int64{k.token(kind, key, exactForm, v.System, v.Code)}
	}
	if v.Below {
		mark = []int64{k.token(kind, key, belowForm, v.System, v.Code)}
	}
	if !selectiveKeys()[t][key] {
		return nil, append(mark, tok...)
	}
	return tok, mark
}

func (k keyring) logical(t, key string, v *fhir.Operand, p *fhir.SearchParameter) int64 {
	form := []string{t, key, logicForm}
	if p.Narrowed && len(p.Targets) == 1 {
		form = []string{t, key, aimedForm, string(p.Targets[0])}
	}
	if !v.AnySystem {
		form = append(form, v.System)
	}
	return k.token(append(form, v.Code)...)
}

func (k keyring) references(t, key string, v *fhir.Operand, p *fhir.SearchParameter) (tok, mark []int64) {
	for _, r := range possible(v.Reference, p.Targets) {
		if r.Version != "" {
			bare := fhir.Reference{Type: r.Type, ID: r.ID}
			mark = append(mark, k.token(t, key, oldForm, bare.String(), r.Version))
			continue
		}
		tok = append(tok, k.self(r)^k.link(t, key))
	}
	return tok, mark
}

func (k keyring) urls(t, key string, v *fhir.Operand) (tok, mark []int64) {
	switch {
	case v.Below:
		return []int64{k.token(t, key, exactForm, v.URL), k.token(t, key, exactForm, v.URL+"/")}, []int64{k.token(t, key, belowForm, v.URL)}
	case v.Version != "":
		return []int64{k.token(t, key, systemForm, v.URL, v.Version)}, nil
	}
	return []int64{k.token(t, key, exactForm, v.URL)}, nil
}

// alias gives a name that no other row of the statement has.
func (q *query) alias(name string) string {
	q.aliases++
	return name + strconv.Itoa(q.aliases)
}

// above gives a text above every text that begins with prefix, in the order of code points.
func above(prefix string) string { return prefix + "\U0010FFFF" }
