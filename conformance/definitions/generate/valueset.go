package main

import (
	"bytes"
	"slices"
)

type concept struct {
	Code    string
	Concept []concept
}

type codeSystem struct {
	URL, Content string
	Concept      []concept
}

type valueSet struct {
	URL     string
	Compose struct{ Include, Exclude []include }
}

type include struct {
	System   string
	Concept  []concept
	Filter   []struct{ Property, Op, Value string }
	ValueSet []string
}

// writeValueSets writes the expansion of each required value set, system by system. A value
// set that cannot be enumerated (MIME types, languages, units) gets the system "*".
func writeValueSets(out *bytes.Buffer, bound map[string]bool, sets []valueSet, systems []codeSystem) {
	x := expander{sets: map[string]valueSet{}, systems: map[string]codeSystem{}}
	for _, s := range sets {
		x.sets[s.URL] = s
	}
	for _, s := range systems {
		x.systems[s.URL] = s
	}
	for _, url := range sortedKeys(bound) {
		codes, ok := x.expand(url, 0)
		line(out, "valueset", url)
		if !ok {
			line(out, "", "*")
			continue
		}
		for _, system := range sortedKeys(codes) {
			slices.Sort(codes[system])
			line(out, append([]string{"", system}, slices.Compact(codes[system])...)...)
		}
	}
}

type expander struct {
	sets    map[string]valueSet
	systems map[string]codeSystem
}

// expand gives the codes of a value set by system; false when it cannot be enumerated.
func (x expander) expand(url string, depth int) (map[string][]string, bool) {
	set, ok := x.sets[url]
	if !ok || depth > 5 || len(set.Compose.Include) == 0 {
		return nil, false
	}
	all := map[string][]string{}
	for _, in := range set.Compose.Include {
		codes, ok := x.include(in, depth)
		if !ok {
			return nil, false
		}
		for system, list := range codes {
			all[system] = append(all[system], list...)
		}
	}
	for _, out := range set.Compose.Exclude {
		codes, ok := x.include(out, depth)
		if !ok {
			return nil, false
		}
		for system, list := range codes {
			all[system] = slices.DeleteFunc(all[system], func(c string) bool { return slices.Contains(list, c) })
		}
	}
	return all, true
}

func (x expander) include(in include, depth int) (map[string][]string, bool) {
	all := map[string][]string{}
	for _, canonical := range in.ValueSet {
		codes, ok := x.expand(trimVersion(canonical), depth+1)
		if !ok {
			return nil, false
		}
		for system, list := range codes {
			all[system] = append(all[system], list...)
		}
	}
	if in.System == "" {
		return all, true
	}
	if len(in.Concept) > 0 {
		for _, c := range in.Concept {
			all[in.System] = append(all[in.System], c.Code)
		}
		return all, true
	}
	system, ok := x.systems[in.System]
	if !ok || system.Content != "complete" || len(system.Concept) == 0 {
		return nil, false
	}
	codes := flatten(system.Concept)
	for _, f := range in.Filter {
		switch {
		case f.Property == "concept" && f.Op == "is-a":
			codes = below(system.Concept, f.Value)
		default:
			return nil, false
		}
	}
	all[in.System] = append(all[in.System], codes...)
	return all, true
}

func flatten(list []concept) []string {
	var codes []string
	for _, c := range list {
		codes = append(append(codes, c.Code), flatten(c.Concept)...)
	}
	return codes
}

// below gives a concept and its descendants.
func below(list []concept, code string) []string {
	for _, c := range list {
		if c.Code == code {
			return flatten([]concept{c})
		}
		if found := below(c.Concept, code); found != nil {
			return found
		}
	}
	return nil
}

func trimVersion(canonical string) string {
	for i := range canonical {
		if canonical[i] == '|' {
			return canonical[:i]
		}
	}
	return canonical
}
