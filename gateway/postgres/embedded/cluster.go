package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// port is part of the socket's name only; the server listens on no network.
const port = 5432

// maxAddress is the longest path a unix socket address holds on Linux: 108
// bytes with the closing zero.
const maxAddress = 107

// fits reports whether the socket's path, the longest name made of dir, is a
// valid unix address.
func fits(dir string) bool {
	return len(filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(port))) <= maxAddress
}

// lock takes the data directory for this process. The lock is the kernel's and
// ends with the process, however it ends.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is used by another process", dir)
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return f, nil
}

// clusterMajor is the major version a cluster was made with, "" when there is
// no cluster yet.
func clusterMajor(cluster string) (string, error) {
	b, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		if entries, err := os.ReadDir(cluster); err == nil && len(entries) > 0 {
			return "", fmt.Errorf("%s is not empty and holds no PostgreSQL cluster", cluster)
		}
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cluster version: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// initialise makes the cluster beside its place and moves it there when it is
// complete, so that a crash halfway leaves nothing that looks like a cluster.
func initialise(ctx context.Context, b Binaries, a *account, cluster string, unsafe bool) error {
	fresh := cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	args := []string{"-D", fresh, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--data-checksums", "--no-instructions"}
	if unsafe {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.Dir, "initdb"), args...)
	cmd.Dir = filepath.Dir(cluster)
	cmd.Env = environment()
	cmd.SysProcAttr = a.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Remove(cluster); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("initdb: %w", err)
	}
	if err := os.Rename(fresh, cluster); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	if unsafe {
		return nil
	}
	return syncDir(filepath.Dir(cluster))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// socketDir picks the directory of the unix socket and gives it to the
// server's user, who alone may enter it. own: it is ours to remove.
func socketDir(wanted, dataDir string, a *account) (dir string, own bool, err error) {
	switch {
	case wanted != "":
		if dir, err = filepath.Abs(wanted); err != nil {
			return "", false, fmt.Errorf("socket directory: %w", err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", false, fmt.Errorf("socket directory: %w", err)
		}
	case fits(dataDir):
		return dataDir, false, nil
	default:
		if dir, err = os.MkdirTemp("", "sluse"); err != nil {
			return "", false, fmt.Errorf("socket directory: %w", err)
		}
		own = true
	}
	if !fits(dir) {
		return dir, own, fmt.Errorf("socket directory %s is too long for a unix socket", dir)
	}
	return dir, own, a.give(dir)
}

// arguments are the settings for a small transactional load. Statements and
// values stay out of the log: they hold health information.
func (s *Server) arguments(c Config) []string {
	settings := []string{
		"listen_addresses=",
		"unix_socket_directories=" + s.socketDir,
		"unix_socket_permissions=0700",
		"port=" + strconv.Itoa(port),
		"max_connections=" + strconv.Itoa(c.MaxConnections),
		"shared_buffers=" + strconv.Itoa(c.SharedBuffersMB) + "MB",
		"max_wal_size=2GB",
		"wal_compression=on",
		"jit=off",
		"max_parallel_workers_per_gather=0",
		"random_page_cost=1.1",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_statement=none",
		"log_min_messages=log", // LOG, FATAL, PANIC: an ERROR quotes values, and its client has it
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
		"log_parameter_max_length=0",
		"log_parameter_max_length_on_error=0",
		"logging_collector=off",
	}
	if c.Unsafe {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	args := []string{"-D", s.cluster}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// environment is what initdb and postgres see: LC_ALL, since a missing locale
// ends initdb on slim machines, and nothing that could redirect them.
func environment() []string {
	return []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
}

// endPredecessor waits for the server of a killed process to finish its own
// shutdown, and ends it when it does not. Only a process whose working
// directory is the cluster is touched.
func endPredecessor(ctx context.Context, cluster string) error {
	for attempt := 0; ; attempt++ {
		pid := postmasterOf(cluster)
		if pid == 0 {
			return nil
		}
		switch attempt {
		case 100:
			_ = syscall.Kill(pid, syscall.SIGINT)
		case 200:
			_ = syscall.Kill(pid, syscall.SIGQUIT)
		case 300:
			return fmt.Errorf("process %d still serves %s", pid, cluster)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("process %d still serves %s: %w", pid, cluster, err)
		}
	}
}

// postmasterOf is the living postmaster that serves the cluster, 0 for none.
func postmasterOf(cluster string) int {
	b, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 || !serves(pid, cluster) {
		return 0
	}
	return pid
}
