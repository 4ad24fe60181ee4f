package fhir_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

func TestSearchParams(t *testing.T) {
	t.Parallel()
	for _, typ := range fhir.Served() {
		list := fhir.SearchParams(typ)
		names := map[string]bool{}
		for _, p := range list {
			names[p.Name] = true
			if p.Type.String() == "" || p.Expression == "" || !strings.HasPrefix(p.Canonical, "http://hl7.org/fhir/SearchParameter/") {
				t.Errorf("%s: %+v", typ, p)
			}
			if got, ok := fhir.SearchParamOf(typ, p.Name); !ok || got.Canonical != p.Canonical {
				t.Errorf("%s.%s is not found", typ, p.Name)
			}
			for _, target := range p.Targets {
				if !fhir.KnownType(target) {
					t.Errorf("%s.%s refers to %s", typ, p.Name, target)
				}
			}
		}
		if !names["_id"] || !names["_lastUpdated"] || !fhir.KnownType(typ) {
			t.Errorf("%s lacks _id or _lastUpdated", typ)
		}
	}
	for typ, want := range map[fhir.Type]string{
		"CarePlan": "_id _lastUpdated date identifier patient status subject",
		"Task":     "_id _lastUpdated authored-on identifier owner patient period status subject",
	} {
		var names []string
		for _, p := range fhir.SearchParams(typ) {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s", typ, got)
		}
	}
	if p, ok := fhir.SearchParamOf("Task", "owner"); !ok || p.Type != fhir.ReferenceParam || !slices.Contains(p.Targets, "Organization") {
		t.Errorf("%+v", p)
	}
	if _, ok := fhir.SearchParamOf("Task", "focus"); ok || fhir.SearchParams("Account") != nil {
		t.Error("more is offered than is served")
	}
}

// extracted gives "param code|text|interval @path" of each value.
func extracted(t testing.TB, body string) []string {
	t.Helper()
	var out []string
	for _, v := range fhir.Extract(parse(t, body)) {
		s := v.Param + " "
		switch v.Kind {
		case fhir.Token:
			s += v.System + "|" + v.Code
		case fhir.StringParam:
			s += v.Text
		case fhir.Date:
			s += v.Low.UTC().Format(time.RFC3339) + "/" + v.High.UTC().Format(time.RFC3339)
		default:
			s += v.Code
		}
		out = append(out, s+" @"+v.Path)
	}
	slices.Sort(out)
	return out
}

func TestExtract(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"care plan", `{"resourceType":"CarePlan","id":"a","meta":{"lastUpdated":"2026-01-01T00:00:00Z"},"identifier":[{"system":"s","value":"v"},{"value":"w"}],"status":"active","subject":{"reference":"Patient/p/_history/3"},"period":{"start":"2026-01-01"}}`, []string{
			"date 2025-12-31T23:00:00Z/9999-12-31T23:59:59Z @CarePlan.period",
			"identifier s|v @CarePlan.identifier[0]", "identifier |w @CarePlan.identifier[1]",
			"patient Patient/p @CarePlan.subject", "status http://hl7.org/fhir/request-status|active @CarePlan.status", "subject Patient/p @CarePlan.subject",
		}},
		{"group as subject", `{"resourceType":"CarePlan","subject":{"reference":"Group/p"}}`, []string{"subject Group/p @CarePlan.subject"}},
		{"absolute and contained", `{"resourceType":"CarePlan","subject":{"reference":"https://x.no/fhir/Patient/p"}}`, []string{"patient https://x.no/fhir/Patient/p @CarePlan.subject", "subject https://x.no/fhir/Patient/p @CarePlan.subject"}},
		{"fragment", `{"resourceType":"CarePlan","subject":{"reference":"#p"}}`, nil},
		{"choice", `{"resourceType":"Observation","effectivePeriod":{"end":"2026-02"}}`, []string{"date 0001-01-01T00:00:00Z/2026-02-28T23:00:00Z @Observation.effectivePeriod"}},
		{"instant", `{"resourceType":"Observation","effectiveInstant":"2026-02-01T10:00:00.5Z"}`, []string{"date 2026-02-01T10:00:00Z/2026-02-01T10:00:00Z @Observation.effectiveInstant"}},
		{"timing", `{"resourceType":"Observation","effectiveTiming":{"event":["2026-02-02","2026-01-01"]}}`, []string{"date 2025-12-31T23:00:00Z/2026-02-02T23:00:00Z @Observation.effectiveTiming"}},
		{"cast", `{"resourceType":"Condition","onsetString":"a"}`, nil},
		{"cast fits", `{"resourceType":"Condition","onsetPeriod":{"start":"2026"},"clinicalStatus":{"coding":[{"system":"a","code":"b"},{"code":"c"}]}}`, []string{
			"clinical-status a|b @Condition.clinicalStatus", "clinical-status |c @Condition.clinicalStatus", "onset-date 2025-12-31T23:00:00Z/9999-12-31T23:59:59Z @Condition.onsetPeriod",
		}},
		{"names", `{"resourceType":"Practitioner","active":true,"name":[{"family":"Å","given":["B","C"],"text":"D"}]}`, []string{
			"active http://terminology.hl7.org/CodeSystem/special-values|true @Practitioner.active", "family Å @Practitioner.name[0].family", "given B @Practitioner.name[0].given[0]", "given C @Practitioner.name[0].given[1]",
			"name B @Practitioner.name[0].given[0]", "name C @Practitioner.name[0].given[1]", "name D @Practitioner.name[0].text", "name Å @Practitioner.name[0].family",
		}},
		{"union", `{"resourceType":"Organization","name":"a","alias":["b"]}`, []string{"name a @Organization.name", "name b @Organization.alias[0]"}},
		{"audit", `{"resourceType":"AuditEvent","agent":[{"who":{"reference":"Patient/a"},"policy":["http://x"]}],"entity":[{"what":{"reference":"Patient/b"}},{"what":{"reference":"Consent/c/_history/1"}}],"outcome":"0","recorded":"2026-01-01T00:00:00Z"}`, []string{
			"agent Patient/a @AuditEvent.agent[0].who", "date 2026-01-01T00:00:00Z/2026-01-01T00:00:01Z @AuditEvent.recorded", "entity Consent/c @AuditEvent.entity[1].what", "entity Patient/b @AuditEvent.entity[0].what",
			"outcome http://hl7.org/fhir/audit-event-outcome|0 @AuditEvent.outcome", "patient Patient/a @AuditEvent.agent[0].who", "patient Patient/b @AuditEvent.entity[0].what", "policy http://x @AuditEvent.agent[0].policy[0]",
		}},
		{"task", `{"resourceType":"Task","for":{"reference":"Patient/p"},"owner":{"reference":"Organization/o"},"authoredOn":"2026","executionPeriod":{"start":"x"}}`, []string{
			"authored-on 2025-12-31T23:00:00Z/2026-12-31T23:00:00Z @Task.authoredOn", "owner Organization/o @Task.owner", "patient Patient/p @Task.for", "subject Patient/p @Task.for",
		}},
		{"wrong forms", `{"resourceType":"CarePlan","identifier":"a","status":[1,{"a":2}],"subject":["x",{"reference":5}],"period":"2026-13"}`, []string{"status http://hl7.org/fhir/request-status|1 @CarePlan.status[0]"}},
		{"not served", `{"resourceType":"Account","status":"active"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			slices.Sort(c.want)
			if got := extracted(t, c.body); !slices.Equal(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"resourceType":"CarePlan","subject":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"CarePlan","subject":{"reference":"Patient/a/_history/2"}}`, "Patient/a"},
		{`{"resourceType":"Consent","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"Task","for":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"Binary","securityContext":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"RelatedPerson","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"EpisodeOfCare","patient":{"reference":"Patient/a"}}`, "Patient/a"},
		{`{"resourceType":"CarePlan","subject":{"reference":"Group/a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"reference":"https://x.no/fhir/Patient/a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"reference":"#a"}}`, ""},
		{`{"resourceType":"CarePlan","subject":{"identifier":{"value":"a"}}}`, ""},
		{`{"resourceType":"CarePlan","subject":[{"reference":"Patient/a"}]}`, ""},
		{`{"resourceType":"CarePlan","patient":{"reference":"Patient/a"}}`, ""},
		{`{"resourceType":"Patient","id":"a"}`, ""},
		{`{"resourceType":"Questionnaire","subject":{"reference":"Patient/a"}}`, ""},
		{`{"resourceType":"Binary","securityContext":{"reference":"CarePlan/a"}}`, ""},
		{`{"resourceType":"Unknown","subject":{"reference":"Patient/a"}}`, ""},
	} {
		got, ok := parse(t, c.body).Subject()
		if got.String() != c.want || ok != (c.want != "") {
			t.Errorf("%s: %v %v", c.body, got, ok)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"resourceType":"CarePlan","period":{"start":"2026-01-01","end":"2026-01-31"},"created":"2020"}`: "2025-12-31T23:00:00Z/2026-01-31T23:00:00Z",
		`{"resourceType":"CarePlan","period":{"start":"2026-01-01"}}`:                                     "2025-12-31T23:00:00Z/9999-12-31T23:59:59Z",
		`{"resourceType":"CarePlan","period":{"end":"2026-01-31"}}`:                                       "0001-01-01T00:00:00Z/2026-01-31T23:00:00Z",
		`{"resourceType":"CarePlan","created":"2020"}`:                                                    "",
		`{"resourceType":"Goal","startDate":"2026"}`:                                                      "2025-12-31T23:00:00Z/2026-12-31T23:00:00Z",
		`{"resourceType":"Observation","effectiveDateTime":"2026-01-01T00:00:00Z"}`:                       "2026-01-01T00:00:00Z/2026-01-01T00:00:01Z",
		`{"resourceType":"Observation","issued":"2026-01-01T00:00:00Z"}`:                                  "",
		`{"resourceType":"Patient","birthDate":"2000"}`:                                                   "",
	} {
		low, high, ok := parse(t, body).Date()
		got := ""
		if ok {
			got = low.UTC().Format(time.RFC3339) + "/" + high.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestDatesAgreeWithPolicy: the table here and that of the policy data name the same elements.
func TestDatesAgreeWithPolicy(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../../policies/data/dates.json")
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Elements map[string]string }
	if err := json.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	for typ, names := range fhir.Dates {
		for _, name := range names {
			if !strings.HasPrefix(name, data.Elements[string(typ)]) || data.Elements[string(typ)] == "" {
				t.Errorf("%s: %s here, %q there", typ, name, data.Elements[string(typ)])
			}
		}
	}
	if len(data.Elements) != len(fhir.Dates) {
		t.Errorf("%d types here, %d there: %v", len(fhir.Dates), len(data.Elements), slices.Sorted(maps.Keys(data.Elements)))
	}
}
