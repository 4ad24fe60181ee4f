package fhir

import (
	"slices"
	"strings"
)

// profiles holds a resource to the profiles that it claims and, at the root, to those that were asked
// for. What R4 itself found at a place, from the issue before on, is not said again.
func (c *checker) profiles(v *Value, s *structure, before int) {
	claimed := v.Get("meta", "profile").Items()
	if len(claimed) == 0 && (len(c.asked) == 0 || v != c.root) {
		return
	}
	o := overlay{c: c, from: before, to: len(c.issues)}
	var done []*profile
	hold := func(canonical string, at *Value, unknown string) {
		p := overlays().find(canonical)
		switch {
		case p != nil && p.kind == s.name:
			if !slices.Contains(done, p) {
				done = append(done, p)
				o.p = p
				o.object(v, v, p.root)
			}
		case p != nil:
			c.find(at, SeverityError, CodeProfileOther, IssueInvalid, p.name, p.kind)
		default:
			name, base := strings.CutPrefix(canonical, baseCanonical)
			known := base && c.tables.structures[name] != nil
			if known && c.tables.structures[name].resource && name != s.name {
				c.find(at, SeverityError, CodeProfileOther, IssueInvalid, name, name)
			} else if !known && unknown == SeverityError {
				c.find(at, unknown, CodeProfileUnknown, IssueNotSupported)
			} else if !known && c.thorough {
				c.find(at, unknown, CodeProfileUnknown, IssueNotSupported)
			}
		}
	}
	for _, m := range claimed {
		if m.kind == String {
			hold(m.text, m, SeverityWarning)
		}
	}
	if v == c.root {
		for _, canonical := range c.asked {
			hold(canonical, v, SeverityError)
		}
	}
}

// overlay judges one resource by one profile.
type overlay struct {
	c        *checker
	p        *profile
	from, to int // the issues of R4 itself about the resource
}

// add records an error at a value, unless R4's own check has one there, or something is known to be
// missing there already.
func (o *overlay) add(v *Value, code string, t IssueType, args ...string) {
	o.record(issueAt(v, code, t, args...))
}

// addChild records an error about a member that is missing.
func (o *overlay) addChild(v *Value, name, code string, args ...string) {
	i := issueAt(v, code, IssueRequired, args...)
	i.Expression += "." + name
	o.record(i)
}

func (o *overlay) record(i Issue) {
	for n := o.from; n < len(o.c.issues); n++ {
		known := &o.c.issues[n]
		again := n < o.to || known.Type == IssueRequired && i.Type == IssueRequired
		if again && known.Expression == i.Expression && known.Severity == SeverityError {
			return
		}
	}
	if !o.c.full() {
		o.c.issues = append(o.c.issues, i)
	}
}

// present is one value that an element has: the value, its primitive sibling, or both, and
// the type that a choice has taken.
type present struct {
	value, sibling *Value
	typ            string
}

// at gives the place for findings.
func (x present) at() *Value {
	if x.value == nil {
		return x.sibling
	}
	return x.value
}

// object checks the members of v, which is the sibling of a primitive and may be nil; at is the
// place for findings.
func (o *overlay) object(v, at *Value, n *node) {
	for _, key := range n.rules {
		if f, ok := finders[key]; ok {
			f(at, o.c)
		} else if r := rules[key]; r.holds != nil && !r.holds(at, o.c) {
			o.add(at, CodeInvariant, IssueInvariant, key)
		}
	}
	for _, child := range n.children {
		o.element(v, at, child)
	}
}

// element checks cardinality, the values and the slices of one element.
func (o *overlay) element(v, at *Value, n *node) {
	var buffer [8]present
	list := n.values(buffer[:0], v)
	if len(list) < n.min {
		o.addChild(at, n.name, CodeProfileMin, n.shown, itoa(n.min), o.p.name)
	}
	if n.max >= 0 && len(list) > n.max {
		first := list[0].at()
		if first.parent != nil && first.parent.kind == Array {
			first = first.parent
		}
		o.add(first, CodeProfileMax, IssueStructure, n.shown, itoa(n.max), o.p.name)
	}
	for _, x := range list {
		o.one(x, n)
	}
	if len(n.slices) > 0 {
		o.sliced(list, at, n)
	}
}

// sliced checks the items of each slice and counts them. An item that no slice selects is free
// unless the slicing is closed.
func (o *overlay) sliced(list []present, at *Value, n *node) {
	var taken uint64
	for _, s := range n.slices {
		count := 0
		for i, x := range list {
			if !s.selects(x) {
				continue
			}
			taken |= 1 << (i & 63)
			if count++; count == s.max+1 && s.max >= 0 {
				o.add(x.at(), CodeSliceMax, IssueStructure, n.shown, s.name, itoa(s.max), o.p.name)
			}
			o.one(x, s)
		}
		if count < s.min {
			o.addChild(at, n.name, CodeSliceMin, n.shown, s.name, itoa(s.min), o.p.name)
		}
	}
	if !n.closed {
		return
	}
	for i, x := range list {
		if i < 64 && taken&(1<<i) == 0 {
			o.add(x.at(), CodeSliceClosed, IssueStructure, n.shown, o.p.name)
		}
	}
}

// one checks one value of an element.
func (o *overlay) one(x present, n *node) {
	at := x.at()
	switch {
	case n.choice && n.types != nil && !slices.Contains(n.types, x.typ):
		o.add(at, CodeProfileType, IssueStructure, x.typ, strings.Join(n.types, ", "), o.p.name)
		return
	case n.fixed != nil && !equalValues(x.value, n.fixed):
		o.add(at, CodeProfileFixed, IssueValue, n.fixed.Text(), o.p.name)
	case n.pattern != nil && !fits(x.value, n.pattern):
		o.add(at, CodeProfilePattern, IssueValue, patternText(n.pattern), o.p.name)
	case n.codes != nil && x.value != nil && !o.coded(x.value, n.codes):
		o.add(at, CodeProfileBinding, IssueCodeInvalid, n.codes.name, o.p.name)
	case n.targets != nil && x.value != nil:
		if target := o.target(x.value); target != "" && !slices.Contains(n.targets, target) {
			place := x.value.member("reference")
			if place == nil {
				place = x.value
			}
			o.add(place, CodeProfileTarget, IssueValue, safeName(target), strings.Join(n.targets, ", "), o.p.name)
		}
	}
	inner := x.value
	if inner == nil || inner.kind != Object {
		inner = x.sibling
	}
	o.object(inner, at, n)
	for _, url := range n.typed {
		o.object(inner, at, overlays().find(url).root)
	}
}

// coded reports whether a code, Coding, CodeableConcept or Quantity is in a set; what cannot be
// enumerated holds everything.
func (o *overlay) coded(v *Value, set *codeSet) bool {
	if set.open {
		return true
	}
	if v.kind != Object {
		return set.codes[v.text]
	}
	if list := v.member("coding"); list != nil {
		return slices.ContainsFunc(list.items, set.has)
	}
	return set.has(v)
}

// target gives the resource type that a Reference names, "" when it does not tell.
func (o *overlay) target(v *Value) string {
	text := v.member("reference").Text()
	switch {
	case text == "":
		return cutType(v.member("type").Text())
	case text == "#":
		return o.c.scope.resource.member("resourceType").Text()
	case text[0] == '#':
		return o.c.scope.find(text[1:]).Get("resourceType").Text()
	case absolute(text):
		return urlType(text, o.c.tables)
	}
	if ref, ok := parseReference(text); ok {
		return string(ref.Type)
	}
	name, _, _ := strings.Cut(text, "?")
	return name
}

// cutType gives the type name of Reference.type, which may be written as a canonical URL.
func cutType(s string) string { return strings.TrimPrefix(s, baseCanonical) }

// values lists what v has of the element.
func (n *node) values(list []present, v *Value) []present {
	if v == nil {
		return list
	}
	for i := range v.members {
		m := &v.members[i]
		name, sibling := m.Name, false
		if len(name) > 1 && name[0] == '_' {
			name, sibling = name[1:], true
		}
		typ, ok := n.names(name)
		if !ok || sibling && v.member(name) != nil {
			continue
		}
		if m.Value.kind != Array {
			x := present{value: m.Value, typ: typ}
			if sibling {
				x.value, x.sibling = nil, m.Value
			} else if m.Value.kind != Object {
				x.sibling = siblingOf(v, name)
			}
			list = append(list, x)
			continue
		}
		padded := m.Value
		if !sibling {
			padded = siblingOf(v, name)
		}
		for k, item := range m.Value.items {
			x := present{typ: typ}
			if !sibling && item.kind != Null {
				x.value = item
			}
			if items := padded.Items(); k < len(items) && items[k].kind != Null {
				x.sibling = items[k]
			}
			if x.at() != nil {
				list = append(list, x)
			}
		}
	}
	return list
}

// names reports whether a member name is the element's, and the type that a choice says.
func (n *node) names(name string) (typ string, ok bool) {
	if !n.choice {
		return "", name == n.name
	}
	if len(name) <= len(n.name) || name[:len(n.name)] != n.name || name[len(n.name)] < 'A' || name[len(n.name)] > 'Z' {
		return "", false
	}
	typ = name[len(n.name):]
	if lower := strings.ToLower(typ[:1]) + typ[1:]; primitives[lower] != nil {
		typ = lower
	}
	return typ, true
}

// siblingOf gives the "_name" member without building its name.
func siblingOf(v *Value, name string) *Value {
	for i := range v.members {
		if m := &v.members[i]; len(m.Name) == len(name)+1 && m.Name[0] == '_' && m.Name[1:] == name {
			return m.Value
		}
	}
	return nil
}

// selects reports whether an item belongs to a slice.
func (n *node) selects(x present) bool {
	for _, k := range n.keys {
		if !anyAt(x.value, k.path, func(v *Value) bool {
			if k.fixed != nil {
				return equalValues(v, k.fixed)
			}
			return fits(v, k.pattern)
		}) {
			return false
		}
	}
	return true
}

// anyAt reports whether some value at a path, lists walked through, is as asked.
func anyAt(v *Value, path []string, is func(*Value) bool) bool {
	if v == nil {
		return false
	}
	if v.kind == Array {
		return slices.ContainsFunc(v.items, func(item *Value) bool { return anyAt(item, path, is) })
	}
	if len(path) == 0 {
		return is(v)
	}
	return anyAt(v.member(path[0]), path[1:], is)
}

// equalValues reports whether two values are the same, in whatever order their members stand.
func equalValues(a, b *Value) bool {
	if a == nil || b == nil || a.kind != b.kind || len(a.members) != len(b.members) || len(a.items) != len(b.items) {
		return false
	}
	return fits(a, b)
}

// fits reports whether v has everything that a pattern has (R4 elementdefinition.html#pattern).
func fits(v, pattern *Value) bool {
	if v == nil || v.kind != pattern.kind {
		return false
	}
	switch v.kind {
	case Object:
		for i := range pattern.members {
			if m := &pattern.members[i]; !fits(v.member(m.Name), m.Value) {
				return false
			}
		}
		return true
	case Array:
		return !slices.ContainsFunc(pattern.items, func(want *Value) bool {
			return !slices.ContainsFunc(v.items, func(item *Value) bool { return fits(item, want) })
		})
	case Number:
		return compareDecimal(v.text, pattern.text) == 0
	}
	return v.text == pattern.text
}

// patternText shows what a pattern asks for: the value, or the first code in it.
func patternText(p *Value) string {
	if p.kind != Object {
		return p.Text()
	}
	if code := p.member("code").Text(); code != "" {
		return code
	}
	for _, c := range p.Get("coding").Items() {
		return c.Get("code").Text()
	}
	return "…"
}
