package exchange

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// volven is the root of the Norwegian code lists as FHIR systems.
const volven = "urn:oid:2.16.578.1.12.4.1.1."

// themes are what a dialogmelding is about when its Communication names no topic.
var themes = map[mapping.Kind][2]string{
	mapping.KindDialogClinical:  {"7322", "6"},  // Henvendelse om pasient
	mapping.KindDialogQuestion:  {"9152", "99"}, // Annen henvendelse
	mapping.KindDialogAnswer:    {"9069", "5"},  // Svar på forespørsel
	mapping.KindDialogNote:      {"7321", "1"},  // Notat om pasient
	mapping.KindDialogDeviation: {"8117", "9"},  // Annet
	mapping.KindReferralStatus:  {"9148", "2"},  // Rett til helsehjelp, tidspunkt kommer
}

// Writes tells whether the tables write messages of that type.
func (t Translator) Writes(kind, version string) bool {
	return mapping.Writes(mapping.Kind(kind), version, t.Referral20)
}

// Indivisible tells of epikrise and henvisning (DESIGN § 5, Receiving).
func (Translator) Indivisible(kind string) bool {
	return mapping.Head{Kind: mapping.Kind(kind)}.AllOrNothing()
}

// Render writes the document of an order: any type that the tables write. NotSupported means that the Communication
// holds what the message type has no place for, Malformed that the type requires what it does not hold: better not sent
// than sent without it. The report tells what of each record the message has no element for.
func (t Translator) Render(o gateway.Outbound) (document, report []byte, err error) {
	const op = "exchange.render"
	communication, err := gateway.ParseAuthored(o.Communication)
	if err != nil {
		return nil, nil, gateway.Failed(op, gateway.Internal, err)
	}
	patient, err := gateway.ParseAuthored(o.Patient)
	if err != nil {
		return nil, nil, gateway.Failed(op, gateway.Internal, err)
	}
	root := communication.Root()
	out := mapping.Outgoing{Namespace: t.Referral20, Message: o.Communication, Head: mapping.Head{
		MsgID: string(o.Order.MsgID), Kind: kindOf(root), Generated: o.At.UTC().Truncate(time.Second), Status: statusOf(root),
		Version: extensionOf(root, gateway.ExtensionVersion).Get("valueCode").Text(),
		Sender:  partyAddress(o.From, o.Order.Sender), Receiver: partyAddress(o.To, o.Order.Receiver),
		Patient: patientHead(kindOf(root), patient.Root()), RefToParent: o.Order.Parent, RefToConversation: o.Order.Conversation, Thread: threadOf(root, o),
	}}
	placed, err := content(&out, root, o.Records)
	if err != nil {
		return nil, nil, err
	}
	document, findings, err := mapping.Write(out)
	if err != nil {
		return nil, nil, unwritten(err)
	}
	for _, f := range findings {
		if at := slices.Index(placed, f.Path); at >= 0 && f.Outcome == mapping.NotSent { // the whole record
			return nil, nil, unplaced(op, payloadOf(root, o.Records[at].Reference))
		}
	}
	if report, err = json.Marshal(findings); err != nil {
		return nil, nil, gateway.Failed(op, gateway.Internal, err)
	}
	return document, report, nil
}

// content takes what the Communication says and the records that it names: text and attachments in a dialogue, resources in
// any other. placed tells for each record how package mapping calls it in its report; "" for an attachment.
func content(out *mapping.Outgoing, root *fhir.Value, records []gateway.OutboundRecord) (placed []string, err error) {
	const op = "exchange.render"
	theme, dialog := themes[out.Head.Kind]
	if dialog {
		out.Dialog = dialogOf(root, theme)
	} else if at := textAt(root); at != nil {
		return nil, unplaced(op, at.Expression())
	}
	for _, r := range records {
		attached := r.Reference.Type == "Binary" || r.Reference.Type == "DocumentReference"
		if !attached && !dialog {
			placed = append(placed, string(r.Reference.Type)+"["+strconv.Itoa(len(out.Resources))+"]")
			out.Resources = append(out.Resources, r.Body)
			continue
		}
		if !attached || strings.HasPrefix(string(out.Head.Kind), "LOG_") { // no document goes with logistics
			return nil, unplaced(op, payloadOf(root, r.Reference))
		}
		a, err := attachmentOf(r.Body)
		if err != nil {
			return nil, err
		}
		placed, out.Attachments = append(placed, ""), append(out.Attachments, a)
	}
	return placed, nil
}

// unwritten turns a fault of package mapping into one of ours whose expression is the FHIR element.
func unwritten(err error) error {
	var e *mapping.Error
	if !errors.As(err, &e) || e.FHIR == "" {
		return fault("exchange.render", err)
	}
	return gateway.Fault("exchange.render", mappingCodes[e.Code], fhir.Issue{
		Severity: "error", Type: "required", Code: "message." + string(e.Code), Expression: e.FHIR, Args: []string{e.Path}})
}

// payloadOf is where a Communication names a record.
func payloadOf(root *fhir.Value, r fhir.Reference) string {
	for _, p := range root.Get("payload").Items() {
		ref, err := fhir.ParseReference(p.Get("contentReference", "reference").Text())
		if err == nil && ref.Type == r.Type && ref.ID == r.ID {
			return p.Get("contentReference").Expression()
		}
	}
	return "Communication.payload"
}

func extensionOf(root *fhir.Value, url string) *fhir.Value {
	for _, x := range root.Get("extension").Items() {
		if x.Get("url").Text() == url {
			return x
		}
	}
	return nil
}

// statusOf is what an order does to an earlier message: kodeverk 7309.
func statusOf(root *fhir.Value) mapping.Status {
	for _, c := range extensionOf(root, gateway.ExtensionChange).Get("valueCodeableConcept", "coding").Items() {
		if c.Get("system").Text() == volven+"7309" {
			return mapping.Status(c.Get("code").Text())
		}
	}
	return mapping.StatusNew
}

// threadOf is the id of what the message is about, for those that have no other way to name what they change: that of the
// earlier message, else what the sender calls it, else the MsgId of the first one.
func threadOf(root *fhir.Value, o gateway.Outbound) string {
	if o.Thread != "" {
		return o.Thread
	}
	for _, id := range root.Get("identifier").Items() {
		if v := id.Get("value").Text(); v != "" && len(v) <= 200 && !fhir.ContainsNIN(v) {
			return v
		}
	}
	if s := statusOf(root); o.Order.Parent != "" && s != mapping.StatusNew && s != mapping.StatusHistory {
		return o.Order.Parent
	}
	return string(o.Order.MsgID)
}

func unplaced(op, place string) error {
	return gateway.Fault(op, gateway.NotSupported,
		fhir.Issue{Severity: "error", Type: "not-supported", Code: "message.no-place", Expression: place})
}

func kindOf(root *fhir.Value) mapping.Kind {
	for _, c := range root.Get("category").Items() {
		for _, coded := range c.Get("coding").Items() {
			if coded.Get("system").Text() == kindSystem {
				return mapping.Kind(coded.Get("code").Text())
			}
		}
	}
	return ""
}

// dialogOf takes theme, subject, text and urgency from where reading a dialogmelding puts them.
func dialogOf(root *fhir.Value, theme [2]string) *mapping.Dialog {
	d := &mapping.Dialog{ThemeList: theme[0], ThemeCode: theme[1], Text: textOf(root), Subject: root.Get("topic", "text").Text()}
	for _, c := range root.Get("topic", "coding").Items() {
		if list, ok := strings.CutPrefix(c.Get("system").Text(), volven); ok {
			d.ThemeList, d.ThemeCode, d.ThemeDisplay = list, c.Get("code").Text(), c.Get("display").Text()
			break
		}
	}
	var notes []string
	for _, n := range root.Get("note").Items() {
		notes = append(notes, n.Get("text").Text())
	}
	d.Remark = strings.Join(notes, "\n")
	return d
}

// textAt is the first text of the Communication's own, nil when there is none.
func textAt(root *fhir.Value) *fhir.Value {
	for _, p := range root.Get("payload").Items() {
		if v := p.Get("contentString"); v.Text() != "" {
			return v
		}
	}
	return nil
}

func textOf(root *fhir.Value) string {
	var texts []string
	for _, p := range root.Get("payload").Items() {
		if s := p.Get("contentString").Text(); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, "\n\n")
}

// attachmentOf takes the bytes of a Binary, or those that a DocumentReference holds itself.
func attachmentOf(body []byte) (mapping.Attachment, error) {
	const op = "exchange.attachment"
	b, err := gateway.ParseAuthored(body)
	if err != nil {
		return mapping.Attachment{}, gateway.Failed(op, gateway.Internal, err)
	}
	at, place, name := b.Root(), "Binary.data", ""
	if b.Type() == "DocumentReference" {
		place = "DocumentReference.content.attachment.data"
		contents := at.Get("content").Items()
		if len(contents) != 1 {
			return mapping.Attachment{}, unplaced(op, "DocumentReference.content")
		}
		at = contents[0].Get("attachment")
		name = at.Get("title").Text()
	}
	data, err := base64.StdEncoding.DecodeString(at.Get("data").Text())
	if err != nil || len(data) == 0 {
		return mapping.Attachment{}, unplaced(op, place)
	}
	if name == "" {
		name = "Vedlegg"
	}
	return mapping.Attachment{MimeType: at.Get("contentType").Text(), Name: name, Bytes: data}, nil
}

func partyAddress(p gateway.Party, a gateway.Addressee) mapping.Address {
	to := mapping.Address{HERID: string(p.ID), OrgNumber: string(p.OrgNumber), Name: p.Name, HPR: string(a.Practitioner)}
	if a.HERID != p.ID {
		to.UnitHERID, to.UnitName = string(a.HERID), a.Name
		if to.UnitName == "" {
			to.UnitName = p.Name
		}
	}
	return to
}

// patientHead writes the head of the Patient as far as the decision has let it through.
func patientHead(kind mapping.Kind, root *fhir.Value) mapping.PatientHead {
	p := mapping.PatientHead{Present: true, BirthDate: root.Get("birthDate").Text()}
	for _, id := range root.Get("identifier").Items() {
		system := id.Get("system").Text()
		if (system == fhir.SystemFNR || system == fhir.SystemDNR) && id.Get("use").Text() != "old" && p.NIN == "" {
			p.NIN, p.NINSystem, p.NINType, p.NINValid = id.Get("value").Text(), system, "FNR", true
			if system == fhir.SystemDNR {
				p.NINType = "DNR"
			}
		}
	}
	names := root.Get("name").Items()
	if at := slices.IndexFunc(names, func(n *fhir.Value) bool { return n.Get("use").Text() == "official" }); at > 0 {
		names = names[at:]
	}
	if len(names) > 0 {
		p.Family = names[0].Get("family").Text()
		var given []string
		for _, g := range names[0].Get("given").Items() {
			given = append(given, g.Text())
		}
		p.Given = strings.Join(given, " ")
		if p.Family == "" && p.Given == "" {
			p.Family = names[0].Get("text").Text()
		}
	}
	p.Sex = map[string]string{"male": "1", "female": "2", "other": "9", "unknown": "0"}[root.Get("gender").Text()]
	if strings.HasPrefix(string(kind), string(mapping.KindReferral)) { // others hold no more of her than who she is
		p.Addresses, p.Telecom = postalOf(root), telecomOf(root)
	}
	return p
}

// postalOf is where the patient lives, as far as the decision has let it through.
func postalOf(root *fhir.Value) (list []mapping.PostalAddress) {
	for _, a := range root.Get("address").Items() {
		if a.Get("use").Text() == "old" {
			continue
		}
		var lines []string
		for _, l := range a.Get("line").Items() {
			lines = append(lines, l.Text())
		}
		list = append(list, mapping.PostalAddress{
			Type: "H", Street: strings.Join(lines, ", "), PostalCode: a.Get("postalCode").Text(), City: a.Get("city").Text(),
		})
	}
	return list
}

// telecomTypes are kodeverk 9061 for ContactPoint.use.
var telecomTypes = map[string]string{"mobile": "MC", "work": "WP"}

func telecomOf(root *fhir.Value) (list []mapping.Telecom) {
	schemes := map[string]string{"phone": "tel:", "sms": "tel:", "fax": "fax:", "email": "mailto:"}
	for _, c := range root.Get("telecom").Items() {
		scheme, value := schemes[c.Get("system").Text()], strings.ReplaceAll(c.Get("value").Text(), " ", "")
		if scheme == "" || value == "" || c.Get("use").Text() == "old" {
			continue
		}
		kind, ok := telecomTypes[c.Get("use").Text()]
		if !ok {
			kind = "H"
		}
		if scheme == "fax:" {
			kind = "F"
		}
		list = append(list, mapping.Telecom{Type: kind, URI: scheme + value})
	}
	return list
}
