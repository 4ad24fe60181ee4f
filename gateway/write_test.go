package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// refusedOf counts the refusals of the party's ledger with a code.
func (w *world) refusedOf(party gateway.HERID) (n int) {
	w.t.Helper()
	a := at(party)
	a.Kind = gateway.Compliance
	body, err := w.find(a, "AuditEvent", gateway.Search{Count: 100})
	must(w.t, err)
	return strings.Count(body, `"outcome":"4"`)
}

// A write that is refused for whose the record is, or because there is none, stands in the ledger once,
// alone as in a transaction, though nothing else of the transaction is kept.
func TestRefusedWriteIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	mine := w.patientOf(at(gp), kari)
	hidden := w.mustPost(at(bydel), task(theirs, "skjult"))
	shared := w.mustPost(at(bydel), plan(theirs, "delt"))
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "okonomi", "bolig"}, gp))
	gone := w.mustPost(at(gp), plan(mine, "borte"))
	_, err := w.Do(context.Background(), at(gp), gateway.Interaction{Code: gateway.Delete, Target: gone})
	must(t, err)
	entry := func(code gateway.InteractionCode, r fhir.Reference, body string) gateway.Interaction {
		in := gateway.Interaction{Code: code, Target: r}
		if body != "" {
			in.Body = parse(t, withID(body, r))
		}
		return in
	}
	for _, tt := range []struct {
		name string
		in   gateway.Interaction
		want gateway.Code
	}{
		{"update of another's", entry(gateway.Update, shared, plan(mine, "mitt")), gateway.Forbidden},
		{"update of what is not told", entry(gateway.Update, fhir.Reference{Type: "CarePlan", ID: hidden.ID}, plan(mine, "mitt")), gateway.NotFound},
		{"update of what is gone", entry(gateway.Update, gone, plan(mine, "mitt")), gateway.Gone},
		{"bad update of another's", entry(gateway.Update, shared, `{"resourceType":"CarePlan","status":"feil"}`), gateway.Forbidden},
		{"delete of another's", entry(gateway.Delete, shared, ""), gateway.Forbidden},
		{"delete of what is hidden", entry(gateway.Delete, hidden, ""), gateway.NotFound},
		{"patch of another's", gateway.Interaction{Code: gateway.Patch, Target: shared}, gateway.Forbidden},
		{"conditional patch of none", gateway.Interaction{
			Code: gateway.Patch, Target: fhir.Reference{Type: "CarePlan"}, When: by(t, "CarePlan", "identifier", planSystem, "ingen"),
		}, gateway.NotFound},
	} {
		before := w.refusedOf(gp)
		_, err := w.Do(context.Background(), at(gp), tt.in)
		if gateway.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		if n := w.refusedOf(gp) - before; n != 1 {
			t.Errorf("%s: %d refusals in the ledger, want 1", tt.name, n)
		}
		before = w.refusedOf(gp)
		_, err = w.Transact(context.Background(), at(gp), []gateway.Entry{w.post1("", task(mine, "med")), {Interaction: tt.in}})
		if gateway.CodeOf(err) != tt.want {
			t.Errorf("%s in a transaction: %v, want %s", tt.name, err, tt.want)
		}
		if n := w.refusedOf(gp) - before; n != 1 {
			t.Errorf("%s in a transaction: %d refusals in the ledger, want 1", tt.name, n)
		}
	}
	before := w.refusedOf(gp)
	_, err = w.put(at(gp), withID(plan(mine, "ny"), fhir.Reference{Type: "CarePlan", ID: fhir.ID(gp) + "-ny"}), "")
	must(t, err)
	if n := w.refusedOf(gp) - before; n != 0 {
		t.Errorf("a new record by a chosen id left %d refusals", n)
	}
}

// No id that a client chooses holds a national number: ids stand in addresses, ledger and log.
func TestChosenIDHoldsNoNationalNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.patientOf(at(gp), kari)
	for _, id := range []string{string(gp) + "-" + ola, ola} {
		body := withID(numbered(mine, "7", "ny"), fhir.Reference{Type: "CarePlan", ID: fhir.ID(id)})
		res := parse(t, body)
		when := by(t, "CarePlan", "identifier", planSystem, "7")
		conditional := gateway.Interaction{Code: gateway.Update, Target: fhir.Reference{Type: "CarePlan"}, Body: res, When: when}
		named := gateway.Interaction{Code: gateway.Update, Target: fhir.Reference{Type: "CarePlan", ID: res.ID()}, Body: res}
		for _, in := range []gateway.Interaction{conditional, named} {
			_, single := w.Do(context.Background(), at(gp), in)
			_, bundled := w.Transact(context.Background(), at(gp), []gateway.Entry{{Interaction: in}})
			for name, err := range map[string]error{"single": single, "bundled": bundled} {
				if gateway.CodeOf(err) != gateway.Invalid || !strings.Contains(err.Error(), "nin.misplaced") {
					t.Errorf("%s, conditional %t: %v", name, in.When != nil, err)
				}
				if err != nil && strings.Contains(err.Error(), ola) {
					t.Errorf("LEAK in the error: %v", err)
				}
			}
		}
	}
	c := at(gp)
	c.Kind = gateway.Compliance
	ledger, err := w.find(c, "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	wantNone(t, ledger, ola)
}

// A transaction in an emergency writes nothing, and every entry is held to what a single interaction is.
func TestEmergencyTransactionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	a := at(ous)
	a.Purpose, a.Reason, a.Attest = gateway.BreakTheGlass, "bevisstløs", gateway.Attest{NIN: nin(t, kari)}
	before := w.refusedOf(ous)
	_, err := w.Transact(context.Background(), a, []gateway.Entry{
		{Interaction: gateway.Interaction{Code: gateway.Read, Target: theirs}},
		{Interaction: gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: gateway.Search{Count: 5}}},
	})
	wantEntry(t, err, 0, gateway.Forbidden, "emergency-limited")
	if n := w.refusedOf(ous) - before; n != 1 {
		t.Errorf("%d refusals in the ledger, want 1", n)
	}
}
