package mapping

import (
	"bytes"
	"errors"
	"testing"
)

// TestWrittenLogisticsHoldNoFreeText: none of the words, codes and names that a LOG_ message may not carry goes out in
// one, whatever the resources hold, and each is named as not sent.
func TestWrittenLogisticsHoldNoFreeText(t *testing.T) {
	const words = "kanari-fritekst"
	o := Outgoing{Head: demoHead(KindDischarged), Attachments: []Attachment{{MimeType: "text/plain", Name: "kanari-vedlegg", Bytes: []byte("x")}}, Resources: [][]byte{
		[]byte(`{"resourceType":"Encounter","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"},
		  "type":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.9121","code":"2","display":"` + words + `"}],"text":"` + words + `"}],"period":{"end":"2026-03-24T12:00:00+01:00"},
		  "location":[{"location":{"type":"Location","display":"Avrusningsposten"}}],
		  "extension":[{"url":"` + extensionBase + `merknad","valueString":"` + words + `"},{"url":"` + extensionBase + `beskrivelse","valueString":"` + words + `"}]}`),
		[]byte(`{"resourceType":"Observation","status":"final","code":{"text":"Utskrevet til"},"valueCodeableConcept":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8408","code":"8"}]},
		  "component":[{"code":{"text":"Uttilstand"},"valueCodeableConcept":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8431","code":"3"}]}}],"note":[{"text":"` + words + `"}]}`),
		[]byte(`{"resourceType":"Condition","code":{"text":"` + words + `"}}`),
	}}
	raw, findings, err := Write(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{words, "Avrusning", "kanari-vedlegg", "8408", "8431", "Suicid"} {
		if bytes.Contains(raw, []byte(w)) {
			t.Errorf("%q went out", w)
		}
	}
	if !bytes.Contains(raw, []byte("2026-03-24T12:00:00+01:00")) || len(findings) < 8 {
		t.Errorf("the event did not go out, or too little is named: %d findings", len(findings))
	}
	in, err := Read(raw, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range in.Sections {
		if s.Drop {
			t.Errorf("%s would be dropped on receipt", s.Path)
		}
	}
}

// TestTypeIsOfItsEvent: a message whose type names another event than it holds would be decided as what it is not.
func TestTypeIsOfItsEvent(t *testing.T) {
	raw := fixture(t, "log-innlagt/in.xml")
	for kind, want := range map[string]Code{"LOG_INNLAGT": "", "LOG_DOD": Malformed, "LOG_UTSKREVET": Malformed} {
		_, err := Read(bytes.Replace(raw, []byte(`"LOG_INNLAGT"`), []byte(`"`+kind+`"`), 1), ids)
		var fault *Error
		if want == "" && err != nil || want != "" && (!errors.As(err, &fault) || fault.Code != want) {
			t.Errorf("%s that holds MeldingInnlagtPasient: %v, want %q", kind, err, want)
		}
	}
}
