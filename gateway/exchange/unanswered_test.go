package exchange_test

import (
	"strings"
	"testing"
)

const questionID = "44444444-aaaa-4444-8444-444444444444"

// question is a forespørsel from OUS to the bydel; reply is what the bydel answers.
func question(t testing.TB) string {
	return document(t, "dialog-1.0-foresporsel", "<Id>8100031</Id>", "<Id>"+hospice+"</Id>")
}

func reply(t testing.TB, id, parent string) string {
	s := strings.NewReplacer(hospice, bydel, bydel, hospice, "8100021", hospice).Replace(question(t))
	return strings.NewReplacer(`V="DIALOG_FORESPORSEL"`, `V="DIALOG_SVAR"`, questionID, id, "Hvilke legemidler", "kanari-svar: hvilke legemidler",
		"<Sender>", "<ConversationRef><RefToParent>"+parent+"</RefToParent><RefToConversation>"+parent+"</RefToConversation></ConversationRef>\n    <Sender>").Replace(s)
}

// TestQuestionIsAnsweredWithoutSamtykke: who has asked is told that the answer needs the patient's samtykke, and nothing
// of what it held; once, in the conversation.
func TestQuestionIsAnsweredWithoutSamtykke(t *testing.T) {
	w := newWorld(t)
	w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "ous", "bydel", clinical...))
	w.send(hospice, question(t))
	if status, _, text := w.receipt(hospice, questionID); status != 1 {
		t.Fatalf("AppRec %d %q", status, text)
	}
	for range 2 {
		w.send(bydel, reply(t, "the-answer", questionID))
		w.once()
	}
	if status, _, _ := w.receipt(bydel, "the-answer"); status != 2 {
		t.Fatalf("AppRec %d", status)
	}
	list, _ := w.documents(hospice)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	told, _ := w.fetch(hospice, list[0].ID)
	for _, want := range []string{`V="DIALOG_SVAR"`, `V="4" S="2.16.578.1.12.4.1.1.9069"`, "<RefToParent>" + questionID, "pasientens samtykke"} {
		if !strings.Contains(told, want) {
			t.Errorf("it lacks %s: %s", want, told)
		}
	}
	if strings.Contains(told, "kanari") || strings.Contains(told, "legemidler") {
		t.Error("it holds something of the answer")
	}
}

// TestOneQuestionIsAnsweredOnce: however many answers to it are refused, before it is here or after it,
// who has asked is told once; who asks anew is told anew.
func TestOneQuestionIsAnsweredOnce(t *testing.T) {
	const other = "44444444-bbbb-4444-8444-444444444444"
	for name, when := range map[string][]string{"after": {"q", "a1", "a2"}, "before": {"a1", "a2", "q"}, "around": {"a1", "q", "a2"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "ous", "bydel", clinical...))
			for _, step := range when {
				switch step {
				case "q":
					w.send(hospice, question(t))
				default:
					w.send(bydel, reply(t, step, questionID))
				}
				w.once()
			}
			if list, _ := w.documents(hospice); len(list) != 1 {
				t.Errorf("%d documents, want 1", len(list))
			}
			w.send(hospice, strings.Replace(question(t), questionID, other, 1))
			w.send(bydel, reply(t, "a3", other))
			w.once()
			if list, _ := w.documents(hospice); len(list) != 2 {
				t.Errorf("%d documents after another question, want 2", len(list))
			}
		})
	}
}

// TestWhoHasNotAskedIsToldNothing: no answer tells a party that somebody is known, unless it has asked this party of this
// person, and was heard; an objection holds it back.
func TestWhoHasNotAskedIsToldNothing(t *testing.T) {
	for name, prepare := range map[string]func(w *world) string{
		"nobody asked": func(w *world) string { return questionID },
		"the question was refused": func(w *world) string {
			w.send(hospice, question(w.t))
			return questionID
		},
		"about another": func(w *world) string {
			w.create(person(bydel), "Consent", consentBody("active", w.patientOf(bydel, ola), "ous", "bydel", clinical...))
			w.send(hospice, strings.Replace(question(w.t), kari, ola, 1))
			return questionID
		},
		"she objects": func(w *world) string {
			p := w.patient(bydel)
			w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", clinical...))
			w.create(person(bydel), "Consent", strings.Replace(strings.Replace(consentBody("active", p, "bydel", "ous", "samarbeid"), `"HPL22"`, `"PBRL53"`, 1), `"type":"permit"`, `"type":"deny"`, 1))
			w.send(hospice, question(w.t))
			return questionID
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.send(bydel, reply(t, "the-answer", prepare(w)))
			w.once()
			if list, _ := w.documents(hospice); len(list) != 0 {
				t.Errorf("OUS has %d documents", len(list))
			}
		})
	}
}

// TestAnswerBeforeItsQuestion: an answer that was refused before the question was here is told of when the question comes,
// once, and nothing of what it held; not when the answer does not lack samtykke any more, nor to who was not the one asked.
func TestAnswerBeforeItsQuestion(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		told    int
	}{
		"lacks still": {func(*world) {}, 1},
		"samtykke has come": {func(w *world) {
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "bydel", "ous", clinical...))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.patient(bydel)
			w.send(bydel, reply(t, "the-answer", questionID))
			if status, _, _ := w.receipt(bydel, "the-answer"); status != 2 {
				t.Fatalf("AppRec %d", status)
			}
			w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", clinical...))
			c.prepare(w)
			w.once()
			if list, _ := w.documents(hospice); len(list) != 0 {
				t.Fatalf("OUS has %d documents before it has asked", len(list))
			}
			for range 2 {
				w.send(hospice, question(t))
				w.once()
			}
			list, _ := w.documents(hospice)
			if len(list) != c.told {
				t.Fatalf("OUS has %d documents, want %d", len(list), c.told)
			}
			for _, m := range list {
				told, _ := w.fetch(hospice, m.ID)
				if !strings.Contains(told, `V="4" S="2.16.578.1.12.4.1.1.9069"`) || !strings.Contains(told, "<RefToParent>"+questionID) || strings.Contains(told, "kanari") {
					t.Errorf("%s", told)
				}
			}
		})
	}
}
