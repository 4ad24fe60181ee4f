package suite

import (
	"bytes"
	"net/http"
	"strings"
)

// checkFormats writes and reads both formats, and looks at digits: 1.50 is not 1.5 (R4
// datatypes.html#decimal).
func checkFormats(s *session) {
	s.check("decimals keep their digits, in JSON and XML, read and found", func(t *trial) {
		reference := t.subjectOf()
		path := "/" + reference
		if a := t.read(reference); !bytes.Contains(a.body, []byte(`"valueDecimal":1.50`)) {
			t.errorf("JSON: 1.50 did not come back")
		}
		if a := t.ask(http.MethodGet, path, nil, "Accept", fhirXML); !bytes.Contains(a.body, []byte(`<valueDecimal value="1.50"/>`)) {
			t.errorf("XML: 1.50 did not come back: %s", a)
		}
		_, id, _ := strings.Cut(reference, "/")
		if a := t.query("Patient", []string{"_id", id}); !bytes.Contains(a.body, []byte(`"valueDecimal":1.50`)) {
			t.errorf("searchset: 1.50 did not come back")
		}
	})
	s.check("the content type is that of the body", func(t *trial) {
		path := "/" + t.subjectOf()
		for _, tt := range []struct{ query, accept, media, begins string }{
			{"", fhirJSON, fhirJSON, "{"}, {"", "application/json", "application/json", "{"}, {"", fhirXML, fhirXML, "<"},
			{"", "application/fhir+xml;q=0.5, application/fhir+json;q=0.9", fhirJSON, "{"},
			{"?_format=xml", fhirJSON, fhirXML, "<"}, {"?_format=json", fhirXML, fhirJSON, "{"}, {"?_format=application/fhir%2Bxml", "", fhirXML, "<"},
		} {
			a := t.want(200, t.ask(http.MethodGet, path+tt.query, nil, "Accept", tt.accept), tt.query+" "+tt.accept)
			media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
			body := bytes.TrimSpace(a.body)
			if media != tt.media || !bytes.HasPrefix(body, []byte(tt.begins)) {
				t.errorf("%q with Accept %q: %s beginning with %.20q", tt.query, tt.accept, media, body)
			}
		}
	})
	s.check("406 for a format that is none, as an OperationOutcome", func(t *trial) {
		path := "/" + t.subjectOf()
		t.refused(http.StatusNotAcceptable, t.ask(http.MethodGet, path, nil, "Accept", "text/turtle"), "Accept: text/turtle")
		t.refused(http.StatusNotAcceptable, t.ask(http.MethodGet, path+"?_format=turtle", nil), "_format=turtle")
	})
	s.check("415 for a body that is neither JSON nor XML", func(t *trial) {
		t.refused(http.StatusUnsupportedMediaType, t.ask(http.MethodPost, "/Patient", []byte("a: b"), "Content-Type", "application/yaml"), "YAML")
		t.refused(http.StatusUnsupportedMediaType, t.ask(http.MethodPost, "/Patient", []byte("{}"), "Content-Type", fhirJSON+"; charset=iso-8859-1"), "ISO-8859-1")
	})
	s.check("what is written as XML is read as JSON", func(t *trial) {
		xml := `<Patient xmlns="http://hl7.org/fhir"><extension url="http://sluse.no/conformance/decimal"><valueDecimal value="2.500"/></extension>` +
			`<identifier><system value="` + markSystem + `"/><value value="` + t.mark + `-xml"/></identifier><name><family value="Prøve"/></name></Patient>`
		a := t.want(http.StatusCreated, t.ask(http.MethodPost, "/Patient", []byte(xml), "Content-Type", fhirXML, "Accept", fhirJSON), "POST XML")
		reference, ok := versioned(a.header.Get("Location"))
		if !ok {
			t.fatalf("Location %q", a.header.Get("Location"))
		}
		got := t.read(reference)
		if !bytes.Contains(got.body, []byte(`"valueDecimal":2.500`)) || !bytes.Contains(got.body, []byte("Prøve")) {
			t.errorf("not what was written: %.200s", got.body)
		}
		t.ask(http.MethodDelete, "/"+reference, nil)
	})
	s.check("an error is in the format that was asked for, and in its language", func(t *trial) {
		path := "/Patient/" + absent
		if a := t.ask(http.MethodGet, path, nil, "Accept", fhirXML); !bytes.Contains(a.body, []byte("<OperationOutcome")) {
			t.errorf("XML: %.80s", a.body)
		}
		norwegian := t.ask(http.MethodGet, path, nil, "Accept-Language", "nb").outcome()
		english := t.ask(http.MethodGet, path, nil, "Accept-Language", "en").outcome()
		if len(norwegian.Issue) == 0 || len(english.Issue) == 0 || norwegian.Issue[0].Details.Text == english.Issue[0].Details.Text {
			t.errorf("the same text in nb and en")
		}
	})
	s.check("Prefer: return=minimal, representation, OperationOutcome", func(t *trial) {
		for prefer, want := range map[string]string{"minimal": "", "representation": "Patient", "OperationOutcome": "OperationOutcome"} {
			a := t.ask(http.MethodPost, "/Patient", []byte(t.fill(samples["Patient"].body)), "Prefer", "return="+prefer)
			kind, _ := a.object()["resourceType"].(string)
			if t.want(http.StatusCreated, a, prefer); kind != want {
				t.errorf("return=%s: %q", prefer, kind)
			}
			if reference, ok := versioned(a.header.Get("Location")); ok {
				t.ask(http.MethodDelete, "/"+reference, nil)
			}
		}
	})
}
