package consent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/policies"
)

func parsePolicies(t *testing.T) map[string]*ast.Module {
	t.Helper()
	sources, err := policies.Modules(true)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for name, source := range sources {
		m, err := ast.ParseModuleWithOpts(name, source, ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = m
	}
	return modules
}

// What `opa test --coverage` does: every *_test.rego passes, on the policy data and the
// hand-written cases, `releasable` answers each of those as it should, and every rule was evaluated
// to a value by some test.
func TestPolicies(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	modules := parsePolicies(t)
	data, err := consenttest.Policies(t).Data()
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]any{}
	for i, v := range consenttest.Vectors(t) {
		documents[fmt.Sprintf("%03d %s", i, v.Name)] = map[string]any{"input": v.Input, "crosses": v.Crosses}
	}
	data["cases"] = documents
	store := inmem.NewFromObject(data)
	coverage := cover.New()
	err = storage.Txn(ctx, store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		results, err := tester.NewRunner().SetStore(store).SetCoverageQueryTracer(coverage).SetModules(modules).SetTimeout(2*time.Minute).RunTests(ctx, txn)
		if err != nil {
			return err
		}
		passed := 0
		for r := range results {
			if !r.Pass() {
				t.Errorf("%s.%s: %s", r.Package, r.Name, r)
			}
			passed++
		}
		if passed < 25 {
			t.Errorf("only %d Rego tests ran", passed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	answerCases(t, modules, coverage)
	report := coverage.Report(modules)
	for name, module := range modules {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		for _, rule := range module.Rules {
			if file := report.Files[name]; !file.IsCovered(rule.Head.Location.Row) && !bodyCovered(file, rule) {
				t.Errorf("%s:%d: no test reaches rule %s", name, rule.Location.Row, rule.Head.Name)
			}
		}
	}
}

// answerCases asks `releasable` for each hand-written case.
func answerCases(t *testing.T, modules map[string]*ast.Module, coverage *cover.Cover) {
	t.Helper()
	data, err := consenttest.Policies(t).Data()
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query("data.sluse.releasable.answer.releasable"),
		rego.Store(inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true)))}
	for name, m := range modules {
		if !strings.HasSuffix(name, "_test.rego") {
			options = append(options, rego.ParsedModule(m))
		}
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range consenttest.Vectors(t) {
		rs, err := query.Eval(context.Background(), rego.EvalInput(v.Input), rego.EvalQueryTracer(coverage))
		if err != nil || len(rs) != 1 || rs[0].Expressions[0].Value != v.Crosses {
			t.Errorf("%s: %v %v, want %v", v.Name, rs, err, v.Crosses)
		}
	}
}

// bodyCovered tells whether a rule whose head is no expression of its own had its last condition hold.
func bodyCovered(file *cover.FileReport, rule *ast.Rule) bool {
	last := rule.Body[len(rule.Body)-1]
	return last.Location != nil && file.IsCovered(last.Location.Row)
}

// Every package and every rule says what it is and on which law, standard or sentence of the
// semantics it rests.
func TestPoliciesSayTheirBasis(t *testing.T) {
	basis := []string{"§", "art.", "tiltak", "R4 ", "semantikken", "v3-", "consentaction", "resource-types", "kodeverk", "tillitsrammeverket"}
	for name, module := range parsePolicies(t) {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		told := map[string]bool{}
		for _, a := range module.Annotations {
			if a.Title == "" || !slices.ContainsFunc(basis, func(b string) bool { return strings.Contains(a.Description, b) }) {
				t.Errorf("%s:%d: %q has no title or no basis", name, a.Location.Row, a.Title)
			}
			if a.Location.Row < module.Package.Location.Row {
				told["package"] = true
				continue
			}
			for _, rule := range module.Rules { // in source order: the first below is the one it is about
				if rule.Location.Row > a.Location.Row {
					told[rule.Head.Ref()[0].String()] = true
					break
				}
			}
		}
		if !told["package"] {
			t.Errorf("%s: the package has no METADATA", name)
		}
		for _, rule := range module.Rules {
			if rule := rule.Head.Ref()[0].String(); !told[rule] {
				t.Errorf("%s: rule %s has no METADATA", name, rule)
			}
		}
	}
}

func TestPolicyDataIsMarkedForReview(t *testing.T) {
	data, err := policies.Data()
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range data["policy"].(map[string]any) {
		if v.(map[string]any)["needsLegalReview"] != true {
			t.Errorf("data/%s.json is not marked needsLegalReview", name)
		}
	}
}
