package fhir

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldRune gives the least character of r's orbit under simple case folding, so that two
// names are equal under strings.EqualFold exactly when their folded forms are equal.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// Fold gives the form in which string values are compared: case and accents do not count, while
// æ, ø and å are letters of their own; ä and ö are the accents of a and o that Unicode says they
// are. Runs of white space are one space, and none stands at either end (R4 search.html#string).
func Fold(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c < utf8.RuneSelf && (c > ' ' || c == ' ' && i > 0 && i+1 < len(s) && s[i-1] != ' ')
	}
	if plain {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range norm.NFC.String(s) {
		r = unicode.ToLower(r)
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case space:
			b.WriteByte(' ')
			space = false
		}
		if r < utf8.RuneSelf || r == 'æ' || r == 'ø' || r == 'å' {
			b.WriteRune(r)
			continue
		}
		for _, d := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, d) {
				b.WriteRune(unicode.ToLower(d))
			}
		}
	}
	return b.String()
}
