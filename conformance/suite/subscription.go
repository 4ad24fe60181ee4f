package suite

import (
	"net/http"
	"strings"
	"time"
)

const (
	taskTopic = "http://sluse.no/fhir/SubscriptionTopic/oppgave-endret"
	foreign   = "https://sluse-fremmed.example/inn" // RFC 2606: nobody has it
)

// hook is a Subscription to changes of Tasks, with a secret for the endpoint.
func (t *trial) hook(endpoint string) string {
	return t.fill(`{"resourceType":"Subscription","status":"requested","reason":"Sluse {mark}","criteria":"` + taskTopic + `","channel":{"type":"rest-hook",
		"endpoint":"` + endpoint + `","header":["X-Sluse: hemmelig-{mark}"],"payload":"application/fhir+json",
		"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"id-only"}]}}}`)
}

// checkSubscriptions subscribes, where the installation allows an endpoint that the run was given.
func checkSubscriptions(s *session) {
	if !s.statement.does("Subscription", "create") {
		s.check("a Subscription is made", func(t *trial) { t.notApplicable("Subscription is not promised") })
		return
	}
	s.check("an endpoint that nobody has allowed is refused", func(t *trial) {
		for _, endpoint := range []string{foreign, "http://127.0.0.1:1/inn", "https://169.254.169.254/latest/meta-data"} {
			a := t.ask(http.MethodPost, "/Subscription", []byte(t.hook(endpoint)))
			if a.status == http.StatusForbidden {
				t.notApplicable("this token may not subscribe: %s", a)
			}
			if o := t.refused(http.StatusUnprocessableEntity, a, endpoint); !o.names("Subscription.channel.endpoint") {
				t.errorf("the outcome names %s", o)
			}
		}
	})
	s.check("a channel, a topic and a content that are none are refused", func(t *trial) {
		for place, change := range map[string][2]string{
			"channel.type": {`"rest-hook"`, `"email"`}, "criteria": {taskTopic, taskTopic + "-ukjent"},
			"channel.payload.extension": {`"id-only"`, `"sluse"`}, "status": {`"requested"`, `"error"`},
		} {
			a := t.ask(http.MethodPost, "/Subscription", []byte(strings.Replace(t.hook(foreign), change[0], change[1], 1)))
			if o := t.refused(http.StatusUnprocessableEntity, a, place); !o.names("Subscription." + place) {
				t.errorf("%s: the outcome names %s", place, o)
			}
		}
	})
	s.check("$status and $events of what is none are 404", func(t *trial) {
		for _, name := range []string{"status", "events"} {
			t.promisesOperation("Subscription", name)
			t.refused(http.StatusNotFound, t.ask(http.MethodGet, "/Subscription/"+absent+"/$"+name, nil), "$"+name)
		}
	})
	s.check("a Subscription shakes hands, tells of events, keeps its secret, and ends", func(t *trial) {
		if t.Endpoint == "" {
			t.notApplicable("the run was given no endpoint that the installation allows")
		}
		t.subscription()
	})
}

// subscription follows one from its handshake to its end.
func (t *trial) subscription() {
	var seen strings.Builder
	keep := func(a answer) answer { seen.Write(a.body); return a }
	created := keep(t.want(http.StatusCreated, t.ask(http.MethodPost, "/Subscription", []byte(t.hook(t.Endpoint))), "create"))
	reference, ok := versioned(created.header.Get("Location"))
	if !ok {
		t.fatalf("create: %s", created)
	}
	active := t.until(func() bool { return t.read(reference).object()["status"] == "active" })
	if !active {
		t.errorf("after the handshake the status is %v: %v", t.read(reference).object()["status"], t.read(reference).object()["error"])
	}
	made := t.create(t.sampleOf("Task"))
	told := active && t.until(func() bool {
		a := t.ask(http.MethodGet, "/"+reference+"/$events", nil)
		return strings.Contains(string(a.body), `"event-number"`) && strings.Contains(string(a.body), made)
	})
	if active && !told {
		t.errorf("$events tells of no Task")
	}
	status := keep(t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference+"/$status", nil), "$status"))
	if told && (!strings.Contains(string(status.body), `"query-status"`) || !strings.Contains(string(status.body), `"events-since-subscription-start"`)) {
		t.errorf("$status: %.200s", status.body)
	}
	for _, path := range []string{"", "/_history", "/$events"} {
		keep(t.want(http.StatusOK, t.ask(http.MethodGet, "/"+reference+path, nil), path))
	}
	keep(t.want(http.StatusOK, t.ask(http.MethodGet, "/Subscription?status=active,requested,error", nil), "search"))
	if strings.Contains(seen.String(), "hemmelig-"+t.mark) || strings.Contains(seen.String(), `"header"`) {
		t.errorf("the secret of the channel is readable")
	}
	if t.Other != "" {
		t.refused(http.StatusNotFound, t.askAs(t.Other, http.MethodGet, "/"+reference+"/$status", nil), "$status for another party")
	}
	t.want(http.StatusNoContent, t.ask(http.MethodDelete, "/"+reference, nil), "delete")
	t.want(http.StatusGone, t.ask(http.MethodGet, "/"+reference, nil), "read after delete")
	t.refused(http.StatusNotFound, t.ask(http.MethodGet, "/"+reference+"/$status", nil), "$status after delete")
}

// until waits for something that the server does in the background.
func (t *trial) until(done func() bool) bool {
	for begun := t.Clock(); ; {
		if done() {
			return true
		}
		if t.Clock().Sub(begun) > t.Patience || t.ctx.Err() != nil {
			return false
		}
		select {
		case <-t.ctx.Done():
		case <-time.After(t.Patience / 60):
		}
	}
}

// checkProvenance writes who did what, where the run may leave it behind.
func checkProvenance(s *session) {
	s.check("a Provenance is not rewritten", func(t *trial) {
		if !t.statement.does("Provenance", "create") {
			t.notApplicable("Provenance is not promised")
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if a := t.ask(method, "/Provenance/"+absent, []byte(`{}`)); a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotFound {
				t.errorf("%s: %s", method, a)
			}
		}
	})
	s.check("a Provenance of an own record is made and read", func(t *trial) {
		if !t.statement.does("Provenance", "create") || !t.Lasting {
			t.notApplicable("it cannot be deleted, and the run is to leave nothing behind")
		}
		target := t.create(t.sampleOf("Task"))
		body := `{"resourceType":"Provenance","target":[{"reference":"` + target + `"}],"recorded":"2026-03-02T09:00:00Z","agent":[{"who":{"display":"Sluse {mark}"}}]}`
		reference := t.create(t.fill(body))
		t.forget(reference)
		a := t.read(reference)
		if !strings.Contains(string(a.body), target) || !strings.Contains(string(a.body), "Sluse "+t.mark) {
			t.errorf("it is not what was written: %.200s", a.body)
		}
		for _, change := range []answer{
			t.ask(http.MethodPut, "/"+reference, a.body), t.ask(http.MethodDelete, "/"+reference, nil),
			t.ask(http.MethodPatch, "/"+reference, []byte(`[{"op":"remove","path":"/agent/0/who"}]`), "Content-Type", "application/json-patch+json"),
		} {
			t.refused(http.StatusMethodNotAllowed, change, "change")
		}
		if again := t.read(reference); canonical(again.object()) != canonical(a.object()) {
			t.errorf("it was changed")
		}
	})
}
