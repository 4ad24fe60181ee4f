package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"
)

// splitAt splits at a separator that no backslash precedes, escapes left in (R4
// search.html#escaping).
func splitAt(s string, separator byte) (list []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:])
}

// plain takes the escapes out.
func plain(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escaped puts them in.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(s)
}

// coded is a system and a code, as R4 search.html#token draws them from the data types.
type coded struct{ system, code string }

func codings(n node) (list []coded) {
	m, _ := n.value.(map[string]any)
	switch n.kind {
	case "CodeableConcept":
		for _, c := range children(n, "coding") {
			c.kind = "Coding"
			list = append(list, codings(c)...)
		}
	case "Coding":
		list = append(list, coded{text(m["system"]), text(m["code"])})
	case "Identifier":
		list = append(list, coded{text(m["system"]), text(m["value"])})
	case "ContactPoint":
		list = append(list, coded{"", text(m["value"])})
	case "boolean":
		list = append(list, coded{"", fmt.Sprint(n.value)})
	default:
		one := coded{"", text(n.value)}
		if e := r4Table().elements[n.path]; e != nil { // implicit in a code element
			for _, bound := range e.Codes {
				if system, code, _ := strings.Cut(bound, "|"); code == one.code {
					one.system = system
				}
			}
		}
		if strings.HasSuffix(n.path, ".address.use") {
			one.system = "http://hl7.org/fhir/address-use"
		}
		list = append(list, one)
	}
	return list
}

// texts are what :text searches (R4 search.html#token).
func texts(n node) (list []string) {
	m, _ := n.value.(map[string]any)
	switch n.kind {
	case "CodeableConcept":
		list = append(list, text(m["text"]))
		for _, c := range children(n, "coding") {
			c.kind = "Coding"
			list = append(list, texts(c)...)
		}
	case "Coding":
		list = append(list, text(m["display"]))
	case "Identifier":
		kind, _ := m["type"].(map[string]any)
		list = append(list, text(kind["text"]))
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func matchToken(n node, value string) bool {
	f := splitAt(value, '|')
	return slices.ContainsFunc(codings(n), func(c coded) bool {
		if c.code == "" && c.system == "" {
			return false
		}
		if len(f) == 1 {
			return c.code == plain(f[0])
		}
		return c.system == plain(f[0]) && (f[1] == "" || c.code == plain(f[1]))
	})
}

// levels of the classifications whose codes spell out their hierarchy.
var levels = map[string][]int{"urn:oid:2.16.578.1.12.4.1.1.7110": {3, 4, 5}, "http://www.whocc.no/atc": {1, 3, 4, 5, 7}}

// under tells whether a code is the other, or lies below it.
func under(system, code, top string) bool {
	bare := strings.ReplaceAll(top, ".", "")
	return code == top || slices.Contains(levels[system], len(top)) && strings.HasPrefix(strings.ReplaceAll(code, ".", ""), bare) && len(code) > len(top)
}

func matchLevel(n node, value, modifier string) bool {
	f := splitAt(value, '|')
	return slices.ContainsFunc(codings(n), func(c coded) bool {
		if c.system != plain(f[0]) {
			return false
		}
		if modifier == "below" {
			return under(c.system, c.code, plain(f[1]))
		}
		return under(c.system, plain(f[1]), c.code)
	})
}

// inValueSet knows the value sets that are bound to code elements here: their codes are in the
// extract when they are few.
func inValueSet(n node, url string) bool {
	set := map[string][]coded{
		"http://hl7.org/fhir/ValueSet/administrative-gender": {
			{"http://hl7.org/fhir/administrative-gender", "male"}, {"http://hl7.org/fhir/administrative-gender", "female"},
			{"http://hl7.org/fhir/administrative-gender", "other"}, {"http://hl7.org/fhir/administrative-gender", "unknown"},
		},
		"http://hl7.org/fhir/ValueSet/condition-ver-status": {
			{"http://terminology.hl7.org/CodeSystem/condition-ver-status", "unconfirmed"}, {"http://terminology.hl7.org/CodeSystem/condition-ver-status", "provisional"},
			{"http://terminology.hl7.org/CodeSystem/condition-ver-status", "differential"}, {"http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"},
			{"http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted"}, {"http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error"},
		},
		"http://hl7.org/fhir/ValueSet/request-intent": {
			{"http://hl7.org/fhir/request-intent", "proposal"}, {"http://hl7.org/fhir/request-intent", "plan"}, {"http://hl7.org/fhir/request-intent", "directive"},
			{"http://hl7.org/fhir/request-intent", "order"}, {"http://hl7.org/fhir/request-intent", "original-order"}, {"http://hl7.org/fhir/request-intent", "reflex-order"},
			{"http://hl7.org/fhir/request-intent", "filler-order"}, {"http://hl7.org/fhir/request-intent", "instance-order"}, {"http://hl7.org/fhir/request-intent", "option"},
		},
	}[url]
	if set == nil {
		panic("no value set " + url)
	}
	return slices.ContainsFunc(codings(n), func(c coded) bool { return slices.Contains(set, c) })
}

func (v *evaluator) matchReference(n node, modifier, value string) bool {
	url, wanted := v.relative(literal(n)), v.relative(value)
	if url == "" || strings.HasPrefix(url, "#") {
		return false
	}
	if n.kind != "Reference" { // canonical: the version counts only when asked for
		if !strings.Contains(wanted, "|") {
			url, _, _ = strings.Cut(url, "|")
		}
		return url == wanted
	}
	kind, id, local := strings.Cut(url, "/")
	if strings.Contains(url, ":") {
		return url == wanted
	}
	if local && !strings.Contains(wanted, "/") {
		return id == wanted && (modifier == "" || kind == modifier)
	}
	return url == wanted
}

func matchURI(url, modifier, value string) bool {
	a, b := strings.TrimSuffix(url, "/"), strings.TrimSuffix(value, "/")
	switch modifier {
	case "below":
		return a == b || strings.HasPrefix(a, b+"/")
	case "above":
		return a == b || strings.HasPrefix(b, a+"/")
	}
	return url == value
}

// fields of a HumanName and an Address that a string parameter searches.
var fields = map[string][]string{
	"HumanName": {"text", "family", "given", "prefix", "suffix"},
	"Address":   {"text", "line", "city", "district", "state", "postalCode", "country"},
}

func stringsOf(n node) (list []string) {
	if fields[n.kind] == nil {
		return append(list, text(n.value))
	}
	for _, name := range fields[n.kind] {
		for _, c := range children(n, name) {
			list = append(list, text(c.value))
		}
	}
	return list
}

func matchString(n node, modifier, value string) bool {
	return slices.ContainsFunc(stringsOf(n), func(s string) bool {
		switch modifier {
		case "exact":
			return s == value
		case "contains":
			return strings.Contains(fold(s), fold(value))
		}
		return strings.HasPrefix(fold(s), fold(value))
	})
}

// fold takes case, accents and runs of white space away; æ, ø and å stay letters of their own.
func fold(s string) string {
	s = strings.NewReplacer("é", "e", "è", "e", "É", "e", "ü", "u", "Ü", "u", "ö", "o", "ä", "a", "ñ", "n", "ç", "c", "e\u0301", "e", "a\u030a", "å").
		Replace(strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " "))
	return strings.ToLower(s)
}

// span is a half-open interval of instants.
type span struct{ low, high time.Time }

var (
	norway = func() *time.Location {
		l, err := time.LoadLocation("Europe/Oslo")
		if err != nil {
			panic(err)
		}
		return l
	}()
	longAgo = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	never   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// spanOf reads a date of any precision; without zone it is in Norway.
func spanOf(s string) span {
	for _, form := range []struct {
		layout string
		days   [3]int // years, months, days that it covers
		length time.Duration
	}{
		{"2006", [3]int{1}, 0}, {"2006-01", [3]int{0, 1}, 0}, {"2006-01-02", [3]int{0, 0, 1}, 0},
		{"2006-01-02T15:04", [3]int{}, time.Minute}, {"2006-01-02T15:04Z07:00", [3]int{}, time.Minute},
		{"2006-01-02T15:04:05", [3]int{}, time.Second}, {"2006-01-02T15:04:05Z07:00", [3]int{}, time.Second},
	} {
		length := form.length
		if at := strings.IndexByte(s, '.'); at > 0 {
			digits := 0
			for at+1+digits < len(s) && s[at+1+digits] >= '0' && s[at+1+digits] <= '9' {
				digits++
				length /= 10
			}
		}
		if low, err := time.ParseInLocation(form.layout, s, norway); err == nil {
			return span{low, low.AddDate(form.days[0], form.days[1], form.days[2]).Add(length)}
		}
	}
	panic("no date: " + s)
}

// dateOf gives the outer limits of a date, Period or Timing.
func dateOf(n node) span {
	m, ok := n.value.(map[string]any)
	if !ok {
		return spanOf(text(n.value))
	}
	s := span{longAgo, never}
	if n.kind == "Timing" {
		repeat, _ := m["repeat"].(map[string]any)
		if bounds, ok := repeat["boundsPeriod"].(map[string]any); ok {
			return dateOf(node{value: bounds, kind: "Period"})
		}
		for i, e := range listed(m["event"]) {
			one := spanOf(text(e))
			if i == 0 || one.low.Before(s.low) {
				s.low = one.low
			}
			if i == 0 || one.high.After(s.high) {
				s.high = one.high
			}
		}
		return s
	}
	if start := text(m["start"]); start != "" {
		s.low = spanOf(start).low
	}
	if end := text(m["end"]); end != "" {
		s.high = spanOf(end).high
	}
	return s
}

// prefixed cuts a prefix off.
func prefixed(value string) (prefix, rest string) {
	if len(value) > 2 && slices.Contains([]string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}, value[:2]) {
		return value[:2], value[2:]
	}
	return "eq", value
}

// matchDate compares by R4's table of prefixes, word by word (R4 search.html#prefix).
func matchDate(n node, value string) bool {
	prefix, rest := prefixed(plain(value))
	s, t := spanOf(rest), dateOf(n)
	contained := !t.low.Before(s.low) && !t.high.After(s.high)
	above, below := t.high.After(s.high), t.low.Before(s.low)
	switch prefix {
	case "eq":
		return contained
	case "ne":
		return !contained
	case "gt":
		return above
	case "lt":
		return below
	case "ge":
		return above || contained
	case "le":
		return below || contained
	case "sa":
		return !t.low.Before(s.high)
	case "eb":
		return !t.high.After(s.low)
	}
	gap := time.Since(s.low).Abs() / 10 // what R4 recommends for ap
	return t.low.Before(s.high.Add(gap)) && t.high.After(s.low.Add(-gap))
}

// factors bring UCUM units to one unit of their kind.
var factors = map[string]struct{ unit, factor string }{
	"g": {"g", "1"}, "mg": {"g", "1/1000"}, "kg": {"g", "1000"}, "m": {"m", "1"}, "cm": {"m", "1/100"},
	"s": {"s", "1"}, "min": {"s", "60"}, "h": {"s", "3600"}, "d": {"s", "86400"}, "a": {"s", "31557600"}, "mo": {"s", "2629800"},
	"mmol/L": {"mol/m3", "1"}, "/min": {"Hz", "1/60"}, "%": {"%", "1"},
}

const ucum = "http://unitsofmeasure.org"

// amount is a range of numbers with what their digits leave open; nil is without limit.
type amount struct{ low, high, slack *big.Rat }

// number reads a decimal: half of the last digit is left open (R4 search.html#number).
func number(s string) (value, slack *big.Rat) {
	value, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("no number: " + s)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	_, decimals, _ := strings.Cut(mantissa, ".")
	slack, _ = new(big.Rat).SetString("0.5e" + "-" + fmt.Sprint(len(decimals)))
	if exponent != "" {
		scale, _ := new(big.Rat).SetString("1e" + exponent)
		slack.Mul(slack, scale)
	}
	return value, slack
}

func (a amount) times(factor string) amount {
	f, _ := new(big.Rat).SetString(factor)
	scale := func(r *big.Rat) *big.Rat {
		if r == nil {
			return nil
		}
		return new(big.Rat).Mul(r, f)
	}
	return amount{scale(a.low), scale(a.high), scale(a.slack)}
}

// amountOf reads a Quantity or a Range, with its units "system|code" and the plain unit.
func amountOf(n node) (a amount, system, code, unit string) {
	m, _ := n.value.(map[string]any)
	if n.kind == "Range" {
		for _, end := range []string{"low", "high"} {
			q, ok := m[end].(map[string]any)
			if !ok {
				continue
			}
			one, s, c, u := amountOf(node{value: q, kind: "Quantity"})
			system, code, unit = s, c, u
			if end == "low" {
				a.low = one.low
			} else {
				a.high = one.high
			}
		}
		a.slack = new(big.Rat) // the ends of a Range are what they say
		return a, system, code, unit
	}
	literal, ok := m["value"].(json.Number)
	if !ok {
		return amount{}, "", "", ""
	}
	value, slack := number(literal.String())
	a = amount{value, value, slack}
	switch text(m["comparator"]) {
	case "<", "<=":
		a.low = nil
	case ">", ">=":
		a.high = nil
	}
	return a, text(m["system"]), text(m["code"]), text(m["unit"])
}

// matchQuantity compares by R4's table of prefixes: eq and ne by what the digits cover, the others
// as if every number were exact (R4 search.html#number, search.html#quantity).
func matchQuantity(n node, value string) bool {
	f := splitAt(value, '|')
	prefix, rest := prefixed(f[0])
	p, slack := number(rest)
	a, system, code, unit := amountOf(n)
	if a.low == nil && a.high == nil {
		return false
	}
	if len(f) == 3 {
		wanted, asked := plain(f[1]), plain(f[2])
		from, known := factors[code]
		to, convertible := factors[asked]
		switch {
		case wanted == ucum && system == ucum && known && convertible:
			if from.unit != to.unit {
				return false
			}
			a = a.times(from.factor)
			scaled := amount{p, nil, slack}.times(to.factor)
			p, slack = scaled.low, scaled.slack
		case wanted != "" && (wanted != system || asked != code):
			return false
		case wanted == "" && asked != code && asked != unit:
			return false
		}
	}
	return compareAmount(prefix, a, p, slack)
}

func compareAmount(prefix string, a amount, p, slack *big.Rat) bool {
	sum := func(x, y *big.Rat) *big.Rat { return new(big.Rat).Add(x, y) }
	less := func(x, y *big.Rat) *big.Rat { return new(big.Rat).Sub(x, y) }
	within := a.low != nil && a.high != nil && less(a.low, a.slack).Cmp(less(p, slack)) >= 0 && sum(a.high, a.slack).Cmp(sum(p, slack)) <= 0
	switch prefix {
	case "eq":
		return within
	case "ne":
		return !within
	case "gt":
		return a.high == nil || a.high.Cmp(p) > 0
	case "lt":
		return a.low == nil || a.low.Cmp(p) < 0
	case "ge":
		return a.high == nil || a.high.Cmp(p) >= 0
	case "le":
		return a.low == nil || a.low.Cmp(p) <= 0
	case "sa":
		return a.low != nil && a.low.Cmp(p) > 0
	case "eb":
		return a.high != nil && a.high.Cmp(p) < 0
	}
	tenth := new(big.Rat).Mul(new(big.Rat).Abs(p), big.NewRat(1, 10))
	return (a.high == nil || a.high.Cmp(less(p, tenth)) >= 0) && (a.low == nil || a.low.Cmp(sum(p, tenth)) <= 0)
}
