package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/identity"
)

// from sends a GET from an address.
func (w *world) from(address, path, secret string) *httptest.ResponseRecorder {
	hr := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
	hr.RemoteAddr = address
	if secret != "" {
		hr.Header.Set("Authorization", "Bearer "+secret)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, hr)
	return rec
}

// SR-72, SR-40: an address that nobody signs for is answered so often and no more. What is refused then is counted, and two
// events tell of it.
func TestSecurityAnAddressIsLimited(t *testing.T) {
	w := newWorld(t)
	w.server.limits = newLimits(Limits{Anonymous: Rate{PerSecond: 0.001, Burst: 3}})
	session := w.session(w.user("anna", identity.Auditor)).Text()
	const users = "/api/v1/users"
	for i := range 10 {
		got, want := w.from("192.0.2.7:100"+strconv.Itoa(i), users, map[bool]string{true: "kt_nonsense"}[i%2 == 0]), http.StatusUnauthorized
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		wait, _ := strconv.Atoi(got.Header().Get("Retry-After"))
		if got.Code != want || (wait > 0) != (want == http.StatusTooManyRequests) || wait > 1000 {
			t.Errorf("%d: %d after %d s, want %d", i, got.Code, wait, want)
		}
	}
	for _, tt := range []struct {
		address, path, secret string
		want                  int
	}{
		{"192.0.2.8:1", users, "", http.StatusUnauthorized}, // another address
		{"192.0.2.7:1", users, session, http.StatusOK},      // somebody is signed in
		{"192.0.2.7:1", "/api/v1/health", "", http.StatusOK},
		{"192.0.2.7:1", "/healthz", "", http.StatusOK},
		{"[2001:db8::1]:1", users, "", http.StatusUnauthorized},
		{"[2001:db8::2]:1", users, "", http.StatusUnauthorized},
		{"[2001:db8::ffff:3]:1", users, "", http.StatusUnauthorized},
		{"[2001:db8::4]:1", users, "", http.StatusTooManyRequests}, // whoever has one of these has them all
		{"[2001:db8:0:1::1]:1", users, "", http.StatusUnauthorized},
	} {
		if got := w.from(tt.address, tt.path, tt.secret); got.Code != tt.want {
			t.Errorf("%s from %s: %d, want %d", tt.path, tt.address, got.Code, tt.want)
		}
	}
	if got := len(w.events("user.list")); got != 8 {
		t.Errorf("%d refusals are listed, want 3 of the first address, 1 of the second, 3 of a network and 1 of the next", got)
	}
	dry := w.events("request.limit")
	if len(dry) != 2 || dry[1].Address != "192.0.2.7" || dry[1].Outcome != audit.Refused || dry[1].RequestID == "" || dry[1].Object.Name != "anonymous requests of address 192.0.2.7" {
		t.Fatalf("the buckets that ran dry: %+v", dry)
	}
	for range 2 { // the second time there is nothing to tell
		w.server.ReportDropped(t.Context())
	}
	counts := map[string]string{}
	for _, ev := range w.events("request.limit")[:2] {
		counts[ev.Address] = ev.Details["dropped"]
	}
	if all := w.events("request.limit"); len(all) != 4 || counts["192.0.2.7"] != "7" || counts["2001:db8::4"] != "1" {
		t.Errorf("%d events, dropped %v", len(all), counts)
	}
}

// SR-72: a user and each of their tokens have limits of their own.
func TestSecurityAnActorIsLimited(t *testing.T) {
	x := newExposed(t)
	x.server.limits = newLimits(Limits{Actor: Rate{PerSecond: 0.001, Burst: 2}})
	u := x.user("anna", identity.Auditor)
	_, token := x.token(u, "user.list")
	_, other := x.token(u, "user.list")
	first, second := x.session(u).Text(), x.session(u).Text()
	for i, tt := range []struct {
		secret string
		want   int
	}{
		{token, 200}, {token, 200}, {token, 429}, {token, 429}, {other, 200}, {first, 200}, {second, 200}, {first, 429}, {x.admin, 200},
	} {
		if got := x.from("192.0.2.7:1", "/api/v1/users", tt.secret); got.Code != tt.want {
			t.Errorf("%d: %d %s, want %d", i, got.Code, got.Body, tt.want)
		}
	}
	x.server.ReportDropped(t.Context())
	if evs := x.events("request.limit"); len(evs) != 4 || evs[3].Actor.ID != u.ID || evs[3].Via == "" {
		t.Errorf("recorded: %+v", evs)
	}
	x.server.limits = newLimits(Limits{Anonymous: Rate{PerSecond: 0.001, Burst: 1}})
	x.server.Services.Audit.Events = deaf{x.store}
	x.from("192.0.2.7:1", "/api/v1/users", "")
	if got := x.from("192.0.2.7:1", "/api/v1/users", ""); got.Code != http.StatusServiceUnavailable {
		t.Errorf("a limit that cannot be recorded: %d", got.Code)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b, now := newBuckets("requests", Rate{PerSecond: 1, Burst: 2}), time.Unix(1000, 0)
	nobody := identity.Anonymous("")
	wait := func(key string, at time.Duration) time.Duration {
		w, _ := b.take(key, 1, nobody, now.Add(at))
		return w
	}
	for i := range mostBuckets + 100 {
		wait(fmt.Sprint(i), 0)
		wait(fmt.Sprint(i), 0)
	}
	if len(b.by) > mostBuckets+1 {
		t.Errorf("%d buckets", len(b.by))
	}
	if wait("1", 0) != time.Second || wait("a newcomer", 0) == 0 {
		t.Error("an empty bucket answers, or whoever finds no room is not limited")
	}
	if wait("1", 3*time.Second) != 0 || wait("another newcomer", 3*time.Second) != 0 {
		t.Error("a bucket does not fill again")
	}
	if len(b.by) > 5 { // "1", which is not full, those that refused, and the newcomer
		t.Errorf("%d buckets after a rest", len(b.by))
	}
	if got := b.dropped(now.Add(time.Minute)); len(got) != 2 || len(b.dropped(now.Add(time.Minute))) != 0 {
		t.Errorf("dropped: %+v", got)
	}
}
