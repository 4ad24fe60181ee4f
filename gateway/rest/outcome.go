package rest

import (
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// outcome renders issues as an OperationOutcome (R4 operationoutcome.html) in the language. Every
// issue has a stable code of ours in details.coding and a text for people in details.text; a code
// without a text of this package has it from package fhir.
func outcome(issues []fhir.Issue, lang string) []byte {
	b := []byte(`{"resourceType":"OperationOutcome","issue":[`)
	for n, i := range issues {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"severity":`...)
		b = fhir.AppendString(b, i.Severity)
		b = append(b, `,"code":`...)
		b = fhir.AppendString(b, string(i.Type))
		b = append(b, `,"details":{"coding":[{"system":"`+fhir.CodeSystemError+`","code":`...)
		b = fhir.AppendString(b, i.Code)
		b = append(b, `}],"text":`...)
		b = fhir.AppendString(b, sentence(i, lang))
		b = append(b, '}')
		if i.Line > 0 {
			b = append(b, `,"diagnostics":`...)
			line, column := "linje ", ", kolonne "
			if lang == "en" {
				line, column = "line ", ", column "
			}
			b = fhir.AppendString(b, line+strconv.Itoa(i.Line)+column+strconv.Itoa(i.Col))
		}
		if i.Expression != "" {
			b = append(b, `,"expression":[`...)
			b = fhir.AppendString(b, i.Expression)
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// sentence gives the text of an issue in "nb" or "en".
func sentence(i fhir.Issue, lang string) string {
	t, ok := texts[i.Code]
	if !ok {
		return i.Text(lang)
	}
	pattern := t.nb
	if lang == "en" {
		pattern = t.en
	}
	for n, arg := range i.Args {
		pattern = strings.ReplaceAll(pattern, "{"+strconv.Itoa(n)+"}", arg)
	}
	return pattern
}
