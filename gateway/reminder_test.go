package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// until sets the day a samtykke ends.
func until(body, day string) string { return strings.Replace(body, "2027-10-31", day, 1) }

func (w *world) remind() {
	w.t.Helper()
	_, err := w.RemindEnding(context.Background(), 50)
	must(w.t, err)
}

func (w *world) wantReminders(when string, registrar, patient int, status string) {
	w.t.Helper()
	for who, c := range map[string]struct {
		a     gateway.Actor
		party gateway.HERID
		want  int
	}{"the registrar": {at(bydel), bydel, registrar}, "the patient": {w.patient(), people, patient}} { // who reads the registrar's too
		n := 0
		for _, task := range w.tasks(c.a, "consent-ending") {
			if task["status"] == status && strings.Contains(fmt.Sprint(task["owner"]), string(c.party)) {
				n++
			}
		}
		if n != c.want {
			w.t.Errorf("%s: %s has %d Tasks that are %s, want %d", when, who, n, status, c.want)
		}
	}
}

// ending is a samtykke that ends on 31 December 2026; the clock stands at 2 November.
func ending(t testing.TB) (w *world, consent fhir.Reference, body string) {
	w = newWorld(t)
	p := w.patientOf(at(bydel), kari)
	body = until(consentOf(p, []string{"plan"}, gp), "2026-12-31")
	return w, w.mustPost(at(bydel), body), body
}

// The registering party and the patient are told 30 and 7 days before, once each, and the Task goes to nobody
// else.
func TestEndingIsTold(t *testing.T) {
	t.Parallel()
	w, consent, _ := ending(t)
	w.remind()
	w.wantReminders("59 days before", 0, 0, "requested")
	w.clock.forward(31 * 24 * time.Hour)
	w.remind()
	w.remind()
	w.wantReminders("29 days before", 1, 1, "requested")
	task := fmt.Sprint(w.tasks(w.patient(), "consent-ending"))
	if !strings.Contains(task, "30 dager") || !strings.Contains(task, consent.String()) {
		t.Errorf("the patient's Task: %s", task)
	}
	w.clock.forward(23 * 24 * time.Hour)
	w.remind()
	w.wantReminders("6 days before", 2, 2, "requested")
	for _, party := range []gateway.HERID{gp, ous, sosial} {
		if n := len(w.tasks(at(party), "consent-ending")); n != 0 {
			t.Errorf("%s was told", party)
		}
	}
	w.clock.forward(30 * 24 * time.Hour)
	w.remind()
	w.wantReminders("after the end", 2, 2, "requested")
}

// Whoever has been away for long tells once, of what is nearest, and of what has ended nothing.
func TestLateReminderTellsOnce(t *testing.T) {
	t.Parallel()
	w, _, _ := ending(t)
	w.clock.forward(55 * 24 * time.Hour)
	w.remind()
	w.wantReminders("both are due", 1, 1, "requested")
	if task := fmt.Sprint(w.tasks(at(bydel), "consent-ending")); !strings.Contains(task, "7 dager") {
		t.Errorf("not the nearest: %s", task)
	}
	again, _, _ := ending(t)
	again.clock.forward(70 * 24 * time.Hour)
	again.remind()
	again.wantReminders("it has ended", 0, 0, "requested")
}

// A version that prolongs or withdraws cancels the Tasks of the one before, and those still to come are of the
// new end; one that ends as it did keeps them.
func TestReminderFollowsTheConsent(t *testing.T) {
	t.Parallel()
	w, consent, body := ending(t)
	w.clock.forward(31 * 24 * time.Hour)
	w.remind()
	_, err := w.put(at(bydel), withID(strings.Replace(body, `"code":"plan"`, `"code":"samarbeid"`, 1), consent), "")
	must(t, err)
	w.remind()
	w.wantReminders("the same end", 1, 1, "requested")
	_, err = w.put(at(bydel), withID(until(body, "x"), consent), "")
	if err == nil {
		_, err = w.put(at(bydel), withID(strings.Replace(body, "2026-12-31", "2027-03-31", 1), consent), "")
	}
	must(t, err)
	w.wantReminders("prolonged", 0, 0, "requested")
	w.wantReminders("prolonged", 1, 1, "cancelled")
	w.clock.forward(24 * 24 * time.Hour)
	w.remind()
	w.wantReminders("a week before the end that was", 0, 0, "requested")
	w.clock.forward(80 * 24 * time.Hour)
	w.remind()
	w.wantReminders("a month before the new end", 1, 1, "requested")
	withdraw(w, fhir.Reference{}, consent, fhir.Reference{}, strings.Replace(body, "2026-12-31", "2027-03-31", 1))
	w.wantReminders("withdrawn", 0, 0, "requested")
	w.wantReminders("withdrawn", 2, 2, "cancelled")
	w.clock.forward(20 * 24 * time.Hour)
	w.remind()
	w.wantReminders("a week before, but withdrawn", 0, 0, "requested")
}

// Work that is broken off before it is done leaves nothing, and several workers have one effect.
func TestReminderHasOneEffect(t *testing.T) {
	t.Parallel()
	w, _, _ := ending(t)
	w.clock.forward(31 * 24 * time.Hour)
	dying := w.exporter(gateway.ExportLimits{}, &breaking{Store: w.store})
	if _, err := dying.RemindEnding(context.Background(), 10); err == nil {
		t.Fatal("the broken transaction was not told of")
	}
	w.wantReminders("broken off", 0, 0, "requested")
	var abreast sync.WaitGroup
	for range 4 {
		abreast.Go(func() {
			if _, err := w.RemindEnding(context.Background(), 10); err != nil {
				t.Error(err)
			}
		})
	}
	abreast.Wait()
	w.wantReminders("several at work", 1, 1, "requested")
}

// breaking does everything in a transaction and never commits it, as a process that is killed.
type breaking struct{ gateway.Store }

func (b *breaking) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	return b.Store.Tx(ctx, func(tx gateway.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return gateway.Failed("test", gateway.Unavailable, errors.New("killed"))
	})
}
