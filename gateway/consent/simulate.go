package consent

import (
	"context"

	"github.com/sluse/sluse/gateway"
)

var _ gateway.Explainer = (*Decider)(nil)

// Suppose answers a question on grants that are supposed, or that were in force: the rules and the
// formulas of Decide, and none of its memory, neither asked nor left anything.
func (d *Decider) Suppose(ctx context.Context, q gateway.Question, grants []gateway.Grant) (gateway.Decision, error) {
	r, err := d.answer(ctx, q, d.newIndex(grants, q.Now))
	if err != nil {
		return gateway.Decision{}, err
	}
	return r.at(q.Now), nil
}
