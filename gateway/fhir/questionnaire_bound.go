package fhir

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// The extensions of R4 that bound answers (extension-registry, questionnaire and core).
const (
	extMinOccurs   = "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs"
	extMaxOccurs   = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs"
	extExclusive   = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive"
	extResource    = "http://hl7.org/fhir/StructureDefinition/questionnaire-referenceResource"
	extMinLength   = "http://hl7.org/fhir/StructureDefinition/minLength"
	extMinValue    = "http://hl7.org/fhir/StructureDefinition/minValue"
	extMaxValue    = "http://hl7.org/fhir/StructureDefinition/maxValue"
	extMaxDecimals = "http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces"
	extMaxSize     = "http://hl7.org/fhir/StructureDefinition/maxSize"
	extMimeType    = "http://hl7.org/fhir/StructureDefinition/mimeType"
	extRegex       = "http://hl7.org/fhir/StructureDefinition/regex"
)

// bounds checks length, range and form of one answer.
func (a *answers) bounds(q *question, v *Value, typ string) {
	switch typ {
	case "string", "uri":
		n := utf8.RuneCountInString(v.text)
		if longest := numberOf(q.item.Get("maxLength")); longest > 0 && n > longest {
			a.c.add(v, CodeAnswersLong, IssueTooLong, itoa(longest))
		}
		if shortest := extensionInt(q.item, extMinLength); n < shortest {
			a.c.add(v, CodeAnswersShort, IssueValue, itoa(shortest))
		}
		if pattern := extensionOf(q.item, extRegex).Get("valueString").Text(); pattern != "" && !whole(pattern, v.text) {
			a.c.add(v, CodeAnswersPattern, IssueValue)
		}
	case "integer", "decimal", "date", "dateTime", "time", "Quantity":
		a.span(q, v, typ)
	case "Attachment":
		a.attachment(q, v)
	case "Reference":
		a.points(q, v)
	}
}

// span checks a number, date or quantity against minValue, maxValue and maxDecimalPlaces.
func (a *answers) span(q *question, v *Value, typ string) {
	number := v
	if typ == "Quantity" {
		number = v.Get("value")
	}
	if places := extensionOf(q.item, extMaxDecimals).Get("valueInteger"); places != nil && typ != "date" {
		_, fraction, _ := strings.Cut(number.Text(), ".")
		if len(fraction) > numberOf(places) && !strings.ContainsAny(fraction, "eE") {
			a.c.add(v, CodeAnswersDecimals, IssueValue, places.Text())
		}
	}
	for _, bound := range [...]struct {
		url, code string
		sign      int
	}{{extMinValue, CodeAnswersLow, -1}, {extMaxValue, CodeAnswersHigh, 1}} {
		limit, limitType := choiceOf(extensionOf(q.item, bound.url), "value")
		if limit == nil {
			continue
		}
		if limitType == "Quantity" {
			limit = limit.Get("value")
		}
		if order, ok := compareAnswers(number, limit, baseType(typ)); ok && order == bound.sign {
			a.c.add(v, bound.code, IssueValue, limit.Text())
		}
	}
}

// baseType gives how a type is compared.
func baseType(typ string) string {
	if typ == "Quantity" {
		return "decimal"
	}
	return typ
}

// compareAnswers compares two simple values: -1, 0, 1, and whether they can be compared at all. Dates of
// different precision that overlap cannot.
func compareAnswers(a, b *Value, typ string) (int, bool) {
	if a.Text() == "" || b.Text() == "" {
		return 0, false
	}
	switch typ {
	case "integer", "decimal":
		if a.kind != Number || b.kind != Number {
			return 0, false
		}
		return compareDecimal(a.text, b.text), true
	case "date", "dateTime":
		low, high, ok1 := parseDate(a.text)
		otherLow, otherHigh, ok2 := parseDate(b.text)
		switch {
		case !ok1 || !ok2:
			return 0, false
		case low.Equal(otherLow) && high.Equal(otherHigh):
			return 0, true
		case !high.After(otherLow):
			return -1, true
		case !low.Before(otherHigh):
			return 1, true
		}
		return 0, false
	}
	return strings.Compare(a.text, b.text), true
}

// attachment checks size and media type.
func (a *answers) attachment(q *question, v *Value) {
	if most := extensionOf(q.item, extMaxSize).Get("valueDecimal"); most != nil {
		size := v.Get("size").Text()
		if data := v.Get("data").Text(); data != "" {
			size = itoa(base64.StdEncoding.DecodedLen(len(strings.TrimRight(data, "="))))
		}
		if size != "" && compareDecimal(size, most.Text()) > 0 {
			a.c.add(v, CodeAnswersSize, IssueTooLong, most.Text())
		}
	}
	var types []string
	for _, e := range q.item.Get("extension").Items() {
		if e.Get("url").Text() == extMimeType {
			types = append(types, e.Get("valueCode").Text())
		}
	}
	if got := v.Get("contentType").Text(); len(types) > 0 && !slices.Contains(types, got) {
		a.c.add(v, CodeAnswersMime, IssueValue, strings.Join(types, ", "))
	}
}

// points checks the type that a reference names.
func (a *answers) points(q *question, v *Value) {
	var types []string
	for _, e := range q.item.Get("extension").Items() {
		if e.Get("url").Text() == extResource {
			types = append(types, e.Get("valueCode").Text())
		}
	}
	if ref, ok := parseReference(v.Get("reference").Text()); ok && len(types) > 0 && !slices.Contains(types, string(ref.Type)) {
		a.c.add(v.Get("reference"), CodeAnswersTarget, IssueValue, safeName(string(ref.Type)), strings.Join(types, ", "))
	}
}

// extensionOf gives the first extension of a URL, nil when there is none.
func extensionOf(v *Value, url string) *Value {
	for _, e := range v.Get("extension").Items() {
		if e.Get("url").Text() == url {
			return e
		}
	}
	return nil
}

// extensionInt gives the number in an extension, 0 when there is none.
func extensionInt(v *Value, url string) int {
	return numberOf(extensionOf(v, url).Get("valueInteger"))
}

// numberOf reads a count, 0 when it is absent or no count.
func numberOf(v *Value) int {
	n, _ := digitsOf(v.Text())
	return n
}

// patterns caches what whole has compiled. It holds few: the patterns of the questionnaires in use.
var patterns struct {
	sync.Mutex
	by map[string]*regexp.Regexp
}

// whole reports whether a pattern matches all of a text. A pattern that is none, or of another dialect,
// matches everything. Matching is linear in the text, whatever the pattern.
func whole(pattern, text string) bool {
	if len(pattern) > 1000 {
		return true
	}
	patterns.Lock()
	re, ok := patterns.by[pattern]
	patterns.Unlock()
	if !ok {
		re, _ = regexp.Compile(`^(?:` + pattern + `)$`) // nil when it is none
		patterns.Lock()
		if patterns.by == nil || len(patterns.by) >= 256 {
			patterns.by = map[string]*regexp.Regexp{}
		}
		patterns.by[pattern] = re
		patterns.Unlock()
	}
	return re == nil || re.MatchString(text)
}
