package rest

import (
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// nationalSystem tells whether a token's system is that of fødselsnummer or D-nummer.
func nationalSystem(s string) bool { return s == fhir.SystemFNR || s == fhir.SystemDNR }

// dateParams name the parameter of the one element that is the date of a type (package fhir,
// Resource.Date). Types that are not here are undated and sorted by _lastUpdated only.
var dateParams = map[fhir.Type]string{
	"AllergyIntolerance": "date", "AuditEvent": "date", "CarePlan": "date", "CareTeam": "date",
	"Communication": "sent", "Condition": "recorded-date", "Consent": "date",
	"DocumentReference": "date", "Goal": "start-date", "MedicationStatement": "effective",
	"Observation": "date", "Provenance": "recorded", "QuestionnaireResponse": "authored",
	"ServiceRequest": "authored", "Task": "authored-on",
}

// alternatives splits a value at its commas; escapes stay (R4 search.html#escaping).
func alternatives(value string) ([]string, bool) {
	var out []string
	begin := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			if i+1 == len(value) || !strings.ContainsRune(`\,|$`, rune(value[i+1])) {
				return nil, false
			}
			i++
		case ',':
			out = append(out, value[begin:i])
			begin = i + 1
		}
	}
	return append(out, value[begin:]), true
}

// cutBar splits a token at its first "|" that is not escaped.
func cutBar(value string) (system, code string, found bool) {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '|':
			return value[:i], value[i+1:], true
		}
	}
	return "", value, false
}

var unescaper = strings.NewReplacer(`\\`, `\`, `\,`, `,`, `\|`, `|`, `\$`, `$`)

// nationalNumber takes a value that names a patient by national number, and tells whether it was
// one. It is read from a form only; in a URL it would stand in every log on the way.
func (p *parse) nationalNumber(one parameter) bool {
	raw, ok := alternatives(one.value)
	if !ok {
		return false
	}
	named := false
	for _, v := range raw {
		system, code, bar := cutBar(v)
		named = named || nationalSystem(unescaper.Replace(system)) || !bar && fhir.ValidNIN(code)
	}
	switch {
	case !named:
		return false
	case one.inURL:
		p.wrong(one, "nin.url")
	case !p.takesNumber(one):
		p.wrong(one, "nin.misplaced")
	case len(raw) > 1:
		p.wrong(one, "search.patient-single")
	default:
		_, code, _ := cutBar(raw[0])
		number, err := gateway.NewNIN(code)
		if err != nil {
			p.wrong(one, "nin.invalid")
			return true
		}
		p.subjects = append(p.subjects, gateway.Subject{NIN: number})
		p.byNumber = true
		p.canon = append(p.canon, strings.TrimPrefix(one.expression(), "http.")+"=")
	}
	return true
}

// takesNumber tells whether the parameter may name a patient by national number: identifier of
// Patient, and patient:identifier or subject:identifier of other types.
func (p *parse) takesNumber(one parameter) bool {
	if p.kind == "Patient" && one.name == "identifier" && one.modifier == "" {
		return true
	}
	if one.modifier != "identifier" || one.name != "patient" && one.name != "subject" {
		return false
	}
	param := fhir.SearchParameterOf(p.kind, one.name)
	return param != nil && param.MayTarget("Patient")
}
