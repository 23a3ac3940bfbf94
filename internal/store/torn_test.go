package store_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

const tracedVar = "KEYTURN_STORETEST_TRACED"

// tracedChild writes rows of some pages each, stops cleanly in between, which folds the log into the file, and ends as if
// it were killed.
func tracedChild(dir string) {
	for part := range 3 {
		s, err := store.Open(context.Background(), store.Config{Dir: dir})
		orExit(err)
		tracedWrites(s, part*1000)
		if part < 2 {
			orExit(s.Close())
		}
	}
	os.Exit(0)
}

func tracedWrites(s *store.Store, from int) {
	for i := from; i < from+40; i++ {
		id := fmt.Sprintf("row-%d", i)
		orExit(s.Write(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO scratch (id, rev, data) VALUES ($1, 1, $2)`, id, make([]byte, 9000))
			return err
		}))
		fmt.Println("ack", id)
	}
}

// deed is one thing that a process did to a file, or that it said.
type deed struct {
	call, file string
	data       []byte
	at         int64
	// begun is the deed before which a sync was asked for: later ones it does not keep.
	begun int
}

// A call of strace -f -y -xx, whole or as it began, and its end if others came in between.
var (
	calls   = regexp.MustCompile(`^(\d+) +(pwrite64|fsync|fdatasync|ftruncate|write)\(\d+<((?:\\x..)*)>(?:, "((?:\\x..)*)", \d+)?(?:, (\d+))?( <unfinished|\) += \d)`)
	unlinks = regexp.MustCompile(`^\d+ +unlink(?:at)?\((?:[^"]*, )?"((?:\\x..)*)".*\) += 0`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (fsync|fdatasync) resumed>\) += 0`)
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deeds reads a trace. A write counts from when it was asked for, a sync from when it was done.
func deeds(t *testing.T, trace string) (all []deed) {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	under := map[string]deed{} // syncs that are under way, by thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := resumed.FindStringSubmatch(lines.Text()); m != nil {
			all = append(all, under[m[1]])
			continue
		}
		if m := unlinks.FindStringSubmatch(lines.Text()); m != nil {
			all = append(all, deed{call: "unlink", file: filepath.Base(string(unhex(t, m[1])))})
			continue
		}
		m := calls.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		d := deed{call: m[2], file: filepath.Base(string(unhex(t, m[3]))), data: unhex(t, m[4]), begun: len(all)}
		d.at, _ = strconv.ParseInt(m[5], 10, 64)
		if strings.HasSuffix(d.call, "sync") && m[6] == " <unfinished" {
			under[m[1]] = d
			continue
		}
		all = append(all, d)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// apply does to b what a process did.
func (d deed) apply(b []byte) []byte {
	if d.call == "ftruncate" {
		if d.at < int64(len(b)) {
			return b[:d.at]
		}
		return append(b, make([]byte, d.at-int64(len(b)))...)
	}
	if end := d.at + int64(len(d.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[d.at:], d.data)
	return b
}

// cut is what is on the disk if the power goes before all[at]: what was told to be kept, and of the rest, in whatever order,
// some, some of it in part. It returns the rows that were acknowledged by then.
func cut(all []deed, at int, files map[string][]byte) (acked []string, torn int) {
	pending := map[string][]int{}
	for i, d := range all[:at] {
		switch {
		case d.call == "write":
			if id, ok := strings.CutPrefix(strings.TrimSpace(string(d.data)), "ack "); ok {
				acked = append(acked, id)
			}
		case d.call == "unlink":
			files[d.file], pending[d.file] = nil, nil
		case strings.HasSuffix(d.call, "sync"):
			var later []int
			for _, j := range pending[d.file] {
				if j < d.begun {
					files[d.file] = all[j].apply(files[d.file])
				} else {
					later = append(later, j)
				}
			}
			pending[d.file] = later
		default:
			pending[d.file] = append(pending[d.file], i)
		}
	}
	for file, left := range pending {
		rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		for _, i := range left {
			d := all[i]
			switch rand.IntN(3) {
			case 0:
				torn++
				continue
			case 1: // some of its sectors
				if sectors := len(d.data) / 512; sectors > 1 {
					n := rand.IntN(sectors)
					d.data, torn = d.data[:n*512], torn+1
				}
			}
			files[file] = d.apply(files[file])
		}
	}
	return acked, torn
}

// What a power cut leaves of writes that were not told to be kept may be any of them, in any order, torn in the middle. The
// writes of a real process are taken down, and such disks are made of them.
func TestTornAndReorderedWritesLoseNothingThatWasAcknowledged(t *testing.T) {
	cfg := storetest.SQLite(t)
	s := storetest.Open(t, cfg)
	scratch(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	clean, err := os.ReadFile(filepath.Join(cfg.Dir, "keyturn.db"))
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(base, "trace")
	cmd := exec.Command("strace", "-f", "-y", "-xx", "-s", "200000", "-qq", "-e", "signal=none", "-e", "trace=pwrite64,fsync,fdatasync,ftruncate,write,unlink,unlinkat", "-o", trace, os.Args[0])
	cmd.Env = append(os.Environ(), tracedVar+"="+cfg.Dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := deeds(t, trace)
	per := map[string]int{}
	for _, d := range all {
		per[d.call+" "+d.file]++
	}
	if per["pwrite64 keyturn.db"] == 0 || per["pwrite64 keyturn.db-wal"] < 100 || per["fsync keyturn.db"]+per["fdatasync keyturn.db"] == 0 {
		t.Fatalf("the log was not written, or not folded into the file: %v", per)
	}
	lost, most := 0, 0
	for range 60 {
		at := rand.IntN(len(all))
		files := map[string][]byte{"keyturn.db": bytes.Clone(clean)}
		acked, torn := cut(all, at, files)
		dir := filepath.Join(base, fmt.Sprint("cut-", at))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"keyturn.db", "keyturn.db-wal"} {
			if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := holds(dir, acked); err != nil {
			t.Errorf("cut before deed %d of %d, %d acknowledged, %d lost or torn: %v", at, len(all), len(acked), torn, err)
		}
		lost, most = lost+torn, max(most, len(acked))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d deeds; %d writes were lost or torn in 60 cuts; up to %d rows were acknowledged", len(all), lost, most)
	if lost == 0 || most < 20 {
		t.Errorf("%d writes were lost or torn, %d rows were acknowledged at most", lost, most)
	}
}
