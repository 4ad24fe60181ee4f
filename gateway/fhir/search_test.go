package fhir_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

func TestSubject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"resourceType":"CarePlan","subject":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"CarePlan","subject":{"reference":"Patient/a/_history/2"}}`, "Patient/a"},
		{`{"resourceType":"Consent","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"Task","for":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"Binary","securityContext":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"RelatedPerson","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"EpisodeOfCare","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"CarePlan","subject":{"reference":"Group/a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"reference":"https://x.no/fhir/Patient/a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"reference":"#a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"identifier":{"value":"a"}}}`, ""},
		{`{"resourceType":"CarePlan","subject":[{"reference":"Patient/a"}]}`, ""},
		{`{"resourceType":"CarePlan","patient":{"reference":"Patient/a"}}`, ""},
		{`{"resourceType":"Patient","id":"a"}`, ""},
		{`{"resourceType":"Questionnaire","subject":{"reference":"Patient/a"}}`, ""},
		{`{"resourceType":"Binary","securityContext":{"reference":"CarePlan/a"}}`, ""},
		{`{"resourceType":"Unknown","subject":{"reference":"Patient/a"}}`, ""},
	} {
		got, ok := parse(t, c.body).Subject()
		if got.String() != c.want || ok != (c.want != "") {
			t.Errorf("%s: %v %v", c.body, got, ok)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"resourceType":"CarePlan","period":{"start":"2026-01-01","end":"2026-01-31"},"created":"2020"}`: "2025-12-31T23:00:00Z/2026-01-31T23:00:00Z",
		`{"resourceType":"CarePlan","period":{"start":"2026-01-01"}}`:                                     "2025-12-31T23:00:00Z/9999-12-31T23:59:59Z",
		`{"resourceType":"CarePlan","period":{"end":"2026-01-31"}}`:                                       "0001-01-01T00:00:00Z/2026-01-31T23:00:00Z",
		`{"resourceType":"CarePlan","created":"2020"}`:                                                    "",
		`{"resourceType":"Goal","startDate":"2026"}`:                                                      "2025-12-31T23:00:00Z/2026-12-31T23:00:00Z",
		`{"resourceType":"Observation","effectiveDateTime":"2026-01-01T00:00:00Z"}`:                       "2026-01-01T00:00:00Z/2026-01-01T00:00:01Z",
		`{"resourceType":"Observation","issued":"2026-01-01T00:00:00Z"}`:                                  "",
		`{"resourceType":"Patient","birthDate":"2000"}`:                                                   "",
	} {
		low, high, ok := parse(t, body).Date()
		got := ""
		if ok {
			got = low.UTC().Format(time.RFC3339) + "/" + high.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestDatesAgreeWithPolicy: the table here and that of the policy data name the same elements.
func TestDatesAgreeWithPolicy(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../../policies/data/dates.json")
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Elements map[string]string }
	if err := json.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	for typ, names := range fhir.Dates {
		for _, name := range names {
			if !strings.HasPrefix(name, data.Elements[string(typ)]) || data.Elements[string(typ)] == "" {
				t.Errorf("%s: %s here, %q there", typ, name, data.Elements[string(typ)])
			}
		}
	}
	if len(data.Elements) != len(fhir.Dates) {
		t.Errorf("%d types here, %d there: %v", len(fhir.Dates), len(data.Elements), slices.Sorted(maps.Keys(data.Elements)))
	}
}
