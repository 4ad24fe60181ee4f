package consent_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent/consenttest"
	"github.com/sluse/sluse/gateway/fhir"
)

// emergency are the categories of emergency access, as the design has them.
const emergency = gateway.Demografi | gateway.Samarbeid | gateway.Legemidler | gateway.Rus | gateway.Somatisk | gateway.Psykisk |
	gateway.Kriseplan | gateway.Smitte | gateway.Tvang

// neverCross are the types that no grant and no emergency lets across.
var neverCross = []fhir.Type{"Consent", "CareTeam", "AuditEvent", "Provenance", "Group"}

// Every hand-written case asked again in an emergency: Rego on the raw Consents and Go on the grants agree,
// what crossed for that purpose still does, and whatever the consents say its own categories are covered
// besides, and no other.
func TestEmergencyByRegoAndGo(t *testing.T) {
	t.Parallel()
	formula, d := consenttest.Formula(t), consenttest.Decider(t)
	passed, stopped := 0, 0
	for _, v := range consenttest.Vectors(t) {
		if v.Question.Action != gateway.ReadAction {
			continue
		}
		for _, sector := range []gateway.Sector{"legevakt", "bydel-sosial"} {
			q := v
			q.Question.Actor.Purpose, q.Question.Actor.Practitioner, q.Question.Actor.Reason = gateway.BreakTheGlass, "9900077", "bevisstløs"
			q.Question.Party.Sector = sector
			number, err := gateway.NewNIN("14837912092")
			if err != nil {
				t.Fatal(err)
			}
			q.Question.Actor.Attest = gateway.Attest{NIN: number}
			asked := maps.Clone(v.Input["question"].(map[string]any))
			asked["purpose"], asked["practitioner"], asked["attested"] = "BTG", "9900077", true
			if _, told := asked["sector"]; told { // what other rules are told of the receiver
				asked["sector"] = string(sector)
			}
			asked["emergency"] = map[string]any{"purpose": "BTG", "hpr": true, "reason": true, "bound": true, "sector": string(sector)}
			q.Input = maps.Clone(v.Input)
			q.Input["question"] = asked
			crosses, ruled, err := formula.Releasable(context.Background(), q.Input)
			if err != nil {
				t.Fatal(err)
			}
			released, _, covered, err := consenttest.Answer(d, q)
			if err != nil {
				t.Fatal(err)
			}
			if released != crosses || covered != ruled {
				t.Errorf("%s, %s: go %v %v, rego %v %v", v.Name, sector, released, covered.Codes(), crosses, ruled.Codes())
			}
			across := v.Record.Custodian != v.Question.Party.ID && v.Record.Fetched == 0 && v.Record.Person != 0
			switch {
			case !across || sector != "legevakt":
				stopped++
			case !v.Record.Labels.Within(emergency):
			case slices.Contains(neverCross, v.Record.Reference.Type) || slices.Contains(neverCross, v.Record.Context.Type):
				if crosses {
					t.Errorf("%s: %s crosses in an emergency", v.Name, v.Record.Reference.Type)
				}
			case !crosses:
				t.Errorf("%s: %v does not cross in an emergency", v.Name, v.Record.Labels.Codes())
			default:
				passed++
			}
		}
	}
	if passed < 20 || stopped < 20 {
		t.Errorf("%d crossed in an emergency, %d were not asked across: too few to show anything", passed, stopped)
	}
}

// What an adressesperre does to a decision: kode 7 takes the address, kode 6 all of it but an emergency.
func TestShieldDecides(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t)
	base := tenByFive(t)
	for shield, want := range map[gateway.Shield]struct{ address, terms, manual bool }{
		gateway.NoShield: {true, true, false}, gateway.Confidential: {false, true, false},
		gateway.StrictlyConfidential: {false, false, true}, 3: {false, false, true},
	} {
		q := base
		q.Facts.Shield = shield
		q.Facts.Epoch += int64(shield) // as a change of it raises the epoch
		s := decide(t, d, q).Scope
		if s.Address != want.address || len(s.Terms) > 0 != want.terms {
			t.Errorf("shield %d: address %v, %d terms", shield, s.Address, len(s.Terms))
		}
		q.Action, q.Actor.Kind = gateway.MessageAction, gateway.Machine
		if s := decide(t, d, q).Scope; s.Manual != want.manual || s.Manual && len(s.Terms) > 0 {
			t.Errorf("shield %d, message: %+v", shield, s)
		}
	}
}
