package exchange_test

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// places are what in the medical message tells where she is and how she and hers are reached.
var places = []string{"Kanariveien", "99900001", "99900002", "Kanarilege"}

// protect sets adressesperre for the person of a party's Patient.
func (w *world) protect(party string, p fhir.Reference, grade string) {
	w.t.Helper()
	_, err := w.gateway.Do(w.t.Context(), person(party), gateway.Interaction{
		Code: gateway.Operate, Target: p, Operation: gateway.Operation{Name: gateway.Protect, Code: grade, Reason: "trusler"},
	})
	must(w.t, err)
}

// TestAddressStaysBehind: under kode 7 no message carries where she is, whatever is consented and whoever
// set it: neither the document, nor the original, nor what became of it; set before it is sent or before it is fetched.
func TestAddressStaysBehind(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := newWorld(t)
		p := w.patient(bydel)
		w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", (gateway.AllLabels&^gateway.Uklassifisert).Codes()...))
		if !late {
			w.protect(bydel, p, "fortrolig")
		}
		w.send(gp, document(t, "medisinske-opplysninger",
			"<fk1:FamilyName>Vang</fk1:FamilyName>", "<fk1:FamilyName>Kanarilege</fk1:FamilyName>"))
		if late {
			w.protect(bydel, p, "fortrolig")
		}
		list, _ := w.documents(bydel)
		if len(list) != 1 {
			t.Fatalf("late %v: %d documents, want 1", late, len(list))
		}
		body, _ := w.fetch(bydel, list[0].ID)
		if !strings.Contains(body, "kanari-rus") {
			t.Errorf("late %v: what may cross does not", late)
		}
		all := body + w.searchAll(person(bydel))
		for _, place := range places {
			if strings.Contains(all, place) {
				t.Errorf("late %v: LEAK of %q", late, place)
			}
		}
		sent := w.searchAll(person(gp))
		for _, place := range places {
			if !strings.Contains(sent, place) {
				t.Errorf("late %v: the sender does not have %q itself", late, place)
			}
		}
	}
}

// TestNoMessageUnderStrictProtection: under kode 6 no message crosses by itself; its sender is told to see to it.
func TestNoMessageUnderStrictProtection(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	w.create(person(bydel), "Consent", consentBody("active", p, "bydel", "fastlege", clinical...))
	w.protect(bydel, p, "strengt-fortrolig")
	w.send(gp, document(t, "medisinske-opplysninger"))
	c := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	w.once()
	for receiver, sender := range map[string]string{bydel: gp, gp: bydel} {
		if list, _ := w.documents(receiver); len(list) != 0 {
			t.Errorf("%s has %d documents, want none", receiver, len(list))
		}
		if n := strings.Count(w.search(person(sender), "Task"), `"code":"message-by-hand"`); n != 1 {
			t.Errorf("%s is told %d times, want once", sender, n)
		}
	}
	if status, _ := w.communication(c); status != "stopped" {
		t.Errorf("status %s, want stopped", status)
	}
}

// TestEmergencyLeavesNothingInTheJournal: what emergency access has read of a message that was withheld is not
// fetched by that: afterwards it is withheld as before.
func TestEmergencyLeavesNothingInTheJournal(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", "samarbeid", "demografi", "plan"))
	w.send(gp, document(t, "medisinske-opplysninger"))
	number, err := gateway.NewNIN(kari)
	must(t, err)
	acute := person(bydel)
	acute.Purpose, acute.Reason, acute.Attest = gateway.BreakTheGlass, "bevisstløs", gateway.Attest{NIN: number}
	if found := w.search(person(bydel), "Condition"); strings.Contains(found, "kanari-rus") {
		t.Fatal("withheld in the message, and found")
	}
	if found := w.search(acute, "Condition"); !strings.Contains(found, "kanari-rus") {
		t.Errorf("not found in an emergency: %s", found)
	}
	if found := w.search(person(bydel), "Condition"); strings.Contains(found, "kanari-rus") {
		t.Error("LEAK: what was read in an emergency is found after it")
	}
}

const stayPlace = "Kanaristedet"

// TestStayIsToldWithoutItsPlace: under kode 7 the message that she is admitted crosses, less where she is, by message
// and in what became of it: nobody is left without care because her address is secret.
func TestStayIsToldWithoutItsPlace(t *testing.T) {
	for name, late := range map[string]bool{"before it is sent": false, "before it is fetched": true} {
		w, p := hospital(t, "Meldingsmottak")
		w.create(person(bydel), "Consent", consentBody("active", p, "ous", "bydel", "logistikk", "samarbeid", "demografi"))
		if !late {
			w.protect(bydel, p, "fortrolig")
		}
		if status, text := w.admitted("stay", "<po:StedHendelse>Oslo universitetssykehus HF", "<po:StedHendelse>"+stayPlace); status == 2 {
			t.Fatalf("%s: AppRec %d %q", name, status, text)
		}
		if late {
			w.protect(bydel, p, "fortrolig")
		}
		list, _ := w.documents(bydel, "8100021")
		if len(list) != 1 {
			t.Fatalf("%s: %d documents, want 1", name, len(list))
		}
		body, _ := w.fetch(bydel, list[0].ID)
		found := w.searchAll(person(bydel))
		for what, text := range map[string]string{"the document": body, "FHIR": found} {
			if strings.Contains(text, stayPlace) {
				t.Errorf("%s: LEAK of where she is in %s", name, what)
			}
		}
		if !strings.Contains(body, admission) || !strings.Contains(found, admission) {
			t.Errorf("%s: that she is admitted does not cross", name)
		}
		if !strings.Contains(w.searchAll(person(hospice)), stayPlace) {
			t.Errorf("%s: the sender does not have the place itself", name)
		}
	}
}
