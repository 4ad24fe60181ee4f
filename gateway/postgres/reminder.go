package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

var _ gateway.Reminders = (*Tx)(nil)

const (
	reminderColumns = `r.consent, r.version, r.days, r.ends, r.next_at, r.tries, r.done, r.parties, r.tasks`

	remindersOfSQL = `select ` + reminderColumns + ` from reminder r where r.consent = $1 order by r.days for update`

	dueReminderSQL = `select ` + reminderColumns + ` from reminder r where not r.done and r.next_at <= $1
order by r.next_at, r.consent, r.days limit 1 for update skip locked`

	putReminderSQL = `insert into reminder (consent, version, days, ends, next_at, tries, done, parties, tasks)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (consent, days) do update set version = excluded.version, ends = excluded.ends, next_at = excluded.next_at,
  tries = excluded.tries, done = excluded.done, parties = excluded.parties, tasks = excluded.tasks`

	dropReminderSQL = `delete from reminder where consent = $1 and days = $2`
)

func scanReminder(row pgx.CollectableRow) (gateway.Reminder, error) {
	r := gateway.Reminder{Consent: fhir.Reference{Type: "Consent"}}
	var (
		parties []gateway.HERID
		tasks   []fhir.ID
	)
	if err := row.Scan(&r.Consent.ID, &r.Consent.Version, &r.Days, &r.Ends, &r.Next, &r.Tries, &r.Done, &parties, &tasks); err != nil {
		return r, err
	}
	r.Ends, r.Next = r.Ends.UTC(), r.Next.UTC()
	for i := range parties {
		r.Tasks = append(r.Tasks, gateway.OwnedTask{Party: parties[i], Task: tasks[i]})
	}
	return r, nil
}

func (t *Tx) reminders(ctx context.Context, op, sql string, arg any) ([]gateway.Reminder, error) {
	rows, err := t.tx.Query(ctx, sql, arg)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, scanReminder)
	return list, failure(op, err)
}

// RemindersOf locks the reminders of a Consent.
func (t *Tx) RemindersOf(ctx context.Context, consent fhir.ID) ([]gateway.Reminder, error) {
	return t.reminders(ctx, "postgres.remindersof", remindersOfSQL, string(consent))
}

// DueReminder locks a reminder whose time has come.
func (t *Tx) DueReminder(ctx context.Context, now time.Time) (gateway.Reminder, error) {
	const op = "postgres.duereminder"
	list, err := t.reminders(ctx, op, dueReminderSQL, now)
	if err == nil && len(list) == 0 {
		err = absent(op)
	}
	if err != nil {
		return gateway.Reminder{}, err
	}
	return list[0], nil
}

// PutReminder keeps a reminder.
func (t *Tx) PutReminder(ctx context.Context, r gateway.Reminder) error {
	parties, tasks := []string{}, []string{}
	for _, task := range r.Tasks {
		parties, tasks = append(parties, string(task.Party)), append(tasks, string(task.Task))
	}
	t.tx.later("postgres.putreminder", putReminderSQL, string(r.Consent.ID), r.Consent.Version, r.Days, r.Ends, r.Next, r.Tries, r.Done, parties, tasks)
	return nil
}

// DropReminder removes a reminder.
func (t *Tx) DropReminder(ctx context.Context, consent fhir.ID, days int) error {
	t.tx.later("postgres.dropreminder", dropReminderSQL, string(consent), days)
	return nil
}
