package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// watched is what a watch handed over so far.
type watched struct {
	changes  chan []Change
	position chan string
	ended    chan error
}

func watchFrom(t *testing.T, watch func(context.Context, string, string, func([]Change, string) error) error, namespace, from string) watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := watched{make(chan []Change, 100), make(chan string, 100), make(chan error, 1)}
	go func() {
		w.ended <- watch(ctx, namespace, from, func(all []Change, position string) error {
			w.changes <- all
			w.position <- position
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

// next returns the next n changes and the position after them.
func (w watched) next(t *testing.T, n int) (all []Change, position string) {
	t.Helper()
	for len(all) < n {
		select {
		case some := <-w.changes:
			all = append(all, some...)
			position = <-w.position
		case err := <-w.ended:
			w.ended <- err
			t.Fatalf("the watch ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d changes came", len(all), n)
		}
	}
	return all, position
}

func TestAWatchShowsEveryChangeInOrder(t *testing.T) {
	kubectl(t, "", "create", "namespace", "seen")
	conn := dialled(t, connector(t, Scope{Namespaces: []string{"seen"}, ReadWrite: true}))
	from, err := conn.Position(t.Context(), "seen")
	if err != nil {
		t.Fatal(err)
	}
	values := watchFrom(t, conn.WatchSecrets, "seen", from)
	metas := watchFrom(t, conn.WatchMeta, "seen", from)

	kubectl(t, "", "-n", "seen", "create", "secret", "generic", "a", "--from-literal=password=first")
	for _, v := range []string{"second", "third"} {
		kubectl(t, "", "-n", "seen", "patch", "secret", "a", "-p", fmt.Sprintf(`{"stringData":{"password":%q}}`, v))
	}
	kubectl(t, "", "-n", "seen", "delete", "secret", "a")
	kubectl(t, "", "-n", "seen", "create", "secret", "generic", "a", "--from-literal=password=again")

	all, position := values.next(t, 5)
	var got []string
	for _, c := range all {
		got = append(got, fmt.Sprint(reveal(c.Secret.Data["password"]), c.Gone))
	}
	if want := []string{"firstfalse", "secondfalse", "thirdfalse", "thirdtrue", "againfalse"}; !slices.Equal(got, want) {
		t.Errorf("the watch showed %v, want %v", got, want)
	}
	if all[3].Secret.UID != all[0].Secret.UID || all[4].Secret.UID == all[0].Secret.UID {
		t.Error("the deleted Secret and the one after it are not told apart")
	}
	if position != all[4].Secret.ResourceVersion {
		t.Errorf("the position is %s, want that of the last change, %s", position, all[4].Secret.ResourceVersion)
	}
	some, _ := metas.next(t, 5)
	for i, c := range some {
		if c.Gone != all[i].Gone || c.Secret.ResourceVersion != all[i].Secret.ResourceVersion || c.Secret.UID != all[i].Secret.UID || len(c.Secret.Data) > 0 {
			t.Errorf("without values change %d is %+v", i, c)
		}
	}

	// Whoever was away meanwhile misses nothing.
	later := watchFrom(t, conn.WatchSecrets, "seen", all[1].Secret.ResourceVersion)
	rest, _ := later.next(t, 3)
	if !rest[1].Gone || reveal(rest[2].Secret.Data["password"]) != "again" {
		t.Error("a watch from the middle shows something else")
	}
}

func TestAWatchHandsOverNoTwoStatesOfOneSecret(t *testing.T) {
	kubectl(t, "", "create", "namespace", "burst")
	conn := dialled(t, connector(t, Scope{Namespaces: []string{"burst"}, ReadWrite: true}))
	from, err := conn.Position(t.Context(), "burst")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		kubectl(t, "", "-n", "burst", "create", "secret", "generic", fmt.Sprint("s", i), "--from-literal=k=v")
		kubectl(t, "", "-n", "burst", "label", "secret", fmt.Sprint("s", i), "n=1")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sizes []int
	seen := 0
	err = conn.WatchSecrets(ctx, "burst", from, func(all []Change, _ string) error {
		places := map[string]bool{}
		for _, c := range all {
			if places[c.Secret.Name] {
				t.Errorf("%s is handed over twice at once", c.Secret.Name)
			}
			places[c.Secret.Name] = true
		}
		sizes = append(sizes, len(all))
		if seen += len(all); seen == 8 {
			cancel()
		}
		time.Sleep(50 * time.Millisecond) // so that the others come meanwhile
		return nil
	})
	if !errors.Is(err, context.Canceled) || seen != 8 {
		t.Errorf("%d changes in %v, %v", seen, sizes, err)
	}
}

func TestAWatchOfAStateThatIsNotThere(t *testing.T) {
	conn := dialled(t, connector(t, Scope{Namespaces: []string{"default"}}))
	from, err := conn.Position(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "", "-n", "default", "create", "secret", "generic", "newer", "--from-literal=k=v")
	kubectl(t, "", "-n", "default", "delete", "secret", "newer")
	if err := plane.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	none := func(all []Change, _ string) error {
		if len(all) > 0 {
			return errors.New("a change came")
		}
		return nil
	}
	isFault(t, conn.WatchSecrets(t.Context(), "default", from, none), fault.Stale, CodeExpired)
	isFault(t, conn.WatchMeta(t.Context(), "default", from, none), fault.Stale, CodeExpired)
	isFault(t, conn.WatchSecrets(t.Context(), "kube-system", from, none), fault.Denied, codeRight)
	if err := conn.WatchSecrets(t.Context(), "default", "", none); !errors.Is(err, fault.Invalid) {
		t.Errorf("a watch from anywhere: %v", err)
	}
}

func TestAWatchFromAStateThatWasTakenBack(t *testing.T) {
	cfg := connector(t, Scope{Namespaces: []string{"default"}})
	cfg.watchSeconds = 2
	conn := dialled(t, cfg)
	none := func([]Change, string) error { return nil }
	isFault(t, conn.WatchSecrets(t.Context(), "default", "99999999999", none), fault.Stale, CodeExpired)
	from, err := conn.Position(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WatchSecrets(t.Context(), "default", from, none); err != nil {
		t.Errorf("a watch in which nothing happened ended with %v", err)
	}
}

func TestAWatchThatBreaksOffSaysSo(t *testing.T) {
	conn := dialled(t, connector(t, Scope{Namespaces: []string{"default"}}))
	from, err := conn.Position(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	w := watchFrom(t, conn.WatchSecrets, "default", from)
	kubectl(t, "", "-n", "default", "create", "secret", "generic", "last", "--from-literal=k=v")
	w.next(t, 1)
	plane.KillAPIServer()
	err = <-w.ended
	w.ended <- err
	if err != nil { // it may as well look as if the server had ended the watch
		isFault(t, err, fault.Unavailable, "cluster-unreachable")
	}
	again := conn.WatchSecrets(t.Context(), "default", from, func([]Change, string) error { return nil })
	if restart := plane.RestartAPIServer(t.Context()); restart != nil {
		t.Fatal(restart)
	}
	isFault(t, again, fault.Unavailable, "cluster-unreachable")
}

func reveal(v vault.Value) (s string) {
	_ = v.Expose(func(b []byte) error { s = string(b); return nil })
	return s
}
