//go:build unix && !linux

package embedded

import "syscall"

// attributes starts the server as the account. Without Linux's parent-death
// signal a server can outlive a killed gateway; the next start ends it.
func (a *account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// serves reports whether the process lives; elsewhere than on Linux the
// postmaster.pid of the locked directory is the only witness.
func serves(pid int, _ string) bool { return syscall.Kill(pid, 0) == nil }

// children lists none: backends end by themselves when their postmaster dies.
func children(int) []int { return nil }
