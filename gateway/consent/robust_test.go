package consent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

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
	formula, err := consent.NewFormula(context.Background())
	if err != nil {
		t.Fatal(err)
	}
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

// The same for `scope`: with a deny in the index, no damage to a field makes it go while the permit
// stays. Whole entries of the index are data, not fields.
func TestDamagedQuestionNeverPermits(t *testing.T) {
	t.Parallel()
	modules, err := policies.Modules(false)
	if err != nil {
		t.Fatal(err)
	}
	data, err := policies.Data()
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query("data.sluse.scope.decision"), rego.Store(inmem.NewFromObject(data))}
	for name, source := range modules {
		options = append(options, rego.Module(name, source))
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	input := map[string]any{
		"kind": "person", "action": "read", "type": "", "attested": true, "named": true, "known": true, "herself": false,
		"now": 50.0, "permits": []any{"p:1"}, "denies": []any{"p:1", "*"}, "contexts": []any{"TREAT", "*"},
		"index": map[string]any{"from": 0.0, "until": 100.0,
			"permit": map[string]any{"p:1": map[string]any{"*": 1.0}},
			"deny":   map[string]any{"*": map[string]any{"TREAT": 2.0}}},
	}
	ask := func() (permits, denies int) {
		rs, err := query.Eval(context.Background(), rego.EvalInput(input))
		if err != nil || len(rs) != 1 {
			return 0, 0
		}
		d := rs[0].Expressions[0].Value.(map[string]any)
		if len(d["actions"].([]any)) == 0 {
			return 0, 0
		}
		return len(d["permits"].([]any)), len(d["denies"].([]any))
	}
	if p, d := ask(); p != 1 || d != 1 {
		t.Fatalf("whole question: %d permits, %d denies", p, d)
	}
	tried := 0
	mutate("input", input, func(path string) {
		if strings.HasPrefix(path, "input.index.deny.") {
			return
		}
		tried++
		if p, d := ask(); p > 0 && d == 0 {
			t.Errorf("permits without its deny: %s", path)
		}
	})
	if tried < 60 {
		t.Errorf("only %d damaged questions tried", tried)
	}
}
