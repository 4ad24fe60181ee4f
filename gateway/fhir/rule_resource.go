package fhir

import "slices"

// resourceRules are the invariants of the resource types that Sluse serves and of what they may
// contain, less Questionnaire's and Bundle's.
var resourceRules = []rule{
	{"pat-1", text{"En kontakt har navn, telekom, adresse eller organisasjon.", "A contact has a name, telecom, address or organization."}, func(v *Value, _ *checker) bool {
		return has(v, "name") || has(v, "telecom") || has(v, "address") || has(v, "organization")
	}},
	{"org-1", text{"En organisasjon har navn eller identifikator.", "An organization has a name or an identifier."}, func(v *Value, _ *checker) bool {
		return has(v, "name") || has(v, "identifier")
	}},
	{"org-2", text{"En organisasjon har ingen hjemmeadresse.", "An organization has no home address."}, noHome("address")},
	{"org-3", text{"En organisasjon har ikke privat telefon.", "An organization has no home telephone."}, noHome("telecom")},
	{"cpl-3", text{"En aktivitet har detail eller reference, ikke begge.", "An activity has detail or reference, not both."}, func(v *Value, _ *checker) bool {
		return !(has(v, "detail") && has(v, "reference"))
	}},
	{"ctm-1", text{"onBehalfOf gjelder bare når medlemmet er en Practitioner.", "onBehalfOf applies only when the member is a Practitioner."}, memberHolds},
	{"gol-1", text{"Et mål med detail har measure.", "A target with a detail has a measure."}, func(v *Value, _ *checker) bool {
		return implies(hasChoice(v, "detail"), has(v, "measure"))
	}},
	{"ppc-1", text{"Et samtykke har policy eller policyRule.", "A consent has policy or policyRule."}, func(v *Value, _ *checker) bool {
		return has(v, "policy") || has(v, "policyRule")
	}},
	// The four below name the system 'something', so that they hold for every real Consent.
	{"ppc-2", text{"Et personvernsamtykke gjelder en pasient.", "A privacy consent is about a patient."}, scopeHolds("patient-privacy")},
	{"ppc-3", text{"Et forskningssamtykke gjelder en pasient.", "A research consent is about a patient."}, scopeHolds("research")},
	{"ppc-4", text{"En forhåndserklæring gjelder en pasient.", "An advance directive is about a patient."}, scopeHolds("adr")},
	{"ppc-5", text{"Et behandlingssamtykke gjelder en pasient.", "A treatment consent is about a patient."}, scopeHolds("treatment")},
	{"prr-1", text{"orderDetail krever code.", "orderDetail needs code."}, needs("orderDetail", "code")},
	{"con-1", text{"Et stadium har summary eller assessment.", "A stage has summary or assessment."}, func(v *Value, _ *checker) bool {
		return has(v, "summary") || has(v, "assessment")
	}},
	{"con-2", text{"Et belegg har code eller detail.", "Evidence has code or detail."}, func(v *Value, _ *checker) bool {
		return has(v, "code") || has(v, "detail")
	}},
	{"con-4", text{"En tilstand som er over, er inactive, resolved eller remission.", "A condition that is abated is inactive, resolved or in remission."}, func(v *Value, _ *checker) bool {
		return implies(hasChoice(v, "abatement"), coded(v.member("clinicalStatus"), "http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved", "remission", "inactive"))
	}},
	{"con-5", text{"En feilregistrert tilstand har ikke clinicalStatus.", "A condition entered in error has no clinicalStatus."}, func(v *Value, _ *checker) bool {
		return !(has(v, "clinicalStatus") && coded(v.member("verificationStatus"), "http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error"))
	}},
	{"ait-1", text{"clinicalStatus kreves når verificationStatus ikke er entered-in-error.", "clinicalStatus is required unless verificationStatus is entered-in-error."}, func(v *Value, _ *checker) bool {
		return has(v, "clinicalStatus") || allergyError(v)
	}},
	{"ait-2", text{"En feilregistrert allergi har ikke clinicalStatus.", "An allergy entered in error has no clinicalStatus."}, func(v *Value, _ *checker) bool {
		return !(has(v, "clinicalStatus") && allergyError(v))
	}},
	{"obs-3", text{"Et referanseområde har low, high eller text.", "A reference range has low, high or text."}, func(v *Value, _ *checker) bool {
		return has(v, "low") || has(v, "high") || has(v, "text")
	}},
	{"obs-6", text{"dataAbsentReason gjelder bare uten verdi.", "dataAbsentReason applies only without a value."}, func(v *Value, _ *checker) bool {
		return !(has(v, "dataAbsentReason") && hasChoice(v, "value"))
	}},
	{"obs-7", text{"En verdi og en komponent kan ikke ha samme kode.", "A value and a component cannot have the same code."}, componentHolds},
	{"Task/inv-1", text{"lastModified er ikke før authoredOn.", "lastModified is not before authoredOn."}, func(v *Value, _ *checker) bool {
		authored, _, ok1 := parseDate(v.member("authoredOn").Text())
		_, modified, ok2 := parseDate(v.member("lastModified").Text())
		return !ok1 || !ok2 || authored.Before(modified)
	}},
	{"cmp-1", text{"En seksjon har text, entry eller section.", "A section has text, entry or section."}, func(v *Value, _ *checker) bool {
		return has(v, "text") || has(v, "entry") || has(v, "section")
	}},
	{"cmp-2", text{"emptyReason gjelder bare en seksjon uten entry.", "emptyReason applies only to a section without entry."}, onlyEmpty},
	{"lst-1", text{"emptyReason gjelder bare en liste uten entry.", "emptyReason applies only to a list without entry."}, onlyEmpty},
	{"lst-2", text{"deleted gjelder bare når mode er changes.", "deleted applies only when mode is changes."}, entriesOnly("deleted", "changes")},
	{"lst-3", text{"Datoen til en entry gjelder bare når mode er working.", "The date of an entry applies only when mode is working."}, entriesOnly("date", "working")},
	{"sev-1", text{"En entitet har name eller query, ikke begge.", "An entity has name or query, not both."}, func(v *Value, _ *checker) bool {
		return !(has(v, "name") && has(v, "query"))
	}},
	{"grp-1", text{"Bare en faktisk gruppe har medlemmer.", "Only an actual group has members."}, func(v *Value, _ *checker) bool {
		return implies(has(v, "member"), v.member("actual").Text() == "true")
	}},
	{"app-1", text{"En deltaker har type eller actor.", "A participant has type or actor."}, func(v *Value, _ *checker) bool {
		return has(v, "type") || has(v, "actor")
	}},
	{"app-2", text{"start og end står begge eller ingen av dem.", "start and end are both there or neither."}, func(v *Value, _ *checker) bool {
		return has(v, "start") == has(v, "end")
	}},
	{"app-3", text{"Bare foreslåtte og avlyste avtaler og ventelister mangler tid.", "Only proposed and cancelled appointments and waitlists have no time."}, func(v *Value, _ *checker) bool {
		return has(v, "start") && has(v, "end") || codeIs(v, "status", "proposed", "cancelled", "waitlist")
	}},
	{"app-4", text{"cancelationReason gjelder bare avlyst eller ikke møtt.", "cancelationReason applies only to cancelled or no-show."}, func(v *Value, _ *checker) bool {
		return implies(has(v, "cancelationReason"), codeIs(v, "status", "no-show", "cancelled"))
	}},
	{"Parameters.parameter/inv-1", text{"En parameter har en verdi, en ressurs eller deler.", "A parameter has a value, a resource or parts."}, func(v *Value, _ *checker) bool {
		n := 0
		for _, present := range [...]bool{has(v, "part"), hasChoice(v, "value"), has(v, "resource")} {
			if present {
				n++
			}
		}
		return n == 1
	}},
}

func noHome(name string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		for _, item := range v.member(name).Items() {
			if item.Get("use").Text() == "home" {
				return false
			}
		}
		return true
	}
}

// memberHolds is ctm-1 as far as the reference itself tells the type of the member.
func memberHolds(v *Value, c *checker) bool {
	text := v.member("member").Get("reference").Text()
	if !has(v, "onBehalfOf") || text == "" {
		return true
	}
	if text[0] == '#' {
		found := c.scope.find(text[1:])
		return found == nil || found.Get("resourceType").Text() == "Practitioner"
	}
	if ref, ok := parseReference(text); ok {
		return ref.Type == "Practitioner"
	}
	t := urlType(text, c.tables)
	return t == "" || t == "Practitioner"
}

func scopeHolds(code string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		return has(v, "patient") || !coded(v.member("scope"), "something", code)
	}
}

func allergyError(v *Value) bool {
	return coded(v.member("verificationStatus"), "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "entered-in-error")
}

// componentHolds is obs-7: no component repeats a coding of the observation that has a value.
func componentHolds(v *Value, _ *checker) bool {
	if !hasChoice(v, "value") {
		return true
	}
	own := map[coding]bool{}
	for _, c := range v.member("code").Get("coding").Items() {
		own[codingOf(c)] = true
	}
	for _, component := range v.member("component").Items() {
		for _, c := range component.Get("code", "coding").Items() {
			if own[codingOf(c)] {
				return false
			}
		}
	}
	return true
}

// coding is a Coding in full: FHIRPath's intersect compares every element.
type coding struct {
	system, version, code, display, userSelected string
	members                                      int
}

func codingOf(v *Value) coding {
	return coding{
		v.Get("system").Text(), v.Get("version").Text(), v.Get("code").Text(), v.Get("display").Text(), v.Get("userSelected").Text(), len(v.Members()),
	}
}

// onlyEmpty holds of what is empty, or gives no reason for being so.
func onlyEmpty(v *Value, _ *checker) bool { return !(has(v, "emptyReason") && has(v, "entry")) }

// entriesOnly holds when the entries of a List have a member only in one mode.
func entriesOnly(member, mode string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		return v.member("mode").Text() == mode || !slices.ContainsFunc(v.Get("entry").Items(), func(e *Value) bool { return has(e, member) })
	}
}
