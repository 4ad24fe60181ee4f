package fhir

import "strings"

// compileProfile reads the differential of a StructureDefinition. What the overlay does not
// support, a definition of ours may not hold: it panics.
func compileProfile(r *Resource) *profile {
	v := r.root
	p := &profile{
		url: v.Get("url").Text(), version: v.Get("version").Text(), name: v.Get("name").Text(), kind: v.Get("type").Text(),
		root: &node{name: v.Get("type").Text(), shown: v.Get("type").Text(), max: -1},
	}
	for _, id := range v.Get("identifier").Items() {
		if id.Get("system").Text() == "urn:ietf:rfc:3986" {
			p.other = id.Get("value").Text()
		}
	}
	for _, e := range v.Get("differential", "element").Items() {
		p.root.walk(p, e.Get("id").Text()).read(p, e)
	}
	p.root.selectors(p)
	return p
}

// walk gives the node of an element id such as "Patient.identifier:FNR.system", made where it is missing.
func (n *node) walk(p *profile, id string) *node {
	segments := strings.Split(id, ".")
	if segments[0] != p.kind {
		panic("fhir: " + p.url + ": " + id)
	}
	for _, segment := range segments[1:] {
		name, slice, sliced := strings.Cut(segment, ":")
		base, choice := strings.CutSuffix(name, "[x]")
		n = n.child(&n.children, base, name, choice)
		if sliced {
			n = n.child(&n.slices, slice, name, choice)
		}
	}
	return n
}

// child finds or makes a node in a list of n's.
func (*node) child(list *[]*node, name, shown string, choice bool) *node {
	for _, c := range *list {
		if c.name == name {
			return c
		}
	}
	c := &node{name: name, shown: shown, choice: choice, max: -1}
	*list = append(*list, c)
	return c
}

// read takes what one ElementDefinition says.
func (n *node) read(p *profile, e *Value) {
	if min, ok := digitsOf(e.Get("min").Text()); ok {
		n.min = min
	}
	if max, ok := digitsOf(e.Get("max").Text()); ok {
		n.max = max
	}
	for _, m := range e.members {
		switch {
		case strings.HasPrefix(m.Name, "fixed"):
			n.fixed = m.Value
		case strings.HasPrefix(m.Name, "pattern"):
			n.pattern = m.Value
		case m.Name == "contentReference" || m.Name == "maxLength" || strings.HasPrefix(m.Name, "minValue") || strings.HasPrefix(m.Name, "maxValue"):
			panic("fhir: " + p.url + " uses " + m.Name)
		}
	}
	for _, t := range e.Get("type").Items() {
		n.types = append(n.types, t.Get("code").Text())
		for _, target := range t.Get("targetProfile").Items() {
			n.targets = append(n.targets, strings.TrimPrefix(target.Text(), baseCanonical))
		}
		for _, url := range t.Get("profile").Items() {
			n.typed = append(n.typed, url.Text())
		}
	}
	if b := e.Get("binding"); b.Get("strength").Text() == "required" {
		if n.codes = knownSet(b.Get("valueSet").Text()); n.codes == nil {
			panic("fhir: " + p.url + ": no value set " + b.Get("valueSet").Text())
		}
	}
	for _, c := range e.Get("constraint").Items() {
		key := c.Get("key").Text()
		if _, ok := rules[key]; !ok {
			panic("fhir: " + p.url + ": no rule " + key)
		}
		n.rules = append(n.rules, key)
	}
	if s := e.Get("slicing"); s != nil {
		n.closed = s.Get("rules").Text() == "closed"
		for _, d := range s.Get("discriminator").Items() {
			if t := d.Get("type").Text(); t != "value" && t != "pattern" {
				panic("fhir: " + p.url + ": discriminator " + t)
			}
			var path []string
			if text := d.Get("path").Text(); text != "$this" {
				path = strings.Split(text, ".")
			}
			n.by = append(n.by, path)
		}
	}
}

// selectors gives each slice the keys that its discriminators find in it.
func (n *node) selectors(p *profile) {
	for _, s := range n.slices {
		for _, path := range n.by {
			at := s
			for _, step := range path {
				at = at.find(step)
			}
			if at == nil || at.fixed == nil && at.pattern == nil {
				panic("fhir: " + p.url + ": slice " + s.name + " has no value at its discriminator")
			}
			s.keys = append(s.keys, key{path, at.fixed, at.pattern})
		}
		if len(s.keys) == 0 {
			panic("fhir: " + p.url + ": slice " + s.name + " of no slicing")
		}
		s.selectors(p)
	}
	for _, c := range n.children {
		c.selectors(p)
	}
}

// find gives the child of a name, nil when the profile says nothing of it.
func (n *node) find(name string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// digitsOf reads a number of digits only.
func digitsOf(s string) (int, bool) {
	if !allDigits(s) || len(s) > 6 {
		return 0, false
	}
	return digits(s, 0, len(s))
}
