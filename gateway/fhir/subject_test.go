package fhir_test

import (
	"testing"
	"time"
)

// Whom and when a record is about, for the types beside the plan.
func TestSubjectOfFurtherTypes(t *testing.T) {
	t.Parallel()
	actor := func(ref string) string { return `{"actor":{"reference":"` + ref + `"},"status":"accepted"}` }
	for _, c := range []struct{ body, want, low string }{
		{`{"resourceType":"Encounter","subject":{"reference":"Patient/a"},"period":{"start":"2026-02-01"}}`, "Patient/a", "2026-01-31T23:00:00Z"},
		{`{"resourceType":"Encounter","subject":{"reference":"Group/a"}}`, "", ""},
		{`{"resourceType":"EpisodeOfCare","patient":{"reference":"Patient/a"},"period":{"start":"2026-02-01"}}`, "Patient/a", "2026-01-31T23:00:00Z"},
		{`{"resourceType":"Flag","subject":{"reference":"Patient/a"},"period":{"start":"2026-02-01"}}`, "Patient/a", "2026-01-31T23:00:00Z"},
		{`{"resourceType":"Flag","subject":{"reference":"Location/a"}}`, "", ""},
		{`{"resourceType":"List","subject":{"reference":"Patient/a"},"date":"2026-02-01"}`, "Patient/a", "2026-01-31T23:00:00Z"},
		{`{"resourceType":"Composition","subject":{"reference":"Patient/a"},"date":"2026-02-01"}`, "Patient/a", "2026-01-31T23:00:00Z"},
		{`{"resourceType":"RelatedPerson","patient":{"reference":"Patient/a"},"birthDate":"1970-01-01","period":{"start":"2026-02-01"}}`, "Patient/a", ""},
		{`{"resourceType":"Appointment","start":"2026-02-01T10:00:00Z","participant":[` + actor("Practitioner/p") + `,` + actor("Patient/a/_history/2") + `]}`, "Patient/a", "2026-02-01T10:00:00Z"},
		{`{"resourceType":"Appointment","participant":[` + actor("Patient/a") + `,` + actor("Patient/a") + `]}`, "Patient/a", ""},
		{`{"resourceType":"Appointment","participant":[` + actor("Patient/a") + `,` + actor("Patient/b") + `]}`, "", ""},
		{`{"resourceType":"Appointment","participant":[` + actor("https://x.no/fhir/Patient/a") + `]}`, "", ""},
		{`{"resourceType":"Appointment","participant":[{"actor":{"identifier":{"value":"a"}},"status":"accepted"}]}`, "", ""},
		{`{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/a"}}]}`, "", ""},
		{`{"resourceType":"Location","name":"x"}`, "", ""},
	} {
		r := parse(t, c.body)
		if got, ok := r.Subject(); got.String() != c.want || ok != (c.want != "") {
			t.Errorf("%s: %v %v", c.body, got, ok)
		}
		low, _, ok := r.Date()
		if ok != (c.low != "") || ok && low.UTC().Format(time.RFC3339) != c.low {
			t.Errorf("%s: date %v %v", c.body, low.UTC(), ok)
		}
	}
}
