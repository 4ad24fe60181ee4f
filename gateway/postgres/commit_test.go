package postgres

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluse/sluse/gateway"
)

// cutter stands between the store and the server, and can lose an answer: what the server says next
// is thrown away and the connection closed. Or it stops the server after the next answer: instead of being ready for more, it
// ends the connection (PostgreSQL, protocol-message-formats).
type cutter struct {
	dir       string
	cut, stop atomic.Bool
}

const (
	readyForQuery = "Z\x00\x00\x00\x05I"
	stopped       = "SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00"
)

func newCutter(t *testing.T, dsn string) *cutter {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cut")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &cutter{dir: dir}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			go c.answer(client, server)
		}
	}()
	return c
}

func (c *cutter) answer(client, server net.Conn) {
	defer client.Close() //nolint:errcheck // the test's end of it
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if err != nil || c.cut.CompareAndSwap(true, false) {
			return
		}
		said := b[:n]
		performed := said[0] != '1' // ParseComplete: it was only prepared
		end := performed && bytes.HasSuffix(said, []byte(readyForQuery)) && c.stop.CompareAndSwap(true, false)
		if end {
			said = append(said[:n-len(readyForQuery)], 'E', 0, 0, 0, byte(4+len(stopped)))
			said = append(said, stopped...)
		}
		if _, err := client.Write(said); err != nil || end {
			return
		}
	}
}

// through gives the same database by way of the cutter.
func (c *cutter) through(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"host": {c.dir}, "user": {config.User}, "sslmode": {"disable"}}
	return "postgres:///" + config.Database + "?" + q.Encode()
}

// newCutBench is a bench whose one connection goes by way of a cutter.
func newCutBench(t *testing.T) (*bench, *cutter) {
	b := newBench(t)
	var c *cutter
	b.Store = openWith(t, func(config *Config) {
		c = newCutter(t, config.DSN)
		config.DSN, config.MaxConns = c.through(t, config.DSN), 1
	})
	return b, c
}

func TestLostCommitIsUnknownNotDone(t *testing.T) {
	b, c := newCutBench(t)
	b.make(b.draft("100", ref("Goal", "first"), "", gateway.Plan)) // the statement is known to the connection
	d := b.draft("100", ref("Goal", "lost"), "", gateway.Plan)
	e := b.entry("100", d)
	c.cut.Store(true)
	_, err := b.create(b.ctx, own("100"), d, e)
	b.wants(err, gateway.Unavailable)
	if !strings.Contains(err.Error(), "not known") {
		t.Errorf("the error does not tell that the outcome is open: %v", err)
	}
	if n := b.one(`select count(*) from resource where id = 'lost'`); n != 1 {
		t.Errorf("%d rows: the answer was lost, not the write", n)
	}
	err = b.tx(func(tx *Tx) error {
		_, err := tx.put(b.ctx, own("100"), b.draft("100", ref("Goal", "lost2"), "", gateway.Plan))
		c.cut.Store(true)
		return err
	})
	b.wants(err, gateway.Unavailable)
	if n := b.one(`select count(*) from resource where id = 'lost2'`); n != 1 {
		t.Errorf("%d rows: one commit, whose answer was lost", n)
	}
	// a ledger entry is written again under its own id: once, however often the answer was lost
	entry := b.access("200", gateway.Released, 1, "100", "x")
	if err := b.Record(b.ctx, []gateway.AuditEntry{b.access("200", gateway.Released, 1, "100", "y")}, nil); err != nil {
		t.Fatal(err)
	}
	c.cut.Store(true)
	b.wants(b.Record(b.ctx, []gateway.AuditEntry{entry}, nil), gateway.Unavailable)
	if err := b.Record(b.ctx, []gateway.AuditEntry{entry}, nil); err != nil {
		t.Error(err)
	}
	if n := b.one(`select count(*) from ledger where id = $1`, entry.ID); n != 1 {
		t.Errorf("the entry stands %d times", n)
	}
}

// The server tells by a warning only that it did not wait for the standby (PostgreSQL,
// warm-standby: synchronous replication).
func TestCancelledWaitForStandbyIsUnknown(t *testing.T) {
	b := newBench(t)
	notice := &pgconn.Notice{Severity: "WARNING", Routine: "SyncRepWaitForLSN"}
	err := b.tx(func(tx *Tx) error {
		noticed(tx.tx.conn.Conn().PgConn(), notice)
		return nil
	})
	b.wants(err, gateway.Unavailable)
	err = b.single(b.ctx, "postgres.test", func(conn *pgx.Conn) error {
		noticed(conn.PgConn(), notice)
		return nil
	})
	b.wants(err, gateway.Unavailable)
	if err := b.tx(func(*Tx) error { return nil }); err != nil {
		t.Errorf("the doubt stays with the connection: %v", err)
	}
	noticed(nil, &pgconn.Notice{Routine: "other"}) // looks at no connection
}

// A server that is told to stop while it commits says so after it has: nobody knows by that what was kept.
func TestStoppedCommitIsUnknown(t *testing.T) {
	b, c := newCutBench(t)
	for name, write := range map[string]func(*Tx) error{
		"with the commit": func(t *Tx) error {
			t.tx.later("test", writeTurnSQL, []byte("with the commit"), 1)
			return nil
		},
		"before the commit": func(t *Tx) error {
			_, err := t.tx.Exec(b.ctx, writeTurnSQL, []byte("before the commit"), 1)
			return err
		},
	} {
		err := b.tx(func(t *Tx) error {
			err := write(t)
			c.stop.Store(true)
			return err
		})
		b.wants(err, gateway.Unavailable)
		if !strings.Contains(err.Error(), "not known") {
			t.Errorf("%s: the error does not tell that the outcome is open: %v", name, err)
		}
		if n := b.one(`select count(*) from message_turn where key = $1`, []byte(name)); n != 1 {
			t.Errorf("%s: %d rows: the transaction was committed", name, n)
		}
	}
	d := b.draft("100", ref("Goal", "stopped"), "", gateway.Plan)
	c.stop.Store(true)
	_, err := b.create(b.ctx, own("100"), d, b.entry("100", d))
	b.wants(err, gateway.Unavailable)
	if n := b.one(`select count(*) from resource where id = 'stopped'`); n != 1 || !strings.Contains(err.Error(), "not known") {
		t.Errorf("%d rows, told by %v", n, err)
	}
}

// What cannot be sent has no outcome to be unsure of.
func TestWhatCannotBeSentIsNotInDoubt(t *testing.T) {
	b := newBench(t)
	err := b.tx(func(t *Tx) error {
		t.tx.later("test", writeTurnSQL, []byte("never"), "no number")
		return nil
	})
	if err == nil || strings.Contains(err.Error(), "not known") {
		t.Errorf("an argument that cannot be sent: %v", err)
	}
}
