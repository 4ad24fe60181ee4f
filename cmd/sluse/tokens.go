package main

import "github.com/sluse/sluse/gateway/rest"

// tells is what clients are told of where tokens come from (/.well-known/smart-configuration). The
// demo's issuer asks clients for no proof of who they are, and knows no grant type of OAuth; an issuer
// of serve is HelseID, or one that works as it does.
func (p parts) tells() rest.Tokens {
	scopes := []string{p.tokens.Audience + "/fhir"}
	if p.issuer != nil {
		return rest.Tokens{Issuer: p.tokens.Issuer, Token: p.tokens.Issuer + "/token", Methods: []string{"none"}, Scopes: scopes}
	}
	endpoint := p.tokenEndpoint
	if endpoint == "" {
		endpoint = p.tokens.Issuer + "/connect/token"
	}
	return rest.Tokens{
		Issuer: p.tokens.Issuer, Token: endpoint, Scopes: scopes,
		Grants:  []string{"authorization_code", "client_credentials"},
		Methods: []string{"private_key_jwt"},
	}
}
