package fhir_test

import (
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

// operations writes a Parameters: each line is type, path and the other parts as JSON members of
// a part, such as add Patient name=birthDate {"valueDate":"1930-01-01"}.
func patchParameters(parts ...string) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Parameters"`)
	for i, p := range parts {
		b.WriteString([]string{`,"parameter":[`, ","}[min(i, 1)])
		b.WriteString(`{"name":"operation","part":[` + p + `]}`)
	}
	if len(parts) > 0 {
		b.WriteByte(']')
	}
	return b.String() + "}"
}

func patchPart(name, member, json string) string {
	return `{"name":"` + name + `","` + member + `":` + json + `}`
}

func patchPath(p string) string { return patchPart("path", "valueString", `"`+p+`"`) }

func addOp(at, name, value string) string {
	return patchPart("type", "valueCode", `"add"`) + "," + patchPath(at) + "," + patchPart("name", "valueString", `"`+name+`"`) + `,{"name":"value",` + value + `}`
}

func insertOp(at, index, value string) string {
	return patchPart("type", "valueCode", `"insert"`) + "," + patchPath(at) + "," + patchPart("index", "valueInteger", index) + `,{"name":"value",` + value + `}`
}

func deleteOp(at string) string {
	return patchPart("type", "valueCode", `"delete"`) + "," + patchPath(at)
}

func replaceOp(at, value string) string {
	return patchPart("type", "valueCode", `"replace"`) + "," + patchPath(at) + `,{"name":"value",` + value + `}`
}

func moveOp(at, source, destination string) string {
	return patchPart("type", "valueCode", `"move"`) + "," + patchPath(at) + "," + patchPart("source", "valueInteger", source) + "," + patchPart("destination", "valueInteger", destination)
}

// identifiers writes a list of identifiers with the values given.
func patientWith(values ...string) string {
	if len(values) == 0 {
		return `{"resourceType":"Patient"}`
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = `{"system":"http://example.org","value":"` + v + `"}`
	}
	return `{"resourceType":"Patient","identifier":[` + strings.Join(list, ",") + `]}`
}

const thirdIdentifier = `"valueIdentifier":{"system":"http://example.org","value":"3"}`

// TestFHIRPathPatch: what the official cases of HL7's r4/patch test, by their names where they have one
// (save "Consecutive operations", which contradicts "Operation on missing element" and is not
// well-formed), the examples of R4 fhirpatch.html, and primitives with their siblings.
func TestFHIRPathPatch(t *testing.T) {
	t.Parallel()
	const contact = `{"resourceType":"Patient","contact":[{"name":{"text":"a name"},"gender":"male"}]}`
	const given = `{"resourceType":"Patient","name":[{"given":["a",null,"c"],"_given":[null,{"id":"b"},null]}]}`
	for _, c := range []struct {
		name, body string
		parts      []string
		want, code string
	}{
		{"No Difference", `{"resourceType":"Patient","birthDate":"1920-01-01"}`, nil, `{"resourceType":"Patient","birthDate":"1920-01-01"}`, ""},
		{"Replace Primitive", `{"resourceType":"Patient","birthDate":"1920-01-01"}`, []string{replaceOp("Patient.birthDate", `"valueDate":"1930-01-01"`)}, `{"resourceType":"Patient","birthDate":"1930-01-01"}`, ""},
		{"Delete Primitive", `{"resourceType":"Patient","birthDate":"1920-01-01"}`, []string{deleteOp("Patient.birthDate")}, `{"resourceType":"Patient"}`, ""},
		{"Add Primitive", `{"resourceType":"Patient"}`, []string{addOp("Patient", "birthDate", `"valueDate":"1930-01-01"`)}, `{"resourceType":"Patient","birthDate":"1930-01-01"}`, ""},
		{"Delete what is absent", `{"resourceType":"Patient"}`, []string{deleteOp("Patient.birthDate"), deleteOp("Patient.contact[0].name.text"), deleteOp("Patient.identifier[7]")}, `{"resourceType":"Patient"}`, ""},
		{"Replace Nested Primitive #1", contact, []string{replaceOp("Patient.contact[0].gender", `"valueCode":"female"`)}, strings.Replace(contact, "male", "female", 1), ""},
		{"Replace Nested Primitive #2", contact, []string{replaceOp("Patient.contact[0].name.text", `"valueString":"the name"`)}, strings.Replace(contact, "a name", "the name", 1), ""},
		{"Delete Nested Primitive #1", contact, []string{deleteOp("Patient.contact[0].gender")}, `{"resourceType":"Patient","contact":[{"name":{"text":"a name"}}]}`, ""},
		{"Delete Nested Primitive #2", contact, []string{deleteOp("Patient.contact[0].name.text")}, `{"resourceType":"Patient","contact":[{"gender":"male"}]}`, ""},
		{"Add Nested Primitive", `{"resourceType":"Patient","contact":[{"name":{"text":"a name"}}]}`, []string{addOp("Patient.contact[0]", "gender", `"valueCode":"male"`)}, contact, ""},
		{"Add Complex", `{"resourceType":"Patient"}`, []string{addOp("Patient", "maritalStatus", `"valueCodeableConcept":{"text":"married"}`)}, `{"resourceType":"Patient","maritalStatus":{"text":"married"}}`, ""},
		{"Replace Complex", `{"resourceType":"Patient","maritalStatus":{"id":"1","text":"married"}}`, []string{replaceOp("Patient.maritalStatus", `"valueCodeableConcept":{"id":"2","text":"not married"}`)}, `{"resourceType":"Patient","maritalStatus":{"id":"2","text":"not married"}}`, ""},
		{"Delete Complex", `{"resourceType":"Patient","maritalStatus":{"text":"married"}}`, []string{deleteOp("Patient.maritalStatus")}, `{"resourceType":"Patient"}`, ""},
		{"Add Anonymous Type", `{"resourceType":"Patient"}`, []string{addOp("Patient", "contact", `"part":[{"name":"name","valueHumanName":{"text":"a name"}}]`)}, `{"resourceType":"Patient","contact":[{"name":{"text":"a name"}}]}`, ""},
		{"Delete Anonymous Type", `{"resourceType":"Patient","contact":[{"name":{"text":"a name"}}]}`, []string{deleteOp("Patient.contact[0]")}, `{"resourceType":"Patient"}`, ""},
		{"List unchanged, contents changed", patientWith("1", "2"), []string{replaceOp("Patient.identifier[0].value", `"valueString":"2"`), replaceOp("Patient.identifier[1].value", `"valueString":"1"`)}, patientWith("2", "1"), ""},
		{"Add to list", patientWith("1", "2"), []string{insertOp("Patient.identifier", "2", thirdIdentifier)}, patientWith("1", "2", "3"), ""},
		{"Insert in list #1", patientWith("1", "2"), []string{insertOp("Patient.identifier", "1", thirdIdentifier)}, patientWith("1", "3", "2"), ""},
		{"Insert in list #2", patientWith("1", "2"), []string{insertOp("Patient.identifier", "0", thirdIdentifier)}, patientWith("3", "1", "2"), ""},
		{"insert in no list", patientWith(), []string{insertOp("Patient.identifier", "0", thirdIdentifier)}, patientWith("3"), ""},
		{"insert past the end", patientWith("1"), []string{insertOp("Patient.identifier", "2", thirdIdentifier)}, "", fhir.CodePatchIndex},
		{"Delete from List #1", patientWith("1", "2", "3"), []string{deleteOp("Patient.identifier[0]")}, patientWith("2", "3"), ""},
		{"Delete from List #2", patientWith("1", "2", "3"), []string{deleteOp("Patient.identifier[1]")}, patientWith("1", "3"), ""},
		{"Delete from List #3", patientWith("1", "2", "3"), []string{deleteOp("Patient.identifier[2]")}, patientWith("1", "2"), ""},
		{"Reorder List #1", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "3", "1")}, patientWith("1", "4", "2", "3"), ""},
		{"Reorder List #2", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "3", "0")}, patientWith("4", "1", "2", "3"), ""},
		{"Reorder List #3", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "3", "2")}, patientWith("1", "2", "4", "3"), ""},
		{"Reorder List #4", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "0", "3")}, patientWith("2", "3", "4", "1"), ""},
		{"Reorder List #5", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "1", "0"), moveOp("Patient.identifier", "2", "1")}, patientWith("2", "3", "1", "4"), ""},
		{"Reorder List #6", patientWith("1", "2", "3", "4"), []string{moveOp("Patient.identifier", "3", "0"), moveOp("Patient.identifier", "3", "1"), moveOp("Patient.identifier", "3", "2")}, patientWith("4", "3", "2", "1"), ""},
		{"move from past the end", patientWith("1", "2"), []string{moveOp("Patient.identifier", "2", "0")}, "", fhir.CodePatchIndex},
		{"move to past the end", patientWith("1", "2"), []string{moveOp("Patient.identifier", "0", "2")}, "", fhir.CodePatchIndex},
		{"Operation on missing element", `{"resourceType":"Patient","identifier":[{"use":"official","value":"123"}]}`, []string{addOp("Patient.identifier.where(use = 'official').period", "end", `"valueDate":"2021-12-01"`)}, "", fhir.CodePatchAbsent},
		{"Operation on missing element #2", patientWith(), []string{addOp("Patient", "identifier", thirdIdentifier)}, patientWith("3"), ""},
		{"Full Resource, narrative", `{"resourceType":"Patient","text":{"status":"generated","div":"<div>a</div>"},"name":[{"family":"A"},{"use":"usual"}]}`, []string{replaceOp("Patient.text.div", `"valueString":"<div>b</div>"`), replaceOp("Patient.name[0].family", `"valueString":"B"`)}, `{"resourceType":"Patient","text":{"status":"generated","div":"<div>b</div>"},"name":[{"family":"B"},{"use":"usual"}]}`, ""},

		{"delete of several", patientWith("1", "2"), []string{deleteOp("Patient.identifier")}, "", fhir.CodePatchMultiple},
		{"replace of several", patientWith("1", "2"), []string{replaceOp("Patient.identifier", thirdIdentifier)}, "", fhir.CodePatchMultiple},
		{"replace of what is absent", patientWith(), []string{replaceOp("Patient.birthDate", `"valueDate":"1930-01-01"`)}, "", fhir.CodePatchAbsent},
		{"add of what is there", `{"resourceType":"Patient","birthDate":"1920"}`, []string{addOp("Patient", "birthDate", `"valueDate":"1930-01-01"`)}, "", fhir.CodePatchExists},
		{"add of what has only extensions", `{"resourceType":"Patient","_birthDate":{"id":"x"}}`, []string{addOp("Patient", "birthDate", `"valueDate":"1930-01-01"`)}, "", fhir.CodePatchExists},
		{"add of a second type of a choice", `{"resourceType":"Patient","deceasedBoolean":false}`, []string{addOp("Patient", "deceased", `"valueDateTime":"2020"`)}, "", fhir.CodePatchExists},
		{"add of a choice", `{"resourceType":"Patient"}`, []string{addOp("Patient", "deceased", `"valueDateTime":"2020"`)}, `{"resourceType":"Patient","deceasedDateTime":"2020"}`, ""},
		{"a choice by its JSON name", `{"resourceType":"Patient"}`, []string{addOp("Patient", "deceasedBoolean", `"valueBoolean":true`)}, "", fhir.CodePathElement},
		{"replace changes the type of a choice", `{"resourceType":"Patient","deceasedBoolean":true,"_deceasedBoolean":{"id":"x"},"active":true}`, []string{replaceOp("Patient.deceased", `"valueDateTime":"2020"`)}, `{"resourceType":"Patient","deceasedDateTime":"2020","active":true}`, ""},
		{"replace of one type of a choice", `{"resourceType":"Observation","valueQuantity":{"value":1.50}}`, []string{replaceOp("Observation.value.ofType(Quantity).value", `"valueDecimal":2.500`)}, `{"resourceType":"Observation","valueQuantity":{"value":2.500}}`, ""},
		{"delete of another type of a choice", `{"resourceType":"Observation","valueQuantity":{"value":1.50}}`, []string{deleteOp("Observation.value.ofType(string)")}, `{"resourceType":"Observation","valueQuantity":{"value":1.50}}`, ""},
		{"a choice cannot be of that type", `{"resourceType":"Patient"}`, []string{addOp("Patient", "deceased", `"valueString":"x"`)}, "", fhir.CodePatchValue},
		{"wrong primitive", `{"resourceType":"Patient"}`, []string{addOp("Patient", "birthDate", `"valueBoolean":true`)}, "", fhir.CodePatchValue},
		{"wrong complex", `{"resourceType":"Patient"}`, []string{addOp("Patient", "maritalStatus", `"valueCoding":{"code":"x"}`)}, "", fhir.CodePatchValue},
		{"parts for a primitive", `{"resourceType":"Patient"}`, []string{addOp("Patient", "birthDate", `"part":[{"name":"id","valueString":"x"}]`)}, "", fhir.CodePatchValue},
		{"unknown element in add", `{"resourceType":"Patient"}`, []string{addOp("Patient", "birthdate", `"valueDate":"1930-01-01"`)}, "", fhir.CodePathElement},
		{"unknown element in delete", `{"resourceType":"Patient"}`, []string{deleteOp("Patient.birthdate")}, "", fhir.CodePathElement},
		{"unknown element in parts", `{"resourceType":"Patient"}`, []string{addOp("Patient", "contact", `"part":[{"name":"nam","valueHumanName":{"text":"a"}}]`)}, "", fhir.CodePathElement},
		{"a part too many", `{"resourceType":"Patient"}`, []string{addOp("Patient", "contact", `"part":[{"name":"gender","valueCode":"male"},{"name":"gender","valueCode":"other"}]`)}, "", fhir.CodePatchExists},
		{"another type at the head", `{"resourceType":"Patient"}`, []string{deleteOp("Person.birthDate")}, "", fhir.CodePathType},
		{"insert at an index", patientWith("1"), []string{insertOp("Patient.identifier[0]", "0", thirdIdentifier)}, "", fhir.CodePatchList},
		{"insert where nothing repeats", `{"resourceType":"Patient"}`, []string{insertOp("Patient.birthDate", "0", `"valueDate":"1930-01-01"`)}, "", fhir.CodePatchList},
		{"move within several lists", `{"resourceType":"Patient","name":[{"given":["a","b"]},{"given":["c"]}]}`, []string{moveOp("Patient.name.given", "0", "1")}, "", fhir.CodePatchMultiple},

		{"parts within parts, repeated, with siblings", `{"resourceType":"Patient"}`, []string{addOp("Patient", "contact", `"part":[{"name":"relationship","valueCodeableConcept":{"text":"r1"}},{"name":"name","part":[{"name":"given","valueString":"a"},{"name":"given","_valueString":{"extension":[{"url":"http://x","valueCode":"x"}]}},{"name":"family","valueString":"f"}]},{"name":"relationship","valueCodeableConcept":{"text":"r2"}}]`)},
			`{"resourceType":"Patient","contact":[{"relationship":[{"text":"r1"},{"text":"r2"}],"name":{"given":["a",null],"_given":[null,{"extension":[{"url":"http://x","valueCode":"x"}]}],"family":"f"}}]}`, ""},
		{"an extension as parts", `{"resourceType":"Patient"}`, []string{addOp("Patient", "extension", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`)}, `{"resourceType":"Patient","extension":[{"url":"http://a","valueString":"x"}]}`, ""},
		{"an extension of a primitive", `{"resourceType":"Patient","birthDate":"1920"}`, []string{addOp("Patient.birthDate", "extension", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`)}, `{"resourceType":"Patient","birthDate":"1920","_birthDate":{"extension":[{"url":"http://a","valueString":"x"}]}}`, ""},
		{"an extension of one primitive of a list", `{"resourceType":"Patient","name":[{"given":["a","b","c"]}]}`, []string{addOp("Patient.name.given[1]", "extension", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`)}, `{"resourceType":"Patient","name":[{"given":["a","b","c"],"_given":[null,{"extension":[{"url":"http://a","valueString":"x"}]},null]}]}`, ""},
		{"delete of an extension by url", `{"resourceType":"Patient","birthDate":"1920","_birthDate":{"extension":[{"url":"http://a","valueString":"x"}]}}`, []string{deleteOp("Patient.birthDate.extension('http://a')")}, `{"resourceType":"Patient","birthDate":"1920"}`, ""},
		{"delete of the last extension of a list", `{"resourceType":"Patient","name":[{"given":["a"],"_given":[{"extension":[{"url":"http://a","valueString":"x"}]}]}]}`, []string{deleteOp("Patient.name.given.extension('http://a')")}, `{"resourceType":"Patient","name":[{"given":["a"]}]}`, ""},
		{"delete of all that an element is", `{"resourceType":"Patient","name":[{"given":[null,"b"],"_given":[{"extension":[{"url":"http://a","valueString":"x"}]},null]}]}`, []string{deleteOp("Patient.name.given[0].extension[0]")}, `{"resourceType":"Patient","name":[{"given":["b"]}]}`, ""},
		{"add to a list with siblings", given, []string{addOp("Patient.name[0]", "given", `"valueString":"d"`)}, strings.Replace(strings.Replace(given, `"c"]`, `"c","d"]`, 1), `null]}]`, `null,null]}]`, 1), ""},
		{"insert of only an id", `{"resourceType":"Patient","name":[{"given":["a"]}]}`, []string{insertOp("Patient.name[0].given", "0", `"_valueString":{"extension":[{"url":"http://x","valueCode":"x"}]}`)}, `{"resourceType":"Patient","name":[{"given":[null,"a"],"_given":[{"extension":[{"url":"http://x","valueCode":"x"}]},null]}]}`, ""},
		{"delete with siblings", given, []string{deleteOp("Patient.name[0].given[0]")}, `{"resourceType":"Patient","name":[{"given":[null,"c"],"_given":[{"id":"b"},null]}]}`, ""},
		{"delete of the only sibling", given, []string{deleteOp("Patient.name[0].given[1]")}, `{"resourceType":"Patient","name":[{"given":["a","c"]}]}`, ""},
		{"move with siblings", given, []string{moveOp("Patient.name[0].given", "1", "2")}, `{"resourceType":"Patient","name":[{"given":["a","c",null],"_given":[null,null,{"id":"b"}]}]}`, ""},
		{"replace with siblings", given, []string{replaceOp("Patient.name[0].given[1]", `"valueString":"b"`)}, `{"resourceType":"Patient","name":[{"given":["a","b","c"]}]}`, ""},
		{"replace takes the siblings along", `{"resourceType":"Patient","birthDate":"1920","_birthDate":{"id":"x"}}`, []string{replaceOp("Patient.birthDate", `"valueDate":"1930"`)}, `{"resourceType":"Patient","birthDate":"1930"}`, ""},
		{"replace of only an id by a value", `{"resourceType":"Patient","_birthDate":{"id":"x"},"active":true}`, []string{replaceOp("Patient.birthDate", `"valueDate":"1930"`)}, `{"resourceType":"Patient","birthDate":"1930","active":true}`, ""},
		{"replace by a value with an id", `{"resourceType":"Patient","birthDate":"1920","active":true}`, []string{replaceOp("Patient.birthDate", `"valueDate":"1930","_valueDate":{"extension":[{"url":"http://x","valueCode":"x"}]}`)}, `{"resourceType":"Patient","birthDate":"1930","_birthDate":{"extension":[{"url":"http://x","valueCode":"x"}]},"active":true}`, ""},
		{"filter, first, last", `{"resourceType":"Patient","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"},{"system":"phone","value":"3"}]}`,
			[]string{replaceOp("Patient.telecom.where(system = 'phone').last().value", `"valueString":"9"`), deleteOp("Patient.telecom.where(system='phone' and value='1').single()"), replaceOp("Patient.telecom.first().rank", `"valuePositiveInt":1`)}, "", fhir.CodePatchAbsent},
		{"filter, last, single", `{"resourceType":"Patient","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"},{"system":"phone","value":"3"}]}`,
			[]string{replaceOp("Patient.telecom.where(system = 'phone').last().value", `"valueString":"9"`), deleteOp("Patient.telecom.where(system='phone' and value='1').single()"), addOp("Patient.telecom.first()", "rank", `"valuePositiveInt":1`)},
			`{"resourceType":"Patient","telecom":[{"system":"email","value":"2","rank":1},{"system":"phone","value":"9"}]}`, ""},
		{"single of several", patientWith("1", "2"), []string{deleteOp("Patient.identifier.single()")}, "", fhir.CodePathSingle},
		{"a contained resource", `{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"p","active":true}]}`, []string{replaceOp("Patient.contained.where(id = 'p').active", `"valueBoolean":false`), addOp("Patient", "contained", `"resource":{"resourceType":"Organization","id":"o","name":"n"}`)}, `{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"p","active":false},{"resourceType":"Organization","id":"o","name":"n"}]}`, ""},
		{"each sees what the one before did", patientWith(), []string{addOp("Patient", "name", `"valueHumanName":{"family":"a"}`), addOp("Patient.name[0]", "given", `"valueString":"b"`), replaceOp("Patient.name.given", `"valueString":"c"`)}, `{"resourceType":"Patient","name":[{"family":"a","given":["c"]}]}`, ""},
		{"an unknown element below what is absent", patientWith("1"), []string{deleteOp("Patient.identifier"), deleteOp("Patient.contact.where(name.famly = 'a')")}, "", fhir.CodePathElement},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, c.body)
			got, err := fhir.ApplyFHIRPathPatch(r, parse(t, patchParameters(c.parts...)))
			if c.code != "" {
				if err == nil {
					t.Fatalf("got %s, want %s", got, c.code)
				}
				issue := faults(t, err)[0]
				if issue.Code != c.code || !strings.HasPrefix(issue.Expression, "Parameters.parameter[") || issue.Line == 0 || strings.Contains(issue.Text("en"), "{") {
					t.Fatalf("got %+v, want %s", issue, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if string(r.Bytes()) != c.body {
				t.Error("the resource changed")
			}
		})
	}
}

// TestFHIRPathPatchProtected: what only the server sets is touched by no operation.
func TestFHIRPathPatchProtected(t *testing.T) {
	t.Parallel()
	const body = `{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z","tag":[{"code":"x"}]}}`
	for _, p := range []string{
		replaceOp("Patient.id", `"valueId":"b"`), deleteOp("Patient.id"), deleteOp("id"), deleteOp("Patient.meta"), replaceOp("Patient.meta", `"valueMeta":{"tag":[{"code":"y"}]}`),
		deleteOp("Patient.meta.versionId"), replaceOp("Patient.meta.lastUpdated", `"valueInstant":"2027-01-01T00:00:00Z"`), replaceOp("Patient.meta.versionId", `"valueId":"1"`),
		addOp("Patient.id", "extension", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`),
		addOp("Patient.meta.versionId", "extension", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`),
		insertOp("Patient.meta.versionId.extension", "0", `"part":[{"name":"url","valueUri":"http://a"},{"name":"value","valueString":"x"}]`),
		deleteOp("Patient"), replaceOp("Patient", `"resource":{"resourceType":"Patient","id":"b"}`),
	} {
		got, err := fhir.ApplyFHIRPathPatch(parse(t, body), parse(t, patchParameters(p)))
		if err == nil {
			t.Errorf("%s gave %s", p, got)
		} else if issue := faults(t, err)[0]; issue.Code != fhir.CodePatchProtected && issue.Code != fhir.CodePatchAbsent || issue.Code == fhir.CodePatchAbsent && !strings.Contains(p, "insert") {
			t.Errorf("%s: %+v", p, issue)
		}
	}
	got, err := fhir.ApplyFHIRPathPatch(parse(t, body), parse(t, patchParameters(replaceOp("Patient.meta.tag[0].code", `"valueCode":"y"`), replaceOp("Patient.meta", `"valueMeta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z"}`))))
	if want := strings.Replace(body, `,"tag":[{"code":"x"}]`, "", 1); err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestReadFHIRPathPatchRefuses: what is no patch is refused before any resource is looked at.
func TestReadFHIRPathPatchRefuses(t *testing.T) {
	t.Parallel()
	del := patchPart("type", "valueCode", `"delete"`)
	for _, c := range []struct{ name, body, code, expression string }{
		{"another type", `{"resourceType":"Patient"}`, fhir.CodePatchFormat, "Patient.resourceType"},
		{"another name", `{"resourceType":"Parameters","parameter":[{"name":"op","part":[` + del + `]}]}`, fhir.CodePatchFormat, "Parameters.parameter[0].name"},
		{"invalid Parameters", `{"resourceType":"Parameters","parameter":[{"name":"operation","parts":[]}]}`, fhir.CodeUnknownElement, "Parameters.parameter[0].parts"},
		{"no type", patchParameters(patchPath("Patient.id")), fhir.CodePatchPart, "Parameters.parameter[0]"},
		{"type as string", patchParameters(patchPart("type", "valueString", `"delete"`) + "," + patchPath("Patient.id")), fhir.CodePatchPart, "Parameters.parameter[0].part[0]"},
		{"unknown type", patchParameters(patchPart("type", "valueCode", `"upsert"`) + "," + patchPath("Patient.id")), fhir.CodePatchOperation, "Parameters.parameter[0].part[0]"},
		{"no path", patchParameters(deleteOp("a"), del), fhir.CodePatchPart, "Parameters.parameter[1]"},
		{"path twice", patchParameters(deleteOp("a") + "," + patchPath("b")), fhir.CodePatchPart, "Parameters.parameter[0].part[2]"},
		{"unknown part", patchParameters(deleteOp("a") + "," + patchPart("when", "valueString", `"b"`)), fhir.CodePatchPart, "Parameters.parameter[0].part[2]"},
		{"a part of another type", patchParameters(deleteOp("a") + "," + patchPart("index", "valueInteger", `1`)), fhir.CodePatchPart, "Parameters.parameter[0].part[2]"},
		{"no value", patchParameters(patchPart("type", "valueCode", `"replace"`) + "," + patchPath("a")), fhir.CodePatchPart, "Parameters.parameter[0]"},
		{"no name", patchParameters(patchPart("type", "valueCode", `"add"`) + "," + patchPath("a") + "," + patchPart("value", "valueString", `"b"`)), fhir.CodePatchPart, "Parameters.parameter[0]"},
		{"negative index", patchParameters(insertOp("a", "-1", `"valueString":"b"`)), fhir.CodePatchPart, "Parameters.parameter[0].part[2]"},
		{"index as string", patchParameters(patchPart("type", "valueCode", `"insert"`) + "," + patchPath("a") + "," + patchPart("index", "valueString", `"1"`) + "," + patchPart("value", "valueString", `"b"`)), fhir.CodePatchPart, "Parameters.parameter[0].part[2]"},
		{"a path that is none", patchParameters(deleteOp("Patient..id")), fhir.CodePathSyntax, "Parameters.parameter[0].part[1].valueString"},
		{"a path beyond us", patchParameters(deleteOp("Patient.managingOrganization.resolve().name")), fhir.CodePathUnsupported, "Parameters.parameter[0].part[1].valueString"},
		{"1,001 operations", patchParameters(strings.Split(strings.Repeat(deleteOp("a")+"|", 1001), "|")[:1001]...), fhir.CodePatchTooMany, "Parameters.parameter[1000]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := fhir.ReadFHIRPathPatch(parse(t, c.body))
			if issue := faults(t, err)[0]; issue.Code != c.code || issue.Expression != c.expression || issue.Line == 0 {
				t.Errorf("got %+v, want %s at %s", issue, c.code, c.expression)
			}
		})
	}
	if _, err := fhir.ReadFHIRPathPatch(parse(t, patchParameters(strings.Split(strings.Repeat(deleteOp("a")+"|", 1000), "|")[:1000]...))); err != nil {
		t.Errorf("1,000 operations: %v", err)
	}
}

// TestFHIRPathPatchSize: a result above 2 MiB is refused at the operation that makes it.
func TestFHIRPathPatchSize(t *testing.T) {
	t.Parallel()
	const head, tail = `{"resourceType":"Patient","language":"`, `"}`
	fill := func(n int) *fhir.Resource {
		return parse(t, head+strings.Repeat("x", fhir.DefaultBytes-n-len(head)-len(tail))+tail)
	}
	patch := parse(t, patchParameters(addOp("Patient", "active", `"valueBoolean":true`)))
	const added = len(`,"active":true`)
	if got, err := fhir.ApplyFHIRPathPatch(fill(added), patch); err != nil || len(got) != fhir.DefaultBytes {
		t.Errorf("at the limit: %d bytes, %v", len(got), err)
	}
	if _, err := fhir.ApplyFHIRPathPatch(fill(added-1), patch); err == nil || faults(t, err)[0].Code != fhir.CodePatchSize {
		t.Errorf("above the limit: %v", err)
	}
}
