package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// library parses as etree does, on top of encoding/xml: the other opinion on what a document says.
func library(text string) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{
		CharsetReader:          func(_ string, in io.Reader) (io.Reader, error) { return in, nil }, // decoded before
		MaxDepth:               1000,
		PreserveDuplicateAttrs: true,
	}
	return doc, doc.ReadFromString(text)
}

// stricter are the refusals beyond those of encoding/xml, with what a document must have for them: what the guard says,
// and what XML 1.0 or Namespaces in XML says and that parser lets pass.
var stricter = map[string]*regexp.Regexp{
	"attributes without a space between": regexp.MustCompile(`["'][^\s/>]`),
	"another version of XML than 1.0":    regexp.MustCompile(`^<\?xml\s`),
	"not well-formed comment":            regexp.MustCompile(`(?s)<!--.*([\x00-\x08\x0b\x0c\x0e-\x1f]|\x{FFFE}|\x{FFFF})`),
	"not well-formed tag":                regexp.MustCompile(`[\s<]:|:[\s=/>]|:[-.0-9]`),     // a name begins and ends beside the colon
	"not well-formed reference":          regexp.MustCompile(`(?i)&#(x0*d[89a-f]|0*5[5-7])`), // a surrogate
	"not exactly one root element":       regexp.MustCompile(`^`),
}

// compareParsers reads a document both ways. What the parser of this package takes, etree takes as well, with the same
// tree; what it refuses, etree refuses as well, or it is of a kind that only this package refuses.
func compareParsers(t *testing.T, raw []byte) {
	t.Helper()
	text, err := decode(raw)
	if err != nil {
		return // before either parser
	}
	doc, theirs := library(text)
	full, ours := parseWith(raw, Limits{}, etree.NewDocument())
	lean, oursLean := parseWith(raw, Limits{}, nil)
	if (ours == nil) != (oursLean == nil) {
		t.Fatalf("with a document %v, without %v", ours, oursLean)
	}
	if ours != nil {
		var e *Error
		if !errors.As(ours, &e) {
			t.Fatalf("an error of another type: %T", ours)
		}
		more := stricter[e.Text]
		if theirs == nil && e.Code == NotXML && (more == nil || !more.MatchString(text)) {
			t.Fatalf("refused (%v), and read by etree", ours)
		}
		return
	}
	if theirs != nil {
		t.Fatalf("read, and refused by etree: %v", theirs)
	}
	exact := !strings.Contains(text, "&#") && !strings.Contains(text, "<![CDATA[]]>")
	if a, b := ofElement(doc.Root(), exact), ofElem(full.root, exact); a != b {
		t.Fatalf("another tree: %s", difference(a, b))
	}
	if a, b := ofElem(lean.root, exact), ofElem(full.root, exact); a != b {
		t.Fatalf("another tree without the document: %s", difference(a, b))
	}
	if a, b := ofDocument(doc.Root(), exact), ofDocument(full.doc.Root(), exact); a != b {
		t.Fatalf("another document: %s", difference(a, b))
	}
	if want := says(&doc.Element); want != full.comments || want != lean.comments {
		t.Fatalf("comments %v, want %v", lean.comments, want)
	}
}

// difference shows where two descriptions part.
func difference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("%q, want %q", b[from:min(len(b), i+60)], a[from:min(len(a), i+60)])
}

var (
	spaces   = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	noSpaces = strings.NewReplacer("\t", "", "\n", "", "\r", "", " ", "")
)

// attributeText is a value after § 3.3.3, which encoding/xml leaves out. A reference to a line feed stays one; in a
// document with references the two cannot be told apart here, and TestParserNormalises does.
func attributeText(value string, done bool) string {
	if done {
		return value
	}
	return spaces.Replace(value)
}

// contentText leaves out white space where etree's tree does not tell a reference to a space from a space.
func contentText(text string, exact bool) string {
	if exact {
		return text
	}
	return noSpaces.Replace(text)
}

// ofElement writes what an elem should hold, from etree's tree: names by URI, attributes, declarations, the text without
// white space between tags, the children with their number.
func ofElement(e *etree.Element, exact bool) string {
	var attrs, declared, kids strings.Builder
	for _, a := range e.Attr {
		uri := a.NamespaceURI()
		if a.Space == "xml" {
			uri = nsXML
		}
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			fmt.Fprintf(&declared, " %q", attributeText(a.Value, false))
		} else {
			fmt.Fprintf(&attrs, " %s %s=%q", attributeText(uri, false), a.Key, attributeText(a.Value, false))
		}
	}
	count, seen, text := map[string]int{}, map[string]int{}, ""
	for _, k := range e.ChildElements() {
		count[k.Tag]++
	}
	for i, c := range e.Child {
		switch c := c.(type) {
		case *etree.CharData:
			if strings.Trim(c.Data, " \t\r\n") != "" || !tagsBeside(e, i) {
				text += c.Data
			}
		case *etree.Element:
			if seen[c.Tag]++; count[c.Tag] > 1 {
				fmt.Fprintf(&kids, "[%d]", seen[c.Tag])
			}
			kids.WriteString(ofElement(c, exact))
		}
	}
	uri := e.NamespaceURI()
	if e.Space == "xml" {
		uri = nsXML
	}
	return fmt.Sprintf("<%s %s%s;%s>%q%s</>", attributeText(uri, false), e.Tag, attrs.String(), declared.String(), contentText(text, exact), kids.String())
}

// tagsBeside tells that a tag stands on either side of a child.
func tagsBeside(e *etree.Element, i int) bool {
	for _, at := range []int{i - 1, i + 1} {
		if at >= 0 && at < len(e.Child) {
			if _, ok := e.Child[at].(*etree.Element); !ok {
				return false
			}
		}
	}
	return true
}

func ofElem(e *elem, exact bool) string {
	var attrs, declared, kids strings.Builder
	for _, a := range e.attrs {
		fmt.Fprintf(&attrs, " %s %s=%q", attributeText(a.ns, exact), a.name, attributeText(a.value, exact))
	}
	if e.more != nil {
		for _, uri := range e.more.declared {
			fmt.Fprintf(&declared, " %q", attributeText(uri, exact))
		}
		mixed := ""
		for _, p := range e.more.mixed {
			mixed += p.text
		}
		if e.more.mixed != nil && mixed != e.text {
			return "mixed content is not the text"
		}
	}
	for _, k := range e.kids {
		if k.parent != e {
			return "a child of another"
		}
		if k.index > 0 {
			fmt.Fprintf(&kids, "[%d]", k.index)
		}
		kids.WriteString(ofElem(k, exact))
	}
	return fmt.Sprintf("<%s %s%s;%s>%q%s</>", attributeText(e.ns, exact), e.name, attrs.String(), declared.String(), contentText(e.text, exact), kids.String())
}

// ofDocument writes an etree: prefixes, attributes in order, every text and comment, CDATA and text as one.
func ofDocument(e *etree.Element, exact bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%s:%s", e.Space, e.Tag)
	for _, a := range e.Attr {
		fmt.Fprintf(&b, " %s:%s=%q", a.Space, a.Key, attributeText(a.Value, false))
	}
	text := ""
	flush := func() {
		fmt.Fprintf(&b, "%q", contentText(text, exact))
		text = ""
	}
	for _, c := range e.Child {
		switch c := c.(type) {
		case *etree.CharData:
			text += c.Data
		case *etree.Comment:
			flush()
			b.WriteString("<!--" + c.Data + "-->")
		case *etree.Element:
			flush()
			b.WriteString(ofDocument(c, exact))
		}
	}
	flush()
	return b.String() + "</>"
}

// says tells whether a comment anywhere has more than white space.
func says(e *etree.Element) bool {
	for _, t := range e.Child {
		switch c := t.(type) {
		case *etree.Comment:
			if strings.TrimSpace(c.Data) != "" {
				return true
			}
		case *etree.Element:
			if says(c) {
				return true
			}
		}
	}
	return false
}

// documents are well-formed, each with something a parser may get wrong.
var documents = []string{
	"<a/>", "<a></a>", "<a />", "<a\n\tx = '1'\ty=\"2\"\r\n></a\n>", "\ufeff<a/>", "<?xml version='1.0'?>\n<!-- x -->\n<a/>\n<!-- y -->",
	"<a>\r\nx\ry\r\r\n</a>", "<a x=\"1\r\n2\r3\t4\n5 6\"/>", "<a x=\"&#13;&#10;&#9;&#x20;\">&#13;&#10;</a>", "<a>&lt;&gt;&amp;&apos;&quot;&#65;&#x1F600;</a>",
	"<a x=\"]]>'&lt;\" y='\"'>]] > ]&gt;</a>", "<a><![CDATA[]]></a>", "<a> <![CDATA[ ]]]]> </a>", "<a><![CDATA[\r\n<b>&amp;]]]]><![CDATA[>]]></a>",
	"<a>x<!-- - c -->y<!---->z</a>", "<a><!--\r\n--></a>", "<a> <b> </b> <!-- c --> <b/>\n</a>", "<a>x<b>y</b>z<c/>&#32;</a>", "<a>\u00a0<b/></a>",
	"<a xmlns='u'><b xmlns=''><c xmlns='v'/></b><d/></a>", "<p:a xmlns:p='u' p:x='1' x='2'><p:b xmlns:p='v' p:x='3'/><p:c/></p:a>",
	"<a xml:lang='nb' xml:space='preserve'/>", "<a><b/><c/><b/><b/><c/></a>", "<a" + strings.Repeat("><b/", 40) + "><c/></a>",
	"<a xmlns='u'" + manyBindings + "><b xmlns:p3='v' xmlns:q='w' p3:x=''><p3:c/><q:c/></b><p3:d/><p19:d/><b xmlns=''/></a>",
	"<a xmlns='u'><b" + manyBindings + "><p3:c xmlns:p3='v'/><p3:c/></b><b xmlns:p3='w'><p3:c/></b></a>",
	"<Ærlig-1.x ø='å'>\u2028</Ærlig-1.x>", "<a>\U0001F600\ufffd</a>", "<a.b-c_d/>", "<a xmlns:p='a\nb'><p:b/></a>",
}

// manyBindings are more than are found one by one.
var manyBindings = func() string {
	s := ""
	for i := range 20 {
		s += fmt.Sprintf(" xmlns:p%d='u%d'", i, i)
	}
	return s
}()

// TestParserReadsAsALibrary holds the parser against etree and encoding/xml: on every message of the tests, every seed,
// and all that the guard refuses.
func TestParserReadsAsALibrary(t *testing.T) {
	for _, d := range documents {
		if _, _, err := parse([]byte(d), Limits{}); err != nil {
			t.Errorf("%q: %v", d, err)
		}
		compareParsers(t, []byte(d))
	}
	for _, r := range refusals() {
		compareParsers(t, []byte(r.doc))
	}
	n := 0
	for _, pattern := range []string{"testdata/*/*.xml", "../cmd/sluse/story/*.xml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files: %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compareParsers(t, raw)
			compareParsers(t, bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")))
			n++
		}
	}
	compareParsers(t, largeMessage(t))
	if n < 15 {
		t.Errorf("%d messages", n)
	}
}

// TestParserReadsBrokenAsALibrary breaks each message in many places: cut short, and with one byte made another.
func TestParserReadsBrokenAsALibrary(t *testing.T) {
	for name, raw := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := 0; i < len(raw); i += 997 {
				compareParsers(t, raw[:i])
				for _, c := range []byte("<>&\"'/=:]!?- \r\x00a") {
					broken := bytes.Clone(raw)
					broken[i] = c
					compareParsers(t, broken)
				}
			}
		})
	}
}

// TestParserNormalises has what encoding/xml does not do, or does in another way.
func TestParserNormalises(t *testing.T) {
	cases := []struct{ name, doc, text, value string }{
		{"line ends", "<a x='1\r\n2\r3\n4'>1\r\n2\r3\n4</a>", "1\n2\n3\n4", "1 2 3 4"},
		{"tabs", "<a x='\t1\t'>\t1\t</a>", "\t1\t", " 1 "},
		{"references to white space", "<a x='&#10;&#13;&#9;&#32;'>&#10;&#13;&#9;&#32;</a>", "\n\r\t ", "\n\r\t "},
		{"a reference before a line feed", "<a x='&#13;\n'>&#13;\n</a>", "\r\n", "\r "},
		{"CDATA", "<a x=''><![CDATA[\r\n&amp;\r]]></a>", "\n&amp;\n", ""},
		{"a line end at a comment", "<a x=''>1\r<!-- -->\n2</a>", "1\n\n2", ""},
		{"a space by reference is a value", "<a x=''>&#32;</a>", " ", ""},
		{"white space between tags is none", "<a x=''> <b/> </a>", "", ""},
		{"white space beside text is kept", "<a x=''> y <b/> z </a>", " y  z ", ""},
		{"white space in CDATA is kept", "<a x=''><![CDATA[ ]]></a>", " ", ""},
		{"white space beside a comment is kept", "<a x=''> <!-- c -->y</a>", " y", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root, _, err := parseLean([]byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if root.text != c.text || root.attr("x") != c.value {
				t.Errorf("text %q, want %q; attribute %q, want %q", root.text, c.text, root.attr("x"), c.value)
			}
		})
	}
}

// TestParserTellsTheLine: of the tag or text that is wrong.
func TestParserTellsTheLine(t *testing.T) {
	for doc, line := range map[string]int{"<a>\n<b>\n</c></a>": 3, "<a>\n\n<!DOCTYPE b></a>": 3, "<a\n x='1'\n x='2'/>": 3, "\n\n\nx": 1} {
		_, _, err := parse([]byte(doc), Limits{})
		if e := new(Error); !errors.As(err, &e) || e.Line != line {
			t.Errorf("%q: %v, want line %d", doc, err, line)
		}
	}
}

// TestParserHoldsNothingOfTheCaller: the bytes may be used again once they are read.
func TestParserHoldsNothingOfTheCaller(t *testing.T) {
	raw := []byte("<a x='value'>text</a>")
	root, _, err := parseLean(raw)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if root.name != "a" || root.attr("x") != "value" || root.text != "text" {
		t.Error("the tree changed with the bytes")
	}
}

func FuzzParser(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	for _, r := range refusals() {
		if len(r.doc) < 1000 {
			f.Add([]byte(r.doc))
		}
	}
	f.Fuzz(compareParsers)
}
