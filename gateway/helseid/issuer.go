package helseid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sluse/sluse/gateway"
)

// IssuerConfig wires the demo issuer. Every field but Audience is required.
type IssuerConfig struct {
	Clock func() time.Time
	Rand  io.Reader // key and token ids
	URL   string    // the value of iss
	// Audience is the value of aud. Default "oslo:sluse".
	Audience string
}

// Issuer issues the demo's tokens, with HelseID's claims, under a key that is
// made at start and dies with the process. It is safe for concurrent use.
type Issuer struct {
	config  IssuerConfig
	private jwk.Key
	public  jwk.Set
}

// Options are what a token of a persona may say beside who it is.
type Options struct {
	Purpose   gateway.Purpose // default: the persona's own
	Reason    string          // free text; an emergency without is for the gateway to refuse
	Patient   gateway.NIN     // binds the token to one patient; for the patient persona: who she is
	ExpiresIn time.Duration   // default 10 min, 1 s to 60 min
}

// ErrOptions is wrapped by every error about what a caller of Token asked for.
var ErrOptions = errors.New("no such token")

// NewIssuer makes an issuer and its key.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	if c.Clock == nil || c.Rand == nil || c.URL == "" {
		return nil, errors.New("helseid: Clock, Rand and URL are required")
	}
	if c.Audience == "" {
		c.Audience = "oslo:sluse"
	}
	raw, err := ecdsa.GenerateKey(elliptic.P256(), c.Rand)
	if err != nil {
		return nil, fmt.Errorf("helseid: issuer's key: %w", err)
	}
	private, err := jwk.Import(raw)
	if err != nil {
		return nil, fmt.Errorf("helseid: issuer's key: %w", err)
	}
	if err := errors.Join(
		private.Set(jwk.KeyIDKey, "demo-1"),
		private.Set(jwk.AlgorithmKey, jwa.ES256()),
		private.Set(jwk.KeyUsageKey, jwk.ForSignature),
	); err != nil {
		return nil, fmt.Errorf("helseid: issuer's key: %w", err)
	}
	key, err := private.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("helseid: issuer's key: %w", err)
	}
	public := jwk.NewSet()
	if err := public.AddKey(key); err != nil {
		return nil, fmt.Errorf("helseid: issuer's key: %w", err)
	}
	return &Issuer{config: c, private: private, public: public}, nil
}

// Verifier gives the Config that accepts this issuer's tokens.
func (i *Issuer) Verifier() Config {
	return Config{
		Issuer: i.config.URL, Audience: i.config.Audience, Keys: i.public,
		Party: i.Party, Clock: i.config.Clock, AttestEach: true,
	}
}

// Keys are the issuer's public keys.
func (i *Issuer) Keys() jwk.Set { return i.public }

// Party finds the party of one of the personas.
func (i *Issuer) Party(o Organization) (gateway.HERID, bool) {
	at := slices.IndexFunc(personas, func(p Persona) bool { return p.organization() == o })
	if at < 0 {
		return "", false
	}
	return personas[at].HERID, true
}

// Token issues a token for the persona of that name and tells how long it
// holds. An error that wraps ErrOptions is the caller's; it quotes nothing.
func (i *Issuer) Token(persona string, o Options) (token string, expiresIn time.Duration, err error) {
	at := slices.IndexFunc(personas, func(p Persona) bool { return p.Name == persona })
	if at < 0 {
		return "", 0, fmt.Errorf("%w: unknown persona", ErrOptions)
	}
	p := personas[at]
	if o.ExpiresIn == 0 {
		o.ExpiresIn = 10 * time.Minute
	}
	if o.Purpose == "" {
		o.Purpose = p.purpose
	}
	if err := p.accepts(o); err != nil {
		return "", 0, err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(i.config.Rand, id); err != nil {
		return "", 0, fmt.Errorf("helseid: token id: %w", err)
	}
	now := i.config.Clock().Unix()
	claims := map[string]any{
		"iss": i.config.URL, "aud": i.config.Audience, "iat": now, "nbf": now, "exp": now + int64(o.ExpiresIn/time.Second),
		"jti": base64.RawURLEncoding.EncodeToString(id), "client_id": "demo-" + p.Name, "client_amr": "private_key_jwt",
		"scope": []string{i.config.Audience + "/" + p.scope()},
		"sub":   "demo-" + p.Name, "name": p.person,
		claimPID: p.pid, claimLevel: "4",
		claimOrgParent: string(p.organization().Parent), claimTenancy: "single-tenant", claimName: "Sluse demo",
	}
	if child := p.organization().Child; child != "" {
		claims[claimOrgChild] = string(child)
	}
	if p.hpr != "" {
		claims[claimHPR] = p.hpr
	}
	if p.kind == gateway.Person {
		claims[claimAttest] = p.attest(o)
	}
	if p.kind == gateway.Patient && !o.Patient.IsZero() {
		claims[claimPID] = o.Patient.Reveal()
	}
	return i.sign(claims, o.ExpiresIn)
}

func (i *Issuer) sign(claims map[string]any, expiresIn time.Duration) (string, time.Duration, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", 0, fmt.Errorf("helseid: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, "at+jwt"); err != nil {
		return "", 0, fmt.Errorf("helseid: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), i.private, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", 0, fmt.Errorf("helseid: sign: %w", err)
	}
	return string(token), expiresIn, nil
}

// accepts checks the options for the persona.
func (p Persona) accepts(o Options) error {
	allowed := []gateway.Purpose{p.purpose}
	if p.kind == gateway.Person {
		allowed = []gateway.Purpose{gateway.Treat, gateway.EmergencyTreat, gateway.Coordinate, gateway.BreakTheGlass}
	}
	switch {
	case o.ExpiresIn < time.Second || o.ExpiresIn > time.Hour:
		return fmt.Errorf("%w: expires_in is 1 to 3600 s", ErrOptions)
	case !slices.Contains(allowed, o.Purpose):
		return fmt.Errorf("%w: purpose", ErrOptions)
	case utf8.RuneCountInString(o.Reason) > maxReason:
		return fmt.Errorf("%w: reason is longer than %d characters", ErrOptions, maxReason)
	case !o.Patient.IsZero() && p.kind != gateway.Person && p.kind != gateway.Patient:
		return fmt.Errorf("%w: this persona has no patients", ErrOptions)
	}
	return nil
}

func (p Persona) scope() string {
	switch p.kind {
	case gateway.Patient:
		return scopePatient
	case gateway.Operator:
		return scopeOperator
	case gateway.Compliance:
		return scopeCompliance
	default:
		return scopeFHIR
	}
}

// attest is the persona's word on the patient's treatment.
func (p Persona) attest(o Options) attest {
	org := p.organization()
	place := p.OrgNumber
	var a attest
	a.Practitioner.Authorization = &p.coding
	a.Practitioner.LegalEntity = &identifier{string(org.Parent), systemOrg}
	a.Practitioner.PointOfCare = &identifier{string(place), systemOrg}
	a.CareRelationship.Purpose = &coding{string(o.Purpose), systemPurpose}
	if o.Reason != "" {
		a.CareRelationship.DecisionRef = &decisionRef{ID: "demo", Description: o.Reason, UserSelected: true}
	}
	if !o.Patient.IsZero() {
		system := systemFnr
		if first := o.Patient.Reveal()[0]; first >= '4' && first <= '7' {
			system = systemDnr
		}
		a.Patients = []attestedPatient{{Identifier: &identifier{o.Patient.Reveal(), system}}}
	}
	return a
}
