package mapping

import (
	"errors"
	"testing"
)

// TestRequiredIsAsked: what the table requires, and the resources have nothing for, is named by element and by FHIR element
// before anything is written; a type that says another event than the resources is refused.
func TestRequiredIsAsked(t *testing.T) {
	const role = `{"resourceType":"Communication","extension":[{"url":"http://sluse.no/fhir/StructureDefinition/rolle","extension":[` +
		`{"url":"http://sluse.no/fhir/StructureDefinition/enhet-merknad","valueString":"ring først"}]}]}`
	stay := func(code string) []byte {
		return []byte(`{"resourceType":"Encounter","status":"in-progress","class":{"code":"IMP"},"type":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9121","code":"` + code + `"}]}]}`)
	}
	for name, c := range map[string]struct {
		out        Outgoing
		path, fhir string
	}{
		"unit of a role": {Outgoing{Head: demoHead(KindDialogNote), Dialog: &Dialog{ThemeList: "7321", ThemeCode: "1", Text: "x"}, Message: []byte(role)},
			"/Notat/TilknyttetEnhet/Kontaktenhet", "Communication.extension(rolle).extension(enhet).valueReference"},
		"theme":         {Outgoing{Head: demoHead(KindDialogNote), Dialog: &Dialog{ThemeList: "7321", ThemeCode: "77", Text: "x"}}, "Dialogmelding", "Communication.topic"},
		"another event": {Outgoing{Head: demoHead(KindAdmitted), Resources: [][]byte{stay("2")}}, "Pasientlogistikk/MeldingInnlagtPasient", "Encounter.type.coding.code"},
		"no event":      {Outgoing{Head: demoHead(KindDeath)}, "Pasientlogistikk/OrienteringOmDod", "Observation.code.coding.system"},
		"content":       {Outgoing{Head: demoHead(KindInformationToGP), Content: "77"}, "TypeInnhold", "Communication.topic"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, _, err := Write(c.out)
			var e *Error
			if raw != nil || !errors.As(err, &e) || e.Code != Malformed || e.Path != c.path || e.FHIR != c.fhir {
				t.Errorf("%v %+v", err, e)
			}
		})
	}
	if _, _, err := Write(Outgoing{Head: demoHead(KindAdmitted), Resources: [][]byte{stay("1")}}); err != nil {
		t.Errorf("an admission: %v", err)
	}
}

// TestNamespaceOfTheCaller: a root that is known by its local name is written only under the namespace that the caller names.
func TestNamespaceOfTheCaller(t *testing.T) {
	const namespace = "http://example.org/henvisning/2"
	request := []byte(`{"resourceType":"ServiceRequest","status":"active","intent":"order","code":{"text":"Henvisning"}}`)
	o := Outgoing{Head: demoHead(KindReferralOnward), Resources: [][]byte{request}}
	if _, _, err := Write(o); err == nil || Writes(KindReferralOnward, "", "") {
		t.Error("it is written without a namespace")
	}
	o.Namespace = namespace
	raw, _, err := Write(o)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadHead(raw)
	if err != nil || h.Namespace != namespace || h.Version != "2.0" || h.Kind != KindReferralOnward {
		t.Errorf("%v %+v", err, h)
	}
	o.Head.Kind = KindReferral
	if raw, _, err = Write(o); err != nil {
		t.Fatal(err)
	}
	if h, err = ReadHead(raw); err != nil || h.Version != "1.1" { // whose namespace is certain, when no version is asked for
		t.Errorf("%v %s", err, h.Version)
	}
}
