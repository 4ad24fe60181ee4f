package fhir

import (
	"strings"
)

// plan is a search parameter compiled for one resource type: paths from the root to elements
// of a known data type.
type plan struct {
	param SearchParam
	paths []path
}

// path leads to one element: member names, and the type that its values have.
type path struct {
	steps  []string
	leaf   string // data type: "CodeableConcept", "Reference", "dateTime"
	system string // of a code: the code system of its required value set
	target Type   // of where(resolve() is X)
	where  string // of where(system='x'): the value of system
}

// compilePlan compiles the FHIRPath that R4's SearchParameters use: names, unions, "as", as(),
// ofType(), where(resolve() is X), where(system='x'). Expressions come from the embedded
// definitions; one that it cannot compile is a fault of this package, which a test would see.
func compilePlan(t Type, p SearchParam) plan {
	out := plan{param: p}
	for term := range strings.SplitSeq(p.Expression, "|") {
		term = strings.TrimSpace(term)
		if inner, ok := strings.CutPrefix(term, "("); ok && strings.HasSuffix(inner, ")") {
			term = strings.TrimSpace(inner[:len(inner)-1])
		}
		cast := ""
		if head, typ, ok := strings.Cut(term, " as "); ok {
			term, cast = strings.TrimSpace(head), strings.TrimSpace(typ)
		}
		names := splitSteps(term)
		if len(names) == 0 || names[0] != string(t) {
			panic("fhir: search expression of " + string(t) + "." + p.Name + " begins elsewhere")
		}
		paths := walkSteps(tables().structures[string(t)], path{}, names[1:], cast)
		if len(paths) == 0 {
			panic("fhir: search expression of " + string(t) + "." + p.Name + " leads nowhere")
		}
		out.paths = append(out.paths, paths...)
	}
	return out
}

// splitSteps splits at the dots outside parentheses.
func splitSteps(s string) []string {
	var steps []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			if depth == 0 {
				steps = append(steps, s[from:i])
				from = i + 1
			}
		}
	}
	return append(steps, s[from:])
}

// walkSteps follows the steps through the tables; a choice gives one path per type it may have.
func walkSteps(s *structure, at path, steps []string, cast string) []path {
	if len(steps) == 0 {
		return nil
	}
	name, rest := steps[0], steps[1:]
	filter, typ := "", ""
	for len(rest) > 0 && strings.HasSuffix(rest[0], ")") {
		function, arg, _ := strings.Cut(strings.TrimSuffix(rest[0], ")"), "(")
		switch function {
		case "where":
			filter = arg
		case "as", "ofType":
			typ = arg
		default:
			return nil
		}
		rest = rest[1:]
	}
	if len(rest) == 0 && cast != "" {
		typ = cast
	}
	var out []path
	for member, slot := range s.slots {
		e := slot.element
		if e.name != name || typ != "" && slot.typ.name != typ {
			continue
		}
		next := path{steps: append(append([]string(nil), at.steps...), member), leaf: slot.typ.name, target: at.target, where: at.where}
		if set := e.codes; set != nil && len(set.system) == 1 && next.leaf == "code" {
			for system := range set.system {
				next.system = system
			}
		}
		if filter != "" && !next.filter(filter) {
			return nil
		}
		if len(rest) > 0 {
			out = append(out, walkSteps(slot.typ, next, rest, cast)...)
			continue
		}
		out = append(out, next)
	}
	return out
}

// filter takes the argument of where().
func (p *path) filter(arg string) bool {
	if t, ok := strings.CutPrefix(arg, "resolve() is "); ok {
		p.target = Type(strings.TrimSpace(t))
		return true
	}
	if v, ok := strings.CutPrefix(arg, "system='"); ok {
		p.where = strings.TrimSuffix(v, "'")
		return true
	}
	return false
}
