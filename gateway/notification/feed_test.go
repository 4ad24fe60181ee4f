package notification_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
)

// erratic fails, and is killed after sending, at random.
type erratic struct {
	gateway.Courier
	mu     sync.Mutex
	random *rand.Rand
	killed atomic.Int32
	failed atomic.Int32
}

func (e *erratic) chance() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.random.Float64()
}

func (e *erratic) Carry(ctx context.Context, n gateway.Notification) error {
	if e.chance() < 0.1 {
		e.failed.Add(1)
		return &gateway.Undelivered{Reason: "Prøve."}
	}
	err := e.Courier.Carry(ctx, n)
	if e.chance() < 0.1 {
		e.killed.Add(1)
		runtime.Goexit()
	}
	return err
}

// Eight writers at once, some of whose transactions fail, three deliverers that are killed and a
// receiver that fails: every change has one number, no number is missing, and none has two meanings.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Notices.Tries, w.Notices.Backoff, w.Notices.Longest = 1000, time.Millisecond, time.Second
	patient := w.patientOf(at(bydel), kari)
	sub := w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", `,"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-max-count","valuePositiveInt":7}]`))
	seed := uint64(time.Now().UnixNano()) //nolint:forbidigo // printed
	t.Logf("seed %d", seed)
	e := &erratic{Courier: w.courier, random: rand.New(rand.NewPCG(seed, 1))}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var delivering, writing sync.WaitGroup
	for range 3 {
		delivering.Go(func() {
			for ctx.Err() == nil {
				var once sync.WaitGroup
				worked := false
				once.Go(func() { worked, _ = w.NotifyOnce(ctx, e) }) // a kill ends this goroutine
				once.Wait()
				if !worked {
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	delivering.Go(func() {
		for ctx.Err() == nil {
			w.forward(500 * time.Millisecond)
			time.Sleep(5 * time.Millisecond)
		}
	})
	const writers, each = 8, 20
	written := make([][]string, writers)
	for i := range writers {
		writing.Go(func() {
			for n := range each {
				r := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
				written[i] = append(written[i], r.String())
				if n%5 == 0 { // one that leaves nothing
					if _, err := w.do(at(bydel), gateway.Update, task("finnes-ikke", patient, bydel, "requested")); err == nil {
						t.Error("an update of what is not there")
					}
				}
			}
		})
	}
	writing.Wait()
	want := slices.Concat(written...)
	focus := map[int]string{}
	deadline := time.Now().Add(60 * time.Second) //nolint:forbidigo // of the test
	for len(focus) < len(want) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		for _, r := range w.receiver.take() {
			got := readNotification(t, r.body)
			if len(got.numbers) > 7 {
				t.Fatalf("%d events in one notification", len(got.numbers))
			}
			for _, n := range got.numbers {
				if was := focus[n]; was != "" && was != got.focus[n] {
					t.Fatalf("number %d is %s and %s", n, was, got.focus[n])
				}
				focus[n] = got.focus[n]
			}
		}
	}
	cancel()
	delivering.Wait()
	var told []string
	for n := 1; n <= len(focus); n++ {
		told = append(told, focus[n])
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) || slices.Contains(told, "") {
		t.Fatalf("%s: told of %d, written %d", sub, len(told), len(want))
	}
	t.Logf("%d changes, %d failures, %d kills", len(want), e.failed.Load(), e.killed.Load())
}

// A transaction that commits late is not passed by one that began after it.
func TestLateCommitIsNotPassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	patient := w.patientOf(at(bydel), kari)
	slow := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	early := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.settled()
	late, err := w.conn.Begin(ctx)
	must(t, err)
	_, err = late.Exec(ctx, "update resource set version = 'sent', vkey = nextval('version_key') where type = 'Task' and id = $1", string(slow.ID))
	must(t, err)
	quick := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	for range 5 {
		_, err := w.NotifyOnce(ctx, w.courier)
		must(t, err)
	}
	if got := w.receiver.take(); len(got) != 1 || readNotification(t, got[0].body).focus[1] != early.String() || strings.Contains(got[0].body, string(quick.ID)) {
		t.Fatalf("told of a change that an open transaction comes before: %+v", got)
	}
	must(t, late.Commit(ctx))
	got := w.one()
	if got.focus[2] != slow.String() || got.focus[3] != quick.String() || got.since != "3" {
		t.Fatalf("%+v", got)
	}
}

// What was committed between the oldest open transaction and the subscription is not told of.
func TestBeginsWhenItBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	patient := w.patientOf(at(bydel), kari)
	slow := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	open, err := w.conn.Begin(ctx)
	must(t, err)
	_, err = open.Exec(ctx, "update resource set version = 'sent', vkey = nextval('version_key') where type = 'Task' and id = $1", string(slow.ID))
	must(t, err)
	w.mustPost(at(bydel), task("", patient, bydel, "requested")) // after the open one began, before the subscription
	w.mustPost(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	must(t, open.Commit(ctx))
	all := w.told()
	if len(all) != 2 || all[0].kind != "handshake" || !slices.Equal(all[1].numbers, []int{1}) || all[1].focus[1] != slow.String() {
		t.Fatalf("%+v", all)
	}
}

// Only the types that can be subscribed to cost anything, and what nobody waits for goes.
func TestFeedIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	patient := w.patientOf(at(bydel), kari)
	count := func() (n int) {
		must(t, w.conn.QueryRow(ctx, "select count(*) from change").Scan(&n))
		return n
	}
	if n := count(); n != 0 {
		t.Fatalf("%d changes of a Patient and organisations", n)
	}
	w.mustPost(at(bydel), plan(patient))
	w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.settled()
	w.forward(48 * time.Hour)
	n, err := w.ForgetChanges(ctx, 24*time.Hour, 100)
	must(t, err)
	if n != 1 || count() != 1 {
		t.Fatalf("%d forgotten, %d left: the one that is waited for must stay", n, count())
	}
	w.one()
	if n, err = w.ForgetChanges(ctx, 24*time.Hour, 100); err != nil || n != 1 {
		t.Fatalf("%d forgotten: %v", n, err)
	}
}

// A subscription that is in error does not keep changes for ever: it is off, and begins anew.
func TestLongErrorIsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	w.receiver.answer(500)
	sub := w.mustPost(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	w.work()
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.settled()
	w.forward(29 * 24 * time.Hour)
	if n, err := w.ForgetChanges(context.Background(), time.Hour, 100); err != nil || n != 0 || w.statusOf(at(bydel), sub) != "error" {
		t.Fatalf("%d forgotten: %v", n, err)
	}
	w.forward(2 * 24 * time.Hour)
	if n, err := w.ForgetChanges(context.Background(), time.Hour, 100); err != nil || n != 1 || w.statusOf(at(bydel), sub) != "off" {
		t.Fatalf("%d forgotten: %v", n, err)
	}
}
