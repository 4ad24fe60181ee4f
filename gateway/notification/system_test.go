package notification_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// system is a party's own system without a person.
func system(party gateway.HERID) gateway.Actor {
	return gateway.Actor{Kind: gateway.Machine, Party: party, Purpose: gateway.Treat, Client: "epj"}
}

// A system without a person keeps its party's subscriptions: it is told by reference of the party's own
// records and of what a samtykke allows it to be notified of, and gets no content, whatever way it asks.
func TestSystemIsToldByReferenceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	epj := system(bydel)
	own, hers, his := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari), w.patientOf(at(ous), ola)
	w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	for _, more := range []string{w.hook("plan-endret", "full-resource", ""), strings.Replace(w.hook("plan-endret", "full-resource", ""), "http://sluse.no/fhir/SubscriptionTopic/plan-endret", "CarePlan?status=active", 1)} {
		_, err := w.do(epj, gateway.Create, more)
		if gateway.CodeOf(err) != gateway.Invalid || !strings.Contains(issuesOf(err), "subscription.system") {
			t.Errorf("LEAK: a system asks for content: %v", err)
		}
	}
	body := w.hook("plan-endret", "id-only", "")
	sub := w.subscribed(epj, body)
	mine, shared := w.mustPost(at(bydel), plan(own)), w.mustPost(at(ous), plan(hers))
	w.mustPost(at(ous), plan(his)) // no samtykke
	w.mustPost(at(ous), strings.Replace(plan(hers), `"status"`, `"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"psykisk"}]},"status"`, 1))
	got := w.one()
	if got.since != "2" || got.focus[1] != mine.String() || got.focus[2] != shared.String() || !slices.Equal(got.numbers, []int{1, 2}) {
		t.Fatalf("%+v", got)
	}
	for focus, resource := range got.resources {
		if resource != "" {
			t.Errorf("LEAK: %s has content: %s", focus, resource)
		}
	}
	events, err := w.SubscriptionEvents(ctx, epj, gateway.EventsAsked{ID: sub.ID, Content: gateway.PayloadFull})
	must(t, err)
	if body := bodyOf(events); strings.Contains(body, "kanari") || !strings.Contains(body, mine.String()) {
		t.Errorf("LEAK through $events: %s", body)
	}
	if _, err := w.do(epj, gateway.Update, withID(w.hook("plan-endret", "full-resource", ""), sub)); gateway.CodeOf(err) != gateway.Invalid {
		t.Errorf("LEAK: an update asks for content: %v", err)
	}
	for _, r := range []fhir.Reference{mine, own, shared, hers} { // the samtykke to be told is none to read
		_, err := w.Do(ctx, epj, gateway.Interaction{Code: gateway.Read, Target: r})
		if gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("LEAK: a system reads %s: %v", r, err)
		}
	}
	_, err = w.do(epj, gateway.Create, task("", own, bydel, "requested"))
	if gateway.CodeOf(err) != gateway.Forbidden {
		t.Errorf("a system writes a record: %v", err)
	}
}

// A party's system reads, changes and removes the subscriptions of its party, whoever made them, and
// those of no other; the content that a person asked for is not for the system.
func TestSystemKeepsItsPartysSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	epj, stranger := system(bydel), system(gp)
	own := w.patientOf(at(bydel), kari)
	sub := w.subscribed(epj, w.hook("plan-endret", "id-only", ""))
	persons := w.subscribed(at(bydel), w.hook("plan-endret", "full-resource", ""))
	if !strings.Contains(w.read(epj, sub), "plan-endret") || !strings.Contains(w.read(at(bydel), sub), "plan-endret") {
		t.Error("the subscription is not read by its party")
	}
	status, err := w.SubscriptionStatus(ctx, epj, nil, nil, base)
	must(t, err)
	if body := bodyOf(status); !strings.Contains(body, string(sub.ID)) || !strings.Contains(body, string(persons.ID)) {
		t.Errorf("$status: %s", body)
	}
	w.mustPost(at(bydel), plan(own))
	w.told()
	events, err := w.SubscriptionEvents(ctx, epj, gateway.EventsAsked{ID: persons.ID})
	must(t, err)
	if strings.Contains(bodyOf(events), "kanari") {
		t.Errorf("LEAK: the events of a person's subscription have content for the system: %s", bodyOf(events))
	}
	for name, try := range map[string]func() error{
		"read": func() error {
			_, err := w.Do(ctx, stranger, gateway.Interaction{Code: gateway.Read, Target: sub})
			return err
		},
		"history": func() error {
			_, err := w.Do(ctx, stranger, gateway.Interaction{Code: gateway.History, Target: sub, Search: gateway.Search{Count: 5}})
			return err
		},
		"update": func() error {
			_, err := w.do(stranger, gateway.Update, withID(w.hook("plan-endret", "id-only", ""), sub))
			return err
		},
		"delete": func() error {
			_, err := w.Do(ctx, stranger, gateway.Interaction{Code: gateway.Delete, Target: sub})
			return err
		},
		"$status": func() error {
			_, err := w.SubscriptionStatus(ctx, stranger, []fhir.ID{sub.ID}, nil, base)
			return err
		},
		"$events": func() error {
			_, err := w.SubscriptionEvents(ctx, stranger, gateway.EventsAsked{ID: sub.ID})
			return err
		},
	} {
		if err := try(); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("another party's system, %s: %v", name, err)
		}
	}
	w.mustPut(epj, withID(strings.Replace(w.hook("plan-endret", "empty", ""), `"Prøve"`, `"Annen"`, 1), sub))
	w.delete(epj, sub)
	_, err = w.Do(ctx, epj, gateway.Interaction{Code: gateway.Read, Target: sub})
	if gateway.CodeOf(err) != gateway.Gone {
		t.Errorf("after delete: %v", err)
	}
}

// issuesOf gives the codes of an error.
func issuesOf(err error) string {
	var known *gateway.Error
	if !errors.As(err, &known) {
		return ""
	}
	var codes []string
	for _, i := range known.Issues {
		codes = append(codes, i.Code+" "+i.Expression)
	}
	return strings.Join(codes, ", ")
}
