package main

import (
	"bytes"
	"slices"
	"strings"
)

type searchParameter struct {
	URL, Code, Type, Expression string
	Base, Target                []string
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
			lines = append(lines, []string{"search", base, p.Code, p.Type, expression, targets(p.Target), p.URL})
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
