package exchange_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	admissionID = "11111111-aaaa-4111-8111-111111111111"
	readyID     = "22222222-aaaa-4222-8222-222222222222"
	unreadyID   = "70000000-aaaa-4001-8000-000000000001"
	dischargeID = "70000000-aaaa-4002-8000-000000000002"
	healthID    = "70000000-aaaa-4006-8000-000000000006"
	reportID    = "70000000-aaaa-4008-8000-000000000008"
	deathID     = "70000000-aaaa-4004-8000-000000000004"
	replyID     = "70000000-aaaa-4021-8000-000000000021"
)

// entries are what a person at the party finds of a type.
func (w *world) entries(party, kind string, subject gateway.Subject) []*fhir.Value {
	w.t.Helper()
	out, err := w.gateway.Do(context.Background(), person(party), gateway.Interaction{
		Code: gateway.Find, Target: fhir.Reference{Type: fhir.Type(kind)},
		Search: gateway.Search{Subject: subject, Count: 200, Self: "/fhir/" + kind, Base: "http://sluse.test/fhir", Canonical: kind},
	})
	must(w.t, err)
	var b strings.Builder
	_, err = out.Release.WriteTo(&b)
	must(w.t, err)
	res, err := gateway.ParseAuthored([]byte(b.String()))
	must(w.t, err)
	return res.Root().Get("entry").Items()
}

// told are the Tasks of a party with that code, from the first to be due.
func (w *world) told(party, code string) (list []*fhir.Value) {
	w.t.Helper()
	for _, e := range w.entries(party, "Task", gateway.Subject{}) {
		for _, c := range e.Get("resource", "code", "coding").Items() {
			if c.Get("code").Text() == code {
				list = append(list, e.Get("resource"))
			}
		}
	}
	slices.SortFunc(list, func(a, b *fhir.Value) int { return strings.Compare(due(a), due(b)) })
	return list
}

func due(task *fhir.Value) string { return task.Get("restriction", "period", "end").Text() }

// duty asserts the states of the Tasks with that code at a party, in the order in which they are due.
func (w *world) duty(party, code string, states ...string) {
	w.t.Helper()
	var got []string
	for _, task := range w.told(party, code) {
		got = append(got, task.Get("status").Text())
	}
	if !slices.Equal(got, states) {
		w.t.Errorf("%s at %s: %v, want %v", code, party, got, states)
	}
}

// ward is a world where OUS and the bydel may send each other what a stay brings about.
func ward(t testing.TB) *world {
	w := newWorld(t)
	w.stay()
	return w
}

func (w *world) stay() {
	w.t.Helper()
	for her, name := range map[string]string{"8100031": "Avdeling", "8100022": "Hjemmesykepleie"} {
		owner := "bydel"
		if her == "8100031" {
			owner = "ous"
		}
		w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/`+owner+`"},
		  "name":"`+name+`","identifier":[{"system":"`+fhir.SystemHER+`","value":"`+her+`"}]}`)
	}
	p := w.patient(bydel)
	all := slices.Concat(clinical, []string{"familie", "arbeid", "okonomi", "bolig", "nettverk", "livskvalitet", "uklassifisert", "kriseplan", "barn", "smitte", "tannhelse"})
	for _, from := range []string{"ous", "bydel"} {
		to := map[string]string{"ous": "bydel", "bydel": "ous"}[from]
		w.create(person(bydel), "Consent", consentBody("active", p, from, to, all...))
	}
}

// stayMessages are the messages of one stay, by name; sender and document.
func stayMessages(t testing.TB) map[string][2]string {
	return map[string][2]string{
		"admitted":   {hospice, document(t, "log-innlagt")},
		"ready":      {hospice, document(t, "log-utskrivningsklar")},
		"unready":    {hospice, document(t, "log-avmelding")},
		"discharged": {hospice, document(t, "log-utskrevet")},
		"informed":   {hospice, document(t, "helseopplysninger-soknad", `Forsendelsesstatus V="M" DN="Endring"`, `Forsendelsesstatus V="N" DN="Ny"`)},
		"reported":   {hospice, document(t, "utskrivningsrapport")},
		"replied":    {bydel, document(t, "dialog-1.0-kan-ta-imot")},
	}
}

func (w *world) say(name string) {
	w.t.Helper()
	m := stayMessages(w.t)[name]
	w.send(m[0], m[1])
}

// TestWhatIsOwedAfterAStay: each party that owes a message has a Task with its deadline, which ends when the message
// comes; the other party has none.
func TestWhatIsOwedAfterAStay(t *testing.T) {
	w := ward(t)
	w.say("admitted")
	w.duty(hospice, "helseopplysninger-due", "requested")
	w.say("ready")
	w.duty(bydel, "mottak-due", "requested")
	w.say("discharged")
	w.duty(hospice, "utskrivningsrapport-due", "requested")
	w.duty(bydel, "mottak-due", "cancelled") // who has left is not waited for
	for party, codes := range map[string][]string{bydel: {"helseopplysninger-due", "utskrivningsrapport-due"}, hospice: {"mottak-due"}, gp: {"mottak-due", "helseopplysninger-due"}} {
		for _, code := range codes {
			w.duty(party, code)
		}
	}
	for code, want := range map[string]string{"helseopplysninger-due": "2026-03-23T22:10:00+01:00", "utskrivningsrapport-due": "2026-03-25T00:00:00+01:00"} {
		if list := w.told(hospice, code); len(list) != 1 || due(list[0]) != want { // admitted on a Friday: due on Monday
			t.Errorf("%s is due %s, want %s", code, due(list[0]), want)
		} else if text := string(list[0].Raw()); strings.Contains(text, kari) || strings.Contains(text, "8100020") || !strings.Contains(text, `"priority":"routine"`) {
			t.Errorf("%s: %s", code, text)
		}
	}
	w.say("informed")
	w.duty(hospice, "helseopplysninger-due", "completed")
	w.duty(hospice, "utskrivningsrapport-due", "requested")
	w.say("reported")
	w.duty(hospice, "utskrivningsrapport-due", "completed")
	w.once()
	w.duty(hospice, "helseopplysninger-due", "completed")
}

// TestAnswerOnReceiving: the municipality's answer ends its Task: handed in as a message, or written as a Communication; a
// dialogue about something else does not.
func TestAnswerOnReceiving(t *testing.T) {
	t.Run("message", func(t *testing.T) {
		w := ward(t)
		w.say("ready")
		w.send(bydel, document(t, "dialog-1.0-kan-ta-imot", replyID, "another-theme", `TemaKodet V="1"`, `TemaKodet V="2"`))
		w.duty(bydel, "mottak-due", "requested")
		w.say("replied")
		w.duty(bydel, "mottak-due", "completed")
	})
	t.Run("Communication", func(t *testing.T) {
		w := ward(t)
		w.wait(4 * 24 * time.Hour) // after the message about her was made
		w.say("ready")
		found, err := gateway.ParseAuthored([]byte(w.search(person(bydel), "Patient")))
		must(t, err)
		var p fhir.Reference
		for _, e := range found.Root().Get("entry").Items() {
			if strings.Contains(string(e.Get("resource", "meta").Raw()), "Organization/bydel") {
				p = fhir.Reference{Type: "Patient", ID: fhir.ID(e.Get("resource", "id").Text())}
			}
		}
		w.create(person(bydel), "Communication", order(p, "DIALOG_NOTAT", "ous", note))
		w.duty(bydel, "mottak-due", "requested") // ordered, not sent
		w.once()
		w.duty(bydel, "mottak-due", "completed")
	})
}

// TestOwedNoMore: avmelding, a cancellation and a change end what was owed after the message; a cancelled answer is none.
func TestOwedNoMore(t *testing.T) {
	status := func(doc, id, parent, code string) string {
		s := strings.NewReplacer(parent, id, `Forsendelsesstatus V="N"`, `Forsendelsesstatus V="`+code+`"`).Replace(doc)
		return strings.Replace(s, "<Sender>", "<ConversationRef><RefToParent>"+parent+"</RefToParent><RefToConversation>"+parent+"</RefToConversation></ConversationRef><Sender>", 1)
	}
	t.Run("avmelding", func(t *testing.T) {
		w := ward(t)
		w.say("ready")
		w.say("unready")
		w.duty(bydel, "mottak-due", "cancelled")
	})
	for code, states := range map[string][]string{"C": {"cancelled"}, "M": {"cancelled", "requested"}} {
		for _, first := range []bool{true, false} {
			t.Run("admission "+code, func(t *testing.T) {
				w := ward(t)
				again := status(document(t, "log-innlagt", "2026-03-20T22:10:00", "2026-03-24T22:10:00"), "admission-again", admissionID, code)
				if first {
					w.say("admitted")
				}
				w.send(hospice, again)
				if !first {
					w.say("admitted")
				}
				w.duty(hospice, "helseopplysninger-due", states...)
			})
		}
	}
	t.Run("cancelled report", func(t *testing.T) {
		w := ward(t)
		w.say("discharged")
		w.say("reported")
		s := document(t, "utskrivningsrapport", "<RefToParent>"+admissionID, "<RefToParent>"+reportID, "<MsgId>"+reportID, "<MsgId>report-again",
			`Forsendelsesstatus V="N"`, `Forsendelsesstatus V="C"`)
		w.duty(hospice, "utskrivningsrapport-due", "completed")
		w.send(hospice, s)
		w.duty(hospice, "utskrivningsrapport-due", "requested")
	})
}

// TestOwedOnlyOfWhatIsKnown: a message that may not cross gives its receiver no Task, nor ends one that it has.
func TestOwedOnlyOfWhatIsKnown(t *testing.T) {
	w := newWorld(t)
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
	  "name":"Avdeling","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100031"}]}`)
	p := w.patient(bydel)
	w.say("ready")
	w.duty(bydel, "mottak-due")
	k := w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", clinical...))
	w.send(hospice, document(t, "log-utskrivningsklar", readyID, "ready-again"))
	w.duty(bydel, "mottak-due", "requested")
	w.update(person(bydel), k, withID(consentBody("inactive", p, "ous", "bydel", clinical...), k))
	w.say("unready")
	w.duty(bydel, "mottak-due", "requested")
}

// TestNothingIsOwedOfTheDead: a notice of death ends what is owed by who knows of it, whatever order it comes in; one that
// is cancelled does not, and who may not have it goes on as before.
func TestNothingIsOwedOfTheDead(t *testing.T) {
	for name, order := range map[string][]string{"last": {"admitted", "ready", "dead"}, "first": {"dead", "admitted", "ready"}} {
		t.Run(name, func(t *testing.T) {
			w := ward(t)
			for _, message := range order {
				if message == "dead" {
					w.send(hospice, document(t, "log-dod"))
				} else {
					w.say(message)
				}
			}
			w.duty(hospice, "helseopplysninger-due", "cancelled")
			w.duty(bydel, "mottak-due", "cancelled")
			w.send(hospice, document(t, "log-dod", "<MsgId>"+deathID, "<MsgId>death-again", `Forsendelsesstatus V="N"`, `Forsendelsesstatus V="C"`,
				"<RefToParent>"+admissionID, "<RefToParent>"+deathID))
			w.duty(hospice, "helseopplysninger-due", "requested")
			w.duty(bydel, "mottak-due", "requested")
		})
	}
	t.Run("not told", func(t *testing.T) {
		w := newWorld(t)
		w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
		  "name":"Avdeling","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100031"}]}`)
		p := w.patient(bydel)
		k := w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", clinical...))
		w.say("ready")
		w.update(person(bydel), k, withID(consentBody("inactive", p, "ous", "bydel", clinical...), k))
		w.send(hospice, document(t, "log-dod"))
		w.duty(bydel, "mottak-due", "requested")
	})
}
