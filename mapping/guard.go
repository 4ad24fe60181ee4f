package mapping

import (
	"bytes"
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
// prefixes. Entities are never expanded and nothing is fetched. The document comes without its XML declaration. An
// error is an *Error and quotes nothing of the document.
func ReadXML(raw []byte, l Limits) (*etree.Document, error) {
	doc, _, err := parse(raw, l)
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// parse is ReadXML with the tree that has its namespaces resolved; each element of it knows its own in the document.
func parse(raw []byte, l Limits) (*etree.Document, *elem, error) {
	p, err := parseWith(raw, l, etree.NewDocument())
	if err != nil {
		return nil, nil, err
	}
	return p.doc, p.root, nil
}

// parseLean is parse without the document, for what is only read. It tells whether there are comments that say
// something.
func parseLean(raw []byte) (root *elem, comments bool, err error) { return parseOn(&desk{}, raw) }

// parseOn is parseLean on a desk, which the tree lies on.
func parseOn(d *desk, raw []byte) (root *elem, comments bool, err error) {
	p, err := parseAt(d, raw, Limits{}, nil)
	if err != nil {
		return nil, false, err
	}
	return p.root, p.comments, nil
}

func parseWith(raw []byte, l Limits, doc *etree.Document) (*parser, error) {
	return parseAt(&desk{}, raw, l, doc)
}

func parseAt(d *desk, raw []byte, l Limits, doc *etree.Document) (*parser, error) {
	l = l.orDefault()
	if len(raw) > l.Bytes {
		return nil, fault(TooLarge, "", "document over the limit")
	}
	text, err := decode(raw)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, limits: l, doc: doc, desk: d}
	if strings.Count(text, "<") > l.Nodes && crowded(text, l.Nodes) {
		return nil, fault(TooLarge, "", "too many nodes")
	}
	return p, p.run()
}

// crowded tells of more nodes than there may be, before any of them is made.
func crowded(text string, limit int) bool {
	for nodes := 0; nodes <= limit; nodes++ {
		at := strings.IndexByte(text, '<')
		if at < 0 {
			return false
		}
		text = text[at:]
		end := "<"
		switch {
		case strings.HasPrefix(text, "<!--"):
			end = "-->"
		case strings.HasPrefix(text, "<![CDATA["):
			end = "]]>"
		}
		if at = strings.Index(text[1:], end); at < 0 {
			return nodes+1 > limit
		}
		text = text[1+at:]
	}
	return true
}

// decode returns the document as UTF-8 without byte order mark. Only UTF-8, ISO-8859-1 and windows-1252 are read.
func decode(raw []byte) (string, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if len(raw) >= 2 && (raw[0] == 0xFE && raw[1] == 0xFF || raw[0] == 0xFF && raw[1] == 0xFE || raw[0] == 0 || raw[1] == 0) {
		return "", fault(Charset, "", "UTF-16 and UTF-32 are not read")
	}
	switch declared := declaredCharset(raw); declared {
	case "", "utf-8", "us-ascii":
		if !utf8.Valid(raw) {
			return "", fault(Charset, "", "bytes that are not UTF-8")
		}
		return string(raw), nil
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return fromLatin(raw, declared == "windows-1252" || declared == "cp1252")
	}
	return "", fault(Charset, "", "declared character set is not read")
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
	return strings.ToLower(pseudo(string(raw[:end]), "encoding"))
}

// pseudo returns what an XML declaration says of a name, "" when nothing and "malformed" when it cannot be told.
func pseudo(declaration, name string) string {
	_, rest, ok := strings.Cut(declaration, name)
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
		return "malformed"
	}
	value, _, ok := strings.Cut(rest[1:], rest[:1])
	if !ok {
		return "malformed"
	}
	return value
}

// windows1252 holds what differs from ISO-8859-1 at 0x80–0x9F; 0 is undefined there.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

// fromLatin transcodes one-byte text. In ISO-8859-1 the bytes 0x80–0x9F are control characters, which no sender
// means: as browsers do (WHATWG encoding), they are read as windows-1252.
func fromLatin(raw []byte, strict bool) (string, error) {
	var out strings.Builder
	out.Grow(len(raw) + len(raw)/16)
	for _, b := range raw {
		switch {
		case b < 0x80:
			out.WriteByte(b)
		case b < 0xA0:
			r := windows1252[b-0x80]
			if r == 0 {
				if strict {
					return "", fault(Charset, "", "byte undefined in windows-1252")
				}
				r = rune(b)
			}
			out.WriteRune(r)
		default:
			out.WriteRune(rune(b))
		}
	}
	return out.String(), nil
}
