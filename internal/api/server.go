package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
)

const (
	healthPath = "/api/v1/health"
	unsealPath = "/api/v1/unseal"
	eventsPath = "/api/v1/events"
)

// Config is what the API is built of. Every field is needed but Limits, Observe and Console.
type Config struct {
	Log     *slog.Logger
	Version string
	Seal    Sealing
	Events  *Events
	// Limits are how many requests are answered; without them all are.
	Limits Limits
	// Observe, if set, is told of each request: its route's pattern, its status and how long it took.
	Observe func(route string, status int, took time.Duration)
	// Console serves the pages; it gets the nonce of the Content-Security-Policy.
	Console func(nonce func(*http.Request) string) http.Handler
}

// Services are what the operations need. They exist once the server is unsealed.
type Services struct {
	Gate      Gate
	Identity  Identity
	Grants    Grants
	Clusters  Clusters
	Fetches   Fetches
	Objects   Objects
	Accounts  Accounts
	Conflicts Conflicts
	Mappings  Mappings
	Runs      Runs
	Plans     Plans
	Policies  Policies
	Audit     Audit
	Restores  Restores
	Keys      Keys
	Overview  Overviews
	Replies   Replies
	Equals    Equals
	Prints    Prints
	Leaks     Leaks
	Pushes    Pushes
	// Types are the kinds of system that a resource can be of.
	Types []client.Type
	// Hash is a keyed hash of a request, so that what was sent cannot be guessed from it.
	Hash func(path string, body []byte) []byte
	// Levels returns the level that a user's grants give on an object.
	Levels func(ctx context.Context, userID, kind, id string, now time.Time) (policy.Level, error)
	// Still reports whether an actor's session or token still holds.
	Still func(ctx context.Context, actor identity.Actor) bool
}

// Sealing says whether the server is sealed, and opens it.
type Sealing interface {
	// Health is called often and by anybody, so it reads no disk.
	Health() client.Health
	// Unseal fails with a fault when the key is still missing or wrong. Either is recorded. Only one derivation runs at a time.
	Unseal(ctx context.Context, passphrase client.Value, by identity.Actor) error
}

// Server answers the API. It may be used by several goroutines at once.
type Server struct {
	Config
	huma   huma.API
	mux    *http.ServeMux
	routes []Route
	limits limits
	*Services
}

// New builds the API. Services may be set later, before Seal's Health says that the server is open.
func New(cfg Config) *Server {
	tighten()
	mux := http.NewServeMux()
	hc := huma.DefaultConfig("Keyturn", cfg.Version)
	hc.CreateHooks, hc.DocsPath, hc.SchemasPath, hc.OpenAPIPath = nil, "", "", ""
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	hc.Formats = map[string]huma.Format{"application/json": format, "json": format} // the second for types that end in +json
	hc.NoFormatFallback = false
	hc.Info.Description = "Keyturn manages the credentials that live in Kubernetes Secrets."
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}}
	hc.Security = []map[string][]string{{"bearer": {}}}
	s := &Server{Config: cfg, mux: mux, huma: humago.New(mux, hc), limits: newLimits(cfg.Limits), Services: &Services{}}
	s.register()
	return s
}

// OpenAPI returns the API's document, OpenAPI 3.1 in JSON.
func (s *Server) OpenAPI() ([]byte, error) { return json.MarshalIndent(s.huma.OpenAPI(), "", "  ") }

func (s *Server) sealed() error {
	h := s.Seal.Health()
	if !h.Sealed {
		return nil
	}
	return fault.New(fault.Sealed, "%s", h.Cause).WithCode("sealed").WithCure("%s", h.Cure).WithUnchanged("nothing can be read or changed until it is unsealed")
}

// Handler returns the API and the console behind the guard.
func (s *Server) Handler() http.Handler {
	s.mux.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, "application/json", http.StatusOK, s.Seal.Health())
	})
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, hr *http.Request) {
		s.refuse(w, requestOf(hr.Context()), fault.New(fault.NotFound, "the API has nothing at this path, or not with this method").
			WithCode("no-such-route").WithCure("look at /api/v1/openapi.json"))
	})
	document, err := s.OpenAPI()
	if err != nil {
		panic(fmt.Sprintf("api: the document does not encode: %v", err)) // it is made of constants
	}
	s.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, hr *http.Request) {
		if r := requestOf(hr.Context()); r.actor.ID == "anonymous" {
			s.refuse(w, r, fault.New(fault.Unauthenticated, "nobody is signed in").WithCure("sign in, or send an API token"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	if s.Console != nil {
		s.mux.Handle("/", s.Console(nonce))
	}
	return withPolicy(s.guard(s.idempotent(s.mux)))
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if h := s.Seal.Health(); h.Sealed {
		http.Error(w, "sealed", http.StatusServiceUnavailable)
		return
	} else if h.Restored {
		_, _ = io.WriteString(w, "ready, but restored from an old backup: nothing is changed until that is ended\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

type nonceKey struct{}

// nonce returns what withPolicy chose for the request.
func nonce(hr *http.Request) string {
	n, _ := hr.Context().Value(nonceKey{}).(string)
	return n
}

// withPolicy sets the headers that keep pages from running or embedding anything but what this server sent.
func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		n := base64.RawStdEncoding.EncodeToString(b[:])
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+n+"'; img-src 'self' data:; font-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, hr.WithContext(context.WithValue(hr.Context(), nonceKey{}, n)))
	})
}

// marshal does not escape HTML: answers are JSON, and names stay readable.
func marshal(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// deepest is how many arrays and objects a request may nest.
const deepest = 32

func unmarshal(data []byte, v any) error {
	if tooDeep(data) {
		return fmt.Errorf("it nests more than %d levels", deepest)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("it is no valid JSON") // the decoder's error would repeat a part of it
	}
	return nil
}

func tooDeep(data []byte) bool {
	depth, text, escaped := 0, false, false
	for _, b := range data {
		switch {
		case escaped:
			escaped = false
		case text && b == '\\':
			escaped = true
		case b == '"':
			text = !text
		case text:
		case b == '{' || b == '[':
			if depth++; depth > deepest {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, kind string, status int, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = marshal(w, v) // a client that went away is no fault of ours
}

var errPanic = fmt.Errorf("a request panicked")

func typeName(v any) string { return fmt.Sprintf("%T", v) }

func stack() string { return string(debug.Stack()) }

// orNil returns nil for the zero time, which the wire leaves out.
func orNil(t time.Time) *client.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
