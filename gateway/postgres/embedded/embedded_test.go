package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway/postgres/embedded"
)

// What is committed is there after everything was killed, and the same
// directory serves again.
func TestDataSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	s := start(t, embedded.Config{DataDir: dir})
	if err := s.CreateDatabase(t.Context(), "sluse"); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s.DSN("sluse"))
	execute(t, conn, "CREATE TABLE kept (n int)")
	execute(t, conn, "INSERT INTO kept VALUES (42)")
	s.Kill()
	if err := syscall.Kill(s.PID(), 0); err == nil {
		t.Error("the postmaster lives after Kill")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop after kill: %v", err)
	}

	s = start(t, embedded.Config{DataDir: dir})
	if err := s.CreateDatabase(t.Context(), "sluse"); err != nil {
		t.Fatalf("an existing database is no error: %v", err)
	}
	if got := value(t, connect(t, s.DSN("sluse")), "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("kept = %s, want 42", got)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cluster", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a stopped server leaves its pid file: the shutdown was not clean")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	safe := start(t, embedded.Config{DataDir: directory(t), SharedBuffersMB: 32, MaxConnections: 17})
	throwAway := start(t, embedded.Config{DataDir: directory(t), Unsafe: true})
	for _, tt := range []struct{ name, safe, unsafe string }{
		{"listen_addresses", "", ""},
		{"fsync", "on", "off"},
		{"full_page_writes", "on", "off"},
		{"synchronous_commit", "on", "off"},
		{"data_checksums", "on", "on"},
		{"shared_buffers", "32MB", "128MB"},
		{"max_connections", "17", "60"},
		{"server_encoding", "UTF8", "UTF8"},
		{"jit", "off", "off"},
		{"plan_cache_mode", "auto", "auto"},
		{"max_wal_size", "2GB", "2GB"},
	} {
		if got := value(t, connect(t, safe.DSN("postgres")), "SHOW "+tt.name); got != tt.safe {
			t.Errorf("%s = %q, want %q", tt.name, got, tt.safe)
		}
		if got := value(t, connect(t, throwAway.DSN("postgres")), "SHOW "+tt.name); got != tt.unsafe {
			t.Errorf("unsafe: %s = %q, want %q", tt.name, got, tt.unsafe)
		}
	}
}

// Nobody but the server's user and root reaches the socket, and no network does.
func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	s := start(t, embedded.Config{DataDir: dir, Unsafe: true})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("directory of the socket has mode %o, want 700", got)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner == 0 {
		t.Error("the server's directory belongs to root")
	}
	if got := value(t, connect(t, s.DSN("postgres")), "SELECT coalesce(inet_server_addr()::text, 'unix')"); got != "unix" {
		t.Errorf("reached by %s, want a unix socket", got)
	}
}

// A path too long for a unix address gets a short socket directory.
func TestLongDataDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(directory(t), strings.Repeat("long", 20))
	s := start(t, embedded.Config{DataDir: dir, Unsafe: true})
	if strings.Contains(s.DSN("postgres"), dir) {
		t.Errorf("the socket lies in the long directory: %s", s.DSN("postgres"))
	}
	if got := value(t, connect(t, s.DSN("postgres")), "SELECT 'ok'"); got != "ok" {
		t.Error(got)
	}
	socket := strings.Split(s.DSN("postgres"), "'")[1]
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket directory is left behind: %v", err)
	}
}

func TestSecondServerRefused(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	s := start(t, embedded.Config{DataDir: dir, Unsafe: true})
	_, err := embedded.Start(t.Context(), embedded.Config{DataDir: dir, Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "used by another process") {
		t.Fatalf("second start: %v, want a refusal", err)
	}
	if got := value(t, connect(t, s.DSN("postgres")), "SELECT 'ok'"); got != "ok" {
		t.Error("the first server suffered")
	}
}

func TestOtherMajorRefused(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	stop(t, start(t, embedded.Config{DataDir: dir, Unsafe: true}))
	version := filepath.Join(dir, "cluster", "PG_VERSION")
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{DataDir: dir, Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "belongs to PostgreSQL 9") || !strings.Contains(err.Error(), "dump") {
		t.Errorf("start on another major: %v, want a refusal with a hint", err)
	}
}

// A package upgrade under a running server is noticed, and so is a server that
// does not answer with its binary's version.
func TestUpgradeIsNoticed(t *testing.T) {
	t.Parallel()
	real, err := embedded.Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	bin := directory(t)
	link := func(version string) {
		t.Helper()
		script := "#!/bin/sh\nif [ \"$1\" = -V ]; then echo 'postgres (PostgreSQL) " + version + "'; exit; fi\nexec " + real.Dir + "/postgres \"$@\"\n"
		if err := os.WriteFile(filepath.Join(bin, "postgres"), []byte(script), 0o755); err != nil { // must be executable by the server's user
			t.Fatal(err)
		}
	}
	link(real.Version)
	if err := os.Symlink(filepath.Join(real.Dir, "initdb"), filepath.Join(bin, "initdb")); err != nil {
		t.Fatal(err)
	}
	dir := directory(t)
	stop(t, start(t, embedded.Config{DataDir: dir, Unsafe: true}))
	s := start(t, embedded.Config{DataDir: dir, Unsafe: true, BinDir: bin})
	if upgraded, err := s.Upgraded(t.Context()); upgraded || err != nil {
		t.Errorf("before: upgraded %v, %v", upgraded, err)
	}
	link(real.Major() + ".999")
	if upgraded, err := s.Upgraded(t.Context()); !upgraded || err != nil {
		t.Errorf("after: upgraded %v, %v", upgraded, err)
	}
	stop(t, s)
	_, err = embedded.Start(t.Context(), embedded.Config{DataDir: dir, Unsafe: true, BinDir: bin})
	if err == nil || !strings.Contains(err.Error(), "its binary "+real.Major()+".999") {
		t.Errorf("start with another version than the binary's: %v", err)
	}
}

// The remains of an interrupted initdb are no obstacle; a foreign directory is.
func TestInterruptedInitialisation(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	if err := os.MkdirAll(filepath.Join(dir, "cluster.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, embedded.Config{DataDir: dir, Unsafe: true})

	foreign := directory(t)
	if err := os.MkdirAll(filepath.Join(foreign, "cluster", "holiday-photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.Config{DataDir: foreign, Unsafe: true})
	if err == nil || !strings.Contains(err.Error(), "holds no PostgreSQL cluster") {
		t.Errorf("foreign directory: %v, want a refusal", err)
	}
}

// No value of a statement reaches the server's log, whatever goes wrong.
func TestLogHoldsNoValues(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := start(t, embedded.Config{DataDir: directory(t), Unsafe: true, Log: &log})
	conn := connect(t, s.DSN("postgres"))
	execute(t, conn, "CREATE TABLE person (nin text PRIMARY KEY)")
	execute(t, conn, "INSERT INTO person VALUES ($1)", "canary-13897")
	for _, statement := range []string{
		"INSERT INTO person VALUES ('canary-13897')",
		"SELECT 'canary-13897'::int",
		"SELEKT 'canary-13897'",
	} {
		if _, err := conn.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s did not fail", statement)
		}
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO person VALUES ($1)", "canary-13897"); err == nil {
		t.Error("a duplicate was accepted")
	}
	stop(t, s)
	if !strings.Contains(log.String(), "ready to accept connections") {
		t.Errorf("the log holds nothing at all: %s", log.String())
	}
	if strings.Contains(log.String(), "canary-13897") {
		t.Errorf("a value is in the log: %s", log.String())
	}
}

func TestConfigFaultsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := embedded.Start(t.Context(), embedded.Config{SharedBuffersMB: -1, MaxConnections: 1, SocketDir: "/" + strings.Repeat("x", 120)})
	for _, want := range []string{"DataDir", "SharedBuffersMB", "MaxConnections", "SocketDir"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestFindNamesTheRemedy(t *testing.T) {
	if _, err := embedded.Find(t.Context(), t.TempDir()); err == nil {
		t.Error("an empty directory passes for an installation")
	}
	if !strings.Contains(embedded.ErrNoBinaries.Error(), "deploy/ensure-postgres") {
		t.Errorf("%v names no command", embedded.ErrNoBinaries)
	}
}

func start(t *testing.T, c embedded.Config) *embedded.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := embedded.Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// directory is a temporary one that the server's user can reach; the parents
// of t.TempDir are closed to it.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluse")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user passes through
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func stop(t *testing.T, s *embedded.Server) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func value(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	var v string
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}
