package postgres

import (
	"regexp"
	"strings"
	"testing"
)

// queueFill are rows of every queue: many due, few of one person.
const queueFill = `
insert into message (id, party, sender, msg_id, kind, receivers, claimed_at, state, digest, document, actor, next_at)
select gen_random_uuid(), '8100030', '8100031', 'fill-' || n, 'LOG_INNLAGT', '[]', now(), 'received', '\x00', '\x00', '{}', now()
from generate_series(1, 20000) n;
insert into mailbox (party, receiver, message, generated, person, apprec, withheld, laid_at, fetch_by, look_at)
select '8100020', '8100021', m.id, now(), row_number() over (), false, '{}', now(), now(), now() from message m;
insert into apprec (message, receiver, status, errors, document, at) select m.id, '8100021', 1, '[]', m.id, now() from message m;
insert into outbox (party, communication, version, sender, sender_hpr, receiver, receiver_hpr, receiver_party, person, msg_id, state, next_at, deadline, actor, queued_at)
select '8100020', 'fill-' || n, '1', '8100020', '', '8100030', '', '8100030', n % 5000, 'fill-' || n,
  case when n % 2 = 0 then 'queued' else 'sent' end, now(), now(), '{}', now()
from generate_series(1, 20000) n`

// wholeTable is a plan that looks at every row of a queue.
var wholeTable = regexp.MustCompile(`Seq Scan on (message|mailbox|outbox|apprec)\b`)

// unconditioned is an index that is read from end to end.
var unconditioned = regexp.MustCompile(`(?m)Index (Only )?Scan (Backward )?using \w+ on \w+( \w+)?\n\s*(Filter|->|$)`)

// TestQueuesByIndex: what takes the next message of a queue, and what is done about it, finds its rows by an index that
// names them. A plan is made once for a connection, most likely while the queue is empty: it must be as good as one made
// when the queue is long, with and without statistics.
func TestQueuesByIndex(t *testing.T) {
	b := newBench(t)
	conn, err := b.pool.Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, known := range []string{"empty", "never analysed", "analysed"} {
		statements := map[string]string{"analysed": "analyze", "never analysed": queueFill}[known]
		for _, statement := range strings.Split(statements, ";") {
			if _, err := conn.Exec(b.ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]struct{ sql, by string }{
			"pending":           {pendingSQL, "message_pending"},
			"next":              {nextSQL, "outbox_queued outbox_order"},
			"ordered":           {orderedSQL, "outbox_message"},
			"open":              {openSQL, "outbox_party_communication_receiver_key"},
			"overdue":           {overdueSQL, "outbox_waiting"},
			"unfetched":         {unfetchedSQL, "mailbox_look"},
			"unread":            {unreadUpSQL, "mailbox_unread"},
			"unread, backwards": {unreadDownSQL, "mailbox_unread"},
			"unread, named":     {unreadNamedUpSQL, "message_by_msg_id"},
			"entries":           {entriesSQL, "mailbox_message"},
			"parcel":            {nextParcelSQL, "mailbox_outward mailbox_turn apprec_document"},
			"parcelled":         {parcelledSQL, "mailbox_message"},
			"original":          {originalSQL, "message_by_msg_id mailbox_message"},
			"claimed":           {claimedSQL, "message"},
			"settled":           {settledSQL, "message_by_msg_id"},
			"followers":         {followersSQL, "message_parent"},
			"taken":             {takeSQL, "message_pkey"},
			"settle":            {settleSQL, "message_pkey"},
			"postpone":          {postponeSQL, "message_pkey"},
			"reopen":            {reopenSQL, "message_pkey"},
			"remind":            {remindSQL, "mailbox_message"},
			"whole":             {wholeSQL, "message_pkey"},
			"noticed":           {noticedSQL, "outbox_notice"},
			"thread":            {threadFollowersSQL, "message_by_thread"},
			"thread, tasks":     {threadTasksSQL, "message_by_thread"},
			"advance":           {advanceSQL, "outbox_pkey"},
			"attempt":           {attemptSQL, "mailbox_pkey"},
			"conveyed":          {conveyedSQL, "mailbox_pkey"},
			"fetched":           {keepFetchedDocumentSQL, "mailbox_pkey"},
			"read":              {markReadSQL, "mailbox_message"},
			"statuses":          {statusesSQL, "message_pkey"},
		} {
			plan := b.planned(conn.Conn(), c.sql)
			if found := wholeTable.FindString(plan) + unconditioned.FindString(plan); found != "" {
				t.Errorf("%s, %s: %s\n%s", name, known, found, plan)
			}
			for _, index := range strings.Fields(c.by) {
				if !strings.Contains(plan, index) {
					t.Errorf("%s, %s: not by %s\n%s", name, known, index, plan)
				}
			}
		}
	}
}
