package embedded

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is the running postmaster.
type process struct {
	pid  int
	cmd  *exec.Cmd
	done chan struct{}
}

// startProcess starts the command from an operating-system thread that lives
// as long as the command does: the kernel's parent-death signal goes out when
// the starting thread ends, and Go retires idle threads.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in the server's log
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the postmaster first, so that it starts no recovery, then the
// backends that it had.
func (p *process) kill() {
	select {
	case <-p.done:
		return
	default:
	}
	backends := children(p.pid)
	_ = p.cmd.Process.Signal(os.Kill)
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
}
