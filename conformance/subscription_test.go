package conformance_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// subscriber is a receiver of notifications on loopback.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	keys   []string
	before func(body string) // before it answers
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	s := &subscriber{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.bodies, s.keys = append(s.bodies, string(body)), append(s.keys, r.Header.Get("X-Nokkel"))
		before := s.before
		s.mu.Unlock()
		if before != nil {
			before(string(body))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// events waits until the receiver has so many notifications with an event.
func (s *subscriber) events(t *testing.T, count int) (bodies []string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		bodies = nil
		s.mu.Lock()
		for _, b := range s.bodies {
			if strings.Contains(b, `"event-notification"`) {
				bodies = append(bodies, b)
			}
		}
		s.mu.Unlock()
		if len(bodies) >= count {
			return bodies
		}
	}
	t.Fatalf("%d of %d notifications came", len(bodies), count)
	return nil
}

// The server is killed after a notification has been sent and before that is known: the receiver gets
// the same event under the same number once more, then what comes after, and nobody reads the secret.
func TestKilledWhileNotifying(t *testing.T) {
	t.Parallel()
	const secret = "hemmelig-kanari-7712"
	receiver := newSubscriber(t)
	args := []string{"--no-story", "--notify", receiver.URL + "/inn"}
	s := start(t, args...)
	epj := s.as("bydel-sagene")
	patient := epj.create(`{"resourceType":"Patient","name":[{"family":"Prøve"}]}`)
	task := `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"` + patient + `"},"owner":{"reference":"` + epj.organization + `"}}`
	made := epj.create(`{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"http://sluse.no/fhir/SubscriptionTopic/oppgave-endret",
		"channel":{"type":"rest-hook","endpoint":"` + receiver.URL + `/inn","header":["X-Nokkel: ` + secret + `"],"payload":"application/fhir+json",
		"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-timeout","valueUnsignedInt":1}],
		"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"id-only"}]}}}`)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(string(epj.must(http.StatusOK, http.MethodGet, "/fhir/"+made, nil).body), `"active"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the subscription does not become active")
		}
	}
	var once sync.Once
	killed := make(chan struct{})
	receiver.mu.Lock()
	receiver.before = func(body string) {
		if strings.Contains(body, `"event-notification"`) {
			once.Do(func() { s.kill(); close(killed) })
		}
	}
	receiver.mu.Unlock()
	first := epj.create(task)
	<-killed
	said := s.out.String()
	s.run(args...)
	epj = s.as("bydel-sagene")
	second := epj.create(task)
	bodies := receiver.events(t, 3)
	for i, want := range []struct{ focus, number string }{{first, "1"}, {first, "1"}, {second, "2"}} {
		if !strings.Contains(bodies[i], want.focus) || !strings.Contains(bodies[i], `"event-number","valueString":"`+want.number+`"`) {
			t.Errorf("%d is not event %s about %s: %s", i, want.number, want.focus, bodies[i])
		}
	}
	for i, key := range receiver.keys {
		if key != secret {
			t.Errorf("notification %d came without the header", i)
		}
	}
	seen := said + s.out.String()
	for _, path := range []string{"/fhir/" + made, "/fhir/" + made + "/_history", "/fhir/" + made + "/$status", "/fhir/" + made + "/$events", "/fhir/Subscription"} {
		a := epj.must(http.StatusOK, http.MethodGet, path, nil)
		if !json.Valid(a.body) {
			t.Errorf("%s: %s", path, a.body)
		}
		seen += string(a.body)
	}
	if strings.Contains(seen, secret) {
		t.Error("LEAK: the secret is readable")
	}
}
