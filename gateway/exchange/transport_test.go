package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// line is the way from one Sluse to another, which may break before or after a request is carried out.
type line struct {
	mu     sync.Mutex
	down   bool
	count  int // requests so far
	fail   int // number of the request that fails; 0: none
	after  bool
	broken int // requests that have failed
}

var errLine = errors.New("the line is broken")

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.count++
	down, fails := l.down, l.count == l.fail
	if down || fails {
		l.broken++
	}
	after := l.after
	l.mu.Unlock()
	if down || fails && !after {
		return nil, errLine
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && fails {
		_ = res.Body.Close()
		return nil, errLine
	}
	return res, err
}

func (l *line) set(fail int, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.fail, l.after = 0, fail, after
}

// pair is two gateways: the bydel's here, the GP's there. What is for the GP leaves by the other's message
// API, and what lies there for the bydel is fetched.
type pair struct {
	*world
	dsn     string
	there   *world
	line    *line
	carrier *exchange.Carrier
	patient fhir.Reference
}

func newPair(t testing.TB) *pair {
	t.Helper()
	dsn := postgrestest.OpenPrepared(t, "exchange", func(dsn string) error { return postgres.Migrate(context.Background(), dsn) })
	p := &pair{world: worldOn(t, dsn), dsn: dsn, there: newWorld(t), line: &line{}}
	client, err := exchange.NewClient(exchange.ClientConfig{
		Base: p.there.server.URL + "/edi", Mailboxes: []gateway.HERID{bydel}, HTTP: &http.Client{Transport: p.line},
		Authorize: func(r *http.Request, as gateway.HERID) error {
			r.Header.Set("Authorization", "Bearer "+string(as))
			return nil
		},
	})
	must(t, err)
	p.carrier = p.carry(client, gp)
	p.patient = p.world.patient(bydel)
	theirs := p.there.patient(bydel)
	for _, to := range []struct {
		w       *world
		patient fhir.Reference
	}{{p.world, p.patient}, {p.there, theirs}} {
		to.w.create(person(bydel), "Consent", consentBody("active", to.patient, "bydel", "fastlege", clinical...))
		to.w.create(person(bydel), "Consent", consentBody("active", to.patient, "fastlege", "bydel", clinical...))
	}
	return p
}

func (w *world) carry(t exchange.Transport, to ...gateway.HERID) *exchange.Carrier {
	w.t.Helper()
	c, err := exchange.NewCarrier(exchange.CarrierConfig{
		Gateway: w.gateway, Transport: t, Route: gateway.Route{Name: "test", HERIDs: to},
	})
	must(w.t, err)
	return c
}

// round lets everybody work, without an error.
func (p *pair) round() {
	p.t.Helper()
	must(p.t, p.worker.Once(context.Background()))
	must(p.t, p.carrier.Once(context.Background()))
	must(p.t, p.there.worker.Once(context.Background()))
}

// state is where the order of a Communication is.
func (w *world) state(dsn string, communication fhir.Reference) (state string) {
	w.t.Helper()
	db, err := pgx.Connect(context.Background(), dsn)
	must(w.t, err)
	defer db.Close(context.Background())
	must(w.t, db.QueryRow(context.Background(), "select state from outbox where communication = $1", string(communication.ID)).Scan(&state))
	return state
}

func (p *pair) order(text string) fhir.Reference {
	p.t.Helper()
	return p.create(person(bydel), "Communication", order(p.patient, "DIALOG_HELSEFAGLIG", "fastlege",
		`,"payload":[{"contentString":"`+text+`"}]`))
}

// TestTwoGateways: a message goes from one Sluse to another over its message API and is there once; its
// AppRec comes back and the order is accepted.
func TestTwoGateways(t *testing.T) {
	p := newPair(t)
	c := p.order("kanari-ut")
	p.round()
	if state := p.state(p.dsn, c); state != "delivered" {
		t.Fatalf("the order is %s, want delivered", state)
	}
	if status, _ := p.communication(c); status != "in-progress" {
		t.Errorf("the Communication is %s before the AppRec", status)
	}
	list, _ := p.there.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents there, want 1", len(list))
	}
	if body, _ := p.there.fetch(gp, list[0].ID); !strings.Contains(body, "kanari-ut") {
		t.Error("the document is not what was ordered")
	}
	p.round()
	if state := p.state(p.dsn, c); state != "accepted" {
		t.Errorf("the order is %s after the AppRec, want accepted", state)
	}
	if status, _ := p.communication(c); status != "completed" {
		t.Errorf("the Communication is %s after the AppRec", status)
	}
	for range 3 {
		p.round()
	}
	if list, _ := p.there.documents(gp); len(list) != 1 {
		t.Errorf("%d documents after more rounds, want 1", len(list))
	}
	if mail := p.there.list(bydel); len(mail) != 0 {
		t.Errorf("%d messages lie unread there", len(mail))
	}
}

// TestFromTheOtherGateway: what lies there for ours is received as any message, decided here, and the
// AppRec goes back as the answer to what it is called there.
func TestFromTheOtherGateway(t *testing.T) {
	p := newPair(t)
	c := p.there.create(person(gp), "Communication", order(p.there.patient(gp), "DIALOG_HELSEFAGLIG", "bydel",
		`,"payload":[{"contentString":"kanari-inn"}]`))
	must(t, p.there.worker.Once(context.Background()))
	p.round()
	list, _ := p.documents(bydel)
	if len(list) != 1 || list[0].SenderHerID != 8100010 {
		t.Fatalf("%+v, want one document from the GP", list)
	}
	if body, _ := p.fetch(bydel, list[0].ID); !strings.Contains(body, "kanari-inn") {
		t.Error("the document is not what was sent")
	}
	if status, _ := p.there.communicationOf(gp, c); status != "completed" {
		t.Errorf("the Communication there is %s after our AppRec, want completed", status)
	}
	for range 3 {
		p.round()
	}
	if list, _ := p.documents(bydel); len(list) != 1 {
		t.Errorf("%d documents after more rounds, want 1", len(list))
	}
}

// TestNoToTheOtherGateway: what no samtykke covers here does not reach ours, and the sender there learns why.
func TestNoToTheOtherGateway(t *testing.T) {
	p := newPair(t)
	ola := p.there.patientOf(gp, ola)
	p.there.create(person(bydel), "Consent", consentBody("active", p.there.patientOf(bydel, "03918537774"), "fastlege", "bydel", clinical...))
	c := p.there.create(person(gp), "Communication", order(ola, "DIALOG_HELSEFAGLIG", "bydel", `,"payload":[{"contentString":"kanari-nei"}]`))
	must(t, p.there.worker.Once(context.Background()))
	p.round()
	if list := p.list(bydel); len(list) != 0 {
		t.Errorf("%d messages reach the bydel", len(list))
	}
	status, reason := p.there.communicationOf(gp, c)
	if status != "stopped" || !strings.Contains(reason, "X99") {
		t.Errorf("%s %q there, want stopped with X99", status, reason)
	}
}

func (w *world) communicationOf(party string, r fhir.Reference) (status, reason string) {
	w.t.Helper()
	c, err := w.read(person(party), r)
	must(w.t, err)
	return c.Root().Get("status").Text(), c.Root().Get("statusReason", "text").Text()
}

// TestLineBreaksAnywhere: a request that is lost, or whose answer is, at any place of the exchange and both
// ways, leaves one effect.
func TestLineBreaksAnywhere(t *testing.T) {
	p := newPair(t)
	broken := 0
	for n := 1; n <= 8; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d,%t", n, after), func(t *testing.T) {
				text := fmt.Sprintf("kanari-%d-%t", n, after)
				c := p.order(text)
				there := p.there.create(person(gp), "Communication", order(p.there.mine(), "DIALOG_HELSEFAGLIG", "bydel",
					`,"payload":[{"contentString":"`+text+`-inn"}]`))
				p.line.set(n, after)
				for range 6 {
					must(t, errors.Join(p.worker.Once(context.Background()), p.there.worker.Once(context.Background())))
					_ = p.carrier.Once(context.Background()) // may fail once
					p.wait(time.Minute)
					p.there.wait(time.Minute)
				}
				broken += p.line.broken
				p.line.broken = 0
				if status, _ := p.communication(c); status != "completed" {
					t.Errorf("ours is %s", status)
				}
				if status, _ := p.there.communicationOf(gp, there); status != "completed" {
					t.Errorf("theirs is %s", status)
				}
				if n := p.there.holding(gp, text); n != 1 {
					t.Errorf("%d documents there, want 1", n)
				}
				if n := p.holding(bydel, text+"-inn"); n != 1 {
					t.Errorf("%d documents here, want 1", n)
				}
			})
		}
	}
	if broken < 14 {
		t.Errorf("only %d requests were broken", broken)
	}
	for _, w := range []*world{p.world, p.there} {
		if all := w.search(person(bydel), "Task"); strings.Contains(all, "msgid-reused") || strings.Contains(all, "message-refused") {
			t.Error("a Task tells of a fault that nobody made")
		}
	}
}

// mine is the GP's own Patient.
func (w *world) mine() fhir.Reference {
	w.t.Helper()
	nin, err := gateway.NewNIN(kari)
	must(w.t, err)
	var r fhir.Reference
	must(w.t, w.store.Tx(context.Background(), func(tx gateway.Tx) (err error) {
		r, err = tx.PatientOf(context.Background(), gp, nin)
		return err
	}))
	if r.ID == "" {
		r = w.patient(gp)
	}
	return r
}

// holding counts the party's unread documents with the text, and reads them.
func (w *world) holding(party, text string) (n int) {
	w.t.Helper()
	list, _ := w.documents(party)
	for _, m := range list {
		body, _ := w.fetch(party, m.ID)
		if !strings.Contains(body, text+"<") {
			continue
		}
		n++
		w.call(party, "PUT", "/edi/Messages/"+m.ID+"/read/"+party, nil)
	}
	return n
}

// TestReceiverDown: a receiver that is down gets all that was ordered once it is up, in order; the tries
// come farther and farther apart.
func TestReceiverDown(t *testing.T) {
	p := newPair(t)
	p.line.down = true
	var orders []fhir.Reference
	for i := range 5 {
		orders = append(orders, p.order(fmt.Sprintf("kanari-nummer-%d", i)))
	}
	must(t, p.worker.Once(context.Background()))
	tries := 0
	for range 100 { // ten minutes
		before := p.line.broken
		_ = p.carrier.Once(context.Background())
		tries += p.line.broken - before - 1 // one is the look at the mailbox
		p.wait(6 * time.Second)
	}
	if tries < 5 || tries > 12 {
		t.Errorf("%d tries in ten minutes, want about eight", tries)
	}
	p.line.mu.Lock()
	p.line.down = false
	p.line.mu.Unlock()
	p.wait(20 * time.Minute)
	p.round()
	p.round()
	for i, c := range orders {
		if status, _ := p.communication(c); status != "completed" {
			t.Errorf("number %d is %s", i, status)
		}
	}
	list, _ := p.there.documents(gp)
	var seen []string
	for _, m := range list {
		body, _ := p.there.fetch(gp, m.ID)
		at := strings.Index(body, "kanari-nummer-")
		seen = append(seen, body[at:at+15])
	}
	if len(seen) != 5 || !slices.IsSorted(seen) {
		t.Errorf("the receiver has %v", seen)
	}
}

// TestWithdrawnWhileDown: what was ordered, and tried, and is no longer covered when the line is up again
// does not leave.
func TestWithdrawnWhileDown(t *testing.T) {
	w := newPair(t)
	c := w.order("kanari-trukket")
	must(t, w.worker.Once(context.Background()))
	w.line.down = true
	_ = w.carrier.Once(context.Background())
	w.create(person(bydel), "Consent", strings.Replace(consentBody("active", w.patient, "bydel", "fastlege", clinical...),
		`"provision":{"type":"permit"`, `"provision":{"type":"deny"`, 1))
	w.line.down = false
	w.wait(time.Hour / 2)
	must(t, w.carrier.Once(context.Background()))
	if list := w.there.list(gp); len(list) != 0 {
		t.Errorf("%d messages left after the withdrawal", len(list))
	}
	status, reason := w.communication(c)
	if status != "stopped" || !strings.Contains(reason, "samtykke mangler") {
		t.Errorf("%s %q, want stopped and the reason", status, reason)
	}
	if state := w.state(w.dsn, c); state != "held" {
		t.Errorf("the order is %s, want held", state)
	}
	told := w.told(gp, "message-withheld") // who waits for it is told that it does not come, and nothing of it
	if len(told) != 1 || strings.Contains(string(told[0].Raw()), "kanari") || strings.Contains(string(told[0].Raw()), `"for"`) {
		t.Errorf("the receiver has %d Tasks: %s", len(told), func() (s string) {
			for _, task := range told {
				s += string(task.Raw())
			}
			return s
		}())
	}
}

// TestLaterWaitsForEarlier: what could not be sent holds back what is ordered about the same person after it.
func TestLaterWaitsForEarlier(t *testing.T) {
	p := newPair(t)
	p.order("kanari-nummer-1")
	p.order("kanari-nummer-2")
	must(t, p.worker.Once(context.Background()))
	p.line.set(2, false) // the first is the look at the mailbox
	_ = p.carrier.Once(context.Background())
	must(t, p.carrier.Once(context.Background()))
	if list := p.there.list(gp); len(list) != 0 {
		t.Errorf("%d messages have overtaken the first", len(list))
	}
	p.wait(time.Minute)
	must(t, p.carrier.Once(context.Background()))
	if list := p.there.list(gp); len(list) != 2 {
		t.Errorf("%d messages are there, want both", len(list))
	}
}

// TestNotTakenInComesAgain: what could not be made durable is neither acknowledged nor refused, and comes again.
func TestNotTakenInComesAgain(t *testing.T) {
	p := newPair(t)
	there := p.there.create(person(gp), "Communication", order(p.there.mine(), "DIALOG_HELSEFAGLIG", "bydel", note))
	must(t, p.there.worker.Once(context.Background()))
	b := newBench(t)
	b.lay("inn.xml", document(t, "medisinske-opplysninger"))
	for name, transport := range map[string]exchange.Transport{"client": p.carrier.Transport, "spool": b.spool} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			for range 2 {
				err := transport.Receive(context.Background(), func(context.Context, gateway.Arrival) error {
					taken++
					return gateway.Fault("test", gateway.Unavailable)
				})
				if err == nil {
					t.Error("the failure is not told")
				}
			}
			if taken != 2 {
				t.Errorf("it came %d times, want at every look", taken)
			}
		})
	}
	if status, _ := p.there.communicationOf(gp, there); status != "in-progress" {
		t.Errorf("the sender there is told that it is %s", status)
	}
	p.round()
	if list, _ := p.documents(bydel); len(list) != 1 {
		t.Errorf("%d documents once it can be taken in, want 1", len(list))
	}
}
