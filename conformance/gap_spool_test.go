package conformance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// spoolGaps are the gaps of a transport by a directory: between what is done with a file and what the database says of it.
// In: what comes by in/, and its AppRec, which leaves by out/. Out: what is ordered, and leaves by out/.
var spoolGaps = []gap{
	{name: "read, before the claim", does: "in", table: "message", event: "insert", when: "new.state = 'received'"},
	{name: "claimed, before the commit", does: "in", table: "message", event: "insert", when: "new.state = 'received'", late: true},
	{name: "claim committed, and the file lies there", does: "in", table: "message", event: "insert", when: "new.state = 'received'", late: true, committed: true},
	{name: "settled, before the commit", does: "in", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true},
	{name: "settled, and the file lies there", does: "in", table: "message", event: "update", when: "old.state = 'received' and new.state = 'acknowledged'", late: true, committed: true},

	{name: "AppRec, before the try is counted", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.tries > old.tries"},
	{name: "AppRec, counted, before its file is written", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.tries > old.tries", late: true, committed: true},
	{name: "AppRec, its file written, before it is marked", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.reference is not null and old.reference is null"},
	{name: "AppRec, marked, and the carrier knows nothing", does: "in", table: "mailbox", event: "update", when: "new.apprec and new.reference is not null and old.reference is null", late: true, committed: true},

	{name: "before the try is counted", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries"},
	{name: "counted, before the commit", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries", late: true},
	{name: "counted, before the file is written", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.tries > old.tries", late: true, committed: true},
	{name: "file written, before what has left is kept", does: "out", table: "mailbox", event: "update", when: "not new.apprec and old.fetched is null and new.fetched is not null"},
	{name: "kept, before it is marked", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null"},
	{name: "marked, before the commit", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null", late: true},
	{name: "marked, and the carrier knows nothing", does: "out", table: "mailbox", event: "update", when: "not new.apprec and new.reference is not null and old.reference is null", late: true, committed: true},
}

// spoolRun kills a process that carries by a spool, beside a server that lives on; the test is the other side of it.
type spoolRun struct {
	*gapRun
	directory string
	keys      []byte
	carrier   *exec.Cmd
	taken     map[string][]byte // files of out/ that the other side has taken away, by name
}

// serve starts the process that carries.
func (r *spoolRun) serve() {
	r.t.Helper()
	r.carrier, _ = beside(r.t, r.s, r.keys, fmt.Sprintf("transports: [{name: spool, receivers: [%s], spool: %q}]\n", r.hospital.herID, r.directory))
}

// end waits for the end of the process after the signal.
func (r *spoolRun) end(signal syscall.Signal) {
	_ = r.carrier.Process.Signal(signal)
	_ = r.carrier.Wait()
}

// lay puts a document into in/ as the other side does: whole, by a rename.
func (r *spoolRun) lay(name, text string) {
	r.t.Helper()
	half := filepath.Join(r.directory, name)
	err := os.WriteFile(half, []byte(text), 0o600)
	if err == nil {
		err = os.Rename(half, filepath.Join(r.directory, "in", name+".xml"))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// files gives the files of a directory of the spool that hold the text.
func (r *spoolRun) files(directory, text string) map[string][]byte {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.directory, directory))
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(r.directory, directory, e.Name()))
		if err != nil && !os.IsNotExist(err) { // moved meanwhile
			r.t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			found[e.Name()] = b
		}
	}
	return found
}

// take takes away what lies in out/ with the text, as the other side does. What comes again is the same file.
func (r *spoolRun) take(text string) (count int) {
	r.t.Helper()
	for name, b := range r.files("out", text) {
		if !bytes.HasSuffix(bytes.TrimSpace(b), []byte(">")) || !bytes.HasPrefix(b, []byte("<?xml")) {
			r.t.Errorf("%s is not whole", name)
		}
		if before, again := r.taken[name]; again && !bytes.Equal(before, b) {
			r.t.Errorf("%s comes again with other bytes", name)
		}
		r.taken[name] = b
		count++
		if err := os.Remove(filepath.Join(r.directory, "out", name)); err != nil {
			r.t.Fatal(err)
		}
	}
	return count
}

// everTaken counts the files with the text that were ever taken.
func (r *spoolRun) everTaken(text string) (count int) {
	for _, b := range r.taken {
		if bytes.Contains(b, []byte(text)) {
			count++
		}
	}
	return count
}

// kill stops what is under way in the gap, kills the process there, and starts it again.
func (r *spoolRun) kill(i int) {
	r.t.Helper()
	g := r.gaps[i]
	name := fmt.Sprintf("spool-%d", i)
	r.arm(i)
	text, sent := "Ord-"+name+".", ""
	if g.does == "in" {
		text, sent = ">"+name+"<", admitted(name, r.hospital.herID, r.bydel.herID, r.nins[i], "Sted-"+name+".")
		r.lay(name, sent)
	} else {
		r.perform(r.order(i, name), false)
	}
	r.waits(i)
	if g.committed {
		_ = r.carrier.Process.Signal(syscall.SIGSTOP)
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
	r.tear(g, name)
	r.sql("update mailbox set next_at = now() where next_at > now()") // the time that a try may take has passed
	r.serve()
	if g.does == "in" {
		r.arrived(i, name, sent)
	} else {
		r.left(i, name)
	}
}

// backend is what the server process that stood in the gap does; "" when it is gone.
func (r *spoolRun) backend(i int) (state string) {
	_ = r.db.QueryRow(r.t.Context(), `select state from pg_stat_activity where pid = $1`, r.pids[i]).Scan(&state)
	return state
}

// tear leaves what a write leaves that was killed half-way.
func (r *spoolRun) tear(g gap, name string) {
	r.t.Helper()
	statement, key := `select message::text || '-' || receiver from outbox where communication = $1`, r.bydel.herID+"-"+name
	if g.does == "in" {
		statement, key = `select a.document::text || '-' || m.sender from apprec a join message m on m.id = a.message where m.msg_id = $1`, name
	}
	if !strings.HasSuffix(g.name, "file is written") {
		return
	}
	var file string
	err := r.db.QueryRow(r.t.Context(), statement, key).Scan(&file)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.directory, "tmp", file+".xml"), []byte("<?xml version=\"1.0\"?>\n<Halv"+strings.Repeat("x", 100_000)), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// arrived asserts that what lay in in/ has one effect and one AppRec, the same bytes however often it is laid there, and that
// the file is among those taken in, once.
func (r *spoolRun) arrived(i int, name, sent string) {
	r.t.Helper()
	for n := range 2 {
		if n == 1 || r.everTaken(">"+name+"<") == 0 {
			r.until("no AppRec for "+name, func() bool { return r.take(">"+name+"<") > 0 })
		}
		r.until(name+" still lies in in/", func() bool { return len(r.files("in", "")) == 0 })
		if n == 0 {
			r.lay(name, sent)
		}
	}
	if n := r.everTaken(">" + name + "<"); n != 1 {
		r.t.Errorf("%q: %d AppRecs", r.gaps[i].name, n)
	}
	for file, b := range r.taken {
		if bytes.Contains(b, []byte(">"+name+"<")) && !bytes.Contains(b, []byte(`<Status V="1"`)) {
			r.t.Errorf("%q: %s says no: %s", r.gaps[i].name, file, b)
		}
	}
	if n := len(r.files("done", ">"+name+"<")); n != 1 {
		r.t.Errorf("%q: %d files in done", r.gaps[i].name, n)
	}
	r.rows(i, name, `select count(*) from apprec a join message m on m.id = a.message where m.msg_id = $1`)
	r.rows(i, name, `select count(*) from mailbox b join message m on m.id = b.message where m.msg_id = $1`)
	found := map[string]int{}
	r.effects(r.t, r.own[i], found)
	if found[name] != 1 {
		r.t.Errorf("%q: %d effects of %s", r.gaps[i].name, found[name], name)
	}
}

// left asserts that what was ordered leaves as one file, and that its order ends by one AppRec.
func (r *spoolRun) left(i int, name string) {
	r.t.Helper()
	communication := r.bydel.herID + "-" + name
	var message string
	r.until(name+" does not leave", func() bool {
		var state string
		err := r.db.QueryRow(r.t.Context(), `select state, message::text from outbox where communication = $1`, communication).Scan(&state, &message)
		return err == nil && state == "delivered"
	})
	r.take("Ord-" + name + ".")
	if n := r.everTaken("Ord-" + name + "."); n != 1 || r.taken[message+"-"+r.hospital.herID+".xml"] == nil {
		r.t.Errorf("%q: %d files", r.gaps[i].name, n)
	}
	if a, err := r.hospital.try(http.MethodPost, "/edi/Messages/"+message+"/apprec/"+r.hospital.herID, "application/json", []byte(`{"appRecStatus":"Ok"}`)); err != nil || a.status != http.StatusCreated {
		r.t.Errorf("%q: AppRec: %v %d", r.gaps[i].name, err, a.status)
	}
	r.concluded(i, name)
}

// TestKilledInEachGapOfTheSpool kills in each gap of carrying by a directory, once: nothing is lost, and what comes again is
// the same file. What was marked as sent does not come again.
func TestKilledInEachGapOfTheSpool(t *testing.T) {
	s := start(t, "--no-story")
	r := &spoolRun{
		gapRun:    &gapRun{t: t, s: s, gaps: spoolGaps, ward: &ward{}, pids: map[int]uint32{}},
		directory: dataDir(t), taken: map[string][]byte{},
	}
	_, r.keys = signerKeys(t)
	r.enter(t, s)
	r.prepare()
	r.db = s.database(t)
	r.serve()
	t.Cleanup(func() { r.end(syscall.SIGTERM) })
	for i := range spoolGaps {
		if r.kill(i); t.Failed() {
			t.Fatalf("%q", spoolGaps[i].name)
		}
	}
	r.end(syscall.SIGTERM)
	for name := range r.files("out", "Ord-") {
		t.Errorf("%s comes again after its end", name)
	}
	r.take("") // an AppRec may, when its message was laid again: the same
	for name := range r.files("failed", "") {
		t.Errorf("%s was not taken in", name)
	}
}
