package fhir

// OperationOutcome renders issues as an R4 OperationOutcome in JSON bytes: severity, type, our
// code and its text in lang, the place as expression, and the position as diagnostics. It
// never repeats content. No issues give one informational issue, since R4 asks for at least one.
func OperationOutcome(issues []Issue, lang string) []byte {
	b := make([]byte, 0, 256+256*len(issues))
	b = append(b, `{"resourceType":"OperationOutcome","issue":[`...)
	if len(issues) == 0 {
		issues = []Issue{{Severity: SeverityInformation, Type: IssueInformational, Code: CodeAllOK}}
	}
	for n, i := range issues {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendIssue(b, i, lang)
	}
	return append(b, "]}"...)
}

func appendIssue(b []byte, i Issue, lang string) []byte {
	if i.Severity == "" {
		i.Severity = SeverityError
	}
	if i.Type == "" {
		i.Type = IssueProcessing
	}
	b = appendString(append(b, `{"severity":`...), i.Severity)
	b = appendString(append(b, `,"code":`...), string(i.Type))
	if i.Code != "" {
		b = append(b, `,"details":{"coding":[{"system":"`+CodeSystemError+`","code":`...)
		b = appendString(b, i.Code)
		b = appendString(append(b, `}],"text":`...), i.Text(lang))
		b = append(b, '}')
	}
	if i.Line > 0 {
		line, column := text{"linje ", "line "}.in(lang), text{", kolonne ", ", column "}.in(lang)
		b = appendString(append(b, `,"diagnostics":`...), line+itoa(i.Line)+column+itoa(i.Col))
	}
	if i.Expression != "" {
		b = append(b, `,"expression":[`...)
		b = append(appendString(b, i.Expression), ']')
	}
	return append(b, '}')
}
