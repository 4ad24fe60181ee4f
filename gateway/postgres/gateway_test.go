package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
	"github.com/sluse/sluse/gateway/fhir"
)

// house is a real Gateway on a real store.
type house struct {
	*bench
	*gateway.Gateway
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := context.Background()
	decider, err := consent.NewDecider(ctx, consent.Config{})
	if err != nil {
		t.Fatal(err)
	}
	labeller, err := consent.NewLabeller(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	normalizer, err := consent.NewNormalizer()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{bench: newBench(t)}
	h.Gateway, err = gateway.New(gateway.Config{
		Store: h.Store, Decider: decider, Labeller: labeller, Normalizer: normalizer, Clock: h.clock, Random: rand.Reader, SealKey: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.list("Organization", "o100", organization("100", "helse-kommune", ""))
	h.list("Organization", "o200", organization("200", "helse-kommune", ""))
	return h
}

func at(party gateway.HERID) gateway.Actor {
	return gateway.Actor{
		Kind: gateway.Person, Party: party, Practitioner: "9144889", Name: "Navn Navnesen", Role: "lege", Purpose: gateway.Treat,
		Attest: gateway.Attest{Each: true}, Client: "test", TokenID: "t",
	}
}

// do performs an interaction and gives body and error code.
func (h *house) do(a gateway.Actor, in gateway.Interaction) (string, gateway.Outcome, gateway.Code) {
	h.Helper()
	in.Search.Base = "http://sluse.example/fhir"
	if in.Search.Count == 0 {
		in.Search.Count = 20
	}
	out, err := h.Do(h.ctx, a, in)
	if err != nil {
		if gateway.CodeOf(err) == gateway.Internal || gateway.CodeOf(err) == gateway.Unavailable {
			h.Fatalf("%s %s: %v", in.Code, in.Target, err)
		}
		return "", out, gateway.CodeOf(err)
	}
	var b bytes.Buffer
	if _, err := out.Release.WriteTo(&b); err != nil {
		h.Fatal(err)
	}
	return b.String(), out, ""
}

func (h *house) write(party gateway.HERID, body string) fhir.Reference {
	h.Helper()
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		h.Fatal(err)
	}
	_, err = h.Do(h.ctx, at(party), gateway.Interaction{Code: gateway.Create, Target: fhir.Reference{Type: res.Type()}, Body: res})
	if err != nil {
		h.Fatalf("create %s: %v", res.Type(), err)
	}
	var id string
	if err := h.pool.QueryRow(h.ctx, `select id from resource where type = $1 and custodian = $2 order by vkey desc limit 1`, string(res.Type()), string(party)).Scan(&id); err != nil {
		h.Fatal(err)
	}
	return ref(res.Type(), id)
}

// The whole way: a Consent opens a plan to another party, by read, by search of the patient and by
// search of all; what SQL covers is what the Gateway computes anew, or it would refuse; withdrawal
// closes it; each access stands in the ledger.
func TestThroughTheGateway(t *testing.T) {
	h := newHouse(t)
	patient := h.write("100", `{"resourceType":"Patient","identifier":[{"system":"`+fhir.SystemFNR+`","value":"`+kari+`"}],"name":[{"family":"Nordmann","given":["Kari"]}]}`)
	mine := h.write("200", `{"resourceType":"Patient","identifier":[{"system":"`+fhir.SystemFNR+`","value":"`+kari+`"}],"name":[{"family":"Nordmann","given":["Kari"]}]}`)
	plan := h.write("100", `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"`+patient.String()+`"},"period":{"start":"2026-11-01"},"description":"kanarifugl"}`)
	read := gateway.Interaction{Code: gateway.Read, Target: plan}
	find := gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "CarePlan"}, Search: gateway.Search{Sort: gateway.Sort{Descending: true}}}
	about := find
	about.Search.Subject = gateway.Subject{Patient: mine}
	seen := func() string {
		var got []string
		for _, in := range []gateway.Interaction{read, find, about, {Code: gateway.History, Target: plan}} {
			body, _, code := h.do(at("200"), in)
			got = append(got, fmt.Sprintf("%v %s", strings.Contains(body, "kanarifugl"), code))
		}
		return strings.Join(got, "; ")
	}
	if got := seen(); got != "false not-found; false ; false ; false not-found" {
		t.Fatalf("before the Consent: %s", got)
	}
	if body, _, code := h.do(at("100"), read); code != "" || !strings.Contains(body, "kanarifugl") {
		t.Fatalf("the custodian reads %q %s", body, code)
	}
	given := `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"` + patient.String() + `"},"dateTime":"2026-11-01",
		"organization":[{"reference":"Organization/o100"}],"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
		"provision":{"type":"permit","period":{"start":"2026-11-01","end":"2027-06-01"},
		"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/o200"}}],
		"securityLabel":[{"system":"` + gateway.LabelSystem + `","code":"plan"}]}}`
	samtykke := h.write("100", given)
	if got := seen(); got != "true ; true ; true ; true " {
		t.Errorf("with the Consent: %s", got)
	}
	lines := h.one(`select count(*) from ledger where outcome = 'released' and party = '200' and '100' = any(custodians)`)
	if lines != 4 {
		t.Errorf("%d lines of releases to 200, want 4", lines)
	}
	body, _, code := h.do(at("100"), gateway.Interaction{Code: gateway.Find, Target: fhir.Reference{Type: "AuditEvent"}, Search: gateway.Search{
		Sort: gateway.Sort{Descending: true}, Criteria: []fhir.Criterion{param("AuditEvent", "entity", fhir.Operand{Reference: samtykke})},
	}})
	if code != "" || !strings.Contains(body, "AuditEvent") {
		t.Errorf("the custodian finds accesses by the Consent: %q %s", body, code)
	}
	withdrawn, err := fhir.Parse([]byte(strings.Replace(strings.Replace(given, `"status":"active"`, `"status":"inactive"`, 1), `"resourceType":"Consent",`, `"resourceType":"Consent","id":"`+string(samtykke.ID)+`",`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Do(h.ctx, at("100"), gateway.Interaction{Code: gateway.Update, Target: samtykke, Body: withdrawn}); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != "false not-found; false ; false ; false not-found" {
		t.Errorf("after withdrawal: %s", got)
	}
}
