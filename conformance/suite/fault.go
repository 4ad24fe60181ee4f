package suite

import (
	"net/http"
	"strings"
)

// planned is a CarePlan with something wrong about it.
type planned struct{ name, change, expression string }

// faults are in the text of a CarePlan, each with the place that the answer must name.
var faults = []planned{
	{"an unknown element", `"sluse":1`, "CarePlan.sluse"},
	{"a code that the value set lacks", `"status":"sluse"`, "CarePlan.status"},
	{"a list that is none", `"activity":{}`, "CarePlan.activity"},
	{"an element without content", `"title":""`, "CarePlan.title"},
	{"a date that is none", `"period":{"start":"2026-02-30"}`, "CarePlan.period.start"},
	{"a reference to another type", `"subject":{"reference":"Task/1"}`, "CarePlan.subject.reference"},
	{"a number for a text", `"title":1`, "CarePlan.title"},
	{"a fault deep inside", `"activity":[{"detail":{"status":"sluse"}}]`, "CarePlan.activity[0].detail.status"},
}

// checkFaults writes what is wrong, and demands that the answer says where.
func checkFaults(s *session) {
	s.check("malformed JSON is 400", func(t *trial) {
		t.refused(http.StatusBadRequest, t.ask(http.MethodPost, "/CarePlan", []byte(`{"resourceType":"CarePlan",`)), "half a resource")
		t.refused(http.StatusBadRequest, t.ask(http.MethodPost, "/CarePlan", []byte(``)), "nothing")
		t.refused(http.StatusBadRequest, t.ask(http.MethodPost, "/CarePlan", []byte(`{"resourceType":"Task","status":"draft","intent":"plan"}`)), "another type than the URL's")
	})
	for _, f := range faults {
		s.check(f.name+" is 422 at "+f.expression, func(t *trial) { t.fault(f) })
	}
	s.check("a required element that is missing is 422 and named", func(t *trial) {
		body := strings.Replace(t.plan(), `"status":"draft",`, "", 1)
		if o := t.refused(http.StatusUnprocessableEntity, t.ask(http.MethodPost, "/CarePlan", []byte(body)), "no status"); !o.names("CarePlan.status") && !o.names("CarePlan") {
			t.errorf("the outcome names %s", o)
		}
	})
	s.check("several faults are told at once", func(t *trial) {
		body := strings.Replace(t.plan(), `"status":"draft"`, `"status":"sluse","sluse":1`, 1)
		if o := t.refused(http.StatusUnprocessableEntity, t.ask(http.MethodPost, "/CarePlan", []byte(body)), "two faults"); len(o.Issue) < 2 {
			t.errorf("%d issues", len(o.Issue))
		}
	})
	s.check("an id that differs from the URL is 400", func(t *trial) {
		reference := t.subjectOf()
		a := t.read(reference)
		_, id, _ := strings.Cut(reference, "/")
		t.refused(http.StatusBadRequest, t.ask(http.MethodPut, "/"+reference, []byte(strings.Replace(string(a.body), id, id+"x", 1))), "PUT")
	})
	s.check("a path that is none is 404, a method 405 with Allow", func(t *trial) {
		t.refused(http.StatusNotFound, t.ask(http.MethodGet, "/Sluse", nil), "GET /Sluse")
		a := t.ask(http.MethodDelete, "/metadata", nil)
		t.refused(http.StatusMethodNotAllowed, a, "DELETE /metadata")
		if !strings.Contains(a.header.Get("Allow"), "GET") {
			t.errorf("Allow %q", a.header.Get("Allow"))
		}
	})
	s.check("a national identity number in a URL is refused, and not repeated", func(t *trial) {
		const synthetic = "21869245515" // month + 80: no person has it
		for _, path := range []string{"/Patient?identifier=" + synthetic, "/Patient/" + synthetic, "/CarePlan?patient:identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C" + synthetic} {
			a := t.ask(http.MethodGet, path, nil)
			t.refused(http.StatusBadRequest, a, "GET")
			if strings.Contains(string(a.body), synthetic) {
				t.errorf("the answer repeats the number")
			}
		}
	})
	s.check("a national identity number is taken in the form of _search", func(t *trial) {
		a := t.ask(http.MethodPost, "/Patient/_search", []byte("identifier=21869245515"), "Content-Type", formData)
		if b := a.bundle(); t.want(http.StatusOK, a, "POST _search").status == http.StatusOK && b.Type != "searchset" {
			t.errorf("no searchset")
		}
	})
}

// plan is a CarePlan that would be taken.
func (t *trial) plan() string { return t.sampleOf("CarePlan") }

func (t *trial) fault(f planned) {
	name, _, _ := strings.Cut(strings.TrimPrefix(f.change, `"`), `"`)
	v := (answer{body: []byte(t.plan())}).object()
	delete(v, name)
	body := with([]byte(canonical(v)), f.change)
	a := t.ask(http.MethodPost, "/CarePlan", body)
	o := t.refused(http.StatusUnprocessableEntity, a, f.name)
	if !o.names(f.expression) && !o.names(strings.TrimSuffix(f.expression, ".reference")) {
		t.errorf("the outcome does not name %s: %s", f.expression, o)
	}
}
