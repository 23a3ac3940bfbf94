package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

const fullVar = "KEYTURN_STORETEST_FULL"

// fullChild fills a small disk, and goes on when there is room again.
func fullChild(dir string) {
	must := func(err error) {
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	must(os.Chmod(dir, 0o700))
	ballast := filepath.Join(dir, "ballast")
	must(os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	must(err)
	var last error
	acked := 0
	for range 2000 {
		ev := event("account.reveal", "x").With("pad", strings.Repeat("x", 1000))
		if last = s.Record(context.Background(), ev); last != nil {
			break
		}
		acked++
	}
	if f, ok := errors.AsType[*fault.Error](last); !ok || f.Code != store.CodeFull {
		must(fmt.Errorf("a full disk gave: %v", last))
	}
	must(os.Remove(ballast))
	must(s.Record(context.Background(), event("account.reveal", "after")))
	n, err := s.CountAuditEvents(context.Background(), store.AuditFilter{})
	must(err)
	if n != int64(acked)+1 {
		must(fmt.Errorf("%d events are there, %d were acknowledged", n, acked+1))
	}
	must(s.Close())
	fmt.Println("good")
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=6m tmpfs "$0" && exec "$1"`, dir, os.Args[0])
	cmd.Env = append(os.Environ(), fullVar+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "good") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestBusyFileIsABoundedWait(t *testing.T) {
	cfg := storetest.SQLite(t)
	s := storetest.Open(t, cfg)
	scratch(t, s)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(cfg.Dir, "keyturn.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := s.Write(context.Background(), put(fmt.Sprint(i)))
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != store.CodeBusy {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begun); took > 12*time.Second {
		t.Errorf("waited %v together", took)
	}
	if _, err := s.Repository(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), put("after")); err != nil {
		t.Error(err)
	}
}
