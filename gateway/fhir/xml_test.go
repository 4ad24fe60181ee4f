package fhir_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// pairs are resources in both forms, written by hand from R4 xml.html and json.html. The XML is what
// AppendXML writes, less the declaration; the JSON is what ParseXML makes.
var pairs = []struct{ name, json, xml string }{
	{"decimals stay literal",
		`{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50,"unit":"mg"},"referenceRange":[{"low":{"value":-0.0},"high":{"value":1E+2}}]}`,
		`<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><text value="x"/></code><valueQuantity><value value="1.50"/><unit value="mg"/></valueQuantity><referenceRange><low><value value="-0.0"/></low><high><value value="1E+2"/></high></referenceRange></Observation>`},
	{"primitives with ids and extensions",
		`{"resourceType":"Patient","active":true,"name":[{"family":"Ås","_family":{"id":"f","extension":[{"url":"http://a.b","valueCode":"VV"}]},"given":["Kari",null,"Mo"],"_given":[null,{"extension":[{"url":"u","valueBoolean":false}]},{"id":"g"}]}],"_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}}`,
		`<Patient xmlns="http://hl7.org/fhir"><active value="true"/><name><family id="f" value="Ås"><extension url="http://a.b"><valueCode value="VV"/></extension></family><given value="Kari"/><given><extension url="u"><valueBoolean value="false"/></extension></given><given id="g" value="Mo"/></name><birthDate><extension url="http://hl7.org/fhir/StructureDefinition/data-absent-reason"><valueCode value="unknown"/></extension></birthDate></Patient>`},
	{"a list of extensions alone, the first item with neither",
		`{"resourceType":"Patient","name":[{"_given":[{"id":"a"},{"id":"b"}]},{"given":["x","y"],"_given":[{"id":"a"},null]}]}`,
		`<Patient xmlns="http://hl7.org/fhir"><name><given id="a"/><given id="b"/></name><name><given id="a" value="x"/><given value="y"/></name></Patient>`},
	{"attributes and nested extensions",
		`{"resourceType":"Basic","id":"b-1","extension":[{"id":"e","url":"http://a","extension":[{"url":"b","valueCoding":{"id":"c","system":"s","code":"d"}}]}],"code":{"text":"x"}}`,
		`<Basic xmlns="http://hl7.org/fhir"><id value="b-1"/><extension id="e" url="http://a"><extension url="b"><valueCoding id="c"><system value="s"/><code value="d"/></valueCoding></extension></extension><code><text value="x"/></code></Basic>`},
	{"narrative and contained",
		`{"resourceType":"CarePlan","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">\n <p class='a'>Én &lt; to &#160;<br/><!-- her --></p>\n</div>"},"contained":[{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/1"}}],"status":"active","intent":"plan","subject":{"reference":"Patient/1"},"goal":[{"reference":"#g"}]}`,
		`<CarePlan xmlns="http://hl7.org/fhir"><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">` + "\n <p class='a'>Én &lt; to &#160;<br/><!-- her --></p>\n" + `</div></text><contained><Goal><id value="g"/><lifecycleStatus value="active"/><description><text value="x"/></description><subject><reference value="Patient/1"/></subject></Goal></contained><status value="active"/><intent value="plan"/><subject><reference value="Patient/1"/></subject><goal><reference value="#g"/></goal></CarePlan>`},
	{"Bundle",
		`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:7b1a0c9e-3c1e-4d6e-8a43-0f4f2d0c3a11","resource":{"resourceType":"Flag","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/1"}}},{"resource":{"resourceType":"Binary","contentType":"text/plain","data":"aGVp"}}]}`,
		`<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><fullUrl value="urn:uuid:7b1a0c9e-3c1e-4d6e-8a43-0f4f2d0c3a11"/><resource><Flag><status value="active"/><code><text value="x"/></code><subject><reference value="Patient/1"/></subject></Flag></resource></entry><entry><resource><Binary><contentType value="text/plain"/><data value="aGVp"/></Binary></resource></entry></Bundle>`},
	{"Parameters with parts, a resource and every JSON kind",
		`{"resourceType":"Parameters","parameter":[{"name":"a","valueInteger":-7},{"name":"b","part":[{"name":"c","valueBoolean":true},{"name":"d","resource":{"resourceType":"Patient","active":false}}]},{"name":"e","valueInstant":"2026-01-02T03:04:05.600+01:00"}]}`,
		`<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="a"/><valueInteger value="-7"/></parameter><parameter><name value="b"/><part><name value="c"/><valueBoolean value="true"/></part><part><name value="d"/><resource><Patient><active value="false"/></Patient></resource></part></parameter><parameter><name value="e"/><valueInstant value="2026-01-02T03:04:05.600+01:00"/></parameter></Parameters>`},
	{"characters that an attribute must escape",
		`{"resourceType":"Task","status":"draft","intent":"order","description":" \"a\" & 'b' <c>\r\n\td 🦆\u007f "}`,
		`<Task xmlns="http://hl7.org/fhir"><status value="draft"/><intent value="order"/><description value=" &quot;a&quot; &amp; 'b' &lt;c&gt;&#13;&#10;&#9;d 🦆` + "\u007f" + ` "/></Task>`},
	{"a type that refers to itself",
		`{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"1.1","type":"decimal","initial":[{"valueDecimal":0.10}]}]}]}`,
		`<Questionnaire xmlns="http://hl7.org/fhir"><status value="draft"/><item><linkId value="1"/><type value="group"/><item><linkId value="1.1"/><type value="decimal"/><initial><valueDecimal value="0.10"/></initial></item></item></Questionnaire>`},
}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

func TestXMLPairs(t *testing.T) {
	t.Parallel()
	for _, p := range pairs {
		r, err := fhir.Parse([]byte(p.json))
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		got, err := fhir.AppendXML([]byte("before"), r)
		if err != nil || string(got) != "before"+declaration+p.xml {
			t.Errorf("%s: %v\n%s\n%s", p.name, err, got, p.xml)
		}
		back, err := fhir.ParseXML([]byte(declaration+"\r\n"+p.xml+"\n"), fhir.Limits{})
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		if string(back.Bytes()) != p.json {
			t.Errorf("%s:\n%s\n%s", p.name, back.Bytes(), p.json)
		}
		if back.Type() != r.Type() {
			t.Errorf("%s: %s", p.name, back.Type())
		}
		pretty, err := fhir.AppendXMLIndent(nil, r)
		if err != nil || bytes.Count(pretty, []byte("\n")) < 5 {
			t.Errorf("%s: %v %s", p.name, err, pretty)
		}
		again, err := fhir.ParseXML(pretty, fhir.Limits{})
		if err != nil || string(again.Bytes()) != p.json {
			t.Errorf("%s: indented: %v\n%s", p.name, err, pretty)
		}
	}
}

// TestXMLAccepts reads what other systems write: prefixes, declarations, schema locations, comments,
// white space, either quote, a byte order mark.
func TestXMLAccepts(t *testing.T) {
	t.Parallel()
	const want = `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p id='1'>a &lt;b&gt;</p></div>"},"active":true,"name":[{"family":"A B"}]}`
	for name, doc := range map[string]string{
		"prefix": `<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><f:text><f:status value="generated"/>` +
			`<h:div><h:p id='1'>a &lt;b&gt;</h:p></h:div></f:text><f:active value="true"/><f:name><f:family value="A B"/></f:name></f:Patient>`,
		"mark, declaration, location, comments": "\ufeff<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<!-- a -->\n" +
			`<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir patient.xsd" >` +
			"\n\t<text><status value='generated' /><div xmlns=\"http://www.w3.org/1999/xhtml\"><p id='1'>a <![CDATA[<b>]]></p></div></text><!-- b\n<x> & -->" +
			"<active\r\n value = \"true\"  ></active ><name><family value=\"A\r\nB\"/></name></Patient><!-- c -->\n",
		"namespace declared again": `<Patient xmlns="http://hl7.org/fhir"><text xmlns="http://hl7.org/fhir"><status value="generated"/>` +
			`<div xmlns="http://www.w3.org/1999/xhtml"><p id='1'>a &lt;b&gt;</p></div></text><active xmlns="http://hl7.org/fhir" value="true"/><name><family value="A&#x20;B"/></name></Patient>`,
		"prefix declared in the narrative": `<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/>` +
			`<x:div xmlns:x="http://www.w3.org/1999/xhtml"><x:p id='1'>a &lt;b&gt;</x:p></x:div></text><active value="true"/><name><family value="A B"/></name></Patient>`,
	} {
		r, err := fhir.ParseXML([]byte(doc), fhir.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(r.Bytes()) != want {
			t.Errorf("%s:\n%s\n%s", name, r.Bytes(), want)
		}
		if issues := fhir.Validate(r); issues != nil {
			t.Errorf("%s: %v", name, issues)
		}
	}
}

// patientXML puts content into a Patient.
func patientXML(content string) string {
	return `<Patient xmlns="http://hl7.org/fhir">` + content + `</Patient>`
}

// TestXMLRefuses asks for code, place and position of each fault.
func TestXMLRefuses(t *testing.T) {
	t.Parallel()
	const div = `<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct{ doc, code, expression string }{
		{``, "parse.xml-syntax", ""},
		{`{"resourceType":"Patient"}`, "parse.xml-text", ""},
		{`<Patient/>`, "parse.xml-namespace", "Patient"},
		{`<Patient xmlns="http://hl7.org/fhir/"/>`, "parse.xml-namespace", "Patient"},
		{`<Patience xmlns="http://hl7.org/fhir"/>`, "validation.unknown-type", "Patience"},
		{`<DomainResource xmlns="http://hl7.org/fhir"/>`, "validation.unknown-type", "DomainResource"},
		{`<x:Patient xmlns="http://hl7.org/fhir"/>`, "parse.xml-syntax", ""},
		{patientXML(`<name><family value="a"/><wibble value="b"/></name>`), "validation.unknown-element", "Patient.name[0].wibble"},
		{patientXML(`<active value="true" wibble="1"/>`), "parse.xml-attribute", "Patient.active"},
		{patientXML(`<name url="u"/>`), "parse.xml-attribute", "Patient.name[0]"},
		{patientXML(`<name value="Kari"/>`), "parse.xml-attribute", "Patient.name[0]"},
		{patientXML(`<name xml:lang="nb"><text value="a"/></name>`), "parse.xml-attribute", "Patient.name[0]"},
		{patientXML(`<id id="x" value="1"/><extension id="a"><url value="u"/></extension>`), "validation.unknown-element", "Patient.extension[0].url"},
		{`<Patient xmlns="http://hl7.org/fhir" id="1"/>`, "parse.xml-attribute", "Patient"},
		{patientXML(`<active value="1"/>`), "validation.format", "Patient.active"},
		{patientXML(`<multipleBirthInteger value="+1"/>`), "validation.format", "Patient.multipleBirthInteger"},
		{patientXML(`<multipleBirthInteger value="01"/>`), "validation.format", "Patient.multipleBirthInteger"},
		{patientXML(`<multipleBirthInteger value=""/>`), "validation.format", "Patient.multipleBirthInteger"},
		{patientXML(`<active/>`), "validation.empty", "Patient.active"},
		{patientXML(`<active value="true"/><active value="true"/>`), "validation.cardinality-max", "Patient.active"},
		{patientXML(`<deceasedBoolean value="true"/><deceasedDateTime value="2020"/>`), "validation.choice", "Patient.deceasedDateTime"},
		{patientXML(`<birthDate value="2020"/><active value="true"/>`), "parse.xml-order", "Patient.active"},
		{patientXML(`<name><text value="a"/></name><gender value="male"/><name><text value="b"/></name>`), "parse.xml-order", "Patient.name[0]"},
		{patientXML(`<active value="true">yes</active>`), "parse.xml-text", "Patient.active"},
		{patientXML(`<birthDate>2020</birthDate>`), "parse.xml-text", "Patient.birthDate"},
		{patientXML(`<![CDATA[ ]]>`), "parse.xml-text", "Patient"},
		{patientXML(`<active xmlns="urn:x" value="true"/>`), "parse.xml-namespace", "Patient.active"},
		{patientXML(`<text><status value="generated"/><div>a</div></text>`), "parse.xml-namespace", "Patient.text.div"},
		{patientXML(div + `<p xmlns="urn:x">a</p></div></text>`), "parse.xml-namespace", "Patient.text.div"},
		{patientXML(div + `&nbsp;</div></text>`), "parse.xml-entity", "Patient.text.div"},
		{patientXML(div + `<p x:y="1" xmlns:x="urn:x">a</p></div></text>`), "parse.xml-attribute", "Patient.text.div"},
		{patientXML(div + `<p>a</div></text>`), "parse.xml-syntax", "Patient.text.div"},
		{patientXML(div + `<?php a?></div></text>`), "parse.xml-instruction", "Patient.text.div"},
		{patientXML(div + `<!ENTITY a "b"></div></text>`), "parse.xml-dtd", "Patient.text.div"},
		{patientXML(div + `]]></div></text>`), "parse.xml-syntax", "Patient.text.div"},
		{patientXML(`<contained/>`), "parse.xml-resource", "Patient.contained[0]"},
		{patientXML(`<contained><Basic/><Basic/></contained>`), "parse.xml-resource", "Patient.contained[0]"},
		{patientXML(`<contained id="1"><Basic/></contained>`), "parse.xml-attribute", "Patient.contained[0]"},
		{patientXML(`<contained><wibble/></contained>`), "validation.unknown-type", "Patient.contained[0]"},
		{patientXML(`<name><family value="&wibble;"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="&#0;"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="&#xFFFF;"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="&#xD800;"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="&#4294967361;"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="a & b"/></name>`), "parse.xml-entity", "Patient.name[0]"},
		{patientXML(`<name><family value="a<b"/></name>`), "parse.xml-syntax", "Patient.name[0]"},
		{patientXML("<name><family value=\"a\x01\"/></name>"), "parse.control-character", ""},
		{patientXML("<name><family value=\"a\uffff\"/></name>"), "parse.control-character", ""},
		{patientXML("<name><family value=\"a\xff\"/></name>"), "parse.utf8", ""},
		{patientXML(`<active value="true" value="false"/>`), "parse.xml-syntax", "Patient"},
		{patientXML(`<active value="true"id="a"/>`), "parse.xml-syntax", "Patient"},
		{patientXML(`<active value=true/>`), "parse.xml-syntax", "Patient"},
		{patientXML(`<active value="true"></activ>`), "parse.xml-syntax", "Patient.active"},
		{patientXML(`<active value="true"></actives>`), "parse.xml-syntax", "Patient.active"},
		{patientXML(`<!-- a -- b -->`), "parse.xml-syntax", "Patient"},
		{patientXML(`<name`), "parse.xml-syntax", "Patient"},
		{patientXML(``) + patientXML(``), "parse.xml-syntax", ""},
		{patientXML(``) + `x`, "parse.xml-text", ""},
		{`<Patient xmlns="http://hl7.org/fhir" xmlns="http://hl7.org/fhir"/>`, "parse.xml-syntax", ""},
		{`<Patient xmlns="http://hl7.org/fhir" xmlns:xml="urn:x"/>`, "parse.xml-syntax", ""},
		{`<Patient xmlns="http://hl7.org/fhir" xmlns:x=""/>`, "parse.xml-syntax", ""},
		{`<!DOCTYPE Patient SYSTEM "file:///etc/passwd">` + patientXML(``), "parse.xml-dtd", ""},
		{`<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>` + patientXML(`<name><family value="&d;"/></name>`), "parse.xml-dtd", ""},
		{`<?xml-stylesheet href="http://x/"?>` + patientXML(``), "parse.xml-instruction", ""},
		{patientXML(``) + `<?x?>`, "parse.xml-instruction", ""},
		{` ` + declaration + patientXML(``), "parse.xml-instruction", ""},
		{`<?xml version="1.1"?>` + patientXML(``), "parse.xml-syntax", ""},
		{`<?xml encoding="UTF-8" version="1.0"?>` + patientXML(``), "parse.xml-syntax", ""},
		{`<?xml version="1.0" encoding="ISO-8859-1"?>` + patientXML("<name><family value=\"\xe5\"/></name>"), "parse.xml-encoding", ""},
		{"\xff\xfe<\x00P\x00", "parse.xml-encoding", ""},
		{"\xfe\xff\x00<\x00P", "parse.xml-encoding", ""},
		{"\x00<\x00P", "parse.xml-encoding", ""},
		{"<\x00P\x00", "parse.xml-encoding", ""},
	} {
		_, err := fhir.ParseXML([]byte(c.doc), fhir.Limits{})
		var broken *fhir.Error
		if !errors.As(err, &broken) {
			t.Errorf("%q: %v", c.doc, err)
			continue
		}
		i := broken.Issues[0]
		if i.Code != c.code || i.Expression != c.expression || i.Line < 1 || i.Col < 1 || i.Severity != fhir.SeverityError {
			t.Errorf("%q:\n%+v", c.doc, i)
		}
		if text := i.Text("nb"); text == i.Code || strings.Contains(text, "{") {
			t.Errorf("%s: %s", i.Code, text)
		}
	}
}

// TestXMLGoesOn: faults that do not end the document are all told, with their positions.
func TestXMLGoesOn(t *testing.T) {
	t.Parallel()
	_, err := fhir.ParseXML([]byte("<Patient xmlns=\"http://hl7.org/fhir\">\n <wibble><a>t</a><![CDATA[<]]><!-- > --><b/></wibble>\n"+
		" <active value=\"ja\" x=\"y\"/>\n <name>\n  æøå <family value=\"a\"/><given/>\n </name>\n</Patient>"), fhir.Limits{})
	var broken *fhir.Error
	if !errors.As(err, &broken) {
		t.Fatal(err)
	}
	const want = "fhir: validation.unknown-element at Patient.wibble (line 2, column 2); parse.xml-attribute at Patient.active (line 3, column 2); " +
		"validation.format at Patient.active (line 3, column 2); parse.xml-text at Patient.name[0] (line 5, column 3); validation.empty at Patient.name[0].given[0] (line 5, column 26)"
	if broken.Error() != want {
		t.Errorf("%v", broken)
	}
	_, err = fhir.ParseXML([]byte(patientXML(strings.Repeat("<x/>", 1000))), fhir.Limits{})
	if !errors.As(err, &broken) || len(broken.Issues) != 20 {
		t.Errorf("%v", err)
	}
}

// TestXMLPositions: what Validate finds is placed in the XML that was received.
func TestXMLPositions(t *testing.T) {
	t.Parallel()
	doc := "<Patient xmlns=\"http://hl7.org/fhir\">\n <name>\n  <given value=\"a\"/>\n  <given id=\"b\">\n   <extension url=\"u\"/></given>\n </name>\n <gender value=\"mann\"/>\n <birthDate value=\"i går\">\n </birthDate></Patient>"
	r, err := fhir.ParseXML([]byte(doc), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := (&fhir.Error{Issues: fhir.Validate(r)}).Error()
	const want = "fhir: validation.extension-value at Patient.name[0].given[1].extension[0] (line 5, column 4); " +
		"validation.binding at Patient.gender (line 7, column 2); validation.format at Patient.birthDate (line 8, column 2)"
	if got != want {
		t.Error(got)
	}
}

// TestXMLLimits holds each limit at its value and one beyond.
func TestXMLLimits(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `<Questionnaire xmlns="http://hl7.org/fhir">` + strings.Repeat("<item>", n) + `<linkId value="a"/>` + strings.Repeat("</item>", n) + `</Questionnaire>`
	}
	wide := func(n int) string { return patientXML(`<name>` + strings.Repeat(`<given value="a"/>`, n) + `</name>`) }
	div := func(n int) string {
		return patientXML(`<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">` + strings.Repeat("<b>", n) + "a" + strings.Repeat("</b>", n) + `</div></text>`)
	}
	flat := func(n int) string {
		return patientXML(`<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">` + strings.Repeat("<br/>", n) + `</div></text>`)
	}
	attributes := func(n int) string {
		b := &strings.Builder{}
		for i := range n {
			b.WriteString(" a" + strings.Repeat("b", i) + `="c"`)
		}
		return patientXML(`<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p` + b.String() + `>a</p></div></text>`)
	}
	size := len(wide(1))
	for name, c := range map[string]struct {
		at, beyond string
		limits     fhir.Limits
		code       string
	}{
		"bytes":      {wide(1), wide(1) + " ", fhir.Limits{Bytes: size}, "parse.size"},
		"depth":      {deep(7), deep(8), fhir.Limits{Depth: 15}, "parse.depth"},   // an item is an array and an object
		"values":     {wide(93), wide(94), fhir.Limits{Nodes: 98}, "parse.nodes"}, // the JSON form has five more
		"elements":   {flat(94), flat(95), fhir.Limits{Nodes: 98}, "parse.nodes"},
		"narrative":  {div(97), div(98), fhir.Limits{}, "parse.depth"},
		"attributes": {attributes(64), attributes(65), fhir.Limits{}, "parse.nodes"},
	} {
		if _, err := fhir.ParseXML([]byte(c.at), c.limits); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var broken *fhir.Error
		if _, err := fhir.ParseXML([]byte(c.beyond), c.limits); !errors.As(err, &broken) || broken.Issues[0].Code != c.code {
			t.Errorf("%s beyond: %v", name, err)
		} else if i := broken.Issues[0]; name == "values" && i.Line != 0 {
			t.Errorf("%s: a position in a form that nobody sent: %+v", name, i)
		}
	}
	// A document whose JSON form is larger than itself is held to the limit too.
	grows := patientXML(`<name><family value='` + strings.Repeat(`"`, 1000) + `'/></name>`)
	var broken *fhir.Error
	if _, err := fhir.ParseXML([]byte(grows), fhir.Limits{Bytes: len(grows)}); !errors.As(err, &broken) || broken.Issues[0].Code != "parse.size" {
		t.Errorf("grows: %v", err)
	}
}

// TestXMLBombs: reading is linear, whatever is nested, repeated or unended.
func TestXMLBombs(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	for name, doc := range map[string]string{
		"nesting":    `<Patient xmlns="http://hl7.org/fhir">` + strings.Repeat("<x>", n/3),
		"comments":   patientXML(strings.Repeat("<!---->", n/7)),
		"unended":    patientXML(strings.Repeat("<!--", n/4)),
		"entities":   patientXML(`<name><family value="` + strings.Repeat("&amp;", n/5) + `"/></name>`),
		"attributes": `<Patient` + strings.Repeat(` a="b"`, n/6),
		"namespaces": func() string {
			b := &strings.Builder{}
			b.WriteString(`<Patient xmlns="http://hl7.org/fhir"`)
			for i := range n / 16 {
				b.WriteString(" xmlns:a" + strings.Repeat("b", i%8) + string(rune('a'+i%26)) + `="u"`)
			}
			return b.String() + "/>"
		}(),
		"unknown":   patientXML(strings.Repeat("<x/>", n/4)),
		"ampersand": patientXML(`<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">` + strings.Repeat("&", n)),
		"padding":   patientXML(`<name>` + strings.Repeat(`<given value=""/>`, n/20) + `<given id="a"/></name>`),
	} {
		start := time.Now()
		r, err := fhir.ParseXML([]byte(doc), fhir.Limits{})
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if err == nil && r == nil {
			t.Errorf("%s: neither", name)
		}
	}
}

// TestAppendXMLRefuses: what is not of R4's form has no XML form, and dst comes back as it was.
func TestAppendXMLRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ json, code, expression string }{
		{`{"resourceType":"Wibble"}`, "validation.unknown-type", "Wibble"},
		{`{"resourceType":"Patient","wibble":1}`, "validation.unknown-element", "Patient.wibble"},
		{`{"resourceType":"Patient","a b":1}`, "validation.unknown-element", "Patient.?"},
		{`{"resourceType":"Patient","active":"true"}`, "validation.type", "Patient.active"},
		{`{"resourceType":"Patient","name":{"family":"a"}}`, "validation.array-expected", "Patient.name"},
		{`{"resourceType":"Patient","gender":["male"]}`, "validation.array-unexpected", "Patient.gender"},
		{`{"resourceType":"Patient","name":[null]}`, "validation.padding", "Patient.name"},
		{`{"resourceType":"Patient","name":["a"]}`, "validation.type", "Patient.name[0]"},
		{`{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[{"id":"c"}]}]}`, "validation.padding", "Patient.name[0].given"},
		{`{"resourceType":"Patient","name":[{"id":{"a":1}}]}`, "validation.type", "Patient.name[0].id"},
		{`{"resourceType":"Patient","_name":[{"id":"a"}]}`, "validation.unknown-element", "Patient.name"},
		{`{"resourceType":"Patient","gender":"male","_gender":{"value":"x"}}`, "validation.unknown-element", "Patient.gender.value"},
		{`{"resourceType":"Patient","gender":"male","_gender":"x"}`, "validation.type", "Patient.gender"},
		{`{"resourceType":"Patient","gender":"a\uffff"}`, "xml.character", "Patient.gender"},
		{`{"resourceType":"Patient","contained":[{"id":"a"}]}`, "validation.unknown-type", "Patient.contained[0]"},
		{`{"resourceType":"Patient","contained":["a"]}`, "validation.type", "Patient.contained[0]"},
		{`{"resourceType":"Patient","text":{"div":1}}`, "validation.type", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"text"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>a</div><div>b</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>a</div></text><active value='true'/><text>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>a"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<p>a</p>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div xmlns=\"\">a</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://hl7.org/fhir\">a</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>&wibble;</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>&lt&&#00;0</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<!DOCTYPE a><div>a</div>"}}`, "validation.narrative", "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>\ufffe</div>"}}`, "validation.narrative", "Patient.text.div"},
	} {
		r, err := fhir.Parse([]byte(c.json))
		if err != nil {
			t.Fatalf("%s: %v", c.json, err)
		}
		out, err := fhir.AppendXML([]byte("before"), r)
		var broken *fhir.Error
		if !errors.As(err, &broken) || string(out) != "before" || broken.Issues[0].Code != c.code || broken.Issues[0].Expression != c.expression {
			t.Errorf("%s: %v, %s", c.json, err, out)
		}
	}
}

// TestXMLNarrativeFromJSON: a div that JSON allows and XML would not is made fit.
func TestXMLNarrativeFromJSON(t *testing.T) {
	t.Parallel()
	for div, want := range map[string]string{
		`<div>a&nbsp;b &eacute; &amp;nbsp; &#233;</div>`:                     `<div xmlns="http://www.w3.org/1999/xhtml">a&#160;b &#233; &amp;nbsp; &#233;</div>`,
		`<div title='&copy;' xmlns='http://www.w3.org/1999/xhtml'>a</div >`:  `<div title='&#169;' xmlns='http://www.w3.org/1999/xhtml'>a</div >`,
		`<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:b>a</h:b></h:div>`: `<div xmlns="http://www.w3.org/1999/xhtml"><b>a</b></div>`,
	} {
		r, err := fhir.Parse([]byte(`{"resourceType":"Patient","text":{"div":` + string(fhir.AppendString(nil, div)) + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := fhir.AppendXML(nil, r)
		if want = declaration + patientXML(`<text>`+want+`</text>`); err != nil || string(got) != want {
			t.Errorf("%v\n%s\n%s", err, got, want)
		}
	}
}

// TestNarrativeIsFitForXML: a narrative that XML cannot carry is refused when it is written, not
// when it is read.
func TestNarrativeIsFitForXML(t *testing.T) {
	t.Parallel()
	for div, valid := range map[string]bool{
		`<div xmlns=\"http://www.w3.org/1999/xhtml\">a&nbsp;b</div>`:     true,
		`<div xmlns=\"http://hl7.org/fhir\">a</div>`:                     false,
		`<div xmlns=\"http://www.w3.org/1999/xhtml\">&wibble;</div>`:     false,
		`<div xmlns=\"http://www.w3.org/1999/xhtml\">]]></div>`:          false,
		`<div xmlns=\"http://www.w3.org/1999/xhtml\">a<!-- -- --></div>`: false,
		`<div id=\"a\" id=\"b\">a</div>`:                                 false,
	} {
		r, err := fhir.Parse([]byte(`{"resourceType":"Basic","text":{"status":"generated","div":"` + div + `"},"code":{"text":"x"}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = fhir.AppendXML(nil, r)
		issues := fhir.Validate(r)
		if (err == nil) != valid || (issues == nil) != valid || !valid && (len(issues) != 1 || issues[0].Code != fhir.CodeNarrative) {
			t.Errorf("%s: %v, %v", div, issues, err)
		}
	}
}

// TestXMLMembersInAnyOrder: JSON has no order of members; XML has R4's.
func TestXMLMembersInAnyOrder(t *testing.T) {
	t.Parallel()
	r, err := fhir.Parse([]byte(`{"name":[{"_given":[{"id":"a"}],"family":"b","given":["c"],"id":"n"}],"active":true,"id":"p","resourceType":"Patient"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := fhir.AppendXML(nil, r)
	want := declaration + patientXML(`<id value="p"/><active value="true"/><name id="n"><family value="b"/><given id="a" value="c"/></name>`)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
}

// FuzzXML: reading never panics, and what is read is a fixed point of writing and reading.
func FuzzXML(f *testing.F) {
	for _, p := range pairs {
		f.Add([]byte(p.xml))
	}
	f.Add([]byte(declaration + `<f:Patient xmlns:f="http://hl7.org/fhir"><!-- a --><f:text><f:status value="generated"/><h:div xmlns:h="http://www.w3.org/1999/xhtml"><![CDATA[<&]]>&#13;` + "\r\n" + `</h:div></f:text></f:Patient>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		r, err := fhir.ParseXML(doc, fhir.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		_ = fhir.Validate(r)
		x, err := fhir.AppendXML(nil, r)
		if err != nil {
			t.Fatalf("%s has no XML form: %v", r.Bytes(), err)
		}
		again, err := fhir.ParseXML(x, fhir.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		if !bytes.Equal(again.Bytes(), r.Bytes()) {
			t.Fatalf("%s\n%s\n%s", r.Bytes(), x, again.Bytes())
		}
		if y, err := fhir.AppendXML(nil, again); err != nil || !bytes.Equal(x, y) {
			t.Fatalf("%s\n%s", x, y)
		}
	})
}

// FuzzJSONThroughXML: what Validate finds nothing wrong with has an XML form, which gives back a
// resource that is valid too and has the same XML form.
func FuzzJSONThroughXML(f *testing.F) {
	for _, p := range pairs {
		f.Add([]byte(p.json))
	}
	f.Add([]byte(`{"resourceType":"Basic","code":{"text":"x"},"text":{"status":"generated","div":" <div title=\"&eacute;\">a &nbsp;b<hr /></div> "}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := fhir.ParseLimits(body, fhir.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		issues := fhir.Validate(r)
		x, err := fhir.AppendXML(nil, r)
		var refused *fhir.Error
		if issues != nil || errors.As(err, &refused) && refused.Issues[0].Code == fhir.CodeXMLCharacter {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		back, err := fhir.ParseXML(x, fhir.Limits{})
		if err != nil {
			t.Fatalf("%s\n%s: %v", body, x, err)
		}
		if issues := fhir.Validate(back); issues != nil {
			t.Fatalf("%s\n%s: %v", body, back.Bytes(), issues)
		}
		if y, err := fhir.AppendXML(nil, back); err != nil || !bytes.Equal(x, y) {
			t.Fatalf("%s\n%s: %v", x, y, err)
		}
	})
}

// TestXMLWithinBudget holds the 6.5 KB CarePlan to XML and back within 0.5 ms. The fastest of many
// runs is taken, so that a busy machine does not decide.
func TestXMLWithinBudget(t *testing.T) {
	r, err := fhir.Parse(carePlan(t))
	if err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 200 {
		start := time.Now()
		x, err := fhir.AppendXML(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fhir.ParseXML(x, fhir.Limits{}); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	if best > 500*time.Microsecond {
		t.Errorf("to XML and back took %v", best)
	}
}

func BenchmarkAppendXML(b *testing.B) {
	r, err := fhir.Parse(carePlan(b))
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if out, err = fhir.AppendXML(out[:0], r); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkParseXML(b *testing.B) {
	r, err := fhir.Parse(carePlan(b))
	if err != nil {
		b.Fatal(err)
	}
	x, err := fhir.AppendXML(nil, r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(x)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fhir.ParseXML(x, fhir.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
