package conformance_test

import (
	"slices"
	"strings"
)

// The rules of the bypass corpus, reviewed by hand against the design (§ 3): what each class of record holds,
// what each state of a person's consents covers, and who asks. Nothing here is asked of the product.

// recordClass is one record of every person, kept by the bydel.
type recordClass struct {
	name, kind string
	labels     []string   // of the whole; none: it never crosses, whatever is consented
	parts      [][]string // labels of each part, beside those of the whole
	places     string     // parts that tell where she is
	foreign    bool       // it is about nobody in particular, so that the person does not read it
	narrative  bool       // its narrative is not let across, since it may tell of parts
}

func labelList(words string) []string { return strings.Fields(words) }

// recordClasses in the order in which they are stored: what is pointed at first. The number of one is part of its id.
var recordClasses = []recordClass{
	{name: "pasient", kind: "Patient", labels: labelList("samarbeid"), parts: [][]string{labelList("demografi"), labelList("parorende"), labelList("demografi")}, places: "01", narrative: true},
	{name: "plan", kind: "CarePlan", labels: labelList("plan"), parts: [][]string{labelList("okonomi"), labelList("bolig")}, narrative: true},
	{name: "hemmelig", kind: "CarePlan", labels: labelList("plan okonomi"), narrative: true},
	{name: "mål", kind: "Goal", labels: labelList("plan")},
	{name: "måling", kind: "Observation", labels: labelList("somatisk"), parts: [][]string{labelList("psykisk"), labelList("somatisk")}, narrative: true},
	{name: "skjema", kind: "QuestionnaireResponse", labels: labelList("kartlegging"), parts: [][]string{labelList("psykisk"), labelList("okonomi")}, narrative: true},
	{name: "psykisk", kind: "Condition", labels: labelList("psykisk")},
	{name: "somatisk", kind: "Condition", labels: labelList("somatisk")},
	{name: "medisin", kind: "MedicationStatement", labels: labelList("legemidler rus")},
	{name: "allergi", kind: "AllergyIntolerance", labels: labelList("somatisk legemidler")},
	{name: "henvisning", kind: "ServiceRequest", labels: labelList("henvisning")},
	{name: "melding", kind: "Communication", labels: labelList("samarbeid")},
	{name: "fil", kind: "Binary", labels: labelList("samarbeid plan")},
	{name: "dokument", kind: "DocumentReference", labels: labelList("samarbeid plan")},
	{name: "time", kind: "Appointment", labels: labelList("logistikk samarbeid")},
	{name: "kontakt", kind: "Encounter", labels: labelList("samarbeid")},
	{name: "episode", kind: "EpisodeOfCare", labels: labelList("samarbeid")},
	{name: "flagg", kind: "Flag", labels: labelList("samarbeid bolig")},
	{name: "slekt", kind: "RelatedPerson", labels: labelList("parorende"), parts: [][]string{nil}, places: "0"},
	{name: "team", kind: "CareTeam"},
	{name: "gruppe", kind: "Group", foreign: true},
	// Its owner is a unit whose name tells of rus.
	{name: "oppgave", kind: "Task", labels: labelList("plan rus")},
	{name: "liste", kind: "List", labels: labelList("samarbeid plan psykisk")},
	// Its author is one, too.
	{name: "notat", kind: "Composition", labels: labelList("samarbeid plan rus"), parts: [][]string{labelList("okonomi")}, narrative: true},
	// It names no person of its own.
	{name: "herkomst", kind: "Provenance", foreign: true},
}

func classNamed(name string) int {
	return slices.IndexFunc(recordClasses, func(c recordClass) bool { return c.name == name })
}

// classOfMail is the number of what came of a message in the markers: no class of its own making.
const classOfMail = 90

// coverage is what a state lets across for one who asks: labels of every record, and more of single classes.
// "alt" is every label.
type coverage struct {
	labels []string
	more   map[string][]string
}

func (c coverage) holds(name string, labels []string) bool {
	for _, l := range labels {
		if !slices.Contains(c.labels, l) && !slices.Contains(c.labels, "alt") &&
			!slices.Contains(c.more[name], l) && !slices.Contains(c.more[name], "alt") {
			return false
		}
	}
	return true
}

// consentState is how a person has consented. Every state has a person of its own.
type consentState struct {
	name     string
	receiver coverage       // the hospital, which the samtykker name
	second   coverage       // velferdsetaten
	mail     bool           // a message of the bydel about her reaches the hospital
	told     bool           // the hospital is told of changes that it may not read (v3 action disclose: message and notify)
	withheld string         // class that is kept from her
	shield   string         // adressesperre
	given    []givenConsent // the consents
}

// wideLabels is what the samtykker of most states share; okonomi and bolig are what they leave out.
const wideLabels = "plan samarbeid henvisning kartlegging somatisk psykisk legemidler rus logistikk parorende demografi"

// everyLabel is all of it, but uklassifisert.
const everyLabel = wideLabels + " okonomi bolig"

func covering(words string) coverage { return coverage{labels: labelList(words)} }

// consentStates: beside each, why it covers what it does.
var consentStates = []consentState{
	{name: "ingen"},
	{name: "alt", receiver: covering(everyLabel), mail: true, given: []givenConsent{{labels: everyLabel}}},
	{name: "deler", receiver: covering(wideLabels), mail: true, given: []givenConsent{{labels: wideLabels}}},
	// A permit that applies covers that she is known there: samarbeid, and the head of Patient.
	{name: "annen kategori", receiver: covering("bolig samarbeid"), given: []givenConsent{{labels: "bolig"}}},
	{name: "bare plan", receiver: covering("plan samarbeid"), given: []givenConsent{{labels: "plan"}}},
	{name: "annen mottaker", second: covering(everyLabel), given: []givenConsent{{labels: everyLabel, to: asSecond}}},
	{name: "utløpt", given: []givenConsent{{labels: everyLabel, start: -60, end: -1}}},
	{name: "framtidig", given: []givenConsent{{labels: everyLabel, start: 1, end: 60}}},
	{name: "trukket", given: []givenConsent{{labels: everyLabel, after: "inactive"}}},
	{name: "slettet", given: []givenConsent{{labels: everyLabel, after: "deleted"}}},
	{name: "forslag", given: []givenConsent{{labels: everyLabel, status: "proposed"}}},
	{name: "avslått", given: []givenConsent{{labels: everyLabel, status: "rejected"}}},
	// Registered by another party than the custodian: binds no read. What the bydel itself sends needs no more.
	{name: "ubekreftet", mail: true, given: []givenConsent{{labels: everyLabel, by: asRegistrar}}},
	{name: "bekreftet", receiver: covering(everyLabel), mail: true, given: []givenConsent{{labels: everyLabel, by: asRegistrar, after: "confirmed"}}},
	{name: "innsnevret", receiver: covering("plan samarbeid"), given: []givenConsent{{labels: everyLabel, after: "narrowed"}}},
	{name: "nektet del", receiver: covering(wideLabels + " bolig"), mail: true, given: []givenConsent{{labels: everyLabel, nested: "okonomi"}}},
	{name: "motsagt", receiver: covering("plan samarbeid henvisning somatisk psykisk legemidler rus logistikk parorende demografi okonomi bolig"), mail: true,
		given: []givenConsent{{labels: everyLabel}, {labels: "kartlegging", deny: true}}},
	{name: "innsigelse", given: []givenConsent{{labels: everyLabel}, {deny: true, law: "PBRL53"}}},
	{name: "innsigelse mot del", receiver: covering("plan samarbeid henvisning kartlegging somatisk legemidler rus logistikk parorende demografi okonomi bolig"), mail: true,
		given: []givenConsent{{labels: everyLabel}, {deny: true, law: "PBRL53", labels: "psykisk"}}},
	{name: "kode 7", receiver: covering(everyLabel), mail: true, shield: "fortrolig", given: []givenConsent{{labels: everyLabel}}},
	{name: "kode 6", shield: "strengt-fortrolig", given: []givenConsent{{labels: everyLabel}}},
	{name: "annen kilde", given: []givenConsent{{labels: everyLabel, from: asRegistrar}}},
	{name: "annet formål", given: []givenConsent{{labels: everyLabel, purpose: "COC"}}},
	{name: "bare melding", mail: true, told: true, given: []givenConsent{{labels: everyLabel, action: "disclose"}}},
	// A class names types; the file of a plan has the type of the plan.
	{name: "klasse", receiver: coverage{labelList("samarbeid"), map[string][]string{"plan": {"alt"}, "hemmelig": {"alt"}, "fil": {"alt"}}},
		given: []givenConsent{{labels: everyLabel, class: "CarePlan"}}},
	// Items without labels: every label of those items.
	{name: "enkeltpost", receiver: coverage{labelList("samarbeid"), map[string][]string{"plan": {"alt"}, "fil": {"alt"}}}, given: []givenConsent{{item: "plan"}}},
	{name: "eldre data", receiver: covering("samarbeid"), given: []givenConsent{{labels: everyLabel, before: true}}},
	{name: "holdt tilbake", receiver: covering(everyLabel), mail: true, withheld: "plan", given: []givenConsent{{labels: everyLabel}}},
}

// verdict is what somebody is to see of one record.
type verdict struct {
	shown bool
	parts string // digits of the parts
	whole bool   // narrative and display too: it does not cross
}

// bypasser is one who asks.
type bypasser struct {
	name, persona   string
	purpose, reason string
	bound           bool // to one patient: the person asked for, but for those that are named
	elsewhere       bool // bound to somebody else than whom is asked for
	signed          string
	sees            func(st consentState, c recordClass) verdict
}

// about is the state of the person that a token is bound to when the person of state s is asked about; -1: to nobody.
func (who bypasser) about(s int) int {
	switch {
	case !who.bound:
		return -1
	case !who.elsewhere:
		return s
	case s == 0:
		return 1
	}
	return 0
}

func seesNothing(consentState, recordClass) verdict { return verdict{} }

// seesOwn is what a custodian sees: all of it.
func seesOwn(_ consentState, c recordClass) verdict {
	return verdict{shown: true, parts: partDigits(c, nil), whole: true}
}

func partDigits(c recordClass, keep func(n int) bool) (s string) {
	for n := range c.parts {
		if keep == nil || keep(n) {
			s += string(rune('0' + n))
		}
	}
	return s
}

// seesCrossing is what a party sees of another's records under a cover.
func seesCrossing(st consentState, c recordClass, given coverage) verdict {
	if c.labels == nil || !given.holds(c.name, c.labels) {
		return verdict{}
	}
	return verdict{shown: true, parts: partDigits(c, func(n int) bool {
		return given.holds(c.name, c.parts[n]) && (st.shield == "" || !strings.ContainsRune(c.places, rune('0'+n)))
	})}
}

// seesHerself is what the person sees: all that is about her, but for what is withheld from her, and where she is
// while that is protected.
func seesHerself(st consentState, c recordClass) verdict {
	if c.foreign || st.withheld == c.name {
		return verdict{}
	}
	// A file is that of the record it belongs to.
	if st.withheld != "" && c.name == "fil" {
		return verdict{}
	}
	return verdict{shown: true, whole: true, parts: partDigits(c, func(n int) bool {
		return st.shield == "" || !strings.ContainsRune(c.places, rune('0'+n))
	})}
}

// seesInEmergency covers its own labels, whatever is consented; where she is stays behind.
func seesInEmergency(st consentState, c recordClass) verdict {
	return seesCrossing(st, c, covering("demografi samarbeid legemidler rus somatisk psykisk kriseplan smitte tvang"))
}

func seesReceived(st consentState, c recordClass) verdict { return seesCrossing(st, c, st.receiver) }
func seesSeconded(st consentState, c recordClass) verdict { return seesCrossing(st, c, st.second) }

// Names of askers that rules speak of.
const (
	asCustodian = "egen"
	asReceiver  = "mottaker"
	asSecond    = "velferdsetaten"
	asRegistrar = "sosial-sagene"
)

var bypassers = []bypasser{
	{name: asCustodian, persona: "bydel-sagene", sees: seesOwn},
	{name: asReceiver, persona: "ous-tsb", sees: seesReceived},
	{name: "mottaker, bundet", persona: "ous-tsb", bound: true, sees: seesReceived},
	{name: "mottaker, bundet til en annen", persona: "ous-tsb", bound: true, elsewhere: true, sees: seesNothing},
	{name: "mottaker, uten attest", persona: "ous-tsb", signed: "person", sees: seesNothing},
	{name: "mottaker, maskin", persona: "ous-tsb", signed: "machine", sees: seesNothing},
	{name: "annen part", persona: "nav-sagene", sees: seesNothing},
	{name: "andre mottaker", persona: asSecond, sees: seesSeconded},
	{name: "registrar", persona: asRegistrar, sees: seesNothing},
	{name: "pasienten", persona: "pasient", bound: true, sees: seesHerself},
	{name: "annen pasient", persona: "pasient", bound: true, elsewhere: true, sees: seesNothing},
	{name: "personvern", persona: "personvern", sees: seesNothing},
	{name: "drift", persona: "drift", sees: seesNothing},
	{name: "nødrett", persona: "legevakt", bound: true, purpose: "BTG", reason: "funnet bevisstløs", sees: seesInEmergency},
	{name: "nødrett uten grunn", persona: "legevakt", bound: true, purpose: "BTG", sees: seesNothing},
	{name: "øyeblikkelig hjelp", persona: "legevakt", bound: true, purpose: "ETREAT", sees: seesNothing},
}
