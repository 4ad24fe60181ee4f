package notification_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var (
	anyID      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyInstant = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`)
	anyPort    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// view is all that a subscriber can see: what it was sent, in order, what $status and $events answer, and
// its Subscription. What is drawn by lot or tells the hour is levelled.
func (w *world) view(a gateway.Actor, sub fhir.Reference, sent []received) string {
	w.t.Helper()
	ctx := context.Background()
	status, err := w.SubscriptionStatus(ctx, a, []fhir.ID{sub.ID}, nil, base)
	must(w.t, err)
	events, err := w.SubscriptionEvents(ctx, a, gateway.EventsAsked{ID: sub.ID})
	must(w.t, err)
	var b strings.Builder
	for _, r := range sent {
		b.WriteString(r.method + " " + r.path + " " + r.body + "\n")
	}
	b.WriteString(bodyOf(status) + "\n" + bodyOf(events) + "\n" + w.read(a, sub))
	return anyPort.ReplaceAllString(anyInstant.ReplaceAllString(anyID.ReplaceAllString(b.String(), "ID"), "TIME"), "PORT")
}

// An event that was numbered under a samtykke, not received, and withdrawn before it was sent again keeps
// its number. That number tells what the samtykke allowed when it was given, and nothing of what came
// later: the subscriber's whole view is the same whatever happened to the record, and whatever else came,
// while it was hidden.
func TestWithdrawnNumberTellsNothingOfWhatIsHidden(t *testing.T) {
	t.Parallel()
	labels := []string{"samarbeid", "plan"}
	secret := func(patient fhir.Reference) string {
		return strings.Replace(plan(patient), `"status"`, `"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"psykisk"}]},"status"`, 1)
	}
	hidden := []struct {
		name   string
		change func(w *world, hers, p fhir.Reference)
	}{
		{"nothing", func(*world, fhir.Reference, fhir.Reference) {}},
		{"changed again", func(w *world, hers, p fhir.Reference) {
			for range 3 {
				w.mustPut(at(ous), withID(plan(hers), p))
			}
		}},
		{"relabelled", func(w *world, hers, p fhir.Reference) { w.mustPut(at(ous), withID(secret(hers), p)) }},
		{"deleted", func(w *world, _, p fhir.Reference) { w.delete(at(ous), p) }},
		{"others came", func(w *world, hers, _ fhir.Reference) {
			w.mustPost(at(ous), plan(hers))
			w.mustPost(at(ous), secret(hers))
		}},
	}
	for _, content := range []string{"empty", "id-only", "full-resource"} {
		var first string
		for _, h := range hidden {
			w := newWorld(t)
			hers, own := w.patientOf(at(ous), kari), w.patientOf(at(bydel), kari)
			c := w.mustPost(at(ous), consentOf(hers, "active", nil, labels, bydel))
			sub := w.subscribed(at(bydel), w.hook("plan-endret", content, ""))
			p := w.mustPost(at(ous), plan(hers))
			w.receiver.answer(503)
			w.work()
			sent := w.receiver.take()
			w.mustPut(at(ous), withID(consentOf(hers, "inactive", nil, labels, bydel), c))
			h.change(w, hers, p)
			w.receiver.answer(200)
			w.forward(time.Minute)
			w.work()
			w.mustPost(at(bydel), plan(own))
			w.work()
			sent = append(sent, w.receiver.take()...)
			got := w.view(at(bydel), sub, sent)
			if first == "" {
				first = got
				if !strings.Contains(got, `"event-number","valueString":"2"`) || len(sent) != 3 {
					t.Fatalf("%s: the test sees no second event, or not three deliveries: %d %s", content, len(sent), got)
				}
			}
			if got != first {
				t.Errorf("LEAK: %s: after %q the subscriber sees\n%s\ninstead of\n%s", content, h.name, got, first)
			}
		}
	}
}
