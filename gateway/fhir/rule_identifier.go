package fhir

import "strings"

// The systems of numbers that have no check digits of their own.
const (
	SystemDUF = "urn:oid:2.16.578.1.12.4.1.4.5" // DUF-nummer (UDI)
	SystemHNR = "HNR"                           // lokalt hjelpenummer, unique with its assigner only (no-basis-Patient)
)

// numberForms tells by system what a number must look like, and the code of what does not.
var numberForms = map[string]struct {
	valid func(string) bool
	code  string
}{
	SystemFNR:   {func(s string) bool { return NINKind(s) == FNR }, CodeIdentifierNIN},
	SystemDNR:   {func(s string) bool { return NINKind(s) == DNR }, CodeIdentifierNIN},
	SystemFHN:   {ValidFHN, CodeIdentifierForm},
	SystemHNR:   {ValidHNR, CodeIdentifierForm},
	SystemDUF:   {func(s string) bool { return len(s) == 12 && allDigits(s) }, CodeIdentifierForm},
	SystemHPR:   {ValidHPR, CodeIdentifierForm},
	SystemHER:   {ValidHER, CodeIdentifierForm},
	SystemRESH:  {ValidHER, CodeIdentifierForm},
	SystemOrgnr: {ValidOrgnr, CodeIdentifierOrgnr},
}

// numberNames is what a message calls the number of a system.
var numberNames = map[string]string{
	SystemFNR: "fødselsnummer", SystemDNR: "D-nummer", SystemFHN: "felles hjelpenummer", SystemHNR: "H-nummer", SystemDUF: "DUF-nummer",
	SystemHPR: "HPR-nummer", SystemHER: "HER-id", SystemRESH: "RESH-id", SystemOrgnr: "organisasjonsnummer",
}

// misspelt are ways to write a system that occur and are wrong, with the right one: an OID without its
// prefix, and the arcs that no-basis had wrong before 2.0.13 (basisprofiler-r4 issue 35).
var misspelt = func() map[string]string {
	m := map[string]string{
		"urn:oid:2.16.578.1.12.4.1.2.101": SystemOrgnr, "urn:oid:2.16.578.1.12.4.1.2.102": SystemRESH,
	}
	for system := range numberForms {
		if oid, ok := strings.CutPrefix(system, "urn:oid:"); ok {
			m[oid], m["oid:"+oid], m["urn:OID:"+oid] = system, system, system
		}
	}
	return m
}()

// identifier checks the number that an Identifier carries against the rules of its system: form, date
// and check digits. It never repeats the number.
func (c *checker) identifier(v *Value, severity string) {
	at := v.member("value")
	value, system := at.Text(), v.member("system").Text()
	if right, ok := misspelt[system]; ok {
		c.find(v.member("system"), severity, CodeIdentifierSystem, IssueValue, right)
		return
	}
	if system == SystemHNR && v.member("assigner") == nil && v.member("_assigner") == nil {
		c.findChild(v, "assigner", severity, CodeIdentifierAssigner, IssueRequired)
	}
	form, known := numberForms[system]
	switch {
	case value == "":
	case !known:
		if ValidNIN(value) {
			c.find(at, severity, CodeIdentifierElsewhere, IssueBusinessRule)
		}
	case form.valid(value):
	case form.valid(squeeze(value)):
		c.find(at, severity, CodeIdentifierSpace, IssueValue, numberNames[system])
	case form.code == CodeIdentifierNIN && ValidNIN(value):
		other := SystemFNR
		if system == SystemFNR {
			other = SystemDNR
		}
		c.find(at, severity, CodeIdentifierKind, IssueValue, numberNames[other], numberNames[system])
	default:
		c.find(at, severity, form.code, IssueValue, numberNames[system])
	}
}

// squeeze leaves out what people write between the digits of a number.
func squeeze(s string) string {
	if len(s) > 40 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '.', '-', '\u00a0', '\t':
			return -1
		}
		return r
	}, s)
}

// holdsNIN is whether a national identity number stands anywhere below v as an identifier.
func holdsNIN(v *Value) bool {
	if v == nil {
		return false
	}
	if v.kind == Object {
		if s := v.member("system").Text(); (s == SystemFNR || s == SystemDNR) && v.member("value") != nil {
			return true
		}
	}
	for i := range v.members {
		if holdsNIN(v.members[i].Value) {
			return true
		}
	}
	for _, item := range v.items {
		if holdsNIN(item) {
			return true
		}
	}
	return v.kind == String && v.doc != nil && len(v.text) >= 11 && len(v.text) <= 4096 && ContainsNIN(v.text)
}
