package gateway_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestLogShowsNoQueryOfOthers: a patient's own log does not show a query that names others, which a
// search of several persons does.
func TestLogShowsNoQueryOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	her := w.patientOf(at(bydel), kari)
	other := w.mustPost(at(bydel), `{"resourceType":"Patient","name":[{"family":"Annen"}]}`)
	w.seek(at(bydel), "Patient", "_id="+string(her.ID)+","+string(other.ID))
	log, err := w.find(w.patient(), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if strings.Contains(log+queries(t, log), string(other.ID)) {
		t.Error("her log names another")
	}
	if !strings.Contains(log, fhir.Reference{Type: her.Type, ID: her.ID}.String()) {
		t.Error("her log does not tell that she was read")
	}
}

// queries are the queries that AuditEvents tell, which R4 has in base64 (auditevent-definitions.html#AuditEvent.entity.query).
func queries(t *testing.T, log string) (all string) {
	t.Helper()
	for _, found := range regexp.MustCompile(`"query":"([^"]*)"`).FindAllStringSubmatch(log, -1) {
		query, err := base64.StdEncoding.DecodeString(found[1])
		must(t, err)
		all += string(query) + "\n"
	}
	return all
}
