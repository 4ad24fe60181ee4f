package fhir

import (
	"strconv"
	"strings"
)

// primitive is an R4 primitive type: its JSON kind and the form of its value.
type primitive struct {
	name  string
	kind  Kind
	valid func(string) bool
}

// primitives are the 20 of R4 datatypes.html#primitive with the patterns given there; dates
// must exist in the calendar as well.
var primitives = map[string]*primitive{
	"base64Binary": {"base64Binary", String, validBase64},
	"boolean":      {"boolean", Bool, always},
	"canonical":    {"canonical", String, validURI},
	"code":         {"code", String, validCode},
	"date":         {"date", String, validDate},
	"dateTime":     {"dateTime", String, validDateTime},
	"decimal":      {"decimal", Number, always},
	"id":           {"id", String, validID},
	"instant":      {"instant", String, validInstant},
	"integer":      {"integer", Number, validInteger},
	"markdown":     {"markdown", String, always},
	"oid":          {"oid", String, validOID},
	"positiveInt":  {"positiveInt", Number, func(s string) bool { return validInteger(s) && s[0] != '-' && s != "0" }},
	"string":       {"string", String, always},
	"time":         {"time", String, validTime},
	"unsignedInt":  {"unsignedInt", Number, func(s string) bool { return validInteger(s) && s[0] != '-' }},
	"uri":          {"uri", String, validURI},
	"url":          {"url", String, validURI},
	"uuid":         {"uuid", String, validUUID},
	"xhtml":        {"xhtml", String, always},
}

// always accepts what the reader accepted: a string is checked for being empty elsewhere, a
// decimal is a JSON number.
func always(string) bool { return true }

// validURI reports whether s matches \S+.
func validURI(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\n', '\r', '\f', '\v':
			return false
		}
	}
	return s != ""
}

// validCode reports whether s matches [^\s]+(\s[^\s]+)*.
func validCode(s string) bool {
	space := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		now := c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
		if now && space {
			return false
		}
		space = now
	}
	return !space
}

// validInteger reports whether s is a 32-bit integer without leading zeros or minus zero.
func validInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && (n != 0 || s == "0")
}

func validDate(s string) bool {
	if len(s) != 4 && len(s) != 7 && len(s) != 10 {
		return false
	}
	_, _, ok := parseDate(s)
	return ok
}

func validDateTime(s string) bool {
	if len(s) <= 10 {
		return validDate(s)
	}
	return validInstant(s)
}

// validInstant asks for seconds and a zone.
func validInstant(s string) bool {
	if len(s) < 20 || s[16] != ':' {
		return false
	}
	if last := s[len(s)-1]; last != 'Z' && s[len(s)-6] != '+' && s[len(s)-6] != '-' {
		return false
	}
	_, _, ok := parseDate(s)
	return ok
}

// validTime reports whether s is hh:mm:ss with an optional fraction and no zone.
func validTime(s string) bool {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, ok1 := digits(s, 0, 2)
	minute, ok2 := digits(s, 3, 2)
	second, ok3 := digits(s, 6, 2)
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return false
	}
	if len(s) == 8 {
		return true
	}
	for i := 9; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s[8] == '.' && len(s) > 9
}

// validOID reports whether s matches urn:oid:[0-2](\.(0|[1-9][0-9]*))+.
func validOID(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(s) < 3 || s[0] < '0' || s[0] > '2' || s[1] != '.' {
		return false
	}
	for arc := range strings.SplitSeq(s[2:], ".") {
		if arc == "" || arc[0] == '0' && len(arc) > 1 {
			return false
		}
		for i := 0; i < len(arc); i++ {
			if !isDigit(arc[i]) {
				return false
			}
		}
	}
	return true
}

// validUUID reports whether s matches urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-…{12}.
func validUUID(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

// validBase64 reports whether s is base64 (RFC 4648 § 4) in groups of four, white space allowed.
func validBase64(s string) bool {
	n, pad := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		case c == '=':
			pad++
		case !isAlphanumeric(c) && c != '+' && c != '/', pad > 0:
			return false
		}
		n++
	}
	return n > 0 && n%4 == 0 && pad <= 2
}
