package consent

import (
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// Codes of the issues that a Consent may get. Their texts are rendered by package fhir.
const (
	CodeLacksPerson     = "consent.lacks-person"     // no patient
	CodeLacksRule       = "consent.lacks-rule"       // no policyRule of CodeSystem rettsgrunnlag
	CodeLacksProvision  = "consent.lacks-provision"  // active without provision
	CodeLacksType       = "consent.lacks-type"       // a provision without type
	CodeLacksWhat       = "consent.lacks-what"       // a permit without labels or items
	CodeLacksRecipient  = "consent.lacks-recipient"  // a permit without recipients
	CodeLacksEnd        = "consent.lacks-end"        // a permit without an end
	CodeLacksStart      = "consent.lacks-start"      // neither period.start nor dateTime to count from
	CodeTooLong         = "consent.too-long"         // ends too late after its start
	CodeEmptyPeriod     = "consent.empty-period"     // ends before it starts
	CodeUnknownLabel    = "consent.unknown-label"    // not a code of informasjonskategori
	CodeUnknownCode     = "consent.unknown-code"     // purpose, action, role, class, meaning, policyRule
	CodeUnknownParty    = "consent.unknown-party"    // a reference that names nobody with a number
	CodeUnknownItem     = "consent.unknown-item"     // data that is not a literal reference to a record
	CodeProvisionCode   = "consent.provision-code"   // provision.code is not supported
	CodeModifier        = "consent.modifier"         // modifierExtension or implicitRules
	CodeDepth           = "consent.depth"            // nested deeper than permit › deny, deny › permit › deny
	CodeNestedType      = "consent.nested-type"      // a nested provision of its parent's type
	CodeObjectionPermit = "consent.objection-permit" // an objection is a deny
	CodeObjectionNested = "consent.objection-nested" // an objection has one level
	CodeNeverCovered    = "consent.never-covered"    // uklassifisert without data covers nothing
	CodeBadPeriod       = "consent.period"           // a date that cannot be read
)

// sheet collects the issues of one Consent.
type sheet struct {
	issues []fhir.Issue
	// withdrawn: the Consent is on its way out (inactive, rejected, entered-in-error). What names
	// somebody who is no longer there must not keep a withdrawal from being stored.
	withdrawn bool
}

func (s *sheet) add(severity string, t fhir.IssueType, code, expression string, args ...string) {
	s.issues = append(s.issues, fhir.Issue{
		Severity: severity, Type: t, Code: code, Expression: expression, Args: args})
}

func (s *sheet) fault(t fhir.IssueType, code, expression string, args ...string) {
	s.add("error", t, code, expression, args...)
}

// refused tells whether the Consent cannot stand as it is.
func (s *sheet) refused() bool {
	return slices.ContainsFunc(s.issues, func(i fhir.Issue) bool { return i.Severity == "error" })
}

// nobody reports a reference that names nobody.
func (s *sheet) nobody(expression string) {
	if s.withdrawn {
		s.add("warning", "not-found", CodeUnknownParty, expression)
		return
	}
	s.fault("not-found", CodeUnknownParty, expression)
}
