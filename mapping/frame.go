package mapping

import (
	"regexp"
	"slices"
	"strings"
)

// form tells which values of an element somebody decides; the rest is nobody's (sweep.go).
type form uint8

// The forms of an element.
const (
	formText   form = 1 << iota // character data
	formCoded                   // @V @S @DN @OT
	formAmount                  // @V @U
	formValue                   // @V
	formParty                   // children as in felleskomponent1
)

// takes tells whether an attribute belongs to the form.
func (f form) takes(a *attr) bool {
	switch {
	case a.ns != "":
		return false
	case a.name == "V":
		return f&(formCoded|formAmount|formValue) != 0
	case a.name == "U":
		return f&formAmount != 0
	}
	return f&formCoded != 0 && (a.name == "S" || a.name == "DN" || a.name == "OT")
}

// formOf gives the form of an element that the tables names.
func formOf(f *field) form {
	switch f.kind {
	case "CS", "CV", "CODE", "ANY":
		return formCoded
	case "MAPPED", "KEPT":
		return formCoded
	case "PQ":
		return formAmount
	case "DAYV", "TELECOM":
		return formValue
	case "TS":
		return formValue
	case "HCP", "ORG", "PERSON", "CONTACT":
		return formParty
	}
	return 0
}

// shape is what the published schemas put in an element of the Hodemelding (MsgHead 1.2) or of felleskomponent1.
type shape struct {
	form form
	kids []string
}

func container(kids string) shape { return shape{kids: strings.Fields(kids)} }

const personKids = "FamilyName MiddleName GivenName DateOfBirth Sex Nationality Ident Address TeleCom"

var (
	codedShape = shape{form: formCoded}
	textShape  = shape{form: formText}
)

// shapes are found by local name: no name means two things. A second patient or a person among the receivers, and a
// PatientReport, are left out: nothing is mapped from them, so nothing decides them.
var shapes = map[string]shape{
	"MsgInfo": container("Type MIGversion GenDate MsgId ProcessingStatus RequestedPriority Ack ConversationRef Sender Receiver OtherReceiver Patient"),
	"Type":    codedShape, "MIGversion": textShape, "GenDate": textShape, "MsgId": textShape, "ProcessingStatus": codedShape, "RequestedPriority": codedShape, "Ack": codedShape,
	"ConversationRef": container("RefToParent RefToConversation"), "RefToParent": textShape, "RefToConversation": textShape,
	"Sender": container("ComMethod Organisation"), "Receiver": container("ComMethod Organisation"),
	"OtherReceiver": container("ComMethod RoleReceiver Organisation HealthcareProfessional"), "ComMethod": codedShape, "RoleReceiver": codedShape,
	"Organisation":     container("OrganisationName TypeOrganisation Ident Address TeleCom Organisation HealthcareProfessional"),
	"OrganisationName": textShape, "TypeOrganisation": codedShape,
	"HealthcareProfessional":     container("TypeHealthcareProfessional RoleToPatient " + personKids),
	"TypeHealthcareProfessional": codedShape, "RoleToPatient": codedShape,
	"Patient": container(personKids), "FamilyName": textShape, "MiddleName": textShape, "GivenName": textShape, "DateOfBirth": textShape, "Sex": codedShape, "Nationality": codedShape,
	"Ident": container("Id TypeId"), "Id": textShape, "TypeId": codedShape,
	"Address":   container("Type StreetAdr PostalCode City Postbox County Country"),
	"StreetAdr": textShape, "PostalCode": textShape, "City": textShape, "Postbox": textShape, "County": codedShape, "Country": codedShape,
	"TeleCom": container("TypeTelecom TeleAddress"), "TypeTelecom": codedShape, "TeleAddress": {form: formValue},
}

// partyShapes are the roots of what the tables calls HCP, ORG, PERSON and CONTACT.
var partyShapes = map[string]shape{
	"HCP":     shapes["HealthcareProfessional"],
	"ORG":     container("TypeOrganisation OrganisationName Ident Address TeleCom Organisation"),
	"PERSON":  shapes["Patient"],
	"CONTACT": shapes["Patient"],
}

// repeats names what may stand more than once; of anything else only the first is read.
func repeats(name string) bool {
	return name == "Ident" || name == "TeleCom" || name == "OtherReceiver"
}

var (
	migForm  = regexp.MustCompile(`^v?[12]\.[0-9]( [0-9]{4}-[0-9]{2}-[0-9]{2})?$`)
	codeWord = regexp.MustCompile(`^[\p{L}0-9_.:+-]{1,32}$`)
	logCode  = regexp.MustCompile(`^[\p{L}0-9.+-]{1,12}$`)
	uuidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	xsdHint  = regexp.MustCompile(`^[A-Za-z0-9_./:-]+\.xsd$`)
	standard = regexp.MustCompile(`^http://(www\.(kith\.no/xmlstds|w3\.org)|ehelse\.no/xmlstds)(/[A-Za-z0-9_.#-]+)*$`)
	langForm = regexp.MustCompile(`^[a-z]{2}(-[A-Z]{2})?$`)
)

// fits tells whether a value of the head has the form of its element, where it has one: what has not is free text.
func (e *elem) fits(a *attr) bool {
	switch {
	case a != nil && a.name == "V" && e.name != "TeleAddress":
		return a.value == "" || codeWord.MatchString(strings.TrimSpace(a.value))
	case a != nil && a.name == "S":
		return strings.Trim(a.value, " 0123456789.") == ""
	case a == nil && e.name == "MIGversion":
		return migForm.MatchString(e.value())
	case a == nil && e.name == "DateOfBirth":
		_, ok := birthDate(e.value())
		return ok
	}
	return true
}

// headLists name the code list of an element of the head that has no @S.
var headLists = map[string][]string{
	"Type": {"8279", "3401"}, "ProcessingStatus": {"8113"}, "Ack": {"7304"}, "Sex": {"3101"}, "TypeId": {"9051", "8116"}, "TypeTelecom": {"9061"},
	"MsgType": {"8114", "8279"}, "RoleToPatient": {"9034"}, "TypeHealthcareProfessional": {"9060"}, "County": {"3403"}, "Country": {"9043"},
	"Nationality": {"9043"},
}

// officialDN tells whether @DN is the list's own text for the code, but for case and white space.
func (t *table) officialDN(e *elem) bool {
	code, dn := strings.TrimSpace(e.attr("V")), e.attr("DN")
	lists := headLists[e.name]
	if list, ok := strings.CutPrefix(strings.TrimSpace(e.attr("S")), volven); ok {
		lists = []string{list}
	}
	return slices.ContainsFunc(lists, func(list string) bool { return sameText(t.codes[list][code], dn) })
}

func sameText(a, b string) bool {
	return a == b || a != "" && strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// structural tells that a value of the Document around the payload says nothing but how it is packed.
func (r *reader) structural(e *elem, a *attr) bool {
	switch {
	case a == nil:
		switch e.name {
		case "MimeType":
			return e.value() == "text/xml" || e.value() == "application/xml"
		case "Id":
			return uuidForm.MatchString(e.value()) || e.value() == r.in.Head.MsgID
		case "Annotation":
			return e.value() == PartsMayBeLeftOut
		}
	case a.ns != "":
	case e.name == "MsgType" && a.name == "V":
		code := strings.TrimSpace(a.value)
		return r.t.codes["8114"][code] != "" || code == string(r.in.Head.Kind)
	case e.name == "MsgType" && a.name == "DN":
		return r.t.officialDN(e)
	case a.name == "V" && (e.name == "IssueDate" || e.name == "FromDate" || e.name == "ToDate"):
		_, ok := parseMoment(a.value)
		return ok
	}
	return false
}
