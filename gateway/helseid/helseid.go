// Package helseid turns the access token of a request into a gateway.Actor, or
// into a refusal. Tokens are those of HelseID: JWTs by the rules of RFC 9068,
// HelseID's claim names, and the attest of the tillitsrammeverk.
//
// A demo issuer with the same claims stands beside the verifier, so that the
// demo and the tests take the way that production takes.
package helseid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sluse/sluse/gateway"
)

// maxToken bounds a token in bytes. HelseID's are 2 to 4 KiB with an attest.
const maxToken = 12 << 10

// algorithms are the signatures that a token may carry. HelseID signs with
// RS256; none, and every symmetric algorithm, would let the holder of a public
// key make tokens.
var algorithms = map[string]jwa.SignatureAlgorithm{
	"RS256": jwa.RS256(),
	"PS256": jwa.PS256(),
	"ES256": jwa.ES256(),
}

// Organization is the virksomhet that a token speaks for.
type Organization struct {
	Parent gateway.OrgNumber // legal entity (hovedenhet)
	Child  gateway.OrgNumber // treatment place (underenhet), "" when not told
}

// Config wires a Verifier.
type Config struct {
	// Issuer is the exact value of iss. Required.
	Issuer string
	// Audience is the exact and only value of aud, the API's short name, such
	// as "oslo:sluse"; scopes begin with it and a slash. Required.
	Audience string
	// Keys are the issuer's public keys. A jwk.CachedSet follows a rotation;
	// a token names its key by kid. Required.
	Keys jwk.Set
	// Party finds the party of an organisation: HelseID knows organisation
	// numbers, Sluse's parties have HER-ids. False: the token is refused.
	// Required.
	Party func(Organization) (gateway.HERID, bool)
	// Clock tells the time. Required.
	Clock func() time.Time
	// Leeway is how far clocks may be apart. Default 5 s, at most 1 min.
	Leeway time.Duration
	// Lifetime is the longest time between iat and exp. Default, and at most,
	// 60 min (tillitsrammeverk ATT-58).
	Lifetime time.Duration
	// AttestEach lets an attest that names no patient stand for each patient
	// asked for. Only for the demo issuer.
	AttestEach bool
	// Proof checks proofs of possession (DPoP, RFC 9449). Without it a token
	// that is bound to a key is refused.
	Proof Proof
}

// Proof checks that the sender of a request holds the key its token is bound to.
type Proof interface {
	// Check takes the request, the token's bytes and the thumbprint in its
	// cnf.jkt (RFC 7638). An error is a refusal and quotes nothing.
	Check(ctx context.Context, r Request, token, thumbprint string) error
}

func (c Config) withDefaults() Config {
	if c.Leeway == 0 {
		c.Leeway = 5 * time.Second
	}
	if c.Lifetime == 0 {
		c.Lifetime = time.Hour
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	for name, missing := range map[string]bool{
		"Issuer": c.Issuer == "", "Audience": c.Audience == "", "Keys": c.Keys == nil,
		"Party": c.Party == nil, "Clock": c.Clock == nil,
	} {
		if missing {
			faults = append(faults, fmt.Errorf("%s is missing", name))
		}
	}
	if c.Leeway < 0 || c.Leeway > time.Minute {
		faults = append(faults, fmt.Errorf("leeway is %v: 0 to 1 min", c.Leeway))
	}
	if c.Lifetime < 0 || c.Lifetime > time.Hour {
		faults = append(faults, fmt.Errorf("lifetime is %v: at most 60 min (ATT-58)", c.Lifetime))
	}
	return errors.Join(faults...)
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	config Config
	opened *lru.Cache[[sha256.Size]byte, opened]
}

// opened is a token whose header and signature were good a moment ago. All that depends on time or
// on the request is checked anew each time.
type opened struct {
	claims claims
	at     time.Time
}

const (
	remembered  = 8192             // tokens whose signature is not checked again at once
	rememberFor = 30 * time.Second // so that a key which is withdrawn is out within that time
)

// New checks the wiring and tells all that is wrong at once.
func New(c Config) (*Verifier, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("helseid: %w", err)
	}
	cache, err := lru.New[[sha256.Size]byte, opened](remembered)
	if err != nil {
		return nil, fmt.Errorf("helseid: %w", err)
	}
	return &Verifier{config: c, opened: cache}, nil
}

// Request is what a proof of possession is about, beside the token.
type Request struct {
	Authorization string // the header as received
	DPoP          string // the proof's header, "" when there is none
	Method        string
	URL           string // as the client asked: scheme, host and path
}

// Verify gives the Actor of a request. Every error is a *gateway.Error with
// code Unauthorized whose cause is a Reason; none repeats a part of the token.
func (v *Verifier) Verify(ctx context.Context, r Request) (gateway.Actor, error) {
	a, err := v.verify(ctx, r)
	if err != nil {
		return gateway.Actor{}, gateway.Failed("helseid.verify", gateway.Unauthorized, err)
	}
	return a, nil
}

func (v *Verifier) verify(ctx context.Context, r Request) (gateway.Actor, error) {
	scheme, token, found := strings.Cut(r.Authorization, " ")
	if !found || token == "" {
		return gateway.Actor{}, Missing
	}
	bound := strings.EqualFold(scheme, "DPoP")
	if !bound && !strings.EqualFold(scheme, "Bearer") {
		return gateway.Actor{}, Missing
	}
	if len(token) > maxToken {
		return gateway.Actor{}, TooLong
	}
	c, err := v.claims(token)
	if err != nil {
		return gateway.Actor{}, err
	}
	if err := v.checkEnvelope(c); err != nil {
		return gateway.Actor{}, err
	}
	if bound != (c.Thumbprint != "") || bound && v.config.Proof == nil {
		return gateway.Actor{}, Unbound
	}
	if bound {
		if err := v.config.Proof.Check(ctx, r, token, c.Thumbprint); err != nil {
			return gateway.Actor{}, Unbound
		}
	}
	return v.actor(c)
}

// claims gives what a token says once its header and signature are good; a client that sends the
// same token for each request pays for the signature once.
func (v *Verifier) claims(token string) (claims, error) {
	key, now := sha256.Sum256([]byte(token)), v.config.Clock()
	if o, ok := v.opened.Get(key); ok && now.Sub(o.at) < rememberFor && !now.Before(o.at) {
		return o.claims, nil
	}
	payload, err := v.open(token)
	if err != nil {
		return claims{}, err
	}
	c, err := readClaims(payload)
	if err != nil {
		return claims{}, err
	}
	v.opened.Add(key, opened{claims: c, at: now})
	return c, nil
}

// open checks header and signature and gives the payload.
func (v *Verifier) open(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, Unreadable
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil {
		return nil, Unreadable
	}
	header, err := readObject(raw)
	if err != nil {
		return nil, Unreadable
	}
	for name := range header {
		// crit: none of the extensions is understood, so a token that needs one
		// is refused (RFC 7515 § 4.1.11). The others would let a token bring its own key.
		if slices.Contains([]string{"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"}, name) {
			return nil, BadHeader
		}
	}
	typ, _ := header.text("typ")
	if typ = strings.TrimPrefix(strings.ToLower(typ), "application/"); typ != "at+jwt" {
		return nil, BadType
	}
	name, _ := header.text("alg")
	algorithm, allowed := algorithms[name]
	if !allowed {
		return nil, BadAlgorithm
	}
	kid, ok := header.text("kid")
	if !ok || kid == "" {
		return nil, UnknownKey
	}
	key, ok := v.key(kid)
	if !ok {
		return nil, UnknownKey
	}
	payload, err := jws.Verify([]byte(token), jws.WithKey(algorithm, key))
	if err != nil {
		return nil, BadSignature
	}
	return payload, nil
}

// key finds the one key of that name that is there to verify signatures.
func (v *Verifier) key(kid string) (found jwk.Key, ok bool) {
	for i := range v.config.Keys.Len() {
		key, exists := v.config.Keys.Key(i)
		if !exists {
			continue
		}
		if name, named := key.KeyID(); !named || name != kid {
			continue
		}
		if use, told := key.KeyUsage(); told && use != string(jwk.ForSignature) {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = key
	}
	return found, found != nil
}
