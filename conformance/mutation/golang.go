package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// golang puts every mutant of a Go file behind a switch. It only inserts: what is there stays, so that the program
// with all switches off is the program.
type golang struct {
	suite, path string
	source      []byte
	texts       bool // string literals are SQL
	add         func(mutant) int

	files *token.FileSet
	in    string // the function
	edits []edit
	nodes int
}

// edit is a text to insert; at one place the inner suffixes come first, then the outer ones, then prefixes, outer first.
type edit struct {
	at, rank int
	text     string
}

// prefixed is higher than the rank of any suffix.
const prefixed = 1 << 30

func (g *golang) mutate() ([]byte, error) {
	g.files = token.NewFileSet()
	file, err := parser.ParseFile(g.files, g.path, g.source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	g.insert(g.at(file.Name.End()), prefixed, `; import mutant_ "github.com/sluse/sluse/policies/mutant"`)
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		g.in = f.Name.Name
		ast.Inspect(f.Body, g.visit)
	}
	slices.SortStableFunc(g.edits, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.rank - b.rank
	})
	var out []byte
	last := 0
	for _, e := range g.edits {
		out = append(append(out, g.source[last:e.at]...), e.text...)
		last = e.at
	}
	return append(append(out, g.source[last:]...), "\nvar _ = mutant_.Is\n"...), nil
}

func (g *golang) at(p token.Pos) int { return g.files.Position(p).Offset }

func (g *golang) text(n ast.Node) string { return string(g.source[g.at(n.Pos()):g.at(n.End())]) }

func (g *golang) insert(at, rank int, text string) {
	g.edits = append(g.edits, edit{at, rank, text})
}

// around puts text on both sides of a node.
func (g *golang) around(n ast.Node, before, after string) {
	g.nodes++
	g.insert(g.at(n.Pos()), prefixed+g.nodes, before)
	g.insert(g.at(n.End()), prefixed-g.nodes, after)
}

// is makes a mutant and gives the condition that it is on.
func (g *golang) is(what string, args ...any) string {
	file := g.path[strings.LastIndexByte(g.path, '/')+1:]
	id := g.add(mutant{Suite: g.suite, Name: g.suite + "/" + file + " " + g.in + ": " + short(fmt.Sprintf(what, args...))})
	return "mutant_.Is(" + strconv.Itoa(id) + ")"
}

func (g *golang) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.IfStmt:
		g.condition(n.Cond)
	case *ast.BinaryExpr:
		g.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			g.around(n, "((", ") != "+g.is("%s → without !", g.text(n))+")")
		}
	case *ast.BasicLit:
		if g.texts && n.Kind == token.STRING {
			g.literal(n)
		}
	}
	return true
}

// condition makes that of an if true and false: its body always, and never. What only hands an error on is not made
// false: it would need the error.
func (g *golang) condition(c ast.Expr) {
	text := g.text(c)
	after := ") || " + g.is("if %s → true", text) + ")"
	if text != "err != nil" {
		after += " && !" + g.is("if %s → false", text)
	}
	g.around(c, "((", after+")")
	g.insert(g.at(c.Pos()), prefixed+g.nodes, "(")
}

var flipped = map[token.Token]token.Token{token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR}

var bound = map[token.Token]token.Token{token.LSS: token.LEQ, token.GTR: token.GEQ, token.LEQ: token.LSS, token.GEQ: token.GTR}

func (g *golang) binary(n *ast.BinaryExpr) {
	x, y := g.text(n.X), g.text(n.Y)
	from := x + " " + n.Op.String() + " " + y
	switch n.Op {
	case token.EQL, token.NEQ:
		g.around(n, "((", ") != "+g.is("%s → %s", from, flipped[n.Op])+")")
	case token.LSS, token.GTR:
		after := ") != " + g.is("%s → %s", from, flipped[n.Op]) + ") || " + g.is("%s → %s", from, bound[n.Op]) + " && ((" + x + ") " + bound[n.Op].String() + " (" + y + ")))"
		g.around(n, "(((", after)
	case token.LEQ, token.GEQ:
		after := ") != " + g.is("%s → %s", from, flipped[n.Op]) + ") && !(" + g.is("%s → %s", from, bound[n.Op]) + " && !((" + x + ") " + bound[n.Op].String() + " (" + y + "))))"
		g.around(n, "(((", after)
	case token.LAND:
		g.around(n, "((", ") || "+g.is("%s → ||", from)+" && (("+x+") || ("+y+")) || "+g.is("%s → its right", from)+" && ("+y+") || "+g.is("%s → its left", from)+" && ("+x+"))")
	case token.LOR:
		g.around(n, "((", ") && !("+g.is("%s → &&", from)+" && !(("+x+") && ("+y+"))) && !("+g.is("%s → its right", from)+" && !("+y+")) && !("+g.is("%s → its left", from)+" && !("+x+")))")
	}
}
