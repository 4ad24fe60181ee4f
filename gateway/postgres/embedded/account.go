package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating-system user that runs the server: PostgreSQL
// refuses root, so a gateway started as root hands the server to another user.
// The nil account is the user of this process.
type account struct {
	name     string
	uid, gid uint32
}

// accountFor picks the user: this process's own when it is not root, else the
// one that owns an existing data directory, else postgres, else nobody.
func accountFor(dataDir string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var found *user.User
	if info, err := os.Stat(dataDir); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			found, _ = user.LookupId(strconv.FormatUint(uint64(stat.Uid), 10))
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found == nil {
			found, _ = user.Lookup(name)
		}
	}
	if found == nil {
		return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	return &account{name: found.Username, uid: uint32(uid), gid: uint32(gid)}, nil
}

// give makes the account the owner of dir, which nobody else may enter, and
// checks that it can get there.
func (a *account) give(dir string) error {
	if a != nil {
		if err := os.Chown(dir, int(a.uid), int(a.gid)); err != nil {
			return fmt.Errorf("give %s to %s: %w", dir, a.name, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close %s: %w", dir, err)
	}
	return a.canEnter(dir)
}

// canEnter refuses a path on the way to which the account may not pass, such
// as one in root's own home: initdb would fail with less to say.
func (a *account) canEnter(dir string) error {
	if a == nil {
		return nil
	}
	for path := dir; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("path of the server: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		mask := os.FileMode(0o001)
		switch {
		case stat.Uid == a.uid:
			mask = 0o100
		case stat.Gid == a.gid:
			mask = 0o010
		}
		if info.Mode()&mask == 0 {
			return fmt.Errorf("PostgreSQL runs as user %s, who may not enter %s: choose another directory", a.name, path)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}
