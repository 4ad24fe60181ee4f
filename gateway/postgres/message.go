package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// actorRow is what a message keeps of who handed it in: nothing that tells of a patient.
type actorRow struct {
	Kind         gateway.Kind
	Party, Unit  gateway.HERID
	Practitioner gateway.HPRNumber
	Name, Role   string
	Purpose      gateway.Purpose
	Reason       string
	Client       string
	TokenID      string
}

func actorJSON(a gateway.Actor) ([]byte, error) {
	return json.Marshal(actorRow{
		a.Kind, a.Party, a.Unit, a.Practitioner, a.Name, a.Role, a.Purpose, a.Reason, a.Client, a.TokenID,
	})
}

func (r actorRow) actor() gateway.Actor {
	return gateway.Actor{
		Kind: r.Kind, Party: r.Party, Unit: r.Unit, Practitioner: r.Practitioner, Name: r.Name, Role: r.Role,
		Purpose: r.Purpose, Reason: r.Reason, Client: r.Client, TokenID: r.TokenID,
	}
}

const insertMessageSQL = `
insert into message (id, party, sender, msg_id, kind, kind_name, receivers, conversation, parent, generated, gen_date,
  claimed_at, state, digest, document, actor, person, content, whole, thread, next_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $12)
on conflict (party, sender, msg_id) do nothing`

// values are the parameters of insertMessageSQL.
func values(op string, m gateway.Message, person gateway.PersonID, content *gateway.Content) ([]any, error) {
	receivers, err := json.Marshal(m.Receivers)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	actor, err := actorJSON(m.Actor)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	var kept []byte
	if content != nil {
		if kept, err = packContent(op, *content); err != nil {
			return nil, err
		}
	}
	return []any{
		string(m.ID), string(m.Party), string(m.Sender.HERID), string(m.MsgID), m.Kind, m.KindName, receivers,
		orNull(m.Conversation), orNull(m.Parent), instant(m.Generated), orNull(m.GenDate), m.At, string(m.State),
		m.Digest[:], compress(m.Document), actor, orNobody(person), kept, m.Whole, orNull(m.Thread),
	}, nil
}

// packContent writes what a message consists of: no statement looks into it, and its JSON is longer than the message.
// The report is JSON already, and much of it: it is put in as it is, before the rest.
func packContent(op string, c gateway.Content) ([]byte, error) {
	report := c.Report
	c.Report = nil
	rest, err := json.Marshal(c)
	if err != nil {
		return nil, gateway.Failed(op, gateway.Internal, err)
	}
	if len(report) == 0 {
		return compress(rest), nil
	}
	text := make([]byte, 0, len(`{"Report":`)+len(report)+len(rest))
	text = append(append(append(text, `{"Report":`...), report...), ',')
	return compress(append(text, rest[1:]...)), nil
}

// unpackContent reads packContent, and the bare JSON of messages from before it was packed.
func unpackContent(op string, b []byte) (c gateway.Content, err error) {
	if len(b) > 0 && b[0] != '{' {
		if b, err = expand(op, b); err != nil {
			return c, err
		}
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, gateway.Failed(op, gateway.Internal, err)
	}
	return c, nil
}

const claimedSQL = `select id::text, state, digest, receivers from message where party = $1 and sender = $2 and msg_id = $3`

// A message with receivers that were not handled before is worked on again; what it consists of stays.
const reopenSQL = `
update message set receivers = $2, state = 'received', next_at = $3, tries = 0, whole = whole or $4 where id = $1`

// What is not handled yet is handled as its sender says who sends it anew: whole, if ever it was said.
const wholeSQL = `update message set whole = true where id = $1 and state || '' = 'received' and not whole`

// A repetition finds its AppRec again as unread: whoever sends anew has not seen it.
const remindSQL = `
update mailbox set read = false where key = any(array(
  select b.key from apprec a cross join lateral (
    select i.key from mailbox i where i.message = a.document and i.party = $2 and i.read offset 0) b
  where a.message = $1))`

// Claim keeps the raw message under (sender, MsgId) for ever.
func (t *Tx) Claim(ctx context.Context, m gateway.Message) (gateway.Receipt, error) {
	const op = "postgres.claim"
	row, err := values(op, m, 0, nil)
	if err != nil {
		return gateway.Receipt{}, err
	}
	tag, err := t.tx.Exec(ctx, insertMessageSQL, row...)
	if err != nil {
		return gateway.Receipt{}, failure(op, err)
	}
	if tag.RowsAffected() == 1 {
		return gateway.Receipt{ID: m.ID, State: m.State}, nil
	}
	var id, state string
	var digest, receivers []byte
	err = t.tx.QueryRow(ctx, claimedSQL, string(m.Party), string(m.Sender.HERID), string(m.MsgID)).Scan(&id, &state, &digest, &receivers)
	if err != nil {
		return gateway.Receipt{}, failure(op, err)
	}
	if !bytes.Equal(digest, m.Digest[:]) {
		return gateway.Receipt{}, gateway.Fault(op, gateway.Conflict,
			fhir.Issue{Severity: "error", Type: "conflict", Code: "message.other-bytes"})
	}
	t.tx.later(op, remindSQL, id, string(m.Party))
	var all []gateway.Addressee
	if err := json.Unmarshal(receivers, &all); err != nil {
		return gateway.Receipt{}, gateway.Failed(op, gateway.Internal, err)
	}
	if merged := merge(all, m.Receivers); len(merged) > len(all) {
		if receivers, err = json.Marshal(merged); err != nil {
			return gateway.Receipt{}, gateway.Failed(op, gateway.Internal, err)
		}
		t.tx.later(op, reopenSQL, id, receivers, m.At, m.Whole)
		state = string(gateway.Received)
	} else if m.Whole {
		t.tx.later(op, wholeSQL, id)
	}
	return gateway.Receipt{ID: gateway.MessageID(id), State: gateway.MessageState(state), Repeated: true}, nil
}

// merge adds the receivers that are not on the list.
func merge(list, more []gateway.Addressee) []gateway.Addressee {
	for _, a := range more {
		if !slices.ContainsFunc(list, func(b gateway.Addressee) bool { return b.HERID == a.HERID }) {
			list = append(list, a)
		}
	}
	return list
}

const reusedSQL = `update message set reused = true where party = $1 and sender = $2 and msg_id = $3 and not reused`

// Reused marks that a MsgId was used for two contents.
func (t *Tx) Reused(ctx context.Context, m gateway.Message) (bool, error) {
	tag, err := t.tx.Exec(ctx, reusedSQL, string(m.Party), string(m.Sender.HERID), string(m.MsgID))
	if err != nil {
		return false, failure("postgres.reused", err)
	}
	return tag.RowsAffected() == 1, nil
}

const keptSQL = `select ` + messageColumns + `, coalesce(m.person, 0), m.content from message m where m.id = $1 and m.content is not null`

// Kept gives a claimed message with what it consists of.
func (t *Tx) Kept(ctx context.Context, id gateway.MessageID) (gateway.Envelope, error) {
	const op = "postgres.kept"
	list, err := t.settled(ctx, op, keptSQL, string(id))
	if err != nil {
		return gateway.Envelope{}, err
	}
	if len(list) == 0 {
		return gateway.Envelope{}, absent(op)
	}
	return list[0], nil
}

// The version that was sent may be a past one by now, which nothing changes: then the present one is
// what the receiver is given to read.
const shareSQL = `
update resource set
  sent_to = case when $4 = any(sent_to) then sent_to else array_append(sent_to, $4) end,
  sent_mask = case when $4 = any(sent_to) then (
      select array_agg(case when w.party = $4 then w.mask | $5 else w.mask end order by w.place)
      from unnest(sent_to, sent_mask) with ordinality w (party, mask, place))
    else array_append(sent_mask, $5) end
where type = $2 and id = $3 and custodian || '' = $1 and not deleted`

// Share adds a receiver to those that the current version of an own record was sent to.
func (t *Tx) Share(ctx context.Context, custodian gateway.HERID, r fhir.Reference, to gateway.Sent) error {
	t.tx.later("postgres.share", shareSQL, string(custodian), string(r.Type), string(r.ID), packReceiver(to), int64(to.Mask))
	return nil
}

// Lay keeps a message that Sluse itself wrote.
func (t *Tx) Lay(ctx context.Context, m gateway.Message, person gateway.PersonID, c gateway.Content) error {
	const op = "postgres.lay"
	row, err := values(op, m, person, &c)
	if err != nil {
		return err
	}
	t.tx.check(op, func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 { // one is there under its name
			return gateway.Fault(op, gateway.Conflict, fhir.Issue{Severity: "error", Type: "conflict", Code: "message.other-bytes"})
		}
		return nil
	}, insertMessageSQL, row...)
	t.link(op, m.ID, c)
	return nil
}

const linkSQL = `
insert into message_record (type, id, message) select * from unnest($1::text[], $2::text[], $3::uuid[])
on conflict do nothing`

func (t *Tx) link(op string, id gateway.MessageID, c gateway.Content) {
	if len(c.Resources) == 0 {
		return
	}
	var types, ids, messages []string
	for _, r := range c.Resources {
		types, ids, messages = append(types, string(r.Record.Type)), append(ids, string(r.Record.ID)), append(messages, string(id))
	}
	t.tx.later(op, linkSQL, types, ids, messages)
}

const pendingSQL = `
select id::text from message where state = 'received' and next_at <= $1 order by next_at, claimed_at limit $2`

// Pending lists messages whose bytes are here and whose effect is not.
func (t *Tx) Pending(ctx context.Context, now time.Time, limit int) ([]gateway.MessageID, error) {
	return collected(ctx, &t.view, "postgres.pending", pendingSQL, []any{now, limit}, pgx.RowTo[gateway.MessageID])
}

const messageColumns = `m.id::text, m.party, m.sender, m.msg_id, m.kind, coalesce(m.kind_name, ''), m.receivers,
  coalesce(m.conversation, ''), coalesce(m.parent, ''), m.generated, coalesce(m.gen_date, ''), m.claimed_at, m.state,
  m.digest, m.document, m.actor, m.whole`

// messageRow receives messageColumns.
type messageRow struct {
	m                          gateway.Message
	receivers, actor, document []byte
	digest                     []byte
	generated                  *time.Time
}

func (r *messageRow) targets() []any {
	m := &r.m
	return []any{
		&m.ID, &m.Party, &m.Sender.HERID, &m.MsgID, &m.Kind, &m.KindName, &r.receivers, &m.Conversation, &m.Parent,
		&r.generated, &m.GenDate, &m.At, &m.State, &r.digest, &r.document, &r.actor, &m.Whole,
	}
}

func (r *messageRow) message(op string) (gateway.Message, error) {
	m := r.m
	if r.generated != nil {
		m.Generated = *r.generated
	}
	copy(m.Digest[:], r.digest)
	if err := json.Unmarshal(r.receivers, &m.Receivers); err != nil {
		return m, gateway.Failed(op, gateway.Internal, err)
	}
	var a actorRow
	if err := json.Unmarshal(r.actor, &a); err != nil {
		return m, gateway.Failed(op, gateway.Internal, err)
	}
	m.Actor = a.actor()
	var err error
	if len(r.document) > 0 {
		m.Document, err = expand(op, r.document)
	}
	return m, err
}

// A message that is named is found by its id: its state, as a value, keeps it from being looked for among all that wait.
const takeSQL = `select ` + messageColumns + ` from message m where m.id = $1 and m.state || '' = 'received' for update`

// Take locks a claimed message until the transaction ends.
func (t *Tx) Take(ctx context.Context, id gateway.MessageID) (gateway.Message, error) {
	return t.message(ctx, "postgres.take", takeSQL, string(id))
}

const (
	sentSQL      = `select ` + messageColumns + ` from message m where m.id = $1 and m.party = $2`
	sentAboutSQL = `select coalesce(m.person, 0) from message m where m.id = $1`
)

// Sent gives a message of the party that handed it in, and whom it is about.
func (t *Tx) Sent(ctx context.Context, id gateway.MessageID, party gateway.HERID) (gateway.Message, gateway.PersonID, error) {
	const op = "postgres.sent"
	m, err := t.message(ctx, op, sentSQL, string(id), string(party))
	if err != nil {
		return m, 0, err
	}
	var person gateway.PersonID
	if err := t.tx.QueryRow(ctx, sentAboutSQL, string(id)).Scan(&person); err != nil {
		return m, 0, failure(op, err)
	}
	return m, person, nil
}

func (t *Tx) message(ctx context.Context, op, statement string, args ...any) (gateway.Message, error) {
	var r messageRow
	if err := t.tx.QueryRow(ctx, statement, args...).Scan(r.targets()...); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return gateway.Message{}, absent(op)
		}
		return gateway.Message{}, failure(op, err)
	}
	return r.message(op)
}

const postponeSQL = `update message set tries = tries + 1, next_at = $2 where id = $1 and state || '' = 'received' returning tries`

// Postpone counts a failed try.
func (t *Tx) Postpone(ctx context.Context, id gateway.MessageID, next time.Time) (int, error) {
	var tries int
	if err := t.tx.QueryRow(ctx, postponeSQL, string(id), next).Scan(&tries); err != nil {
		return 0, failure("postgres.postpone", err)
	}
	return tries, nil
}

const serializeSQL = `
insert into message_turn (key, turn) values ($1, 1) on conflict (key) do update set turn = message_turn.turn + 1`

// Serialize makes transactions with the same key follow each other. The key may hold a national
// identifier: only its keyed hash is kept.
func (t *Tx) Serialize(ctx context.Context, key string) error {
	h := t.store.keys.token("message-turn", key)
	b := make([]byte, 0, 8)
	for i := range 8 {
		b = append(b, byte(uint64(h)>>(8*i)))
	}
	t.tx.later("postgres.serialize", serializeSQL, b)
	return nil
}

const settleSQL = `update message set state = $2, person = $3, content = $4, change = $5 where id = $1 and state || '' = 'received'`

// Settle ends the work on a message and keeps what it consists of.
func (t *Tx) Settle(ctx context.Context, m gateway.Message, person gateway.PersonID, c gateway.Content, s gateway.MessageState) error {
	const op = "postgres.settle"
	content, err := packContent(op, c)
	if err != nil {
		return err
	}
	t.tx.check(op, func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 { // it was settled before
			return gateway.Failed(op, gateway.Internal, errors.New("message was not taken"))
		}
		return nil
	}, settleSQL, string(m.ID), string(s), orNobody(person), content, orNull(string(m.Change)))
	t.link(op, m.ID, c)
	return nil
}

const settledSQL = `
select ` + messageColumns + `, coalesce(m.person, 0), m.content from message m
where m.party = $1 and m.msg_id = $2 and m.state in ('acknowledged', 'rejected') and m.content is not null`

// Settled gives messages of the party by MsgId with what they consist of.
func (t *Tx) Settled(ctx context.Context, party gateway.HERID, id gateway.MsgID) ([]gateway.Envelope, error) {
	return t.settled(ctx, "postgres.settled", settledSQL, string(party), string(id))
}

func (t *Tx) settled(ctx context.Context, op, statement string, args ...any) ([]gateway.Envelope, error) {
	rows, err := t.tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	defer rows.Close()
	var list []gateway.Envelope
	for rows.Next() {
		var r messageRow
		var e gateway.Envelope
		var content []byte
		if err := rows.Scan(append(r.targets(), &e.Person, &content)...); err != nil {
			return nil, failure(op, err)
		}
		if e.Content, err = unpackContent(op, content); err != nil {
			return nil, err
		}
		if e.Message, err = r.message(op); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, failure(op, err)
	}
	return list, nil
}

const threadedSQL = `
select ` + messageColumns + `, coalesce(m.person, 0), m.content from message m
where m.party = $1 and m.thread = $2 and m.person = $3 and m.kind = $4 and m.id <> $5 and m.generated <= $6 and m.sender = $7
  and m.state in ('acknowledged', 'rejected') and m.content is not null
order by m.generated`

// What follows a message, m.change being what the other one does: the last of the parameters tells whether it is a change itself.
const threadFollowsSQL = `m.party = $1 and m.thread = $2 and m.person = $3 and m.kind = $4 and m.id <> $5 and m.sender = $7
  and m.change in ('change', 'cancel') and (m.generated > $6 or m.generated = $6 and (m.change = 'cancel' or not $8))`

const threadFollowersSQL = `select m.change from message m where ` + threadFollowsSQL + ` order by m.generated, m.claimed_at`

const threadTasksSQL = `
select n.party, n.task from message m join message_task n on n.message = m.id and n.receiver = ''
where ` + threadFollowsSQL + ` order by m.generated, m.claimed_at`

func follows(m gateway.Message, person gateway.PersonID) []any {
	changes := m.Change == gateway.Supersede || m.Change == gateway.Cancel
	return []any{string(m.Party), m.Thread, int64(max(person, 0)), m.Kind, string(m.ID), instant(m.Generated), string(m.Sender.HERID), changes}
}

// ThreadTasks lists the Tasks of those messages.
func (t *Tx) ThreadTasks(ctx context.Context, m gateway.Message, person gateway.PersonID) ([]gateway.OwnedTask, error) {
	return t.ownedTasks(ctx, "postgres.threadtasks", threadTasksSQL, follows(m, person)...)
}

// ThreadFollowers tells what later settled messages of the party about the person and the same thing do to the message.
func (t *Tx) ThreadFollowers(ctx context.Context, m gateway.Message, person gateway.PersonID) ([]gateway.Change, error) {
	return collected(ctx, &t.view, "postgres.threadfollowers", threadFollowersSQL, follows(m, person), pgx.RowTo[gateway.Change])
}

// Threaded gives earlier settled messages of the party about the person and the same thing.
func (t *Tx) Threaded(ctx context.Context, m gateway.Message, person gateway.PersonID) ([]gateway.Envelope, error) {
	return t.settled(ctx, "postgres.threaded", threadedSQL, string(m.Party), m.Thread, int64(person), m.Kind, string(m.ID), m.Generated, string(m.Sender.HERID))
}

const answersSQL = `
select ` + messageColumns + `, coalesce(m.person, 0), m.content from message m
where m.party = $1 and m.parent = $2 and m.person = $3 and m.state in ('acknowledged', 'rejected') and m.content is not null
order by m.claimed_at`

// Answers gives settled messages of the party about the person that name the message as their parent.
func (t *Tx) Answers(ctx context.Context, party gateway.HERID, parent gateway.MsgID, person gateway.PersonID) ([]gateway.Envelope, error) {
	return t.settled(ctx, "postgres.answers", answersSQL, string(party), string(parent), int64(person))
}

const followersSQL = `
select change from message
where party = $1 and parent = $2 and change in ('change', 'cancel') and coalesce(person, 0) = $3 order by claimed_at`

// Followers tells what settled messages of the party about the person do to the message.
func (t *Tx) Followers(ctx context.Context, party gateway.HERID, id gateway.MsgID, person gateway.PersonID) ([]gateway.Change, error) {
	return collected(ctx, &t.view, "postgres.followers", followersSQL, []any{string(party), string(id), int64(max(person, 0))}, pgx.RowTo[gateway.Change])
}
