package mapping

import (
	"fmt"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestResourcesAreValid: what a message becomes is valid R4, by the tables that the server validates with.
func TestResourcesAreValid(t *testing.T) {
	check := func(name string, raw []byte) {
		in, err := read(raw, func(key string) string { return "id-" + key }, true)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		validResources(t, name, in)
	}
	bogus, err := fhir.Parse([]byte(`{"resourceType":"Observation","status":"bogus"}`))
	if err != nil || len(fhir.Validate(bogus)) == 0 {
		t.Fatalf("the validator finds nothing wrong with a wrong resource: %v", err)
	}
	for name, raw := range samples(t) {
		check(name, raw)
	}
	for name, o := range outgoing(t) {
		raw, _, err := Write(o)
		if err != nil {
			t.Fatal(err)
		}
		check(name, raw)
	}
}

func validResources(t *testing.T, name string, in *Incoming) {
	t.Helper()
	for _, r := range in.Resources {
		parsed, err := fhir.Parse(r.Body)
		if err != nil {
			t.Errorf("%s: %s: %v", name, r.Key, err)
			continue
		}
		for _, issue := range fhir.Validate(parsed) {
			t.Errorf("%s: %s: %s", name, r.Key, fmt.Sprintf("%s %s %v", issue.Code, issue.Expression, issue.Args))
		}
	}
}
