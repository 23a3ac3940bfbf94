package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// The children of these tests are given a folder in one of these variables.
const (
	stubbornVar = "KEYTURN_STORETEST_STUBBORN"
	powerVar    = "KEYTURN_STORETEST_POWER"
)

// stubbornChild writes one row after the other, whatever becomes of them, and prints that. Of the one under which the disk
// fails nobody knows whether it was kept.
func stubbornChild(dir string) {
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	orExit(err)
	fmt.Println("ready")
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		err := s.Write(context.Background(), put(id))
		f, ok := errors.AsType[*fault.Error](err)
		switch {
		case err == nil:
			fmt.Println("ack", id)
		case ok && (f.Code == store.CodeFailed || f.Code == store.CodeUnknown):
			fmt.Println("refused", id)
		default:
			fmt.Println("error", err)
			os.Exit(1)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// witness is what a child has printed so far.
type witness struct {
	cmd *exec.Cmd

	mu      sync.Mutex
	acked   []string
	refused int
	late    int // acknowledged after something was refused
	failed  string
}

// listen starts a child and reads what it prints. It returns when the child is ready.
func listen(variable, dir string) (*witness, error) {
	h := &witness{cmd: exec.Command(os.Args[0])}
	h.cmd.Env = append(os.Environ(), variable+"="+dir)
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := h.cmd.StdoutPipe()
	if err == nil {
		err = h.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			word, id, _ := strings.Cut(lines.Text(), " ")
			h.mu.Lock()
			switch word {
			case "ready":
				close(ready)
			case "ack":
				h.acked = append(h.acked, id)
				if h.refused > 0 {
					h.late++
				}
			case "refused":
				h.refused++
			default:
				h.failed = lines.Text()
			}
			h.mu.Unlock()
		}
	}()
	select {
	case <-ready:
		return h, nil
	case <-time.After(time.Minute):
		return nil, errors.New("the child did not get ready: " + h.failed)
	}
}

// so returns what was acknowledged, and how much was refused.
func (h *witness) so() (acked []string, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.acked...), h.refused
}

// until waits for something to be true of what was printed.
func (h *witness) until(so func(acked, refused int) bool) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if acked, refused := h.so(); so(len(acked), refused) {
			return nil
		}
	}
	return fmt.Errorf("a minute is not enough: %d acknowledged, %d refused, %q", len(h.acked), h.refused, h.failed)
}

func (h *witness) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// holds says what a repository lacks of the rows that were acknowledged, or that it is damaged; and how many rows it has.
func holds(dir string, acked []string) (rows int64, err error) {
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, id := range acked {
		if _, err := s.Int(`SELECT rev FROM scratch WHERE id = $1`, id); err != nil {
			return 0, fmt.Errorf("%s was acknowledged: %w", id, err)
		}
	}
	if n, err := s.Int(`SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'`); err != nil || n != 1 {
		return 0, fmt.Errorf("the file is damaged: %w", err)
	}
	return s.Int(`SELECT COUNT(*) FROM scratch`)
}

// A disk that does not take what it is given, or says so when it is told to keep it, is not trusted again: from the first
// failure on nothing is acknowledged, also when it says that it is well, and what was is there.
func TestADiskThatFailsIsNotTrustedAgain(t *testing.T) {
	for _, calls := range []string{"fsync,fdatasync", "pwrite64"} {
		cfg := storetest.SQLite(t)
		s := storetest.Open(t, cfg)
		scratch(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		h, err := listen(stubbornVar, cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.kill)
		if err := h.until(func(acked, _ int) bool { return acked > 20 }); err != nil {
			t.Fatal(err)
		}
		disk := exec.Command("strace", "-f", "-qq", "-p", fmt.Sprint(h.cmd.Process.Pid), "-o", "/dev/null", "-e", "trace="+calls, "-e", "inject="+calls+":error=EIO")
		if err := disk.Start(); err != nil {
			t.Fatal(err)
		}
		if err := h.until(func(_, refused int) bool { return refused > 0 }); err != nil {
			t.Errorf("%s: %v", calls, err)
		}
		_ = disk.Process.Signal(os.Interrupt) // the disk is well again
		_ = disk.Wait()
		_, before := h.so()
		if err := h.until(func(_, refused int) bool { return refused > before+20 }); err != nil {
			t.Errorf("%s: %v", calls, err)
		}
		h.kill()
		acked, refused := h.so()
		if h.late > 0 || h.failed != "" {
			t.Errorf("%s: %d rows were acknowledged after the first of %d that was refused; %s", calls, h.late, refused, h.failed)
		}
		rows, err := holds(cfg.Dir, acked)
		if err != nil || rows > int64(len(acked))+1 { // of the first that was refused nobody knows
			t.Errorf("%s: %d rows are there, %d were acknowledged: %v", calls, rows, len(acked), err)
		}
	}
}

// powerChild has a disk of its own, whose power is cut again and again: what was not told to be kept is lost.
func powerChild(dir string) {
	run := func(name string, args ...string) {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			orExit(fmt.Errorf("%s: %w: %s", name, err, out))
		}
	}
	orExit(os.Unsetenv(powerVar)) // which its own children would go by
	disk, at := filepath.Join(dir, "disk"), filepath.Join(dir, "mnt")
	data, unsynced := filepath.Join(at, "data"), filepath.Join(at, "unsynced")
	orExit(os.Mkdir(at, 0o700))
	f, err := os.Create(disk)
	orExit(err)
	orExit(errors.Join(f.Truncate(64<<20), f.Close()))
	run("mkfs.ext4", "-q", "-F", disk)
	run("mount", "-o", "loop", disk, at)
	orExit(os.Mkdir(data, 0o700))
	s, err := store.Open(context.Background(), store.Config{Dir: data})
	orExit(err)
	orExit(s.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE scratch (id TEXT PRIMARY KEY, rev BIGINT NOT NULL, data BYTEA)`)
		return err
	}))
	orExit(s.Close())
	var acked []string
	lost := 0
	for range 5 {
		h, err := listen(childVar, data)
		orExit(err)
		orExit(h.until(func(acked, _ int) bool { return acked > 10 }))
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		orExit(os.WriteFile(unsynced, []byte("nobody asked for this to be kept"), 0o600))
		orExit(h.cmd.Process.Signal(syscall.SIGSTOP))
		orExit(copyFile(disk+".cut", disk))
		time.Sleep(50 * time.Millisecond) // what it had printed is read by now
		before, _ := h.so()
		h.kill()
		acked = append(acked, before...)
		for end := time.Now().Add(10 * time.Second); exec.Command("umount", at).Run() != nil && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond) // what the child had open is being closed
		}
		orExit(os.Rename(disk+".cut", disk))
		run("mount", "-o", "loop", disk, at)
		if b, _ := os.ReadFile(unsynced); len(b) == 0 {
			lost++
		}
		if _, err := holds(data, acked); err != nil {
			orExit(err)
		}
	}
	if lost == 0 {
		orExit(errors.New("nothing was lost in any cut, so they were none"))
	}
	run("umount", at)
	fmt.Println("good")
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func TestAPowerCutLosesNothingThatWasAcknowledged(t *testing.T) {
	childIsGood(t, t.TempDir(), powerVar, "unshare", "-m")
}
