package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/test/testbed"
)

// fault is one thing that goes wrong for a while. begin and end are never called at the same time as those of another fault
// of the same thing.
type fault struct {
	what         string // is in trouble; one fault of it at a time
	name         string
	after, lasts time.Duration
	begin, end   func(context.Context) error
}

// repliesLost is of how many changes in a round the system does what it was told and its reply is lost: of each password in
// PostgreSQL, of a password in Redis that comes beside another, and of one that goes.
const repliesLost = 3

// draw chooses the faults of one round: that replies of changes are lost at one system, which is the other one in the next
// round, and one to three of other things.
func (b *bed) draw(r *rand.Rand, round uint64) (drawn []fault) {
	name := []string{"postgres", "redis"}[round%2]
	w := b.wires[name]
	drawn = append(drawn, simple(name, "replies of changes are lost on the wire to "+name, func() { w.lose(repliesLost) }, func() {}))
	busy := map[string]bool{name: true}
	all := b.faults(r)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, f := range all[:1+r.IntN(3)] {
		if busy[f.what] {
			continue
		}
		busy[f.what] = true
		f.after = time.Duration(r.IntN(600)) * time.Millisecond
		f.lasts = time.Duration(200+r.IntN(2500)) * time.Millisecond
		drawn = append(drawn, f)
	}
	return drawn
}

func (b *bed) faults(r *rand.Rand) []fault {
	plane := r.IntN(len(b.clusters.Planes))
	at := b.clusters.Planes[plane]
	all := []fault{
		{what: "server", name: "the server is killed", begin: func(context.Context) error { b.bites.Add(1); b.server.end(syscall.SIGKILL); return nil }, end: b.server.start},
		{what: "server", name: "the server is frozen", begin: func(context.Context) error { b.bites.Add(1); b.server.signal(syscall.SIGSTOP); return nil },
			end: func(context.Context) error { b.server.signal(syscall.SIGCONT); return nil }},
		{what: "postgres", name: "PostgreSQL is killed", begin: func(context.Context) error { b.bites.Add(1); b.postgres.Kill(); return nil }, end: b.postgres.Restart},
		{what: "api", name: "an API server is killed", begin: func(context.Context) error { b.bites.Add(1); at.KillAPIServer(); return nil }, end: at.RestartAPIServer},
		{what: "api", name: "the connector loses its rights", begin: func(ctx context.Context) error {
			b.bites.Add(1)
			_, err := at.Kubectl(ctx, "", "-n", namespace, "delete", "rolebinding", "--all")
			return err
		}, end: func(ctx context.Context) error { _, err := at.Kubectl(ctx, b.manifest, "apply", "-f", "-"); return err }},
		{what: "secrets", name: "somebody else writes the Secrets", begin: func(ctx context.Context) error { b.bites.Add(1); return b.annotate(ctx, at) },
			end: func(context.Context) error { return nil }},
	}
	for _, name := range []string{"postgres", "redis"} {
		w := b.wires[name]
		for i, word := range []string{"is cut", "is down", "is silent"} {
			all = append(all, simple(name, fmt.Sprintf("the wire to %s %s", name, word), func() { w.set(wireCut + wireFault(i)) }, func() { w.set(wireWhole) }))
		}
	}
	for i, m := range b.meddlers {
		all = append(all, simple(fmt.Sprint("meddler", i), fmt.Sprintf("the API server of cluster %d answers with errors", i+1), func() { m.on.Store(true) }, func() { m.on.Store(false) }))
	}
	return all
}

func simple(what, name string, begin, end func()) fault {
	return fault{what: what, name: name, begin: func(context.Context) error { begin(); return nil }, end: func(context.Context) error { end(); return nil }}
}

// annotate changes every Secret several times, in a way that is not Keyturn's.
func (b *bed) annotate(ctx context.Context, at *testbed.ControlPlane) error {
	for i := range 3 {
		if _, err := at.Kubectl(ctx, "", "-n", namespace, "annotate", "secrets", "--all", "--overwrite", fmt.Sprintf("seen=%d", i)); err != nil {
			return nil // its API server may be down
		}
	}
	return nil
}
