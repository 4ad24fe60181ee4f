//go:build reference

package fhir_test

// fault is an example that is not valid R4: what is found, and why it is right to say so.
type fault struct {
	reason   string
	findings []string
}

// faulty lists the official examples with faults of their own, each looked at.
var faulty = map[string]fault{
	"ActivityDefinition-blood-tubes-supply.json": {
		"the narrative is blank (txt-2)",
		[]string{
			"validation.narrative ActivityDefinition.text.div ",
		},
	},
	"ActivityDefinition-heart-valve-replacement.json": {
		"the narrative is blank (txt-2)",
		[]string{
			"validation.narrative ActivityDefinition.text.div ",
		},
	},
	"DeviceMetric-example.json": {
		"parent allows a Device, not a DeviceDefinition",
		[]string{
			"validation.reference-target DeviceMetric.parent.reference DeviceDefinition Device",
		},
	},
	"DeviceUseStatement-example.json": {
		"reasonReference does not allow a Procedure",
		[]string{
			"validation.reference-target DeviceUseStatement.reasonReference[0].reference Procedure Condition, Observation, DiagnosticReport, DocumentReference, Media",
		},
	},
	"EventDefinition-example.json": {
		"the narrative is blank (txt-2)",
		[]string{
			"validation.narrative EventDefinition.text.div ",
		},
	},
	"MedicationRequest-medrx0301.json": {
		"dispenseRequest.performer allows an Organization, not a Practitioner",
		[]string{
			"validation.reference-target MedicationRequest.dispenseRequest.performer.reference Practitioner Organization",
		},
	},
	"Questionnaire-qs1.json": {
		"the display items have no linkId, which R4 requires of every item",
		[]string{
			"validation.cardinality-min Questionnaire.item[0].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[1].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[2].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[3].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[4].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[5].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[6].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[7].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[8].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[9].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[10].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[11].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[12].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[13].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[14].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[1].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[2].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[3].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[4].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[5].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[15].item[6].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[16].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[17].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[1].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[2].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[3].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[4].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[5].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[18].item[6].item[0].linkId linkId 1",
			"validation.cardinality-min Questionnaire.item[0].item[19].item[0].linkId linkId 1",
		},
	},
	"Questionnaire-zika-virus-exposure-assessment.json": {
		"the narrative holds an empty pre and nothing else (txt-2)",
		[]string{
			"validation.narrative Questionnaire.text.div ",
		},
	},
}
