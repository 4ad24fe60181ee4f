package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// demoCommand runs Sluse with synthetic persons: a private PostgreSQL, the demo issuer, and the
// story of Kari told over HTTP and XML. Then it serves.
type demoCommand struct {
	Once   bool   `help:"End after the story: 0 when every cell is as the story says, 1 otherwise."`
	Listen string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address of FHIR, messages and the demo issuer."`
	Admin  string `default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Address of health, readiness and metrics."`
	Data   string `placeholder:"DIR" help:"Directory that keeps the data. Default: a temporary one, removed at the end."`

	Notify []string `placeholder:"URL" help:"Where subscribers may be notified: https, or http to a loopback address. May be repeated."`

	NoStory        bool   `hidden:"" help:"Serve the parties and nothing else."`
	StoryOmitLabel string `hidden:"" placeholder:"LABEL" help:"Leave a label out of the first samtykke."`
}

// Run runs the demo.
func (d demoCommand) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	dir, fresh, err := d.directory()
	if err != nil {
		return err
	}
	if d.Data == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	node, err := d.start(ctx, dir, log)
	if err != nil {
		return err
	}
	defer func() {
		if failed := node.stop(); err == nil {
			err = failed
		}
	}()

	at := door{base: node.base, client: &http.Client{Timeout: 30 * time.Second}}
	if err := installParties(ctx, at); err != nil {
		return err
	}
	told := fresh && !d.NoStory
	var faults []string
	if d.Once && !told && !d.NoStory {
		return errors.New("the story has begun in this directory before, and is told once: choose another with --data")
	}
	if told {
		if err := os.WriteFile(filepath.Join(dir, begunFile), nil, 0o600); err != nil {
			return err
		}
		if faults, err = d.tell(ctx, at, node, dir, s.out); err != nil {
			return err
		}
	}
	if d.Once {
		if len(faults) > 0 {
			return exitError(1)
		}
		return nil
	}
	if !fresh && !d.NoStory {
		fmt.Fprintln(s.out, "Fortellingen er fortalt i denne katalogen før; dataene er her.")
	}
	fmt.Fprintf(s.out, "klar: %s (drift: %s)\n", node.base, node.admin)
	if told {
		goOn(s.out, node.base)
	}
	return node.wait()
}

// begunFile marks a directory in which the story has begun: it is told once to a database.
const begunFile = "story.begun"

// directory gives where the data are, and whether the story is still to be told there.
func (d demoCommand) directory() (dir string, fresh bool, err error) {
	if d.Data == "" {
		if dir, err = os.MkdirTemp("", "sluse-demo"); err != nil {
			return "", false, err
		}
		return dir, true, os.Chmod(dir, 0o711) // the database runs as another user when this is root
	}
	if dir, err = filepath.Abs(d.Data); err != nil {
		return "", false, err
	}
	_, err = os.Stat(filepath.Join(dir, begunFile))
	if errors.Is(err, os.ErrNotExist) {
		return dir, true, os.MkdirAll(dir, 0o755)
	}
	return dir, false, err
}

// tell tells the story, verifies the ledger, prints the table, and gives what is otherwise than told.
func (d demoCommand) tell(ctx context.Context, at door, node *node, dir string, out io.Writer) ([]string, error) {
	begun := time.Now()
	s, failure := tellStory(ctx, at, time.Now, d.StoryOmitLabel)
	if failure == nil {
		s.ledgerRow(ctx, node, dir)
	}
	if err := table(out, s.rows); err != nil {
		return nil, err
	}
	faults := differences(s.rows, expected)
	for _, fault := range faults {
		fmt.Fprintln(out, fault)
	}
	if failure != nil {
		fmt.Fprintln(out, failure)
		faults = append(faults, failure.Error())
	}
	if len(faults) == 0 {
		fmt.Fprintf(out, "Alle %d rader er som fortellingen sier (%d ms).\n", len(s.rows), time.Since(begun).Milliseconds())
	}
	return faults, nil
}

// goOn prints lines to go on with.
func goOn(out io.Writer, base string) {
	fmt.Fprintf(out, `
Gå videre:
  curl -s %[1]s/demo/personas
  TOKEN=$(curl -s -X POST '%[1]s/demo/token?persona=ous-tsb' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s %[1]s/fhir/metadata
  curl -s '%[1]s/fhir/Communication?_count=5' -H "Authorization: Bearer $TOKEN"
  curl -s '%[1]s/fhir/AuditEvent?_sort=-date&_count=5' -H "Authorization: Bearer $TOKEN"
Avslutt med Ctrl-C.
`, base)
}
