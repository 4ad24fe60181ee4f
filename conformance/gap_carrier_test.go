package conformance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// carrierGaps are the gaps of a transport to another side: between what is done with what it carries and what the database
// says of it. In: what comes, and its AppRec, which leaves the same way. Out: what is ordered, and leaves.
var carrierGaps = []gap{
	{name: "read, before the claim", does: "in", table: "message", event: "insert", when: "new.state = 'received'"},
	{name: "claimed, before the commit", does: "in", table: "message", event: "insert", when: "new.state = 'received'", late: true},
	{name: "claim committed, and it lies there still", does: "in", table: "message", event: "insert", when: "new.state = 'received'", late: true, committed: true},
	{name: "settled, before the commit", does: "in", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true},
	{name: "settled, and it lies there still", does: "in", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true, committed: true},

	{name: "AppRec, before the try is counted", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.tries > old.tries"},
	{name: "AppRec, counted, before it is handed over", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.tries > old.tries", late: true, committed: true},
	{name: "AppRec, handed over, before it is marked", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.reference is not null and old.reference is null"},
	{name: "AppRec, marked, and the carrier knows nothing", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.reference is not null and old.reference is null", late: true, committed: true},

	{name: "before the try is counted", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries"},
	{name: "counted, before the commit", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries", late: true},
	{name: "counted, before it is handed over", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries", late: true, committed: true},
	{name: "handed over, before what has left is kept", does: "out", table: "mailbox", event: "update", when: "not new.apprec and old.fetched is null and new.fetched is not null"},
	{name: "kept, before it is marked", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null"},
	{name: "marked, before the commit", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null", late: true},
	{name: "marked, and the carrier knows nothing", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null", late: true, committed: true},
}

// otherSide is whom a transport carries to and from, played by the test.
type otherSide interface {
	// configuration is the transport as a line of sluse.yaml.
	configuration(receiver, mine string) string
	// lay hands over a document of the hospital's.
	lay(name, text string)
	// collect takes away what has left, by the name of its parcel.
	collect() map[string][]byte
	// tear leaves what handing over leaves that was killed half-way.
	tear(parcel string)
	// takenIn tells whether what was laid was taken away by the carrier, as far as can be seen.
	takenIn(name string) bool
	// rest gives, after the end, what was neither taken in nor taken away, and what was refused.
	rest() []string
}

// carrierRun kills a process that carries by a transport, beside a server that lives on.
type carrierRun struct {
	*gapRun
	other   otherSide
	keys    []byte
	carrier *exec.Cmd
	taken   map[string][]byte // documents that the other side has taken away, by the name of the parcel
}

// killCarrier kills in each gap of carrying by a transport, once: nothing is lost, and what comes again is the same. What
// was marked as sent does not come again.
func killCarrier(t *testing.T, to func(r *carrierRun) otherSide) {
	s := start(t, "--no-story")
	process := "beside" // the server takes up what lies there too
	r := &carrierRun{gapRun: &gapRun{t: t, s: s, gaps: carrierGaps, ward: &ward{}, pids: map[int]uint32{}, process: &process}, taken: map[string][]byte{}}
	_, r.keys = signerKeys(t)
	r.enter(t, s)
	r.prepare()
	r.db = s.database(t)
	r.other = to(r)
	r.serve()
	t.Cleanup(func() { r.end(syscall.SIGKILL) }) // it may stand still
	for i := range r.gaps {
		if r.kill(i); t.Failed() {
			t.Fatalf("%q", r.gaps[i].name)
		}
	}
	r.end(syscall.SIGTERM)
	for name, b := range r.other.collect() {
		if before, again := r.taken[name]; !again || !bytes.Equal(before, b) || bytes.Contains(b, []byte("Ord-")) {
			t.Errorf("%s comes after the end", name) // an AppRec may come again, when its message was laid again
		}
	}
	for _, left := range r.other.rest() {
		t.Error(left)
	}
}

// serve starts the process that carries.
func (r *carrierRun) serve() {
	r.t.Helper()
	r.carrier, _ = beside(r.t, r.s, r.keys, "transports: ["+r.other.configuration(r.hospital.herID, r.bydel.herID)+"]\n")
}

// end waits for the end of the process after the signal.
func (r *carrierRun) end(signal syscall.Signal) {
	_ = r.carrier.Process.Signal(signal)
	_ = r.carrier.Wait()
}

// take takes away what has left, and tells how many documents with the text were among it. What comes again is the same.
func (r *carrierRun) take(text string) (count int) {
	r.t.Helper()
	for name, b := range r.other.collect() {
		if !bytes.HasSuffix(bytes.TrimSpace(b), []byte(">")) || !bytes.HasPrefix(b, []byte("<?xml")) {
			r.t.Errorf("%s is not whole", name)
		}
		if before, again := r.taken[name]; again && !bytes.Equal(before, b) {
			r.t.Errorf("%s comes again with other bytes", name)
		}
		r.taken[name] = b
		if bytes.Contains(b, []byte(text)) {
			count++
		}
	}
	return count
}

// everTaken counts the documents with the text that were ever taken.
func (r *carrierRun) everTaken(text string) (count int) {
	for _, b := range r.taken {
		if bytes.Contains(b, []byte(text)) {
			count++
		}
	}
	return count
}

// kill stops what is under way in the gap, kills the process there, and starts it again.
func (r *carrierRun) kill(i int) {
	r.t.Helper()
	g := r.gaps[i]
	name, text, sent := r.begin(i)
	for n := 0; !r.comes(i, name) && n < 5; n++ {
		r.sql("delete from gap.armed where point = $1", i)
		r.sql("select pg_advisory_unlock($1, $2)", gapLock, i)
		name, text, sent = r.begin(i)
	}
	r.waits(i)
	if g.committed {
		_ = r.carrier.Process.Signal(syscall.SIGSTOP)
		r.until("the carrier does not stop", func() bool { return still(r.carrier.Process.Pid) })
		r.sql("select pg_advisory_unlock($1, $2)", gapLock, i)
		r.until("no commit at "+g.name, func() bool { return r.backend(i) == "idle" })
	}
	r.end(syscall.SIGKILL)
	if !g.committed { // nothing of what was under way goes on without its process
		r.sql("select pg_terminate_backend($1)", r.pids[i])
		r.until("it goes on at "+g.name, func() bool { return r.backend(i) == "" })
		r.sql("select pg_advisory_unlock($1, $2)", gapLock, i)
	}
	r.take(text)
	if strings.HasSuffix(g.name, "before it is handed over") {
		r.other.tear(r.parcel(g, name))
	}
	r.sql("update mailbox set next_at = now() where next_at > now()") // the time that a try may take has passed
	r.serve()
	if g.does == "in" {
		r.arrived(i, name, sent)
	} else {
		r.left(i, name)
	}
}

// begin lays a document, or orders one, that is to stop in the gap.
func (r *carrierRun) begin(i int) (name, text, sent string) {
	r.t.Helper()
	r.counter++
	name = fmt.Sprintf("carrier-%d-%d", i, r.counter)
	r.arm(i)
	if r.gaps[i].does != "in" {
		r.perform(r.order(i, name), false)
		return name, "Ord-" + name + ".", ""
	}
	sent = admitted(name, r.hospital.herID, r.bydel.herID, r.nins[i], "Sted-"+name+".")
	r.other.lay(name, sent)
	return name, ">" + name + "<", sent
}

// comes waits until the carrier stands in the gap. It is false when the server has settled what was claimed before the
// carrier could: both take up what lies there.
func (r *carrierRun) comes(i int, name string) (came bool) {
	r.t.Helper()
	r.until(fmt.Sprintf("nobody comes to %q", r.gaps[i].name), func() bool {
		var settled bool
		err := r.db.QueryRow(r.t.Context(), `select exists (select from message where msg_id = $1 and state = 'acknowledged') and $2 = 'message'`, name, r.gaps[i].table).Scan(&settled)
		if err != nil {
			r.t.Fatal(err)
		}
		err = r.db.QueryRow(r.t.Context(), `select true from pg_locks where locktype = 'advisory' and not granted and classid = $1 and objid = $2`, gapLock, i).Scan(&came)
		return err == nil || settled
	})
	return came
}

// backend is what the server process that stood in the gap does; "" when it is gone.
func (r *carrierRun) backend(i int) (state string) {
	_ = r.db.QueryRow(r.t.Context(), `select state from pg_stat_activity where pid = $1`, r.pids[i]).Scan(&state)
	return state
}

// parcel is the name under which leaves what is under way.
func (r *carrierRun) parcel(g gap, name string) (parcel string) {
	r.t.Helper()
	statement, key := `select message::text || '-' || receiver from outbox where communication = $1`, r.bydel.herID+"-"+name
	if g.does == "in" {
		statement, key = `select a.document::text || '-' || m.sender from apprec a join message m on m.id = a.message where m.msg_id = $1`, name
	}
	if err := r.db.QueryRow(r.t.Context(), statement, key).Scan(&parcel); err != nil {
		r.t.Fatal(err)
	}
	return parcel
}

// arrived asserts that what was laid has one effect and one AppRec, the same bytes however often it is laid, and that it is
// taken in.
func (r *carrierRun) arrived(i int, name, sent string) {
	r.t.Helper()
	for n := range 2 {
		if n == 1 || r.everTaken(">"+name+"<") == 0 {
			r.until("no AppRec for "+name, func() bool { return r.take(">"+name+"<") > 0 })
		}
		r.until(name+" still lies there", func() bool { return r.other.takenIn(name) })
		if n == 0 {
			r.other.lay(name, sent)
		}
	}
	if n := r.everTaken(">" + name + "<"); n != 1 {
		r.t.Errorf("%q: %d AppRecs", r.gaps[i].name, n)
	}
	for parcel, b := range r.taken {
		if bytes.Contains(b, []byte(">"+name+"<")) && !bytes.Contains(b, []byte(`<Status V="1"`)) {
			r.t.Errorf("%q: %s says no: %s", r.gaps[i].name, parcel, b)
		}
	}
	r.rows(i, name, `select count(*) from apprec a join message m on m.id = a.message where m.msg_id = $1`)
	r.rows(i, name, `select count(*) from mailbox b join message m on m.id = b.message where m.msg_id = $1`)
	found := map[string]int{}
	r.effects(r.t, r.own[i], found)
	if found[name] != 1 {
		r.t.Errorf("%q: %d effects of %s", r.gaps[i].name, found[name], name)
	}
}

// left asserts that what was ordered leaves as one document, and that its order ends by one AppRec.
func (r *carrierRun) left(i int, name string) {
	r.t.Helper()
	communication := r.bydel.herID + "-" + name
	var message string
	r.until(name+" does not leave", func() bool {
		var state string
		err := r.db.QueryRow(r.t.Context(), `select state, message::text from outbox where communication = $1`, communication).Scan(&state, &message)
		return err == nil && state == "delivered"
	})
	r.take("Ord-" + name + ".")
	if n := r.everTaken("Ord-" + name + "."); n != 1 || r.taken[message+"-"+r.hospital.herID] == nil {
		r.t.Errorf("%q: %d documents", r.gaps[i].name, n)
	}
	if a, err := r.hospital.try(http.MethodPost, "/edi/Messages/"+message+"/apprec/"+r.hospital.herID, "application/json", []byte(`{"appRecStatus":"Ok"}`)); err != nil || a.status != http.StatusCreated {
		r.t.Errorf("%q: AppRec: %v %d", r.gaps[i].name, err, a.status)
	}
	r.concluded(i, name)
}
