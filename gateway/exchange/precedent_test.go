package exchange_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// numbered is a henvisning that says N, M or C of the ServReq/Id.
func numbered(t testing.TB, code, msg, at, id string) string {
	s := document(t, "henvisning-1.1", referralID, msg, `<Id>H-2026-17</Id>`, `<Id>`+id+`</Id>`,
		`<GenDate V="2026-03-20T12:30:00+01:00"/>`, `<GenDate V="`+at+`"/>`)
	return strings.Replace(s, `<ServType V="N" DN="Ny"/>`, `<ServType V="`+code+`"/>`, 1)
}

// TestCancelBeforeItsReferral: a cancellation or change that comes before its referral is joined with it when that comes: it
// has the same AppRec as after it, and the referral never stands. Until then its sender has a Task. What it does not name stands.
func TestCancelBeforeItsReferral(t *testing.T) {
	const made, later = "2026-03-20T12:30:00+01:00", "2026-03-20T12:40:00+01:00"
	n := numbered(t, "N", "n-1", made, "H-2026-17")
	for name, c := range map[string]struct{ first, status string }{
		"cancelled":                   {numbered(t, "C", "the-first", later, "H-2026-17"), "entered-in-error"},
		"changed":                     {numbered(t, "M", "the-first", later, "H-2026-17"), "entered-in-error"},
		"cancelled at the same time":  {numbered(t, "C", "the-first", made, "H-2026-17"), "entered-in-error"},
		"changed at the same time":    {numbered(t, "M", "the-first", made, "H-2026-17"), "entered-in-error"},
		"the number is another's":     {numbered(t, "C", "the-first", later, "H-2026-18"), "active"},
		"cancelled before it is made": {numbered(t, "C", "the-first", "2026-03-20T12:20:00+01:00", "H-2026-17"), "active"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "ous", gateway.AllLabels.Codes()...))
			w.send(gp, c.first)
			if status, _, text := w.receipt(gp, "the-first"); status != 1 {
				t.Errorf("AppRec %d %q before the referral", status, text)
			}
			w.duty(gp, "message-awaits-first", "requested")
			before := w.requests()
			for range 2 {
				w.send(gp, n)
			}
			if status, _, text := w.receipt(gp, "n-1"); status != 1 {
				t.Errorf("AppRec %d %q for the referral", status, text)
			}
			found := 0
			for _, r := range w.requests() {
				if slices.Contains(before, r) {
					continue
				}
				found++
				now, err := w.read(person(gp), r)
				must(t, err)
				if got := now.Root().Get("status").Text(); got != c.status {
					t.Errorf("the referral is %s, want %s", got, c.status)
				}
			}
			if found != 1 {
				t.Errorf("%d referrals", found)
			}
			w.duty(gp, "message-awaits-first", map[bool]string{true: "requested", false: "completed"}[c.status == "active"])
		})
	}
}

// TestOvertakenChangeIsCancelled: what was cancelled is cancelled, whichever of its messages comes last.
func TestOvertakenChangeIsCancelled(t *testing.T) {
	n := numbered(t, "N", "n-1", "2026-03-20T12:30:00+01:00", "H-2026-17")
	m := numbered(t, "M", "m-1", "2026-03-20T12:40:00+01:00", "H-2026-17")
	c := numbered(t, "C", "c-1", "2026-03-20T12:50:00+01:00", "H-2026-17")
	for name, list := range map[string][]string{"nmc": {n, m, c}, "ncm": {n, c, m}, "mnc": {m, n, c}, "mcn": {m, c, n},
		"cnm": {c, n, m}, "cmn": {c, m, n}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, d := range list {
				w.send(gp, d)
			}
			for _, r := range w.requests() {
				now, err := w.read(person(gp), r)
				must(t, err)
				if status := now.Root().Get("status").Text(); status != "entered-in-error" {
					t.Errorf("%s is cancelled, and %s", r, status)
				}
			}
		})
	}
}

// TestPlaceThatIsNoTextStaysBehind: under kode 7 a place stays behind also where it cannot be mapped.
func TestPlaceThatIsNoTextStaysBehind(t *testing.T) {
	for _, text := range []string{"Kanariplassen 1", "Kanariplassen \u0096 1"} {
		t.Run(text, func(t *testing.T) {
			w := newWorld(t)
			p := w.patient(bydel)
			w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", gateway.AllLabels.Codes()...))
			w.protect(bydel, p, "fortrolig")
			w.send(gp, document(t, "medisinske-alt", "8100022", "8100021", "<po:StedForKontakt>Hjemme", "<po:StedForKontakt>"+text))
			list, _ := w.documents(bydel, bydel, "8100021")
			if len(list) != 1 {
				t.Fatalf("%d documents", len(list))
			}
			body, _ := w.fetch(bydel, list[0].ID)
			if strings.Contains(body, "Kanariplassen") {
				t.Error("LEAK under kode 7")
			}
		})
	}
}

// TestMailboxNamedTwiceIsListedOnce: a message stands once in a list.
func TestMailboxNamedTwiceIsListedOnce(t *testing.T) {
	w := agreed(t)
	w.send(gp, document(t, "medisinske-opplysninger"))
	list, _ := w.documents(bydel, bydel, bydel)
	if len(list) != 1 {
		t.Errorf("%d lines for one message", len(list))
	}
}

// TestChangeGoesWhereTheFirstWent: a cancellation about another person, or to another receiver, is refused: it would tell
// the receiver of a message that it never had.
func TestChangeGoesWhereTheFirstWent(t *testing.T) {
	w, p := sending(t, clinical...)
	payload := `,"payload":[{"contentReference":{"reference":"Condition/` + string(w.condition(p).ID) + `"}}]`
	first := w.create(person(bydel), "Communication", order(p, "MEDISINSKE_OPPLYSNINGER", "fastlege", payload))
	w.once()
	other := w.patientOf(bydel, ola)
	changes := changing("C") + `,"inResponseTo":[{"reference":"Communication/` + string(first.ID) + `"}]`
	theirs := `,"payload":[{"contentReference":{"reference":"Condition/` + string(w.condition(other).ID) + `"}}]`
	for name, body := range map[string]string{
		"another person":   order(other, "MEDISINSKE_OPPLYSNINGER", "fastlege", theirs+changes),
		"another receiver": order(p, "MEDISINSKE_OPPLYSNINGER", "ous", payload+changes),
	} {
		res, err := fhir.Parse([]byte(body))
		must(t, err)
		_, err = w.gateway.Do(context.Background(), person(bydel), gateway.Interaction{
			Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}, Body: res,
		})
		if gateway.CodeOf(err) != gateway.Invalid {
			t.Errorf("%s: %v, want refused", name, err)
		}
	}
}
