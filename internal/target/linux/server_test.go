package linux_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const binary = "/usr/sbin/sshd"

// server is a real sshd on loopback, which knows the machine's own accounts.
type server struct {
	*targettest.Server
	port    string
	hostKey string // as in a file of a public key
}

// start starts a server with these further lines of its settings. It lets in only accounts of tests.
func start(t *testing.T, settings string) *server {
	t.Helper()
	return startAs(t, targettest.NewServer(t), binary, settings)
}

func startAs(t *testing.T, files *targettest.Server, program, settings string) *server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("accounts can be made by root alone: run this test as root, in a container")
	}
	s := &server{Server: files, port: targettest.Port(t)}
	must(t, os.Chown(s.Dir, 0, 0))
	must(t, os.Chmod(s.Dir, 0o755))
	must(t, os.MkdirAll("/run/sshd", 0o755))
	must(t, os.MkdirAll(s.Dir+"/home", 0o755))
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		if _, err := os.Stat(s.Dir + "/" + kind); err == nil {
			continue
		}
		bits := []string{}
		if kind == "rsa" {
			bits = []string{"-b", "2048"} // quicker to make
		}
		command(t, "", "ssh-keygen", append(bits, "-q", "-t", kind, "-N", "", "-C", "", "-f", s.Dir+"/"+kind)...)
	}
	s.hostKey = strings.TrimSpace(s.Read(t, "ed25519.pub"))
	s.Write(t, "sshd_config", fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\n%s\nHostKey %[3]s/ed25519\nHostKey %[3]s/ecdsa\nHostKey %[3]s/rsa\nPidFile none\nPermitRootLogin yes\n"+
		"AllowUsers kt-* _kt-*\nLogLevel DEBUG3\nMaxStartups 100\n", s.port, settings, s.Dir))
	cmd := exec.Command(program, "-D", "-e", "-f", s.Dir+"/sshd_config")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.Start(t, cmd, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}

// passwords are the settings of a server that takes passwords and refuses wrong ones at once.
const passwords = "UsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no"

func (s *server) at(more ...string) target.Connection {
	c := target.Connection{"host": "127.0.0.1", "port": s.port, "host_key": s.hostKey}
	for i := 0; i < len(more); i += 2 {
		c[more[i]] = more[i+1]
	}
	return c
}

// command runs a program of the machine and returns what it prints.
func command(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func random(prefix string) string { return prefix + strings.ToLower(rand.Text()[:10]) }

// create makes an account, which goes with all its processes when the test ends.
func (s *server) create(t *testing.T, name, value string, options ...string) target.Login {
	t.Helper()
	home := filepath.Join(s.Dir, "home", name)
	command(t, "", "useradd", append(options, "--badname", "-m", "-d", home, "-s", "/bin/sh", "-K", "UMASK=077", name)...)
	t.Cleanup(func() { remove(t, name) })
	if value != "" {
		setPassword(t, name, value)
	}
	return login(name, value)
}

// dump returns what the machine knows of the accounts of this server's tests: their entries, their hashes and their keys.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadFile("/etc/passwd")
	must(t, err)
	secrets, err := os.ReadFile("/etc/shadow")
	must(t, err)
	var out strings.Builder
	for line := range strings.Lines(string(entries)) {
		name, _, _ := strings.Cut(line, ":")
		if !strings.Contains(line, s.Dir+"/home/") {
			continue
		}
		out.WriteString(line)
		for secret := range strings.Lines(string(secrets)) {
			if strings.HasPrefix(secret, name+":") {
				out.WriteString(secret)
			}
		}
		files, err := filepath.Glob(s.Dir + "/home/" + name + "/.ssh/*")
		must(t, err)
		more, err := filepath.Glob(s.Dir + "/home/" + name + "/.ssh/.[a-z]*")
		must(t, err)
		for _, file := range append(files, more...) {
			info, err := os.Stat(file)
			must(t, err)
			text, err := os.ReadFile(file)
			must(t, err)
			fmt.Fprintf(&out, "%s %s %s\n%s\n", file, info.Mode(), info.ModTime(), text)
		}
	}
	return out.String()
}

// forbid takes from an account what allow gave it, until the returned function is called.
func forbid(t *testing.T, name string) (restore func()) {
	t.Helper()
	file := "/etc/sudoers.d/" + name
	off := file + ".off" // sudo passes over names with a dot
	must(t, os.Rename(file, off))
	t.Cleanup(func() { _ = os.Remove(off) })
	return func() { must(t, os.Rename(off, file)) }
}

func setPassword(t *testing.T, name, value string) {
	t.Helper()
	command(t, name+":"+value+"\n", "chpasswd", "-c", "SHA512")
}

func remove(t *testing.T, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	must(t, err)
	if u.Uid != "0" {
		endProcesses(t, u.Uid)
	}
	command(t, "", "userdel", "-rf", name)
}

// endProcesses ends what an account of this test still runs: its sessions live longer than the server.
func endProcesses(t *testing.T, uid string) {
	t.Helper()
	for _, dir := range processes(t) {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; strconv.Itoa(int(owner)) == uid {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func processes(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	return dirs
}

// allow lets an account run this by sudo without a password, until the test ends. sudo logs what it runs.
func (s *server) allow(t *testing.T, name, rule string) {
	t.Helper()
	file := "/etc/sudoers.d/" + name
	must(t, os.WriteFile(file, []byte(fmt.Sprintf("Defaults:%s logfile=%s/sudo.log\n%[1]s %[3]s\n", name, s.Dir, rule)), 0o440))
	t.Cleanup(func() { _ = os.Remove(file) })
	command(t, "", "visudo", "-c", "-q", "-f", file)
}

// watcher collects the command lines and environments of every process of the machine, again and again.
type watcher struct {
	mu   sync.Mutex
	seen map[string]bool
}

func watch(t *testing.T) *watcher {
	t.Helper()
	w := &watcher{seen: map[string]bool{}}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		looks := map[string]int{} // at a process: what it runs is settled soon
		for {
			for _, dir := range processes(t) {
				if looks[dir]++; looks[dir] > 50 {
					continue
				}
				for _, file := range []string{"/cmdline", "/environ"} {
					if b, err := os.ReadFile(dir + file); err == nil && len(b) > 0 {
						w.mu.Lock()
						w.seen[string(b)] = true
						w.mu.Unlock()
					}
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return w
}

func (w *watcher) all() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out bytes.Buffer
	for s := range w.seen {
		out.WriteString(s + "\n")
	}
	return out.Bytes()
}

// breaker is a server that breaks a session at the command that changes something. On the wire nothing can be read.
type breaker struct {
	t *testing.T
	*server
}

// breaking starts it, with the host key of s. The command that changes something is one like this pattern of sh.
func (s *server) breaking(t *testing.T, settings, changing string) *breaker {
	t.Helper()
	files := targettest.NewServer(t)
	for _, name := range []string{"ed25519", "ed25519.pub", "ecdsa", "rsa"} {
		files.Write(t, name, s.Read(t, name))
		must(t, os.Chown(files.Dir+"/"+name, 0, 0))
	}
	b := &breaker{t: t, server: startAs(t, files, binary, settings+"\nForceCommand exec "+files.Dir+"/command")}
	// All input is there before the session breaks, and so its command has begun.
	b.Write(t, "command", strings.NewReplacer("$DIR", b.Dir, "$CHANGING", changing).Replace(`#!/bin/sh
cut=$(cat $DIR/cut)
case $SSH_ORIGINAL_COMMAND in $CHANGING) ;; *) cut=0 ;; esac
case $cut in
0) exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" ;;
1) cat >/dev/null; echo >>$DIR/cuts; kill -9 $PPID ;;
2) /bin/sh -c "$SSH_ORIGINAL_COMMAND" >/dev/null 2>&1; echo >>$DIR/cuts; kill -9 $PPID ;;
3) /bin/sh -c "$SSH_ORIGINAL_COMMAND" >/dev/null 2>&1; echo >>$DIR/cuts; sleep 60 ;;
esac
`))
	must(t, os.Chmod(b.Dir+"/command", 0o755))
	b.Set(targettest.CutNever)
	return b
}

func (b *breaker) Address() string { return "127.0.0.1:" + b.port }

func (b *breaker) Set(c targettest.Cut) {
	b.Write(b.t, "cut", strconv.Itoa(int(c)))
	b.Write(b.t, "cuts", "")
	must(b.t, os.Chmod(b.Dir+"/cut", 0o644))
	must(b.t, os.Chmod(b.Dir+"/cuts", 0o666))
}

func (b *breaker) Cuts() int { return strings.Count(b.Read(b.t, "cuts"), "\n") }

func login(name, value string) target.Login {
	return target.Login{User: name, Password: targettest.Value(value)}
}

func check(t *testing.T, name string, want target.Outcome, err error) {
	t.Helper()
	if got := target.OutcomeOf(err); got != want {
		t.Errorf("%s: outcome %q (%v), want %q", name, got, err, want)
	}
}

// says checks also what the error tells of its reason.
func says(t *testing.T, name string, want target.Outcome, reason string, err error) {
	t.Helper()
	check(t, name, want, err)
	if err != nil && !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %q does not say %q", name, err, reason)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
