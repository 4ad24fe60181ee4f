package fhir

import "slices"

// pathApplication is one operation on one document.
type pathApplication struct {
	o *pathOperation
	t *patching
	e *pathEvaluator[*patchNode]
}

// fault gives an error; without args, its only argument is the number of the operation.
func (a *pathApplication) fault(code string, args ...string) error {
	if args == nil {
		args = []string{itoa(a.o.number)}
	}
	return &Error{Issues: []Issue{newIssue(code, patchIssueTypes[code], args...)}}
}

func (a *pathApplication) apply() error {
	switch a.o.typ {
	case "add":
		return a.add()
	case "insert", "move":
		return a.list()
	}
	places, err := a.e.evaluate(a.o.path)
	if err != nil || len(places) == 0 && a.o.typ == "delete" {
		return err
	}
	p, err := a.one(places)
	if err != nil {
		return err
	}
	if p.holder == nil || a.t.protected(p.holder, p.name) {
		return a.fault(CodePatchProtected)
	}
	if a.o.typ == "delete" {
		a.remove(p)
		return nil
	}
	return a.replace(p)
}

// one asks for exactly one place.
func (a *pathApplication) one(places []pathPlace[*patchNode]) (p pathPlace[*patchNode], err error) {
	switch len(places) {
	case 0:
		return p, a.fault(CodePatchAbsent)
	case 1:
		if p = places[0]; p.index >= 0 && !isList(p.holder, p.name) {
			return p, a.fault(CodePatchList)
		}
		return p, nil
	}
	return p, a.fault(CodePatchMultiple, itoa(a.o.number), itoa(len(places)))
}

// inside gives the object that holds the child elements of a place, and its type: for a
// primitive its "_" sibling, which is made when it is not there.
func (a *pathApplication) inside(p pathPlace[*patchNode]) (*patchNode, *structure) {
	if p.typ.primitive == nil {
		return p.value, p.typ
	}
	typ := a.e.tables.structures["Element"]
	if p.sibling != nil {
		return p.sibling, typ
	}
	s := newPatchNode(emptyObject)
	if p.index < 0 {
		p.holder.put("_"+p.name, s)
	} else {
		a.padded(p.holder, "_"+p.name, listLength(p.holder, p.name)).kids[p.index].become(s)
	}
	return s, typ
}

func (a *pathApplication) add() error {
	places, err := a.e.evaluate(a.o.path)
	if err != nil {
		return err
	}
	p, err := a.one(places)
	if err != nil {
		return err
	}
	typ := p.typ
	if typ.primitive != nil {
		typ = a.e.tables.structures["Element"]
	}
	member, v, err := a.build(typ, a.o.name)
	if err != nil {
		return err
	}
	if p.typ.primitive != nil && a.t.protected(p.holder, p.name) {
		return a.fault(CodePatchProtected)
	}
	holder, typ := a.inside(p)
	if holder.Kind() != Object {
		return a.fault(CodePatchAbsent)
	}
	if a.t.protected(holder, member) {
		return a.fault(CodePatchProtected)
	}
	if typ.slots[member].element.list() {
		if !isList(holder, member) {
			return a.fault(CodePatchList)
		}
		n := listLength(holder, member)
		a.insert(holder, member, n, v)
		return nil
	}
	for _, name := range typ.elementNames(a.o.name) {
		if holder.member(name) != nil || holder.member("_"+name) != nil {
			return a.fault(CodePatchExists, itoa(a.o.number), safeName(a.o.name))
		}
	}
	if v.value != nil {
		holder.put(member, v.value)
	}
	if v.sibling != nil {
		holder.put("_"+member, v.sibling)
	}
	return nil
}

// list applies insert and move.
func (a *pathApplication) list() error {
	path, name, ok := a.o.path.collection()
	if !ok {
		return a.fault(CodePatchList)
	}
	places, err := a.e.evaluate(path)
	if err != nil {
		return err
	}
	p, err := a.one(places)
	if err != nil {
		return err
	}
	holder, typ := p.value, p.typ
	if typ.primitive != nil {
		holder, typ = p.sibling, a.e.tables.structures["Element"]
	}
	names := typ.elementNames(name)
	switch {
	case names == nil:
		return a.e.fault(CodePathElement, IssueValue, safeName(name), p.typ.name)
	case !typ.slots[names[0]].element.list():
		return a.fault(CodePatchList)
	case holder == nil || holder.Kind() != Object:
		return a.fault(CodePatchAbsent)
	case !isList(holder, name):
		return a.fault(CodePatchList)
	case a.t.protected(holder, name):
		return a.fault(CodePatchProtected)
	}
	length := listLength(holder, name)
	if a.o.typ == "move" {
		if a.o.index >= length || a.o.to >= length {
			return a.fault(CodePatchIndex, itoa(a.o.number), itoa(max(length-1, 0)))
		}
		for _, n := range [...]string{name, "_" + name} {
			if list := holder.member(n); len(list.Items()) > 0 {
				k := a.padded(holder, n, length).kids[a.o.index]
				k.detach()
				list.insert(a.o.to, "", k)
			}
		}
		return nil
	}
	if a.o.index > length {
		return a.fault(CodePatchIndex, itoa(a.o.number), itoa(length))
	}
	_, v, err := a.build(typ, name)
	if err == nil {
		a.insert(holder, name, a.o.index, v)
	}
	return err
}

// isList reports whether what stands under a name, and its "_" sibling, is an array or absent.
func isList(holder *patchNode, name string) bool {
	value, sibling := holder.member(name), holder.member("_"+name)
	return (value == nil || value.Kind() == Array) && (sibling == nil || sibling.Kind() == Array)
}

// listLength gives the number of elements of a list, in values or in "_" siblings.
func listLength(holder *patchNode, name string) int {
	return max(len(holder.member(name).Items()), len(holder.member("_"+name).Items()))
}

// padded gives the array under a member name, made when it is not there, of at least n slots.
func (a *pathApplication) padded(holder *patchNode, name string, n int) *patchNode {
	list := holder.member(name)
	if list == nil {
		list = newPatchNode(emptyArray)
		holder.put(name, list)
	}
	list.open()
	for len(list.kids) < n {
		list.insert(len(list.kids), "", newPatchNode(nullLiteral))
	}
	return list
}

// insert puts a value at a position of a list, and keeps the "_" list in step.
func (a *pathApplication) insert(holder *patchNode, name string, i int, v pathValue) {
	length := listLength(holder, name)
	for _, side := range [...]struct {
		name string
		node *patchNode
	}{{name, v.value}, {"_" + name, v.sibling}} {
		if side.node == nil {
			if holder.member(side.name) == nil {
				continue
			}
			side.node = newPatchNode(nullLiteral)
		}
		a.padded(holder, side.name, length).insert(i, "", side.node)
	}
}

// remove takes an element away, and what becomes empty by it.
func (a *pathApplication) remove(p pathPlace[*patchNode]) {
	for _, name := range [...]string{p.name, "_" + p.name} {
		m := p.holder.member(name)
		switch {
		case m == nil:
		case p.index < 0:
			m.detach()
		default:
			if items := m.Items(); p.index < len(items) {
				items[p.index].detach()
			}
			a.dropEmpty(m)
		}
	}
	a.prune(p.holder)
}

// dropEmpty takes away a list of which nothing, or nothing but null, is left.
func (a *pathApplication) dropEmpty(list *patchNode) {
	if slices.ContainsFunc(list.Items(), func(k *patchNode) bool { return k.Kind() != Null }) {
		return
	}
	if len(list.kids) > 0 && list.parent.member("_"+list.name) != nil {
		return // the slots belong to elements that have extensions only
	}
	list.detach()
}

// prune takes away an object without members, and what holds it when that becomes empty.
func (a *pathApplication) prune(n *patchNode) {
	for n != nil && n.Kind() == Object && n.parent != nil {
		if n.open(); len(n.kids) > 0 {
			return
		}
		list := n.parent
		if list.Kind() == Object {
			n.detach()
			n = list
			continue
		}
		holder := list.parent
		if list.name[0] == '_' {
			a.emptySlot(n, list, holder.member(list.name[1:]))
		} else {
			n.detach()
			a.dropEmpty(list)
		}
		n = holder
	}
}

// emptySlot takes a "_" sibling without members out of its list: null stands in its place while the
// element has a value.
func (a *pathApplication) emptySlot(n, list, values *patchNode) {
	i := n.position()
	if items := values.Items(); i < len(items) && items[i].Kind() != Null {
		n.become(newPatchNode(nullLiteral))
	} else {
		n.detach()
		if i < len(items) {
			items[i].detach()
		}
	}
	a.dropEmpty(list)
	if values != nil {
		a.dropEmpty(values)
	}
}

// replace puts the value in the place of an element, its id and extensions included.
func (a *pathApplication) replace(p pathPlace[*patchNode]) error {
	member, v, err := a.build(p.owner, p.owner.slots[p.name].element.name)
	if err != nil {
		return err
	}
	if p.index >= 0 {
		a.replaceItem(p, v)
		return nil
	}
	old := p.holder.member(p.name)
	if old == nil {
		old = p.holder.member("_" + p.name)
	}
	at := old.position()
	if sibling := p.holder.member("_" + p.name); sibling != nil && sibling != old {
		if member == p.name && v.sibling != nil {
			sibling.become(v.sibling)
			v.sibling = nil
		} else {
			sibling.detach()
			at = old.position()
		}
	}
	if v.value != nil && old.name == member {
		old.become(v.value)
	} else {
		if v.value != nil {
			p.holder.insert(at, member, v.value)
		}
		old.detach()
	}
	if v.sibling != nil {
		p.holder.insert(min(at+1, len(p.holder.kids)), "_"+member, v.sibling)
	}
	return nil
}

// replaceItem replaces an element of a list.
func (a *pathApplication) replaceItem(p pathPlace[*patchNode], v pathValue) {
	length := listLength(p.holder, p.name)
	for _, side := range [...]struct {
		name string
		node *patchNode
	}{{p.name, v.value}, {"_" + p.name, v.sibling}} {
		if side.node == nil {
			if p.holder.member(side.name) == nil {
				continue
			}
			side.node = newPatchNode(nullLiteral)
		}
		a.padded(p.holder, side.name, length).kids[p.index].become(side.node)
	}
	if m := p.holder.member("_" + p.name); m != nil {
		a.dropEmpty(m)
	}
}
