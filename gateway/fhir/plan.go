package fhir

import (
	"fmt"
	"slices"
	"strings"
)

// planNode is one place of a resource type at which search parameters take values. The plans of
// all parameters of a type are one tree, so that a resource is walked once.
type planNode struct {
	next    map[string]*planNode // by member name
	guarded []planGuard
	takes   []planTake
}

// planGuard leads on from elements that meet a condition.
type planGuard struct {
	holds func(*Value) bool
	key   string // equal for equal conditions
	to    *planNode
}

// planTake takes the values at a place, once for all the parameters that look there.
type planTake struct {
	users  []planUser
	kind   ParamType
	key    string    // names the place within its type: "subject", "activity.detail.code"
	leaf   string    // data type: "CodeableConcept", "Reference", "dateTime"
	system string    // of a code: the code system of its required value set
	bound  *codeSet  // that value set, when its codes are of several systems
	truth  bool      // exists() and != false: the value is true unless it is false
	parts  []compose // of a composite: what is taken from the element at hand
}

// systemOf gives the code system that a code element has implicitly (R4 search.html#token): of
// several in its value set, the one that holds the code.
func (t *planTake) systemOf(code string) string {
	system := t.system
	if t.bound == nil {
		return system
	}
	for url, codes := range t.bound.system {
		if codes[code] && (system == "" || url < system) {
			system = url
		}
	}
	return system
}

// planUser is a parameter that has values at a place.
type planUser struct {
	param   *SearchParameter
	target  Type     // of where(resolve() is X)
	targets []string // of a reference: types it may point at; nil: any
}

// compose is one component of a composite, compiled from the composite's base.
type compose struct {
	kind       ParamType
	expression string
	node       *planNode
}

// child gives the node of a member.
func (n *planNode) child(name string) *planNode {
	if n.next == nil {
		n.next = map[string]*planNode{}
	}
	c := n.next[name]
	if c == nil {
		c = &planNode{}
		n.next[name] = c
	}
	return c
}

// add puts a take at a place. Parameters that take the same share one: the value is found once.
func (n *planNode) add(t planTake) {
	for i := range n.takes {
		if have := &n.takes[i]; have.key == t.key && have.kind == t.kind && have.leaf == t.leaf && have.system == t.system {
			have.users = append(have.users, t.users...)
			return
		}
	}
	t.users = slices.Clone(t.users)
	n.takes = append(n.takes, t)
}

// guard gives the node behind a condition.
func (n *planNode) guard(key string, holds func(*Value) bool) *planNode {
	for i := range n.guarded {
		if n.guarded[i].key == key {
			return n.guarded[i].to
		}
	}
	n.guarded = append(n.guarded, planGuard{key: key, holds: holds, to: &planNode{}})
	return n.guarded[len(n.guarded)-1].to
}

// stepKind tells what a step of a search expression does.
type stepKind uint8

const (
	stepMember    stepKind = iota + 1
	stepCast               // as(T), ofType(T), "as T"
	stepTarget             // where(resolve() is T)
	stepSystem             // where(system='s')
	stepExtended           // where(hasExtension('u'))
	stepExtension          // extension('u')
)

type planStep struct {
	kind stepKind
	arg  string
}

// planTerm is one alternative of an expression.
type planTerm struct {
	steps []planStep
	truth bool
}

// parseExpression reads the FHIRPath that R4's SearchParameters use: names, unions, "as", as(),
// ofType(), where(resolve() is X), where(system='x'), where(hasExtension('u')), extension('u'),
// and "A.exists() and A != false".
func parseExpression(expression string) ([]planTerm, error) {
	var terms []planTerm
	for _, s := range splitOutside(expression, '|') {
		t, err := parseTerm(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		terms = append(terms, t)
	}
	return terms, nil
}

func parseTerm(s string) (planTerm, error) {
	if left, right, ok := strings.Cut(s, " and "); ok {
		operand, exists := strings.CutSuffix(left, ".exists()")
		if !exists || right != operand+" != false" {
			return planTerm{}, fmt.Errorf("unknown condition")
		}
		t, err := parseTerm(operand)
		t.truth = true
		return t, err
	}
	if strings.HasPrefix(s, "(") {
		end := closing(s)
		if end < 0 {
			return planTerm{}, fmt.Errorf("no closing parenthesis")
		}
		t, err := parseTerm(strings.TrimSpace(s[1:end]))
		if rest := s[end+1:]; err == nil && rest != "" {
			var more []planStep
			if rest[0] != '.' {
				return planTerm{}, fmt.Errorf("unknown operator")
			}
			more, err = parseSteps(rest[1:])
			t.steps = append(t.steps, more...)
		}
		return t, err
	}
	head, cast, ok := strings.Cut(s, " as ")
	steps, err := parseSteps(strings.TrimSpace(head))
	if ok {
		steps = append(steps, planStep{stepCast, strings.TrimSpace(cast)})
	}
	return planTerm{steps: steps}, err
}

func parseSteps(s string) ([]planStep, error) {
	var steps []planStep
	for _, word := range splitOutside(s, '.') {
		call, ok := strings.CutSuffix(word, ")")
		if !ok {
			steps = append(steps, planStep{stepMember, word})
			continue
		}
		function, arg, _ := strings.Cut(call, "(")
		step, err := parseCall(function, arg)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func parseCall(function, arg string) (planStep, error) {
	quoted := func(s string) string { return strings.Trim(s, "'") }
	switch function {
	case "as", "ofType":
		return planStep{stepCast, arg}, nil
	case "extension":
		return planStep{stepExtension, quoted(arg)}, nil
	case "where":
		if t, ok := strings.CutPrefix(arg, "resolve() is "); ok {
			return planStep{stepTarget, strings.TrimSpace(t)}, nil
		}
		if v, ok := strings.CutPrefix(arg, "system="); ok {
			return planStep{stepSystem, quoted(v)}, nil
		}
		if v, ok := strings.CutPrefix(arg, "hasExtension("); ok {
			return planStep{stepExtended, quoted(strings.TrimSuffix(v, ")"))}, nil
		}
	}
	return planStep{}, fmt.Errorf("unknown function %s(%s)", function, arg)
}

// splitOutside splits at a separator outside parentheses.
func splitOutside(s string, separator byte) []string {
	var list []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case s[i] == separator && depth == 0:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:])
}

// closing gives the place of the parenthesis that closes the first one.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// leafTypes lists, per type of parameter, the data types that it takes values from (R4
// search.html#table); of a choice only those count.
var leafTypes = map[ParamType][]string{
	Token:          {"CodeableConcept", "Coding", "Identifier", "ContactPoint", "boolean", "code", "id", "string", "uri"},
	ReferenceParam: {"Reference", "canonical", "uri"},
	StringParam:    {"string", "markdown", "HumanName", "Address", "CodeableConcept"},
	Date:           {"date", "dateTime", "instant", "Period", "Timing"},
	NumberParam:    {"decimal", "integer", "positiveInt", "unsignedInt"},
	Quantity:       {"Quantity", "SimpleQuantity", "Age", "Duration", "Count", "Distance", "Range", "SampledData"},
	Uri:            {"uri", "url", "canonical", "oid", "uuid"},
}

// extensionTypes are the data types of the extensions that R4's expressions look into.
var extensionTypes = map[ParamType][]string{StringParam: {"string", "CodeableConcept"}, Token: {"CodeableConcept", "Coding"}}

// planner compiles the expression of one parameter into a tree.
type planner struct {
	structures map[string]*structure
	take       planTake // what every place of the expression takes
	taken      []planTake
}

// compile adds the places of an expression to the tree of a structure. The first name of each term
// is that of the structure's own type, or Resource; bare tells that the terms begin below it.
func (p *planner) compile(root *planNode, s *structure, expression string, bare bool) error {
	terms, err := parseExpression(expression)
	if err != nil {
		return err
	}
	for _, t := range terms {
		steps := t.steps
		if !bare {
			first := steps[0].arg
			if first != s.name && first != "Resource" && first != "DomainResource" {
				return fmt.Errorf("%q begins elsewhere", expression)
			}
			steps = steps[1:]
		}
		at := p.take
		at.truth = t.truth
		before := len(p.taken)
		if err := p.follow(root, s, steps, at); err != nil {
			return err
		}
		if len(p.taken) == before {
			return fmt.Errorf("%q leads to nothing that fits", expression)
		}
	}
	return nil
}

// nameParts are the members of HumanName and Address that a string parameter looks at, each a place
// of its own, so that name and family share what they have in common.
var nameParts = map[string][]string{
	"HumanName": {"text", "family", "given", "prefix", "suffix"},
	"Address":   {"text", "line", "city", "district", "state", "postalCode", "country"},
}

// follow goes the steps from a place; a choice gives one place per type that fits.
func (p *planner) follow(n *planNode, s *structure, steps []planStep, at planTake) error {
	if len(steps) == 0 {
		return p.leaf(n, s, at)
	}
	step, rest := steps[0], steps[1:]
	switch step.kind {
	case stepTarget:
		at.users = []planUser{{param: at.users[0].param, target: Type(step.arg), targets: at.users[0].targets}}
		return p.follow(n, s, rest, at)
	case stepSystem:
		at.key += "[" + step.arg + "]"
		return p.follow(n.guard("system="+step.arg, func(v *Value) bool { return v.Get("system").Text() == step.arg }), s, rest, at)
	case stepExtended:
		at.key += "[" + step.arg + "]"
		return p.follow(n.guard("extended="+step.arg, func(v *Value) bool { return extendedBy(v, step.arg) }), s, rest, at)
	case stepExtension:
		at.key += ".extension[" + step.arg + "]"
		urls := append([]string{step.arg}, renamed[step.arg]...)
		held := n.child("extension").guard("url="+step.arg, func(v *Value) bool { return slices.Contains(urls, v.Get("url").Text()) })
		return p.follow(held, p.structures["Extension"], append([]planStep{{stepMember, "value"}}, rest...), at)
	case stepCast:
		return fmt.Errorf("a cast of what is no choice")
	}
	cast := ""
	if len(rest) > 0 && rest[0].kind == stepCast {
		cast, rest = rest[0].arg, rest[1:]
	}
	return p.member(n, s, step.arg, cast, rest, at)
}

// leaf ends an expression at a place.
func (p *planner) leaf(n *planNode, s *structure, at planTake) error {
	at.leaf = s.name
	if names := nameParts[s.name]; names != nil && at.kind == StringParam {
		for _, name := range names {
			part := at
			part.key, part.leaf = at.key+"."+name, "string"
			n.child(name).add(part)
			p.taken = append(p.taken, part)
		}
		return nil
	}
	if at.truth {
		at.key += "=true"
	}
	for i := range at.parts {
		at.key += "$" + at.parts[i].expression
	}
	if at.parts != nil || at.truth || slices.Contains(leafTypes[at.kind], s.name) {
		n.add(at)
		p.taken = append(p.taken, at)
	}
	return nil
}

// member goes to the element of a name under each member name that it may have.
func (p *planner) member(n *planNode, s *structure, name, cast string, rest []planStep, at planTake) error {
	found := false
	for member, slot := range s.slots {
		if slot.element.name != name || slot.typ == nil || cast != "" && !strings.EqualFold(slot.typ.name, cast) {
			continue
		}
		found = true
		if s.name == "Extension" && !slices.Contains(extensionTypes[at.kind], slot.typ.name) {
			continue
		}
		if len(rest) == 0 && at.parts == nil && !at.truth && !slices.Contains(leafTypes[at.kind], slot.typ.name) {
			continue
		}
		next := at
		next.key = strings.TrimPrefix(at.key+"."+member, ".")
		next.users = []planUser{{param: at.users[0].param, target: at.users[0].target, targets: slot.targets}}
		next.system, next.bound = "", nil
		if set := slot.element.codes; set != nil && slot.typ.name == "code" {
			next.bound = set
			if len(set.system) == 1 {
				for system := range set.system {
					next.system, next.bound = system, nil
				}
			}
		}
		if err := p.follow(n.child(member), slot.typ, rest, next); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s has no element %s %s", s.name, name, cast)
	}
	return nil
}

// renamed gives the URLs that an extension really has where R4's expression names another: the
// expression of Patient.mothersMaidenName has the id of a definition in place of its URL.
var renamed = map[string][]string{
	"http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName": {"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"},
}

func extendedBy(v *Value, url string) bool {
	for _, e := range v.Get("extension").Items() {
		if e.Get("url").Text() == url {
			return true
		}
	}
	return false
}
