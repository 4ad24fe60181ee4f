package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// A canary is a word that stands nowhere but in content of one label. Where the word is seen,
// that content has come; nothing else counts as proof that it crossed, or that it did not.
var canaryPattern = regexp.MustCompile(`kanari-([a-z-]+)-([0-9a-f]{4})`)

func canary(label string) string {
	sum := sha256.Sum256([]byte("kanari " + label))
	return "kanari-" + label + "-" + hex.EncodeToString(sum[:2])
}

// seen lists the labels whose canary stands in the bytes, sorted.
func seen(body ...[]byte) []string {
	var labels []string
	for _, b := range body {
		for _, m := range canaryPattern.FindAllSubmatch(b, -1) {
			if label := string(m[1]); canary(label) == string(m[0]) && !slices.Contains(labels, label) {
				labels = append(labels, label)
			}
		}
	}
	slices.Sort(labels)
	return labels
}

// without gives what is in all and not in some.
func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(l string) bool { return slices.Contains(some, l) })
}

// listed writes labels as one cell.
func listed(labels []string) string {
	if len(labels) == 0 {
		return "–"
	}
	return strings.Join(labels, " ")
}
