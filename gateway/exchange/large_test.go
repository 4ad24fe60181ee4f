package exchange_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/fhir"
)

// attached is a message with an attachment of so many bytes.
func attached(t testing.TB, size int) string {
	data := make([]byte, size)
	copy(data, "%PDF-1.7 kanari-vedlegg")
	seed := uint32(1)
	for i := 64; i < size; i++ { // neither compressible nor random
		seed = seed*1664525 + 1013904223
		data[i] = byte(seed >> 24)
	}
	const rest = `<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Description>Vedlegg</Description>
	  <Content><b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">`
	return strings.Replace(document(t, "medisinske-opplysninger"), "</MsgHead>",
		rest+base64.StdEncoding.EncodeToString(data)+`</b:Base64Container></Content></RefDoc></Document></MsgHead>`, 1)
}

// TestLargeDocument: a document of nearly the 10 MiB that are let in is settled at once, acknowledged,
// fetched, and readable over FHIR.
func TestLargeDocument(t *testing.T) {
	for name, c := range map[string]struct {
		document  string
		status    int
		received  bool // the receiver may have the original as well
		originals int
	}{
		"attachment": {attached(t, 7_600_000), 3, false, 2},
		"padded":     {padded(t, 10<<20-16), 1, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(person(bydel), "Consent", consentBody("active", w.patient(bydel), "fastlege", "bydel", gateway.AllLabels.Codes()...))
			if n := len(c.document); n < 10_100_000 || n > 10<<20 {
				t.Fatalf("%d bytes", n)
			}
			id := w.send(gp, c.document)
			if status, code, text := w.receipt(gp, medicalID); status != c.status {
				t.Fatalf("AppRec %d %s %q, want %d", status, code, text, c.status)
			}
			if body, status := w.fetch(bydel, id); status != http.StatusOK || !strings.Contains(body, "kanari-rus") {
				t.Errorf("fetch: %d with %d bytes", status, len(body))
			}
			if own, _ := w.fetch(gp, id); own != c.document {
				t.Error("the sender does not find its own bytes")
			}
			list := entries(w.search(person(gp), "Binary"))[1:]
			if len(list) != c.originals {
				t.Errorf("%d Binaries at the sender, want %d", len(list), c.originals)
			}
			for _, e := range list {
				name, _, _ := strings.Cut(e[strings.Index(e, "Binary/")+len("Binary/"):], `"`)
				if _, err := w.read(person(gp), fhir.Reference{Type: "Binary", ID: fhir.ID(name)}); err != nil {
					t.Errorf("the sender reads Binary/%s: %v", name, err)
				}
				if _, err := w.read(person(bydel), fhir.Reference{Type: "Binary", ID: fhir.ID(name)}); (err == nil) != c.received {
					t.Errorf("the receiver reads Binary/%s: %v", name, err)
				}
			}
		})
	}
}

// padded is a message all of which may cross, of so many bytes.
func padded(t testing.TB, size int) string {
	body := document(t, "medisinske-opplysninger")
	from, to := strings.Index(body, "<po:ReservasjonOnske>"), strings.LastIndex(body, "</po:ReservasjonOnske>")
	if from < 0 || to < from {
		t.Fatal("no reservation")
	}
	body = body[:from] + body[to+len("</po:ReservasjonOnske>"):]
	return strings.Replace(body, "</MsgHead>", strings.Repeat(" ", size-len(body))+"</MsgHead>", 1)
}

// spoiled maps to a resource that no rule lets in, and keeps originals as badly.
type spoiled struct{ exchange.Translator }

func (spoiled) Map(_ gateway.Message, id func(fhir.Type, string) fhir.ID) (gateway.Delivery, error) {
	return gateway.Delivery{Resources: []gateway.DeliveredResource{{Type: "Condition", ID: id("Condition", "a"), Body: []byte(`{`)}}}, nil
}

func (spoiled) Original(_ gateway.Message, _ fhir.Reference, id func(fhir.Type, string) fhir.ID) ([]gateway.DeliveredResource, error) {
	return []gateway.DeliveredResource{{Type: "Binary", ID: id("Binary", "b"), Body: []byte(`{"resourceType":"Binary"}`)}}, nil
}

// TestContentFaultIsNotRetried: a fault of the content is the same at every try: it is answered at
// the first.
func TestContentFaultIsNotRetried(t *testing.T) {
	w := agreed(t)
	_, err := w.gateway.Receive(context.Background(), machine(gp),
		gateway.Submission{Document: []byte(document(t, "medisinske-opplysninger"))}, spoiled{})
	must(t, err)
	if status, code, _ := w.receipt(gp, medicalID); status != 2 || code != "T02" {
		t.Errorf("AppRec %d %s, want 2 T02", status, code)
	}
}
