package mapping

import (
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // Europe/Oslo must be the same on every machine
)

// oslo is the zone of every time that a message gives without one (DESIGN § 5).
var oslo = sync.OnceValue(func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("mapping: Europe/Oslo: " + err.Error()) // embedded by time/tzdata
	}
	return l
})

// moment is a date or time with the precision it was written with.
type moment struct {
	text   string // as FHIR writes it: zone added where a clock time had none
	layout string // "2006", "2006-01", "2006-01-02" or time.RFC3339
	at     time.Time
}

// parseMoment reads xs:date, xs:dateTime, xs:gYear and xs:gYearMonth, strictly. A clock time alone (xs:time), a date
// with a zone and 24:00:00 have no FHIR form and are refused.
func parseMoment(s string) (moment, bool) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006", "2006-01", time.DateOnly} {
		if len(s) == len(layout) {
			at, err := time.ParseInLocation(layout, s, oslo())
			return moment{s, layout, at}, err == nil && s >= "0001"
		}
	}
	if len(s) < len("2006-01-02T15:04:05") || s[10] != 'T' || strings.Contains(s, ",") { // Go's parser takes a comma
		return moment{}, false
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return moment{s, time.RFC3339, at}, s[:4] != "0000" && zoneInRange(s)
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", s, oslo())
	if err != nil || s[:4] == "0000" {
		return moment{}, false
	}
	return moment{s + at.Format("-07:00"), time.RFC3339, at}, true
}

// zoneInRange checks the offset: xs:dateTime and FHIR allow at most 14:00.
func zoneInRange(s string) bool {
	zone := s[max(0, len(s)-6):]
	return strings.HasSuffix(s, "Z") || zone[1:] <= "14:00"
}

// instant writes a time as FHIR does, in the zone it was given.
func instant(t time.Time) string { return t.Format("2006-01-02T15:04:05.999999999Z07:00") }

// birthDate accepts a full date only.
func birthDate(s string) (string, bool) {
	m, ok := parseMoment(s)
	return m.text, ok && m.layout == time.DateOnly
}

var (
	decimalForm = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?$`)
	integerForm = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,8})$`)
	uriForm     = regexp.MustCompile(`^\S+$`)
	mimeForm    = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(;.*)?$`)
)

// parseBool reads xs:boolean.
func parseBool(s string) (string, bool) {
	switch strings.TrimSpace(s) {
	case "true", "1":
		return "true", true
	case "false", "0":
		return "false", true
	}
	return "", false
}

// identifierSystems are the FHIR systems of identifier types (norway-fhir.md § 1.1; Volven 8116 and 9051).
var identifierSystems = map[string]string{
	"FNR": "urn:oid:2.16.578.1.12.4.1.4.1",
	"DNR": "urn:oid:2.16.578.1.12.4.1.4.2",
	"FHN": "urn:oid:2.16.578.1.12.4.1.4.3",
	"HPR": "urn:oid:2.16.578.1.12.4.1.4.4",
	"DUF": "urn:oid:2.16.578.1.12.4.1.4.5",
	"ENH": "urn:oid:2.16.578.1.12.4.1.4.101",
	"RSH": "urn:oid:2.16.578.1.12.4.1.4.102",
	"HER": "urn:oid:2.16.578.1.12.4.1.2",
}

func identifierType(system string) string {
	for typ, s := range identifierSystems {
		if s == system {
			return typ
		}
	}
	return ""
}

// contactPoint turns "tel:12345678" into a FHIR ContactPoint; nil when the scheme is not one of a person's.
func contactPoint(uri, typ string) *node {
	scheme, value, ok := strings.Cut(strings.TrimSpace(uri), ":")
	system := map[string]string{"tel": "phone", "fax": "fax", "mailto": "email", "callto": "phone"}[strings.ToLower(scheme)]
	if !ok || system == "" || value == "" {
		return nil
	}
	use := map[string]string{"MC": "mobile", "H": "home", "HP": "home", "WC": "work", "WD": "work", "WP": "work"}[typ]
	return obj("system", system, "value", value, "use", use)
}

// telecomURI is the way back; "" when FHIR's system has no URI form here.
func telecomURI(point *node) (uri, typ string) {
	scheme := map[string]string{"phone": "tel:", "fax": "fax:", "email": "mailto:"}[point.get("system").string()]
	if scheme == "" || point.get("value").string() == "" {
		return "", ""
	}
	typ = map[string]string{"mobile": "MC", "home": "H", "work": "WP"}[point.get("use").string()]
	return scheme + strings.ReplaceAll(point.get("value").string(), " ", ""), typ
}

// gender maps Volven 3101 to administrative-gender; "" when there is nothing to map.
func gender(sex string) string {
	return map[string]string{"1": "male", "2": "female", "0": "unknown", "9": "other"}[sex]
}

// sexCode is the way back.
func sexCode(gender string) (code, text string) {
	switch gender {
	case "male":
		return "1", "Mann"
	case "female":
		return "2", "Kvinne"
	case "unknown":
		return "0", "Ikke kjent"
	case "other":
		return "9", "Ikke spesifisert"
	}
	return "", ""
}

// revealing finds names of units that tell that substance-use care is given (DESIGN § 3, Labels).
var revealing = regexp.MustCompile(`(?i)(^|[^\p{L}])(rus[^\p{L}\s]?[\p{L}]*|tsb|lar|avhengighet[\p{L}]*|avrus[\p{L}]*|` +
	`alkohol[\p{L}]*|narko[\p{L}]*|overdose[\p{L}]*|substitusjon[\p{L}]*|misbruk[\p{L}]*)([^\p{L}]|$)`)

var notRevealing = regexp.MustCompile(`(?i)^(rust|rustad|rusten|rusken|rusletur)[\p{L}]*$`)

// reveals tells whether a unit's name itself tells that substance-use care is given.
func reveals(name string) bool {
	for _, m := range revealing.FindAllStringSubmatch(name, -1) {
		if !notRevealing.MatchString(m[2]) {
			return true
		}
	}
	return false
}
