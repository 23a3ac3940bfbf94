package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
)

const (
	insertEvent    = `INSERT INTO audit_events (id, at, actor_id, action, object_kind, object_id, outcome, run_id, body)`
	eventColumns   = 9
	maxEvents      = 256
	maxIndexedText = 256
)

// record writes an audit event in the transaction of the effect that it describes.
func record(ctx context.Context, tx *Tx, evs ...audit.Event) error {
	_, err := insertRows(ctx, tx, insertEvent, eventColumns, "", len(evs), func(args []any, i int) []any {
		return eventRow(args, evs[i], evs[i].Canonical())
	})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func eventRow(args []any, ev audit.Event, body []byte) []any {
	return append(args, ev.ID, ev.At.UnixMicro(), indexed(ev.Actor.ID), indexed(ev.Action), indexed(ev.Object.Kind),
		indexed(ev.Object.ID), indexed(string(ev.Outcome)), indexed(ev.Run), string(body))
}

// indexed makes any text fit for an indexed column of both databases: what somebody typed into a login form is in here.
func indexed(s string) string {
	if len(s) <= maxIndexedText && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxIndexedText {
		return s
	}
	end := maxIndexedText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Record writes an audit event that has no effect beside it, and returns when it is on the disk. Events of callers that
// wait at the same time share statements and commits. Cancelling ctx withdraws an event that was not taken yet.
func (s *Store) Record(ctx context.Context, ev audit.Event) error {
	return s.events.record(ctx, ev)
}

// entry is an event that waits to be written.
type entry struct {
	ev        audit.Event
	body      []byte
	taken     bool // guarded by recorder.mu
	withdrawn bool // guarded by recorder.mu
	answer    chan error
}

// recorder gathers the events that arrive while others are being written, and writes them together.
type recorder struct {
	store *Store

	mu     sync.Mutex
	queue  []*entry
	closed bool

	wake chan struct{}
	done sync.WaitGroup
}

// recorderFlights is how many transactions of events may be under way on PostgreSQL, where one does not hold up another.
const recorderFlights = 2

func startRecorder(s *Store) *recorder {
	r := &recorder{store: s, wake: make(chan struct{}, 1)}
	flights := 1
	if s.engine.postgres() {
		flights = recorderFlights
	}
	for range flights {
		r.done.Go(r.loop)
	}
	return r
}

func (r *recorder) record(ctx context.Context, ev audit.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &entry{ev: ev, body: ev.Canonical(), answer: make(chan error, 1)}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errClosed()
	}
	r.queue = append(r.queue, e)
	r.mu.Unlock()
	r.signal()
	select {
	case err := <-e.answer:
		return err
	case <-ctx.Done():
	}
	r.mu.Lock()
	e.withdrawn = !e.taken
	r.mu.Unlock()
	if e.withdrawn {
		return ctx.Err()
	}
	return <-e.answer
}

func (r *recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// close writes what waits and stops.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
	r.done.Wait()
}

func (r *recorder) loop() {
	for range r.wake {
		for {
			entries, more, closed := r.take()
			if more || closed {
				r.signal() // for the other flight
			}
			if len(entries) == 0 {
				if closed && !more {
					return
				}
				break
			}
			r.flush(entries)
		}
	}
}

func (r *recorder) take() (entries []*entry, more, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), maxEvents)
	for _, e := range r.queue[:n] {
		if !e.withdrawn {
			e.taken = true
			entries = append(entries, e)
		}
	}
	r.queue = r.queue[n:]
	if len(r.queue) == 0 {
		r.queue = nil
	}
	return entries, len(r.queue) > 0, r.closed
}

// flush writes entries together. If one of them is at fault, such as an id that is there already, it writes each alone.
func (r *recorder) flush(entries []*entry) {
	err := r.insert(entries)
	if err == nil || len(entries) == 1 || fault.KindOf(err) == fault.Unavailable {
		for _, e := range entries {
			e.answer <- err
		}
		return
	}
	for _, e := range entries {
		e.answer <- r.insert([]*entry{e})
	}
}

func (r *recorder) insert(entries []*entry) error {
	ctx := context.Background()
	return r.store.write(ctx, func(tx *Tx) error {
		tx.logOnly = true
		_, err := insertRows(ctx, tx, insertEvent, eventColumns, "", len(entries), func(args []any, i int) []any {
			return eventRow(args, entries[i].ev, entries[i].body)
		})
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		return nil
	})
}

// AuditFilter chooses audit events. Empty fields choose everything.
type AuditFilter struct {
	Actor, Action, ObjectKind, ObjectID, Run string
	Outcome                                  audit.Outcome
	From, To                                 time.Time // From ≤ at < To
	Before                                   string    // the id of the last event of the page before
	Limit                                    int       // 1 to 1000; zero means 100
}

// AuditEntry is an audit event as it is stored.
type AuditEntry struct {
	audit.Event
	Seq int64 // its place in the log, -1 until it has one
}

// AuditEvents returns the events that filter chooses, newest first, at most filter.Limit.
func (s *Store) AuditEvents(ctx context.Context, filter AuditFilter) ([]AuditEntry, error) {
	limit := filter.Limit
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > 1000 {
		return nil, fault.New(fault.Invalid, "the limit must be between 1 and 1000").WithField("limit")
	}
	where, args := filter.conditions(filter.Before)
	args = append(args, limit)
	return queryAll(ctx, s.read(ctx), scanEntry, fmt.Sprintf(`SELECT COALESCE(seq, -1), body FROM audit_events%s ORDER BY id DESC LIMIT $%d`,
		where, len(args)), args...)
}

// CountAuditEvents returns how many events filter chooses, on all pages.
func (s *Store) CountAuditEvents(ctx context.Context, filter AuditFilter) (int64, error) {
	where, args := filter.conditions("")
	return queryOne(ctx, s.read(ctx), "count", scanInt, `SELECT COUNT(*) FROM audit_events`+where, args...)
}

// conditions returns the WHERE clause. Only fixed texts are in it; everything that was asked for is an argument.
func (f AuditFilter) conditions(before string) (string, []any) {
	var terms []string
	var args []any
	add := func(condition string, set bool, value any) {
		if set {
			args = append(args, value)
			terms = append(terms, fmt.Sprintf("%s $%d", condition, len(args)))
		}
	}
	add("actor_id =", f.Actor != "", indexed(f.Actor))
	add("action =", f.Action != "", indexed(f.Action))
	add("object_kind =", f.ObjectKind != "", indexed(f.ObjectKind))
	add("object_id =", f.ObjectID != "", indexed(f.ObjectID))
	add("outcome =", f.Outcome != "", indexed(string(f.Outcome)))
	if f.Run != "" {
		add("run_id <> '' AND run_id =", true, indexed(f.Run)) // the first half lets the partial index serve
	}
	add("at >=", !f.From.IsZero(), f.From.UnixMicro())
	add("at <", !f.To.IsZero(), f.To.UnixMicro())
	add("id <", before != "", indexed(before))
	if len(terms) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args
}

func scanEntry(r scanner) (e AuditEntry, err error) {
	var body string
	if err := r.Scan(&e.Seq, &body); err != nil {
		return e, err
	}
	e.Event, err = audit.Parse([]byte(body))
	return e, err
}
