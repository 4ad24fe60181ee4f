package mapping

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Outgoing is a message to be sent. Head needs MsgID, Kind, Generated, Sender, Receiver and Patient.
type Outgoing struct {
	Head        Head
	Dialog      *Dialog      // the payload of every DIALOG_ kind
	Resources   [][]byte     // the payload of every other kind: FHIR JSON, already decided on and trimmed
	Content     string       // content type (Volven 9137 to 9140) of the kinds that have one; empty: what the table says
	Message     []byte       // optional: the Communication that is the message, for what only it says (topic, extensions)
	Attachments []Attachment // Bytes, MimeType and Name
	Namespace   string       // of a root that is known by its local name (henvisning v2.0): without it, such a version is not written
}

// Dialog is the payload of a dialogmelding 1.1 (HIS 80603:2017).
type Dialog struct {
	ThemeList    string // Volven list: 7322, 9069, 9152 …
	ThemeCode    string
	ThemeDisplay string // empty takes the list's own
	Subject      string // Tema or EmneSporsmal
	Text         string // TekstNotatInnhold or Sporsmal
	Remark       string // Merknad or Begrunnelse
	Urgency      string // Volven 9067; questions only
	Date         string // YYYY-MM-DD; notes only
}

// Write maps to any kind that the tables write: dialogmelding 1.1 (1.0 when Head.Version asks for it), PLO 1.6,
// EPJ-innhold, in MsgHead 1.2, and henvisning; UTF-8. The same input gives the same bytes. The findings name what the
// message has no place for. Dialogmelding is valid by its schema. A LOG_ message never holds free text, an attachment, a
// revealing name or a code of a line "reveals".
func Write(o Outgoing) ([]byte, []Finding, error) {
	t := theTable()
	m := t.writer(o.Head.Kind, o.Head.Version, o.Namespace)
	switch {
	case m == nil:
		return nil, nil, fault(NotSupported, "/MsgHead/MsgInfo/Type", "no mapping to this message type")
	case o.Head.MsgID == "" || o.Head.Generated.IsZero():
		return nil, nil, fault(Malformed, "/MsgHead/MsgInfo", "id and time are required")
	case o.Head.Sender.Addressed() == "" || o.Head.Receiver.Addressed() == "":
		return nil, nil, fault(Malformed, "/MsgHead/MsgInfo", "HER-id of sender and receiver are required")
	case strings.HasPrefix(m.rootNS, nsDialog) != (o.Dialog != nil):
		return nil, nil, fault(Malformed, "/MsgHead/Document", "payload and type do not fit")
	}
	if t.heads[m.class] != nil {
		return writeOwn(t, m, o)
	}
	x := &emitter{t: t, sent: instant(o.Head.Generated), homes: m.rootClass.homes, log: t.logs[m.class]}
	payload, err := x.payload(m, o)
	if err != nil {
		return nil, nil, err
	}
	w := newWriter()
	w.open("MsgHead", "xmlns", nsHead)
	w.head(t, o.Head)
	w.document(instant(o.Head.Generated), "XML", "XML-instans", "", "", func() {
		for _, p := range payload {
			p.write(w)
		}
	})
	for i, a := range o.Attachments {
		if a.Bytes == nil || x.log { // no document goes with logistics
			x.findings = append(x.findings, Finding{Path: "Attachment[" + strconv.Itoa(i) + "]", Outcome: NotSent})
			continue
		}
		w.document(instant(o.Head.Generated), "A", "Vedlegg", a.MimeType, a.Name, func() {
			w.text("Base64Container", base64.StdEncoding.EncodeToString(a.Bytes), "xmlns", nsBase64)
		})
	}
	w.close("MsgHead")
	return w.bytes(), x.findings, nil
}

func (w *writer) document(issued, typ, display, mime, name string, content func()) {
	w.open("Document")
	w.open("RefDoc")
	w.empty("IssueDate", "V", issued)
	w.empty("MsgType", "V", typ, "DN", display)
	w.text("MimeType", mime)
	w.text("Description", name)
	w.open("Content")
	content()
	w.close("Content")
	w.close("RefDoc")
	w.close("Document")
}

// head writes MsgInfo in the order of its schema.
func (w *writer) head(t *table, h Head) {
	if h.KindDisplay == "" {
		h.KindDisplay = t.codes["8279"][string(h.Kind)]
	}
	if h.AckWanted == "" {
		h.AckWanted = "J"
	}
	w.open("MsgInfo")
	w.empty("Type", "V", string(h.Kind), "DN", h.KindDisplay)
	w.text("MIGversion", "v1.2 2006-05-24")
	w.text("GenDate", instant(h.Generated))
	w.text("MsgId", h.MsgID)
	w.empty("ProcessingStatus", "V", h.Processing, "DN",
		map[string]string{"P": "Produksjon", "D": "Debugging", "T": "Opplæring"}[h.Processing])
	w.empty("Ack", "V", h.AckWanted, "DN", map[string]string{"J": "Ja", "N": "Nei", "F": "Kun ved feil"}[h.AckWanted])
	if h.RefToParent != "" {
		if h.RefToConversation == "" {
			h.RefToConversation = h.RefToParent
		}
		w.open("ConversationRef")
		w.text("RefToParent", h.RefToParent)
		w.text("RefToConversation", h.RefToConversation)
		w.close("ConversationRef")
	}
	w.open("Sender")
	w.organisation(h.Sender)
	w.close("Sender")
	w.open("Receiver")
	w.organisation(h.Receiver)
	w.close("Receiver")
	for _, other := range h.CopyReceivers {
		w.open("OtherReceiver")
		w.empty("RoleReceiver", "V", "COP", "DN", "Kopimottaker")
		w.organisation(other)
		w.close("OtherReceiver")
	}
	if h.Patient.Present {
		w.patient(h.Patient)
	}
	w.close("MsgInfo")
}

func (w *writer) organisation(a Address) {
	if a.HERID == "" && a.OrgNumber == "" { // only the unit is known: it is the organisation then
		a.HERID, a.Name, a.UnitHERID, a.UnitName = a.UnitHERID, a.UnitName, "", ""
	}
	w.open("Organisation")
	w.text("OrganisationName", orDash(a.Name))
	w.ident(a.HERID, "HER", "9051", "HER-id")
	w.ident(a.OrgNumber, "ENH", "9051", "Organisasjonsnummeret i Enhetsregister")
	if a.UnitHERID != "" {
		w.open("Organisation")
		w.text("OrganisationName", orDash(a.UnitName))
		w.ident(a.UnitHERID, "HER", "9051", "HER-id")
		w.close("Organisation")
	}
	if a.HPR != "" {
		given, family := splitName(a.PersonName)
		w.open("HealthcareProfessional")
		w.text("FamilyName", family)
		w.text("GivenName", given)
		w.ident(a.HPR, "HPR", "8116", "HPR-nummer")
		w.close("HealthcareProfessional")
	}
	w.close("Organisation")
}

// orDash fills a name that the schema requires.
func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}

// splitName takes the last word as the family name.
func splitName(s string) (given, family string) {
	if i := strings.LastIndex(s, " "); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

func (w *writer) ident(id, typ, list, display string) {
	if id == "" {
		return
	}
	w.open("Ident")
	w.text("Id", id)
	w.empty("TypeId", "V", typ, "S", volven+list, "DN", display)
	w.close("Ident")
}

var identDisplays = map[string]string{"FNR": "Fødselsnummer", "DNR": "D-nummer", "HNR": "H-nummer", "DUF": "DUF-nummer",
	"FHN": "Felles hjelpenummer", "XXX": "Annet"}

func (w *writer) patient(p PatientHead) {
	w.open("Patient")
	w.text("FamilyName", p.Family)
	w.text("MiddleName", p.Middle)
	w.text("GivenName", p.Given)
	w.text("DateOfBirth", p.BirthDate)
	w.empty("Sex", "V", p.Sex, "DN", map[string]string{"1": "Mann", "2": "Kvinne", "0": "Ikke kjent", "9": "Ikke spesifisert"}[p.Sex])
	typ := p.NINType
	if typ == "" {
		typ = identifierType(p.NINSystem)
	}
	if typ == "" {
		typ = "XXX"
	}
	w.ident(p.NIN, typ, "8116", identDisplays[typ])
	if len(p.Addresses) > 0 {
		a := p.Addresses[0] // the schema has room for one
		w.open("Address")
		w.empty("Type", "V", a.Type)
		w.text("StreetAdr", a.Street)
		w.text("PostalCode", a.PostalCode)
		w.text("City", a.City)
		w.text("Postbox", a.Postbox)
		w.empty("County", "V", a.County, "DN", a.CountyName)
		w.empty("Country", "V", a.Country)
		w.close("Address")
	}
	for _, t := range p.Telecom {
		w.open("TeleCom")
		w.empty("TypeTelecom", "V", t.Type)
		w.empty("TeleAddress", "V", t.URI)
		w.close("TeleCom")
	}
	w.close("Patient")
}

func (x *emitter) name(prefix, local string) string {
	if prefix == x.plain || prefix == "" {
		return local
	}
	return prefix + ":" + local
}
