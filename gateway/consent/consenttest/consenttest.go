// Package consenttest gives the worked examples of policies/cases, and generated ones, as values of
// package gateway, so that Go, Rego and SQL can be asked the same.
package consenttest

import (
	"context"
	"slices"
	"sync"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/trial"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
	"github.com/sluse/sluse/policies/cases"
)

// TB is what is used of testing.TB and of rapid.T.
type TB = trial.TB

// Vector is one question about one record, with the person's grants and the answer.
type Vector = trial.Vector

// ctx is that of a test: nothing here is cancelled.
var ctx = context.Background()

// Decider is the real one, compiled once.
func Decider(t TB) gateway.Decider {
	t.Helper()
	d, err := consent.NewDecider(ctx, consent.Config{Policies: Policies(t)})
	if err != nil {
		t.Fatalf("decider: %v", err)
	}
	return d
}

// Vectors gives the hand-written cases that have an answer about a record.
func Vectors(t TB) []Vector {
	t.Helper()
	world, all, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out []Vector
	for _, c := range all {
		if len(c.Expect.Refused) == 0 {
			out = append(out, Make(t, world, c))
		}
	}
	return out
}

// Policies is the policy data of the cases, with their groups and agreements.
func Policies(t TB) policies.Set {
	t.Helper()
	world, _, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	set, err := world.Policies()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return set
}

// Formula is Rego's releasable on the policy data of the cases.
func Formula(t TB) *consent.Formula {
	t.Helper()
	f, err := consent.NewFormulaUnder(ctx, Policies(t))
	if err != nil {
		t.Fatalf("formula: %v", err)
	}
	return f
}

// normalizer is the real one on the policy data of the cases, made once: it holds no state.
var normalizer = sync.OnceValues(func() (*consent.Normalizer, error) {
	world, _, err := cases.Load()
	if err != nil {
		return nil, err
	}
	set, err := world.Policies()
	if err != nil {
		return nil, err
	}
	return consent.NewNormalizerUnder(set)
})

// World is the directory of the cases.
func World(t TB) gateway.Directory {
	t.Helper()
	w, _, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return trial.Directory(w)
}

// Make turns a case into gateway values.
func Make(t TB, world cases.World, c cases.Case) Vector {
	t.Helper()
	n, err := normalizer()
	if err != nil {
		t.Fatalf("normalizer: %v", err)
	}
	return trial.Make(t, n, world, c)
}

// Refused tells whether the Normalizer refuses a Consent of the vector: nobody has to answer for it.
func Refused(v Vector) bool {
	return slices.ContainsFunc(v.Issues, func(i fhir.Issue) bool { return i.Severity == "error" })
}

// Answer asks Go: the Decider's scope, applied to the record.
func Answer(d gateway.Decider, v Vector) (crosses bool, parts []string, covered gateway.Labels, err error) {
	return trial.Answer(d, v)
}

// Released lists the parts that go with a record under the covered labels.
func Released(r gateway.Record, crosses bool, covered gateway.Labels) []string {
	return trial.Released(r, crosses, covered)
}

// SameParts compares lists of paths whatever their order.
func SameParts(a, b []string) bool { return trial.SameParts(a, b) }
