package fhir

import (
	"html"
	"strconv"
	"strings"
)

// narrative reads the div of a Narrative, whose start tag has been read, into a JSON string: the
// XHTML as it is written, but for what only the surrounding document explains. Prefixes of the
// XHTML namespace go, the div gets the namespace where it does not declare it itself, and CDATA
// becomes text, since a reader of the JSON form knows no CDATA.
func (x *xmlReader) narrative(h xmlHead) bool {
	text, ok := x.xhtml(h)
	if !ok {
		return false
	}
	x.out = appendString(x.out, text)
	return true
}

// xhtml reads an XHTML element to its end and gives its markup.
func (x *xmlReader) xhtml(h xmlHead) (string, bool) {
	from := h.at
	stack := append(make([]xmlHead, 0, 8), h)
	b, ok := x.startTag(make([]byte, 0, 256), h, true)
	for ok && len(stack) > 0 {
		top := stack[len(stack)-1]
		if !top.empty {
			if b, ok = x.text(b); !ok {
				break
			}
		}
		rest := x.src[x.pos:]
		switch {
		case top.empty:
			x.leave()
			stack = stack[:len(stack)-1]
		case strings.HasPrefix(rest, "</"):
			at, tag := x.pos, top.local
			if ok = x.close(top); ok {
				b = append(append(append(b, "</"...), tag...), x.src[at+2+len(top.name):x.pos]...)
				stack = stack[:len(stack)-1]
			}
		case strings.HasPrefix(rest, "<!--"):
			at := x.pos
			if ok = x.comment(); ok {
				b = append(b, x.src[at:x.pos]...)
			}
		case strings.HasPrefix(rest, "<![CDATA["):
			end := strings.Index(rest, "]]>")
			if end < 0 {
				return "", x.syntax()
			}
			b = appendXMLText(b, rest[len("<![CDATA["):end])
			x.pos += end + 3
		case !x.allowed(rest):
			return "", false
		default:
			var child xmlHead
			if child, ok = x.open(); !ok {
				return "", false
			}
			if child.space != spaceXHTML {
				return "", x.fault(int(child.at), CodeXMLNamespace, IssueStructure, safeName(child.local), xmlXHTML)
			}
			b, ok = x.startTag(b, child, false)
			stack = append(stack, child)
		}
	}
	if !ok {
		return "", false
	}
	if raw := x.src[from:x.pos]; raw == string(b) {
		return raw, true // no copy of its own
	}
	return string(b), true
}

// text takes the character data up to the next tag.
func (x *xmlReader) text(b []byte) ([]byte, bool) {
	n := strings.IndexByte(x.src[x.pos:], '<')
	if n < 0 {
		x.pos = len(x.src)
		return b, x.syntax()
	}
	text := x.src[x.pos : x.pos+n]
	if i := strings.Index(text, "]]>"); i >= 0 {
		x.pos += i
		return b, x.syntax()
	}
	if i := badEntity(text); i >= 0 {
		return b, x.fault(x.pos+min(i, n), CodeXMLEntity, IssueSecurity)
	}
	x.pos += n
	return append(b, text...), true
}

// startTag gives the tag as it is written when it needs nothing from outside; else it is written anew.
func (x *xmlReader) startTag(b []byte, h xmlHead, root bool) ([]byte, bool) {
	for i := range x.attrs {
		if a := &x.attrs[i]; a.prefix != "" && a.prefix != "xml" {
			return b, x.fault(int(h.at), CodeXMLAttribute, IssueStructure, safeName(a.local))
		}
	}
	if !h.mixed && (h.rooted || !root) {
		return append(b, x.src[h.at:h.end]...), true
	}
	b = append(append(b, '<'), h.local...)
	if root {
		b = append(b, ` xmlns="`+xmlXHTML+`"`...)
	}
	for i := range x.attrs {
		a := &x.attrs[i]
		b = append(b, ' ')
		if a.prefix != "" {
			b = append(append(b, a.prefix...), ':')
		}
		b = append(append(b, a.local...), '=', a.quote)
		b = append(append(b, a.raw...), a.quote)
	}
	if h.empty {
		b = append(b, '/')
	}
	return append(b, '>'), true
}

// xhtmlOf gives the div of a JSON narrative as markup that may stand in an XML document: one
// well-formed div of the XHTML namespace, with nothing that depends on a declaration elsewhere.
func xhtmlOf(div string) (string, bool) {
	div = numbered(div)
	x := &xmlReader{doc: &document{body: []byte(div)}, src: div, limits: Limits{Bytes: len(div)}.orDefaults()}
	if xmlCharacters(div) >= 0 || x.next() != xmlStart {
		return "", false
	}
	h, ok := x.open()
	if !ok || h.local != "div" || h.space != spaceXHTML && (h.space != spaceNone || h.rooted) {
		return "", false
	}
	if h.space == spaceNone {
		x.bound = append(x.bound, xmlBinding{space: spaceXHTML, depth: x.depth})
	}
	text, ok := x.xhtml(h)
	if !ok || x.next() != xmlDone || len(x.issues) > 0 {
		return "", false
	}
	return text, true
}

// numbered writes HTML's named characters, which XML knows only by a declaration, by number.
func numbered(s string) string {
	var b []byte
	from := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '&' {
			continue
		}
		end := strings.IndexByte(s[i:min(len(s), i+12)], ';')
		if _, n := entity(s[i:]); n > 0 || end < 2 || tagName(s[i+1:]) != s[i+1:i+end] {
			continue
		}
		named := s[i : i+end+1]
		text := html.UnescapeString(named)
		if text == named || strings.HasSuffix(text, ";") {
			continue
		}
		b = append(b, s[from:i]...)
		for _, r := range text {
			b = strconv.AppendInt(append(b, "&#"...), int64(r), 10)
			b = append(b, ';')
		}
		from = i + end + 1
	}
	if from == 0 {
		return s
	}
	return string(append(b, s[from:]...))
}
