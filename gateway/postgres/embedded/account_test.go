package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/postgres/embedded"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("EMBEDDED_TEST_GATEWAY"); dir != "" {
		os.Exit(gateway(dir))
	}
	os.Exit(m.Run())
}

// gateway is a process that starts a server, commits one row, tells the
// postmaster's pid, and waits to be killed.
func gateway(dir string) int {
	s, err := embedded.Start(context.Background(), embedded.Config{DataDir: dir})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(s.PID())
	time.Sleep(time.Minute)
	return 1
}

// The server stops with its parent, however that ends, and the next start
// finds a directory that is free or becomes so.
func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent, pid := run(t, self, dir, nil)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	// At once: the predecessor's server is still shutting down.
	s := start(t, embedded.Config{DataDir: dir})
	if s.PID() == pid {
		t.Error("the same postmaster serves on")
	}
	if cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd")); err == nil && strings.HasPrefix(cwd, dir) {
		t.Errorf("the postmaster of the killed process still works in %s", cwd)
	}
	if got := value(t, connect(t, s.DSN("postgres")), "SELECT 'ok'"); got != "ok" {
		t.Error(got)
	}
}

// PostgreSQL refuses root: a gateway run by root hands its server to another
// user, one run by anybody else keeps it.
func TestRunsAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	uid := os.Getuid()
	dir := directory(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var credential *syscall.Credential
	if uid == 0 {
		uid = 65534
		credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		self = publicCopy(t, self)
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	parent, pid := run(t, self, dir, credential)
	defer func() {
		_ = parent.Process.Kill()
		_ = parent.Wait()
	}()
	if got := owner(t, pid); got != uid {
		t.Errorf("the server runs as user %d, want %d", got, uid)
	}
}

func TestRootHandsOver(t *testing.T) {
	t.Parallel()
	s := start(t, embedded.Config{DataDir: directory(t), Unsafe: true})
	got := owner(t, s.PID())
	if got == 0 {
		t.Error("the server runs as root")
	}
	if uid := os.Getuid(); uid != 0 && got != uid {
		t.Errorf("the server runs as user %d, its parent as %d", got, uid)
	}
}

// A directory that the server's user cannot reach is named, not discovered
// through a failure of initdb.
func TestUnreachableDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(directory(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Start(t.Context(), embedded.Config{DataDir: filepath.Join(closed, "data"), Unsafe: true})
	if os.Getuid() != 0 {
		if err != nil {
			t.Fatalf("one's own closed directory: %v", err)
		}
		stop(t, s)
		return
	}
	if err == nil || !strings.Contains(err.Error(), closed) || !strings.Contains(err.Error(), "may not enter") {
		t.Errorf("closed directory: %v, want a refusal that names it", err)
	}
}

// run starts this test binary as a gateway and returns the pid of its server.
func run(t *testing.T, binary, dir string, credential *syscall.Credential) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "EMBEDDED_TEST_GATEWAY="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, bad := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(err, bad); err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("gateway says %q: %v", line, err)
	}
	return cmd, pid
}

// publicCopy puts the test binary where another user may run it.
func publicCopy(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // another user runs it
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // opened for reading
	public := filepath.Join(dir, "gateway")
	out, err := os.OpenFile(public, os.O_CREATE|os.O_WRONLY, 0o755) // another user runs it
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return public
}

// owner is the user that runs the process.
func owner(t *testing.T, pid int) int {
	t.Helper()
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}
