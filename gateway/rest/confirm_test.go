package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// $confirm over HTTP: what one party has registered about another's records lets nothing through until that
// other stands by the very version; everything else is refused with its reason.
func TestConfirmOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine, theirs := h.patient("bydel-sagene", explainedNIN), h.patient("ous-tsb", explainedNIN)
	record := h.create("ous-tsb", fmt.Sprintf(carePlan, theirs))
	days := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	body := strings.Replace(samtykke(mine, "plan", h.organization("fastlege-sagene"), days(-1), days(100)), `"actor":[`,
		`"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"`+h.organization("ous-tsb")+`"}},`, 1)
	consent := h.create("bydel-sagene", body)
	h.want(http.StatusNotFound, h.as("fastlege-sagene", "GET", "/fhir/"+record, ""))
	var seen struct{ Meta struct{ VersionID string } }
	must(t, json.Unmarshal(h.want(http.StatusOK, h.as("ous-tsb", "GET", "/fhir/"+consent, "")).Body.Bytes(), &seen))
	word := func(version string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"version","valueId":"` + version + `"}]}`
	}
	for name, tt := range map[string]struct {
		persona, method, body, says string
		status                      int
	}{
		"a receiver":         {"fastlege-sagene", "POST", word(seen.Meta.VersionID), "absent", 404},
		"a stranger":         {"nav-sagene", "POST", word(seen.Meta.VersionID), "absent", 404},
		"no version":         {"ous-tsb", "POST", `{"resourceType":"Parameters"}`, "confirm.version-missing", 400},
		"an earlier version": {"ous-tsb", "POST", word("x"), "confirm.version", 412},
		"by GET":             {"ous-tsb", "GET", "", "http.method", 405},
	} {
		a := h.as(tt.persona, tt.method, "/fhir/"+consent+"/$confirm", tt.body)
		if a.Code != tt.status || !strings.Contains(a.Body.String(), tt.says) {
			t.Errorf("%s: %d %s, want %d %s", name, a.Code, a.Body, tt.status, tt.says)
		}
		h.want(http.StatusNotFound, h.as("fastlege-sagene", "GET", "/fhir/"+record, ""))
	}
	a := h.want(http.StatusOK, h.as("ous-tsb", "POST", "/fhir/"+consent+"/$confirm", word(seen.Meta.VersionID)))
	if !strings.Contains(a.Body.String(), `"resourceType":"Provenance"`) {
		t.Errorf("the answer is no Provenance: %s", a.Body)
	}
	h.want(http.StatusOK, h.as("fastlege-sagene", "GET", "/fhir/"+record, ""))
}
