package fhir_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// shown writes an index value in one line, without what is common to all.
func shown(v fhir.IndexValue) string {
	s := ""
	switch v.Kind {
	case fhir.Composite:
		var parts []string
		for _, part := range v.Tuple {
			parts = append(parts, shown(part))
		}
		return strings.Join(parts, " $ ")
	case fhir.Token, fhir.ReferenceParam, fhir.Uri:
		s = v.System + "|" + v.Code
		switch v.Form {
		case fhir.TextForm:
			s = "text " + v.Folded
		case fhir.IdentifierForm:
			s = "identifier " + s
		case fhir.PlainForm:
		}
		if v.Version != "" {
			s += " version " + v.Version
		}
		if v.Above != nil {
			s += " above " + strings.Join(v.Above, " ")
		}
	case fhir.StringParam:
		s = v.Text + "=" + v.Folded
	case fhir.Date:
		s = v.Low.UTC().Format(time.RFC3339) + "/" + v.High.UTC().Format(time.RFC3339)
	case fhir.NumberParam, fhir.Quantity:
		a := v.Amount
		s = "[" + a.Low + "," + a.High + "]±" + a.Slack + " " + a.System + "|" + a.Code
		if a.Base != "" {
			s += " = [" + a.BaseLow + "," + a.BaseHigh + "]±" + a.BaseSlack + " " + a.Base
		}
	case fhir.Special:
	}
	return s
}

const ucum = `"system":"http://unitsofmeasure.org"`

// TestIndex extracts one parameter each: every type of parameter, every data type it is made of,
// and the functions of the expressions.
func TestIndex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		param, body string
		want        []string
	}{
		{"Condition.code", `"code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F10.20","display":"Alkoholavhengighet"}],"text":"Àvhengig  Ø"}`,
			[]string{"urn:oid:2.16.578.1.12.4.1.1.7110|F10.20 above F10 F10.2", "text alkoholavhengighet", "text avhengig ø"}},
		{"Condition.code", `"code":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7110","code":"F102"}]}`, []string{"urn:oid:2.16.578.1.12.4.1.1.7110|F102 above F10"}},
		{"Condition.code", `"code":{"text":"bare tekst"}`, []string{"text bare tekst"}},
		{"MedicationStatement.code", `"medicationCodeableConcept":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7180","code":"N07BB04"}]}`,
			[]string{"urn:oid:2.16.578.1.12.4.1.1.7180|N07BB04 above N N07 N07B N07BB"}},
		{"MedicationStatement.medication", `"medicationCodeableConcept":{"coding":[{"code":"a"}]}`, nil},
		{"MedicationStatement.medication", `"medicationReference":{"reference":"Medication/m"}`, []string{"|Medication/m"}},
		{"Patient.phone", `"telecom":[{"system":"phone","value":"22"},{"system":"email","value":"a@b"}]`, []string{"|22"}},
		{"Patient.email", `"telecom":[{"system":"phone","value":"22"},{"system":"email","value":"a@b"}]`, []string{"|a@b"}},
		{"Patient.telecom", `"telecom":[{"system":"phone","value":"22"},{"system":"email","value":"a@b"}]`, []string{"|22", "|a@b"}},
		{"Patient.identifier", `"identifier":[{"system":"s","value":"v","type":{"text":"H-nummer"}}]`, []string{"s|v", "text h-nummer"}},
		{"Patient.deceased", `"deceasedBoolean":true`, []string{"http://terminology.hl7.org/CodeSystem/special-values|true"}},
		{"Patient.deceased", `"deceasedBoolean":false`, nil},
		{"Patient.deceased", `"deceasedDateTime":"2026"`, []string{"http://terminology.hl7.org/CodeSystem/special-values|true"}},
		{"Patient.death-date", `"deceasedDateTime":"2026"`, []string{"2025-12-31T23:00:00Z/2026-12-31T23:00:00Z"}},
		{"Patient.address", `"address":[{"line":["Åsgata 1"],"city":"Oslo","use":"home"}]`, []string{"Åsgata 1=åsgata 1", "Oslo=oslo"}},
		{"Patient.address-use", `"address":[{"line":["Åsgata 1"],"use":"home"}]`, []string{"http://hl7.org/fhir/address-use|home"}},
		{"Patient.mothersMaidenName", `"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Dahl"},{"url":"x","valueString":"y"}]`, []string{"Dahl=dahl"}},
		{"CarePlan.subject", `"subject":{"reference":"Patient/p/_history/3","identifier":{"system":"s","value":"v"}}`, []string{"identifier s|v", "|Patient/p version 3"}},
		{"CarePlan.patient", `"subject":{"type":"Group","identifier":{"system":"s","value":"v"}}`, nil},
		{"CarePlan.patient", `"subject":{"type":"Patient","identifier":{"value":"v"}}`, []string{"identifier |v"}},
		{"CarePlan.instantiates-canonical", `"instantiatesCanonical":["http://x/P|2"]`, []string{"|http://x/P version 2"}},
		{"CarePlan.instantiates-uri", `"instantiatesUri":["http://x.no/a/b","urn:oid:1.2"]`, []string{"|http://x.no/a/b above http://x.no http://x.no/a", "|urn:oid:1.2"}},
		{"CarePlan.activity-date", `"activity":[{"detail":{"scheduledTiming":{"event":["2026-01-01"],"repeat":{"boundsPeriod":{"end":"2026-02"}}}}},{"detail":{"scheduledString":"x"}}]`, []string{"0001-01-01T00:00:00Z/2026-02-28T23:00:00Z"}},
		{"CarePlan._tag", `"meta":{"tag":[{"system":"s","code":"c"}]}`, []string{"s|c"}},
		{"CarePlan._profile", `"meta":{"profile":["http://x/p"]}`, []string{"|http://x/p above http://x"}},
		{"CarePlan._id", `"id":"a"`, nil},
		{"Observation.date", `"effectivePeriod":{"start":"2026-03-29T01:30:00","end":"2026-03-29"}`, []string{"2026-03-29T00:30:00Z/2026-03-29T22:00:00Z"}},
		{"Observation.value-quantity", `"valueQuantity":{"value":1.50,` + ucum + `,"code":"mg/dL"}`, []string{"[1.5,1.5]±0.005 http://unitsofmeasure.org|mg/dL = [15,15]±0.05 g.m-3"}},
		{"Observation.value-quantity", `"valueQuantity":{"value":1,` + ucum + `,"code":"/min"}`, []string{"[1,1]±0.5 http://unitsofmeasure.org|/min = [0.016666666666666666666666666666666666666666666666666666666667,0.016666666666666666666666666666666666666666666666666666666667]±0.008333333333333333333333333333333333333333333333333333333333 s-1"}},
		{"Observation.value-quantity", `"valueQuantity":{"value":5,"comparator":">","unit":"poeng"}`, []string{"[5,]±0 |"}},
		{"Observation.value-quantity", `"valueQuantity":{"value":1e99}`, nil},
		{"Observation.value-quantity", `"valueSampledData":{"origin":{"value":10,` + ucum + `,"code":"s"},"period":1,"factor":2,"lowerLimit":1,"upperLimit":5,"dimensions":1}`, []string{"[12,20]±0 http://unitsofmeasure.org|s = [12,20]±0 s"}},
		{"Observation.value-string", `"valueCodeableConcept":{"text":"Ja"}`, []string{"Ja=ja"}},
		{"Observation.combo-value-quantity", `"component":[{"valueQuantity":{"value":2}}]`, []string{"[2,2]±0.5 |"}},
		{"Observation.code-value-quantity", `"code":{"coding":[{"system":"l","code":"1"},{"system":"l","code":"2"}]},"valueQuantity":{"value":2}`, []string{"l|1 $ [2,2]±0.5 |", "l|2 $ [2,2]±0.5 |"}},
		{"Observation.component-code-value-quantity", `"component":[{"code":{"coding":[{"code":"a"}]},"valueQuantity":{"value":1}},{"code":{"coding":[{"code":"b"}]},"valueQuantity":{"value":2}}]`, []string{"|a $ [1,1]±0.5 |", "|b $ [2,2]±0.5 |"}},
		{"Observation.combo-code-value-concept", `"code":{"coding":[{"code":"a"}]},"valueCodeableConcept":{"coding":[{"code":"v"}]},"component":[{"code":{"coding":[{"code":"b"}]},"valueCodeableConcept":{"coding":[{"code":"w"}]}}]`, []string{"|a $ |v", "|b $ |w"}},
		{"Observation.code-value-date", `"code":{"coding":[{"code":"a"}]},"valueDateTime":"2026-01-01"`, []string{"|a $ 2025-12-31T23:00:00Z/2026-01-01T23:00:00Z"}},
		{"Observation.code-value-string", `"code":{"coding":[{"code":"a"}]}`, nil},
		{"DocumentReference.relationship", `"relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/d"}}]`, []string{"http://hl7.org/fhir/document-relationship-type|replaces $ |DocumentReference/d"}},
		{"Group.characteristic-value", `"characteristic":[{"code":{"coding":[{"code":"a"}]},"valueBoolean":true,"exclude":false}]`, []string{"|a $ http://terminology.hl7.org/CodeSystem/special-values|true"}},
		{"Condition.onset-age", `"onsetRange":{"low":{"value":10,` + ucum + `,"code":"a"},"high":{"value":12,` + ucum + `,"code":"a"}}`, []string{"[10,12]±0 http://unitsofmeasure.org|a = [315576000,378691200]±0 s"}},
		{"Encounter.length", `"length":{"value":90,` + ucum + `,"code":"min"}`, []string{"[90,90]±0.5 http://unitsofmeasure.org|min = [5400,5400]±30 s"}},
		{"Appointment.location", `"participant":[{"actor":{"reference":"Location/l"}},{"actor":{"reference":"Patient/p"}}]`, []string{"|Location/l"}},
		{"QuestionnaireResponse.item-subject", `"item":[{"linkId":"1","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject"}],"answer":[{"valueReference":{"reference":"Patient/p"}}]},{"linkId":"2","answer":[{"valueReference":{"reference":"Patient/q"}}]}]`, []string{"|Patient/p"}},
		{"Composition.related-id", `"relatesTo":[{"targetIdentifier":{"value":"i"}},{"targetReference":{"reference":"Composition/c"}}]`, []string{"|i"}},
		{"CarePlan.patient", `"subject":{"reference":"Group/p"}`, nil},
		{"CarePlan.patient", `"subject":{"reference":"https://x.no/fhir/Patient/p"}`, []string{"|https://x.no/fhir/Patient/p"}},
		{"CarePlan.subject", `"subject":{"reference":"#p"}`, nil},
		{"CarePlan.subject", `"subject":["x",{"reference":5}]`, nil},
		{"CarePlan.identifier", `"identifier":"a"`, nil},
		{"CarePlan.identifier", `"identifier":[{"system":"s","value":"v"},{"value":"w"}]`, []string{"s|v", "|w"}},
		{"CarePlan.status", `"status":[1,{"a":2}]`, []string{"http://hl7.org/fhir/request-status|1"}},
		{"CarePlan.date", `"period":"2026-13"`, nil},
		{"Observation.date", `"effectivePeriod":{"end":"2026-02"}`, []string{"0001-01-01T00:00:00Z/2026-02-28T23:00:00Z"}},
		{"Observation.date", `"effectiveInstant":"2026-02-01T10:00:00.5Z"`, []string{"2026-02-01T10:00:00Z/2026-02-01T10:00:00Z"}},
		{"Observation.date", `"effectiveTiming":{"event":["2026-02-02","2026-01-01"]}`, []string{"2025-12-31T23:00:00Z/2026-02-02T23:00:00Z"}},
		{"Condition.onset-date", `"onsetString":"a"`, nil},
		{"Condition.onset-date", `"onsetPeriod":{"start":"2026"}`, []string{"2025-12-31T23:00:00Z/9999-12-31T23:59:59Z"}},
		{"Practitioner.name", `"name":[{"family":"Å","given":["B","C"],"text":"D"}]`, []string{"B=b", "C=c", "D=d", "Å=å"}},
		{"Practitioner.family", `"name":[{"family":"Å","given":["B","C"],"text":"D"}]`, []string{"Å=å"}},
		{"Practitioner.active", `"active":true`, []string{"http://terminology.hl7.org/CodeSystem/special-values|true"}},
		{"Organization.name", `"name":"a","alias":["b"]`, []string{"a=a", "b=b"}},
		{"AuditEvent.patient", `"agent":[{"who":{"reference":"Patient/a"}}],"entity":[{"what":{"reference":"Patient/b"}},{"what":{"reference":"Consent/c/_history/1"}}]`, []string{"|Patient/a", "|Patient/b"}},
		{"AuditEvent.entity", `"entity":[{"what":{"reference":"Consent/c/_history/1"}}]`, []string{"|Consent/c version 1"}},
		{"AuditEvent.policy", `"agent":[{"policy":["http://x.no/p"]}]`, []string{"|http://x.no/p above http://x.no"}},
		{"Task.period", `"executionPeriod":{"start":"x"}`, nil},
		{"Subscription.payload", `"channel":{"payload":"application/fhir+json"}`, []string{"|application/fhir+json"}},
	} {
		typ, name, _ := strings.Cut(c.param, ".")
		p := fhir.SearchParameterOf(fhir.Type(typ), name)
		if p == nil {
			t.Fatalf("no parameter %s", c.param)
		}
		var got []string
		for _, v := range fhir.Index(parse(t, `{"resourceType":"`+typ+`",`+c.body+`}`)) {
			if v.Bits&(1<<p.Ordinal) != 0 {
				if !slices.Contains(p.Keys, v.Key) {
					t.Errorf("%s has a value of %s, which is not among %v", c.param, v.Key, p.Keys)
				}
				got = append(got, shown(v))
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of {%s}:\ngot  %q\nwant %q", c.param, c.body, got, c.want)
		}
	}
}

// TestIndexOfWhatIsNotSearched: a type that cannot be searched has no values.
func TestIndexOfWhatIsNotSearched(t *testing.T) {
	t.Parallel()
	if got := fhir.Index(parse(t, `{"resourceType":"Account","status":"active"}`)); got != nil {
		t.Errorf("%+v", got)
	}
}

// TestMarkParts: a value has the labels of each part that holds it, a tuple those of all of its
// values, and a part that cannot be found holds everything.
func TestMarkParts(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"c"}]},"component":[{"code":{"coding":[{"code":"a"}]},"valueQuantity":{"value":1}},{"code":{"coding":[{"code":"b"}]},"valueQuantity":{"value":2}}]}`)
	masks := func(parts ...fhir.Part) map[string]uint64 {
		values := fhir.Index(r)
		fhir.MarkParts(r, values, parts)
		m := map[string]uint64{}
		for _, v := range values {
			m[v.Key+" "+shown(v)] = v.Mask
		}
		return m
	}
	got := masks(fhir.Part{Path: "Observation.component[1]", Mask: 4}, fhir.Part{Path: "Observation.component[1].valueQuantity", Mask: 8}, fhir.Part{Path: "Observation.component[1]", Mask: 16})
	for value, want := range map[string]uint64{
		"status http://hl7.org/fhir/observation-status|final": 0, "component.code |a": 0, "component.code |b": 20, "component.valueQuantity [2,2]±0.5 |": 28,
		"component$code$value.as(Quantity) |a $ [1,1]±0.5 |": 0, "component$code$value.as(Quantity) |b $ [2,2]±0.5 |": 28, "code |c": 0,
	} {
		if mask, ok := got[value]; !ok || mask != want {
			t.Errorf("%s: %d, want %d (%v)", value, mask, want, ok)
		}
	}
	if masks()["component.code |b"] != 0 {
		t.Error("a mask without a part")
	}
	other := fhir.Index(parse(t, string(r.Bytes())))
	fhir.MarkParts(r, other, []fhir.Part{{Path: "Observation.component[1]", Mask: 4}})
	for _, v := range other {
		if v.Mask != 4 {
			t.Errorf("%s of another tree is outside the parts", v.Key)
		}
	}
	for value, mask := range masks(fhir.Part{Path: "Observation.component[7]", Mask: 2}) {
		if mask != 2 {
			t.Errorf("%s: the labels of a part that is not found are lost", value)
		}
	}
}

// TestFold: case, accents and white space do not count; æ, ø and å are letters of their own.
func TestFold(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "Kari": "kari", "ÆRLIG Øystein Åse": "ærlig øystein åse", "Åse": "åse", "ÀÉÎÖÜ": "aeiou", "  a \t b\u00a0c ": "a b c", "a b": "a b", "a  b": "a b", "Straße": "straße", "İ": "i",
	} {
		if got := fhir.Fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if again := fhir.Fold(fhir.Fold(in)); again != want {
			t.Errorf("%q folds to %q twice", in, again)
		}
	}
	if fhir.Fold("aa") == fhir.Fold("å") || fhir.Fold("o") == fhir.Fold("ø") || fhir.Fold("ae") == fhir.Fold("æ") {
		t.Error("letters of their own are folded")
	}
}

// TestUnits: equal amounts are equal in base units, and unlike dimensions have none in common.
func TestUnits(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"mg": "0.001 g", "kg": "1000 g", "ug/mL": "1 g.m-3", "mg/L": "1 g.m-3", "mmol/L": "1 m-3.mol", "umol/l": "0.001 m-3.mol", "mm[Hg]": "133322 g.m-1.s-2", "kPa": "1000000 g.m-1.s-2",
		"10*9/L": "1000000000000 m-3", "%": "0.01 1", "1": "1 1", "{score}": "1 1", "h": "3600 s", "wk": "604800 s", "kg/m2": "1000 g.m-2", "mL/min/{1.73_m2}": "", "m.s-1": "1 m.s-1",
		"Cel": "1 Cel", "g/(24.h)": "", "g/d": "", "dag": "10 g", "[iU]/L": "1000 [iU].m-3", "mmol/mol{Hb}": "0.001 1", "foo": "", "mg/": "", "": "", "(((((g)))))": "", "10-3": "", "/min": "", "k": "", "g99": "",
	} {
		v := `{"resourceType":"Observation","valueQuantity":{"value":1,` + ucum + `,"code":"` + code + `"}}`
		for _, value := range fhir.Index(parse(t, v)) {
			a := value.Amount
			got := ""
			if value.Key != "valueQuantity" {
				continue
			}
			if a.Base != "" {
				got = a.BaseLow + " " + a.Base
			}
			if want != "" && got != want {
				t.Errorf("%s: %q, want %q", code, got, want)
			}
			if want == "" && (code == "foo" || code == "mg/" || code == "" || code == "k" || code == "g99" || code == "10-3" || strings.HasPrefix(code, "(((")) && got != "" {
				t.Errorf("%s is read as %q", code, got)
			}
		}
	}
}
