package gateway_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// by is a condition on one token parameter of a type.
func by(t testing.TB, kind fhir.Type, name, system, code string) *gateway.Search {
	t.Helper()
	param := fhir.SearchParameterOf(kind, name)
	if param == nil {
		t.Fatalf("%s has no parameter %s", kind, name)
	}
	return &gateway.Search{
		Canonical: string(kind) + "?" + name + "=" + system + "|" + code,
		Criteria:  []fhir.Criterion{{Name: name, Ways: []fhir.Way{{From: kind, Param: param}}, Values: []fhir.Operand{{System: system, Code: code}}}},
	}
}

func (w *world) when(a gateway.Actor, code gateway.InteractionCode, body string, when *gateway.Search) (gateway.Outcome, error) {
	w.t.Helper()
	res := parse(w.t, body)
	return w.Do(context.Background(), a, gateway.Interaction{Code: code, Target: fhir.Reference{Type: res.Type()}, Body: res, When: when})
}

const planSystem = "http://sluse.no/test/plan"

// numbered is a plan with a business identifier.
func numbered(patient fhir.Reference, number, canary string) string {
	return strings.Replace(plan(patient, canary), `{`, `{"identifier":[{"system":"`+planSystem+`","value":"`+number+`"}],`, 1)
}

// A conditional create is answered by the writer's own records alone: what another party has, shared
// or not, is neither matched nor told.
func TestConditionTellsNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, mine := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	shared := w.mustPost(at(bydel), numbered(p, "1", "delt"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "okonomi", "bolig"}, ous))
	if body, err := w.read(at(ous), shared); err != nil || !strings.Contains(body, "kanari-delt") {
		t.Fatalf("the plan is not shared: %v", err)
	}
	when := by(t, "CarePlan", "identifier", planSystem, "1")
	for _, a := range []gateway.Actor{at(ous), at(sosial)} {
		about := mine
		if a.Party == sosial {
			about = w.patientOf(a, kari)
		}
		out, err := w.when(a, gateway.Create, numbered(about, "1", "eget"), when)
		if err != nil || !out.Created {
			t.Fatalf("%s: the condition matched another's record: %v %+v", a.Party, err, out.Location)
		}
		wantNone(t, bodyOf(out), "kanari-delt")
		again, err := w.when(a, gateway.Create, numbered(about, "1", "to"), when)
		if err != nil || again.Created || again.Location != out.Location || !strings.Contains(bodyOf(again), "kanari-eget") {
			t.Errorf("%s: second conditional create: %v %+v", a.Party, err, again)
		}
		if _, err := w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Delete, Target: fhir.Reference{Type: "CarePlan"}, When: when}); err != nil {
			t.Errorf("%s: conditional delete: %v", a.Party, err)
		}
		if _, err := w.read(a, out.Location); gateway.CodeOf(err) == "" {
			_, err = w.read(a, fhir.Reference{Type: "CarePlan", ID: out.Location.ID})
			wantCode(t, err, gateway.Gone)
		}
	}
	if _, err := w.read(at(bydel), shared); err != nil {
		t.Errorf("a conditional delete reached another's record: %v", err)
	}
}

// In the directory, which everybody reads, a condition matches the writer's own entries only.
func TestConditionOnDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"resourceType":"Practitioner","identifier":[{"system":"http://sluse.no/test/ansatt","value":"7"}],"name":[{"family":"Lin"}]}`
	when := by(t, "Practitioner", "identifier", "http://sluse.no/test/ansatt", "7")
	first, err := w.when(at(bydel), gateway.Create, body, when)
	must(t, err)
	second, err := w.when(at(ous), gateway.Create, body, when)
	if err != nil || !second.Created || second.Location.ID == first.Location.ID {
		t.Fatalf("another's entry was matched: %v", err)
	}
	_, err = w.when(w.operator(), gateway.Create, body, when)
	wantCode(t, err, gateway.Precondition) // drift keeps all of it, and there are two
}

// Patients share a party: the condition of one matches nothing of another.
func TestConditionOfPatients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	her := w.patient()
	him := her
	him.Self = nin(t, ola)
	him.Attest = gateway.Attest{NIN: nin(t, ola)}
	p := w.patientOf(her, kari)
	his := w.patientOf(him, ola)
	when := by(t, "Consent", "status", "", "active")
	when.Criteria[0].Values[0].AnySystem = true
	one, err := w.when(her, gateway.Create, consentOf(p, []string{"plan"}, ous), when)
	must(t, err)
	other, err := w.when(him, gateway.Create, consentOf(his, []string{"plan"}, ous), when)
	if err != nil || !other.Created || other.Location.ID == one.Location.ID {
		t.Fatalf("another patient's Consent was matched: %v", err)
	}
	again, err := w.when(her, gateway.Create, consentOf(p, []string{"plan"}, ous), when)
	if err != nil || again.Created || again.Location.ID != one.Location.ID {
		t.Fatalf("her own Consent was not matched: %v", err)
	}
}

// abreast is a Store in which the first answers to a condition wait for each other: so many transactions
// have read that nothing is there before any of them goes on to write.
type abreast struct {
	gateway.Store
	left    atomic.Int64
	arrived sync.WaitGroup
}

func newAbreast(s gateway.Store, n int) *abreast {
	b := &abreast{Store: s}
	b.left.Store(int64(n))
	b.arrived.Add(n)
	return b
}

func (b *abreast) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	return b.Store.Tx(ctx, func(tx gateway.Tx) error { return fn(abreastTx{tx, b}) })
}

type abreastTx struct {
	gateway.Tx
	at *abreast
}

func (t abreastTx) Match(ctx context.Context, p gateway.Permit, k fhir.Type, s gateway.Search, person gateway.PersonID, limit int) ([]gateway.Record, error) {
	found, err := t.Tx.Match(ctx, p, k, s, person, limit)
	if t.at.left.Add(-1) >= 0 { // whoever runs again, on a newer snapshot, waits for nobody
		t.at.arrived.Done()
		t.at.arrived.Wait()
	}
	return found, err
}

// Concurrent conditional creates have one effect: two that have both seen that nothing is there, and
// many that come as they come.
func TestConcurrentConditionalCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	for _, tt := range []struct {
		number string
		writes int
		store  gateway.Store
	}{{"par", 2, newAbreast(w.store, 2)}, {"flokk", 24, w.store}} {
		var (
			g    = w.exporter(gateway.ExportLimits{}, tt.store)
			when = by(t, "CarePlan", "identifier", planSystem, tt.number)
			body = numbered(p, tt.number, "x")
			wait sync.WaitGroup
			mu   sync.Mutex
			made int
			ids  = map[fhir.ID]bool{}
		)
		for range tt.writes {
			res := parse(t, body)
			wait.Go(func() {
				out, err := g.Do(context.Background(), at(bydel), gateway.Interaction{
					Code: gateway.Create, Target: fhir.Reference{Type: "CarePlan"}, Body: res, When: when,
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("conditional create: %v", err)
					return
				}
				ids[out.Location.ID] = true
				if out.Created {
					made++
				}
			})
		}
		wait.Wait()
		if made != 1 || len(ids) != 1 {
			t.Errorf("%s: %d records were made, %d named", tt.number, made, len(ids))
		}
	}
}

// R4 http.html#cond-update, #cdelete: none, one and several matches.
func TestConditionalWritesByTheBook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := at(bydel)
	p := w.patientOf(a, kari)
	when := by(t, "CarePlan", "identifier", planSystem, "b")
	withID := func(id fhir.ID, body string) string { return strings.Replace(body, `{`, `{"id":"`+string(id)+`",`, 1) }

	out, err := w.when(a, gateway.Update, numbered(p, "b", "en"), when)
	if err != nil || !out.Created {
		t.Fatalf("no match, no id: %v", err)
	}
	id := out.Location.ID
	out, err = w.when(a, gateway.Update, numbered(p, "b", "to"), when)
	if err != nil || out.Created || out.Location.ID != id {
		t.Fatalf("one match, no id: %v %v", err, out.Location)
	}
	out, err = w.when(a, gateway.Update, withID(id, numbered(p, "b", "tre")), when)
	if err != nil || out.Location.ID != id {
		t.Fatalf("one match, its id: %v", err)
	}
	_, err = w.when(a, gateway.Update, withID("80001001-x", numbered(p, "b", "fire")), when)
	wantCode(t, err, gateway.Malformed)
	none := by(t, "CarePlan", "identifier", planSystem, "ingen")
	_, err = w.when(a, gateway.Update, withID(id, numbered(p, "ingen", "fem")), none)
	wantCode(t, err, gateway.Conflict)
	_, err = w.when(a, gateway.Update, withID("fremmed", numbered(p, "ingen", "fem")), none)
	wantCode(t, err, gateway.NotFound)
	out, err = w.when(a, gateway.Update, withID("80001001-ny", numbered(p, "ingen", "seks")), none)
	if err != nil || !out.Created || out.Location.ID != "80001001-ny" {
		t.Fatalf("no match, own id: %v", err)
	}
	w.mustPost(a, numbered(p, "b", "to-til"))
	for _, code := range []gateway.InteractionCode{gateway.Create, gateway.Update, gateway.Delete} {
		_, err := w.when(a, code, numbered(p, "b", "x"), when)
		wantCode(t, err, gateway.Precondition)
	}
	if _, err := w.when(a, gateway.Delete, numbered(p, "b", "x"), by(t, "CarePlan", "identifier", planSystem, "borte")); err != nil {
		t.Errorf("delete without a match: %v", err)
	}
	if _, err := w.when(a, gateway.Delete, numbered(p, "b", "x"), none); err != nil {
		t.Errorf("delete of one match: %v", err)
	}
	_, err = w.read(a, fhir.Reference{Type: "CarePlan", ID: "80001001-ny"})
	wantCode(t, err, gateway.Gone)
}

// An update that must not find anything (If-None-Match: *) is refused only for what is the writer's own.
func TestUpdateThatMustBeNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	mine := w.mustPost(at(bydel), plan(p, "a"))
	try := func(a gateway.Actor, id fhir.ID) error {
		body := strings.Replace(plan(p, "b"), `{`, `{"id":"`+string(id)+`",`, 1)
		_, err := w.Do(context.Background(), a, gateway.Interaction{
			Code: gateway.Update, Target: fhir.Reference{Type: "CarePlan", ID: id}, Body: parse(t, body), Absent: true,
		})
		return err
	}
	wantCode(t, try(at(bydel), mine.ID), gateway.Precondition)
	wantCode(t, try(at(sosial), mine.ID), gateway.NotFound)
	wantCode(t, try(at(sosial), "finnes-ikke"), gateway.NotFound)
	must(t, try(at(bydel), "80001001-ny"))
	wantCode(t, try(at(bydel), "80001001-ny"), gateway.Precondition)
}
