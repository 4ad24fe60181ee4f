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

// index is the grants of one person at one epoch, between two period boundaries: by receiver,
// purpose with role, and action, each cell a number of a list of grants. A value "*" stands for any.
type index struct {
	from, until time.Time
	grants      []gateway.Grant
	looked      []fhir.Reference
	cells       []cell
	term        *ast.Term
}

// cell is the grants of one effect that one combination of values finds.
type cell struct {
	action gateway.Action
	grants []int
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
type cells [2]map[string]map[string]map[string]int

func (b *cells) add(ix *index, g *gateway.Grant, i int) {
	if b[g.Effect] == nil {
		b[g.Effect] = map[string]map[string]map[string]int{}
	}
	for _, action := range []gateway.Action{gateway.ReadAction, gateway.MessageAction} {
		if !g.Actions.Has(action) {
			continue
		}
		for _, k := range values(g.Recipients) {
			for _, p := range values(g.Purposes) {
				for _, r := range values(g.Roles) {
					leaf := under(under(b[g.Effect], k), setting(p, r))
					n, ok := leaf[string(action)]
					if !ok {
						n = len(ix.cells)
						leaf[string(action)] = n
						ix.cells = append(ix.cells, cell{action: action})
					}
					ix.cells[n].grants = append(ix.cells[n].grants, i)
				}
			}
		}
	}
}

// setting is a purpose and a role as one key.
func setting(purpose, role string) string { return purpose + " " + role }

func under[V any](m map[string]map[string]V, k string) map[string]V {
	if m[k] == nil {
		m[k] = map[string]V{}
	}
	return m[k]
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
	return object(b[e], func(m map[string]map[string]int) *ast.Term {
		return object(m, func(m map[string]int) *ast.Term {
			return object(m, func(n int) *ast.Term { return ast.InternedTerm(n) })
		})
	})
}

func object[V any](m map[string]V, term func(V) *ast.Term) *ast.Term {
	o := ast.NewObjectWithCapacity(len(m))
	for k, v := range m {
		o.Insert(ast.StringTerm(k), term(v))
	}
	return ast.NewTerm(o)
}

// expand turns the cells that Rego chose into terms and citations, each grant once for each side.
// For read, what the message grants cover holds for records sent to the party by message.
func (ix *index) expand(s *gateway.Scope, out *gateway.Decision, chosen []int, read bool) {
	if len(chosen) == 0 {
		return
	}
	type use struct{ plain, sent bool }
	uses := make([]use, len(ix.grants))
	n := 0
	for _, c := range chosen {
		if c < 0 || c >= len(ix.cells) {
			continue
		}
		for _, g := range ix.cells[c].grants {
			u := &uses[g]
			if sent := read && ix.cells[c].action == gateway.MessageAction; sent && !u.sent {
				u.sent, n = true, n+1
			} else if !sent && !u.plain {
				u.plain, n = true, n+1
			}
		}
	}
	s.Terms = slices.Grow(s.Terms, n)
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
