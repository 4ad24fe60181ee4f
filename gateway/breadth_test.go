package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	ambulant  = `"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}`
	inPlans   = `"meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"}]},`
	narrative = `"text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">kanari-narrativ</div>"}`
)

func named(label string) string {
	return `"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
		"valueCoding":{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"` + label + `"}}]`
}

// wantHidden and wantSeen are what a party reads of a record.
func (w *world) wantHidden(a gateway.Actor, what string, r fhir.Reference) {
	w.t.Helper()
	if body, err := w.read(a, r); gateway.CodeOf(err) != gateway.NotFound || body != "" {
		w.t.Errorf("LEAK: %s: %v %s", what, err, body)
	}
}

func (w *world) wantSeen(a gateway.Actor, what string, r fhir.Reference) string {
	w.t.Helper()
	body, err := w.read(a, r)
	if err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
	return body
}

// Where and by whom a person is treated may tell for what: a reference to a place whose name in the
// directory reveals it is hidden as the name would be.
func TestPlacesTellWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	place := func(name string) fhir.Reference {
		return w.mustPost(at(bydel), `{"resourceType":"Location","status":"active","name":"`+name+`"}`)
	}
	unit := w.mustPost(at(bydel), `{"resourceType":"HealthcareService","active":true,"name":"LAR-poliklinikken"}`)
	encounter := func(place fhir.Reference) fhir.Reference {
		return w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Encounter","status":"finished",%s,"subject":{"reference":"%s"},
			"location":[{"location":{"reference":"%s"}}]}`, ambulant, p, place))
	}
	appointment := func(who fhir.Reference, more string) fhir.Reference {
		return w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Appointment","status":"proposed",%s"participant":[
			{"actor":{"reference":"%s"},"status":"accepted"},{"actor":{"reference":"%s"},"status":"accepted"}]}`, more, p, who))
	}
	quiet, telling := encounter(place("Sagene helsehus")), encounter(place("TSB Gaustad"))
	plain, lar := appointment(fhir.Reference{Type: "Practitioner", ID: "x"}, ""), appointment(unit, "")
	worded := appointment(fhir.Reference{Type: "Practitioner", ID: "x"}, `"serviceType":[{"text":"kanari-samtale"}],`)
	goal := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"%s"},
		"activity":[{"detail":{"status":"scheduled","location":{"reference":"%s"},"description":"kanari-sted"}}]}`, p, place("Avrusning Aker")))

	w.mustPost(at(bydel), consentOf(p, []string{"logistikk", "plan"}, ous))
	w.wantSeen(at(ous), "an encounter at a place that tells nothing", quiet)
	w.wantHidden(at(ous), "an encounter at a place for rus", telling)
	w.wantSeen(at(ous), "an appointment", plain)
	w.wantHidden(at(ous), "an appointment at a unit for rus", lar)
	w.wantHidden(at(ous), "an appointment in words", worded)
	wantNone(t, w.wantSeen(at(ous), "a plan with an activity at a place for rus", goal), "kanari-sted")
	w.mustPost(at(bydel), consentOf(p, []string{"logistikk", "plan", "rus"}, ous))
	for what, r := range map[string]fhir.Reference{"encounter": telling, "appointment": lar} {
		w.wantSeen(at(ous), "with rus: "+what, r)
	}
	if body := w.wantSeen(at(ous), "plan", goal); !strings.Contains(body, "kanari-sted") {
		t.Errorf("with rus the activity is withheld: %s", body)
	}
}

// A List and a Composition tell of what they point at; a section goes by its own label; next of kin by
// parorende; and what is about several persons is its custodian's.
func TestWhatPointsAtTheHiddenIsHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	about := `"subject":{"reference":"` + p.String() + `"},`
	shown := w.mustPost(at(bydel), plan(p, "a"))
	hidden := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Condition",%s"code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F11"}]}}`, about))
	list := func(of ...fhir.Reference) fhir.Reference {
		var entries []string
		for _, r := range of {
			entries = append(entries, `{"item":{"reference":"`+r.String()+`","display":"kanari-visning"}}`)
		}
		return w.mustPost(at(bydel), `{"resourceType":"List",`+about+`"status":"current","mode":"working","entry":[`+strings.Join(entries, ",")+`]}`)
	}
	document := func(sections string) fhir.Reference {
		return w.mustPost(at(bydel), `{"resourceType":"Composition",`+inPlans+about+`"status":"final","type":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"plan"}]},
			"date":"2026-11-01","author":[{"display":"kanari-forfatter"}],"title":"Notat","section":[`+sections+`]}`)
	}
	given, withheld := list(shown), list(shown, hidden)
	parted := document(`{` + named("okonomi") + `,"title":"kanari-okonomi",` + narrative + `},{` + named("plan") + `,"title":"kanari-plan","entry":[{"reference":"` + shown.String() + `"}]}`)
	pointing := document(`{` + named("plan") + `,"title":"x","entry":[{"reference":"` + hidden.String() + `"}]}`)
	kin := w.mustPost(at(bydel), `{"resourceType":"RelatedPerson","patient":{"reference":"`+p.String()+`"},"name":[{"family":"kanari-mor"}]}`)
	flag := w.mustPost(at(bydel), `{"resourceType":"Flag",`+about+`"status":"active","code":{"text":"kanari-flagg"}}`)
	group := w.mustPost(at(bydel), `{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"`+p.String()+`"}},{"entity":{"reference":"`+other.String()+`"}}]}`)
	both := w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Appointment","status":"proposed","participant":[{"actor":{"reference":"%s"},"status":"accepted"},{"actor":{"reference":"%s"},"status":"accepted"}]}`, p, other))

	w.mustPost(at(bydel), consentOf(p, []string{"plan", "logistikk"}, ous))
	wantNone(t, w.wantSeen(at(ous), "a list of what is given", given), "kanari-visning")
	w.wantHidden(at(ous), "a list of what is hidden", withheld)
	body := w.wantSeen(at(ous), "a document", parted)
	wantNone(t, body, "kanari-okonomi", "kanari-narrativ", "kanari-forfatter")
	if !strings.Contains(body, "kanari-plan") || !strings.Contains(body, "SUBSETTED") {
		t.Errorf("document: %s", body)
	}
	w.wantHidden(at(ous), "a document that points at what is hidden", pointing)
	w.wantHidden(at(ous), "next of kin without parorende", kin)
	w.wantHidden(at(ous), "a flag in words", flag)
	w.wantHidden(at(ous), "a group", group)
	w.wantHidden(at(ous), "an appointment of two", both)
	w.wantSeen(at(bydel), "a group of one's own", group)
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "parorende"}, ous))
	w.wantSeen(at(ous), "next of kin with parorende", kin)
}

// The file of a record goes by the type of that record: what stops the one stops the other.
func TestFilesFollowTheRecordThatHoldsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	held := w.mustPost(at(bydel), plan(p, "a"))
	file := func(of fhir.Reference) fhir.Reference {
		return w.mustPost(at(bydel), `{"resourceType":"Binary",`+inPlans+`"contentType":"text/plain","securityContext":{"reference":"`+of.String()+`"},"data":"a2FuYXJp"}`)
	}
	binary := file(held)
	nested := file(binary)
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	w.wantSeen(at(ous), "the file of a plan", binary)
	w.wantHidden(at(ous), "the file of a file, which nothing holds", nested)
	found, err := w.find(at(ous), "Binary", gateway.Search{})
	must(t, err)
	wantNone(t, found, string(nested.ID))
	if !strings.Contains(found, string(binary.ID)) {
		t.Errorf("the search does not find the file of a plan: %s", found)
	}
	w.mustPost(at(bydel), fmt.Sprintf(`{"resourceType":"Consent","status":"active","dateTime":"2026-11-01","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"%s"},
		"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"PBRL53"}]},
		"provision":{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"CarePlan"}]}}`, p))
	w.wantHidden(at(ous), "an objected plan", held)
	w.wantHidden(at(ous), "the file of an objected plan", binary)
}
