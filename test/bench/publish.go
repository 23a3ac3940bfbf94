package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keyturn/keyturn/client"
)

// publish measures one reset that is written to many Secrets, between two times the same number of bare patches.
func (b *bench) publish(ctx context.Context) (figure, error) {
	account, err := b.mapped(ctx, "bench", valueKey, b.targets)
	if err != nil {
		return figure{}, fmt.Errorf("map: %w", err)
	}
	b.app = account
	spaces := b.targets / b.perNamespace()
	bare := func() error { return b.bare.patch(ctx, b.options, spaces) }
	if err := bare(); err != nil { // the first write of another manager adds an entry to each, which the reset's has to as well
		return figure{}, err
	}
	if _, err := b.reset(ctx, account); err != nil {
		return figure{}, err
	}
	var resets, patches []float64
	for round := range b.rounds {
		if err := timed(&patches, bare); err != nil {
			return figure{}, err
		}
		before, begun := b.server.cpu(), time.Now()
		ended, err := b.reset(ctx, account)
		if err != nil {
			return figure{}, err
		}
		resets = append(resets, ended.Sub(begun).Seconds())
		used := b.server.cpu() - before
		steps, err := b.steps(ctx, account, begun)
		if err != nil {
			return figure{}, err
		}
		if err := timed(&patches, bare); err != nil {
			return figure{}, err
		}
		say("publish: %.2f s (%.2f s of it on the server's CPU;%s), bare patches %.2f s (load %s)", resets[round], used, steps, patches[2*round:], load())
	}
	return newFigure("publish_1000", median(resets), "s", median(patches), 1.25), nil
}

// steps tells when the steps of an account's last run were done, in seconds after begun.
func (b *bench) steps(ctx context.Context, account string, begun time.Time) (text string, err error) {
	page, err := b.client.Runs(ctx, client.RunFilter{Account: account, ListOptions: client.ListOptions{Limit: 1, Sort: "-created"}})
	if err != nil || len(page.Items) == 0 {
		return "", err
	}
	run, err := b.client.Run(ctx, page.Items[0].ID)
	for _, step := range run.Steps {
		if step.At != nil {
			text += fmt.Sprintf(" %s %.2f", step.Name, step.At.Sub(begun).Seconds())
		}
	}
	return text, err
}

// mapped makes an account on a resource of that name and maps it to a key of each of the first n Secrets.
func (b *bench) mapped(ctx context.Context, name, key string, n int) (account string, err error) {
	r, err := b.client.AddResource(ctx, client.NewResource{Name: name, Type: "generic"})
	if err != nil {
		return "", err
	}
	a, err := b.client.AddAccount(ctx, r.ID, client.NewAccount{Name: "app", Value: client.NewValue("the first value")})
	if err != nil {
		return "", err
	}
	ids, err := b.secretIDs(ctx, n)
	if err != nil {
		return "", err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(inFlight)
	for _, id := range ids {
		work.Go(func() error {
			_, err := b.client.AddMapping(ctx, client.NewMapping{AccountID: a.ID, SecretID: id, Key: key, Keep: "vault"})
			return err
		})
	}
	return a.ID, work.Wait()
}

// secretIDs returns the ids of the first n of the Secrets that were made for this, in the order of their names.
func (b *bench) secretIDs(ctx context.Context, n int) ([]string, error) {
	type found struct{ path, id string }
	var all []found
	for s, err := range client.All(func(cursor string) (client.Page[client.Secret], error) {
		return b.client.Secrets(ctx, client.SecretFilter{ListOptions: client.ListOptions{Cursor: cursor, Limit: pageSize}})
	}) {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(s.Namespace, "team-") {
			all = append(all, found{s.Namespace + "/" + s.Name, s.ID})
		}
	}
	if len(all) < n {
		return nil, fmt.Errorf("the repository lists %d Secrets", len(all))
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.path, b.path) })
	ids := make([]string, n)
	for i := range ids {
		ids[i] = all[i].id
	}
	return ids, nil
}

// reset changes the account's value everywhere and returns when the run was done. Looking costs the server time, so it is
// done rarely; the server's clock is ours.
func (b *bench) reset(ctx context.Context, account string) (time.Time, error) {
	started, err := b.client.Reset(ctx, account, client.Reset{})
	if err != nil {
		return time.Time{}, err
	}
	for {
		if err := sleep(ctx, 5*lookEvery); err != nil {
			return time.Time{}, err
		}
		page, err := b.client.Runs(ctx, client.RunFilter{Account: account, ListOptions: client.ListOptions{Limit: 1, Sort: "-created"}})
		if err != nil {
			return time.Time{}, err
		}
		if len(page.Items) != 1 || page.Items[0].ID != started.ID {
			return time.Time{}, fmt.Errorf("the newest run is not %s", started.ID)
		}
		switch run := page.Items[0]; run.State {
		case "done":
			return *run.EndedAt, nil
		case "rolled_back", "needs_attention", "cancelled":
			return time.Time{}, fmt.Errorf("the reset is %s: %s", run.State, run.Reason)
		}
	}
}
