package exchange

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluse/sluse/gateway"
)

// appRecErrorOID is Volven 8221, general errors of an AppRec.
const appRecErrorOID = "2.16.578.1.12.4.1.1.8221"

// errorTexts are the texts of Volven 8221 for the codes that Sluse itself gives. E35, E53 and E54
// are not among them: they tell whether the patient is known.
var errorTexts = map[string]string{
	"T01": "Ikke XML / ikke 'well formed' / uleselig",
	"E21": "Mottaker finnes ikke",
	"E30": "Pasientens fødselsnummer mangler",
	"E31": "Pasientens fødselsnummer er feil",
	"T02": "XML validerer ikke",
	"T10": "Støtter ikke meldingsformatet",
	"T99": "Annen feil på format",
	"X99": "Annen feil",
}

// told is what an AppRec says of a reason; a part that does not cross leaves the rest delivered.
type told struct {
	code string
	text string // "" for the text of the code; consent-missing adds the categories
	part bool   // concerns a part: status 3 when something crosses all the same
}

var reasons = map[gateway.Reason]told{
	gateway.ConsentMissing:   {code: "X99", text: "Ikke levert: samtykke mangler for ", part: true},
	gateway.ReceiverUnknown:  {code: "E21"},
	gateway.ReceiverClosed:   {code: "E21", text: "Ikke levert: mottakeren er ikke i bruk i adresseregisteret."},
	gateway.KindNotTaken:     {code: "T10", text: "Ikke levert: adressen tar ikke imot denne meldingstypen."},
	gateway.NINMissing:       {code: "E30"},
	gateway.NINWrong:         {code: "E31"},
	gateway.KindUnknown:      {code: "T10"},
	gateway.ContentInvalid:   {code: "T02"},
	gateway.ContentUnknown:   {code: "T02", text: "Ikke levert: innholdet er ukjent og er holdt tilbake.", part: true},
	gateway.AttachmentFault:  {code: "T99", text: "Et vedlegg kan ikke leses.", part: true},
	gateway.FreeTextDropped:  {code: "X99", text: "Ikke levert: fritekst og vedlegg tas ut av logistikkmeldinger.", part: true},
	gateway.ParentUnnamed:    {code: "T02", text: "Ikke levert: det står ikke hva som endres eller kanselleres (ServReq/Id)."},
	gateway.ProcessingFailed: {code: "X99", text: "Ikke levert: meldingen kunne ikke behandles."},
	gateway.ReceiverRejected: {code: "X99", text: "Ikke levert: avvist av mottakeren."},
}

// codes tells what an AppRec says of a failure of the Gateway itself, for documents that are
// answered after they were taken in.
var codes = map[gateway.Code]gateway.Reason{
	gateway.Malformed:    gateway.ContentInvalid,
	gateway.Invalid:      gateway.ContentInvalid,
	gateway.BadQuery:     gateway.ContentInvalid,
	gateway.NotSupported: gateway.KindUnknown,
	gateway.Unauthorized: gateway.ProcessingFailed,
	gateway.Forbidden:    gateway.ConsentMissing,
	gateway.NotFound:     gateway.ReceiverUnknown,
	gateway.Gone:         gateway.ReceiverUnknown,
	gateway.Conflict:     gateway.ProcessingFailed,
	gateway.Precondition: gateway.ProcessingFailed,
	gateway.TooLarge:     gateway.ContentInvalid,
	gateway.MediaType:    gateway.KindUnknown,
	gateway.TooCostly:    gateway.ContentInvalid,
	gateway.Unavailable:  gateway.ProcessingFailed,
	gateway.Internal:     gateway.ProcessingFailed,
}

// AppRecOf gives status and error of an AppRec for a failure of that code.
func AppRecOf(code gateway.Code) (gateway.AppRecStatus, gateway.AppRecError) {
	reason, ok := codes[code]
	if !ok {
		reason = gateway.ProcessingFailed
	}
	_, errs := Translator{}.Acknowledge(gateway.Verdict{Reasons: []gateway.Reason{reason}})
	return gateway.AppRecRejected, errs[0]
}

// Acknowledge gives what the AppRec for a verdict says (DESIGN § 5, Receiving).
func (t Translator) Acknowledge(v gateway.Verdict) (gateway.AppRecStatus, []gateway.AppRecError) {
	status, whole := gateway.AppRecOK, v.Crosses
	var errs []gateway.AppRecError
	for _, r := range v.Reasons {
		w, ok := reasons[r]
		if !ok {
			w = reasons[gateway.ProcessingFailed]
		}
		text := w.text
		switch {
		case r == gateway.ConsentMissing:
			text = lacking(w.text, t.categories(v.Missing))
		case r == gateway.KindNotTaken:
			text += instead(v.Instead)
		case text == "":
			text = errorTexts[w.code]
		}
		errs = append(errs, told8221(w, text, r, v.Faults))
		status, whole = gateway.OKErrorInMessagePart, whole && w.part
	}
	if whole {
		return status, errs
	}
	if len(errs) == 0 { // what does not cross has a reason
		errs = []gateway.AppRecError{told8221(reasons[gateway.ProcessingFailed], reasons[gateway.ProcessingFailed].text, gateway.ProcessingFailed, nil)}
	}
	return gateway.AppRecRejected, errs
}

// firstStop is how long an AppRec's text may be up to its first full stop.
const firstStop = 80

// lacking names as many categories as there is room for.
func lacking(begin string, names []string) string {
	if len(names) == 0 {
		return begin + "innholdet."
	}
	for n := len(names); n > 0; n-- {
		text := begin + enumerate(names[:n])
		if more := len(names) - n; more > 0 {
			text = begin + strings.Join(names[:n], ", ") + fmt.Sprintf(" og %d til", more)
		}
		if len([]rune(text))+1 <= firstStop {
			return text + "."
		}
	}
	return begin + fmt.Sprintf("%d kategorier.", len(names))
}

func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " og " + names[len(names)-1]
}

// Category is the name people use for each label.
func (t Translator) Category(l gateway.Labels) string {
	if l == 0 {
		return "innholdet"
	}
	return enumerate(t.categories(l))
}

func (Translator) categories(l gateway.Labels) []string {
	var names []string
	for _, code := range l.Codes() {
		name, ok := categoryNames[code]
		if !ok {
			name = code
		}
		names = append(names, name)
	}
	return names
}

// categoryNames are the informasjonskategorier where people write another word than the code.
var categoryNames = map[string]string{
	"psykisk": "psykisk helse", "somatisk": "somatisk helse", "okonomi": "økonomi", "rusprover": "rusprøver",
	"seksuell-helse": "seksuell helse", "parorende": "pårørende", "uklassifisert": "uklassifisert innhold",
	"bolig": "bolig", "tannhelse": "tannhelse", "logistikk": "logistikk", "samarbeid": "samarbeid",
}

// appRecStatus reads and writes AppRecStatus of the MSH API v2: a name, or the number of 8258.
type appRecStatus gateway.AppRecStatus

var statusNames = map[gateway.AppRecStatus]string{
	gateway.AppRecOK: "Ok", gateway.AppRecRejected: "Rejected", gateway.OKErrorInMessagePart: "OkErrorInMessagePart",
}

// MarshalJSON writes the name.
func (s appRecStatus) MarshalJSON() ([]byte, error) {
	return json.Marshal(statusNames[gateway.AppRecStatus(s)])
}

// UnmarshalJSON reads the name or the number; anything else is an error.
func (s *appRecStatus) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	for status, name := range statusNames {
		if text == name || text == itoa(int(status)) {
			*s = appRecStatus(status)
			return nil
		}
	}
	return fmt.Errorf("not an AppRecStatus")
}

func given(s gateway.AppRecStatus) *appRecStatus {
	if s == gateway.NoAppRec {
		return nil
	}
	status := appRecStatus(s)
	return &status
}

// appRecError is AppRecError of the MSH API v2.
type appRecError struct {
	ErrorCode   string `json:"errorCode"`
	Details     string `json:"details"`
	Description string `json:"description,omitempty"`
	OID         string `json:"oid,omitempty"`
}
