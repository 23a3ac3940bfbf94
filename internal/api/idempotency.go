package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

// Replies remembers the answers to POSTs that carried an Idempotency-Key, so that sending one again does nothing twice.
type Replies interface {
	// ClaimKey claims the key for this request (fresh), or returns the stored answer. It fails with fault.Conflict when
	// the key belongs to another request or when that one is still being answered.
	ClaimKey(ctx context.Context, actorID, key, route string, hash []byte) (stored *store.Reply, fresh bool, err error)
	// FinishKey stores the answer. A status of 0 gives the key free, for a request that changed nothing.
	FinishKey(ctx context.Context, actorID, key string, status int, body []byte) error
}

const longestKey = 128

// idempotent answers a POST that was sent before with the answer it got. Requests of nobody are not remembered, and of
// answers that carry a value only that they were given.
func (s *Server) idempotent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		key := hr.Header.Get("Idempotency-Key")
		r := requestOf(hr.Context())
		if hr.Method != http.MethodPost || key == "" || r.actor.Kind == identity.KindAnonymous || !strings.HasPrefix(hr.URL.Path, "/api/") || repeatable(hr.URL.Path) {
			next.ServeHTTP(w, hr)
			return
		}
		if len(key) > longestKey {
			s.refuse(w, r, fault.New(fault.Invalid, "the Idempotency-Key is longer than %d characters", longestKey))
			return
		}
		body, err := io.ReadAll(hr.Body)
		if err != nil {
			s.refuse(w, r, fault.New(fault.TooLarge, "the request's body is larger than %d bytes", maxBody).WithUnchanged("nothing was changed"))
			return
		}
		hr.Body = io.NopCloser(bytes.NewReader(body))
		stored, fresh, err := s.Replies.ClaimKey(hr.Context(), r.actor.ID, key, hr.URL.Path, s.Hash(hr.URL.Path, body))
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		if !fresh {
			s.repeat(w, r, stored)
			return
		}
		s.answerOnce(w, hr, r, key, next)
	})
}

// repeatable reports whether a POST may be carried out any number of times: it looks, and changes no more than the log.
func repeatable(path string) bool {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "reveal", "download", "compare", "test", "verify", "preview", "find":
		return true
	}
	return false
}

func (s *Server) repeat(w http.ResponseWriter, r *request, stored *store.Reply) {
	if len(stored.Body) == 0 && stored.Status != http.StatusNoContent {
		s.refuse(w, r, fault.New(fault.Conflict, "this request was answered before, with a value that is not kept").
			WithCode("already-answered").WithCure("send it again under another Idempotency-Key").WithUnchanged("nothing was done a second time"))
		return
	}
	kind := "application/json"
	if stored.Status >= http.StatusBadRequest {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(stored.Status)
	_, _ = w.Write(stored.Body)
}

// answerOnce lets the request through and stores its answer, even if whoever asked has gone.
func (s *Server) answerOnce(w http.ResponseWriter, hr *http.Request, r *request, key string, next http.Handler) {
	tee := &teeWriter{ResponseWriter: w}
	ctx := context.WithoutCancel(hr.Context())
	finished := false
	defer func() {
		if !finished { // it panicked: whether it was done is not known, so the key stays claimed until it is dropped as old
			return
		}
		body := tee.body.Bytes()
		if r.secret {
			body = nil
		}
		status := tee.status
		// Somebody who may not, or who sent something wrong, may mend it and use the key again.
		if status >= http.StatusBadRequest && status != http.StatusConflict {
			status = 0
		}
		if err := s.Replies.FinishKey(ctx, r.actor.ID, key, status, body); err != nil {
			s.Log.Warn("an answer could not be kept for its Idempotency-Key", "request", r.id, "err", err)
		}
	}()
	next.ServeHTTP(tee, hr)
	finished = true
}

// teeWriter copies what is answered, up to a limit.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *teeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *teeWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	const most = 1 << 20
	if w.body.Len()+len(b) <= most {
		w.body.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *teeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
