package exchange_test

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// asked are the urgent Tasks about messages of a transition that a party has.
func (w *world) asked(party string) []*fhir.Value {
	w.t.Helper()
	return w.told(party, "transition-refused")
}

// TestRefusedTransitionIsNotLeftToAnAppRec: who answers for a message that a patient's way hangs on is asked by an urgent
// Task, with the message's own deadline and the three ways out; who is not part of it learns nothing.
func TestRefusedTransitionIsNotLeftToAnAppRec(t *testing.T) {
	for name, c := range map[string]struct{ from, document, owner, due string }{
		"henvisning, responsible named":  {gp, stating(t, ""), `"value":"9144897"`, "2026-03-21T12:30:00+01:00"},
		"henvisning, nobody named":       {gp, stating(t, "", `V="ARP"`, `V="FLE"`), `"reference":"Organization/fastlege"`, "2026-03-21T12:30:00+01:00"},
		"epikrise":                       {hospice, document(t, "epikrise-1.2", "8100033", "8100030"), `"reference":"Organization/ous"`, "2026-03-21T12:30:00+01:00"},
		"innleggelsesrapport, unmapped?": {gp, document(t, "medisinske-opplysninger", `V="MEDISINSKE_OPPLYSNINGER"`, `V="INNLEGGELSESRAPPORT"`), `"reference":"Organization/fastlege"`, "2026-03-21T12:30:00+01:00"},
		"utskrivningsrapport":            {gp, document(t, "medisinske-opplysninger", `V="MEDISINSKE_OPPLYSNINGER"`, `V="UTSKRIVNINGSRAPPORT"`), `"reference":"Organization/fastlege"`, "2026-03-21T00:00:00+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.send(c.from, c.document)
			w.send(c.from, c.document)
			tasks := w.asked(c.from)
			if len(tasks) != 1 {
				t.Fatalf("%d Tasks, want 1", len(tasks))
			}
			task := tasks[0]
			if task.Get("priority").Text() != "urgent" || task.Get("restriction", "period", "end").Text() != c.due || !strings.Contains(string(task.Get("owner").Raw()), c.owner) {
				t.Errorf("%s", task.Raw())
			}
			text := task.Get("description").Text()
			if !strings.HasSuffix(name, "rapport") && !strings.HasSuffix(name, "?") && !strings.Contains(text, "registrer et samtykke") {
				t.Errorf("%q", text)
			}
			for _, other := range []string{bydel, sosial} {
				if len(w.asked(other)) != 0 {
					t.Errorf("%s has the Task", other)
				}
			}
		})
	}
}

// TestNoTaskForOthers: what is delivered, and what no transition hangs on, asks nobody.
func TestNoTaskForOthers(t *testing.T) {
	w := newWorld(t)
	w.send(gp, document(t, "henvisning-1.1"))
	w.send(gp, document(t, "medisinske-opplysninger"))
	if status, _, _ := w.receipt(gp, medicalID); status != 2 {
		t.Fatalf("AppRec %d", status)
	}
	if tasks := w.asked(gp); len(tasks) != 0 {
		t.Errorf("%d Tasks", len(tasks))
	}
}
