package rest

import (
	"fmt"
	"net/http"
	"testing"
)

// TestNothingIsToldOnTheStroke: what may not be seen and what does not exist are answered at the same moments, by
// whatever door, since how long Sluse looked would tell the one from the other. What holds a record does not wait.
func TestNothingIsToldOnTheStroke(t *testing.T) {
	h := newHouse(t)
	const bydel, hospital = "bydel-sagene", "ous-tsb"
	plan := h.create(bydel, fmt.Sprintf(carePlan, h.patient(bydel, "12859200212")))
	id := plan[len("CarePlan/"):]
	batch := func(kind, url string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[{"request":{"method":"GET","url":"` + url + `"}}]}`
	}
	for _, name := range []string{id, "finnes-ikke"} {
		for _, tt := range []struct{ method, target, body string }{
			{http.MethodGet, "/fhir/CarePlan/" + name, ""},
			{http.MethodHead, "/fhir/CarePlan/" + name, ""},
			{http.MethodGet, "/fhir/CarePlan/" + name + "/_history/1", ""},
			{http.MethodGet, "/fhir/CarePlan/" + name + "/_history", ""},
			{http.MethodDelete, "/fhir/CarePlan/" + name, ""},
			{http.MethodPut, "/fhir/CarePlan/" + name, `{"resourceType":"CarePlan","id":"` + name + `","status":"active","intent":"plan","subject":{"reference":"Patient/x"}}`},
			{http.MethodGet, "/fhir/CarePlan?_id=" + name, ""},
			{http.MethodGet, "/fhir/CarePlan?_id=" + name + "&_summary=count", ""},
			{http.MethodGet, "/fhir?_type=CarePlan&_id=" + name, ""},
			{http.MethodGet, "/fhir/CarePlan/" + name + "/$document", ""},
			{http.MethodPost, "/fhir", batch("batch", "CarePlan/"+name)},
			{http.MethodPost, "/fhir", batch("batch", "CarePlan?_id="+name)},
			{http.MethodPost, "/fhir", batch("transaction", "CarePlan/"+name)},
			{http.MethodPost, "/fhir", batch("transaction", "CarePlan?_id="+name)},
		} {
			h.pauses = nil
			w := h.as(hospital, tt.method, tt.target, tt.body)
			if len(h.pauses) != 1 || h.pauses[0] <= 0 || h.pauses[0] > stroke {
				t.Errorf("%s %s %s: status %d after pauses of %v, want one of at most %v", tt.method, tt.target, tt.body, w.Code, h.pauses, stroke)
			}
		}
	}
	for _, tt := range []struct{ method, target, body string }{
		{http.MethodGet, "/fhir/" + plan, ""},
		{http.MethodGet, "/fhir/CarePlan?_id=" + id, ""},
		{http.MethodPost, "/fhir", batch("batch", plan)},
		{http.MethodGet, "/fhir/metadata", ""},
	} {
		h.pauses = nil
		if h.want(http.StatusOK, h.as(bydel, tt.method, tt.target, tt.body)); len(h.pauses) != 0 {
			t.Errorf("%s %s waits %v", tt.method, tt.target, h.pauses)
		}
	}
}
