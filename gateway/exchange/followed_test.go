package exchange_test

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// referring orders a henvisning of the bydel's about p and gives the Communication.
func (w *world) referring(p fhir.Reference, rest string) fhir.Reference {
	w.t.Helper()
	payload := `,"payload":[{"contentReference":{"reference":"ServiceRequest/` + string(w.referral(p).ID) + `"}}]`
	made := w.create(person(bydel), "Communication", order(p, "HENVISNING", "fastlege", payload+rest))
	w.once()
	w.wait(1e9)
	return made
}

// TestOrderedReferralIsFollowedByItsID: a henvisning that is ordered over FHIR carries an id (ServReq/Id), what its sender calls
// it or else its MsgId, and every change and cancellation of it the same one: another gateway finds what they act on by it.
func TestOrderedReferralIsFollowedByItsID(t *testing.T) {
	const named = `,"identifier":[{"system":"http://example.org/henvisning","value":"H-77"}]`
	of := func(code string, r fhir.Reference) string {
		return changing(code) + `,"inResponseTo":[{"reference":"Communication/` + string(r.ID) + `"}]`
	}
	for name, c := range map[string]struct{ first, change, cancel, version string }{
		"no name":                   {},
		"named":                     {first: named},
		"named each time":           {first: named, change: named, cancel: named},
		"called otherwise later":    {first: named, cancel: strings.Replace(named, "H-77", "H-78", 1)},
		"named by a number of hers": {first: strings.Replace(named, "H-77", kari, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := sending(t, append([]string{"okonomi"}, clinical...)...)
			n := w.referring(p, c.first)
			m := w.referring(p, c.change+of("M", n))
			w.referring(p, c.cancel+of("C", m))
			documents, _ := w.documents(gp)
			if len(documents) != 3 {
				t.Fatalf("%d documents, want 3", len(documents))
			}
			there := newWorld(t)
			id := ""
			for i, d := range documents {
				text, _ := w.fetch(gp, d.ID)
				h := readBack(t, text).in.Head
				if i == 0 {
					id = h.Thread
				}
				want := []mapping.Status{"N", "M", "C"}[i]
				if h.Status != want || h.Thread == "" || h.Thread != id || h.Thread == kari || c.first == named && id != "H-77" {
					t.Errorf("%s of %q, want %s of %q", h.Status, h.Thread, want, id)
				}
				there.send(bydel, text)
			}
			nin, err := gateway.NewNIN(kari)
			must(t, err)
			for _, e := range there.entries(bydel, "ServiceRequest", gateway.Subject{NIN: nin}) {
				if status := e.Get("resource", "status").Text(); status != "" && status != "entered-in-error" {
					t.Errorf("a referral is %s at another gateway", status)
				}
			}
		})
	}
}
