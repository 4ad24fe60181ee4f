package rest

import (
	"slices"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// nationalSystem tells whether a token's system is that of fødselsnummer or D-nummer.
func nationalSystem(s string) bool { return s == fhir.SystemFNR || s == fhir.SystemDNR }

// searchable gives a parameter of the type if this package can read its values.
func searchable(t fhir.Type, name string) (fhir.SearchParam, bool) {
	p, ok := fhir.SearchParamOf(t, name)
	if !ok {
		return fhir.SearchParam{}, false
	}
	switch p.Type {
	case fhir.Token, fhir.ReferenceParam, fhir.StringParam, fhir.Date, fhir.Uri:
		return p, true
	}
	return fhir.SearchParam{}, false
}

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
func (p *parse) nationalNumber(one parameter, param fhir.SearchParam, raw []string) bool {
	onPatient := p.kind == "Patient" && one.name == "identifier" && one.modifier == ""
	onOther := one.modifier == "identifier" && (one.name == "patient" || one.name == "subject") && slices.Contains(param.Targets, "Patient")
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
	case !onPatient && !onOther:
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

// operandReader reads the values of one parameter by its type.
type operandReader struct {
	api      *api
	kind     fhir.Type
	param    fhir.SearchParam
	modifier string
}

// read gives operands and their normal form, or the text that says what is wrong.
func (o operandReader) read(raw []string) (values []gateway.Operand, canon []string, fault string) {
	if o.modifier != "" && (o.param.Type != fhir.ReferenceParam || !slices.Contains(o.param.Targets, fhir.Type(o.modifier))) {
		return nil, nil, "search.modifier-unknown"
	}
	for _, s := range raw {
		if s == "" {
			return nil, nil, "search.value-empty"
		}
		var (
			vs    []gateway.Operand
			plain string
		)
		switch o.param.Type {
		case fhir.Token:
			vs, plain, fault = o.token(s)
		case fhir.ReferenceParam:
			vs, plain, fault = o.reference(unescaper.Replace(s))
		case fhir.Date:
			vs, plain, fault = o.date(s)
		case fhir.Uri:
			vs, plain = []gateway.Operand{{Code: unescaper.Replace(s), AnySystem: true}}, s
		default:
			vs, plain = []gateway.Operand{{Text: unescaper.Replace(s)}}, s
		}
		if fault != "" {
			return nil, nil, fault
		}
		values = append(values, vs...)
		if o.param.Type == fhir.ReferenceParam { // an id alone has become several references
			canon = append(canon, strings.Split(plain, ",")...)
		} else {
			canon = append(canon, plain)
		}
		if len(values) > maxValues {
			return nil, nil, "search.too-many"
		}
	}
	slices.Sort(canon)
	return values, slices.Compact(canon), ""
}

// token reads "code", "system|code", "|code" and "system|" (R4 search.html#token).
func (o operandReader) token(s string) ([]gateway.Operand, string, string) {
	system, code, bar := cutBar(s)
	v := gateway.Operand{System: unescaper.Replace(system), Code: unescaper.Replace(code), AnySystem: !bar}
	switch {
	case v.System == "" && v.Code == "":
		return nil, "", "search.token"
	case strings.Contains(code, "|") && strings.Contains(strings.ReplaceAll(code, `\|`, ""), "|"):
		return nil, "", "search.token"
	case o.param.Name == "_id" && (bar || !fhir.ID(v.Code).Valid()):
		return nil, "", "search.id"
	}
	return []gateway.Operand{v}, s, ""
}

// reference reads "id", "Type/id" and an absolute URL of this server (R4 search.html#reference). An
// id alone means each type that the parameter may name and the server has. A version is read where versions are
// referred to: by the ledger and by Provenance.
func (o operandReader) reference(s string) ([]gateway.Operand, string, string) {
	s = strings.TrimPrefix(s, o.api.Base+"/")
	targets := o.param.Targets
	if o.modifier != "" {
		targets = []fhir.Type{fhir.Type(o.modifier)}
	}
	if id := fhir.ID(s); id.Valid() {
		var vs []gateway.Operand
		var canon []string
		for _, t := range targets {
			if !serves(t) {
				continue
			}
			ref := fhir.Reference{Type: t, ID: id}
			vs, canon = append(vs, gateway.Operand{Reference: ref}), append(canon, ref.String())
		}
		if len(vs) == 0 {
			return nil, "", "search.reference-type"
		}
		return vs, strings.Join(canon, ","), ""
	}
	ref, err := fhir.ParseReference(s)
	switch {
	case err != nil:
		return nil, "", "search.reference"
	case !fhir.KnownType(ref.Type) || len(targets) > 0 && !slices.Contains(targets, ref.Type):
		return nil, "", "search.reference-target"
	case ref.Version != "" && o.kind != "AuditEvent" && o.kind != "Provenance":
		return nil, "", "search.reference-version"
	}
	return []gateway.Operand{{Reference: ref}}, ref.String(), ""
}

var datePrefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"}

// date reads a prefix and a date of any precision (R4 search.html#date). Dates without zone are
// Europe/Oslo. "ap" has no defined width and is refused.
func (o operandReader) date(s string) ([]gateway.Operand, string, string) {
	prefix, value := "eq", s
	if len(s) > 2 && (s[0] < '0' || s[0] > '9') {
		prefix, value = s[:2], s[2:]
		if !slices.Contains(datePrefixes, prefix) {
			return nil, "", "search.prefix"
		}
	}
	low, high, err := fhir.ParseDate(value)
	if err != nil {
		return nil, "", "search.date"
	}
	return []gateway.Operand{{Prefix: prefix, Low: low, High: high}}, prefix + value, ""
}
