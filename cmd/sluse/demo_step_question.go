package main

import (
	"context"
	"net/http"
	"net/url"
)

// stepQuestion: the bydel asks the GP by dialogmelding; the GP's system answers with
// MEDISINSKE_OPPLYSNINGER; the bydel reads the answer as a document and over FHIR.
func (s *story) stepQuestion(ctx context.Context) {
	const step = 2
	s.create(ctx, bydel, "forespørsel", "foresporsel.json")
	question := s.messageRow(ctx, step, fastlege, "DIALOG_FORESPORSEL", s.held["forespørsel"])
	s.acknowledge(ctx, fastlege, question)
	s.outcomeRow(ctx, step, "forespørsel", question)

	s.post(ctx, fastlege, "opplysninger", "medisinske-opplysninger.xml", "Parent", question.MsgID)
	s.receiptRow(ctx, step, fastlege, s.msgIDs["opplysninger"])
	s.messageRow(ctx, step, bydel, "MEDISINSKE_OPPLYSNINGER", s.held["opplysninger"])
	s.searchRow(ctx, step, bydel, "Condition, MedicationStatement, Observation", s.refs["kari-bydel"],
		[]string{"Condition", "MedicationStatement", "Observation"}, s.held["opplysninger"])
}

// find searches a Patient by national identifier, which travels in the body.
func (s *story) find(ctx context.Context, name string, p person) reply {
	c := s.as(ctx, name)
	if s.err != nil {
		return reply{}
	}
	r, err := c.search(ctx, "Patient", url.Values{"identifier": {"urn:oid:2.16.578.1.12.4.1.4.1|" + p.NIN}})
	if err != nil {
		s.err = err
	}
	if s.err == nil && r.status != http.StatusOK {
		s.fail("search Patient as %s: status %d: %s", name, r.status, refusalText(r))
	}
	return r
}
