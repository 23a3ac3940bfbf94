package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/testbed"
)

const (
	hundredSecrets = 100_000
	hundredSpaces  = 1_000
	maxHundredRSS  = 160.0 // MiB, when nothing happens
	maxFetchRSS    = 300.0 // MiB, at any time of a fetch
	maxResumed     = 2.0   // seconds
)

// hundredFigures are the names of what is measured with a cluster of 100,000 Secrets.
var hundredFigures = []string{"fetch_100k", "rss_100k", "relist_100k", "resume_100k"}

// hundred takes the figures of a large cluster.
func (o options) hundred(ctx context.Context, dir string) (figures []figure, err error) {
	o.secrets, o.spaces = hundredSecrets, hundredSpaces
	say("starting a control plane and filling it with %d Secrets in %d namespaces (about four minutes)", o.secrets, o.spaces)
	plane, err := testbed.StartControlPlane(ctx, testbed.Options{Name: "hundred", Dir: filepath.Join(dir, "kube-hundred")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	b := &bench{options: o, dir: filepath.Join(dir, "hundred"), plane: plane}
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
	for _, take := range []func(context.Context) ([]figure, error){b.fetchHundred, b.idleHundred, b.relistHundred, b.resumeHundred} {
		more, err := take(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// fetchHundred measures one fetch of everything, and the most memory that the server has meanwhile.
func (b *bench) fetchHundred(ctx context.Context) ([]figure, error) {
	if err := b.connect(ctx, 0); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	var lists []float64
	list := func() error { return b.bare.list(ctx, b.options) }
	if err := timed(&lists, list); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	most, stop := b.watchMemory()
	begun := time.Now()
	ended, err := b.fetchAll(ctx)
	stop()
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if err := timed(&lists, list); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	took := ended.Sub(begun).Seconds()
	say("fetch of 100,000: %.1f s, at most %.0f MiB, bare lists %.1f s (load %s)", took, *most, lists, load())
	return []figure{newFigure("fetch_100k", took, "s", median(lists), 2), newFigure("fetch_100k_rss", *most, "MiB", maxFetchRSS, 1)}, nil
}

// watchMemory notes the most memory that the server has until stop is called.
func (b *bench) watchMemory() (most *float64, stop func()) {
	most = new(float64)
	ended := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if mib, err := b.server.memory(); err == nil {
				*most = max(*most, mib)
			}
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	})
	return most, func() {
		close(ended)
		looking.Wait()
	}
}

// idleHundred measures the memory of a server that follows the cluster and has nothing to do.
func (b *bench) idleHundred(ctx context.Context) ([]figure, error) {
	if err := b.live(ctx); err != nil {
		return nil, err
	}
	if err := sleep(ctx, idleTime); err != nil {
		return nil, err
	}
	mib, err := b.server.memory()
	say("rss with 100,000: %.1f MiB", mib)
	return []figure{newFigure("rss_100k", mib, "MiB", maxHundredRSS, 1)}, err
}

// live waits until the cluster is followed.
func (b *bench) live(ctx context.Context) error {
	for end := time.Now().Add(readyWithin); ; {
		c, err := b.client.Cluster(ctx, b.cluster)
		if err != nil {
			return err
		}
		if c.Watch != nil && c.Watch.State == "live" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the cluster is not followed: %+v", c.Watch)
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// relistHundred measures a compare of everything in which nothing has changed.
func (b *bench) relistHundred(ctx context.Context) ([]figure, error) {
	var lists, compares []float64
	for range b.rounds {
		if err := timed(&lists, func() error { return b.bare.list(ctx, b.options) }); err != nil {
			return nil, err
		}
		begun := time.Now()
		f, err := b.client.Sync(ctx, b.cluster)
		for err == nil && f.State != "done" && f.State != "failed" {
			if err = sleep(ctx, lookEvery); err == nil {
				f, err = b.client.Fetch(ctx, b.cluster, f.ID)
			}
		}
		if err != nil {
			return nil, err
		}
		if f.State != "done" || f.Added+f.Changed+f.Gone > 0 || f.Unchanged < int64(b.secrets) {
			return nil, fmt.Errorf("a compare in which nothing should have changed: %+v", f)
		}
		compares = append(compares, f.EndedAt.Sub(begun).Seconds())
	}
	say("relist: %.2f s, bare lists %.2f s (load %s)", compares, lists, load())
	return []figure{newFigure("relist_100k", median(compares), "s", median(lists), 1.5)}, nil
}

// resumeHundred measures from a start until the cluster is followed again. The server must not list it for that.
func (b *bench) resumeHundred(ctx context.Context) ([]figure, error) {
	before, err := b.client.Fetches(ctx, b.cluster)
	if err != nil {
		return nil, err
	}
	var took []float64
	for range b.rounds {
		if err := b.server.stop(); err != nil {
			return nil, err
		}
		begun := time.Now()
		if _, err := b.server.start(ctx); err != nil {
			return nil, err
		}
		for {
			c, err := b.client.Cluster(ctx, b.cluster)
			if err != nil {
				return nil, err
			}
			if c.Watch.State == "live" && c.Watch.Since.After(begun) {
				break
			}
			if time.Since(begun) > readyWithin {
				return nil, fmt.Errorf("the cluster is not followed: %+v", c.Watch)
			}
			if err := sleep(ctx, probeEvery); err != nil {
				return nil, err
			}
		}
		took = append(took, time.Since(begun).Seconds())
	}
	after, err := b.client.Fetches(ctx, b.cluster)
	if err != nil {
		return nil, err
	}
	if len(after) != len(before) {
		return nil, fmt.Errorf("after a restart everything was listed")
	}
	say("resume with 100,000: %.2f s", took)
	return []figure{newFigure("resume_100k", median(took), "s", maxResumed, 1)}, nil
}
