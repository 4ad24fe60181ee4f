package exchange_test

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestReferralIsCancelledByItsID: henvisning v1.x has no ConversationRef: a change or cancellation acts on the sender's earlier
// messages about the same person with the same ServReq/Id. One that names nothing is refused with the reason, one that names
// what is not here waits for it, and its sender has a Task; the referral stands.
func TestReferralIsCancelledByItsID(t *testing.T) {
	const n, id = `<ServType V="N" DN="Ny"/>`, "<Id>H-2026-17</Id>"
	again := func(code string, replace ...string) string {
		return strings.Replace(document(t, "henvisning-1.1", append([]string{referralID, "the-second"}, replace...)...), n, `<ServType V="`+code+`"/>`, 1)
	}
	for name, c := range map[string]struct {
		second string
		status string // of the first ServiceRequest afterwards
		apprec int
		waits  int
	}{
		"cancelled":              {again("C"), "entered-in-error", 1, 0},
		"changed":                {again("M"), "entered-in-error", 1, 0},
		"supplemented":           {again("A"), "active", 1, 0},
		"another referral":       {again("C", id, "<Id>H-2026-18</Id>"), "active", 1, 1},
		"no id":                  {again("C", id, ""), "active", 2, 0},
		"changes nothing here":   {again("M", id, "<Id>H-2026-18</Id>"), "active", 1, 1},
		"about another patient":  {again("C", kari, ola), "active", 2, 1},
		"repeated, not the same": {again("N"), "active", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.send(gp, document(t, "henvisning-1.1"))
			if status, _, text := w.receipt(gp, referralID); status != 1 {
				t.Fatalf("AppRec %d %q", status, text)
			}
			first := w.requests()
			if len(first) == 0 {
				t.Fatal("no ServiceRequest")
			}
			w.send(gp, c.second)
			status, code, text := w.receipt(gp, "the-second")
			if status != c.apprec || status == 2 && c.waits == 0 && (code != "T02" || !strings.Contains(text, "ServReq/Id")) {
				t.Errorf("AppRec %d %s %q", status, code, text)
			}
			if waiting := w.told(gp, "message-awaits-first"); len(waiting) != c.waits {
				t.Errorf("%d Tasks wait, want %d", len(waiting), c.waits)
			}
			for _, r := range first {
				now, err := w.read(person(gp), r)
				must(t, err)
				if got := now.Root().Get("status").Text(); got != c.status {
					t.Errorf("the first is %s, want %s", got, c.status)
				}
			}
		})
	}
}

func (w *world) requests() (list []fhir.Reference) {
	w.t.Helper()
	nin, err := gateway.NewNIN(kari)
	must(w.t, err)
	for _, e := range w.entries(gp, "ServiceRequest", gateway.Subject{NIN: nin}) {
		if r := e.Get("resource"); r.Get("resourceType").Text() == "ServiceRequest" {
			list = append(list, fhir.Reference{Type: "ServiceRequest", ID: fhir.ID(r.Get("id").Text())})
		}
	}
	return list
}
