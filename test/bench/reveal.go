package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite"
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
	clients, err := b.revealers(ctx, ids)
	defer func() {
		for _, c := range clients {
			_ = c.conn.Close()
		}
	}()
	if err != nil {
		return figure{}, err
	}
	if _, err := revealAll(clients, time.Second); err != nil { // the first ones fill the caches
		return figure{}, fmt.Errorf("reveal: %w", err)
	}
	var reveals, commits []float64
	for round := range b.rounds {
		var used float64
		for step := range 3 {
			var rate float64
			if step == 1 {
				before := b.server.cpu()
				rate, err = revealAll(clients, revealTime)
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

// revealer is one client: one connection that asks for the same value again and again. It does as little as a client can,
// because it shares the machine with the server that is measured.
type revealer struct {
	conn  *tls.Conn
	reply *bufio.Reader
	ask   []byte // one request, as it goes over the wire
}

func (b *bench) revealers(ctx context.Context, ids []string) (all []*revealer, err error) {
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: b.server.roots, MinVersion: tls.VersionTLS13}}
	for _, id := range ids {
		conn, err := dialer.DialContext(ctx, "tcp", b.server.address)
		if err != nil {
			return all, err
		}
		body := fmt.Sprintf(`{"key":%q}`, valueKey)
		ask := fmt.Sprintf("POST /api/v1/accounts/%s/reveal HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n%s", id, b.server.address, b.server.token.Text(), len(body), body)
		all = append(all, &revealer{conn.(*tls.Conn), bufio.NewReader(conn), []byte(ask)})
	}
	return all, nil
}

// reveal asks once, and reads all of the answer.
func (r *revealer) reveal() error {
	if _, err := r.conn.Write(r.ask); err != nil {
		return err
	}
	reply, err := http.ReadResponse(r.reply, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(reply.Body)
	if err == nil && (reply.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"value":"`))) {
		err = fmt.Errorf("the server answered %s", reply.Status)
	}
	return errors.Join(err, reply.Body.Close())
}

// revealAll lets every client reveal its value until d is over, and returns how many reveals a second there were.
func revealAll(clients []*revealer, d time.Duration) (float64, error) {
	var work sync.WaitGroup
	var n atomic.Int64
	errs := make([]error, len(clients))
	begun := time.Now()
	for i, c := range clients {
		work.Go(func() {
			for time.Since(begun) < d && errs[i] == nil {
				errs[i] = c.reveal()
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
