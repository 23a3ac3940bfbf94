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
	looks   = map[string]bool{"POST /api/v1/clusters/test": true, "POST /api/v1/clusters/{cluster}/test": true, "POST /api/v1/policies/preview": true}
	exports = map[string]bool{"GET /api/v1/audit/export": true}
	// elsewhere are recorded by what the tests of this package replace; each is looked at where it is real.
	elsewhere = map[string]string{"POST /api/v1/unseal": "internal/app: TestUnsealingIsRecordedOnce",
		"POST /api/v1/secrets/{secret}/restore": "internal/app: TestSecretsAreRestoredOnARealCluster",
		"POST /api/v1/setup":                    "TestSecuritySignInsAreRecordedOnce", "POST /api/v1/session": "TestSecuritySignInsAreRecordedOnce"}
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
		object := q.path
		for _, part := range []string{"/renew-token", "/on-drift", "/resolve"} {
			object = strings.TrimSuffix(object, part)
		}
		if r.Method == http.MethodPatch || r.Method == http.MethodDelete || object != q.path {
			if now := x.put(question{"GET", object, nil}, x.admin); now.header.Get("ETag") != "" {
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

// SR-40: every try to sign in or to set up leaves exactly one event with the id of its request; a setup that works leaves two,
// as it makes a user and signs them in.
func TestSecuritySignInsAreRecordedOnce(t *testing.T) {
	w := newWorld(t)
	code, _, err := w.people.SetupCode(t.Context())
	ok(t, err)
	secret := client.NewValue(password)
	login := func(name string, password client.Value) client.Login {
		return client.Login{Name: name, Password: password}
	}
	wrong := client.NewValue("wrong")
	for i, tt := range []struct {
		path   string
		body   any
		status int
		want   string // actions and outcomes, newest first
	}{
		{"/setup", client.Setup{Code: wrong, Name: "root", Password: secret}, 401, "setup.run refused"},
		{"/setup", client.Setup{Code: sent(code), Name: "root", Password: secret}, 200, "session.create allowed, setup.run allowed"},
		{"/setup", client.Setup{Code: wrong, Name: "root", Password: secret}, 401, "setup.run refused"},
		{"/session", login("root", secret), 200, "session.create allowed"},
		{"/session", login("nobody", secret), 401, "session.create refused"},
		{"/session", login("root", wrong), 401, "session.create refused"},
		{"/session", login("root", wrong), 401, "session.create refused"},
		{"/session", login("root", wrong), 401, "session.create refused"},
		{"/session", login("root", wrong), 401, "session.create refused"},
		{"/session", login("root", wrong), 401, "session.create refused"},
		{"/session", login("root", secret), 429, "session.create refused"},
	} {
		got := w.send("POST", tt.path, tt.body)
		var have []string
		for _, e := range w.recorded(got.header.Get("X-Request-Id")) {
			have = append(have, e.Action+" "+string(e.Outcome))
			if e.Address == "" {
				t.Errorf("%d: no address in %+v", i, e)
			}
		}
		if got.status != tt.status || strings.Join(have, ", ") != tt.want {
			t.Errorf("%d: %d with %q, want %d with %q", i, got.status, have, tt.status, tt.want)
		}
	}
}

// SR-40: what is not there is refused and recorded as what is hidden is, and the log takes nothing of what was asked for but
// an id.
func TestSecurityLookUpsOfNothingAreRecordedOnce(t *testing.T) {
	x := newExposed(t)
	askers := map[string]string{"root": x.admin, "eve": x.session(x.user("eve", identity.PlainUser)).Text()}
	asked := 0
	for _, r := range x.server.Routes() {
		q := x.ask(r)
		before, rest, named := strings.Cut(strings.TrimPrefix(r.Path, "/api/v1"), "{")
		parameter, after, _ := strings.Cut(rest, "}")
		if !named || parameter == "event" {
			continue // an event has no rights of its own
		}
		after = strings.ReplaceAll(after, "{fetch}", newID())
		for name, secret := range askers {
			for _, ref := range []string{newID(), "echo-value-in-a-path"} {
				asked++
				got := x.put(question{q.method, before + ref + after, q.body}, secret, "If-Match", `"1"`)
				evs := x.recorded(got.header.Get("X-Request-Id"))
				if got.status != http.StatusNotFound || len(evs) != 1 || evs[0].Outcome != audit.Refused || evs[0].Action != string(r.Op) || evs[0].Object.Kind == "" ||
					evs[0].Object.ID != ref && !strings.HasPrefix(ref, "echo") || strings.Contains(string(evs[0].Canonical()), "echo") {
					t.Errorf("%s %s of nothing as %s: %d with %+v", r.Method, r.Path, name, got.status, evs)
				}
			}
		}
	}
	for path, body := range map[string]any{
		"/mappings": client.NewMapping{AccountID: x.account.ID, SecretID: newID(), Key: "same"}, "/mappings/compare": client.NewMapping{AccountID: newID(), SecretID: x.secret.ID, Key: "same"},
		"/grants": client.NewGrant{SubjectKind: "user", SubjectID: x.other.ID, ObjectKind: "account", ObjectID: newID(), Level: "view"},
	} {
		got := x.put(question{"POST", path, body}, x.admin)
		if evs := x.recorded(got.header.Get("X-Request-Id")); got.status != http.StatusNotFound || len(evs) != 1 || evs[0].Object.Kind != "account" {
			t.Errorf("%s with nothing: %d with %+v", path, got.status, evs)
		}
	}
	if asked < 80 {
		t.Errorf("only %d questions", asked)
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
