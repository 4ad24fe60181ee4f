package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func (w *world) patch(a gateway.Actor, r fhir.Reference, ifMatch, patch string) (gateway.Outcome, error) {
	w.t.Helper()
	p, err := fhir.ReadJSONPatch([]byte(patch))
	must(w.t, err)
	return w.Do(context.Background(), a, gateway.Interaction{Code: gateway.Patch, Target: fhir.Reference{Type: r.Type, ID: r.ID}, Patch: p, IfMatch: ifMatch})
}

// A patch can take away no label, no custodian and no patient, and changes nothing of another's.
func TestPatchTakesNothingAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	secured := strings.Replace(plan(p, "a"), `{`, `{"meta":{"security":[{"system":"`+gateway.LabelSystem+`","code":"rus"}]},`, 1)
	r := w.mustPost(at(bydel), secured)
	w.mustPost(at(bydel), consentOf(p, []string{"plan", "bolig", "okonomi"}, ous))
	hidden := func(step string) {
		t.Helper()
		if body, err := w.read(at(ous), r); gateway.CodeOf(err) != gateway.NotFound {
			t.Fatalf("%s: the label is lost: %s", step, body)
		}
	}
	hidden("before")
	out, err := w.patch(at(bydel), r, "", `[{"op":"remove","path":"/meta/security"},{"op":"replace","path":"/title","value":"ny"}]`)
	must(t, err)
	hidden("remove of security")
	if body := bodyOf(out); !strings.Contains(body, `"title":"ny"`) || !strings.Contains(body, `"code":"rus"`) || !strings.Contains(body, "kanari-narrativ") {
		t.Errorf("patched: %s", body)
	}
	_, err = w.patch(at(bydel), r, out.Version, `[{"op":"remove","path":"/meta"}]`)
	wantCode(t, err, gateway.Invalid)
	_, err = w.patch(at(bydel), r, out.Version, `[{"op":"replace","path":"/meta/security","value":[{"system":"`+gateway.LabelSystem+`","code":"plan"}]}]`)
	must(t, err)
	hidden("other labels")
	_, err = w.patch(at(bydel), r, out.Version, `[{"op":"replace","path":"/title","value":"x"}]`)
	wantCode(t, err, gateway.Precondition)
	foreign := `{"url":"http://sluse.no/fhir/StructureDefinition/custodian","valueReference":{"reference":"Organization/` + string(drift) + `-` + string(ous) + `"}}`
	_, err = w.patch(at(bydel), r, "", `[{"op":"add","path":"/meta/extension/-","value":`+foreign+`}]`)
	wantCode(t, err, gateway.Invalid)
	_, err = w.patch(at(bydel), r, "", `[{"op":"replace","path":"/status","value":"ingen"}]`)
	wantCode(t, err, gateway.Invalid)
	_, err = w.patch(at(bydel), r, "", `[{"op":"test","path":"/title","value":"en annen"}]`)
	wantCode(t, err, gateway.Invalid)
	_, err = w.patch(at(ous), r, "", `[{"op":"remove","path":"/title"}]`)
	wantCode(t, err, gateway.NotFound)
	_, err = w.patch(at(ous), fhir.Reference{Type: "CarePlan", ID: "finnes-ikke"}, "", `[{"op":"remove","path":"/title"}]`)
	wantCode(t, err, gateway.NotFound)
	hidden("after all of it")

	// A part whose label is taken away keeps it.
	open := w.mustPost(at(bydel), plan(p, "b"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, gp))
	_, err = w.patch(at(bydel), open, "", `[{"op":"remove","path":"/activity/0/extension"}]`)
	must(t, err)
	body, err := w.read(at(gp), open)
	must(t, err)
	wantNone(t, body, "kanari-okonomi-b", "kanari-bolig-b")
	_, err = w.patch(at(gp), open, "", `[{"op":"remove","path":"/title"}]`)
	wantCode(t, err, gateway.Forbidden) // visible, and another's
}

// What the rules alone had found does not count as named by the custodian because it stood in the body
// that was patched; what the patch names does.
func TestPatchNamesOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"`+p.String()+`"},"period":{"start":"2026-10-01"},
		"category":[{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/plantype","code":"kriseplan"}]}]}`)
	labels := func() string {
		body, err := w.read(at(bydel), r)
		must(t, err)
		_, security, _ := strings.Cut(body, `"security":`)
		security, _, _ = strings.Cut(security, "]")
		return security
	}
	before := labels()
	_, err := w.patch(at(bydel), r, "", `[{"op":"remove","path":"/category"},{"op":"add","path":"/meta/security/-","value":{"system":"`+gateway.LabelSystem+`","code":"bolig"}}]`)
	must(t, err)
	after := labels()
	if !strings.Contains(after, `"plan"`) || !strings.Contains(after, `"bolig"`) || strings.Contains(after, "kriseplan") {
		t.Errorf("labels %s, before %s", after, before)
	}
	_, err = w.patch(at(bydel), r, "", `[{"op":"remove","path":"/meta/security"}]`)
	must(t, err)
	if last := labels(); !strings.Contains(last, `"bolig"`) {
		t.Errorf("what the custodian had named is lost: %s", last)
	}
}
