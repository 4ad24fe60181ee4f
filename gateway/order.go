package gateway

import (
	"context"
	"slices"
	"strconv"

	"github.com/sluse/sluse/gateway/fhir"
)

// sendable are the message types that a Communication is sent as: kodeverk 8279.
var sendable = []string{
	"DIALOG_HELSEFAGLIG", "DIALOG_FORESPORSEL", "DIALOG_SVAR", "DIALOG_NOTAT", "DIALOG_AVVIK", "HELSEOPPLYSNINGER_LEGE",
}

// orderable refuses a Communication that asks to be sent and holds what would be left out of the
// message in silence, or nothing at all.
func orderable(root *fhir.Value) error {
	kinds := 0
	for _, c := range root.Get("category").Items() {
		for _, coding := range c.Get("coding").Items() {
			if coding.Get("system").Text() != messageTypeSystem {
				continue
			}
			if kinds++; kinds > 1 || !slices.Contains(sendable, coding.Get("code").Text()) {
				return refuseOrder("communication.category", "Communication.category")
			}
		}
	}
	payload := root.Get("payload").Items()
	if len(payload) == 0 {
		return refuseOrder("communication.payload-missing", "Communication.payload")
	}
	for i, item := range payload {
		place := "Communication.payload[" + strconv.Itoa(i) + "]"
		switch {
		case item.Get("contentAttachment") != nil:
			return refuseOrder("communication.payload", place+".contentAttachment")
		case item.Get("contentReference") != nil:
			if _, err := fhir.ParseReference(item.Get("contentReference", "reference").Text()); err != nil {
				return refuseOrder("communication.payload", place+".contentReference")
			}
		case item.Get("contentString").Text() == "":
			return refuseOrder("communication.payload", place)
		}
	}
	return nil
}

// kindOf gives the type that a Communication is to be sent as: a code of kodeverk 8279.
func kindOf(communication *fhir.Value) string {
	for _, c := range communication.Get("category").Items() {
		for _, coding := range c.Get("coding").Items() {
			if coding.Get("system").Text() == messageTypeSystem {
				return coding.Get("code").Text()
			}
		}
	}
	return ""
}

// ordered refuses to change a Communication that was ordered to be sent: what was ordered is fixed,
// and its status follows the message.
func (g *Gateway) ordered(ctx context.Context, tx Tx, current Record) error {
	if current.Reference.Type != "Communication" {
		return nil
	}
	placed, err := tx.Placed(ctx, current.Custodian, current.Reference.ID)
	if err != nil || !placed {
		return err
	}
	fixed := fhir.Issue{Severity: "error", Type: "conflict", Expression: "Communication.status"}
	fixed.Code = "communication.ordered"
	return Fault("gateway.ordered", Conflict, fixed)
}
