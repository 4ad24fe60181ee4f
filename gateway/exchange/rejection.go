package exchange

import (
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/mapping"
)

// rejection is what is said, beside the rule (texts), of a document that is not taken in or not delivered: the code of
// Volven 8221, and what its sender is to do.
type rejection struct{ code, remedy string }

// rejections has a row for every fault of package mapping.
var rejections = map[mapping.Code]rejection{
	mapping.NotXML:       {"T01", "Lag dokumentet på nytt som velformet XML og send det."},
	mapping.Forbidden:    {"T01", "Ta ut DTD, entiteter og prosesseringsinstruksjoner, og send på nytt."},
	mapping.TooLarge:     {"T99", "Send færre eller mindre vedlegg, eller del innholdet på flere meldinger."},
	mapping.Charset:      {"T01", "Lagre dokumentet i UTF-8, oppgi det i XML-deklarasjonen, og send på nytt."},
	mapping.Malformed:    {"T02", "Rett elementet og send meldingen på nytt med ny MsgId."},
	mapping.NotSupported: {"T10", "Send en meldingstype og versjon som tas imot: sluse translate --table all viser dem."},
	mapping.Locked:       {"X99", "Innhent samtykke for hele meldingen, eller send det som er dekket, i en melding for seg."},
	mapping.NotFHIR:      {"T99", "Send en FHIR R4-ressurs med resourceType."},
}

// remedies tell the sender of a message what to do about each reason.
var remedies = map[gateway.Reason]string{
	gateway.ConsentMissing:   "Spør pasienten og registrer et samtykke, eller velg et annet rettslig grunnlag med begrunnelse.",
	gateway.ReceiverUnknown:  "Finn riktig HER-id i Adresseregisteret og send på nytt med ny MsgId.",
	gateway.ReceiverClosed:   "Finn en adresse som er i bruk, i Adresseregisteret, og send på nytt med ny MsgId.",
	gateway.KindNotTaken:     "Send til en adresse som tar imot meldingstypen.",
	gateway.NINMissing:       "Oppgi fødselsnummer eller D-nummer i Patient/Ident og send på nytt med ny MsgId.",
	gateway.NINWrong:         "Kontroller fødselsnummeret eller D-nummeret i Patient/Ident og send på nytt med ny MsgId.",
	gateway.KindUnknown:      rejections[mapping.NotSupported].remedy,
	gateway.ContentInvalid:   "Rett innholdet etter standarden og send meldingen på nytt med ny MsgId.",
	gateway.ContentUnknown:   "Ta ut elementene som ikke finnes i standarden, og send meldingen på nytt med ny MsgId.",
	gateway.AttachmentFault:  "Send vedlegget på nytt, i et format og en størrelse som tas imot.",
	gateway.FreeTextDropped:  "Send helseopplysninger i en egen melding: logistikkmeldinger har ingen.",
	gateway.ParentUnnamed:    "Bruk samme ServReq/Id som i meldingen det gjelder, eller ring mottakeren.",
	gateway.ProcessingFailed: "Send på nytt senere. Ring mottakeren hvis det haster.",
	gateway.ReceiverRejected: "Ta kontakt med mottakeren.",
}

// told8221 gives what an AppRec says of a reason: rule, place where there is one, code, and what to do.
func told8221(w told, text string, r gateway.Reason, faults []fhir.Issue) gateway.AppRecError {
	if len(faults) > 0 && (r == gateway.ContentInvalid || r == gateway.KindUnknown) {
		return ofFault(w, r, faults[0])
	}
	return gateway.AppRecError{Code: w.code, Text: sentence(text) + " " + remedies[r]}
}

// ofFault tells of the first fault of the content. A place that holds a national number is left out: error texts never
// have one.
func ofFault(w told, r gateway.Reason, i fhir.Issue) gateway.AppRecError {
	code, remedy, rule := w.code, remedies[r], texts[i.Code]
	if known, ok := rejections[mapping.Code(strings.TrimPrefix(i.Code, "message."))]; ok {
		code, remedy = known.code, known.remedy
	}
	if rule == "" {
		rule = errorTexts[w.code]
	}
	if i.Expression != "" && !fhir.ContainsNIN(i.Expression) {
		rule = strings.TrimSuffix(rule, ".") + ": " + i.Expression
	}
	return gateway.AppRecError{Code: code, Text: "Ikke levert. " + sentence(rule) + " " + remedy}
}

func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }

// remedyOf tells what to do about an issue, with the code of Volven 8221; "" where the rule says it.
func remedyOf(issue string) string {
	known, ok := rejections[mapping.Code(strings.TrimPrefix(issue, "message."))]
	if !ok || !strings.HasPrefix(issue, "message.") {
		return ""
	}
	return " " + known.remedy + " Kodeverk 8221: " + known.code + "."
}
