package consent_test

import (
	"context"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/trial"
	"github.com/sluse/sluse/policies/cases"
)

// The table of law, case by case and every combination of each: Go and Rego on the raw Consents let cross what is
// listed, on the basis that is listed, and nothing else.
func TestLegalCases(t *testing.T) {
	t.Parallel()
	tables, err := cases.LoadLegal()
	if err != nil {
		t.Fatal(err)
	}
	ruled := 0
	for _, table := range tables {
		b, err := trial.NewBench(table)
		if err != nil {
			t.Fatal(err)
		}
		r, err := table.Ask(b.Ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, results := range r.Results {
			for _, res := range results {
				if res.Fault != "" {
					t.Errorf("go: %s:%d: %s: %s: %s", table.File, res.Question.Line, res.Question.Case.Sentence, res.Question.Case.Name, res.Fault)
				}
			}
		}
		ruled += legalByRego(t, table, b)
	}
	if ruled < 1500 {
		t.Errorf("Rego has answered %d", ruled)
	}
}

// legalByRego asks Rego's releasable, which is about whom something crosses to: not about the person herself.
func legalByRego(t *testing.T, table cases.Table, b *trial.Bench) (asked int) {
	t.Helper()
	formulas := map[cases.Regime]*consent.Formula{}
	for _, regime := range []cases.Regime{cases.BySamtykke, cases.ByLov} {
		var err error
		if formulas[regime], err = consent.NewFormulaUnder(context.Background(), b.Policies(regime)); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range table.Cases {
		for _, q := range l.Questions {
			v, err := b.Vector(q)
			if err != nil {
				t.Fatal(err)
			}
			if v.Question.Actor.Kind == gateway.Patient {
				continue
			}
			asked++
			crosses, _, err := formulas[q.Regime].Releasable(context.Background(), v.Input)
			if err != nil || crosses != q.Listed {
				t.Errorf("rego: %s:%d: %s: %s: crosses %v, want %v (%v)", table.File, q.Line, l.ID, q.Case.Name, crosses, q.Listed, err)
			}
		}
	}
	return asked
}
