package fhir

import "strings"

// narrativeTags are the elements that R4 narrative.html#xhtml allows, with true for those
// that have no content.
var narrativeTags = func() map[string]bool {
	m := map[string]bool{"br": true, "hr": true, "img": true, "col": true}
	for t := range strings.SplitSeq("div p span a b i u em strong small big tt sub sup pre code kbd samp var dfn cite q blockquote "+
		"abbr acronym address h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table caption colgroup thead tbody tfoot tr th td ins del", " ") {
		m[t] = false
	}
	return m
}()

// narrativeAttributes are the attributes allowed on any element. Event handlers are not among
// them, and no address may run a script.
var narrativeAttributes = func() map[string]bool {
	m := map[string]bool{}
	for a := range strings.SplitSeq("xmlns xml:lang xml:space lang dir id class style title name href rel src alt longdesc width height border align "+
		"valign char charoff cellpadding cellspacing colspan rowspan headers scope axis abbr frame rules summary span cite compact start "+
		"value type target nowrap bgcolor accesskey tabindex shape coords usemap ismap clear size noshade hspace vspace datetime", " ") {
		m[a] = true
	}
	return m
}()

// validNarrative reports whether s is one well-formed <div> of the XHTML that R4 allows in a
// narrative (txt-1) with some content (txt-2), so that it may stand in an XML document too.
func validNarrative(s string) bool {
	var open []string
	content, closed := false, false
	for i := 0; i < len(s); {
		if s[i] != '<' {
			j := strings.IndexByte(s[i:], '<')
			if j < 0 {
				j = len(s) - i
			}
			text := s[i : i+j]
			blank := strings.TrimSpace(text) == ""
			if len(open) == 0 && !blank || !validEntities(text) {
				return false
			}
			content = content || !blank
			i += j
			continue
		}
		if strings.HasPrefix(s[i:], "<!--") {
			j := strings.Index(s[i+4:], "-->")
			if j < 0 {
				return false
			}
			i += 4 + j + 3
			continue
		}
		j := tagEnd(s[i:])
		if j < 0 {
			return false
		}
		tag := s[i+1 : i+j]
		i += j + 1
		if name, ok := strings.CutPrefix(tag, "/"); ok {
			name = strings.TrimRight(name, " \t\r\n")
			if len(open) == 0 || open[len(open)-1] != name {
				return false
			}
			open = open[:len(open)-1]
			closed = len(open) == 0
			continue
		}
		body, empty := strings.CutSuffix(tag, "/")
		name := tagName(body)
		if _, ok := narrativeTags[name]; !ok || closed || len(open) == 0 && name != "div" || len(open) > 64 {
			return false
		}
		if !validAttributes(body[len(name):]) {
			return false
		}
		content = content || name == "img"
		if !empty {
			open = append(open, name)
		} else if len(open) == 0 {
			closed = true
		}
	}
	if !closed || !content {
		return false
	}
	_, ok := xhtmlOf(s)
	return ok
}

// tagEnd gives the offset of the ">" that ends the tag at the start of s, -1 when there is none.
func tagEnd(s string) int {
	quote := byte(0)
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		case c == '<':
			return -1
		}
	}
	return -1
}

func tagName(s string) string {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) {
			return s[:i]
		}
	}
	return s
}

// validAttributes reads name="value" pairs.
func validAttributes(s string) bool {
	for {
		trimmed := strings.TrimLeft(s, " \t\r\n")
		if trimmed == "" {
			return true
		}
		name, rest, ok := strings.Cut(trimmed, "=")
		if !ok || len(trimmed) == len(s) {
			return false
		}
		name = strings.TrimRight(name, " \t\r\n")
		rest = strings.TrimLeft(rest, " \t\r\n")
		if !narrativeAttributes[name] || rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return false
		}
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return false
		}
		value := rest[1 : 1+end]
		if strings.Contains(value, "<") || !validEntities(value) || (name == "href" || name == "src" || name == "style") && active(value) {
			return false
		}
		s = rest[end+2:]
	}
}

// active reports whether an address or style could run code.
func active(value string) bool {
	if strings.Contains(value, "&#") {
		return true // no address needs a character reference, and one can hide a scheme
	}
	v := strings.ToLower(strings.Join(strings.Fields(value), ""))
	return strings.Contains(v, "javascript:") || strings.Contains(v, "vbscript:") || strings.HasPrefix(v, "data:text") || strings.Contains(v, "expression(")
}

// validEntities reports whether each "&" begins an entity: &name; or a character reference.
func validEntities(s string) bool {
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return true
		}
		s = s[i+1:]
		end := strings.IndexByte(s, ';')
		if end < 1 || end > 12 {
			return false
		}
		name := strings.TrimPrefix(s[:end], "#")
		if name == "" || tagName(name) != name {
			return false
		}
		s = s[end+1:]
	}
}
