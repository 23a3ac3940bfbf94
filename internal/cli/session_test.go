package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/audit/audittest"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

func options(t *testing.T, args ...string) ServerOptions {
	t.Helper()
	var got ServerOptions
	k := &command{now: time.Now, poll: time.Millisecond, Streams: Streams{In: strings.NewReader(""), Out: io.Discard, Err: t.Output(),
		Env:    func(string) string { return "" },
		Server: func(_ context.Context, o ServerOptions) error { got = o; return nil }}}
	if code := k.run(t.Context(), args); code != 0 {
		t.Errorf("%v: code %d", args, code)
	}
	return got
}

// signedOut is the world of somebody who never signed in and knows no CA.
func signedOut(t *testing.T) *world {
	w := newWorld(t)
	delete(w.env, "KEYTURN_TOKEN")
	delete(w.env, "KEYTURN_CACERT")
	return w
}

func (w *world) sessionPath() string { return filepath.Join(w.config, "keyturn", "session.json") }

func TestLoginKeepsTheSessionForItsServer(t *testing.T) {
	w := signedOut(t)
	pin := fingerprint(w.server.Certificate())
	login := []string{"login", "--username", "ann", "--password-file", "-", "--ca-sha256"}
	r := w.run(canary, append(login, strings.ToUpper(pin[:2]+":"+pin[2:]))...)
	if r.code != 0 || r.out != "" || !strings.Contains(r.err, "Signed in to") {
		t.Fatalf("%+v", r)
	}
	info, err := os.Stat(w.sessionPath())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	delete(w.env, "KEYTURN_URL") // which the session knows, with its CA
	if r := w.run("", "whoami", "-o", "name"); r.out != "ann\n" {
		t.Errorf("%+v", r)
	}

	other := newWorld(t) // the session must not go there
	w.env["KEYTURN_URL"], w.env["KEYTURN_CACERT"] = other.server.URL, other.env["KEYTURN_CACERT"]
	other.answers["GET /session"] = client.Problem{Title: "Sign in", Status: 401}
	if r := w.run("", "whoami"); r.code != exitRefused || !strings.Contains(r.err, "keyturn login") {
		t.Errorf("%+v", r)
	}
	kept, err := (&command{Streams: Streams{Env: func(n string) string { return w.env[n] }}}).target()
	if err != nil || !kept.token.IsZero() || len(kept.ca) == 0 {
		t.Errorf("another server gets %+v, %v", kept, err)
	}
	delete(w.env, "KEYTURN_URL")
	delete(w.env, "KEYTURN_CACERT")

	if err := os.Chmod(w.sessionPath(), 0o640); err != nil {
		t.Fatal(err)
	}
	if r := w.run("", "whoami"); r.code != exitFailed || !strings.Contains(r.err, "chmod 600") {
		t.Errorf("a file that others read: %+v", r)
	}
	if err := os.Chmod(w.sessionPath(), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.run("", "logout"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if text, err := os.ReadFile(w.sessionPath()); err != nil || strings.Contains(string(text), canary) || !strings.Contains(string(text), "CERTIFICATE") {
		t.Errorf("after logout: %s, %v", text, err)
	}
	w.answers["GET /session"] = client.Problem{Title: "Sign in", Status: 401}
	if r := w.run("", "whoami"); r.code != exitRefused || strings.Contains(w.seen[len(w.seen)-1], canary) {
		t.Errorf("%+v", r)
	}
	if r := w.run("", "logout"); r.code != 0 || r.err != "Nobody is signed in.\n" {
		t.Errorf("%+v", r)
	}
}

func TestAnUnknownCertificateGetsNoPassword(t *testing.T) {
	w := signedOut(t)
	pin := fingerprint(w.server.Certificate())
	r := w.run(canary, "login", "--username", "ann", "--password-file", "-")
	if r.code != exitFailed || !strings.Contains(r.err, pin) || !strings.Contains(r.err, "--ca-sha256") || len(w.seen) != 0 {
		t.Errorf("%+v, seen %v", r, w.seen)
	}
	if r := w.run("", "cluster", "list"); r.code != exitFailed || !strings.Contains(r.err, `"keyturn login"`) || !strings.Contains(r.err, "KEYTURN_CACERT") {
		t.Errorf("%+v", r)
	}
	r = w.run(canary, "login", "--username", "ann", "--password-file", "-", "--ca-sha256", strings.Repeat("0", 64))
	if r.code != exitFailed || !strings.Contains(r.err, "not the one that you named") || len(w.seen) != 0 {
		t.Errorf("%+v, seen %v", r, w.seen)
	}
	if _, err := os.Stat(w.sessionPath()); !os.IsNotExist(err) {
		t.Errorf("a session is kept: %v", err)
	}
	ca := newWorld(t).env["KEYTURN_CACERT"] // of all test servers, which share a certificate
	if r = w.run(canary, "setup", "--code", "c", "--username", "ann", "--password-file", "-", "--ca-file", ca); r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// exported returns an export of a log with n events, and the key that it is signed with.
func exported(t *testing.T, n int) (text []byte, key string) {
	t.Helper()
	signer, err := audit.NewSigner("0198-repo", vault.NewValue(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	m := audittest.NewMemory()
	for range n {
		if err := m.Record(t.Context(), audit.New(identity.System("test"), "account.reveal", audit.Object{Kind: "account", Name: "db"})); err != nil {
			t.Fatal(err)
		}
	}
	seq := audit.NewSequencer(audit.Config{Store: m, Signer: signer, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if _, err := seq.Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := audit.Export(t.Context(), &out, m, audit.Selection{Key: signer.Key()}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), signer.Key()
}

func TestAuditVerifyOffline(t *testing.T) {
	w := newWorld(t)
	w.server.Close()
	text, key := exported(t, 5)
	file := w.file(string(text))
	if r := w.run("", "audit", "verify", "--file", file, "--key", key); r.code != 0 || !strings.Contains(r.out, "intact") || r.err != "" {
		t.Errorf("%+v", r)
	}
	if r := w.run(string(text), "audit", "verify", "--file", "-"); r.code != 0 || !strings.Contains(r.err, "own key") {
		t.Errorf("without a key: %+v", r)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[3] = strings.Replace(lines[3], `"db"`, `"DB"`, 1) // entry 2
	bad := w.file(strings.Join(lines, ""))
	r := w.run("", "audit", "verify", "--file", bad, "--key", key)
	if r.code != exitFailed || !strings.Contains(r.err, "cause: entry 2 was edited\n") {
		t.Errorf("tampered: %+v", r)
	}
	if r := w.run("", "audit", "verify", "--file", bad, "--key", key, "-o", "json"); r.code != exitFailed || !strings.Contains(r.out, `"bad": 2`) {
		t.Errorf("tampered: %+v", r)
	}
	if r := w.run("", "audit", "verify", "--file", w.file("nothing")); r.code != exitFailed || !strings.Contains(r.err, "error: this is not an export") {
		t.Errorf("no export: %+v", r)
	}
	if len(w.seen) != 0 {
		t.Errorf("a server was asked: %v", w.seen)
	}
}

func TestAuditExportLeavesNoPart(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "export")
	if r := w.run("", "audit", "export", "--file", path); r.code != 0 || r.out != "" {
		t.Errorf("%+v", r)
	}
	if r := w.run("", "audit", "export", "--file", path); r.code != exitFailed {
		t.Errorf("a file is written over: %+v", r)
	}
	w.answers["GET /audit/export"] = client.Problem{Title: "No", Status: 403}
	if r := w.run("", "audit", "export", "--file", path+"2"); r.code != exitRefused {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(path + "2"); !os.IsNotExist(err) {
		t.Errorf("a part is left: %v", err)
	}
}
