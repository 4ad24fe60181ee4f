package consent_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/consent/consenttest"
)

// What is explained agrees with what is decided, on every hand-written case that is decided by grants.
func TestExplainAgreesWithTheDecision(t *testing.T) {
	t.Parallel()
	d := consenttest.Decider(t).(*consent.Decider)
	lost, missed := 0, map[string]bool{}
	for _, v := range consenttest.Vectors(t) {
		if v.Record.Custodian == v.Question.Party.ID || v.Record.Fetched != 0 || !v.Question.Actor.Attest.Each ||
			v.Record.Person == 0 || len(v.Record.Sent) > 0 || v.Record.Reference.Type == "Consent" ||
			v.Record.Reference.Type == "CareTeam" || v.Record.Reference.Type == "Provenance" {
			continue
		}
		list, err := d.Explain(context.Background(), v.Question, v.Record)
		if err != nil {
			t.Fatal(err)
		}
		var covered, taken gateway.Labels
		for _, e := range list {
			if e.Text == "" {
				t.Errorf("%s: %s is not explained", v.Name, e.Citation.Path)
			}
			if !e.Applies {
				missed[e.Text] = true
				continue
			}
			if e.Effect == gateway.Allow {
				covered |= e.Labels
			} else {
				taken |= e.Labels
			}
			if e.Lost != 0 {
				lost++
				if len(e.To) == 0 || !strings.Contains(e.Text, "taper") {
					t.Errorf("%s: lost to nobody: %q", v.Name, e.Text)
				}
			}
		}
		if crosses := v.Record.Labels.Within(covered &^ taken); crosses != v.Crosses {
			t.Errorf("%s: explained as %v, decided %v", v.Name, crosses, v.Crosses)
		}
	}
	if lost == 0 {
		t.Error("no case explains a loss")
	}
	for _, want := range []string{"mottakeren", "formålet", "ikke gitt for", "ikke begynt", "er over", "hos en annen", "andre typer", "andre enkelt", "en annen tid"} {
		found := false
		for text := range missed {
			found = found || strings.Contains(text, want)
		}
		if !found {
			t.Errorf("no case misses by %q", want)
		}
	}
}
