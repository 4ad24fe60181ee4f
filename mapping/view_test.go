package mapping

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// viewed parses the page of a message as a browser does.
func viewed(t *testing.T, name string, raw []byte) *html.Node {
	t.Helper()
	page, err := View(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	again, err := View(raw)
	if err != nil || !bytes.Equal(page, again) {
		t.Errorf("%s: two pages of one message", name)
	}
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

// nodes visits a tree in its order.
func nodes(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		nodes(k, visit)
	}
}

// shownText is the text of a page with its white space as one.
func shownText(n *html.Node) string {
	var b strings.Builder
	nodes(n, func(k *html.Node) {
		if k.Type == html.TextNode && (k.Parent == nil || k.Parent.Data != "style") {
			b.WriteString(k.Data + " ")
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestViewShowsEverything: each text of a message, and each name of a code, stands on its page.
func TestViewShowsEverything(t *testing.T) {
	check := func(name string, raw []byte) {
		page := shownText(viewed(t, name, raw))
		root, _, err := parseLean(raw)
		if err != nil {
			t.Fatal(err)
		}
		root.leaves(func(e *elem, a *attr) {
			value := e.text
			switch {
			case a != nil && a.name != "DN", e.ns == nsBase64, e.ns == nsXMLDSig:
				return
			case a != nil:
				value = a.value
			}
			if quiet(e, value) {
				return
			}
			if a == nil && e.more != nil && e.more.mixed != nil { // text beside markup
				value = ""
				for _, p := range e.more.mixed {
					value += p.text + "\n"
				}
			}
			for _, line := range strings.Split(value, "\n") {
				if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.Contains(page, line) {
					t.Errorf("%s: %s is not shown", name, e.path())
				}
			}
		})
	}
	for name, raw := range samples(t) {
		check(name, raw)
	}
	generated(t, 200, func(name string, _ *message, _ *generator, raw []byte) { check(name, raw) })
}

// quiet are values that the page writes in other words: times, ja and nei, what the head says by its own names, and the
// kind of a number beside the number.
func quiet(e *elem, value string) bool {
	if _, ok := parseMoment(value); ok {
		return true
	}
	if _, ok := parseBool(value); ok {
		return true
	}
	for up := e; up != nil; up = up.parent {
		if slices.Contains([]string{"TypeId", "TypeOffId", "MIGversion", "Ack", "MsgType", "MimeType", "Compression", "ProcessingStatus", "RefToConversation", "TypeTelecom", "TypeHealthcareProfessional"}, up.name) {
			return true
		}
		if e.name == "Name" && (up.name == "Patient" || up.name == "HCPerson") { // given name first
			return true
		}
		if up.name == "MsgInfo" && (e.name == "Type" || e.name == "Sex" || e.name == "Id" && e.parent.index > 1) {
			return true
		}
		if up.name == "RefDoc" && up.parent != nil && up.parent.name != "Document" || up.name == "RefDoc" && slices.Contains([]string{"Id", "IssueDate"}, e.name) {
			return true
		}
	}
	return e.name == "Type" || e.name == "Sex" || e.name == "Forsendelsesstatus" || e.name == "ServType" && e.parent.name != "ReqServ"
}

// TestViewIsAccessible: one language, headings in order, tables with captions and heads, and nothing that needs a script.
func TestViewIsAccessible(t *testing.T) {
	for name, raw := range samples(t) {
		level, tables, ids := 0, 0, map[string]bool{}
		nodes(viewed(t, name, raw), func(n *html.Node) {
			if n.Type != html.ElementNode {
				return
			}
			if id := attribute(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: two elements %s", name, id)
				}
				ids[id] = true
			}
			switch n.Data {
			case "html":
				if attribute(n, "lang") != "nb" {
					t.Errorf("%s: language %q", name, attribute(n, "lang"))
				}
			case "h1", "h2", "h3", "h4", "h5", "h6":
				now := int(n.Data[1] - '0')
				if now > level+1 || now == 1 && level > 0 || strings.TrimSpace(shownText(n)) == "" {
					t.Errorf("%s: heading %s %q after level %d", name, n.Data, shownText(n), level)
				}
				level = now
			case "table":
				if tables++; n.FirstChild == nil || n.FirstChild.Data != "caption" || shownText(n.FirstChild) == "" {
					t.Errorf("%s: a table without a caption", name)
				}
			case "th":
				if s := attribute(n, "scope"); s != "row" && s != "col" || shownText(n) == "" {
					t.Errorf("%s: the head of a row or column has scope %q and says %q", name, s, shownText(n))
				}
			case "section":
				if by := attribute(n, "aria-labelledby"); by == "" || attribute(n.FirstChild, "id") != by {
					t.Errorf("%s: a section without a name", name)
				}
			}
		})
		if level == 0 || tables == 0 {
			t.Errorf("%s: %d tables", name, tables)
		}
	}
}

// hostile are texts that would do something in a browser, were they written as they stand.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `</table></main><iframe srcdoc="x">`,
	`<svg/onload=alert(1)>`, `<!--`, `--><b>`, `</title><script>alert(1)</script>`, `</style><script>alert(1)</script>`, `<a href="javascript:alert(1)">x</a>`,
	`&lt;script&gt;alert(1)&lt;/script&gt;`, `{{constructor.constructor('alert(1)')()}}`, "<scr\u0000ipt>", `<base href="//evil.example">`, `<meta http-equiv=refresh content=0>`,
	"\u202ealert", `data:text/html,<script>alert(1)</script>`, `<math><mi//xlink:href="data:x,<script>alert(1)</script>">`, `]]><script>alert(1)</script>`,
}

// TestViewIsText: whatever stands in a message, every string of it, is text on the page.
func TestViewIsText(t *testing.T) {
	allowed := strings.Fields("html head meta title style body a main h1 h2 h3 h4 h5 h6 p section div table caption thead tbody tr th td")
	attributes := strings.Fields("lang charset http-equiv content name class href id tabindex aria-labelledby aria-label role scope")
	for name, raw := range samples(t) {
		for n, text := range hostile {
			if n%4 != len(name)%4 && name != "medisinske-alt" && name != "dialog-1.1-notat" && name != "henvisning-1.1" {
				continue
			}
			page, err := View(poisoned(t, raw, text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			doc, err := html.Parse(bytes.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			nodes(doc, func(k *html.Node) {
				switch {
				case k.Type == html.CommentNode:
					t.Errorf("%s: %q makes a comment", name, text)
				case k.Type != html.ElementNode:
				case !slices.Contains(allowed, k.Data):
					t.Errorf("%s: %q makes a %s", name, text, k.Data)
				case k.Data == "style" && k.FirstChild.Data != ViewStyle:
					t.Errorf("%s: %q changes the style sheet", name, text)
				default:
					for _, a := range k.Attr {
						if !slices.Contains(attributes, a.Key) || a.Key == "href" && a.Val != "#innhold" || strings.Contains(a.Val, "alert") {
							t.Errorf("%s: %q makes %s %s=%q", name, text, k.Data, a.Key, a.Val)
						}
					}
				}
			})
			if want := strings.Join(strings.Fields(strings.ReplaceAll(text, "\u0000", "")), " "); !strings.Contains(shownText(doc), want) {
				t.Errorf("%s: %q is not shown as it stands", name, text)
			}
		}
	}
}

// poisoned puts a text into every string of a message that may hold any: all texts of the payload, names, and the names
// of codes.
func poisoned(t *testing.T, raw []byte, text string) []byte {
	t.Helper()
	doc, root, err := parse(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "\u0000", "")
	var walk func(e *elem)
	walk = func(e *elem) {
		for i := range e.src.Attr {
			if a := &e.src.Attr[i]; a.Key == "DN" || a.Key == "OT" || a.Key == "U" || a.Key == "V" && e.name != "Type" && !e.inHead() {
				a.Value = text
			}
		}
		if strings.TrimSpace(e.text) != "" && len(e.kids) == 0 && e.ns != nsBase64 && (!e.inHead() || strings.HasSuffix(e.name, "Name") || e.name == "StreetAdr") {
			e.src.SetText(text)
		}
		for _, k := range e.kids {
			walk(k)
		}
	}
	walk(root)
	out, err := serialise(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inHead tells whether the element is of the head, without which nothing can be read.
func (e *elem) inHead() bool {
	for up := e; up != nil; up = up.parent {
		if up.name == "MsgInfo" || up.parent != nil && up.parent.name == "Message" && up.name != "ServReq" && up.name != "ServRprt" {
			return true
		}
		if slices.Contains([]string{"Requester", "ServProvider", "OffId", "TypeOffId", "DateOfBirth"}, up.name) {
			return true
		}
	}
	return false
}

// TestViewSpeaksNorwegian: each element that a table names has a word for people.
func TestViewSpeaksNorwegian(t *testing.T) {
	same := []string{"Status", "Type", "Person", "Merknad", "Referanseperson", "VurderingAvHenvisning", "TypeInnhold"} // Norwegian as they stand
	for _, c := range theTable().classes {
		for _, f := range c.fields {
			english := strings.Contains(f.ns, "/henvisning/") || strings.Contains(f.ns, "/epikrise/")
			if english && viewWords[f.name] == "" && !slices.Contains(same, f.name) {
				t.Errorf("no word for %s", f.name)
			}
			if word := viewWord(f.name); strings.TrimSpace(word) == "" {
				t.Errorf("%s is %q", f.name, word)
			}
		}
	}
	for name, want := range map[string]string{"BeskrivelseAvTjeneste": "Beskrivelse av tjeneste", "ReasonAsText": "Begrunnelse", "Merknad": "Merknad"} {
		if got := viewWord(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestViewOfReceipt: an AppRec tells its status and each error.
func TestViewOfReceipt(t *testing.T) {
	a := demoAppRec("1.1")
	a.Status, a.Errors = 2, []AppRecError{{Code: "X99", Text: "Ikke levert: samtykke mangler for <rus>."}, {Code: "E21", Text: "Mottaker finnes ikke"}}
	raw, err := WriteAppRec(a)
	if err != nil {
		t.Fatal(err)
	}
	page := shownText(viewed(t, "apprec", raw))
	for _, want := range []string{"Applikasjonskvittering", "Avvist", "samtykke mangler for <rus>.", "X99", "E21", a.RefID} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not shown", want)
		}
	}
}

// TestViewOfWithheld: the copy of a receiver begins with the heading that parts may be left out, and shows no more than
// it holds.
func TestViewOfWithheld(t *testing.T) {
	raw := samples(t)["medisinske-opplysninger"]
	copied, err := Withhold(raw, []string{"/MsgHead/Document/RefDoc/Content/MedisinskeOpplysninger/Legemiddelinfo"})
	if err != nil {
		t.Fatal(err)
	}
	page := shownText(viewed(t, "withheld", copied))
	if !strings.Contains(page, PartsMayBeLeftOut) {
		t.Error("the reader is not told that parts may be left out")
	}
	if strings.Contains(page, "Legemidler") || strings.Contains(page, "kanari-legemidler") {
		t.Error("what is withheld is shown")
	}
}
