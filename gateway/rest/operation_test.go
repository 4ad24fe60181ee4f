package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// Each operation that is told of has an OperationDefinition that is served, tells of the same, and
// answers at the levels and by the methods that it says.
func TestOperationsAreWhatAnswers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	type op struct{ Name, Definition string }
	var s struct {
		Rest []struct {
			Operation []op
			Resource  []struct {
				Type      string
				Operation []op
			}
		}
	}
	must(t, json.Unmarshal(h.want(http.StatusOK, h.as("", "GET", "/fhir/metadata", "")).Body.Bytes(), &s))
	told := map[string]bool{}
	check := func(kind string, o op) {
		id, ours := strings.CutPrefix(o.Definition, ownCanonical+"OperationDefinition/")
		if !ours {
			return
		}
		told[o.Name] = true
		w := h.want(http.StatusOK, h.as("bydel-sagene", "GET", "/fhir/OperationDefinition/"+id, ""))
		var d struct {
			Code                   string
			URL                    string
			Resource               []string
			System, Type, Instance bool
			AffectsState           bool
			Parameter              []struct{ Name, Use string }
		}
		must(t, json.Unmarshal(w.Body.Bytes(), &d))
		if d.Code != o.Name || d.URL != o.Definition {
			t.Errorf("%s is defined as %s at %s", o.Name, d.Code, d.URL)
		}
		for path, there := range map[string]bool{"": d.Type, "/x": d.Instance} {
			target := "/fhir/" + kind + path + "/$" + o.Name
			if kind == "" {
				there, target = d.System, "/fhir/$"+o.Name
			}
			w := h.as("bydel-sagene", "POST", target, "")
			refused := strings.Contains(w.Body.String(), `"code":"operation-unknown"`) || strings.Contains(w.Body.String(), `"code":"http.`)
			if refused == there || w.Code >= 500 {
				t.Errorf("POST %s: defined %v, answer %d %s", target, there, w.Code, w.Body)
			}
			if d.AffectsState && h.as("bydel-sagene", "GET", target, "").Code < 400 {
				t.Errorf("GET %s changes something", target)
			}
		}
		for _, o := range operations {
			if string(o.name) != d.Code {
				continue
			}
			known := map[string]bool{o.resource: true, "_page": true}
			for _, a := range o.arguments {
				known[a.name] = true
			}
			for _, p := range d.Parameter {
				if p.Use == "in" && !known[p.Name] {
					t.Errorf("$%s does not take %s", d.Code, p.Name)
				}
				delete(known, p.Name)
			}
			delete(known, "")
			delete(known, "_page")
			if len(known) > 0 {
				t.Errorf("$%s takes more than it says: %v", d.Code, known)
			}
		}
	}
	for _, o := range s.Rest[0].Operation {
		check("", o)
	}
	for _, r := range s.Rest[0].Resource {
		for _, o := range r.Operation {
			check(r.Type, o)
		}
	}
	if len(told) != len(operations) {
		t.Errorf("%d operations are told of: %v", len(told), told)
	}
	unknown := h.as("bydel-sagene", "POST", "/fhir/Patient/$alt", "", "Accept-Language: en")
	wantCode(t, unknown, http.StatusNotFound, "operation-unknown")
	if !strings.Contains(unknown.Body.String(), "$everything") || !strings.Contains(unknown.Body.String(), "$meta") || strings.Contains(unknown.Body.String(), "$document") {
		t.Errorf("the operations there are: %s", unknown.Body)
	}
}

// The definitions are read and searched with a token, written by nobody.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wantCode(t, h.as("", "GET", "/fhir/CodeSystem/sone", ""), http.StatusUnauthorized, "unauthorized")
	const url = "http://sluse.no/fhir/CodeSystem/sone"
	sone := h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/CodeSystem/sone", ""))
	if !strings.Contains(sone.Body.String(), url) {
		t.Errorf("read: %s", sone.Body)
	}
	for _, w := range []bundle{
		h.bundle(h.as("ous-tsb", "GET", "/fhir/CodeSystem?url="+url, "")),
		h.bundle(h.as("ous-tsb", "GET", "/fhir/CodeSystem?_id=sone", "")),
		h.bundle(h.as("ous-tsb", "POST", "/fhir/CodeSystem/_search", "url="+url, "Content-Type: "+formData)),
	} {
		if got := w.matches(); len(got) != 1 || got[0] != testBase+"/CodeSystem/sone" {
			t.Errorf("found %v", got)
		}
	}
	if got := h.bundle(h.as("ous-tsb", "GET", "/fhir/ValueSet?url="+url, "")); len(got.matches()) != 0 {
		t.Error("a CodeSystem is found as a ValueSet")
	}
	all := h.bundle(h.as("ous-tsb", "GET", "/fhir/StructureDefinition", ""))
	var paged []string
	for next := "/fhir/StructureDefinition?_count=4"; next != ""; {
		page := h.bundle(h.as("ous-tsb", "GET", next, ""))
		paged = append(paged, page.matches()...)
		next = page.link("next")
	}
	if len(paged) < 5 || fmt.Sprint(paged) != fmt.Sprint(all.matches()) {
		t.Errorf("pages %v, whole %v", paged, all.matches())
	}
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/CodeSystem/finnes-ikke", ""), http.StatusNotFound, "absent")
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/CodeSystem?name=x", ""), http.StatusBadRequest, "search.parameter-unknown")
	wantCode(t, h.as("drift", "PUT", "/fhir/CodeSystem/sone", sone.Body.String()), http.StatusMethodNotAllowed, "http.method")
	if xml := h.as("ous-tsb", "GET", "/fhir/CodeSystem/sone?_format=xml", ""); xml.Code != http.StatusOK || !strings.Contains(xml.Body.String(), `<CodeSystem xmlns="http://hl7.org/fhir"`) {
		t.Errorf("XML: %d %s", xml.Code, xml.Body)
	}
}

// $everything over HTTP: by GET, by POST with Parameters, in pages, and in XML.
func TestEverythingOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("ous-tsb", synthetic)
	for range 4 {
		h.create("ous-tsb", fmt.Sprintf(carePlan, mine))
	}
	whole := h.bundle(h.as("ous-tsb", "GET", "/fhir/"+mine+"/$everything", ""))
	if len(whole.matches()) != 5 {
		t.Fatalf("%v", whole.matches())
	}
	posted := h.bundle(h.as("ous-tsb", "POST", "/fhir/"+mine+"/$everything", `{"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"CarePlan"},
		{"name":"_type","valueCode":"Goal"},{"name":"_count","valueInteger":3},{"name":"start","valueDate":"2026-09-01"}]}`))
	if len(posted.matches()) != 3 || posted.link("next") == "" {
		t.Errorf("posted: %v, next %q", posted.matches(), posted.link("next"))
	}
	if rest := h.bundle(h.as("ous-tsb", "GET", posted.link("next"), "")); len(rest.matches()) != 1 || rest.link("next") != "" {
		t.Errorf("second page: %v", rest.matches())
	}
	wantCode(t, h.as("ous-tsb", "GET", strings.Replace(posted.link("next"), "_type=CarePlan,Goal", "_type=CarePlan", 1), ""), http.StatusBadRequest, "page-unknown")
	wantCode(t, h.as("bydel-sagene", "GET", posted.link("next"), ""), http.StatusBadRequest, "page-unknown")
	for query, code := range map[string]string{
		"?_type=Account": "operation.type", "?_type=AuditEvent": "operation.type", "?_count=0": "search.count", "?start=i+fjor": "search.date",
		"?_since=x": "search.date", "?start=2026&start=2025": "search.repeated", "?_page=%2F": "page-unknown", "?end=": "search.value-empty",
	} {
		wantCode(t, h.as("ous-tsb", "GET", "/fhir/"+mine+"/$everything"+query, ""), http.StatusBadRequest, code)
	}
	for body, code := range map[string]string{
		`{"resourceType":"Parameters","parameter":[{"name":"colour","valueString":"red"}]}`:                               "operation.parameter-unknown",
		`{"resourceType":"Parameters","parameter":[{"name":"end"}]}`:                                                      "operation.parameter-value",
		`{"resourceType":"Parameters","parameter":[{"name":"end","valueDate":"2026"},{"name":"end","valueDate":"2026"}]}`: "operation.parameter-twice",
		`{"resourceType":"Task"}`: "operation.parameters",
	} {
		wantCode(t, h.as("ous-tsb", "POST", "/fhir/"+mine+"/$everything", body), http.StatusBadRequest, code)
	}
	xml := h.as("ous-tsb", "GET", "/fhir/"+mine+"/$everything", "", "Accept: application/fhir+xml", "Accept-Encoding: gzip")
	if xml.Code != http.StatusOK || !strings.Contains(xml.Body.String(), `<type value="searchset"/>`) || xml.Header().Get("Content-Encoding") != "" {
		t.Errorf("XML: %d %v %.300s", xml.Code, xml.Header(), xml.Body)
	}
	hidden, absent := h.as("sosial-sagene", "GET", "/fhir/"+mine+"/$everything", ""), h.as("sosial-sagene", "GET", "/fhir/Patient/finnes-ikke/$everything", "")
	hidden.Header().Del("X-Request-Id")
	absent.Header().Del("X-Request-Id")
	if fmt.Sprint(hidden.Code, hidden.Header(), hidden.Body) != fmt.Sprint(absent.Code, absent.Header(), absent.Body) || absent.Code != http.StatusNotFound {
		t.Errorf("hidden %d %v %s, absent %d %v %s", hidden.Code, hidden.Header(), hidden.Body, absent.Code, absent.Header(), absent.Body)
	}
}

// $validate answers 200 for whatever can be read, in the language asked for.
func TestValidateOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("ous-tsb", synthetic)
	good := fmt.Sprintf(carePlan, mine)
	const bad = `{"resourceType":"CarePlan","status":"nei","intent":"plan","subject":{"reference":"Patient/x"}}`
	outcome := func(w interface{ String() string }) (list []string) {
		var o struct {
			Issue []struct {
				Severity   string
				Expression []string
				Details    struct{ Coding []struct{ Code string } }
			}
		}
		must(t, json.Unmarshal([]byte(w.String()), &o))
		for _, i := range o.Issue {
			list = append(list, i.Severity+" "+i.Details.Coding[0].Code+" "+strings.Join(i.Expression, ","))
		}
		return list
	}
	for name, tt := range map[string]struct{ target, body, want string }{
		"good":      {"", good, "information all-ok "},
		"bad":       {"", bad, "error validation.binding CarePlan.status"},
		"wrapped":   {"", `{"resourceType":"Parameters","parameter":[{"name":"mode","valueCode":"update"},{"name":"resource","resource":` + bad + `}]}`, "error validation.id-missing CarePlan.id"},
		"by URL":    {"?mode=create&profile=http://sluse.no/fhir/StructureDefinition/finnes-ikke", good, "error profile.unknown CarePlan"},
		"two URLs":  {"?profile=http://sluse.no/fhir/StructureDefinition/SluseCarePlan&mode=profile", good, "error profile."},
		"type":      {"", `{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/x"}}`, "error http.type-differs Goal"},
		"instance":  {"/x", good, "information all-ok "},
		"to delete": {"/x", `{"resourceType":"Parameters","parameter":[{"name":"mode","valueCode":"delete"}]}`, "error absent "},
	} {
		path := "/fhir/CarePlan" + tt.target
		if at := strings.IndexByte(path, '?'); at >= 0 {
			path = path[:at] + "/$validate" + path[at:]
		} else {
			path += "/$validate"
		}
		w := h.want(http.StatusOK, h.as("ous-tsb", "POST", path, tt.body))
		if got := outcome(w.Body); !strings.Contains(strings.Join(got, "\n"), tt.want) {
			t.Errorf("%s: no %q in %q", name, tt.want, got)
		}
		if strings.Contains(tt.body, "Parameters") && strings.Contains(w.Body.String(), "kolonne") {
			t.Errorf("%s: a position inside what was wrapped: %s", name, w.Body)
		}
	}
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/CarePlan/$validate", "{"), http.StatusBadRequest, "parse.end")
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/CarePlan/$validate", ""), http.StatusBadRequest, "operation.resource-missing")
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/CarePlan/$validate?mode=annet", good), http.StatusBadRequest, "operation.parameter-value")
	wantCode(t, h.as("", "POST", "/fhir/CarePlan/$validate", good), http.StatusUnauthorized, "unauthorized")
	xml := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/CarePlan/$validate", `<CarePlan xmlns="http://hl7.org/fhir"><status value="nei"/><intent value="plan"/><subject><reference value="Patient/x"/></subject></CarePlan>`, "Content-Type: "+fhirXML))
	if got := outcome(xml.Body); !strings.Contains(strings.Join(got, "\n"), "error validation.binding CarePlan.status") {
		t.Errorf("XML: %q", got)
	}
	unknown := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/CarePlan/$validate", `<CarePlan xmlns="http://hl7.org/fhir"><colour value="nei"/></CarePlan>`, "Content-Type: "+fhirXML))
	if !strings.Contains(unknown.Body.String(), "validation.unknown-element") {
		t.Errorf("XML of another content: %s", unknown.Body)
	}
}

// The meta of a record over HTTP, and the document of a plan.
func TestMetaAndDocumentOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	plan := h.create("ous-tsb", fmt.Sprintf(carePlan, h.patient("ous-tsb", synthetic)))
	const add = `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"http://sluse.no/x","code":"a"}]}}]}`
	added := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/"+plan+"/$meta-add", add))
	read := h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/"+plan+"/$meta", ""))
	if added.Body.String() != read.Body.String() || !strings.Contains(read.Body.String(), `"code":"a"`) || read.Header().Get("ETag") == "" {
		t.Errorf("added %s, read %s", added.Body, read.Body)
	}
	posted := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/"+plan+"/$meta", ""))
	if posted.Body.String() != read.Body.String() {
		t.Errorf("POST gives another answer: %s", posted.Body)
	}
	for _, path := range []string{"/fhir/$meta", "/fhir/CarePlan/$meta"} {
		if w := h.want(http.StatusOK, h.as("ous-tsb", "GET", path, "")); !strings.Contains(w.Body.String(), `"code":"a"`) {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/"+plan+"/$meta-delete", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"security":[{"system":"x","code":"plan"}]}}]}`), http.StatusUnprocessableEntity, "meta.label-kept")
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/"+plan+"/$meta-delete", `{"resourceType":"Parameters"}`), http.StatusBadRequest, "operation.meta-missing")
	wantCode(t, h.as("sosial-sagene", "POST", "/fhir/"+plan+"/$meta-add", add), http.StatusNotFound, "absent")

	document := h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/"+plan+"/$document?persist=false", ""))
	res, err := fhir.Parse(document.Body.Bytes())
	must(t, err)
	for _, i := range fhir.Validate(res) {
		t.Errorf("%s at %s", i.Code, i.Expression)
	}
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/"+plan+"/$document?persist=true", ""), http.StatusBadRequest, "operation.persist")
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/"+plan+"/$document?persist=kanskje", ""), http.StatusBadRequest, "operation.parameter-value")
}

// A form is begun and extracted from over HTTP.
func TestFormsOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.patient("ous-tsb", synthetic)
	const canonical = "http://sluse.no/fhir/Questionnaire/fodt"
	const form = `{"resourceType":"Questionnaire","url":"` + canonical + `","status":"active","item":[{"linkId":"1","type":"date","text":"Født","code":[{"system":"http://loinc.org","code":"21112-8"}],
		"definition":"http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate",
		"extension":[{"url":"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract","valueBoolean":true}]}]}`
	questionnaire := h.create("ous-tsb", form)
	asked := `{"resourceType":"Parameters","parameter":[{"name":"subject","valueReference":{"reference":"` + mine + `"}},{"name":"canonical","valueCanonical":"` + canonical + `"}]}`
	given := `{"resourceType":"Parameters","parameter":[{"name":"subject","valueReference":{"reference":"` + mine + `"}},{"name":"questionnaire","resource":` + form + `}]}`
	first := h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/"+questionnaire+"/$populate?subject="+mine, "", "Accept-Encoding: gzip"))
	for _, body := range []string{asked, given} {
		if w := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/Questionnaire/$populate", body)); w.Body.String() != first.Body.String() {
			t.Errorf("another answer: %s\n%s", w.Body, first.Body)
		}
	}
	res, err := fhir.Parse(first.Body.Bytes())
	must(t, err)
	begun := string(res.At("Parameters.parameter[0].resource").Raw())
	if !strings.Contains(begun, `"valueDate":"1992-05-12"`) {
		t.Fatalf("begun: %s", begun)
	}
	done := strings.Replace(begun, "in-progress", "completed", 1)
	response := h.create("ous-tsb", done)
	for _, w := range []interface{ String() string }{
		h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/"+response+"/$extract", "")).Body,
		h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/QuestionnaireResponse/$extract", done)).Body,
		h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/QuestionnaireResponse/$extract", `{"resourceType":"Parameters","parameter":[{"name":"questionnaire-response","resource":`+done+`}]}`)).Body,
	} {
		sent := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir", w.String()))
		if !strings.Contains(sent.Body.String(), `"status":"201`) {
			t.Errorf("the transaction: %s\n%s", w.String(), sent.Body)
		}
	}
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/QuestionnaireResponse/$extract", begun), http.StatusUnprocessableEntity, "extract.status")
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/"+questionnaire+"/$populate", ""), http.StatusBadRequest, "operation.subject")
	wantCode(t, h.as("ous-tsb", "GET", "/fhir/Questionnaire/finnes-ikke/$populate?subject="+mine, ""), http.StatusNotFound, "absent")
	wantCode(t, h.as("sosial-sagene", "GET", "/fhir/"+questionnaire+"/$populate?subject="+mine, ""), http.StatusNotFound, "absent")
	wantCode(t, h.as("ous-tsb", "POST", "/fhir/"+questionnaire+"/$populate", form), http.StatusBadRequest, "operation.resource-unexpected")
}
