package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel      = "keyturn_changes"
	gatherFor    = 50 * time.Millisecond
	maxPayload   = 7000 // bytes; PostgreSQL takes 8000
	relistenWait = time.Second
)

// notifier tells other servers on the same PostgreSQL what this one committed, and hears what they did. Notices are hints:
// they are sent after COMMIT, outside of the transaction, since NOTIFY inside of one makes all commits wait for each other.
type notifier struct {
	db      *sql.DB
	cfg     *pgx.ConnConfig
	id      string
	heard   func([]Change)
	missed  func()
	log     *slog.Logger
	mu      sync.Mutex
	pending []Change
	woken   chan struct{}
	stop    context.CancelFunc
	loops   sync.WaitGroup
}

// notice is the payload of one NOTIFY.
type notice struct {
	From    string   `json:"from"`
	Changes []Change `json:"changes"`
}

func startNotifier(db *sql.DB, cfg *pgx.ConnConfig, heard func([]Change), missed func(), log *slog.Logger) *notifier {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	ctx, stop := context.WithCancel(context.Background())
	n := &notifier{db: db, cfg: cfg, id: hex.EncodeToString(b[:]), heard: heard, missed: missed, log: log, woken: make(chan struct{}, 1), stop: stop}
	n.loops.Go(func() { n.send(ctx) })
	n.loops.Go(func() { n.listen(ctx) })
	return n
}

// tell has changes sent soon. It never blocks.
func (n *notifier) tell(changes []Change) {
	n.mu.Lock()
	n.pending = append(n.pending, changes...)
	n.mu.Unlock()
	select {
	case n.woken <- struct{}{}:
	default:
	}
}

func (n *notifier) close() {
	n.stop()
	n.loops.Wait()
}

func (n *notifier) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.woken:
		}
		select { // many commits in one notice
		case <-ctx.Done():
			return
		case <-time.After(gatherFor):
		}
		n.mu.Lock()
		changes := n.pending
		n.pending = nil
		n.mu.Unlock()
		for _, payload := range payloads(n.id, changes) {
			if _, err := n.db.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, payload); err != nil && ctx.Err() == nil {
				n.log.Warn("other servers could not be told of changes", "err", translate(err))
			}
		}
	}
}

// payloads writes changes as notices that PostgreSQL takes.
func payloads(from string, changes []Change) (out []string) {
	for len(changes) > 0 {
		take := min(len(changes), 64)
		b, _ := json.Marshal(notice{from, changes[:take]}) // ids and numbers always encode
		for len(b) > maxPayload && take > 1 {
			take /= 2
			b, _ = json.Marshal(notice{from, changes[:take]})
		}
		out = append(out, string(b))
		changes = changes[take:]
	}
	return out
}

// listen hears the others until ctx ends. What was said while the connection was down is lost, so missed is called then.
func (n *notifier) listen(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			select {
			case <-ctx.Done():
				return
			case <-time.After(relistenWait):
			}
		}
		if err := n.hear(ctx, !first); err != nil && ctx.Err() == nil {
			n.log.Warn("changes of other servers are not heard; trying again", "err", translate(err))
		}
	}
}

func (n *notifier) hear(ctx context.Context, again bool) error {
	conn, err := pgx.ConnectConfig(ctx, n.cfg.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), relistenWait)
		defer stop()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	if again {
		n.missed()
	}
	for {
		got, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var said notice
		if json.Unmarshal([]byte(got.Payload), &said) == nil && said.From != n.id {
			n.heard(said.Changes)
		}
	}
}
