package fhir

// RuleKeys lists the invariants that Validate evaluates.
func RuleKeys() []string {
	var keys []string
	for key, r := range rules {
		if r.holds != nil && !ofProfile(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// ProfileRuleKeys lists the invariants of our own profiles.
func ProfileRuleKeys() []string {
	var keys []string
	for _, r := range profileRules {
		keys = append(keys, r.key)
	}
	return keys
}

func ofProfile(key string) bool {
	for _, r := range profileRules {
		if r.key == key {
			return true
		}
	}
	return false
}

// RuleTexts gives the texts of every invariant.
func RuleTexts() map[string][2]string {
	m := map[string][2]string{}
	for key, r := range rules {
		m[key] = [2]string{r.text.nb, r.text.en}
	}
	return m
}

// IssueTexts gives the texts of every code.
func IssueTexts() map[string][2]string {
	m := map[string][2]string{}
	for code, t := range issueTexts {
		m[code] = [2]string{t.nb, t.en}
	}
	return m
}

// CompareDecimal is compareDecimal.
var CompareDecimal = compareDecimal

// Dates is the table of record dates.
var Dates = dates

// HoldTo judges a resource by a StructureDefinition that is not embedded.
func HoldTo(definition, r *Resource) []Issue {
	c := &checker{tables: tables(), root: r.root, scope: newScope(r.root)}
	o := overlay{c: c, p: compileProfile(definition)}
	o.object(r.root, r.root, o.p.root)
	return c.issues
}
