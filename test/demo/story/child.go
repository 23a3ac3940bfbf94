package story

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a process in a group of its own. The kernel kills it should this process die first.
type child struct {
	pid  int
	done chan struct{} // closed once it was reaped; err is set before
	err  error
}

// startChild starts path. The parent-death signal follows the thread that forked, so that thread is kept until the end.
func startChild(path string, args, env []string, stdout, stderr *os.File) (*child, error) {
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &child{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		c.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// ended reports whether the process is gone.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// kill ends the whole group at once and returns when the process is gone.
func (c *child) kill() {
	if !c.ended() {
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	}
	<-c.done
}

// stop asks the process to end and kills its group after the grace period.
func (c *child) stop(grace time.Duration) {
	if !c.ended() {
		_ = syscall.Kill(c.pid, syscall.SIGTERM)
	}
	select {
	case <-c.done:
	case <-time.After(grace):
	}
	c.kill()
}
