package gateway_test

import (
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
	if strings.Contains(log, string(other.ID)) {
		t.Error("her log names another")
	}
	if !strings.Contains(log, fhir.Reference{Type: her.Type, ID: her.ID}.String()) {
		t.Error("her log does not tell that she was read")
	}
}
