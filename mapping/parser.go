package mapping

import (
	"encoding/xml"
	"strings"

	"github.com/beevik/etree"
)

// parser is the one reader of XML of this package: guard and tree in a single pass over the document. Names, attributes
// and texts are parts of the document wherever no reference, line end or white space has to be replaced. It takes what
// XML 1.0 (5th edition) and Namespaces in XML call well-formed, less what the guard refuses; references are expanded,
// line ends are normalised (§ 2.11) and so are attribute values (§ 3.3.3). A library would do if it met the budget of
// DESIGN § 7: etree alone takes more time than the whole message may, and its tree is what the tests compare with.
type parser struct {
	text     string
	pos      int
	nodes    int
	limits   Limits
	root     *elem
	comments bool            // one that says something
	doc      *etree.Document // also built, for what is written again; nil when the message is only read
	open     []frame
	scope    scope
	pieces   []piece   // content of the open elements
	raw      []rawAttr // of the tag at hand
	tag      bool      // what stands before pos is a tag
	desk     *desk
	places   places
	paths    int             // bytes that the paths of all values take, at most
	names    map[string]bool // beyond ASCII: whether it is a name
}

// maxPaths bounds what the report of a message takes, each line of which names its place: a document of the largest size
// and most nodes with names as the standards have them stays below.
const maxPaths = 128 << 20

// frame is an element whose end tag is to come.
type frame struct {
	e      *elem
	name   string // with prefix
	path   int    // bytes of its path, about
	pieces int    // where its content begins
	scope  int    // bindings that are not its own
}

// piece is what stands between two tags: text, or a child.
type piece struct {
	text string
	kid  *elem
}

type rawAttr struct{ prefix, name, value string }

func (p *parser) fail(code Code, text string) *Error {
	e := fault(code, "", text)
	e.Line = 1 + strings.Count(p.text[:min(p.pos, len(p.text))], "\n")
	return e
}

// run parses the document.
func (p *parser) run() error {
	p.scope.push("xml", nsXML)
	for p.pos < len(p.text) {
		if p.text[p.pos] != '<' {
			if err := p.charData(); err != nil {
				return err
			}
			continue
		}
		if p.nodes++; p.nodes > p.limits.Nodes {
			return p.fail(TooLarge, "too many nodes")
		}
		if err := p.markup(); err != nil {
			return err
		}
	}
	switch {
	case len(p.open) > 0:
		return p.fail(NotXML, "unexpected end of document")
	case p.root == nil:
		return p.fail(NotXML, "not exactly one root element")
	}
	return nil
}

// markup consumes one construct that begins with '<' at pos.
func (p *parser) markup() error {
	rest := p.text[p.pos:]
	next := byte(0)
	if len(rest) > 1 {
		next = rest[1]
	}
	p.tag = next != '!'
	switch {
	case next == '/':
		return p.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return p.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.cdata()
	case next == '!':
		return p.fail(Forbidden, "DOCTYPE or another directive")
	case next == '?':
		return p.declaration()
	}
	return p.startTag()
}

// declaration passes <?xml …?> at the beginning; decode has read its encoding.
func (p *parser) declaration() error {
	if p.pos != 0 || !strings.HasPrefix(p.text, "<?xml") || len(p.text) < 6 || !blank(p.text[5]) {
		return p.fail(Forbidden, "processing instruction")
	}
	end := strings.Index(p.text, "?>")
	if end < 0 {
		return p.fail(NotXML, "unexpected end of document")
	}
	if version := pseudo(p.text[:end], "version"); version != "" && version != "1.0" {
		return p.fail(NotXML, "another version of XML than 1.0")
	}
	p.pos = end + 2
	return nil
}

func (p *parser) comment() error {
	end := strings.Index(p.text[p.pos+4:], "--")
	if end < 0 || p.pos+4+end+2 >= len(p.text) {
		return p.fail(NotXML, "unexpected end of document")
	}
	data := p.text[p.pos+4 : p.pos+4+end]
	if p.text[p.pos+4+end+2] != '>' || kinds(data)&kindIllegal != 0 {
		return p.fail(NotXML, "not well-formed comment")
	}
	p.comments = p.comments || strings.TrimSpace(data) != ""
	if p.doc != nil {
		p.source().CreateComment(data)
	}
	p.pos += 4 + end + 3
	return nil
}

func (p *parser) cdata() error {
	if len(p.open) == 0 {
		return p.fail(Forbidden, "text outside the root element")
	}
	end := strings.Index(p.text[p.pos+9:], "]]>")
	if end < 0 {
		return p.fail(NotXML, "unexpected end of document")
	}
	data := p.text[p.pos+9 : p.pos+9+end]
	k := kinds(data)
	if k&kindIllegal != 0 {
		return p.fail(NotXML, "character that XML does not allow")
	}
	if k&kindReturn != 0 {
		data = lineEnds(data)
	}
	p.addText(data)
	p.pos += 9 + end + 3
	return nil
}

// charData consumes the text up to the next '<'. White space between one tag and the next is no value.
func (p *parser) charData() error {
	end := strings.IndexByte(p.text[p.pos:], '<')
	if end < 0 {
		end = len(p.text) - p.pos
	}
	data, next := p.text[p.pos:p.pos+end], p.pos+end
	k := kinds(data)
	switch {
	case len(p.open) == 0 && k&^(kindSpace|kindReturn) != 0:
		return p.fail(Forbidden, "text outside the root element")
	case len(p.open) == 0:
		p.pos = next
		return nil
	case k&kindIllegal != 0:
		return p.fail(NotXML, "character that XML does not allow")
	case k&kindBracket != 0 && strings.Contains(data, "]]>"):
		return p.fail(NotXML, "the end of a CDATA section without its beginning")
	}
	between := k&^(kindSpace|kindReturn) == 0 && p.tag && (next+1 >= len(p.text) || p.text[next+1] != '!')
	if between && p.doc == nil {
		p.pos = next
		return nil
	}
	if k&(kindReference|kindReturn) != 0 {
		var ok bool
		if data, ok = unescape(data, false); !ok {
			return p.fail(NotXML, "not well-formed reference")
		}
	}
	if between {
		p.source().CreateText(data)
	} else {
		p.addText(data)
	}
	p.pos = next
	return nil
}

// source is the etree element that takes what comes next.
func (p *parser) source() *etree.Element {
	if len(p.open) == 0 {
		return &p.doc.Element
	}
	return p.open[len(p.open)-1].e.src
}

// addText adds to the content of the open element.
func (p *parser) addText(data string) {
	if data == "" {
		return
	}
	if p.doc != nil {
		p.source().CreateText(data)
	}
	p.pieces = append(p.pieces, piece{text: data})
}

func (p *parser) startTag() error {
	switch {
	case len(p.open) > 0:
	case p.root != nil:
		return p.fail(Forbidden, "more than one root element")
	}
	if len(p.open) >= p.limits.Depth {
		return p.fail(TooLarge, "nested too deep")
	}
	p.pos++
	prefix, name, ok := p.name()
	if !ok {
		return p.fail(NotXML, "not well-formed tag")
	}
	whole := name
	if prefix != "" {
		whole = p.text[p.pos-len(prefix)-1-len(name) : p.pos]
	}
	empty, err := p.attributes()
	if err != nil {
		return err
	}
	e := p.newElem()
	e.name = name
	f := frame{e: e, name: whole, scope: len(p.scope.bindings)}
	if f.path = len(name) + len("/[1234]"); len(p.open) > 0 {
		f.path += p.open[len(p.open)-1].path
		e.parent = p.open[len(p.open)-1].e
		p.pieces = append(p.pieces, piece{kid: e})
	} else {
		p.root = e
	}
	if p.paths += f.path * (1 + len(p.raw)); p.paths > maxPaths {
		return p.fail(TooLarge, "names too long")
	}
	if err := p.bind(e, prefix); err != nil {
		return err
	}
	if p.doc != nil {
		e.src = p.source().CreateElement(whole)
		for _, a := range p.raw {
			e.src.CreateAttr(strings.TrimPrefix(a.prefix+":"+a.name, ":"), a.value)
		}
	}
	f.pieces = len(p.pieces)
	p.open = append(p.open, f)
	if empty {
		p.close()
	}
	return nil
}

// attributes reads those of a tag into raw, and its end. It tells whether the element ends with the tag.
func (p *parser) attributes() (empty bool, err error) {
	p.raw = p.raw[:0]
	for {
		spaced := p.space()
		if p.pos >= len(p.text) {
			return false, p.fail(NotXML, "unexpected end of document")
		}
		switch c := p.text[p.pos]; {
		case c == '>':
			p.pos++
			return false, nil
		case c == '/' && strings.HasPrefix(p.text[p.pos:], "/>"):
			p.pos += 2
			return true, nil
		case !spaced:
			return false, p.fail(NotXML, "attributes without a space between")
		case len(p.raw) >= p.limits.Attributes:
			return false, p.fail(TooLarge, "too many attributes")
		}
		prefix, name, ok := p.name()
		if !ok {
			return false, p.fail(NotXML, "not well-formed tag")
		}
		value, err := p.attributeValue()
		if err != nil {
			return false, err
		}
		for _, other := range p.raw {
			if other.name == name && other.prefix == prefix {
				return false, p.fail(Forbidden, "duplicate attribute")
			}
		}
		p.raw = append(p.raw, rawAttr{prefix, name, value})
	}
}

func (p *parser) attributeValue() (string, error) {
	p.space()
	if p.pos >= len(p.text) || p.text[p.pos] != '=' {
		return "", p.fail(NotXML, "attribute without a value")
	}
	p.pos++
	p.space()
	if p.pos >= len(p.text) || p.text[p.pos] != '"' && p.text[p.pos] != '\'' {
		return "", p.fail(NotXML, "attribute without quotes")
	}
	end := strings.IndexByte(p.text[p.pos+1:], p.text[p.pos])
	if end < 0 {
		return "", p.fail(NotXML, "unexpected end of document")
	}
	value := p.text[p.pos+1 : p.pos+1+end]
	k := kinds(value)
	if k&(kindIllegal|kindLess) != 0 {
		return "", p.fail(NotXML, "character that XML does not allow")
	}
	if k&(kindReference|kindReturn) != 0 || k&kindSpace != 0 && strings.ContainsAny(value, "\t\n") {
		var ok bool
		if value, ok = unescape(value, true); !ok {
			return "", p.fail(NotXML, "not well-formed reference")
		}
	}
	p.pos += 1 + end + 1
	return value, nil
}

func (p *parser) endTag() error {
	if len(p.open) == 0 {
		return p.fail(NotXML, "end tag without start tag")
	}
	name := p.open[len(p.open)-1].name
	p.pos += 2
	if !strings.HasPrefix(p.text[p.pos:], name) {
		return p.fail(NotXML, "end tag of another element")
	}
	p.pos += len(name)
	p.space()
	if p.pos >= len(p.text) || p.text[p.pos] != '>' {
		return p.fail(NotXML, "end tag of another element")
	}
	p.pos++
	p.close()
	return nil
}

// close gives the innermost open element its content.
func (p *parser) close() {
	f := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	p.scope.leave(f.scope)
	pieces := p.pieces[f.pieces:]
	texts := 0
	for i := range pieces {
		if pieces[i].kid == nil {
			texts++
			f.e.text = pieces[i].text
		}
	}
	if kids := len(pieces) - texts; kids > 0 {
		f.e.kids = p.desk.kids.take(kids)[:0]
		for i := range pieces {
			if pieces[i].kid != nil {
				f.e.kids = append(f.e.kids, pieces[i].kid)
			}
		}
		numberSiblings(f.e.kids)
	}
	if texts > 0 && len(pieces) > 1 {
		f.e.mix(pieces)
	}
	clear(pieces)
	p.pieces = p.pieces[:f.pieces]
}

// space passes white space and tells whether there was any.
func (p *parser) space() bool {
	from := p.pos
	for p.pos < len(p.text) && blank(p.text[p.pos]) {
		p.pos++
	}
	return p.pos > from
}

// name reads a qualified name. A colon at an end, or two of them, make none.
func (p *parser) name() (prefix, name string, ok bool) {
	from, colon, ascii := p.pos, -1, true
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		k := nameKinds[c]
		if k == nameNone {
			break
		}
		first := p.pos == from || colon == p.pos-1 && colon >= 0
		switch {
		case k == nameColon:
			if colon >= 0 || first {
				return "", "", false
			}
			colon = p.pos
		case k == nameRest && first:
			return "", "", false
		case k == nameWide:
			ascii = false
		}
	}
	if p.pos == from || colon == p.pos-1 {
		return "", "", false
	}
	name = p.text[from:p.pos]
	if !ascii && !p.wideName(name) {
		return "", "", false
	}
	if colon >= 0 {
		prefix, name = p.text[from:colon], p.text[colon+1:p.pos]
	}
	return prefix, name, true
}

// wideName asks encoding/xml, which has the tables, whether letters beyond ASCII make a name.
func (p *parser) wideName(s string) bool {
	ok, known := p.names[s]
	if !known {
		_, err := xml.NewDecoder(strings.NewReader("<" + s + "/>")).RawToken()
		if ok = err == nil; p.names == nil {
			p.names = map[string]bool{}
		}
		p.names[s] = ok
	}
	return ok
}
