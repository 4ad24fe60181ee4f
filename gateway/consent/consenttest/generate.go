package consenttest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/policies/cases"
)

// Generator makes random consent sets that can be stored, with a record and a question, and has
// Rego answer them from the raw Consents.
type Generator struct {
	world   cases.World
	formula *consent.Formula
}

// NewGenerator compiles the policies once for many vectors.
func NewGenerator(t TB) *Generator {
	t.Helper()
	world, _, err := cases.Load()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &Generator{world, Formula(t)}
}

// The values are few, so that provisions, records and questions often meet.
var (
	genParties = []string{"bydel", "rusteam", "ous", "tsb", "fastlege", "sosial"}
	genTo      = []string{
		"Organization/ous", "Organization/tsb", "Organization/bydel", "Organization/rusteam", "HealthcareService/ous-mottak",
		"PractitionerRole/anne-ous-lege", "PractitionerRole/ous-lege", "PractitionerRole/ous-psykolog",
		"Practitioner/anne", "Practitioner/bjorn", "CareTeam/t1", "CareTeam/t2",
		"@rolle/fastlege", "@rolle/koordinator", "@gruppe/akuttkjeden", "@gruppe/nattevakt",
	}
	genBearers = []string{
		"Organization/ous", "Organization/tsb", "Organization/bydel", "PractitionerRole/anne-ous-lege", "PractitionerRole/ous-lege",
		"Practitioner/anne", "Organization/ukjent",
	}
	genGroups   = []cases.Member{{Party: "ous"}, {Party: "ous", Unit: "8140101"}, {Party: "ous", Unit: "8140104"}, {Party: "bydel"}, {Party: "legevakt"}}
	genBy       = []string{"bydel", "rusteam", "ous", "fastlege", "pasient"}
	genLabels   = []string{"plan", "rus", "samarbeid", "bolig", "uklassifisert", "somatisk", "logistikk"}
	genMessages = []string{"", "LOG_INNLAGT", "LOG_INNLAGT", "EPIKRISE"}
	genTypes    = []string{"CarePlan", "DocumentReference", "Binary", "Goal", "Consent"}
	genItems    = []string{"CarePlan/p1", "DocumentReference/p1", "Binary/p1", "Binary/p2"}
	genContexts = []string{"CarePlan/p1", "DocumentReference/p1", "DocumentReference/p2", "Goal/p1", "Consent/p1"}
	genPurposes = []string{"TREAT", "ETREAT", "COC"}
	genDays     = []string{"2026-10-01", "2026-11-30", "2026-12-01", "2026-12-02", "2026-12-31"}
	genTimes    = []string{
		"2026-11-30T23:59:59+01:00", "2026-12-01T00:00:00+01:00", "2026-12-01T23:30:00Z", "2026-12-02T12:00:00+01:00",
	}
)

// Vector draws one. ok is false for a set that the Normalizer refuses, which nobody has to answer.
func (g *Generator) Vector(t *rapid.T) (v Vector, ok bool) {
	if v = Make(t, g.world, g.Draw(t)); Refused(v) {
		return v, false
	}
	crosses, covered, err := g.formula.Releasable(ctx, v.Input)
	if err != nil {
		t.Fatalf("rego: %v", err)
	}
	v.Crosses, v.Covered = crosses, covered
	v.Parts = Released(v.Record, crosses, covered)
	return v, true
}

// Draw gives a case with what is asked of it, whether its Consents can be stored or not.
func (g *Generator) Draw(t *rapid.T) cases.Case {
	c := cases.Case{Name: "generated", Sentence: "generated"}
	c.Now, _ = time.Parse(time.RFC3339, pick(t, "now", genTimes))
	for i := range rapid.IntRange(1, 4).Draw(t, "consents") {
		c.Consents = append(c.Consents, g.consent(t, i))
	}
	for _, id := range []string{"t1", "t2"} {
		one := cases.Team{ID: id, Listed: team(t, id), Current: team(t, id)}
		if maybe(t, "later", 3) {
			if body := team(t, id); body != nil {
				one.Confirmed = []cases.Stated{stated(t, body)}
			}
		}
		c.Teams = append(c.Teams, one)
	}
	for range rapid.IntRange(0, 3).Draw(t, "statements") {
		if body := bearing(t); body != nil {
			c.Stated = append(c.Stated, stated(t, body))
		}
	}
	c.Record = cases.Record{
		Type: pick(t, "type", genTypes), ID: pick(t, "id", []string{"p1", "p2"}),
		Custodian: pick(t, "custodian", genParties), Person: rapid.IntRange(0, 15).Draw(t, "person") > 0,
		Labels: some(t, "labels", genLabels, 3),
		Parts:  []cases.Part{{Path: "CarePlan.activity[0]", Labels: some(t, "part", genLabels, 2)}},
	}
	if c.Record.Type == "Binary" && c.Record.Person { // one without has no person
		c.Record.Context = pick(t, "context", genContexts)
	}
	if maybe(t, "dated", 2) {
		low := rapid.IntRange(0, len(genDays)-1).Draw(t, "low")
		high := rapid.IntRange(low, len(genDays)-1).Draw(t, "high")
		c.Record.Low, _ = time.ParseInLocation(time.DateOnly, genDays[low], cases.Oslo)
		c.Record.High, _ = time.ParseInLocation(time.DateOnly, genDays[high], cases.Oslo)
		c.Record.High = c.Record.High.AddDate(0, 0, 1)
	}
	c.Question = cases.Question{
		Party: pick(t, "party", genParties), Unit: pick(t, "unit", []string{"", "8140101", "8140104"}),
		Practitioner: pick(t, "hpr", []string{"", "7000001", "7000002", "x"}),
		Role:         pick(t, "role", []string{"", "lege", "psykolog", "ukjent"}),
		Purpose:      pick(t, "purpose", []string{"", "TREAT", "ETREAT", "COC", "SNOOP"}),
		Action:       pick(t, "action", []string{"read", "read", "message", "notify", "contribute"}),
		Attest:       rapid.IntRange(0, 7).Draw(t, "attest") > 0,
	}
	if c.Question.Action != "message" && maybe(t, "sent", 3) {
		c.Record.Sent = []cases.Sent{{To: pick(t, "sentTo", genParties), Message: pick(t, "sentAs", genMessages), Labels: some(t, "sentLabels", genLabels, 3)}}
	}
	if c.Question.Action == "message" {
		c.Question.Message = pick(t, "message", genMessages)
	}
	for _, by := range []string{"ous", "tsb", "bydel"} {
		if maybe(t, "switched", 3) {
			c.Hjemler = append(c.Hjemler, cases.Switch{ID: "logistikk-hf-bydel", By: by})
		}
	}
	return c
}

func (g *Generator) consent(t *rapid.T, i int) cases.Consent {
	by := pick(t, "by", []string{"bydel", "bydel", "rusteam", "ous", "fastlege", "pasient"})
	body := map[string]any{
		"resourceType": "Consent", "status": "active", "dateTime": pick(t, "dateTime", append([]string{"2026-11-20"}, genDays[1:4]...)),
		"patient": map[string]any{"reference": "Patient/kari"},
	}
	law := "HPL22"
	var p map[string]any
	switch pick(t, "shape", []string{"permit", "permit", "deny", "deny-permit", "objection"}) {
	case "permit":
		p = g.provision(t, "permit", true)
		nest(t, p, func() map[string]any { return g.provision(t, "deny", false) })
	case "deny":
		p = g.provision(t, "deny", false)
	case "deny-permit":
		p = g.provision(t, "deny", false)
		inner := g.provision(t, "permit", true)
		nest(t, inner, func() map[string]any { return g.provision(t, "deny", false) })
		p["provision"] = []any{inner}
	case "objection":
		law, p = "PBRL53", g.provision(t, "deny", false)
	}
	body["policyRule"] = map[string]any{"coding": []any{map[string]any{
		"system": "http://sluse.no/fhir/CodeSystem/rettsgrunnlag", "code": law}}}
	body["provision"] = p
	if maybe(t, "withdrawn", 8) {
		body["status"] = "inactive"
	}
	if maybe(t, "organization", 4) {
		body["organization"] = []any{reference("Organization/" + pick(t, "org", genParties))}
	}
	raw, _ := json.Marshal(body)
	out := cases.Consent{ID: fmt.Sprintf("c%d", i), Version: "1", Registrar: by, Patient: by == "pasient", Body: raw, Withdrawn: body["status"] == "inactive"}
	if maybe(t, "confirmed", 4) {
		out.Confirmed = some(t, "by", genBy, 2)
	}
	if maybe(t, "groupsThen", 2) {
		out.Groups = map[string][]cases.Member{}
		for _, name := range some(t, "group", []string{"akuttkjeden", "nattevakt"}, 2) {
			out.Groups[name] = rapid.SliceOfN(rapid.SampledFrom(genGroups), 0, 3).Draw(t, "members")
		}
	}
	return out
}

func stated(t *rapid.T, body json.RawMessage) cases.Stated {
	by := pick(t, "statedBy", genBy)
	return cases.Stated{By: by, Patient: by == "pasient", Body: body}
}

// bearing is a Patient or a team that tells who has roles for the person.
func bearing(t *rapid.T) json.RawMessage {
	if maybe(t, "byTeam", 2) {
		return team(t, "roles")
	}
	var named []any
	for _, ref := range some(t, "fastlege", genBearers, 2) {
		named = append(named, reference(ref))
	}
	body := map[string]any{"resourceType": "Patient", "id": "kari", "generalPractitioner": named}
	if maybe(t, "inactive", 8) {
		body["active"] = false
	}
	raw, _ := json.Marshal(body)
	return raw
}

func nest(t *rapid.T, p map[string]any, inner func() map[string]any) {
	var nested []any
	for range rapid.IntRange(0, 2).Draw(t, "nested") {
		nested = append(nested, inner())
	}
	if nested != nil {
		p["provision"] = nested
	}
}

// provision draws one; a complete one says what, to whom and for how long.
func (g *Generator) provision(t *rapid.T, typ string, complete bool) map[string]any {
	p := map[string]any{"type": typ}
	var actors []any
	actor := func(role, ref string) {
		actors = append(actors, map[string]any{"role": map[string]any{"coding": []any{map[string]any{
			"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": role}}}, "reference": reference(ref)})
	}
	if complete || maybe(t, "to", 2) {
		for _, ref := range some(t, "recipients", genTo, 2) {
			actor("IRCP", ref)
		}
	}
	if maybe(t, "from", 2) {
		for _, party := range some(t, "custodians", genParties, 2) {
			actor("CST", "Organization/"+party)
		}
	}
	if actors != nil {
		p["actor"] = actors
	}
	items := maybe(t, "items", 5)
	if items {
		var data []any
		for _, item := range some(t, "named", genItems, 2) {
			data = append(data, map[string]any{"meaning": "instance", "reference": reference(item)})
		}
		p["data"] = data
	}
	if (complete && !items) || maybe(t, "hasLabels", 2) {
		p["securityLabel"] = codings("http://sluse.no/fhir/CodeSystem/informasjonskategori", some(t, "holds", genLabels, 3))
	}
	if maybe(t, "hasPurpose", 4) {
		p["purpose"] = codings("http://terminology.hl7.org/CodeSystem/v3-ActReason", some(t, "purposes", genPurposes, 2))
	}
	if maybe(t, "hasClass", 4) {
		p["class"] = codings("http://hl7.org/fhir/resource-types", some(t, "class", genTypes, 2))
	}
	if maybe(t, "hasAction", 4) {
		var actions []any
		for _, a := range some(t, "actions", []string{"access", "disclose", "collect"}, 2) {
			actions = append(actions, map[string]any{"coding": codings("http://terminology.hl7.org/CodeSystem/consentaction", []string{a})})
		}
		p["action"] = actions
	}
	if maybe(t, "hasData", 4) {
		p["dataPeriod"] = between(t, "data", genDays)
	}
	switch {
	case complete:
		bounds := map[string]any{"start": pick(t, "start", genDays[:3]), "end": pick(t, "end", genDays[2:])}
		if maybe(t, "startless", 4) {
			delete(bounds, "start")
		}
		p["period"] = bounds
	case maybe(t, "hasPeriod", 4):
		p["period"] = between(t, "period", genDays)
	}
	return p
}

func between(t *rapid.T, name string, days []string) map[string]any {
	low := rapid.IntRange(0, len(days)-1).Draw(t, name+"Low")
	high := rapid.IntRange(low, len(days)-1).Draw(t, name+"High")
	out := map[string]any{"start": days[low], "end": days[high]}
	switch rapid.IntRange(0, 3).Draw(t, name+"Open") {
	case 0:
		delete(out, "start")
	case 1:
		delete(out, "end")
	}
	return out
}

func team(t *rapid.T, id string) json.RawMessage {
	if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
		return nil
	}
	var members []any
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		m := map[string]any{"member": reference(pick(t, "member", []string{
			"Organization/ous", "Organization/tsb", "Practitioner/anne", "PractitionerRole/ous-lege", "Patient/kari"}))}
		if maybe(t, "behalf", 2) {
			m["onBehalfOf"] = reference("Organization/ous")
		}
		if maybe(t, "role", 2) {
			m["role"] = []any{map[string]any{"coding": codings("urn:oid:2.16.578.1.12.4.1.1.9034", some(t, "roles", []string{"6", "15", "8", "9"}, 2))}}
		}
		if maybe(t, "memberPeriod", 4) {
			m["period"] = between(t, "member", genDays)
		}
		members = append(members, m)
	}
	body := map[string]any{
		"resourceType": "CareTeam", "id": id, "status": pick(t, "teamStatus", []string{"active", "active", "active", "inactive"}),
		"meta": map[string]any{"extension": []any{map[string]any{
			"url":            "http://sluse.no/fhir/StructureDefinition/custodian",
			"valueReference": reference("Organization/" + pick(t, "owner", []string{"bydel", "rusteam"}))}}},
	}
	if members != nil {
		body["participant"] = members
	}
	if maybe(t, "teamPeriod", 5) {
		body["period"] = between(t, "team", genDays)
	}
	raw, _ := json.Marshal(body)
	return raw
}

// reference names a resource, or with @rolle/ or @gruppe/ a role or a receiver group.
func reference(s string) map[string]any {
	for prefix, system := range map[string]string{"@rolle/": "mottakerrolle", "@gruppe/": "mottakergruppe"} {
		if name, ok := strings.CutPrefix(s, prefix); ok {
			return map[string]any{"identifier": map[string]any{"system": "http://sluse.no/fhir/NamingSystem/" + system, "value": name}}
		}
	}
	return map[string]any{"reference": s}
}

func codings(system string, codes []string) []any {
	var out []any
	for _, c := range codes {
		out = append(out, map[string]any{"system": system, "code": c})
	}
	return out
}

func pick(t *rapid.T, name string, from []string) string {
	return rapid.SampledFrom(from).Draw(t, name)
}

// maybe is true once in n.
func maybe(t *rapid.T, name string, n int) bool { return rapid.IntRange(1, n).Draw(t, name) == 1 }

func some(t *rapid.T, name string, from []string, high int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, high, rapid.ID[string]).Draw(t, name)
}
