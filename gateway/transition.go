package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Responsible is a healthcare person whom a message names as answering for it (AnsvarForRapport, Volven 8254).
type Responsible struct {
	HPR  HPRNumber
	Name string
}

// deadline is when something must be done that a message was to bring about.
type deadline struct {
	within time.Duration
	today  bool // at the end of the day on which the message was made, Europe/Oslo
}

// at gives the time, never before now: what is late is due at once.
func (d deadline) at(made, now time.Time) time.Time {
	due := made.Add(d.within)
	if d.today {
		y, m, day := made.In(fhir.Oslo()).Date()
		due = time.Date(y, m, day+1, 0, 0, 0, 0, fhir.Oslo())
	}
	if due.Before(now) {
		return now
	}
	return due
}

// transitions are the messages that a patient's way between levels of care hangs on, and the deadline of each
// (plo.md § 2.5; HIS 1143, 1144, 1148, 1149). Those whose deadline is not written anywhere have a day.
var transitions = map[string]deadline{
	"HELSEOPPL_SOKNAD":     {within: 24 * time.Hour}, // of the admission that it tells of
	"INNLEGGELSESRAPPORT":  {within: 24 * time.Hour},
	"UTSKRIVNINGSRAPPORT":  {today: true}, // on the day of discharge
	"TVERRFAGLIG_EPIKRISE": {today: true}, // the same in PLO 1.5
	"PASIENTLOGISTIKK":     {within: 2 * time.Hour},
	"EPIKRISE":             {within: 24 * time.Hour},
}

// transition gives the deadline of a message of a transition; false for any other.
func transition(kind string) (deadline, bool) {
	switch {
	case strings.HasPrefix(kind, "LOG_"):
		return transitions["PASIENTLOGISTIKK"], true
	case strings.HasPrefix(kind, "HENVISNING"):
		return deadline{within: 24 * time.Hour}, true
	}
	d, ok := transitions[kind]
	return d, ok
}

// transitionTask is the Task by which somebody is asked to see to a transition whose message was refused
// (kodeverk oppgave).
const transitionTask = "transition-refused"

// What is asked for. Nothing in it is about health, or names anybody.
const (
	transitionConsentText = "En melding i pasientens overgang ble ikke levert: samtykke mangler. " +
		"Spør pasienten, registrer et samtykke, eller velg et annet rettslig grunnlag med begrunnelse."
	transitionFaultText = "En melding i pasientens overgang ble ikke levert. Se hva kvitteringen sier, rett meldingen og send den på nytt, " +
		"eller ring mottakeren."
)

// warnOfRefusal makes the urgent Task of a message of a transition that does not reach somebody whom it was sent
// to: an AppRec may lie unread where nobody but a machine looks. It goes to the person whom the message names as
// answering for it, else to the party that sent it.
func (g *Gateway) warnOfRefusal(ctx context.Context, tx Tx, m Message, person PersonID, by []Responsible, verdicts []Verdict) error {
	d, ok := transition(m.Kind)
	refused := func(v Verdict) bool { return !v.Crosses }
	if !ok || !slices.ContainsFunc(verdicts, refused) {
		return nil
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	party, ok := dir.Party(m.Party)
	if !ok {
		return nil
	}
	o := assignment{party: party, person: person, code: transitionTask, text: transitionFaultText, due: d.at(m.Generated, g.Clock())}
	if slices.ContainsFunc(verdicts, func(v Verdict) bool { return refused(v) && slices.Contains(v.Reasons, ConsentMissing) }) {
		o.text = transitionConsentText
	}
	if len(by) > 0 {
		o.to = by[0]
	}
	_, err = g.assign(ctx, tx, o)
	return err
}
