package consent

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/policies"
)

// prepare compiles the policies for one query and gives their revision.
func prepare(ctx context.Context, query string) (rego.PreparedEvalQuery, string, error) {
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
	options := []func(*rego.Rego){
		rego.Query(query), rego.StrictBuiltinErrors(true),
		rego.Store(inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))),
	}
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
	kind, action, typ, attested, named, known, herself, now, permits, denies, purposes, roles, index *ast.Term
	any                                                                                              *ast.Term
	kinds                                                                                            [gateway.Compliance + 1]*ast.Term
	texts                                                                                            map[string]*ast.Term
}

func newInterned() *interned {
	t := &interned{
		kind: ast.StringTerm("kind"), action: ast.StringTerm("action"), typ: ast.StringTerm("type"),
		attested: ast.StringTerm("attested"), named: ast.StringTerm("named"), known: ast.StringTerm("known"),
		herself: ast.StringTerm("herself"), now: ast.StringTerm("now"), permits: ast.StringTerm("permits"),
		denies: ast.StringTerm("denies"), purposes: ast.StringTerm("purposes"), roles: ast.StringTerm("roles"),
		index: ast.StringTerm("index"), any: ast.StringTerm(anyParty), texts: map[string]*ast.Term{},
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

// pair is a value with "*", under which the index keeps what concerns every value.
func (t *interned) pair(s string) *ast.Term { return ast.ArrayTerm(t.text(s), t.any) }

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// resultReader reads Rego's document strictly: what is missing or of another kind is an error.
type resultReader struct {
	m   map[string]any
	err error
}

func (r *resultReader) flag(name string) bool {
	b, ok := r.m[name].(bool)
	r.check(ok, name)
	return b
}

func (r *resultReader) text(name string) string {
	s, ok := r.m[name].(string)
	r.check(ok, name)
	return s
}

func (r *resultReader) numbers(name string) []int {
	list, ok := r.m[name].([]any)
	r.check(ok, name)
	out := make([]int, 0, len(list))
	for _, v := range list {
		n, ok := v.(json.Number)
		r.check(ok, name)
		i, err := strconv.Atoi(strings.TrimSpace(string(n)))
		r.check(err == nil, name)
		out = append(out, i)
	}
	return out
}

func (r *resultReader) check(ok bool, name string) {
	if !ok && r.err == nil {
		r.err = fmt.Errorf("consent: answer lacks %s", name)
	}
}
