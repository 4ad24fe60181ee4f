package fhir

import (
	"strings"
	"unicode/utf8"
)

// Limits of a path.
const (
	maxPathLength = 1000 // bytes
	maxPathSteps  = 64   // names, functions and indexers, those inside where() included
	maxPathDepth  = 8    // where() inside where(), and parentheses
)

// Path is a compiled path of a small part of FHIRPath (http://hl7.org/fhirpath/N1), of what R4
// fhirpatch.html, forms and filters use in practice:
//
//	path     = first { "." invocation | "[" digits "]" }
//	first    = Type | "$this" | invocation
//	invocation = name | "where" "(" or ")" | "extension" "(" string ")" | "ofType" "(" Type ")"
//	         | "first" "(" ")" | "last" "(" ")" | "single" "(" ")"
//	or       = and { "or" and }
//	and      = term { "and" term }
//	term     = "(" or ")" | path [ ("=" | "!=") literal ] | path "." ("exists" | "empty") "(" ")"
//	literal  = 'string' | number | "true" | "false"
//	Type     = a name with a capital, or "FHIR." and a name
//	name     = letters, digits and _, or any text between back quotes
//
// Names are elements of R4: value, not valueQuantity. A type is allowed first only: that of the resource,
// Resource or DomainResource. A comparison holds when the path gives exactly one value and it equals
// the literal; != when it gives others; a path alone in where() holds when it gives true. Everything
// else is refused by name and place: resolve(), descendants, operators, dates as literals, variables.
//
// A Path does not change and may serve many goroutines.
type Path struct {
	steps []pathStep
}

type pathStepKind uint8

const (
	stepElement pathStepKind = iota
	stepRoot
	stepThis
	stepIndex
	stepFirst
	stepLast
	stepSingle
	stepOfType
	stepWhere
)

type pathStep struct {
	kind     pathStepKind
	name     string // of an element or type
	index    int
	criteria *pathCriteria
}

// pathCriteria is an expression inside where(): and, or over left and right; =, !=, exists, empty,
// true over steps.
type pathCriteria struct {
	operator    string
	left, right *pathCriteria
	steps       []pathStep
	kind        Kind // of the literal
	literal     string
}

// CompilePath reads a path. The error is *Error with one of the path codes and the character in Args.
func CompilePath(expression string) (*Path, error) {
	c := &pathCompiler{src: expression}
	if len(expression) > maxPathLength {
		return nil, c.long()
	}
	if !utf8.ValidString(expression) {
		return nil, c.syntax()
	}
	steps, err := c.path(0)
	if err != nil {
		return nil, err
	}
	if c.space(); c.pos < len(c.src) {
		return nil, c.refuse()
	}
	return &Path{steps: steps}, nil
}

// collection splits a path that ends in the name of an element: what leads there, and the name.
func (p *Path) collection() (*Path, string, bool) {
	last := len(p.steps) - 1
	if last < 0 || p.steps[last].kind != stepElement {
		return nil, "", false
	}
	return &Path{steps: p.steps[:last]}, p.steps[last].name, true
}

// pathCompiler reads one expression.
type pathCompiler struct {
	src   string
	pos   int
	count int
}

func (c *pathCompiler) fault(code string, t IssueType, args ...string) error {
	return &Error{Issues: []Issue{newIssue(code, t, args...)}}
}

// column gives the character that is being read, from 1.
func (c *pathCompiler) column() string { return itoa(utf8.RuneCountInString(c.src[:c.pos]) + 1) }

func (c *pathCompiler) syntax() error { return c.fault(CodePathSyntax, IssueValue, c.column()) }

func (c *pathCompiler) long() error {
	return c.fault(CodePathTooLong, IssueTooCostly, itoa(maxPathLength), itoa(maxPathSteps))
}

func (c *pathCompiler) unsupported(what string) error {
	return c.fault(CodePathUnsupported, IssueNotSupported, c.column(), what)
}

// refuse gives the fault of what stands where nothing that is supported can stand.
func (c *pathCompiler) refuse() error {
	switch rest := c.src[c.pos:]; {
	case rest == "":
		return c.syntax()
	case strings.ContainsRune("+-*/|&~<>=!%@{", rune(rest[0])):
		return c.unsupported(rest[:1])
	case isNameStart(rest[0]):
		at := c.pos
		word := c.word()
		c.pos = at
		switch word {
		case "and", "or", "xor", "implies", "is", "as", "in", "contains", "div", "mod":
			return c.unsupported(word)
		}
	}
	return c.syntax()
}

func (c *pathCompiler) space() {
	for c.pos < len(c.src) && strings.IndexByte(" \t\r\n", c.src[c.pos]) >= 0 {
		c.pos++
	}
}

// accept reads one character, after white space.
func (c *pathCompiler) accept(char byte) bool {
	if c.space(); c.pos < len(c.src) && c.src[c.pos] == char {
		c.pos++
		return true
	}
	return false
}

func isNameStart(b byte) bool { return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' }

// word reads letters, digits and underscores; "" when none begins here.
func (c *pathCompiler) word() string {
	from := c.pos
	if from == len(c.src) || !isNameStart(c.src[from]) {
		return ""
	}
	for c.pos < len(c.src) && (c.src[c.pos] == '_' || isAlphanumeric(c.src[c.pos])) {
		c.pos++
	}
	return c.src[from:c.pos]
}

// path reads a path; inside where() the depth is above 0.
func (c *pathCompiler) path(depth int) ([]pathStep, error) {
	var steps []pathStep
	for {
		c.space()
		var step []pathStep
		var err error
		switch {
		case len(steps) == 0 && strings.HasPrefix(c.src[c.pos:], "$this"):
			c.pos += len("$this")
			step = []pathStep{{kind: stepThis}}
		case c.pos < len(c.src) && c.src[c.pos] == '$':
			return nil, c.unsupported("$")
		default:
			step, err = c.invocation(depth, len(steps) == 0)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, step...)
		for c.accept('[') {
			index, err := c.index()
			if err != nil {
				return nil, err
			}
			steps = append(steps, pathStep{kind: stepIndex, index: index})
			c.count++
		}
		if c.count += len(step); c.count > maxPathSteps {
			return nil, c.long()
		}
		if depth > 0 && c.test() {
			return steps, nil
		}
		if !c.accept('.') {
			return steps, nil
		}
	}
}

// test reports whether .exists() or .empty() follows, which end a path inside where().
func (c *pathCompiler) test() bool {
	at := c.pos
	defer func() { c.pos = at }()
	if !c.accept('.') {
		return false
	}
	c.space()
	word := c.word()
	return (word == "exists" || word == "empty") && c.accept('(')
}

// index reads the digits and the bracket after "[".
func (c *pathCompiler) index() (int, error) {
	c.space()
	from := c.pos
	for c.pos < len(c.src) && isDigit(c.src[c.pos]) {
		c.pos++
	}
	digits := c.src[from:c.pos]
	if digits == "" && c.pos < len(c.src) && c.src[c.pos] != ']' {
		return 0, c.refuse()
	}
	n, ok := arrayIndex(digits, maxArrayIndex)
	if !ok || !c.accept(']') {
		c.pos = from
		return 0, c.syntax()
	}
	return n, nil
}

// invocation reads a name or a function.
func (c *pathCompiler) invocation(depth int, first bool) ([]pathStep, error) {
	from := c.pos
	if c.pos < len(c.src) && c.src[c.pos] == '`' {
		name, err := c.quoted('`')
		if err != nil || name == "" {
			return nil, c.syntax()
		}
		return []pathStep{{kind: stepElement, name: name}}, nil
	}
	name := c.word()
	if name == "" {
		return nil, c.refuse()
	}
	if !c.accept('(') {
		switch {
		case name == "FHIR" && first && c.accept('.'):
			return c.invocation(depth, true)
		case name[0] >= 'A' && name[0] <= 'Z' && first && depth == 0:
			return []pathStep{{kind: stepRoot, name: name}}, nil
		}
		return []pathStep{{kind: stepElement, name: name}}, nil
	}
	steps, err := c.function(name, from, depth)
	if err != nil {
		return nil, err
	}
	if !c.accept(')') {
		return nil, c.refuse()
	}
	return steps, nil
}

// function reads the argument of a function.
func (c *pathCompiler) function(name string, from, depth int) ([]pathStep, error) {
	switch name {
	case "first":
		return []pathStep{{kind: stepFirst}}, nil
	case "last":
		return []pathStep{{kind: stepLast}}, nil
	case "single":
		return []pathStep{{kind: stepSingle}}, nil
	case "where":
		criteria, err := c.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return []pathStep{{kind: stepWhere, criteria: criteria}}, nil
	case "extension":
		if c.space(); c.pos == len(c.src) || c.src[c.pos] != '\'' {
			return nil, c.refuse()
		}
		url, err := c.quoted('\'')
		if err != nil {
			return nil, err
		}
		same := &pathCriteria{operator: "=", steps: []pathStep{{kind: stepElement, name: "url"}}, kind: String, literal: url}
		return []pathStep{{kind: stepElement, name: "extension"}, {kind: stepWhere, criteria: same}}, nil
	case "ofType":
		c.space()
		typ := c.word()
		if typ == "FHIR" && c.accept('.') {
			typ = c.word()
		}
		if typ == "" {
			return nil, c.refuse()
		}
		return []pathStep{{kind: stepOfType, name: typ}}, nil
	}
	c.pos = from
	return nil, c.unsupported(safeName(name) + "()")
}

// keyword reads a word of the language when it is the next.
func (c *pathCompiler) keyword(word string) bool {
	c.space()
	at := c.pos
	if c.word() == word {
		return true
	}
	c.pos = at
	return false
}

func (c *pathCompiler) or(depth int) (*pathCriteria, error) {
	if depth > maxPathDepth {
		return nil, c.long()
	}
	return c.join("or", func() (*pathCriteria, error) {
		return c.join("and", func() (*pathCriteria, error) { return c.term(depth) })
	})
}

// join reads operands with one operator between them.
func (c *pathCompiler) join(operator string, operand func() (*pathCriteria, error)) (*pathCriteria, error) {
	left, err := operand()
	for err == nil && c.keyword(operator) {
		var right *pathCriteria
		if right, err = operand(); err == nil {
			left = &pathCriteria{operator: operator, left: left, right: right}
		}
	}
	return left, err
}

func (c *pathCompiler) term(depth int) (*pathCriteria, error) {
	if c.accept('(') {
		t, err := c.or(depth + 1)
		if err == nil && !c.accept(')') {
			err = c.refuse()
		}
		return t, err
	}
	steps, err := c.path(depth)
	if err != nil {
		return nil, err
	}
	t := &pathCriteria{operator: "true", steps: steps}
	switch {
	case c.accept('.'):
		c.space()
		t.operator = c.word()
		if !c.accept('(') || !c.accept(')') {
			return nil, c.unsupported(t.operator + "(…)")
		}
	case c.accept('='):
		t.operator = "="
		err = c.operand(t)
	case strings.HasPrefix(c.src[c.pos:], "!="):
		c.pos += 2
		t.operator = "!="
		err = c.operand(t)
	}
	return t, err
}

// operand reads the literal of a comparison.
func (c *pathCompiler) operand(t *pathCriteria) (err error) {
	c.space()
	from := c.pos
	switch {
	case from == len(c.src):
		return c.syntax()
	case c.src[from] == '\'':
		t.kind = String
		t.literal, err = c.quoted('\'')
		return err
	case c.src[from] == '-' || isDigit(c.src[from]):
		s := &scanner{doc: &document{}, src: c.src, pos: from}
		v, ok := s.number(&Value{doc: s.doc})
		if !ok {
			return c.syntax()
		}
		c.pos, t.kind, t.literal = s.pos, Number, v.text
		return nil
	}
	if t.literal = c.word(); t.literal == "true" || t.literal == "false" {
		t.kind = Bool
		return nil
	}
	if c.pos = from; t.literal != "" {
		return c.unsupported(safeName(t.literal))
	}
	return c.refuse()
}

// quoted reads a string or a delimited name with the escapes of FHIRPath.
func (c *pathCompiler) quoted(quote byte) (string, error) {
	c.pos++
	var b []byte
	for c.pos < len(c.src) {
		switch char := c.src[c.pos]; char {
		case quote:
			c.pos++
			return string(b), nil
		case '\\':
			if c.pos+1 == len(c.src) {
				return "", c.syntax()
			}
			switch e := c.src[c.pos+1]; e {
			case '\'', '"', '`', '\\', '/':
				b = append(b, e)
			case 't':
				b = append(b, '\t')
			case 'n':
				b = append(b, '\n')
			case 'r':
				b = append(b, '\r')
			case 'f':
				b = append(b, '\f')
			case 'u':
				r, n, code := unescape(c.src[c.pos:])
				if code != "" {
					return "", c.syntax()
				}
				b = utf8.AppendRune(b, r)
				c.pos += n - 2
			default:
				return "", c.syntax()
			}
			c.pos += 2
		default:
			b = append(b, char)
			c.pos++
		}
	}
	return "", c.syntax()
}
