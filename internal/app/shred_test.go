package app

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// SR-57: what was deleted is gone from the repository's files once it is closed, sealed bytes and hashes too. That they
// were there before shows that the search finds them.
func TestSecurityWhatWasDeletedIsGoneFromTheFiles(t *testing.T) {
	cfg := storetest.SQLite(t)
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			_ = s.Close()
		}
	})
	do := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	gone, kept := map[string][]byte{}, map[string][]byte{}
	sealed := func(in map[string][]byte, name string) vault.Sealed {
		b := make([]byte, 600)
		_, _ = rand.Read(b)
		in[name] = b
		return vault.Sealed(b)
	}
	world := storetest.Seed(t, s, 0)
	said := identity.Evidence{Actor: identity.System("test"), Action: "token.create", Kind: "token", ID: "t", Name: "t"}

	cluster := world.Clusters[0]
	cluster.Token = sealed(gone, "a cluster's token")
	do(s.UpdateCluster(ctx, cluster, 1, fetchHappened("cluster.update")))
	other := world.Clusters[1]
	other.Token = sealed(kept, "the other cluster's token")
	do(s.UpdateCluster(ctx, other, 1, fetchHappened("cluster.update")))

	user := identity.User{ID: fetchID(), Name: "anna", Role: identity.Role("administrator"), PasswordHash: "x", PasswordSetAt: now, CreatedAt: now, Rev: 1}
	token := identity.Token{ID: fetchID(), UserID: user.ID, Name: "ci", Scopes: []string{"*"}, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Rev: 1}
	_, _ = rand.Read(token.Hash[:])
	gone["an API token's hash"] = token.Hash[:]
	do(s.AddUser(ctx, user, said), s.AddToken(ctx, token, said))

	values := func(in map[string][]byte, a inventory.Account, what string) {
		for n := range int64(3) {
			last, err := s.LastVersion(ctx, a.ID)
			do(err)
			v := inventory.Version{AccountID: a.ID, Number: last + 1, Stage: inventory.Current, Source: inventory.Typed, ActorID: "u1", ActorName: "anna", CreatedAt: now,
				Sealed: sealed(in, what+string(rune('a'+n)))}
			do(s.SetAccountValue(ctx, a.ID, v, fetchHappened("account.update")))
		}
	}
	values(gone, world.Accounts[0], "a deleted account's version ")
	values(kept, world.Accounts[1], "another account's version ")

	for name, b := range gone {
		if !inFiles(t, cfg.Dir, b) {
			t.Fatalf("%s is not found while it is there, so this test would find nothing", name)
		}
	}
	account, err := s.Account(ctx, world.Accounts[0].ID)
	do(err)
	cluster, err = s.Cluster(ctx, cluster.ID)
	do(err)
	do(s.RemoveCluster(ctx, cluster.ID, cluster.Rev, fetchHappened("cluster.delete")), s.DeleteToken(ctx, token.ID, said),
		s.DeleteAccount(ctx, account.ID, account.Rev, fetchHappened("account.delete")))
	closed = true
	do(s.Close())
	for name, b := range gone {
		if inFiles(t, cfg.Dir, b) {
			t.Errorf("%s was deleted and is still in the files", name)
		}
	}
	for name, b := range kept {
		if !inFiles(t, cfg.Dir, b) {
			t.Errorf("%s is gone", name)
		}
	}
}

// inFiles reports whether a file below dir holds a part of b. The parts are short, as a row may be spread over pages.
func inFiles(t *testing.T, dir string, b []byte) bool {
	t.Helper()
	const part = 24
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for i := 0; i+part <= len(b) && !found; i += part {
			found = bytes.Contains(text, b[i:i+part])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
