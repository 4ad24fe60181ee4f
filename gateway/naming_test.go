package gateway_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// told gives the labels that $validate would put on a resource, by place.
func (w *world) toldLabels(a gateway.Actor, body string) map[string]string {
	w.t.Helper()
	res := parse(w.t, body)
	out, err := w.operate(a, fhir.Reference{Type: res.Type()}, gateway.Operation{Name: gateway.Validation}, body)
	must(w.t, err)
	labels := make(map[string]string)
	for _, i := range out.Issues {
		if i.Code == "label.found" {
			labels[i.Expression] = strings.Join(i.Args, " ")
		}
	}
	return labels
}

// clinic is an organisation whose name tells what is treated.
func (w *world) clinic() fhir.Reference {
	w.t.Helper()
	out, err := w.put(w.operator(), fmt.Sprintf(`{"resourceType":"Organization","id":"%s-klinikk","active":true,"name":"LAR-klinikken"}`, drift), "")
	must(w.t, err)
	return fhir.Reference{Type: "Organization", ID: out.Location.ID}
}

// What the directory's names tell is told by $validate as a write would label it, and is kept by what is
// extracted of an answer.
func TestOperationsLabelByNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	place := w.mustPost(at(bydel), `{"resourceType":"Location","status":"active","name":"Avrusning Aker"}`)
	quiet := w.mustPost(at(bydel), `{"resourceType":"Location","status":"active","name":"Sagene helsehus"}`)
	encounter := func(where fhir.Reference) string {
		return fmt.Sprintf(`{"resourceType":"Encounter","status":"finished",%s,"subject":{"reference":"%s"},"location":[{"location":{"reference":"%s"}}]}`, ambulant, p, where)
	}
	if got := w.toldLabels(at(bydel), encounter(place))["Encounter"]; !strings.Contains(got, "rus") {
		t.Errorf("$validate of an encounter at a place for rus tells %q", got)
	}
	if got := w.toldLabels(at(bydel), encounter(quiet))["Encounter"]; strings.Contains(got, "rus") {
		t.Errorf("$validate of an encounter at a place that tells nothing tells %q", got)
	}
	activity := fmt.Sprintf(`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"%s"},"activity":[{"detail":{"status":"scheduled","location":{"reference":"%s"}}}]}`, p, place)
	if got := w.toldLabels(at(bydel), activity); !strings.Contains(got["CarePlan.activity[0]"], "rus") || strings.Contains(got["CarePlan"], "rus") {
		t.Errorf("$validate of a plan with an activity there tells %v", got)
	}
	w.mustPost(at(bydel), form)
	response := strings.Replace(answers(p, "x", "2026-10-20"), `"subject"`, `"author":{"reference":"`+w.clinic().String()+`"},"subject"`, 1)
	extract := func(r fhir.Reference, body string) string {
		r.Type = "QuestionnaireResponse"
		out, err := w.operate(at(bydel), r, gateway.Operation{Name: gateway.Extract}, body)
		must(t, err)
		return string(parse(t, w.entryWith(bodyOf(out), "71.50")).Root().Get("meta", "security").Raw())
	}
	given, stored := extract(fhir.Reference{}, response), extract(w.mustPost(at(bydel), response), "")
	if !strings.Contains(given, `"rus"`) || given != stored {
		t.Errorf("labels of what is extracted of a given response: %s, of a stored one: %s", given, stored)
	}
	if plain := extract(fhir.Reference{}, answers(p, "x", "2026-10-20")); strings.Contains(plain, `"rus"`) {
		t.Errorf("without a telling name: %s", plain)
	}
}

// An absolute URL of the server itself that names the directory is the relative reference (R4
// references.html#literal): it is stored, found, followed, and tells what its name tells.
func TestOwnAbsoluteReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const base = "http://sluse.test/fhir"
	w.Notices.Base = base
	p, clinic := w.patientOf(at(bydel), kari), w.clinic()
	practitioner := w.mustPost(at(bydel), `{"resourceType":"Practitioner","name":[{"family":"Lin"}]}`)
	body := func(organization string) string {
		return fmt.Sprintf(`{"resourceType":"PractitionerRole","active":true,"practitioner":{"reference":"%s/%s"},"organization":{"reference":"%s"}}`, base, practitioner, organization)
	}
	role := w.mustPost(at(bydel), body(base+"/"+clinic.String()))
	if stored, err := w.read(at(ous), role); err != nil || !strings.Contains(stored, base+"/"+clinic.String()) {
		t.Errorf("it does not come back as it was written: %v %s", err, stored)
	}
	for query, want := range map[string][]string{
		"organization=" + clinic.String(): {"PractitionerRole"}, "practitioner=" + string(practitioner.ID): {"PractitionerRole"}, "organization.name=lar": {"PractitionerRole"},
		"_id=" + string(role.ID) + "&_include=PractitionerRole:organization": {"PractitionerRole", "+Organization"},
	} {
		w.wants(w.seek(at(ous), "PractitionerRole", query), query, want...)
	}
	w.wants(w.seek(at(ous), "Organization", "_id="+string(clinic.ID)+"&_revinclude=PractitionerRole:organization"), "revinclude", "Organization", "+PractitionerRole")
	for _, refused := range []string{
		base + "/" + p.String(), base + "/Patient/finnes-ikke", "http://annen.example/fhir/" + clinic.String(), base + "x/" + clinic.String(), base + "/Organization", p.String(),
	} {
		_, err := w.post(at(bydel), `{"resourceType":"Practitioner","extension":[{"url":"http://sluse.test/om","valueReference":{"reference":"`+refused+`"}}]}`)
		var fault *gateway.Error
		if !errors.As(err, &fault) || len(fault.Issues) != 1 || fault.Issues[0].Code != "directory.record-reference" {
			t.Errorf("%s: %v", refused, err)
		}
	}
	appointment := fmt.Sprintf(`{"resourceType":"Appointment","status":"proposed","participant":[{"actor":{"reference":"%s"},"status":"accepted"},{"actor":{"reference":"%s/%s"},"status":"accepted"}]}`, p, base, role)
	if got := w.toldLabels(at(bydel), appointment)["Appointment"]; !strings.Contains(got, "rus") {
		t.Errorf("an appointment at a clinic for rus, named absolutely, is %q", got)
	}
}
