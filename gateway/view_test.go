package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// rich is a samtykke to OUS and the fastlege from the bydel, with a nested deny, a note, a performer and a
// narrative: all of it hidden from a recipient but the permit that names it.
func rich(patient fhir.Reference) string {
	actor := func(role string, party gateway.HERID) map[string]any {
		return map[string]any{
			"role":      coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", role),
			"reference": map[string]string{"reference": "Organization/80001099-" + string(party)},
		}
	}
	label := func(codes ...string) []any {
		var out []any
		for _, c := range codes {
			out = append(out, map[string]string{"system": gateway.LabelSystem, "code": c})
		}
		return out
	}
	scope := coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
	scope["text"] = "kanari-scope"
	raw, _ := json.Marshal(map[string]any{
		"resourceType": "Consent", "status": "active", "dateTime": "2026-11-01", "scope": scope,
		"text":      map[string]string{"status": "additional", "div": `<div xmlns="http://www.w3.org/1999/xhtml">kanari-narrativ</div>`},
		"category":  []any{coded("http://loinc.org", "59284-0")},
		"patient":   map[string]string{"reference": patient.String(), "display": "kanari-navn"},
		"performer": []any{map[string]string{"display": "kanari-verge"}}, "sourceAttachment": map[string]string{"title": "kanari-kilde"},
		"policyRule": coded("http://sluse.no/fhir/CodeSystem/rettsgrunnlag", "HPL22"),
		"extension":  []any{map[string]any{"url": "http://example.org/notat", "valueString": "kanari-notat"}},
		"provision": map[string]any{
			"type": "permit", "period": map[string]string{"start": "2026-11-01", "end": "2027-10-31"},
			"securityLabel": label("plan", "rus"), "actor": []any{actor("IRCP", ous), actor("IRCP", gp), actor("CST", bydel)},
			"provision": []any{map[string]any{"type": "deny", "securityLabel": label("rus"), "actor": []any{actor("IRCP", ous)}}},
		},
	})
	return string(raw)
}

// A recipient sees the permit that names it, less everything else; a custodian what binds its own records; the
// person all of it; nobody else that there is a Consent at all (DESIGN § 3, Consent, AuditEvent as records).
func TestConsentIsSeenInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.party("80001009", "ideell", "helse-kommune")
	p := w.patientOf(at(bydel), kari)
	c := w.mustPost(at(bydel), rich(p))
	no := w.mustPost(at(bydel), objection(p))
	never := []string{"kanari", string(gp), "deny", "narrativ", "performer", `"source`}
	for name, see := range map[string]func() (string, error){
		"read":   func() (string, error) { return w.read(at(ous), c) },
		"search": func() (string, error) { return w.find(at(ous), "Consent", gateway.Search{}) },
		"of her": func() (string, error) {
			return w.find(at(ous), "Consent", gateway.Search{Subject: gateway.Subject{NIN: nin(t, kari)}})
		},
		"history": func() (string, error) { return w.versions(at(ous), c) },
	} {
		body, err := see()
		must(t, err)
		for _, want := range []string{`"permit"`, `"plan"`, string(ous), string(bydel), "SUBSETTED", "2027-10-31", string(c.ID)} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q: %s", name, want, body)
			}
		}
		for _, n := range append(never, string(no.ID)) {
			if strings.Contains(body, n) {
				t.Errorf("%s: LEAK of %q: %s", name, n, body)
			}
		}
	}
	for name, a := range map[string]gateway.Actor{"not named": at(sosial), "no attest": func() gateway.Actor { a := at(ous); a.Attest = gateway.Attest{}; return a }()} {
		if _, err := w.read(a, c); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.read(at(ous), no); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("an objection is seen by whom it is against: %v", err)
	}
	body, err := w.read(w.patient(), c)
	must(t, err)
	if !strings.Contains(body, "deny") || !strings.Contains(body, "80001005") {
		t.Errorf("she sees all of it: %s", body)
	}
	body, err = w.read(at(bydel), c)
	must(t, err)
	if !strings.Contains(body, "kanari-notat") {
		t.Errorf("its custodian has it as it wrote it: %s", body)
	}
}

// Whoever holds records of hers sees what binds them, objections as well, and nothing that binds only others.
func TestCustodianSeesWhatBindsItsRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	c, no := w.mustPost(at(bydel), rich(p)), w.mustPost(at(bydel), objection(p))
	if _, err := w.read(at(sosial), no); gateway.CodeOf(err) != gateway.NotFound {
		t.Errorf("a party that does not know her sees her objection: %v", err)
	}
	w.patientOf(at(sosial), kari)
	for name, see := range map[string]func() (string, error){
		"read":   func() (string, error) { return w.read(at(sosial), no) },
		"search": func() (string, error) { return w.find(at(sosial), "Consent", gateway.Search{}) },
	} {
		body, err := see()
		must(t, err)
		if !strings.Contains(body, `"deny"`) || !strings.Contains(body, string(no.ID)) {
			t.Errorf("%s: a custodian does not see the objection: %s", name, body)
		}
		wantNone(t, body, "kanari", string(c.ID), string(ous), "plan")
	}
}

// No parameter finds a Consent by what is hidden of it, nor tells that it is missing.
func TestConsentIsNotFoundByWhatIsHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.patientOf(at(bydel), kari)
	w.mustPost(at(bydel), rich(p))
	for _, query := range []string{
		"actor=Organization/80001099-" + string(gp), "actor=Organization/80001099-" + string(ous), "security-label=rus", "security-label=plan",
		"actor:missing=false", "organization:missing=false", "period=ge2026-01-01",
	} {
		if body := w.seek(at(ous), "Consent", query); body.matches() {
			t.Errorf("found by %s: %v", query, body)
		}
	}
	if body := w.seek(at(ous), "Consent", "status=active"); !body.matches() {
		t.Errorf("not found by what is seen: %v", body)
	}
	if body := w.seek(at(bydel), "Consent", "actor=Organization/80001099-"+string(gp)); !body.matches() {
		t.Errorf("its custodian does not find it: %v", body)
	}
}

// Compliance sees what concerns the parties that it is bound to, and nothing clinical; each look is recorded.
func TestComplianceIsBoundToItsParties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.party("80001009", "ideell", "helse-kommune")
	w.party("80001050", "hf", "helse-spesialist") // no agreement
	p, q := w.patientOf(at(bydel), kari), w.patientOf(at("80001050"), ola)
	c, r := w.mustPost(at(bydel), rich(p)), w.mustPost(at(bydel), plan(p, "klinisk"))
	apart := w.mustPost(at("80001050"), consentOf(q, []string{"plan"}, "80001050"))
	for name, see := range map[string]func() (string, error){
		"read":   func() (string, error) { return w.read(w.compliance(), c) },
		"search": func() (string, error) { return w.find(w.compliance(), "Consent", gateway.Search{}) },
	} {
		body, err := see()
		must(t, err)
		if !strings.Contains(body, string(c.ID)) || !strings.Contains(body, `"deny"`) {
			t.Errorf("%s: %s", name, body)
		}
		wantNone(t, body, "kanari", string(apart.ID))
	}
	for _, ref := range []fhir.Reference{r, p, apart} {
		if _, err := w.read(w.compliance(), ref); gateway.CodeOf(err) != gateway.NotFound {
			t.Errorf("%s: %v", ref, err)
		}
	}
	body, err := w.find(w.patient(), "AuditEvent", gateway.Search{Count: 100})
	must(t, err)
	if !strings.Contains(body, "Liv Aas") {
		t.Errorf("a look by compliance is not in her log: %s", body)
	}
	alone := w.compliance()
	alone.Party = "80001050"
	body, err = w.find(alone, "Consent", gateway.Search{})
	must(t, err)
	if !strings.Contains(body, string(apart.ID)) || strings.Contains(body, string(c.ID)) {
		t.Errorf("compliance without an agreement sees other parties: %s", body)
	}
}

func (w *world) versions(a gateway.Actor, r fhir.Reference) (string, error) {
	out, err := w.Do(w.t.Context(), a, gateway.Interaction{Code: gateway.History, Target: r, Search: gateway.Search{Count: 10, Base: "http://sluse.test/fhir"}})
	return bodyOf(out), err
}

// matches tells whether a searchset found anything.
func (b bundle) matches() bool {
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			return true
		}
	}
	return false
}
