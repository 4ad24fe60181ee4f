package postgres

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestFewTermsAreWrittenOut sees that a statement about one record makes no table of few terms, and one
// of many.
func TestFewTermsAreWrittenOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		terms int
		table bool
	}{{0, false}, {1, false}, {fewTerms, false}, {fewTerms + 1, true}} {
		scope := gateway.Scope{Own: "200", Person: 7}
		for n := range c.terms {
			scope.Terms = append(scope.Terms, gateway.Term{
				Effect: gateway.Allow, Custodians: gateway.Only(gateway.HERID(rune('1' + n))), Types: gateway.Every[fhir.Type](),
				Items: gateway.Every[fhir.Reference](), Mask: gateway.Plan,
			})
		}
		var args arguments
		if sql := newScoped(scope, "CarePlan", &args).coverOneSQL("r", "c"); strings.Contains(sql, "unnest") != c.table {
			t.Errorf("%d terms: %s", c.terms, sql)
		}
	}
}
