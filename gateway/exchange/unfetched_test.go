package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestNotFetchedInTime: each type has its own limit; sender and receiver are told at once, each by one Task, which ends when the message
// is fetched.
func TestNotFetchedInTime(t *testing.T) {
	w := agreed(t)
	w.stay()
	id := w.send(gp, document(t, "medisinske-opplysninger"))
	w.say("admitted")
	w.wait(2*time.Hour - time.Second)
	w.once()
	w.duty(hospice, "message-not-fetched")
	w.wait(time.Second)
	w.once()
	w.once()
	w.duty(hospice, "message-not-fetched", "requested")
	w.duty(bydel, "message-not-fetched", "requested")
	w.duty(gp, "message-not-fetched")
	w.wait(22 * time.Hour)
	w.once()
	w.duty(gp, "message-not-fetched", "requested")
	w.duty(bydel, "message-not-fetched", "requested", "requested")
	w.fetch(bydel, id)
	w.duty(gp, "message-not-fetched", "completed")
	w.duty(hospice, "message-not-fetched", "requested")
}

// TestWithheldIsToldAtOnce: what is withheld after its positive AppRec is told to both at once, when the samtykke is withdrawn, when she
// objects beside it and when it ends; the receiver is told neither of whom nor from whom.
func TestWithheldIsToldAtOnce(t *testing.T) {
	for name, end := range map[string]func(w *world, p fhir.Reference, again func(status, until string)){
		"withdrawn": func(_ *world, _ fhir.Reference, again func(status, until string)) { again("inactive", "2026-12-31") },
		"objected": func(w *world, p fhir.Reference, _ func(status, until string)) {
			w.create(person(bydel), "Consent", strings.NewReplacer(`"HPL22"`, `"PBRL53"`, `"type":"permit"`, `"type":"deny"`).
				Replace(consentBody("active", p, "fastlege", "bydel", clinical...)))
		},
		"denied in part": func(w *world, p fhir.Reference, _ func(status, until string)) {
			w.create(person(bydel), "Consent", strings.Replace(consentBody("active", p, "fastlege", "bydel", clinical...), `"type":"permit",`,
				`"type":"permit","provision":[{"type":"deny","securityLabel":[{"system":"`+gateway.LabelSystem+`","code":"samarbeid"}]}],`, 1))
		},
		"ended": func(w *world, _ fhir.Reference, again func(status, until string)) {
			again("active", "2026-03-20")
			w.once()
			w.duty(gp, "message-withheld")
			w.wait(13 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.patient(bydel)
			k := w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
			w.send(gp, document(t, "medisinske-opplysninger"))
			w.once()
			end(w, p, func(status, until string) {
				body := strings.Replace(consentBody(status, p, "fastlege", "bydel", clinical...), `"end":"2026-12-31"`, `"end":"`+until+`"`, 1)
				w.update(person(bydel), k, withID(body, k))
			})
			w.once()
			w.once()
			w.duty(gp, "message-withheld", "requested")
			w.duty(bydel, "message-withheld", "requested")
			for _, task := range w.told(bydel, "message-withheld") {
				if text := string(task.Raw()); task.Get("for") != nil || strings.Contains(text, gp) || strings.Contains(text, "fastlege") || strings.Contains(text, kari) {
					t.Errorf("the receiver is told too much: %s", text)
				}
			}
			if all := w.search(person(bydel), "Task"); strings.Contains(all, "message-withheld") {
				t.Error("the receiver finds by the patient that something of hers is withheld")
			}
		})
	}
}

// TestWithheldWithItsRecord: who writes a record that lies unfetched in a message, so that the message may not be fetched any more, and its
// receiver are told at once too; a version that changes nothing of that is told to nobody.
func TestWithheldWithItsRecord(t *testing.T) {
	for name, c := range map[string]struct {
		write func(w *world, r fhir.Reference, body string)
		told  []string
	}{
		"deleted": {func(w *world, r fhir.Reference, _ string) {
			_, err := w.gateway.Do(context.Background(), person(gp), gateway.Interaction{Code: gateway.Delete, Target: r})
			must(t, err)
		}, []string{"requested"}},
		"labelled": {func(w *world, r fhir.Reference, body string) {
			w.update(person(gp), r, strings.Replace(body, `"security":[`, `"security":[{"system":"`+gateway.LabelSystem+`","code":"smitte"},`, 1))
		}, []string{"requested"}},
		"written again": {func(w *world, r fhir.Reference, body string) { w.update(person(gp), r, body) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "bydel", (gateway.AllLabels&^gateway.Smitte).Codes()...))
			w.patient(gp)
			w.partly(gp, divisible(t), "nei")
			w.once()
			w.duty(gp, "message-withheld")
			found := w.entries(gp, "Condition", gateway.Subject{})
			if len(found) == 0 {
				t.Fatal("no Condition came with the message")
			}
			body := found[0].Get("resource")
			c.write(w, fhir.Reference{Type: "Condition", ID: fhir.ID(body.Get("id").Text())}, string(body.Raw()))
			w.once()
			w.once()
			w.duty(gp, "message-withheld", c.told...)
			w.duty(bydel, "message-withheld", c.told...)
		})
	}
}

// TestWithheldWhileItIsLookedAt: what a record is taken from while it is looked at, and seen as it was, is looked at again.
func TestWithheldWhileItIsLookedAt(t *testing.T) {
	w := agreed(t)
	w.patient(gp)
	w.partly(gp, document(t, "medisinske-opplysninger"), "")
	w.once()
	body := w.entries(gp, "Condition", gateway.Subject{})[0].Get("resource")
	r := fhir.Reference{Type: "Condition", ID: fhir.ID(body.Get("id").Text())}
	w.update(person(gp), r, string(body.Raw())) // it is due
	deleted := make(chan error, 1)
	ctx := context.Background()
	must(t, w.store.Tx(ctx, func(tx gateway.Tx) error {
		due, err := tx.Unfetched(ctx, w.clock(), 10)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d entries are due: %v", len(due), err)
		}
		go func() {
			_, err := w.gateway.Do(ctx, person(gp), gateway.Interaction{Code: gateway.Delete, Target: r})
			deleted <- err
		}()
		time.Sleep(300 * time.Millisecond) // it comes to the entry, and waits
		return tx.LookAgain(ctx, due[0].Key, due[0].FetchBy)
	}))
	must(t, <-deleted)
	w.once()
	w.duty(gp, "message-withheld", "requested")
}

// TestAppRecMissingAndLate: the Task on a missing AppRec ends when it comes.
func TestAppRecMissingAndLate(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	w.wait(2 * time.Hour)
	w.once()
	w.duty(bydel, "apprec-missing", "requested")
	list, _ := w.documents(gp)
	w.call(gp, "POST", "/edi/Messages/"+list[0].ID+"/apprec/"+gp, map[string]any{"appRecStatus": 1})
	w.duty(bydel, "apprec-missing", "completed")
	if status, _ := w.communication(c); status != "completed" {
		t.Errorf("the order is %s", status)
	}
}

// TestAppRecBeforeSend: an AppRec that is here before the message it answers waits, and counts once when that is sent; another party's does not.
func TestAppRecBeforeSend(t *testing.T) {
	w, p := sending(t, clinical...)
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	var o gateway.Order
	must(t, w.store.Tx(context.Background(), func(tx gateway.Tx) (err error) {
		o, err = tx.Next(context.Background(), w.clock())
		return err
	}))
	m := gateway.Message{MsgID: o.MsgID, Kind: "DIALOG_HELSEFAGLIG", Sender: gateway.Addressee{HERID: bydel}, Receivers: []gateway.Addressee{{HERID: gp}}, Generated: w.clock()}
	for from, status := range map[string]gateway.AppRecStatus{sosial: gateway.AppRecRejected, gp: gateway.AppRecOK} {
		a := gateway.AppRec{MsgID: gateway.MsgID("early-" + from), From: gateway.HERID(from), To: bydel, Original: o.MsgID, Status: status, At: w.clock()}
		if status == gateway.AppRecRejected {
			a.Errors = []gateway.AppRecError{{Code: "T02"}}
		}
		early, err := exchange.Translator{}.WriteAppRec(a, m)
		must(t, err)
		for range 2 {
			w.send(from, string(early))
		}
	}
	if status, _ := w.communication(c); status != "in-progress" {
		t.Errorf("%s before it was sent", status)
	}
	w.once()
	if status, reason := w.communication(c); status != "completed" {
		t.Errorf("%s %q after it was sent, want completed", status, reason)
	}
	w.wait(3 * time.Hour)
	w.once()
	w.duty(bydel, "apprec-missing")
}

// TestQuarantine: a message that fails at every try is put aside after five, with a negative AppRec and a Task to its sender.
func TestQuarantine(t *testing.T) {
	w := agreed(t)
	ctx := context.Background()
	w.patient(gp)
	_, err := w.gateway.Receive(ctx, machine(gp), gateway.Submission{Document: []byte(document(t, "medisinske-opplysninger"))}, broken{})
	must(t, err)
	for tries := range 6 {
		want := []string{"requested"}
		if tries < 5 {
			want = nil
		}
		w.duty(gp, "message-quarantined", want...)
		w.wait(time.Hour)
		_, err := w.gateway.Resume(ctx, broken{}, 10)
		must(t, err)
	}
	if status, code, _ := w.receipt(gp, medicalID); status != 2 || code != "X99" {
		t.Errorf("AppRec %d %s", status, code)
	}
	if text := w.search(person(gp), "Task"); !strings.Contains(text, "message-quarantined") || strings.Contains(text, kari) {
		t.Errorf("the Task: %s", text)
	}
}
