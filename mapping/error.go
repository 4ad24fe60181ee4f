package mapping

import "strconv"

// Code names a fault of a message; stable, for the caller's tables (AppRec 8221, OperationOutcome).
type Code string

// The faults of this package.
const (
	NotXML       Code = "not-xml"       // not well-formed or unreadable: AppRec T01
	Forbidden    Code = "forbidden"     // well-formed, but with a construct the guard refuses: AppRec T01
	TooLarge     Code = "too-large"     // over a limit: AppRec T99
	Charset      Code = "charset"       // a character set other than UTF-8, ISO-8859-1, windows-1252: AppRec T01
	Malformed    Code = "malformed"     // a required element is missing or breaks its type: AppRec T02
	NotSupported Code = "not-supported" // message type or version without a mapping: AppRec T10
	Locked       Code = "locked"        // the message may not be delivered in parts
	NotFHIR      Code = "not-fhir"      // the resource handed in is no JSON object with a resourceType
)

// Error is a fault of a message. It names the place and never quotes the document.
type Error struct {
	Code Code
	Path string // element, empty when the fault lies before the tree
	FHIR string // writing: the FHIR expression of what is missing or has no place, from the resource's type; "" when it is none
	Line int    // line of the source, 0 when not known
	Text string // what is wrong, in English, without content
}

// Error implements error.
func (e *Error) Error() string {
	s := "mapping: " + string(e.Code) + ": " + e.Text
	if e.Path != "" {
		s += " at " + e.Path
	}
	if e.Line > 0 {
		s += " (line " + strconv.Itoa(e.Line) + ")"
	}
	return s
}

func fault(code Code, path, text string) *Error { return &Error{Code: code, Path: path, Text: text} }
