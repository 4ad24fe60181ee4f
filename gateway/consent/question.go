package consent

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// kindKey is a kind of question: all that Rego's `rights` is told, so that it can look at nothing
// else, and so that one answer serves every question of the kind.
type kindKey struct {
	kind                            gateway.Kind
	action                          gateway.Action
	typ                             fhir.Type
	attested, named, known, herself bool
	shield                          gateway.Shield
	glass                           glass
}

// rights is Rego's `rights`: what is reached without consents, and whether these count.
type rights struct {
	own, self, fetched, join, write bool
	plain, sent                     bool // consents count for what is asked, and for what was sent by message
	ledger                          string

	insight, permits, custody, compliance bool // the person's own, and views of Consents
	emergency, address, manual            bool
}

// rightsOf asks Rego what a question of this kind reaches, once.
func (d *Decider) rightsOf(ctx context.Context, q gateway.Question) (rights, error) {
	k := kindKey{
		kind: q.Actor.Kind, action: q.Action, typ: q.Type, attested: attested(q.Actor), named: q.Named,
		known:   !q.Named || q.Facts.Person != 0,
		herself: q.Own != 0 && (!q.Named || q.Facts.Person == q.Own),
		shield:  q.Facts.Shield, glass: d.glassOf(q),
	}
	if a, ok := d.kinds.Get(k); ok {
		return a, nil
	}
	t := d.terms
	v, err := evaluate(ctx, d.rights, ast.NewObject(
		[2]*ast.Term{t.kind, t.kindOf(k.kind)},
		[2]*ast.Term{t.action, ast.StringTerm(string(k.action))},
		[2]*ast.Term{t.typ, ast.StringTerm(string(k.typ))},
		[2]*ast.Term{t.attested, ast.InternedTerm(k.attested)},
		[2]*ast.Term{t.named, ast.InternedTerm(k.named)},
		[2]*ast.Term{t.known, ast.InternedTerm(k.known)},
		[2]*ast.Term{t.herself, ast.InternedTerm(k.herself)},
		[2]*ast.Term{ast.StringTerm("shield"), ast.InternedTerm(int(k.shield))},
		[2]*ast.Term{ast.StringTerm("emergency"), k.glass.term(q.Actor.Purpose)},
	))
	if err != nil {
		return rights{}, err
	}
	a, err := readRights(v)
	if err != nil {
		return rights{}, err
	}
	d.kinds.Add(k, a)
	return a, nil
}

// choose asks Rego which cells of the index concern the asker now.
func (d *Decider) choose(ctx context.Context, now time.Time, ix *index, by *asker) ([][]int, error) {
	t := d.terms
	v, err := evaluate(ctx, d.across, ast.NewObject(
		[2]*ast.Term{t.now, ast.NewTerm(ast.Number(itoa64(now.UnixNano())))},
		[2]*ast.Term{t.permits, by.asPermits},
		[2]*ast.Term{t.denies, by.asDenies},
		[2]*ast.Term{t.index, ix.term},
	))
	if err != nil {
		return nil, err
	}
	return readAcross(v, ix)
}

// An evaluation is too short to be measured or to be given up.
var (
	quiet       = rego.EvalMetrics(metrics.NoOp())
	uncancelled = rego.EvalExternalCancel(topdown.NewCancel())
)

// evaluate runs a prepared query on parsed terms. An error of any kind is a deny.
func evaluate(ctx context.Context, query rego.PreparedEvalQuery, input ast.Value) (*ast.Term, error) {
	rs, err := query.Eval(ctx, rego.EvalParsedInput(input), quiet, uncancelled)
	if err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return nil, fmt.Errorf("consent: no answer")
	}
	t, ok := rs[0].Expressions[0].Value.(*ast.Term)
	if !ok {
		return nil, fmt.Errorf("consent: answer is %T", rs[0].Expressions[0].Value)
	}
	return t, nil
}

// readRights reads Rego's answer strictly: a right that is not known is an error.
func readRights(t *ast.Term) (a rights, err error) {
	err = each(t, func(right ast.String) bool {
		switch right {
		case "own":
			a.own = true
		case "self":
			a.self = true
		case "fetched":
			a.fetched = true
		case "join":
			a.join = true
		case "write":
			a.write = true
		case "consented-read", "consented-notify", "consented-contribute":
			a.plain, a.sent = true, true
		case "consented-message":
			a.plain = true
		case "insight":
			a.insight = true
		case "permits":
			a.permits = true
		case "custody":
			a.custody = true
		case "consents-compliance":
			a.compliance = true
		case "emergency":
			a.emergency = true
		case "address":
			a.address = true
		case "manual":
			a.manual = true
		case "ledger-party", "ledger-person", "ledger-compliance":
			a.ledger = string(right)
		default:
			return false
		}
		return true
	})
	return a, err
}

// readAcross reads Rego's answer, permits and denies, strictly: a cell that the index does not hold
// is an error.
func readAcross(t *ast.Term, ix *index) ([][]int, error) {
	pair, ok := t.Value.(*ast.Array)
	if !ok || pair.Len() != 2 {
		return nil, fmt.Errorf("consent: answer is %v", t)
	}
	chosen := make([][]int, 0, 16)
	for i, cells := range []map[string][]int{ix.permits, ix.denies} {
		err := each(pair.Elem(i), func(name ast.String) bool {
			cell, ok := cells[string(name)]
			chosen = append(chosen, cell)
			return ok
		})
		if err != nil {
			return nil, err
		}
	}
	return chosen, nil
}

// each calls f for every string of a set, until it says no.
func each(t *ast.Term, f func(ast.String) bool) error {
	set, ok := t.Value.(ast.Set)
	if !ok {
		return fmt.Errorf("consent: answer is %v", t)
	}
	return set.Iter(func(t *ast.Term) error {
		if s, ok := t.Value.(ast.String); !ok || !f(s) {
			return fmt.Errorf("consent: answer holds %v", t)
		}
		return nil
	})
}
