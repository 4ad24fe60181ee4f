package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// stepSocial: the social service asks and learns nothing, not even that Kari is known; then Kari
// shares what there is about her housing, and only that crosses.
func (s *story) stepSocial(ctx context.Context) {
	const step = 6
	s.create(ctx, bydel, "bosituasjon", "bosituasjon.json")
	everything := s.ofBydel()

	known, unknown := s.find(ctx, social, s.kari), s.find(ctx, social, s.other)
	s.add(step, s.custodians(ctx, known), s.partyOf(ctx, social), "Patient?identifier", [][]byte{known.body}, everything,
		sameAs(known, unknown))
	hidden := s.ask(ctx, social, http.MethodGet, "/fhir/"+s.refs["plan"], "", nil)
	absent := s.ask(ctx, social, http.MethodGet, "/fhir/CarePlan/finnes-ikke", "", nil)
	s.add(step, s.custodians(ctx, hidden), s.partyOf(ctx, social), fmt.Sprintf("CarePlan %d", hidden.status), [][]byte{hidden.body}, everything,
		sameAs(hidden, absent)+": "+refusalText(hidden))

	s.create(ctx, herself, "kari", "pasient-kari.json")
	r := s.create(ctx, herself, "samtykke-kari", "samtykke-kari.json")
	v := r.parsed()
	s.add(step, s.custodians(ctx, r), s.actors(ctx, v, "IRCP"), fmt.Sprintf("Consent %d", r.status), nil, nil,
		word(v, "policyRule", "coding", 0, "code"))

	s.searchRow(ctx, step, social, "Observation, CarePlan, QuestionnaireResponse, ServiceRequest, Task", s.patientSeen(ctx, social),
		[]string{"Observation", "CarePlan", "QuestionnaireResponse", "ServiceRequest", "Task"}, everything...)
}

// ofBydel is all that the bydel has written about Kari.
func (s *story) ofBydel() [][]byte {
	var all [][]byte
	for _, key := range []string{"kari-bydel", "kartlegging", "plan", "kriseplan", "henvisning", "oppgave", "bosituasjon"} {
		all = append(all, s.held[key])
	}
	return all
}

// patientSeen is the reference of the bydel's Patient as the persona finds it by number.
func (s *story) patientSeen(ctx context.Context, name string) string {
	for _, p := range matches(s.find(ctx, name, s.kari)) {
		if ref := "Patient/" + word(p, "id"); ref == s.refs["kari-bydel"] {
			return ref
		}
	}
	s.fail("%s does not find the Patient", name)
	return ""
}

// sameAs tells whether two answers are the same: status, body and every header but the date and
// the request's own id.
func sameAs(a, b reply) string {
	for _, h := range []http.Header{a.header, b.header} {
		h.Del("Date")
		h.Del("X-Request-Id")
	}
	if a.status == b.status && bytes.Equal(a.body, b.body) && fmt.Sprint(a.header) == fmt.Sprint(b.header) {
		return "samme svar som for ukjent"
	}
	return "annet svar enn for ukjent"
}
