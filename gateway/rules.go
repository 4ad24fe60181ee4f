package gateway

import (
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// custodianURL is the extension in meta that names the party that holds a record.
const custodianURL = "http://sluse.no/fhir/StructureDefinition/custodian"

// ownRules are what every writer must keep beyond R4: the custodian is the writer's own party, and
// the patient is named by a relative reference, since a record whose patient nobody can find is lost.
func ownRules(who asked, dir Directory, res *fhir.Resource) []fhir.Issue {
	var issues []fhir.Issue
	for _, name := range []string{"subject", "patient", "for"} {
		if strings.Contains(res.Root().Get(name, "reference").Text(), "://") {
			issues = append(issues, fhir.Issue{
				Severity: "error", Type: "business-rule", Code: "subject-absolute",
				Expression: string(res.Type()) + "." + name + ".reference",
			})
		}
	}
	for _, e := range res.Root().Get("meta", "extension").Items() {
		if e.Get("url").Text() != custodianURL {
			continue
		}
		named := e.Get("valueReference", "reference").Text()
		ref, err := fhir.ParseReference(named)
		if err == nil {
			if a, ok := dir.Resolve(ref); ok && a.Party == who.Party && a.Unit == "" {
				continue
			}
		}
		issues = append(issues, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: "custodian-not-own",
			Expression: string(res.Type()) + ".meta.extension",
		})
	}
	return issues
}

// numberSystems are the identifiers that only drift writes into the directory (DESIGN § 2).
var numberSystems = map[string]bool{
	fhir.SystemHER: true, fhir.SystemHPR: true, fhir.SystemOrgnr: true,
}

// directoryRules keep the directory free of taushetsplikt, and its numbers in drift's hands.
func (g *Gateway) directoryRules(who asked, res *fhir.Resource) error {
	if !IsDirectory(res.Type()) {
		return nil
	}
	const op = "gateway.directory"
	root := res.Root()
	refuse := func(code, element string) error {
		return Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: code, Expression: string(res.Type()) + "." + element,
		})
	}
	if root.Get("contained") != nil {
		return refuse("directory.contained", "contained")
	}
	if root.Get("header") != nil {
		return refuse("directory.header", "header")
	}
	if namesRecord(g.Notices.Base, root) {
		return refuse("directory.record-reference", "reference")
	}
	for _, id := range root.Get("identifier").Items() {
		system := id.Get("system").Text()
		if system == fhir.SystemFNR || system == fhir.SystemDNR || fhir.ContainsNIN(id.Get("value").Text()) {
			return refuse("directory.national-identifier", "identifier")
		}
		if numberSystems[system] && who.Kind != Operator {
			return refuse("directory.number-by-drift", "identifier")
		}
	}
	if who.Kind != Operator && (root.Get("partOf") != nil || res.Type() == "Organization") {
		return forbidden(op, "directory.organization-by-drift")
	}
	return nil
}

// namesRecord tells whether a reference below v is to anything but the directory of the server at base.
func namesRecord(base string, v *fhir.Value) bool {
	for _, item := range v.Items() {
		if namesRecord(base, item) {
			return true
		}
	}
	for _, m := range v.Members() {
		if m.Name == "reference" && m.Value.Kind() == fhir.String {
			ref, ok := fhir.LocalReference(base, m.Value.Text())
			if ok && !IsDirectory(ref.Type) || !ok && strings.Contains(m.Value.Text(), "/") {
				return true
			}
		}
		if namesRecord(base, m.Value) {
			return true
		}
	}
	return false
}

// nationalOf gives a Patient's one current national identifier; those with use old, or whose
// period is over, never match. Two current ones are refused, and so is a number with wrong digits.
func nationalOf(who asked, res *fhir.Resource) (NIN, error) {
	const op = "gateway.patient"
	var current NIN
	refuse := func(code string) (NIN, error) {
		return NIN{}, Fault(op, Invalid, fhir.Issue{
			Severity: "error", Type: "business-rule", Code: code, Expression: "Patient.identifier",
		})
	}
	for _, id := range res.Root().Get("identifier").Items() {
		system := id.Get("system").Text()
		if system != fhir.SystemFNR && system != fhir.SystemDNR {
			continue
		}
		nin, err := NewNIN(id.Get("value").Text())
		if err != nil {
			return refuse("patient.national-invalid")
		}
		if id.Get("use").Text() == "old" {
			continue
		}
		if !current.IsZero() && current != nin {
			return refuse("patient.national-two")
		}
		current = nin
	}
	if who.Kind == Patient && current != who.Self {
		return refuse("patient.not-herself")
	}
	return current, nil
}
