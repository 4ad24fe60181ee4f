package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// crossingConsent is one Consent of a person.
type crossingConsent struct {
	labels, nested []string // nested: a deny inside
	classes        []string
	data           string // "", current, old
	period         string // "", past, future
	purpose        string
	action         string // "", access, disclose
	status         string // "": active
	law            string
	deny           bool
	to             string // organisation; "": the receiver's
	practitioner   bool   // for the one practitioner at it
}

// crossingSet is what a person has agreed to, and what becomes of it between receipt and fetch.
type crossingSet struct {
	name     string
	given    []crossingConsent
	late     bool // all of it after the message
	after    string
	changed  []string // labels of the first, after "narrow" and "widen"
	split    bool     // one person agrees to messages only, the other to reading only
	foreign  bool     // registered by the receiver
	named    bool     // a practitioner is named: by messages that name her
	nameless bool     // … and by one that does not
	full     bool     // of messages with every section
}

// crossingLabels are those that sections have.
var crossingLabels = strings.Fields("demografi samarbeid rus psykisk somatisk legemidler plan henvisning familie nettverk arbeid okonomi bolig parorende logistikk funksjon tjenester tolk uklassifisert smitte voldsrisiko")

// sectionLabels are those that most sections have.
var sectionLabels = strings.Fields("rus funksjon psykisk tjenester somatisk logistikk legemidler plan demografi parorende tolk henvisning")

// crossingClasses are the types that messages become.
var crossingClasses = strings.Fields("Condition Observation MedicationStatement AllergyIntolerance CarePlan Goal ServiceRequest DocumentReference Task CareTeam Encounter Appointment Flag RelatedPerson Communication Patient")

// some gives each with a likelihood.
func some(r *rand.Rand, list []string, likely float64) (chosen []string) {
	for _, s := range list {
		if r.Float64() < likely {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		chosen = []string{list[r.IntN(len(list))]}
	}
	return chosen
}

// newCrossingSet is the n-th: every form in turn, the rest by chance.
func newCrossingSet(r *rand.Rand, n int) crossingSet {
	likely := []float64{0.45, 0.75, 0.95, 1}[r.IntN(4)]
	permit := crossingConsent{labels: some(r, crossingLabels, likely)}
	everything := crossingConsent{labels: crossingLabels}
	set := crossingSet{given: []crossingConsent{permit}}
	forms := []struct {
		name string
		make func()
	}{
		{"one", func() {}},
		{"two", func() { set.given = append(set.given, crossingConsent{labels: some(r, crossingLabels, 0.5)}) }},
		{"everything", func() { set.given = []crossingConsent{everything} }},
		{"nested deny", func() {
			set.given = []crossingConsent{{labels: crossingLabels, nested: some(r, crossingLabels[2:], 0.12)}}
		}},
		{"deny beside", func() {
			set.given = []crossingConsent{everything, {deny: true, labels: some(r, crossingLabels[2:], 0.12)}}
		}},
		{"objection", func() {
			set.given = []crossingConsent{everything, {deny: true, law: "PBRL53", labels: some(r, crossingLabels[2:], 0.12)}}
		}},
		{"objection to all", func() { set.given = []crossingConsent{everything, {deny: true, law: "PBRL53"}} }},
		{"classes", func() {
			set.given = []crossingConsent{{labels: crossingLabels, classes: some(r, crossingClasses, 0.6)}, {labels: []string{"samarbeid", "demografi"}}}
		}},
		{"deny of classes", func() {
			set.given = []crossingConsent{everything, {deny: true, classes: some(r, crossingClasses, 0.2)}}
		}},
		{"current data", func() { set.given = []crossingConsent{{labels: crossingLabels, data: "current"}} }},
		{"old data", func() { set.given = []crossingConsent{{labels: crossingLabels, data: "old"}, permit} }},
		{"deny of current data", func() {
			set.given = []crossingConsent{everything, {deny: true, data: "current", labels: some(r, crossingLabels, 0.2)}}
		}},
		{"over or not begun", func() {
			set.given = []crossingConsent{{labels: crossingLabels, period: []string{"past", "future"}[r.IntN(2)]}}
		}},
		{"not active", func() {
			set.given = []crossingConsent{{labels: crossingLabels, status: []string{"inactive", "proposed", "rejected", "draft"}[r.IntN(4)]}, permit}
		}},
		{"none", func() { set.given = nil }},
		{"for another", func() {
			set.given = []crossingConsent{{labels: crossingLabels, to: "legevakt"}, permit}
		}},
		{"for a purpose", func() {
			set.given = []crossingConsent{{labels: crossingLabels, purpose: []string{"TREAT", "ETREAT", "COC"}[r.IntN(3)]}}
		}},
		{"for a person", func() {
			set.given, set.named, set.nameless = []crossingConsent{{labels: permit.labels, practitioner: true}}, true, true
		}},
		{"withdrawn", func() { set.after = "inactive" }},
		{"deleted", func() { set.after = "deleted" }},
		{"narrowed", func() { set.after, set.changed = "labels", some(r, permit.labels, 0.6) }},
		{"widened", func() {
			set.given, set.after, set.changed = []crossingConsent{{labels: some(r, crossingLabels, 0.5)}}, "labels", crossingLabels
		}},
		{"objected to later", func() { set.after = "objection" }},
		{"late", func() { set.late = true }},
		{"each action alone", func() { set.split = true }},
		{"registered by the receiver", func() { set.foreign = true }},
	}
	switch n { // found once: what has no date, or no record of its own
	case 0:
		return crossingSet{name: "current data, whole", full: true, given: []crossingConsent{{labels: crossingLabels, data: "current"}}}
	case 1:
		but := slices.DeleteFunc(slices.Clone(crossingClasses), func(c string) bool { return c == "DocumentReference" })
		return crossingSet{name: "classes, whole", full: true, given: []crossingConsent{{labels: crossingLabels, classes: but}, {labels: []string{"samarbeid", "demografi"}}}}
	}
	if n%3 == 2 { // all but one label: a section that has lost it is seen
		omitted := sectionLabels[n/3%len(sectionLabels)]
		set.name = "all but one label"
		set.given = []crossingConsent{{labels: slices.DeleteFunc(slices.Clone(crossingLabels), func(l string) bool { return l == omitted })}}
		return set
	}
	form := forms[(n-n/3)%len(forms)]
	form.make()
	set.name = form.name
	return set
}

// String tells the set in one line.
func (s crossingSet) String() string {
	said := s.name
	for _, c := range s.given {
		said += fmt.Sprintf("; deny %t %v less %v %v %s%s%s%s%s%s", c.deny, c.labels, c.nested, c.classes, c.data, c.period, c.purpose, c.status, c.law, c.to)
	}
	return fmt.Sprintf("%s; then %s %v", said, s.after, s.changed)
}

// limited tells that a consent is for some types or periods only.
func (s crossingSet) limited() bool {
	return slices.ContainsFunc(s.given, func(c crossingConsent) bool { return c.classes != nil || c.data != "" })
}

// covers tells which labels any consent of the set in force gives the receiver, denies taken away: what crosses beyond
// them crosses without a samtykke, whatever else it says.
func (s crossingSet) covers() (labels []string) {
	given := s.given
	switch s.after {
	case "inactive", "deleted", "objection":
		given = nil
	case "labels":
		given = []crossingConsent{{labels: s.changed}}
	}
	var denied []string
	for _, c := range given {
		switch {
		case c.status != "" || c.period != "" || c.to != "":
		case c.deny && c.labels == nil && c.classes == nil:
			return nil
		case c.deny && c.data == "" && c.classes == nil:
			denied = append(denied, c.labels...)
		case !c.deny:
			labels = append(labels, c.labels...)
			denied = append(denied, c.nested...)
		}
	}
	if len(labels) > 0 && !slices.Contains(denied, "samarbeid") {
		labels = append(labels, "samarbeid")
	}
	return slices.DeleteFunc(labels, func(l string) bool { return slices.Contains(denied, l) })
}

// parties of a crossing: who sends, who receives, and who gets what the receiver may ask for.
const (
	crossingSender   = "fastlege-sagene"
	crossingReceiver = "ous-tsb"
	crossingOther    = "legevakt"
	receiverHPR      = "9900006"
)

// body is the Consent of a person, registered by a party.
func (w *crossing) body(c crossingConsent, about string, by *client) string {
	coded := func(system, code string) map[string]any {
		return map[string]any{"coding": []any{map[string]string{"system": system, "code": code}}}
	}
	codings := func(system string, codes []string) (list []any) {
		for _, code := range codes {
			list = append(list, map[string]string{"system": system, "code": code})
		}
		return list
	}
	actor := func(role, reference string) map[string]any {
		return map[string]any{"role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", role), "reference": map[string]string{"reference": reference}}
	}
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }
	provision := map[string]any{"type": "permit"}
	if c.deny {
		provision["type"] = "deny"
	} else {
		start, end := -1, 200
		switch c.period {
		case "past":
			start, end = -60, -2
		case "future":
			start, end = 5, 100
		}
		provision["period"] = map[string]string{"start": day(start), "end": day(end)}
		to := w.parties[crossingReceiver].organization
		switch {
		case c.practitioner:
			to = w.practitioner
		case c.to != "":
			to = w.parties[c.to].organization
		}
		provision["actor"] = []any{actor("IRCP", to), actor("CST", w.parties[crossingSender].organization)}
	}
	if c.labels != nil {
		provision["securityLabel"] = codings(labelSystem, c.labels)
	}
	if c.nested != nil {
		provision["provision"] = []any{map[string]any{"type": "deny", "securityLabel": codings(labelSystem, c.nested)}}
	}
	if c.classes != nil {
		provision["class"] = codings("http://hl7.org/fhir/resource-types", c.classes)
	}
	if c.purpose != "" {
		provision["purpose"] = codings("http://terminology.hl7.org/CodeSystem/v3-ActReason", []string{c.purpose})
	}
	if c.action != "" {
		provision["action"] = []any{coded("http://terminology.hl7.org/CodeSystem/consentaction", c.action)}
	}
	switch c.data {
	case "current":
		provision["dataPeriod"] = map[string]string{"start": "2026-01-01", "end": "2026-12-31"}
	case "old":
		provision["dataPeriod"] = map[string]string{"start": "2015-01-01", "end": "2025-12-31"}
	}
	status, law := "active", "HPL22"
	if c.status != "" {
		status = c.status
	}
	if c.law != "" {
		law = c.law
	}
	raw, err := json.Marshal(map[string]any{
		"resourceType": "Consent", "status": status, "dateTime": day(-61),
		"scope":    coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
		"category": []any{coded("http://terminology.hl7.org/CodeSystem/consentcategorycodes", "infa")},
		"patient":  map[string]string{"reference": about}, "organization": []any{map[string]string{"reference": by.organization}},
		"policyRule": coded("http://sluse.no/fhir/CodeSystem/rettsgrunnlag", law), "provision": provision,
	})
	if err != nil {
		w.t.Error(err)
	}
	return string(raw)
}
