package rest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/helseid"
)

const explainedNIN = "14837912092" // synthetic: month + 80

// samtykke is a Consent to parties by label; from and to are dates.
func samtykke(patient, label, receiver, from, to string) string {
	return fmt.Sprintf(`{"resourceType":"Consent","status":"active","dateTime":"%[4]s","patient":{"reference":"%[1]s"},
		"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
		"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
		"provision":{"type":"permit","period":{"start":"%[4]s","end":"%[5]s"},
		"securityLabel":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"%[2]s"}],
		"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"%[3]s"}}]}}`,
		patient, label, receiver, from, to)
}

// organization finds the Organization of a persona.
func (h *house) organization(persona string) string {
	h.t.Helper()
	for _, p := range helseid.Personas() {
		if p.Name == persona {
			return p.Organization
		}
	}
	h.t.Fatalf("no persona %s", persona)
	return ""
}

// $explain over HTTP: by GET and POST, in the language asked for; a national number only in a body.
func TestExplainOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("bydel-sagene", explainedNIN)
	record := h.create("bydel-sagene", fmt.Sprintf(carePlan, mine))
	receiver := h.organization("ous-tsb")
	days := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	h.create("bydel-sagene", samtykke(mine, "rus", receiver, days(-10), days(100)))
	path := "/fhir/Consent/$explain?resource=" + record + "&receiver=" + receiver
	for lang, want := range map[string]string{"nb": "Opplysningen holdes tilbake fra", "nn-NO": "Opplysninga blir halden tilbake frå", "en": "The record is withheld from"} {
		a := h.want(http.StatusOK, h.as("bydel-sagene", "GET", path, "", "Accept-Language: "+lang))
		for _, part := range []string{want, `"valueCode":"label"`, `"valueCode":"patient"`, "hpl. § 22", `"resourceType":"Parameters"`} {
			if !strings.Contains(a.Body.String(), part) {
				t.Errorf("%s: %q is not in %s", lang, part, a.Body)
			}
		}
	}
	posted := func(more string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"identifier","valueIdentifier":{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"` + explainedNIN + `"}}` + more + `]}`
	}
	a := h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir/Consent/$explain", posted(`,{"name":"receiver","valueReference":{"reference":"`+receiver+`"}}`)))
	if !strings.Contains(a.Body.String(), "2 av 3") || strings.Contains(a.Body.String(), explainedNIN) {
		t.Errorf("by number: %s", a.Body)
	}
	for name, tt := range map[string]struct {
		persona, method, target, body, code string
		status                              int
	}{
		"a number in the URL":  {"bydel-sagene", "GET", "/fhir/Consent/$explain?identifier=" + explainedNIN, "", "nin.url", 400},
		"an unknown parameter": {"bydel-sagene", "GET", path + "&whom=x", "", "search.parameter-unknown", 400},
		"an unknown action":    {"bydel-sagene", "GET", path + "&action=peek", "", "operation.parameter-value", 400},
		"a receiver of no use": {"bydel-sagene", "GET", path + "x&receiver=Patient/1", "", "search.repeated", 400},
		"not a record":         {"bydel-sagene", "GET", "/fhir/Consent/$explain?resource=" + receiver, "", "explain.reference", 400},
		"nobody named":         {"bydel-sagene", "GET", "/fhir/Consent/$explain", "", "explain.subject", 400},
		"a time that is none":  {"bydel-sagene", "GET", path + "&time=soon", "", "search.date", 400},
		"another's record":     {"fastlege-sagene", "GET", path, "", "absent", 404},
		"drift":                {"drift", "GET", path, "", "explain.actor", 403},
		"no draft":             {"bydel-sagene", "POST", "/fhir/Consent/$simulate", "", "operation.resource-missing", 400},
		"a draft by GET":       {"bydel-sagene", "GET", "/fhir/Consent/$simulate", "", "http.method", 405},
		"another resource":     {"bydel-sagene", "POST", "/fhir/Consent/$simulate", `{"resourceType":"Task"}`, "http.type-differs", 400},
	} {
		a := h.as(tt.persona, tt.method, tt.target, tt.body)
		if a.Code != tt.status || !strings.Contains(a.Body.String(), `"code":"`+tt.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", name, a.Code, a.Body, tt.status, tt.code)
		}
	}
	if strings.Contains(h.log.String(), explainedNIN) {
		t.Error("a national number is in the log")
	}
}

// A draft alone or in Parameters; what is stored all the same is remarked on for who asks to hear it.
func TestSimulateAndRemarksOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("bydel-sagene", explainedNIN)
	h.create("bydel-sagene", fmt.Sprintf(carePlan, mine))
	days := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	draft := samtykke(mine, "plan", h.organization("ous-tsb"), days(-1), days(30))
	for _, body := range []string{draft, `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":` + draft + `}]}`} {
		a := h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir/Consent/$simulate", body, "Accept-Language: en"))
		if !strings.Contains(a.Body.String(), "The draft names 2 recipients") || !strings.Contains(a.Body.String(), `"code":"all-ok"`) || !strings.Contains(a.Body.String(), `"text":"No faults found."`) {
			t.Errorf("simulated: %s", a.Body)
		}
	}
	own := samtykke(mine, "plan", h.organization("bydel-sagene"), days(-1), days(30))
	a := h.want(http.StatusCreated, h.as("bydel-sagene", "POST", "/fhir/Consent", own, "Prefer: return=OperationOutcome"))
	for _, want := range []string{`"code":"saved"`, `"severity":"warning"`, `"code":"consent.to-itself"`, "Mottakeren har opplysningene selv", "Consent.provision.actor"} {
		if !strings.Contains(a.Body.String(), want) {
			t.Errorf("%q is not in %s", want, a.Body)
		}
	}
	a = h.want(http.StatusOK, h.as("bydel-sagene", "POST", "/fhir/Consent/$validate", own, "Accept-Language: en"))
	if !strings.Contains(a.Body.String(), "The recipient holds the records itself") {
		t.Errorf("validated: %s", a.Body)
	}
}
