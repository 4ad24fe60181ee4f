package main

import "context"

// stepAdmission: the hospital tells the bydel that Kari is admitted, later that she is ready to
// leave; free text does not belong in these messages and does not cross. The bydel answers.
func (s *story) stepAdmission(ctx context.Context) {
	const step = 4
	for _, m := range []struct{ key, file, kind string }{
		{"innlagt", "innlagt.xml", "LOG_INNLAGT"},
		{"utskrivningsklar", "utskrivningsklar.xml", "LOG_UTSKRIVNINGSKLAR"},
	} {
		s.post(ctx, hospital, m.key, m.file)
		s.messageRow(ctx, step, bydel, m.kind, s.held[m.key])
		s.receiptRow(ctx, step, hospital, s.msgIDs[m.key])
	}
	s.create(ctx, bydel, "tilbakemelding", "tilbakemelding.json", "Text", "Bydelen kan ta imot mandag.")
	answer := s.messageRow(ctx, step, hospital, "DIALOG_HELSEFAGLIG", s.held["tilbakemelding"])
	s.acknowledge(ctx, hospital, answer)
	s.outcomeRow(ctx, step, "tilbakemelding", answer)
	s.answer = answer
}
