package exchange

import (
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// texts tell people what each code of an issue means. None holds anything that a client sent.
var texts = map[string]string{
	// The request.
	"path":              "Adressen finnes ikke i meldings-API-et.",
	"method":            "Metoden er ikke tillatt her; Allow viser hvilke som er det.",
	"media-type":        "Innholdet må være JSON (application/json).",
	"body-size":         "Forespørselen er større enn 14 MiB.",
	"body-slow":         "Innholdet kom for sakte.",
	"document-size":     "Dokumentet er større enn 10 MiB.",
	"request":           "Feltet mangler eller kan ikke leses.",
	"parameter":         "Parameteren har feil form, eller står flere ganger.",
	"parameter-unknown": "Parameteren er ukjent.",
	"nin-in-url":        "Fødselsnummer og D-nummer kan ikke stå i en adresse.",

	// The actor and the addresses.
	"absent":                       "Finnes ikke, eller er ikke delt med deg.",
	"actor-unknown":                "Virksomheten i tilgangsbeviset er ikke kjent i katalogen.",
	"message.sender-not-own":       "Avsenderens HER-id tilhører ikke virksomheten i tilgangsbeviset.",
	"message.receiver-not-own":     "Mottakerens HER-id tilhører ikke virksomheten i tilgangsbeviset.",
	"message.receiver-not-named":   "Meldingen nevner ikke denne mottakeren.",
	"message.patient-not-attested": "Tilgangsbeviset gjelder en annen pasient.",

	// What was here before.
	"message.other-bytes":  "Meldingsidentifikatoren er brukt før med et annet innhold.",
	"message.apprec-given": "Mottakeren har svart noe annet på meldingen før.",

	// The document.
	"message.not-xml":       "Dokumentet er ikke XML som kan leses.",
	"message.forbidden":     "Dokumentet bruker noe i XML som ikke tas imot.",
	"message.too-large":     "Dokumentet er større enn tillatt.",
	"message.charset":       "Tegnsettet må være UTF-8, ISO-8859-1 eller windows-1252.",
	"message.malformed":     "Et påkrevd element mangler eller har feil form.",
	"message.not-supported": "Dokumentet er ikke et MsgHead 1.2, en henvisning eller epikrise v1.x, eller en applikasjonskvittering.",
	"message.locked":        "Meldingen kan ikke leveres i deler.",
	"message.not-fhir":      "Innholdet er ikke en FHIR-ressurs.",
	"message.no-place":      "Meldingstypen har ikke plass til innholdet.",
}

// explained is one line of validationErrors: what is wrong, where, what to do about a document, and the code for machines.
func explained(i fhir.Issue, otherwise string) string {
	line, ok := texts[i.Code]
	if !ok {
		line = otherwise
	}
	if place := strings.TrimSpace(i.Expression + " " + strings.Join(i.Args, " ")); place != "" {
		line = strings.TrimSuffix(line, ".") + ": " + place + "."
	}
	return line + remedyOf(i.Code) + " (" + i.Code + ")"
}
