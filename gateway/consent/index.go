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

// index is the grants of one person at one epoch, between two period boundaries: by purpose and
// receiver, each cell a list of grants. A value "*" stands for any. Rego has the names of the
// cells, and says which of them concern a question.
type index struct {
	from, until     time.Time
	grants          []gateway.Grant
	looked          []fhir.Reference
	permits, denies map[string][]int // numbers of grants, by cellName
	standing        bool             // of agreements, not of a person
	term            *ast.Term
}

// far is the boundary when there is none; it fits nanoseconds in an int64.
var (
	far  = time.Unix(0, math.MaxInt64).UTC()
	past = time.Unix(0, math.MinInt64+1).UTC()
)

// index gives the index for the facts at a time, from memory when it holds then.
func (d *Decider) index(f gateway.Facts, now time.Time) (*index, error) {
	k := indexKey{f.Person, f.Epoch}
	ix, ok := d.indexes.Get(k) // nobody is never there
	if ok && !now.Before(ix.from) && now.Before(ix.until) {
		return ix, nil
	}
	grants, err := gateway.DecodeGrants(f.Grants)
	if err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if f.Person == 0 {
		if len(grants) > 0 {
			return nil, errInput
		}
		if len(d.agreed.Trust) > 0 {
			return d.newIndex(nil, now), nil
		}
		return d.none, nil
	}
	ix = d.newIndex(grants, now)
	d.indexes.Add(k, ix)
	return ix, nil
}

// newIndex keeps the grants that hold at now, and the boundaries between which nothing changes.
func (d *Decider) newIndex(grants []gateway.Grant, now time.Time) *index {
	ix := &index{grants: grants, permits: map[string][]int{}, denies: map[string][]int{}}
	ix.from, ix.until = d.agreed.bounds(past, far, now)
	for i := range grants {
		g := &grants[i]
		if g.Consent.ID != "" && !slices.Contains(ix.looked, g.Consent) {
			ix.looked = append(ix.looked, g.Consent)
		}
		for _, t := range []time.Time{g.Start, g.End} {
			ix.from, ix.until = between(t, ix.from, ix.until, now)
		}
		if g.Trust != "" {
			if g.Custodians = d.agreed.trusting(*g, now); empty(g.Custodians) {
				continue
			}
		}
		if now.Before(g.Start) || (!g.End.IsZero() && !now.Before(g.End)) {
			continue
		}
		if g.Effect == gateway.Allow && (g.End.IsZero() || g.Recipients.Any) {
			continue // a permit names its receivers and ends
		}
		ix.add(g, i)
	}
	ix.term = ast.NewTerm(ast.NewObject(
		[2]*ast.Term{ast.StringTerm("from"), ast.NewTerm(ast.Number(itoa64(ix.from.UnixNano())))},
		[2]*ast.Term{ast.StringTerm("until"), ast.NewTerm(ast.Number(itoa64(ix.until.UnixNano())))},
		[2]*ast.Term{ast.StringTerm("permit"), cellNames(ix.permits)},
		[2]*ast.Term{ast.StringTerm("deny"), cellNames(ix.denies)},
	))
	return ix
}

// add puts a grant in the cell of each purpose and receiver that it names.
func (ix *index) add(g *gateway.Grant, i int) {
	cells := ix.denies
	if g.Effect == gateway.Allow {
		cells = ix.permits
	}
	for _, p := range values(g.Purposes) {
		for _, k := range values(g.Recipients) {
			name := cellName(p, k)
			cells[name] = append(cells[name], i)
		}
	}
}

func cellNames(cells map[string][]int) *ast.Term {
	terms := make([]*ast.Term, 0, len(cells))
	for name := range cells {
		terms = append(terms, ast.StringTerm(name))
	}
	return settled(terms)
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

// expand turns the cells that Rego chose into terms and citations, for the actions it named. For
// read, what the message grants cover holds for records sent to the party by message. The role
// counts here: no Consent names one but as part of its receiver.
func (ix *index) expand(s *gateway.Scope, out *gateway.Decision, a rights, chosen [][]int, action gateway.Action, role string) {
	type use struct{ plain, sent bool }
	uses := make([]use, len(ix.grants))
	n, cited := 0, 0
	received := gateway.MessageAction // what must be allowed of a record that came by message
	if action == gateway.NotifyAction || action == gateway.ContributeAction {
		received = action
	}
	for _, cell := range chosen {
		for _, i := range cell {
			g, u := &ix.grants[i], &uses[i]
			if u.plain || u.sent || !g.Roles.Has(role) {
				continue
			}
			u.plain = a.plain && g.Actions.Has(action)
			u.sent = a.sent && g.Actions.Has(received)
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
			Low: g.DataLow, High: g.DataHigh, Mask: g.Labels, Standing: ix.standing, Citation: len(out.Citations) - 1,
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
