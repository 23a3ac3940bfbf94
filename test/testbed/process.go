package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	pollEvery    = 20 * time.Millisecond
	probeTimeout = 2 * time.Second
	startTimeout = 60 * time.Second
	stopGrace    = 3 * time.Second
	tailBytes    = 4 << 10
)

// spec is how one server is started, found ready and stopped.
type spec struct {
	name string
	path string
	args []string
	env  []string // the whole environment: nothing is inherited, so no proxy or PG* variable of the caller reaches a server
	dir  string
	log  string              // output is appended to this file
	cred *syscall.Credential // nil: as this process
	stop syscall.Signal      // the polite signal; zero means SIGTERM

	// ready makes one real request. It is called until it returns nil, the process exits or the start times out.
	ready func(context.Context) error
}

// process is a running server. Its methods are safe for concurrent use.
type process struct {
	name string
	log  string
	pid  int
	stop syscall.Signal
	done chan struct{} // closed once the process was reaped; err is set before
	err  error
	// stopping tells a wanted end from a crash.
	stopping atomic.Bool
}

// start runs s and waits until it is ready. On an error nothing of it is left running.
func start(ctx context.Context, s spec) (*process, error) {
	from := fileSize(s.log)
	p, err := spawn(s)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.await(ctx, s.ready); err != nil {
		p.kill()
		return nil, fmt.Errorf("start %s: %w%s", s.name, err, tail(s.log, from))
	}
	return p, nil
}

// spawn starts the process in a group of its own. The parent-death signal follows the thread that forked, not the
// process, so that thread is kept, locked, until the child was reaped.
func spawn(s spec) (*process, error) {
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: s.cred}

	p := &process{name: s.name, log: s.log, stop: s.stop, done: make(chan struct{})}
	if p.stop == 0 {
		p.stop = syscall.SIGTERM
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// await polls ready until it succeeds while the process is alive.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	for {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		last := ready(probe)
		cancel()
		if exited, err := p.exited(); exited {
			return fmt.Errorf("exited before it was ready: %w", errors.Join(err, last))
		}
		if last == nil {
			return nil
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(context.Cause(ctx), last))
		case <-time.After(pollEvery):
		}
	}
}

func (p *process) exited() (bool, error) {
	select {
	case <-p.done:
		if p.err == nil {
			return true, errors.New("exit status 0")
		}
		return true, p.err
	default:
		return false, nil
	}
}

// shutdown asks the process group to end, kills it after a grace period and waits for the process. It returns an error
// if the process had already ended by itself: a server that crashed under a test must not pass unnoticed.
func (p *process) shutdown() error {
	if p == nil || p.stopping.Swap(true) {
		return nil
	}
	if exited, err := p.exited(); exited {
		return fmt.Errorf("%s had ended by itself: %w%s", p.name, err, tail(p.log, 0))
	}
	// The leader alone gets the polite signal: PostgreSQL, for one, ends its children itself and in order.
	_ = syscall.Kill(p.pid, p.stop)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
	}
	p.kill()
	return nil
}

// kill ends the process group at once and waits for the process.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.stopping.Store(true)
	if exited, _ := p.exited(); !exited {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	<-p.done
}

// tail returns the last part of what was written to the file after offset from, made to follow an error text.
func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if size := fileSize(path); size-from > tailBytes {
		from = size - tailBytes
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return ""
	}
	return "\n--- end of " + path + "\n" + strings.TrimSpace(string(b))
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// dir is a server's folder and whether Stop removes it.
type dir struct {
	path string
	temp bool
}

// openDir returns the folder at path, made if needed, or a new temporary one if path is empty. A folder that already
// holds something is refused. Temporary folders lie directly in /tmp: test folders are closed to servers that run as
// another user, and unix sockets allow no long paths.
func openDir(path string) (dir, error) {
	if path == "" {
		made, err := os.MkdirTemp("/tmp", "keyturn-")
		return dir{made, true}, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return dir{}, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return dir{}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return dir{}, err
	}
	if len(entries) > 0 {
		return dir{}, fmt.Errorf("folder %s is not empty", path)
	}
	return dir{path, false}, nil
}

func (d dir) file(name string) string { return filepath.Join(d.path, name) }

func (d dir) remove() error {
	if !d.temp {
		return nil
	}
	return os.RemoveAll(d.path)
}
