// Package embedded runs a private PostgreSQL for one Sluse: a real server in a
// directory of its own, reachable through a unix socket only, that stops with
// the process that started it and finds its data again at the next start.
//
// The server is the distribution's or, where nothing may be installed, the one
// of an npm package; no third dialect and no imitation. The socket lies in a
// directory that only the server's user may enter, which is why trust
// authentication is enough.
package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the role that initdb creates and that every DSN names.
const superuser = "sluse"

// Config says where the private PostgreSQL lives and how much it may use.
type Config struct {
	// DataDir is Sluse's own directory: it is locked, and the cluster lies in
	// its subdirectory "cluster". It is created when missing. Required.
	DataDir string
	// SocketDir holds the unix socket. Default: DataDir when the socket's path
	// then fits into a unix address (107 bytes), else a new short directory
	// under the system's temporary directory, removed by Stop.
	SocketDir string
	// BinDir holds initdb and postgres. Default: see Binaries.
	BinDir string
	// Unsafe turns off fsync, full_page_writes and synchronous_commit. For
	// throw-away clusters of tests only: a crash loses and corrupts data, and
	// the store refuses to run on such a server unless told otherwise.
	Unsafe bool
	// SharedBuffersMB is PostgreSQL's page cache in MiB. Default 128.
	SharedBuffersMB int
	// MaxConnections bounds the concurrent sessions. Default 60.
	MaxConnections int
	// Log receives the server's own log lines, which hold no statements and no
	// values. Default: discarded.
	Log io.Writer
}

func (c Config) withDefaults() Config {
	if c.SharedBuffersMB == 0 {
		c.SharedBuffersMB = 128
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 60
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, errors.New("DataDir is missing"))
	}
	if c.SharedBuffersMB < 1 {
		faults = append(faults, fmt.Errorf("SharedBuffersMB is %d: at least 1", c.SharedBuffersMB))
	}
	if c.MaxConnections < 4 {
		faults = append(faults, fmt.Errorf("MaxConnections is %d: at least 4", c.MaxConnections))
	}
	if c.SocketDir != "" && !fits(c.SocketDir) {
		faults = append(faults, fmt.Errorf("SocketDir is too long: %d bytes leave no room for a unix socket", len(c.SocketDir)))
	}
	return errors.Join(faults...)
}

// Server is one running private PostgreSQL.
type Server struct {
	lock      *os.File
	binaries  Binaries
	account   *account
	cluster   string
	socketDir string
	ownSocket bool
	process   *process
	stop      sync.Once
	stopErr   error
}

// Start makes the cluster if there is none, starts the server and returns when
// it answers a query. It refuses a data directory that another process uses,
// and one whose cluster belongs to another major version of PostgreSQL. A
// server left behind by a killed predecessor is waited for, then ended.
func Start(ctx context.Context, c Config) (*Server, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	dataDir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("embedded: data directory: %w", err)
	}
	s := &Server{cluster: filepath.Join(dataDir, "cluster")}
	started := false
	defer func() {
		if !started {
			s.release()
		}
	}()
	if err := s.prepare(ctx, dataDir, c); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := endPredecessor(ctx, s.cluster); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if err := s.launch(ctx, c); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	started = true
	return s, nil
}

// prepare takes the lock, picks account and binaries, and makes the cluster.
func (s *Server) prepare(ctx context.Context, dataDir string, c Config) (err error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if s.account, err = accountFor(dataDir); err != nil {
		return err
	}
	if s.lock, err = lock(dataDir); err != nil {
		return err
	}
	if err := s.account.give(dataDir); err != nil {
		return err
	}
	major, err := clusterMajor(s.cluster)
	if err != nil {
		return err
	}
	if s.binaries, err = find(ctx, c.BinDir, major); err != nil {
		return err
	}
	if err := s.account.canEnter(s.binaries.Dir); err != nil {
		return err
	}
	if major == "" {
		if err := initialise(ctx, s.binaries, s.account, s.cluster, c.Unsafe); err != nil {
			return err
		}
	}
	s.socketDir, s.ownSocket, err = socketDir(c.SocketDir, dataDir, s.account)
	return err
}

// launch starts the postmaster and waits until it answers. A crashed server's
// last backends may hold the shared memory for a moment: it tries again.
func (s *Server) launch(ctx context.Context, c Config) error {
	for attempt := 0; ; attempt++ {
		tail := &tailWriter{next: c.Log}
		cmd := exec.Command(filepath.Join(s.binaries.Dir, "postgres"), s.arguments(c)...)
		cmd.Dir = s.cluster
		cmd.Env = environment()
		cmd.Stdout, cmd.Stderr = tail, tail
		cmd.SysProcAttr = s.account.attributes()
		p, err := startProcess(cmd)
		if err != nil {
			return fmt.Errorf("start postgres: %w", err)
		}
		s.process = p
		err = s.await(ctx)
		if err == nil {
			return nil
		}
		s.Kill()
		busy := bytes.Contains(tail.Bytes(), []byte("shared memory block")) || bytes.Contains(tail.Bytes(), []byte("lock file"))
		if !busy || attempt == 20 || ctx.Err() != nil {
			return fmt.Errorf("%w: %s", err, tail.Bytes())
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// await returns when the server answers, has ended, or ctx is done. The
// version that answers must be the version of the binary on disk: a package
// upgrade between the two leaves a server that cannot load its own libraries.
func (s *Server) await(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			var version string
			err = conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
			_ = conn.Close(ctx)
			if err == nil && firstWord(version) != s.binaries.Version {
				return fmt.Errorf("server says version %s, its binary %s: start again", firstWord(version), s.binaries.Version)
			}
			if err == nil {
				return nil
			}
		}
		select {
		case <-s.process.done:
			return errors.New("postgres ended at start")
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", ctx.Err())
		default:
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// DSN is the connection string for one database of the server. "postgres"
// always exists; see CreateDatabase for others.
func (s *Server) DSN(database string) string {
	return "host=" + quote(s.socketDir) + " port=" + strconv.Itoa(port) + " user=" + superuser +
		" dbname=" + quote(database) + " sslmode=disable"
}

// CreateDatabase makes a database unless it exists.
func (s *Server) CreateDatabase(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the statement below has told the outcome
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize()); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	return nil
}

// Upgraded reports whether the binaries on disk have changed since the server
// was started, as a package upgrade does. Such a server must be restarted:
// it can no longer load its extensions.
func (s *Server) Upgraded(ctx context.Context) (bool, error) {
	now, err := inspect(ctx, s.binaries.Dir)
	if err != nil {
		return false, fmt.Errorf("embedded: %w", err)
	}
	return now.Version != s.binaries.Version, nil
}

// PID is the process id of the postmaster.
func (s *Server) PID() int { return s.process.pid }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop ends the server by a fast shutdown (SIGINT): sessions are ended, what
// is committed is on disk. When ctx ends first the server is shut down at once
// (SIGQUIT), which costs a recovery at the next start and nothing else. The
// data directory is free for another Start when Stop returns.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		defer s.release()
		if err := s.process.signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.stopErr = fmt.Errorf("embedded: stop: %w", err)
		}
		select {
		case <-s.process.done:
			return
		case <-ctx.Done():
			s.stopErr = fmt.Errorf("embedded: stop: %w", ctx.Err())
		}
		_ = s.process.signal(syscall.SIGQUIT)
		select {
		case <-s.process.done:
		case <-time.After(5 * time.Second):
			s.process.kill()
		}
	})
	return s.stopErr
}

// Kill ends postmaster and backends by SIGKILL, as a power cut would, and
// returns when the postmaster is gone. For tests of durability. The lock on the
// data directory stays with the process until Stop.
func (s *Server) Kill() { s.process.kill() }

// release gives back what Start took, but for the data itself.
func (s *Server) release() {
	if s.ownSocket {
		_ = os.RemoveAll(s.socketDir)
	}
	if s.lock != nil {
		// A child that is being started elsewhere in this process holds a copy until it has become its own program.
		_ = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN)
		_ = s.lock.Close()
	}
}

// tailWriter passes the server's log on and keeps its end for error messages.
type tailWriter struct {
	mu   sync.Mutex
	next io.Writer
	tail []byte
}

func (w *tailWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, p...)
	if over := len(w.tail) - 2048; over > 0 {
		w.tail = append([]byte(nil), w.tail[over:]...)
	}
	_, _ = w.next.Write(p)
	return len(p), nil
}

func (w *tailWriter) Bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.TrimSpace(append([]byte(nil), w.tail...))
}

// quote renders a value of a keyword/value connection string.
func quote(v string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
