package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// taker carries notifications to a receiver of the test; package notification carries the real ones.
type taker struct {
	mu     sync.Mutex
	bodies []string
	secret []string
}

func (c *taker) Carry(_ context.Context, n gateway.Notification) error {
	var b strings.Builder
	_, _ = n.Body.WriteTo(&b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies = append(c.bodies, b.String())
	c.secret = append(c.secret, n.Header...)
	return nil
}

const hook = `{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"http://sluse.no/fhir/SubscriptionTopic/oppgave-endret",
	"channel":{"type":"rest-hook","endpoint":"https://epj.example.no/inn","header":["Authorization: Bearer hemmelig-kanari"],"payload":"application/fhir+json",
	"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"id-only"}]}}}`

// Over HTTP: a Subscription is created, works, is asked for, and its secret comes back nowhere: not in
// an answer, a Bundle, XML, a patch, nor in the log.
func TestSubscriptionOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	place, err := gateway.NewDestination("https://epj.example.no", nil, false)
	must(t, err)
	h.core.Notices = gateway.Notices{Base: testBase, Destinations: []gateway.Destination{place}}
	c := &taker{}
	work := func() {
		for worked := true; worked; {
			var err error
			worked, err = h.core.NotifyOnce(context.Background(), c)
			must(t, err)
		}
	}
	made := h.as("bydel-sagene", "POST", "/fhir/Subscription", hook, "Prefer: return=representation")
	h.want(http.StatusCreated, made)
	var body struct{ ID, Status string }
	must(t, json.Unmarshal(made.Body.Bytes(), &body))
	path := "/fhir/Subscription/" + body.ID
	work()
	if len(c.bodies) != 1 || !strings.Contains(c.bodies[0], `"handshake"`) || len(c.secret) != 1 {
		t.Fatalf("%v", c.bodies)
	}
	patched := h.as("bydel-sagene", "PATCH", path, `[{"op":"replace","path":"/reason","value":"Annen grunn"}]`, "Content-Type: application/json-patch+json")
	h.want(http.StatusOK, patched)
	batch := h.as("bydel-sagene", "POST", "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+hook+`,"request":{"method":"POST","url":"Subscription"}}]}`, "Prefer: return=representation")
	h.want(http.StatusOK, batch)
	seen := made.Body.String() + patched.Body.String() + batch.Body.String()
	for _, ask := range []string{path, path + "/_history", "/fhir/Subscription", "/fhir/Subscription/_history", path + "?_format=xml", "/fhir/Subscription/$status", path + "/$status", path + "/$events", "/fhir/AuditEvent"} {
		got := h.as("bydel-sagene", "GET", ask, "")
		h.want(http.StatusOK, got)
		if !strings.Contains(got.Body.String(), "Subscription") {
			t.Errorf("%s finds nothing: %s", ask, got.Body)
		}
		seen += got.Body.String()
	}
	if strings.Contains(seen+h.log.String(), "hemmelig-kanari") {
		t.Fatal("LEAK: the secret is readable")
	}
	for _, ask := range []string{path, path + "/$status", path + "/$events"} {
		theirs, none := h.as("fastlege-sagene", "GET", ask, ""), h.as("fastlege-sagene", "GET", strings.Replace(ask, body.ID, "finnes-ikke", 1), "")
		if theirs.Code != http.StatusNotFound || theirs.Body.String() != none.Body.String() {
			t.Errorf("%s: %d %s, absent %d %s", ask, theirs.Code, theirs.Body, none.Code, none.Body)
		}
	}
	for _, ask := range []string{path + "/$events?eventsSinceNumber=x", path + "/$events?content=alt", path + "/$status?id=1", "/fhir/Subscription/$status?colour=red"} {
		if got := h.as("bydel-sagene", "GET", ask, ""); got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", ask, got.Code, got.Body)
		}
	}
	asked := h.as("bydel-sagene", "POST", path+"/$events", `{"resourceType":"Parameters","parameter":[{"name":"eventsSinceNumber","valueString":"1"},{"name":"content","valueCode":"id-only"}]}`)
	h.want(http.StatusOK, asked)
	refused := h.as("bydel-sagene", "POST", "/fhir/Subscription", strings.Replace(hook, "epj.example.no", "169.254.169.254", 1))
	if refused.Code != http.StatusUnprocessableEntity || !strings.Contains(refused.Body.String(), "subscription.endpoint") || !strings.Contains(refused.Body.String(), `"Subscription.channel.endpoint"`) {
		t.Errorf("%d %s", refused.Code, refused.Body)
	}
}

// The CapabilityStatement tells of topics, operations, and of what is never given back.
func TestCapabilityTellsOfSubscriptions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	got := h.as("", "GET", "/fhir/metadata", "")
	for _, want := range append(gateway.Topics(), "backport-subscription-status", "backport-subscription-events", "never given back") {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("nothing of %s", want)
		}
	}
}
