package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const labelled = `{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"`

// metaParameter is the meta of an operation.
func metaParameter(t testing.TB, meta string) *fhir.Value {
	t.Helper()
	return parse(t, `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":`+meta+`}]}`).At("Parameters.parameter[0].valueMeta")
}

// $meta tells of a version and of labels only what a read of them tells: nothing of what is hidden,
// by record, by type and by system.
func TestMetaHidesWhatIsHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, mine := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	w.mustPost(at(bydel), consentOf(theirs, []string{"plan", "bolig"}, ous))
	secret := w.mustPost(at(bydel), strings.Replace(plan(theirs, "x"), `"status"`,
		`"meta":{"tag":[{"system":"http://sluse.no/x","code":"kanari-merke"}],"security":[`+labelled+`tvang"}]},"status"`, 1))
	w.mustPost(at(ous), plan(mine, "egen"))
	shared := w.mustPost(at(bydel), plan(theirs, "delt"))
	absent := fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"}
	meta := gateway.Operation{Name: gateway.Meta}

	read := func(r fhir.Reference) (string, error) {
		out, err := w.operate(at(ous), r, meta, "")
		return bodyOf(out), err
	}
	_, hidden := read(secret)
	_, none := read(absent)
	wantCode(t, hidden, gateway.NotFound)
	if strings.ReplaceAll(hidden.Error(), string(secret.ID), "") != strings.ReplaceAll(none.Error(), string(absent.ID), "") {
		t.Errorf("hidden %v, absent %v", hidden, none)
	}
	body, err := read(shared)
	must(t, err)
	whole, err := w.read(at(ous), shared)
	must(t, err)
	got, want := parse(t, body).At("Parameters.parameter[0].valueMeta"), parse(t, whole).Root().Get("meta")
	if string(got.Raw()) != string(want.Raw()) || want == nil {
		t.Errorf("$meta %s, read %s", got.Raw(), want.Raw())
	}
	for _, target := range []fhir.Reference{{Type: "CarePlan"}, {}} {
		out, err := w.operate(at(ous), target, gateway.Operation{Name: gateway.Meta, Types: recordTypes}, "")
		must(t, err)
		wantNone(t, bodyOf(out), "kanari", "tvang")
		if !strings.Contains(bodyOf(out), labelled+`plan"}`) {
			t.Errorf("labels in use: %s", bodyOf(out))
		}
	}
	// An older version that only its own labels would let out stays behind the current ones.
	old := shared
	w.mustAmend(at(bydel), &old, `{"security":[`+labelled+`tvang"}]}`)
	_, err = read(shared)
	wantCode(t, err, gateway.NotFound)
	_, err = read(old)
	wantCode(t, err, gateway.NotFound)
}

// mustAmend adds meta to a record, and names its version of before.
func (w *world) mustAmend(a gateway.Actor, r *fhir.Reference, meta string) {
	w.t.Helper()
	body, err := w.read(a, *r)
	must(w.t, err)
	_, err = w.operate(a, *r, gateway.Operation{Name: gateway.MetaAdd, Meta: metaParameter(w.t, meta)}, "")
	must(w.t, err)
	r.Version = parse(w.t, body).Root().Get("meta", "versionId").Text()
}

// Tags and profiles come and go; labels come and stay; the custodian is not touched; each change is a
// version of its own, and in the ledger.
func TestMetaAddAndDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(mine, "x"))
	before, err := w.read(at(bydel), r)
	must(t, err)
	change := func(name gateway.OperationName, meta string) (string, error) {
		out, err := w.operate(at(bydel), r, gateway.Operation{Name: name, Meta: metaParameter(t, meta)}, "")
		return bodyOf(out), err
	}
	const profile, tag = `"http://sluse.no/fhir/StructureDefinition/egen"`, `{"system":"http://sluse.no/x","code":"a"}`
	body, err := change(gateway.MetaAdd, `{"versionId":"x","extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/x"}}],
		"profile":[`+profile+`,`+profile+`],"tag":[`+tag+`],"security":[`+labelled+`rus"}]}`)
	must(t, err)
	meta := parse(t, body).At("Parameters.parameter[0].valueMeta")
	after, err := w.read(at(bydel), r)
	must(t, err)
	if string(meta.Raw()) != string(parse(t, after).Root().Get("meta").Raw()) {
		t.Errorf("told %s, kept %s", meta.Raw(), after)
	}
	for want, n := range map[string]int{profile: 1, `"code":"a"`: 1, labelled + `rus"}`: 1, labelled + `plan"}`: 1, "Organization/x": 0, string(drift + "-" + bydel): 1} {
		if strings.Count(string(meta.Raw()), want) != n {
			t.Errorf("%d times %s in %s", strings.Count(string(meta.Raw()), want), want, meta.Raw())
		}
	}
	version := func(body string) string { return parse(t, body).Root().Get("meta", "versionId").Text() }
	if version(after) == version(before) {
		t.Error("no new version")
	}
	_, err = change(gateway.MetaDelete, `{"security":[`+labelled+`rus"}]}`)
	wantCode(t, err, gateway.Invalid)
	_, err = change(gateway.MetaAdd, `{"security":[`+labelled+`finnes-ikke"}]}`)
	wantCode(t, err, gateway.Invalid)
	_, err = change(gateway.MetaAdd, `{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`)
	wantCode(t, err, gateway.Invalid)
	body, err = change(gateway.MetaDelete, `{"profile":[`+profile+`],"tag":[`+tag+`]}`)
	must(t, err)
	if strings.Contains(body, profile) || strings.Contains(body, `"code":"a"`) || !strings.Contains(body, labelled+`rus"}`) {
		t.Errorf("after the deletion: %s", body)
	}
	now, err := w.read(at(bydel), r)
	must(t, err)
	if a, b := before[strings.Index(before, `"status"`):], now[strings.Index(now, `"status"`):]; a != b {
		t.Errorf("more than meta changed:\n%s\n%s", a, b)
	}
	ledger, err := w.find(at(bydel), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if n := strings.Count(ledger, `"code":"update"`); n != 2 {
		t.Errorf("%d updates in the ledger", n)
	}
	// Another's record: hidden is absent, visible is forbidden.
	theirs := w.mustPost(at(bydel), consentOf(mine, []string{"plan", "rus", "bolig", "okonomi"}, ous))
	_ = theirs
	_, err = w.operate(at(gp), r, gateway.Operation{Name: gateway.MetaAdd, Meta: metaParameter(t, `{"tag":[`+tag+`]}`)}, "")
	wantCode(t, err, gateway.NotFound)
	_, err = w.operate(at(ous), r, gateway.Operation{Name: gateway.MetaAdd, Meta: metaParameter(t, `{"tag":[`+tag+`]}`)}, "")
	wantCode(t, err, gateway.Forbidden)
}

// $validate stores nothing, tells all at once, and tells nobody what others have.
func TestValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, mine := w.patientOf(at(bydel), kari), w.patientOf(at(ous), kari)
	hidden := w.mustPost(at(bydel), plan(theirs, "skjult"))
	codes := func(a gateway.Actor, r fhir.Reference, o gateway.Operation, body string) (list []string) {
		t.Helper()
		o.Name = gateway.Validation
		out, err := w.operate(a, r, o, body)
		must(t, err)
		if out.Release.Len() != 0 || len(out.Issues) == 0 {
			t.Fatalf("released %q, %d findings", bodyOf(out), len(out.Issues))
		}
		for _, i := range out.Issues {
			list = append(list, i.Severity+" "+i.Code+" "+i.Expression)
		}
		return list
	}
	kind := fhir.Reference{Type: "CarePlan"}
	good := codes(at(ous), kind, gateway.Operation{}, plan(mine, "x"))
	for _, want := range []string{"information all-ok ", "information label.found CarePlan", "information label.found CarePlan.activity[0]"} {
		if !slices.Contains(good, want) {
			t.Errorf("%q is not among %q", want, good)
		}
	}
	bad := codes(at(ous), kind, gateway.Operation{}, `{"resourceType":"CarePlan","status":"nei","subject":{"reference":"http://andre.no/Patient/1"},
		"meta":{"security":[`+labelled+`finnes-ikke"}],"extension":[{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/x"}}]}}`)
	for _, want := range []string{
		"error validation.binding CarePlan.status", "error validation.cardinality-min CarePlan.intent", "error subject-absolute CarePlan.subject.reference",
		"error custodian-not-own CarePlan.meta.extension",
	} {
		if !slices.Contains(bad, want) {
			t.Errorf("%q is not among %q", want, bad)
		}
	}
	if !slices.ContainsFunc(bad, func(s string) bool { return strings.HasPrefix(s, "error label.unknown") }) || slices.Contains(bad, "information all-ok ") {
		t.Errorf("labels: %q", bad)
	}
	// What others have is unknown, whichever way is tried.
	absent := fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"}
	for _, mode := range []fhir.Mode{"", fhir.ModeUpdate, fhir.ModeDelete} {
		of := func(r fhir.Reference) []string {
			return codes(at(ous), r, gateway.Operation{Mode: mode}, strings.Replace(plan(mine, "x"), `{`, `{"id":"`+string(r.ID)+`",`, 1))
		}
		if a, b := of(hidden), of(absent); !slices.Equal(a, b) {
			t.Errorf("mode %q: hidden %q, absent %q", mode, a, b)
		}
	}
	consent := fhir.Reference{Type: "Consent"}
	unknown := codes(at(ous), consent, gateway.Operation{}, consentOf(fhir.Reference{Type: "Patient", ID: "finnes-ikke"}, []string{"plan"}, gp))
	if others := codes(at(ous), consent, gateway.Operation{}, consentOf(theirs, []string{"plan"}, gp)); !slices.Equal(others, unknown) {
		t.Errorf("another's Patient %q, none %q", others, unknown)
	}
	if !slices.Contains(unknown, "error consent.patient-not-own Consent.patient") {
		t.Errorf("a Consent about nobody: %q", unknown)
	}
	lacking := codes(at(ous), consent, gateway.Operation{}, strings.Replace(consentOf(mine, []string{"plan"}, gp),
		`"securityLabel":[{"code":"plan","system":"`+gateway.LabelSystem+`"}],`, "", 1))
	if !slices.ContainsFunc(lacking, func(s string) bool { return strings.HasPrefix(s, "error consent.lacks-what") }) {
		t.Errorf("a Consent that lacks what: %q", lacking)
	}
	if fit := codes(at(ous), consent, gateway.Operation{}, consentOf(mine, []string{"plan"}, gp)); !slices.Contains(fit, "information all-ok ") {
		t.Errorf("a good Consent: %q", fit)
	}
	// Nothing of it was stored.
	body, err := w.find(at(ous), "Consent", gateway.Search{})
	must(t, err)
	if n := len(bundleOf(t, body).urls("match")); n != 0 {
		t.Errorf("%d Consents are stored", n)
	}
	visible := codes(at(bydel), hidden, gateway.Operation{Mode: fhir.ModeUpdate}, strings.Replace(plan(theirs, "x"), `{`, `{"id":"`+string(hidden.ID)+`",`, 1))
	if !slices.Contains(visible, "information all-ok ") {
		t.Errorf("an own record: %q", visible)
	}
}
