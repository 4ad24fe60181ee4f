package mapping

import (
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// ReadHead reads what can be read of any MsgHead 1.2 message, whatever its payload. A document that is no MsgHead gives
// nil and an *Error; one that lacks MsgId, type, sender, receiver or a valid GenDate gives what there is, and an *Error
// with code Malformed that names the element.
func ReadHead(raw []byte) (*Head, error) {
	root, _, err := parseLean(raw)
	if err != nil {
		return nil, err
	}
	return readHead(root)
}

func readHead(root *elem) (*Head, error) {
	if m := theTable().own(root); m != nil {
		return readOwnHead(root, m)
	}
	if root.ns != nsHead || root.name != "MsgHead" {
		return nil, fault(NotSupported, "/"+root.name, "not a MsgHead 1.2")
	}
	info := root.kid("MsgInfo")
	h := &Head{
		MsgID:             info.kid("MsgId").value(),
		Kind:              Kind(strings.TrimSpace(info.kid("Type").attr("V"))),
		KindDisplay:       info.kid("Type").attr("DN"),
		GeneratedValue:    info.kid("GenDate").value(),
		Sender:            readAddress(info.at("Sender", "Organisation")),
		Receiver:          readAddress(info.at("Receiver", "Organisation")),
		Patient:           readPatient(info.kid("Patient")),
		RefToParent:       info.at("ConversationRef", "RefToParent").value(),
		RefToConversation: info.at("ConversationRef", "RefToConversation").value(),
		Status:            StatusNew,
		AckWanted:         strings.TrimSpace(info.kid("Ack").attr("V")),
		Processing:        strings.TrimSpace(info.kid("ProcessingStatus").attr("V")),
		Consent:           theTable().consent(root, root.name),
	}
	for _, other := range info.kidsNamed("OtherReceiver") {
		if org := other.kid("Organisation"); org != nil {
			h.CopyReceivers = append(h.CopyReceivers, readAddress(org))
		}
	}
	for _, k := range root.kids {
		if k.ns == nsXMLDSig && k.name == "Signature" {
			h.Signed = true
		}
	}
	h.readPayload(root)
	if m, ok := parseMoment(h.GeneratedValue); ok && m.layout == time.RFC3339 {
		h.Generated = m.at
	}
	const at = infoPath + "/"
	return h, h.complete(at+"MsgId", at+"Type/@V", at+"GenDate", at+"Sender/Organisation", at+"Receiver/Organisation")
}

// readPayload finds namespace, version and Forsendelsesstatus of the first payload.
func (h *Head) readPayload(root *elem) {
	contents := root.at("Document", "RefDoc", "Content").all()
	if len(contents) == 0 {
		return
	}
	payload := contents[0]
	h.Namespace = payload.ns
	for i := range theTable().messages {
		if m := &theTable().messages[i]; m.payload(payload) != nil && (m.root == payload.name || m.kind == h.Kind) {
			h.Version = m.version
		}
	}
	h.Status = statusOf(payload.at("InformasjonOmForsendelsen", "Forsendelsesstatus"))
}

// complete names the first thing without which the message can be neither kept apart nor answered, by where it stands.
func (h *Head) complete(msgID, kind, generated, sender, receiver string) error {
	switch {
	case h.MsgID == "":
		return fault(Malformed, msgID, "missing")
	case h.Kind == "":
		return fault(Malformed, kind, "missing")
	case h.Generated.IsZero():
		return fault(Malformed, generated, "missing or not a date and time")
	case h.Sender.Addressed() == "":
		return fault(Malformed, sender, "no HER-id")
	case h.Receiver.Addressed() == "":
		return fault(Malformed, receiver, "no HER-id")
	}
	return nil
}

func readAddress(org *elem) Address {
	unit := org.kid("Organisation")
	person := org.kid("HealthcareProfessional")
	if person == nil {
		person = unit.kid("HealthcareProfessional")
	}
	return Address{
		HERID: ident(org, "HER"), OrgNumber: ident(org, "ENH"), Name: org.kid("OrganisationName").value(),
		UnitHERID: ident(unit, "HER"), UnitName: unit.kid("OrganisationName").value(),
		HPR: ident(person, "HPR"), PersonName: personName(person),
	}
}

func ident(e *elem, typ string) string {
	for _, id := range e.kidsNamed("Ident") {
		if strings.TrimSpace(id.kid("TypeId").attr("V")) == typ {
			return id.kid("Id").value()
		}
	}
	return ""
}

func personName(e *elem) string {
	var parts []string
	for _, n := range []string{"GivenName", "MiddleName", "FamilyName"} {
		if v := e.kid(n).value(); v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, " ")
}

func readPatient(e *elem) PatientHead {
	p := PatientHead{Present: e != nil, Given: e.kid("GivenName").value(), Middle: e.kid("MiddleName").value(),
		Family: e.kid("FamilyName").value(), Sex: strings.TrimSpace(e.kid("Sex").attr("V"))}
	if stated := e.kid("DateOfBirth").value(); stated != "" {
		if day, ok := birthDate(stated); ok {
			p.BirthDate = day
		} else {
			p.BirthDateAsStated = stated
		}
	}
	var all []PatientIdentifier
	for _, id := range e.kidsNamed("Ident") {
		typ := strings.TrimSpace(id.kid("TypeId").attr("V"))
		if v := id.kid("Id").value(); v != "" {
			all = append(all, PatientIdentifier{Type: typ, System: identifierSystems[typ], Value: v})
		}
	}
	for i, id := range all {
		if id.Type == "FNR" || id.Type == "DNR" || i == len(all)-1 && p.NIN == "" {
			p.NIN, p.NINType, p.NINSystem = id.Value, id.Type, id.System
			p.NINValid = (id.Type == "FNR" || id.Type == "DNR") && fhir.ValidNIN(id.Value)
			p.OtherIdentifiers = append(append([]PatientIdentifier(nil), all[:i]...), all[i+1:]...)
			break
		}
	}
	if a := e.kid("Address"); a != nil && len(a.kids) > 0 {
		p.Addresses = append(p.Addresses, PostalAddress{Type: a.kid("Type").attr("V"), Street: a.kid("StreetAdr").value(),
			PostalCode: a.kid("PostalCode").value(), City: a.kid("City").value(), Postbox: a.kid("Postbox").value(),
			County: a.kid("County").attr("V"), CountyName: a.kid("County").attr("DN"), Country: a.kid("Country").attr("V")})
	}
	for _, t := range e.kidsNamed("TeleCom") {
		p.Telecom = append(p.Telecom, Telecom{Type: t.kid("TypeTelecom").attr("V"), URI: t.kid("TeleAddress").attr("V")})
	}
	return p
}
