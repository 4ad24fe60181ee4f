package gateway

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// Reminder is a day on which it is told that a samtykke is about to end.
type Reminder struct {
	Consent fhir.Reference // with Version: the latest that ends then
	Days    int            // before the end
	Ends    time.Time
	Next    time.Time // that day, or of the next try
	Tries   int
	Done    bool
	Tasks   []OwnedTask
}

// OwnedTask is a Task that Sluse has written for a party.
type OwnedTask struct {
	Party HERID
	Task  fhir.ID
}

// Reminders is the part of a Tx that keeps when to tell that a samtykke ends. Errors are *Error.
type Reminders interface {
	// RemindersOf locks the reminders of a Consent.
	RemindersOf(ctx context.Context, consent fhir.ID) ([]Reminder, error)
	// PutReminder keeps a reminder, one for each Consent and number of days; DropReminder removes it.
	PutReminder(ctx context.Context, r Reminder) error
	DropReminder(ctx context.Context, consent fhir.ID, days int) error
	// DueReminder locks one whose time has come and that nobody else is working on; NotFound when
	// there is none.
	DueReminder(ctx context.Context, now time.Time) (Reminder, error)
}

// reminderDays are how many days before its end it is told that a samtykke ends.
var reminderDays = []int{30, 7}

// endingTask is the Task by which it is told (kodeverk oppgave).
const endingTask = "consent-ending"

// What the registering party and the patient are told, and what becomes of it.
const (
	endingText        = "Samtykket går ut om {0} dager. Spør pasienten om det skal fornyes. Uten et nytt samtykke deles ikke opplysningene etter den dagen."
	endingPatientText = "Samtykket ditt går ut om {0} dager. Vil du at opplysningene skal deles også etter den dagen, må du gi et nytt."
	prolongedText     = "Samtykket går ikke lenger ut den dagen."
	withdrawnEndText  = "Samtykket gjelder ikke lenger."
)

// endOf is when the last permit of a Consent ends; zero when none permits.
func endOf(grants []Grant) (end time.Time) {
	for _, g := range grants {
		if g.Effect == Allow && g.End.After(end) {
			end = g.End
		}
	}
	return end
}

// schedule makes the reminders of a Consent follow its grants: those of another end are cancelled, with the
// Tasks that were made of them, and those still to come are set. What ends as it did keeps them.
func (g *Gateway) schedule(ctx context.Context, tx Tx, c StoredConsent, grants []Grant) error {
	known, err := tx.RemindersOf(ctx, c.Consent.ID)
	if err != nil {
		return err
	}
	end, now := endOf(grants), g.Clock()
	for _, r := range known {
		if !end.IsZero() && r.Ends.Equal(end) {
			r.Consent.Version = c.Consent.Version
			if err := tx.PutReminder(ctx, r); err != nil {
				return err
			}
			continue
		}
		why := prolongedText
		if end.IsZero() {
			why = withdrawnEndText
		}
		for _, task := range r.Tasks {
			if err := g.endTask(ctx, tx, task, "cancelled", why); err != nil {
				return err
			}
		}
		if err := tx.DropReminder(ctx, c.Consent.ID, r.Days); err != nil {
			return err
		}
	}
	if end.IsZero() {
		return nil
	}
	for _, days := range reminderDays {
		due := end.AddDate(0, 0, -days)
		there := slices.ContainsFunc(known, func(r Reminder) bool { return r.Days == days && r.Ends.Equal(end) })
		if there || !due.After(now) { // who registers what ends sooner knows that it does
			continue
		}
		if err := tx.PutReminder(ctx, Reminder{Consent: c.Consent, Days: days, Ends: end, Next: due}); err != nil {
			return err
		}
	}
	return nil
}

// reminderTries is how often a reminder is tried before it is left for people to find in the log.
const reminderTries = 10

// RemindEnding makes the Tasks of reminders whose day has come, at most limit of them: for the party that has
// registered the samtykke, and for the patient. Each is made once, whoever else is at work and whenever
// the work was broken off. It tells how many reminders there were.
func (g *Gateway) RemindEnding(ctx context.Context, limit int) (int, error) {
	for count := range limit {
		var tried Reminder
		err := g.Store.Tx(ctx, func(tx Tx) error {
			tried = Reminder{}
			r, err := tx.DueReminder(ctx, g.Clock())
			if err != nil {
				return ignoreAbsent(err)
			}
			tried = r
			return g.remindEnding(ctx, tx, r)
		})
		switch {
		case err != nil && (tried.Consent.ID == "" || CodeOf(err) == Unavailable):
			return count, err
		case err != nil:
			g.Log.ErrorContext(ctx, "reminder of a samtykke that ends", slog.Int("days", tried.Days), slog.Any("error", err))
			if err := g.postponeReminder(ctx, tried); err != nil {
				return count, err
			}
		case tried.Consent.ID == "":
			return count, nil
		}
	}
	return limit, nil
}

// postponeReminder lets the others go first.
func (g *Gateway) postponeReminder(ctx context.Context, r Reminder) error {
	r.Tries++
	r.Next, r.Done = g.Clock().Add(time.Minute<<r.Tries), r.Tries >= reminderTries
	return g.Store.Tx(ctx, func(tx Tx) error { return tx.PutReminder(ctx, r) })
}

// remindEnding makes the Tasks of one reminder, unless there is no more reason to: the samtykke is gone, has
// ended, or is so near its end that the next reminder is due as well.
func (g *Gateway) remindEnding(ctx context.Context, tx Tx, r Reminder) error {
	now := g.Clock()
	r.Done, r.Tries = true, 0
	for _, days := range reminderDays {
		if days < r.Days && !r.Ends.AddDate(0, 0, -days).After(now) {
			return tx.PutReminder(ctx, r)
		}
	}
	stored, grants, err := tx.Registered(ctx, r.Consent)
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	if err != nil || !endOf(grants).Equal(r.Ends) || !r.Ends.After(now) {
		return tx.PutReminder(ctx, r)
	}
	dir, err := tx.Directory(ctx)
	if err != nil {
		return err
	}
	focus := fhir.Reference{Type: "Consent", ID: r.Consent.ID}
	days := strconv.Itoa(r.Days)
	patients, resident := patientsOf(dir)
	if registrar, ok := dir.Party(stored.Custodian); ok && registrar.ID != patients.ID {
		task, err := g.taskAbout(ctx, tx, registrar, stored.Person, endingTask, worded(endingText, days), focus)
		if err != nil {
			return err
		}
		r.Tasks = append(r.Tasks, OwnedTask{registrar.ID, task})
	}
	if resident {
		if err := g.residentPatient(ctx, tx, patients, stored); err != nil {
			return err
		}
		known, err := tx.PatientFor(ctx, patients.ID, stored.Person)
		if err != nil {
			return err
		}
		if known.ID != "" {
			task, err := g.taskAbout(ctx, tx, patients, stored.Person, endingTask, worded(endingPatientText, days), focus)
			if err != nil {
				return err
			}
			r.Tasks = append(r.Tasks, OwnedTask{patients.ID, task})
		}
	}
	return tx.PutReminder(ctx, r)
}

// residentPatient makes the Patient by which the person herself finds her Task, of the number that the
// Patient of the Consent has. Without a number she cannot come to read it.
func (g *Gateway) residentPatient(ctx context.Context, tx Tx, patients Party, c StoredConsent) error {
	if c.Custodian == patients.ID {
		return nil
	}
	registrar := asked{party: Party{ID: c.Custodian}}
	ref, err := tx.PatientFor(ctx, c.Custodian, c.Person)
	if err != nil || ref.ID == "" {
		return err
	}
	r, err := tx.Read(ctx, g.custody(registrar, Read), ref)
	if err != nil {
		return ignoreAbsent(err)
	}
	res, err := ParseAuthored(r.Body)
	if err != nil {
		return Failed("gateway.reminder", Internal, err)
	}
	number, err := nationalOf(registrar, res)
	if err != nil {
		return err
	}
	return g.ownPatient(ctx, tx, patients, c.Person, number)
}
