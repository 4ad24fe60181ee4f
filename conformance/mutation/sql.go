package main

import (
	"go/ast"
	"strconv"
	"strings"
)

// swaps are what is changed in a text of SQL, each place by itself. "and (true or" takes a conjunct away.
var swaps = [][2]string{
	{" = any(", " <> all("}, {" = ", " <> "}, {" <> ", " = "}, {" <= ", " < "}, {" >= ", " > "}, {" < ", " <= "}, {" > ", " >= "},
	{" and (", " and (true or "}, {" and ", " or "}, {" or ", " and "},
	{" is null", " is not null"}, {" is not null", " is null"}, {" is not distinct from ", " is distinct from "},
	{"not ", ""}, {" & ~", " & "}, {" & ", " | "}, {" | ", " & "}, {"bit_or", "bit_and"},
	{" && ", " <@ "}, {"then 'read' else 'message'", "then 'message' else 'read'"}, {".allow", ".allow is null"},
	{"false", "true"}, {".low", ".high"}, {".high", ".low"},
}

// literal puts the changed texts beside a literal.
func (g *golang) literal(n *ast.BasicLit) {
	text, err := strconv.Unquote(n.Value)
	if err != nil {
		return
	}
	var others strings.Builder
	taken := map[int]bool{}
	for _, s := range swaps {
		for from := 0; ; {
			i := strings.Index(text[from:], s[0])
			if i < 0 {
				break
			}
			at := from + i
			from = at + 1
			if taken[at] && s[0] != " and " {
				continue
			}
			taken[at] = true
			changed := text[:at] + s[1] + text[at+len(s[0]):]
			around := text[max(0, at-24):at] + "⟦" + s[0] + " → " + s[1] + "⟧" + text[at+len(s[0]):min(len(text), at+len(s[0])+24)]
			is := g.is("%s", around)
			others.WriteString(", mutant_.Alt(" + is + ", " + strconv.Quote(changed) + ")")
		}
	}
	if others.Len() > 0 {
		g.around(n, "mutant_.Text(", others.String()+")")
	}
}
