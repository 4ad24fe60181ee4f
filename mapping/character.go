package mapping

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// What the bytes of a name are.
const (
	nameNone byte = iota
	nameStart
	nameRest
	nameColon
	nameWide
)

var nameKinds = func() (k [256]byte) {
	for c := range k {
		switch {
		case c >= utf8.RuneSelf:
			k[c] = nameWide
		case c == ':':
			k[c] = nameColon
		case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			k[c] = nameStart
		case c == '-' || c == '.' || '0' <= c && c <= '9':
			k[c] = nameRest
		}
	}
	return k
}()

// What kinds of bytes a text has.
const (
	kindPlain byte = 1 << iota
	kindSpace
	kindReturn
	kindReference
	kindBracket
	kindLess
	kindIllegal
	kindLast // of three bytes, the first of U+FFFE and U+FFFF
)

var byteKinds = func() (k [256]byte) {
	for c := range k {
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			k[c] = kindSpace
		case c == '\r':
			k[c] = kindReturn
		case c < ' ':
			k[c] = kindIllegal
		case c == '&':
			k[c] = kindReference
		case c == ']':
			k[c] = kindBracket
		case c == '<':
			k[c] = kindLess
		case c == 0xEF:
			k[c] = kindPlain | kindLast
		default:
			k[c] = kindPlain
		}
	}
	return k
}()

// kinds tells which kinds of bytes stand in valid UTF-8.
func kinds(s string) (k byte) {
	for i := 0; i < len(s); i++ {
		k |= byteKinds[s[i]]
	}
	if k&kindLast != 0 && (strings.Contains(s, "\ufffe") || strings.Contains(s, "\uffff")) {
		k |= kindIllegal
	}
	return k
}

// lineEnds is § 2.11.
func lineEnds(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// unescape expands references, normalises line ends and, in an attribute, turns literal white space into spaces.
func unescape(s string, attribute bool) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '&':
			end := strings.IndexByte(s[i:], ';')
			if end < 0 {
				return "", false
			}
			r, ok := expand(s[i+1 : i+end])
			if !ok {
				return "", false
			}
			b = utf8.AppendRune(b, r)
			i += end
			continue
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				continue // the line feed stands for both
			}
			c = '\n'
		}
		if attribute && (c == '\n' || c == '\t') {
			c = ' '
		}
		b = append(b, c)
	}
	return string(b), true
}

// expand gives what stands between & and ;. Only the five entities of XML itself are known.
func expand(s string) (rune, bool) {
	switch s {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, ok := strings.CutPrefix(s, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, base, 32)
	r := rune(n)
	return r, err == nil && (r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune)
}
