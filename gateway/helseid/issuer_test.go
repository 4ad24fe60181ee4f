package helseid_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/helseid"
)

func newIssuer(t *testing.T) (*helseid.Issuer, *helseid.Verifier, *time.Time) {
	t.Helper()
	clock := now
	i, err := helseid.NewIssuer(helseid.IssuerConfig{Clock: func() time.Time { return clock }, Rand: rand.Reader, URL: "http://127.0.0.1:8080/demo"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := helseid.New(i.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return i, v, &clock
}

func actorOf(t *testing.T, i *helseid.Issuer, v *helseid.Verifier, persona string, o helseid.Options) gateway.Actor {
	t.Helper()
	token, _, err := i.Token(persona, o)
	if err != nil {
		t.Fatalf("%s: %v", persona, err)
	}
	a, err := v.Verify(context.Background(), helseid.Request{Authorization: "Bearer " + token})
	if err != nil {
		t.Fatalf("%s: %v", persona, err)
	}
	return a
}

// The ten personas, each at a party of its own, and what their tokens mean.
func TestPersonas(t *testing.T) {
	t.Parallel()
	i, v, _ := newIssuer(t)
	want := []struct {
		name    string
		sector  gateway.Sector
		kind    gateway.Kind
		role    string
		purpose gateway.Purpose
		hpr     bool
	}{
		{"bydel-sagene", "bydel-helse", gateway.Person, "ruskonsulent", gateway.Treat, true},
		{"sosial-sagene", "bydel-sosial", gateway.Person, "saksbehandler", gateway.Coordinate, false},
		{"nav-sagene", "nav-stat", gateway.Person, "veileder", gateway.Coordinate, false},
		{"velferdsetaten", "velferdsetaten", gateway.Person, "miljøterapeut", gateway.Coordinate, false},
		{"fastlege-sagene", "fastlege", gateway.Person, "lege", gateway.Treat, true},
		{"ous-tsb", "hf", gateway.Person, "psykolog", gateway.Treat, true},
		{"legevakt", "legevakt", gateway.Person, "lege", gateway.EmergencyTreat, true},
		{"pasient", "pasient", gateway.Patient, "", gateway.PatientRequest, false},
		{"personvern", "ideell", gateway.Compliance, "", gateway.Administer, false},
		{"drift", "ideell", gateway.Operator, "", gateway.Administer, false},
	}
	parties := map[gateway.HERID]bool{}
	for n, p := range helseid.Personas() {
		if n >= len(want) || p.Name != want[n].name || p.Sector != want[n].sector {
			t.Fatalf("persona %d is %s of sector %s", n, p.Name, p.Sector)
		}
		a := actorOf(t, i, v, p.Name, helseid.Options{})
		if a.Kind != want[n].kind || a.Role != want[n].role || a.Purpose != want[n].purpose || (a.Practitioner != "") != want[n].hpr {
			t.Errorf("%s: actor %+v", p.Name, a)
		}
		if a.Kind != gateway.Patient && a.Role != "" && a.Role != p.Role {
			t.Errorf("%s: role %s in the token, %s in the list", p.Name, a.Role, p.Role)
		}
		if a.Party != p.HERID || len(p.HERID) != 8 || parties[p.HERID] {
			t.Errorf("%s: party %s, listed %s, already seen %v", p.Name, a.Party, p.HERID, parties[p.HERID])
		}
		parties[p.HERID] = true
		if a.Attest.Each != (a.Kind == gateway.Person) {
			t.Errorf("%s: attests each patient: %v", p.Name, a.Attest.Each)
		}
		if a.Name == "" || a.TokenID == "" || a.Client != "demo-"+p.Name {
			t.Errorf("%s: %+v", p.Name, a)
		}
		encoded, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var listed map[string]string
		if err := json.Unmarshal(encoded, &listed); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"name", "party", "sector", "role", "orgnr", "herId", "organization"} {
			if listed[key] == "" {
				t.Errorf("%s: %s is not listed", p.Name, key)
			}
		}
		if !strings.HasPrefix(p.Organization, "Organization/"+string(helseid.OperatorHERID)+"-") {
			t.Errorf("%s: organization %s", p.Name, p.Organization)
		}
		if strings.Contains(string(encoded), "pid") || slices.ContainsFunc(strings.Split(string(encoded), `"`), func(s string) bool {
			_, err := gateway.NewNIN(s)
			return err == nil
		}) {
			t.Errorf("%s: the list tells a national identity number: %s", p.Name, encoded)
		}
	}
}

// A token bound to one patient attests that patient and no other.
func TestTokenBoundToPatient(t *testing.T) {
	t.Parallel()
	i, v, _ := newIssuer(t)
	nin, err := gateway.NewNIN(patient)
	if err != nil {
		t.Fatal(err)
	}
	a := actorOf(t, i, v, "ous-tsb", helseid.Options{Patient: nin, Purpose: gateway.BreakTheGlass, Reason: "bevisstløs"})
	if a.Attest != (gateway.Attest{NIN: nin}) || a.Purpose != gateway.BreakTheGlass || a.Reason != "bevisstløs" {
		t.Errorf("bound: %+v", a)
	}
	if a := actorOf(t, i, v, "pasient", helseid.Options{}); a.Self != helseid.DemoPatient() || a.Self.IsZero() || a.Attest != (gateway.Attest{}) {
		t.Errorf("patient: %+v", a)
	}
	if a := actorOf(t, i, v, "pasient", helseid.Options{Patient: nin}); a.Self != nin {
		t.Errorf("another patient: %+v", a)
	}
}

// Only a verifier that is told so takes an attest without a name for each patient.
func TestEachPatientIsTheDemosOnly(t *testing.T) {
	t.Parallel()
	i, _, _ := newIssuer(t)
	c := i.Verifier()
	c.AttestEach = false
	v, err := helseid.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if a := actorOf(t, i, v, "ous-tsb", helseid.Options{}); a.Attest != (gateway.Attest{}) {
		t.Errorf("outside the demo: %+v", a.Attest)
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	i, v, clock := newIssuer(t)
	token, expiresIn, err := i.Token("fastlege-sagene", helseid.Options{ExpiresIn: time.Minute})
	if err != nil || expiresIn != time.Minute {
		t.Fatalf("%v, %v", expiresIn, err)
	}
	for _, tt := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {64 * time.Second, true}, {65 * time.Second, false}} {
		*clock = now.Add(tt.after)
		if _, err := v.Verify(t.Context(), helseid.Request{Authorization: "Bearer " + token}); (err == nil) != tt.ok {
			t.Errorf("after %v: %v, want accepted %v", tt.after, err, tt.ok)
		}
	}
}

// A token of yesterday's process is nothing today: the key is new.
func TestKeyDiesWithTheIssuer(t *testing.T) {
	t.Parallel()
	yesterday, _, _ := newIssuer(t)
	_, v, _ := newIssuer(t)
	token, _, err := yesterday.Token("drift", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), helseid.Request{Authorization: "Bearer " + token})
	if !errors.Is(err, helseid.BadSignature) {
		t.Errorf("another issuer's token: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	i, _, _ := newIssuer(t)
	nin, err := gateway.NewNIN(patient)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		persona string
		o       helseid.Options
	}{
		"unknown persona":      {"konge", helseid.Options{}},
		"too long":             {"drift", helseid.Options{ExpiresIn: 61 * time.Minute}},
		"too short":            {"drift", helseid.Options{ExpiresIn: time.Millisecond}},
		"negative":             {"drift", helseid.Options{ExpiresIn: -time.Minute}},
		"purpose of others":    {"drift", helseid.Options{Purpose: gateway.Treat}},
		"unknown purpose":      {"ous-tsb", helseid.Options{Purpose: "HMARKT"}},
		"operator's patient":   {"drift", helseid.Options{Patient: nin}},
		"a reason of a novel":  {"ous-tsb", helseid.Options{Reason: strings.Repeat("å", 501)}},
		"compliance's patient": {"personvern", helseid.Options{Patient: nin}},
	} {
		if token, _, err := i.Token(tt.persona, tt.o); !errors.Is(err, helseid.ErrOptions) || token != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The demo's tokens carry HelseID's claim names and its type of token.
func TestClaimNames(t *testing.T) {
	t.Parallel()
	i, _, _ := newIssuer(t)
	token, _, err := i.Token("ous-tsb", helseid.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := func(n int) (m map[string]any) {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
		if err := errors.Join(err, json.Unmarshal(raw, &m)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if header := part(0); header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" {
		t.Errorf("header %v", header)
	}
	claims := part(1)
	for _, name := range []string{
		"iss", "aud", "iat", "nbf", "exp", "jti", "client_id", "client_amr", "scope", "sub", "name",
		"helseid://claims/identity/pid", "helseid://claims/identity/security_level", "helseid://claims/hpr/hpr_number",
		"helseid://claims/client/client_name", "helseid://claims/client/client_tenancy",
		"helseid://claims/client/claims/orgnr_parent", "helseid://claims/client/claims/orgnr_child", "nhn:tillitsrammeverk:parameters",
	} {
		if claims[name] == nil {
			t.Errorf("no claim %s", name)
		}
	}
}
