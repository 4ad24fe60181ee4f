package consent_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

// tenByFive is a person with ten Consents of five provisions: a permit with four exceptions each,
// two parties, two purposes, three labels, periods at both levels.
func tenByFive(tb testing.TB) gateway.Question {
	tb.Helper()
	n, err := consent.NewNormalizer()
	if err != nil {
		tb.Fatal(err)
	}
	dir := consenttest.World(tb)
	registrar, _ := dir.Party("8140001")
	var grants []gateway.Grant
	labels := []string{"plan", "rus", "psykisk", "somatisk", "bolig", "okonomi", "kartlegging"}
	for i := range 10 {
		coding := func(j int) string {
			return fmt.Sprintf(`{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":%q}`, labels[(i+j)%len(labels)])
		}
		nested := ""
		for j := range 4 {
			if j > 0 {
				nested += ","
			}
			nested += fmt.Sprintf(`{"type":"deny","period":{"start":"2026-11-2%d","end":"2027-0%d-01"},"purpose":[%s],"securityLabel":[%s],
				"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"PractitionerRole/bjorn-ous-psyk"}}]}`,
				j, j+2, purposes("COC", "ETREAT"), coding(j))
		}
		actor := func(role, ref string) string {
			return fmt.Sprintf(`{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":%q}]},"reference":{"reference":%q}}`, role, ref)
		}
		body := fmt.Sprintf(`{"resourceType":"Consent","status":"active","dateTime":"2026-11-20",
			"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},"patient":{"reference":"Patient/kari"},
			"provision":{"type":"permit","period":{"start":"2026-11-20","end":"2027-11-1%d"},"purpose":[%s],"securityLabel":[%s,%s,%s],
			"actor":[%s,%s,%s],"provision":[%s]}}`, i,
			purposes("TREAT", "COC"), coding(0), coding(1), coding(2),
			actor("IRCP", "Organization/ous"), actor("IRCP", "Organization/fastlege"), actor("CST", "Organization/bydel"), nested)
		res, err := fhir.Parse([]byte(body))
		if err != nil {
			tb.Fatal(err)
		}
		g, issues := n.Grants(res, fhir.Reference{Type: "Consent", ID: fhir.ID(fmt.Sprint("c", i)), Version: "1"}, gateway.Setting{
			Registrar: registrar, Directory: dir, Team: func(fhir.Reference) (a, b *fhir.Resource) { return nil, nil }})
		for _, i := range issues { // one exception is about a label that its permit has not: a warning
			if i.Severity == "error" {
				tb.Fatal(issues)
			}
		}
		grants = append(grants, g...)
	}
	encoded, err := gateway.EncodeGrants(grants)
	if err != nil {
		tb.Fatal(err)
	}
	party, _ := dir.Party("8140006")
	return gateway.Question{
		Actor: gateway.Actor{Kind: gateway.Person, Party: party.ID, Practitioner: "7000001", Role: "lege",
			Purpose: gateway.Treat, Attest: gateway.Attest{Each: true}},
		Party: party, Action: gateway.ReadAction, Named: true, Now: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
		Facts: gateway.Facts{Person: 7, Epoch: 1, Grants: encoded},
	}
}

func purposes(codes ...string) string {
	out := ""
	for i, c := range codes {
		if i > 0 {
			out += ","
		}
		out += fmt.Sprintf(`{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":%q}`, c)
	}
	return out
}

// BenchmarkDecide: `uncached` is the budget row of the design (an answer not yet known, for a
// person whose grants are indexed), `unseen` asks the rights of the kind of question as well, `cold`
// reads and indexes the grants, `cached` is what most requests see, `join` a question without
// patient, and `floor` is a trivial rule evaluated the same way.
func BenchmarkDecide(b *testing.B) {
	q := tenByFive(b)
	ctx := context.Background()
	run := func(name string, d gateway.Decider, next func(i int) gateway.Question) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for i := range b.N {
				if answer, err := d.Decide(ctx, next(i)); err != nil || len(answer.Scope.Terms) == 0 && answer.Scope.Join == nil {
					b.Fatal("no answer", err)
				}
			}
		})
	}
	small, err := consent.NewDecider(ctx, consent.Config{Decisions: 1})
	if err != nil {
		b.Fatal(err)
	}
	run("uncached", small, func(i int) gateway.Question {
		q := q
		q.Actor.Purpose = []gateway.Purpose{gateway.Treat, gateway.Coordinate}[i%2]
		return q
	})
	forgetful, err := consent.NewDecider(ctx, consent.Config{Decisions: 1, Kinds: 1})
	if err != nil {
		b.Fatal(err)
	}
	run("unseen", forgetful, func(i int) gateway.Question {
		q := q
		q.Type = []fhir.Type{"", "CarePlan"}[i%2]
		return q
	})
	run("cold", small, func(i int) gateway.Question {
		q := q
		q.Facts.Epoch = int64(i) + 2
		return q
	})
	run("cached", consenttest.Decider(b), func(int) gateway.Question { return q })
	run("join", consenttest.Decider(b), func(i int) gateway.Question {
		q := q
		q.Named, q.Facts, q.Now = false, gateway.Facts{}, q.Now.Add(time.Duration(i))
		return q
	})
	b.Run("floor", func(b *testing.B) {
		pq, err := rego.New(rego.Query("data.floor.allow"), rego.Module("floor.rego", "package floor\nallow if input.role == \"lege\"")).PrepareForEval(ctx)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		defer reportCPU(b)()
		for range b.N {
			input := ast.NewObject([2]*ast.Term{ast.StringTerm("role"), ast.StringTerm("lege")})
			if rs, err := pq.Eval(ctx, rego.EvalParsedInput(input)); err != nil || !rs.Allowed() {
				b.Fatal("floor")
			}
		}
	})
}

// reportCPU adds the CPU time of the process per operation, which a busy machine does not distort.
func reportCPU(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	b.ResetTimer()
	return func() { b.ReportMetric(float64((spent()-before).Nanoseconds())/float64(b.N)/1000, "cpu-us/op") }
}

// The budget in allocations is the same on every machine, so it is a test.
func TestDecisionAllocations(t *testing.T) {
	q := tenByFive(t)
	d, err := consent.NewDecider(context.Background(), consent.Config{Decisions: 1})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	allocations := testing.AllocsPerRun(200, func() {
		i++
		q := q
		q.Actor.Purpose = []gateway.Purpose{gateway.Treat, gateway.Coordinate}[i%2]
		if answer, err := d.Decide(context.Background(), q); err != nil || len(answer.Scope.Terms) == 0 {
			t.Fatal("no answer", err)
		}
	})
	if allocations > 250 {
		t.Errorf("%v allocations for a decision, the budget is 250", allocations)
	}
}
