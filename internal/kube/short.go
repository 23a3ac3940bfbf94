package kube

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const (
	// ShortLife is how long a short token is asked for. The API server decides, and gives at least 10 minutes.
	ShortLife = time.Hour
	// A short token is renewed at 80 % of its life, or earlier by up to jitter of it, so that the connections of many
	// servers do not all ask at once.
	renewAt, jitter = 0.8, 0.05
	// askTimeout bounds one exchange: requests that have no valid token wait for it.
	askTimeout = 10 * time.Second
	// askAgain is how long a refused exchange is not tried again, soonAgain one that got no answer or a new token that the
	// API server did not take.
	askAgain, soonAgain = 5 * time.Minute, 2 * time.Second
)

// TokenState is with which token a connection works.
type TokenState struct {
	// Short is true while requests carry a short token. RenewsAt and ExpiresAt are its times, by this machine's clock.
	Short               bool
	RenewsAt, ExpiresAt time.Time
	// Warning says why the long-lived token is used instead, and Cure what helps. Empty before the first request.
	Warning, Cure string
}

// shortToken exchanges the stored token for short ones and hands those out. It may be used by several goroutines; one
// exchange is under way at a time. Plaintext of a short token is kept in memory only.
type shortToken struct {
	stored vault.Value
	ask    func(ctx context.Context) (vault.Value, time.Duration, error) // a new token and its life
	now    func() time.Time

	mu      sync.Mutex
	value   vault.Value
	began   time.Time // when value was asked for
	renews  time.Time
	expires time.Time
	asking  chan struct{} // closed when the exchange under way has ended; nil: none is
	notYet  time.Time     // no exchange before, after one that failed
	gone    error         // the last exchange got no answer
	warning *fault.Error  // the last exchange was refused
}

// notOwn says why a token is not exchanged, or "": a short one would act as another account than it.
func notOwn(stored vault.Value) string {
	c, ok := readClaims(stored)
	if !ok || c.Subject != "system:serviceaccount:"+ConnectorNamespace+":"+ConnectorAccount {
		return "it is not of the account " + ConnectorNamespace + "/" + ConnectorAccount + " that keyturn-config.yaml makes"
	}
	return ""
}

// token returns what a request carries, and whether it is a short one. It waits for an exchange only when there is no
// valid short token, and falls back to the stored one when the exchange is refused.
func (s *shortToken) token(ctx context.Context) (v vault.Value, short bool, err error) {
	for {
		s.mu.Lock()
		now := s.now()
		valid := s.value.Len() > 0 && now.Before(s.expires)
		if s.asking == nil && !now.Before(s.renews) && !now.Before(s.notYet) {
			s.asking = make(chan struct{})
			go s.renew(s.asking)
		}
		asking, value, gone := s.asking, s.value, s.gone
		s.mu.Unlock()
		switch {
		case valid:
			return value, true, nil
		case asking == nil && gone != nil:
			return vault.Value{}, false, gone
		case asking == nil:
			return s.stored, false, nil
		}
		select {
		case <-asking:
		case <-ctx.Done():
			return vault.Value{}, false, ctx.Err()
		}
	}
}

// renew carries one exchange out, for all who wait for it: so it does not end with the request that began it.
func (s *shortToken) renew(asking chan struct{}) {
	ctx, cancel := context.WithTimeout(withStored(context.Background()), askTimeout)
	defer cancel()
	began := s.now()
	v, life, err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = nil
	defer close(asking)
	s.gone, s.warning = nil, nil
	refusal, ok := errors.AsType[*fault.Error](err)
	switch {
	case err == nil:
		s.value, s.began, s.expires = v, began, began.Add(life)
		s.renews = began.Add(time.Duration(float64(life) * (renewAt - jitter*fraction())))
		s.notYet = time.Time{}
	case !ok || refusal.Kind == fault.Unavailable && refusal.Code != "cluster-error":
		s.gone, s.notYet = err, s.now().Add(soonAgain)
	default:
		s.warning, s.notYet = refusal, s.now().Add(askAgain)
	}
}

// fraction is random, from 0 up to 1.
func fraction() float64 {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return float64(b[0]) / 256
}

// refused drops a short token that the API server did not take. The next request asks for another, but not at once if
// the one that was refused is new.
func (s *shortToken) refused(v vault.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.value.Len() == 0 || !s.value.Equal(v) {
		return
	}
	if s.now().Before(s.began.Add(soonAgain)) {
		s.notYet = s.now().Add(soonAgain)
	}
	s.value, s.renews, s.expires = vault.Value{}, time.Time{}, time.Time{}
}

func (s *shortToken) state() TokenState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := TokenState{Short: s.value.Len() > 0 && s.now().Before(s.expires)}
	if out.Short {
		out.RenewsAt, out.ExpiresAt = s.renews, s.expires
	}
	if s.warning != nil {
		out.Warning, out.Cure = s.warning.Msg, s.warning.Cure
	}
	return out
}

type storedKey struct{}

// withStored marks requests that carry the stored token: those that ask for a short one.
func withStored(ctx context.Context) context.Context {
	return context.WithValue(ctx, storedKey{}, true)
}

type tokenKey struct{}

// withToken marks requests that carry a token of somebody else, to see whether the API server takes it.
func withToken(ctx context.Context, token vault.Value) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// bearer returns the token of a request, and whether it is a short one.
func (g *guard) bearer(ctx context.Context) (vault.Value, bool, error) {
	other, ok := ctx.Value(tokenKey{}).(vault.Value)
	switch {
	case ok:
		return other, false, nil
	case ctx.Value(anonymousKey{}) != nil:
		return vault.Value{}, false, nil
	case g.short == nil || ctx.Value(storedKey{}) != nil:
		return g.token, false, nil
	}
	return g.short.token(ctx)
}

// authenticated sends req with its token. A request with a short token that the API server does not know is sent once
// more with another: an API server that answers 401 has done nothing else.
func (g *guard) authenticated(req *http.Request) (*http.Response, error) {
	token, short, err := g.bearer(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := g.send(req, token)
	if err != nil || !short || resp.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
		return resp, err
	}
	g.short.refused(token)
	if token, _, err = g.bearer(req.Context()); err != nil {
		return resp, nil // the refusal is the answer
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	_ = resp.Body.Close()
	return g.send(again, token)
}

// send sends a copy of req with token, or without if it is empty.
func (g *guard) send(req *http.Request, token vault.Value) (*http.Response, error) {
	if token.Len() > 0 {
		req = req.Clone(req.Context())
		_ = token.Expose(func(b []byte) error {
			req.Header.Set("Authorization", "Bearer "+string(b))
			return nil
		})
	}
	if req.Header.Get("Upgrade") != "" {
		return g.upgrade.RoundTrip(req)
	}
	return g.base.RoundTrip(req)
}
