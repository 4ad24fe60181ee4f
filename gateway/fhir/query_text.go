package fhir

import (
	"maps"
	"slices"
)

// The codes that ParseQuery gives. They are stable: clients may switch on them.
const (
	QueryTooMany          = "search.too-many"
	QueryParameterUnknown = "search.parameter-unknown"
	QueryModifierUnknown  = "search.modifier-unknown"
	QueryLeftOut          = "search.left-out"
	QueryValueEmpty       = "search.value-empty"
	QueryRepeated         = "search.repeated"
	QueryEscape           = "search.escape"
	QueryCombination      = "search.combination"

	QueryMissing          = "search.missing"
	QueryTruth            = "search.truth"
	QueryToken            = "search.token"
	QueryID               = "search.id"
	QueryReference        = "search.reference"
	QueryReferenceTarget  = "search.reference-target"
	QueryReferenceVersion = "search.reference-version"
	QueryPrefix           = "search.prefix"
	QueryDate             = "search.date"
	QueryNumber           = "search.number"
	QueryQuantity         = "search.quantity"
	QueryURI              = "search.uri"
	QueryComposite        = "search.composite"
	QueryValueSet         = "search.value-set"
	QueryValueSetLarge    = "search.value-set-large"
	QueryHierarchy        = "search.hierarchy"

	QueryChainDepth     = "search.chain-depth"
	QueryChainReference = "search.chain-reference"
	QueryChainType      = "search.chain-type"
	QueryChainParameter = "search.chain-parameter"
	QueryChainAmbiguous = "search.chain-ambiguous"
	QueryHas            = "search.has"
	QueryHasReference   = "search.has-reference"

	QueryType          = "search.type"
	QueryTypeRequired  = "search.type-required"
	QueryCount         = "search.count"
	QuerySort          = "search.sort"
	QuerySortPart      = "search.sort-part"
	QuerySummary       = "search.summary"
	QueryElements      = "search.elements"
	QueryTotal         = "search.total"
	QueryList          = "search.list"
	QueryInclude       = "search.include"
	QueryIncludeForm   = "search.include-form"
	QueryIncludeTarget = "search.include-target"
	QueryIncludeLost   = "search.include-lost"
	QueryIncludeMany   = "search.include-many"
)

// queryTexts holds the text of every code of ParseQuery in bokmål and English, each with what to do
// instead; {0} and {1} are Args.
var queryTexts = map[string]text{
	QueryTooMany:          {"Et søk kan ha høyst {0} parametere med {1} verdier i hvert. Del søket i flere.", "A search may have at most {0} parameters with {1} values each. Split it."},
	QueryParameterUnknown: {"{0} har ikke dette søkeparameteret. Et ukjent filter utelates ikke i stillhet, for da ville svaret vise mer enn det ble spurt om. {0} har: {1}.", "{0} has no such search parameter. An unknown filter is not dropped in silence, since the answer would show more than was asked for. {0} has: {1}."},
	QueryModifierUnknown:  {"Tillegget etter kolon gjelder ikke for {0}. Tillatt: {1}.", "The modifier after the colon does not apply to {0}. Allowed: {1}."},
	QueryLeftOut:          {"Parameteret ble utelatt, fordi det ikke støttes og det ble bedt om handling=lenient.", "The parameter was left out, since it is not supported and handling=lenient was asked for."},
	QueryValueEmpty:       {"Parameteret mangler verdi. Oppgi en verdi, eller bruk :missing.", "The parameter has no value. Give one, or use :missing."},
	QueryRepeated:         {"Parameteret kan bare stå én gang. Fjern de andre.", "The parameter may stand only once. Remove the others."},
	QueryEscape:           {"Omvendt skråstrek kan bare stå foran \\ , | og $. Skriv \\\\ for tegnet selv.", "A backslash may stand only before \\ , | and $. Write \\\\ for the character itself."},
	QueryCombination:      {"{0} og {1} kan ikke brukes sammen. Velg én av dem.", "{0} and {1} cannot be used together. Choose one of them."},

	QueryTruth:            {"Verdien må være true, false eller begge med komma mellom.", "The value must be true, false or both with a comma between them."},
	QueryMissing:          {"Verdien må være true eller false.", "The value must be true or false."},
	QueryToken:            {"Verdien må skrives kode, system|kode, |kode eller system|. En loddrett strek i verdien selv skrives \\|.", "The value must be written code, system|code, |code or system|. A bar in the value itself is written \\|."},
	QueryID:               {"Verdien er ikke en id: A–Z, a–z, 0–9, bindestrek og punktum, høyst 64 tegn.", "The value is not an id: A–Z, a–z, 0–9, hyphen and dot, at most 64 characters."},
	QueryReference:        {"Referansen må skrives id, Type/id eller som en absolutt adresse.", "The reference must be written id, Type/id or as an absolute URL."},
	QueryReferenceTarget:  {"Parameteret kan ikke vise til denne typen. Tillatt: {0}.", "The parameter cannot refer to this type. Allowed: {0}."},
	QueryReferenceVersion: {"Referansen kan ikke ha versjon her. Skriv Type/id.", "The reference cannot have a version here. Write Type/id."},
	QueryPrefix:           {"Prefikset er ukjent. Tillatt: {0}.", "The prefix is not known. Allowed: {0}."},
	QueryDate:             {"Datoen må skrives ÅÅÅÅ, ÅÅÅÅ-MM, ÅÅÅÅ-MM-DD eller ÅÅÅÅ-MM-DDThh:mm[:ss][sone]. Et plusstegn i sonen skrives %2B i en adresse.", "The date must be written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss][zone]. A plus sign of the zone is written %2B in a URL."},
	QueryNumber:           {"Verdien må være et tall med høyst 64 tegn, med punktum som desimaltegn.", "The value must be a number of at most 64 characters, with a dot as decimal mark."},
	QueryQuantity:         {"Verdien må skrives tall, tall|system|kode eller tall||kode, med punktum som desimaltegn.", "The value must be written number, number|system|code or number||code, with a dot as decimal mark."},
	QueryURI:              {"Verdien må være en hel URI uten mellomrom; med :below og :above en absolutt adresse.", "The value must be a whole URI without spaces; with :below and :above an absolute URL."},
	QueryComposite:        {"Verdien må ha {0} deler med $ mellom. Et dollartegn i verdien selv skrives \\$.", "The value must have {0} parts with $ between them. A dollar sign in the value itself is written \\$."},
	QueryValueSet:         {"Verdisettet er ikke kjent her med alle sine koder. Oppgi kodene, atskilt med komma.", "The value set is not known here with all its codes. Give the codes, separated by commas."},
	QueryValueSetLarge:    {"Verdisettet har flere enn {0} koder. Oppgi kodene, atskilt med komma.", "The value set has more than {0} codes. Give the codes, separated by commas."},
	QueryHierarchy:        {"Verdien må skrives system|kode i et kodeverk der nivåene er kjent: {0}.", "The value must be written system|code in a code system whose levels are known: {0}."},

	QueryChainDepth:     {"Kjeden går over flere enn {0} referanser. Søk i flere trinn.", "The chain goes over more than {0} references. Search in several steps."},
	QueryChainReference: {"{0} er ikke en referanse til noe det kan søkes i, og kan ikke kjedes.", "{0} is no reference to anything searchable, and cannot be chained."},
	QueryChainType:      {"{0} kan ikke vise til denne typen. Tillatt etter kolon: {1}.", "{0} cannot refer to this type. Allowed after the colon: {1}."},
	QueryChainParameter: {"Ingen av typene som {0} kan vise til, har dette søkeparameteret: {1}.", "None of the types that {0} may refer to has this search parameter: {1}."},
	QueryChainAmbiguous: {"Kjeden kan gå til for mange typer, eller parameteret betyr ulike ting i dem. Skriv hvilken type det gjelder, som i subject:Patient.name.", "The chain may lead to too many types, or the parameter means different things in them. Write which type is meant, as in subject:Patient.name."},
	QueryHas:            {"_has må skrives _has:Type:referanse:parameter.", "_has must be written _has:Type:reference:parameter."},
	QueryHasReference:   {"{0} har ikke en slik referanse til {1}. {0} viser til {1} med: {2}.", "{0} has no such reference to {1}. {0} refers to {1} by: {2}."},

	QueryType:          {"Ressurstypen kan ikke søkes i. Tillatt: {0}.", "The resource type cannot be searched. Allowed: {0}."},
	QueryTypeRequired:  {"Et søk i hele systemet må ha _type, med én eller flere ressurstyper.", "A search of the whole system must have _type, with one or more resource types."},
	QueryCount:         {"_count må være et helt tall fra 0. Høyst {0} gis på en side.", "_count must be a whole number from 0. At most {0} are given on a page."},
	QuerySort:          {"_sort kan ha høyst {0} ulike nøkler, synkende med bindestrek foran. Tillatt: {1}.", "_sort may have at most {0} different keys, descending with a hyphen before the name. Allowed: {1}."},
	QuerySortPart:      {"Det sorteres ikke etter {0}: verdiene står i deler som er merket for seg, og rekkefølgen ville fortalt hva som er skjult. Sorter etter noe annet: {1}.", "There is no order by {0}: its values lie in parts with labels of their own, and the order would tell what is hidden. Sort by something else: {1}."},
	QuerySummary:       {"_summary må være true, false, text, data eller count.", "_summary must be true, false, text, data or count."},
	QueryElements:      {"_elements må være navn på elementer på øverste nivå i {0}, atskilt med komma.", "_elements must be names of elements at the first level of {0}, separated by commas."},
	QueryTotal:         {"_total må være none, estimate eller accurate.", "_total must be none, estimate or accurate."},
	QueryList:          {"_list må være id-en til en List. Funksjonelle lister ($current-…) finnes ikke her.", "_list must be the id of a List. Functional lists ($current-…) do not exist here."},
	QueryInclude:       {"{0} har ingen slik referanse å ta med. Tillatt: {1}.", "{0} has no such reference to include. Allowed: {1}."},
	QueryIncludeForm:   {"_include og _revinclude må skrives Type:parameter eller Type:parameter:Måltype.", "_include and _revinclude must be written Type:parameter or Type:parameter:TargetType."},
	QueryIncludeTarget: {"{0} kan ikke vise til denne typen. Tillatt: {1}.", "{0} cannot refer to this type. Allowed: {1}."},
	QueryIncludeLost:   {"Det som skal tas med, henger ikke sammen med det som søkes: {0}. Bruk :iterate for det som henger sammen med noe annet som tas med.", "What is to be included does not hang together with what is searched: {0}. Use :iterate for what hangs together with something else that is included."},
	QueryIncludeMany:   {"Et søk kan ha høyst {0} _include og _revinclude til sammen.", "A search may have at most {0} _include and _revinclude together."},
}

// QueryCodes lists the codes of ParseQuery, sorted.
func QueryCodes() []string { return slices.Sorted(maps.Keys(queryTexts)) }
