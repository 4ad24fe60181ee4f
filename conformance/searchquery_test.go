package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// asker makes searches of one parameter: values that some resource has, values beside them, and
// every modifier and prefix that R4 defines for the type of the parameter.
type asker struct {
	*library
	kind string
	p    r4Param
}

// prefixes of R4 search.html#prefix.
var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// pairs gives the searches, several of each form.
func (q *asker) pairs() (list []pair) {
	values := q.values()
	add := func(modifier, value string) {
		if modifier != "" {
			modifier = ":" + modifier
		}
		list = append(list, pair{q.p.Code + modifier, value})
	}
	if q.misses() {
		add("missing", "true")
		add("missing", "false")
	}
	for i, v := range values {
		add("", v)
		if i > 0 && !q.single(values[0], v) {
			add("", values[0]+","+v)
		}
	}
	for _, v := range values[:min(2, len(values))] {
		switch q.p.Type {
		case "token":
			if q.p.Code != "_id" {
				add("not", v)
			}
		case "string":
			s := plain(v)
			runes := []rune(s)
			for _, part := range []string{string(runes[:len(runes)/2+1]), strings.ToUpper(s), strings.ToLower(s), string(runes[len(runes)/2:])} {
				add("", escaped(part))
				add("contains", escaped(part))
			}
			add("exact", v)
			add("exact", escaped(strings.ToUpper(s)))
		case "uri":
			if strings.Contains(v, "://") {
				add("below", v)
				add("above", v)
				add("below", strings.TrimSuffix(v, "/b"))
				add("above", v+"/c/d")
			}
		case "date", "quantity", "number":
			for _, prefix := range prefixes {
				add("", prefix+v)
			}
		}
	}
	return append(list, q.special()...)
}

// single tells that two values may not stand together: a search is about one patient at most.
func (q *asker) single(a, b string) bool {
	return q.p.Type == "reference" && strings.Contains(a+b, "-patient-")
}

// misses tells whether :missing has a meaning: not for what every resource has.
func (q *asker) misses() bool {
	return q.p.Type != "composite" && q.p.Code != "_id" && q.p.Code != "_lastUpdated" && q.p.Code != "deceased"
}

// special are the modifiers that need a look at the data type: :text, :identifier and the name of
// a type.
func (q *asker) special() (list []pair) {
	seen := map[string]bool{}
	for _, r := range q.eval.kinds[q.kind] {
		for _, n := range q.p.evaluate(r) {
			if q.p.Type == "token" {
				for _, s := range texts(n) {
					if !seen["text"] {
						seen["text"] = true
						half := []rune(s)
						list = append(list, pair{q.p.Code + ":text", escaped(s)}, pair{q.p.Code + ":text", escaped(strings.ToUpper(string(half[:len(half)/2+1])))})
					}
				}
			}
			if q.p.Type != "reference" || n.kind != "Reference" {
				continue
			}
			m := n.value.(map[string]any)
			if id, ok := m["identifier"].(map[string]any); ok && !seen["identifier"] {
				seen["identifier"] = true
				value := escaped(text(id["value"]))
				list = append(list, pair{q.p.Code + ":identifier", value}, pair{q.p.Code + ":identifier", escaped(text(id["system"])) + "|" + value})
			}
			if kind, id, ok := strings.Cut(text(m["reference"]), "/"); ok && !strings.Contains(kind, ":") && !seen[kind] {
				seen[kind] = true
				list = append(list, pair{q.p.Code + ":" + kind, id})
			}
		}
	}
	return list
}

// values gives some that resources have, and some near them, escaped.
func (q *asker) values() (list []string) {
	of := slices.Clone(q.eval.kinds[q.kind])
	q.random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	for _, r := range of {
		for _, one := range q.valuesOf(r) {
			if one != "" && !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
		if len(list) >= 4 {
			break
		}
	}
	return list[:min(4, len(list))]
}

func (q *asker) valuesOf(r map[string]any) (list []string) {
	if q.p.Type == "composite" {
		for base := range strings.SplitSeq(q.p.Expression, " | ") {
			for _, n := range evaluate(r, base) {
				var parts []string
				for _, c := range q.p.Components {
					for _, m := range relative(n, c.Expression) {
						kind := ""
						if q.p.Code == "relationship" { // R4 exchanges the types of its parts
							kind = map[string]string{"Reference": "reference", "code": "token"}[m.kind]
						}
						if v := q.valueOf(m, kind, c.Type); len(v) > 0 {
							parts = append(parts, v[0])
							break
						}
					}
				}
				if len(parts) == len(q.p.Components) {
					list = append(list, strings.Join(parts, "$"))
				}
			}
		}
		return list
	}
	for _, n := range q.p.evaluate(r) {
		list = append(list, q.valueOf(n, "", q.p.Type)...)
	}
	return list
}

// valueOf writes an element as a value of a search. kind overrides the type where it is not "".
func (q *asker) valueOf(n node, kind, otherwise string) []string {
	if kind == "" {
		kind = otherwise
	}
	switch kind {
	case "token":
		return q.tokens(n)
	case "reference":
		url := literal(n)
		if url == "" {
			return nil
		}
		_, id, local := strings.Cut(url, "/")
		if n.kind == "Reference" && local && !strings.Contains(url, ":") {
			if q.p.Code == "subject" && !strings.HasPrefix(url, "Patient/") { // an id alone is a Patient's
				return []string{url, q.base + "/fhir/" + url}
			}
			return []string{url, id, q.base + "/fhir/" + url}
		}
		bare, _, _ := strings.Cut(url, "|")
		return []string{escaped(url), escaped(bare)}[:1+min(1, len(url)-len(bare))]
	case "string":
		var list []string
		for _, s := range stringsOf(n) {
			if s != "" {
				list = append(list, escaped(s))
			}
		}
		return list
	case "uri":
		return []string{escaped(text(n.value))}
	case "date":
		return near(n)
	}
	return nearQuantity(n)
}

func (q *asker) tokens(n node) (list []string) {
	for _, c := range codings(n) {
		if c.code == "" {
			continue
		}
		list = append(list, escaped(c.code))
		switch plainKind := n.kind == "ContactPoint" || n.kind == "boolean" || n.kind == "id" || n.kind == "string"; {
		case plainKind || n.kind == "code" && c.system == "":
		case c.system == "":
			list = append(list, "|"+escaped(c.code))
		default:
			list = append(list, escaped(c.system)+"|"+escaped(c.code), escaped(c.system)+"|")
		}
	}
	return list
}

// near gives the dates of an element, as written, coarser and finer.
func near(n node) (list []string) {
	s := dateOf(n)
	for _, at := range []time.Time{s.low, s.high} {
		if at.Equal(longAgo) || at.Equal(never) {
			continue
		}
		at = at.In(norway)
		list = append(list, at.Format("2006"), at.Format("2006-01"), at.Format("2006-01-02"), at.Format("2006-01-02T15:04:05-07:00"), at.AddDate(0, 1, -1).Format("2006-01-02T15:04"))
	}
	if written, ok := n.value.(string); ok {
		list = append([]string{written}, list...)
	}
	return list
}

func nearQuantity(n node) (list []string) {
	a, system, code, unit := amountOf(n)
	for _, end := range []*big.Rat{a.low, a.high} {
		if end == nil {
			continue
		}
		s := end.FloatString(2)
		if m, ok := n.value.(map[string]any); ok && n.kind != "Range" {
			if literal, ok := m["value"].(json.Number); ok {
				s = literal.String()
			}
		}
		list = append(list, s, fmt.Sprintf("%s|%s|%s", s, escaped(system), escaped(code)), s+"||"+escaped(unit))
		if code == "" {
			list = append(list[:len(list)-2], s+"||"+escaped(unit))
		}
	}
	return list
}
