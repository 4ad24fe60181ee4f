package postgrestest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluse/sluse/gateway/postgres/postgrestest"
)

func TestMain(m *testing.M) {
	if os.Getenv("POSTGRESTEST_CHILD") != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	one, two := connect(t, postgrestest.Open(t)), connect(t, postgrestest.Open(t))
	if _, err := one.Exec(ctx, "CREATE TABLE only_here (n int)"); err != nil {
		t.Fatal(err)
	}
	var seen *string
	if err := two.QueryRow(ctx, "SELECT to_regclass('only_here')::text").Scan(&seen); err != nil {
		t.Fatal(err)
	}
	if seen != nil {
		t.Error("a table of one database is seen in another")
	}
}

func TestPreparedOnceForEachKey(t *testing.T) {
	t.Parallel()
	runs := 0
	prepare := func(dsn string) error {
		runs++
		conn, err := pgx.Connect(context.Background(), dsn)
		if err != nil {
			return err
		}
		_, err = conn.Exec(context.Background(), "CREATE TABLE prepared (n int); INSERT INTO prepared VALUES (7)")
		return errors.Join(err, conn.Close(context.Background()))
	}
	for range 2 {
		conn := connect(t, postgrestest.OpenPrepared(t, t.Name(), prepare))
		var n int
		if err := conn.QueryRow(t.Context(), "UPDATE prepared SET n = n + 1 RETURNING n").Scan(&n); err != nil || n != 8 {
			t.Errorf("copy holds %d, %v; want 8, nil", n, err)
		}
	}
	if runs != 1 {
		t.Errorf("prepared %d times, want once", runs)
	}
}

// A killed test process leaves neither server nor files.
func TestKilledProcessLeavesNothing(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "POSTGRESTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child: %v", err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscanf(line, "%d %s", &pid, &dir); err != nil {
		t.Fatalf("child says %q: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(15 * time.Second)
	for {
		_, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && syscall.Kill(pid, 0) != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 15 s: directory %v, server %v", err, syscall.Kill(pid, 0))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// child starts a cluster, tells where it is, and waits to be killed.
func child() int {
	result := testing.Benchmark(func(b *testing.B) {
		server := postgrestest.Server(b)
		conn, err := pgx.Connect(context.Background(), server.DSN("postgres"))
		if err != nil {
			b.Fatal(err)
		}
		var cluster string
		if err := conn.QueryRow(context.Background(), "SHOW data_directory").Scan(&cluster); err != nil {
			b.Fatal(err)
		}
		fmt.Println(server.PID(), strings.TrimSuffix(cluster, string(filepath.Separator)+"cluster"))
		time.Sleep(time.Minute)
	})
	_ = result
	return 1
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
