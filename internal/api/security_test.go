package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/keyring"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// exposed is an estate with one object for every parameter of a route, so that every route can be asked for something.
type exposed struct {
	*estate
	admin        string // secret of an administrator's session
	other        identity.User
	group        identity.Group
	spare        inventory.Account  // may be deleted
	idle         inventory.Resource // the same
	mapping, run string
	stop         string // a run that stopped after its value was proved, once it is asked for
	grantID      string
	record       string // an audit event
	policy       string
	double       string         // a value that two keys hold, once it is asked for
	actor        identity.Actor // the administrator
}

func newExposed(t *testing.T) *exposed {
	t.Helper()
	x := &exposed{estate: newEstate(t)}
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	admin := x.user("root", identity.Administrator)
	x.admin, x.other = x.session(admin).Text(), x.user("other", identity.PlainUser)
	actor := identity.Actor{ID: admin.ID, Name: admin.Name, Kind: identity.KindUser, Role: admin.Role}
	ev := func(kind, id string) audit.Event {
		return audit.New(actor, kind+".create", audit.Object{Kind: kind, ID: id})
	}
	var err error
	x.group, err = x.people.CreateGroup(ctx, actor, "people", "", []string{x.other.ID})
	ok(t, err)
	x.idle = inventory.Resource{ID: newID(), Name: "idle", Type: "generic", CreatedAt: now}
	x.spare = inventory.Account{ID: newID(), ResourceID: x.db.ID, Name: "spare", State: inventory.AccountUnverified, CreatedAt: now}
	ok(t, x.store.AddResource(ctx, x.idle, nil, ev("resource", x.idle.ID)), x.store.AddAccount(ctx, x.spare, nil, nil, ev("account", x.spare.ID)))
	m, err := x.server.Mappings.Map(ctx, actor, x.account.ID, inventory.Entry{SecretID: x.secret.ID, Key: "same"}, "")
	ok(t, err)
	run, err := x.server.Runs.Start(ctx, actor, rotation.Reset{AccountID: x.empty.ID})
	ok(t, err)
	run, err = x.store.Claim(ctx, run.ID, "test", time.Minute)
	ok(t, err)
	run.State, run.Reason = rotation.NeedsAttention, "the test says so"
	ok(t, x.store.Advance(ctx, run, ev("run", run.ID)))
	g := access.Grant{ID: newID(), SubjectKind: access.User, SubjectID: x.other.ID, ObjectKind: access.Account, ObjectID: x.spare.ID, Level: policy.View, CreatedAt: now}
	ok(t, x.store.AddGrant(ctx, g, ev("grant", g.ID)))
	x.mapping, x.run, x.grantID = m.ID, run.ID, g.ID
	name := "prod"
	p, err := x.server.Policies.Create(ctx, actor, rotation.PolicyChange{Name: &name})
	ok(t, err)
	x.policy, x.actor = p.ID, actor
	x.record = x.events("mapping.create")[0].ID
	x.sequence()
	return x
}

// assignment makes one of the policy, whether or not the one before was deleted.
func (x *exposed) assignment() string {
	x.t.Helper()
	p, err := x.server.Policies.Assign(x.t.Context(), x.actor, x.policy, rotation.ByRule, "postgresql/*/*")
	ok(x.t, err)
	return p.Assignments[len(p.Assignments)-1].ID
}

// token makes an API token of a user.
func (x *exposed) token(u identity.User, scopes ...string) (id, secret string) {
	x.t.Helper()
	a := identity.Actor{ID: u.ID, Name: u.Name, Kind: identity.KindUser, Role: u.Role}
	n := identity.NewToken{Name: "t-" + newID(), Scopes: scopes, ExpiresAt: time.Now().Add(time.Hour)}
	made, value, err := x.people.CreateToken(x.t.Context(), a, n, knownScope)
	ok(x.t, err)
	return made.ID, sent(value).Text()
}

// stopped returns a run of the account whose new value is proved, and which stopped after that.
func (x *exposed) stopped() string {
	x.t.Helper()
	ctx := x.t.Context()
	if x.stop != "" {
		return x.stop
	}
	account := inventory.Account{ID: newID(), ResourceID: x.db.ID, Name: "stopped", State: inventory.AccountUnverified, Current: 1, CreatedAt: time.Now().UTC()}
	sealed, err := x.ring.Seal(inventory.VersionRecord(account.ID, 1), vault.NewValue([]byte(accountValue)))
	ok(x.t, err)
	first := inventory.Version{AccountID: account.ID, Number: 1, Stage: inventory.Current, Source: inventory.Typed, ActorName: "test", CreatedAt: account.CreatedAt, Sealed: sealed}
	happened := func(what string) audit.Event {
		return audit.New(x.actor, what, audit.Object{Kind: "account", ID: account.ID})
	}
	ok(x.t, x.store.AddAccount(ctx, account, &first, nil, happened("account.create")))
	run, err := x.server.Runs.Start(ctx, x.actor, rotation.Reset{AccountID: account.ID})
	ok(x.t, err)
	run, err = x.store.Claim(ctx, run.ID, "test", time.Minute)
	ok(x.t, err)
	run.New, run.Step, run.Begun = 2, rotation.Minted, rotation.Minted
	ok(x.t, x.store.Mint(ctx, run, sealed, happened("run.minted")))
	for _, step := range []rotation.Step{rotation.Applied, rotation.Verified} {
		run.Step, run.Begun, run.Proved = step, step, step == rotation.Verified
		ok(x.t, x.store.Advance(ctx, run, happened("run."+string(step))))
	}
	run.State, run.Reason = rotation.NeedsAttention, "the test says so"
	ok(x.t, x.store.Advance(ctx, run, happened("run.needs_attention")))
	x.stop = run.ID
	return x.stop
}

// conflict makes the Secret one that differs from what is wanted of it, if it never was.
func (x *exposed) conflict() {
	x.t.Helper()
	if _, err := x.store.Conflict(x.t.Context(), x.secret.ID); err == nil {
		return
	}
	now, err := x.store.Secret(x.t.Context(), x.secret.ID)
	ok(x.t, err, x.store.SetDriftPolicy(x.t.Context(), "secret", now.ID, now.Rev, inventory.Ask, audit.New(x.actor, "secret.update", audit.Object{Kind: "secret", ID: now.ID})))
	x.clusterChanges(x.t, "password", keyValue+" changed")
}

// twice returns the id of a value that two keys hold.
func (x *exposed) twice() string {
	x.t.Helper()
	if x.double == "" {
		x.double = x.alias(keyValue)
		x.addData("twice", map[string]vault.Value{"one": vault.NewValue([]byte(keyValue)), "two": vault.NewValue([]byte(keyValue))})
	}
	return x.double
}

// fetch returns a fetch of the cluster. While it is open there can be no other, so it is made late.
func (x *exposed) fetch() string {
	x.t.Helper()
	have, err := x.server.Fetches.Fetches(x.t.Context(), x.cluster.ID, 1)
	ok(x.t, err)
	if len(have) > 0 {
		return have[0].ID
	}
	f, err := x.server.Fetches.Start(x.t.Context(), identity.System("test"), x.cluster.ID, inventory.FetchSync, inventory.Selection{})
	ok(x.t, err)
	return f.ID
}

// question is a well-formed request of a route.
type question struct {
	method, path string // path is below /api/v1
	body         any
}

// ask returns a request of the route that works when an administrator sends it, apart from If-Match. Each call of a route
// that uses something up makes it anew. Routes without a line here that need a body fail every test that asks them.
func (x *exposed) ask(r Route) question {
	x.t.Helper()
	key := r.Method + " " + strings.TrimPrefix(r.Path, "/api/v1")
	account, resource, run := x.account.ID, x.db.ID, x.run
	if !strings.HasPrefix(key, "POST /restore/") {
		x.accepted()
	}
	switch key {
	case "POST /runs/{run}/rollback":
		run = x.stopped()
	case "PUT /resources/{resource}/on-drift":
		resource = x.space.ID
	case "GET /conflicts/{secret}", "POST /conflicts/{secret}/resolve":
		x.conflict()
	case "POST /restore/check", "POST /restore/accept":
		x.restored()
	case "DELETE /accounts/{account}":
		account = x.spare.ID
	case "DELETE /resources/{resource}":
		resource = x.idle.ID
	}
	pairs := []string{"{cluster}", x.cluster.ID, "{resource}", resource, "{account}", account, "{secret}", x.secret.ID, "{mapping}", x.mapping,
		"{run}", run, "{user}", x.other.ID, "{group}", x.group.ID, "{grant}", x.grantID, "{event}", x.record, "{policy}", x.policy}
	if strings.Contains(key, "{duplicate}") {
		pairs = append(pairs, "{duplicate}", x.twice())
	}
	if strings.Contains(key, "{leak}") {
		pairs = append(pairs, "{leak}", x.twice())
	}
	if strings.Contains(key, "{assignment}") {
		pairs = append(pairs, "{assignment}", x.assignment())
	}
	if strings.Contains(key, "{fetch}") {
		pairs = append(pairs, "{fetch}", x.fetch())
	}
	if strings.Contains(key, "{key}") {
		pairs = append(pairs, "{key}", x.spentKey())
	}
	if key == "DELETE /tokens/{token}" {
		id, _ := x.token(x.other, "account.list")
		pairs = append(pairs, "{token}", id)
	}
	if strings.Contains(key, "{session}") {
		x.session(x.other)
		open, err := x.people.Sessions(x.t.Context(), x.other.ID)
		ok(x.t, err)
		pairs = append(pairs, "{session}", open[0].ID)
	}
	q := question{r.Method, strings.NewReplacer(pairs...).Replace(strings.TrimPrefix(r.Path, "/api/v1")), x.body(key)}
	q.path += map[string]string{
		"GET /events":   "?after=1", // forgotten, so that it is no endless answer
		"GET /grants":   "?objectKind=account&object=" + x.account.ID,
		"GET /tokens":   "?owner=" + x.other.ID,
		"GET /sessions": "?user=" + x.other.ID,
	}[key]
	x.checks.report = passedReport(x.cluster.UID)
	if key == "POST /clusters" {
		x.checks.report = passedReport("another-cluster")
	}
	return q
}

// restored has the repository be an old one of which every account is checked.
func (x *exposed) restored() {
	x.t.Helper()
	ctx, now, ev := x.t.Context(), time.Now(), func() audit.Event {
		return audit.New(identity.System("server"), "restore.noticed", audit.Object{Kind: "repository"})
	}
	_, err := x.store.BeginRestore(ctx, rotation.Restore{ID: uuid.Must(uuid.NewV7()).String(), SeenIn: "the data folder", Inside: 1, Outside: 2, OutsideAt: now, FoundAt: now}, ev())
	ok(x.t, err)
	due, err := x.store.DueRestored(ctx, now, 100)
	ok(x.t, err)
	for _, id := range due {
		a, err := x.store.ClaimRestored(ctx, id, now.Add(time.Minute))
		ok(x.t, err)
		a.State = rotation.RestoredVerified
		ok(x.t, x.store.SettleRestored(ctx, a, false, ev()))
	}
}

// accepted ends the restore that an earlier question has begun, if it is open: it would refuse what comes next.
func (x *exposed) accepted() {
	x.t.Helper()
	_, err := x.store.EndRestore(x.t.Context(), nil, "test", audit.New(identity.System("server"), "restore.accept", audit.Object{Kind: "repository"}))
	if err != nil && fault.KindOf(err) != fault.Conflict {
		x.t.Fatal(err)
	}
}

// spentKey returns a retired data key that nothing is sealed with.
func (x *exposed) spentKey() string {
	x.t.Helper()
	old := x.ring.Active()
	_, err := x.keys.Rotate(x.t.Context(), identity.System("key-keeper"))
	ok(x.t, err)
	id := strconv.FormatUint(uint64(old), 10)
	resealer := keyring.Resealer{Keeper: x.keys.Keeper, Store: x.store, Log: x.server.Log, Owner: "test", Lease: time.Minute}
	ok(x.t, resealer.Do(x.t.Context(), id))
	return id
}

// body is what the route of that method and path is sent, nil for those that take none.
func (x *exposed) body(key string) any {
	name, text, secret := "renamed", "a text", client.NewValue("gravel teapot Orion nineteen")
	cluster := client.NewCluster{Name: "new", Server: "https://10.0.0.2:6443", Token: secret, Scope: client.Scope{Access: "read-only"}}
	key, isPost := strings.CutPrefix(key, "POST ")
	if isPost {
		return map[string]any{
			"/unseal": client.Unseal{Passphrase: secret}, "/session": client.Login{Name: x.other.Name, Password: client.NewValue(password)},
			"/setup": client.Setup{Code: secret, Name: "first", Password: secret}, "/clusters": cluster, "/clusters/test": cluster,
			"/clusters/{cluster}/test": client.ClusterChange{}, "/clusters/{cluster}/fetches": client.Selection{All: true},
			"/resources":                     client.NewResource{Name: "fresh", Type: "postgresql", Settings: map[string]string{"host": "10.0.0.3"}},
			"/resources/{resource}/accounts": client.NewAccount{Name: "extra", Value: secret},
			"/accounts/{account}/reveal":     client.Reveal{Reason: text},
			"/accounts/{account}/reset":      client.Reset{Value: secret},
			"/mappings":                      client.NewMapping{AccountID: x.account.ID, SecretID: x.secret.ID, Key: "password", Keep: "vault"},
			"/policies":                      client.NewPolicy{Name: "another", Rotation: client.PolicyRotation{Every: "30d"}},
			"/policies/preview":              client.PolicyDraft{Rotation: client.PolicyRotation{Every: "30d"}},
			"/policies/{policy}/assignments": client.NewPolicyAssignment{By: "account", Pattern: x.spare.ID},
			"/mappings/compare":              client.NewMapping{AccountID: x.account.ID, SecretID: x.secret.ID, Key: "password"},
			"/leaks/find":                    client.LeakQuery{Value: secret},
			"/keys/root":                     client.NextRoot{},
			"/secrets/{secret}/restore":      client.SecretRestore{},
			"/conflicts/{secret}/resolve":    client.ConflictResolution{Keep: "cluster"},
			"/restore/check":                 client.RestoreCheck{},
			"/restore/accept":                client.RestoreAcceptance{},
			"/users":                         client.NewUser{Name: "newcomer", Role: "user", Password: secret},
			"/users/{user}/password":         client.NewPassword{Password: secret},
			"/groups":                        client.NewGroup{Name: "more", Description: text},
			"/grants":                        client.NewGrant{SubjectKind: "user", SubjectID: x.other.ID, ObjectKind: "account", ObjectID: x.account.ID, Level: "view"},
			"/tokens":                        client.NewToken{Name: "ci", Scopes: []string{"account.list"}, ExpiresAt: time.Now().Add(time.Hour)},
		}[key]
	}
	return map[string]any{
		"PATCH /clusters/{cluster}": client.ClusterChange{Name: &name}, "PATCH /resources/{resource}": client.ResourceChange{Name: &name},
		"PATCH /accounts/{account}": client.AccountChange{Name: &name}, "PATCH /users/{user}": client.UserChange{DisplayName: &text},
		"PATCH /groups/{group}": client.GroupChange{Description: &text}, "PATCH /mappings/{mapping}": client.MappingChange{OnWrite: "ask"},
		"PUT /clusters/{cluster}/on-drift":   client.DriftChange{Policy: "ask"},
		"PUT /resources/{resource}/on-drift": client.DriftChange{Policy: "ask"}, "PUT /secrets/{secret}/on-drift": client.DriftChange{Policy: "ask"},
		"PATCH /policies/{policy}": client.PolicyChange{Description: &text},
	}[key]
}

// put sends a question as whoever has the secret, nobody if that is empty.
func (x *exposed) put(q question, secret string, headers ...string) reply {
	x.t.Helper()
	if secret != "" {
		headers = append(headers, "Authorization", "Bearer "+secret)
	}
	return x.send(q.method, q.path, q.body, headers...)
}

// kind is the last part of a problem's type, empty for an answer that is none.
func (r reply) kind(t testing.TB) string {
	t.Helper()
	if r.status < http.StatusBadRequest {
		return ""
	}
	var p client.Problem
	decode(t, r.body, &p)
	if p.Cause == "Validation failed" {
		t.Errorf("the test's own request is malformed: %s", r.body)
	}
	return strings.TrimPrefix(p.Type, problemPrefix)
}

// SR-01: nobody who is not signed in gets anything but 401, whatever the body, outside of a list of three.
func TestSecurityNobodyGetsIn(t *testing.T) {
	x := newExposed(t)
	open := map[string]bool{"POST /api/v1/session": true, "POST /api/v1/setup": true, "POST /api/v1/unseal": true}
	for _, r := range x.server.Routes() {
		if open[r.Method+" "+r.Path] {
			delete(open, r.Method+" "+r.Path)
			continue
		}
		q := x.ask(r)
		for name, body := range map[string]any{"whole": q.body, "none": nil, "wrong": "text", "unknown field": map[string]any{"nonsense": 1}} {
			q.body = body
			for _, secret := range []string{"", "nonsense", "kt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", x.admin[:len(x.admin)-1]} {
				if got := x.put(q, secret, "If-Match", `"1"`); got.status != http.StatusUnauthorized {
					t.Errorf("%s %s with the body %s: %d %s", r.Method, r.Path, name, got.status, got.body)
				}
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("open, and not there: %v", open)
	}
}

// SR-01: what no route is for is no answer, signed in or not.
func TestSecurityNothingAnswersOutsideTheTable(t *testing.T) {
	x := newExposed(t)
	have := map[string]bool{}
	for _, r := range x.server.Routes() {
		have[r.Method+" "+r.Path] = true
	}
	for _, r := range x.server.Routes() {
		q := x.ask(r)
		q.body = nil
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			hr, err := http.NewRequestWithContext(t.Context(), method, x.url+"/api/v1"+q.path, nil)
			ok(t, err)
			if _, pattern := x.server.mux.Handler(hr); have[pattern] {
				continue // such as PATCH /clusters/test, a cluster of that name
			}
			q.method = method
			if got := x.put(q, x.admin); got.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, q.path, got.status)
			}
		}
	}
	for _, path := range []string{"", "/", "/docs", "/schemas", "/schemas/Login.json", "/openapi", "/openapi.yaml", "/openapi-3.0.json", "/debug/pprof/", "/metrics", "/vars"} {
		if got := x.put(question{"GET", path, nil}, x.admin); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := x.put(question{"GET", "/openapi.json", nil}, ""); got.status != http.StatusUnauthorized {
		t.Errorf("the document is open: %d", got.status)
	}
}

// SR-02: a path that two readers could take for two different ones is never answered. The corpus goes over the wire as it
// is written here.
func TestSecurityConfusingPaths(t *testing.T) {
	x := newExposed(t)
	for _, path := range []string{
		"//api/v1/users", "/api//v1/users", "/api/v1//users", "/api/v1/users/", "/api/v1/./users", "/./api/v1/users", "/api/v1/health/../users",
		"/api/v1/session/..%2fusers", "/api/v1/health/%2e%2e/users", "/api/v1/%2e/users", "/api/v1/health%2f..%2fusers", "/api/v1/users%2f", "/api/v1/users;x=1",
		"/api/v1/health;/../users", "/api/v1;/users", "/api/v1/users%00", "/api/v1/users%00.css", "/api/v1/users%20", "/api/v1/users%23", "/api/v1/users%3fx",
		"/api/v1\\users", "/api/v1%5cusers", "/API/v1/users", "/api/V1/users", "/api/v1/Users", "/api/v1/users%252f", "/api/v1/%75sers%2f", "/api/v1/users.json", "/api/v1/users/%2e%2e/users",
		"/healthz/../api/v1/users", "/healthz%2f../api/v1/users", "/static/..%2f..%2fapi/v1/users", "/api/v1/ｕsers", "/api/v1/users%ef%bc%8f", "/..;/api/v1/users", "/api/v1/users/..;/users",
	} {
		for _, secret := range []string{"", x.admin} {
			got := x.raw("GET", path, secret)
			if got.status != http.StatusNotFound && got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest || bytes.Contains(got.body, []byte("other")) {
				t.Errorf("%q: %d %s", path, got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/api/v1/users", "/%61pi/v1/users", "/api/v1/user%73"} { // one reading only: decided as any other
		if open, signedIn := x.raw("GET", path, ""), x.raw("GET", path, x.admin); open.status != http.StatusUnauthorized || signedIn.status != http.StatusOK {
			t.Errorf("%q: %d without and %d with a session", path, open.status, signedIn.status)
		}
	}
}
