package fhir

import (
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/sluse/sluse/conformance/definitions"
)

// values reads the alternatives of a criterion and keeps it.
func (r *queryReader) values(p Parameter, c *Criterion) {
	if p.Value == "" {
		r.refuse(p, QueryValueEmpty)
		return
	}
	raw, ok := splitEscaped(p.Value, ',')
	switch {
	case !ok:
		r.refuse(p, QueryEscape)
		return
	case len(raw) > MaxAlternatives:
		r.refuse(p, QueryTooMany, itoa(MaxParameters), itoa(MaxAlternatives))
		return
	}
	if r.config.Intercept != nil {
		taken, refused := r.config.Intercept(p, c.Ways[0].Param, raw)
		if refused != nil {
			r.issues = append(r.issues, *refused)
			return
		}
		if taken {
			r.remember(p.Name, "")
			return
		}
	}
	if code, args := r.operands(c, raw); code != "" {
		r.refuse(p, code, args...)
		return
	}
	slices.Sort(raw)
	r.remember(p.Name, strings.Join(slices.Compact(raw), ","))
	r.query.Criteria = append(r.query.Criteria, *c)
}

// operands reads every alternative, by the modifier first and the type of the parameter then. It
// gives the code of what is wrong.
func (r *queryReader) operands(c *Criterion, raw []string) (code string, args []string) {
	param := c.Ways[0].Param
	switch {
	case c.Modifier == ModifierMissing:
		if len(raw) != 1 || raw[0] != "true" && raw[0] != "false" {
			return QueryMissing, nil
		}
		c.Missing = raw[0]
		return "", nil
	case param.Truth:
		return c.truth(raw), nil
	}
	c.Negate = c.Modifier == ModifierNot
	v := valueReader{reader: r, param: param, ways: c.Ways, kind: param.Type, modifier: c.Modifier}
	for _, s := range raw {
		if s == "" {
			return QueryValueEmpty, nil
		}
		if code, args = v.read(s); code != "" {
			return code, args
		}
	}
	c.Values = v.out
	return "", nil
}

// truth reads the values of a condition that every resource answers. Only true is in the index: false is
// that it is not there, and of both one holds of everything.
func (c *Criterion) truth(raw []string) (code string) {
	asked := map[string]bool{}
	for _, s := range raw {
		value, named := strings.CutPrefix(s, systemBoolean+"|")
		if !named {
			value = s
		}
		if value != "true" && value != "false" {
			return QueryTruth
		}
		asked[value] = true
	}
	if len(asked) == 1 {
		c.Values = []Operand{{System: systemBoolean, Code: "true"}}
	}
	c.Negate = asked["false"] != (c.Modifier == ModifierNot)
	return ""
}

// valueReader reads values of one type.
type valueReader struct {
	reader   *queryReader
	param    *SearchParameter
	ways     []Way
	kind     ParamType
	modifier Modifier
	out      []Operand
}

func (v *valueReader) add(o Operand) { v.out = append(v.out, o) }

func (v *valueReader) read(s string) (code string, args []string) {
	if v.param.Name == "_id" {
		if !validID(s) {
			return QueryID, nil
		}
		v.add(Operand{Code: s, AnySystem: true})
		return "", nil
	}
	switch v.modifier {
	case ModifierText:
		v.text(s)
		return "", nil
	case ModifierIn:
		return v.in(unescapeValue(s))
	case ModifierIdentifier:
		return v.token(s)
	case ModifierAbove, ModifierBelow:
		return v.level(s)
	}
	switch v.kind {
	case Token:
		return v.token(s)
	case ReferenceParam:
		return v.reference(unescapeValue(s))
	case Date:
		return v.date(s)
	case NumberParam:
		return v.number(s)
	case Quantity:
		return v.quantity(s)
	case Uri:
		if url := unescapeValue(s); validURI(url) {
			v.add(Operand{URL: url})
			return "", nil
		}
		return QueryURI, nil
	case Composite:
		return v.composite(s)
	}
	v.text(s)
	return "", nil
}

func (v *valueReader) text(s string) {
	text := unescapeValue(s)
	v.add(Operand{Text: text, Folded: Fold(text)})
}

// token reads code, system|code, |code and system| (R4 search.html#token).
func (v *valueReader) token(s string) (code string, args []string) {
	f, _ := splitEscaped(s, '|')
	switch {
	case len(f) == 1:
		v.add(Operand{Code: unescapeValue(f[0]), AnySystem: true})
	case len(f) == 2 && (f[0] != "" || f[1] != ""):
		v.add(Operand{System: unescapeValue(f[0]), Code: unescapeValue(f[1])})
	default:
		return QueryToken, nil
	}
	return "", nil
}

// level reads the value of :below and :above. What lies above a value is told by the value itself.
func (v *valueReader) level(s string) (code string, args []string) {
	if v.kind == Uri {
		url := strings.TrimSuffix(unescapeValue(s), "/")
		if !absolute(url) {
			return QueryURI, nil
		}
		if v.modifier == ModifierBelow {
			v.add(Operand{URL: url, Below: true})
			return "", nil
		}
		v.add(Operand{URL: unescapeValue(s)})
		for _, above := range urlsAbove(url) {
			v.add(Operand{URL: above})
			v.add(Operand{URL: above + "/"})
		}
		return "", nil
	}
	if code, args = v.token(s); code != "" {
		return code, args
	}
	o := &v.out[len(v.out)-1]
	if o.AnySystem || o.Code == "" || !hierarchical(o.System) {
		return QueryHierarchy, []string{hierarchicalSystems()}
	}
	if v.modifier == ModifierBelow {
		o.Below = true
		return "", nil
	}
	for _, above := range codesAbove(o.System, o.Code) {
		v.add(Operand{System: o.System, Code: above})
	}
	return "", nil
}

// maxValueSet bounds the codes of a value set that :in becomes.
const maxValueSet = 1000

// valueSets are the value sets of the tables by their URL.
var valueSets = sync.OnceValue(func() map[string]*definitions.ValueSet {
	m := map[string]*definitions.ValueSet{}
	list := definitions.R4().ValueSets
	for i := range list {
		url, _, _ := strings.Cut(list[i].URL, "|")
		m[url] = &list[i]
	}
	return m
})

// in reads the URL of a value set and becomes its codes.
func (v *valueReader) in(s string) (code string, args []string) {
	url, _, _ := strings.Cut(s, "|")
	set := valueSets()[url]
	if set == nil || set.Open || len(set.Systems) == 0 {
		return QueryValueSet, nil
	}
	for _, system := range set.Systems {
		if len(v.out)+len(system.Codes) > maxValueSet {
			return QueryValueSetLarge, []string{itoa(maxValueSet)}
		}
		for _, c := range system.Codes {
			v.add(Operand{System: system.URL, Code: c})
		}
	}
	return "", nil
}

// reference reads id, Type/id, or a URL; [type] as modifier gives the type of an id.
func (v *valueReader) reference(s string) (code string, args []string) {
	if base := v.reader.config.Base; base != "" {
		s = strings.TrimPrefix(s, base+"/")
	}
	if validID(s) {
		ref := Reference{Type: Type(v.modifier), ID: ID(s)}
		if targets := v.param.Targets; ref.Type == "" && len(targets) == 1 && len(v.ways) == 1 {
			ref.Type = targets[0]
		}
		v.add(Operand{Reference: ref})
		return "", nil
	}
	if ref, ok := parseReference(s); ok {
		switch {
		case v.modifier != "" && Type(v.modifier) != ref.Type, !slices.ContainsFunc(v.ways, func(w Way) bool { return w.Param.MayTarget(ref.Type) }):
			return QueryReferenceTarget, []string{typeNames(v.param.Targets)}
		case ref.Version != "" && v.param.Base != "AuditEvent" && v.param.Base != "Provenance":
			return QueryReferenceVersion, nil
		}
		v.add(Operand{Reference: ref})
		return "", nil
	}
	url, version, _ := strings.Cut(s, "|")
	if !absolute(url) || v.modifier != "" {
		return QueryReference, nil
	}
	v.add(Operand{URL: url, Version: version})
	return "", nil
}

// prefixed cuts the prefix of an ordered value.
func (v *valueReader) prefixed(s string) (Prefix, string, bool) {
	if len(s) < 2 || s[0]|0x20 < 'a' || s[0]|0x20 > 'z' {
		return Equal, s, true
	}
	prefix := Prefix(s[:2])
	allowed := comparators
	if v.kind == v.param.Type {
		allowed = v.param.Comparators
	}
	return prefix, s[2:], slices.Contains(allowed, prefix)
}

func prefixNames(list []Prefix) []string {
	names := make([]string, 0, len(list))
	for _, p := range list {
		names = append(names, string(p))
	}
	return []string{strings.Join(names, ", ")}
}

// date reads a prefix and a date of any precision. ap is ten percent of the time between now and
// the date, on both sides (R4 search.html#prefix).
func (v *valueReader) date(s string) (code string, args []string) {
	prefix, text, ok := v.prefixed(unescapeValue(s))
	if !ok {
		return QueryPrefix, prefixNames(comparators)
	}
	low, high, ok := parseDate(text)
	if !ok {
		return QueryDate, nil
	}
	if prefix == Approximate {
		gap := v.reader.config.Now.Sub(low).Abs() / 10
		low, high = low.Add(-gap), high.Add(gap)
	}
	v.add(Operand{Prefix: prefix, Low: low, High: high})
	return "", nil
}

func (v *valueReader) number(s string) (code string, args []string) {
	prefix, text, ok := v.prefixed(unescapeValue(s))
	if !ok {
		return QueryPrefix, prefixNames(comparators)
	}
	n, ok := parseNumber(text)
	if !ok {
		return QueryNumber, nil
	}
	v.add(Operand{Prefix: prefix, Amount: searched(prefix, n).amount("", "", "")})
	return "", nil
}

// quantity reads number, number|system|code and number||code (R4 search.html#quantity).
func (v *valueReader) quantity(s string) (code string, args []string) {
	f, _ := splitEscaped(s, '|')
	if len(f) != 1 && (len(f) != 3 || f[2] == "") {
		return QueryQuantity, nil
	}
	prefix, text, ok := v.prefixed(f[0])
	if !ok {
		return QueryPrefix, prefixNames(comparators)
	}
	n, ok := parseNumber(text)
	if !ok {
		return QueryQuantity, nil
	}
	o := Operand{Prefix: prefix, AnySystem: true}
	if len(f) == 3 {
		o.System, o.Code = unescapeValue(f[1]), unescapeValue(f[2])
		o.AnySystem = o.System == ""
	}
	o.Amount = searched(prefix, n).amount(o.System, o.Code, "")
	v.add(o)
	return "", nil
}

// searched gives the amount of a value: ap is ten percent to both sides.
func searched(prefix Prefix, n amountNumber) amountSpan {
	if prefix != Approximate {
		return amountSpan{n.value, n.value, n.slack}
	}
	tenth := new(big.Rat).Mul(n.value, big.NewRat(1, 10))
	tenth.Abs(tenth)
	return amountSpan{new(big.Rat).Sub(n.value, tenth), new(big.Rat).Add(n.value, tenth), new(big.Rat)}
}

// composite reads value$value, each by the type of its component.
func (v *valueReader) composite(s string) (code string, args []string) {
	f, _ := splitEscaped(s, '$')
	if len(f) != len(v.param.Components) || slices.Contains(f, "") {
		return QueryComposite, []string{itoa(len(v.param.Components))}
	}
	var tuple []Operand
	for i, part := range f {
		one := valueReader{reader: v.reader, param: v.param, ways: v.ways, kind: v.param.Components[i]}
		if code, args = one.read(part); code != "" {
			return code, args
		}
		tuple = append(tuple, one.out...)
	}
	v.add(Operand{Tuple: tuple})
	return "", nil
}

// splitEscaped splits at a separator that no backslash precedes; escapes stay (R4
// search.html#escaping). False when a backslash stands before anything else than \ , $ and |.
func splitEscaped(s string, separator byte) ([]string, bool) {
	var list []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 == len(s) || strings.IndexByte(`\,$|`, s[i+1]) < 0 {
				return nil, false
			}
			i++
		case separator:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:]), true
}

// unescapeValue takes the escapes out. One pass: a backslash that was escaped escapes nothing.
func unescapeValue(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
