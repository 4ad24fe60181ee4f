//go:build soak

package exchange_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/exchange"
	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

// A queue of a million drains as fast as one of a thousand: SLUSE_QUEUE_DEPTH sets another depth.
const (
	deepQueue    = 1_000_000
	shallowQueue = 1_000
	drained      = 400 // messages that are worked off for a figure
	slowest      = 1.2 // times what a message takes in the shallow queue
)

// queueing is a world whose queues were filled behind its back: what lies behind, or was worked off before, are rows
// that nothing else knows.
type queueing struct {
	*world
	db   *pgx.Conn
	nins []string
	runs int
}

func newQueueing(t *testing.T) *queueing {
	dsn := postgrestest.OpenPrepared(t, "exchange", func(dsn string) error { return postgres.Migrate(context.Background(), dsn) })
	q := &queueing{world: worldOn(t, dsn)}
	q.stay()
	var err error
	q.db, err = pgx.Connect(context.Background(), dsn)
	must(t, err)
	t.Cleanup(func() { _ = q.db.Close(context.Background()) })
	for i := range 20 {
		nin := synthetic(9000 + i)
		q.patientsAt(nin)
		q.nins = append(q.nins, nin)
	}
	return q
}

func (q *queueing) sql(statement string, args ...any) {
	q.t.Helper()
	_, err := q.db.Exec(context.Background(), statement, args...)
	must(q.t, err)
}

// The rows of a queue: due, of other persons, and behind what is drained.
const (
	fillInboxSQL = `
insert into message (id, party, sender, msg_id, kind, receivers, claimed_at, state, digest, document, actor, next_at)
select gen_random_uuid(), '8100030', '8100031', 'fill-' || n, 'LOG_INNLAGT', '[]', $2, 'received', '\x00', '\x00', '{}', $2::timestamptz + n * interval '1 microsecond'
from generate_series(1, $1::int) n`
	fillOutboxSQL = `
insert into outbox (party, communication, version, sender, sender_hpr, receiver, receiver_hpr, receiver_party, person, msg_id, state, next_at, actor, queued_at)
select '8100020', 'fill-' || n, '1', '8100020', '', '8100030', '', '8100030', 1000000 + n % 50000, 'fill-' || n, 'queued', $2::timestamptz + n * interval '1 microsecond', '{}', $2
from generate_series(1, $1::int) n`
	settleInboxSQL  = `update message set state = 'acknowledged' where msg_id like 'fill-%'`
	settleOutboxSQL = `update outbox set state = 'accepted' where msg_id like 'fill-%'`
)

// received claims messages that wait to be worked on.
func (q *queueing) received(n int) {
	q.t.Helper()
	q.runs++
	for i := range n {
		id := fmt.Sprintf("queue-%d-%d", q.runs, i)
		body := []byte(strings.NewReplacer(kari, q.nins[i%len(q.nins)], admissionID, id).Replace(document(q.t, "log-innlagt")))
		m, err := exchange.Translator{}.Head(body)
		must(q.t, err)
		m.ID, m.Party, m.Document, m.Digest = gateway.MessageID(fmt.Sprintf("7d3ad1f6-6a2c-4a39-%04x-%012x", q.runs, i)), hospice, body, sha256.Sum256(body)
		m.At, m.State, m.Actor = q.clock(), gateway.Received, machine(hospice)
		must(q.t, q.store.Tx(context.Background(), func(tx gateway.Tx) error {
			_, err := tx.Claim(context.Background(), m)
			return err
		}))
	}
}

// ordered orders messages that wait to be sent.
func (q *queueing) ordered(n int) {
	q.t.Helper()
	dir := map[string]string{}
	for i := range n {
		nin := q.nins[i%len(q.nins)]
		if dir[nin] == "" {
			number, err := gateway.NewNIN(nin)
			must(q.t, err)
			for _, e := range q.entries(bydel, "Patient", gateway.Subject{NIN: number}) {
				if r := e.Get("resource"); r.Get("resourceType").Text() == "Patient" {
					dir[nin] = "Patient/" + r.Get("id").Text()
				}
			}
		}
		q.create(person(bydel), "Communication", `{"resourceType":"Communication","status":"in-progress","subject":{"reference":"`+dir[nin]+`"},
	  "category":[{"coding":[{"system":"`+gateway.MessageTypeSystem+`","code":"DIALOG_HELSEFAGLIG"}]}],"recipient":[{"reference":"Organization/ous"}]`+note+`}`)
	}
}

// drain works messages off and gives what one takes: the lower quartile of batches, since what else the machine does only
// makes them longer.
func (q *queueing) drain(n int, batch func(size int) int) time.Duration {
	q.t.Helper()
	var each []time.Duration
	for left := n; left > 0; {
		began := time.Now()
		worked := batch(min(20, left))
		if worked == 0 {
			q.t.Fatalf("%d are left and nothing is worked off", left)
		}
		each = append(each, time.Since(began)/time.Duration(worked))
		left -= worked
	}
	slices.Sort(each)
	return each[len(each)/4]
}

func (q *queueing) in(size int) int {
	n, err := q.gateway.Resume(context.Background(), exchange.Translator{}, size)
	must(q.t, err)
	return n
}

func (q *queueing) out(size int) (n int) {
	for range size {
		worked, err := q.gateway.RelayOnce(context.Background(), exchange.Translator{}, time.Hour)
		must(q.t, err)
		if worked {
			n++
		}
	}
	return n
}

// TestMillionDrains: what one message takes, in and out, with a thousand in the queue, with a million behind it, and
// with a million worked off before it. The plans were made while the queue was short.
func TestMillionDrains(t *testing.T) {
	depth := deepQueue
	if n, err := strconv.Atoi(os.Getenv("SLUSE_QUEUE_DEPTH")); err == nil {
		depth = n
	}
	for _, c := range []struct {
		name, table, fill, settle string
		make                      func(*queueing, int)
		work                      func(*queueing, int) int
		queued                    string // how many are left
	}{
		{"in", "message", fillInboxSQL, settleInboxSQL, (*queueing).received, (*queueing).in, `select count(*) from message where state = 'received'`},
		{"out", "outbox", fillOutboxSQL, settleOutboxSQL, (*queueing).ordered, (*queueing).out, `select count(*) from outbox where state = 'queued'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueueing(t)
			measure := func(behind int) time.Duration {
				c.make(q, drained)
				q.wait(time.Second)
				if behind > 0 {
					began := time.Now()
					q.sql(c.fill, behind, q.clock())
					t.Logf("%d rows in %s", behind, time.Since(began).Round(time.Second))
				}
				q.sql(`checkpoint`) // what filling has left to write is not the queue's
				q.wait(time.Minute)
				took := q.drain(drained, func(size int) int { return c.work(q, size) })
				var left int
				must(t, q.db.QueryRow(context.Background(), c.queued).Scan(&left))
				if left != behind {
					t.Errorf("%d are left, want the %d behind", left, behind)
				}
				return took
			}
			measure(0) // what is compiled and remembered the first time
			shallow := measure(shallowQueue)
			q.sql(`delete from ` + c.table + ` where msg_id like 'fill-%'`)
			deep := measure(depth)
			q.sql(c.settle)
			q.sql(`vacuum ` + c.table) // as the database does by itself after some thousand
			after := measure(0)
			q.sql(`delete from ` + c.table + ` where msg_id like 'fill-%'`)
			again := measure(shallowQueue) // the machine may have become another in the meantime
			t.Logf("one message %s: %s and %s with %d queued, %s with %d, %s after %d", c.name, shallow, again, shallowQueue, deep, depth, after, depth)
			shallow = max(shallow, again)
			for what, took := range map[string]time.Duration{"deep": deep, "last": after} {
				if took.Seconds() > slowest*shallow.Seconds() {
					t.Errorf("%s: %.2f times as long as in a short queue", what, took.Seconds()/shallow.Seconds())
				}
			}
		})
	}
}
