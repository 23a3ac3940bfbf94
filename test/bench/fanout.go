package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/client"
)

// maxResume is how long a run may stand still after its server was killed, in seconds.
const maxResume = 5.0

// fanout measures one reset of an account that stands in 1,000 Secrets of ten clusters, between two times the same number
// of bare patches, as many at a time in each cluster.
func (f *fleet) fanout(ctx context.Context) (figure, error) {
	if err := f.fanned(ctx); err != nil {
		return figure{}, err
	}
	bare := func() error { return f.patchAll(ctx) }
	if err := bare(); err != nil { // the first write of another manager adds an entry to each, which the reset's has to as well
		return figure{}, err
	}
	b := &bench{client: f.client}
	if _, err := b.reset(ctx, f.fan); err != nil {
		return figure{}, err
	}
	var resets, patches []float64
	for round := range f.rounds {
		if err := timed(&patches, bare); err != nil {
			return figure{}, err
		}
		before, begun := f.server.cpu(), time.Now()
		ended, err := b.reset(ctx, f.fan)
		if err != nil {
			return figure{}, err
		}
		resets = append(resets, ended.Sub(begun).Seconds())
		used := f.server.cpu() - before
		if err := timed(&patches, bare); err != nil {
			return figure{}, err
		}
		say("fanout: %.2f s (%.2f s of it on the server's CPU), bare patches %.2f s (load %s)", resets[round], used, patches[2*round:], load())
	}
	return newFigure("fanout_1000x10", median(resets), "s", median(patches), 1.15), nil
}

// patchAll writes as many Secrets as those of the fan, as many at a time in each cluster as a reset does.
func (f *fleet) patchAll(ctx context.Context) error {
	byPlane, value := make([][]place, fleetPlanes), rand.Text()
	for _, p := range fanPlaces(theirs) {
		byPlane[p.plane] = append(byPlane[p.plane], p)
	}
	work, ctx := errgroup.WithContext(ctx)
	for _, places := range byPlane {
		work.Go(func() error {
			return each(ctx, inFlight, places, func(ctx context.Context, p place) error { return f.patch(ctx, p, value) })
		})
	}
	return work.Wait()
}

// fanned makes the account that stands in many Secrets, unless there is one.
func (f *fleet) fanned(ctx context.Context) error {
	if f.fan != "" {
		return nil
	}
	r, err := f.client.AddResource(ctx, client.NewResource{Name: "fan", Type: "generic"})
	if err != nil {
		return err
	}
	a, err := f.client.AddAccount(ctx, r.ID, client.NewAccount{Name: "app", Value: client.NewValue(rand.Text())})
	if err != nil {
		return err
	}
	f.fan = a.ID
	return f.mapAll(ctx, a.ID, fanPlaces(ours))
}

// resume measures from the start of a server, whose predecessor was killed while it wrote a new value to 1,000 Secrets,
// until more of them have it.
func (f *fleet) resume(ctx context.Context) (figure, error) {
	if err := f.fanned(ctx); err != nil {
		return figure{}, err
	}
	var waits []float64
	for range f.rounds {
		run, err := f.client.Reset(ctx, f.fan, client.Reset{})
		if err != nil {
			return figure{}, err
		}
		err = eventually(ctx, 5*time.Millisecond, func() (bool, error) {
			run, err = f.client.Run(ctx, run.ID)
			return run.KeysProved > 0, err
		})
		if err != nil {
			return figure{}, err
		}
		if run.State == "done" {
			return figure{}, fmt.Errorf("the run was done before the server could be killed")
		}
		if err := f.server.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			return figure{}, err
		}
		<-f.server.done
		begun := time.Now()
		if _, err := f.server.start(ctx); err != nil {
			return figure{}, err
		}
		// Some that were proved when it was killed may not have been told here: the first look is what counts.
		before := int64(-1)
		err = eventually(ctx, 5*time.Millisecond, func() (bool, error) {
			now, err := f.client.Run(ctx, run.ID)
			if before < 0 {
				before = now.KeysProved
			}
			return now.KeysProved > before || now.State == "done", err
		})
		if err != nil {
			return figure{}, err
		}
		waits = append(waits, time.Since(begun).Seconds())
		if err := f.ended(ctx, run.ID); err != nil {
			return figure{}, err
		}
	}
	say("resume: %.2f s", waits)
	return newFigure("resume", median(waits), "s", maxResume, 1), nil
}

// ended waits until a run is done.
func (f *fleet) ended(ctx context.Context, id string) error {
	return eventually(ctx, lookEvery, func() (bool, error) {
		run, err := f.client.Run(ctx, id)
		if run.State == "needs_attention" || run.State == "rolled_back" || run.State == "cancelled" {
			return false, fmt.Errorf("the run is %s: %s", run.State, run.Reason)
		}
		return run.State == "done", err
	})
}
