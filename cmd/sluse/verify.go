package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluse/sluse/gateway/audit"
	"github.com/sluse/sluse/gateway/postgres"
)

// verifyCommand checks that the ledger is what it was when the checkpoints were signed.
type verifyCommand struct {
	Config     string   `required:"" xor:"where" type:"existingfile" placeholder:"FILE" help:"Configuration of sluse serve, for the database."`
	Data       string   `required:"" xor:"where" type:"existingdir" placeholder:"DIR" help:"Directory of sluse demo, which must not be running."`
	Checkpoint []string `required:"" type:"existingfile" placeholder:"FILE" help:"File of signed checkpoints, kept outside the database. Several in the order of their days."`
	Public     string   `type:"existingfile" placeholder:"FILE" help:"Public key of the checkpoints. Default: checkpoint.pub of the configured keys."`
}

// Run verifies: exit status 0 when every entry holds, 1 when something was changed.
func (v verifyCommand) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	where, keyDir := databaseEntry{Data: filepath.Join(v.Data, "database")}, filepath.Join(v.Data, "keys")
	if v.Config != "" {
		c, err := readConfiguration(v.Config)
		if err != nil {
			return err
		}
		where, keyDir = c.Database, c.Keys
	}
	keys, err := readKeys(keyDir)
	if err != nil {
		return err
	}
	if v.Public != "" {
		raw, err := os.ReadFile(v.Public)
		if err != nil {
			return err
		}
		keys.public = string(raw)
	}
	db, err := where.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.stop(ctx)) }()
	store, err := postgres.Open(ctx, postgres.Config{
		DSN: db.dsn, HashKey: keys.hash, Clock: time.Now, //nolint:forbidigo // here the clock is chosen
		Source: audit.Source{Site: "sluse verify"}, Log: log,
	})
	if err != nil {
		return err
	}
	defer store.Close()
	verified, err := verifyLedger(ctx, store, keys.public, v.Checkpoint...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%d entries hold.\n", verified)
	return err
}

var errLoose = errors.New("entries were added to the ledger that have no place in its chain")

// verifyLedger walks the ledger against the checkpoints of the files and gives how many entries
// hold; an error names the first change.
func verifyLedger(ctx context.Context, store *postgres.Store, public string, files ...string) (verified int64, err error) {
	var signed []audit.Checkpoint
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		read, err := audit.ReadCheckpoints(f, public)
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		signed = append(signed, read...)
	}
	if verified, err = audit.Verify(store.Entries(ctx), signed...); err != nil {
		return verified, err
	}
	loose, err := store.Loose(ctx)
	if err == nil && loose > 0 {
		err = fmt.Errorf("%w: %d", errLoose, loose)
	}
	return verified, err
}
