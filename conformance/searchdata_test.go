package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// author writes random resources: every element that a search parameter looks at, in every data
// type that R4 allows, present or missing, out of small pools so that searches find several.
type author struct {
	random *rand.Rand
	prefix string              // of ids, with hyphen
	ids    map[string][]string // "Type/id" that references may name, per type
	// full leaves nothing out: what R4 allows is there.
	full  bool
	turns int
	next  map[string]int // which type of target comes next, per path
}

// directoryKinds are read by all, and name no record.
var directoryKinds = strings.Fields("Practitioner PractitionerRole HealthcareService Location Endpoint Questionnaire Organization")

// recordKinds are written by random: Consent, Provenance, Subscription, Binary and Organization have
// rules of their own, and stand in searchfixed_test.go.
var recordKinds = strings.Fields(`Practitioner Location Endpoint HealthcareService PractitionerRole Questionnaire
	Patient RelatedPerson EpisodeOfCare Encounter Condition AllergyIntolerance Goal CareTeam ServiceRequest CarePlan
	Observation MedicationStatement QuestionnaireResponse Appointment Communication DocumentReference Composition Flag
	Group List Task`)

// absent are elements that the author leaves out: they need more than a value.
var absent = map[string]bool{
	"Questionnaire.item":         true, // unique linkIds, types: by hand
	"Location.position":          true,
	"QuestionnaireResponse.item": true, // must answer the questionnaire
	"Endpoint.header":            true, "Practitioner.qualification": true,
	"HealthcareService.partOf": true, "Location.partOf": true, // by operations only
	"Patient.link":                        true, // two Patients of one person: not by chance
	"QuestionnaireResponse.questionnaire": true,
}

func (a *author) chance(percent int) bool { return a.random.IntN(100) < percent }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// resource writes one of a type.
func (a *author) resource(kind, id string) map[string]any {
	r := map[string]any{"resourceType": kind, "id": id}
	a.fill(r, kind)
	if m := a.meta(kind); len(m) > 0 {
		r["meta"] = m
	}
	a.mend(kind, r)
	return r
}

func (a *author) meta(kind string) map[string]any {
	m := map[string]any{}
	if a.full || a.chance(70) {
		m["tag"] = []any{a.coding(nil)}
	}
	if a.full || a.chance(50) {
		m["source"] = pick(a.random, urls)
	}
	if a.full || a.chance(20) {
		m["profile"] = []any{"http://hl7.org/fhir/StructureDefinition/" + kind}
	}
	return m
}

// fill gives an object the elements right below a path.
func (a *author) fill(to map[string]any, path string) {
	kind, _, _ := strings.Cut(path, ".")
	for _, name := range r4Table().order[kind] {
		rest, below := strings.CutPrefix(name, path+".")
		if !below || strings.Contains(rest, ".") || absent[name] {
			continue
		}
		e := r4Table().elements[name]
		if !e.Required && !a.full && !a.chance(60) {
			continue
		}
		n := 1
		if e.List && (a.full || a.chance(30)) {
			n = 2
		}
		a.element(to, e, rest, n)
	}
}

func (a *author) element(to map[string]any, e *r4Element, name string, n int) {
	possible := slices.DeleteFunc(slices.Clone(e.Types), func(t string) bool {
		return t == "SampledData" || t == "Timing" && len(e.Types) == 1 || t == "Expression"
	})
	if len(possible) == 0 {
		return
	}
	kind := pick(a.random, possible)
	if len(e.Types) > 1 {
		name += strings.ToUpper(kind[:1]) + kind[1:]
	}
	var list []any
	for range n {
		v := a.value(e, kind)
		if v != nil && !slices.ContainsFunc(list, func(o any) bool { return fmt.Sprint(o) == fmt.Sprint(v) }) {
			list = append(list, v)
		}
	}
	switch {
	case len(list) == 0:
	case e.List:
		to[name] = list
	default:
		to[name] = list[0]
	}
}

var (
	systems = []string{"urn:sluse:a", "http://example.org/koder", "urn:oid:2.16.578.1.12.4.1.1.7110"}
	codes   = map[string][]string{
		"urn:sluse:a": {"a", "b", "c"}, "http://example.org/koder": {"a", "x,y", "p|q", `b\s`, "$5"},
		"urn:oid:2.16.578.1.12.4.1.1.7110": {"F10", "F10.2", "F11", "F1"},
	}
	words = []string{"Ål", "ål", "Ærlig", "aerlig", "Øst", "Ost", "André", "andre", "Kari  Anne", "Per-Erik", "Müller", "50% av_alt", `a\b`, "Åse, Bø", "Åsa", "A"}
	urls  = []string{"http://example.org/a", "http://example.org/a/b", "http://example.org/a/b/c", "http://example.org/ab", "urn:oid:1.2.3"}
	dates = []string{
		"2024", "2024-03", "2024-03-31", "2024-10-27", "2024-03-31T01:30:00+01:00", "2024-03-31T10:15:00+02:00", "2024-03-31T10:15:30.250+02:00",
		"2025", "2025-01-01", "2024-12-31T23:30:00Z", "2024-12-31T23:30:00+01:00", "2023-06", "2023-06-30T22:00:00Z", "2026-02-28",
	}
	amounts = []string{"5", "5.0", "5.40", "5.4", "0.0054", "5400", "-3", "100", "104", "1e2", "0", "12.50"}
	units   = [][3]string{{ucum, "g", "gram"}, {ucum, "mg", "mg"}, {ucum, "kg", "kilo"}, {ucum, "cm", "cm"}, {"", "", "tabletter"}, {"urn:sluse:a", "stk", "stykk"}, {ucum, "%", "prosent"}}
)

// coding is one of the pools, or of the codes of a required binding.
func (a *author) coding(bound []string) map[string]any {
	if len(bound) > 0 {
		system, code, _ := strings.Cut(pick(a.random, bound), "|")
		return map[string]any{"system": system, "code": code}
	}
	system := pick(a.random, systems)
	c := map[string]any{"system": system, "code": pick(a.random, codes[system])}
	if a.chance(15) {
		delete(c, "system")
	}
	if a.chance(50) {
		c["display"] = pick(a.random, words)
	}
	return c
}

// value makes one of a data type; nil when it makes none.
func (a *author) value(e *r4Element, kind string) any {
	switch kind {
	case "BackboneElement", "Element":
		m := map[string]any{}
		a.fill(m, e.Path)
		if len(m) == 0 {
			return nil
		}
		return m
	case "CodeableConcept":
		m := map[string]any{"coding": []any{a.coding(e.Codes)}}
		if len(e.Codes) == 0 && a.chance(40) {
			m["text"] = pick(a.random, words)
		}
		if len(e.Codes) == 0 && a.chance(15) {
			return map[string]any{"text": pick(a.random, words)}
		}
		return m
	case "Coding":
		return a.coding(e.Codes)
	case "Identifier":
		return a.identifier()
	case "Reference":
		return a.reference(e)
	case "code":
		if len(e.Codes) > 0 {
			_, code, _ := strings.Cut(pick(a.random, e.Codes), "|")
			return code
		}
		return pick(a.random, []string{"application/fhir+json", "text/plain"})
	case "boolean":
		return a.chance(50)
	case "string", "markdown":
		return pick(a.random, words)
	case "uri", "url":
		return pick(a.random, urls)
	case "canonical":
		return pick(a.random, urls[:4]) + pick(a.random, []string{"", "|1.0", "|2"})
	}
	return a.structured(kind)
}

func (a *author) structured(kind string) any {
	switch kind {
	case "date":
		return pick(a.random, slices.DeleteFunc(slices.Clone(dates), func(s string) bool { return strings.Contains(s, "T") }))
	case "dateTime":
		return pick(a.random, dates)
	case "instant":
		return pick(a.random, slices.DeleteFunc(slices.Clone(dates), func(s string) bool { return !strings.Contains(s, "T") }))
	case "Period":
		return a.period()
	case "Timing":
		if a.chance(50) {
			return map[string]any{"repeat": map[string]any{"boundsPeriod": a.period()}}
		}
		return map[string]any{"event": []any{pick(a.random, dates), pick(a.random, dates)}}
	case "Quantity", "SimpleQuantity":
		return a.quantity(pick(a.random, units))
	case "Age", "Duration":
		return a.quantity([3]string{ucum, pick(a.random, []string{"a", "d", "h"}), "tid"})
	case "Range":
		return a.between()
	case "HumanName":
		return map[string]any{"family": pick(a.random, words), "given": []any{pick(a.random, words)}}
	case "Address":
		return map[string]any{"use": pick(a.random, []string{"home", "work"}), "line": []any{pick(a.random, words)}, "city": pick(a.random, words), "postalCode": pick(a.random, []string{"0470", "0471"}), "country": "NO", "state": pick(a.random, words)}
	case "ContactPoint":
		a.turns++
		system := []string{"phone", "email"}[a.turns%2]
		return map[string]any{"system": system, "value": pick(a.random, map[string][]string{"phone": {"+4722000001", "22 00 00 02"}, "email": {"post@example.org", "kari@example.org"}}[system])}
	case "Annotation":
		return map[string]any{"text": pick(a.random, words)}
	case "Attachment":
		return map[string]any{"contentType": pick(a.random, []string{"text/plain", "application/pdf"}), "language": pick(a.random, []string{"nb", "nn"}), "url": pick(a.random, urls)}
	case "UsageContext":
		m := map[string]any{"code": a.coding(nil)}
		switch a.random.IntN(3) {
		case 0:
			m["valueQuantity"] = a.quantity(pick(a.random, units))
		case 1:
			m["valueRange"] = a.between()
		default:
			m["valueCodeableConcept"] = map[string]any{"coding": []any{a.coding(nil)}}
		}
		return m
	}
	switch kind {
	case "integer", "positiveInt", "unsignedInt":
		return json.Number("3")
	case "decimal":
		return json.Number(pick(a.random, amounts))
	case "time":
		return "10:15:00"
	}
	return nil
}

func (a *author) identifier() map[string]any {
	m := map[string]any{"value": pick(a.random, []string{"1", "2", "A-3", "x,1"})}
	if a.chance(80) {
		m["system"] = pick(a.random, []string{"urn:sluse:id", "http://example.org/id"})
	}
	if a.chance(40) {
		m["type"] = map[string]any{"text": pick(a.random, words)}
	}
	return m
}

func (a *author) period() any {
	from, to := pick(a.random, dates), pick(a.random, dates)
	if spanOf(to).low.Before(spanOf(from).low) {
		from, to = to, from
	}
	m := map[string]any{"start": from, "end": to}
	if a.chance(25) {
		delete(m, pick(a.random, []string{"start", "end"}))
	}
	return m
}

func (a *author) quantity(unit [3]string) map[string]any {
	value := pick(a.random, amounts)
	if unit[2] == "tid" {
		value = pick(a.random, []string{"5", "5.0", "12.50", "1e2", "104"}) // age-1: above zero
	}
	m := map[string]any{"value": json.Number(value), "unit": unit[2]}
	if unit[0] != "" {
		m["system"], m["code"] = unit[0], unit[1]
	}
	return m
}

func (a *author) between() any {
	unit := pick(a.random, units)
	low, high := a.quantity(unit), a.quantity(unit)
	x, _ := number(low["value"].(json.Number).String())
	y, _ := number(high["value"].(json.Number).String())
	if x.Cmp(y) > 0 {
		low, high = high, low
	}
	return map[string]any{"low": low, "high": high}
}

// reference names what there is, by logical identifier, or something elsewhere.
func (a *author) reference(e *r4Element) any {
	kind, _, _ := strings.Cut(e.Path, ".")
	var possible []string
	targets := e.Targets
	if len(targets) == 0 {
		targets = []string{"Resource"}
	}
	for _, target := range targets {
		if target == "Resource" {
			for _, all := range recordKinds {
				possible = append(possible, a.ids[all]...)
			}
		}
		possible = append(possible, a.ids[target]...)
	}
	if slices.Contains(directoryKinds, kind) {
		possible = slices.DeleteFunc(possible, func(ref string) bool {
			to, _, _ := strings.Cut(ref, "/")
			return !slices.Contains(directoryKinds, to)
		})
	}
	name := e.Path[len(kind)+1:]
	about := name == "subject" || name == "patient" || name == "for"
	if !about && !a.full && a.chance(10) {
		return map[string]any{"identifier": a.identifier()}
	}
	if !about && !a.full && !slices.Contains(directoryKinds, kind) && a.chance(8) && targets[0] != "Resource" {
		return map[string]any{"reference": "http://annen.example.org/fhir/" + targets[0] + "/7"}
	}
	if len(possible) == 0 {
		if a.full && targets[0] != "Resource" { // references are not checked for existence
			return map[string]any{"reference": targets[0] + "/finnes-ikke"}
		}
		if e.Required {
			return map[string]any{"identifier": a.identifier()}
		}
		return nil
	}
	return map[string]any{"reference": pick(a.random, a.inTurn(e.Path, possible))}
}

// inTurn keeps what is of one type, each time of the next, so that a parameter that is about one of the
// targets only finds something in every run.
func (a *author) inTurn(path string, possible []string) []string {
	typeOf := func(ref string) string { return ref[:strings.IndexByte(ref, '/')] }
	var types []string
	for _, ref := range possible {
		if !slices.Contains(types, typeOf(ref)) {
			types = append(types, typeOf(ref))
		}
	}
	if at := slices.Index(types, "Patient"); at > 0 {
		types[0], types[at] = types[at], types[0]
	}
	turn := types[a.next[path]%len(types)]
	a.next[path]++
	return slices.DeleteFunc(slices.Clone(possible), func(ref string) bool { return typeOf(ref) != turn })
}

// mend sets what invariants and rules demand of a whole resource.
func (a *author) mend(kind string, r map[string]any) {
	switch kind {
	case "Task":
		if r["authoredOn"] != nil && r["lastModified"] != nil { // inv-1
			r["lastModified"] = pick(a.random, []string{"2026-03-01", "2026-03"})
		}
	case "Questionnaire":
		r["url"] = pick(a.random, urls[:4])
		r["name"] = pick(a.random, []string{"Kartlegging", "AUDIT", "DUDIT"})
		r["item"] = []any{map[string]any{"linkId": "1", "type": "string", "text": "Hva?", "code": []any{a.coding(nil)}, "definition": pick(a.random, urls[:4])}}
	case "Condition":
		if _, abated := first(r, "abatement"); abated {
			r["clinicalStatus"] = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", pick(a.random, []string{"inactive", "resolved", "remission"}))
		}
		a.clinical(r)
	case "AllergyIntolerance":
		a.clinical(r)
	case "Observation":
		if _, has := first(r, "value"); has {
			delete(r, "dataAbsentReason")
		}
		for n, c := range listed(r["component"]) { // obs-7
			if m, ok := c.(map[string]any); ok {
				m["code"] = concept("urn:sluse:a", fmt.Sprintf("del-%d", n))
			}
		}
	case "Composition":
		for _, s := range listed(r["section"]) { // cmp-1, cmp-2
			if m, ok := s.(map[string]any); ok {
				delete(m, "emptyReason")
				if m["entry"] == nil {
					m["entry"] = []any{map[string]any{"identifier": a.identifier()}}
				}
			}
		}
	case "List": // lst-1 to lst-3
		if r["entry"] != nil {
			delete(r, "emptyReason")
		}
		for _, e := range listed(r["entry"]) {
			if m, ok := e.(map[string]any); ok {
				delete(m, map[bool]string{true: "date", false: "deleted"}[r["mode"] == "changes"])
				if r["mode"] == "snapshot" {
					delete(m, "date")
				}
			}
		}
	case "Group":
		r["actual"] = true
		if r["characteristic"] != nil {
			for _, c := range listed(r["characteristic"]) {
				c.(map[string]any)["exclude"] = a.chance(50)
			}
		}
	case "Appointment":
		r["end"] = "2027-01-01T10:00:00Z"
		if r["start"] == nil {
			r["start"] = "2024-03-31T10:15:00+02:00"
		}
		for _, p := range listed(r["participant"]) { // app-1
			if m, ok := p.(map[string]any); ok && m["actor"] == nil {
				m["actor"] = map[string]any{"reference": a.ids["Practitioner"][0]}
			}
		}
	case "CarePlan":
		for _, activity := range listed(r["activity"]) {
			if m, ok := activity.(map[string]any); ok && m["reference"] != nil {
				delete(m, "detail")
			}
		}
	}
}

// clinical keeps the two statuses of a diagnosis in step (con-3 to con-5, ait-1 and ait-2).
func (a *author) clinical(r map[string]any) {
	status, _ := r["verificationStatus"].(map[string]any)
	wrong := strings.Contains(fmt.Sprint(status), "entered-in-error")
	_, abated := first(r, "abatement")
	switch {
	case wrong && !abated:
		delete(r, "clinicalStatus")
	case wrong:
		delete(r, "verificationStatus")
	case r["clinicalStatus"] == nil && r["resourceType"] == "AllergyIntolerance":
		r["clinicalStatus"] = concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active")
	case r["clinicalStatus"] == nil:
		r["clinicalStatus"] = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
	}
}

func concept(system, code string) map[string]any {
	return map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}}
}

// first gives the member of a choice.
func first(r map[string]any, name string) (any, bool) {
	for member, v := range r {
		if rest, ok := strings.CutPrefix(member, name); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return v, true
		}
	}
	return nil, false
}
