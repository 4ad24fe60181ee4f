package postgres

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold gives the form in which string values are compared: case and accents do not count, while
// æ, ø and å are letters of their own (DESIGN § 5, REST). Runs of white space are one space.
func Fold(s string) string {
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
		switch {
		case r < 0x80, r == 'æ', r == 'ø', r == 'å':
			b.WriteRune(r)
		default:
			for _, d := range norm.NFD.String(string(r)) {
				if !unicode.Is(unicode.Mn, d) {
					b.WriteRune(unicode.ToLower(d))
				}
			}
		}
	}
	return b.String()
}

// above gives a text above every text that begins with prefix, in the order of code points.
func above(prefix string) string { return prefix + "\U0010FFFF" }
