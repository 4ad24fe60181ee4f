package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refusal is a document that the guard refuses.
type refusal struct {
	name, doc string
	code      Code
}

// refusals has every row of the guard list (reference/go-stack.md § 5.1).
func refusals() []refusal {
	var attrs strings.Builder
	for i := range 65 {
		fmt.Fprintf(&attrs, ` a%d="x"`, i)
	}
	return []refusal{
		{"billion laughs", `<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>`, Forbidden},
		{"undefined entity", `<a>&x;</a>`, NotXML},
		{"DOCTYPE with SYSTEM", `<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>`, Forbidden},
		{"depth", strings.Repeat("<a>", 101) + strings.Repeat("</a>", 101), TooLarge},
		{"depth 200,000", strings.Repeat("<a>", 200_000), TooLarge},
		{"attributes", "<a" + attrs.String() + "/>", TooLarge},
		{"nodes", "<a>" + strings.Repeat("<b/>", 200_001) + "</a>", TooLarge},
		{"nodes after CDATA", "<a><![CDATA[<]]>" + strings.Repeat("<b/>", 200_001) + "</a>", TooLarge},
		{"comments are nodes", "<a>" + strings.Repeat("<!---->", 200_001) + "</a>", TooLarge},
		{"size", "<a>" + strings.Repeat("x", 10<<20) + "</a>", TooLarge},
		{"attribute value over the limit", `<a b="` + strings.Repeat("x", 10<<20) + `"/>`, TooLarge},
		{"duplicate attribute", `<a x="1" x="2"/>`, Forbidden},
		{"duplicate attribute by namespace", `<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>`, Forbidden},
		{"duplicate declaration", `<a xmlns:p="u" xmlns:p="v"/>`, Forbidden},
		{"text after the root", `<a/>tail`, Forbidden},
		{"text before the root", `head<a/>`, Forbidden},
		{"CDATA after the root", `<a/><![CDATA[x]]>`, Forbidden},
		{"two roots", `<a/><b/>`, Forbidden},
		{"no root", `<!-- empty -->`, NotXML},
		{"empty", ``, NotXML},
		{"unbound prefix", `<p:a/>`, Forbidden},
		{"unbound attribute prefix", `<a p:x="1"/>`, Forbidden},
		{"prefix of a sibling", "<a><b" + manyBindings + "/><p3:c/></a>", Forbidden},
		{"prefix bound to nothing", `<a xmlns:p=""><p:b/></a>`, Forbidden},
		{"xml prefix rebound", `<a xmlns:xml="u"/>`, Forbidden},
		{"processing instruction", `<a><?php x?></a>`, Forbidden},
		{"stylesheet", `<?xml-stylesheet href="http://evil.example"?><a/>`, Forbidden},
		{"declaration inside", `<a><?xml version="1.0"?></a>`, Forbidden},
		{"XML 1.1", `<?xml version="1.1"?><a/>`, NotXML},
		{"UTF-16 with mark", "\xff\xfe<\x00a\x00/\x00>\x00", Charset},
		{"UTF-16 without mark", "<\x00a\x00/\x00>\x00", Charset},
		{"UTF-7", `<?xml version="1.0" encoding="UTF-7"?><a/>`, Charset},
		{"EBCDIC", `<?xml version="1.0" encoding="IBM037"?><a/>`, Charset},
		{"invalid UTF-8", "<a>\xff</a>", Charset},
		{"UTF-8 said, latin-1 sent", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xe6</a>", Charset},
		{"undefined in windows-1252", "<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x81</a>", Charset},
		{"NUL", "<a>\x00</a>", NotXML},
		{"character reference to NUL", "<a>&#0;</a>", NotXML},
		{"unclosed", `<a><b></a>`, NotXML},
		{"end without start", `</a>`, NotXML},
		{"cut in a tag", `<a x="`, NotXML},
		{"cut in a comment", `<a><!-- `, NotXML},
		{"attributes run together", `<a x="1"y="2"/>`, NotXML},
		{"not XML", `{"a":1}`, Forbidden},
		{"a name with two colons", `<a xmlns:p="u"><p:b:c/></a>`, NotXML},
		{"a name that ends with a colon", `<a xmlns:p="u" p:="1"/>`, NotXML},
		{"a name that begins with a digit", `<1a/>`, NotXML},
		{"a name that is none beyond ASCII", `<a×/>`, NotXML},
		{"end tag of another element", `<a><b></a></b>`, NotXML},
		{"end tag of a like name", `<ab></ac>`, NotXML},
		{"end tag that goes on", `<ab></abc>`, NotXML},
		{"end tag with an attribute", `<a></a x="1">`, NotXML},
		{"attribute without a value", `<a x/>`, NotXML},
		{"attribute without quotes", `<a x=1/>`, NotXML},
		{"tag in an attribute", `<a x="<b/>"/>`, NotXML},
		{"end of CDATA in text", `<a>]]></a>`, NotXML},
		{"dashes in a comment", `<a><!-- -- --></a>`, NotXML},
		{"comment that ends with three dashes", `<a><!-- ---></a>`, NotXML},
		{"reference without an end", `<a>&amp</a>`, NotXML},
		{"empty reference", `<a>&;</a>`, NotXML},
		{"reference without digits", `<a>&#x;</a>`, NotXML},
		{"reference with a sign", `<a>&#+65;</a>`, NotXML},
		{"reference beyond Unicode", `<a>&#x110000;</a>`, NotXML},
		{"reference to a surrogate", `<a>&#xD800;</a>`, NotXML},
		{"reference to U+FFFE", `<a>&#xFFFE;</a>`, NotXML},
		{"U+FFFF", "<a>\uffff</a>", NotXML},
		{"control character in an attribute", "<a x=\"\x01\"/>", NotXML},
		{"control character in CDATA", "<a><![CDATA[\x1f]]></a>", NotXML},
		{"control character in a comment", "<a><!--\x02--></a>", NotXML},
		{"cut in CDATA", `<a><![CDATA[x]]`, NotXML},
		{"cut after the root's content", `<a>x`, NotXML},
		{"reference outside the root", `<a/>&#32;`, Forbidden},
		{"xmlns declared", `<a xmlns:xmlns="u"/>`, Forbidden},
		{"declaration with a version that cannot be told", `<?xml version=1.1?><a/>`, NotXML},
	}
}

func TestReadXMLRefuses(t *testing.T) {
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			doc, err := ReadXML([]byte(c.doc), Limits{})
			var e *Error
			if !errors.As(err, &e) || doc != nil {
				t.Fatalf("accepted, err %v", err)
			}
			if e.Code != c.code {
				t.Errorf("code %s, want %s (%s)", e.Code, c.code, e.Text)
			}
		})
	}
}

func TestReadXMLReads(t *testing.T) {
	cases := []struct{ name, doc, want string }{
		{"UTF-8 with mark", "\xef\xbb\xbf<a>æ</a>", "æ"},
		{"mark and declaration", "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><a>æ</a>", "æ"},
		{"ISO-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe6\xf8\xe5</a>", "æøå"},
		{"windows-1252", "<?xml version=\"1.0\" encoding=\"Windows-1252\"?><a>\x80\x96\xe5</a>", "€–å"},
		{"ISO-8859-1 with a windows dash", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>\x96</a>", "–"},
		{"text split by a comment", "<a>1234<!-- x -->5678</a>", "12345678"},
		{"CDATA", "<a><![CDATA[<b> & ]]></a>", "<b> & "},
		{"line ends", "<a>x\r\ny</a>", "x\ny"},
		{"comment around the root", "<!-- a --><a>x</a><!-- b -->\n", "x"},
		{"64 attributes of the limit", "<a>x</a>", "x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, root, err := parse([]byte(c.doc), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if root.text != c.want {
				t.Errorf("read %q, want %q", root.text, c.want)
			}
		})
	}
}

// TestErrorsQuoteNothing: an error text goes to logs; the document does not.
func TestErrorsQuoteNothing(t *testing.T) {
	const canary = "kanari21869245515"
	good := string(fixture(t, "medisinske-opplysninger/in.xml"))
	for _, doc := range []string{
		"<a>" + canary + "</b>", "<" + canary + ">", "<a " + canary + ">", "<a>&" + canary + ";</a>", `<a x="` + canary + `" x=""/>`,
		"<!DOCTYPE " + canary + "><a/>", "<a/>" + canary, "<?" + canary + "?><a/>",
		`<?xml version="1.0" encoding="` + canary + `"?><a/>`,
		strings.Replace(good, `V="MEDISINSKE_OPPLYSNINGER"`, `V="`+canary+`"`, 1),
		strings.Replace(good, "2026-03-20T12:30:00+01:00</GenDate>", canary+"</GenDate>", 1),
	} {
		_, err := Read([]byte(doc), ids)
		if err == nil {
			t.Errorf("accepted a broken document")
		} else if strings.Contains(err.Error(), "kanari") || strings.Contains(err.Error(), "21869245515") {
			t.Errorf("the error quotes the document: %v", err)
		}
	}
}

func FuzzReadXML(f *testing.F) {
	for _, s := range []string{"<a/>", `<a x="1">t<b/></a>`, "<!DOCTYPE a><a/>", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe6</a>",
		"<a><![CDATA[x]]><!-- y --></a>", `<p:a xmlns:p="u" p:x="&#10;"/>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := ReadXML(raw, Limits{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("an error of another type: %T", err)
			}
			return
		}
		out, err := serialise(doc)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ReadXML(out, Limits{Bytes: 1 << 30, Nodes: 1 << 30, Attributes: 1 << 30}); err != nil {
			t.Fatalf("what was read and written is refused: %v", err)
		} else if third, _ := serialise(again); !bytes.Equal(out, third) {
			t.Fatal("a second way round changes the document")
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := read(raw, ids, true)
		if err != nil {
			return
		}
		for _, r := range in.Resources {
			if n, err := parseJSON(r.Body); err != nil || n.get("resourceType").string() != string(r.Type) {
				t.Fatalf("%s is no resource: %v", r.Key, err)
			}
		}
		for _, s := range in.Sections {
			if len(s.Labels) == 0 && !s.ByContent {
				t.Fatalf("section without a label")
			}
		}
	})
}

func FuzzReadAppRec(f *testing.F) {
	for _, v := range []string{"1.0", "1.1"} {
		a := demoAppRec(v)
		raw, err := WriteAppRec(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ReadAppRec(raw)
		if err != nil || a.RefKind == "" || a.Status != 1 && len(a.Errors) == 0 {
			return
		}
		if out, err := WriteAppRec(*a); err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		} else if _, err := ReadAppRec(out); err != nil {
			t.Fatalf("written, but cannot be read: %v", err)
		}
	})
}
