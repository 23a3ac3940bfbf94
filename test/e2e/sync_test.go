package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
)

// synced is a line of strace about a sync that is done; its process is held for a moment before it goes on.
var synced = regexp.MustCompile(`^(\d+) .*(?:fsync|fdatasync).*\) += 0`)

// workUntilSync carries a run on in a process of its own, which dies by SIGKILL right after its n-th sync. It reports how many
// syncs it came to, fewer than n if it came to its end.
func (w world) workUntilSync(t *testing.T, run string, n int) (syncs int) {
	t.Helper()
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-e", "signal=none", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_exit=100000", "-o", "/dev/fd/3", os.Args[0])
	cmd.Env = append(os.Environ(), "E2E_WORKER_RUN="+run, "E2E_WORKER_DIR="+w.dir)
	cmd.ExtraFiles = []*os.File{write}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	must(t, write.Close())
	for lines := bufio.NewScanner(read); lines.Scan(); {
		m := synced.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if syncs++; syncs == n {
			pid, err := strconv.Atoi(m[1])
			must(t, err, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	if err := cmd.Wait(); (err == nil) != (syncs < n) {
		t.Fatalf("after %d syncs, of %d: %v\n%s", syncs, n, err, said.String())
	}
	return syncs
}

// stored is a run as it is stored.
func (w world) stored(t *testing.T, run string) rotation.Run {
	t.Helper()
	s := w.open(t)
	r, err := s.Run(t.Context(), run)
	must(t, err, s.Close())
	return r
}

// kept fails the test unless the vault holds what PostgreSQL accepts, as the current, the pending or the previous version.
func (w world) kept(t *testing.T, when string) {
	t.Helper()
	s := w.open(t)
	defer s.Close()
	ring, err := openRing(t.Context(), s, w.dir)
	must(t, err)
	last, err := s.LastVersion(t.Context(), w.account)
	must(t, err)
	for n := last; n > max(0, last-3); n-- {
		sealed, err := s.Sealed(t.Context(), w.account, n)
		must(t, err)
		value, err := ring.Open(inventory.VersionRecord(w.account, n), sealed)
		must(t, err)
		var password string
		_ = value.Expose(func(b []byte) error { password = string(b); return nil })
		if _, err := bed.postgres.Psql(t.Context(), w.role, password, "SELECT 1"); err == nil {
			return
		}
	}
	t.Errorf("%s: none of the last versions logs in", when)
}

// A worker is killed after each sync of a run in turn: the first run after its first, the next after its second, until one
// comes to its end. Each time the vault holds what the system accepts, and the next worker finishes the run.
func TestAWorkerKilledAfterEverySyncLosesNothing(t *testing.T) {
	w := newWorld(t, "sqlite", "synced")
	old := int64(1)
	for n := 1; ; n++ {
		run := w.orderFrom(t, old)
		syncs := w.workUntilSync(t, run, n)
		w.kept(t, fmt.Sprintf("killed after sync %d", n))
		r := w.stored(t, run)
		if r.State != rotation.Finished { // it was not the last sync
			if out, err := w.work(t, run, ""); err != nil {
				t.Fatalf("after sync %d: %v\n%s", n, err, out)
			}
			r = w.stored(t, run)
		}
		if r.State != rotation.Finished {
			t.Fatalf("killed after sync %d, the run is %s after %s: %s", n, r.State, r.Step, r.Reason)
		}
		w.letsIn(t, fmt.Sprintf("finished after sync %d", n))
		if old = r.New; syncs < n {
			w.turns = int64(n) // each step of each run was recorded once
			w.turned(t, run)
			t.Logf("a run comes to its end with %d syncs", syncs)
			if n < 10 {
				t.Errorf("the worker was killed %d times only", n-1)
			}
			return
		}
	}
}
