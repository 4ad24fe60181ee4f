package fhir

// rule is one R4 invariant of severity error, named by R4's key, with the type before it where
// R4 uses one key for several invariants ("Task/inv-1"). holds is nil where the validator keeps the
// invariant by construction (ele-1, ext-1, dom-2 …).
type rule struct {
	key   string
	text  text
	holds func(v *Value, c *checker) bool
}

// placed are invariants that R4 puts on an element of a type; they are asked of the type.
var placed = map[string][]string{
	"Organization": {"org-2", "org-3"},
}

// rules holds the invariants of the data types and of the resource types that Sluse serves, by key.
var rules = func() map[string]rule {
	all := map[string]rule{}
	for _, list := range [][]rule{builtinRules, datatypeRules, resourceRules, questionnaireRules, bundleRules, profileRules} {
		for _, r := range list {
			all[r.key] = r
		}
	}
	return all
}()

// builtinRules are kept by the validator itself.
var builtinRules = []rule{
	{"ele-1", text{"Et element har en verdi eller underelementer.", "An element has a value or children."}, nil},
	{"ref-1", text{"En referanse som begynner med # peker på en inneholdt ressurs.", "A reference that begins with # points at a contained resource."}, nil},
	{"dom-2", text{"En inneholdt ressurs inneholder ingen ressurser.", "A contained resource contains no resources."}, nil},
	{"dom-3", text{"En inneholdt ressurs er referert til.", "A contained resource is referred to."}, nil},
	{"dom-4", text{"En inneholdt ressurs har ingen versjon.", "A contained resource has no version."}, nil},
	{"dom-5", text{"En inneholdt ressurs har ingen sikkerhetsmerking.", "A contained resource has no security label."}, nil},
	{"txt-1", text{"Fortellingen er XHTML slik FHIR tillater.", "The narrative is XHTML as FHIR allows it."}, nil},
	{"txt-2", text{"Fortellingen har innhold.", "The narrative has content."}, nil},
	{"sqty-1", text{"En SimpleQuantity har ingen comparator.", "A SimpleQuantity has no comparator."}, nil},
}

// has reports whether a member or its primitive sibling is present.
func has(v *Value, name string) bool {
	return v != nil && (v.member(name) != nil || v.member("_"+name) != nil)
}

// hasChoice reports whether one of the members of a choice is present.
func hasChoice(v *Value, base string) bool {
	for i := range v.members {
		n := v.members[i].Name
		if n != "" && n[0] == '_' {
			n = n[1:]
		}
		if len(n) > len(base) && n[:len(base)] == base && n[len(base)] >= 'A' && n[len(base)] <= 'Z' {
			return true
		}
	}
	return false
}

// codeIs reports whether a code element has one of the values.
func codeIs(v *Value, name string, values ...string) bool {
	code := v.member(name).Text()
	for _, x := range values {
		if code == x {
			return true
		}
	}
	return false
}

// coded reports whether a CodeableConcept has a coding of the system with one of the codes.
func coded(v *Value, system string, codes ...string) bool {
	for _, c := range v.Get("coding").Items() {
		if c.Get("system").Text() != system {
			continue
		}
		for _, code := range codes {
			if c.Get("code").Text() == code {
				return true
			}
		}
	}
	return false
}

// implies is the logical implication.
func implies(a, b bool) bool { return !a || b }

const ucum = "http://unitsofmeasure.org"

// ext-1: exactly one of extension and value[x].
func extensionHolds(v *Value, _ *checker) bool {
	return has(v, "extension") != hasChoice(v, "value")
}

// coded quantity: a unit code for a value, of the system asked for.
func unitHolds(v *Value, system string) bool {
	return implies(has(v, "value"), has(v, "code")) && implies(has(v, "system"), v.member("system").Text() == system)
}

// datatypeRules are the invariants of R4 datatypes.html.
var datatypeRules = []rule{
	{"ext-1", text{"En utvidelse har enten en verdi eller utvidelser.", "An extension has either a value or extensions."}, extensionHolds},
	{"age-1", text{"En alder har kode fra UCUM og er større enn null.", "An age has a UCUM code and is above zero."}, func(v *Value, _ *checker) bool {
		n := v.member("value").Text()
		return unitHolds(v, ucum) && implies(n != "", compareDecimal(n, "0") > 0)
	}},
	{"cnt-3", text{"Et antall er et heltall med koden 1.", "A count is a whole number with the code 1."}, func(v *Value, _ *checker) bool {
		code := v.member("code").Text()
		for _, c := range []byte(v.member("value").Text()) {
			if c == '.' {
				return false
			}
		}
		return unitHolds(v, ucum) && (code == "" || code == "1")
	}},
	{"dis-1", text{"En avstand har kode fra UCUM.", "A distance has a UCUM code."}, func(v *Value, _ *checker) bool { return unitHolds(v, ucum) }},
	{"drt-1", text{"En varighet med kode har verdi og UCUM.", "A duration with a code has a value and UCUM."}, func(v *Value, _ *checker) bool {
		return implies(has(v, "code"), has(v, "value") && v.member("system").Text() == ucum)
	}},
	{"qty-3", text{"En enhetskode har system.", "A unit code has a system."}, func(v *Value, _ *checker) bool { return implies(has(v, "code"), has(v, "system")) }},
	{"rng-2", text{"Nedre grense er ikke over øvre.", "The low limit is not above the high."}, func(v *Value, _ *checker) bool {
		low, high := v.member("low"), v.member("high")
		a, b := low.Get("value").Text(), high.Get("value").Text()
		if a == "" || b == "" || low.Get("code").Text() != high.Get("code").Text() || low.Get("unit").Text() != high.Get("unit").Text() {
			return true
		}
		return compareDecimal(a, b) <= 0
	}},
	{"rat-1", text{"Et forhold har teller og nevner, eller ingen av dem og en utvidelse.", "A ratio has numerator and denominator, or neither and an extension."}, func(v *Value, _ *checker) bool {
		n := has(v, "numerator")
		return n == has(v, "denominator") && (n || has(v, "extension"))
	}},
	{"per-1", text{"Perioden slutter ikke før den begynner.", "The period does not end before it starts."}, periodHolds},
	{"att-1", text{"Et vedlegg med data har contentType.", "An attachment with data has a contentType."}, func(v *Value, _ *checker) bool {
		return implies(has(v, "data"), has(v, "contentType"))
	}},
	{"cpt-2", text{"Et kontaktpunkt med verdi har system.", "A contact point with a value has a system."}, func(v *Value, _ *checker) bool {
		return implies(has(v, "value"), has(v, "system"))
	}},
	{"exp-1", text{"Et uttrykk har expression eller reference.", "An expression has expression or reference."}, func(v *Value, _ *checker) bool {
		return has(v, "expression") || has(v, "reference")
	}},
	{"drq-1", text{"Enten path eller searchParam.", "Either path or searchParam."}, pathOrParam},
	{"drq-2", text{"Enten path eller searchParam.", "Either path or searchParam."}, pathOrParam},
	{"trd-1", text{"Ikke både data og timing.", "Not both data and timing."}, func(v *Value, _ *checker) bool { return !(has(v, "data") && hasChoice(v, "timing")) }},
	{"trd-2", text{"En betingelse krever data.", "A condition needs data."}, func(v *Value, _ *checker) bool { return implies(has(v, "condition"), has(v, "data")) }},
	{"trd-3", text{"Typen krever name, timing eller data.", "The type needs name, timing or data."}, func(v *Value, _ *checker) bool {
		t := v.member("type").Text()
		return implies(t == "named-event", has(v, "name")) && implies(t == "periodic", hasChoice(v, "timing")) &&
			implies(len(t) > 5 && t[:5] == "data-", has(v, "data"))
	}},
	{"tim-1", text{"Varighet har enhet.", "A duration has a unit."}, func(v *Value, _ *checker) bool { return implies(has(v, "duration"), has(v, "durationUnit")) }},
	{"tim-2", text{"Periode har enhet.", "A period has a unit."}, func(v *Value, _ *checker) bool { return implies(has(v, "period"), has(v, "periodUnit")) }},
	{"tim-4", text{"Varigheten er ikke negativ.", "The duration is not negative."}, notNegative("duration")},
	{"tim-5", text{"Perioden er ikke negativ.", "The period is not negative."}, notNegative("period")},
	{"tim-6", text{"periodMax krever period.", "periodMax needs period."}, needs("periodMax", "period")},
	{"tim-7", text{"durationMax krever duration.", "durationMax needs duration."}, needs("durationMax", "duration")},
	{"tim-8", text{"countMax krever count.", "countMax needs count."}, needs("countMax", "count")},
	{"tim-9", text{"offset krever when, og ikke måltidskodene C, CM, CD, CV.", "offset needs when, and none of the meal codes C, CM, CD, CV."}, func(v *Value, _ *checker) bool {
		if !has(v, "offset") {
			return true
		}
		for _, w := range v.member("when").Items() {
			switch w.Text() {
			case "C", "CM", "CD", "CV":
				return false
			}
		}
		return has(v, "when")
	}},
	{"tim-10", text{"Ikke både timeOfDay og when.", "Not both timeOfDay and when."}, func(v *Value, _ *checker) bool { return !(has(v, "timeOfDay") && has(v, "when")) }},
}

func pathOrParam(v *Value, _ *checker) bool { return has(v, "path") != has(v, "searchParam") }

func needs(name, other string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool { return implies(has(v, name), has(v, other)) }
}

func notNegative(name string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		n := v.member(name).Text()
		return n == "" || compareDecimal(n, "0") >= 0
	}
}

// periodHolds is per-1: an end before the start is refused only where the precisions leave no doubt.
func periodHolds(v *Value, _ *checker) bool {
	low, _, ok1 := parseDate(v.member("start").Text())
	_, high, ok2 := parseDate(v.member("end").Text())
	return !ok1 || !ok2 || low.Before(high)
}
