package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/sluse/sluse/gateway/postgres"
	"github.com/sluse/sluse/gateway/postgres/embedded"
)

// migrateCommand brings a database to the schema of this binary, and stores anew what another binary computed
// otherwise. Migrations only go forward, and several processes may run them at once.
type migrateCommand struct {
	Config  string `required:"" type:"existingfile" placeholder:"FILE" help:"Configuration of sluse serve."`
	NewKeys bool   `help:"Make the keys that are missing. For a new database only: with another hash key nothing that is stored is found again."`
}

// Run migrates.
func (m migrateCommand) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	c, err := readConfiguration(m.Config)
	if err != nil {
		return err
	}
	if m.NewKeys {
		if err := makeKeys(c.Keys, c.origin(), rand.Reader); err != nil {
			return err
		}
	}
	if _, err := readKeys(c.Keys); err != nil {
		return err
	}
	db, err := c.Database.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.stop(ctx)) }()
	if err := postgres.Migrate(ctx, db.dsn); err != nil {
		return err
	}
	made, err := postgres.Outline(ctx, db.dsn)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "The database has the schema of this binary. How %d records are cut for others is stored anew.\n", made)
	return err
}

// database is a PostgreSQL that can be reached: a server of one's own, or the private one, which
// lives as long as this process.
type database struct {
	dsn    string
	server *embedded.Server // nil: a server of one's own
}

// open starts the private PostgreSQL where there is one.
func (d databaseEntry) open(ctx context.Context, log *slog.Logger) (*database, error) {
	if d.Data == "" {
		dsn, err := d.connection()
		return &database{dsn: dsn}, err
	}
	server, err := embedded.Start(ctx, embedded.Config{DataDir: d.Data, BinDir: d.Binaries, Log: logLines{ctx, log}})
	if err != nil {
		return nil, err
	}
	db := &database{dsn: server.DSN(databaseName), server: server}
	if err := server.CreateDatabase(ctx, databaseName); err != nil {
		return nil, errors.Join(err, db.stop(ctx))
	}
	return db, nil
}

// lost is closed when the private PostgreSQL has ended; never for a server of one's own.
func (d *database) lost() <-chan struct{} {
	if d.server == nil {
		return nil
	}
	return d.server.Done()
}

func (d *database) stop(ctx context.Context) error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return d.server.Stop(ctx)
}

// databaseName in a private PostgreSQL.
const databaseName = "sluse"

// logLines passes the log of the private PostgreSQL on, line by line.
type logLines struct {
	ctx context.Context //nolint:containedctx // io.Writer has no place for one
	log *slog.Logger
}

// Write logs one or more lines.
func (l logLines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l.log.LogAttrs(l.ctx, slog.LevelDebug, "postgresql", slog.String("line", strings.TrimSpace(line)))
	}
	return len(p), nil
}
