package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

// recorded returns the audit events of one request.
func (w *world) recorded(requestID string) []store.AuditEntry {
	w.t.Helper()
	all, err := w.store.AuditEvents(w.t.Context(), store.AuditFilter{Limit: 500})
	ok(w.t, err)
	var out []store.AuditEntry
	for _, e := range all {
		if e.RequestID == requestID {
			out = append(out, e)
		}
	}
	return out
}

// looks are the routes that change nothing and hand no value out although they are POSTs (of a saved cluster a test
// records that its state changed, if it did), and the one GET that does.
var (
	looks   = map[string]bool{"POST /api/v1/clusters/test": true, "POST /api/v1/clusters/{cluster}/test": true, "POST /api/v1/mappings/compare": true}
	exports = map[string]bool{"GET /api/v1/audit/export": true}
	// elsewhere are recorded by what the tests of this package replace; each is looked at where it is real.
	elsewhere = map[string]string{"POST /api/v1/unseal": "internal/app", "POST /api/v1/setup": "TestTheFirstAdministratorIsMadeAndSignedIn",
		"POST /api/v1/session": "TestAWrongPasswordSaysNothingAndIsRecorded"}
)

// SR-40: whatever changes something or hands a value out leaves exactly one event of its request, by whoever asked;
// looking leaves none.
func TestSecurityEveryChangeIsRecordedOnce(t *testing.T) {
	shared := newExposed(t)
	for _, r := range shared.server.Routes() {
		key := r.Method + " " + r.Path
		if elsewhere[key] != "" {
			continue
		}
		x, want := shared, 0
		if r.Method != http.MethodGet && !looks[key] || exports[key] {
			x, want = newExposed(t), 1 // what others did to a shared one could be in the way
		}
		q := x.ask(r)
		var headers []string
		if r.Method == http.MethodPatch || r.Method == http.MethodDelete {
			if now := x.put(question{"GET", q.path, nil}, x.admin); now.header.Get("ETag") != "" {
				headers = []string{"If-Match", now.header.Get("ETag")}
			}
		}
		got := x.put(q, x.admin, headers...)
		if got.status >= http.StatusBadRequest && key != "GET /api/v1/events" {
			t.Errorf("%s: %d %s", key, got.status, got.body)
			continue
		}
		evs := x.recorded(got.header.Get("X-Request-Id"))
		if len(evs) != want {
			t.Errorf("%s: %d events, want %d: %+v", key, len(evs), want, evs)
		}
		for _, e := range evs {
			if e.Actor.Name != "root" || e.Address == "" || e.Outcome == audit.Refused {
				t.Errorf("%s: recorded as %+v", key, e)
			}
		}
	}
}

// SR-40: whatever the gate refuses leaves exactly one event, to somebody who is signed in, to a token and to nobody.
func TestSecurityEveryRefusalIsRecordedOnce(t *testing.T) {
	x := newExposed(t)
	eve := x.user("eve", identity.PlainUser)
	narrow := x.user("narrow", identity.Administrator)
	_, token := x.token(narrow, "group.list")
	askers := map[string]string{"eve": x.session(eve).Text(), "narrow": token, "anonymous": "", "stale": "ks_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	refusals := 0
	for _, r := range x.server.Routes() {
		for name, secret := range askers {
			if r.Path == "/api/v1/session" && r.Method == http.MethodPost && secret == "" {
				continue // allowed: its own refusals are those of a wrong password
			}
			got := x.put(x.ask(r), secret, "If-Match", `"999"`)
			switch got.kind(t) {
			case "denied", "not-found", "unauthenticated", "secret-malformed", "session-ended":
			default:
				continue
			}
			refusals++
			evs := x.recorded(got.header.Get("X-Request-Id"))
			if len(evs) != 1 || evs[0].Outcome != audit.Refused || evs[0].Reason == "" || evs[0].Action != string(r.Op) && r.Path != "/api/v1/overview" {
				t.Errorf("%s %s as %s: %d with %+v", r.Method, r.Path, name, got.status, evs)
			}
		}
	}
	if refusals < 3*len(x.server.Routes())/2 {
		t.Errorf("only %d refusals: the test asks for the wrong things", refusals)
	}
}

// deaf is a repository that takes no events.
type deaf struct{ *store.Store }

func (deaf) Record(context.Context, audit.Event) error {
	return fault.New(fault.Unavailable, "the disk is full")
}

// SR-40: what cannot be recorded is not answered: neither a value, nor a refusal that somebody could probe with.
func TestSecurityNoRecordNoAnswer(t *testing.T) {
	x := newExposed(t)
	eve := x.session(x.user("eve", identity.PlainUser)).Text()
	whole := x.server.Services.Accounts
	x.server.Services.Gate = access.Gate{Store: deaf{x.store}}
	x.server.Services.Accounts = struct {
		AccountKeeper
		Reveals
	}{whole, &access.Reveals{Store: deaf{x.store}, Vault: x.ring}}
	x.server.Services.Audit.Events = deaf{x.store}
	for path, secret := range map[string]string{
		"POST /accounts/" + x.account.ID + "/reveal": x.admin, "POST /secrets/" + x.secret.ID + "/download": x.admin,
		"GET /audit/export": x.admin, "POST /audit/verify": x.admin, "GET /users": eve, "GET /accounts/" + x.account.ID: eve, "GET /groups": "",
	} {
		method, path, _ := strings.Cut(path, " ")
		q := question{method, path, nil}
		if strings.HasSuffix(path, "/reveal") {
			q.body = client.Reveal{}
		}
		if got := x.put(q, secret); got.status != http.StatusServiceUnavailable || strings.Contains(string(got.body), "canary") {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
	}
}
