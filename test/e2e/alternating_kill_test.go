package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

const sparePassword = "first-password-of-the-spare-role"

// pairOf makes the world's account a pair, whose second role exists, and maps the user name of each of its Secrets.
func pairOf(t *testing.T, w world) (second string) {
	t.Helper()
	ctx := t.Context()
	second = w.role + "-b"
	s := w.open(t)
	defer s.Close()
	ring, err := openRing(ctx, s, w.dir)
	must(t, err)
	_, err = bed.postgres.Psql(ctx, bed.postgres.SuperUser, bed.postgres.SuperPassword, fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD '%s'`, second, sparePassword))
	must(t, err)
	a, err := s.Account(ctx, w.account)
	must(t, err)
	a.Strategy, a.Pair = "alternating", second
	must(t, s.UpdateAccount(ctx, a, a.Rev, happened("account.update")))
	sealed, err := ring.Seal(inventory.VersionRecord(a.ID, 2), vault.NewValue([]byte(sparePassword)))
	must(t, err)
	must(t, s.SetSpareValue(ctx, inventory.Version{AccountID: a.ID, Number: 2, Source: inventory.Typed, CreatedAt: time.Now(), Sealed: sealed}, happened("account.update")))
	run := rotation.Run{ID: newID(), AccountID: a.ID}
	writes, err := s.Writes(ctx, run)
	must(t, err)
	for _, x := range writes {
		secret, err := s.Secret(ctx, x.SecretID)
		must(t, err)
		print := ring.Fingerprint(vault.NewValue([]byte(w.role)))
		m := inventory.Mapping{ID: newID(), AccountID: a.ID, SecretID: x.SecretID, Key: "user", UID: x.UID, OnWrite: "restart", State: inventory.InSync, Fingerprint: print, CreatedAt: time.Now()}
		m.Place.Holds = "username"
		must(t, s.MapKey(ctx, m, &print, secret.Rev, nil, happened("mapping.create")))
	}
	return second
}

// orderPair stores a run of the pair and returns its id.
func (w world) orderPair(t *testing.T) string {
	t.Helper()
	s := w.open(t)
	defer s.Close()
	a, err := s.ResetAccount(t.Context(), w.account)
	must(t, err)
	r := rotation.Run{ID: newID(), AccountID: a.ID, Strategy: rotation.Alternating, Old: a.Current, Login: a.Idle(), Beside: a.Beside(), Spare: a.Spare,
		StartedBy: identity.Actor{ID: "u1", Name: "anna"}, CreatedAt: time.Now()}
	must(t, s.OpenRun(t.Context(), r, "", nil, happened("account.reset")))
	return r.ID
}

// holds returns what user name and password one Secret holds.
func (w world) holds(t *testing.T, at [2]string) (user, password string) {
	t.Helper()
	i, err := strconv.Atoi(at[0])
	must(t, err)
	out, err := bed.clusters.Planes[i].Kubectl(t.Context(), "", "-n", "shop", "get", "secret", at[1], "-o", "jsonpath={.data.user} {.data.password}")
	must(t, err)
	f := strings.Fields(out)
	if len(f) != 2 {
		t.Fatalf("%s has %d keys", at[1], len(f))
	}
	for i, p := range []*string{&user, &password} {
		b, err := base64.StdEncoding.DecodeString(f[i])
		must(t, err)
		*p = string(b)
	}
	return user, password
}

// letsIn fails the test unless what each Secret holds logs in, whatever happened.
func (w world) letsIn(t *testing.T, when string) {
	t.Helper()
	for _, at := range w.secrets {
		user, password := w.holds(t, at)
		if out, err := bed.postgres.Psql(t.Context(), user, password, "SELECT session_user"); err != nil || strings.TrimSpace(out) != user {
			t.Errorf("%s: what %s of cluster %s holds for %s does not log in: %v", when, at[1], at[0], user, err)
		}
	}
}

// pairTurned proves from outside that every Secret holds the second role, and that the first one still works.
func (w world) pairTurned(t *testing.T, run, second string) {
	t.Helper()
	ctx := t.Context()
	s := w.open(t)
	defer s.Close()
	r, err := s.Run(ctx, run)
	if err != nil || r.State != rotation.Finished {
		t.Fatalf("the run is %s after %s: %s %s (%v)", r.State, r.Step, r.Reason, r.Cure, err)
	}
	w.letsIn(t, "in the end")
	ring, err := openRing(ctx, s, w.dir)
	must(t, err)
	sealed, err := s.Sealed(ctx, w.account, r.New)
	must(t, err)
	value, err := ring.Open(inventory.VersionRecord(w.account, r.New), sealed)
	must(t, err)
	for _, at := range w.secrets {
		if user, password := w.holds(t, at); user != second || !value.Equal(vault.NewValue([]byte(password))) {
			t.Errorf("%s of cluster %s holds %s", at[1], at[0], user)
		}
	}
	if _, err := bed.postgres.Psql(ctx, w.role, firstPassword, "SELECT 1"); err != nil {
		t.Errorf("the login that was in use does not work any more: %v", err)
	}
	if _, err := bed.postgres.Psql(ctx, second, sparePassword, "SELECT 1"); err == nil {
		t.Error("the second login still takes its old password")
	}
	a, err := s.Account(ctx, w.account)
	if err != nil || a.State != inventory.AccountVerified || a.Current != r.New {
		t.Errorf("account %+v, %v", a, err)
	}
	w.audited(t, s, ring)
}

func TestAPairOutlivesAWorkerKilledAtAnyPoint(t *testing.T) {
	points := []string{
		"minted:before-store", "minted:stored", "applied:before-effect", "applied:after-effect", "applied:before-store", "applied:stored",
		"verified:before-effect", "verified:after-effect", "verified:before-store", "verified:stored",
		"published:before-effect", "published:after-effect", "published:before-proof", "published:before-store", "published:stored",
		"rolled_out:before-store", "rolled_out:stored", "retired:before-store", "retired:stored", "done:before-store",
	}
	for _, repository := range repositories {
		for i, point := range points {
			t.Run(repository+"/"+point, func(t *testing.T) {
				w := newWorld(t, repository, fmt.Sprintf("pair%d", i))
				second := pairOf(t, w)
				run := w.orderPair(t)
				out, err := w.work(t, run, point)
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the worker was not killed: %v\n%s", err, out)
				}
				w.letsIn(t, "killed")
				if out, err = w.work(t, run, ""); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				w.pairTurned(t, run, second)
			})
		}
	}
}
