package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// operators are what may stand for what.
var operators = map[string][]string{
	"equal": {"neq"}, "neq": {"equal"}, "lt": {"lte", "gte"}, "lte": {"lt", "gt"}, "gt": {"gte", "lte"}, "gte": {"gt", "lt"},
	"and": {"or"}, "or": {"and"},
}

// mutateRego makes every mutant of one policy file. Each is made on a tree of its own, parsed anew: the same places are
// found in the same order.
func mutateRego(name, source string, add func(mutant) int) error {
	for place := 0; ; place++ {
		m, err := ast.ParseModule(name, source)
		if err != nil {
			return err
		}
		t := regoTree{module: m, source: source, left: place}
		t.walk()
		if t.what == "" {
			return nil
		}
		for _, r := range m.Rules { // what is written of the tree must not be what was written before
			ast.WalkExprs(r, func(e *ast.Expr) bool { return e == nil })
		}
		text, err := format.Ast(m)
		if err != nil {
			text = []byte("package broken\n\n!") // the driver tells that it is no program
		}
		add(mutant{Suite: "rego", Name: "rego/" + name + " " + t.rule + ": " + short(t.what), File: name, Text: string(text)})
	}
}

// regoTree changes the one place whose turn it is.
type regoTree struct {
	module *ast.Module
	source string
	left   int
	rule   string
	what   string // what was changed; "" when there are fewer places
}

// turn tells whether this is the place.
func (t *regoTree) turn() bool {
	if t.what != "" {
		return false
	}
	t.left--
	return t.left == -1
}

func (t *regoTree) walk() {
	for i, r := range t.module.Rules {
		t.rule = r.Head.Ref().String()
		if t.turn() {
			t.what = "rule dropped: " + text(r.Head)
			t.module.Rules = append(t.module.Rules[:i:i], t.module.Rules[i+1:]...)
			return
		}
		for at := r; at != nil; at = at.Else {
			if at.Else != nil && t.turn() {
				t.what = "else dropped: " + text(at.Else.Head)
				at.Else = nil
				return
			}
			if at == r { // the formatter writes the value of an else as it stood in the source
				t.head(at)
			}
			t.bodies(at)
			if t.what != "" {
				return
			}
		}
	}
}

// head changes the value of a rule: a default, or a constant.
func (t *regoTree) head(r *ast.Rule) {
	for _, term := range []*ast.Term{r.Head.Value, r.Head.Key} {
		if term != nil && (r.Default || term != r.Head.Value || !implied(r)) {
			t.constants(term)
		}
	}
}

// implied tells whether the value of a rule is the true that is not written.
func implied(r *ast.Rule) bool {
	return r.Head.Value != nil && r.Head.Value.Equal(ast.BooleanTerm(true)) && (r.Head.Value.Location == nil || !strings.HasPrefix(string(r.Head.Value.Location.Text), "true"))
}

// bodies changes the conditions of a rule, at every depth.
func (t *regoTree) bodies(r *ast.Rule) {
	t.body(&r.Body)
	for _, part := range []any{r.Head, r.Body} {
		v := ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case *ast.ArrayComprehension:
				t.body(&x.Body)
			case *ast.SetComprehension:
				t.body(&x.Body)
			case *ast.ObjectComprehension:
				t.body(&x.Body)
			case *ast.Every:
				t.body(&x.Body)
			}
			return t.what != ""
		})
		v.Walk(part)
	}
}

func (t *regoTree) body(b *ast.Body) {
	if len(*b) == 1 && isTrue((*b)[0]) { // of a rule without conditions: not to have it is another mutant
		return
	}
	for i, e := range *b {
		if e.IsEvery() || len(*b) > 1 {
			if t.turn() {
				t.what = "dropped: " + text(e)
				rest := append(ast.Body{}, (*b)[:i]...)
				rest = append(rest, (*b)[i+1:]...)
				if len(rest) == 0 {
					rest = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
				}
				for n, e := range rest {
					e.Index = n
				}
				*b = rest
				return
			}
		}
		if _, declares := e.Terms.(*ast.SomeDecl); !declares && !e.IsAssignment() && !comparison(e) && t.turn() {
			t.what = "negated: " + text(e)
			e.Negated = !e.Negated
			return
		}
		t.operator(e)
		t.terms(e)
		if t.what != "" {
			return
		}
	}
}

// comparison tells whether another operator says what not says.
func comparison(e *ast.Expr) bool { return e.IsCall() && len(operators[e.Operator().String()]) > 0 }

func isTrue(e *ast.Expr) bool {
	term, ok := e.Terms.(*ast.Term)
	return ok && !e.Negated && term.Equal(ast.BooleanTerm(true))
}

// operator puts another one in its place.
func (t *regoTree) operator(e *ast.Expr) {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || !e.IsCall() {
		return
	}
	for _, other := range operators[e.Operator().String()] {
		if t.turn() {
			t.what = text(e) + " → " + other
			terms[0] = ast.NewTerm(ast.BuiltinMap[other].Ref())
			return
		}
	}
}

// terms changes the constants of a condition, not of what lies in bodies of its own.
func (t *regoTree) terms(e *ast.Expr) {
	switch terms := e.Terms.(type) {
	case *ast.Term:
		t.constants(terms)
	case []*ast.Term:
		for _, term := range terms[1:] {
			t.constants(term)
		}
	case *ast.SomeDecl:
		for _, s := range terms.Symbols {
			t.constants(s)
		}
	case *ast.Every:
		t.constants(terms.Domain)
	}
}

func (t *regoTree) constants(term *ast.Term) {
	if t.what != "" || term == nil {
		return
	}
	switch v := term.Value.(type) {
	case ast.Boolean:
		if t.turn() {
			t.what = fmt.Sprintf("%v → %v", v, !v)
			rewrite(term, !v)
		}
	case ast.String:
		if t.turn() {
			t.what = fmt.Sprintf("%s → another", v)
			rewrite(term, v+"-")
		}
	case ast.Number:
		if n, ok := v.Int(); ok && t.turn() {
			t.what = fmt.Sprintf("%s → %d", v, n+1)
			rewrite(term, ast.Number(json.Number(fmt.Sprint(n+1))))
		}
	case ast.Call:
		for _, other := range operators[v[0].String()] {
			if t.turn() {
				t.what = text(term) + " → " + other
				v[0] = ast.NewTerm(ast.BuiltinMap[other].Ref())
				return
			}
		}
		for _, arg := range v[1:] {
			t.constants(arg)
		}
	case *ast.Array:
		v.Foreach(t.constants)
	case ast.Set:
		for i, each := range v.Slice() {
			if t.turn() {
				t.what = "without " + text(each) + " in " + text(term)
				rest := append([]*ast.Term{}, v.Slice()[:i]...)
				term.Value = ast.NewSet(append(rest, v.Slice()[i+1:]...)...)
				return
			}
		}
	}
}

// rewrite gives a term another value. The formatter writes a string as it stood in the source.
func rewrite(term *ast.Term, v ast.Value) {
	term.Value = v
	if term.Location != nil {
		moved := *term.Location
		moved.Text = []byte(v.String())
		term.Location = &moved
	}
}

// text is a node as it was written.
func text(n ast.Node) string {
	if loc := n.Loc(); loc != nil && len(loc.Text) > 0 {
		return string(loc.Text)
	}
	return fmt.Sprint(n)
}
