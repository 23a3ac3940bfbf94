package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
)

// restorable is a world whose server is stopped and started again, and whose database is put back to an older state.
type restorable struct {
	*pagesWorld
	args []string
}

func newRestorable(t *testing.T, program, password string) restorable {
	t.Helper()
	address := closedAddress(t)
	flags := []string{"--listen", address, "--allow-loopback-clusters"}
	w := &pagesWorld{subject: newSubject(t, program, nil, flags...), clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts = pagesFacts{IDs: map[string]string{}, Clusters: map[string]pagesCluster{}, Passwords: map[string]string{}}
	w.admin = w.as(client.NewValue(w.setUp(password)))
	return restorable{w, append([]string{"server", "--data", w.data(), "--metrics-listen", w.metrics}, flags...)}
}

// restart starts the server again, which answers at the same address.
func (r restorable) restart() {
	r.t.Helper()
	must(r.t, r.start(r.args, nil))
	r.await(regexp.MustCompile(`listens on https://\S+\n`))
}

// backup stops the server and returns a copy of its database.
func (r restorable) backup() []byte {
	r.t.Helper()
	r.stop()
	b, err := os.ReadFile(filepath.Join(r.data(), "keyturn.db"))
	must(r.t, err)
	if wal, err := os.Stat(filepath.Join(r.data(), "keyturn.db-wal")); err == nil && wal.Size() > 0 {
		r.t.Fatal("a server that was stopped left a part of its database in another file")
	}
	r.restart()
	return b
}

// restore puts a database back and starts the server on it.
func (r restorable) restore(b []byte, forget ...string) {
	r.t.Helper()
	r.stop()
	must(r.t, os.WriteFile(filepath.Join(r.data(), "keyturn.db"), b, 0o600))
	for _, name := range append(forget, "keyturn.db-wal", "keyturn.db-shm") {
		must(r.t, os.RemoveAll(filepath.Join(r.data(), name)))
	}
	r.restart()
}

func (r restorable) isRestored() bool {
	r.t.Helper()
	h, err := r.admin.Health(r.t.Context())
	must(r.t, err)
	return h.Restored
}

// kept waits until the cluster knows of all that was done up to now: until nothing new came there for two rounds.
func (r restorable) kept() {
	r.t.Helper()
	last, since := int64(-1), time.Now()
	r.eventually("the cluster knows how far the repository has come", func() bool {
		now, err := r.admin.Restore(r.t.Context())
		must(r.t, err)
		if len(now.Witnesses) != 1 || now.Witnesses[0].Problem != "" {
			return false
		}
		if n := now.Witnesses[0].Entries; n != last {
			last, since = n, time.Now()
		}
		return last > 0 && time.Since(since) > 5*time.Second
	})
}

// settled waits until every account was looked at, and returns them by name.
func (r restorable) settled() map[string]client.RestoredAccount {
	r.t.Helper()
	var now client.Restore
	r.eventually("every account is checked", func() bool {
		var err error
		now, err = r.admin.Restore(r.t.Context())
		must(r.t, err)
		return now.State == "restored" && now.Counts["to_check"] == 0
	})
	out := map[string]client.RestoredAccount{}
	for _, a := range now.Accounts {
		out[a.Name] = a
	}
	return out
}

func (r restorable) revealed(account string) string {
	r.t.Helper()
	v, err := r.admin.Reveal(r.t.Context(), account, client.Reveal{})
	must(r.t, err)
	return v.Value.Text()
}

// refused runs the command line, which must fail with these words.
func (r restorable) refused(words []string, args ...string) {
	r.t.Helper()
	out, err := r.keyturn("", args...)
	if err == nil {
		r.t.Fatalf("keyturn %s was not refused:\n%s", strings.Join(args, " "), out)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			r.t.Errorf("keyturn %s was refused without the words %q: %v", strings.Join(args, " "), word, err)
		}
	}
}

// A server whose database was put back to a backup from before the last rotations notices it, changes nothing, finds out
// which values are right, adopts the one that logs in, and goes on when a person has accepted the rest.
func TestADatabaseRestoredFromAnOldBackupIsNoticed(t *testing.T) {
	w := newRestorable(t, build(t), rand.Text())
	ctx, plane := t.Context(), w.plane("restore")
	w.namespaces(plane, "checkout")
	w.connect("prod-eu", plane, client.Scope{Namespaces: []string{"checkout"}, Access: "read-write"})
	w.resource("orders-db", bed.postgres.Port)
	_, err := w.admin.AddResource(ctx, client.NewResource{Name: "notes", Type: "generic"})
	must(t, err)
	for _, role := range []string{"restore_mapped", "restore_alone", "restore_same"} {
		w.role(role)
	}
	w.secret(plane, "checkout/db", "kubectl-create", "restore_mapped", "")
	w.secret(plane, "checkout/copy", "kubectl-create", "restore_mapped", "")
	w.values["note"] = rand.Text()
	w.secret(plane, "checkout/note", "kubectl-create", "note", "")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout"}})
	mapped := w.account("orders-db", "restore_mapped", w.values["restore_mapped"], "checkout/db", "checkout/copy")
	alone := w.account("orders-db", "restore_alone", w.values["restore_alone"])
	same := w.account("orders-db", "restore_same", w.values["restore_same"])
	note := w.account("notes", "note", w.values["note"], "checkout/note")
	w.reset("first", mapped, client.Reset{}, "done")

	old := w.backup()
	if w.isRestored() {
		t.Fatal("a restart was taken for a restore")
	}
	for _, account := range []string{mapped, alone, mapped, note} {
		w.reset("later", account, client.Reset{}, "done")
	}
	newest := w.revealed(mapped)
	w.kept()
	kept := func() string {
		return w.kubectl(plane, "", "-n", "keyturn", "get", "configmap", "keyturn-restore-epoch", "-o", "jsonpath={.data}")
	}
	before := kept()
	w.rights(plane, client.Scope{Namespaces: []string{"checkout"}, Access: "read-write"})
	if before == "" || kept() != before {
		t.Error("applying the manifest again takes away what the cluster keeps")
	}
	w.restore(old)

	if !w.isRestored() {
		t.Fatal("the restore was not noticed")
	}
	if out, err := os.ReadFile(w.out()); err != nil || !strings.Contains(string(out), "restored from a backup") {
		t.Errorf("the server greets with %q, %v", out, err)
	}
	if status, body := w.send(http.MethodGet, "/readyz", "", ""); status != http.StatusOK || !strings.Contains(body, "restored") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if numbers := w.numbers(); !strings.Contains(numbers, "\nkeyturn_restored 1\n") {
		t.Errorf("the metrics do not say it:\n%s", numbers)
	}
	w.refused([]string{"restored from a backup", "keyturn restore status"}, "account", "reset", "orders-db/restore_same")
	w.say("policy", "create", "often", "--every", "1s", "--heartbeat", "10s", "--reconcile", "refused")
	w.say("policy", "assign", "often", "--account", "orders-db/restore_same")

	found := w.settled()
	for name, want := range map[string]string{"orders-db/restore_mapped": "adopted", "orders-db/restore_alone": "unresolved", "orders-db/restore_same": "verified", "notes/note": "undecided"} {
		if got := found[name]; got.State != want {
			t.Errorf("%s is %s (%s), should be %s", name, got.State, got.Reason, want)
		}
	}
	if value := w.revealed(mapped); value != newest {
		t.Error("what was adopted is not the newest value")
	}
	w.psqlAs("restore_mapped", newest, "SELECT 1")
	if a := w.found(mapped); a.State != "verified" {
		t.Errorf("the account is %s", a.State)
	}
	if v, err := w.admin.Reveal(ctx, alone, client.Reveal{}); err != nil || !v.Restored {
		t.Errorf("what is revealed does not say that it may be old: %v", err)
	}
	if out := w.say("restore", "list"); !strings.Contains(out, "restore_alone") || strings.Contains(out, "restore_mapped") {
		t.Errorf("listed as\n%s", out)
	}
	if out := w.say("restore", "status"); !strings.Contains(out, "the data folder") {
		t.Errorf("the status is\n%s", out)
	}
	w.refused([]string{"broken", "was cut"}, "audit", "verify")
	time.Sleep(3 * time.Second) // the schedule had its time
	if a := w.found(same); a.Current != 1 || a.Run != "" {
		t.Errorf("the schedule went on: %+v", a)
	}

	w.say("restore", "check", "orders-db/restore_alone")
	if again := w.settled()["orders-db/restore_alone"]; again.State != "unresolved" || len(again.Tried) == 0 {
		t.Errorf("%+v", again)
	}
	w.refused([]string{"orders-db/restore_alone", "notes/note"}, "restore", "accept", "--yes")
	w.say("policy", "delete", "often", "--yes")
	w.say("restore", "accept", "--yes", "--unresolved", "orders-db/restore_alone,notes/note")
	if w.isRestored() {
		t.Fatal("it is restored still")
	}
	w.reset("again", mapped, client.Reset{}, "done")
	stands := w.kubectl(plane, "", "-n", "checkout", "get", "secret", "db", "-o", "jsonpath={.data.password}")
	if now := w.revealed(mapped); stands != base64.StdEncoding.EncodeToString([]byte(now)) {
		t.Error("the Secret does not hold the new value")
	} else {
		w.psqlAs("restore_mapped", now, "SELECT 1")
	}
	w.eventually("the log is intact", func() bool {
		out, err := w.keyturn("", "audit", "verify")
		return err == nil && strings.Contains(out, "anna accepted that")
	})
	if lost, err := filepath.Glob(filepath.Join(w.data(), "audit.head.lost-*")); err != nil || len(lost) != 1 {
		t.Errorf("the head of the log that was lost is not kept: %v, %v", lost, err)
	}
	w.kept()
	w.stop()
	w.restart()
	if w.isRestored() {
		t.Error("a restart after the restore was taken for another one")
	}

	t.Run("the cluster alone knows", func(t *testing.T) {
		old := w.backup()
		w.reset("later", mapped, client.Reset{}, "done")
		w.kept()
		w.restore(old, "audit.head")
		w.eventually("the cluster tells", w.isRestored)
		if got := w.settled()["orders-db/restore_mapped"]; got.State != "adopted" {
			t.Errorf("%+v", got)
		}
		if out := w.say("restore", "status"); !strings.Contains(out, "cluster prod-eu") {
			t.Errorf("the status is\n%s", out)
		}
		w.say("restore", "accept", "--yes", "--unresolved", "orders-db/restore_alone,notes/note")
		w.kept()
	})

	t.Run("a server that is killed raises no alarm", func(t *testing.T) {
		for i := range 12 {
			run, err := w.admin.Reset(ctx, mapped, client.Reset{})
			must(t, err)
			time.Sleep(time.Duration(i*i*7) * time.Millisecond)
			must(t, syscall.Kill(w.pid, syscall.SIGKILL))
			<-w.done
			w.restart()
			w.eventually("the run ends", func() bool {
				run, err = w.admin.Run(ctx, run.ID)
				must(t, err)
				return run.State == "done"
			})
			if w.isRestored() {
				t.Fatalf("killed after %d ms, it takes itself for restored", i*i*7)
			}
		}
	})
}

// numbers reads the metrics.
func (r restorable) numbers() string {
	r.t.Helper()
	res, err := http.Get(fmt.Sprintf("http://%s/metrics", r.metrics))
	must(r.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(r.t, err)
	return string(b)
}
