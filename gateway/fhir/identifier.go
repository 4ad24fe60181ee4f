package fhir

import (
	"strconv"
	"strings"
)

// The systems of the national identifiers (Volven 8116, 9051; HIS 80513).
const (
	SystemFNR   = "urn:oid:2.16.578.1.12.4.1.4.1"   // fødselsnummer
	SystemDNR   = "urn:oid:2.16.578.1.12.4.1.4.2"   // D-nummer
	SystemFHN   = "urn:oid:2.16.578.1.12.4.1.4.3"   // felles hjelpenummer
	SystemHPR   = "urn:oid:2.16.578.1.12.4.1.4.4"   // HPR-nummer
	SystemHER   = "urn:oid:2.16.578.1.12.4.1.2"     // HER-id
	SystemOrgnr = "urn:oid:2.16.578.1.12.4.1.4.101" // organisasjonsnummer
	SystemRESH  = "urn:oid:2.16.578.1.12.4.1.4.102" // RESH-id
)

// IdentifierKind tells what a national identity number is.
type IdentifierKind string

// The kinds of national identity numbers.
const (
	NotNIN IdentifierKind = ""
	FNR    IdentifierKind = "fnr"
	DNR    IdentifierKind = "dnr"
)

// NINKind tells a fødselsnummer from a D-nummer by form, date and check digits: the first
// check digit by the classic rule or the one that holds from 2032, the second unchanged
// (Skatteetaten, nytt fødselsnummer fra 2032). Synthetic numbers (month + 80, and + 65 of NHN)
// count; H-numbers (month + 40) are local and do not.
func NINKind(s string) IdentifierKind {
	if len(s) != 11 {
		return NotNIN
	}
	var d [11]int
	for i := range d {
		if !isDigit(s[i]) {
			return NotNIN
		}
		d[i] = int(s[i] - '0')
	}
	day, month, year := d[0]*10+d[1], d[2]*10+d[3], d[4]*10+d[5]
	kind := FNR
	if day > 40 {
		day, kind = day-40, DNR
	}
	switch {
	case month > 80:
		month -= 80
	case month > 65:
		month -= 65
	}
	// The century cannot be read from the number: 29 February counts when 19YY or 20YY is a
	// leap year, which in 1900 to 2099 is each year divisible by four but 1900.
	longest := [...]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	if month < 1 || month > 12 {
		return NotNIN
	}
	last := longest[month]
	if month == 2 && year%4 == 0 {
		last = 29
	}
	if day < 1 || day > last {
		return NotNIN
	}
	k1, k2 := d[9], d[10]
	for i, w := range [...]int{3, 7, 6, 1, 8, 9, 4, 5, 2} {
		k1 += w * d[i]
	}
	for i, w := range [...]int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2} {
		k2 += w * d[i]
	}
	if k1%11 > 3 || k2%11 != 0 {
		return NotNIN
	}
	return kind
}

// ValidNIN reports whether s is a fødselsnummer or D-nummer by form, date and check digits.
func ValidNIN(s string) bool { return NINKind(s) != NotNIN }

// ContainsNIN reports whether text holds a national identity number: eleven digits, bounded by
// what is neither letter nor digit, with a valid date and check digits. One space, dot or hyphen
// after the sixth digit, as people write it, counts too, and so does what stands behind
// percent-encoding, up to twice. Identifiers such as UUIDs hold eleven digits by chance, hence the
// bounds.
func ContainsNIN(s string) bool {
	for range 3 {
		if containsNIN(s) {
			return true
		}
		decoded := unescapeURL(s)
		if decoded == s {
			return false
		}
		s = decoded
	}
	return false
}

// unescapeURL decodes percent-encoding and leaves what is malformed as it stands.
func unescapeURL(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func containsNIN(s string) bool {
	for i := 0; i+11 <= len(s); i++ {
		if !isDigit(s[i]) || i > 0 && boundless(s[i-1]) {
			continue
		}
		n := 0
		for i+n < len(s) && isDigit(s[i+n]) {
			n++
		}
		end := i + n
		switch {
		case n == 11 && (end == len(s) || !boundless(s[end])):
			if ValidNIN(s[i:end]) {
				return true
			}
		case n == 6 && end+6 <= len(s) && (s[end] == ' ' || s[end] == '.' || s[end] == '-' || s[end] == '+'):
			if (end+6 == len(s) || !boundless(s[end+6])) && ValidNIN(s[i:end]+s[end+1:end+6]) {
				return true
			}
		}
		i = end
	}
	return false
}

// boundless reports whether c continues a word: a letter, a digit, or part of a letter outside ASCII.
func boundless(c byte) bool { return isAlphanumeric(c) || c >= 0x80 }

// ValidOrgnr reports whether s is an organisasjonsnummer: nine digits, the first 8 or 9, modulus 11.
func ValidOrgnr(s string) bool {
	if len(s) != 9 || s[0] != '8' && s[0] != '9' {
		return false
	}
	sum := 0
	for i, w := range [...]int{3, 2, 7, 6, 5, 4, 3, 2, 1} {
		if !isDigit(s[i]) {
			return false
		}
		sum += w * int(s[i]-'0')
	}
	return sum%11 == 0
}

// Synthetic reports whether a valid fødselsnummer or D-nummer is one of a test population, never
// given to a person: month + 80 (Skatteetaten, Tenor) or month + 65 (NHN). An installation with real
// patients refuses them.
func Synthetic(s string) bool { return ValidNIN(s) && s[2] >= '6' }

// ValidFHN reports whether s has the form of a felles hjelpenummer (NHN): eleven digits, the first 8
// or 9, which no day of a fødselsnummer or D-nummer begins with.
func ValidFHN(s string) bool { return len(s) == 11 && allDigits(s) && s[0] >= '8' }

// ValidHNR reports whether s has the form of a local H-nummer: a date with month + 40 and five more
// digits, whose check digits not every system that gave them followed. It tells nothing without the organization that
// gave it.
func ValidHNR(s string) bool {
	if len(s) != 11 || !allDigits(s) {
		return false
	}
	day, month := int(s[0]-'0')*10+int(s[1]-'0'), int(s[2]-'0')*10+int(s[3]-'0')
	if day > 40 {
		day -= 40 // a D-number that is an H-number as well
	}
	return day >= 1 && day <= 31 && month >= 41 && month <= 52
}

// ValidHPR reports whether s has the form of an HPR-nummer: one to nine digits, no zero first. It
// has no check digit.
func ValidHPR(s string) bool { return len(s) >= 1 && len(s) <= 9 && allDigits(s) && s[0] != '0' }

// ValidHER reports whether s has the form of a HER-id or RESH-id: one to ten digits, no zero first.
// Neither has a check digit.
func ValidHER(s string) bool { return len(s) >= 1 && len(s) <= 10 && allDigits(s) && s[0] != '0' }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
