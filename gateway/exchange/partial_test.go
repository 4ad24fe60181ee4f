package exchange_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// undivided is the extension by which a sender says: whole, or not at all.
const undivided = `,"extension":[{"url":"` + gateway.ExtensionPartial + `","valueBoolean":false}]`

// planned is a plan of the bydel's with one activity of plan and one of økonomi.
func (w *world) planned(p fhir.Reference) fhir.Reference {
	return w.create(person(bydel), "CarePlan", `{"resourceType":"CarePlan","status":"active","intent":"plan","created":"2026-03-10",
	  "subject":{"reference":"`+p.String()+`"},"activity":[
	   {"detail":{"status":"in-progress","description":"kanari-plan: ukentlig samtale"}},
	   {"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"system":"`+gateway.LabelSystem+`","code":"okonomi"}}],
	    "detail":{"status":"in-progress","description":"kanari-okonomi: gjeldsordning"}}]}`)
}

// TestWholeOrNotAtAll: when its sender has said so, or its type is never divided, nothing of an order leaves where a part or
// a record of it is not covered, and the sender is told the category; where all is, it goes.
func TestWholeOrNotAtAll(t *testing.T) {
	some := []string{"samarbeid", "plan", "tjenester", "henvisning", "demografi"}
	for name, c := range map[string]struct {
		kind, extension string
		labels          []string
		sent            bool
	}{
		"in part":                  {"HELSEOPPLYSNINGER_LEGE", "", some, true},
		"whole, part lacks":        {"HELSEOPPLYSNINGER_LEGE", undivided, some, false},
		"whole, nothing lacks":     {"HELSEOPPLYSNINGER_LEGE", undivided, append([]string{"okonomi"}, some...), true},
		"may be divided":           {"HELSEOPPLYSNINGER_LEGE", strings.Replace(undivided, "false", "true", 1), some, true},
		"a record lacks":           {"MEDISINSKE_OPPLYSNINGER", undivided, append([]string{"okonomi"}, some...), false},
		"henvisning, record lacks": {"HENVISNING", "", append([]string{"okonomi"}, some...), false},
		"henvisning, all covered":  {"HENVISNING", "", append([]string{"okonomi", "rus", "psykisk", "somatisk"}, some...), true},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := sending(t, c.labels...)
			payload := `{"contentReference":{"reference":"CarePlan/` + string(w.planned(p).ID) + `"}}`
			category := "økonomi"
			if c.kind != "HELSEOPPLYSNINGER_LEGE" {
				payload, category = `{"contentReference":{"reference":"Condition/`+string(w.condition(p).ID)+`"}}`, "psykisk helse"
			}
			if c.kind == "HENVISNING" {
				payload += `,{"contentReference":{"reference":"ServiceRequest/` + string(w.referral(p).ID) + `"}}`
			}
			o := w.create(person(bydel), "Communication", order(p, c.kind, "fastlege", `,"payload":[`+payload+`]`+c.extension))
			w.once()
			status, reason := w.communication(o)
			list, _ := w.documents(gp)
			if c.sent != (status == "in-progress" && len(list) == 1) {
				t.Errorf("%s %q, %d documents", status, reason, len(list))
			}
			if !c.sent && (!strings.HasPrefix(reason, "Ikke sendt: samtykke mangler for ") || !strings.Contains(reason, category) || strings.Contains(reason, "kanari")) {
				t.Errorf("%q does not name the category", reason)
			}
			if !c.sent && len(w.list(gp)) != 0 {
				t.Error("something lies in the receiver's mailbox")
			}
		})
	}
}

func (w *world) condition(p fhir.Reference) fhir.Reference {
	return w.create(person(bydel), "Condition", `{"resourceType":"Condition","subject":{"reference":"`+p.String()+`"},"recordedDate":"2026-03-01",
	  "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icpc-2","code":"P16","display":"kanari-diagnose"}]}}`)
}

func (w *world) referral(p fhir.Reference) fhir.Reference {
	return w.create(person(bydel), "ServiceRequest", `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"`+p.String()+`"},
	  "authoredOn":"2026-03-19","code":{"text":"Henvisning"}}`)
}

// TestWholeByTheMessageAPI: the same for a message that is handed in, by a header; also after a receiver more.
func TestWholeByTheMessageAPI(t *testing.T) {
	for partial, want := range map[string]int{"": 3, "ja": 3, "nei": 2, "kanskje": 0} {
		t.Run("Sluse-Delvis "+partial, func(t *testing.T) {
			w := agreed(t)
			body, err := json.Marshal(map[string]any{
				"businessDocument": base64.StdEncoding.EncodeToString([]byte(document(t, "medisinske-opplysninger"))), "contentType": "application/xml", "contentTransferEncoding": "base64",
			})
			must(t, err)
			r, err := http.NewRequest("POST", w.server.URL+"/edi/Messages", strings.NewReader(string(body)))
			must(t, err)
			r.Header.Set("Authorization", "Bearer "+gp)
			r.Header.Set("Content-Type", "application/json")
			if partial != "" {
				r.Header.Set("Sluse-Delvis", partial)
			}
			res, err := http.DefaultClient.Do(r)
			must(t, err)
			answer, err := io.ReadAll(res.Body)
			must(t, err)
			must(t, res.Body.Close())
			if want == 0 {
				if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(answer), "Sluse-Delvis") {
					t.Errorf("%d %s", res.StatusCode, answer)
				}
				return
			}
			if res.StatusCode != http.StatusCreated {
				t.Fatalf("%d %s", res.StatusCode, answer)
			}
			status, code, text := w.receipt(gp, medicalID)
			if status != want || code != "X99" || !strings.HasPrefix(text, "Ikke levert: samtykke mangler for ") {
				t.Errorf("AppRec %d %s %q", status, code, text)
			}
			if list, _ := w.documents(bydel); len(list) != want-2 {
				t.Errorf("%d documents", len(list))
			}
			if all := w.searchAll(person(bydel)); want == 2 && strings.Contains(all, "kanari") {
				t.Error("something of it is read over FHIR")
			}
		})
	}
}

// TestOrderThatCannotBeExpressed: what a type of message requires and the resources lack is refused when the order is written, with the
// FHIR element; so is a record or a text that it has no place for.
func TestOrderThatCannotBeExpressed(t *testing.T) {
	w, p := sending(t, clinical...)
	at := func(r fhir.Reference) string {
		return `{"contentReference":{"reference":"` + string(r.Type) + "/" + string(r.ID) + `"}}`
	}
	stay := func(code string) string {
		typ := ""
		if code != "" {
			typ = `"type":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9121","code":"` + code + `"}]}],`
		}
		return at(w.create(person(bydel), "Encounter", `{"resourceType":"Encounter","status":"in-progress",`+typ+`"subject":{"reference":"`+p.String()+`"},
		  "class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"},"period":{"start":"2026-03-20T10:00:00+01:00"}}`))
	}
	condition := at(w.condition(p))
	for name, c := range map[string]struct{ kind, rest, issue, place string }{
		"admission without its event":   {"LOG_INNLAGT", `,"payload":[` + stay("") + `]`, "communication.incomplete", "Encounter.type.coding.code"},
		"admission that is a discharge": {"LOG_INNLAGT", `,"payload":[` + stay("2") + `]`, "communication.incomplete", "Encounter.type.coding.code"},
		"ready, told of an admission":   {"LOG_UTSKRIVNINGSKLAR", `,"payload":[` + stay("1") + `]`, "communication.incomplete", "Observation.code.coding.system"},
		"diagnosis in logistics":        {"LOG_INNLAGT", `,"payload":[` + stay("1") + `,` + condition + `]`, "communication.no-place", "Communication.payload[1].contentReference"},
		"text in logistics":             {"LOG_INNLAGT", `,"payload":[` + stay("1") + `,{"contentString":"kanari"}]`, "communication.no-place", "Communication.payload[1].contentString"},
		"text in PLO":                   {"MEDISINSKE_OPPLYSNINGER", `,"payload":[{"contentString":"kanari"},` + condition + `]`, "communication.no-place", "Communication.payload[0].contentString"},
		"nothing that has a place":      {"ORIENTERING_TJENESTETILBUD", `,"payload":[` + condition + `]`, "communication.no-place", "Communication.payload[0].contentReference"},
		"diagnosis in a dialogue":       {"DIALOG_NOTAT", `,"payload":[{"contentString":"a"},` + condition + `]`, "communication.no-place", "Communication.payload[1].contentReference"},
		"theme of no list":              {"DIALOG_NOTAT", `,"topic":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7321","code":"77"}]},"payload":[{"contentString":"a"}]`, "communication.incomplete", "Communication.topic"},
		"content of another type":       {"MEDISINSKE_OPPLYSNINGER", `,"payload":[` + condition + `],"extension":[{"url":"` + gateway.ExtensionVersion + `","valueCode":"1.5"}]`, "communication.version", "Communication.extension[0]"},
		"partly what?":                  {"MEDISINSKE_OPPLYSNINGER", `,"payload":[` + condition + `],"extension":[{"url":"` + gateway.ExtensionPartial + `","valueString":"nei"}]`, "communication.partial", "Communication.extension[0]"},
		"changes nothing":               {"MEDISINSKE_OPPLYSNINGER", `,"payload":[` + condition + `]` + changing("M"), "communication.change-of-nothing", "Communication.inResponseTo"},
		"changes how?":                  {"MEDISINSKE_OPPLYSNINGER", `,"payload":[` + condition + `]` + changing("Q"), "communication.change", "Communication.extension[0]"},
		"referral v2.0, not set":        {"HENVISNING_VIDERE", `,"payload":[` + condition + `]`, "communication.category", "Communication.category"},
		"epikrise":                      {"EPIKRISE", `,"payload":[` + condition + `]`, "communication.category", "Communication.category"},
	} {
		t.Run(name, func(t *testing.T) {
			code, issue, place := w.refused(gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}},
				order(p, c.kind, "fastlege", c.rest))
			if code != gateway.Invalid || issue != c.issue || place != c.place {
				t.Errorf("%s %s %s, want %s %s", code, issue, place, c.issue, c.place)
			}
		})
	}
	w.once()
	if list := w.list(gp); len(list) != 0 {
		t.Errorf("%d messages left", len(list))
	}
}

func changing(code string) string {
	return fmt.Sprintf(`,"extension":[{"url":%q,"valueCodeableConcept":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7309","code":%q}]}}]`, gateway.ExtensionChange, code)
}

// TestOrderedCancellation: a message that was sent over FHIR is cancelled over FHIR: the receiver's message says so, and names it.
func TestOrderedCancellation(t *testing.T) {
	w, p := sending(t, clinical...)
	payload := `,"payload":[{"contentReference":{"reference":"Condition/` + string(w.condition(p).ID) + `"}}]`
	first := w.create(person(bydel), "Communication", order(p, "MEDISINSKE_OPPLYSNINGER", "fastlege", payload))
	w.once()
	w.create(person(bydel), "Communication", order(p, "MEDISINSKE_OPPLYSNINGER", "fastlege", payload+changing("C")+`,"inResponseTo":[{"reference":"Communication/`+string(first.ID)+`"}]`))
	w.once()
	documents, _ := w.documents(gp)
	if len(documents) != 2 {
		t.Fatalf("%d documents, want 2", len(documents))
	}
	sent, _ := w.fetch(gp, documents[0].ID)
	cancelled, _ := w.fetch(gp, documents[1].ID)
	was, is := readBack(t, sent).in.Head, readBack(t, cancelled).in.Head
	if was.Status != "N" || is.Status != "C" || is.RefToParent != was.MsgID || is.MsgID == was.MsgID {
		t.Errorf("%s %s, then %s %s of %s", was.Status, was.MsgID, is.Status, is.MsgID, is.RefToParent)
	}
}
