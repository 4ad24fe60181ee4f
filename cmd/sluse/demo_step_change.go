package main

import "context"

// stepChange: the plan changes, and the GP gets the new one as HELSEOPPLYSNINGER_LEGE.
func (s *story) stepChange(ctx context.Context) {
	const step = 5
	s.replace(ctx, bydel, "plan", "plan-endret.json")
	s.create(ctx, bydel, "helseopplysninger", "helseopplysninger.json")
	report := s.messageRow(ctx, step, fastlege, "HELSEOPPLYSNINGER_LEGE", s.held["plan"])
	s.acknowledge(ctx, fastlege, report)
	s.outcomeRow(ctx, step, "helseopplysninger", report)
}
