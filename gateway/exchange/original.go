package exchange

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	msgIDSystem = "http://sluse.no/fhir/NamingSystem/msgid"
	kindSystem  = "urn:oid:2.16.578.1.12.4.1.1.8279"
)

// The resources that keep a document which cannot be mapped: as it came, with what its head says.
type (
	original struct {
		ResourceType     string            `json:"resourceType"`
		MasterIdentifier identifier        `json:"masterIdentifier"`
		Status           string            `json:"status"`
		Type             concept           `json:"type"`
		Subject          *reference        `json:"subject,omitempty"`
		Date             string            `json:"date,omitempty"`
		Content          []originalContent `json:"content"`
	}
	identifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	}
	concept struct {
		Coding []coding `json:"coding"`
	}
	coding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	reference struct {
		Reference string `json:"reference"`
	}
	originalContent struct {
		Attachment attachment `json:"attachment"`
	}
	attachment struct {
		ContentType string `json:"contentType"`
		URL         string `json:"url"`
	}
	binary struct {
		ResourceType    string    `json:"resourceType"`
		ContentType     string    `json:"contentType"`
		SecurityContext reference `json:"securityContext"`
		Data            string    `json:"data"`
	}
)

// Original makes the DocumentReference and Binary of a document that cannot be mapped.
func (Translator) Original(m gateway.Message, patient fhir.Reference, id func(t fhir.Type, key string) fhir.ID) ([]gateway.DeliveredResource, error) {
	const op = "exchange.original"
	document, data := id("", "original"), id("", "original-binary")
	d := original{
		ResourceType: "DocumentReference", MasterIdentifier: identifier{msgIDSystem, string(m.MsgID)}, Status: "current",
		Type:    concept{[]coding{{kindSystem, m.Kind, m.KindName}}},
		Content: []originalContent{{attachment{"application/xml", "Binary/" + string(data)}}},
	}
	if patient.ID != "" {
		d.Subject = &reference{"Patient/" + string(patient.ID)}
	}
	if !m.Generated.IsZero() {
		d.Date = m.Generated.UTC().Format(time.RFC3339)
	}
	b := binary{"Binary", "application/xml", reference{"DocumentReference/" + string(document)}, base64.StdEncoding.EncodeToString(m.Document)}
	head, err := json.Marshal(d)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	return []gateway.DeliveredResource{
		{Type: "DocumentReference", ID: document, Whole: true, Body: head},
		{Type: "Binary", ID: data, Whole: true, Body: body},
	}, nil
}
