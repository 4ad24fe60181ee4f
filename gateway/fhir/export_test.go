package fhir

// RuleKeys lists the invariants that Validate evaluates.
func RuleKeys() []string {
	var keys []string
	for key, r := range rules {
		if r.holds != nil {
			keys = append(keys, key)
		}
	}
	return keys
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

// Served lists the types that can be searched.
func Served() []Type {
	var list []Type
	for t := range served {
		list = append(list, t)
	}
	return list
}

// Dates is the table of record dates.
var Dates = dates
