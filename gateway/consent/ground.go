package consent

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
)

// Ground is a Situation that has been read once, to be asked many questions.
type Ground struct {
	formula *Formula
	members [][2]*ast.Term
}

// On reads a Situation.
func (f *Formula) On(s Situation) (*Ground, error) {
	g := &Ground{formula: f}
	for name, v := range s {
		value, err := ast.InterfaceToValue(v)
		if err != nil {
			return nil, fmt.Errorf("consent: %s: %w", name, err)
		}
		g.members = append(g.members, [2]*ast.Term{ast.StringTerm(name), ast.NewTerm(value)})
	}
	return g, nil
}

// Releasable asks Rego's releasable whether the record crosses to the asker, and which labels are covered. An
// error is a deny.
func (g *Ground) Releasable(ctx context.Context, c Class) (bool, gateway.Labels, error) {
	input := ast.NewObject(g.members...)
	for name, v := range map[string]any{"now": c.Question.Now.Format(time.RFC3339Nano), "question": asked(c.Question), "record": kept(c.Record)} {
		value, err := ast.InterfaceToValue(v)
		if err != nil {
			return false, 0, fmt.Errorf("consent: %w", err)
		}
		input.Insert(ast.StringTerm(name), ast.NewTerm(value))
	}
	return g.formula.read(g.formula.query.Eval(ctx, rego.EvalParsedInput(input), quiet, uncancelled))
}

// asked is a question as policies/releasable.rego is told of it. Emergency access is never asked here.
func asked(q gateway.Question) map[string]any {
	kind := "nobody"
	switch q.Actor.Kind {
	case gateway.Person:
		kind = "person"
	case gateway.Machine:
		kind = "machine"
	}
	return map[string]any{
		"kind": kind, "emergency": nil, "party": string(q.Party.ID), "unit": string(q.Actor.Unit),
		"practitioner": string(q.Actor.Practitioner), "role": q.Actor.Role, "purpose": string(q.Actor.Purpose),
		"action": string(q.Action), "attested": attested(q.Actor), "lovgrunnlag": string(q.Party.Lovgrunnlag),
		"sector": string(q.Party.Sector), "message": q.Message,
	}
}

// kept is a record as policies/releasable.rego is told of it.
func kept(r gateway.Record) map[string]any {
	out := map[string]any{
		"type": string(r.Reference.Type), "id": string(r.Reference.ID), "custodian": string(r.Custodian), "person": r.Person > 0,
		"labels": codes(r.Labels), "fetched": codes(r.Fetched), "low": instant(r.Low), "high": instant(r.High),
	}
	sent := []any{}
	for _, s := range r.Sent {
		sent = append(sent, map[string]any{"to": string(s.To), "labels": codes(s.Mask), "message": s.Message})
	}
	out["sent"] = sent
	if r.Context.Type != "" {
		out["context"] = map[string]any{"type": string(r.Context.Type), "id": string(r.Context.ID)}
	}
	return out
}

func codes(l gateway.Labels) []any {
	out := []any{}
	for _, c := range l.Codes() {
		out = append(out, c)
	}
	return out
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}
