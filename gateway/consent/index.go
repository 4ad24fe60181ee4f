package consent

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

type indexKey struct {
	person gateway.PersonID
	epoch  int64
}

// index is the grants of one person at one epoch, between two period boundaries: by receiver
// and purpose, each cell the number of a list of grants. A value "*" stands for any.
type index struct {
	from, until time.Time
	grants      []gateway.Grant
	looked      []fhir.Reference
	cells       [][]int // grants of one effect that a receiver and a purpose find
	term        *ast.Term
}

// far is the boundary when there is none; it fits nanoseconds in an int64.
var (
	far  = time.Unix(0, math.MaxInt64).UTC()
	past = time.Unix(0, math.MinInt64+1).UTC()
)

// index gives the index for the facts at a time, from memory when it holds then.
func (d *Decider) index(f gateway.Facts, now time.Time) (*index, error) {
	k := indexKey{f.Person, f.Epoch}
	ix, ok := d.indexes.Get(k)
	if ok && f.Person != 0 && !now.Before(ix.from) && now.Before(ix.until) {
		return ix, nil
	}
	grants, err := gateway.DecodeGrants(f.Grants)
	if err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if f.Person == 0 && len(grants) > 0 {
		return nil, errInput
	}
	ix = newIndex(grants, now)
	d.indexes.Add(k, ix)
	return ix, nil
}

// newIndex keeps the grants that hold at now, and the boundaries between which nothing changes.
func newIndex(grants []gateway.Grant, now time.Time) *index {
	ix := &index{from: past, until: far, grants: grants}
	b := cells{}
	for i := range grants {
		g := &grants[i]
		if !slices.Contains(ix.looked, g.Consent) {
			ix.looked = append(ix.looked, g.Consent)
		}
		for _, t := range []time.Time{g.Start, g.End} {
			switch {
			case t.IsZero():
			case t.After(now):
				if t.Before(ix.until) {
					ix.until = t
				}
			case t.After(ix.from):
				ix.from = t
			}
		}
		if now.Before(g.Start) || (!g.End.IsZero() && !now.Before(g.End)) {
			continue
		}
		if g.Effect == gateway.Allow && (g.End.IsZero() || g.Recipients.Any) {
			continue // a permit names its receivers and ends
		}
		b.add(ix, g, i)
	}
	ix.term = ast.NewTerm(ast.NewObject(
		[2]*ast.Term{ast.StringTerm("from"), ast.NewTerm(ast.Number(itoa64(ix.from.UnixNano())))},
		[2]*ast.Term{ast.StringTerm("until"), ast.NewTerm(ast.Number(itoa64(ix.until.UnixNano())))},
		[2]*ast.Term{ast.StringTerm("permit"), b.term(gateway.Allow)},
		[2]*ast.Term{ast.StringTerm("deny"), b.term(gateway.Deny)},
	))
	return ix
}

// cells collects the index before it becomes a term.
type cells [2]map[string]map[string]int

func (b *cells) add(ix *index, g *gateway.Grant, i int) {
	if b[g.Effect] == nil {
		b[g.Effect] = map[string]map[string]int{}
	}
	for _, k := range values(g.Recipients) {
		row := b[g.Effect][k]
		if row == nil {
			row = map[string]int{}
			b[g.Effect][k] = row
		}
		for _, p := range values(g.Purposes) {
			n, ok := row[p]
			if !ok {
				n = len(ix.cells)
				row[p] = n
				ix.cells = append(ix.cells, nil)
			}
			ix.cells[n] = append(ix.cells[n], i)
		}
	}
}

func values[T ~string](s gateway.Set[T]) []string {
	if s.Any {
		return []string{anyParty}
	}
	out := make([]string, len(s.Of))
	for i, v := range s.Of {
		out[i] = string(v)
	}
	return out
}

func (b *cells) term(e gateway.Effect) *ast.Term {
	return object(b[e], func(m map[string]int) *ast.Term {
		return object(m, func(n int) *ast.Term { return ast.InternedTerm(n) })
	})
}

func object[V any](m map[string]V, term func(V) *ast.Term) *ast.Term {
	o := ast.NewObjectWithCapacity(len(m))
	for k, v := range m {
		o.Insert(ast.StringTerm(k), term(v))
	}
	return ast.NewTerm(o)
}

// expand turns the cells that Rego chose into terms and citations, for the actions it named. For
// read, what the message grants cover holds for records sent to the party by message. The role
// counts here: no Consent names one but as part of its receiver.
func (ix *index) expand(s *gateway.Scope, out *gateway.Decision, a answer, read bool, role string) {
	if !a.plain && !a.sent {
		return
	}
	type use struct{ plain, sent bool }
	uses := make([]use, len(ix.grants))
	n, cited := 0, 0
	asked := gateway.MessageAction
	if read {
		asked = gateway.ReadAction
	}
	for _, c := range a.chosen {
		for _, i := range ix.cells[c] {
			g, u := &ix.grants[i], &uses[i]
			if u.plain || u.sent || !g.Roles.Has(role) {
				continue
			}
			u.plain = a.plain && g.Actions.Has(asked)
			u.sent = a.sent && g.Actions.Has(gateway.MessageAction)
			if u.plain {
				n++
			}
			if u.sent {
				n++
			}
			if u.plain || u.sent {
				cited++
			}
		}
	}
	s.Terms = slices.Grow(s.Terms, n)
	out.Citations = slices.Grow(out.Citations, cited)
	for i, u := range uses {
		if !u.plain && !u.sent {
			continue
		}
		g := &ix.grants[i]
		out.Citations = append(out.Citations, gateway.Citation{
			Consent: g.Consent, Path: g.Path, Law: g.Law, Paragraph: g.Paragraph})
		t := gateway.Term{
			Effect: g.Effect, Custodians: g.Custodians, Types: g.Types, Items: g.Items,
			Low: g.DataLow, High: g.DataHigh, Mask: g.Labels, Citation: len(out.Citations) - 1,
		}
		if u.plain {
			s.Terms = append(s.Terms, t)
		}
		if u.sent {
			t.Sent = true
			s.Terms = append(s.Terms, t)
		}
	}
}
