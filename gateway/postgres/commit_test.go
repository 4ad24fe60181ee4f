package postgres

import (
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
// is thrown away and the connection closed.
type cutter struct {
	dir string
	cut atomic.Bool
}

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
		if _, err := client.Write(b[:n]); err != nil {
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

func TestLostCommitIsUnknownNotDone(t *testing.T) {
	b := newBench(t)
	var c *cutter
	b.Store = openWith(t, func(config *Config) {
		c = newCutter(t, config.DSN)
		config.DSN, config.MaxConns = c.through(t, config.DSN), 1
	})
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
