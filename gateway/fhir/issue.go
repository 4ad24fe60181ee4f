package fhir

import "strings"

// IssueType is a code of http://hl7.org/fhir/issue-type (R4 valueset-issue-type.html).
type IssueType string

// The issue types that Sluse gives.
const (
	IssueInvalid         IssueType = "invalid"
	IssueStructure       IssueType = "structure"
	IssueRequired        IssueType = "required"
	IssueValue           IssueType = "value"
	IssueInvariant       IssueType = "invariant"
	IssueSecurity        IssueType = "security"
	IssueLogin           IssueType = "login"
	IssueUnknown         IssueType = "unknown"
	IssueExpired         IssueType = "expired"
	IssueForbidden       IssueType = "forbidden"
	IssueSuppressed      IssueType = "suppressed"
	IssueProcessing      IssueType = "processing"
	IssueNotSupported    IssueType = "not-supported"
	IssueDuplicate       IssueType = "duplicate"
	IssueMultipleMatches IssueType = "multiple-matches"
	IssueNotFound        IssueType = "not-found"
	IssueDeleted         IssueType = "deleted"
	IssueTooLong         IssueType = "too-long"
	IssueCodeInvalid     IssueType = "code-invalid"
	IssueExtension       IssueType = "extension"
	IssueTooCostly       IssueType = "too-costly"
	IssueBusinessRule    IssueType = "business-rule"
	IssueConflict        IssueType = "conflict"
	IssueTransient       IssueType = "transient"
	IssueLockError       IssueType = "lock-error"
	IssueException       IssueType = "exception"
	IssueTimeout         IssueType = "timeout"
	IssueIncomplete      IssueType = "incomplete"
	IssueThrottled       IssueType = "throttled"
	IssueInformational   IssueType = "informational"
)

// The severities of an Issue (R4 valueset-issue-severity.html).
const (
	SeverityFatal       = "fatal"
	SeverityError       = "error"
	SeverityWarning     = "warning"
	SeverityInformation = "information"
)

// Issue is one finding. Code is ours and stable, such as "validation.cardinality-min"; its
// text is rendered from a table in Norwegian and English. Args hold element names, expected
// types, codes and limits, never a value from the content, which could be personal.
type Issue struct {
	Severity   string
	Type       IssueType
	Code       string
	Expression string // FHIRPath, such as "CarePlan.activity[2].detail"
	Line, Col  int    // position in the received bytes, from 1; 0 when it has none
	Args       []string
}

// newIssue gives an issue of severity error without a place.
func newIssue(code string, t IssueType, args ...string) Issue {
	return Issue{Severity: SeverityError, Type: t, Code: code, Args: args}
}

// Text renders the issue in "nb" or "en"; any other language gives nb. A code that is in no
// table is given as it stands.
func (i Issue) Text(lang string) string {
	t, ok := issueTexts[i.Code]
	if !ok {
		t, ok = queryTexts[i.Code]
	}
	if !ok {
		return i.Code
	}
	pattern := t.in(lang)
	if !strings.Contains(pattern, "{") {
		return pattern
	}
	for n := range 4 {
		arg := ""
		if n < len(i.Args) {
			arg = i.Args[n]
		} else if n == 1 && i.Code == CodeInvariant && len(i.Args) == 1 {
			arg = rules[i.Args[0]].text.in(lang)
		}
		pattern = strings.ReplaceAll(pattern, "{"+itoa(n)+"}", arg)
	}
	return pattern
}

// Error is the error of this package: what is wrong, and where.
type Error struct {
	Issues []Issue
}

// Error gives codes and places, never content.
func (e *Error) Error() string {
	if len(e.Issues) == 0 {
		return "fhir: invalid"
	}
	var b strings.Builder
	b.WriteString("fhir:")
	for n, i := range e.Issues {
		if n == 5 {
			b.WriteString(" and " + itoa(len(e.Issues)-n) + " more")
			break
		}
		if n > 0 {
			b.WriteByte(';')
		}
		b.WriteString(" " + i.Code)
		if i.Expression != "" {
			b.WriteString(" at " + i.Expression)
		}
		if i.Line > 0 {
			b.WriteString(" (line " + itoa(i.Line) + ", column " + itoa(i.Col) + ")")
		}
	}
	return b.String()
}
