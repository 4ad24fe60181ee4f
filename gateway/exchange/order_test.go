package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
)

// refused writes a Communication that must be refused, and gives code and place.
func (w *world) refused(in gateway.Interaction, body string) (code gateway.Code, issue, place string) {
	w.t.Helper()
	res, err := fhir.Parse([]byte(body))
	must(w.t, err)
	in.Body = res
	_, err = w.gateway.Do(context.Background(), person(bydel), in)
	var e *gateway.Error
	if !errors.As(err, &e) || len(e.Issues) != 1 {
		w.t.Fatalf("error %v, want one issue", err)
	}
	return e.Code, e.Issues[0].Code, e.Issues[0].Expression
}

// TestNothingLeftOutInSilence: an order that holds what the message would not carry is refused when
// it is written, with the element.
func TestNothingLeftOutInSilence(t *testing.T) {
	w, p := sending(t, clinical...)
	const text = `{"contentString":"kanari"}`
	for name, c := range map[string]struct{ kind, rest, place, why string }{
		"attachment":            {"DIALOG_HELSEFAGLIG", `,"payload":[` + text + `,{"contentAttachment":{"contentType":"text/plain","data":"a2FuYXJp"}}]`, "Communication.payload[1].contentAttachment", "payload"},
		"reference without one": {"DIALOG_HELSEFAGLIG", `,"payload":[{"contentReference":{"display":"planen"}}]`, "Communication.payload[0].contentReference", "payload"},
		"contained":             {"DIALOG_HELSEFAGLIG", `,"contained":[{"resourceType":"Binary","id":"a","contentType":"text/plain"}],"payload":[{"contentReference":{"reference":"#a"}}]`, "Communication.payload[0].contentReference", "payload"},
		"text by extension":     {"DIALOG_HELSEFAGLIG", `,"payload":[` + text + `,{"_contentString":{"extension":[{"url":"http://example.org/a","valueBoolean":true}]}}]`, "Communication.payload[1]", "payload"},
		"no payload":            {"DIALOG_HELSEFAGLIG", ``, "Communication.payload", "payload-missing"},
		"logistics in words":    {"LOG_INNLAGT", `,"payload":[` + text + `]`, "Communication.payload[0].contentString", "no-place"},
		"epikrise":              {"EPIKRISE", `,"payload":[` + text + `]`, "Communication.category", "category"},
		"no such type":          {"FINNES_IKKE", `,"payload":[` + text + `]`, "Communication.category", "category"},
		"answer to nothing":     {"DIALOG_SVAR", `,"payload":[` + text + `]`, "Communication.inResponseTo", "answer-to-nothing"},
		"answer to a stranger":  {"DIALOG_SVAR", `,"inResponseTo":[{"reference":"Communication/finnes-ikke"}],"payload":[` + text + `]`, "Communication.inResponseTo", "answer-to-nothing"},
		"two types":             {`DIALOG_SVAR"},{"system":"urn:oid:2.16.578.1.12.4.1.1.8279","code":"DIALOG_NOTAT`, `,"payload":[` + text + `]`, "Communication.category", "category"},
	} {
		t.Run(name, func(t *testing.T) {
			code, issue, place := w.refused(gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: "Communication"}},
				order(p, c.kind, "fastlege", c.rest))
			if code != gateway.Invalid || place != c.place || issue != "communication."+c.why {
				t.Errorf("%s %s at %s, want invalid communication.%s at %s", code, issue, place, c.why, c.place)
			}
		})
	}
	w.once()
	if list := w.list(gp); len(list) != 0 {
		t.Errorf("%d messages left", len(list))
	}
}

// TestEveryTypeIsSent: each type that an order may name becomes a message.
func TestEveryTypeIsSent(t *testing.T) {
	w, p := sending(t, clinical...)
	plan := w.create(person(bydel), "CarePlan", `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"`+p.String()+`"},
	  "activity":[{"detail":{"status":"in-progress","description":"ukentlig samtale"}}]}`)
	asked := w.create(person(bydel), "Communication", order(p, "DIALOG_HELSEFAGLIG", "fastlege", note))
	for kind, payload := range map[string]string{
		"DIALOG_HELSEFAGLIG": `{"contentString":"a"}`, "DIALOG_FORESPORSEL": `{"contentString":"a"}`, "DIALOG_SVAR": `{"contentString":"a"}`,
		"DIALOG_NOTAT": `{"contentString":"a"}`, "DIALOG_AVVIK": `{"contentString":"a"}`,
		"HELSEOPPLYSNINGER_LEGE": `{"contentReference":{"reference":"CarePlan/` + string(plan.ID) + `"}}`,
	} {
		c := w.create(person(bydel), "Communication", order(p, kind, "fastlege",
			`,"inResponseTo":[{"reference":"Communication/`+string(asked.ID)+`"}],"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"logistikk"}]},"payload":[`+payload+`]`))
		w.once()
		if status, reason := w.communication(c); status != "in-progress" {
			t.Errorf("%s: %s %q", kind, status, reason)
		}
	}
	if list, _ := w.documents(gp); len(list) != 7 {
		t.Errorf("%d documents, want 7", len(list))
	}
}

// TestOrderIsFixed: once it is ordered, a Communication is not changed by its writer: neither status
// nor content.
func TestOrderIsFixed(t *testing.T) {
	w, p := sending(t, clinical...)
	body := order(p, "DIALOG_HELSEFAGLIG", "fastlege", note)
	c := w.create(person(bydel), "Communication", body)
	for _, changed := range []string{
		strings.Replace(body, "in-progress", "completed", 1), strings.Replace(body, "in-progress", "entered-in-error", 1),
		strings.Replace(body, "kanari-dialog", "noe annet", 1), strings.Replace(body, "Organization/fastlege", "Organization/ous", 1),
	} {
		code, issue, _ := w.refused(gateway.Interaction{Code: gateway.Update, Target: fhir.Reference{Type: "Communication", ID: c.ID}}, withID(changed, c))
		if code != gateway.Conflict || issue != "communication.ordered" {
			t.Errorf("%s %s, want conflict", code, issue)
		}
	}
	w.once()
	list, _ := w.documents(gp)
	if len(list) != 1 {
		t.Fatalf("%d documents, want 1", len(list))
	}
	w.call(gp, "POST", "/edi/Messages/"+list[0].ID+"/apprec/"+gp, map[string]any{"appRecStatus": "Ok"})
	if status, _ := w.communication(c); status != "completed" {
		t.Errorf("status %s after the AppRec", status)
	}
	draft := w.create(person(bydel), "Communication", strings.Replace(body, "in-progress", "preparation", 1))
	w.update(person(bydel), draft, withID(strings.Replace(body, "in-progress", "preparation", 1), draft))
	w.update(person(bydel), draft, withID(body, draft))
	w.once()
	if list, _ := w.documents(gp); len(list) != 2 {
		t.Errorf("%d documents after the draft was ordered, want 2", len(list))
	}
}

// TestUnknownElement: what no schema knows is withheld for that, and not told as lack of samtykke.
func TestUnknownElement(t *testing.T) {
	w := newWorld(t)
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
	  "name":"Mottak","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100031"}]}`)
	w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "ous", "bydel", gateway.AllLabels.Codes()...))
	w.wait(2 * time.Second) // the directory is at most a second old
	body := document(t, "dialog-1.1-notat", "<DatoNotat>", "<Ukjent>kanari-ukjent</Ukjent><DatoNotat>")
	body = body[:strings.Index(body, "</Document>")] + "</Document></MsgHead>" // less the attachments
	id := w.send(hospice, body)
	status, code, text := w.receipt("8100031", "55555555-aaaa-4555-8555-555555555555")
	if status != 2 || code != "T02" || !strings.HasPrefix(text, "Ikke levert: innholdet er ukjent") || strings.Contains(text, "samtykke") {
		t.Errorf("AppRec %d %s %q", status, code, text)
	}
	if _, status := w.fetch(bydel, id); status != http.StatusNotFound {
		t.Errorf("the receiver fetches it: %d", status)
	}
	w.send(gp, document(t, "medisinske-opplysninger", "<po:InfoReservasjon>", "<po:Ukjent>kanari-ukjent</po:Ukjent><po:InfoReservasjon>"))
	if status, code, text := w.receipt(gp, medicalID); status != 2 || code != "X99" || strings.Contains(text, "uklassifisert") {
		t.Errorf("where samtykke lacks as well: AppRec %d %s %q", status, code, text)
	}
}

// TestSignedLogistics: a logistics message that must lose its free text and may lose nothing is
// refused as a whole, with the reason.
func TestSignedLogistics(t *testing.T) {
	w := newWorld(t)
	w.create(operator, "HealthcareService", `{"resourceType":"HealthcareService","active":true,"providedBy":{"reference":"Organization/ous"},
	  "name":"ARA","identifier":[{"system":"`+fhir.SystemHER+`","value":"8100031"}]}`)
	w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "ous", "bydel", gateway.AllLabels.Codes()...))
	w.wait(2 * time.Second)
	id := w.send(hospice, document(t, "log-fritekst", "</MsgHead>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignatureValue>YQ==</SignatureValue></Signature></MsgHead>`))
	status, code, text := w.receipt("8100031", "33333333-aaaa-4333-8333-333333333333")
	if status != 2 || code != "X99" || !strings.Contains(text, "fritekst") || strings.Contains(text, "samtykke") {
		t.Errorf("AppRec %d %s %q", status, code, text)
	}
	if _, status := w.fetch(bydel, id); status != http.StatusNotFound || len(w.list(bydel, bydel, "8100021")) != 0 {
		t.Errorf("it reached the receiver: %d", status)
	}
}

// TestProtocol: names of parameters in any case, unknown ones by name, methods and slow bodies by
// their own status.
func TestProtocol(t *testing.T) {
	w := agreed(t)
	w.send(gp, document(t, "medisinske-opplysninger"))
	if a := w.call(bydel, "GET", "/edi/Messages?receiverherids="+bydel+"&INCLUDEMETADATA=true&messagesToFetch=5", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "businessDocumentId") {
		t.Errorf("parameters in another case: %d %s", a.status, a.body)
	}
	if a := w.call(bydel, "GET", "/edi/Messages?ReceiverHerIds="+bydel+"&Avsender=1", nil); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "Avsender") {
		t.Errorf("unknown parameter: %d %s", a.status, a.body)
	}
	if a := w.call(bydel, "GET", "/edi/Messages?ReceiverHerIds="+bydel+"&senderherid=1&SenderHerId=2", nil); a.status != http.StatusBadRequest {
		t.Errorf("one parameter twice: %d %s", a.status, a.body)
	}
	r, err := http.NewRequest("DELETE", w.server.URL+"/edi/Messages", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+gp)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close() //nolint:errcheck // not read
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
	if a := w.call(gp, "GET", "/edi/Nothing", nil); a.status != http.StatusNotFound {
		t.Errorf("no such path: %d", a.status)
	}
}

// TestSlowBody: a body that does not arrive is 408, with the API's own error.
func TestSlowBody(t *testing.T) {
	w := newWorld(t)
	h, err := exchange.Handler(exchange.Config{Gateway: w.gateway, Authenticator: bearer{}, Clock: w.clock})
	must(t, err)
	server := httptest.NewUnstartedServer(h)
	server.Config.ReadTimeout = 200 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer c.Close() //nolint:errcheck // read in full
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = c.Write([]byte("POST /edi/Messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + gp + "\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"business"))
	must(t, err)
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 408 ")) || !bytes.Contains(answer[:n], []byte(`"requestId"`)) {
		t.Errorf("%v: %s", err, answer[:n])
	}
}
