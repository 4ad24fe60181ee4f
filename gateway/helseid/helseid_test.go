package helseid_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/helseid"
)

const (
	issuer   = "https://helseid-sts.test.example"
	audience = "oslo:sluse"
	patient  = "21869245515" // synthetic, month + 80
	doctor   = "25908830264"
	canary   = "kanarifugl"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is an issuer of the test's own, which can make any mistake.
type world struct {
	keys     map[string]any // kid → private key
	verifier *helseid.Verifier
}

func newWorld(t *testing.T) world {
	t.Helper()
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := world{keys: map[string]any{"rs": rs, "es": es, "enc": es, "twin": es, "foreign": foreign}}
	set := jwk.NewSet()
	add := func(kid string, use jwk.KeyUsageType, raw any) {
		t.Helper()
		key, err := jwk.Import(raw)
		if err := errors.Join(err, key.Set(jwk.KeyIDKey, kid), key.Set(jwk.KeyUsageKey, use), set.AddKey(key)); err != nil {
			t.Fatal(err)
		}
	}
	add("rs", jwk.ForSignature, &rs.PublicKey)
	add("es", jwk.ForSignature, &es.PublicKey)
	add("enc", jwk.ForEncryption, &es.PublicKey)
	add("twin", jwk.ForSignature, &es.PublicKey)
	add("twin", jwk.ForSignature, &foreign.PublicKey)
	w.verifier, err = helseid.New(helseid.Config{
		Issuer: issuer, Audience: audience, Keys: set, Clock: func() time.Time { return now },
		Party: func(o helseid.Organization) (gateway.HERID, bool) {
			return "8140005", o == helseid.Organization{Parent: "993467049", Child: "874716782"} || o == helseid.Organization{Parent: "993467049"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type tree = map[string]any

// good is a token of a doctor at a hospital about one patient, as HelseID
// issues it (constructed from its documentation).
func good() (header, claims tree) {
	return tree{"alg": "ES256", "typ": "at+jwt", "kid": "es"}, tree{
		"iss": issuer, "aud": audience, "iat": now.Unix() - 10, "nbf": now.Unix() - 10, "exp": now.Unix() + 590,
		"jti": "6a0c5d0a7d3e4d1c", "client_id": "11111111-2222-3333-4444-555555555555", "sub": "pseudonym",
		"scope": []string{audience + "/fhir"}, "name": "Tone " + canary,
		"helseid://claims/identity/pid":               doctor,
		"helseid://claims/identity/security_level":    "4",
		"helseid://claims/hpr/hpr_number":             "9144900",
		"helseid://claims/client/claims/orgnr_parent": "993467049",
		"helseid://claims/client/claims/orgnr_child":  "874716782",
		"nhn:tillitsrammeverk:parameters": tree{
			"practitioner": tree{
				"authorization": tree{"code": "LE", "system": "urn:oid:2.16.578.1.12.4.1.1.9060"},
				"legal_entity":  tree{"id": "993467049", "system": "urn:oid:2.16.578.1.12.4.1.4.101"},
				"department":    tree{"id": "8140101", "system": "urn:oid:2.16.578.1.12.4.1.2"},
			},
			"care_relationship": tree{
				"purpose_of_use": tree{"code": "TREAT", "system": "urn:oid:2.16.840.1.113883.1.11.20448"},
				"decision_ref":   tree{"id": "1", "description": canary, "user_selected": true},
			},
			"patients": []any{tree{"identifier": tree{"id": patient, "system": "urn:oid:2.16.578.1.12.4.1.4.1"}}},
		},
	}
}

// sign makes a token of any header and payload under a key, by algorithm.
func (w world) sign(t *testing.T, header, claims tree, payload []byte) string {
	t.Helper()
	if payload == nil {
		payload = encode(t, claims)
	}
	alg, _ := header["alg"].(string)
	kid, _ := header["kid"].(string)
	head := base64.RawURLEncoding.EncodeToString(encode(t, header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	algorithm, ok := jwa.LookupSignatureAlgorithm(alg)
	key := w.keys[kid]
	switch {
	case !ok || alg == "none":
		return head + "."
	case strings.HasPrefix(alg, "HS"):
		// The classic: the public key, which everybody has, as the secret.
		public, err := jwk.PublicKeyOf(key)
		if err != nil {
			t.Fatal(err)
		}
		key = encode(t, public)
	case key == nil:
		key = w.keys["es"]
	}
	signer, err := jws.SignerFor(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(key, []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	return head + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func (w world) verify(token string) (gateway.Actor, error) {
	return w.verifier.Verify(context.Background(), helseid.Request{Authorization: "Bearer " + token, Method: "GET", URL: "https://sluse.example/fhir/Task"})
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nin, err := gateway.NewNIN(patient)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct{ alg, kid string }{{"ES256", "es"}, {"RS256", "rs"}, {"PS256", "rs"}} {
		header, claims := good()
		header["alg"], header["kid"] = key.alg, key.kid
		got, err := w.verify(w.sign(t, header, claims, nil))
		if err != nil {
			t.Fatalf("%s: %v", key.alg, err)
		}
		want := gateway.Actor{
			Kind: gateway.Person, Party: "8140005", Unit: "8140101", Practitioner: "9144900", Name: "Tone " + canary, Role: "lege",
			Purpose: gateway.Treat, Reason: canary, Attest: gateway.Attest{NIN: nin},
			Client: "11111111-2222-3333-4444-555555555555", TokenID: "6a0c5d0a7d3e4d1c",
		}
		if got != want {
			t.Errorf("%s: actor %+v, want %+v", key.alg, got, want)
		}
	}
}

// What is not told reaches nobody: a token without attest, and an attest that
// names no patient, attest no patient.
func TestUntoldIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machineHeader, machine := good()
	for _, name := range []string{"helseid://claims/identity/pid", "helseid://claims/identity/security_level", "helseid://claims/hpr/hpr_number", "nhn:tillitsrammeverk:parameters", "name"} {
		delete(machine, name)
	}
	got, err := w.verify(w.sign(t, machineHeader, machine, nil))
	if err != nil || got.Kind != gateway.Machine || got.Attest != (gateway.Attest{}) || got.Purpose != "" || got.Name != "" {
		t.Errorf("machine: %+v, %v", got, err)
	}
	for name, edit := range map[string]func(tree){
		"no attest":            func(c tree) { delete(c, "nhn:tillitsrammeverk:parameters") },
		"no patients":          func(c tree) { delete(c["nhn:tillitsrammeverk:parameters"].(tree), "patients") },
		"patient without name": func(c tree) { c["nhn:tillitsrammeverk:parameters"].(tree)["patients"] = []any{tree{}} },
	} {
		header, claims := good()
		edit(claims)
		got, err := w.verify(w.sign(t, header, claims, nil))
		if err != nil || got.Kind != gateway.Person || got.Attest != (gateway.Attest{}) {
			t.Errorf("%s: %+v, %v; want an actor who attests nobody", name, got, err)
		}
	}
}

func TestBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attest := func(c tree) tree { return c["nhn:tillitsrammeverk:parameters"].(tree) }
	for _, tt := range []struct {
		name string
		want helseid.Reason
		edit func(header, claims tree)
	}{
		{"alg none", helseid.BadAlgorithm, func(h, _ tree) { h["alg"] = "none" }},
		{"public key as HMAC secret", helseid.BadAlgorithm, func(h, _ tree) { h["alg"] = "HS256" }},
		{"algorithm not on the list", helseid.BadAlgorithm, func(h, _ tree) { h["alg"], h["kid"] = "RS512", "rs" }},
		{"key of another issuer under a known name", helseid.BadSignature, func(h, c tree) { c["iat"] = now.Unix() - 10; h["forge"] = "foreign" }},
		{"unknown key", helseid.UnknownKey, func(h, _ tree) { h["kid"] = "other" }},
		{"no key named", helseid.UnknownKey, func(h, _ tree) { delete(h, "kid") }},
		{"key for encryption", helseid.UnknownKey, func(h, _ tree) { h["kid"] = "enc" }},
		{"key name that two keys have", helseid.UnknownKey, func(h, _ tree) { h["kid"] = "twin" }},
		{"its own key in the header", helseid.BadHeader, func(h, _ tree) { h["jwk"] = tree{"kty": "EC"} }},
		{"critical extension", helseid.BadHeader, func(h, _ tree) { h["crit"] = []string{"x"}; h["x"] = 1 }},
		{"an id token", helseid.BadType, func(h, _ tree) { h["typ"] = "JWT" }},
		{"a DPoP proof", helseid.BadType, func(h, _ tree) { h["typ"] = "dpop+jwt" }},
		{"no type", helseid.BadType, func(h, _ tree) { delete(h, "typ") }},
		{"another issuer", helseid.BadIssuer, func(_, c tree) { c["iss"] = issuer + "/" }},
		{"no issuer", helseid.BadIssuer, func(_, c tree) { delete(c, "iss") }},
		{"another audience", helseid.BadAudience, func(_, c tree) { c["aud"] = "nhn:kjernejournal" }},
		{"two audiences", helseid.BadAudience, func(_, c tree) { c["aud"] = []string{audience, "nhn:kjernejournal"} }},
		{"expired", helseid.Expired, func(_, c tree) { c["exp"] = now.Unix() - 5 }},
		{"never expires", helseid.Expired, func(_, c tree) { delete(c, "exp") }},
		{"expiry as text", helseid.Expired, func(_, c tree) { c["exp"] = "1900000000" }},
		{"not yet valid", helseid.NotYet, func(_, c tree) { c["nbf"] = now.Unix() + 6 }},
		{"no nbf", helseid.NotYet, func(_, c tree) { delete(c, "nbf") }},
		{"issued in the future", helseid.BadIssuedAt, func(_, c tree) { c["iat"] = now.Unix() + 6 }},
		{"valid for more than an hour", helseid.TooOld, func(_, c tree) { c["exp"] = now.Unix() + 3591 }},
		{"no jti", helseid.NoTokenID, func(_, c tree) { delete(c, "jti") }},
		{"no client", helseid.NoClient, func(_, c tree) { delete(c, "client_id") }},
		{"no scope", helseid.BadScope, func(_, c tree) { delete(c, "scope") }},
		{"scope of another API", helseid.BadScope, func(_, c tree) { c["scope"] = "nhn:kjernejournal/fhir" }},
		{"two kinds at once", helseid.BadScope, func(_, c tree) { c["scope"] = audience + "/fhir " + audience + "/drift" }},
		{"no organisation", helseid.BadOrg, func(_, c tree) { delete(c, "helseid://claims/client/claims/orgnr_parent") }},
		{"two organisations", helseid.BadOrg, func(_, c tree) {
			c["helseid://claims/client/claims/orgnr_parent"] = []string{"993467049", "974778726"}
		}},
		{"two treatment places", helseid.BadOrg, func(_, c tree) {
			c["helseid://claims/client/claims/orgnr_child"] = []string{"874716782", "974589095"}
		}},
		{"organisation number with a wrong check digit", helseid.BadOrg, func(_, c tree) { c["helseid://claims/client/claims/orgnr_parent"] = "993467048" }},
		{"organisation that is no party", helseid.UnknownParty, func(_, c tree) { c["helseid://claims/client/claims/orgnr_parent"] = "974778726" }},
		{"person number with a wrong check digit", helseid.BadPerson, func(_, c tree) { c["helseid://claims/identity/pid"] = "25908830265" }},
		{"health professional without a person", helseid.BadPerson, func(_, c tree) { delete(c, "helseid://claims/identity/pid") }},
		{"person without a name", helseid.BadPerson, func(_, c tree) { delete(c, "name") }},
		{"HPR number that is none", helseid.BadPerson, func(_, c tree) { c["helseid://claims/hpr/hpr_number"] = "91449OO" }},
		{"identity on level 3", helseid.WeakIdentity, func(_, c tree) { c["helseid://claims/identity/security_level"] = "3" }},
		{"identity of no level", helseid.WeakIdentity, func(_, c tree) { delete(c, "helseid://claims/identity/security_level") }},
		{"attest of another organisation", helseid.BadAttest, func(_, c tree) {
			attest(c)["practitioner"].(tree)["legal_entity"].(tree)["id"] = "974778726"
		}},
		{"role from an unknown code system", helseid.BadAttest, func(_, c tree) {
			attest(c)["practitioner"].(tree)["authorization"].(tree)["system"] = "urn:x"
		}},
		{"purpose that the trust framework has not", helseid.BadPurpose, func(_, c tree) {
			attest(c)["care_relationship"].(tree)["purpose_of_use"].(tree)["code"] = "HMARKT"
		}},
		{"purpose of another code system", helseid.BadPurpose, func(_, c tree) {
			attest(c)["care_relationship"].(tree)["purpose_of_use"].(tree)["system"] = "urn:x"
		}},
		{"two patients", helseid.BadPatients, func(_, c tree) {
			attest(c)["patients"] = append(attest(c)["patients"].([]any), tree{"identifier": tree{"id": doctor, "system": "urn:oid:2.16.578.1.12.4.1.4.1"}})
		}},
		{"patient number with a wrong check digit", helseid.BadPatients, func(_, c tree) {
			attest(c)["patients"] = []any{tree{"identifier": tree{"id": "21869245516", "system": "urn:oid:2.16.578.1.12.4.1.4.1"}}}
		}},
		{"bound to a key, shown without it", helseid.Unbound, func(_, c tree) { c["cnf"] = tree{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"} }},
		{"bound to no readable key", helseid.Unbound, func(_, c tree) { c["cnf"] = tree{} }},
		{"a token too long", helseid.TooLong, func(_, c tree) { c["padding"] = strings.Repeat(canary, 2000) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header, claims := good()
			tt.edit(header, claims)
			if forger, forged := header["forge"].(string); forged {
				delete(header, "forge")
				w := world{keys: maps.Clone(w.keys), verifier: w.verifier}
				w.keys["es"] = w.keys[forger]
				w.refuses(t, "Bearer "+w.sign(t, header, claims, nil), tt.want)
				return
			}
			w.refuses(t, "Bearer "+w.sign(t, header, claims, nil), tt.want)
		})
	}
}

// Tokens that are wrong before or beside their claims.
func TestMalformedTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	header, claims := good()
	token := w.sign(t, header, claims, nil)
	payload := string(encode(t, claims))
	parts := strings.Split(token, ".")
	raw := func(payload string) string { return "Bearer " + w.sign(t, header, nil, []byte(payload)) }
	for _, tt := range []struct {
		name, authorization string
		want                helseid.Reason
	}{
		{"nothing", "", helseid.Missing},
		{"no scheme", token, helseid.Missing},
		{"basic", "Basic " + token, helseid.Missing},
		{"no token", "Bearer ", helseid.Missing},
		{"two parts", "Bearer " + parts[0] + "." + parts[1], helseid.Unreadable},
		{"five parts", "Bearer " + token + ".x.y", helseid.Unreadable},
		{"padded base64", "Bearer " + parts[0] + "==." + parts[1] + "." + parts[2], helseid.Unreadable},
		{"no signature", "Bearer " + parts[0] + "." + parts[1] + ".", helseid.BadSignature},
		{"payload of another", "Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(payload, patient, doctor, 1))) + "." + parts[2], helseid.BadSignature},
		{"header twice", "Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"es"}`)) + "." + parts[1] + "." + parts[2], helseid.Unreadable},
		{"payload no object", raw(`[1]`), helseid.BadClaims},
		{"payload null", raw(`null`), helseid.BadClaims},
		{"payload with a tail", raw(payload + `{}`), helseid.BadClaims},
		{"claim twice", raw(`{"iss":"https://evil.example",` + payload[1:]), helseid.BadClaims},
		{"claim twice in other case", raw(`{"ISS":"https://evil.example",` + payload[1:]), helseid.BadClaims},
		{"claim twice below", raw(strings.Replace(payload, `"code":"TREAT"`, `"code":"TREAT","code":"BTG"`, 1)), helseid.BadClaims},
		{"not UTF-8", raw(strings.Replace(payload, canary, "kanari\xff", 1)), helseid.BadClaims},
		{"proof of possession for a token that is not bound", "DPoP " + token, helseid.Unbound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w.refuses(t, tt.authorization, tt.want)
		})
	}
}

func (w world) refuses(t *testing.T, authorization string, want helseid.Reason) {
	t.Helper()
	got, err := w.verifier.Verify(t.Context(), helseid.Request{Authorization: authorization})
	var reason helseid.Reason
	if !errors.As(err, &reason) || reason != want || gateway.CodeOf(err) != gateway.Unauthorized {
		t.Fatalf("actor %v, error %v; want %q", got.Kind, err, want)
	}
	if got != (gateway.Actor{}) {
		t.Errorf("a refused token gives %+v", got)
	}
	for _, secret := range []string{canary, patient, doctor, "evil"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats %q: %v", secret, err)
		}
	}
}

// The clock's edges: what is valid a second before is refused a second later.
func TestLeeway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		claim  string
		offset int64
		ok     bool
	}{{"exp", -4, true}, {"exp", -5, false}, {"nbf", 5, true}, {"nbf", 6, false}, {"iat", 5, true}, {"iat", 6, false}} {
		header, claims := good()
		claims[tt.claim] = now.Unix() + tt.offset
		if _, err := w.verify(w.sign(t, header, claims, nil)); (err == nil) != tt.ok {
			t.Errorf("%s %+d s: %v, want accepted %v", tt.claim, tt.offset, err, tt.ok)
		}
	}
}

func TestConfigFaultsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := helseid.New(helseid.Config{Leeway: time.Hour, Lifetime: 2 * time.Hour})
	for _, want := range []string{"Issuer", "Audience", "Keys", "Party", "Clock", "leeway", "lifetime"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// FuzzVerify: whatever the header and payload, no panic and no actor without a signature.
func FuzzVerify(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	public, err := jwk.Import(&key.PublicKey)
	set := jwk.NewSet()
	if err := errors.Join(err, public.Set(jwk.KeyIDKey, "es"), set.AddKey(public)); err != nil {
		f.Fatal(err)
	}
	v, err := helseid.New(helseid.Config{
		Issuer: issuer, Audience: audience, Keys: set, Clock: func() time.Time { return now },
		Party: func(helseid.Organization) (gateway.HERID, bool) { return "1", true },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"alg":"ES256","typ":"at+jwt","kid":"es"}`, `{"iss":"`+issuer+`"}`)
	f.Add(`{"alg":"none"}`, `{`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		signature := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		token := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + signature
		if a, err := v.Verify(t.Context(), helseid.Request{Authorization: "Bearer " + token}); err == nil {
			t.Errorf("accepted without a signature: %+v", a)
		}
	})
}
