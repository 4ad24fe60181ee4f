package mapping

import (
	"slices"
	"strings"
	"testing"
)

func TestTableParses(t *testing.T) {
	tab, err := parseTable(tableText)
	if err != nil {
		t.Fatal(err)
	}
	if len(tab.messages) < 13 || len(tab.classes) < 60 {
		t.Errorf("%d messages, %d classes", len(tab.messages), len(tab.classes))
	}
	used := map[string]bool{}
	var walk func(c *class)
	walk = func(c *class) {
		if used[c.name] {
			return
		}
		used[c.name] = true
		for _, f := range c.fields {
			if f.class != nil {
				walk(f.class)
			}
		}
	}
	for _, m := range tab.messages {
		walk(m.rootClass)
	}
	for name := range tab.classes {
		if !used[name] && name != "Tiltaksbeskrivelse" { // a parent of two
			t.Errorf("class %s is reached by no message", name)
		}
	}
	for _, c := range tab.classes {
		for i, f := range c.fields {
			if slices.ContainsFunc(c.fields[:i], func(o *field) bool { return o.name == f.name && o.ns == f.ns }) {
				t.Errorf("class %s has %s twice", c.name, f.name)
			}
			for _, g := range f.targets {
				if g.through != "" && tab.maps[g.through] == nil {
					t.Errorf("class %s, %s: no map %s", c.name, f.name, g.through)
				}
			}
		}
	}
}

// TestTableRefusesMistakes: who corrects the table from the schema is told the line.
func TestTableRefusesMistakes(t *testing.T) {
	const ok = "ns po urn:x\nclass A\nfield po:X | 0..1 | TEXT | | note[+].text | one samarbeid | Tekst\nmessage M po:A A 1.6 in\n"
	if _, err := parseTable(ok); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"unknown prefix":    {"field po:", "field xx:"},
		"unknown kind":      {"TEXT", "TEKST"},
		"too few columns":   {" | Tekst", ""},
		"path":              {"note[+].text", "note[7].text"},
		"found by no name":  {"note[+].text", "note{x}.text"},
		"section mode":      {"one samarbeid", "noen samarbeid"},
		"section label":     {"one samarbeid", "one"},
		"class twice":       {"message", "class A\nmessage"},
		"no such class":     {"A 1.6", "B 1.6"},
		"unknown word":      {"ns po", "nsx po"},
		"constant not JSON": {"field", "= status final\nfield"},
		"field before all":  {"ns po urn:x\nclass A\n", ""},
	} {
		if _, err := parseTable(strings.Replace(ok, edit[0], edit[1], 1)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
