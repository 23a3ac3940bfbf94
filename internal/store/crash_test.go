package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

const childVar = "KEYTURN_STORETEST_CHILD"

// child writes rows from several goroutines and prints each id once it was promised to be on the disk.
func child(dir string) {
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	var mu sync.Mutex
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := s.Write(context.Background(), put(id)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println("ack", id)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	cfg := storetest.SQLite(t)
	s := storetest.Open(t, cfg)
	scratch(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	for range 20 {
		acked = append(acked, killed(t, cfg.Dir)...)
	}
	s = storetest.Open(t, cfg)
	for _, id := range acked {
		if _, err := s.Int(`SELECT rev FROM scratch WHERE id = $1`, id); err != nil {
			t.Fatalf("%s was acknowledged: %v", id, err)
		}
	}
	if n := count(t, s); len(acked) < 100 || n < int64(len(acked)) {
		t.Errorf("%d rows are there, %d were acknowledged", n, len(acked))
	}
	if n, err := s.Int(`SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'`); err != nil || n != 1 {
		t.Errorf("the file is damaged: %v", err)
	}
}

// killed runs a child, kills it at a random time, and returns what it had acknowledged.
func killed(t *testing.T, dir string) (acked []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var id string
		switch text := lines.Text(); {
		case text == "ready":
			time.AfterFunc(time.Duration(rand.IntN(60)+2)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		case len(text) > 5 && text[:5] == "error":
			t.Error(text)
		default:
			if n, _ := fmt.Sscanf(text, "ack %s", &id); n == 1 {
				acked = append(acked, id)
			}
		}
	}
	_ = cmd.Wait()
	return acked
}
