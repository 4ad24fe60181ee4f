package fhir

import "slices"

// maxPathVisits is the number of elements that one evaluation, or all of one patch, may look at.
const maxPathVisits = 1 << 20

// pathTree is a tree that a path is evaluated over: a parsed document, or one under change.
type pathTree[T any] interface {
	comparable
	Kind() Kind
	Text() string
	Items() []T
	member(name string) T
}

// pathPlace is one element: where it stands, and its R4 type.
type pathPlace[T pathTree[T]] struct {
	value   T // nil for a primitive that has only an id or extensions
	sibling T // the "_name" object of a primitive, or nil
	holder  T // the object it is a member of; nil for the resource
	name    string
	index   int // in its array, -1 when it stands alone
	typ     *structure
	owner   *structure // the type of holder
}

// pathEvaluator evaluates over one document.
type pathEvaluator[T pathTree[T]] struct {
	tables *compiled
	root   pathPlace[T]
	visits int
}

// Find gives the elements of a resource that the path names, in order; a primitive that has only
// an id or extensions is given as its "_name" object. The error is *Error: an element or type that R4
// does not have there, single() on several, more work than one evaluation may do.
func (p *Path) Find(r *Resource) ([]*Value, error) {
	return p.FindIn(r.root, string(r.kind))
}

// FindIn is Find from an element of a type of R4: "Patient", "HumanName", "QuestionnaireResponse.item".
// A type at the head of the path must then be that one.
func (p *Path) FindIn(v *Value, typ string) ([]*Value, error) {
	e := &pathEvaluator[*Value]{tables: tables()}
	e.root = pathPlace[*Value]{value: v, index: -1, typ: e.tables.structures[typ]}
	if v == nil || e.root.typ == nil {
		return nil, &Error{Issues: []Issue{newIssue(CodeUnknownType, IssueNotSupported)}}
	}
	places, err := e.evaluate(p)
	if err != nil {
		return nil, err
	}
	values := make([]*Value, 0, len(places))
	for _, place := range places {
		if place.value != nil && place.value.kind != Null {
			values = append(values, place.value)
		} else if place.sibling != nil {
			values = append(values, place.sibling)
		}
	}
	return values, nil
}

func (e *pathEvaluator[T]) fault(code string, t IssueType, args ...string) error {
	return &Error{Issues: []Issue{newIssue(code, t, args...)}}
}

// evaluate checks the names of a path against the types, whether or not there is something at them,
// and gives its places.
func (e *pathEvaluator[T]) evaluate(p *Path) ([]pathPlace[T], error) {
	if _, err := e.check([]*structure{e.root.typ}, p.steps); err != nil {
		return nil, err
	}
	return e.run(e.root, p.steps)
}

// check follows the types of the elements that steps lead to. What a resource within may hold is
// known only where it stands.
func (e *pathEvaluator[T]) check(types []*structure, steps []pathStep) ([]*structure, error) {
	for i := range steps {
		switch s := &steps[i]; s.kind {
		case stepRoot:
			if name := e.root.typ.name; s.name != name && (!e.root.typ.resource || s.name != "Resource" && s.name != "DomainResource") {
				return nil, e.fault(CodePathType, IssueValue, safeName(s.name), name)
			}
		case stepOfType:
			types = []*structure{e.tables.structures[s.name]}
		case stepWhere:
			if err := e.checkCriteria(types, s.criteria); err != nil {
				return nil, err
			}
		case stepElement:
			var next []*structure
			for _, t := range types {
				if t == nil || t.abstract {
					continue
				}
				owner := t
				if t.primitive != nil {
					owner = e.tables.structures["Element"]
				}
				for _, n := range owner.elementNames(s.name) {
					if typ := owner.slots[n].typ; !slices.Contains(next, typ) {
						next = append(next, typ)
					}
				}
			}
			if next == nil && len(types) > 0 && types[0] != nil && !types[0].abstract {
				return nil, e.fault(CodePathElement, IssueValue, safeName(s.name), types[0].name)
			}
			types = next
		}
	}
	return types, nil
}

func (e *pathEvaluator[T]) checkCriteria(types []*structure, c *pathCriteria) error {
	if c.left != nil {
		if err := e.checkCriteria(types, c.left); err != nil {
			return err
		}
		return e.checkCriteria(types, c.right)
	}
	_, err := e.check(types, c.steps)
	return err
}

// run gives the places that steps lead to from one place.
func (e *pathEvaluator[T]) run(from pathPlace[T], steps []pathStep) ([]pathPlace[T], error) {
	places := []pathPlace[T]{from}
	for i := range steps {
		var err error
		if places, err = e.step(places, &steps[i]); err != nil {
			return nil, err
		}
		if e.visits += len(places) + 1; e.visits > maxPathVisits {
			return nil, e.fault(CodePathCostly, IssueTooCostly)
		}
	}
	return places, nil
}

func (e *pathEvaluator[T]) step(places []pathPlace[T], s *pathStep) ([]pathPlace[T], error) {
	switch s.kind {
	case stepIndex:
		if s.index >= len(places) {
			return nil, nil
		}
		return places[s.index : s.index+1], nil
	case stepFirst:
		return places[:min(1, len(places))], nil
	case stepLast:
		return places[max(0, len(places)-1):], nil
	case stepSingle:
		if len(places) > 1 {
			return nil, e.fault(CodePathSingle, IssueMultipleMatches, itoa(len(places)))
		}
	case stepOfType:
		if e.tables.structures[s.name] == nil {
			return nil, e.fault(CodePathElement, IssueValue, safeName(s.name), "FHIR")
		}
		return slices.DeleteFunc(slices.Clone(places), func(p pathPlace[T]) bool { return p.typ.typeName() != s.name }), nil
	case stepWhere:
		var kept []pathPlace[T]
		for _, p := range places {
			ok, err := e.holds(p, s.criteria)
			if err != nil {
				return nil, err
			}
			if ok {
				kept = append(kept, p)
			}
		}
		return kept, nil
	case stepElement:
		var found []pathPlace[T]
		for _, p := range places {
			var err error
			if found, err = e.children(found, p, s.name); err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	return places, nil
}

// children appends the elements of one name below a place.
func (e *pathEvaluator[T]) children(found []pathPlace[T], p pathPlace[T], name string) ([]pathPlace[T], error) {
	var none T
	holder, typ := p.value, p.typ
	if typ.primitive != nil {
		holder, typ = p.sibling, e.tables.structures["Element"]
	}
	names := typ.elementNames(name)
	if names == nil {
		return nil, e.fault(CodePathElement, IssueValue, safeName(name), p.typ.name)
	}
	if holder == none || holder.Kind() != Object {
		return found, nil
	}
	for _, n := range names {
		var err error
		if found, err = e.members(found, holder, n, typ); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// elementNames gives the member names that an element may have in JSON: its own, or those of a
// choice; nil when the structure has no such element.
func (s *structure) elementNames(name string) []string {
	if slot := s.slots[name]; slot != nil && !slot.element.choice {
		return []string{name}
	}
	for _, slot := range s.slots {
		if slot.element.choice && slot.element.name == name {
			return slot.element.names
		}
	}
	return nil
}

// typeName gives the R4 type of a structure that may be a profile of Quantity.
func (s *structure) typeName() string {
	if s.name == "SimpleQuantity" || s.name == "MoneyQuantity" {
		return "Quantity"
	}
	return s.name
}

// members appends the values under one member name with their "_" siblings.
func (e *pathEvaluator[T]) members(found []pathPlace[T], holder T, name string, owner *structure) ([]pathPlace[T], error) {
	var none T
	s := owner.slots[name]
	value, sibling := holder.member(name), none
	if s.typ != nil && s.typ.primitive != nil && !s.attribute {
		sibling = holder.member("_" + name)
	}
	if value == none && sibling == none {
		return found, nil
	}
	if value.Kind() != Array && sibling.Kind() != Array {
		return e.place(found, pathPlace[T]{value: value, sibling: sibling, holder: holder, name: name, index: -1, typ: s.typ, owner: owner})
	}
	values, siblings := value.Items(), sibling.Items()
	for i := range max(len(values), len(siblings)) {
		p := pathPlace[T]{holder: holder, name: name, index: i, typ: s.typ, owner: owner}
		if i < len(values) && values[i].Kind() != Null {
			p.value = values[i]
		}
		if i < len(siblings) && siblings[i].Kind() != Null {
			p.sibling = siblings[i]
		}
		var err error
		if found, err = e.place(found, p); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// place appends a place; a resource within takes the type that it names.
func (e *pathEvaluator[T]) place(found []pathPlace[T], p pathPlace[T]) ([]pathPlace[T], error) {
	var none T
	if e.visits++; e.visits > maxPathVisits {
		return nil, e.fault(CodePathCostly, IssueTooCostly)
	}
	if p.typ != nil && p.typ.abstract && p.value != none && p.value.Kind() == Object {
		if t := p.value.member("resourceType"); t != none {
			p.typ = e.tables.structures[t.Text()]
		}
	}
	if p.typ == nil {
		return nil, e.fault(CodeUnknownType, IssueNotSupported)
	}
	return append(found, p), nil
}

// holds evaluates a criterion at one place.
func (e *pathEvaluator[T]) holds(p pathPlace[T], c *pathCriteria) (bool, error) {
	switch c.operator {
	case "and", "or":
		left, err := e.holds(p, c.left)
		if err != nil {
			return false, err
		}
		right, err := e.holds(p, c.right)
		return c.operator == "and" && left && right || c.operator == "or" && (left || right), err
	}
	places, err := e.run(p, c.steps)
	if err != nil {
		return false, err
	}
	switch c.operator {
	case "exists":
		return len(places) > 0, nil
	case "empty":
		return len(places) == 0, nil
	case "true":
		return len(places) == 1 && places[0].value.Kind() == Bool && places[0].value.Text() == "true", nil
	}
	equal := len(places) == 1 && places[0].value.Kind() == c.kind
	if equal && c.kind == Number {
		equal = equalNumber(places[0].value.Text(), c.literal)
	} else if equal {
		equal = places[0].value.Text() == c.literal
	}
	if c.operator == "!=" {
		return len(places) > 0 && !equal, nil
	}
	return equal, nil
}
