package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	writers       = 6
	senders       = 4
	writesPerTurn = 200
)

// write is one attempt to store, and whether it was acknowledged.
type write struct {
	path    string // "CarePlan/8000…-w1-2-3"; "" when the server was to choose
	tag     string // identifier by which it is found
	body    string // as sent
	version string // ETag of the acknowledgement
	acked   bool
}

// sent is one message, and the AppRec that its sender has seen.
type sent struct {
	msgID, place, document string
	acked                  bool // 201
}

// chaos is everything that was done, over all cycles.
type chaos struct {
	mu       sync.Mutex
	writes   []write
	messages []*sent
	counters []counter
}

// counter is a record that one writer updates over and over, under If-Match.
type counter struct {
	path  string
	etag  string
	acked int // number in the last acknowledged version
	tried int
	size  int // versions acknowledged
	lost  int // attempts without an answer
}

// Gateway and PostgreSQL are killed again and again under load, at random moments: before the
// commit, between commit and answer, and after. What was acknowledged is there exactly once, byte
// for byte; what was not is there whole or not at all.
func TestKilledAtAnyMoment(t *testing.T) {
	cycles := 4
	if n, err := strconv.Atoi(os.Getenv("SLUSE_KILL_CYCLES")); err == nil {
		cycles = n
	}
	killLoop(t, cycles)
}

func killLoop(t *testing.T, cycles int) {
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("SLUSE_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d, %d cycles", seed, cycles)
	random := rand.New(rand.NewPCG(seed, 1))

	s := start(t, "--no-story")
	w := newWard(t, s)
	c := &chaos{}
	for n := range cycles {
		before := c.acknowledged()
		w.storm(t, c, n, random)
		if got := c.acknowledged() - before; got < writesPerTurn {
			t.Fatalf("cycle %d: only %d acknowledged", n, got)
		}
		s.run("--no-story")
		w.enter(t, s)
		w.repeat(t, c)
	}
	w.checkWrites(t, c)
	w.checkCounters(t, c)
	w.checkMessages(t, c)
}

// ward is who takes part: the bydel that writes and receives, the hospital that sends. Each sender
// has a person of its own, the bydel's Patients in the same order.
type ward struct {
	bydel, hospital *client
	patients        []string
}

var people = [senders]string{kariNIN, otherNIN, "25908830264", "17850170010"}

func newWard(t *testing.T, s *server) *ward {
	w := &ward{}
	w.enter(t, s)
	for _, nin := range people {
		w.patients = append(w.patients, w.bydel.create(patient(nin)))
		own := w.hospital.create(patient(nin))
		w.hospital.create(consent(own, w.hospital.organization,
			[]string{w.bydel.organization}, []string{w.hospital.organization}, []string{"logistikk", "samarbeid", "rus"}))
	}
	return w
}

func (w *ward) enter(t *testing.T, s *server) {
	t.Helper()
	w.bydel, w.hospital = s.as("bydel-sagene"), s.as("ous-tsb")
}

func (c *chaos) acknowledged() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.writes {
		if w.acked {
			n++
		}
	}
	for _, m := range c.messages {
		if m.acked {
			n++
		}
	}
	for _, k := range c.counters {
		n += k.size
	}
	return n
}

// storm writes and sends until enough is acknowledged, and then kills at a random moment while
// everybody goes on.
func (w *ward) storm(t *testing.T, c *chaos, cycle int, random *rand.Rand) {
	var wg sync.WaitGroup
	var acked atomic.Int64
	stop := make(chan struct{})
	for i := range writers {
		wg.Go(func() { w.write(c, fmt.Sprintf("%d-%d", cycle, i), &acked, stop) })
	}
	for i := range senders {
		wg.Go(func() { w.dispatch(c, people[i], fmt.Sprintf("%d-%d", cycle, i), &acked, stop) })
	}
	for deadline := time.Now().Add(2 * time.Minute); acked.Load() < writesPerTurn+int64(random.IntN(100)); {
		time.Sleep(time.Millisecond)
		if time.Now().After(deadline) {
			t.Errorf("cycle %d: %d acknowledged in two minutes", cycle, acked.Load())
			break
		}
	}
	time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
	s := w.bydel.server
	switch random.IntN(3) {
	case 0:
		s.kill()
	case 1:
		s.killPostgres()
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		s.kill()
	default:
		killed := make(chan struct{})
		go func() { s.killPostgres(); close(killed) }()
		s.kill()
		<-killed
	}
	close(stop)
	wg.Wait()
}

func stopped(stop chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// write creates records under its own and under the server's ids, and raises a counter.
func (w *ward) write(c *chaos, name string, acked *atomic.Int64, stop chan struct{}) {
	k := counter{path: "CarePlan/" + w.bydel.herID + "-teller-" + name}
	defer func() {
		c.mu.Lock()
		c.counters = append(c.counters, k)
		c.mu.Unlock()
	}()
	for n := 0; !stopped(stop); n++ {
		one := write{tag: "w-" + name + "-" + strconv.Itoa(n)}
		method, path := http.MethodPost, "/fhir/CarePlan"
		body := carePlan(w.patients[0], one.tag, 2000)
		if n%2 == 0 {
			one.path = "CarePlan/" + w.bydel.herID + "-" + one.tag
			method, path = http.MethodPut, "/fhir/"+one.path
			body = strings.Replace(body, "{", `{"id":"`+strings.TrimPrefix(one.path, "CarePlan/")+`",`, 1)
		}
		one.body = body
		a, err := w.bydel.try(method, path, "application/fhir+json", []byte(body))
		if err == nil && a.status == http.StatusCreated {
			var head struct{ ID string }
			if json.Unmarshal(a.body, &head) == nil {
				one.path, one.version, one.acked = "CarePlan/"+head.ID, a.header.Get("ETag"), true
				acked.Add(1)
			}
		}
		c.mu.Lock()
		c.writes = append(c.writes, one)
		c.mu.Unlock()
		if n%3 == 0 {
			w.count(&k, acked)
		}
	}
}

// count raises the counter by one, under If-Match, unless an earlier attempt had no answer.
func (w *ward) count(k *counter, acked *atomic.Int64) {
	if k.lost > 0 {
		return
	}
	k.tried++
	id := strings.TrimPrefix(k.path, "CarePlan/")
	body := strings.Replace(carePlan(w.patients[0], "teller-"+strconv.Itoa(k.tried), 3000), "{", `{"id":"`+id+`",`, 1)
	header := []string{}
	if k.etag != "" {
		header = []string{"If-Match", k.etag}
	}
	a, err := w.bydel.try(http.MethodPut, "/fhir/"+k.path, "application/fhir+json", []byte(body), header...)
	if err != nil || a.status >= 300 {
		k.lost++
		return
	}
	k.etag, k.acked = a.header.Get("ETag"), k.tried
	k.size++
	acked.Add(1)
}

func (w *ward) dispatch(c *chaos, nin, name string, acked *atomic.Int64, stop chan struct{}) {
	for n := 0; !stopped(stop); n++ {
		m := &sent{msgID: fmt.Sprintf("m-%s-%d", name, n)}
		m.place = "Sted-" + m.msgID + "."
		m.document = admitted(m.msgID, w.hospital.herID, w.bydel.herID, nin, m.place)
		a, err := w.hospital.postMessage(m.document)
		if m.acked = err == nil && a.status == http.StatusCreated; m.acked {
			acked.Add(1)
		}
		c.mu.Lock()
		c.messages = append(c.messages, m)
		c.mu.Unlock()
	}
}

// repeat sends again what had no answer, as a sender does, and some of what had.
func (w *ward) repeat(t *testing.T, c *chaos) {
	t.Helper()
	for i, m := range c.messages {
		if m.acked && i%10 != 0 {
			continue
		}
		a, err := w.hospital.postMessage(m.document)
		if err != nil || a.status != http.StatusCreated {
			t.Fatalf("repeated message: %v, status %d: %s", err, a.status, a.body)
		}
		m.acked = true
	}
}

// checkWrites: every acknowledged write is there once, with the bytes that were sent; every other
// is there whole or not at all.
func (w *ward) checkWrites(t *testing.T, c *chaos) {
	var lost, torn, double, unanswered int
	for _, one := range c.writes {
		a := w.bydel.must(http.StatusOK, http.MethodPost, "/fhir/CarePlan/_search", url.Values{"identifier": {"urn:sluse:test|" + one.tag}})
		found, _ := entries(t, a.body)
		switch {
		case len(found) > 1:
			double++
		case len(found) == 0 && one.acked:
			lost++
			t.Errorf("lost: %s", one.path)
		case len(found) == 0:
		case !one.acked:
			unanswered++
			fallthrough
		default:
			stored := w.bydel.must(http.StatusOK, http.MethodGet, "/fhir/CarePlan/"+found[0]["id"].(string), nil)
			if one.acked && (stored.header.Get("ETag") != one.version || one.path != "CarePlan/"+found[0]["id"].(string)) {
				torn++
				t.Errorf("%s: version %s, acknowledged %s", one.path, stored.header.Get("ETag"), one.version)
			}
			if !sameContent(t, stored.body, []byte(one.body)) {
				torn++
				t.Errorf("torn: %s", one.path)
			}
		}
	}
	t.Logf("writes %d, committed without an answer %d, lost %d, torn %d, double %d", len(c.writes), unanswered, lost, torn, double)
	if lost+torn+double > 0 {
		t.Fail()
	}
}

// checkCounters: the current version is the last acknowledged one, or the one attempt after it
// that had no answer; the history holds each version once.
func (w *ward) checkCounters(t *testing.T, c *chaos) {
	for _, k := range c.counters {
		if k.size == 0 {
			continue
		}
		a := w.bydel.must(http.StatusOK, http.MethodGet, "/fhir/"+k.path, nil)
		var now struct{ Identifier []struct{ Value string } }
		if err := json.Unmarshal(a.body, &now); err != nil || len(now.Identifier) != 1 {
			t.Fatalf("%s: %v: %s", k.path, err, a.body)
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(now.Identifier[0].Value, "teller-"))
		if n != k.acked && (n != k.tried || k.lost == 0) {
			t.Errorf("%s: version %d, acknowledged %d, tried %d", k.path, n, k.acked, k.tried)
		}
		history, versions := "/fhir/"+k.path+"/_history?_count=100", 0
		for history != "" {
			page := w.bydel.must(http.StatusOK, http.MethodGet, strings.TrimPrefix(history, w.bydel.base), nil)
			var bundle struct {
				Link  []struct{ Relation, URL string }
				Entry []struct{ Resource map[string]any }
			}
			if err := json.Unmarshal(page.body, &bundle); err != nil {
				t.Fatal(err)
			}
			versions += len(bundle.Entry)
			history = ""
			for _, l := range bundle.Link {
				if l.Relation == "next" {
					history = l.URL
				}
			}
		}
		if versions != n {
			t.Errorf("%s: %d versions in the history, the current one is number %d", k.path, versions, n)
		}
	}
	t.Logf("counters %d", len(c.counters))
}

// checkMessages: each message has one AppRec in its sender's mailbox and one effect at its
// receiver, however often it was sent.
func (w *ward) checkMessages(t *testing.T, c *chaos) {
	effects, delivered, receipts := map[string]int{}, map[string]int{}, map[string]int{}
	deadline := time.Now().Add(60 * time.Second)
	for len(receipts) < len(c.messages) && time.Now().Before(deadline) {
		w.drain(t, w.hospital, func(d document) {
			if d.kind != "AppRec" || d.status != "1" {
				t.Errorf("answer to %s: %s %s: %s", d.original, d.kind, d.status, d.reason)
			}
			receipts[d.original]++
		})
		time.Sleep(50 * time.Millisecond)
	}
	w.drain(t, w.bydel, func(d document) { delivered[d.msgID]++ })
	for _, patient := range w.patients {
		w.effects(t, patient, effects)
	}
	var lost, double int
	for _, m := range c.messages {
		for what, n := range map[string]int{"AppRec": receipts[m.msgID], "mailbox": delivered[m.msgID], "record": effects[m.msgID]} {
			switch {
			case n == 0:
				lost++
				t.Errorf("%s: no %s", m.msgID, what)
			case n > 1:
				double++
				t.Errorf("%s: %d × %s", m.msgID, n, what)
			}
		}
	}
	t.Logf("messages %d, lost %d, double effects %d", len(c.messages), lost, double)
}

// effects counts the Encounters that messages about a person became.
func (w *ward) effects(t *testing.T, patient string, found map[string]int) {
	for next := "/fhir/Encounter?_count=100&patient=" + patient; next != ""; {
		a := w.bydel.must(http.StatusOK, http.MethodGet, strings.TrimPrefix(next, w.bydel.base), nil)
		var page []map[string]any
		page, next = entries(t, a.body)
		for _, o := range page {
			b, _ := json.Marshal(o)
			if i := bytes.Index(b, []byte("Sted-")); i >= 0 {
				word, _, _ := bytes.Cut(b[i:], []byte("."))
				found[strings.TrimPrefix(string(word), "Sted-")]++
			}
		}
	}
}

// sameContent compares two resources less what the server sets: id and meta.
func sameContent(t *testing.T, a, b []byte) bool {
	t.Helper()
	normal := func(body []byte) string {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("stored body: %v", err)
		}
		delete(v, "id")
		delete(v, "meta")
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return normal(a) == normal(b)
}
