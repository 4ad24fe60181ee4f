package mapping

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is what an element says, for people: all of it, also what is not of its type.
func (v *viewer) value(e *elem, f *field) string {
	switch f.kind {
	case "BOOL":
		switch b, _ := parseBool(e.text); b {
		case "true":
			return "ja"
		case "false":
			return "nei"
		}
	case "DATE", "DAY", "TS", "DAYV":
		return viewMoment(valueOrText(e))
	case "PQ":
		return viewJoin(" ", e.attr("V"), e.attr("U"))
	case "CS", "CV", "CODE", "ANY", "MAPPED", "KEPT":
		if len(e.kids) > 0 {
			return v.everything(e)
		}
		return viewJoin("\n", v.coded(e, f.lists), viewText(e))
	case "TELECOM":
		return viewTelecom(e.attr("V"))
	case "HCP", "ORG", "PERSON", "CONTACT":
		return v.someone(e)
	}
	if f.kind != "RICH" && len(e.kids) > 0 || e.value() == "" && len(e.kids) == 0 {
		return v.everything(e)
	}
	return viewText(e)
}

// coded names a code: as the message does, else as its list does, with the code behind.
func (v *viewer) coded(e *elem, lists []string) string {
	code, name := strings.TrimSpace(e.attr("V")), strings.TrimSpace(e.attr("DN"))
	if list, ok := strings.CutPrefix(strings.TrimSpace(e.attr("S")), volven); ok {
		lists = []string{list}
	}
	for _, list := range lists {
		if text := v.t.codes[list][code]; name == "" && text != "" {
			name = text
		}
	}
	switch {
	case name == "":
		name = code
	case code != "" && code != name:
		name += " (" + code + ")"
	}
	return viewJoin("\n", name, strings.TrimSpace(e.attr("OT")))
}

// viewText is the text of an element with what stands below it: blocks of XHTML are lines. Scripts and styles are no text.
func viewText(e *elem) string {
	if len(e.kids) == 0 {
		return strings.TrimSpace(e.text)
	}
	var b strings.Builder
	e.running(&b)
	return strings.TrimSpace(b.String())
}

func (e *elem) running(b *strings.Builder) {
	if e.name == "script" || e.name == "style" {
		return
	}
	if slices.Contains(blocks, e.name) {
		b.WriteByte('\n')
	}
	if e.more == nil || e.more.mixed == nil {
		b.WriteString(e.text)
		for _, k := range e.kids {
			k.running(b)
		}
		return
	}
	for _, p := range e.more.mixed {
		if p.kid != nil {
			p.kid.running(b)
		} else {
			b.WriteString(p.text)
		}
	}
}

// someone names a person or a unit: name, role, numbers, how to reach them.
func (v *viewer) someone(e *elem) string {
	name := e.kid("OrganisationName").value()
	if name == "" {
		name = personName(e)
	}
	said := []string{name}
	for _, k := range e.kids {
		switch k.name {
		case "OrganisationName", "GivenName", "MiddleName", "FamilyName":
		case "Ident":
			said = append(said, viewIdentifier(strings.TrimSpace(k.kid("TypeId").attr("V")))+" "+k.kid("Id").value())
		case "RoleToPatient", "TypeHealthcareProfessional", "TypeOrganisation", "Sex", "Nationality":
			said = append(said, v.coded(k, headLists[k.name]))
		case "TeleCom":
			said = append(said, viewTelecom(k.kid("TeleAddress").attr("V")))
		case "Organisation", "HealthcareProfessional":
			said = append(said, v.someone(k))
		case "DateOfBirth":
			said = append(said, "født "+viewMoment(k.value()))
		default:
			said = append(said, v.everything(k))
		}
	}
	return viewJoin(", ", said...)
}

// everything is each value of an element, with no word of what it is.
func (v *viewer) everything(e *elem) string {
	var said []string
	if c := v.coded(e, nil); c != "" {
		said = append(said, c)
	}
	if t := strings.TrimSpace(e.text); t != "" {
		said = append(said, t)
	}
	for _, a := range e.attrs {
		if a.ns == "" && !slices.Contains([]string{"V", "S", "DN", "OT"}, a.name) {
			said = append(said, a.value)
		}
	}
	for _, k := range e.kids {
		if k.name != "TypeId" {
			said = append(said, v.everything(k))
		}
	}
	return viewJoin(", ", said...)
}

// viewJoin joins what is there.
func viewJoin(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), between)
}

var viewMonths = []string{"januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november", "desember"}

// viewMoment writes a date or time as it is written in Norway, with the precision that it has and in Norwegian time; what
// is none is written as it stands.
func viewMoment(s string) string {
	m, ok := parseMoment(s)
	if !ok {
		return strings.TrimSpace(s)
	}
	switch m.layout {
	case "2006":
		return m.at.Format("2006")
	case "2006-01":
		return viewMonths[m.at.Month()-1] + m.at.Format(" 2006")
	case time.DateOnly:
		return m.at.Format("02.01.2006")
	}
	return m.at.In(oslo()).Format("02.01.2006 kl. 15.04")
}

// viewAddress names a party of a message with its numbers: service, organisation, person.
func viewAddress(a Address) string {
	with := func(name, kind, number string) string {
		if number == "" {
			return name
		}
		return viewJoin(" ", name, "("+kind+" "+number+")")
	}
	return viewJoin(", ", with(a.UnitName, "HER-id", a.UnitHERID), with(with(a.Name, "HER-id", a.HERID), "org.nr.", a.OrgNumber), with(a.PersonName, "HPR-nummer", a.HPR))
}

func viewPostal(a PostalAddress) string {
	return viewJoin(", ", a.Street, a.Postbox, viewJoin(" ", a.PostalCode, a.City), a.CountyName)
}

// viewTelecom writes an address for calls as text.
func viewTelecom(uri string) string {
	for _, scheme := range []string{"tel:", "mailto:", "fax:", "callto:"} {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(uri), scheme); ok {
			return rest
		}
	}
	return strings.TrimSpace(uri)
}

// viewIdentifier names a type of number (Volven 8116 and 9051).
func viewIdentifier(typ string) string {
	for _, list := range []string{"8116", "9051"} {
		if text := theTable().codes[list][typ]; text != "" {
			return text
		}
	}
	return "Identifikator"
}

// viewSize is a size in the unit that suits it.
func viewSize(n int) string {
	switch {
	case n < 1<<10:
		return strconv.Itoa(n) + " byte"
	case n < 1<<20:
		return strconv.Itoa(n>>10) + " kB"
	}
	return strings.Replace(strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64), ".", ",", 1) + " MB"
}
