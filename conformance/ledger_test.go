package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Whoever holds a checkpoint finds a line of the ledger that was changed, exchanged or taken out
// behind the server's back; put back as it was, it holds again.
func TestChangedLedgerIsFound(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.stop()
	if out, code := s.verify(); code != 0 || !strings.Contains(out, "hold") {
		t.Fatalf("an untouched ledger: exit %d: %s", code, out)
	}
	const pick = `(select key from ledger order by key offset %d limit 1)`
	tenth, eleventh := fmt.Sprintf(pick, 10), fmt.Sprintf(pick, 11)
	exchange := `update ledger a set body = b.body from ledger b where a.key in (` + tenth + `,` + eleventh + `)
		and b.key in (` + tenth + `,` + eleventh + `) and a.key <> b.key`
	for _, step := range []struct {
		name, sql string
		code      int
	}{
		{"two lines exchanged", exchange, 1},
		{"put back", exchange, 0},
		{"a line taken out", `delete from ledger where key = ` + tenth, 1},
	} {
		s.run("--no-story")
		s.tamper(t, step.sql)
		s.stop()
		if out, code := s.verify(); code != step.code {
			t.Errorf("%s: exit %d: %s", step.name, code, out)
		}
	}
}

// verify runs sluse verify on the server's directory with all its checkpoints.
func (s *server) verify() (string, int) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"verify", "--data", s.data}
	files, err := filepath.Glob(filepath.Join(s.data, "checkpoints", "*"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("no checkpoints: %v", err)
	}
	for _, f := range files {
		args = append(args, "--checkpoint", f)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(out), 0
}

// tamper changes the database as somebody with all rights on it can.
func (s *server) tamper(t *testing.T, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "set session_replication_role = replica"); err != nil { // no triggers
		t.Fatal(err)
	}
	tag, err := conn.Exec(ctx, sql)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("%v, %d rows", err, tag.RowsAffected())
	}
}
