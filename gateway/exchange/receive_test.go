package exchange_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWithheldSectionNeverCrosses: what no samtykke covers reaches the receiver neither by its
// mailbox nor over FHIR, and the AppRec names the categories.
func TestWithheldSectionNeverCrosses(t *testing.T) {
	w := newWorld(t)
	p := w.patient(bydel)
	w.create(person(bydel), "Consent", consentBody("active", p, "fastlege", "bydel", clinical...))
	w.send(gp, document(t, "medisinske-opplysninger"))

	status, code, text := w.receipt(gp, medicalID)
	if status != 3 || code != "X99" || !strings.HasPrefix(text, "Ikke levert: samtykke mangler for ") {
		t.Fatalf("AppRec %d %s %q", status, code, text)
	}
	if stop := strings.IndexByte(text, '.'); stop < 0 || len([]rune(text[:stop+1])) > 80 {
		t.Fatalf("first full stop at %d: %q", stop, text)
	}
	list, _ := w.documents(bydel)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	body, _ := w.fetch(bydel, list[0].ID)
	for _, canary := range []string{"kanari-rus", "kanari-psykisk", "kanari-notat", "kanari-legemidler", "kanari-plan"} {
		if !strings.Contains(body, canary) {
			t.Errorf("%s is covered and not delivered", canary)
		}
	}
	for _, canary := range []string{"kanari-familie", "kanari-arbeid", "kanari-uklassifisert"} {
		if strings.Contains(body, canary) {
			t.Errorf("%s crossed", canary)
		}
	}
	if all := w.searchAll(person(bydel)); strings.Contains(all, "kanari-familie") || strings.Contains(all, "kanari-arbeid") || strings.Contains(all, "kanari-uklassifisert") {
		t.Error("a withheld section is readable over FHIR")
	} else if !strings.Contains(all, "kanari-notat") {
		t.Error("a delivered note is not readable over FHIR")
	}
	if all := w.searchAll(person(gp)); !strings.Contains(all, "kanari-familie") {
		t.Error("the sender does not find its own record")
	}
}

// TestNoConsentNothingCrosses: without samtykke the receiver's mailbox stays empty, the sender's
// records are kept, and the AppRec says why and never whether the patient is known.
func TestNoConsentNothingCrosses(t *testing.T) {
	w := newWorld(t)
	w.send(gp, document(t, "medisinske-opplysninger"))
	if list := w.list(bydel); len(list) != 0 {
		t.Fatalf("the receiver sees %d messages", len(list))
	}
	status, code, text := w.receipt(gp, medicalID)
	if status != 2 || code != "X99" || !strings.HasPrefix(text, "Ikke levert: samtykke mangler for ") {
		t.Fatalf("AppRec %d %s %q", status, code, text)
	}
	_, receipts := w.documents(gp)
	if _, status := w.fetch(bydel, receipts[0].ID); status != http.StatusNotFound {
		t.Errorf("another than its addressee fetches an AppRec: %d", status)
	}
	if all := w.searchAll(person(gp)); !strings.Contains(all, "kanari-rus") {
		t.Error("the refused message is not kept under the sender's custody")
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		party, document string
		status          int
	}{
		"another's HER-id":   {bydel, document(t, "medisinske-opplysninger"), http.StatusForbidden},
		"not XML":            {gp, "hei", http.StatusBadRequest},
		"another vocabulary": {gp, "<a xmlns='urn:b'/>", http.StatusBadRequest},
		"entity":             {gp, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, http.StatusBadRequest},
		"no MsgId":           {gp, document(t, "medisinske-opplysninger", medicalID, ""), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if a := w.post(c.party, c.document); a.status != c.status || !strings.Contains(string(a.body), `"requestId"`) {
				t.Errorf("%d %s, want %d", a.status, a.body, c.status)
			}
		})
	}
	for _, party := range []string{gp, bydel} {
		if list := w.list(party); len(list) != 0 {
			t.Errorf("%s has %d messages", party, len(list))
		}
	}
	if a := w.call(bydel, "GET", "/edi/Messages?ReceiverHerIds="+gp, nil); a.status != http.StatusForbidden {
		t.Errorf("another's mailbox: %d", a.status)
	}
	if a := w.call(bydel, "GET", "/edi/Messages?BusinessDocumentId="+kari+"&ReceiverHerIds="+bydel, nil); a.status != http.StatusBadRequest || strings.Contains(string(a.body), kari) {
		t.Errorf("a national identifier in the URL: %d %s", a.status, a.body)
	}
}

func TestNegativeAppRecs(t *testing.T) {
	for name, c := range map[string]struct {
		replace []string
		code    string
	}{
		"unknown receiver": {[]string{"<Id>" + bydel + "</Id>", "<Id>" + stray + "</Id>"}, "E21"},
		"wrong digits":     {[]string{kari, "21869245514"}, "E31"},
		"no number":        {[]string{kari, "H1234", `<TypeId V="FNR"`, `<TypeId V="HNR"`}, "E30"},
		"unknown type":     {[]string{`V="MEDISINSKE_OPPLYSNINGER"`, `V="UKJENT_TYPE"`}, "T10"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "bydel", clinical...))
			id := w.send(gp, document(t, "medisinske-opplysninger", c.replace...))
			if status, code, _ := w.receipt(gp, medicalID); status != 2 || code != c.code {
				t.Errorf("AppRec %d %s, want 2 %s", status, code, c.code)
			}
			if list := w.list(bydel); len(list) != 0 {
				t.Error("it reached the receiver")
			}
			if body, status := w.fetch(gp, id); status != http.StatusOK || !strings.Contains(body, "kanari-rus") {
				t.Errorf("the sender's own document: %d", status)
			}
			if _, status := w.fetch(bydel, id); status != http.StatusNotFound {
				t.Errorf("the receiver fetches it: %d", status)
			}
		})
	}
}

// searchAll gives all that an actor finds of Kari, of the types that a message becomes.
func (w *world) searchAll(a actor) string {
	w.t.Helper()
	var all strings.Builder
	for _, kind := range []string{"Patient", "Communication", "Condition", "Observation", "MedicationStatement", "AllergyIntolerance",
		"CarePlan", "Goal", "ServiceRequest", "DocumentReference", "Task", "CareTeam",
		"Encounter", "EpisodeOfCare", "Appointment", "Flag", "RelatedPerson"} {
		all.WriteString(w.search(a, kind))
	}
	return all.String()
}

// TestRejectionNamesThePlace: a message whose content breaks a rule is answered with the element, the code and what to do.
func TestRejectionNamesThePlace(t *testing.T) {
	w := agreed(t)
	for name, c := range map[string]struct{ document, id, code, place string }{
		"another event than the type says": {document(t, "log-innlagt", `V="LOG_INNLAGT"`, `V="LOG_UTSKREVET"`), admissionID, "T02", "/MsgHead/MsgInfo/Type"},
		"a type that is not known":         {document(t, "medisinske-opplysninger", `V="MEDISINSKE_OPPLYSNINGER"`, `V="FINNES_IKKE"`), medicalID, "T10", ""},
	} {
		from, address := gp, gp
		if c.id == admissionID {
			from, address = hospice, hospice
			c.document = strings.ReplaceAll(c.document, "8100031", hospice)
		}
		w.send(from, c.document)
		status, code, text := w.receipt(address, c.id)
		if status != 2 || code != c.code || !strings.Contains(text, c.place) || !strings.HasPrefix(text, "Ikke levert") || !strings.Contains(text, "Send") && !strings.Contains(text, "send") {
			t.Errorf("%s: AppRec %d %s %q", name, status, code, text)
		}
	}
}
