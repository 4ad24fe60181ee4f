package gateway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// StepKind is what a message says of a patient's way between hospital and municipality (plo.md § 2.5).
type StepKind string

// The kinds. What a logistics message says is told by its child element: PLO 1.5 has one type code for all.
const (
	Admitted   StepKind = "admitted"   // LOG_INNLAGT
	Ready      StepKind = "ready"      // LOG_UTSKRIVNINGSKLAR
	Unready    StepKind = "unready"    // LOG_AVMELDING
	Discharged StepKind = "discharged" // LOG_UTSKREVET
	Informed   StepKind = "informed"   // helseopplysninger
	Reported   StepKind = "reported"   // utskrivningsrapport
	Replied    StepKind = "replied"    // dialogmelding, theme 7 (Volven 7322)
	Died       StepKind = "died"       // LOG_DOD
)

// Step is one message of a patient's way, as it came from one party to another. It is kept whatever became of the
// message; only what crossed is known to the party it was to.
type Step struct {
	Message      MessageID
	MsgID        MsgID
	Parent       string
	Conversation string
	From, To     HERID // parties
	Person       PersonID
	Kind         StepKind
	Change       Change
	Crossed      bool
	Made         time.Time // when the message was generated
	At           time.Time // when what it tells of happened; Made where it does not say
}

// Duty is a message that one party owes another after a Step.
type Duty struct {
	Message MessageID // the step that it follows from, with To
	To      HERID     // the party that that step was to
	Code    string    // of the Task (kodeverk oppgave)
	Debtor  HERID     // who owes, and has the Task
	Task    fhir.ID
	State   DutyState
	Due     time.Time
}

// DutyState tells what has become of a duty.
type DutyState string

// The states, and the Task.status of each.
const (
	DutyOwed   DutyState = "requested"
	DutyDone   DutyState = "completed"
	DutyLapsed DutyState = "cancelled"
)

// Duties is the part of a Tx that keeps the steps of a person's way and what is owed after them.
// Errors are *Error.
type Duties interface {
	// PutStep keeps a step, one for each message and party that it was to.
	PutStep(ctx context.Context, s Step) error
	// StepsOf lists all steps of the person.
	StepsOf(ctx context.Context, person PersonID) ([]Step, error)
	// DutiesOf lists all duties of the person.
	DutiesOf(ctx context.Context, person PersonID) ([]Duty, error)
	// PutDuty keeps a duty, one for each step and code.
	PutDuty(ctx context.Context, person PersonID, d Duty) error
}

// obligation is a rule of plo.md § 2.5: after one step another is owed, by a time. The wording of the law must be
// confirmed by a jurist: forskrift om kommunal betaling for utskrivningsklare pasienter.
type obligation struct {
	after, owed StepKind
	answer      bool // it is owed by who got the step, not by who sent it
	code, text  string
	due         func(s Step) time.Time
	since       func(s Step) time.Time // what was made before is no answer to the step
	ends        []StepKind             // later steps of the same sender after which it is owed no more
}

// What is owed, in the words of the Task: nothing of health, and nobody named.
const (
	informText = "Helseopplysninger skal sendes til kommunen innen 24 timer etter innleggelsen."
	reportText = "Utskrivningsrapport skal sendes til kommunen den dagen pasienten skrives ut."
	replyText  = "Sykehuset har meldt pasienten utskrivningsklar. Svar på om og når kommunen kan ta imot."
)

// What ended it.
const (
	dutyDoneText   = "Meldingen er sendt."
	dutyLapsedText = "Det er ikke lenger grunn til å sende meldingen."
)

// dutyTexts are Task.statusReason for each state.
var dutyTexts = map[DutyState]string{DutyDone: dutyDoneText, DutyLapsed: dutyLapsedText}

var obligations = []obligation{
	{
		after: Admitted, owed: Informed, code: "helseopplysninger-due", text: informText,
		due:   func(s Step) time.Time { return onWorkday(s.At.Add(24 * time.Hour)) }, // on a day on which somebody reads it
		since: func(s Step) time.Time { return earlier(s.At, s.Made) },
	},
	{
		after: Discharged, owed: Reported, code: "utskrivningsrapport-due", text: reportText,
		due:   func(s Step) time.Time { return endOfDay(s.At) }, // whatever day it is
		since: func(s Step) time.Time { return startOfDay(s.At) },
	},
	{
		after: Ready, owed: Replied, answer: true, code: "mottak-due", text: replyText,
		due:   func(s Step) time.Time { return endOfDay(onWorkday(s.Made)) }, // the day that it came, or the next on which offices are open
		since: func(s Step) time.Time { return s.Made },
		ends:  []StepKind{Unready, Discharged},
	},
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// dutiesOf computes what is owed after the steps of one person, and what has become of it. It depends on the steps
// alone and not on the order in which they came: a cancellation may come before what it cancels, and what is owed
// before what it is owed for.
func dutiesOf(steps []Step) (list []Duty) {
	w := wayOf(steps)
	for _, s := range steps {
		if s.Change == Cancel || s.Change == Supplement || !s.Crossed {
			continue
		}
		for _, o := range obligations {
			if o.after != s.Kind {
				continue
			}
			d := Duty{Message: s.Message, To: s.To, Code: o.code, Debtor: s.From, State: DutyOwed, Due: o.due(s)}
			if o.answer {
				d.Debtor = s.To
			}
			switch {
			case w.done(o, s):
				d.State = DutyDone
			case w.lapsed(o, s, d.Debtor):
				d.State = DutyLapsed
			}
			list = append(list, d)
		}
	}
	return list
}

// way is the steps of one person, by what they tell and by what they change.
type way struct {
	of      map[StepKind][]Step
	changes map[string][]Step // by Parent
}

func wayOf(steps []Step) way {
	w := way{map[StepKind][]Step{}, map[string][]Step{}}
	for _, s := range steps {
		w.of[s.Kind] = append(w.of[s.Kind], s)
		if s.Change == Cancel || s.Change == Supersede {
			w.changes[s.Parent] = append(w.changes[s.Parent], s)
		}
	}
	return w
}

// done tells whether what is owed after the step has come, and was not taken back.
func (w way) done(o obligation, s Step) bool {
	from, to := s.From, s.To
	if o.answer {
		from, to = to, from
	}
	return slices.ContainsFunc(w.of[o.owed], func(a Step) bool {
		if a.From != from || a.To != to || !a.Crossed || a.Change == Cancel {
			return false
		}
		answers := a.Parent == string(s.MsgID) || a.Conversation == string(s.MsgID) || !a.Made.Before(o.since(s))
		return answers && !w.revoked(a, from, Cancel)
	})
}

// lapsed tells whether the step was taken back or overtaken, as far as the debtor knows.
func (w way) lapsed(o obligation, s Step, debtor HERID) bool {
	return w.revoked(s, debtor, Cancel, Supersede) || w.dead(debtor) || slices.ContainsFunc(o.ends, func(end StepKind) bool {
		return slices.ContainsFunc(w.of[end], func(a Step) bool {
			return a.From == s.From && a.To == s.To && known(a, debtor) && a.Change != Cancel && !a.Made.Before(s.Made) && !w.revoked(a, debtor, Cancel)
		})
	})
}

// dead tells whether the debtor knows that the patient has died: whoever told it, and whenever. Nothing is owed then, and a
// message that was told of is owed no more.
func (w way) dead(debtor HERID) bool {
	return slices.ContainsFunc(w.of[Died], func(a Step) bool {
		return (a.From == debtor || a.To == debtor) && known(a, debtor) && a.Change != Cancel && !w.revoked(a, debtor, Cancel)
	})
}

// revoked tells whether another message of the same sender did this to the step, as far as the party knows.
func (w way) revoked(s Step, party HERID, changes ...Change) bool {
	return slices.ContainsFunc(w.changes[string(s.MsgID)], func(a Step) bool {
		return slices.Contains(changes, a.Change) && a.From == s.From && a.To == s.To && known(a, party)
	})
}

// known tells whether the party has the step: it sent it, or got it.
func known(s Step, party HERID) bool { return s.From == party || s.Crossed }

// stepKinds are the message types that are steps whatever they hold; logistics are told by their child element.
var stepKinds = map[string]StepKind{
	"LOG_INNLAGT": Admitted, "LOG_UTSKRIVNINGSKLAR": Ready, "LOG_AVMELDING": Unready, "LOG_UTSKREVET": Discharged, "LOG_DOD": Died,
	"HELSEOPPL_SOKNAD": Informed, "UTSKRIVNINGSRAPPORT": Reported, "TVERRFAGLIG_EPIKRISE": Reported,
}

var stepElements = map[string]StepKind{
	"MeldingInnlagtPasient": Admitted, "MeldingUtskrivningsklarPasient": Ready, "AvmeldingUtskrivningsklarPasient": Unready,
	"MeldingOmUtskrevetPasient": Discharged, "OrienteringOmDod": Died,
}

// stepOf tells what kind of step a mapped message is; "" for none.
func stepOf(m Message, sections []Section, communications ...*fhir.Value) StepKind {
	if strings.HasPrefix(m.Kind, "LOG_") || m.Kind == "PASIENTLOGISTIKK" {
		for _, s := range sections {
			if kind, ok := stepElements[s.Path[strings.LastIndexByte(s.Path, '/')+1:]]; ok {
				return kind
			}
		}
	}
	if strings.HasPrefix(m.Kind, "DIALOG_") && slices.ContainsFunc(communications, aboutReceiving) {
		return Replied
	}
	return stepKinds[m.Kind]
}

// receivingThemes are the codes by which a dialogue is the municipality's answer on receiving a patient: theme 7 of Volven
// 7322, and its own code in 9155.
var receivingThemes = map[string]string{"urn:oid:2.16.578.1.12.4.1.1.7322": "7", "urn:oid:2.16.578.1.12.4.1.1.9155": "1"}

// aboutReceiving tells whether a dialogue has such a theme.
func aboutReceiving(communication *fhir.Value) bool {
	return slices.ContainsFunc(communication.Get("topic", "coding").Items(), func(c *fhir.Value) bool {
		code, ok := receivingThemes[c.Get("system").Text()]
		return ok && c.Get("code").Text() == code
	})
}

// happened is when the stay began or ended that a message tells of; zero when it does not say.
func happened(kind StepKind, encounter *fhir.Value) time.Time {
	end := "start"
	if kind == Discharged {
		end = "end"
	}
	low, _, err := fhir.ParseDate(encounter.Get("period", end).Text())
	if err != nil || kind != Admitted && kind != Discharged {
		return time.Time{}
	}
	return low
}

// step keeps an inbound message of a patient's way for each party that it was to, and sees to what is owed.
func (g *Gateway) step(ctx context.Context, tx Tx, w *arrival, content Content, person PersonID) error {
	if w.reason != NoReason || person <= 0 {
		return nil
	}
	var communications []*fhir.Value
	at := time.Time{}
	for _, d := range w.drafts {
		if d.resource.Type() == "Communication" {
			communications = append(communications, d.resource.Root())
		}
	}
	kind := stepOf(w.message, content.Sections, communications...)
	if kind == "" {
		return nil
	}
	for _, d := range w.drafts {
		if d.resource.Type() == "Encounter" && at.IsZero() {
			at = happened(kind, d.resource.Root())
		}
	}
	steps := map[HERID]bool{}
	for _, v := range w.verdicts {
		if v.Party != "" && v.Party != w.message.Party {
			steps[v.Party] = steps[v.Party] || v.Crosses
		}
	}
	return g.steps(ctx, tx, w.message, person, kind, at, steps)
}

// stepOut does so for a message that Sluse has written of a Communication.
func (g *Gateway) stepOut(ctx context.Context, tx Tx, s sending, m Message, to Party) error {
	res, err := ParseAuthored(s.communication.Body)
	if err != nil {
		return Failed("gateway.step", Internal, err)
	}
	kind := stepOf(m, nil, res.Root())
	if kind == "" || to.ID == m.Party || s.order.Person <= 0 || s.order.Notice {
		return nil
	}
	at := time.Time{}
	for _, r := range s.out.Records {
		if r.Reference.Type != "Encounter" || !at.IsZero() {
			continue
		}
		stay, err := ParseAuthored(r.Body)
		if err != nil {
			return Failed("gateway.step", Internal, err)
		}
		at = happened(kind, stay.Root())
	}
	return g.steps(ctx, tx, m, s.order.Person, kind, at, map[HERID]bool{to.ID: true})
}

// steps keeps a message as a step to each party, with whether it crossed, and sees to what is owed.
func (g *Gateway) steps(ctx context.Context, tx Tx, m Message, person PersonID, kind StepKind, at time.Time, to map[HERID]bool) error {
	if len(to) == 0 {
		return nil
	}
	if err := tx.Serialize(ctx, "duty\x00"+strconv.FormatInt(int64(person), 10)); err != nil {
		return err
	}
	s := Step{
		Message: m.ID, MsgID: m.MsgID, Parent: m.Parent, Conversation: m.Conversation, From: m.Party, Person: person,
		Kind: kind, Change: m.Change, Made: m.Generated, At: at,
	}
	if s.Made.IsZero() {
		s.Made = m.At
	}
	if s.At.IsZero() {
		s.At = s.Made
	}
	for party, crossed := range to {
		s.To, s.Crossed = party, crossed
		if err := tx.PutStep(ctx, s); err != nil {
			return err
		}
	}
	return g.duties(ctx, tx, person)
}

// duties makes the Tasks of a person follow what is owed now.
func (g *Gateway) duties(ctx context.Context, tx Tx, person PersonID) error {
	steps, err := tx.StepsOf(ctx, person)
	if err != nil {
		return err
	}
	kept, err := tx.DutiesOf(ctx, person)
	if err != nil {
		return err
	}
	type name struct {
		message MessageID
		to      HERID
		code    string
	}
	had := make(map[name]Duty, len(kept))
	for _, k := range kept {
		had[name{k.Message, k.To, k.Code}] = k
	}
	for _, d := range dutiesOf(steps) {
		was, there := had[name{d.Message, d.To, d.Code}]
		switch {
		case !there:
			if d.Task, err = g.owe(ctx, tx, person, d); err != nil {
				return err
			}
		case was.State == d.State:
			continue
		default:
			d.Task = was.Task
			if err := g.moveTask(ctx, tx, OwnedTask{d.Debtor, d.Task}, was.State, d.State); err != nil {
				return err
			}
		}
		if err := tx.PutDuty(ctx, person, d); err != nil {
			return err
		}
	}
	return nil
}

// owe writes the Task of a duty, in the state that it has already.
func (g *Gateway) owe(ctx context.Context, tx Tx, person PersonID, d Duty) (fhir.ID, error) {
	dir, err := tx.Directory(ctx)
	if err != nil {
		return "", err
	}
	party, ok := dir.Party(d.Debtor)
	if !ok {
		return "", nil
	}
	at := slices.IndexFunc(obligations, func(o obligation) bool { return o.code == d.Code })
	return g.assign(ctx, tx, assignment{
		party: party, person: person, code: d.Code, text: obligations[at].text, due: d.Due, routine: true, state: d.State,
	})
}
