package fhir

import (
	"maps"
	"slices"
	"strings"
)

// summaryElements are, per searchable type, the elements at the first level that belong to a summary
// (isSummary of R4's StructureDefinitions), and those that change the meaning of the rest.
var summaryElements = map[Type]string{
	"AllergyIntolerance":    "id meta implicitRules modifierExtension identifier clinicalStatus verificationStatus type category criticality code patient asserter",
	"Appointment":           "id meta implicitRules modifierExtension identifier status cancelationReason serviceCategory serviceType specialty appointmentType reasonCode start end",
	"AuditEvent":            "id meta implicitRules modifierExtension type subtype action recorded outcome outcomeDesc purposeOfEvent",
	"Binary":                "id meta implicitRules contentType securityContext",
	"CarePlan":              "id meta implicitRules modifierExtension identifier instantiatesCanonical instantiatesUri basedOn replaces partOf status intent category title description subject encounter period created author addresses",
	"CareTeam":              "id meta implicitRules modifierExtension identifier status category name subject encounter period managingOrganization",
	"Communication":         "id meta implicitRules modifierExtension identifier instantiatesCanonical instantiatesUri basedOn partOf status statusReason priority subject encounter reasonCode reasonReference",
	"Composition":           "id meta implicitRules modifierExtension identifier status type category subject encounter date author title confidentiality custodian event",
	"Condition":             "id meta implicitRules modifierExtension identifier clinicalStatus verificationStatus code bodySite subject encounter onset recordedDate recorder asserter",
	"Consent":               "id meta implicitRules modifierExtension identifier status scope category patient dateTime performer organization source policyRule verification provision",
	"DocumentReference":     "id meta implicitRules modifierExtension masterIdentifier identifier status docStatus type category subject date author relatesTo description securityLabel content context",
	"Encounter":             "id meta implicitRules modifierExtension identifier status class type serviceType subject episodeOfCare participant appointment reasonCode reasonReference diagnosis",
	"Endpoint":              "id meta implicitRules modifierExtension identifier status connectionType name managingOrganization period payloadType payloadMimeType address",
	"EpisodeOfCare":         "id meta implicitRules modifierExtension status type diagnosis patient managingOrganization period",
	"Flag":                  "id meta implicitRules modifierExtension identifier status category code subject period encounter author",
	"Goal":                  "id meta implicitRules modifierExtension lifecycleStatus achievementStatus category priority description subject start statusDate expressedBy",
	"Group":                 "id meta implicitRules modifierExtension identifier active type actual code name quantity managingEntity",
	"HealthcareService":     "id meta implicitRules modifierExtension identifier active providedBy category type specialty location name comment photo",
	"List":                  "id meta implicitRules modifierExtension status mode title code subject date source",
	"Location":              "id meta implicitRules modifierExtension identifier status operationalStatus name description mode type physicalType managingOrganization",
	"MedicationStatement":   "id meta implicitRules modifierExtension identifier basedOn partOf status category medication subject context effective dateAsserted",
	"Observation":           "id meta implicitRules modifierExtension identifier basedOn partOf status code subject focus encounter effective issued performer value hasMember derivedFrom component",
	"Organization":          "id meta implicitRules modifierExtension identifier active type name partOf",
	"Patient":               "id meta implicitRules modifierExtension identifier active name telecom gender birthDate deceased address managingOrganization link",
	"Practitioner":          "id meta implicitRules modifierExtension identifier active name telecom address gender birthDate",
	"PractitionerRole":      "id meta implicitRules modifierExtension identifier active period practitioner organization code specialty location telecom",
	"Provenance":            "id meta implicitRules modifierExtension target recorded",
	"Questionnaire":         "id meta implicitRules modifierExtension url identifier version name title status experimental subjectType date publisher contact useContext jurisdiction effectivePeriod code",
	"QuestionnaireResponse": "id meta implicitRules modifierExtension identifier basedOn partOf questionnaire status subject encounter authored author source",
	"RelatedPerson":         "id meta implicitRules modifierExtension identifier active patient relationship name telecom gender birthDate address",
	"ServiceRequest":        "id meta implicitRules modifierExtension identifier instantiatesCanonical instantiatesUri basedOn replaces requisition status intent category priority doNotPerform code orderDetail quantity subject encounter occurrence asNeeded authoredOn requester performerType performer locationCode locationReference reasonCode reasonReference specimen bodySite patientInstruction",
	"Subscription":          "id meta implicitRules modifierExtension status contact end reason criteria error channel",
	"Task":                  "id meta implicitRules modifierExtension instantiatesCanonical instantiatesUri basedOn groupIdentifier partOf status statusReason businessStatus intent code description focus for encounter executionPeriod lastModified requester owner location",
}

// SummaryElements lists the elements of a type that are shown for _summary=true (R4
// search.html#summary), besides those that must always be there; choices by their base name.
func SummaryElements(t Type) []string { return strings.Fields(summaryElements[t]) }

// MandatoryElements lists the elements of a type that must always be there, sorted by name.
func MandatoryElements(t Type) []string {
	s := tables().structures[string(t)]
	if s == nil {
		return nil
	}
	names := map[string]bool{}
	for _, slot := range s.slots {
		if slot.element.min > 0 || slot.element.name == "implicitRules" {
			names[slot.element.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Shown gives the resource with the elements at its first level that keep tells to show, by their
// names as the definitions have them: a choice by its base name. id and meta always stay. A resource
// that does not show all is tagged SUBSETTED, whether it had more to show or not.
func (r *Resource) Shown(keep func(name string) bool) ([]byte, error) {
	s := tables().structures[string(r.kind)]
	e := r.Edit()
	for _, m := range r.root.Members() {
		name := strings.TrimPrefix(m.Name, "_")
		if name == "resourceType" || name == "id" || name == "meta" || keep(name) {
			continue
		}
		if s != nil && s.slots[name] != nil && keep(s.slots[name].element.name) {
			continue
		}
		if m.Name[0] == '_' && r.root.member(name) != nil {
			continue // goes with its value
		}
		e.Remove(m.Value)
	}
	tag := `{"system":"` + systemObservationValue + `","code":"SUBSETTED"}`
	meta := r.root.Get("meta")
	if meta == nil {
		e.Set(r.root, "meta", []byte(`{"tag":[`+tag+`]}`))
		return e.Bytes()
	}
	for _, t := range meta.Get("tag").Items() {
		if t.Get("system").Text() == systemObservationValue && t.Get("code").Text() == "SUBSETTED" {
			continue
		}
		tag += "," + string(t.Raw())
	}
	e.Set(meta, "tag", []byte("["+tag+"]"))
	return e.Bytes()
}

const systemObservationValue = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
