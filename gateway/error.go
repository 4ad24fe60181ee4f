package gateway

import (
	"errors"
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// Code is the kind of a failure: stable, ours, and the only thing a caller may branch on.
// rest renders it as status and OperationOutcome, exchange as AppRec status and error code.
type Code string

// The codes. Every one has a row in the tables of rest and exchange.
const (
	Malformed    Code = "malformed"     // cannot be read at all: 400
	Invalid      Code = "invalid"       // readable, but breaks a rule of content: 422
	BadQuery     Code = "bad-query"     // unknown or malformed parameter: 400
	NotSupported Code = "not-supported" // a thing of FHIR that Sluse does not do
	Unauthorized Code = "unauthorized"  // no valid token: 401
	Forbidden    Code = "forbidden"     // visible and not writable, or not this kind of actor: 403
	NotFound     Code = "not-found"     // not there, or not shared: one code and one text for both
	Gone         Code = "gone"          // deleted, told only to who could read the last version
	Conflict     Code = "conflict"      // another content under the same name: 409
	Precondition Code = "precondition"  // If-Match does not hold: 412
	TooLarge     Code = "too-large"     // 413
	MediaType    Code = "media-type"    // 415
	TooCostly    Code = "too-costly"    // more work than one request may ask for
	Unavailable  Code = "unavailable"   // database, policy or ledger failed: 503, nothing released
	Internal     Code = "internal"      // a broken promise of our own: 500, nothing released
)

// Error is the one error type. Issues are for the caller; Err is for the log and never leaves.
type Error struct {
	Op     string // "gateway.read"
	Code   Code
	Issues []fhir.Issue
	Err    error
}

// Error gives the line for the log: operation, code and cause, never the content.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(string(e.Code))
	for _, i := range e.Issues {
		b.WriteString(" [" + i.Code + " " + i.Expression + "]")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fault makes an Error with issues.
func Fault(op string, code Code, issues ...fhir.Issue) *Error {
	return &Error{Op: op, Code: code, Issues: issues}
}

// Failed makes an Error of a cause that the caller learns nothing of.
func Failed(op string, code Code, err error) *Error {
	return &Error{Op: op, Code: code, Err: err}
}

// CodeOf gives the code of err: none for nil, Internal for an error that has none.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// asError gives an error as ours.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// absent is the one answer for what does not exist and for what is hidden.
func absent(op string) *Error {
	return Fault(op, NotFound, fhir.Issue{Severity: "error", Type: "not-found", Code: "absent"})
}
