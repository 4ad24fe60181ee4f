package helseid

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluse/sluse/gateway"
)

// Claim names of HelseID (discovery document, claims_supported).
const (
	claimPID       = "helseid://claims/identity/pid"
	claimLevel     = "helseid://claims/identity/security_level"
	claimHPR       = "helseid://claims/hpr/hpr_number"
	claimOrgParent = "helseid://claims/client/claims/orgnr_parent"
	claimOrgChild  = "helseid://claims/client/claims/orgnr_child"
	claimTenancy   = "helseid://claims/client/client_tenancy"
	claimName      = "helseid://claims/client/client_name"
	claimAttest    = "nhn:tillitsrammeverk:parameters"
)

// scopes tell what kind of actor holds the token, after the audience and a slash.
const (
	scopeFHIR       = "fhir"
	scopePatient    = "innbygger"
	scopeOperator   = "drift"
	scopeCompliance = "personvern"
)

// claims are the parts of a token that Sluse reads, each of the right JSON type.
type claims struct {
	Issuer, TokenID, Client      string
	Audience, Scope              []string
	Expires, NotBefore, IssuedAt time.Time
	Thumbprint                   string
	Organization                 Organization
	PID, Level, HPR, Name        string
	HasPID, HasHPR, ManyOrgs     bool
	Attest                       *attest
}

// object is one JSON object; names are exact and each stands once.
type object map[string]json.RawMessage

// readObject reads one JSON object and refuses repeated names, at any depth
// and in any case, since readers differ in which of them they take.
func readObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) || !unambiguous(raw) {
		return nil, BadClaims
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, BadClaims
	}
	return o, nil
}

func unambiguous(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if !walk(d, 0) {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

// walk reads one value and reports whether it is well formed and its names unique.
func walk(d *json.Decoder, depth int) bool {
	token, err := d.Token()
	if err != nil || depth > 16 {
		return false
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return true
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			key, ok := name.(string)
			if err != nil || !ok || seen[strings.ToLower(key)] {
				return false
			}
			seen[strings.ToLower(key)] = true
		}
		if !walk(d, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// text reads a string; false when it is absent or something else.
func (o object) text(name string) (string, bool) {
	var s *string
	if json.Unmarshal(o[name], &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// texts reads a string, or a list of strings, as one or more.
func (o object) texts(name string) []string {
	if s, ok := o.text(name); ok {
		return []string{s}
	}
	var list []string
	if json.Unmarshal(o[name], &list) != nil {
		return nil
	}
	return list
}

// moment reads a NumericDate: whole seconds, since nothing else is issued. What
// is absent or something else is the zero time.
func (o object) moment(name string) time.Time {
	var n *int64
	if json.Unmarshal(o[name], &n) != nil || n == nil || *n < 0 || *n > math.MaxInt32*8 {
		return time.Time{}
	}
	return time.Unix(*n, 0)
}

func readClaims(payload []byte) (claims, error) {
	o, err := readObject(payload)
	if err != nil {
		return claims{}, err
	}
	var c claims
	c.Issuer, _ = o.text("iss")
	c.TokenID, _ = o.text("jti")
	c.Client, _ = o.text("client_id")
	c.Name, _ = o.text("name")
	c.Audience = o.texts("aud")
	for _, s := range o.texts("scope") {
		c.Scope = append(c.Scope, strings.Fields(s)...)
	}
	c.Expires = o.moment("exp")
	c.NotBefore = o.moment("nbf")
	c.IssuedAt = o.moment("iat")
	c.PID, c.HasPID = o.text(claimPID)
	c.Level, _ = o.text(claimLevel)
	c.HPR, c.HasHPR = o.text(claimHPR)
	parent, told := o.text(claimOrgParent)
	child, childIsText := o.text(claimOrgChild)
	_, hasChild := o[claimOrgChild]
	c.ManyOrgs = !told || hasChild && !childIsText
	c.Organization = Organization{Parent: gateway.OrgNumber(parent), Child: gateway.OrgNumber(child)}
	if raw, has := o["cnf"]; has {
		cnf, err := readObject(raw)
		if err != nil {
			return claims{}, BadClaims
		}
		var ok bool
		if c.Thumbprint, ok = cnf.text("jkt"); !ok || c.Thumbprint == "" {
			return claims{}, Unbound
		}
	}
	if raw, has := o[claimAttest]; has {
		c.Attest = &attest{}
		if json.Unmarshal(raw, c.Attest) != nil {
			return claims{}, BadAttest
		}
	}
	return c, nil
}

// checkEnvelope checks what holds for every token, whoever it is about.
func (v *Verifier) checkEnvelope(c claims) error {
	now, leeway := v.config.Clock(), v.config.Leeway
	switch {
	case c.Issuer != v.config.Issuer:
		return BadIssuer
	case len(c.Audience) != 1 || c.Audience[0] != v.config.Audience:
		return BadAudience
	case !now.Before(c.Expires.Add(leeway)): // an absent exp is the year 1
		return Expired
	case c.NotBefore.IsZero() || now.Before(c.NotBefore.Add(-leeway)):
		return NotYet
	case c.IssuedAt.IsZero() || now.Before(c.IssuedAt.Add(-leeway)):
		return BadIssuedAt
	case c.Expires.Sub(c.IssuedAt) > v.config.Lifetime:
		return TooOld
	case c.TokenID == "":
		return NoTokenID
	case c.Client == "":
		return NoClient
	}
	return nil
}
