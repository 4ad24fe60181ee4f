package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a message of package mapping's test data, with replacements.
func sample(t *testing.T, name string, replace ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "mapping", "testdata", name, "in.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(replace); i += 2 {
		if !strings.Contains(string(raw), replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
	}
	return []byte(strings.NewReplacer(replace...).Replace(string(raw)))
}

func TestTranslateToHTML(t *testing.T) {
	var out, faults bytes.Buffer
	if status := run(t.Context(), []string{"translate", "--html"}, streams{bytes.NewReader(sample(t, "medisinske-opplysninger")), &out, &faults}); status != 0 {
		t.Fatalf("status %d: %s", status, faults.String())
	}
	for _, want := range []string{"<!DOCTYPE html>", "Medisinske opplysninger", "kanari-rus", "<h2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if status := run(t.Context(), []string{"translate", "--html"}, streams{strings.NewReader("ingen melding"), &out, &faults}); status != 1 {
		t.Errorf("what is no message: status %d", status)
	}
	if status := run(t.Context(), []string{"translate", "--html", "--check"}, streams{strings.NewReader(""), &out, &faults}); status != 2 {
		t.Errorf("two things at once: status %d", status)
	}
}

// frameSchema is a schema of the outermost elements alone.
const frameSchema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.kith.no/xmlstds/msghead/2006-05-24" elementFormDefault="qualified">
<xs:element name="MsgHead"><xs:complexType><xs:sequence>
<xs:element name="MsgInfo" type="xs:anyType"/><xs:element name="Document" type="xs:anyType"/>
</xs:sequence></xs:complexType></xs:element></xs:schema>`

// What is wrong is named, and exit status 1 says that something is.
func TestCheck(t *testing.T) {
	schema := filepath.Join(t.TempDir(), "frame.xsd")
	if err := os.WriteFile(schema, []byte(frameSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	extra := []string{"</Document>\n</MsgHead>", "</Document><Ekstra/></MsgHead>"}
	for name, c := range map[string]struct {
		input  []byte
		args   []string
		status int
		says   []string
	}{
		"right":                    {sample(t, "log-innlagt"), nil, 0, []string{"nothing is wrong by the tables"}},
		"right by both":            {sample(t, "log-innlagt"), []string{"--schema", schema}, 0, []string{"nothing is wrong by the tables and frame.xsd"}},
		"no MsgId":                 {sample(t, "log-innlagt", "<MsgId>", "<Annet>", "</MsgId>", "</Annet>"), nil, 1, []string{"/MsgHead/MsgInfo/MsgId", "missing"}},
		"not XML":                  {[]byte("<a>"), []string{"--schema", schema}, 1, []string{"not-xml"}},
		"an entity":                {[]byte(`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>`), []string{"--schema", schema}, 1, []string{"forbidden"}},
		"a code of no list":        {sample(t, "log-innlagt", `V="1" S="2.16.578.1.12.4.1.1.9121"`, `V="77" S="2.16.578.1.12.4.1.1.9121"`), nil, 1, []string{"Hendelsekode"}},
		"an element too much":      {sample(t, "log-innlagt", extra...), []string{"--schema", schema}, 1, []string{"schema: ", "Ekstra"}},
		"a schema that is missing": {sample(t, "log-innlagt"), []string{"--schema", schema + "x"}, 2, nil},
	} {
		var out, faults bytes.Buffer
		if status := run(t.Context(), append([]string{"translate", "--check"}, c.args...), streams{bytes.NewReader(c.input), &out, &faults}); status != c.status {
			t.Errorf("%s: status %d: %s %s", name, status, out.String(), faults.String())
		}
		for _, want := range c.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not said: %s", name, want, out.String())
			}
		}
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"translate", "--to", "fhir", "--schema", schema}, streams{bytes.NewReader(sample(t, "log-innlagt")), &out, &out}); status != 2 {
		t.Errorf("a schema without --check: status %d", status)
	}
}
