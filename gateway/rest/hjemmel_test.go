package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/helseid"
)

// $hjemmel over HTTP: by compliance of a party that the row is for; everything else is refused with its reason.
func TestHjemmelOverHTTP(t *testing.T) {
	h := newHouse(t)
	posted := func(parameters string) string {
		return `{"resourceType":"Parameters","parameter":[` + parameters + `]}`
	}
	id := `{"name":"id","valueCode":"logistikk-hf-bydel"}`
	reason := `,{"name":"reason","valueString":"Vedtak 2026/14"}`
	on := `,{"name":"active","valueBoolean":true}`
	for name, tt := range map[string]struct {
		persona, method, body, says string
		status                      int
	}{
		"another kind of party":   {"personvern", "POST", posted(id + on + reason), "hjemmel.sector", 422},
		"who treats":              {"ous-tsb", "POST", posted(id + on + reason), "hjemmel.controller", 403},
		"who keeps the directory": {"drift", "POST", posted(id + on + reason), "hjemmel.controller", 403},
		"the person herself":      {"pasient", "POST", posted(id + on + reason), "hjemmel.controller", 403},
		"an unknown name":         {"personvern", "POST", posted(`{"name":"id","valueCode":"alt"}` + on + reason), "hjemmel.unknown", 422},
		"no reason":               {"personvern", "POST", posted(id + on), "operation.reason", 422},
		"neither on nor off":      {"personvern", "POST", posted(id + reason), "operation.parameter-value", 400},
		"by GET":                  {"personvern", "GET", "", "http.method", 405},
	} {
		a := h.as(tt.persona, tt.method, "/fhir/$hjemmel", tt.body)
		if a.Code != tt.status || !strings.Contains(a.Body.String(), tt.says) {
			t.Errorf("%s: %d %s, want %d %s", name, a.Code, a.Body, tt.status, tt.says)
		}
	}
	for _, p := range helseid.Personas() {
		if p.Name == "personvern" {
			_, id, _ := strings.Cut(p.Organization, "/")
			h.want(http.StatusOK, h.as("drift", "PUT", "/fhir/"+p.Organization, `{"resourceType":"Organization","id":"`+id+`","active":true,"name":"Et sykehus",
				"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"`+string(p.HERID)+`"}],
				"type":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/sektor","code":"hf"}]},
				{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/lovgrunnlag","code":"helse-spesialist"}]}]}`))
		}
	}
	for _, want := range []string{"er slått på for Et sykehus, versjon 1.", "er slått på for Et sykehus, versjon 2."} {
		var a string
		for range 30 { // the directory is at most a second old
			w := h.as("personvern", "POST", "/fhir/$hjemmel", posted(id+on+reason))
			if a = w.Body.String(); w.Code == http.StatusOK {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !strings.Contains(a, want) {
			t.Errorf("%s, want %q", a, want)
		}
	}
}
