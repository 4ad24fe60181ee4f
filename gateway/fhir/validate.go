package fhir

import (
	"strings"
)

// maxIssues is the number of findings that Validate gives at most, the last saying so.
const maxIssues = 100

// Validate checks the content of a resource as a write does: the R4 tables (known elements,
// cardinality, types, arrays, choices, the form of primitives, required bindings, reference targets,
// contained resources, extensions, primitive siblings, narrative and the base invariants), and those
// of the profiles claimed in meta.profile that Sluse knows. Nil means valid (HTTP 422 otherwise):
// every finding is an error, and there are at most 100, the last saying so. A claimed
// profile that Sluse does not know is no error: R4 lets a server accept it
// (resource.html#profile-tags), and Check warns of it. Other resources are not asked.
func Validate(r *Resource) []Issue {
	c := &checker{tables: tables(), root: r.root, bundled: r.kind == "Bundle"}
	c.resource(r.root, nil)
	return c.issues
}

// Mode is what a $validate is to foresee (R4 resource-operation-validate.html, parameter mode).
type Mode string

// The modes of $validate; the empty one judges the content alone.
const (
	ModeContent Mode = ""
	ModeCreate  Mode = "create"  // fit for a create: an id that would be ignored is mentioned
	ModeUpdate  Mode = "update"  // fit for an update: the id must be there
	ModeDelete  Mode = "delete"  // the content does not matter
	ModeProfile Mode = "profile" // against Options.Profiles, of which there must be one
)

// Valid reports whether R4 has the mode.
func (m Mode) Valid() bool {
	switch m {
	case ModeContent, ModeCreate, ModeUpdate, ModeDelete, ModeProfile:
		return true
	}
	return false
}

// Options say what Check asks beyond what a write does.
type Options struct {
	// Profiles are canonical URLs that the resource itself is held to, besides those that it claims.
	// One that Sluse does not know is an error.
	Profiles []string
	// Mode is what the check foresees. Defaults to the content alone.
	Mode Mode
	// Questionnaire finds the Questionnaire of a QuestionnaireResponse by its canonical URL; its
	// answers are checked when it is given. Nil from it is a warning. Defaults to asking nothing.
	Questionnaire func(canonical string) *Resource
}

// Check gives everything that there is to say about the content of a resource, as $validate answers
// it: what Validate finds, and warnings and information besides, which stop no write: claimed profiles
// that are not known, numbers that cannot be what their system says, codes that our own code systems
// do not have, and elements that change the meaning in a way that nobody here understands. At most 100
// findings, in the order of the document. Nil means that there is nothing to say.
func Check(r *Resource, o Options) []Issue {
	if o.Mode == ModeDelete {
		return nil
	}
	c := &checker{tables: tables(), root: r.root, bundled: r.kind == "Bundle", thorough: true}
	id := r.root.member("id")
	switch {
	case o.Mode == ModeCreate && id != nil:
		c.find(id, SeverityInformation, CodeIDIgnored, IssueInformational)
	case o.Mode == ModeUpdate && id == nil:
		c.addChild(r.root, "id", CodeIDMissing)
	case o.Mode == ModeProfile && len(o.Profiles) == 0:
		c.add(r.root, CodeProfileNone, IssueRequired)
	}
	c.asked = o.Profiles
	c.resource(r.root, nil)
	if o.Questionnaire != nil && r.kind == "QuestionnaireResponse" {
		c.answered(r, o.Questionnaire)
	}
	return c.issues
}

// answered checks the answers of a QuestionnaireResponse against the Questionnaire that it names.
func (c *checker) answered(r *Resource, find func(string) *Resource) {
	named := r.root.member("questionnaire")
	if named == nil || named.kind != String {
		return
	}
	q := find(named.text)
	if q == nil {
		c.find(named, SeverityWarning, CodeAnswersUnknownForm, IssueNotFound)
		return
	}
	for _, i := range CheckAnswers(q, r) {
		if c.full() {
			return
		}
		c.issues = append(c.issues, i)
	}
}

// checker validates one document.
type checker struct {
	tables   *compiled
	root     *Value
	bundled  bool // a Bundle: conditional references are allowed
	thorough bool // warnings as well
	scope    *scope
	nested   bool     // inside a contained resource
	asked    []string // profiles that the root is held to
	faults   int      // errors of R4 itself
	issues   []Issue
}

// find records a finding of any severity at a value.
func (c *checker) find(v *Value, severity, code string, t IssueType, args ...string) {
	if c.full() {
		return
	}
	i := issueAt(v, code, t, args...)
	i.Severity = severity
	c.issues = append(c.issues, i)
}

// findChild records a finding of any severity about a member that is missing from v.
func (c *checker) findChild(v *Value, name, severity, code string, t IssueType, args ...string) {
	if c.full() {
		return
	}
	i := issueAt(v, code, t, args...)
	i.Severity = severity
	i.Expression += "." + name
	c.issues = append(c.issues, i)
}

// add records a finding at a value.
func (c *checker) add(v *Value, code string, t IssueType, args ...string) {
	c.faults++
	if c.full() {
		return
	}
	c.issues = append(c.issues, issueAt(v, code, t, args...))
}

// addChild records a finding about a member that is missing from v.
func (c *checker) addChild(v *Value, name, code string, args ...string) {
	c.faults++
	if c.full() {
		return
	}
	i := issueAt(v, code, IssueRequired, args...)
	i.Expression += "." + name
	c.issues = append(c.issues, i)
}

func (c *checker) full() bool {
	switch {
	case len(c.issues) >= maxIssues:
		return true
	case len(c.issues) == maxIssues-1:
		c.issues = append(c.issues, newIssue(CodeTooMany, IssueTooCostly, itoa(maxIssues-1)))
		return true
	}
	return false
}

// resource checks a resource object; parent is the scope of the resource that contains it,
// nil for a resource of its own (the document, a Bundle entry, a parameter).
func (c *checker) resource(v *Value, parent *scope) {
	if v.Kind() != Object {
		c.add(v, CodeWrongType, IssueStructure, "Resource", v.Kind().String())
		return
	}
	name := v.member("resourceType")
	if name == nil {
		c.addChild(v, "resourceType", CodeCardinalityMin, "resourceType", "1")
		return
	}
	s := c.tables.structures[name.text]
	if name.kind != String || s == nil || !s.resource {
		c.add(name, CodeUnknownType, IssueNotSupported)
		return
	}
	before := len(c.issues)
	if parent != nil {
		c.contained(v)
		c.object(v, s)
		c.profiles(v, s, before)
		return
	}
	outer := c.scope
	c.scope = newScope(v)
	c.object(v, s)
	c.closeScope()
	c.profiles(v, s, before)
	c.scope = outer
}

// object checks the members of an object against a structure.
func (c *checker) object(v *Value, s *structure) {
	if v.kind != Object {
		c.add(v, CodeWrongType, IssueStructure, s.name, v.kind.String())
		return
	}
	if len(v.members) == 0 || len(v.members) == 1 && v.members[0].Name == "id" && !s.resource {
		c.add(v, CodeEmpty, IssueStructure)
		return
	}
	var seen [2]uint64
	before := c.faults
	for i := range v.members {
		m := &v.members[i]
		name := m.Name
		if name == "resourceType" && s.resource {
			continue
		}
		sibling := len(name) > 1 && name[0] == '_'
		if sibling {
			name = name[1:]
		}
		slot := s.slots[name]
		if slot == nil || sibling && (slot.typ == nil || slot.typ.primitive == nil || slot.attribute || slot.narrative) {
			c.add(m.Value, CodeUnknownElement, IssueStructure, safeName(name), s.name)
			continue
		}
		e := slot.element
		bit := uint64(1) << (e.index & 63)
		if e.choice && seen[e.index>>6]&bit != 0 {
			c.oneChoice(v, m, name, e)
		}
		seen[e.index>>6] |= bit
		if c.thorough && (name == "modifierExtension" || name == "implicitRules") {
			c.find(m.Value, SeverityWarning, CodeModifier, IssueNotSupported, name)
		}
		if sibling {
			c.sibling(v, m, name, slot)
			continue
		}
		c.member(v, m, slot)
	}
	for _, e := range s.required {
		if seen[e.index>>6]&(1<<(e.index&63)) == 0 {
			c.addChild(v, e.name, CodeCardinalityMin, e.shown, itoa(e.min))
		}
	}
	if c.faults > before {
		return // the rules presume that the elements are of the right form
	}
	for i := range s.rules {
		if r := &s.rules[i]; !r.holds(v, c) {
			if code := r.key; code == "ext-1" {
				c.add(v, CodeExtensionValue, IssueInvariant)
			} else {
				c.add(v, CodeInvariant, IssueInvariant, code)
			}
		}
	}
}

// oneChoice refuses a second type of a choice element; the "_" sibling of the same type is the same.
func (c *checker) oneChoice(v *Value, m *Member, name string, e *element) {
	for i := range v.members {
		other := &v.members[i]
		if other == m {
			return
		}
		bare := strings.TrimPrefix(other.Name, "_")
		for _, n := range e.names {
			if n == bare && bare != name {
				c.add(m.Value, CodeChoice, IssueStructure, e.shown)
				return
			}
		}
	}
}

// member checks the value or values of one element.
func (c *checker) member(v *Value, m *Member, s *slot) {
	value, e := m.Value, s.element
	if value.kind != Array {
		if e.list() {
			c.add(value, CodeArrayExpected, IssueStructure, m.Name)
			return
		}
		if e.max == 0 {
			c.add(value, CodeCardinalityMax, IssueStructure, e.shown, "0")
			return
		}
		c.value(value, s)
		return
	}
	if !e.list() {
		c.add(value, CodeArrayUnexpected, IssueStructure, m.Name)
		return
	}
	if len(value.items) == 0 {
		c.add(value, CodeEmpty, IssueStructure)
		return
	}
	if e.max > 0 && len(value.items) > e.max {
		c.add(value, CodeCardinalityMax, IssueStructure, e.shown, itoa(e.max))
	}
	var padded []*Value
	for i, item := range value.items {
		if item.kind == Null {
			if padded == nil {
				padded = v.member("_" + m.Name).Items()
			}
			if i >= len(padded) || padded[i].kind == Null {
				c.add(item, CodePadding, IssueStructure, m.Name)
			}
			continue
		}
		c.value(item, s)
	}
}

// value checks one value against the type of its slot.
func (c *checker) value(v *Value, s *slot) {
	switch t := s.typ; {
	case t == nil:
		c.add(v, CodeUnknownType, IssueNotSupported)
	case t.primitive != nil:
		c.primitive(v, s)
	case t.abstract:
		switch outer := c.nested; {
		case s.element.name != "contained":
			c.nested = false
			c.resource(v, nil)
			c.nested = outer
		case !outer: // dom-2 is reported at the contained resource
			c.nested = true
			c.resource(v, c.scope)
			c.nested = false
		}
	default:
		before := c.faults
		c.object(v, t)
		if c.faults > before {
			return
		}
		if s.reference {
			c.reference(v, s)
		}
		if c.thorough {
			c.thoroughly(v, t)
		}
		if s.element.codes != nil {
			c.binding(v, s.element.codes)
		}
	}
}

// primitive checks the JSON kind, the form and the binding of a primitive value.
func (c *checker) primitive(v *Value, s *slot) {
	p := s.typ.primitive
	if v.kind != p.kind {
		c.add(v, CodeWrongType, IssueStructure, p.name, v.kind.String())
		return
	}
	if v.text == "" {
		c.add(v, CodeEmpty, IssueStructure)
		return
	}
	if !p.valid(v.text) {
		c.add(v, CodeFormat, IssueValue, p.name)
		return
	}
	if s.narrative && !validNarrative(v.text) {
		c.add(v, CodeNarrative, IssueInvariant)
		return
	}
	if set := s.element.codes; set != nil && !set.open && !set.codes[v.text] {
		c.add(v, CodeBinding, IssueCodeInvalid, set.name)
	}
	if v.text[0] == '#' && p.kind == String && (p.name == "uri" || p.name == "url" || p.name == "canonical") {
		c.scope.mention(v)
	}
}

// sibling checks a "_name" member: id and extensions of a primitive.
func (c *checker) sibling(v *Value, m *Member, name string, s *slot) {
	e := s.element
	base := c.tables.structures["Element"]
	if !e.list() {
		switch {
		case m.Value.kind == Array:
			c.add(m.Value, CodeArrayUnexpected, IssueStructure, "_"+name)
		default:
			c.object(m.Value, base)
		}
		return
	}
	if m.Value.kind != Array {
		c.add(m.Value, CodeArrayExpected, IssueStructure, "_"+name)
		return
	}
	if len(m.Value.items) == 0 {
		c.add(m.Value, CodeEmpty, IssueStructure)
		return
	}
	values := v.member(name)
	if values != nil && values.kind == Array && len(values.items) != len(m.Value.items) {
		c.add(m.Value, CodePadding, IssueStructure, name)
		return
	}
	for i, item := range m.Value.items {
		if item.kind != Null {
			c.object(item, base)
		} else if values == nil || i < len(values.items) && values.items[i].kind == Null {
			c.add(item, CodePadding, IssueStructure, name)
		}
	}
}

// binding checks a coded data type against a required value set: a Coding, one of the codings of
// a CodeableConcept, the code of a Quantity.
func (c *checker) binding(v *Value, set *codeSet) {
	if set.open {
		return
	}
	if list := v.member("coding"); list != nil {
		for _, coding := range list.items {
			if set.has(coding) {
				return
			}
		}
	} else if (v.member("code") != nil || v.member("system") != nil) && set.has(v) {
		return
	}
	if v.member("extension") != nil && v.member("code") == nil && v.member("coding") == nil {
		return // the code is absent with a reason
	}
	c.add(v, CodeBinding, IssueCodeInvalid, set.name)
}

// has reports whether system and code of a Coding are in the set.
func (s *codeSet) has(coding *Value) bool {
	return s.system[coding.Get("system").Text()][coding.Get("code").Text()]
}

// thoroughly looks for what is no error of R4 and yet wrong: a number that is not what its system
// says, a code that an own code system does not have. The national number of a Patient is an error, for a write refuses it.
func (c *checker) thoroughly(v *Value, t *structure) {
	switch t.name {
	case "Identifier":
		severity := SeverityWarning
		if holder := v.parent; holder != nil && holder.kind == Array && holder.parent == c.root && c.root.member("resourceType").Text() == "Patient" {
			severity = SeverityError
		}
		c.identifier(v, severity)
	case "Coding":
		code := v.member("code")
		if known := ownCodes()[v.member("system").Text()]; known != nil && code != nil && !known[code.text] {
			c.find(code, SeverityWarning, CodeUnknownCode, IssueCodeInvalid)
		}
	}
}
