package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
	"github.com/keyturn/keyturn/internal/vault"
)

// password is that of every user of a world.
const password = "seven blue kettles hum"

// world is the API over a real repository and real people, served on loopback.
type world struct {
	t       testing.TB
	store   *store.Store
	people  *identity.Service
	server  *Server
	handler http.Handler
	seal    *testSeal
	signer  *audit.Signer
	url     string
	logs    *lockedBuffer // what was logged
}

// newWorld serves an empty repository. set, if given, adds services to those that every test has.
func newWorld(t testing.TB, set ...func(*world, *Services)) *world {
	t.Helper()
	w := &world{t: t, seal: &testSeal{}, logs: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(w.output(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
	events := NewEvents()
	cfg := storetest.SQLite(t)
	cfg.Changed = events.Publish
	w.store = storetest.Open(t, cfg)
	w.people = &identity.Service{Store: w.store, Hasher: identity.NewHasher(), Log: log}
	var err error
	if w.signer, err = audit.NewSigner("test", vault.NewValue(bytes.Repeat([]byte{7}, 32))); err != nil {
		t.Fatal(err)
	}
	w.server = New(Config{Log: log, Version: "test", Seal: w.seal, Events: events})
	*w.server.Services = Services{
		Gate:     access.Gate{Store: w.store},
		Identity: w.people,
		Grants:   w.store,
		Audit:    Audit{Events: w.store, Log: w.store, Key: w.signer.Key()},
		Restores: restores{w.store},
		Conflicts: struct {
			*store.Store
			decisions
		}{w.store, decisions{&inventory.Conflicts{Store: w.store, Wake: func() {}}}},
		Overview: w.store,
		Replies:  w.store,
		Equals:   w.store,
		Leaks:    w.store,
		Types:    []client.Type{{Type: "postgresql", Name: "PostgreSQL", Fields: []client.Field{}}},
		Hash: func(path string, body []byte) []byte {
			sum := sha256.Sum256(append([]byte(path+"\n"), body...))
			return sum[:]
		},
		Levels: w.store.Level,
		Still:  func(context.Context, identity.Actor) bool { return true },
	}
	for _, f := range set {
		f(w, w.server.Services)
	}
	w.handler = w.server.Handler()
	served := httptest.NewServer(w.handler)
	t.Cleanup(served.Close)
	w.url = served.URL
	return w
}

// restores is the store as the API asks for it, without clusters.
type restores struct{ *store.Store }

func (restores) Witnesses() map[string]rotation.Witness { return nil }

func (r restores) Recheck(ctx context.Context, actor identity.Actor, ids []string) error {
	_, err := r.RecheckRestored(ctx, ids, audit.New(actor, "restore.recheck", audit.Object{Kind: "repository"}))
	return err
}

func (r restores) Accept(ctx context.Context, actor identity.Actor, ids []string) error {
	_, err := r.EndRestore(ctx, ids, actor.Name, audit.New(actor, "restore.accept", audit.Object{Kind: "repository"}))
	return err
}

// decisions are what people decide of conflicts, without the reads that the store has.
type decisions struct{ of *inventory.Conflicts }

func (d decisions) Resolve(ctx context.Context, actor identity.Actor, secretID string, rev int64, keep inventory.Keep) error {
	return d.of.Resolve(ctx, actor, secretID, rev, keep)
}

func (d decisions) SetPolicy(ctx context.Context, actor identity.Actor, obj audit.Object, rev int64, p inventory.DriftPolicy) error {
	return d.of.SetPolicy(ctx, actor, obj, rev, p)
}

// output is where logs go: to the test too, but for one that fuzzes, whose output would only grow.
func (w *world) output(t testing.TB) io.Writer {
	if _, fuzzes := t.(*testing.F); fuzzes {
		return w.logs
	}
	return io.MultiWriter(t.Output(), w.logs)
}

// passwordHash is made once, as hashing is meant to be slow.
var passwordHash = sync.OnceValues(func() (string, error) {
	return identity.NewHasher().Hash(context.Background(), vault.NewValue([]byte(password)))
})

// user makes a user and returns it.
func (w *world) user(name string, role identity.Role) identity.User {
	w.t.Helper()
	hash, err := passwordHash()
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	u := identity.User{ID: uuid.Must(uuid.NewV7()).String(), Name: name, Role: role, PasswordHash: hash, PasswordSetAt: now, CreatedAt: now, Rev: 1}
	ev := identity.Evidence{Actor: identity.System("test"), Action: "user.create", Kind: "user", ID: u.ID, Name: name}
	if err := w.store.AddUser(w.t.Context(), u, ev); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// session signs a user in without the work of checking the password, and returns the session's secret.
func (w *world) session(u identity.User) client.Value { return w.sessionAt(u, time.Now()) }

// sessionAt is session for a sign-in at another time.
func (w *world) sessionAt(u identity.User, now time.Time) client.Value {
	w.t.Helper()
	secret, hash := identity.NewSecret(identity.PrefixSession)
	now = now.UTC()
	in := identity.SignIn{User: u, Session: identity.Session{ID: uuid.Must(uuid.NewV7()).String(), UserID: u.ID, Hash: hash, CreatedAt: now,
		LastSeenAt: now, ExpiresAt: now.Add(identity.SessionLife)}}
	ev := identity.Evidence{Actor: identity.System("test"), Action: "session.create", Kind: "session", ID: in.Session.ID}
	if err := w.store.StartSession(w.t.Context(), in, ev); err != nil {
		w.t.Fatal(err)
	}
	return sent(secret)
}

// as makes a user of that role, named like it unless another name is given, and returns its client.
func (w *world) as(role identity.Role, name ...string) (*client.Client, identity.User) {
	w.t.Helper()
	called := string(role) + "1"
	if len(name) > 0 {
		called = name[0]
	}
	u := w.user(called, role)
	return w.with(w.session(u)), u
}

// with returns the client of a token or a session's secret, which may be absent.
func (w *world) with(secret client.Value) *client.Client {
	w.t.Helper()
	c, err := client.New(client.Config{URL: w.url, Token: secret})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send makes one request with a JSON body, unless that is nil, and pairs of header names and values.
func (w *world) send(method, path string, body any, headers ...string) reply {
	w.t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/v1"+path, sent)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{status: res.StatusCode, header: res.Header, body: b}
}

// events returns what was recorded of an action, newest first.
func (w *world) events(action string) []store.AuditEntry {
	w.t.Helper()
	all, err := w.store.AuditEvents(w.t.Context(), store.AuditFilter{Action: action})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// ok fails the test on any error.
func ok(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refused fails the test unless err is a problem with that status and code.
func refused(t testing.TB, err error, status int, code string) {
	t.Helper()
	p, isProblem := errors.AsType[*client.Problem](err)
	if !isProblem || p.Status != status || p.Type != problemPrefix+code {
		t.Errorf("got %#v, want status %d, %s", err, status, code)
	}
}

// testSeal is a seal that the test opens and closes.
type testSeal struct {
	mu     sync.Mutex
	sealed bool
	asked  []string // where from
}

func (s *testSeal) Health() client.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return client.Health{Sealed: true, Cause: "the root key is not there", Cure: "unseal the server", Version: "test"}
	}
	return client.Health{Version: "test"}
}

func (s *testSeal) Unseal(_ context.Context, _ client.Value, by identity.Actor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.sealed = append(s.asked, by.Address), false
	return nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take returns what was written and forgets it.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.b.String()
	b.b.Reset()
	return s
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
