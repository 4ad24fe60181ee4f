package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// leafKinds are the kinds of a field that are no classes.
var leafKinds = []string{"TEXT", "NOTE", "RICH", "BOOL", "INT", "DATE", "DAY", "TS", "CS", "CV", "CODE", "ANY", "PQ", "HCP",
	"ORG", "PERSON", "CONTACT", "PLACE", "WHERE", "KEEP",
	"NAME", "NIN", "IDENT", "MAPPED", "DAYV", "TELECOM", "DOC", "KEPT"}

// link resolves inherited fields and the names of classes, for each version that a message is of.
func (t *table) link() error {
	for _, c := range t.classes {
		if err := t.inherit(c, 0); err != nil {
			return err
		}
	}
	derived := map[[2]string]*class{}
	for _, c := range t.classes {
		if !strings.Contains(c.name, "@") {
			derived[[2]string{c.name, ""}] = c
		}
	}
	for _, c := range t.classes {
		if err := t.resolve(c, "", derived); err != nil {
			return err
		}
	}
	for i := range t.messages {
		m := &t.messages[i]
		edition := string(m.kind) + "-" + m.version // of that type, or of all that have the version
		if t.editions[edition] == nil {
			edition = m.version
		}
		if t.editions[edition] == nil {
			edition = ""
		}
		m.loose = t.loose[m.class]
		var err error
		if m.rootClass, err = t.derive(m.class, edition, derived); err != nil || m.rootNS == "" {
			return fmt.Errorf("message %s: no class %s or no namespace: %w", m.kind, m.class, err)
		}
	}
	for _, m := range t.messages {
		if m.rootClass.homes == nil {
			m.rootClass.homes = homesOf(m.rootClass)
		}
	}
	return nil
}

// inherit gives a class the fields of its parent: in their order, less what it has not, its own where it wants them,
// else last.
func (t *table) inherit(c *class, depth int) error {
	if c.linked {
		return nil
	}
	own, err := t.with(c, depth)
	if err != nil {
		return err
	}
	if c.linked = true; c.parent == "" {
		c.fields = own
		return nil
	}
	parent := t.classes[c.parent]
	if parent == nil || depth > 8 {
		return fmt.Errorf("class %s: no class %s", c.name, c.parent)
	}
	if err := t.inherit(parent, depth+1); err != nil {
		return err
	}
	c.fields = nil
	missing := slices.Clone(c.less)
	for _, f := range parent.fields {
		name := f.prefix + ":" + f.name
		if i := slices.Index(missing, name); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		} else {
			same := *f
			c.fields = append(c.fields, &same)
		}
		for _, o := range own {
			if c.after[o] == name {
				c.fields = append(c.fields, o)
			}
		}
	}
	for _, o := range own {
		switch {
		case c.after[o] == "":
			c.fields = append(c.fields, o)
		case !slices.Contains(c.fields, o):
			return fmt.Errorf("class %s: %s has no %s", c.name, c.parent, c.after[o])
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("class %s: %s has no %s", c.name, c.parent, missing[0])
	}
	return nil
}

// with puts the fields of other classes where a class wants them.
func (t *table) with(c *class, depth int) ([]*field, error) {
	var all []*field
	for _, f := range c.fields {
		if f.kind != "with" {
			all = append(all, f)
			continue
		}
		other := t.classes[f.name]
		if other == nil || depth > 8 {
			return nil, fmt.Errorf("class %s: no class %s", c.name, f.name)
		}
		if err := t.inherit(other, depth+1); err != nil {
			return nil, err
		}
		for _, g := range other.fields {
			same := *g
			all = append(all, &same)
		}
	}
	return all, nil
}

// derive gives a class as a version has it: its own variant NAME@VERSION, or the current one, in the namespaces of that
// version.
func (t *table) derive(name, edition string, derived map[[2]string]*class) (*class, error) {
	key := [2]string{name, edition}
	if c := derived[key]; c != nil {
		return c, nil
	}
	of := t.classes[name+"@"+edition]
	if of == nil {
		of = t.classes[name]
	}
	if of == nil || edition == "" {
		return nil, fmt.Errorf("no class %q", name)
	}
	same := *of
	same.fields = make([]*field, len(of.fields))
	derived[key] = &same
	for i, f := range of.fields {
		g := *f
		if prefix, ok := t.editions[edition][f.prefix]; ok {
			g.prefix, g.ns = prefix, t.ns[prefix]
		}
		same.fields[i] = &g
	}
	return &same, t.resolve(&same, edition, derived)
}

// resolve finds the classes that the fields of a class name.
func (t *table) resolve(c *class, edition string, derived map[[2]string]*class) error {
	for i, f := range c.fields {
		f.order, f.slot = i, i
		for j, g := range c.fields[:i] {
			if f.kind == "CODE" && g.kind == f.kind && g.targets[0].name == f.targets[0].name && !strings.Contains(g.targets[0].name, "coding") {
				f.slot = j
			}
		}
		if slices.Contains(leafKinds, f.kind) {
			continue
		}
		f.class, f.others = nil, nil
		for _, name := range strings.Split(f.kind, ",") {
			one, err := t.derive(name, edition, derived)
			if err != nil {
				return fmt.Errorf("class %s, field %s: %w", c.name, f.name, err)
			}
			if f.class == nil {
				f.class = one
			} else {
				f.others = append(f.others, one)
			}
		}
	}
	return nil
}
