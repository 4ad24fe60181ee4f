package fhir

import (
	"os"
	"strings"
	"testing"
)

// QueryTexts gives the texts of every code of ParseQuery.
func QueryTexts() map[string][2]string {
	m := map[string][2]string{}
	for code, t := range queryTexts {
		m[code] = [2]string{t.nb, t.en}
	}
	return m
}

// Sources gives the text of source files of the package.
func Sources(t *testing.T, names ...string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}
