package conformance_test

// searchCases are searches written by hand: the examples of R4 search.html, and what implementers
// get wrong.
func searchCases(l *library) []string {
	first := l.herID + "-patient-0"
	return []string{
		// dates: precision on both sides, open periods, the zone, the night when clocks change
		"Patient?birthdate=1990", "Patient?birthdate=1990-02", "Patient?birthdate=1990-02-28", "Patient?birthdate=ne1990-02",
		"Patient?birthdate=gt1990-02", "Patient?birthdate=ge1990-02-28", "Patient?birthdate=lt1990-02-28", "Patient?birthdate=le1990",
		"Patient?birthdate=sa1989", "Patient?birthdate=eb1990-02-28", "Patient?birthdate=ge1990&birthdate=le1990-02",
		"Patient?death-date=2024-02-29", "Patient?death-date=2024-02", "Patient?death-date=gt2024-02-29", "Patient?death-date:missing=false",
		"Observation?date=2013", "Observation?date=ge2013", "Observation?date=gt2013", "Observation?date=sa2013", "Observation?date=eb2013",
		"Observation?date=lt2012", "Observation?date=le2012", "Observation?date=ne2013", "Observation?date=ge2012&date=le2014", "Observation?date=sa2014-05", "Observation?date=eb2014-07",
		"Condition?recorded-date=2024-03-31T03:30", "Condition?recorded-date=2024-03-31T01:30:00Z", "Condition?recorded-date=2024-03-31", "Condition?recorded-date=lt2024-03-31T03:30:01",
		"Observation?date=2024-12-31,2025-01-01", "Observation?date=2025-01-01T00:30:00", "Observation?date=ap2024-03-31",
		// quantities: precision, units, comparators
		"Observation?value-quantity=5.4|http://unitsofmeasure.org|g", "Observation?value-quantity=5.40|http://unitsofmeasure.org|g",
		"Observation?value-quantity=5.400|http://unitsofmeasure.org|g", "Observation?value-quantity=5400|http://unitsofmeasure.org|mg",
		"Observation?value-quantity=gt5|http://unitsofmeasure.org|g", "Observation?value-quantity=lt5.4|http://unitsofmeasure.org|g",
		"Observation?value-quantity=le0.0054|http://unitsofmeasure.org|kg", "Observation?value-quantity=5.4||g", "Observation?value-quantity=5.4||mg",
		"Observation?value-quantity=5.4", "Observation?value-quantity=ap5.5", "Observation?value-quantity=ne5.4", "Observation?value-quantity=5.4|urn:annet|g",
		"Observation?value-quantity=lt3|http://unitsofmeasure.org|mg/L", "Observation?value-quantity=gt5|http://unitsofmeasure.org|mg/L", "Observation?value-quantity=lt6|http://unitsofmeasure.org|mg/L",
		"Observation?component-value-quantity=120", "Observation?combo-value-quantity=gt100", "Observation?value-quantity:missing=true",
		"Questionnaire?context-quantity=gt15|http://unitsofmeasure.org|a", "Questionnaire?context-quantity=gt20|http://unitsofmeasure.org|a", "Questionnaire?context-quantity=sa10|http://unitsofmeasure.org|a",
		// composites hold of one element
		"Observation?component-code-value-quantity=over$120", "Observation?component-code-value-quantity=over$80", "Observation?component-code-value-quantity=under$lt100",
		"Observation?combo-code-value-quantity=urn:sluse:a|vekt$gt5", "Observation?code-value-quantity=vekt$5.4|http://unitsofmeasure.org|g", "Observation?code-value-quantity=crp$5400",
		"DocumentReference?relationship=replaces$DocumentReference/" + l.herID + "-documentreference-1,DocumentReference/" + l.herID + "-documentreference-1$replaces",
		// strings: letters of Norwegian, accents, white space, escapes
		"Patient?family=ås", "Patient?family=ÅS-ØIEN", "Patient?family=as", "Patient?family=aas", "Patient?family:contains=øi", "Patient?family:contains=oi",
		"Patient?family:exact=Ås-Øien", "Patient?family:exact=ås-øien", "Patient?given=bjorn", "Patient?given=bjørn", "Patient?given=bjørn åge", "Patient?given=andre", "Patient?given=andré",
		"Patient?given:exact=Bjørn  Åge", "Patient?name=bjørn,ås", "Patient?name:contains=ge", "Patient?name=50%", "Patient?name:contains=%", "Patient?name:contains=_",
		`Patient?name=Åse\, Bø`, `Patient?name:contains=\\`, "Patient?mothersMaidenName=ød", "Patient?mothersMaidenName:contains=gård", "Condition?onset-info=I UNG",
		// tokens
		"Patient?gender=female", "Patient?gender=http://hl7.org/fhir/administrative-gender|female", "Patient?gender=urn:annet|female", "Patient?gender:not=female", "Patient?gender:missing=true",
		"Patient?gender=female,male", "Patient?gender:not=female,male", "Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender",
		"Patient?deceased=true", "Patient?deceased=false", "Patient?deceased:not=true", "Patient?deceased=true,false", "Patient?deceased:not=true,false", "Patient?deceased=true,true", "Patient?active:missing=true",
		"Condition?code=F10.2", "Condition?code=urn:oid:2.16.578.1.12.4.1.1.7110|F10.2", "Condition?code=|F10.2", "Condition?code=urn:oid:2.16.578.1.12.4.1.1.7110|",
		"Condition?code:below=urn:oid:2.16.578.1.12.4.1.1.7110|F10", "Condition?code:above=urn:oid:2.16.578.1.12.4.1.1.7110|F10.2", "Condition?code:below=urn:oid:2.16.578.1.12.4.1.1.7110|F10.2",
		"Condition?code:text=alkohol", "Condition?code:text=avhengighet", "Condition?code:not=F10.2", "Condition?verification-status:in=http://hl7.org/fhir/ValueSet/condition-ver-status",
		"ServiceRequest?intent:in=http://hl7.org/fhir/ValueSet/request-intent", `Observation?code=x\,y`, `Observation?code=p\|q`, `Observation?code=b\\s`, `Observation?code=\$5`,
		"Observation?gene-identifier=1097", "Observation?gene-identifier:text=braf", "Observation?dna-variant=C.17", "Observation?amino-acid-change:contains=val600", "Observation?gene-dnavariant=c.1799T>A", "Observation?gene-amino-acid-change=p",
		"Patient?identifier=urn:sluse:id|1", "Patient?identifier=|1", "Patient?identifier=urn:sluse:id|", "Patient?identifier=1,2", "Patient?_id=" + first, "Patient?_id=" + first + "," + l.herID + "-doed",
		"Binary?_tag=urn:sluse:a|a", "Binary?_tag:missing=false", "Observation?_source=http://example.org/a", "Observation?_source:below=http://example.org/a", "Observation?_tag:not=a",
		// references
		"Observation?subject=Patient/" + first, "Observation?patient=" + first, "Observation?subject:Patient=" + first, "Observation?subject=" + l.base + "/fhir/Patient/" + first,
		"Observation?performer:missing=true", "QuestionnaireResponse?questionnaire=http://example.org/q", "QuestionnaireResponse?questionnaire=http://example.org/q|1", "QuestionnaireResponse?questionnaire=http://example.org/q|2",
		"QuestionnaireResponse?item-subject=Patient/" + first, "Provenance?target=Patient/" + first, "Provenance?patient=" + first, "Consent?data:missing=true",
		// URIs
		"Questionnaire?url=http://example.org/q", "Questionnaire?url:below=http://example.org", "Questionnaire?url:above=http://example.org/q/1", "Questionnaire?url=http://example.org", "Questionnaire?url:below=http://example.org/a",
		// several at once
		"Observation?status=final&code=vekt&value-quantity=gt1", "Observation?code=vekt&code=crp", "Observation?code=vekt,crp", "Patient?family=ås&birthdate=1990&deceased=true",
	}
}
