package main

import (
	"context"
	"fmt"
	"slices"
)

// Who takes part in the care of Kari, and what she shares with them.
const (
	bydel    = "bydel-sagene"
	fastlege = "fastlege-sagene"
	hospital = "ous-tsb"
	social   = "sosial-sagene"
	herself  = "pasient"
)

var consented = []string{
	"rus", "psykisk", "somatisk", "legemidler", "funksjon", "tjenester", "kartlegging", "plan",
	"kriseplan", "henvisning", "logistikk", "demografi",
}

// stepConsent: the ruskonsulent registers the samtykke that Kari has given.
func (s *story) stepConsent(ctx context.Context) {
	s.create(ctx, bydel, "kari-bydel", "pasient.json")
	r := s.create(ctx, bydel, "samtykke", "samtykke.json", s.consentData(bydel, fastlege, hospital)...)
	v := r.parsed()
	law := word(v, "policyRule", "coding", 0, "code")
	s.add(1, s.custodians(ctx, r), s.actors(ctx, v, "IRCP"), fmt.Sprintf("Consent %d", r.status), nil, nil, law)
}

// consentData is what the samtykke says: the custodians are three whoever receives.
func (s *story) consentData(recipients ...string) []any {
	labels := slices.DeleteFunc(slices.Clone(consented), func(l string) bool { return l == s.omit })
	return []any{"Recipients", recipients, "Custodians", []string{bydel, fastlege, hospital}, "Labels", labels}
}

// actors names the actors of a provision in a role.
func (s *story) actors(ctx context.Context, consent any, role string) string {
	var names []string
	for _, a := range each(consent, "provision", "actor") {
		if word(a, "role", "coding", 0, "code") == role {
			names = merge(names, s.nameOf(ctx, word(a, "reference", "reference")))
		}
	}
	return dash(names)
}
