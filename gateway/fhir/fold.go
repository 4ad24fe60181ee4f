package fhir

import "unicode"

// foldRune gives the least character of r's orbit under simple case folding, so that two
// names are equal under strings.EqualFold exactly when their folded forms are equal.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
