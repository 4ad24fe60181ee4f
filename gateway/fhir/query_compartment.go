package fhir

// patientCompartment names, per type, the parameters by which a resource is in a patient's
// compartment (R4 compartmentdefinition-patient.html). Types that are not here are in none.
var patientCompartment = map[Type][]string{
	"AllergyIntolerance":    {"patient", "recorder", "asserter"},
	"Appointment":           {"actor"},
	"AuditEvent":            {"patient"},
	"CarePlan":              {"patient", "performer"},
	"CareTeam":              {"patient", "participant"},
	"Communication":         {"subject", "sender", "recipient"},
	"Composition":           {"subject", "author", "attester"},
	"Condition":             {"patient", "asserter"},
	"Consent":               {"patient"},
	"DocumentReference":     {"subject", "author"},
	"Encounter":             {"patient"},
	"EpisodeOfCare":         {"patient"},
	"Flag":                  {"patient"},
	"Goal":                  {"patient"},
	"Group":                 {"member"},
	"List":                  {"subject", "source"},
	"MedicationStatement":   {"subject"},
	"Observation":           {"subject", "performer"},
	"Patient":               {"link"},
	"Provenance":            {"patient"},
	"QuestionnaireResponse": {"subject", "author"},
	"RelatedPerson":         {"patient"},
	"ServiceRequest":        {"subject", "performer"},
}

// InCompartment gives the criterion that a resource of a type is in the compartment of a patient,
// for a search at Patient/[id]/[type]: any of the type's parameters refers to her. False for a type
// that is in no patient's compartment.
func InCompartment(t Type, patient ID) (Criterion, bool) {
	names := patientCompartment[t]
	if len(names) == 0 {
		return Criterion{}, false
	}
	c := Criterion{Name: "Patient", Values: []Operand{{Reference: Reference{Type: "Patient", ID: patient}}}}
	for _, name := range names {
		c.Ways = append(c.Ways, Way{From: t, Param: SearchParameterOf(t, name)})
	}
	return c, true
}
