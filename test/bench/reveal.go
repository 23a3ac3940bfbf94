package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite"

	"github.com/keyturn/keyturn/client"
)

// revealTime is how long each round of reveals, and of bare commits, takes.
const revealTime = 3 * time.Second

// reveal measures reveals by many clients at once, between two loops of durable commits on the same disk.
func (b *bench) reveal(ctx context.Context) (figure, error) {
	ids, err := b.secretIDs(ctx, b.clients)
	if err != nil {
		return figure{}, err
	}
	db, err := openBare(ctx, filepath.Join(b.dir, "bare.db"))
	if err != nil {
		return figure{}, err
	}
	defer db.Close()
	if _, err := b.revealAll(ctx, ids, time.Second); err != nil { // connections are made once
		return figure{}, err
	}
	var reveals, commits []float64
	for round := range b.rounds {
		var used float64
		for step := range 3 {
			var rate float64
			if step == 1 {
				before := b.server.cpu()
				rate, err = b.revealAll(ctx, ids, revealTime)
				used = (b.server.cpu() - before) / (rate * revealTime.Seconds())
				reveals = append(reveals, rate)
			} else {
				rate, err = commitAll(ctx, db, revealTime)
				commits = append(commits, rate)
			}
			if err != nil {
				return figure{}, fmt.Errorf("reveal: %w", err)
			}
		}
		say("reveal: %.0f/s (%.0f µs each on the server's CPU), bare commits %.0f/s (load %s)", reveals[round], used*1e6, commits[2*round:], load())
	}
	f := newFigure("reveal", median(reveals), "1/s", median(commits), 1)
	f.least = true
	return f, nil
}

// revealAll lets every client reveal one of the values again and again, and returns how many a second there were.
func (b *bench) revealAll(ctx context.Context, ids []string, d time.Duration) (float64, error) {
	var work sync.WaitGroup
	var n atomic.Int64
	errs := make([]error, b.clients)
	begun := time.Now()
	for i := range b.clients {
		work.Go(func() {
			for time.Since(begun) < d && errs[i] == nil {
				_, errs[i] = b.client.Reveal(ctx, ids[i], client.Reveal{Key: valueKey})
				n.Add(1)
			}
		})
	}
	work.Wait()
	return float64(n.Load()) / time.Since(begun).Seconds(), errors.Join(errs...)
}

// openBare opens a table of one column, as durable as the repository.
func openBare(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE events (id INTEGER PRIMARY KEY, body TEXT NOT NULL)`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// commitAll commits one row after the other and returns how many a second there were.
func commitAll(ctx context.Context, db *sql.DB, d time.Duration) (float64, error) {
	insert, err := db.PrepareContext(ctx, `INSERT INTO events (body) VALUES (?)`)
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	n, begun := 0, time.Now()
	for ; time.Since(begun) < d; n++ {
		if _, err := insert.ExecContext(ctx, "an event of about the usual length, so that the pages fill in the same way"); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}
