package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/sluse/sluse/gateway"
)

const smartPath = "/.well-known/smart-configuration"

// Tokens tells clients where tokens come from (SMART App Launch, conformance.html). Sluse issues none
// itself, but for the demo: it verifies those of an issuer. What is not set is not told.
type Tokens struct {
	Issuer        string   // URL, exact value of iss
	Token         string   // absolute URL of the token endpoint
	Authorization string   // absolute URL of the authorization endpoint
	Keys          string   // absolute URL of the issuer's public keys
	Grants        []string // OAuth grant types that lead to a token that is accepted here
	Methods       []string // how clients authenticate at the token endpoint
	Algorithms    []string // signatures of those assertions
	Scopes        []string // scopes that a token of this API may hold
}

// smartConfiguration is the document, member by member as SMART App Launch 2.2.0 names them.
type smartConfiguration struct {
	Issuer        string   `json:"issuer,omitempty"`
	Keys          string   `json:"jwks_uri,omitempty"`
	Authorization string   `json:"authorization_endpoint,omitempty"`
	Token         string   `json:"token_endpoint"`
	Grants        []string `json:"grant_types_supported"`
	Methods       []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	Algorithms    []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Capabilities  []string `json:"capabilities"`
}

// configuration renders the document. Its capabilities are those that hold for every token that is
// accepted: launch contexts, patient pickers and SMART scopes are not among them, since the patient's
// samtykke decides and no scope does.
func (t Tokens) configuration() ([]byte, error) {
	c := smartConfiguration{
		Issuer: t.Issuer, Keys: t.Keys, Authorization: t.Authorization, Token: t.Token,
		Grants: t.Grants, Methods: t.Methods, Algorithms: t.Algorithms, Scopes: t.Scopes,
		Challenges: []string{"S256"}, Capabilities: []string{},
	}
	for _, method := range t.Methods {
		if method == "private_key_jwt" {
			c.Capabilities = append(c.Capabilities, "client-confidential-asymmetric")
		}
	}
	if c.Grants == nil {
		c.Grants = []string{}
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("rest: smart-configuration: %w", err)
	}
	return body, nil
}

func (t Tokens) validate() error {
	var faults []error
	for name, value := range map[string]string{"Token": t.Token, "Authorization": t.Authorization, "Keys": t.Keys} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "") {
			faults = append(faults, errors.New("rest: Tokens."+name+" is no absolute URL"))
		}
	}
	return errors.Join(faults...)
}

// issuerName names the issuer to a reader.
func (a *api) issuerName() string {
	if a.Tokens.Issuer == "" {
		return "the configured issuer"
	}
	return a.Tokens.Issuer
}

// smart answers with the SMART configuration. It needs no token, and is JSON whatever was asked for
// (SMART App Launch, conformance.html#using-well-known). Without an issuer that is known there is none.
func (a *api) smart(r *request) (answer, error) {
	r.format = plainJSON
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	if a.Tokens.Token == "" {
		return answer{}, refuse(http.StatusNotFound, gateway.NotSupported, "http.route")
	}
	return answer{status: http.StatusOK, statement: a.smartDocument}, nil
}
