package fhir

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlHead is a start tag. Its attributes are in xmlReader.attrs until the next one is read.
type xmlHead struct {
	name   string // as written, with its prefix
	local  string // without it
	at     int32  // offset of "<"
	end    int32  // offset after ">"
	space  xmlSpace
	empty  bool // <name/>
	mixed  bool // has a prefix, or declares one: XHTML must be rewritten
	rooted bool // declares the default namespace itself
}

// xmlSpace is a namespace.
type xmlSpace uint8

const (
	spaceNone xmlSpace = iota
	spaceOther
	spaceFHIR
	spaceXHTML
	spaceSchema // XML Schema's attributes in instances
	spaceSelf   // the prefix xml
)

// spaceOf finds the namespace of a URI.
func spaceOf(uri string) xmlSpace {
	switch uri {
	case "":
		return spaceNone
	case xmlFHIR:
		return spaceFHIR
	case xmlXHTML:
		return spaceXHTML
	case xmlSchema:
		return spaceSchema
	case xmlSelf:
		return spaceSelf
	}
	return spaceOther
}

// xmlAttr is one attribute that is no namespace declaration.
type xmlAttr struct {
	prefix, local string
	raw           string // as written between the quotes
	quote         byte
}

// xmlBinding is a namespace declaration and the depth of its element.
type xmlBinding struct {
	prefix string
	space  xmlSpace
	depth  int
}

// space gives the namespace that a prefix stands for.
func (x *xmlReader) space(prefix string) (xmlSpace, bool) {
	for i := len(x.bound) - 1; i >= 0; i-- {
		if x.bound[i].prefix == prefix {
			return x.bound[i].space, true
		}
	}
	if prefix == "xml" {
		return spaceSelf, true
	}
	return spaceNone, prefix == ""
}

// blank skips white space.
func (x *xmlReader) blank() {
	for x.pos < len(x.src) {
		switch x.src[x.pos] {
		case ' ', '\t', '\n', '\r':
			x.pos++
		default:
			return
		}
	}
}

// syntax records that the document is not well-formed at the present place.
func (x *xmlReader) syntax() bool {
	return x.fault(x.pos, CodeXMLSyntax, IssueStructure)
}

// prolog reads the XML declaration, if there is one, and refuses every other encoding.
func (x *xmlReader) prolog() bool {
	if strings.HasPrefix(x.src, "\xfe\xff") || strings.HasPrefix(x.src, "\xff\xfe") || strings.HasPrefix(x.src, "\x00") || strings.HasPrefix(x.src, "<\x00") {
		return x.fault(0, CodeXMLEncoding, IssueNotSupported)
	}
	if strings.HasPrefix(x.src, "\ufeff") {
		x.pos = len("\ufeff")
	}
	rest := x.src[x.pos:]
	if !strings.HasPrefix(rest, "<?xml") || len(rest) < 6 || !blankByte(rest[5]) {
		return true
	}
	end := strings.Index(rest, "?>")
	if end < 0 {
		return x.syntax()
	}
	values, ok := declaration(rest[5:end])
	if !ok || values[0] != "1.0" {
		return x.syntax()
	}
	if e := values[1]; e != "" && !strings.EqualFold(e, "UTF-8") && !strings.EqualFold(e, "US-ASCII") {
		return x.fault(x.pos, CodeXMLEncoding, IssueNotSupported)
	}
	x.pos += end + 2
	return true
}

// declaration reads version, encoding and standalone, in this order (XML 1.0 § 2.8).
func declaration(s string) (values [3]string, ok bool) {
	for i, name := range []string{"version", "encoding", "standalone"} {
		trimmed := strings.TrimLeft(s, " \t\r\n")
		rest, found := strings.CutPrefix(trimmed, name)
		if !found || len(trimmed) == len(s) {
			continue
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest, found = strings.CutPrefix(rest, "="); !found {
			return values, false
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return values, false
		}
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return values, false
		}
		values[i], s = rest[1:1+end], rest[end+2:]
	}
	return values, strings.TrimLeft(s, " \t\r\n") == ""
}

func blankByte(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// What follows the white space and comments between two elements.
type xmlNext uint8

const (
	xmlStop  xmlNext = iota // a fault that ends the reading
	xmlStart                // a start tag
	xmlEnd                  // an end tag
	xmlDone                 // the end of the document
)

// next skips white space and comments up to a tag. Text is a fault that reading survives.
func (x *xmlReader) next() xmlNext {
	for {
		x.blank()
		if x.pos >= len(x.src) {
			return xmlDone
		}
		rest := x.src[x.pos:]
		switch {
		case rest[0] != '<':
			if !x.mild(x.pos, CodeXMLText, IssueStructure) {
				return xmlStop
			}
			n := strings.IndexByte(rest, '<')
			if n < 0 {
				n = len(rest)
			}
			x.pos += n
		case strings.HasPrefix(rest, "</"):
			return xmlEnd
		case strings.HasPrefix(rest, "<!--"):
			if !x.comment() {
				return xmlStop
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			x.fault(x.pos, CodeXMLText, IssueStructure)
			return xmlStop
		case !x.allowed(rest):
			return xmlStop
		default:
			return xmlStart
		}
	}
}

// allowed refuses declarations and processing instructions wherever they stand.
func (x *xmlReader) allowed(rest string) bool {
	switch {
	case strings.HasPrefix(rest, "<!"):
		return x.fault(x.pos, CodeXMLDTD, IssueSecurity)
	case strings.HasPrefix(rest, "<?"):
		return x.fault(x.pos, CodeXMLInstruction, IssueSecurity)
	}
	return true
}

// comment skips a comment, which may not hold "--" (XML 1.0 § 2.5).
func (x *xmlReader) comment() bool {
	n := strings.Index(x.src[x.pos+4:], "--")
	if n < 0 || !strings.HasPrefix(x.src[x.pos+4+n:], "-->") {
		return x.syntax()
	}
	x.pos += 4 + n + 3
	return true
}

// nameBytes marks the bytes of a name. FHIR and XHTML have no name outside ASCII.
var nameBytes = func() (t [256]bool) {
	for i := range t {
		c := byte(i)
		t[i] = isAlphanumeric(c) || c == '-' || c == '_' || c == '.' || c == ':'
	}
	return t
}()

// name reads a qualified name.
func (x *xmlReader) name() (prefix, local string, ok bool) {
	from := x.pos
	for x.pos < len(x.src) && nameBytes[x.src[x.pos]] {
		x.pos++
	}
	name := x.src[from:x.pos]
	local = name
	if i := strings.IndexByte(name, ':'); i >= 0 {
		prefix, local = name[:i], name[i+1:]
		if !nameStart(prefix) || strings.IndexByte(local, ':') >= 0 {
			return "", "", false
		}
	}
	return prefix, local, nameStart(local)
}

// nameStart reports whether s begins as a name may.
func nameStart(s string) bool {
	return s != "" && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' || s[0] == '_')
}

// open reads the start tag at the present place, which is a "<", and its namespaces.
func (x *xmlReader) open() (h xmlHead, ok bool) {
	if x.depth++; x.depth > x.limits.Depth {
		return h, x.fault(x.pos, CodeParseDepth, IssueTooCostly, itoa(x.limits.Depth))
	}
	if x.nodes++; x.nodes > x.limits.Nodes {
		return h, x.fault(x.pos, CodeParseNodes, IssueTooCostly, itoa(x.limits.Nodes))
	}
	h.at = int32(x.pos)
	x.pos++
	var prefix string
	if prefix, h.local, ok = x.name(); !ok {
		return h, x.syntax()
	}
	h.name = x.src[h.at+1 : x.pos]
	x.attrs = x.attrs[:0]
	declared := len(x.bound)
	for {
		from := x.pos
		x.blank()
		if x.pos >= len(x.src) {
			return h, x.syntax()
		}
		if c := x.src[x.pos]; c == '>' {
			x.pos++
			break
		} else if c == '/' {
			if !strings.HasPrefix(x.src[x.pos:], "/>") {
				return h, x.syntax()
			}
			x.pos += 2
			h.empty = true
			break
		}
		if from == x.pos || !x.attribute(&h, declared) {
			if from == x.pos {
				x.syntax()
			}
			return h, false
		}
	}
	h.end = int32(x.pos)
	if h.space, ok = x.space(prefix); !ok {
		return h, x.fault(int(h.at), CodeXMLSyntax, IssueStructure)
	}
	h.mixed = h.mixed || prefix != ""
	return h, true
}

// attribute reads one attribute or namespace declaration.
func (x *xmlReader) attribute(h *xmlHead, declared int) bool {
	at := x.pos
	prefix, local, ok := x.name()
	if !ok {
		return x.syntax()
	}
	x.blank()
	if x.pos >= len(x.src) || x.src[x.pos] != '=' {
		return x.syntax()
	}
	x.pos++
	x.blank()
	if x.pos >= len(x.src) || x.src[x.pos] != '"' && x.src[x.pos] != '\'' {
		return x.syntax()
	}
	quote := x.src[x.pos]
	n := strings.IndexByte(x.src[x.pos+1:], quote)
	if n < 0 {
		return x.syntax()
	}
	raw := x.src[x.pos+1 : x.pos+1+n]
	if i := strings.IndexByte(raw, '<'); i >= 0 {
		x.pos += 1 + i
		return x.syntax()
	}
	if i := badEntity(raw); i >= 0 {
		return x.fault(x.pos+1+i, CodeXMLEntity, IssueSecurity)
	}
	x.pos += n + 2
	if prefix == "xmlns" || prefix == "" && local == "xmlns" {
		return x.declare(h, declared, prefix, local, unescapeXML(raw))
	}
	for i := range x.attrs {
		if a := &x.attrs[i]; a.local == local && a.prefix == prefix {
			return x.fault(at, CodeXMLSyntax, IssueStructure)
		}
	}
	if len(x.attrs) >= maxXMLAttributes {
		return x.fault(at, CodeParseNodes, IssueTooCostly, itoa(maxXMLAttributes))
	}
	x.attrs = append(x.attrs, xmlAttr{prefix: prefix, local: local, raw: raw, quote: quote})
	return true
}

// declare binds a prefix, or the default namespace, for the element being read.
func (x *xmlReader) declare(h *xmlHead, declared int, prefix, local, uri string) bool {
	if prefix == "" {
		local, h.rooted = "", true
	} else {
		h.mixed = true
	}
	if local == "xml" || local == "xmlns" || uri == xmlSelf || uri == "" && local != "" || len(x.bound)-declared >= maxXMLAttributes {
		return x.syntax()
	}
	for _, b := range x.bound[declared:] {
		if b.prefix == local {
			return x.syntax()
		}
	}
	x.bound = append(x.bound, xmlBinding{prefix: local, space: spaceOf(uri), depth: x.depth})
	return true
}

// close reads the end tag of an element, or takes the end of an empty one.
func (x *xmlReader) close(h xmlHead) bool {
	if !h.empty {
		rest := x.src[x.pos:]
		if !strings.HasPrefix(rest, "</") || !strings.HasPrefix(rest[2:], h.name) {
			return x.syntax()
		}
		x.pos += 2 + len(h.name)
		x.blank()
		if x.pos >= len(x.src) || x.src[x.pos] != '>' {
			return x.syntax()
		}
		x.pos++
	}
	x.leave()
	return true
}

// leave ends the scope of an element's namespaces.
func (x *xmlReader) leave() {
	for len(x.bound) > 0 && x.bound[len(x.bound)-1].depth >= x.depth {
		x.bound = x.bound[:len(x.bound)-1]
	}
	x.depth--
}

// badEntity gives the offset of the first "&" that begins neither one of XML's five entities nor
// a reference to a character that XML allows; -1 when there is none.
func badEntity(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '&')
		if i < 0 {
			return -1
		}
		from += i
		r, n := entity(s[from:])
		if n == 0 || r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return from
		}
		from += n
	}
}

// entity reads the reference at the start of s: its character and length, 0 when it is none.
func entity(s string) (rune, int) {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := s[1:end]; {
	case name == "amp":
		return '&', end + 1
	case name == "lt":
		return '<', end + 1
	case name == "gt":
		return '>', end + 1
	case name == "quot":
		return '"', end + 1
	case name == "apos":
		return '\'', end + 1
	case name[0] == '#':
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || !utf8.ValidRune(rune(n)) || n > utf8.MaxRune {
			return 0, 0
		}
		return rune(n), end + 1
	}
	return 0, 0
}

// unescapeXML gives the value of an attribute: references resolved, and white space that is
// written as such normalised to a blank (XML 1.0 § 3.3.3).
func unescapeXML(raw string) string {
	i := strings.IndexAny(raw, "&\t\n\r")
	if i < 0 {
		return raw
	}
	b := append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		switch c := raw[i]; c {
		case '&':
			r, n := entity(raw[i:])
			b = utf8.AppendRune(b, r)
			i += max(n, 1)
			continue
		case '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			b = append(b, ' ')
		case '\t', '\n':
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
		i++
	}
	return string(b)
}
