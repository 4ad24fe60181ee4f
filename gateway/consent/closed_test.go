package consent

import (
	"context"
	"sync"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// engineFault is an engine that is not the one that it should be: other rules, or other data, behind a query.
type engineFault struct {
	name  string
	query string
	rules string           // a package in the place of all policies; "" are the real ones
	data  map[string]any   // in the place of the policy data; nil is the real one
	drop  string           // a file that is not there
	opts  func(*rego.Rego) // a further option
	into  func(*Decider, rego.PreparedEvalQuery)
}

func intoRights(d *Decider, q rego.PreparedEvalQuery) { d.rights = q }
func intoAcross(d *Decider, q rego.PreparedEvalQuery) { d.across = q }

// answers is a package whose rule answers with the text.
func answers(name, text string) string {
	return "package closed\n\n" + name + " := " + text + "\n"
}

var engineFaults = []engineFault{
	{name: "rights: wrong package", query: "data.sluse.skope.rights", into: intoRights},
	{name: "rights: a rule that is undefined", query: "data.closed.rights", rules: "package closed\n\nrights := {\"consented-read\"} if input.nothing\n", into: intoRights},
	{name: "rights: two results", query: "x := {\"consented-read\"}[_]; data.closed.rights[x]", rules: answers("rights", `{"consented-read", "own"}`), into: intoRights},
	{name: "rights: two results of one", query: "data.closed.rights[x]", rules: answers("rights", `[{"own"}, {"consented-read"}]`), into: intoRights},
	{name: "rights: two results of one, the permitting first", query: "data.closed.rights[x]", rules: answers("rights", `[{"consented-read"}, {"own"}]`), into: intoRights},
	{name: "rights: two expressions", query: "data.closed.rights; data.closed.rights", rules: answers("rights", `{"consented-read"}`), into: intoRights},
	{name: "rights: a string", query: "data.closed.rights", rules: answers("rights", `"consented-read"`), into: intoRights},
	{name: "rights: an array", query: "data.closed.rights", rules: answers("rights", `["consented-read"]`), into: intoRights},
	{name: "rights: true", query: "data.closed.rights", rules: answers("rights", `true`), into: intoRights},
	{name: "rights: null", query: "data.closed.rights", rules: answers("rights", `null`), into: intoRights},
	{name: "rights: an object", query: "data.closed.rights", rules: answers("rights", `{"consented-read": true}`), into: intoRights},
	{name: "rights: of numbers", query: "data.closed.rights", rules: answers("rights", `{1, "consented-read"}`), into: intoRights},
	{name: "rights: unknown beside known", query: "data.closed.rights", rules: answers("rights", `{"consented-read", "consented-everything"}`), into: intoRights},
	{name: "rights: none", query: "data.closed.rights", rules: answers("rights", `set()`), into: intoRights},
	{name: "rights: a built-in fails", query: "data.closed.rights", rules: answers("rights", `{r | r := ["consented-read", "own"][_]; time.parse_rfc3339_ns(input.kind)}`), opts: rego.StrictBuiltinErrors(true), into: intoRights},
	{name: "rights: two values of one rule", query: "data.closed.rights", rules: "package closed\n\nrights := {\"consented-read\"} if input.kind\n\nrights := {\"own\"} if input.action\n", into: intoRights},
	{name: "rights: adressesperre is missing", drop: "shield.rego", query: "data.sluse.scope.rights", into: intoRights},
	{name: "rights: no engine", into: func(d *Decider, _ rego.PreparedEvalQuery) { d.rights = rego.PreparedEvalQuery{} }, query: "true"},
	{name: "across: wrong package", query: "data.sluse.skope.across", into: intoAcross},
	{name: "across: undefined", query: "data.closed.across", rules: "package closed\n\nacross := [input.permits, set()] if input.nothing\n", into: intoAcross},
	{name: "across: permits alone", query: "data.closed.across", rules: answers("across", `[input.index.permit & input.permits]`), into: intoAcross},
	{name: "across: three", query: "data.closed.across", rules: answers("across", `[input.index.permit & input.permits, set(), set()]`), into: intoAcross},
	{name: "across: arrays", query: "data.closed.across", rules: answers("across", `[[p | some p in input.index.permit], []]`), into: intoAcross},
	{name: "across: an object", query: "data.closed.across", rules: answers("across", `{"permits": input.index.permit}`), into: intoAcross},
	{name: "across: cells that the index does not have", query: "data.closed.across", rules: answers("across", `[input.permits, input.denies]`), into: intoAcross},
	{name: "across: the whole index for numbers", query: "data.closed.across", rules: answers("across", `[{1}, {2}]`), into: intoAcross},
	{name: "across: no engine", into: func(d *Decider, _ rego.PreparedEvalQuery) { d.across = rego.PreparedEvalQuery{} }, query: "true"},
}

var allRules = sync.OnceValues(func() (*ast.Compiler, error) { return rulesWithout("") })

func rulesWithout(file string) (*ast.Compiler, error) {
	modules, err := policies.Modules(false)
	if err != nil {
		return nil, err
	}
	delete(modules, file)
	return ast.CompileModules(modules)
}

// fit prepares the query of the fault.
func (x engineFault) fit(t *testing.T) rego.PreparedEvalQuery {
	t.Helper()
	data, err := policies.Data()
	if err != nil {
		t.Fatal(err)
	}
	if x.data != nil {
		data = x.data
	}
	compiler, err := allRules()
	switch {
	case x.rules != "":
		compiler, err = ast.CompileModules(map[string]string{"closed.rego": x.rules})
	case x.drop != "":
		compiler, err = rulesWithout(x.drop)
	}
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query(x.query), rego.GenerateJSON(literal), rego.Compiler(compiler),
		rego.Store(inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true)))}
	if x.opts != nil {
		options = append(options, x.opts)
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	if err != nil {
		return rego.PreparedEvalQuery{} // there is no such query: the engine is not there
	}
	return query
}

var closedNow = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// closedQuestion is what a party asks about a person who has consented, and the record that crosses by that.
func closedQuestion(t *testing.T) (gateway.Question, gateway.Record) {
	t.Helper()
	grants, err := gateway.EncodeGrants([]gateway.Grant{{
		Consent: fhir.Reference{Type: "Consent", ID: "c", Version: "1"}, Path: "Consent.provision", Effect: gateway.Allow,
		Custodians: gateway.Only[gateway.HERID]("80001001"), Recipients: gateway.Only[gateway.Recipient]("p:80001006"),
		Roles: gateway.Every[string](), Purposes: gateway.Every[gateway.Purpose](), Actions: gateway.Only(gateway.ReadAction),
		Labels: gateway.Plan, Types: gateway.Every[fhir.Type](), Items: gateway.Every[fhir.Reference](),
		Start: closedNow.AddDate(0, -1, 0), End: closedNow.AddDate(0, 1, 0), Law: "HPL22",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Question{
			Actor: gateway.Actor{Kind: gateway.Person, Party: "80001006", Practitioner: "9900001", Role: "lege", Purpose: gateway.Treat, Attest: gateway.Attest{Each: true}},
			Party: gateway.Party{ID: "80001006", Sector: gateway.SectorHF, Lovgrunnlag: "helse-spesialist"}, Action: gateway.ReadAction, Named: true,
			Facts: gateway.Facts{Person: 7, Epoch: 3, Grants: grants}, Now: closedNow,
		}, gateway.Record{
			Reference: fhir.Reference{Type: "CarePlan", ID: "p"}, Custodian: "80001001", Person: 7, Labels: gateway.Plan,
			Low: closedNow, High: closedNow.Add(time.Second),
		}
}

// forgetful is the Decider with memories of its own, on an engine that is compiled already.
func forgetful(t *testing.T, of *Decider) *Decider {
	t.Helper()
	d := *of
	var err error
	if d.kinds, err = lru.New[kindKey, rights](8); err != nil {
		t.Fatal(err)
	}
	if d.indexes, err = lru.New[indexKey, *index](8); err != nil {
		t.Fatal(err)
	}
	if d.decisions, err = lru.New[decisionKey, *remembered](8); err != nil {
		t.Fatal(err)
	}
	return &d
}

// released tells whether the record crosses by what the Decider answers. A panic is a refusal, as it is to package gateway.
func released(d *Decider, q gateway.Question, r gateway.Record) (out bool) {
	defer func() {
		if recover() != nil {
			out = false
		}
	}()
	answer, err := d.Decide(context.Background(), q)
	if err != nil || answer.Effect != gateway.Allow {
		return false
	}
	_, ok := answer.Scope.Releases(r)
	return ok
}

// An engine that answers anything but what it should permits nothing (DESIGN § 1, P5).
func TestBrokenEnginePermitsNothing(t *testing.T) {
	t.Parallel()
	q, r := closedQuestion(t)
	real, err := NewDecider(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *Decider { return forgetful(t, real) }
	if !released(fresh(), q, r) {
		t.Fatal("nothing crosses when nothing fails")
	}
	whole := engineFault{query: "data.sluse.scope.rights", into: intoRights}
	mended := fresh()
	if whole.into(mended, whole.fit(t)); !released(mended, q, r) {
		t.Fatal("nothing crosses when the engine is put there by the test")
	}
	for _, x := range engineFaults {
		t.Run(x.name, func(t *testing.T) {
			d := fresh()
			x.into(d, x.fit(t))
			for range 2 { // nothing of it is remembered as an answer either
				if released(d, q, r) {
					t.Error("it crosses")
				}
			}
		})
	}
	if len(engineFaults) < 20 {
		t.Errorf("only %d faults", len(engineFaults))
	}
}

// Policy data that is missing, or of another form, permits nothing: each table is taken away and damaged in turn.
func TestMissingDataPermitsNothingMore(t *testing.T) {
	t.Parallel()
	real, err := NewDecider(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{"missing", "null", "empty", "a list"} {
		data, err := policies.Data()
		if err != nil {
			t.Fatal(err)
		}
		tables, _ := data["policy"].(map[string]any)
		for name := range tables {
			t.Run(name+" "+damage, func(t *testing.T) {
				q, r := closedQuestion(t)
				q.Facts.Grants, q.Facts.Epoch = nil, 4 // without a samtykke
				other, err := policies.Data()
				if err != nil {
					t.Fatal(err)
				}
				of, _ := other["policy"].(map[string]any)
				switch damage {
				case "missing":
					delete(of, name)
				case "null":
					of[name] = nil
				case "empty":
					of[name] = map[string]any{}
				case "a list":
					of[name] = []any{"x"}
				}
				d := forgetful(t, real)
				for query, into := range map[string]func(*Decider, rego.PreparedEvalQuery){"rights": intoRights, "across": intoAcross} {
					into(d, engineFault{query: "data.sluse.scope." + query, data: other}.fit(t))
				}
				for purpose, kind := range map[gateway.Purpose]gateway.Kind{gateway.Treat: gateway.Person, gateway.BreakTheGlass: gateway.Person, gateway.Administer: gateway.Compliance, gateway.Coordinate: gateway.Operator} {
					q.Actor.Purpose, q.Actor.Kind = purpose, kind
					if released(d, q, r) {
						t.Errorf("%s crosses without a samtykke", purpose)
					}
				}
			})
		}
	}
}
