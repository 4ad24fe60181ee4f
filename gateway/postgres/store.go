// Package postgres is the gateway.Store on PostgreSQL: resources with their index and history,
// grants, ledger and messages in one database, so that a decision, the rows it is about and the
// line that records it are of one transaction.
//
// The scope of a decision is a predicate of every statement that reads a record; nothing is read
// first and filtered afterwards. Nothing rests on the state of a session, on statistics or on
// notifications, so that the store runs behind a connection pooler and on a database that was
// never analysed.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/audit"
)

// Config wires a Store. DSN, HashKey, Clock and Source are required.
type Config struct {
	DSN      string           // connection string of libpq
	HashKey  [32]byte         // keys every hash of the store; it can never change for a database
	Clock    func() time.Time // the one clock
	MaxConns int32            // connections; 16 when zero
	Source   audit.Source     // the system that the ledger names as its keeper
	// ExecMode is how statements travel; zero caches prepared statements, and their plans, on each
	// connection. pgx.QueryExecModeExec holds no state on a connection, for a pooler in
	// transaction mode.
	ExecMode pgx.QueryExecMode
	Tracer   pgx.QueryTracer // nil: none
	Migrate  bool            // bring the schema up to date first
	Unsafe   bool            // accept settings that lose acknowledged writes: for tests only
	Log      *slog.Logger    // nil: nothing is logged
}

func (c *Config) validate() error {
	missing := ""
	for name, absent := range map[string]bool{
		"DSN": c.DSN == "", "HashKey": c.HashKey == [32]byte{}, "Clock": c.Clock == nil,
		"Source": c.Source.Site == "",
	} {
		if absent {
			missing += " " + name
		}
	}
	if missing != "" {
		return fmt.Errorf("postgres: missing configuration:%s", missing)
	}
	if c.MaxConns <= 0 {
		c.MaxConns = 16
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Store is the gateway.Store. Its methods may be called from many goroutines.
type Store struct {
	pool    *pgxpool.Pool
	clock   func() time.Time
	log     *slog.Logger
	keys    keyring
	source  audit.Source
	unsafe  bool
	ledger  *writer
	listing atomic.Pointer[listing]
}

var _ gateway.Store = (*Store)(nil)

// Open connects, checks schema and settings, and starts the writer of the ledger. Close ends it.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, errors.New("postgres: the connection string cannot be read") // the cause may repeat a password
	}
	config.MaxConns = c.MaxConns
	if c.ExecMode != 0 {
		config.ConnConfig.DefaultQueryExecMode = c.ExecMode
	} else { // statements fix their own way to the rows: a plan made once is as good as one made each time
		config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
		config.ConnConfig.RuntimeParams["jit"] = "off"
	}
	config.ConnConfig.Tracer = c.Tracer
	config.ConnConfig.OnNotice = noticed
	if c.Migrate {
		if err := Migrate(ctx, c.DSN); err != nil {
			return nil, err
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", reduced(err))
	}
	s := &Store{
		pool: pool, clock: c.Clock, log: c.Log, keys: newKeyring(c.HashKey), source: c.Source,
		unsafe: c.Unsafe,
	}
	if err := s.check(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	s.ledger = startWriter(s)
	return s, nil
}

// Close waits for entries under way, then for the connections.
func (s *Store) Close() {
	s.ledger.stop()
	s.pool.Close()
}

// check refuses a database of another schema and one that may lose what it acknowledged.
func (s *Store) check(ctx context.Context) error {
	want, err := schemaVersion()
	if err != nil {
		return err
	}
	var have int64
	if err := s.pool.QueryRow(ctx, schemaSQL).Scan(&have); err != nil {
		var server *pgconn.PgError
		if errors.As(err, &server) && server.Code == "42P01" {
			return errors.New("postgres: the database has no schema yet: run sluse migrate")
		}
		return fmt.Errorf("postgres: schema: %w", reduced(err))
	}
	if have != want {
		return fmt.Errorf("postgres: the database has schema %d, this binary needs %d: run sluse migrate", have, want)
	}
	return s.Settings(ctx)
}

const settingsSQL = `select name, setting from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit') order by name`

// Settings refuses server settings under which an acknowledged write may be lost: fsync and
// full_page_writes must be on, synchronous_commit on or remote_apply. Readiness asks it again,
// since a setting may change while the server runs.
func (s *Store) Settings(ctx context.Context) error {
	if s.unsafe {
		return nil
	}
	rows, err := s.pool.Query(ctx, settingsSQL)
	if err != nil {
		return failure("postgres.settings", err)
	}
	var faults []string
	var name, setting string
	if _, err := pgx.ForEachRow(rows, []any{&name, &setting}, func() error {
		if setting == "on" || (name == "synchronous_commit" && setting == "remote_apply") {
			return nil
		}
		faults = append(faults, name+" = "+setting)
		return nil
	}); err != nil {
		return failure("postgres.settings", err)
	}
	if len(faults) > 0 {
		return gateway.Failed("postgres.settings", gateway.Unavailable,
			errors.New("unsafe settings of PostgreSQL, an acknowledged write could be lost: "+strings.Join(faults, ", ")))
	}
	return nil
}

// Ready tells whether the store may serve: it answers, its settings are safe, and the chain of the
// ledger is at most a second behind.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.Settings(ctx); err != nil {
		return err
	}
	lag, err := s.Lag(ctx)
	if err != nil {
		return err
	}
	if lag > maxLag {
		return gateway.Failed("postgres.ready", gateway.Unavailable, fmt.Errorf("the chain of the ledger is %v behind", lag.Round(time.Millisecond)))
	}
	return nil
}
