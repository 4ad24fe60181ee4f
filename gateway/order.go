package gateway

import (
	"context"
	"strconv"

	"github.com/sluse/sluse/gateway/fhir"
)

// Orders tells which messages a Communication may order, and writes them. It is pure: package exchange implements it on
// the tables of package mapping.
type Orders interface {
	// Writes tells whether messages of that type (kodeverk 8279) are written in that version; "" asks for any.
	Writes(kind, version string) bool
	// Indivisible tells whether messages of that type go whole or not at all, whatever the sender says.
	Indivisible(kind string) bool
	// Render writes the document of an order, and a report of what it has no place for. Errors: NotSupported, Invalid or
	// Malformed when it cannot be expressed as this type of message; the expression of the first issue is the FHIR element
	// that the message lacks or has no place for.
	Render(o Outbound) (document, report []byte, err error)
}

// Extensions of a Communication that say how it is sent.
const (
	ExtensionPartial = "http://sluse.no/fhir/StructureDefinition/delvis"             // valueBoolean false: whole, or not at all
	ExtensionVersion = "http://sluse.no/fhir/StructureDefinition/meldingsversjon"    // valueCode: of the message's standard, "1.0"
	ExtensionChange  = "http://sluse.no/fhir/StructureDefinition/forsendelsesstatus" // valueCodeableConcept, kodeverk 7309
)

// orderedChanges are the codes of kodeverk 7309 that an order may have, and what each does to the message that it names in
// inResponseTo.
var orderedChanges = map[string]Change{"N": NoChange, "H": NoChange, "M": Supersede, "A": Supplement, "C": Cancel}

// orderable refuses a Communication that asks to be sent and holds what would be left out of the
// message in silence, or nothing at all.
func (g *Gateway) orderable(root *fhir.Value) error {
	if err := g.orderableKind(root); err != nil {
		return err
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

// orderableKind refuses a type of message that is not written, and extensions that say how it is sent in a way that is
// not understood.
func (g *Gateway) orderableKind(root *fhir.Value) error {
	kind := ""
	for _, c := range root.Get("category").Items() {
		for _, coding := range c.Get("coding").Items() {
			if coding.Get("system").Text() != messageTypeSystem {
				continue
			}
			if kind != "" {
				return refuseOrder("communication.category", "Communication.category")
			}
			kind = coding.Get("code").Text()
		}
	}
	if g.Orders == nil || !g.Orders.Writes(kind, "") {
		return refuseOrder("communication.category", "Communication.category")
	}
	if v := extensionOf(root, ExtensionVersion); v != nil && !g.Orders.Writes(kind, v.Get("valueCode").Text()) {
		return refuseOrder("communication.version", v.Expression())
	}
	if v := extensionOf(root, ExtensionPartial); v != nil && v.Get("valueBoolean") == nil {
		return refuseOrder("communication.partial", v.Expression())
	}
	if v := extensionOf(root, ExtensionChange); v != nil {
		if _, known := orderedChanges[changeCode(v)]; !known {
			return refuseOrder("communication.change", v.Expression())
		}
	}
	return nil
}

func extensionOf(root *fhir.Value, url string) *fhir.Value {
	for _, v := range root.Get("extension").Items() {
		if v.Get("url").Text() == url {
			return v
		}
	}
	return nil
}

func changeCode(v *fhir.Value) string {
	for _, c := range v.Get("valueCodeableConcept", "coding").Items() {
		if c.Get("system").Text() == changeSystem {
			return c.Get("code").Text()
		}
	}
	return ""
}

const changeSystem = "urn:oid:2.16.578.1.12.4.1.1.7309"

// changes tells what an order does to an earlier message of the same sender.
func changes(root *fhir.Value) Change {
	if v := extensionOf(root, ExtensionChange); v != nil {
		return orderedChanges[changeCode(v)]
	}
	return NoChange
}

// undivided tells whether an order goes whole or not at all: its type does, or its sender has said so.
func undivided(o Orders, root *fhir.Value) bool {
	v := extensionOf(root, ExtensionPartial)
	return o.Indivisible(kindOf(root)) || v != nil && string(v.Get("valueBoolean").Raw()) == "false"
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

// changed refuses an order that changes, supplements or cancels what its sender has not sent.
func (g *Gateway) changed(ctx context.Context, tx Tx, who asked, root *fhir.Value, person PersonID, parent string) error {
	if changes(root) == NoChange {
		return nil
	}
	const nothing = "communication.change-of-nothing"
	if parent == "" {
		return refuseOrder(nothing, "Communication.inResponseTo")
	}
	named, to := root.Get("inResponseTo").Items(), root.Get("recipient").Items()
	if len(named) != 1 {
		return refuseOrder(nothing, "Communication.inResponseTo")
	}
	if len(to) != 1 { // each receiver has got a message of its own
		return refuseOrder(nothing, "Communication.recipient")
	}
	ref, err := fhir.ParseReference(named[0].Get("reference").Text())
	if err != nil {
		return refuseOrder(nothing, "Communication.inResponseTo")
	}
	placed, err := tx.Placed(ctx, who.party.ID, ref.ID)
	if err != nil {
		return err
	}
	earlier, err := tx.Read(ctx, g.custody(who, Relay), ref)
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	if err != nil || !placed || earlier.Person != person || !onlyTo(earlier, to[0]) {
		return refuseOrder(nothing, "Communication.inResponseTo")
	}
	return nil
}

// follows gives the id by which the message that an order changes or supplements named what it is about.
func (g *Gateway) follows(ctx context.Context, tx Tx, o Order, root *fhir.Value, t Translator) (string, error) {
	if o.Parent == "" || changes(root) == NoChange {
		return "", nil
	}
	found, err := tx.Settled(ctx, o.Party, MsgID(o.Parent))
	if err != nil || len(found) == 0 {
		return "", err
	}
	m, err := t.Head(found[0].Message.Document)
	if err != nil {
		return "", Failed("gateway.follows", Internal, err)
	}
	return m.Thread, nil
}

// onlyTo tells whether a Communication went to that recipient and nobody else.
func onlyTo(c Record, to *fhir.Value) bool {
	res, err := ParseAuthored(c.Body)
	if err != nil {
		return false
	}
	went := res.Root().Get("recipient").Items()
	return len(went) == 1 && went[0].Get("reference").Text() == to.Get("reference").Text()
}

// expressible refuses an order whose message would lack what its type requires, or has no place for what the order
// names, with the FHIR element: whoever orders is told now, and not when it is sent. What cannot be read now, such as what
// stands later in the same Bundle, is looked at when it is sent. It decides nothing: nothing of it leaves.
func (g *Gateway) expressible(ctx context.Context, tx Tx, who asked, res *fhir.Resource, o Order, to Party) error {
	own := g.custody(who, Relay)
	out := Outbound{Order: o, At: g.Clock(), From: who.party, To: to, Communication: res.Bytes()}
	subject, _ := res.Subject()
	patient, err := tx.Read(ctx, own, fhir.Reference{Type: "Patient", ID: subject.ID})
	if err != nil || patient.Deleted {
		return ignoreAbsent(err)
	}
	out.Patient = plain(patient).Body
	for _, item := range res.Root().Get("payload").Items() {
		ref, err := fhir.ParseReference(item.Get("contentReference", "reference").Text())
		if err != nil {
			continue
		}
		r, err := tx.Read(ctx, own, ref)
		if err != nil {
			return ignoreAbsent(err)
		}
		if r.Deleted || r.Person != o.Person || r.Custodian != o.Party {
			return nil
		}
		out.Records = append(out.Records, OutboundRecord{Reference: r.Reference, Body: plain(r).Body})
	}
	_, _, err = g.Orders.Render(out)
	switch CodeOf(err) {
	case NotSupported, Invalid, Malformed:
		code, place := "communication.incomplete", missingFrom(err)
		if CodeOf(err) == NotSupported {
			code = "communication.no-place"
		}
		if place == "" {
			place = "Communication"
		}
		return refuseOrder(code, place)
	}
	return err
}

// missingFrom is the FHIR element that an order cannot be rendered for; "" when it is none.
func missingFrom(err error) string {
	if e, ok := asError(err); ok && len(e.Issues) > 0 {
		return e.Issues[0].Expression
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
