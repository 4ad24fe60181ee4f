package postgres

import (
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// A search that names nobody, with a criterion, in the order of _lastUpdated: every value that is
// bound stands in the statement.
func TestOpenSearchByLastUpdated(t *testing.T) {
	b := newBench(t)
	b.clinic()
	q, _, err := fhir.ParseQuery("Observation", []fhir.Parameter{{Name: "status", Value: "final"}}, fhir.QueryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, descending := range []bool{false, true} {
		if err := b.Snapshot(b.ctx, func(gv gateway.View) error {
			scope := permitting(gateway.Somatisk)
			scope.Own, scope.Terms = "100", nil
			list, err := gv.(*view).search(b.ctx, scope, "Observation", gateway.Search{Criteria: q.Criteria, Sort: gateway.Sort{Param: "_lastUpdated", Descending: descending}}, 0, 21, gateway.Cursor{})
			if len(list) == 0 {
				t.Error("nothing found")
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}
