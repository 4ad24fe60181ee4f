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

// prepare compiles the policies once, for each of the queries, and gives their revision.
func prepare(ctx context.Context, set policies.Set, queries []string, more ...func(*rego.Rego)) ([]rego.PreparedEvalQuery, string, error) {
	modules, err := policies.Modules(false)
	if err != nil {
		return nil, "", err
	}
	data, err := set.Data()
	if err != nil {
		return nil, "", err
	}
	revision, err := set.Revision()
	if err != nil {
		return nil, "", err
	}
	compiler, err := ast.CompileModules(modules)
	if err != nil {
		return nil, "", fmt.Errorf("consent: policies: %w", err)
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	out := make([]rego.PreparedEvalQuery, len(queries))
	for i, query := range queries {
		options := append([]func(*rego.Rego){
			rego.Query(query), rego.StrictBuiltinErrors(true), rego.Compiler(compiler), rego.Store(store),
		}, more...)
		if out[i], err = rego.New(options...).PrepareForEval(ctx); err != nil {
			return nil, "", fmt.Errorf("consent: policies: %w", err)
		}
	}
	return out, revision, nil
}

// interned holds the terms that every question is built of.
type interned struct {
	kind, action, typ, attested, named, known, herself *ast.Term
	now, permits, denies, index                        *ast.Term
	kinds                                              [gateway.Compliance + 1]*ast.Term
}

func newInterned() *interned {
	t := &interned{
		kind: ast.StringTerm("kind"), action: ast.StringTerm("action"), typ: ast.StringTerm("type"),
		attested: ast.StringTerm("attested"), named: ast.StringTerm("named"), known: ast.StringTerm("known"),
		herself: ast.StringTerm("herself"), now: ast.StringTerm("now"), permits: ast.StringTerm("permits"),
		denies: ast.StringTerm("denies"), index: ast.StringTerm("index"),
	}
	for k, name := range map[gateway.Kind]string{
		gateway.Nobody: "nobody", gateway.Machine: "machine", gateway.Person: "person",
		gateway.Patient: "patient", gateway.Operator: "operator", gateway.Compliance: "compliance"} {
		t.kinds[k] = ast.StringTerm(name)
	}
	return t
}

// kindOf names the kind of actor; one that does not exist is nobody.
func (t *interned) kindOf(k gateway.Kind) *ast.Term {
	if int(k) >= len(t.kinds) {
		k = gateway.Nobody
	}
	return t.kinds[k]
}

// named gives the names under which the index may hold grants for a receiver with these keys who
// asks for the purpose.
func named(keys []gateway.Recipient, purpose gateway.Purpose) *ast.Term {
	terms := make([]*ast.Term, 0, 2*len(keys))
	for _, k := range keys {
		terms = append(terms, ast.StringTerm(cellName(string(purpose), string(k))), ast.StringTerm(cellName(anyParty, string(k))))
	}
	return settled(terms)
}

// cellName names what a purpose and a receiver find. "*" stands for any of either; a purpose holds
// no space, so that no two pairs have one name.
func cellName(purpose, receiver string) string { return purpose + " " + receiver }

// settled makes a set that evaluations may share. A set is sorted when it is first listed, while
// another evaluation may be taking elements from it: it is listed here, before anybody has it.
func settled(terms []*ast.Term) *ast.Term {
	s := ast.NewSet(terms...)
	s.Slice()
	return ast.NewTerm(s)
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// literal leaves Rego's document as it is: turning it into JSON values costs more than reading it.
func literal(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }
