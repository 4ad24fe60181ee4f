package fhir_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

const pathPatient = `{"resourceType":"Patient","id":"p","active":true,"deceasedBoolean":false,"birthDate":"1974-12-25",` +
	`"_birthDate":{"extension":[{"url":"http://birthTime","valueDateTime":"1974-12-25T14:35:45-05:00"}]},` +
	`"multipleBirthInteger":2,"_gender":{"extension":[{"url":"http://absent","valueCode":"asked"}]},` +
	`"name":[{"use":"official","family":"d'Arc","given":["Peter","James"]},{"use":"usual","given":["Jim",null],"_given":[null,{"extension":[{"url":"http://x","valueCode":"y"}]}]}],` +
	`"telecom":[{"system":"phone","value":"1","rank":1},{"system":"email","value":"2"},{"system":"phone","value":"3","rank":2}],` +
	`"extension":[{"url":"http://a","valueDecimal":1.50},{"url":"http://b","valueString":"s"},{"url":"http://a","valueQuantity":{"value":2.0}}],` +
	`"contained":[{"resourceType":"Practitioner","id":"g","name":[{"family":"G"}]}],"generalPractitioner":[{"reference":"#g"}]}`

// TestPathFind gives the places that a path names, as expressions.
func TestPathFind(t *testing.T) {
	t.Parallel()
	r := parse(t, pathPatient)
	for path, want := range map[string]string{
		"Patient":                                  "Patient",
		"Resource.id":                              "Patient.id",
		"DomainResource.active":                    "Patient.active",
		"FHIR.Patient.active":                      "Patient.active",
		"active":                                   "Patient.active",
		"$this.active":                             "Patient.active",
		"Patient.name.given":                       "Patient.name[0].given[0] Patient.name[0].given[1] Patient.name[1].given[0] Patient.name[1].given[1]",
		"Patient.name.given[2]":                    "Patient.name[1].given[0]",
		"Patient.name[1].given[0]":                 "Patient.name[1].given[0]",
		"Patient.name[2].given":                    "",
		" Patient . name [ 0 ] . family ":          "Patient.name[0].family",
		"Patient.name.first().given.last()":        "Patient.name[0].given[1]",
		"Patient.`name`.family":                    "Patient.name[0].family",
		"Patient.gender":                           "Patient.gender",
		"Patient.gender.extension.value":           "Patient.gender.extension[0].valueCode",
		"Patient.birthDate":                        "Patient.birthDate",
		"Patient.birthDate.extension.value":        "Patient.birthDate.extension[0].valueDateTime",
		"Patient.birthDate.extension('http://no')": "",
		"Patient.deceased":                         "Patient.deceasedBoolean",
		"Patient.deceased.ofType(boolean)":         "Patient.deceasedBoolean",
		"Patient.deceased.ofType(FHIR.dateTime)":   "",
		"Patient.extension('http://a').value":      "Patient.extension[0].valueDecimal Patient.extension[2].valueQuantity",
		"Patient.extension('http://a').value.ofType(Quantity).value":             "Patient.extension[2].valueQuantity.value",
		"Patient.extension.where(value = 1.5).url":                               "Patient.extension[0].url",
		"Patient.extension.where(value = 's').url":                               "Patient.extension[1].url",
		"Patient.telecom.where(system = 'phone').value":                          "Patient.telecom[0].value Patient.telecom[2].value",
		"Patient.telecom.where(system='phone' and rank=2)":                       "Patient.telecom[2]",
		"Patient.telecom.where(system='email' or rank=2)":                        "Patient.telecom[1] Patient.telecom[2]",
		"Patient.telecom.where(rank.exists())":                                   "Patient.telecom[0] Patient.telecom[2]",
		"Patient.telecom.where(rank.empty())":                                    "Patient.telecom[1]",
		"Patient.telecom.where(rank != 1)":                                       "Patient.telecom[2]",
		"Patient.telecom.where(system='email' or system='phone' and (rank = 1))": "Patient.telecom[0] Patient.telecom[1]",
		"Patient.name.where(given.first() = 'Peter')":                            "Patient.name[0]",
		"Patient.name.where(given = 'Peter')":                                    "", // two given names are not equal to one
		"Patient.name.where(given.where($this = 'James').exists()).family":       "Patient.name[0].family",
		"Patient.name.given.where($this = 'Jim')":                                "Patient.name[1].given[0]",
		`Patient.name.where(family = 'd\'Arc')`:                                  "Patient.name[0]",
		`Patient.name.where(family = 'd\u0027Arc')`:                              "Patient.name[0]",
		"where(active).id":                              "Patient.id",
		"where(active = false).id":                      "",
		"Patient.contained.where(id = 'g').name.family": "Patient.contained[0].name[0].family",
		"Patient.contained.ofType(Practitioner).id":     "Patient.contained[0].id",
		"Patient.contained.ofType(Patient).id":          "",
		"Patient.name[0].single().family.single()":      "Patient.name[0].family",
		"Patient.communication.single()":                "",
		"Patient.photo.url":                             "",
	} {
		p, err := fhir.CompilePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		values, err := p.Find(r)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var got []string
		for _, v := range values {
			got = append(got, v.Expression())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s gave %q, want %q", path, got, want)
		}
	}
}

// TestPathFindIn starts at an element of a type.
func TestPathFindIn(t *testing.T) {
	t.Parallel()
	r := parse(t, pathPatient)
	p, err := fhir.CompilePath("given.first()")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.FindIn(r.At("name[1]"), "HumanName")
	if err != nil || len(got) != 1 || got[0].Text() != "Jim" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := p.FindIn(nil, "HumanName"); err == nil {
		t.Error("nothing was searched")
	}
	if _, err := p.FindIn(r.Root(), "Name"); err == nil {
		t.Error("an unknown type was searched")
	}
}

// TestPathRefuses: the code and the character.
func TestPathRefuses(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "path.syntax 1", " ": "path.syntax 2", ".": "path.syntax 1", "Patient.": "path.syntax 9", "Patient..name": "path.syntax 9", "Patient name": "path.syntax 9",
		"Patient.name[": "path.syntax 14", "Patient.name[]": "path.syntax 14", "Patient.name[01]": "path.syntax 14", "Patient.name[-1]": "path.not-supported 14 -", "Patient.name[a]": "path.syntax 14",
		"Patient.name[99999999999999999999]": "path.syntax 14", "Patient.name[0": "path.syntax 14", "Patient.1": "path.syntax 9", "[0]": "path.syntax 1", "'a'": "path.syntax 1",
		"Patient.name.where(": "path.syntax 20", "Patient.name.where()": "path.syntax 20", "Patient.name.where(use": "path.syntax 23", "Patient.name.where(use=)": "path.syntax 24",
		"Patient.name.where(use='a": "path.syntax 26", `Patient.name.where(use='\q')`: "path.syntax 25", "Patient.name.where(use='a') x": "path.syntax 29",
		"Patient.name.where(use ~ 'a')": "path.not-supported 24 ~", "Patient.name.where(use > 'a')": "path.not-supported 24 >", "Patient.name.where(use = @2020)": "path.not-supported 26 @",
		"Patient.name.where(use = family)": "path.not-supported 26 family", "Patient.name.where(use = 'a' xor a)": "path.not-supported 30 xor", "Patient.name.where(use in x)": "path.not-supported 24 in",
		"Patient.name.where(rank = 01)": "path.syntax 27", "Patient.name | Patient.id": "path.not-supported 14 |", "Patient.deceased as boolean": "path.not-supported 18 as",
		"Patient.descendants()": "path.not-supported 9 descendants()", "Patient.x.resolve().y": "path.not-supported 11 resolve()", "Patient.exists()": "path.not-supported 9 exists()", "%resource.id": "path.not-supported 1 %",
		"Patient.name.first(1)": "path.syntax 20", "Patient.extension(url)": "path.syntax 19", "Patient.extension('a'": "path.syntax 22", "Patient.a.ofType()": "path.syntax 18", "Patient.a.ofType('b')": "path.syntax 18",
		"Patient.name.where(a.exists(1))": "path.not-supported 29 exists(…)", "$that": "path.not-supported 1 $", "Patient.``": "path.syntax 11", "Patient.`a": "path.syntax 11",
		"Patient.\xff": "path.syntax 1", "Patient." + strings.Repeat("a.", 496) + "a": "path.too-long 1000 64", strings.Repeat("a", 1001): "path.too-long 1000 64",
		"a.where(" + strings.Repeat("(", 9) + "a": "path.too-long 1000 64", strings.Repeat("where(", 9) + "a": "path.too-long 1000 64", "a.b[0]" + strings.Repeat("[0]", 64): "path.too-long 1000 64",
	} {
		_, err := fhir.CompilePath(path)
		if err == nil {
			t.Errorf("%q was compiled", path)
			continue
		}
		i := faults(t, err)[0]
		if got := i.Code + " " + strings.Join(i.Args, " "); got != want {
			t.Errorf("%q gave %q, want %q", path, got, want)
		}
		if strings.Contains(i.Text("nb")+i.Text("en"), "{") || i.Text("nb") == i.Code {
			t.Errorf("%q: %s", path, i.Text("nb"))
		}
	}
	for _, path := range []string{strings.Repeat("a", 1000), "a" + strings.Repeat(".a", 63), strings.Repeat("where(", 8) + "a" + strings.Repeat(")", 8)} {
		if _, err := fhir.CompilePath(path); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	}
}

// TestPathFaults: what only the resource shows.
func TestPathFaults(t *testing.T) {
	t.Parallel()
	r := parse(t, pathPatient)
	for path, want := range map[string]string{
		"Person.name": "path.type Person Patient", "Person.nome": "path.type Person Patient", "HumanName.family": "path.type HumanName Patient", "Patient.nome": "path.unknown-element nome Patient",
		"Patient.valueString": "path.unknown-element valueString Patient", "Patient.deceasedBoolean": "path.unknown-element deceasedBoolean Patient", "Patient.resourceType": "path.unknown-element resourceType Patient",
		"Patient.name.where(nome = 'a')": "path.unknown-element nome HumanName", "Patient.photo.where(title = 'a' or urll = 'b')": "path.unknown-element urll Attachment", "Patient.birthDate.value": "path.unknown-element value date",
		"Patient.deceased.ofType(Booleen)": "path.unknown-element Booleen FHIR", "Patient.contained.nome": "path.unknown-element nome Practitioner", "Patient._birthDate": "path.unknown-element birthDate Patient",
		"Patient.name.single()": "path.single 2", "Patient.name.given.single()": "path.single 4",
	} {
		p, err := fhir.CompilePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, err = p.Find(r); err == nil {
			t.Errorf("%s was found", path)
			continue
		}
		if i := faults(t, err)[0]; i.Code+" "+strings.Join(i.Args, " ") != want {
			t.Errorf("%s gave %s %q, want %s", path, i.Code, i.Args, want)
		}
	}
}

// TestPathBounded: a path that looks through a large document again and again is refused, soon.
func TestPathBounded(t *testing.T) {
	t.Parallel()
	large := `{"resourceType":"Patient","name":[` + strings.Repeat(`{"given":["a","a","a","a","a","a","a","a"]},`, 12_000) + `{}]}`
	p, err := fhir.CompilePath("Patient.name.where(given.where($this = 'a').exists() and given.where($this != 'b').exists() and given.where($this != 'c').exists() and given.where($this != 'd').exists()).given")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = p.Find(parse(t, large))
	if i := faults(t, err)[0]; i.Code != fhir.CodePathCostly {
		t.Errorf("got %+v", i)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	line := replaceOp("Patient.name.where(given.first() = 'b').last().family", `"valueString":"x"`)
	del := deleteOp("Patient.name.where(given.first() = 'b').family")
	for _, parts := range [][]string{{line}, strings.Split(strings.Repeat(del+"|", 999)+del, "|")} {
		start = time.Now()
		_, err := fhir.ApplyFHIRPathPatch(parse(t, large), parse(t, patchParameters(parts...)))
		if err == nil {
			t.Error("applied")
		} else if i := faults(t, err)[0]; len(parts) > 1 && i.Code != fhir.CodePathCostly || len(parts) == 1 && i.Code != fhir.CodePatchAbsent {
			t.Errorf("got %+v", i)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%d operations took %v", len(parts), d)
		}
	}
}

// FuzzPath: no text makes the compiler or the evaluator panic; what compiles evaluates within its bounds.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"Patient.name[0].where(use = 'a' and (b != 1.0 or c.exists())).extension('u').value.ofType(Quantity)", "`a`.$this", "a.where(a.where(a=true))", `a.where(b='\u00e6\'')`} {
		f.Add(s)
	}
	r := parse(f, pathPatient)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := fhir.CompilePath(s)
		if err != nil {
			if len(faults(t, err)) != 1 {
				t.Error(err)
			}
			return
		}
		if values, err := p.Find(r); err != nil {
			faults(t, err)
		} else {
			for _, v := range values {
				if v == nil || v.Expression() == "" {
					t.Errorf("%q gave %v", s, v)
				}
			}
		}
	})
}
