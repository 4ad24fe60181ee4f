package mapping

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Limits bounds what ReadXML accepts. A zero field takes the default.
type Limits struct {
	Bytes      int // document size; default 10 MiB (DESIGN § 5)
	Depth      int // nesting; default 100
	Nodes      int // tags, comments and CDATA sections together; default 200,000
	Attributes int // per element; default 64
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 10 << 20
	}
	if l.Depth == 0 {
		l.Depth = 100
	}
	if l.Nodes == 0 {
		l.Nodes = 200_000
	}
	if l.Attributes == 0 {
		l.Attributes = 64
	}
	return l
}

// ReadXML parses an XML document behind the guards that an XML parser alone leaves open: size, character set, depth,
// number of nodes and attributes, DOCTYPE, processing instructions, duplicate attributes, several roots, unbound
// prefixes. Entities are never expanded and nothing is fetched. An error is an *Error and quotes nothing of the
// document.
func ReadXML(raw []byte, l Limits) (*etree.Document, error) {
	doc, _, err := parse(raw, l)
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// parse is ReadXML with the tree that has its namespaces resolved.
func parse(raw []byte, l Limits) (*etree.Document, *elem, error) { return parseText(raw, l, false) }

// parseLean is parse without the white space between tags, which is no value and a good part of the bytes.
func parseLean(raw []byte) (*etree.Document, *elem, error) { return parseText(raw, Limits{}, true) }

func parseText(raw []byte, l Limits, lean bool) (*etree.Document, *elem, error) {
	l = l.orDefault()
	if len(raw) > l.Bytes {
		return nil, nil, fault(TooLarge, "", "document over the limit")
	}
	text, err := decode(raw)
	if err != nil {
		return nil, nil, err
	}
	tight, err := scan(text, l)
	if err != nil {
		return nil, nil, err
	}
	if lean {
		text = tight
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{
		CharsetReader:          func(_ string, in io.Reader) (io.Reader, error) { return in, nil }, // decoded above
		MaxDepth:               l.Depth + 1,                                                        // scan has counted already
		PreserveDuplicateAttrs: true,
	}
	if err := doc.ReadFromBytes(text); err != nil {
		if lean {
			return parse(raw, l) // for the line of the error
		}
		return nil, nil, notWellFormed(err)
	}
	root := doc.Root()
	if root == nil {
		return nil, nil, fault(NotXML, "", "no root element")
	}
	tree, err := resolve(root)
	if err != nil {
		return nil, nil, err
	}
	return doc, tree, nil
}

// notWellFormed keeps the line of the parser's error and drops its text, which may quote the document.
func notWellFormed(err error) *Error {
	e := fault(NotXML, "", "not well-formed")
	var syntax interface{ Error() string } = err
	if s := syntax.Error(); strings.HasPrefix(s, "XML syntax error on line ") {
		for _, c := range s[len("XML syntax error on line "):] {
			if c < '0' || c > '9' || e.Line > 1<<24 {
				break
			}
			e.Line = e.Line*10 + int(c-'0')
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Text = "unexpected end of document"
	}
	return e
}

// decode returns the document as UTF-8 without byte order mark. Only UTF-8, ISO-8859-1 and windows-1252 are read.
func decode(raw []byte) ([]byte, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if len(raw) >= 2 && (raw[0] == 0xFE && raw[1] == 0xFF || raw[0] == 0xFF && raw[1] == 0xFE || raw[0] == 0 || raw[1] == 0) {
		return nil, fault(Charset, "", "UTF-16 and UTF-32 are not read")
	}
	switch declared := declaredCharset(raw); declared {
	case "", "utf-8", "us-ascii":
		if !utf8.Valid(raw) {
			return nil, fault(Charset, "", "bytes that are not UTF-8")
		}
		return raw, nil
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return fromLatin(raw, declared == "windows-1252" || declared == "cp1252")
	}
	return nil, fault(Charset, "", "declared character set is not read")
}

// declaredCharset returns the encoding of the XML declaration in lower case, "" when there is none.
func declaredCharset(raw []byte) string {
	if !bytes.HasPrefix(raw, []byte("<?xml")) {
		return ""
	}
	end := bytes.Index(raw, []byte("?>"))
	if end < 0 || end > 1024 {
		return "unclosed"
	}
	decl := raw[:end]
	at := bytes.Index(decl, []byte("encoding"))
	if at < 0 {
		return ""
	}
	rest := bytes.TrimLeft(decl[at+len("encoding"):], " \t\r\n=")
	if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
		return "malformed"
	}
	stop := bytes.IndexByte(rest[1:], rest[0])
	if stop < 0 {
		return "malformed"
	}
	return strings.ToLower(string(rest[1 : 1+stop]))
}

// windows1252 holds what differs from ISO-8859-1 at 0x80–0x9F; 0 is undefined there.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

// fromLatin transcodes one-byte text. In ISO-8859-1 the bytes 0x80–0x9F are control characters, which no sender
// means: as browsers do (WHATWG encoding), they are read as windows-1252.
func fromLatin(raw []byte, strict bool) ([]byte, error) {
	out := make([]byte, 0, len(raw)+len(raw)/16)
	for _, b := range raw {
		switch {
		case b < 0x80:
			out = append(out, b)
		case b < 0xA0:
			r := windows1252[b-0x80]
			if r == 0 {
				if strict {
					return nil, fault(Charset, "", "byte undefined in windows-1252")
				}
				r = rune(b)
			}
			out = utf8.AppendRune(out, r)
		default:
			out = utf8.AppendRune(out, rune(b))
		}
	}
	return out, nil
}

// scanner walks the markup once without building anything, so that a hostile document costs no memory.
type scanner struct {
	text         []byte
	pos          int
	depth, nodes int
	roots        int
	limits       Limits
}

// scan enforces the guards that must hold before a tree is built. It returns the text without the white space between
// one tag and the next.
func scan(text []byte, l Limits) ([]byte, error) {
	s := &scanner{text: text, limits: l}
	tight, from, afterTag := make([]byte, 0, len(text)), 0, false
	for {
		next := bytes.IndexByte(s.text[s.pos:], '<')
		if next < 0 {
			next = len(s.text) - s.pos
		}
		white := len(bytes.Trim(s.text[s.pos:s.pos+next], " \t\r\n")) == 0
		if s.depth == 0 && !white {
			return nil, s.fail(Forbidden, "text outside the root element")
		}
		tag := s.pos+next+1 < len(s.text) && s.text[s.pos+next+1] != '!' // a comment or CDATA may stand in the middle of a text
		if white && next > 0 && tag && afterTag {
			tight, from = append(tight, s.text[from:s.pos]...), s.pos+next
		}
		if s.pos += next; s.pos >= len(s.text) {
			break
		}
		if s.nodes++; s.nodes > l.Nodes {
			return nil, s.fail(TooLarge, "too many nodes")
		}
		if err := s.markup(); err != nil {
			return nil, err
		}
		afterTag = tag
	}
	if s.roots != 1 {
		return nil, s.fail(NotXML, "not exactly one root element")
	}
	return append(tight, s.text[from:]...), nil
}

func (s *scanner) fail(code Code, text string) *Error {
	e := fault(code, "", text)
	e.Line = 1 + bytes.Count(s.text[:min(s.pos, len(s.text))], []byte("\n"))
	return e
}

// markup consumes one construct that begins with '<' at pos.
func (s *scanner) markup() error {
	rest := s.text[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return s.skip(4, "-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if s.depth == 0 {
			return s.fail(Forbidden, "text outside the root element")
		}
		return s.skip(9, "]]>")
	case bytes.HasPrefix(rest, []byte("<!")):
		return s.fail(Forbidden, "DOCTYPE or another directive")
	case bytes.HasPrefix(rest, []byte("<?")):
		if s.pos != 0 || !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) < 6 || !blank(rest[5]) {
			return s.fail(Forbidden, "processing instruction")
		}
		return s.skip(2, "?>")
	case bytes.HasPrefix(rest, []byte("</")):
		if s.depth--; s.depth < 0 {
			return s.fail(NotXML, "end tag without start tag")
		}
		return s.skip(2, ">")
	}
	return s.startTag()
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func (s *scanner) skip(from int, end string) error {
	i := bytes.Index(s.text[s.pos+from:], []byte(end))
	if i < 0 {
		return s.fail(NotXML, "unexpected end of document")
	}
	s.pos += from + i + len(end)
	return nil
}

func (s *scanner) startTag() error {
	if s.depth == 0 {
		if s.roots++; s.roots > 1 {
			return s.fail(Forbidden, "more than one root element")
		}
	}
	if s.depth++; s.depth > s.limits.Depth {
		return s.fail(TooLarge, "nested too deep")
	}
	attributes := 0
	for i := s.pos + 1; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '"', '\'':
			if attributes++; attributes > s.limits.Attributes {
				return s.fail(TooLarge, "too many attributes")
			}
			end := bytes.IndexByte(s.text[i+1:], c)
			if end < 0 {
				return s.fail(NotXML, "unexpected end of document")
			}
			i += end + 1
			if i+1 < len(s.text) && s.text[i+1] != '>' && s.text[i+1] != '/' && !blank(s.text[i+1]) {
				return s.fail(NotXML, "attributes without a space between") // encoding/xml lets it pass
			}
		case '<':
			return s.fail(NotXML, "tag inside a tag")
		case '>':
			if s.text[i-1] == '/' {
				s.depth--
			}
			s.pos = i + 1
			return nil
		}
	}
	return s.fail(NotXML, "unexpected end of document")
}
