package rest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// rendering is how a Code of the gateway looks in HTTP (R4 http.html#Status-Codes).
type rendering struct {
	status int
	issue  fhir.IssueType
	fixed  bool // the issue is always this one: nothing of the cause may show
}

// renderings has a row for every gateway.Code.
var renderings = map[gateway.Code]rendering{
	gateway.Malformed:    {http.StatusBadRequest, "structure", false},
	gateway.Invalid:      {http.StatusUnprocessableEntity, "invariant", false},
	gateway.BadQuery:     {http.StatusBadRequest, "value", false},
	gateway.NotSupported: {http.StatusBadRequest, "not-supported", false},
	gateway.Unauthorized: {http.StatusUnauthorized, "login", true},
	gateway.Forbidden:    {http.StatusForbidden, "forbidden", false},
	gateway.NotFound:     {http.StatusNotFound, "not-found", true},
	gateway.Gone:         {http.StatusGone, "deleted", true},
	gateway.Conflict:     {http.StatusConflict, "conflict", false},
	gateway.Precondition: {http.StatusPreconditionFailed, "conflict", false},
	gateway.TooLarge:     {http.StatusRequestEntityTooLarge, "too-long", false},
	gateway.MediaType:    {http.StatusUnsupportedMediaType, "not-supported", false},
	gateway.TooCostly:    {http.StatusForbidden, "too-costly", false},
	gateway.Unavailable:  {http.StatusServiceUnavailable, "transient", true},
	gateway.Internal:     {http.StatusInternalServerError, "exception", true},
}

// refusal is an error that knows its HTTP status where the Code alone does not tell: the router's
// 404 and 405, 406 beside 415, 408 and 431.
type refusal struct {
	status int
	cause  *gateway.Error
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

func refuse(status int, code gateway.Code, text string) error {
	return &refusal{status: status, cause: fault(code, text)}
}

// fault is an error with the one issue that text names; expression is "http.NAME" for a header or
// parameter (R4 operationoutcome-definitions.html#OperationOutcome.issue.location).
func fault(code gateway.Code, text string, expression ...string) *gateway.Error {
	issue := problem(code, text)
	if len(expression) > 0 {
		issue.Expression = expression[0]
	}
	return gateway.Fault("rest", code, issue)
}

func problem(code gateway.Code, text string) fhir.Issue {
	return fhir.Issue{Severity: "error", Type: renderings[code].issue, Code: text}
}

// rendered gives status and issues of an error. An error without a known code is Internal.
func rendered(err error) (status int, code gateway.Code, issues []fhir.Issue) {
	code = gateway.CodeOf(err)
	row, ok := renderings[code]
	if !ok {
		code = gateway.Internal
		row = renderings[code]
	}
	status = row.status
	var known *gateway.Error
	if errors.As(err, &known) && !row.fixed {
		issues = known.Issues
	}
	if len(issues) == 0 {
		issues = []fhir.Issue{problem(code, textOf[code])}
	}
	var r *refusal
	if errors.As(err, &r) && r.status != 0 {
		status = r.status
	}
	var entry *gateway.EntryError
	if errors.As(err, &entry) {
		issues = inEntry(entry.Entry, issues)
	}
	return status, code, issues
}

// inEntry puts the place of an entry before that of every issue. Line and column are left out, since
// they are counted inside the resource.
func inEntry(n int, issues []fhir.Issue) []fhir.Issue {
	place := "Bundle.entry[" + strconv.Itoa(n) + "]"
	out := make([]fhir.Issue, len(issues))
	for i, issue := range issues {
		issue.Line, issue.Col = 0, 0
		rest, bundled := strings.CutPrefix(issue.Expression, "Bundle.entry")
		if at := strings.IndexByte(rest, ']'); bundled && at >= 0 && strings.HasPrefix(rest, "[") {
			rest = rest[at+1:]
		}
		_, element, _ := strings.Cut(issue.Expression, ".")
		switch {
		case bundled:
			issue.Expression = place + rest
		case strings.HasPrefix(issue.Expression, "http."):
			issue.Expression = place + ".request"
		case element != "":
			issue.Expression = place + ".resource." + element
		case issue.Expression != "":
			issue.Expression = place + ".resource"
		default:
			issue.Expression = place
		}
		out[i] = issue
	}
	return out
}

// textOf names the text of a Code that comes without issues.
var textOf = map[gateway.Code]string{
	gateway.Malformed: "malformed", gateway.Invalid: "invalid", gateway.BadQuery: "bad-query",
	gateway.NotSupported: "not-supported", gateway.Unauthorized: "unauthorized",
	gateway.Forbidden: "forbidden", gateway.NotFound: "absent", gateway.Gone: "gone",
	gateway.Conflict: "conflict", gateway.Precondition: "version-conflict",
	gateway.TooLarge: "too-large", gateway.MediaType: "media-type", gateway.TooCostly: "too-costly",
	gateway.Unavailable: "unavailable", gateway.Internal: "internal",
}
