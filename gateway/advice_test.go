package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// remarked are the findings of $validate on a Consent, with where they stand.
func (w *world) remarked(a gateway.Actor, body string) (found []string) {
	w.t.Helper()
	out, err := w.operate(a, fhir.Reference{Type: "Consent"}, gateway.Operation{Name: gateway.Validation, Mode: fhir.ModeCreate}, body)
	must(w.t, err)
	for _, i := range out.Issues {
		if strings.HasPrefix(i.Code, "consent.") {
			found = append(found, i.Severity+" "+i.Code+" "+i.Expression)
		}
	}
	return found
}

// Provisions that never apply, or only in part, are remarked on where they stand; what does as it says
// is not.
func TestAdviceOnProvisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.patientOf(at(bydel), kari)
	given := consentOf(theirs, []string{"plan", "bolig"}, ous)
	nested := func(provision string) string {
		return strings.Replace(given, `"type":"permit"`, `"type":"permit","provision":[{"type":"deny",`+provision+`}]`, 1)
	}
	label := func(code string) string {
		return `"securityLabel":[{"system":"` + gateway.LabelSystem + `","code":"` + code + `"}]`
	}
	const leaf = "Consent.provision.provision[0]"
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"sound":                    {given, nil},
		"a nested deny":            {nested(label("bolig")), nil},
		"takes samarbeid along":    {nested(label("samarbeid")), nil},
		"labels apart":             {nested(label("rus")), []string{"warning consent.never-applies " + leaf + ".securityLabel"}},
		"all of it":                {nested(`"securityLabel":[{"system":"` + gateway.LabelSystem + `","code":"plan"},{"system":"` + gateway.LabelSystem + `","code":"bolig"}]`), []string{"warning consent.swallowed Consent.provision"}},
		"a period apart":           {nested(label("bolig") + `,"period":{"start":"2028-01-01","end":"2028-02-01"}`), []string{"warning consent.never-applies " + leaf + ".period"}},
		"a period that sticks out": {nested(label("bolig") + `,"period":{"start":"2027-01-01","end":"2028-02-01"}`), []string{"warning consent.outside " + leaf + ".period"}},
		"another receiver":         {nested(label("bolig") + `,"actor":[` + recipientActor(gp) + `]`), []string{"warning consent.never-applies " + leaf + ".actor"}},
		"to itself":                {consentOf(theirs, []string{"plan"}, bydel), []string{"warning consent.to-itself Consent.provision.actor"}},
		"what never crosses": {strings.Replace(given, `"type":"permit"`, `"type":"permit","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Consent"}]`, 1),
			[]string{"warning consent.never-crosses Consent.provision.class"}},
		"over": {strings.NewReplacer("2027-10-31", "2026-10-31", "2026-11-01", "2026-01-01").Replace(given), []string{"warning consent.over Consent.provision.period.end"}},
		"an item of another type": {strings.Replace(given, `"type":"permit"`, `"type":"permit","class":[{"system":"http://hl7.org/fhir/resource-types","code":"CarePlan"}],
			"data":[{"meaning":"instance","reference":{"reference":"Observation/x"}}]`, 1), []string{"warning consent.never-applies Consent.provision.data"}},
		"a meaning": {strings.Replace(given, `"type":"permit"`, `"type":"permit","data":[{"meaning":"related","reference":{"reference":"Observation/x"}}]`, 1),
			[]string{"error consent.lacks-what Consent.provision.securityLabel", "error consent.unknown-code Consent.provision.data[0].meaning"}},
	} {
		got := w.remarked(at(bydel), tt.body)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func recipientActor(id gateway.HERID) string {
	return strings.Replace(custodianActor(id), `"CST"`, `"IRCP"`, 1)
}

// What another Consent makes of one: a deny that swallows it, a gap between two, an end to what is given. The
// writer is told at save, in the outcome that it asks for, and only of what it may know.
func TestAdviceAmongConsents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, herself := w.patientOf(at(bydel), kari), w.mustPost(w.patient(), patientBody(kari))
	social := w.patientOf(at(sosial), kari)
	w.mustPost(w.patient(), objectionOf(herself, []string{"rus"}, ous))
	hidden := strings.Replace(objectionOf(social, []string{"plan"}, ous), `"actor":[`, `"actor":[`+custodianActor(sosial)+`,`, 1)
	w.mustPost(at(sosial), hidden)
	out, err := w.post(at(bydel), consentOf(theirs, []string{"rus", "plan"}, ous))
	must(t, err)
	var found []string
	for _, i := range out.Issues {
		found = append(found, i.Severity+" "+i.Code+" "+strings.Join(i.Args[:1], ""))
	}
	if !slices.Equal(found, []string{"warning consent.denied rus"}) {
		t.Errorf("at save: %v", out.Issues)
	}
	both := strings.Replace(consentOf(theirs, []string{"plan"}, ous), `"actor":[`, `"actor":[`+custodianActor(sosial)+`,`+custodianActor(bydel)+`,`, 1)
	if got := w.remarked(at(bydel), both); len(got) > 0 {
		t.Errorf("told of what is denied at another custodian: %v", got)
	}
	early := strings.NewReplacer("2026-11-01", "2026-03-01", "2027-10-31", "2026-08-31").Replace(consentOf(theirs, []string{"kriseplan"}, gp))
	w.mustPost(at(bydel), early)
	got := w.remarked(at(bydel), consentOf(theirs, []string{"kriseplan"}, gp))
	if !slices.Equal(got, []string{"warning consent.gap Consent.provision.period"}) {
		t.Errorf("a gap: %v", got)
	}
	fill := strings.NewReplacer("2026-11-01", "2026-08-01", "2027-10-31", "2026-12-31").Replace(consentOf(theirs, []string{"kriseplan"}, gp))
	w.mustPost(at(bydel), fill)
	if got := w.remarked(at(bydel), consentOf(theirs, []string{"kriseplan"}, gp)); len(got) > 0 {
		t.Errorf("a gap that is filled: %v", got)
	}
	got = w.remarked(w.patient(), objectionOf(herself, []string{"kriseplan"}, gp))
	if len(got) == 0 || !strings.HasPrefix(got[0], "information consent.takes-away") {
		t.Errorf("what an objection takes away: %v", got)
	}
}
