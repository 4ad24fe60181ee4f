package main

import (
	"bytes"
	"log"
	"slices"
	"strings"
)

type searchParameter struct {
	URL, Code, Type, Expression, Description string
	Base, Target, Comparator                 []string
	Component                                []struct{ Definition, Expression string }
}

// writeSearchParameters writes one line per resource type and parameter. Of an expression over
// several types only the alternatives of that type are kept.
func writeSearchParameters(out *bytes.Buffer, list []searchParameter, structures []structureDefinition) {
	concrete := map[string]bool{}
	for _, d := range structures {
		if d.Kind == "resource" && !d.Abstract && d.Derivation == "specialization" {
			concrete[d.Name] = true
		}
	}
	defined := map[string]searchParameter{}
	for _, p := range list {
		defined[p.URL] = p
	}
	var lines [][]string
	for _, p := range list {
		if p.Expression == "" || strings.Contains(p.URL, "/extension") {
			continue
		}
		for _, base := range p.Base {
			expression := p.Expression
			if concrete[base] {
				expression = alternatives(p.Expression, base)
			}
			if expression == "" || !concrete[base] && base != "Resource" && base != "DomainResource" {
				continue
			}
			lines = append(lines, []string{"search", base, p.Code, p.Type, expression, targets(p.Target), p.URL,
				strings.Join(p.Comparator, " "), p.components(defined), p.describe(base)})
		}
	}
	slices.SortFunc(lines, func(a, b []string) int {
		if c := strings.Compare(a[1], b[1]); c != 0 {
			return c
		}
		if c := strings.Compare(a[2], b[2]); c != 0 {
			return c
		}
		return strings.Compare(a[6], b[6])
	})
	for i, l := range lines {
		if i > 0 && l[1] == lines[i-1][1] && l[2] == lines[i-1][2] {
			continue
		}
		line(out, l...)
	}
}

// alternatives gives the parts of a union that begin with the type, joined again.
func alternatives(expression, base string) string {
	var kept []string
	for _, part := range strings.Split(expression, "|") {
		part = strings.TrimSpace(part)
		bare := strings.TrimLeft(part, "(")
		if rest, ok := strings.CutPrefix(bare, base); ok && (rest == "" || rest[0] == '.') {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, " | ")
}

// targets gives the types a reference may point at; "*" when it may be nearly any of R4's.
func targets(list []string) string {
	if len(list) > 100 {
		return "*"
	}
	return strings.Join(list, " ")
}

// components gives the parts of a composite as CODE TYPE EXPRESSION, separated by semicolons.
// The expression is relative to the elements that the expression of the composite gives.
func (p searchParameter) components(defined map[string]searchParameter) string {
	var parts []string
	for _, c := range p.Component {
		part, ok := defined[c.Definition]
		if !ok || c.Expression == "" || strings.Contains(c.Expression, ";") {
			log.Fatalf("%s: component %s", p.URL, c.Definition)
		}
		parts = append(parts, part.Code+" "+part.Type+" "+c.Expression)
	}
	return strings.Join(parts, ";")
}

// describe gives the description on one line: of one that speaks about several types, what it
// says about this one.
func (p searchParameter) describe(base string) string {
	text := strings.Join(strings.Fields(p.Description), " ")
	if !strings.HasPrefix(text, "Multiple Resources:") {
		return text
	}
	for part := range strings.SplitSeq(text, "* [") {
		if rest, ok := strings.CutPrefix(part, base+"]("); ok {
			_, rest, _ = strings.Cut(rest, "): ")
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
