package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

const (
	settle   = 5 * time.Second // until the control plane has done what new namespaces cause
	idleTime = 10 * time.Second
	maxRSS   = 100.0 // MiB
	maxStart = 0.5   // seconds
	// lookEvery is how often a fetch or a reset is looked at while it runs.
	lookEvery = 100 * time.Millisecond
)

// bench is one run.
type bench struct {
	options
	dir   string
	plane *testbed.ControlPlane
	bare  bare
	token string // the connector's

	server  *server // the last one that fetched
	client  *client.Client
	cluster string
	app     string // the account that is mapped to many keys; empty until there is one
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// measure takes all figures, one after the other, and stops what it started.
func measure(ctx context.Context, o options) (figures []figure, err error) {
	dir, err := os.MkdirTemp("", "keyturn-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.wantsAny(oneCluster) {
		if figures, err = o.single(ctx, dir); err != nil {
			return nil, err
		}
	}
	if o.wantsAny(fleetFigures) {
		more, err := o.fleet(ctx, dir)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	if o.wantsAny(hundredFigures) {
		more, err := o.hundred(ctx, dir)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	if o.wants(duplicatesFigure) {
		one, err := o.duplicates(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", duplicatesFigure, err)
		}
		figures = append(figures, one)
	}
	return figures, nil
}

// oneCluster are the names of what is measured with a single cluster.
var oneCluster = []string{"fetch_10k", "rss_10k", "sync_latency", "reveal", "publish_1000", "start", consoleFigures}

// single takes the figures that need one cluster.
func (o options) single(ctx context.Context, dir string) (figures []figure, err error) {
	say("starting a control plane and filling it with %d Secrets in %d namespaces (about half a minute)", o.secrets, o.spaces)
	plane, err := testbed.StartControlPlane(ctx, testbed.Options{Name: "bench", Dir: filepath.Join(dir, "kube")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	b := &bench{options: o, dir: dir, plane: plane}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	if b.bare, err = newBare(plane); err != nil {
		return nil, err
	}
	if err := b.bare.fill(ctx, o); err != nil {
		return nil, fmt.Errorf("fill the cluster: %w", err)
	}
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name string
		take func(context.Context) (figure, error)
	}{{"fetch_10k", b.fetch}, {"rss_10k", b.rss}, {"sync_latency", b.latency}, {"reveal", b.reveal}, {"publish_1000", b.publish}, {"start", b.start}} {
		if one.name != "fetch_10k" && !o.wants(one.name) {
			continue // without a fetch there is nothing to measure
		}
		f, err := one.take(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	if o.wants(consoleFigures) { // the last ones: the repository is not what it was afterwards
		more, err := b.console(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// fetch measures from Save until everything is sealed and committed, each round on a new server, between two bare lists.
func (b *bench) fetch(ctx context.Context) (figure, error) {
	var fetches, lists []float64
	for round := range b.rounds {
		if err := b.connect(ctx, round); err != nil {
			return figure{}, fmt.Errorf("connect: %w", err)
		}
		list := func() error { return b.bare.list(ctx, b.options) }
		if err := timed(&lists, list); err != nil {
			return figure{}, fmt.Errorf("list: %w", err)
		}
		before, begun := b.server.cpu(), time.Now()
		ended, err := b.fetchAll(ctx)
		if err != nil {
			return figure{}, fmt.Errorf("fetch: %w", err)
		}
		fetches = append(fetches, ended.Sub(begun).Seconds())
		used := b.server.cpu() - before
		if err := timed(&lists, list); err != nil {
			return figure{}, fmt.Errorf("list: %w", err)
		}
		say("fetch: %.2f s (%.2f s of it on the server's CPU), bare lists %.2f s (load %s)", fetches[round], used, lists[2*round:], load())
	}
	return newFigure("fetch_10k", median(fetches), "s", median(lists), 2.5), nil
}

// connect starts a new server and connects the cluster to it.
func (b *bench) connect(ctx context.Context, round int) (err error) {
	if err := b.server.stop(); err != nil {
		return err
	}
	if b.server, err = newServer(b.keyturn, filepath.Join(b.dir, fmt.Sprintf("server-%d", round))); err != nil {
		return err
	}
	if _, err = b.server.start(ctx); err != nil {
		return err
	}
	if err := b.server.setup(ctx); err != nil {
		return err
	}
	if b.client, err = b.server.client(b.clients); err != nil {
		return err
	}
	if b.token == "" {
		manifest, err := b.client.Connector(ctx, client.Scope{Access: "read-write"})
		if err != nil {
			return err
		}
		if b.token, err = connector(ctx, b.plane, manifest); err != nil {
			return err
		}
	}
	c, err := b.client.AddCluster(ctx, client.NewCluster{Name: "bench", Server: b.plane.URL, CA: string(b.plane.CAPEM), Token: client.NewValue(b.token),
		Scope: client.Scope{Access: "read-write"}})
	b.cluster = c.ID
	return err
}

// fetchAll fetches everything and returns when the fetch was done.
func (b *bench) fetchAll(ctx context.Context) (time.Time, error) {
	f, err := b.client.FetchSecrets(ctx, b.cluster, client.Selection{All: true})
	for err == nil && f.State != "done" {
		if f.State == "failed" {
			return time.Time{}, fmt.Errorf("the fetch failed: %s", f.Reason)
		}
		if err = sleep(ctx, lookEvery); err == nil {
			f, err = b.client.Fetch(ctx, b.cluster, f.ID)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	if f.Added < int64(b.secrets) {
		return time.Time{}, fmt.Errorf("the fetch brought %d Secrets", f.Added)
	}
	return *f.EndedAt, nil
}

// rss measures the memory of the server that has just fetched, after it was left alone.
func (b *bench) rss(ctx context.Context) (figure, error) {
	if err := sleep(ctx, idleTime); err != nil {
		return figure{}, err
	}
	mib, err := b.server.memory()
	say("rss: %.1f MiB", mib)
	return newFigure("rss_10k", mib, "MiB", maxRSS, 1), err
}

// start measures how long the server takes from exec until it is ready, with everything stored.
func (b *bench) start(ctx context.Context) (figure, error) {
	var starts []float64
	for range b.rounds {
		if err := b.server.stop(); err != nil {
			return figure{}, err
		}
		took, err := b.server.start(ctx)
		if err != nil {
			return figure{}, err
		}
		starts = append(starts, took.Seconds())
	}
	say("start: %.3f s", starts)
	return newFigure("start", median(starts), "s", maxStart, 1), nil
}

// timed appends to all how many seconds do took.
func timed(all *[]float64, do func() error) error {
	begun := time.Now()
	err := do()
	*all = append(*all, time.Since(begun).Seconds())
	return err
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
