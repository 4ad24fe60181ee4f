package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
)

// synthetic is the nth number of a synthetic series (month + 80, born 1990–1999) with correct check digits.
func synthetic(n int) string {
	for serial := n; ; serial += 100_000 {
		s := fmt.Sprintf("%02d%02d%02d%03d", 1+serial%28, 81+serial/28%12, 90+serial/336%10, 100+serial/3360%400)
		sum := func(weights ...int) (total int) {
			for i, w := range weights {
				total += w * int(s[i]-'0')
			}
			return (11 - total%11) % 11
		}
		first := sum(3, 7, 6, 1, 8, 9, 4, 5, 2)
		if first == 10 {
			continue
		}
		s += string(rune('0' + first))
		if second := sum(5, 4, 3, 2, 7, 6, 5, 4, 3, 2); second != 10 {
			return s + string(rune('0'+second))
		}
	}
}

// crashing is a store that dies before a commit: the work of the transaction is done, and lost.
type crashing struct {
	gateway.Store
	left int // transactions until then; below zero: never
}

var errCrash = errors.New("killed before the commit")

func (c *crashing) Tx(ctx context.Context, fn func(gateway.Tx) error) error {
	if c.left == 0 {
		_ = c.Store.Tx(ctx, func(tx gateway.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return errCrash
		})
		return gateway.Failed("test", gateway.Internal, errCrash)
	}
	c.left--
	return c.Store.Tx(ctx, fn)
}

// dying is a process on the world's store that dies in its nth transaction.
func (w *world) dying(n int) *gateway.Gateway {
	w.t.Helper()
	c := w.gateway.Config
	c.Store = &crashing{c.Store, n}
	g, err := gateway.New(c)
	must(w.t, err)
	return g
}

// patientsAt makes a patient of both parties of a stay, with samtykke both ways.
func (w *world) patientsAt(nin string) {
	w.t.Helper()
	p := w.patientOf(bydel, nin)
	for _, from := range []string{"ous", "bydel"} {
		to := map[string]string{"ous": "bydel", "bydel": "ous"}[from]
		w.create(person(bydel), "Consent", consentBody("active", p, from, to, everything...))
	}
}

var everything = slices.Concat(clinical, []string{"familie", "arbeid", "okonomi", "bolig", "nettverk", "livskvalitet", "uklassifisert", "kriseplan", "barn", "smitte", "tannhelse"})

// conversation is what is said of one patient in one run: names are made the run's own, so that many run in one world.
type conversation struct {
	run  string
	nin  string
	says [][2]string // sender, document
	ids  []string
}

// conversationOf makes the messages with these names be about the patient; one of the documents cancels another.
func conversationOf(t testing.TB, run, nin string, names ...string) conversation {
	c := conversation{run: run, nin: nin}
	said := stayMessages(t)
	said["taken back"] = [2]string{hospice, strings.NewReplacer("<RefToParent>"+admissionID, "<RefToParent>"+reportID, "<MsgId>"+reportID, "<MsgId>back-"+reportID,
		`Forsendelsesstatus V="N"`, `Forsendelsesstatus V="C"`).Replace(said["reported"][1])}
	said["admission taken back"] = [2]string{hospice, strings.NewReplacer("<MsgId>"+admissionID, "<MsgId>back-"+admissionID,
		`Forsendelsesstatus V="N"`, `Forsendelsesstatus V="C"`, "<Sender>", "<ConversationRef><RefToParent>"+admissionID+"</RefToParent><RefToConversation>"+
			admissionID+"</RefToConversation></ConversationRef><Sender>").Replace(said["admitted"][1])}
	for _, name := range names {
		m, ok := said[name]
		if !ok {
			t.Fatalf("no message %q", name)
		}
		s := strings.ReplaceAll(m[1], kari, nin)
		for _, id := range []string{admissionID, readyID, unreadyID, dischargeID, healthID, reportID, replyID} {
			s = strings.ReplaceAll(s, id, run+"-"+id)
		}
		h, err := exchange.Translator{}.Head([]byte(s))
		must(t, err)
		c.says, c.ids = append(c.says, [2]string{m[0], s}), append(c.ids, string(h.MsgID))
	}
	return c
}

// outcome is the state that a conversation has ended in: each record of the patient with its status, each Task, and each AppRec.
func (w *world) outcome(c conversation) string {
	w.t.Helper()
	nin, err := gateway.NewNIN(c.nin)
	must(w.t, err)
	var lines []string
	for _, party := range []string{hospice, bydel} {
		for _, kind := range []string{"DocumentReference", "Communication", "Encounter", "Task", "Patient", "CarePlan"} {
			for _, e := range w.entries(party, kind, gateway.Subject{NIN: nin}) {
				if e.Get("search", "mode").Text() == "outcome" {
					continue
				}
				r := e.Get("resource")
				code := string(r.Get("code").Raw()) + string(r.Get("category").Raw()) + string(r.Get("identifier").Raw())
				lines = append(lines, strings.Join([]string{party, kind, r.Get("status").Text(), due(r), strings.NewReplacer(c.run, "", c.nin, "").Replace(code)}, " "))
			}
		}
	}
	lines = append(lines, w.appRecs(c)...)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// appRecs are what was answered, by MsgId: one for each message, or the test fails.
func (w *world) appRecs(c conversation) (lines []string) {
	w.t.Helper()
	dir, err := w.store.Directory(context.Background())
	must(w.t, err)
	for i, id := range c.ids {
		h, err := exchange.Translator{}.Head([]byte(c.says[i][1]))
		must(w.t, err)
		owner, _ := dir.Party(h.Sender.HERID)
		n, before := 0, len(lines)
		must(w.t, w.store.Tx(context.Background(), func(tx gateway.Tx) error {
			n, lines = 0, lines[:before]
			list, err := tx.Unread(context.Background(), gateway.MailQuery{Party: owner.ID, Receivers: []gateway.HERID{h.Sender.HERID}, Limit: 100_000})
			for _, e := range list {
				if !e.AppRec {
					continue
				}
				a, err := exchange.Translator{}.ReadAppRec(e.Message.Document)
				if err != nil {
					return err
				}
				if string(a.Original) == id {
					n++
					if err := tx.MarkRead(context.Background(), e.Message.ID, e.Receiver); err != nil { // so that the next list is short
						return err
					}
					lines = append(lines, fmt.Sprintf("apprec %d %d %v", i, a.Status, a.Errors))
				}
			}
			return err
		}))
		if n != 1 {
			w.t.Errorf("%d AppRecs for message %d, want 1", n, i)
		}
	}
	return lines
}

// TestAllOrdersEndInOneState: a conversation of five messages ends in the same records, Tasks and AppRecs in each of its 120 orders.
func TestAllOrdersEndInOneState(t *testing.T) {
	w := ward(t)
	names := []string{"admitted", "admission taken back", "ready", "unready", "replied"}
	first, n := "", 0
	permute(slices.Clone(names), func(order []string) {
		n++
		nin := synthetic(n)
		w.patientsAt(nin)
		run := fmt.Sprintf("r%03d", n)
		for _, m := range conversationOf(t, run, nin, order...).says {
			w.send(m[0], m[1])
		}
		got := w.outcome(conversationOf(t, run, nin, names...))
		if first == "" {
			first = got
			for _, want := range []string{"Encounter entered-in-error", "Task cancelled", "Task completed"} {
				if !strings.Contains(first, want) {
					t.Fatalf("no %s in\n%s", want, first)
				}
			}
		}
		if got != first {
			t.Fatalf("%v ends in another state:%s", order, difference(first, got))
		}
	})
	if n != 120 {
		t.Errorf("%d orders", n)
	}
}

// difference lists the lines that only one of the states has.
func difference(want, got string) (lines string) {
	count := map[string]int{}
	for _, l := range strings.Split(want, "\n") {
		count[l]++
	}
	for _, l := range strings.Split(got, "\n") {
		count[l]--
	}
	for l, n := range count {
		if n != 0 {
			lines += fmt.Sprintf("\n%+d %s", -n, l)
		}
	}
	return lines
}

func permute(list []string, visit func([]string)) {
	var place func(n int)
	place = func(n int) {
		if n == len(list) {
			visit(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			place(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	place(0)
}

// perWorld is how many schedules one world takes: what lies in its mailboxes and comes due does not make the next dearer.
const perWorld = 200

// scheduled is what the schedules deliver.
var scheduled = []string{"admitted", "admission taken back", "ready", "replied"}

// schedules runs random schedules of deliver, deliver again, in another order, and die: whatever the schedule, each message has one
// effect and one AppRec, the same as in the plain order. Every perWorld of them have a world of their own.
func schedules(t *testing.T, count int) {
	began, want := time.Now(), ""
	world := func(from int) func(*testing.T) {
		return func(t *testing.T) {
			if from > 0 {
				t.Parallel()
			}
			w := ward(t)
			plain := w.begin(from)
			for _, m := range plain.says {
				w.send(m[0], m[1])
			}
			switch end := w.outcome(plain); {
			case want == "":
				want = end
			case end != want:
				t.Fatalf("another world ends in another state:%s", difference(want, end))
			}
			last := min(perWorld, count-from)
			for done, run := 0, from; done < last; {
				rapid.Check(t, func(rt *rapid.T) {
					if done == last { // rapid knows no other number of checks
						return
					}
					run++ // also when it tries a failure again, smaller
					w.schedule(rt, w.begin(run), want)
					done++
				})
				if t.Failed() {
					return
				}
			}
		}
	}
	if !t.Run("from 0", world(0)) { // what the others must end in
		return
	}
	t.Run("more", func(t *testing.T) {
		for from := perWorld; from < count; from += perWorld {
			t.Run(fmt.Sprintf("from %d", from), world(from))
		}
	})
	took := time.Since(began)
	t.Logf("%d schedules, %.1f a second", count, float64(count)/took.Seconds())
}

// begin makes the patient and the messages of one run.
func (w *world) begin(run int) conversation {
	c := conversationOf(w.t, fmt.Sprintf("s%06d", run), synthetic(run), scheduled...)
	w.patientsAt(c.nin)
	return c
}

// schedule delivers a conversation at random, and asserts how it ends.
func (w *world) schedule(rt *rapid.T, c conversation, want string) {
	done := map[int]bool{}
	for range rapid.IntRange(4, 10).Draw(rt, "deliveries") {
		i := rapid.IntRange(0, len(scheduled)-1).Draw(rt, "message")
		g := w.dying(rapid.IntRange(-1, 2).Draw(rt, "dies"))
		_, err := g.Receive(context.Background(), machine(c.says[i][0]), gateway.Submission{Document: []byte(c.says[i][1])}, exchange.Translator{})
		done[i] = done[i] || err == nil
	}
	for i, m := range c.says { // who got no answer sends anew
		if !done[i] {
			w.send(m[0], m[1])
		}
	}
	w.wait(time.Minute)
	w.once()
	if got := w.outcome(c); got != want {
		rt.Fatalf("it ends in another state:%s", difference(want, got))
	}
	w.empty()
}

// empty takes what lies unread off the lists.
func (w *world) empty() {
	w.t.Helper()
	must(w.t, w.store.Tx(context.Background(), func(tx gateway.Tx) error {
		for _, party := range []gateway.HERID{hospice, bydel} {
			list, err := tx.Unread(context.Background(), gateway.MailQuery{
				Party: party, Receivers: []gateway.HERID{hospice, "8100031", bydel, "8100021", "8100022"}, Limit: 1000,
			})
			if err != nil {
				return err
			}
			for _, e := range list {
				if err := tx.MarkRead(context.Background(), e.Message.ID, e.Receiver); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// TestSchedules is a few hundred of them.
func TestSchedules(t *testing.T) { schedules(t, 200) }
