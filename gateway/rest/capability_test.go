package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// statement is what a test looks at of the CapabilityStatement.
type statement struct {
	ResourceType, FHIRVersion, Kind, Status, Date string
	Format                                        []string
	Rest                                          []struct {
		Mode          string
		Documentation string
		Security      struct{ Description string }
		Resource      []struct {
			Type        string
			Interaction []struct{ Code string }
			SearchParam []struct{ Name, Type, Definition string }
		}
	}
}

func (h *house) statement() (s statement) {
	h.t.Helper()
	w := h.want(http.StatusOK, h.as("", "GET", "/fhir/metadata", ""))
	must(h.t, json.Unmarshal(w.Body.Bytes(), &s))
	res, err := fhir.Parse(w.Body.Bytes())
	must(h.t, err)
	if fhir.KnownType(res.Type()) {
		for _, i := range fhir.Validate(res) {
			h.t.Errorf("CapabilityStatement: %s at %s", i.Code, i.Expression)
		}
	}
	return s
}

// tries are one request for each interaction of R4 on a type.
var tries = map[string]struct{ method, path, body string }{
	"read":             {"GET", "/x", ""},
	"vread":            {"GET", "/x/_history/1", ""},
	"update":           {"PUT", "/x", "{}"},
	"patch":            {"PATCH", "/x", "[]"},
	"delete":           {"DELETE", "/x", ""},
	"history-instance": {"GET", "/x/_history", ""},
	"history-type":     {"GET", "/_history", ""},
	"create":           {"POST", "", "{}"},
	"search-type":      {"GET", "", ""},
}

// Every interaction that is told of answers; every other is refused as not supported.
func TestCapabilityIsWhatAnswers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.statement()
	if s.ResourceType != "CapabilityStatement" || s.FHIRVersion != "4.0.1" || len(s.Rest) != 1 || s.Rest[0].Mode != "server" {
		t.Fatalf("%+v", s)
	}
	for _, want := range []string{"404 and not 405", "handling=lenient", "provision.type", "Europe/Oslo", "SUBSETTED", "stays deleted", "relative reference", "by operations only", "CareTeam of its own party"} {
		if !strings.Contains(s.Rest[0].Documentation, want) {
			t.Errorf("the deviations do not tell of %q", want)
		}
	}
	if s.Rest[0].Security.Description == "" {
		t.Error("security is not described")
	}
	told := map[string]bool{}
	for _, r := range s.Rest[0].Resource {
		told[r.Type] = true
		codes := map[string]bool{}
		for _, i := range r.Interaction {
			codes[i.Code] = true
		}
		for code, try := range tries {
			w := h.as("bydel-sagene", try.method, "/fhir/"+r.Type+try.path, try.body)
			refused := strings.Contains(w.Body.String(), `"code":"http.route"`) || strings.Contains(w.Body.String(), `"code":"http.method"`)
			if refused == codes[code] || w.Code >= 500 {
				t.Errorf("%s %s: told %v, answer %d %s", r.Type, code, codes[code], w.Code, w.Body)
			}
		}
	}
	for _, kind := range strings.Fields(`Patient Practitioner PractitionerRole Organization HealthcareService Endpoint CareTeam CarePlan Goal
		Consent ServiceRequest Task Questionnaire QuestionnaireResponse Condition Observation MedicationStatement AllergyIntolerance
		Communication DocumentReference Binary Provenance AuditEvent Subscription Location RelatedPerson Encounter EpisodeOfCare
		Appointment Flag List Composition Group
		CodeSystem OperationDefinition SearchParameter StructureDefinition ValueSet`) {
		if !told[kind] {
			t.Errorf("%s is not served", kind)
		}
		delete(told, kind)
	}
	if len(told) > 0 {
		t.Errorf("more is served than was decided: %v", told)
	}
}

// values that each type of parameter can have.
var sampleValues = map[string]string{
	"token": "a", "reference": "Patient/a", "string": "a", "date": "2026-01-01", "uri": "http://sluse.no/a", "number": "5", "quantity": "5",
}

// Every parameter that is told of is searched by; every other parameter of R4 is refused.
func TestCapabilityParametersAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	asked, refused := 0, 0
	for _, r := range h.statement().Rest[0].Resource {
		var names []string
		for _, p := range r.SearchParam {
			names = append(names, p.Name)
			value := sampleValues[p.Type]
			param := fhir.SearchParameterOf(fhir.Type(r.Type), p.Name)
			switch {
			case param == nil && fhir.SearchParameters(fhir.Type(r.Type)) == nil: // a type that the store does not keep
			case param == nil:
				t.Errorf("%s.%s is not known", r.Type, p.Name)
				continue
			case p.Type == "reference" && !param.MayTarget("Patient"):
				value = string(param.Targets[0]) + "/a"
			case p.Type == "composite":
				value = sampleValues[param.Components[0].String()] + "$" + sampleValues[param.Components[1].String()]
			case param.Truth:
				value = "true"
			}
			if value == "" || p.Definition == "" {
				t.Errorf("%s.%s: type %q, definition %q", r.Type, p.Name, p.Type, p.Definition)
			}
			w := h.as("bydel-sagene", "GET", "/fhir/"+r.Type+"?"+p.Name+"="+value, "")
			if w.Code != http.StatusOK {
				t.Errorf("%s?%s=%s: %d %s", r.Type, p.Name, value, w.Code, w.Body)
			}
			asked++
		}
		for _, name := range []string{"_text", "_content", "_filter", "_query", "phonetic", "near", "colour"} {
			if slices.Contains(names, name) {
				continue
			}
			if w := h.as("bydel-sagene", "GET", "/fhir/"+r.Type+"?"+name+"=a", ""); w.Code != http.StatusBadRequest {
				t.Errorf("%s?%s: %d", r.Type, name, w.Code)
			}
			refused++
		}
	}
	if asked < 100 || refused < 100 {
		t.Errorf("%d parameters asked, %d refused: the test sees too little", asked, refused)
	}
}

// The date that a type can be sorted by is a date parameter of it, and it sorts.
func TestSortByDate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, s := range services {
		name, ok := dateParams[s.Type]
		if !ok {
			continue
		}
		if p := fhir.SearchParameterOf(s.Type, name); p == nil || p.Type != fhir.Date {
			t.Errorf("%s has no date parameter %s", s.Type, name)
		}
		for _, sort := range []string{name, "-" + name, "_lastUpdated", "-_lastUpdated"} {
			if w := h.as("bydel-sagene", "GET", "/fhir/"+string(s.Type)+"?_sort="+sort, ""); w.Code != http.StatusOK {
				t.Errorf("%s?_sort=%s: %d %s", s.Type, sort, w.Code, w.Body)
			}
		}
	}
}

// Every interaction that a type has has a door, and no door is without one.
func TestServicesHaveDoors(t *testing.T) {
	t.Parallel()
	for _, s := range services {
		for _, code := range s.Interactions {
			if len(doors[code]) == 0 {
				t.Errorf("%s %s has no door", s.Type, code)
			}
		}
		if gateway.IsDirectory(s.Type) && !s.does(gateway.Read) {
			t.Errorf("%s of the directory cannot be read", s.Type)
		}
	}
}
