package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestWhatIsRememberedReleasesNothing reads a record until the way to it is remembered, changes one of the
// things that the answer rests on, and asks again: the very next answer is a no.
func TestWhatIsRememberedReleasesNothing(t *testing.T) {
	t.Parallel()
	bound := func(nin string) gateway.Actor {
		a := at(ous)
		number, err := gateway.NewNIN(nin)
		must(t, err)
		a.Attest = gateway.Attest{NIN: number}
		return a
	}
	renamed := func(w *world, patient fhir.Reference) {
		_, err := w.put(at(bydel), fmt.Sprintf(`{"resourceType":"Patient","id":%q,
			"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],"name":[{"family":"Prøve"}]}`, patient.ID, ola), "")
		must(t, err)
	}
	for name, c := range map[string]struct {
		asker  gateway.Actor
		change func(w *world, patient, consent, record fhir.Reference, given string)
	}{
		"the samtykke is withdrawn": {at(ous), func(w *world, _, consent, _ fhir.Reference, given string) {
			withdraw(w, fhir.Reference{}, consent, fhir.Reference{}, given)
		}},
		"the samtykke is withdrawn, asked by a bound token": {bound(kari), func(w *world, _, consent, _ fhir.Reference, given string) {
			withdraw(w, fhir.Reference{}, consent, fhir.Reference{}, given)
		}},
		"the token's number is another's by now": {bound(kari), func(w *world, patient, _, _ fhir.Reference, _ string) { renamed(w, patient) }},
		"the asker's party is closed": {at(ous), func(w *world, _, _, _ fhir.Reference, _ string) {
			_, err := w.put(w.operator(), fmt.Sprintf(`{"resourceType":"Organization","id":"%s-%s","active":true,"name":"En annen",
				"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001077"}],
				"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"hf"}]},
				{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"helse-spesialist"}]}]}`, drift, ous), "")
			must(t, err)
		}},
		"the record is labelled further": {at(ous), func(w *world, patient, _, record fhir.Reference, _ string) {
			body := strings.Replace(plan(patient, "ny"), `"resourceType"`, fmt.Sprintf(`"id":%q,"meta":{"security":[{"system":%q,"code":"tvang"}]},"resourceType"`, record.ID, gateway.LabelSystem), 1)
			_, err := w.put(at(bydel), body, "")
			must(t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			patient := w.patientOf(at(bydel), kari)
			given := consentOf(patient, []string{"plan", "bolig"}, ous)
			consent := w.mustPost(at(bydel), given)
			record := w.mustPost(at(bydel), plan(patient, "først"))
			for range 3 {
				body, err := w.read(c.asker, record)
				if err != nil || !strings.Contains(body, "kanari-bolig-først") {
					t.Fatalf("before: %v\n%s", err, body)
				}
			}
			c.change(w, patient, consent, record, given)
			body, err := w.read(c.asker, record)
			wantNone(t, body, "kanari")
			if err == nil {
				t.Fatal("after the change the record is still given")
			}
			if code := gateway.CodeOf(err); code != gateway.NotFound && code != gateway.Forbidden {
				t.Errorf("refused with %s", code)
			}
		})
	}
}
