package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keyturn/keyturn/internal/vault"
)

// The tests of this file need a process of their own: the test binary runs itself again in one of these roles.
const roleVariable = "KEYTURN_TEST_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "fips":
		err = beInFIPSMode()
	case "hardened":
		if err = Harden(); err == nil {
			err = holdStill()
		}
	case "plain":
		err = holdStill()
	case "prober":
		err = probe()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func reexec(t *testing.T, binary, role string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	return cmd
}

// beInFIPSMode makes and reads root keys of both sources in the folder that the variable DIR names, which holds an
// Argon2id file too.
func beInFIPSMode() error {
	ctx, dir := context.Background(), os.Getenv("DIR")
	pass := vault.NewValue([]byte("twelve bytes"))
	for name, src := range map[string]Source{"file": NewFile(filepath.Join(dir, "f")), "passphrase": NewPassphrase(filepath.Join(dir, "p"), pass)} {
		made, err := src.Create(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		_, rows, err := vault.NewRing(made)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		read, err := src.Root(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := vault.OpenRing(read, rows); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := NewPassphrase(filepath.Join(dir, "argon"), pass).Root(ctx); codeOf(err) != "root-key-not-approved" {
		return fmt.Errorf("an Argon2id file in FIPS mode: %w", err)
	}
	return nil
}

func TestInFIPSMode(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewPassphrase(filepath.Join(dir, "argon"), vault.NewValue([]byte("twelve bytes"))).Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := reexec(t, os.Args[0], "fips", "GODEBUG=fips140=only", "DIR="+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(filepath.Join(dir, "p"))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := parseParameters(content); !ok || p.KDF != kdfPBKDF2 || p.Iterations < 600_000 {
		t.Errorf("parameters %s", content)
	}
	// What was made in FIPS mode is read without it.
	src := NewPassphrase(filepath.Join(dir, "p"), vault.NewValue([]byte("twelve bytes")))
	if _, err := src.Root(t.Context()); err != nil {
		t.Error(err)
	}
}

// holdStill says what the system thinks of this process, and waits until its standard input ends.
func holdStill() error {
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		return err
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	fmt.Printf("core=%d/%d dumpable=%d\n", core.Cur, core.Max, dumpable)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// probe starts a hardened and a plain process as its own children, of its own user, and says for each what it reports
// and whether ptrace and /proc/PID/mem reach it.
func probe() error {
	for _, role := range []string{"hardened", "plain"} {
		if err := probeOne(role); err != nil {
			return err
		}
	}
	return nil
}

func probeOne(role string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Wait() }()
	defer stdin.Close()
	line := make([]byte, 200)
	n, err := stdout.Read(line)
	if err != nil {
		return err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", cmd.Process.Pid))
	if err == nil {
		_ = mem.Close()
	}
	traced := syscall.PtraceAttach(cmd.Process.Pid)
	if traced == nil {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(cmd.Process.Pid, &status, 0, nil); err != nil {
			return err
		}
		if err := syscall.PtraceDetach(cmd.Process.Pid); err != nil {
			return err
		}
	}
	fmt.Printf("%s %s mem=%s ptrace=%s\n", role, bytes.TrimSpace(line[:n]), outcome(err), outcome(traced))
	return nil
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "reached"
	case errors.Is(err, fs.ErrPermission):
		return "refused"
	}
	return err.Error()
}

func TestHarden(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := reexec(t, binary, "prober")
	if os.Geteuid() == 0 { // root may trace anything: become nobody, with a copy of the binary that nobody can run
		cmd.Path = copyForAll(t, binary)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	out := string(b)
	if want := "hardened core=0/0 dumpable=0 mem=refused ptrace=refused\n"; !strings.Contains(out, want) {
		t.Errorf("got %s, want %s", out, want)
	}
	// Without Harden both reach it, unless the whole system forbids tracing: else this test would prove nothing.
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	forbidden := len(scope) > 0 && scope[0] >= '2'
	if !forbidden && !strings.Contains(out, "dumpable=1 mem=reached ptrace=reached") {
		t.Errorf("a process that is not hardened is out of reach too: %s", out)
	}
}

func copyForAll(t *testing.T, binary string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keyturn-harden-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seal.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, b, 0o755), os.Chmod(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}
