package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/store"
)

const (
	duplicatesFigure = "duplicates_100k"
	copiesOfEach     = 5
	copiedClusters   = 10
	copiedSpaces     = 167 // in each cluster, of moreSecrets Secrets
	maxDuplicates    = 1.0 // seconds
)

// duplicates measures how long one answer with the first groups of equal values takes, from the request to the last byte.
// 100,200 Secrets have a password each that is in four others too, and a key that is equal to none. The repository is filled
// directly, by the code of a fetch. The answer counts all groups, so every key is looked at for it.
func (o options) duplicates(ctx context.Context, dir string) (_ figure, err error) {
	say("filling a repository with %d Secrets for %s", copiedClusters*copiedSpaces*moreSecrets, duplicatesFigure)
	s, err := newServer(o.keyturn, filepath.Join(dir, "duplicates"))
	if err != nil {
		return figure{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := s.start(ctx); err != nil {
		return figure{}, err
	}
	if err := errors.Join(s.setup(ctx), s.stop()); err != nil {
		return figure{}, err
	}
	if err := seedCopies(ctx, filepath.Join(s.folder, "data")); err != nil {
		return figure{}, err
	}
	if _, err := s.start(ctx); err != nil {
		return figure{}, err
	}
	c, err := s.client(1)
	if err != nil {
		return figure{}, err
	}
	var took []float64
	for range max(o.rounds, 3) {
		err := timed(&took, func() error {
			p, err := c.Duplicates(ctx, client.DuplicateFilter{})
			if want := int64(copiedClusters * copiedSpaces * moreSecrets / copiesOfEach); err == nil && (p.Total != want || len(p.Items) == 0 || p.Items[0].Keys != copiesOfEach) {
				err = fmt.Errorf("%d groups of equal values were found, want %d; the first: %+v", p.Total, want, p.Items[:min(len(p.Items), 1)])
			}
			return err
		})
		if err != nil {
			return figure{}, err
		}
	}
	return newFigure(duplicatesFigure, median(took), "s", maxDuplicates, 1), nil
}

func seedCopies(ctx context.Context, data string) (err error) {
	st, err := store.Open(ctx, store.Config{Dir: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	ring, err := openRing(ctx, st, filepath.Join(data, "root.key"))
	if err != nil {
		return err
	}
	remotes := papers{}
	fetcher := &inventory.Fetcher{Store: st, Remotes: remotes, Ring: ring, Log: slog.New(slog.DiscardHandler), Owner: "bench", Lease: time.Hour, MaxTries: 1}
	for i := range copiedClusters {
		c, err := paperCluster(i, ring)
		if err != nil {
			return err
		}
		remotes[c.ID] = paper{first: i * copiedSpaces, spaces: copiedSpaces, copies: copiesOfEach}
		if err := st.AddCluster(ctx, c, nil, audit.New(identity.System("bench"), "cluster.create", audit.Object{Kind: "cluster", ID: c.ID})); err != nil {
			return err
		}
		if err := seedCluster(ctx, st, fetcher, c.ID); err != nil {
			return err
		}
	}
	return nil
}
