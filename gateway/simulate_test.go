package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// What a draft would release is what it releases once it is stored, and trying it stores and changes
// nothing: not the next decision about the same person either.
func TestSimulate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, herself := w.patientOf(at(bydel), kari), w.mustPost(w.patient(), patientBody(kari))
	shared := w.mustPost(at(bydel), plan(theirs, "delt"))
	other := w.mustPost(at(sosial), plan(w.patientOf(at(sosial), kari), "sosial"))
	denied := func() {
		t.Helper()
		_, err := w.read(at(ous), shared)
		wantCode(t, err, gateway.NotFound)
	}
	denied()
	draft := strings.Replace(consentOf(theirs, []string{"plan", "bolig"}, ous), `"active"`, `"draft"`, 1)
	body, err := w.simulate(at(bydel), draft)
	must(t, err)
	wantNone(t, body, other.String(), string(sosial)+"-")
	list := recipientsIn(t, body)
	if len(list) != 2 || list["read"].receiver != "Part "+string(ous) || list["message"].receiver != "Part "+string(ous) {
		t.Fatalf("recipients of %s", body)
	}
	if got := list["read"].fresh; !slices.Contains(got, "CarePlan/"+string(shared.ID)) || !slices.Contains(got, "Patient/"+string(theirs.ID)) {
		t.Errorf("new: %v in %s", got, body)
	}
	denied()
	if found, err := w.find(at(bydel), "Consent", gateway.Search{}); err != nil || strings.Contains(found, `"resourceType":"Consent"`) {
		t.Errorf("something is stored: %s, %v", found, err)
	}
	mine := strings.Replace(strings.Replace(draft, theirs.String(), herself.String(), 1), `"draft"`, `"proposed"`, 1)
	hers, err := w.simulate(w.patient(), mine)
	must(t, err)
	if !strings.Contains(hers, `"display":"Part `+string(sosial)+`"`) {
		t.Errorf("the patient is not told what remains withheld, and where: %s", hers)
	}
	w.mustPost(at(bydel), strings.Replace(draft, `"draft"`, `"active"`, 1))
	_, err = w.read(at(ous), shared)
	must(t, err)
	again, err := w.simulate(at(bydel), draft)
	must(t, err)
	if got := recipientsIn(t, again)["read"].fresh; slices.Contains(got, "CarePlan/"+string(shared.ID)) {
		t.Errorf("told anew what is released already: %v", got)
	}
}

// gained is what one recipient of a draft would get.
type gained struct {
	receiver string
	fresh    []string
}

func recipientsIn(t testing.TB, body string) map[string]gained {
	t.Helper()
	found := make(map[string]gained)
	for _, r := range of(parametersIn(t, body).Parameter, "recipient") {
		g := gained{receiver: of(r.Part, "receiver")[0].ValueReference.Display}
		for _, one := range of(r.Part, "record") {
			name, _, _ := strings.Cut(of(one.Part, "reference")[0].ValueReference.Reference, "/_history")
			if of(one.Part, "new")[0].ValueBoolean {
				g.fresh = append(g.fresh, name)
			}
		}
		found[codes(r.Part, "action")[0]] = g
	}
	return found
}

// What another custodian shares with the party that tries a draft is in the answer; who else has it from
// there, and what is denied there, is not.
func TestSimulateOfTwoWorlds(t *testing.T) {
	t.Parallel()
	var answers [2]string
	for i := range answers {
		w := newWorld(t)
		chosen := func(a gateway.Actor, id, body string) fhir.Reference {
			ref := fhir.Reference{Type: parse(t, body).Type(), ID: fhir.ID(a.Party) + "-" + fhir.ID(id)}
			must(t, second(w.put(a, strings.Replace(body, `{`, `{"id":"`+string(ref.ID)+`",`, 1), "")))
			return ref
		}
		theirs, social := chosen(at(bydel), "kari", patientBody(kari)), chosen(at(sosial), "kari", patientBody(kari))
		chosen(at(sosial), "plan", plan(social, "sosial"))
		w.mustPost(at(sosial), consentOf(social, []string{"plan", "bolig"}, bydel))
		if i == 0 {
			w.mustPost(at(sosial), consentOf(social, []string{"plan", "bolig"}, gp))
		}
		body, err := w.simulate(at(bydel), consentOf(theirs, []string{"plan"}, gp))
		must(t, err)
		answers[i] = masked(body)
		if !strings.Contains(body, "Part "+string(sosial)) {
			t.Errorf("what is shared is not in %s", body)
		}
	}
	if answers[0] != answers[1] {
		t.Errorf("it tells who else has a record:\n%s\n%s", answers[0], answers[1])
	}
}

// A draft that lacks something is refused for what it lacks; nobody else tries one.
func TestSimulateRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	draft := consentOf(theirs, []string{"plan"}, ous)
	compliance := at(bydel)
	compliance.Kind = gateway.Compliance
	for name, tt := range map[string]struct {
		who  gateway.Actor
		body string
		want gateway.Code
		code string
	}{
		"no end":            {at(bydel), strings.Replace(draft, `"end":"2027-10-31",`, ``, 1), gateway.Invalid, "consent.lacks-end"},
		"another's patient": {at(ous), draft, gateway.Invalid, "consent.patient-not-own"},
		"not herself":       {w.patient(), draft, gateway.Invalid, "consent.patient-not-own"},
		"compliance":        {compliance, draft, gateway.Forbidden, "simulate.actor"},
		"a policy":          {at(bydel), strings.Replace(draft, `"policyRule"`, `"policy":[{"uri":"http://x.no"}],"policyRule"`, 1), gateway.Invalid, "consent.construct"},
		"unverified":        {at(bydel), strings.Replace(draft, `"policyRule"`, `"verification":[{"verified":false}],"policyRule"`, 1), gateway.Invalid, "consent.construct"},
	} {
		_, err := w.simulate(tt.who, tt.body)
		var known *gateway.Error
		if gateway.CodeOf(err) != tt.want || !errors.As(err, &known) || !slices.ContainsFunc(known.Issues, func(i fhir.Issue) bool { return i.Code == tt.code }) {
			t.Errorf("%s: %v, want %s %s", name, err, tt.want, tt.code)
		}
	}
}
