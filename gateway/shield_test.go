package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// placed is a Patient with everything that tells where she is.
func placed(number, canary string) string {
	return `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"` + number + `"}],
	"name":[{"family":"Prøve","given":["Kari"]}],"gender":"female","birthDate":"1979-03-14",
	"telecom":[{"system":"phone","value":"kanari-tlf-` + canary + `"}],
	"address":[{"line":["kanari-vei-` + canary + `"],"postalCode":"0469","city":"kanaribyen","extension":[{"url":"http://hl7.no/fhir/StructureDefinition/no-basis-urban-district",
		"valueCoding":{"system":"urn:oid:2.16.578.1.12.4.1.1.3403","code":"030103"}}]}],
	"contact":[{"name":{"family":"kanari-mor-` + canary + `"},"telecom":[{"system":"phone","value":"kanari-mortlf-` + canary + `"}]}],
	"generalPractitioner":[{"reference":"Organization/80001099-80001005"}]}`
}

func encounter(patient fhir.Reference) string {
	return `{"resourceType":"Encounter","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HH"},
	"subject":{"reference":"` + patient.String() + `"},"period":{"start":"2026-10-01","end":"2026-10-02"},
	"location":[{"location":{"reference":"Location/kanari-sted","display":"kanari-hjemme"}}]}`
}

func relative(patient fhir.Reference) string {
	return `{"resourceType":"RelatedPerson","patient":{"reference":"` + patient.String() + `"},"name":[{"family":"Mor"}],
	"telecom":[{"system":"phone","value":"kanari-rptlf"}],"address":[{"line":["kanari-rpvei"]}]}`
}

// allOf is a samtykke for every category but uklassifisert.
func allOf() []string { return (gateway.AllLabels &^ gateway.Uklassifisert).Codes() }

func (w *world) protect(a gateway.Actor, p fhir.Reference, grade string) error {
	_, err := w.decide(a, p, gateway.Operation{Name: gateway.Protect, Code: grade, Reason: "trusler"})
	return err
}

// While adressesperre stands, nothing that tells where she is crosses by any door, whoever set it and
// whatever is consented; it is not found by either. It ends with the next request after it was lifted.
func TestAddressesDoNotCross(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.mustPost(at(bydel), placed(kari, "a"))
	theirs := w.patientOf(at(sosial), kari)
	visit, mother := w.mustPost(at(bydel), encounter(p)), w.mustPost(at(bydel), relative(p))
	w.mustPost(at(bydel), consentOf(p, allOf(), ous))
	canaries := []string{"kanari", "0469", "030103", "generalPractitioner", "telecom", "Location/"}
	doors := map[string]func() (string, error){
		"read of Patient":       func() (string, error) { return w.read(at(ous), p) },
		"read of Encounter":     func() (string, error) { return w.read(at(ous), visit) },
		"read of RelatedPerson": func() (string, error) { return w.read(at(ous), mother) },
		"search by number": func() (string, error) {
			return w.find(at(ous), "Patient", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
		},
		"search without patient": func() (string, error) { return w.find(at(ous), "Encounter", gateway.Search{}) },
		"$everything":            func() (string, error) { return w.everythingOf(at(ous), p) },
	}
	byAddress := []string{"address-city=kanaribyen", "address=kanari-vei", "phone=kanari-tlf-a", "general-practitioner=Organization/80001099-80001005"}
	finds := func(when string, want bool) {
		t.Helper()
		for _, name := range byAddress {
			body := w.seek(at(ous), "Patient", name)
			if found := body.matches(); found != want {
				t.Errorf("%s: search by %s finds = %v, want %v", when, name, found, want)
			}
		}
	}
	for name, door := range doors {
		body, err := door()
		must(t, err)
		if !strings.Contains(body, "kanari") {
			t.Errorf("before: %s shows no address at all: %s", name, body)
		}
	}
	finds("before", true)
	must(t, w.protect(at(sosial), theirs, "fortrolig"))
	for name, door := range doors {
		body, err := door()
		must(t, err)
		for _, c := range canaries {
			if strings.Contains(body, c) {
				t.Errorf("kode 7: LEAK of %q by %s: %s", c, name, body)
			}
		}
		if !strings.Contains(body, `"resourceType"`) {
			t.Errorf("kode 7: %s shows nothing", name)
		}
	}
	finds("kode 7", false)
	if body, err := w.read(at(bydel), p); err != nil || !strings.Contains(body, "kanari-vei") {
		t.Errorf("its custodian reads its own: %v", err)
	}
	body, err := w.read(w.acute(ous), p)
	must(t, err)
	wantNone(t, body, "kanari")
	body, err = w.read(w.patient(), p)
	must(t, err)
	wantNone(t, body, "kanari")

	wantCode(t, w.protect(at(ous), p, "ugradert"), gateway.Forbidden)
	must(t, w.protect(at(bydel), p, "ugradert")) // it has set none: nothing is lifted
	finds("lifted by another", false)
	must(t, w.protect(at(sosial), theirs, "ugradert"))
	finds("lifted", true)
	must(t, w.protect(at(sosial), theirs, "fortrolig"))
	keeper := at(bydel)
	keeper.Role = "adressesperre-ansvarlig"
	must(t, w.protect(keeper, p, "ugradert"))
	finds("lifted by the role", true)
}

// Under kode 6 nothing crosses but in an emergency, and then not where she is.
func TestStrictlyConfidentialCrossesNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.mustPost(at(bydel), placed(kari, "a"))
	r, given := w.mustPost(at(bydel), plan(p, "b")), w.mustPost(at(bydel), medication(p, "medisin"))
	c := w.mustPost(at(bydel), consentOf(p, allOf(), ous))
	_, err := w.read(at(ous), r)
	must(t, err)
	must(t, w.protect(at(bydel), p, "strengt-fortrolig"))
	for _, ref := range []fhir.Reference{p, r, given, c} {
		if body, err := w.read(at(ous), ref); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s: %v %s", ref, err, body)
		}
	}
	for name, s := range map[string]gateway.Search{"named": {Subject: gateway.Subject{NIN: nin(t, kari)}}, "unnamed": {}} {
		body, err := w.find(at(ous), "CarePlan", s)
		must(t, err)
		wantNone(t, body, "kanari")
		if strings.Contains(body, `"mode":"match"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	body, err := w.read(w.acute(ous), given)
	must(t, err)
	if !strings.Contains(body, "kanari-medisin") {
		t.Errorf("emergency: %s", body)
	}
	if body, err := w.read(w.patient(), r); err != nil || !strings.Contains(body, "kanari-b") {
		t.Errorf("she reads her own: %v", err)
	}
	w.clock.forward(time.Second)
	must(t, w.protect(at(bydel), p, "ugradert"))
	if _, err := w.read(at(ous), r); err != nil {
		t.Errorf("lifted: %v", err)
	}
}

// Adressesperre is set by the party that knows her, with a reason and a grade that there is.
func TestWhoProtects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	silent := gateway.Operation{Name: gateway.Protect, Code: "fortrolig"}
	_, err := w.decide(at(bydel), p, silent)
	wantCode(t, err, gateway.Invalid)
	wantCode(t, w.protect(at(bydel), p, "hemmelig"), gateway.Invalid)
	wantCode(t, w.protect(at(sosial), p, "fortrolig"), gateway.NotFound)
	wantCode(t, w.protect(w.acute(bydel), p, "fortrolig"), gateway.Forbidden)
}

func (w *world) everythingOf(a gateway.Actor, p fhir.Reference) (string, error) {
	out, err := w.Do(w.t.Context(), a, gateway.Interaction{
		Code: gateway.Operate, Target: p,
		Operation: gateway.Operation{Name: gateway.Everything, Types: []fhir.Type{"Encounter", "Patient", "RelatedPerson"}},
		Search:    gateway.Search{Count: 50, Base: "http://sluse.test/fhir", Canonical: p.String() + "/$everything"},
	})
	return bodyOf(out), err
}
