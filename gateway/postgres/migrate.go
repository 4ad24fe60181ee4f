package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock is the advisory lock under which one process at a time migrates.
const migrationLock int64 = 0x536c757365 // "Sluse"

// Migrate brings the database to the schema of this binary. Migrations only go forward. Several
// processes may call it at once: one works, the others wait and find it done. The lock is of a
// transaction, so that it holds behind pgbouncer too.
func Migrate(ctx context.Context, dsn string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("postgres: the connection string cannot be read") // the cause may repeat a password
	}
	guard, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", reduced(err))
	}
	defer guard.Close(context.WithoutCancel(ctx)) //nolint:errcheck // ends the lock's transaction, whatever it says
	tx, err := guard.Begin(ctx)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", reduced(err))
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("postgres: migrate: %w", reduced(err))
	}
	db := stdlib.OpenDB(*config)
	defer db.Close() //nolint:errcheck // the provider has told the outcome
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	return nil
}

// schemaVersion is the number of the last migration that this binary knows.
func schemaVersion() (int64, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("postgres: no migrations embedded")
	}
	var last int64
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("postgres: migration without a number: %w", err)
		}
		last = max(last, n)
	}
	return last, nil
}

const schemaSQL = `select coalesce(max(version_id), 0) from goose_db_version where is_applied`
