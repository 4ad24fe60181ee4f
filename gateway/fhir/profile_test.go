package fhir_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// profiled are the types that have profiles of ours, and no-basis rules in our words.
var profiled = []fhir.Type{
	"Consent", "CarePlan", "ServiceRequest", "QuestionnaireResponse", "Task", "Communication", "CareTeam", "AuditEvent",
	"Patient", "Practitioner", "PractitionerRole", "Organization", "DocumentReference",
}

// lines gives findings as "severity code expression".
func lines(issues []fhir.Issue) []string {
	var out []string
	for _, i := range issues {
		out = append(out, i.Severity+" "+i.Code+" "+i.Expression)
	}
	return out
}

// example reads one of the embedded examples.
func example(t testing.TB, name string) []byte {
	t.Helper()
	body, err := fs.ReadFile(definitions.Examples(), name+".json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestExamples: every example claims a known profile and nothing at all can be said against it,
// and every profile of a resource type has an example.
func TestExamples(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(definitions.Examples(), "*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		r := parse(t, string(example(t, strings.TrimSuffix(name, ".json"))))
		if got := lines(fhir.Check(r, fhir.Options{})); got != nil {
			t.Errorf("%s: %q", name, got)
		}
		claimed := r.Root().Get("meta", "profile").Items()
		if len(claimed) != 1 || !fhir.KnownProfile(claimed[0].Text()) {
			t.Errorf("%s claims %d profiles, or one that is not known", name, len(claimed))
			continue
		}
		seen[claimed[0].Text()] = true
	}
	for _, typ := range profiled {
		profiles := fhir.Profiles(typ)
		if len(profiles) == 0 {
			t.Errorf("%s has no profile", typ)
		}
		for _, url := range profiles {
			if !seen[url] && !(len(profiles) == 2 && seen[profiles[0]]) {
				t.Errorf("%s has no example", url)
			}
		}
	}
}

// TestDefinitionsAreValid: our own definitions are R4 themselves, each constraint tells its text in
// Norwegian as the rule does, and no rule of a profile is without a profile.
func TestDefinitionsAreValid(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(definitions.Own(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	texts := fhir.RuleTexts()
	used := map[string]bool{}
	for _, name := range names {
		body, err := fs.ReadFile(definitions.Own(), name)
		if err != nil {
			t.Fatal(err)
		}
		r := parse(t, string(body))
		if got := lines(fhir.Validate(r)); got != nil {
			t.Errorf("%s: %q", name, got)
		}
		for _, e := range r.Root().Get("differential", "element").Items() {
			for _, c := range e.Get("constraint").Items() {
				key := c.Get("key").Text()
				used[key] = true
				if texts[key][0] != c.Get("human").Text() || c.Get("expression").Text() == "" {
					t.Errorf("%s: %s is %q in the profile, %q in the rules", name, key, c.Get("human").Text(), texts[key][0])
				}
			}
		}
	}
	for _, key := range fhir.ProfileRuleKeys() {
		if !used[key] {
			t.Errorf("no profile uses %s", key)
		}
	}
}

func TestKnownProfile(t *testing.T) {
	t.Parallel()
	for canonical, want := range map[string]bool{
		"http://sluse.no/fhir/StructureDefinition/SluseCarePlan":             true,
		"http://sluse.no/fhir/StructureDefinition/SluseCarePlan|1.0.0":       true,
		"http://sluse.no/fhir/StructureDefinition/SluseCarePlan|0.9":         false,
		"http://sluse.no/fhir/StructureDefinition/Other":                     false,
		"http://hl7.no/fhir/StructureDefinition/no-basis-Patient":            true,
		"http://hl7.no/fhir/StructureDefinition/no-basis-Patient|2.2.0":      true, // no file of the package is 2.2.0
		"http://hl7.no/fhir/StructureDefinition/no-basis-AllergyIntolerance": false,
		"http://hl7.org/fhir/StructureDefinition/CarePlan":                   true,
		"http://hl7.org/fhir/StructureDefinition/vitalsigns":                 false,
		"": false,
	} {
		if got := fhir.KnownProfile(canonical); got != want {
			t.Errorf("%q: %v", canonical, got)
		}
	}
	if got := fhir.Profiles("CarePlan"); !slices.Equal(got, []string{"http://sluse.no/fhir/StructureDefinition/SluseCarePlan"}) {
		t.Error(got)
	}
	if got := fhir.Profiles("Basic"); got != nil {
		t.Error(got)
	}
}

// TestClaims: a claimed profile that is not known stops no write and is warned of; one that was asked
// for is an error; the profile of another type always is.
func TestClaims(t *testing.T) {
	t.Parallel()
	claim := func(canonical string) *fhir.Resource {
		return parse(t, `{"resourceType":"Patient","meta":{"profile":["`+canonical+`"]},"active":true}`)
	}
	const unknown = "http://example.no/StructureDefinition/x"
	r := claim(unknown)
	if got := lines(fhir.Validate(r)); got != nil {
		t.Errorf("a write with an unknown profile: %q", got)
	}
	if got := lines(fhir.Check(r, fhir.Options{})); !slices.Equal(got, []string{"warning profile.unknown Patient.meta.profile[0]"}) {
		t.Errorf("%q", got)
	}
	plain := parse(t, `{"resourceType":"Patient","active":true}`)
	if got := lines(fhir.Check(plain, fhir.Options{Profiles: []string{unknown}})); !slices.Equal(got, []string{"error profile.unknown Patient"}) {
		t.Errorf("%q", got)
	}
	for _, other := range []string{"http://sluse.no/fhir/StructureDefinition/SluseTask", "http://hl7.org/fhir/StructureDefinition/Task"} {
		if got := lines(fhir.Validate(claim(other))); !slices.Equal(got, []string{"error profile.other-type Patient.meta.profile[0]"}) {
			t.Errorf("%s: %q", other, got)
		}
		if got := lines(fhir.Check(plain, fhir.Options{Profiles: []string{other}})); !slices.Equal(got, []string{"error profile.other-type Patient"}) {
			t.Errorf("%s: %q", other, got)
		}
	}
	if got := lines(fhir.Validate(claim("http://hl7.org/fhir/StructureDefinition/Patient"))); got != nil {
		t.Errorf("%q", got)
	}
	// What is claimed and asked for is said once.
	body := strings.Replace(string(example(t, "Task-vurdering")), `"authoredOn": "2026-11-10T09:15:00+01:00",`, "", 1)
	if got := lines(fhir.Check(parse(t, body), fhir.Options{Profiles: []string{"http://sluse.no/fhir/StructureDefinition/SluseTask|1.0.0"}})); !slices.Equal(got, []string{"error profile.min Task.authoredOn"}) {
		t.Errorf("%q", got)
	}
	// A resource in a Bundle, and one that is contained, is held to what it claims.
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + body + `}]}`
	if got := lines(fhir.Validate(parse(t, bundle))); !slices.Equal(got, []string{"error profile.min Bundle.entry[0].resource.authoredOn"}) {
		t.Errorf("%q", got)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	with, without := parse(t, `{"resourceType":"Patient","id":"a","gender":"x"}`), parse(t, `{"resourceType":"Patient","gender":"x"}`)
	const bad = "error validation.binding Patient.gender"
	for _, c := range []struct {
		mode fhir.Mode
		r    *fhir.Resource
		want []string
	}{
		{fhir.ModeContent, with, []string{bad}},
		{fhir.ModeCreate, with, []string{"information validation.id-ignored Patient.id", bad}},
		{fhir.ModeCreate, without, []string{bad}},
		{fhir.ModeUpdate, with, []string{bad}},
		{fhir.ModeUpdate, without, []string{"error validation.id-missing Patient.id", bad}},
		{fhir.ModeDelete, with, nil},
		{fhir.ModeProfile, with, []string{"error profile.none Patient", bad}},
	} {
		if got := lines(fhir.Check(c.r, fhir.Options{Mode: c.mode})); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.mode, got, c.want)
		}
		if !c.mode.Valid() {
			t.Errorf("%q is no mode", c.mode)
		}
	}
	if fhir.Mode("replace").Valid() {
		t.Error("replace is a mode")
	}
}

// TestWarnings: what stops no write and is yet said by $validate.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"resourceType":"Patient","implicitRules":"http://x","active":true}`, "warning validation.modifier Patient.implicitRules"},
		{`{"resourceType":"Patient","modifierExtension":[{"url":"a","valueCode":"b"}],"contact":[{"gender":"x"}]}`, "warning validation.modifier Patient.modifierExtension; error validation.binding Patient.contact[0].gender"},
		{`{"resourceType":"Patient","modifierExtension":[{"url":"a","valueCode":"b"}],"contact":[{"gender":"male"}]}`, "warning validation.modifier Patient.modifierExtension; error validation.invariant Patient.contact[0]"},
		{`{"resourceType":"Patient","meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"husly"}]},"active":true}`, "warning validation.unknown-code Patient.meta.security[0].code"},
		{`{"resourceType":"Patient","meta":{"security":[{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"bolig"}]},"active":true}`, ""},
		{`{"resourceType":"Patient","meta":{"security":[{"system":"http://x","code":"husly"}]},"active":true}`, ""},
	} {
		r := parse(t, c.body)
		if got := strings.Join(lines(fhir.Check(r, fhir.Options{})), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
		for _, i := range fhir.Validate(r) {
			if i.Severity != fhir.SeverityError {
				t.Errorf("a write finds %+v", i)
			}
		}
	}
	many := parse(t, `{"resourceType":"Patient","identifier":[`+strings.Repeat(`{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"1"},`, 500)+`{"value":"1"}]}`)
	if got := fhir.Check(many, fhir.Options{}); len(got) != 100 || got[99].Code != fhir.CodeTooMany {
		t.Errorf("%d findings", len(got))
	}
}

// TestOtherProfilesStay: a resource that claims nothing is judged by R4 alone.
func TestOtherProfilesStay(t *testing.T) {
	t.Parallel()
	if got := lines(fhir.Validate(parse(t, `{"resourceType":"CarePlan","status":"active","intent":"order","subject":{"reference":"Group/a"}}`))); got != nil {
		t.Errorf("%q", got)
	}
	r := parse(t, `{"resourceType":"CarePlan","status":"active","intent":"order","subject":{"reference":"Group/a"}}`)
	want := []string{
		"error profile.fixed CarePlan.intent", "error profile.min CarePlan.category", "error profile.min CarePlan.title",
		"error profile.reference-target CarePlan.subject.reference", "error profile.min CarePlan.period",
	}
	if got := lines(fhir.Check(r, fhir.Options{Profiles: []string{"http://sluse.no/fhir/StructureDefinition/SluseCarePlan"}})); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestProfileOnBrokenContent: an overlay meets whatever R4 refuses, says nothing twice, and does not panic.
func TestProfileOnBrokenContent(t *testing.T) {
	t.Parallel()
	for _, typ := range profiled {
		for _, profile := range fhir.Profiles(typ) {
			for _, c := range []string{
				``, `,"status":1`, `,"identifier":"x"`, `,"identifier":[null,{"value":7},{"system":[]}]`, `,"provision":[]`, `,"provision":{"provision":{"type":1}}`,
				`,"activity":{"extension":"a"}`, `,"activity":[{"extension":[{"url":{}}]}]`, `,"meta2":{}`, `,"category":null`, `,"subject":"a"`, `,"_status":[]`,
				`,"address":[{"_district":{"extension":{"url":"a"}}}]`, `,"participant":[1,[2]]`, `,"payload":[{}]`, `,"code":{"coding":{"system":"a"}}`, `,"scope":[[]]`, `,"":[]`, `,"_":1`,
			} {
				body := `{"resourceType":"` + string(typ) + `"` + c + `}`
				r, err := fhir.Parse([]byte(body))
				if err != nil {
					continue // the reader refuses it
				}
				seen := map[string]bool{}
				for _, line := range lines(fhir.Check(r, fhir.Options{Profiles: []string{profile}})) {
					if seen[line] && !strings.Contains(line, "invariant") {
						t.Errorf("%s, %s: %s twice", profile, body, line)
					}
					seen[line] = true
				}
			}
		}
	}
}
