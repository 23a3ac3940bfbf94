package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
)

// The children of these tests are given a folder in one of these variables.
const (
	failingVar = "KEYTURN_STORETEST_FAILING"
	crampedVar = "KEYTURN_STORETEST_CRAMPED"
)

// patience is how long folding, which happens every few seconds, is waited for.
const patience = 30 * time.Second

// folding is a repository whose log can be written but whose file cannot grow.
type folding struct {
	dir   string
	s     *store.Store
	acked int64
}

func (f *folding) open() {
	s, err := store.Open(context.Background(), store.Config{Dir: f.dir})
	orExit(err)
	f.s = s
}

func (f *folding) record() error {
	err := f.s.Record(context.Background(), event("account.reveal", "x").With("pad", strings.Repeat("x", 1000)))
	if err == nil {
		f.acked++
	}
	return err
}

// size is how large the file is that the log is folded into.
func (f *folding) size() int64 {
	info, err := os.Stat(filepath.Join(f.dir, "keyturn.db"))
	orExit(err)
	return info.Size()
}

// whole exits unless every acknowledged event can be read.
func (f *folding) whole(when string) {
	n, err := f.s.CountAuditEvents(context.Background(), store.AuditFilter{})
	orExit(err)
	if n != f.acked {
		orExit(fmt.Errorf("%s %d events are there, %d were acknowledged", when, n, f.acked))
	}
}

// reopened exits unless the repository, opened again, is sound, has every acknowledged event and takes more.
func (f *folding) reopened() {
	f.open()
	f.whole("opened again")
	n, err := f.s.Int(`SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'`)
	orExit(err)
	if n != 1 {
		orExit(errors.New("the file is damaged"))
	}
	orExit(f.record())
	orExit(f.s.Close())
	fmt.Println("good")
}

func orExit(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// failingChild lets every write beyond the first 4 MiB of a file fail, as on a bad disk: the file is longer than that,
// the log is not.
func failingChild(dir string) {
	f := &folding{dir: dir}
	f.open()
	for f.acked < 6000 {
		orExit(f.s.Bulk(context.Background(), func(tx *store.Tx) error {
			for range 500 {
				if err := tx.Record(event("account.reveal", "x").With("pad", strings.Repeat("x", 1000))); err != nil {
					return err
				}
			}
			return nil
		}))
		f.acked += 500
	}
	orExit(f.s.Close())
	f.open()
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	orExit(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	orExit(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4 << 20, Max: limit.Max}))
	err := f.record()
	orExit(err)
	for end := time.Now().Add(patience); err == nil && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		err = f.record()
	}
	mustBeBroken(err)
	f.whole("after the failure")
	orExit(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	mustBeBroken(f.record()) // the disk says that it is well, but what it lost nobody knows
	mustBeBroken(f.s.Bulk(context.Background(), func(*store.Tx) error { return nil }))
	f.whole("while nothing is written")
	orExit(f.s.Close())
	f.reopened()
}

func mustBeBroken(err error) {
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != store.CodeFailed || e.Kind != fault.Unavailable || e.Cure == "" {
		orExit(fmt.Errorf("a log that could not be folded gave: %v", err))
	}
}

// crampedChild has its file, but not its log, on a disk that is full for a while.
func crampedChild(dir string) {
	f := &folding{dir: dir}
	f.open()
	ballast := filepath.Join(dir, "small", "ballast")
	fill, err := os.Create(ballast)
	orExit(err)
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	orExit(fill.Close())
	before := f.size()
	for range 1000 {
		orExit(f.record())
	}
	for range 2 {
		time.Sleep(6 * time.Second) // longer than until the next folding
		if f.size() != before {
			orExit(errors.New("the disk was not full"))
		}
		f.whole("with a full disk")
		if f.acked == 1000 {
			orExit(f.record()) // folding can wait, writing need not
		}
	}
	orExit(os.Remove(ballast))
	for end := time.Now().Add(patience); f.size() < before+1<<20; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			orExit(errors.New("the log was not folded when there was room again"))
		}
	}
	f.whole("with room again")
	orExit(f.s.Close())
	f.reopened()
}

// childIsGood runs this test binary as a child, behind a command if one is given.
func childIsGood(t *testing.T, dir, variable string, before ...string) {
	t.Helper()
	args := append(before, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), variable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "good\n") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestALogThatCannotBeFoldedBreaksTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	childIsGood(t, dir, failingVar)
}

func TestAFullDiskPutsFoldingOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	childIsGood(t, dir, crampedVar, "unshare", "-m", "sh", "-c", `set -e
		chmod 700 "$0"; cd "$0"; mkdir -m 700 small; mount -t tmpfs -o size=3m,mode=700 tmpfs small
		umask 077; touch small/keyturn.db keyturn.db; mount --bind small/keyturn.db keyturn.db
		cd /; exec "$1"`, dir)
}
