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

	CodeModifier      = "validation.modifier"
	CodeUnknownCode   = "validation.unknown-code"
	CodeReferenceType = "validation.reference-type"
	CodeIDIgnored     = "validation.id-ignored"
	CodeIDMissing     = "validation.id-missing"

	CodeProfileNone    = "profile.none"
	CodeProfileUnknown = "profile.unknown"
	CodeProfileOther   = "profile.other-type"
	CodeProfileMin     = "profile.min"
	CodeProfileMax     = "profile.max"
	CodeProfileFixed   = "profile.fixed"
	CodeProfilePattern = "profile.pattern"
	CodeProfileType    = "profile.type"
	CodeProfileTarget  = "profile.reference-target"
	CodeProfileBinding = "profile.binding"
	CodeSliceMin       = "profile.slice-min"
	CodeSliceMax       = "profile.slice-max"
	CodeSliceClosed    = "profile.slice-closed"

	CodeIdentifierNIN       = "identifier.national"
	CodeIdentifierKind      = "identifier.kind"
	CodeIdentifierOrgnr     = "identifier.organization"
	CodeIdentifierForm      = "identifier.form"
	CodeIdentifierSpace     = "identifier.spaces"
	CodeIdentifierSystem    = "identifier.system"
	CodeIdentifierAssigner  = "identifier.assigner"
	CodeIdentifierElsewhere = "identifier.elsewhere"

	CodeAnswersUnknownForm = "answers.unknown-questionnaire"
	CodeAnswersOtherForm   = "answers.other-questionnaire"
	CodeAnswersSubject     = "answers.subject"
	CodeAnswersUnknownItem = "answers.unknown-item"
	CodeAnswersNesting     = "answers.nesting"
	CodeAnswersOrder       = "answers.order"
	CodeAnswersTwice       = "answers.twice"
	CodeAnswersRequired    = "answers.required"
	CodeAnswersDisabled    = "answers.disabled"
	CodeAnswersRepeats     = "answers.repeats"
	CodeAnswersFew         = "answers.too-few"
	CodeAnswersType        = "answers.type"
	CodeAnswersNoAnswer    = "answers.no-question"
	CodeAnswersOption      = "answers.option"
	CodeAnswersExclusive   = "answers.exclusive"
	CodeAnswersValueSet    = "answers.unknown-value-set"
	CodeAnswersLong        = "answers.too-long"
	CodeAnswersShort       = "answers.too-short"
	CodeAnswersDecimals    = "answers.decimals"
	CodeAnswersLow         = "answers.below-minimum"
	CodeAnswersHigh        = "answers.above-maximum"
	CodeAnswersPattern     = "answers.pattern"
	CodeAnswersSize        = "answers.size"
	CodeAnswersMime        = "answers.media-type"
	CodeAnswersTarget      = "answers.reference-target"
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

	CodeModifier:      {"{0} endrer meningen på en måte som Sluse ikke forstår.", "{0} changes the meaning in a way that Sluse does not understand."},
	CodeUnknownCode:   {"Koden finnes ikke i kodeverket som system navngir.", "The code does not exist in the code system that system names."},
	CodeReferenceType: {"Reference.type sier {0}, men referansen peker på {1}.", "Reference.type says {0}, but the reference points at {1}."},
	CodeIDIgnored:     {"id blir ikke brukt ved opprettelse: serveren velger den.", "id is not used by a create: the server chooses it."},
	CodeIDMissing:     {"id mangler: en oppdatering gjelder en bestemt ressurs.", "id is missing: an update is of a certain resource."},

	CodeProfileNone:    {"mode=profile krever parameteren profile.", "mode=profile needs the parameter profile."},
	CodeProfileUnknown: {"Profilen er ikke kjent her, og er ikke kontrollert.", "The profile is not known here, and was not checked."},
	CodeProfileOther:   {"Profilen {0} gjelder {1}, ikke denne ressurstypen.", "The profile {0} is of {1}, not of this resource type."},
	CodeProfileMin:     {"{0} mangler: profilen {2} krever minst {1}.", "{0} is missing: the profile {2} requires at least {1}."},
	CodeProfileMax:     {"{0} står for mange ganger: profilen {2} tillater høyst {1}.", "{0} occurs too often: the profile {2} allows at most {1}."},
	CodeProfileFixed:   {"Verdien er ikke den som profilen {1} fastsetter: {0}", "The value is not the one that the profile {1} fixes: {0}"},
	CodeProfilePattern: {"Verdien har ikke det som profilen {1} krever: {0}", "The value does not have what the profile {1} asks for: {0}"},
	CodeProfileType:    {"Typen {0} er ikke tillatt i profilen {2}; tillatt er {1}.", "The type {0} is not allowed in the profile {2}; allowed are {1}."},
	CodeProfileTarget:  {"Referansen kan ikke peke på {0} i profilen {2}; tillatt er {1}.", "The reference cannot point at {0} in the profile {2}; allowed are {1}."},
	CodeProfileBinding: {"Koden er ikke i verdisettet {0}, som profilen {1} krever her.", "The code is not in the value set {0}, which the profile {1} requires here."},
	CodeSliceMin:       {"{0} mangler den delen som profilen {3} kaller {1}: minst {2} kreves.", "{0} lacks the slice that the profile {3} calls {1}: at least {2} required."},
	CodeSliceMax:       {"{0} har for mange av den delen som profilen {3} kaller {1}: høyst {2} er tillatt.", "{0} has too many of the slice that the profile {3} calls {1}: at most {2} allowed."},
	CodeSliceClosed:    {"{0} er ingen av delene som profilen {1} tillater.", "{0} is none of the slices that the profile {1} allows."},

	CodeIdentifierNIN:       {"Verdien er ikke et gyldig {0}: dato eller kontrollsifre stemmer ikke.", "The value is no valid {0}: its date or check digits are wrong."},
	CodeIdentifierKind:      {"Verdien er et {0}, men systemet er det for {1}.", "The value is a {0}, but the system is that of a {1}."},
	CodeIdentifierOrgnr:     {"Verdien er ikke et gyldig {0}: ni siffer, det siste kontrollsiffer.", "The value is no valid {0}: nine digits, the last a check digit."},
	CodeIdentifierForm:      {"Verdien har ikke formen til {0}.", "The value does not have the form of a {0}."},
	CodeIdentifierSpace:     {"Et {0} skrives med siffer alene, uten mellomrom eller tegn.", "A {0} is written with digits only, without spaces or signs."},
	CodeIdentifierSystem:    {"Systemet er feil skrevet; det rette er {0}.", "The system is written wrongly; the right one is {0}."},
	CodeIdentifierAssigner:  {"Et lokalt hjelpenummer sier ingenting uten assigner.", "A local H-nummer tells nothing without its assigner."},
	CodeIdentifierElsewhere: {"Verdien er et fødselsnummer eller D-nummer, men systemet sier noe annet.", "The value is a fødselsnummer or D-nummer, but the system says otherwise."},

	CodeAnswersUnknownForm: {"Skjemaet som svarene gjelder, er ikke kjent her, og svarene er ikke kontrollert.", "The questionnaire of the answers is not known here, and the answers were not checked."},
	CodeAnswersOtherForm:   {"Svarene gjelder et annet skjema, eller en annen versjon av det.", "The answers are to another questionnaire, or another version of it."},
	CodeAnswersSubject:     {"Skjemaet gjelder {1}, ikke {0}.", "The questionnaire is about {1}, not {0}."},
	CodeAnswersUnknownItem: {"Skjemaet har ikke noe punkt med denne linkId.", "The questionnaire has no item of this linkId."},
	CodeAnswersNesting:     {"Punktet står et annet sted i skjemaet enn her.", "The item stands elsewhere in the questionnaire."},
	CodeAnswersOrder:       {"Punktet står i en annen rekkefølge enn i skjemaet.", "The item stands in another order than in the questionnaire."},
	CodeAnswersTwice:       {"Punktet står to ganger; bare grupper som gjentas kan det.", "The item stands twice; only repeating groups may."},
	CodeAnswersRequired:    {"Spørsmålet {0} må besvares.", "The question {0} must be answered."},
	CodeAnswersDisabled:    {"Punktet skal ikke besvares: betingelsen i enableWhen er ikke oppfylt.", "The item is not to be answered: its condition in enableWhen is not met."},
	CodeAnswersRepeats:     {"Spørsmålet har høyst {0} svar.", "The question has at most {0} answers."},
	CodeAnswersFew:         {"Spørsmålet har minst {0} svar.", "The question has at least {0} answers."},
	CodeAnswersType:        {"Svaret er av typen {0}; spørsmålet ber om {1}.", "The answer is of the type {0}; the question asks for {1}."},
	CodeAnswersNoAnswer:    {"Et punkt av typen {0} har ikke svar.", "An item of the type {0} has no answers."},
	CodeAnswersOption:      {"Svaret er ikke blant svaralternativene.", "The answer is not among the answer options."},
	CodeAnswersExclusive:   {"Svaralternativet kan ikke velges sammen med andre.", "The answer option cannot be chosen together with others."},
	CodeAnswersValueSet:    {"Verdisettet med svaralternativer er ikke kjent her, og svaret er ikke kontrollert mot det.", "The value set of the answer options is not known here, and the answer was not checked against it."},
	CodeAnswersLong:        {"Svaret er lengre enn {0} tegn.", "The answer is longer than {0} characters."},
	CodeAnswersShort:       {"Svaret er kortere enn {0} tegn.", "The answer is shorter than {0} characters."},
	CodeAnswersDecimals:    {"Svaret har flere enn {0} desimaler.", "The answer has more than {0} decimal places."},
	CodeAnswersLow:         {"Svaret er under {0}, som er det minste tillatte.", "The answer is below {0}, the least allowed."},
	CodeAnswersHigh:        {"Svaret er over {0}, som er det største tillatte.", "The answer is above {0}, the greatest allowed."},
	CodeAnswersPattern:     {"Svaret har ikke formen som skjemaet krever.", "The answer does not have the form that the questionnaire asks for."},
	CodeAnswersSize:        {"Vedlegget er større enn {0} byte.", "The attachment is larger than {0} bytes."},
	CodeAnswersMime:        {"Vedlegget er ikke av en tillatt medietype: {0}.", "The attachment is not of an allowed media type: {0}."},
	CodeAnswersTarget:      {"Svaret peker på {0}; skjemaet tillater {1}.", "The answer points at {0}; the questionnaire allows {1}."},
}

// Codes lists the issue codes of this package, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(issueTexts)) }
