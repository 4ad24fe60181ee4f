package notification_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// Own records: handshake, numbers from one, the topic and the filter.
func TestEventsOfOwnRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	before := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	sub := w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	w.silent() // what was written before is not told of
	one := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.mustPost(at(bydel), plan(patient)) // another topic
	two := w.mustPost(at(bydel), task("", patient, gp, "requested"))
	w.mustPut(at(bydel), task(string(before.ID), patient, bydel, "accepted"))
	got := w.one()
	if got.kind != "event-notification" || got.since != "3" || !slices.Equal(got.numbers, []int{1, 2, 3}) || got.topic != gateway.TaskTopic {
		t.Fatalf("%+v", got)
	}
	if got.focus[1] != one.String() || got.focus[2] != two.String() || got.focus[3] != before.String() {
		t.Fatalf("%+v", got.focus)
	}
	if body := got.resources[one.String()]; body != "" {
		t.Fatalf("id-only carries a resource: %s", body)
	}
	w.delete(at(bydel), one)
	if got = w.one(); got.since != "4" || got.focus[4] != one.String() {
		t.Fatalf("%+v", got)
	}
	w.silent()
	if s := w.statusOf(at(bydel), sub); s != "active" {
		t.Fatal(s)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", "",
		"Task?status=requested,accepted&owner="+organization(bydel), "Task?patient="+patient.String()))
	w.mustPost(at(bydel), task("", other, bydel, "requested"))
	w.mustPost(at(bydel), task("", patient, gp, "requested"))
	w.mustPost(at(bydel), task("", patient, bydel, "completed"))
	w.silent()
	want := w.mustPost(at(bydel), task("", patient, bydel, "accepted"))
	if got := w.one(); got.since != "1" || got.focus[1] != want.String() {
		t.Fatalf("%+v", got)
	}
}

func TestReferralToMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(ous), kari)
	w.mustPost(at(ous), consentOf(patient, "active", nil, []string{"henvisning", "samarbeid"}, bydel))
	w.subscribed(unattested(bydel), w.hook("henvisning-til-meg", "id-only", ""))
	referral := func(performer gateway.HERID) fhir.Reference {
		return w.mustPost(at(ous), `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"`+patient.String()+`"},
			"performer":[{"reference":"`+organization(performer)+`"}],"authoredOn":"2026-11-01"}`)
	}
	referral(gp)
	w.silent()
	mine := referral(bydel)
	if got := w.one(); got.focus[1] != mine.String() {
		t.Fatalf("%+v", got)
	}
	about := w.mustPost(at(ous), `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"`+patient.String()+`"},
		"focus":{"reference":"`+mine.String()+`"},"owner":{"reference":"`+organization(bydel)+`"},"authoredOn":"2026-11-01"}`)
	if got := w.one(); got.focus[2] != about.String() {
		t.Fatalf("%+v", got)
	}
}

// What another party keeps is told of only under a samtykke, and what is hidden leaves no gap.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, his := w.patientOf(at(ous), kari), w.patientOf(at(ous), ola)
	w.patientOf(at(bydel), kari)
	consent := w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	w.subscribed(at(bydel), w.hook("plan-endret", "full-resource", ""))
	hidden := func() { // another person, and a plan with a label that is not covered
		w.mustPost(at(ous), plan(his))
		w.mustPost(at(ous), strings.Replace(plan(hers), `"status"`, `"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"psykisk"}]},"status"`, 1))
	}
	hidden()
	first := w.mustPost(at(ous), plan(hers))
	hidden()
	second := w.mustPost(at(ous), plan(hers))
	hidden()
	got := w.one()
	if got.since != "2" || !slices.Equal(got.numbers, []int{1, 2}) || got.focus[1] != first.String() || got.focus[2] != second.String() || len(got.resources) != 2 {
		t.Fatalf("%+v", got)
	}
	if body := got.resources[first.String()]; !strings.Contains(body, "kanari-plan") || !strings.Contains(body, "SUBSETTED") {
		t.Fatalf("the resource as a crossing reads it: %s", body)
	}
	hidden()
	w.silent()
	w.mustPut(at(ous), withID(consentOf(hers, "inactive", nil, []string{"samarbeid", "plan"}, bydel), consent))
	w.mustPost(at(ous), plan(hers))
	w.silent() // withdrawn
	w.mustPut(at(ous), withID(consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel), consent))
	third := w.mustPost(at(ous), plan(hers))
	if got = w.one(); got.since != "3" || !slices.Equal(got.numbers, []int{3}) || got.focus[3] != third.String() {
		t.Fatalf("what was not told of has left a gap: %+v", got)
	}
	log := w.ledger(at(ous))
	if n := strings.Count(log, `"code":"notify"`); n != 2 {
		t.Fatalf("%d notifications in the ledger of the custodian, want 2: %s", n, log)
	}
}

func (w *world) ledger(a gateway.Actor) string {
	w.t.Helper()
	out, err := w.Do(context.Background(), a, gateway.Interaction{
		Code: gateway.Find, Target: fhir.Reference{Type: "AuditEvent"},
		Search: gateway.Search{Count: 100, Base: base, Self: base, Sort: gateway.Sort{Descending: true}},
	})
	must(w.t, err)
	return bodyOf(out.Release)
}

// A notification and a read are asked for apart: the resource follows only where both are allowed.
func TestFullOnlyWhereReadIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	w.mustPost(at(ous), consentOf(hers, "active", []string{"disclose"}, []string{"samarbeid", "plan"}, bydel)) // message and notify
	w.subscribed(at(bydel), w.hook("plan-endret", "full-resource", ""))
	p := w.mustPost(at(ous), plan(hers))
	got := w.one()
	if got.focus[1] != p.String() || got.resources[p.String()] != "" {
		t.Fatalf("%+v", got)
	}
	his := w.patientOf(at(ous), ola)
	w.mustPost(at(ous), consentOf(his, "active", []string{"access"}, []string{"samarbeid", "plan"}, bydel)) // read alone
	w.mustPost(at(ous), plan(his))
	w.silent()
}

// A token without a care relationship is told that something changed, and gets no content.
func TestUnattestedGetsNoContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	w.subscribed(unattested(bydel), w.hook("plan-endret", "full-resource", ""))
	p := w.mustPost(at(ous), plan(hers))
	if got := w.one(); got.focus[1] != p.String() || got.resources[p.String()] != "" {
		t.Fatalf("%+v", got)
	}
}

// A token that is bound to one patient makes a subscription that is.
func TestBoundToOnePatient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, his := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	bound := at(bydel)
	nin, err := gateway.NewNIN(kari)
	must(t, err)
	bound.Attest = gateway.Attest{NIN: nin}
	r := w.mustPost(bound, w.hook("oppgave-endret", "id-only", ""))
	w.one()
	w.mustPost(at(bydel), task("", his, bydel, "requested"))
	w.silent()
	w.mustPost(at(bydel), task("", hers, bydel, "requested"))
	if got := w.one(); got.since != "1" {
		t.Fatalf("%s: %+v", r, got)
	}
}

// The one who registers a samtykke does not thereby learn of another custodian's records.
func TestRegistrarGainsNoNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, own := w.patientOf(at(ous), kari), w.patientOf(at(bydel), kari)
	body := strings.Replace(consentOf(own, "active", nil, []string{"samarbeid", "plan"}, bydel), `"actor":[`,
		`"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"`+organization(ous)+`"}},`, 1)
	w.mustPost(at(bydel), body)
	w.subscribed(at(bydel), w.hook("plan-endret", "id-only", ""))
	w.mustPost(at(ous), plan(hers))
	w.silent()
}

// A samtykke that ends is told to its own custodian, and to whom it named by reference alone.
func TestWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	own := w.patientOf(at(bydel), kari)
	w.patientOf(at(gp), kari)
	c := w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	w.subscribed(at(ous), w.hook("samtykke-trukket", "full-resource", ""))
	w.subscribed(at(bydel), w.hook("samtykke-trukket", "full-resource", ""))
	w.subscribed(at(gp), w.hook("samtykke-trukket", "full-resource", ""))
	w.mustPut(at(ous), withID(consentOf(hers, "active", nil, []string{"samarbeid"}, bydel), c)) // narrowed, not withdrawn
	w.silent()
	w.mustPut(at(ous), withID(consentOf(hers, "inactive", nil, []string{"samarbeid"}, bydel), c))
	all := w.told()
	if len(all) != 2 {
		t.Fatalf("told %d, want custodian and recipient: %+v", len(all), all)
	}
	full, named := 0, 0
	for _, got := range all {
		if got.focus[1] != c.String() {
			t.Fatalf("%+v", got)
		}
		switch {
		case got.resources[c.String()] != "":
			full++
		case got.also[1] == own.String():
			named++
		}
	}
	if full != 1 || named != 1 {
		t.Fatalf("%+v", all)
	}
}

// A token that is bound to one patient learns nothing of what the party was told about another.
func TestBoundTokenAndWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	own, other := w.patientOf(at(bydel), kari), w.patientOf(at(bydel), ola)
	c := w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"plan"}, bydel))
	sub := w.subscribed(at(bydel), w.hook("samtykke-trukket", "id-only", ""))
	w.mustPut(at(ous), withID(consentOf(hers, "inactive", nil, []string{"plan"}, bydel), c))
	if got := w.one(); got.also[1] != own.String() {
		t.Fatalf("%+v", got)
	}
	events := func(nin string) string {
		n, err := gateway.NewNIN(nin)
		must(t, err)
		bound := at(bydel)
		bound.Attest = gateway.Attest{NIN: n}
		out, err := w.SubscriptionEvents(context.Background(), bound, gateway.EventsAsked{ID: sub.ID})
		must(t, err)
		return bodyOf(out)
	}
	body := events(ola)
	for _, hidden := range []fhir.Reference{c, own, other} {
		if strings.Contains(body, string(hidden.ID)) {
			t.Errorf("LEAK: a token for another tells of %s: %s", hidden, body)
		}
	}
	if body = events(kari); !strings.Contains(body, own.String()) || !strings.Contains(body, c.String()) {
		t.Errorf("a token for her tells nothing: %s", body)
	}
}

// The ledger names the version whose bytes left, which may be later than the event.
func TestLedgerNamesWhatWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	w.subscribed(at(bydel), w.hook("plan-endret", "full-resource", ""))
	w.subscribed(at(ous), w.hook("plan-endret", "id-only", ""))
	first, err := w.do(at(ous), gateway.Create, plan(hers))
	must(t, err)
	p := fhir.Reference{Type: "CarePlan", ID: first.Location.ID}
	second, err := w.do(at(ous), gateway.Update, withID(strings.Replace(plan(hers), "kanari-plan", "kanari-senere", 1), p))
	must(t, err)
	number := map[string]string{first.Version: "1", second.Version: "2"}
	for _, got := range w.told() {
		if body := got.resources[p.String()]; body != "" && !strings.Contains(body, "kanari-senere") {
			t.Fatalf("not as it is now: %s", body)
		}
	}
	var entry struct {
		Entry []struct {
			Resource struct {
				Subtype []struct{ Code string }
				Entity  []struct{ What struct{ Reference string } }
			}
		}
	}
	must(t, json.Unmarshal([]byte(w.ledger(at(ous))), &entry))
	var versions []string // that each entry names
	for _, e := range entry.Entry {
		if len(e.Resource.Subtype) == 0 || e.Resource.Subtype[0].Code != "notify" {
			continue
		}
		var named []string
		for _, n := range e.Resource.Entity {
			if _, v, ok := strings.Cut(n.What.Reference, p.String()+"/_history/"); ok {
				named = append(named, number[v])
			}
		}
		slices.Sort(named)
		versions = append(versions, strings.Join(named, " "))
	}
	if slices.Sort(versions); !slices.Equal(versions, []string{"1 2", "2 2"}) {
		t.Fatalf("the ledger names %v, want versions 1 and 2 of what was told, and 2 of what was sent, twice", versions)
	}
}

// killed sends and never comes back, as a process that is killed between the two.
type killed struct{ gateway.Courier }

func (k killed) Carry(ctx context.Context, n gateway.Notification) error {
	_ = k.Courier.Carry(ctx, n)
	runtime.Goexit()
	return nil
}

func (w *world) killAfterSending() {
	w.settled()
	var done sync.WaitGroup
	done.Go(func() { _, _ = w.NotifyOnce(context.Background(), killed{w.courier}) })
	done.Wait()
}

func TestKilledBetweenSendAndCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	one := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.killAfterSending()
	first := readNotification(t, w.receiver.take()[0].body)
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.silent() // the delivery under way is another's until its time is out
	w.forward(time.Minute)
	all := w.told()
	if len(all) != 2 || !slices.Equal(all[0].numbers, []int{1}) || all[0].focus[1] != one.String() || !slices.Equal(first.numbers, all[0].numbers) {
		t.Fatalf("sent first: %+v, then %+v", first, all)
	}
	if !slices.Equal(all[1].numbers, []int{2}) {
		t.Fatalf("%+v", all[1])
	}
	w.silent()
}

// What may no longer be told of when it is sent again keeps its number and nothing else.
func TestWithdrawnBeforeItIsSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.patientOf(at(ous), kari)
	c := w.mustPost(at(ous), consentOf(hers, "active", nil, []string{"samarbeid", "plan"}, bydel))
	sub := w.subscribed(at(bydel), w.hook("plan-endret", "full-resource", ""))
	p := w.mustPost(at(ous), plan(hers))
	w.receiver.answer(503)
	w.work()
	if got := w.receiver.take(); len(got) != 1 || !strings.Contains(got[0].body, "kanari-plan") {
		t.Fatalf("%+v", got)
	}
	w.mustPut(at(ous), withID(consentOf(hers, "inactive", nil, []string{"samarbeid", "plan"}, bydel), c))
	w.receiver.answer(200)
	w.forward(time.Minute)
	w.work()
	got := w.receiver.take()
	if len(got) != 1 || strings.Contains(got[0].body, string(p.ID)) || strings.Contains(got[0].body, "kanari") {
		t.Fatalf("LEAK: %+v", got)
	}
	if n := readNotification(t, got[0].body); !slices.Equal(n.numbers, []int{1}) || len(n.focus) > 0 {
		t.Fatalf("%+v", n)
	}
	events, err := w.SubscriptionEvents(context.Background(), at(bydel), gateway.EventsAsked{ID: sub.ID})
	must(t, err)
	if body := bodyOf(events); strings.Contains(body, string(p.ID)) || !strings.Contains(body, `"event-number","valueString":"1"`) {
		t.Fatalf("LEAK through $events: %s", body)
	}
}

func TestReceiverFailsAndResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	body := w.hook("oppgave-endret", "id-only", `,"header":["Authorization: Bearer hemmelig-kanari"]`)
	sub := w.subscribed(at(bydel), body)
	w.receiver.answer(500)
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	for range 2 {
		w.work()
		if n := len(w.receiver.take()); n != 1 {
			t.Fatalf("%d tries at once", n)
		}
		w.work()
		if n := len(w.receiver.take()); n != 0 {
			t.Fatal("tried again without a pause")
		}
		w.forward(time.Minute)
	}
	if s := w.statusOf(at(bydel), sub); s != "active" {
		t.Fatalf("%s after two failures of three", s)
	}
	w.work()
	if s := w.statusOf(at(bydel), sub); s != "error" {
		t.Fatalf("%s after three failures", s)
	}
	if stored := w.read(at(bydel), sub); !strings.Contains(stored, "HTTP 500") {
		t.Fatalf("the reason is not told: %s", stored)
	}
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.receiver.take()
	w.forward(time.Hour)
	w.silent()
	w.receiver.answer(200)
	w.mustPut(at(bydel), strings.Replace(withID(w.hook("oppgave-endret", "id-only", ""), sub), `"payload"`, `"payload"`, 1))
	w.work()
	got := w.receiver.take()
	if len(got) != 3 {
		t.Fatalf("%d, want handshake, what failed, and what came meanwhile", len(got))
	}
	for i, kind := range []string{"handshake", "event-notification", "event-notification"} {
		n := readNotification(t, got[i].body)
		if n.kind != kind || i > 0 && !slices.Equal(n.numbers, []int{i}) {
			t.Fatalf("%d: %+v", i, n)
		}
		if got[i].header.Get("Authorization") != "Bearer hemmelig-kanari" {
			t.Fatal("the header that was kept is not sent")
		}
	}
}

func TestHandshakeFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receiver.answer(404)
	sub := w.mustPost(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	w.work()
	if s := w.statusOf(at(bydel), sub); s != "error" {
		t.Fatal(s)
	}
	if n := len(w.receiver.take()); n != 1 {
		t.Fatalf("%d handshakes", n)
	}
}

// A redirect is an answer like any other that is not 2xx: nobody goes where it points.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := newReceiver(t)
	w.receiver.location = elsewhere.URL + "/hemmelig"
	w.receiver.answer(307)
	sub := w.mustPost(at(bydel), w.hook("oppgave-endret", "id-only", `,"header":["X-Key: hemmelig-kanari"]`))
	w.work()
	if n := len(elsewhere.take()); n != 0 {
		t.Fatal("LEAK: the redirect was followed")
	}
	if s := w.statusOf(at(bydel), sub); s != "error" {
		t.Fatal(s)
	}
}

func TestHeartbeatEndAndOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	beat := `,"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period","valueUnsignedInt":60}]`
	body := strings.Replace(w.hook("oppgave-endret", "empty", beat), `"reason"`, `"end":"2026-11-02T12:00:00Z","reason"`, 1)
	sub := w.subscribed(at(bydel), body)
	w.silent()
	w.forward(61 * time.Second)
	if got := w.one(); got.kind != "heartbeat" || got.since != "0" {
		t.Fatalf("%+v", got)
	}
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	if got := w.one(); len(got.numbers) != 1 || len(got.focus) > 0 || len(got.resources) > 0 {
		t.Fatalf("empty holds something: %+v", got)
	}
	w.mustPut(at(bydel), strings.Replace(withID(body, sub), `"requested"`, `"off"`, 1))
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.silent()
	w.mustPut(at(bydel), withID(body, sub)) // begins anew: what came meanwhile is not told of
	if got := w.one(); got.kind != "handshake" || got.since != "1" {
		t.Fatalf("%+v", got)
	}
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	if got := w.one(); !slices.Equal(got.numbers, []int{2}) {
		t.Fatalf("%+v", got)
	}
	w.forward(3 * time.Hour)
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.silent()
	if s := w.statusOf(at(bydel), sub); s != "off" {
		t.Fatalf("%s after its end", s)
	}
}

// Nobody reads a secret again: not by read, version, history or search, nor in the database.
func TestSecretsAreNotReadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "hemmelig-kanari-8831"
	out, err := w.do(at(bydel), gateway.Create, w.hook("oppgave-endret", "id-only", `,"header":["Authorization: Bearer `+secret+`"],"_header":[{"extension":[{"url":"http://sluse.test/x","valueString":"`+secret+`"}]}]`))
	must(t, err)
	w.work()
	if got := w.receiver.take(); len(got) != 1 || got[0].header.Get("Authorization") != "Bearer "+secret {
		t.Fatalf("%+v", got)
	}
	target := fhir.Reference{Type: "Subscription", ID: out.Location.ID}
	seen := bodyOf(out.Release) + w.read(at(bydel), target) + w.ledger(at(bydel))
	for _, in := range []gateway.Interaction{
		{Code: gateway.History, Target: target, Search: gateway.Search{Count: 50, Base: base, Self: base}},
		{Code: gateway.Find, Target: fhir.Reference{Type: "Subscription"}, Search: gateway.Search{Count: 50, Base: base, Self: base}},
		{Code: gateway.VRead, Target: out.Location},
	} {
		got, err := w.Do(context.Background(), at(bydel), in)
		must(t, err)
		if got.Release.Len() < 200 {
			t.Fatalf("%s finds nothing", in.Code)
		}
		seen += bodyOf(got.Release)
	}
	status, err := w.SubscriptionStatus(context.Background(), at(bydel), nil, nil, base)
	must(t, err)
	if seen += bodyOf(status); strings.Contains(seen, secret) || strings.Contains(seen, `"header"`) {
		t.Fatal("LEAK: the secret is readable")
	}
	for _, table := range []string{"subscription", "resource", "history", "ledger", "change"} {
		var rows string
		must(t, w.conn.QueryRow(context.Background(), "select coalesce(string_agg(x::text, ' '), '') from "+table+" x").Scan(&rows))
		if rows != "" && (strings.Contains(rows, secret) || strings.Contains(rows, fmt.Sprintf("%x", secret))) {
			t.Fatalf("LEAK: table %s has the secret", table)
		}
	}
}

// Another party's subscription is absent, and so is one that does not exist.
func TestSubscriptionIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sub := w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	for _, id := range []fhir.ID{sub.ID, "finnes-ikke"} {
		for _, a := range []gateway.Actor{at(gp), operator} {
			_, err := w.SubscriptionStatus(context.Background(), a, []fhir.ID{id}, nil, base)
			if gateway.CodeOf(err) != gateway.NotFound {
				t.Fatalf("$status of %s: %v", id, err)
			}
			_, err = w.SubscriptionEvents(context.Background(), a, gateway.EventsAsked{ID: id})
			if gateway.CodeOf(err) != gateway.NotFound {
				t.Fatalf("$events of %s: %v", id, err)
			}
		}
	}
	all, err := w.SubscriptionStatus(context.Background(), at(gp), nil, nil, base)
	if err != nil || strings.Contains(bodyOf(all), string(sub.ID)) {
		t.Fatalf("%v %s", err, bodyOf(all))
	}
}

func TestStatusAndEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	sub := w.subscribed(at(bydel), w.hook("oppgave-endret", "id-only", ""))
	var tasks []fhir.Reference
	for range 4 {
		tasks = append(tasks, w.mustPost(at(bydel), task("", patient, bydel, "requested")))
	}
	w.one()
	status, err := w.SubscriptionStatus(context.Background(), at(bydel), []fhir.ID{sub.ID}, nil, base)
	must(t, err)
	if body := bodyOf(status); !strings.Contains(body, `"valueString":"4"`) || !strings.Contains(body, `"query-status"`) || !strings.Contains(body, `"active"`) {
		t.Fatal(body)
	}
	events, err := w.SubscriptionEvents(context.Background(), at(bydel), gateway.EventsAsked{ID: sub.ID, From: 2, To: 3, Content: gateway.PayloadFull})
	must(t, err)
	got := readNotification(t, bodyOf(events))
	if got.kind != "query-event" || !slices.Equal(got.numbers, []int{2, 3}) || got.focus[2] != tasks[1].String() || !strings.Contains(got.resources[tasks[2].String()], "kanari-oppgave") {
		t.Fatalf("%+v", got)
	}
}

// An R4 Subscription: the criteria is a query; with a payload the resource is put, without one an
// empty request is posted.
func TestQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patient := w.patientOf(at(bydel), kari)
	plain := func(payload string) string {
		return `{"resourceType":"Subscription","status":"requested","reason":"Prøve","criteria":"Task?status=requested",
		"channel":{"type":"rest-hook","endpoint":"` + w.receiver.URL + `/varsel/inn"` + payload + `}}`
	}
	w.mustPost(at(bydel), plain(""))
	w.work()
	w.mustPost(at(bydel), task("", patient, bydel, "completed"))
	w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.work()
	for i, got := range w.receiver.take() {
		if got.method != "POST" || got.body != "" || got.path != "/varsel/inn" || i > 1 {
			t.Fatalf("%d %+v", i, got)
		}
	}
	w.mustPost(at(bydel), plain(`,"payload":"application/fhir+json"`))
	w.work()
	w.receiver.take()
	r := w.mustPost(at(bydel), task("", patient, bydel, "requested"))
	w.work()
	got := w.receiver.take()
	at := slices.IndexFunc(got, func(r received) bool { return r.method == "PUT" })
	if len(got) != 2 || at < 0 || got[at].path != "/varsel/inn/"+r.String() || !strings.Contains(got[at].body, "kanari-oppgave") {
		t.Fatalf("%+v", got)
	}
}
