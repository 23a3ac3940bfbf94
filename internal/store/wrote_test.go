package store_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/vault"
)

// between is a Secret whose key a run proves at version 10, and what is done to it before and after the repository is
// told of what the run read back.
type between struct {
	name          string
	before, after func(seen *look)
	want          inventory.KeyState
}

// look sees one Secret as syncs would.
type look struct {
	t    *testing.T
	s    *store.Store
	f    *inventory.Fetcher
	stay inventory.Secret
}

func (l *look) saw(uid string, version int, value string, written ...string) {
	l.t.Helper()
	seen := inventory.Seen{Namespace: l.stay.Namespace, Name: l.stay.Name, UID: uid, ResourceVersion: fmt.Sprint(version), Type: "Opaque", CreatedAt: time.Now(),
		Data: map[string]vault.Value{"password": vault.NewValue([]byte(value)), "other": vault.NewValue(fmt.Append(nil, version))}, Written: written, Ours: written}
	must(l.t, l.f.Saw(l.t.Context(), l.stay.ClusterID, []inventory.Seen{seen}))
}

func (l *look) gone() {
	l.t.Helper()
	f := claimed(l.t, l.s, inventory.Cluster{ID: l.stay.ClusterID})
	n, err := l.s.MarkGone(l.t.Context(), f, []string{l.stay.ID}, time.Now().Add(time.Hour), happened("secret.gone"))
	if err != nil || n != 1 {
		l.t.Fatalf("%d are gone, %v", n, err)
	}
	f.State = inventory.FetchDone
	must(l.t, l.s.EndFetch(l.t.Context(), f, "", happened("fetch.done")))
}

func whatHappensMeanwhile() []between {
	changed := func(l *look) { l.saw("uid", 11, "by somebody else") }
	putBack := func(l *look) { l.saw("uid", 11, "old") }
	elsewhere := func(l *look) { l.saw("uid", 11, "new") }
	anew := func(l *look) { l.gone(); l.saw("uid2", 12, "new") }
	gone := (*look).gone
	return []between{
		{"nothing", nil, nil, inventory.InSync},
		{"changed, told late", changed, nil, inventory.Drift},
		{"changed, told", nil, changed, inventory.Drift},
		{"put back, told late", putBack, nil, inventory.Drift},
		{"put back, told", nil, putBack, inventory.Drift},
		{"another key, told late", elsewhere, nil, inventory.InSync},
		{"another key, told", nil, elsewhere, inventory.InSync},
		{"made anew, told late", anew, nil, inventory.Drift},
		{"made anew, told", nil, anew, inventory.Drift},
		{"deleted, told late", gone, nil, inventory.Tombstone},
		{"deleted, told", nil, gone, inventory.Tombstone},
	}
}

// A sync may see a newer change after a run read its write back, before or after the repository is told of what was read
// and in any case before the run's writes are stored.
func TestAChangeSeenMeanwhileIsNotLost(t *testing.T) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	root, err := vault.NewRootKey(key)
	must(t, err)
	ring, keys, err := vault.NewRing(root)
	must(t, err)
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx, all := t.Context(), whatHappensMeanwhile()
		must(t, s.SaveRing(ctx, 1, keys, happened("ring.create")))
		f := &inventory.Fetcher{Store: s, Ring: ring, Log: slog.New(slog.DiscardHandler), Owner: "w"}
		a := mapped(t, s, len(all))
		r := newRun(a)
		must(t, s.OpenRun(ctx, r, "", nil, happened("account.reset")))
		run, err := s.Claim(ctx, r.ID, "w", time.Minute)
		must(t, err)
		run.New = 2
		writes, err := s.Writes(ctx, run)
		must(t, err)
		looks := make([]*look, len(all))
		for i, w := range writes {
			x, err := s.Secret(ctx, w.SecretID)
			must(t, err)
			looks[i] = &look{t, s, f, x}
			looks[i].saw("uid", 5, "old", "password")
			writes[i].State, writes[i].Reason = rotation.WriteHeld, "no answer"
		}
		must(t, s.SaveWrites(ctx, run, writes, nil)) // a try before left all of them behind
		var evs []audit.Event
		for i, x := range all {
			if x.before != nil {
				x.before(looks[i])
			}
			looks[i].saw("uid", 10, "new", "password")
			if x.after != nil {
				x.after(looks[i])
			}
			writes[i].State, writes[i].Reason = rotation.WriteDone, ""
			writes[i].Proof = rotation.Proof{ResourceVersion: "10", Value: ring.Fingerprint(vault.NewValue([]byte("new")))}
			evs = append(evs, happened("secret.write"))
		}
		for range 2 { // doing it again, as after a crash, changes nothing
			must(t, s.SaveWrites(ctx, run, writes, evs))
			evs = nil
			for i, x := range all {
				x.check(t, looks[i], x.want)
			}
		}
		known, err := s.Writes(ctx, run)
		must(t, err)
		for i, w := range known { // only where nothing newer was seen is it known whose the key is
			if want := map[bool]string{true: "10"}[all[i].name == "nothing"]; w.Known != want {
				t.Errorf("%s: known at %q, want %q", all[i].name, w.Known, want)
			}
		}
		runs, err := s.Runs(ctx, store.Viewer{All: true}, store.RunQuery{ID: run.ID})
		must(t, err)
		if r := runs.Items[0]; r.Writes != int64(len(all)) || r.Proved != r.Writes {
			t.Errorf("%d of %d writes count as proved", r.Proved, r.Writes)
		}
		for i, x := range all { // what is expected from now on is the run's value
			if sec, err := s.Secret(ctx, looks[i].stay.ID); err != nil || sec.UID != "uid" || sec.State == inventory.Tombstone {
				continue
			}
			looks[i].saw("uid", 20, "old")
			x.check(t, looks[i], inventory.Drift)
			looks[i].saw("uid", 21, "new")
			x.check(t, looks[i], inventory.InSync)
		}
	})
}

func (x between) check(t *testing.T, l *look, want inventory.KeyState) {
	t.Helper()
	ms, err := l.s.Mappings(t.Context(), store.Viewer{All: true}, store.MappingQuery{SecretID: l.stay.ID})
	must(t, err)
	m := ms.Items[0]
	if m.State != want || (m.State == inventory.InSync) != (m.Reason == "") || m.Written != 2 {
		t.Errorf("%s: the mapping is %s (%s) and was last proved to hold version %d, want %s", x.name, m.State, m.Reason, m.Written, want)
	}
	sec, err := l.s.Secret(t.Context(), l.stay.ID)
	must(t, err)
	if (sec.State == inventory.Tombstone) != (want == inventory.Tombstone) {
		t.Errorf("%s: the Secret is %s", x.name, sec.State)
	}
}
