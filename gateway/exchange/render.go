package exchange

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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

// Render writes the document of an order: dialogmelding 1.1 or HELSEOPPLYSNINGER_LEGE. NotSupported
// means that the Communication holds what the message type has no place for: better not sent than
// sent without it. The report tells what of each record the message has no element for.
func (Translator) Render(o gateway.Outbound) (document, report []byte, err error) {
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
	out := mapping.Outgoing{Head: mapping.Head{
		MsgID: string(o.Order.MsgID), Kind: kindOf(root), Generated: o.At.UTC().Truncate(time.Second),
		Sender: partyAddress(o.From, o.Order.Sender), Receiver: partyAddress(o.To, o.Order.Receiver),
		Patient: patientHead(patient.Root()), RefToParent: o.Order.Parent, RefToConversation: o.Order.Conversation,
	}}
	theme, dialog := themes[out.Head.Kind]
	if dialog {
		out.Dialog = dialogOf(root, theme)
	} else if textOf(root) != "" {
		return nil, nil, unplaced(op, "Communication.payload.contentString")
	}
	for _, r := range o.Records {
		if !dialog && !(out.Head.Kind == mapping.KindReferral && r.Reference.Type == "Binary") {
			out.Resources = append(out.Resources, r.Body)
			continue
		}
		if r.Reference.Type != "Binary" {
			return nil, nil, unplaced(op, "Communication.payload.contentReference")
		}
		a, err := attachmentOf(r.Body)
		if err != nil {
			return nil, nil, err
		}
		out.Attachments = append(out.Attachments, a)
	}
	document, findings, err := mapping.Write(out)
	if err != nil {
		return nil, nil, fault(op, err)
	}
	if report, err = json.Marshal(findings); err != nil {
		return nil, nil, gateway.Failed(op, gateway.Internal, err)
	}
	return document, report, nil
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

func textOf(root *fhir.Value) string {
	var texts []string
	for _, p := range root.Get("payload").Items() {
		if s := p.Get("contentString").Text(); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, "\n\n")
}

func attachmentOf(body []byte) (mapping.Attachment, error) {
	const op = "exchange.attachment"
	b, err := gateway.ParseAuthored(body)
	if err != nil {
		return mapping.Attachment{}, gateway.Failed(op, gateway.Internal, err)
	}
	data, err := base64.StdEncoding.DecodeString(b.Root().Get("data").Text())
	if err != nil || len(data) == 0 {
		return mapping.Attachment{}, unplaced(op, "Binary.data")
	}
	return mapping.Attachment{MimeType: b.Root().Get("contentType").Text(), Name: "Vedlegg", Bytes: data}, nil
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
func patientHead(root *fhir.Value) mapping.PatientHead {
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
	return p
}
