package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
	"github.com/sluse/sluse/policies"
)

// forgetful is the real translation of Consents, sabotaged: every deny vanishes.
type forgetful struct{ gateway.Normalizer }

// Grants is that of the real one, less the denies.
func (f forgetful) Grants(c *fhir.Resource, r fhir.Reference, in gateway.Setting) ([]gateway.Grant, []fhir.Issue) {
	grants, issues := f.Normalizer.Grants(c, r, in)
	return slices.DeleteFunc(grants, func(g gateway.Grant) bool { return g.Effect == gateway.Deny }), issues
}

// watched is a house whose Gateway is watched, with the log of the watch.
func watched(t *testing.T, most int, normalizer func(gateway.Normalizer) gateway.Normalizer) (*house, *gateway.Watch, *bytes.Buffer) {
	t.Helper()
	h, log := newHouse(t), new(bytes.Buffer)
	d, err := consent.NewDecider(h.ctx, consent.Config{})
	if err != nil {
		t.Fatal(err)
	}
	checker, err := consent.NewChecker(h.ctx, d, policies.Set{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := gateway.NewWatch(gateway.WatchConfig{Store: h.Store, Comparer: checker, Clock: h.clock, Most: most, Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h.Gateway, err = gateway.New(gateway.Config{
		Store: w.Over(), Decider: d, Labeller: h.Labeller, Normalizer: normalizer(h.Normalizer), Clock: h.clock, Random: rand.Reader, SealKey: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, w, log
}

func as(n gateway.Normalizer) gateway.Normalizer         { return n }
func forgetting(n gateway.Normalizer) gateway.Normalizer { return forgetful{n} }

// excepting is a samtykke to 200 with an exception for one of its labels.
func excepting(patient fhir.Reference) string {
	label := func(code string) string {
		return `"securityLabel":[{"system":"` + gateway.LabelSystem + `","code":"` + code + `"}]`
	}
	return `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"` + patient.String() + `"},"dateTime":"2026-11-01",
		"organization":[{"reference":"Organization/o100"}],"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
		"provision":{"type":"permit","period":{"start":"2026-11-01","end":"2027-06-01"},
		"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/o200"}}],
		` + label("plan") + `,"provision":[{"type":"deny",` + label("plan") + `}]}}`
}

const her = `{"resourceType":"Patient","identifier":[{"system":"` + fhir.SystemFNR + `","value":"` + kari + `"}],"name":[{"family":"Nordmann","given":["Kari"]}]}`

// TestWatchComparesWhatIsSaved sees that what is saved is compared, in the background, and that the forms agree
// about a samtykke with an exception, its withdrawal, and one that names a team and a role.
func TestWatchComparesWhatIsSaved(t *testing.T) {
	h, w, log := watched(t, 0, as)
	patient := h.write("100", her)
	if worked, err := w.Once(h.ctx); worked || err != nil {
		t.Fatalf("nothing has changed: %v %v", worked, err)
	}
	team := h.write("100", `{"resourceType":"CareTeam","status":"active","subject":{"reference":"`+patient.String()+`"},"participant":[{"member":{"reference":"Organization/o200"}}]}`)
	given := excepting(patient)
	for _, body := range []string{
		given,
		strings.Replace(given, `{"reference":"Organization/o200"}`, `{"reference":"`+team.String()+`"}`, 1),
		strings.Replace(given, `{"reference":"Organization/o200"}`, `{"identifier":{"system":"http://sluse.no/fhir/NamingSystem/mottakerrolle","value":"fastlege"}}`, 1),
	} {
		samtykke := h.write("100", body)
		asked(t, w, h.ctx)
		withdrawn, err := fhir.Parse([]byte(strings.Replace(strings.Replace(body, `"status":"active"`, `"status":"inactive"`, 1), `"resourceType":"Consent",`, `"resourceType":"Consent","id":"`+string(samtykke.ID)+`",`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Do(h.ctx, at("100"), gateway.Interaction{Code: gateway.Update, Target: samtykke, Body: withdrawn}); err != nil {
			t.Fatal(err)
		}
		asked(t, w, h.ctx)
	}
	f := w.Figures()
	if f.Compared != 6 || f.Classes < 300 || f.Differences != 0 || f.Failed != 0 || w.Agree(h.ctx) != nil {
		t.Errorf("%+v, %v\n%s", f, w.Agree(h.ctx), log)
	}
}

// asked compares one person that must be waiting.
func asked(t *testing.T, w *gateway.Watch, ctx context.Context) {
	t.Helper()
	if worked, err := w.Once(ctx); !worked || err != nil {
		t.Fatalf("worked %v: %v, %+v", worked, err, w.Figures())
	}
}

// TestWatchGivesAlarm sees that a translation that loses a deny is found out when the Consent has been saved: in the
// log, in the figures and in readiness, without the person's number; and that the alarm ends with its cause.
func TestWatchGivesAlarm(t *testing.T) {
	h, w, log := watched(t, 0, forgetting)
	patient := h.write("100", her)
	samtykke := h.write("100", excepting(patient))
	if w.Agree(h.ctx) != nil {
		t.Error("alarm before anything has been compared")
	}
	asked(t, w, h.ctx)
	if f := w.Figures(); f.Compared != 1 || f.Differences == 0 || f.Unlike != 1 || w.Agree(h.ctx) == nil {
		t.Errorf("no alarm: %+v", f)
	}
	if text := log.String(); !strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, "disagree") || !strings.Contains(text, "plan]") || strings.Contains(text, kari) {
		t.Errorf("the log says %s", text)
	}
	if _, err := h.Do(h.ctx, at("100"), gateway.Interaction{Code: gateway.Delete, Target: samtykke}); err != nil {
		t.Fatal(err)
	}
	asked(t, w, h.ctx)
	if w.Agree(h.ctx) != nil {
		t.Error("alarm without a cause")
	}
}

// TestWatchNeverWaits sees that what does not fit is counted and told of, and keeps nobody waiting.
func TestWatchNeverWaits(t *testing.T) {
	h, w, log := watched(t, 1, as)
	patient, other := h.write("100", her), h.write("100", strings.Replace(her, kari, ola, 1))
	h.write("100", excepting(patient))
	h.write("100", excepting(patient)) // waits already
	if f := w.Figures(); f.Waiting != 1 || f.Overflowed != 0 {
		t.Errorf("%+v", f)
	}
	h.write("100", excepting(other))
	if f := w.Figures(); f.Waiting != 1 || f.Overflowed != 1 || !strings.Contains(log.String(), "more changes than can be compared") {
		t.Errorf("%+v %s", f, log)
	}
	asked(t, w, h.ctx)
	h.write("100", excepting(other))
	asked(t, w, h.ctx)
	if f := w.Figures(); f.Compared != 2 || f.Waiting != 0 {
		t.Errorf("%+v", f)
	}
}
