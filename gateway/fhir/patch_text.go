package fhir

import "maps"

// The codes of patches and of paths.
const (
	CodePatchFormat    = "patch.format"
	CodePatchOperation = "patch.operation"
	CodePatchTooMany   = "patch.too-many-operations"
	CodePatchPointer   = "patch.pointer"
	CodePatchMoveInto  = "patch.move-into-itself"
	CodePatchPart      = "patch.part"
	CodePatchAbsent    = "patch.absent"
	CodePatchIndex     = "patch.index"
	CodePatchTest      = "patch.test-failed"
	CodePatchProtected = "patch.protected"
	CodePatchMultiple  = "patch.multiple"
	CodePatchExists    = "patch.exists"
	CodePatchList      = "patch.list"
	CodePatchValue     = "patch.value"
	CodePatchSize      = "patch.size"
	CodePatchCostly    = "patch.too-costly"

	CodePathSyntax      = "path.syntax"
	CodePathUnsupported = "path.not-supported"
	CodePathTooLong     = "path.too-long"
	CodePathElement     = "path.unknown-element"
	CodePathType        = "path.type"
	CodePathSingle      = "path.single"
	CodePathCostly      = "path.too-costly"
)

var patchTexts = map[string]text{
	CodePatchFormat:    {"Endringsdokumentet er ikke satt sammen riktig: ventet {0}.", "The patch document is not put together correctly: expected {0}."},
	CodePatchOperation: {"Operasjon {0} er av en ukjent type. Tillatt er {1}.", "Operation {0} is of an unknown type. Allowed are {1}."},
	CodePatchTooMany:   {"Endringsdokumentet har flere enn {0} operasjoner. Del det opp.", "The patch document has more than {0} operations. Divide it."},
	CodePatchPointer:   {"Operasjon {0}: {1} er ikke en JSON Pointer (RFC 6901). Den er tom eller begynner med /, og ~ skrives ~0, / skrives ~1.", "Operation {0}: {1} is not a JSON Pointer (RFC 6901). It is empty or begins with /, with ~ written as ~0 and / as ~1."},
	CodePatchMoveInto:  {"Operasjon {0} flytter et element inn i seg selv.", "Operation {0} moves an element into itself."},
	CodePatchPart:      {"Operasjon {0}: delen {1} mangler, står to ganger, hører ikke til typen eller er ikke av typen {2}.", "Operation {0}: the part {1} is missing, occurs twice, does not belong to the type or is not of the type {2}."},
	CodePatchAbsent:    {"Operasjon {0}: stedet finnes ikke i ressursen. Hele endringen er avvist.", "Operation {0}: the place does not exist in the resource. The whole patch is refused."},
	CodePatchIndex:     {"Operasjon {0}: plassen i listen er ikke et tall uten ledende nuller mellom 0 og {1}.", "Operation {0}: the position in the array is not a number without leading zeros from 0 to {1}."},
	CodePatchTest:      {"Operasjon {0} (test): verdien er en annen. Hele endringen er avvist; hent ressursen på nytt.", "Operation {0} (test): the value is another. The whole patch is refused; fetch the resource anew."},
	CodePatchProtected: {"Operasjon {0} berører resourceType, id, meta.versionId eller meta.lastUpdated, som bare serveren setter. Endre de andre elementene i meta enkeltvis.", "Operation {0} touches resourceType, id, meta.versionId or meta.lastUpdated, which only the server sets. Change the other elements of meta one by one."},
	CodePatchMultiple:  {"Operasjon {0}: stien treffer {1} elementer, men skal treffe ett. Bruk [n] eller where().", "Operation {0}: the path matches {1} elements but must match one. Use [n] or where()."},
	CodePatchExists:    {"Operasjon {0}: elementet {1} finnes allerede og kan ikke gjentas. Bruk replace.", "Operation {0}: the element {1} exists already and does not repeat. Use replace."},
	CodePatchList:      {"Operasjon {0}: stien skal ende i navnet på et element som kan gjentas.", "Operation {0}: the path must end in the name of an element that repeats."},
	CodePatchValue:     {"Operasjon {0}: verdien for {1} er av typen {2}, men skal være {3}.", "Operation {0}: the value for {1} is of type {2} but must be {3}."},
	CodePatchSize:      {"Ressursen blir større enn {0} byte av endringen.", "The patch makes the resource larger than {0} bytes."},
	CodePatchCostly:    {"Endringen kopierer eller leter gjennom mer enn én forespørsel kan be om.", "The patch copies or searches more than one request may ask for."},

	CodePathSyntax:      {"Stien er ikke gyldig FHIRPath: feil ved tegn {0}.", "The path is not valid FHIRPath: fault at character {0}."},
	CodePathUnsupported: {"Stien bruker noe av FHIRPath som ikke støttes her: {1} ved tegn {0}. Støttet er navn, [n], where(), first(), last(), single(), extension(), ofType().", "The path uses a thing of FHIRPath that is not supported here: {1} at character {0}. Supported are names, [n], where(), first(), last(), single(), extension(), ofType()."},
	CodePathTooLong:     {"Stien er lengre eller mer sammensatt enn tillatt: høyst {0} tegn og {1} ledd.", "The path is longer or more composite than allowed: at most {0} characters and {1} steps."},
	CodePathElement:     {"Stien nevner elementet {0}, som ikke finnes i {1}.", "The path names the element {0}, which does not exist in {1}."},
	CodePathType:        {"Stien begynner med typen {0}, men ressursen er {1}.", "The path begins with the type {0}, but the resource is {1}."},
	CodePathSingle:      {"single() traff {0} elementer.", "single() met {0} elements."},
	CodePathCostly:      {"Stien leter gjennom mer enn én forespørsel kan be om.", "The path searches more than one request may ask for."},
}

func init() { maps.Copy(issueTexts, patchTexts) }
