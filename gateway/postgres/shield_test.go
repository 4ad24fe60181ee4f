package postgres

import (
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// The person herself asks for what is about her, and names nobody: what tells where she is stays out while an
// adressesperre stands, as it does when she is named.
func TestAddressStaysSecretWithoutAName(t *testing.T) {
	b := newBench(t)
	her := b.patient("100", "100-kari", kari)
	place := gateway.Scope{Address: true}.OpenMask()
	b.make(b.draft("100", ref("DocumentReference", "100-brev"), "100-kari", gateway.Plan|place))
	scope := gateway.Scope{
		Own: "900", Self: true, Person: her.Person, Address: true,
		Terms: []gateway.Term{{
			Effect: gateway.Allow, Mask: gateway.AllLabels,
			Custodians: gateway.Set[gateway.HERID]{Any: true}, Types: gateway.Set[fhir.Type]{Any: true}, Items: gateway.Set[fhir.Reference]{Any: true},
		}},
	}
	for _, tt := range []struct {
		name  string
		grade gateway.Shield
		found int
	}{{"no adressesperre", gateway.NoShield, 1}, {"kode 7", gateway.Confidential, 0}, {"kode 6", gateway.StrictlyConfidential, 0}, {"lifted", gateway.NoShield, 1}} {
		if err := b.tx(func(t *Tx) error { return t.SetShield(b.ctx, her.Person, "100", tt.grade, false, start) }); err != nil {
			t.Fatal(err)
		}
		if list := b.find(scope, "DocumentReference", gateway.Search{}, 0); len(list) != tt.found {
			t.Errorf("%s: %d found, want %d", tt.name, len(list), tt.found)
		}
	}
}

// What an agreement or a hjemmel lets cross whoever it is about, crosses of nobody under kode 6, in a question that names
// nobody too.
func TestNothingStandsUnderStrictProtection(t *testing.T) {
	b := newBench(t)
	her := b.patient("100", "100-kari", kari)
	b.make(b.draft("100", ref("CarePlan", "100-plan"), "100-kari", gateway.Plan))
	scope := permitting(gateway.Plan)
	scope.Terms[0].Standing, scope.Join = true, &gateway.Join{Now: start}
	for _, tt := range []struct {
		name  string
		grade gateway.Shield
		found int
	}{{"no adressesperre", gateway.NoShield, 1}, {"kode 7", gateway.Confidential, 1}, {"kode 6", gateway.StrictlyConfidential, 0}, {"lifted", gateway.NoShield, 1}} {
		if err := b.tx(func(t *Tx) error { return t.SetShield(b.ctx, her.Person, "100", tt.grade, false, start) }); err != nil {
			t.Fatal(err)
		}
		if list := b.find(scope, "CarePlan", gateway.Search{}, 0); len(list) != tt.found {
			t.Errorf("%s: %d found, want %d", tt.name, len(list), tt.found)
		}
	}
}
