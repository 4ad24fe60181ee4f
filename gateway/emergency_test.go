package gateway_test

import (
	"context"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestEmergencyIsLimited: emergency access reads, and searches by the one patient that its token is
// bound to, with a reason. Everything else is refused, and the refusal stands in the ledger.
func TestEmergencyIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.patientOf(at(gp), kari)
	number, err := gateway.NewNIN(kari)
	must(t, err)
	bound := at(gp)
	bound.Purpose, bound.Reason, bound.Attest = gateway.BreakTheGlass, "bevisstløs", gateway.Attest{NIN: number}
	loose := bound
	loose.Attest = gateway.Attest{Each: true}
	silent := bound
	silent.Reason = ""

	about := gateway.Search{Subject: gateway.Subject{Patient: mine}, Count: 10, Base: "http://sluse.test/fhir"}
	nobody := gateway.Search{Count: 10, Base: "http://sluse.test/fhir"}
	read := gateway.Interaction{Code: gateway.Read, Target: fhir.Reference{Type: mine.Type, ID: mine.ID}}
	search := gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: about}
	directory := gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "Organization"}, Search: nobody}
	for name, in := range map[string]gateway.Interaction{"read": read, "search": search, "directory": directory} {
		if _, err := w.Do(context.Background(), bound, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := map[string]gateway.Interaction{
		"search of nobody": {Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: nobody},
		"system search":    {Code: gateway.FindSystem, Search: gateway.Search{Types: []fhir.Type{"CarePlan"}, Count: 10}},
		"type history":     {Code: gateway.HistoryType, Target: fhir.Reference{Type: "Task"}, Search: nobody},
		"system history":   {Code: gateway.HistorySystem, Search: nobody},
		"delete":           {Code: gateway.Delete, Target: fhir.Reference{Type: mine.Type, ID: mine.ID}},
		"operation":        {Code: gateway.Operate, Target: mine, Operation: gateway.Operation{Name: gateway.Everything}},
	}
	before := w.refusals()
	for name, in := range refused {
		if _, err := w.Do(context.Background(), bound, in); gateway.CodeOf(err) != gateway.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, a := range map[string]gateway.Actor{"unbound": loose, "without a reason": silent} {
		for _, in := range []gateway.Interaction{read, search} {
			if _, err := w.Do(context.Background(), a, in); gateway.CodeOf(err) != gateway.Forbidden {
				t.Errorf("%s, %s: %v", in.Code, name, err)
			}
		}
	}
	if n := w.refusals() - before; n != len(refused)+4 {
		t.Errorf("%d refusals in the ledger, want %d", n, len(refused)+4)
	}
	if _, err := w.Transact(context.Background(), bound, []gateway.Entry{{Interaction: refused["delete"]}}); gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("transaction: %v", err)
	}
}
