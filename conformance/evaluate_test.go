package conformance_test

import (
	"slices"
	"strings"
)

// evaluator answers searches over resources in memory, by the words of R4 search.html alone. It
// shares nothing with the server: the resources are decoded JSON with literal numbers, and what a
// parameter looks at comes from the suite's own extract of R4.
type evaluator struct {
	base  string                      // absolute URL of the server
	kinds map[string][]map[string]any // per type
	named map[string]map[string]any   // by "Type/id"
}

func newEvaluator(base string) *evaluator {
	return &evaluator{base: base, kinds: map[string][]map[string]any{}, named: map[string]map[string]any{}}
}

func (v *evaluator) add(r map[string]any) {
	kind := text(r["resourceType"])
	v.kinds[kind] = append(v.kinds[kind], r)
	v.named[key(r)] = r
}

func key(r map[string]any) string { return text(r["resourceType"]) + "/" + text(r["id"]) }

func text(v any) string { s, _ := v.(string); return s }

// pair is one parameter of a search.
type pair struct{ name, value string }

// search gives the keys of the resources of a type that all parameters hold of, sorted.
func (v *evaluator) search(kind string, pairs ...pair) []string {
	found := []string{}
	for _, r := range v.kinds[kind] {
		if !slices.ContainsFunc(pairs, func(p pair) bool { return !v.holds(r, p.name, p.value) }) {
			found = append(found, key(r))
		}
	}
	slices.Sort(found)
	return found
}

// holds tells whether one parameter holds of a resource.
func (v *evaluator) holds(r map[string]any, name, value string) bool {
	kind := text(r["resourceType"])
	if rest, ok := strings.CutPrefix(name, "_has:"); ok { // R4 search.html#has
		f := strings.SplitN(rest, ":", 3)
		return slices.ContainsFunc(v.kinds[f[0]], func(from map[string]any) bool {
			return slices.Contains(v.targets(from, f[1]), key(r)) && v.holds(from, f[2], value)
		})
	}
	if name == "_list" {
		return slices.ContainsFunc(strings.Split(value, ","), func(id string) bool {
			list := v.named["List/"+strings.TrimPrefix(id, "List/")]
			return list != nil && slices.Contains(v.targets(list, "item"), key(r))
		})
	}
	head, rest, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	if chained { // R4 search.html#chaining
		return slices.ContainsFunc(v.targets(r, code), func(to string) bool {
			target := v.named[to]
			if target == nil || modifier != "" && text(target["resourceType"]) != modifier {
				return false
			}
			next, _, _ := strings.Cut(rest, ".")
			next, _, _ = strings.Cut(next, ":")
			return r4Table().param(text(target["resourceType"]), next) != nil && v.holds(target, rest, value)
		})
	}
	p := r4Table().param(kind, code)
	if p == nil {
		panic("no parameter " + kind + "." + code)
	}
	if p.Type == "composite" {
		return slices.ContainsFunc(splitAt(value, ','), func(one string) bool { return v.together(r, p, one) })
	}
	nodes := p.evaluate(r)
	if modifier == "missing" {
		return (len(nodes) == 0) == (value == "true")
	}
	any := slices.ContainsFunc(splitAt(value, ','), func(one string) bool {
		return slices.ContainsFunc(nodes, func(n node) bool { return v.match(n, p.Type, modifier, one) })
	})
	return any != (modifier == "not")
}

// together tells whether the parts of a composite hold of one element (R4 search.html#composite).
func (v *evaluator) together(r map[string]any, p *r4Param, value string) bool {
	parts := splitAt(value, '$')
	for base := range strings.SplitSeq(p.Expression, " | ") {
		for _, n := range evaluate(r, base) {
			all := true
			for i, c := range p.Components {
				part := c.Type
				all = all && slices.ContainsFunc(relative(n, c.Expression), func(n node) bool {
					if p.Code == "relationship" { // R4 exchanges the types of its parts
						part = map[string]string{"Reference": "reference", "code": "token"}[n.kind]
					}
					return v.match(n, part, "", parts[i])
				})
			}
			if all {
				return true
			}
		}
	}
	return false
}

// targets gives what the references of a parameter name, as keys of this server.
func (v *evaluator) targets(r map[string]any, code string) (list []string) {
	p := r4Table().param(text(r["resourceType"]), code)
	if p == nil {
		return nil
	}
	for _, n := range p.evaluate(r) {
		if to := v.relative(literal(n)); strings.Contains(to, "/") && !strings.Contains(to, ":") {
			list = append(list, to)
		}
	}
	return list
}

// relative takes the server's own base off a URL.
func (v *evaluator) relative(url string) string { return strings.TrimPrefix(url, v.base+"/") }

// literal is the URL of a Reference or of a canonical.
func literal(n node) string {
	if m, ok := n.value.(map[string]any); ok {
		return text(m["reference"])
	}
	return text(n.value)
}

// match compares one value of a resource with one value of a search.
func (v *evaluator) match(n node, kind, modifier, value string) bool {
	switch {
	case modifier == "identifier":
		m, _ := n.value.(map[string]any)
		id, ok := m["identifier"].(map[string]any)
		return ok && matchToken(node{value: id, kind: "Identifier"}, value)
	case modifier == "text":
		return slices.ContainsFunc(texts(n), func(s string) bool { return strings.HasPrefix(fold(s), fold(plain(value))) })
	case modifier == "in":
		return inValueSet(n, plain(value))
	}
	switch kind {
	case "token":
		if modifier == "below" || modifier == "above" {
			return matchLevel(n, value, modifier)
		}
		return matchToken(n, value)
	case "reference":
		return v.matchReference(n, modifier, plain(value))
	case "string":
		return matchString(n, modifier, plain(value))
	case "uri":
		return matchURI(text(n.value), modifier, plain(value))
	case "date":
		return matchDate(n, value)
	case "quantity", "number":
		return matchQuantity(n, value)
	}
	panic("no type " + kind)
}

// node is an element of a resource: its value, data type, and path in the definitions.
type node struct {
	value any
	kind  string
	path  string
}

// dated are the data types that a date parameter compares (R4 search.html#date). An element of
// another type, a scheduled string, is no value of the parameter.
var dated = []string{"date", "dateTime", "instant", "Period", "Timing"}

// evaluate gives the values of a parameter.
func (p *r4Param) evaluate(r map[string]any) []node {
	nodes := evaluate(r, p.Expression)
	if p.Type == "date" {
		nodes = slices.DeleteFunc(nodes, func(n node) bool { return !slices.Contains(dated, n.kind) })
	}
	return nodes
}

// evaluate gives what an expression of a SearchParameter selects: the few forms that R4 uses.
func evaluate(r map[string]any, expression string) (found []node) {
	kind := text(r["resourceType"])
	root := node{r, kind, kind}
	for one := range strings.SplitSeq(expression, " | ") {
		switch rest, same := strings.CutPrefix(strings.TrimLeft(one, "("), kind); {
		case one == "Patient.deceased.exists() and Patient.deceased != false":
			dead := slices.ContainsFunc(children(root, "deceased"), func(n node) bool { return n.value != false })
			found = append(found, node{value: dead, kind: "boolean"})
		case same && (rest == "" || rest[0] == '.'):
			found = append(found, steps(root, one[:len(one)-len(rest)]+rest)...)
		}
	}
	return found
}

// relative evaluates an expression from an element: the component of a composite.
func relative(n node, expression string) (found []node) {
	for one := range strings.SplitSeq(expression, " | ") {
		found = append(found, steps(n, "."+one)...)
	}
	return found
}

// steps walks "A.b.where(…).c", "(A.b as T)" and "(A.b as T).c".
func steps(root node, path string) []node {
	if inner, ok := strings.CutPrefix(path, "("); ok {
		inner, after, _ := strings.Cut(inner, ")")
		path, kind, cast := strings.Cut(inner, " as ")
		if cast {
			path += ".as(" + kind + ")"
		}
		return steps(root, path+after)
	}
	at := []node{root}
	for _, name := range dotted(path)[1:] {
		call, argument, isCall := strings.Cut(strings.TrimSuffix(name, ")"), "(")
		var next []node
		for _, n := range at {
			switch {
			case !isCall:
				next = append(next, children(n, name)...)
			case keeps(n, call, argument):
				next = append(next, n)
			case call == "extension":
				for _, e := range children(n, "extension") {
					if m, ok := e.value.(map[string]any); ok && "'"+text(m["url"])+"'" == argument {
						next = append(next, children(node{m, "Extension", ""}, "value")...)
					}
				}
			}
		}
		at = next
	}
	return at
}

// keeps tells whether as, ofType and where let an element through.
func keeps(n node, call, argument string) bool {
	m, _ := n.value.(map[string]any)
	switch {
	case call == "as" || call == "ofType":
		return strings.EqualFold(n.kind, argument)
	case call != "where":
		return false
	case strings.HasPrefix(argument, "resolve() is "):
		kind, _, _ := strings.Cut(text(m["reference"]), "/")
		if f := strings.Split(text(m["reference"]), "/"); strings.Contains(kind, ":") && len(f) > 1 {
			kind = f[len(f)-2] // an absolute URL tells the type as well
		}
		return kind == strings.TrimPrefix(argument, "resolve() is ")
	case strings.HasPrefix(argument, "system="):
		return "system='"+text(m["system"])+"'" == argument
	case strings.HasPrefix(argument, "hasExtension('"):
		url := strings.Trim(strings.TrimPrefix(argument, "hasExtension("), "')")
		return slices.ContainsFunc(children(n, "extension"), func(e node) bool {
			m, _ := e.value.(map[string]any)
			return text(m["url"]) == url
		})
	}
	panic("where(" + argument + ")")
}

// dotted splits at dots outside parentheses and quotes.
func dotted(path string) (list []string) {
	depth, from, quoted := 0, 0, false
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '.' && depth == 0:
			list = append(list, path[from:i])
			from = i + 1
		}
	}
	return append(list, path[from:])
}

// partKinds are the elements of data types that expressions name.
var partKinds = map[string]string{
	"HumanName.family": "string", "HumanName.given": "string",
	"Address.city": "string", "Address.country": "string", "Address.postalCode": "string", "Address.state": "string", "Address.use": "code",
	"Annotation.text": "markdown", "Attachment.contentType": "code", "Attachment.url": "url", "Attachment.language": "code",
	"UsageContext.code": "Coding", "Signature.type": "Coding", "CodeableConcept.text": "string",
	"Meta.lastUpdated": "instant", "Meta.profile": "canonical", "Meta.security": "Coding", "Meta.tag": "Coding", "Meta.source": "uri",
}

// children gives the elements of a name, of a choice by any of its types, one by one.
func children(n node, name string) (found []node) {
	m, ok := n.value.(map[string]any)
	if !ok {
		return nil
	}
	path := n.path + "." + name
	kind := partKinds[n.kind+"."+name]
	if e := r4Table().elements[path]; e != nil && len(e.Types) == 1 {
		kind = e.Types[0]
	}
	switch {
	case name == "meta":
		kind = "Meta"
	case name == "id":
		kind = "id"
	case name == "extension":
		kind = "Extension"
	}
	if v, ok := m[name]; ok {
		for _, item := range listed(v) {
			found = append(found, node{item, kind, path})
		}
		return found
	}
	if e := r4Table().elements[path]; name != "value" && (e == nil || len(e.Types) < 2) {
		return nil // no choice
	}
	for member, v := range m {
		if suffix, ok := strings.CutPrefix(member, name); ok && suffix[0] >= 'A' && suffix[0] <= 'Z' {
			if lower := strings.ToLower(suffix[:1]) + suffix[1:]; !isObject(v) {
				suffix = lower
			}
			for _, item := range listed(v) {
				found = append(found, node{item, suffix, path})
			}
		}
	}
	return found
}

func isObject(v any) bool { _, ok := v.(map[string]any); return ok }

func listed(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
