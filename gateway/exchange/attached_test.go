package exchange_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// TestAssessmentIsAttached: the answer to a henvisning carries the rettighetsvurdering as a document, whether it is a Binary or
// stands in a DocumentReference; a henvisning carries documents and where the patient is reached; logistics carries none.
func TestAssessmentIsAttached(t *testing.T) {
	const pdf = "%PDF-1.4 kanari-vurdering"
	data := base64.StdEncoding.EncodeToString([]byte(pdf))
	status := strings.TrimSuffix(strings.TrimPrefix(statusLetter(), `{"resourceType":"Communication","status":"in-progress"`), "}")
	for name, c := range map[string]struct{ kind, resource, body, rest, place string }{
		"Binary":                {"DIALOG_STATUS_HENVISNING", "Binary", `{"resourceType":"Binary","contentType":"application/pdf","data":"` + data + `","securityContext":{"reference":"%"}}`, status, ""},
		"DocumentReference":     {"DIALOG_STATUS_HENVISNING", "DocumentReference", documentOf(data), status, ""},
		"henvisning":            {"HENVISNING", "DocumentReference", documentOf(data), "", ""},
		"logistics":             {"LOG_INNLAGT", "DocumentReference", documentOf(data), "", "Communication.payload[0].contentReference"},
		"document that is away": {"DIALOG_STATUS_HENVISNING", "DocumentReference", strings.Replace(documentOf(data), `"data":"`+data+`"`, `"url":"Binary/x"`, 1), status, "DocumentReference.content.attachment.data"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.create(person(bydel), "Patient", `{"resourceType":"Patient","name":[{"family":"Nordlie","given":["Kari"]}],"birthDate":"1992-06-21",
			  "identifier":[{"system":"`+fhir.SystemFNR+`","value":"`+kari+`"}],"address":[{"line":["Kanariveien 1"],"postalCode":"0468","city":"Oslo"}],
			  "telecom":[{"system":"phone","value":"999 00 001","use":"mobile"}]}`)
			p.Version = ""
			r := w.create(person(bydel), fhir.Type(c.resource), strings.ReplaceAll(c.body, `"%"`, `"`+p.String()+`"`))
			ref := `{"contentReference":{"reference":"` + c.resource + "/" + string(r.ID) + `"}}`
			body := order(p, c.kind, "fastlege", `,"payload":[`+ref+`]`)
			if c.rest != "" {
				body = order(p, c.kind, "fastlege", strings.Replace(c.rest, `"payload":[`, `"payload":[`+ref+`,`, 1))
			}
			if c.place != "" {
				if _, issue, place := w.refused(gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}}, body); issue != "communication.no-place" || place != c.place {
					t.Errorf("%s %s", issue, place)
				}
				return
			}
			records := []fhir.Reference{r, p}
			if c.kind == "HENVISNING" {
				request := w.referral(p)
				records = append(records, request)
				body = strings.Replace(body, `"payload":[`, `"payload":[{"contentReference":{"reference":"ServiceRequest/`+string(request.ID)+`"}},`, 1)
			}
			ordered := w.create(person(bydel), "Communication", strings.Replace(body, "in-progress", "preparation", 1))
			w.create(person(bydel), "Consent", itemised(p, append(records, ordered), gateway.AllLabels.Codes()...))
			w.update(person(bydel), ordered, withID(body, ordered))
			w.once()
			documents, _ := w.documents(gp)
			if status, reason := w.communication(ordered); len(documents) != 1 {
				t.Fatalf("%s %q, %d documents", status, reason, len(documents))
			}
			raw, _ := w.fetch(gp, documents[0].ID)
			in := readBack(t, raw).in
			if len(in.Attachments) != 1 || string(in.Attachments[0].Bytes) != pdf || in.Attachments[0].MimeType != "application/pdf" {
				t.Errorf("%d attachments", len(in.Attachments))
			}
			address := strings.Contains(raw, "Kanariveien 1") && strings.Contains(raw, "tel:99900001")
			if address != (c.kind == "HENVISNING") {
				t.Errorf("address %t", address)
			}
		})
	}
}

func documentOf(data string) string {
	return `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"%"},"date":"2026-03-19T10:00:00Z",
	  "content":[{"attachment":{"contentType":"application/pdf","title":"Rettighetsvurdering","data":"` + data + `"}}]}`
}
