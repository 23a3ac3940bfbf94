package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/client"
)

// played is what came of it.
type played struct {
	runs   int
	faults int64
	mute   int      // of those: a system changed a password and its reply was lost
	lost   []string // one sentence each
}

// torture resets accounts n times while things go wrong as seed says, and looks after each round, when nothing goes wrong
// any more, at what came of it.
func torture(ctx context.Context, program string, seed uint64, n int, out io.Writer) (p played, err error) {
	b, err := openBed(ctx, program, seed)
	if err != nil {
		return p, err
	}
	defer func() {
		forget := len(p.lost) == 0 && err == nil
		if !forget {
			_, _ = fmt.Fprintf(out, "what is left lies in %s\n", b.folder)
		}
		err = errors.Join(err, b.close(forget))
	}()
	b.bites.Store(0)
	for round := uint64(0); p.runs < n; round++ {
		r := rand.New(rand.NewPCG(seed, 100+round))
		faults := b.draw(r, round)
		_, _ = fmt.Fprintf(out, "round %d (%d runs so far):", round, p.runs)
		for _, f := range faults {
			_, _ = fmt.Fprintf(out, " %s", f.name)
			if f.lasts > 0 {
				_, _ = fmt.Fprintf(out, " after %v for %v", f.after, f.lasts)
			}
			_, _ = fmt.Fprint(out, ";")
		}
		_, _ = fmt.Fprintln(out)
		some := b.accounts[:min(len(b.accounts), n-p.runs)]
		if err := b.round(ctx, r, faults, some); err != nil {
			return p, fmt.Errorf("round %d: %w", round, err)
		}
		p.runs += len(some)
		lost, err := b.look(ctx)
		if err != nil {
			return p, fmt.Errorf("after round %d: %w", round, err)
		}
		for _, l := range lost {
			_, _ = fmt.Fprintln(out, "LOST:", l)
		}
		p.lost = append(p.lost, lost...)
		p.faults, p.mute = b.bites.Load(), b.wires["postgres"].repliesLost()+b.wires["redis"].repliesLost()
		if len(lost) > 0 {
			return p, nil
		}
	}
	return p, nil
}

// round asks for a reset of each account while the faults happen, and then waits until every run has ended.
func (b *bed) round(ctx context.Context, r *rand.Rand, faults []fault, accounts []*account) error {
	errs := make(chan error, len(faults))
	var wrong sync.WaitGroup
	for _, f := range faults {
		wrong.Go(func() {
			time.Sleep(f.after)
			err := f.begin(ctx)
			time.Sleep(f.lasts)
			if err = errors.Join(err, f.end(ctx)); err != nil {
				errs <- fmt.Errorf("%s: %w", f.name, err)
			}
		})
	}
	begun := make([]error, len(accounts))
	var work sync.WaitGroup
	for i, a := range accounts {
		wait := time.Duration(r.IntN(800)) * time.Millisecond
		work.Go(func() {
			time.Sleep(wait)
			begun[i] = b.order(ctx, a)
		})
	}
	work.Wait()
	wrong.Wait()
	close(errs)
	for err := range errs {
		begun = append(begun, err)
	}
	if err := errors.Join(begun...); err != nil {
		return err
	}
	for _, a := range accounts {
		if err := poll(ctx, "the run of "+a.name+" ends", func() error { return b.carryOn(ctx, a) }); err != nil {
			return err
		}
	}
	for _, w := range b.wires {
		w.lose(0)
	}
	return nil
}

// order asks for a reset until there is a new run; an answer that was lost does not make a second one.
func (b *bed) order(ctx context.Context, a *account) error {
	return poll(ctx, "a reset of "+a.name+" begins", func() error {
		c, err := b.server.client()
		if err != nil {
			return err
		}
		page, err := c.Runs(ctx, client.RunFilter{Account: a.id})
		if err != nil {
			return err
		}
		for _, run := range page.Items {
			if run.EndedAt == nil {
				a.run = run.ID
				return nil
			}
		}
		if len(page.Items) > 0 && a.run != "" && page.Items[0].ID > a.run { // it has ended before anybody heard of it
			a.run = page.Items[0].ID
			return nil
		}
		run, err := c.Reset(ctx, a.id, client.Reset{})
		if err == nil {
			a.run = run.ID
		}
		return err
	})
}

// carryOn reports nil when the account's run has ended. One that waits or needs attention is resumed, as a person does once
// the cause is mended. A run that says that its system refused something lies: whatever goes wrong here, no system does.
func (b *bed) carryOn(ctx context.Context, a *account) error {
	c, err := b.server.client()
	if err != nil {
		return err
	}
	run, err := c.Run(ctx, a.run)
	switch {
	case err != nil:
		return err
	case run.State == "rolled_back", run.State == "needs_attention" && atSystem(run.Step):
		a.lies = append(a.lies, fmt.Sprintf("the run is %s after %s, and its system refused nothing: %s", run.State, run.Step, run.Reason))
	}
	switch {
	case run.EndedAt != nil:
		return nil
	case run.Reason == "" && run.State != "queued" && run.State != "running":
		return fmt.Errorf("it is %s and does not say why", run.State)
	case run.State == "waiting" || run.State == "needs_attention":
		_, _ = c.ResumeRun(ctx, run.ID)
	}
	return fmt.Errorf("it is %s after %s: %s", run.State, run.Step, run.Reason)
}

// atSystem reports whether what comes after step is done at the system, not at a cluster.
func atSystem(step string) bool {
	return slices.Contains([]string{"planned", "minted", "applied", "rolled_out"}, step)
}
