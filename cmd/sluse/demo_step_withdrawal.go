package main

import (
	"bytes"
	"context"
	"fmt"
)

// stepWithdrawal: on Kari's word the ruskonsulent takes the hospital out of the samtykke. From the
// next request on nothing new reaches the hospital; what it has fetched is its own.
func (s *story) stepWithdrawal(ctx context.Context) {
	const step = 7
	r := s.replace(ctx, bydel, "samtykke", "samtykke.json", s.consentData(bydel, fastlege)...)
	v := r.parsed()
	s.add(step, s.custodians(ctx, r), s.actors(ctx, v, "IRCP"), fmt.Sprintf("Consent %d", r.status), nil, nil,
		word(v, "policyRule", "coding", 0, "code"))

	s.readRow(ctx, step, "plan")
	s.create(ctx, bydel, "ny-melding", "tilbakemelding.json", "Text", "Ny dato for mottak.")
	s.outcomeRow(ctx, step, "ny-melding", letter{})

	again := s.fetch(ctx, hospital, s.answer.id)
	why := "det hentede"
	if !bytes.Equal(again.document, s.answer.document) {
		why = "noe annet enn det hentede"
	}
	s.add(step, again.Sender, again.Receiver, again.Kind.V, [][]byte{again.document}, [][]byte{s.held["tilbakemelding"]}, why)
}
