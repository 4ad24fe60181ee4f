package consent

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/policies"
)

// Formula evaluates the formulas of the consent semantics as they stand, on one record, one
// question and the raw FHIR Consents (Rego `releasable`). It is slow, and shares nothing with
// Normalizer and Decider: it is what they are held against.
type Formula struct{ query rego.PreparedEvalQuery }

// NewFormula compiles the policies on the data that comes with the program.
func NewFormula(ctx context.Context) (*Formula, error) { return NewFormulaUnder(ctx, policies.Set{}) }

// NewFormulaUnder compiles the policies on the data given.
func NewFormulaUnder(ctx context.Context, set policies.Set) (*Formula, error) {
	queries, _, err := prepare(ctx, set, []string{"data.sluse.releasable.answer"})
	if err != nil {
		return nil, err
	}
	return &Formula{queries[0]}, nil
}

// Releasable answers for an input document as policies/releasable.rego describes it: whether the
// record crosses, and the covered labels. An error is a deny.
func (f *Formula) Releasable(ctx context.Context, input map[string]any) (bool, gateway.Labels, error) {
	return f.read(f.query.Eval(ctx, rego.EvalInput(input)))
}

// read reads Rego's answer strictly.
func (f *Formula) read(rs rego.ResultSet, err error) (bool, gateway.Labels, error) {
	if err != nil {
		return false, 0, fmt.Errorf("consent: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return false, 0, fmt.Errorf("consent: no answer")
	}
	m, _ := rs[0].Expressions[0].Value.(map[string]any)
	crosses, ok1 := m["releasable"].(bool)
	list, ok2 := m["covered"].([]any)
	if !ok1 || !ok2 {
		return false, 0, fmt.Errorf("consent: answer of another form")
	}
	var covered gateway.Labels
	for _, v := range list {
		code, _ := v.(string)
		l, ok := gateway.LabelOf(code)
		if !ok {
			return false, 0, fmt.Errorf("consent: label %q", code)
		}
		covered |= l
	}
	return crosses, covered, nil
}
