package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/keyturn/keyturn/console"
	"github.com/keyturn/keyturn/test/e2e/console/picture"

	"github.com/keyturn/keyturn/client"
)

// TestConsolePages looks at the pages in every state that the story does not come by: refused, empty, broken, late, hostile.
// The world that has these states is made on the real program, databases and clusters.
func TestConsolePages(t *testing.T) {
	if !console.Built() {
		t.Fatal("the console is not built into this test: run `make console`")
	}
	program := build(t)
	w := newPagesWorld(t, program)
	folder, err := filepath.Abs(filepath.Join("..", "..", "test-results", "console-pages"))
	must(t, err, picture.Clear(folder))
	facts, err := json.Marshal(w.facts)
	must(t, err)
	file := filepath.Join(w.dir, "facts.json")
	must(t, os.WriteFile(file, facts, 0o600))

	out, err := inBrowser(t.Context(), "pages.mjs", "console-pages", "PAGES_FACTS="+file)
	t.Log("\n" + out)
	must(t, err)
	comparePictures(t, folder, pagesBaseline)
}

// passphraseServer starts a server that waits for its passphrase, and returns its URL.
func passphraseServer(t *testing.T, program, passphrase string) string {
	t.Helper()
	s := &subject{t: t, program: program, dir: t.TempDir()}
	args := []string{"server", "--data", s.data(), "--listen", "127.0.0.1:0", "--passphrase"}
	listens := regexp.MustCompile(`listens on (https://\S+)\n`)
	must(t, s.start(args, nil), os.MkdirAll(s.home(), 0o700))
	t.Cleanup(func() { s.stop() })
	s.url = s.await(listens)[1]
	_, err := s.keyturn(passphrase, "unseal", "--passphrase-file", "-")
	must(t, err)
	s.stop()
	must(t, s.start(args, nil))
	return s.await(listens)[1]
}

// restoredServer starts a server on a database from before a reset, whose account nobody knows the password of any more.
func restoredServer(t *testing.T, program, password string) string {
	t.Helper()
	r := newRestorable(t, program, password)
	r.resource("orders-db", bed.postgres.Port)
	r.role("pages_restored")
	r.role("pages_kept")
	turned := r.account("orders-db", "pages_restored", r.values["pages_restored"])
	r.account("orders-db", "pages_kept", r.values["pages_kept"])
	old := r.backup()
	r.reset("lost", turned, client.Reset{}, "done")
	r.restore(old)
	if after := r.settled(); after["orders-db/pages_restored"].State != "unresolved" || after["orders-db/pages_kept"].State != "verified" {
		t.Fatalf("%+v", after)
	}
	return r.url
}
