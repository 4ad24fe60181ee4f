package fhir

import (
	"maps"
	"slices"
	"strings"
)

// CodeSystemError is the code system of Issue.Code.
const CodeSystemError = "http://sluse.no/fhir/CodeSystem/feil"

// The codes of this package. They are stable: clients may switch on them.
const (
	CodeParseSize         = "parse.size"
	CodeParseBOM          = "parse.bom"
	CodeParseUTF8         = "parse.utf8"
	CodeParseSyntax       = "parse.syntax"
	CodeParseEnd          = "parse.end"
	CodeParseTrailing     = "parse.trailing"
	CodeParseNumber       = "parse.number"
	CodeParseControl      = "parse.control-character"
	CodeParseEscape       = "parse.escape"
	CodeParseSurrogate    = "parse.surrogate"
	CodeParseDepth        = "parse.depth"
	CodeParseNodes        = "parse.nodes"
	CodeParseNull         = "parse.null"
	CodeParseDuplicate    = "parse.duplicate-name"
	CodeParseCase         = "parse.case-variant-name"
	CodeParseObject       = "parse.object"
	CodeParseResourceType = "parse.resource-type"

	CodeReferenceFormat = "reference.format"
	CodeDateFormat      = "date.format"
	CodeEdit            = "edit.conflict"
	CodeMeta            = "meta.structure"

	CodeUnknownType      = "validation.unknown-type"
	CodeUnknownElement   = "validation.unknown-element"
	CodeCardinalityMin   = "validation.cardinality-min"
	CodeCardinalityMax   = "validation.cardinality-max"
	CodeWrongType        = "validation.type"
	CodeArrayExpected    = "validation.array-expected"
	CodeArrayUnexpected  = "validation.array-unexpected"
	CodeChoice           = "validation.choice"
	CodeFormat           = "validation.format"
	CodeBinding          = "validation.binding"
	CodeReferenceTarget  = "validation.reference-target"
	CodeEmpty            = "validation.empty"
	CodePadding          = "validation.padding"
	CodeContained        = "validation.contained"
	CodeContainedOrphan  = "validation.contained-unreferenced"
	CodeContainedMissing = "validation.contained-missing"
	CodeExtensionValue   = "validation.extension-value"
	CodeNarrative        = "validation.narrative"
	CodeInvariant        = "validation.invariant"
	CodeTooMany          = "validation.too-many"
	CodeAllOK            = "all-ok"
)

type text struct{ nb, en string }

// in gives the text in a language: en, or nb for every other.
func (t text) in(lang string) string {
	if lang == "en" || strings.HasPrefix(lang, "en-") {
		return t.en
	}
	return t.nb
}

// issueTexts holds the text of every code in Norwegian bokmål and English; {0} … {3} are Args.
var issueTexts = map[string]text{
	CodeParseSize:         {"Innholdet er større enn {0} byte.", "The content is larger than {0} bytes."},
	CodeParseBOM:          {"Innholdet begynner med et byte-order mark. Send UTF-8 uten BOM.", "The content begins with a byte order mark. Send UTF-8 without one."},
	CodeParseUTF8:         {"Innholdet er ikke gyldig UTF-8.", "The content is not valid UTF-8."},
	CodeParseSyntax:       {"Innholdet er ikke gyldig JSON: uventet tegn.", "The content is not valid JSON: unexpected character."},
	CodeParseEnd:          {"Innholdet slutter før JSON-objektet er avsluttet.", "The content ends before the JSON object does."},
	CodeParseTrailing:     {"Det står noe etter JSON-objektet.", "Something follows the JSON object."},
	CodeParseNumber:       {"Tallet er ikke skrevet som JSON krever.", "The number is not written as JSON requires."},
	CodeParseControl:      {"Teksten inneholder et kontrolltegn som ikke er tillatt.", "The string contains a control character that is not allowed."},
	CodeParseEscape:       {"Teksten inneholder en ugyldig escape-sekvens.", "The string contains an invalid escape sequence."},
	CodeParseSurrogate:    {"Teksten inneholder et halvt surrogatpar.", "The string contains a lone surrogate."},
	CodeParseDepth:        {"Innholdet er nøstet dypere enn {0} nivåer.", "The content is nested deeper than {0} levels."},
	CodeParseNodes:        {"Innholdet har flere enn {0} verdier.", "The content has more than {0} values."},
	CodeParseNull:         {"null er bare tillatt som plassholder i en liste.", "null is allowed only as a placeholder in an array."},
	CodeParseDuplicate:    {"Elementet {0} står to ganger i samme objekt.", "The element {0} occurs twice in one object."},
	CodeParseCase:         {"To navn i samme objekt skiller seg bare på store og små bokstaver: {0}.", "Two names in one object differ only by letter case: {0}."},
	CodeParseObject:       {"En FHIR-ressurs er et JSON-objekt.", "A FHIR resource is a JSON object."},
	CodeParseResourceType: {"resourceType mangler eller er ikke navnet på en ressurstype.", "resourceType is missing or is not the name of a resource type."},

	CodeReferenceFormat: {"Referansen er ikke en relativ referanse på formen Type/id.", "The reference is not a relative reference of the form Type/id."},
	CodeDateFormat:      {"Datoen er ikke skrevet som FHIR krever (ÅÅÅÅ, ÅÅÅÅ-MM, ÅÅÅÅ-MM-DD eller med tid og tidssone).", "The date is not written as FHIR requires (YYYY, YYYY-MM, YYYY-MM-DD, or with time and time zone)."},
	CodeEdit:            {"Endringen lar seg ikke gjøre på dette elementet.", "The edit cannot be made on this element."},
	CodeMeta:            {"meta må være et objekt, og id en tekst.", "meta must be an object, and id a string."},

	CodeUnknownType:      {"Ressurstypen er ikke kjent i FHIR R4 eller ikke støttet her.", "The resource type is not known in FHIR R4 or not supported here."},
	CodeUnknownElement:   {"Elementet {0} finnes ikke i {1}.", "The element {0} does not exist in {1}."},
	CodeCardinalityMin:   {"{0} mangler: minst {1} kreves.", "{0} is missing: at least {1} required."},
	CodeCardinalityMax:   {"{0} står for mange ganger: høyst {1} er tillatt.", "{0} occurs too often: at most {1} allowed."},
	CodeWrongType:        {"Feil type: ventet {0}, fant {1}.", "Wrong type: expected {0}, found {1}."},
	CodeArrayExpected:    {"{0} kan gjentas og må være en liste.", "{0} may repeat and must be an array."},
	CodeArrayUnexpected:  {"{0} kan ikke gjentas og kan ikke være en liste.", "{0} does not repeat and cannot be an array."},
	CodeChoice:           {"Bare én av {0} kan brukes.", "Only one of {0} may be used."},
	CodeFormat:           {"Verdien er ikke skrevet som typen {0} krever.", "The value does not have the form that the type {0} requires."},
	CodeBinding:          {"Koden er ikke i verdisettet {0}, som er påkrevd her.", "The code is not in the value set {0}, which is required here."},
	CodeReferenceTarget:  {"Referansen kan ikke peke på {0}; tillatt er {1}.", "The reference cannot point at {0}; allowed are {1}."},
	CodeEmpty:            {"Tomme objekter, lister og tekster er ikke tillatt.", "Empty objects, arrays and strings are not allowed."},
	CodePadding:          {"Listene {0} og _{0} må være like lange og ha null på samme plass bare i den ene.", "The arrays {0} and _{0} must be of equal length, with null in the same slot in only one of them."},
	CodeContained:        {"En inneholdt ressurs kan ikke ha {0}.", "A contained resource cannot have {0}."},
	CodeContainedOrphan:  {"Den inneholdte ressursen er ikke referert til fra ressursen.", "The contained resource is not referred to from the resource."},
	CodeContainedMissing: {"Referansen peker på en inneholdt ressurs som ikke finnes.", "The reference points at a contained resource that does not exist."},
	CodeExtensionValue:   {"En utvidelse har enten en verdi eller utvidelser, ikke begge og ikke ingen.", "An extension has either a value or extensions, not both and not neither."},
	CodeNarrative:        {"Fortellingen (text.div) er ikke XHTML slik FHIR tillater.", "The narrative (text.div) is not XHTML as FHIR allows it."},
	CodeInvariant:        {"Regelen {0} er brutt: {1}", "The rule {0} is broken: {1}"},
	CodeAllOK:            {"Ingen feil funnet.", "No faults found."},
	CodeTooMany:          {"Flere feil ble funnet enn de {0} som er listet.", "More faults were found than the {0} listed."},
}

// Codes lists the issue codes of this package, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(issueTexts)) }
