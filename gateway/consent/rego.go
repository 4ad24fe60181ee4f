package consent

import (
	"context"
	"fmt"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/policies"
)

// prepare compiles the policies for one query and gives their revision.
func prepare(ctx context.Context, query string, more ...func(*rego.Rego)) (rego.PreparedEvalQuery, string, error) {
	modules, err := policies.Modules(false)
	if err != nil {
		return rego.PreparedEvalQuery{}, "", err
	}
	data, err := policies.Data()
	if err != nil {
		return rego.PreparedEvalQuery{}, "", err
	}
	revision, err := policies.Revision()
	if err != nil {
		return rego.PreparedEvalQuery{}, "", err
	}
	options := append([]func(*rego.Rego){
		rego.Query(query), rego.StrictBuiltinErrors(true),
		rego.Store(inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))),
	}, more...)
	for name, source := range modules {
		options = append(options, rego.Module(name, source))
	}
	pq, err := rego.New(options...).PrepareForEval(ctx)
	if err != nil {
		return rego.PreparedEvalQuery{}, "", fmt.Errorf("consent: policies: %w", err)
	}
	return pq, revision, nil
}

// interned holds the terms that every question is built of.
type interned struct {
	kind, action, typ, attested, named, known, herself, now, permits, denies, contexts, index, rights, actions *ast.Term
	kinds                                                                                                      [gateway.Compliance + 1]*ast.Term
	texts                                                                                                      map[string]*ast.Term
}

func newInterned() *interned {
	t := &interned{
		kind: ast.StringTerm("kind"), action: ast.StringTerm("action"), typ: ast.StringTerm("type"),
		attested: ast.StringTerm("attested"), named: ast.StringTerm("named"), known: ast.StringTerm("known"),
		herself: ast.StringTerm("herself"), now: ast.StringTerm("now"), permits: ast.StringTerm("permits"),
		denies: ast.StringTerm("denies"), contexts: ast.StringTerm("contexts"),
		index: ast.StringTerm("index"), rights: ast.StringTerm("rights"), actions: ast.StringTerm("actions"), texts: map[string]*ast.Term{},
	}
	for k, name := range map[gateway.Kind]string{
		gateway.Nobody: "nobody", gateway.Machine: "machine", gateway.Person: "person",
		gateway.Patient: "patient", gateway.Operator: "operator", gateway.Compliance: "compliance"} {
		t.kinds[k] = ast.StringTerm(name)
	}
	for _, s := range []gateway.Action{gateway.ReadAction, gateway.MessageAction, gateway.WriteAction, ""} {
		t.texts[string(s)] = ast.StringTerm(string(s))
	}
	for _, p := range []gateway.Purpose{gateway.Treat, gateway.EmergencyTreat, gateway.Coordinate, gateway.BreakTheGlass, untold} {
		t.texts[string(p)] = ast.StringTerm(string(p))
	}
	return t
}

func (t *interned) text(s string) *ast.Term {
	if term, ok := t.texts[s]; ok {
		return term
	}
	return ast.StringTerm(s)
}

// kindOf names the kind of actor; one that does not exist is nobody.
func (t *interned) kindOf(k gateway.Kind) *ast.Term {
	if int(k) >= len(t.kinds) {
		k = gateway.Nobody
	}
	return t.kinds[k]
}

func (t *interned) list(keys []gateway.Recipient) *ast.Term {
	terms := make([]*ast.Term, 0, len(keys)+1)
	for _, k := range keys {
		terms = append(terms, ast.StringTerm(string(k)))
	}
	return ast.ArrayTerm(terms...)
}

// contextsOf is a purpose, and "*" under which the index keeps what concerns any.
func (t *interned) contextsOf(purpose string) *ast.Term {
	return ast.ArrayTerm(ast.StringTerm(purpose), ast.StringTerm(anyParty))
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// literal leaves Rego's document as it is: turning it into JSON values costs more than reading it.
func literal(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }

// resultReader reads Rego's document strictly: what is missing or of another kind is an error.
type resultReader struct {
	m   ast.Object
	err error
}

// each calls f for every element of a set.
func (r *resultReader) each(name *ast.Term, f func(*ast.Term)) {
	v := r.m.Get(name)
	if v == nil {
		r.fail(name)
		return
	}
	set, ok := v.Value.(ast.Set)
	if !ok {
		r.fail(name)
		return
	}
	set.Foreach(f)
}

// numbers adds the numbers of a set, each below limit, to a list.
func (r *resultReader) numbers(name *ast.Term, limit int, out []int) []int {
	r.each(name, func(t *ast.Term) {
		n, ok := t.Value.(ast.Number)
		i, whole := n.Int()
		if !ok || !whole || i < 0 || i >= limit {
			r.fail(name)
			return
		}
		out = append(out, i)
	})
	return out
}

func (r *resultReader) fail(name *ast.Term) {
	if r.err == nil {
		r.err = fmt.Errorf("consent: answer lacks %v", name)
	}
}
