package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/store"
)

// keyed is a server with many values, which is killed and started again on one address.
type keyed struct {
	*subject
	admin  *client.Client
	values map[string]string // by account
}

const manyValues = 1500

// SR-22, SR-23: data keys and the root key are replaced under a real server, with the command line; it is killed in the
// middle, and every value is afterwards what it was before.
func TestKeysAreReplacedUnderAServerThatIsKilled(t *testing.T) {
	w := newKeyed(t)
	w.same("at first")

	old := w.killedWhileSealing()
	w.restart()
	w.until("everything is sealed again", func(keys []client.DataKey) bool { return sealedWithOthers(keys) == 0 })
	w.same("after a kill in the middle of sealing again")
	if _, err := w.keyturn("", "key", "remove", w.active(), "--yes"); err == nil || !strings.Contains(err.Error(), "seals every new value") {
		t.Errorf("the active key: %v", err)
	}
	for _, id := range old {
		_, err := w.keyturn("", "key", "remove", id, "--yes")
		must(t, err)
	}
	if out, err := w.keyturn("", "key", "list", "-o", "name"); err != nil || strings.TrimSpace(out) != w.active() {
		t.Errorf("keys that are left: %q, %v", out, err)
	}
	w.same("after the removal")

	root := filepath.Join(w.data(), "root.key")
	before, err := os.ReadFile(root)
	must(t, err)
	out, err := w.keyturn("", "server", "next-root-key", "--data", w.data())
	must(t, err)
	if strings.TrimSpace(out) != root+".next" {
		t.Errorf("the next root key is said to be at %q", out)
	}
	_, err = w.keyturn("", "key", "root", "--yes")
	must(t, err)
	w.kill()
	w.restart()
	w.same("after a change of the root key, and a kill")
	w.kill()
	after, err := os.ReadFile(root)
	must(t, err, os.WriteFile(root, before, 0o600))
	w.restart()
	if h, err := w.admin.Health(t.Context()); err != nil || !h.Sealed || !strings.Contains(h.Cause, "the root key is not the one") {
		t.Errorf("with the old root key: %+v, %v", h, err)
	}
	must(t, os.WriteFile(root, after, 0o600))
	_, err = w.keyturn("", "unseal")
	must(t, err)
	w.same("with the new root key again")
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	w := &keyed{subject: newSubject(t, build(t), nil), values: map[string]string{}}
	w.admin = w.as(client.NewValue(w.setUp("gravel teapot Orion nineteen")))
	r, err := w.admin.AddResource(t.Context(), client.NewResource{Name: "many", Type: "generic"})
	must(t, err)
	var mu sync.Mutex
	var busy sync.WaitGroup
	for part := range 4 {
		busy.Go(func() {
			for i := part; i < manyValues; i += 4 {
				value := fmt.Sprintf("value %d", i)
				a, err := w.admin.AddAccount(t.Context(), r.ID, client.NewAccount{Name: fmt.Sprintf("app-%04d", i), Value: client.NewValue(value)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				w.values[a.ID] = value
				mu.Unlock()
			}
		})
	}
	busy.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return w
}

func (w *keyed) kill() {
	w.t.Helper()
	must(w.t, syscall.Kill(w.pid, syscall.SIGKILL))
	<-w.done
}

// restart starts the server where it was.
func (w *keyed) restart() {
	w.t.Helper()
	must(w.t, w.start([]string{"server", "--data", w.data(), "--listen", strings.TrimPrefix(w.url, "https://"), "--log-level", "debug"}, nil))
	w.await(regexp.MustCompile(`listens on (https://\S+)\n`))
}

// stored returns the data keys of a server that is dead.
func (w *keyed) stored() []keyring.Key {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Config{Dir: w.data()})
	must(w.t, err)
	keys, err := s.DataKeys(w.t.Context())
	must(w.t, err, s.Close())
	return keys
}

// killedWhileSealing replaces data keys until a kill has hit the server between two batches. It returns the retired keys.
func (w *keyed) killedWhileSealing() (old []string) {
	w.t.Helper()
	wait := 40 * time.Millisecond
	for range 12 {
		old = append(old, w.active())
		_, err := w.keyturn("", "key", "rotate")
		must(w.t, err)
		time.Sleep(wait)
		w.kill()
		keys := w.stored()
		sealed, left := keys[0].Records, int64(0)
		for _, k := range keys[1:] {
			left += k.Records
		}
		w.t.Logf("killed %v after the rotation: %d are sealed with the new key, %d with older ones", wait, sealed, left)
		switch {
		case sealed > 0 && left > 0:
			return old
		case left > 0:
			wait *= 2
		default:
			wait /= 2
		}
		w.restart()
		w.until("everything is sealed again", func(keys []client.DataKey) bool { return sealedWithOthers(keys) == 0 })
	}
	w.t.Fatal("no kill has hit the server while it sealed again")
	return nil
}

func (w *keyed) keys() []client.DataKey {
	w.t.Helper()
	keys, err := w.admin.Keys(w.t.Context())
	must(w.t, err)
	return keys
}

func (w *keyed) active() string {
	w.t.Helper()
	for _, k := range w.keys() {
		if k.State == "active" {
			return k.ID
		}
	}
	return ""
}

func sealedWithOthers(keys []client.DataKey) (n int64) {
	for _, k := range keys {
		if k.State != "active" {
			n += k.Records
		}
	}
	return n
}

func (w *keyed) until(what string, holds func([]client.DataKey) bool) {
	w.t.Helper()
	end := time.Now().Add(2 * time.Minute)
	for !holds(w.keys()) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within two minutes: %+v", what, w.keys())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// same fails the test unless every value is revealed as it was stored.
func (w *keyed) same(when string) {
	w.t.Helper()
	for id, want := range w.values {
		got, err := w.admin.Reveal(w.t.Context(), id, client.Reveal{Reason: "comparing"})
		if err != nil || got.Value.Text() != want {
			w.t.Fatalf("%s: an account's value is not what it was: %v", when, err)
		}
	}
}
