package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
)

var _ gateway.Duties = (*Tx)(nil)

const (
	putStepSQL = `insert into step (message, to_party, from_party, person, kind, msg_id, parent, conversation, change, crossed, made, at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (message, to_party) do update set crossed = step.crossed or excluded.crossed`

	stepsOfSQL = `select s.message::text, s.to_party, s.from_party, s.person, s.kind, s.msg_id, coalesce(s.parent, ''),
  coalesce(s.conversation, ''), coalesce(s.change, ''), s.crossed, s.made, s.at
from step s where s.person = $1 order by s.made, s.message, s.to_party`

	putDutySQL = `insert into duty (message, to_party, code, person, debtor, task, state, due) values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (message, to_party, code) do update set state = excluded.state`

	dutiesOfSQL = `select d.message::text, d.to_party, d.code, d.debtor, d.task, d.state, d.due from duty d where d.person = $1`
)

// PutStep keeps a step. A receiver more of the same party lets it cross, and nothing takes that back.
func (t *Tx) PutStep(ctx context.Context, s gateway.Step) error {
	t.tx.later("postgres.putstep", putStepSQL, string(s.Message), string(s.To), string(s.From), int64(s.Person), string(s.Kind), string(s.MsgID),
		orNull(s.Parent), orNull(s.Conversation), orNull(string(s.Change)), s.Crossed, s.Made, s.At)
	return nil
}

// StepsOf lists all steps of the person.
func (t *Tx) StepsOf(ctx context.Context, person gateway.PersonID) ([]gateway.Step, error) {
	const op = "postgres.stepsof"
	rows, err := t.tx.Query(ctx, stepsOfSQL, int64(person))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s gateway.Step, err error) {
		return s, row.Scan(&s.Message, &s.To, &s.From, &s.Person, &s.Kind, &s.MsgID, &s.Parent, &s.Conversation, &s.Change, &s.Crossed, &s.Made, &s.At)
	})
	return list, failure(op, err)
}

// DutiesOf lists all duties of the person.
func (t *Tx) DutiesOf(ctx context.Context, person gateway.PersonID) ([]gateway.Duty, error) {
	const op = "postgres.dutiesof"
	rows, err := t.tx.Query(ctx, dutiesOfSQL, int64(person))
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d gateway.Duty, err error) {
		return d, row.Scan(&d.Message, &d.To, &d.Code, &d.Debtor, &d.Task, &d.State, &d.Due)
	})
	return list, failure(op, err)
}

// PutDuty keeps a duty.
func (t *Tx) PutDuty(ctx context.Context, person gateway.PersonID, d gateway.Duty) error {
	t.tx.later("postgres.putduty", putDutySQL, string(d.Message), string(d.To), d.Code, int64(person), string(d.Debtor), string(d.Task), string(d.State), d.Due)
	return nil
}

const (
	parkSQL = `insert into early_apprec (sender, original, receiver, message) values ($1, $2, $3, $4) on conflict do nothing`

	parkedSQL = `delete from early_apprec e where e.sender = $1 and e.original = $2 and e.receiver = $3 returning e.message::text`

	parkedMessageSQL = `select ` + messageColumns + ` from message m where m.id = any($1::text[]::uuid[]) order by m.claimed_at, m.id`

	noteTaskSQL = `insert into message_task (message, receiver, party, task) values ($1, $2, $3, $4) on conflict do nothing`

	notedTasksSQL = `select k.party, k.task from message_task k where k.message = $1 and k.receiver = $2 order by k.party, k.task`
)

// Park keeps an AppRec until what it answers is laid ready.
func (t *Tx) Park(ctx context.Context, a gateway.AppRec, document gateway.MessageID) error {
	t.tx.later("postgres.park", parkSQL, string(a.To), string(a.Original), string(a.From), string(document))
	return nil
}

// Parked gives the AppRecs that were waiting, in the order in which they came, and waits for them no more.
func (t *Tx) Parked(ctx context.Context, sender gateway.HERID, original gateway.MsgID, receiver gateway.HERID) ([]gateway.Message, error) {
	const op = "postgres.parked"
	rows, err := t.tx.Query(ctx, parkedSQL, string(sender), string(original), string(receiver))
	if err != nil {
		return nil, failure(op, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return nil, failure(op, err)
	}
	if rows, err = t.tx.Query(ctx, parkedMessageSQL, ids); err != nil {
		return nil, failure(op, err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r messageRow, err error) { return r, row.Scan(r.targets()...) })
	if err != nil {
		return nil, failure(op, err)
	}
	list := make([]gateway.Message, 0, len(found))
	for i := range found {
		m, err := found[i].message(op)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// NoteTask ties a Task to a message in a mailbox.
func (t *Tx) NoteTask(ctx context.Context, m gateway.MessageID, receiver gateway.HERID, task gateway.OwnedTask) error {
	t.tx.later("postgres.notetask", noteTaskSQL, string(m), string(receiver), string(task.Party), string(task.Task))
	return nil
}

// NotedTasks lists the Tasks that are tied to a message in a mailbox.
func (t *Tx) NotedTasks(ctx context.Context, m gateway.MessageID, receiver gateway.HERID) ([]gateway.OwnedTask, error) {
	return t.ownedTasks(ctx, "postgres.notedtasks", notedTasksSQL, string(m), string(receiver))
}

func (t *Tx) ownedTasks(ctx context.Context, op, statement string, args ...any) ([]gateway.OwnedTask, error) {
	rows, err := t.tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k gateway.OwnedTask, err error) {
		return k, row.Scan(&k.Party, &k.Task)
	})
	return list, failure(op, err)
}

const lookAgainSQL = `update mailbox set look_at = $2 where key = $1`

// LookAgain sets when to look at an entry the next time.
func (t *Tx) LookAgain(ctx context.Context, key int64, at time.Time) error {
	t.tx.later("postgres.lookagain", lookAgainSQL, key, at)
	return nil
}
