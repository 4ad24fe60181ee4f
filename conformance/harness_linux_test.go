package conformance_test

import (
	"os/exec"
	"syscall"
)

// endWithTests lets the server end when the tests die without ending it.
func endWithTests(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
