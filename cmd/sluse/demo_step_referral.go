package main

import (
	"context"
	"net/http"
	"net/url"
)

// stepReferral: kartlegging, individuell plan, kriseplan and a referral in the bydel; the
// henvisningsmottak of the hospital finds its Task and reads what it leads to.
func (s *story) stepReferral(ctx context.Context) {
	const step = 3
	s.create(ctx, bydel, "skjema", "kartlegging.json")
	s.create(ctx, bydel, "kartlegging", "kartlegging-svar.json")
	s.create(ctx, bydel, "plan", "plan.json")
	s.create(ctx, bydel, "kriseplan", "kriseplan.json")
	s.create(ctx, bydel, "henvisning", "henvisning.json")
	s.create(ctx, bydel, "oppgave", "oppgave.json")

	if !s.tasks(ctx, step) {
		return
	}
	request := s.readRow(ctx, step, "henvisning")
	for _, info := range each(request.parsed(), "supportingInfo") {
		for _, key := range []string{"plan", "kriseplan"} {
			if s.refs[key] == word(info, "reference") {
				s.readRow(ctx, step, key)
			}
		}
	}
	s.readRow(ctx, step, "kartlegging")
}

// tasks finds the Task by its owner, without a patient, and adds a row; false when it is not there.
func (s *story) tasks(ctx context.Context, step int) bool {
	query := url.Values{"owner": {s.people[hospital].Organization}, "status": {"requested"}}
	r := s.ask(ctx, hospital, http.MethodGet, "/fhir/Task?"+query.Encode(), "", nil)
	s.add(step, s.custodians(ctx, r), s.partyOf(ctx, hospital), "Task?owner", [][]byte{r.body}, [][]byte{s.held["oppgave"]},
		s.paragraphs(ctx, hospital, s.refs["oppgave"]))
	for _, task := range matches(r) {
		if word(task, "focus", "reference") == s.refs["henvisning"] {
			return true
		}
	}
	return false
}
