package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

var databases storetest.Databases

func TestMain(m *testing.M) {
	for name, run := range map[string]func(dir string){childVar: child, fullVar: fullChild, failingVar: failingChild, crampedVar: crampedChild,
		stubbornVar: stubbornChild, powerVar: powerChild, tracedVar: tracedChild} {
		if dir := os.Getenv(name); dir != "" {
			run(dir)
			return
		}
	}
	os.Exit(storetest.Main(m, &databases))
}

func scratch(t testing.TB, s *store.Store) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE scratch (id TEXT PRIMARY KEY, rev BIGINT NOT NULL, data BYTEA,
			parent TEXT REFERENCES scratch (id))`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(id string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO scratch (id, rev) VALUES ($1, 1)`, id)
		return err
	}
}

func count(t testing.TB, s *store.Store) int64 {
	t.Helper()
	n, err := s.Int(`SELECT COUNT(*) FROM scratch`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFailingCallsLeaveTheOthersAlone(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		if err := s.Write(t.Context(), put("taken")); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				id := fmt.Sprintf("row-%d", i)
				err := s.Write(context.Background(), func(tx *store.Tx) error {
					if err := put(id)(tx); err != nil {
						return err
					}
					switch i % 4 {
					case 1:
						return boom
					case 2:
						_ = put("taken")(tx) // a statement's error dooms the transaction even if it is swallowed
					}
					return nil
				})
				switch i % 4 {
				case 1:
					if err != boom {
						t.Errorf("%s: got %v", id, err)
					}
				case 2:
					if !errors.Is(err, fault.Conflict) {
						t.Errorf("%s: got %v", id, err)
					}
				default:
					if err != nil {
						t.Errorf("%s: %v", id, err)
					}
				}
			})
		}
		wg.Wait()
		if n := count(t, s); n != 101 {
			t.Errorf("%d rows are there, want 101", n)
		}
	})
}

func TestPanicReachesItsCallerOnly(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			_ = s.Write(t.Context(), func(tx *store.Tx) error { _ = put("a")(tx); panic("boom") })
		}()
		if err := s.Write(t.Context(), put("b")); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s); n != 1 {
			t.Errorf("%d rows are there, want 1", n)
		}
	})
}

func TestCancelledCallIsWithdrawn(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Write(gone, put("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		during, cancel := context.WithCancel(t.Context())
		err := s.Write(during, func(tx *store.Tx) error {
			cancel()
			time.Sleep(10 * time.Millisecond)
			return put("b")(tx)
		})
		if err != nil {
			t.Errorf("a call that had begun did not end: %v", err)
		}
		if n := count(t, s); n != 1 {
			t.Errorf("%d rows are there, want 1", n)
		}
	})
}

func TestFaults(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		if err := s.Write(t.Context(), put("canary-7f3a")); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			kind fault.Kind
			code string
			fn   func(*store.Tx) error
		}{
			"duplicate": {fault.Conflict, store.CodeDuplicate, put("canary-7f3a")},
			"reference": {fault.Conflict, store.CodeReferenced, func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO scratch (id, rev, parent) VALUES ($1, 1, $2)`, "x", "canary-7f3a-not-there")
				return err
			}},
			"stale": {fault.Stale, "", func(tx *store.Tx) error {
				return tx.ExecOne(`UPDATE scratch SET rev = rev + 1 WHERE id = $2 AND rev = $1`, 7, "canary-7f3a")
			}},
			"missing": {fault.NotFound, "", func(tx *store.Tx) error {
				_, err := tx.Int(`SELECT rev FROM scratch WHERE id = $1`, "no")
				return err
			}},
		} {
			err := s.Write(t.Context(), test.fn)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != test.kind || f.Code != test.code {
				t.Errorf("%s: got %v", name, err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "canary-7f3a") {
				t.Errorf("%s: the error tells what was stored: %v", name, err)
			}
		}
	})
}

func TestBytesStayAsTheyAre(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		for name, want := range map[string][]byte{"none": nil, "empty": {}, "text": []byte("123"), "binary": {0, 255, 0, 10}} {
			err := s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO scratch (id, rev, data) VALUES ($1, 1, $2)`, name, want)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Blob(`SELECT data FROM scratch WHERE id = $1`, name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
			// No bytes and no value are two things in the database; Go code that reads must not tell them apart by nil.
			null, err := s.Int(`SELECT COUNT(*) FROM scratch WHERE id = $1 AND data IS NULL`, name)
			if err != nil || (null == 1) != (want == nil) {
				t.Errorf("%s: NULL in %d rows, %v", name, null, err)
			}
		}
	})
}

func TestBulkInsertsManyRows(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		for _, n := range []int{0, 1, 3, 5000} {
			err := s.Bulk(t.Context(), func(tx *store.Tx) error {
				m, err := tx.Insert(`INSERT INTO scratch (id, rev)`, 2, n, func(args []any, i int) []any {
					return append(args, fmt.Sprintf("%d/%d", n, i), i)
				})
				if m != int64(n) {
					t.Errorf("%d rows were inserted, want %d", m, n)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, s); n != 5004 {
			t.Errorf("%d rows are there, want 5004", n)
		}
		if err := s.Bulk(t.Context(), put("3/1")); !errors.Is(err, fault.Conflict) {
			t.Errorf("got %v", err)
		}
		if err := s.Write(t.Context(), put("after")); err != nil {
			t.Error(err)
		}
	})
}

// Two that read before they write must not both win, on either database.
func TestWritesAreSerialisable(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		scratch(t, s)
		if err := s.Write(t.Context(), put("counter")); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var won atomic.Int64
		for range 4 {
			wg.Go(func() {
				for range 10 {
					err := s.Write(context.Background(), func(tx *store.Tx) error {
						n, err := tx.Int(`SELECT rev FROM scratch WHERE id = 'counter'`)
						if err != nil {
							return err
						}
						return tx.ExecOne(`UPDATE scratch SET rev = $1 WHERE id = 'counter'`, n+1)
					})
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, fault.Unavailable):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n, err := s.Int(`SELECT rev FROM scratch WHERE id = 'counter'`)
		if err != nil || n != won.Load()+1 || won.Load() == 0 {
			t.Errorf("counted %d after %d additions, %v", n-1, won.Load(), err)
		}
	})
}

func TestChangesGoOutAfterCommit(t *testing.T) {
	databases.EachConfig(t, func(t *testing.T, cfg store.Config) {
		var mu sync.Mutex
		var got []store.Change
		cfg.Changed = func(c []store.Change) { mu.Lock(); defer mu.Unlock(); got = append(got, c...) }
		s := storetest.Open(t, cfg)
		_ = s.Write(t.Context(), func(tx *store.Tx) error { tx.Changed("cluster", "a", 1, ""); return errors.New("boom") })
		if err := s.Write(t.Context(), func(tx *store.Tx) error { tx.Changed("cluster", "b", 2, "p"); return nil }); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 1 || got[0] != (store.Change{Kind: "cluster", ID: "b", Rev: 2, Parent: "p"}) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOpenAgainAndRefuseNewerSchema(t *testing.T) {
	databases.EachConfig(t, func(t *testing.T, cfg store.Config) {
		s := storetest.Open(t, cfg)
		first, err := s.Repository(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = storetest.Open(t, cfg)
		again, err := s.Repository(t.Context())
		if err != nil || again.ID != first.ID || first.ID == "" {
			t.Errorf("the repository was %q, is %q: %v", first.ID, again.ID, err)
		}
		err = s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, $1)`, true)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		_, err = store.Open(t.Context(), cfg)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != store.CodeNewer || !strings.Contains(f.Msg, "999") {
			t.Errorf("a newer schema gave %v", err)
		}
	})
}

func TestClosedStoreRefuses(t *testing.T) {
	databases.EachConfig(t, func(t *testing.T, cfg store.Config) {
		s := storetest.Open(t, cfg)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), put("a")); !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Repository(t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestModesAndLock(t *testing.T) {
	cfg := storetest.SQLite(t)
	s := storetest.Open(t, cfg)
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(cfg.Dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	_, err = store.Open(t.Context(), cfg)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != store.CodeLocked || !strings.Contains(f.Msg, fmt.Sprint(os.Getpid())) {
		t.Errorf("a second server got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{cfg.Dir: 0o750, filepath.Join(cfg.Dir, "keyturn.db"): 0o640} {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err = store.Open(t.Context(), cfg)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != store.CodeLoose {
			t.Errorf("%s with mode %v gave %v", path, mode, err)
		}
		if err := os.Chmod(path, before.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
