package mapping

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// ToFHIR translates one message to a Bundle of type collection. The ids follow from MsgId and the place of each
// resource in the message, so that the same message always gives the same bytes.
func ToFHIR(raw []byte) ([]byte, []Finding, error) {
	head, err := ReadHead(raw)
	if err != nil {
		return nil, nil, err
	}
	ids := map[string]string{}
	in, err := read(raw, func(key string) string {
		ids[key] = stableID(head.MsgID, key)
		return ids[key]
	}, true)
	if err != nil {
		return nil, nil, err
	}
	b := []byte(`{"resourceType":"Bundle","type":"collection","entry":[`)
	for i, r := range in.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		id, ok := ids[r.Key]
		if !ok {
			id = stableID(head.MsgID, r.Key)
		}
		b = append(b, "\n"+`{"fullUrl":"http://sluse.no/fhir/`+string(r.Type)+"/"+id+`","resource":`...)
		start := `{"resourceType":"` + string(r.Type) + `"`
		b = append(b, start+`,"id":"`+id+`"`...)
		b = append(b, r.Body[len(start):]...)
		b = append(b, '}')
	}
	return append(b, "]}\n"...), in.Report, nil
}

// stableID is a name-based UUID (RFC 9562 version 8) of message and key.
func stableID(msgID, key string) string {
	sum := sha256.Sum256([]byte(msgID + "\x00" + key))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// bundle is a Bundle to be sent as a message.
type bundle struct {
	resources []*node
	main      *node // the Communication that is the message
}

// ToMessage translates a Bundle to the message that its Communication (category 8279, identifier MsgId, sent, sender,
// recipient) describes: dialogmelding 1.1 or HELSEOPPLYSNINGER_LEGE.
func ToMessage(bundleJSON []byte) ([]byte, []Finding, error) {
	root, err := parseJSON(bundleJSON)
	if err != nil {
		return nil, nil, err
	}
	if root.get("resourceType").string() != "Bundle" {
		return nil, nil, fault(NotFHIR, "resourceType", "not a Bundle")
	}
	b := &bundle{}
	for _, entry := range root.get("entry").items() {
		r := entry.get("resource")
		if r.get("resourceType").string() == "" {
			return nil, nil, fault(NotFHIR, "Bundle.entry", "entry without a resource")
		}
		b.resources = append(b.resources, r)
		if b.main == nil && r.get("resourceType").string() == "Communication" && codeOf(r.get("category"), kindSystem) != "" {
			b.main = r
		}
	}
	o, err := b.outgoing()
	if err != nil {
		return nil, nil, err
	}
	return Write(o)
}

// codeOf returns the code of a system in a CodeableConcept or an array of them.
func codeOf(concept *node, system string) string {
	for _, c := range append(concept.items(), concept) {
		for _, coding := range c.get("coding").items() {
			if coding.get("system").string() == system {
				return coding.get("code").string()
			}
		}
	}
	return ""
}

func (b *bundle) outgoing() (Outgoing, error) {
	if b.main == nil {
		return Outgoing{}, fault(NotFHIR, "Bundle", "no Communication with a category of 8279")
	}
	c := b.main
	sent, ok := parseMoment(c.get("sent").string())
	if !ok || sent.layout != time.RFC3339 {
		return Outgoing{}, fault(Malformed, "Communication.sent", "missing or not a date and time")
	}
	h := Head{MsgID: identifierOf(c, msgIDSystem), Kind: Kind(codeOf(c.get("category"), kindSystem)), Generated: sent.at,
		Sender:            b.address(c.get("sender")),
		RefToParent:       identifierOf(c.get("inResponseTo").first(), msgIDSystem),
		RefToConversation: identifierOf(c.get("partOf").first(), msgIDSystem),
		Status:            StatusNew,
	}
	if s := codeOf(first(c.find(steps("extension{forsendelsesstatus}.valueCodeableConcept"))), "urn:oid:"+volven+"7309"); s != "" {
		h.Status = Status(s)
	}
	for i, ref := range c.get("recipient").items() {
		if a := b.address(ref); i == 0 {
			h.Receiver = a
		} else if a.Addressed() != "" {
			h.CopyReceivers = append(h.CopyReceivers, a)
		}
	}
	o := Outgoing{Message: c.bytes()}
	for _, r := range b.resources {
		switch typ := r.get("resourceType").string(); {
		case r == c || typ == "Provenance" || typ == "Binary" || typ == "DocumentReference":
			continue
		case typ == "Patient" && !h.Patient.Present:
			h.Patient = patientHead(r)
			fallthrough
		default:
			o.Resources = append(o.Resources, r.bytes())
		}
	}
	o.Attachments = b.attachments()
	if o.Head = h; strings.HasPrefix(string(h.Kind), "DIALOG_") {
		o.Dialog = DialogOf(o.Message)
	}
	return o, nil
}

func first(list []*node) *node {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// identifierOf finds the identifier of a system in a resource or in a logical reference.
func identifierOf(n *node, system string) string {
	for _, id := range append(n.get("identifier").items(), n.get("identifier")) {
		if id.get("system").string() == system {
			return id.get("value").string()
		}
	}
	return ""
}

// address reads a party from a logical reference, or from the Organization of the Bundle that a literal one names.
func (b *bundle) address(ref *node) Address {
	her, name := identifierOf(ref, identifierSystems["HER"]), ref.get("display").string()
	if literal := ref.get("reference").string(); literal != "" && her == "" {
		for _, r := range b.resources {
			if literal == r.get("resourceType").string()+"/"+r.get("id").string() {
				her, name = identifierOf(r, identifierSystems["HER"]), r.get("name").string()
			}
		}
	}
	a := Address{HERID: her, Name: name, OrgNumber: identifierOf(ref, identifierSystems["ENH"])}
	for _, v := range ref.find(steps("extension{organisasjonsnummer}.valueIdentifier.value")) {
		a.OrgNumber = v.string()
	}
	for _, parent := range ref.find(steps("extension{overordnet-enhet}.valueReference")) {
		above := b.address(parent)
		a = Address{HERID: above.HERID, Name: above.Name, OrgNumber: above.OrgNumber, UnitHERID: a.HERID, UnitName: a.Name}
	}
	for _, unit := range ref.find(steps("extension{avdeling}.valueReference")) { // as henvisning and epikrise v1.x have it
		if id := identifierOf(unit, identifierSystems["HER"]); id != "" && a.UnitHERID == "" {
			a.UnitHERID, a.UnitName = id, unit.get("display").string()
		}
	}
	for _, person := range ref.find(steps("extension{helsepersonell}.valueReference")) {
		a.HPR, a.PersonName = identifierOf(person, identifierSystems["HPR"]), person.get("display").string()
	}
	return a
}

// attachments are the documents with data in the Bundle, but for the kept original of a received message.
func (b *bundle) attachments() []Attachment {
	var out []Attachment
	for _, d := range b.resources {
		if d.get("resourceType").string() != "DocumentReference" || identifierOf(obj("identifier", d.get("masterIdentifier")), msgIDSystem) != "" {
			continue
		}
		for _, content := range d.get("content").items() {
			a := content.get("attachment")
			data := a.get("data").string()
			for _, r := range b.resources {
				if a.get("url").string() == "Binary/"+r.get("id").string() && r.get("resourceType").string() == "Binary" {
					data = r.get("data").string()
				}
			}
			if raw, err := base64.StdEncoding.DecodeString(data); err == nil && len(raw) > 0 {
				out = append(out, Attachment{MimeType: a.get("contentType").string(), Name: a.get("title").string(), Bytes: raw})
			}
		}
	}
	return out
}

// themeLists are the lists of a theme: of a question or of a note (plo.md § 7.2).
var themeLists = append([]string{"7322", "7321", "9069", "8117", "9148"}, questionLists...)

// DialogOf reads the payload of a dialogmelding from a FHIR Communication: topic (coding of a theme list, text), the
// strings of payload, note, and the urgency. Without a theme it is "Henvendelse om pasient" (7322 code 6).
func DialogOf(communication []byte) *Dialog {
	c, err := parseJSON(communication)
	if err != nil {
		return nil
	}
	t := theTable()
	d := &Dialog{ThemeList: "7322", ThemeCode: "6"}
	for _, coding := range c.get("topic").get("coding").items() {
		if list := strings.TrimPrefix(t.oid(coding.get("system").string()), volven); t.codes[list][coding.get("code").string()] != "" && slices.Contains(themeLists, list) {
			d.ThemeList, d.ThemeCode, d.ThemeDisplay = list, coding.get("code").string(), coding.get("display").string()
			break
		}
	}
	d.Subject = c.dig("topic", "text").string()
	var texts, notes []string
	for _, p := range c.get("payload").items() {
		if s := p.get("contentString").string(); s != "" {
			texts = append(texts, s)
		}
	}
	for _, n := range c.get("note").items() {
		if s := n.get("text").string(); s != "" {
			notes = append(notes, s)
		}
	}
	d.Text, d.Remark = strings.Join(texts, "\n"), strings.Join(notes, "\n")
	d.Urgency = codeOf(first(c.find(steps("extension{hastegrad}.valueCodeableConcept"))), "urn:oid:"+volven+"9067")
	d.Date = first(c.find(steps("extension{dato-notat}.valueDate"))).string()
	return d
}

// PatientOf reads the head of a message from a FHIR Patient: the current national identifier, name, birth date, sex,
// address and telephone.
func PatientOf(patient []byte) (PatientHead, error) {
	n, err := parseJSON(patient)
	if err != nil {
		return PatientHead{}, err
	}
	if n.get("resourceType").string() != "Patient" {
		return PatientHead{}, fault(NotFHIR, "resourceType", "not a Patient")
	}
	return patientHead(n), nil
}

func patientHead(n *node) PatientHead {
	p := PatientHead{Present: true, Sex: ""}
	for _, id := range n.get("identifier").items() {
		system, value := id.get("system").string(), id.get("value").string()
		if id.get("use").string() == "old" || value == "" {
			continue
		}
		if typ := identifierType(system); typ == "FNR" || typ == "DNR" {
			p.NIN, p.NINSystem, p.NINType, p.NINValid = value, system, typ, fhir.ValidNIN(value)
			break
		} else if p.NIN == "" && typ != "" {
			p.NIN, p.NINSystem, p.NINType = value, system, typ
		}
	}
	name := n.get("name").first()
	p.Family = name.get("family").string()
	for i, g := range name.get("given").items() {
		if i == 0 {
			p.Given = g.string()
		} else {
			p.Middle = strings.TrimSpace(p.Middle + " " + g.string())
		}
	}
	if p.Family == "" && p.Given == "" {
		p.Given, p.Family = splitName(name.get("text").string())
	}
	p.BirthDate, _ = birthDate(n.get("birthDate").string())
	p.Sex, _ = sexCode(n.get("gender").string())
	for _, a := range n.get("address").items() {
		p.Addresses = append(p.Addresses, PostalAddress{Type: map[string]string{"home": "H", "temp": "TMP", "work": "WP"}[a.get("use").string()],
			Street: a.get("line").first().string(), PostalCode: a.get("postalCode").string(), City: a.get("city").string(),
			Country: a.get("country").string()})
	}
	for _, point := range n.get("telecom").items() {
		if uri, typ := telecomURI(point); uri != "" {
			p.Telecom = append(p.Telecom, Telecom{Type: typ, URI: uri})
		}
	}
	return p
}
