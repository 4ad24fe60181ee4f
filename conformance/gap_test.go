package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// gap is a place between two steps of receiving or sending a message: a row that is about to be written, or the commit
// of what wrote it. A trigger in the test's own database stops the transaction there, and everything is killed.
type gap struct {
	name  string
	does  string // what is under way: receive, fetch, order, answer; relay is the worker's
	table string
	event string // insert or update
	when  string // condition on the row
	late  bool   // at the commit, when all is written
	// committed: the process is frozen, the commit goes through, and the process dies without having heard of it.
	committed bool
}

var gaps = []gap{
	{name: "before the claim", does: "receive", table: "message", event: "insert", when: "new.state = 'received'"},
	{name: "claimed, before the commit", does: "receive", table: "message", event: "insert", when: "new.state = 'received'", late: true},
	{name: "claim committed, before the effect", does: "receive", table: "message", event: "insert", when: "new.state = 'received'", late: true, committed: true},
	{name: "taken, before it is mapped", does: "receive", table: "message_turn", event: "insert", when: "true"},
	{name: "mapped, before it is stored", does: "receive", table: "resource", event: "insert", when: "true"},
	{name: "stored, before the mailbox", does: "receive", table: "mailbox", event: "insert", when: "not new.apprec"},
	{name: "in the mailbox, before the AppRec", does: "receive", table: "apprec", event: "insert", when: "true"},
	{name: "answered, before the AppRec lies ready", does: "receive", table: "mailbox", event: "insert", when: "new.apprec"},
	{name: "AppRec ready, before it is settled", does: "receive", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'"},
	{name: "settled, before the commit", does: "receive", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true},
	{name: "committed, before the answer", does: "receive", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true, committed: true},

	{name: "before what is fetched is kept", does: "fetch", table: "mailbox", event: "update", when: "old.fetched is null and new.fetched is not null"},
	{name: "fetched, before the commit", does: "fetch", table: "mailbox", event: "update", when: "old.fetched is null and new.fetched is not null", late: true},
	{name: "fetch committed, before the bytes leave", does: "fetch", table: "mailbox", event: "update", when: "old.fetched is null and new.fetched is not null", late: true, committed: true},

	{name: "stored, before the order is queued", does: "order", table: "outbox", event: "insert", when: "true"},
	{name: "queued, before the commit", does: "order", table: "outbox", event: "insert", when: "true", late: true},
	{name: "order committed, before the answer", does: "order", table: "outbox", event: "insert", when: "true", late: true, committed: true},

	{name: "before what the receiver says is kept", does: "answer", table: "statement", event: "insert", when: "true"},
	{name: "kept, before it answers the message", does: "answer", table: "apprec", event: "insert", when: "true"},
	{name: "answered, before the order ends", does: "answer", table: "outbox", event: "update", when: "new.state = 'accepted'"},
	{name: "order ended, before the commit", does: "answer", table: "outbox", event: "update", when: "new.state = 'accepted'", late: true},
	{name: "AppRec committed, before the answer", does: "answer", table: "outbox", event: "update", when: "new.state = 'accepted'", late: true, committed: true},

	{name: "rendered, before it is laid", does: "relay", table: "message", event: "insert", when: "new.state = 'acknowledged' and new.kind <> 'APPREC'"},
	{name: "laid, before the mailbox", does: "relay", table: "mailbox", event: "insert", when: "not new.apprec"},
	{name: "in the mailbox, before it is marked as sent", does: "relay", table: "outbox", event: "update", when: "new.state = 'sent'"},
	{name: "marked, before the commit", does: "relay", table: "outbox", event: "update", when: "new.state = 'sent'", late: true},
	{name: "committed, and the worker knows nothing of it", does: "relay", table: "outbox", event: "update", when: "new.state = 'sent'", late: true, committed: true},
}

// gapLock is the class of the advisory locks that a gap waits on.
const gapLock = 4711

// plantGaps puts the triggers into the database. None stops anything before it is armed.
func plantGaps(t *testing.T, db *pgx.Conn, gaps []gap) {
	t.Helper()
	script := fmt.Sprintf(`
create schema gap;
create table gap.armed (point int primary key, process text); -- the application_name of who is to stop; null: whoever comes
create function gap.stop() returns trigger language plpgsql as $$
begin
  if exists (select from gap.armed a where a.point = tg_argv[0]::int and coalesce(a.process, current_setting('application_name')) = current_setting('application_name')) then
    perform pg_advisory_xact_lock_shared(%d, tg_argv[0]::int);
  end if;
  return new;
end $$;
`, gapLock)
	for i, g := range gaps {
		kind, timing := "trigger", "before "+g.event+" on "+g.table
		if g.late {
			kind, timing = "constraint trigger", "after "+g.event+" on "+g.table+" deferrable initially deferred"
		}
		script += fmt.Sprintf("create %s aaa_gap_%d %s for each row when (%s) execute function gap.stop('%d');\n", kind, i, timing, g.when, i)
	}
	if _, err := db.Exec(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

// dsn is how the private PostgreSQL of the server is reached.
func (s *server) dsn(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "database", "cluster", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return "host=" + strings.Split(string(b), "\n")[4] + " user=sluse dbname=sluse"
}

// database connects to it.
func (s *server) database(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// errand is one thing that somebody does and does again until it is answered, and what must have come of it then.
type errand struct {
	gap  int
	do   func() (answer, error)
	want int // status
	done func()
}

// gapRun is a run of kills, one ward and one database.
type gapRun struct {
	t *testing.T
	*ward
	s       *server
	db      *pgx.Conn
	nins    []string
	own     []string // the bydel's Patients, of the same persons
	counter int
	gaps    []gap
	pids    map[int]uint32 // of who waits in a gap
	process *string        // that alone is stopped; nil: whoever comes first
	stops   map[string]int
	appRecs map[string][]byte // by the MsgId that they answer
}

// killInGaps kills in each gap that often.
func killInGaps(t *testing.T, times int) {
	s := start(t, "--no-story")
	r := &gapRun{t: t, s: s, gaps: gaps, ward: &ward{}, stops: map[string]int{}, appRecs: map[string][]byte{}}
	r.enter(t, s)
	r.prepare()
	for cycle := 0; ; cycle++ {
		relay, others := r.next(times)
		if relay < 0 && len(others) == 0 {
			break
		}
		r.cycle(cycle, relay, others)
		if t.Failed() {
			t.Fatalf("cycle %d", cycle)
		}
	}
	for _, g := range gaps {
		if r.stops[g.name] < times {
			t.Errorf("%q: killed %d times, want %d", g.name, r.stops[g.name], times)
		}
	}
	t.Logf("%d gaps, %v", len(gaps), r.stops)
}

// prepare plants the gaps, and gives each a person of its own about whom the two may write to each other.
func (r *gapRun) prepare() {
	r.t.Helper()
	plantGaps(r.t, r.s.database(r.t), r.gaps)
	everything := []string{"logistikk", "samarbeid", "rus", "psykisk", "somatisk", "demografi", "plan", "uklassifisert", "tjenester"}
	for i := range r.gaps {
		nin := synthetic(5000 + i)
		r.nins = append(r.nins, nin)
		own := r.bydel.create(patient(nin))
		r.own = append(r.own, own)
		r.bydel.create(consent(own, r.bydel.organization, []string{r.hospital.organization}, []string{r.bydel.organization}, everything))
		theirs := r.hospital.create(patient(nin))
		r.hospital.create(consent(theirs, r.hospital.organization, []string{r.bydel.organization}, []string{r.hospital.organization}, everything))
	}
}

// mostStopped is how many transactions stand still at once: the store has 16 connections.
const mostStopped = 11

// next chooses where to kill: one gap of the worker, which is one, and as many others as there is room for; those first
// that have had the fewest.
func (r *gapRun) next(times int) (relay int, others []int) {
	relay = -1
	for count := 0; count < times; count++ {
		for i, g := range r.gaps {
			switch {
			case r.stops[g.name] != count:
			case g.does == "relay" && relay < 0:
				relay = i
			case g.does != "relay" && len(others) < mostStopped:
				others = append(others, i)
			}
		}
	}
	return relay, others
}

// cycle stops errands in their gaps, kills everything, starts it again, does each errand once more, and looks what came
// of them.
func (r *gapRun) cycle(cycle, relay int, others []int) {
	r.db, r.pids = r.s.database(r.t), map[int]uint32{}
	var errands []errand
	for _, i := range others {
		errands = append(errands, r.errand(i))
	}
	lost := make(chan string, len(r.gaps))
	if relay >= 0 {
		e := r.errand(relay)
		errands = append(errands, e)
		r.arm(relay)
		r.perform(e, false)
		r.waits(relay)
	}
	for _, e := range errands {
		if e.gap == relay {
			continue
		}
		r.arm(e.gap)
		go func() {
			if a, err := e.do(); err == nil {
				lost <- fmt.Sprintf("%q was answered: %d %.200s", r.gaps[e.gap].name, a.status, a.body)
				return
			}
			lost <- ""
		}()
		r.waits(e.gap)
	}
	r.die(cycle)
	for range len(errands) - min(1, relay+1) {
		if told := <-lost; told != "" {
			r.t.Error(told)
		}
	}
	r.s.run("--no-story")
	r.enter(r.t, r.s)
	r.db = r.s.database(r.t)
	for _, e := range errands {
		r.perform(e, true)
		r.stops[r.gaps[e.gap].name]++
	}
	for _, e := range errands {
		e.done()
	}
	_ = r.db.Close(r.t.Context())
}

// perform does an errand that must be answered. again: a part of it may have been done before.
func (r *gapRun) perform(e errand, again bool) {
	r.t.Helper()
	a, err := e.do()
	if err != nil || a.status != e.want && (!again || a.status != http.StatusOK && a.status != http.StatusConflict) {
		r.t.Errorf("%q: %v, %d %.300s", r.gaps[e.gap].name, err, a.status, a.body)
	}
}

// arm makes the next transaction that comes to the gap wait there.
func (r *gapRun) arm(i int) {
	r.t.Helper()
	r.sql("select pg_advisory_lock($1, $2)", gapLock, i)
	r.sql("insert into gap.armed values ($1, $2)", i, r.process)
}

func (r *gapRun) sql(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), statement, args...); err != nil {
		r.t.Fatal(err)
	}
}

// waits waits until somebody stands in the gap, and lets nobody else in.
func (r *gapRun) waits(i int) {
	r.t.Helper()
	r.until(fmt.Sprintf("nobody comes to %q", r.gaps[i].name), func() bool {
		var pid uint32
		err := r.db.QueryRow(r.t.Context(), `select pid from pg_locks where locktype = 'advisory' and not granted and classid = $1 and objid = $2`, gapLock, i).Scan(&pid)
		r.pids[i] = pid
		return err == nil
	})
	r.sql("delete from gap.armed where point = $1", i)
}

func (r *gapRun) until(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s\n%s", what, r.s.out)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// die kills the gateway, and every other time its PostgreSQL at the same moment; without its parent that ends by itself,
// and undoes what was under way.
func (r *gapRun) die(cycle int) {
	r.t.Helper()
	frozen := false
	for i, pid := range r.pids {
		if !r.gaps[i].committed {
			continue
		}
		if !frozen {
			_ = r.s.cmd.Process.Signal(syscall.SIGSTOP)
			r.until("the gateway does not stop", func() bool { return still(r.s.cmd.Process.Pid) })
			frozen = true
		}
		r.sql("select pg_advisory_unlock($1, $2)", gapLock, i)
		r.until("no commit at "+r.gaps[i].name, func() bool {
			var state string
			err := r.db.QueryRow(r.t.Context(), `select state from pg_stat_activity where pid = $1`, pid).Scan(&state)
			return err == nil && state == "idle"
		})
	}
	if cycle%2 == 1 {
		r.s.killPostgres()
	}
	r.s.kill()
	_ = r.db.Close(r.t.Context())
}

// still tells whether each thread of a process stands still: a signal is sent before it has been heard.
func still(pid int) bool {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		return true // only Linux tells
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // behind the name of the program
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// errand prepares what is to be interrupted in the gap. Each gap has a person of its own: messages about one follow
// each other.
func (r *gapRun) errand(i int) errand {
	r.t.Helper()
	r.counter++
	name := fmt.Sprintf("gap-%d-%d", i, r.counter)
	switch r.gaps[i].does {
	case "receive":
		sent := admitted(name, r.hospital.herID, r.bydel.herID, r.nins[i], "Sted-"+name+".")
		post := func() (answer, error) { return r.hospital.postMessage(sent) }
		return errand{i, post, http.StatusCreated, func() { r.received(i, name, sent) }}
	case "fetch":
		sent := admitted(name, r.hospital.herID, r.bydel.herID, r.nins[i], "Sted-"+name+".")
		id := r.posted(sent)
		get := func() (answer, error) {
			return r.bydel.try(http.MethodGet, "/edi/Messages/"+id+"/business-document", "", nil)
		}
		return errand{i, get, http.StatusOK, func() {
			first := r.bydel.fetch(r.t, id)
			if again := r.bydel.fetch(r.t, id); !bytes.Equal(first.raw, again.raw) || first.msgID != name {
				r.t.Errorf("%q: fetched twice, other bytes", r.gaps[i].name)
			}
			r.received(i, name, sent)
		}}
	case "answer":
		r.perform(r.order(i, name), false)
		id := r.relayed(name)
		say := func() (answer, error) {
			return r.hospital.try(http.MethodPost, "/edi/Messages/"+id+"/apprec/"+r.hospital.herID, "application/json", []byte(`{"appRecStatus":"Ok"}`))
		}
		return errand{i, say, http.StatusCreated, func() { r.concluded(i, name) }}
	}
	e := r.order(i, name)
	e.done = func() {
		id := r.relayed(name)
		if a, err := r.hospital.try(http.MethodPost, "/edi/Messages/"+id+"/apprec/"+r.hospital.herID, "application/json", []byte(`{"appRecStatus":"Ok"}`)); err != nil || a.status != http.StatusCreated {
			r.t.Errorf("%q: AppRec: %v %d", r.gaps[i].name, err, a.status)
		}
		r.concluded(i, name)
	}
	return e
}

// order is a Communication of the bydel's to the hospital, under an id that it chooses, so that it may ask again.
func (r *gapRun) order(i int, name string) errand {
	id := r.bydel.herID + "-" + name
	body := fmt.Sprintf(`{"resourceType":"Communication","id":%q,"status":"in-progress","subject":{"reference":%q},
	  "category":[{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.8279","code":"DIALOG_HELSEFAGLIG"}]}],"recipient":[{"reference":%q}],
	  "topic":{"coding":[{"system":"urn:oid:2.16.578.1.12.4.1.1.7322","code":"7"}],"text":"Mottak"},"payload":[{"contentString":"Ord-%s."}]}`,
		id, r.own[i], r.hospital.organization, name)
	put := func() (answer, error) {
		return r.bydel.try(http.MethodPut, "/fhir/Communication/"+id, "application/fhir+json", []byte(body))
	}
	return errand{gap: i, do: put, want: http.StatusCreated}
}

// posted hands in a message that must be taken in, and gives its id.
func (r *gapRun) posted(sent string) (id string) {
	r.t.Helper()
	a, err := r.hospital.postMessage(sent)
	if err != nil || a.status != http.StatusCreated || json.Unmarshal(a.body, &id) != nil {
		r.t.Fatalf("%v, %d %s", err, a.status, a.body)
	}
	return id
}

// received asserts that a message has one effect: one record, one line in the receiver's mailbox, and one AppRec, the
// same bytes however often it is asked for.
func (r *gapRun) received(i int, name, sent string) {
	r.t.Helper()
	var appRec []byte
	for n := range 2 {
		count := 0
		r.until("no AppRec for "+name, func() bool {
			r.drain(r.t, r.hospital, func(d document) {
				if d.kind != "AppRec" {
					return
				}
				if d.status != "1" {
					r.t.Errorf("%q: AppRec %s %s", r.gaps[i].name, d.status, d.reason)
				}
				if before, there := r.appRecs[d.original]; there && !bytes.Equal(before, d.raw) {
					r.t.Errorf("%q: another AppRec for %s", r.gaps[i].name, d.original)
				}
				r.appRecs[d.original] = d.raw
				if d.original == name {
					count++
				}
			})
			return r.appRecs[name] != nil
		})
		if n > 0 && count != 1 {
			r.t.Errorf("%q: %d AppRecs for a repetition", r.gaps[i].name, count)
		}
		if n > 0 && !bytes.Equal(appRec, r.appRecs[name]) {
			r.t.Errorf("%q: the repetition has another AppRec", r.gaps[i].name)
		}
		appRec = r.appRecs[name]
		r.posted(sent)
	}
	r.rows(i, name, `select count(*) from apprec a join message m on m.id = a.message where m.msg_id = $1`)
	r.rows(i, name, `select count(*) from mailbox b join message m on m.id = b.message where m.msg_id = $1`)
	found := map[string]int{}
	r.effects(r.t, r.own[i], found)
	if found[name] != 1 {
		r.t.Errorf("%q: %d effects of %s", r.gaps[i].name, found[name], name)
	}
}

// rows asserts that there is one.
func (r *gapRun) rows(i int, name, statement string) {
	r.t.Helper()
	var n int
	if err := r.db.QueryRow(r.t.Context(), statement, name).Scan(&n); err != nil || n != 1 {
		r.t.Errorf("%q: %d rows for %s (%v): %s", r.gaps[i].name, n, name, err, statement)
	}
}

// relayed waits until the order lies in the hospital's mailbox, and gives the id of the one message.
func (r *gapRun) relayed(name string) (id string) {
	r.t.Helper()
	r.until("nothing is sent of "+name, func() bool {
		err := r.db.QueryRow(r.t.Context(), `select message::text from outbox where communication = $1 and message is not null`, r.bydel.herID+"-"+name).Scan(&id)
		return err == nil
	})
	d := r.hospital.fetch(r.t, id)
	if again := r.hospital.fetch(r.t, id); !bytes.Equal(d.raw, again.raw) || !bytes.Contains(d.raw, []byte("Ord-"+name+".")) {
		r.t.Errorf("the document of %s is not one", name)
	}
	return id
}

// concluded asserts that an order was sent once and ended: one message, one AppRec, and the Communication completed.
func (r *gapRun) concluded(i int, name string) {
	r.t.Helper()
	r.rows(i, r.bydel.herID+"-"+name, `select count(*) from message_record r join message m on m.id = r.message where r.type = 'Communication' and r.id = $1`)
	r.rows(i, r.bydel.herID+"-"+name, `select count(*) from outbox o join mailbox b on b.message = o.message and b.receiver = o.receiver where o.communication = $1`)
	r.rows(i, r.bydel.herID+"-"+name, `select count(*) from outbox o join apprec a on a.message = o.message join statement s on s.document = a.document join message d on d.id = a.document where o.communication = $1`)
	a := r.bydel.must(http.StatusOK, http.MethodGet, "/fhir/Communication/"+r.bydel.herID+"-"+name, nil)
	if !strings.Contains(string(a.body), `"status":"completed"`) {
		r.t.Errorf("%q: %s", r.gaps[i].name, a.body)
	}
}

// TestKilledInEachGap kills in each gap of receiving, fetching, ordering, sending and answering, once; the soak a hundred
// times. Whatever was under way is done once when its sender asks again, and has one AppRec.
func TestKilledInEachGap(t *testing.T) { killInGaps(t, 1) }
