package postgres

import (
	"testing"

	"github.com/sluse/sluse/gateway/consent/trial"
	"github.com/sluse/sluse/policies/cases"
)

// The table of law through SQL: all that crosses, and one in three of what does not, in every way in which a record can
// be reached. Go and Rego answer the rest of it too.
func TestLegalCasesThroughSQL(t *testing.T) {
	b := newBench(t)
	tables, err := cases.LoadLegal()
	if err != nil {
		t.Fatal(err)
	}
	asked, crossed := 0, 0
	for _, table := range tables {
		rules, err := trial.NewBench(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range table.Cases {
			for i, q := range l.Questions {
				if !q.Listed && i%3 != 0 {
					continue
				}
				v, err := rules.Vector(q)
				if err != nil {
					t.Fatal(err)
				}
				decision, err := trial.Decide(rules.Decider(q.Regime), v)
				if err != nil {
					t.Fatal(err)
				}
				b.plant(v.Record, v.Grants, v.Question.Party.ID)
				out, _, err := b.answers(decision.Scope, v.Record, true)
				if err != nil || out != q.Listed {
					t.Errorf("%s:%d: %s: %s: SQL says %v, want %v (%v)", table.File, q.Line, l.ID, q.Case.Name, out, q.Listed, err)
				}
				asked++
				if out {
					crossed++
				}
			}
		}
	}
	if asked < 500 || crossed < 100 {
		t.Errorf("%d asked, %d cross: too few", asked, crossed)
	}
}
