package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func (w *world) decide(a gateway.Actor, r fhir.Reference, o gateway.Operation) (string, error) {
	out, err := w.operate(a, r, o, "")
	return bodyOf(out), err
}

// The patient reads her own records, whoever holds them, and nobody else's (pbrl. § 5-1, fvl. § 18).
func TestPatientReadsHerRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.patientOf(at(bydel), kari), w.patientOf(at(sosial), kari)
	other := w.patientOf(at(bydel), ola)
	hers := []fhir.Reference{w.mustPost(at(bydel), plan(p, "bydel")), w.mustPost(at(sosial), plan(q, "sosial"))}
	his := w.mustPost(at(bydel), plan(other, "ola"))
	w.mustPost(at(bydel), objection(p)) // hers against others, not against herself
	for _, r := range hers {
		body, err := w.read(w.patient(), r)
		if err != nil || !strings.Contains(body, "kanari-okonomi") {
			t.Errorf("%s: %v %s", r, err, body)
		}
	}
	if _, err := w.read(w.patient(), his); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("another's: %v", err)
	}
	for name, s := range map[string]gateway.Search{"unnamed": {}, "named": {Subject: gateway.Subject{NIN: nin(t, kari)}}} {
		body, err := w.find(w.patient(), "CarePlan", s)
		must(t, err)
		if !strings.Contains(body, "kanari-bydel") || !strings.Contains(body, "kanari-sosial") {
			t.Errorf("%s: %s", name, body)
		}
		wantNone(t, body, "kanari-ola")
	}
}

// What a named person at the custodian has withheld from her she is told of, with who, why and how to
// complain, and nothing of what it holds; a postponement ends by itself; everybody else reads as before.
func TestPatientIsToldWhatIsWithheld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r, shown := w.mustPost(at(bydel), plan(p, "skjult")), w.mustPost(at(bydel), plan(p, "vist"))
	later := w.mustPost(at(bydel), plan(p, "senere"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	before, err := w.read(at(ous), r)
	must(t, err)
	_, err = w.read(w.patient(), r)
	must(t, err)
	withhold := func(a gateway.Actor, r fhir.Reference, kind, reason string, end time.Time) error {
		_, err := w.decide(a, r, gateway.Operation{Name: gateway.Withhold, Code: kind, Reason: reason, High: end})
		return err
	}
	must(t, withhold(at(bydel), r, "tredjepart", "en slektning har fortalt dette", time.Time{}))
	end := w.clock.time().Add(48 * time.Hour)
	must(t, withhold(at(bydel), later, "utsatt", "samtalen er ikke holdt ennå", end))

	body, err := w.read(w.patient(), r)
	wantCode(t, err, gateway.Forbidden)
	wantNone(t, body+err.Error(), "kanari")
	told := issueText(err)
	for _, want := range []string{"Rita Lin", "Part " + string(bydel), "en slektning har fortalt dette", "Statsforvalteren", "pbrl. § 7-2"} {
		if !strings.Contains(told, want) {
			t.Errorf("she is not told %q: %s", want, told)
		}
	}
	for name, f := range map[string]func() (string, error){
		"search":     func() (string, error) { return w.find(w.patient(), "CarePlan", gateway.Search{}) },
		"everything": func() (string, error) { return w.everything(w.patient(), fhir.Reference{Type: "Patient"}) },
	} {
		body, err = f()
		must(t, err)
		wantNone(t, body, "kanari-skjult", "kanari-okonomi-skjult", "kanari-senere", string(r.ID))
		for _, want := range []string{"kanari-vist", string(shown.ID), "Statsforvalteren", "Rita Lin", "utsatt til"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q: %s", name, want, body)
			}
		}
	}
	if after, err := w.read(at(ous), r); err != nil || after != before {
		t.Errorf("others read something else than before: %v\n%s\n%s", err, before, after)
	}
	body, err = w.find(at(ous), "CarePlan", gateway.Search{})
	must(t, err)
	wantNone(t, body, "Statsforvalteren", "slektning")

	w.clock.forward(49 * time.Hour)
	if _, err := w.read(w.patient(), later); err != nil {
		t.Errorf("a postponement does not end by itself: %v", err)
	}
	_, err = w.read(w.patient(), r)
	wantCode(t, err, gateway.Forbidden)
	must(t, withhold(at(bydel), r, "opphevet", "slektningen har samtykket", time.Time{}))
	if _, err := w.read(w.patient(), r); err != nil {
		t.Errorf("after it was lifted: %v", err)
	}
}

// Only a named person at the custodian withholds, with a reason, of the known kinds.
func TestWhoWithholds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	r := w.mustPost(at(bydel), plan(p, "a"))
	w.mustPost(at(bydel), consentOf(p, []string{"plan"}, ous))
	machine, nameless := at(bydel), at(bydel)
	machine.Kind, nameless.Name = gateway.Machine, ""
	future := w.clock.time().Add(time.Hour)
	for name, tt := range map[string]struct {
		actor gateway.Actor
		o     gateway.Operation
		want  gateway.Code
	}{
		"another who reads it":  {at(ous), gateway.Operation{Code: "nektet", Reason: "x"}, gateway.Forbidden},
		"another who cannot":    {at(sosial), gateway.Operation{Code: "nektet", Reason: "x"}, gateway.NotFound},
		"a machine":             {machine, gateway.Operation{Code: "nektet", Reason: "x"}, gateway.Forbidden},
		"somebody without name": {nameless, gateway.Operation{Code: "nektet", Reason: "x"}, gateway.Forbidden},
		"the patient":           {w.patient(), gateway.Operation{Code: "nektet", Reason: "x"}, gateway.Forbidden},
		"without a reason":      {at(bydel), gateway.Operation{Code: "nektet"}, gateway.Invalid},
		"of an unknown kind":    {at(bydel), gateway.Operation{Code: "skjult", Reason: "x"}, gateway.Invalid},
		"postponed without end": {at(bydel), gateway.Operation{Code: "utsatt", Reason: "x"}, gateway.Invalid},
		"refused with an end":   {at(bydel), gateway.Operation{Code: "nektet", Reason: "x", High: future}, gateway.Invalid},
		"postponed to the past": {at(bydel), gateway.Operation{Code: "utsatt", Reason: "x", High: future.Add(-2 * time.Hour)}, gateway.Invalid},
		"in an emergency":       {w.acute(bydel), gateway.Operation{Code: "nektet", Reason: "x"}, gateway.Forbidden},
	} {
		tt.o.Name = gateway.Withhold
		if _, err := w.decide(tt.actor, r, tt.o); gateway.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if _, err := w.read(w.patient(), r); err != nil {
		t.Errorf("she reads it still: %v", err)
	}
}

func issueText(err error) string {
	var known *gateway.Error
	text := ""
	if errors.As(err, &known) {
		for _, i := range known.Issues {
			text += strings.Join(i.Args, " ")
		}
	}
	return text
}
