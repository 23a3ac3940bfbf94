package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/vault"
)

// CookieName is the console's session cookie. The prefix makes browsers insist on Secure and the path /.
const CookieName = "__Host-keyturn"

// request is what the guard learned about a request before it is routed.
type request struct {
	id      string
	actor   identity.Actor
	session identity.Session
	refused error // why the credential that came with it was not taken
	browser bool
	secret  bool // the answer carries a value
}

type requestKey struct{}

// requestOf returns what the guard put into the context. Only this package does so, for huma hands over no more.
func requestOf(ctx context.Context) *request {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		panic("api: a request that did not pass the guard")
	}
	return r
}

// Authenticator tells who presents a session's or a token's secret.
type Authenticator interface {
	Authenticate(ctx context.Context, secret vault.Value, address string) (identity.Actor, identity.Session, error)
	// Recognise is Authenticate for what puts off no session's end.
	Recognise(ctx context.Context, secret vault.Value, address string) (identity.Actor, identity.Session, error)
}

// guard is the way in: it refuses paths that are written in more than one way, finds out who asks, and puts both into the
// context.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		begun, routed := time.Now(), hr
		r := &request{id: newRequestID(), actor: identity.Anonymous(address(hr))}
		r.actor.Request = r.id
		w.Header().Set("X-Request-Id", r.id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				// What panicked may hold a value, so only its type is written down.
				s.Log.Error("request panicked", "request", r.id, "type", typeName(p), "stack", stack())
				if seen.status == 0 {
					s.refuse(seen, r, errPanic)
				}
			}
			s.observe(routed, r, seen.status, time.Since(begun))
		}()
		if unclean(hr.URL.EscapedPath()) {
			s.refuse(seen, r, fault.New(fault.NotFound, "there is nothing at this path"))
			return
		}
		hr.Body = http.MaxBytesReader(seen, hr.Body, maxBody)
		if err := crossOrigin.Check(hr); err != nil {
			s.refuse(seen, r, fault.New(fault.Denied, "a page of another origin sent this request").WithCode("cross-origin"))
			return
		}
		if strings.HasPrefix(hr.URL.Path, "/api/") && hr.URL.Path != healthPath && hr.URL.Path != unsealPath {
			if err := s.sealed(); err != nil {
				s.refuse(seen, r, err)
				return
			}
			s.identify(hr, r)
		}
		if err := s.admit(hr, r); err != nil {
			s.refuse(seen, r, err)
			return
		}
		routed = hr.WithContext(context.WithValue(hr.Context(), requestKey{}, r))
		next.ServeHTTP(seen, routed)
	})
}

var crossOrigin = http.NewCrossOriginProtection()

// identify finds out who asks. A credential that is not taken leaves the actor anonymous, with the reason.
func (s *Server) identify(hr *http.Request, r *request) {
	var secret string
	if bearer, ok := strings.CutPrefix(hr.Header.Get("Authorization"), "Bearer "); ok {
		secret = strings.TrimSpace(bearer)
	} else if c, err := hr.Cookie(CookieName); err == nil {
		secret, r.browser = c.Value, true
	}
	r.browser = r.browser || hr.Header.Get("Sec-Fetch-Site") != ""
	if secret == "" {
		return
	}
	authenticate := s.Identity.Authenticate
	if hr.URL.Path == eventsPath { // a page that is left open connects again and again
		authenticate = s.Identity.Recognise
	}
	actor, session, err := authenticate(hr.Context(), vault.NewValue([]byte(secret)), r.actor.Address)
	if err != nil {
		r.refused = err
		return
	}
	actor.Request = r.id
	r.actor, r.session = actor, session
}

// admit fails with fault.Throttled when whoever asks for something of the API asks too often. Nothing was written then, but
// the one event that says so.
func (s *Server) admit(hr *http.Request, r *request) error {
	switch {
	case !strings.HasPrefix(hr.URL.Path, "/api/") || hr.URL.Path == healthPath:
		return nil
	case r.actor.Kind == identity.KindAnonymous:
		return s.limit(hr.Context(), s.limits.anonymous, r.actor)
	}
	return s.limit(hr.Context(), s.limits.actor, r.actor)
}

// unclean reports whether a path could be read in two ways.
func unclean(path string) bool {
	lower := strings.ToLower(path)
	for _, bad := range []string{"//", "/./", "/../", ";", "\\", "%2e", "%2f", "%5c", "%00", "%25"} {
		if strings.Contains(lower, bad) {
			return true
		}
	}
	return strings.HasSuffix(lower, "/.") || strings.HasSuffix(lower, "/..")
}

// address returns where a request came from, without the port.
func address(hr *http.Request) string {
	host, _, err := net.SplitHostPort(hr.RemoteAddr)
	if err != nil {
		return hr.RemoteAddr
	}
	return host
}

func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// refuse answers outside of huma.
func (s *Server) refuse(w http.ResponseWriter, r *request, err error) {
	p := problemOf(s.Log, r.id, err)
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	writeJSON(w, "application/problem+json", p.Status, p.Problem)
}

// observe writes one line for each request: never its query, as people paste values into search fields.
func (s *Server) observe(hr *http.Request, r *request, status int, took time.Duration) {
	if s.Observe != nil {
		s.Observe(hr.Pattern, status, took)
	}
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.Log.Log(hr.Context(), level, "request", "request", r.id, "method", hr.Method, "route", hr.Pattern, "status", status,
		"actor", r.actor.ID, "ms", took.Milliseconds())
}

// precondition is the problem of an update that names no revision.
func precondition() client.Problem {
	return client.Problem{
		Type: problemPrefix + "precondition-required", Title: "The request names no revision", Status: http.StatusPreconditionRequired,
		Cause: "Changing or deleting needs the header If-Match, so that nobody's newer change is lost.",
		Cure:  "Read the object and send its ETag in If-Match.", Unchanged: "Nothing was changed.",
	}
}

// statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
