// Package postgrestest gives tests a real PostgreSQL: one throw-away cluster
// per test process, one fresh database per call. Nothing is skipped when there
// are no server binaries: the test fails with the command that installs them.
package postgrestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway/postgres/embedded"
)

// reaper waits for the end of the test process (its stdin closes, however the
// process ends), lets the server finish, and removes the cluster.
const reaper = `read -r _; n=0
while [ -e "$2/cluster/postmaster.pid" ] && kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
rm -rf -- "$2"`

var (
	cluster   = sync.OnceValues(start)
	databases atomic.Int64
	templates sync.Map // key → func() (string, error)
)

// Open gives the connection string of a new, empty database, dropped when the
// test ends. Call it from as many tests in parallel as you like.
func Open(tb testing.TB) (dsn string) {
	tb.Helper()
	return create(tb, "template0")
}

// OpenPrepared is Open on a database that prepare has filled, such as with the
// schema. prepare runs once for each key and process; every call gets a copy
// of its own.
func OpenPrepared(tb testing.TB, key string, prepare func(dsn string) error) (dsn string) {
	tb.Helper()
	once, _ := templates.LoadOrStore(key, sync.OnceValues(func() (string, error) {
		name := next("template")
		server, err := cluster()
		if err != nil {
			return "", err
		}
		if err := server.CreateDatabase(context.Background(), name); err != nil {
			return "", err
		}
		return name, prepare(server.DSN(name))
	}))
	name, err := once.(func() (string, error))()
	if err != nil {
		tb.Fatalf("prepare database %q: %v", key, err)
	}
	return create(tb, name)
}

// Server is the cluster of this test process, for tests that look at the
// server itself. It is shared: do not stop it.
func Server(tb testing.TB) *embedded.Server {
	tb.Helper()
	server, err := cluster()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	return server
}

// Dir is a temporary directory that a PostgreSQL started by root can use as its
// data directory: the parents of testing.TB.TempDir are closed to its user.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sluse")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func create(tb testing.TB, template string) string {
	tb.Helper()
	server, name := Server(tb), next("test")
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	tb.Cleanup(func() {
		if err := execute(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return server.DSN(name)
}

func next(prefix string) string { return prefix + "_" + strconv.FormatInt(databases.Add(1), 10) }

func execute(server *embedded.Server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement has told the outcome
	_, err = conn.Exec(ctx, statement)
	return err
}

// start makes the cluster and leaves its removal to the reaper; the server
// itself ends with this process by the kernel's parent-death signal.
func start() (*embedded.Server, error) {
	dir, err := os.MkdirTemp("", "sluse")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{DataDir: dir, Unsafe: true, MaxConnections: 200})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", reaper, "reaper", strconv.Itoa(server.PID()), dir)
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("reaper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("reaper: %w", err)
	}
	go func() { _ = cmd.Wait() }() // holds the pipe open as long as this process lives
	return server, nil
}
