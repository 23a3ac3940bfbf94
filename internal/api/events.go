package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
)

const (
	kept      = 4096                  // changes that a listener may have missed and still gets
	heartbeat = 15 * time.Second      // shorter than what proxies and the console take for silence
	gather    = 40 * time.Millisecond // the least time between two writes to a listener, so that a burst is few of them
)

// Events remembers the last changes of objects and wakes those who listen. The numbers begin anew with each process, from
// the time of its start, so that a listener of an earlier process is told to read again. It is safe for concurrent use.
type Events struct {
	mu    sync.Mutex
	ring  []client.Change // the last ones, oldest first
	next  int64
	first int64 // number of the first change of this process
	woken chan struct{}
}

// NewEvents returns an empty memory of changes.
func NewEvents() *Events {
	begin := time.Now().UnixMicro() // above any number of an earlier process
	return &Events{next: begin, first: begin, woken: make(chan struct{})}
}

// Publish remembers what was committed. It is quick and never waits for a listener.
func (e *Events) Publish(changes []store.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		e.ring = append(e.ring, client.Change{Seq: e.next, Kind: c.Kind, ID: c.ID, Rev: c.Rev, Parent: c.Parent})
		e.next++
	}
	if over := len(e.ring) - kept; over > 0 {
		e.ring = append(e.ring[:0:0], e.ring[over:]...)
	}
	close(e.woken)
	e.woken = make(chan struct{})
}

// Forget makes every listener read everything again: changes were missed.
func (e *Events) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++ // whoever knows of the change before has not seen this one
	e.ring, e.first = nil, e.next
	close(e.woken)
	e.woken = make(chan struct{})
}

// after returns the changes behind seq and a channel that is closed at the next one. ok is false when some of them are
// forgotten.
func (e *Events) after(seq int64) (changes []client.Change, woken <-chan struct{}, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := e.next - int64(len(e.ring))
	if seq < oldest-1 || seq < e.first-1 || seq >= e.next {
		return nil, e.woken, false
	}
	return append(changes, e.ring[seq-oldest+1:]...), e.woken, true
}

// last returns the number of the newest change.
func (e *Events) last() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next - 1
}

func (s *Server) eventOps() {
	type in struct {
		After int64 `query:"after" doc:"number of the last change that was seen; without it only later ones come"`
	}
	op(s, operation[in]{Method: http.MethodGet, Path: "/events", Op: policy.EventWatch, Stream: true,
		Summary: "What changes, as server-sent events: ids and revisions of objects that the caller may see"},
		func(ctx context.Context, c call, in *in) (*huma.StreamResponse, error) {
			after := in.After
			if after == 0 {
				after = s.Events.last()
			}
			if _, _, ok := s.Events.after(after); !ok {
				return nil, &problem{Problem: client.Problem{Type: problemPrefix + "events-forgotten", Status: http.StatusGone,
					Title: "The changes since then are forgotten", Cure: "Read everything again, then listen without a number."}}
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				hc.SetHeader("Content-Type", "text/event-stream")
				hc.SetHeader("X-Accel-Buffering", "no")
				s.follow(hc.Context(), c, hc.BodyWriter(), after)
			}}, nil
		})
}

// follow writes changes until the listener goes away, loses its session, or falls behind.
func (s *Server) follow(ctx context.Context, c call, w io.Writer, seq int64) {
	flush := func() {}
	if rw, ok := w.(http.ResponseWriter); ok {
		rc := http.NewResponseController(rw)
		_ = rc.SetWriteDeadline(time.Time{}) // a stream has no end by itself
		flush = func() { _ = rc.Flush() }
	}
	if _, err := fmt.Fprintf(w, ": after %d\n\n", seq); err != nil {
		return
	}
	flush()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for written := (time.Time{}); ; {
		changes, woken, ok := s.Events.after(seq)
		if !ok {
			return // it fell behind; the next request is told so
		}
		for _, change := range changes {
			seq = change.Seq
			if !s.mayKnow(ctx, c, change) {
				continue
			}
			b, _ := json.Marshal(change) // numbers and ids always encode
			if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil {
				return
			}
		}
		if len(changes) > 0 {
			flush()
			written = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(written.Add(gather))):
			}
		case <-beat.C:
			if s.Still != nil && !s.Still(ctx, c.Actor) {
				return // the session ended or the right is gone: the next request says so
			}
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
				return
			}
			flush()
		}
	}
}

// mayKnow reports whether a change is of something that the listener may see. What cannot be decided is left out.
func (s *Server) mayKnow(ctx context.Context, c call, change client.Change) bool {
	if policy.Visible(c.Actor).All {
		return true
	}
	op, obj := policy.AccountGet, policy.Object{Kind: "account", ID: change.ID}
	switch change.Kind {
	case "cluster", "fetch":
		op, obj = policy.ClusterGet, policy.Object{Kind: "cluster", ID: change.ID}
		if change.Kind == "fetch" {
			obj.ID = change.Parent
		}
	case "resource":
		op, obj.Kind = policy.ResourceGet, "resource"
	case "account", "secret", "conflict":
	case "restore": // that there is one, everybody is told by the server's health
		return true
	case "mapping", "run":
		obj.ID = change.Parent
	default:
		return false
	}
	if obj.ID == "" {
		return false
	}
	level, err := s.Levels(ctx, c.Actor.ID, obj.Kind, obj.ID, time.Now())
	if err != nil {
		return false
	}
	obj.Level = level
	return policy.Decide(c.Actor, op, obj).Allowed
}
