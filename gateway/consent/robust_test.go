package consent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/policies"
)

// wrong are the values that stand in for a field: none, null, and every kind it is not.
func wrong() []any { return []any{nil, "x", 5.0, []any{}, map[string]any{}} }

// mutate calls f with every field of the document, at every depth, taken away and set to each wrong
// value; path tells which. The document is as before after each call.
func mutate(path string, v any, f func(path string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, old := range v {
			p := path + "." + name
			delete(v, name)
			f(p + " absent")
			for _, w := range wrong() {
				if fmt.Sprintf("%T", w) == fmt.Sprintf("%T", old) {
					continue
				}
				v[name] = w
				f(fmt.Sprintf("%s = %#v", p, w))
			}
			v[name] = old
			mutate(p, old, f)
		}
	case []any:
		for i, e := range v {
			mutate(fmt.Sprintf("%s[%d]", path, i), e, f)
		}
	}
}

// A missing, null or wrongly typed field of the input never turns a deny into a permit: every case
// that does not cross although one of its consents permits it is mutated field by field.
func TestDamagedInputNeverPermits(t *testing.T) {
	t.Parallel()
	formula := consenttest.Formula(t)
	wanted := []string{"an older deny", "a deny counts whoever registered it", "the person without a role", "what it names", "who was", "everything", "undated and a deny's dataPeriod", "a purpose below one that is denied"}
	var tried atomic.Int64
	t.Run("case", func(t *testing.T) {
		for _, v := range consenttest.Vectors(t) {
			_, name, _ := strings.Cut(v.Name, ": ")
			if v.Crosses || !containsName(wanted, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				damage(t, formula, v, &tried)
			})
		}
	})
	if n := tried.Load(); n < 1000 {
		t.Errorf("only %d damaged inputs tried", n)
	}
}

// damage mutates the input of one case field by field.
func damage(t *testing.T, formula *consent.Formula, v consenttest.Vector, tried *atomic.Int64) {
	t.Helper()
	raw, _ := json.Marshal(v.Input)
	var input map[string]any
	if err := json.Unmarshal(raw, &input); err != nil {
		t.Fatal(err)
	}
	named, _ := json.Marshal([]any{input["consents"], input["teams"]})
	for ref := range input["directory"].(map[string]any) {
		if !strings.Contains(string(named), ref+`"`) {
			delete(input["directory"].(map[string]any), ref)
		}
	}
	mutate("input", input, func(path string) {
		// A permit without its exceptions is another, whole Consent: that is not damage.
		if strings.HasSuffix(path, ".provision absent") && strings.Contains(path, ".provision.provision") {
			return
		}
		tried.Add(1)
		if crosses, covered, err := formula.Releasable(context.Background(), input); err == nil && crosses {
			t.Errorf("%s: crosses with %s (covered %v)", v.Name, path, covered.Codes())
		}
	})
}

func containsName(list []string, name string) bool {
	for _, n := range list {
		if strings.HasSuffix(name, n) {
			return true
		}
	}
	return false
}

// prepared is one rule of `scope`.
func prepared(t *testing.T, rule string) rego.PreparedEvalQuery {
	t.Helper()
	modules, err := policies.Modules(false)
	if err != nil {
		t.Fatal(err)
	}
	data, err := policies.Data()
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query("data.sluse.scope." + rule), rego.Store(inmem.NewFromObject(data))}
	for name, source := range modules {
		options = append(options, rego.Module(name, source))
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return query
}

// sets gives a document as the Decider does: its lists, damaged or not, are sets.
func sets(v any) *ast.Term {
	switch v := v.(type) {
	case []any:
		s := ast.NewSet()
		for _, e := range v {
			s.Add(sets(e))
		}
		return ast.NewTerm(s)
	case map[string]any:
		o := ast.NewObject()
		for k, e := range v {
			o.Insert(ast.StringTerm(k), sets(e))
		}
		return ast.NewTerm(o)
	}
	return ast.NewTerm(ast.MustInterfaceToValue(v))
}

// The same for `scope`: with a deny in the index, damage to any field takes the permit away. Whole
// entries of the index are data, not fields.
func TestDamagedQuestionNeverPermits(t *testing.T) {
	t.Parallel()
	query := prepared(t, "across")
	input := map[string]any{
		"now": 50.0, "permits": []any{"TREAT p:1", "* p:1"}, "denies": []any{"TREAT p:1", "* p:1", "TREAT *", "* *"},
		"index": map[string]any{"from": 0.0, "until": 100.0, "permit": []any{"* p:1"}, "deny": []any{"TREAT *"}},
	}
	ask := func(input ast.Value) (permits, denies int) {
		rs, err := query.Eval(context.Background(), rego.EvalParsedInput(input))
		if err != nil || len(rs) != 1 {
			return 0, 0
		}
		a := rs[0].Expressions[0].Value.([]any)
		return len(a[0].([]any)), len(a[1].([]any))
	}
	if p, d := ask(sets(input).Value); p != 1 || d != 1 {
		t.Fatalf("whole question: %d permits, %d denies", p, d)
	}
	tried := 0
	mutate("input", input, func(path string) {
		tried++
		if p, _ := ask(sets(input).Value); p > 0 {
			t.Errorf("permits with %s", path)
		}
		if p, _ := ask(ast.MustInterfaceToValue(input)); p > 0 {
			t.Errorf("permits with %s, lists for sets", path)
		}
	})
	if tried < 40 {
		t.Errorf("only %d damaged questions tried", tried)
	}
}

// No damage to a field of any kind of question gives a right that the whole question had not.
func TestDamagedQuestionGainsNoRight(t *testing.T) {
	t.Parallel()
	query := prepared(t, "rights")
	ask := func(input map[string]any) []any {
		rs, err := query.Eval(context.Background(), rego.EvalParsedInput(ast.MustInterfaceToValue(input)))
		if err != nil || len(rs) != 1 {
			return nil
		}
		return rs[0].Expressions[0].Value.([]any)
	}
	tried, given := 0, 0
	for n := range 16 {
		for _, kind := range []string{"nobody", "machine", "person", "patient", "operator", "compliance"} {
			for _, action := range []string{"read", "message", "notify", "write", "admin"} {
				for _, typ := range []string{"", "Consent", "AuditEvent"} {
					if (typ == "") == (action == "write") {
						continue
					}
					input := map[string]any{"kind": kind, "action": action, "type": typ,
						"attested": n&1 > 0, "named": n&2 > 0, "known": n&4 > 0, "herself": n&8 > 0}
					whole := ask(input)
					given += len(whole)
					mutate("input", input, func(path string) {
						tried++
						for _, right := range ask(input) {
							if !slices.Contains(whole, right) {
								t.Errorf("%v gives %v when %s", input, right, path)
							}
						}
					})
				}
			}
		}
	}
	if tried < 5000 || given < 200 {
		t.Errorf("only %d damaged questions tried, %d rights", tried, given)
	}
}
