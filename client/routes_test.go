package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is what a server can tell of a request.
func seen(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	s := r.Method + " " + strings.TrimPrefix(r.URL.EscapedPath(), basePath)
	if r.URL.RawQuery != "" {
		s += "?" + r.URL.RawQuery
	}
	if rev := r.Header.Get("If-Match"); rev != "" {
		s += " if " + rev
	}
	if len(body) > 0 {
		s += " " + string(body)
	}
	return s
}

func TestEveryMethodSpeaksToItsRoute(t *testing.T) {
	var got string
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		got = seen(r)
		if (r.Method == http.MethodPost) != (r.Header.Get("Idempotency-Key") != "") {
			t.Errorf("%s: Idempotency-Key %q", got, r.Header.Get("Idempotency-Key"))
		}
		if r.Header.Get("Authorization") != "Bearer kt_secret" || r.Header.Get("User-Agent") != "keyturn-client" {
			t.Errorf("%s: headers %v", got, r.Header)
		}
		answer(w, 200, map[string]any{})
	})
	for _, routes := range []func(*Client) routes{serverAndClusterRoutes, resourceAndAccountRoutes, mappingAndRunRoutes, policyRoutes, keyRoutes, peopleRoutes} {
		for want, call := range routes(c) {
			got = ""
			if err := call(t.Context()); err != nil || got != want {
				t.Errorf("want %s\n got %s, %v", want, got, err)
			}
		}
	}
}

// routes are the calls of a Client by the request that each sends.
type routes map[string]func(ctx context.Context) error

func serverAndClusterRoutes(c *Client) routes {
	name := "new"
	return routes{
		"GET /health":                     func(ctx context.Context) error { _, err := c.Health(ctx); return err },
		`POST /unseal {"passphrase":"p"}`: func(ctx context.Context) error { _, err := c.Unseal(ctx, Unseal{NewValue("p")}); return err },
		"GET /overview":                   func(ctx context.Context) error { _, err := c.Overview(ctx); return err },
		"GET /types":                      func(ctx context.Context) error { _, err := c.Types(ctx); return err },
		"GET /session":                    func(ctx context.Context) error { _, err := c.Session(ctx); return err },
		"DELETE /session":                 func(ctx context.Context) error { return c.Logout(ctx) },
		`POST /session {"name":"u","password":"p"}`: func(ctx context.Context) error {
			_, err := c.Login(ctx, Login{"u", NewValue("p")})
			return err
		},
		`POST /setup {"code":"c","name":"u","password":"p"}`: func(ctx context.Context) error {
			_, err := c.Setup(ctx, Setup{NewValue("c"), "u", NewValue("p")})
			return err
		},
		"GET /connector?access=read-only&namespaces=a%2Cb&portForward=true&renewToken=true&replace=true&restart=true": func(ctx context.Context) error {
			_, err := c.Connector(ctx, Scope{[]string{"a", "b"}, "read-only", true, true, true, true})
			return err
		},
		"GET /clusters?limit=5&q=x&removed=true&state=connected&state=degraded": func(ctx context.Context) error {
			_, err := c.Clusters(ctx, ClusterFilter{ListOptions{Search: "x", Limit: 5}, []string{"connected", "degraded"}, true})
			return err
		},
		"GET /clusters/a%2Fb%20c": func(ctx context.Context) error { _, err := c.Cluster(ctx, "a/b c"); return err },
		`POST /clusters {"name":"n","server":"s","token":"t","scope":{"access":"read-only"}}`: func(ctx context.Context) error {
			_, err := c.AddCluster(ctx, NewCluster{Name: "n", Server: "s", Token: NewValue("t"), Scope: Scope{Access: "read-only"}})
			return err
		},
		`POST /clusters/test {"name":"n","server":"s","token":"t","scope":{"access":"read-only"}}`: func(ctx context.Context) error {
			_, err := c.TestCluster(ctx, NewCluster{Name: "n", Server: "s", Token: NewValue("t"), Scope: Scope{Access: "read-only"}})
			return err
		},
		`POST /clusters/c/renew-token if "2"`: func(ctx context.Context) error { _, err := c.RenewToken(ctx, "c", 2); return err },
		"POST /clusters/c/test {}":            func(ctx context.Context) error { _, err := c.RetestCluster(ctx, "c", ClusterChange{}); return err },
		`PATCH /clusters/c if "7" {"name":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdateCluster(ctx, "c", 7, ClusterChange{Name: &name})
			return err
		},
		`DELETE /clusters/c if "7"`:             func(ctx context.Context) error { return c.DeleteCluster(ctx, "c", 7) },
		"GET /clusters/c/available?namespace=n": func(ctx context.Context) error { _, err := c.Available(ctx, "c", "n"); return err },
		`POST /clusters/c/fetches {"all":true}`: func(ctx context.Context) error { _, err := c.FetchSecrets(ctx, "c", Selection{All: true}); return err },
		"POST /clusters/c/sync":                 func(ctx context.Context) error { _, err := c.Sync(ctx, "c"); return err },
		"GET /clusters/c/fetches":               func(ctx context.Context) error { _, err := c.Fetches(ctx, "c"); return err },
		"GET /clusters/c/fetches/f":             func(ctx context.Context) error { _, err := c.Fetch(ctx, "c", "f"); return err },
	}
}

func resourceAndAccountRoutes(c *Client) routes {
	name := "new"
	return routes{
		"GET /resources?cluster=c&name=r&type=generic": func(ctx context.Context) error {
			_, err := c.Resources(ctx, ResourceFilter{Name: "r", Type: []string{"generic"}, Cluster: "c"})
			return err
		},
		"GET /resources/r": func(ctx context.Context) error { _, err := c.Resource(ctx, "r"); return err },
		`POST /resources {"name":"r","type":"generic"}`: func(ctx context.Context) error {
			_, err := c.AddResource(ctx, NewResource{Name: "r", Type: "generic"})
			return err
		},
		`PATCH /resources/r if "2" {"name":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdateResource(ctx, "r", 2, ResourceChange{Name: &name})
			return err
		},
		`DELETE /resources/r if "2"`: func(ctx context.Context) error { return c.DeleteResource(ctx, "r", 2) },
		`POST /resources/r/accounts {"name":"a","value":"v"}`: func(ctx context.Context) error {
			_, err := c.AddAccount(ctx, "r", NewAccount{Name: "a", Value: NewValue("v")})
			return err
		},
		"GET /accounts?cursor=x&state=verified": func(ctx context.Context) error {
			_, err := c.Accounts(ctx, AccountFilter{ListOptions: ListOptions{Cursor: "x"}, State: []string{"verified"}})
			return err
		},
		"GET /accounts/a": func(ctx context.Context) error { _, err := c.Account(ctx, "a"); return err },
		`PATCH /accounts/a if "2" {"name":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdateAccount(ctx, "a", 2, AccountChange{Name: &name})
			return err
		},
		`DELETE /accounts/a if "2"`:             func(ctx context.Context) error { return c.DeleteAccount(ctx, "a", 2) },
		"GET /accounts/a/versions":              func(ctx context.Context) error { _, err := c.Versions(ctx, "a"); return err },
		`POST /accounts/a/reveal {"version":3}`: func(ctx context.Context) error { _, err := c.Reveal(ctx, "a", Reveal{Version: 3}); return err },
		`POST /accounts/a/reset {"version":3}`:  func(ctx context.Context) error { _, err := c.Reset(ctx, "a", Reset{Version: 3}); return err },
		"POST /accounts/a/verify":               func(ctx context.Context) error { _, err := c.Verify(ctx, "a"); return err },
		"GET /secrets?namespace=n&offset=10": func(ctx context.Context) error {
			_, err := c.Secrets(ctx, SecretFilter{ListOptions: ListOptions{Offset: 10}, Namespace: "n"})
			return err
		},
		"GET /secrets/s": func(ctx context.Context) error { _, err := c.Secret(ctx, "s"); return err },
		"GET /secrets/s/versions?limit=5": func(ctx context.Context) error {
			_, err := c.SecretVersions(ctx, "s", VersionFilter{Limit: 5})
			return err
		},
		`POST /secrets/s/restore if "2" {"version":3}`: func(ctx context.Context) error {
			_, err := c.RestoreSecret(ctx, "s", 2, SecretRestore{Version: 3})
			return err
		},
		"POST /secrets/s/download": func(ctx context.Context) error { _, err := c.Download(ctx, "s"); return err },
	}
}

func keyRoutes(c *Client) routes {
	return routes{
		"GET /keys":         func(ctx context.Context) error { _, err := c.Keys(ctx); return err },
		"POST /keys/rotate": func(ctx context.Context) error { _, err := c.RotateKey(ctx); return err },
		"DELETE /keys/4":    func(ctx context.Context) error { return c.RemoveKey(ctx, "4") },
		"POST /keys/root {}": func(ctx context.Context) error {
			_, err := c.ChangeRoot(ctx, NextRoot{})
			return err
		},
		`POST /keys/root {"passphrase":"p"}`: func(ctx context.Context) error {
			_, err := c.ChangeRoot(ctx, NextRoot{NewValue("p")})
			return err
		},
	}
}

func policyRoutes(c *Client) routes {
	name := "new"
	return routes{
		"GET /policies":   func(ctx context.Context) error { _, err := c.Policies(ctx); return err },
		"GET /policies/p": func(ctx context.Context) error { _, err := c.Policy(ctx, "p"); return err },
		`POST /policies {"name":"p","rotation":{"every":"30d"}}`: func(ctx context.Context) error {
			_, err := c.AddPolicy(ctx, NewPolicy{Name: "p", Rotation: PolicyRotation{Every: "30d"}})
			return err
		},
		`PATCH /policies/p if "2" {"name":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdatePolicy(ctx, "p", 2, PolicyChange{Name: &name})
			return err
		},
		`DELETE /policies/p if "2"`: func(ctx context.Context) error { return c.DeletePolicy(ctx, "p", 2) },
		`POST /policies/p/assignments {"by":"rule","pattern":"*/*/*"}`: func(ctx context.Context) error {
			_, err := c.AssignPolicy(ctx, "p", NewPolicyAssignment{By: "rule", Pattern: "*/*/*"})
			return err
		},
		"DELETE /policies/p/assignments/a": func(ctx context.Context) error { return c.UnassignPolicy(ctx, "p", "a") },
		"GET /accounts/a/policy":           func(ctx context.Context) error { _, err := c.ExplainPolicy(ctx, "a"); return err },
		"GET /schedule?resource=r": func(ctx context.Context) error {
			_, err := c.Schedule(ctx, ScheduleFilter{AccountFilter: AccountFilter{Resource: "r"}})
			return err
		},
		`POST /policies/preview {"rotation":{"every":"30d"}}`: func(ctx context.Context) error {
			_, err := c.PreviewPolicy(ctx, PolicyDraft{Rotation: PolicyRotation{Every: "30d"}})
			return err
		},
	}
}

func mappingAndRunRoutes(c *Client) routes {
	return routes{
		"GET /duplicates?cursor=c&limit=5&of=a": func(ctx context.Context) error {
			_, err := c.Duplicates(ctx, DuplicateFilter{Of: "a", Limit: 5, Cursor: "c"})
			return err
		},
		"GET /duplicates/g": func(ctx context.Context) error { _, err := c.Duplicate(ctx, "g"); return err },
		"GET /duplicates/g/places?q=x": func(ctx context.Context) error {
			_, err := c.DuplicatePlaces(ctx, "g", HolderFilter{Search: "x"})
			return err
		},
		`POST /leaks/find {"sha256":"ab"}`: func(ctx context.Context) error {
			_, err := c.FindLeak(ctx, LeakQuery{SHA256: "ab"})
			return err
		},
		"GET /leaks/l/places?cursor=c": func(ctx context.Context) error {
			_, err := c.LeakPlaces(ctx, "l", HolderFilter{Cursor: "c"})
			return err
		},
		"GET /leaks/l/plan":       func(ctx context.Context) error { _, err := c.LeakPlan(ctx, "l"); return err },
		"POST /leaks/l/rotate":    func(ctx context.Context) error { _, err := c.RotateLeak(ctx, "l"); return err },
		"GET /mappings?account=a": func(ctx context.Context) error { _, err := c.Mappings(ctx, MappingFilter{Account: "a"}); return err },
		"GET /mappings/m":         func(ctx context.Context) error { _, err := c.Mapping(ctx, "m"); return err },
		`POST /mappings {"accountId":"a","secretId":"s","key":"k","keep":"vault"}`: func(ctx context.Context) error {
			_, err := c.AddMapping(ctx, NewMapping{AccountID: "a", SecretID: "s", Key: "k", Keep: "vault"})
			return err
		},
		`POST /mappings/compare {"accountId":"a","secretId":"s","key":"k"}`: func(ctx context.Context) error {
			_, err := c.CompareMapping(ctx, NewMapping{AccountID: "a", SecretID: "s", Key: "k"})
			return err
		},
		`PATCH /mappings/m if "2" {"onWrite":"ask"}`: func(ctx context.Context) error {
			_, err := c.UpdateMapping(ctx, "m", 2, MappingChange{"ask"})
			return err
		},
		`DELETE /mappings/m if "2"`: func(ctx context.Context) error { return c.DeleteMapping(ctx, "m", 2) },
		"GET /runs?account=a&sort=-created": func(ctx context.Context) error {
			_, err := c.Runs(ctx, RunFilter{ListOptions: ListOptions{Sort: "-created"}, Account: "a"})
			return err
		},
		"GET /runs/r":                func(ctx context.Context) error { _, err := c.Run(ctx, "r"); return err },
		"POST /runs/r/resume":        func(ctx context.Context) error { _, err := c.ResumeRun(ctx, "r"); return err },
		"POST /runs/r/rollback":      func(ctx context.Context) error { _, err := c.RollBackRun(ctx, "r"); return err },
		"GET /accounts/a/plan":       func(ctx context.Context) error { _, err := c.Plan(ctx, "a"); return err },
		"GET /accounts/a/rehearsal":  func(ctx context.Context) error { _, err := c.Rehearsal(ctx, "a"); return err },
		"POST /accounts/a/rehearsal": func(ctx context.Context) error { _, err := c.Rehearse(ctx, "a"); return err },
		"POST /runs/r/cancel":        func(ctx context.Context) error { _, err := c.CancelRun(ctx, "r"); return err },
		"GET /audit?from=-24h&outcome=refused": func(ctx context.Context) error {
			_, err := c.AuditEvents(ctx, AuditFilter{From: "-24h", Outcome: "refused"})
			return err
		},
		"GET /audit/events/e": func(ctx context.Context) error { _, err := c.AuditEvent(ctx, "e"); return err },
		"POST /audit/verify":  func(ctx context.Context) error { _, err := c.VerifyAudit(ctx); return err },
	}
}

func peopleRoutes(c *Client) routes {
	name := "new"
	return routes{
		"GET /users":   func(ctx context.Context) error { _, err := c.Users(ctx); return err },
		"GET /users/u": func(ctx context.Context) error { _, err := c.User(ctx, "u"); return err },
		`POST /users {"name":"u","role":"user","password":"p"}`: func(ctx context.Context) error {
			_, err := c.AddUser(ctx, NewUser{Name: "u", Role: "user", Password: NewValue("p")})
			return err
		},
		`PATCH /users/u if "2" {"role":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdateUser(ctx, "u", 2, UserChange{Role: &name})
			return err
		},
		`DELETE /users/u if "2"`:                  func(ctx context.Context) error { return c.DeleteUser(ctx, "u", 2) },
		`POST /users/u/password {"password":"p"}`: func(ctx context.Context) error { return c.SetPassword(ctx, "u", NewPassword{Password: NewValue("p")}) },
		"GET /groups":                             func(ctx context.Context) error { _, err := c.Groups(ctx); return err },
		"GET /groups/g":                           func(ctx context.Context) error { _, err := c.Group(ctx, "g"); return err },
		`POST /groups {"name":"g","members":["u"]}`: func(ctx context.Context) error {
			_, err := c.AddGroup(ctx, NewGroup{Name: "g", Members: []string{"u"}})
			return err
		},
		`PATCH /groups/g if "2" {"name":"new"}`: func(ctx context.Context) error {
			_, err := c.UpdateGroup(ctx, "g", 2, GroupChange{Name: &name})
			return err
		},
		`DELETE /groups/g if "2"`: func(ctx context.Context) error { return c.DeleteGroup(ctx, "g", 2) },
		"GET /grants?object=o&objectKind=cluster": func(ctx context.Context) error {
			_, err := c.Grants(ctx, GrantFilter{ObjectKind: "cluster", ObjectID: "o"})
			return err
		},
		`DELETE /grants/g if "2"`: func(ctx context.Context) error { return c.DeleteGrant(ctx, "g", 2) },
		"GET /sessions?user=u":    func(ctx context.Context) error { _, err := c.Sessions(ctx, "u"); return err },
		"DELETE /sessions/s":      func(ctx context.Context) error { return c.EndSession(ctx, "s") },
		"GET /tokens?owner=u":     func(ctx context.Context) error { _, err := c.Tokens(ctx, "u"); return err },
		"DELETE /tokens/t":        func(ctx context.Context) error { return c.DeleteToken(ctx, "t") },
		`POST /tokens {"name":"t","scopes":["*"],"expiresAt":"0001-01-01T00:00:00Z"}`: func(ctx context.Context) error {
			_, err := c.AddToken(ctx, NewToken{Name: "t", Scopes: []string{"*"}})
			return err
		},
		`POST /grants {"subjectKind":"user","subjectId":"u","objectKind":"cluster","objectId":"c","level":"use"}`: func(ctx context.Context) error {
			_, err := c.AddGrant(ctx, NewGrant{SubjectKind: "user", SubjectID: "u", ObjectKind: "cluster", ObjectID: "c", Level: "use"})
			return err
		},
	}
}

func TestANameThatWouldLeaveItsRouteIsNotSent(t *testing.T) {
	asked := false
	c := api(t, func(http.ResponseWriter, *http.Request) { asked = true })
	for _, name := range []string{"", ".", ".."} {
		if _, err := c.Cluster(t.Context(), name); !notFound(err) || asked {
			t.Errorf("%q: %v, asked %v", name, err, asked)
		}
	}
}

func TestQueryKnowsEveryFilter(t *testing.T) {
	if diff := cmp.Diff(url.Values{}, query(SecretFilter{})); diff != "" {
		t.Error(diff)
	}
	for _, filter := range []any{ClusterFilter{}, ResourceFilter{}, AccountFilter{}, SecretFilter{}, MappingFilter{}, RunFilter{}, AuditFilter{}, GrantFilter{}} {
		query(filter) // which panics on a field of a kind that it does not know
	}
}

func TestAll(t *testing.T) {
	pages := map[string]Page[int]{"": {Items: []int{1, 2}, Next: "b"}, "b": {Items: []int{3}, Next: "c"}, "c": {Items: []int{4}}}
	asked := 0
	list := func(cursor string) (Page[int], error) { asked++; return pages[cursor], nil }
	var got []int
	for n, err := range All(list) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4}, got); diff != "" || asked != 3 {
		t.Errorf("asked %d times, %s", asked, diff)
	}
	for range All(list) {
		break
	}
	if asked != 4 {
		t.Errorf("a loop that ends early asks for more: %d", asked)
	}
	failed := 0
	for _, err := range All(func(string) (Page[int], error) { return Page[int]{Next: "b"}, errors.New("no") }) {
		if err == nil {
			t.Error("no error")
		}
		failed++
	}
	for range All(func(string) (Page[int], error) { return Page[int]{Next: ""}, nil }) {
		t.Error("an empty page yields")
	}
	if failed != 1 {
		t.Errorf("an error is yielded %d times", failed)
	}
}

func TestFindAccount(t *testing.T) {
	gone := Time{}
	c := api(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		none := Problem{Type: "urn:keyturn:problem:not-found", Title: "no such resource", Status: 404}
		switch what := strings.TrimPrefix(r.URL.Path, basePath) + " " + q.Get("resource") + " " + q.Get("name"); what {
		case "/accounts db app":
			answer(w, 200, Page[Account]{Items: []Account{{ID: "a1", Name: "app", ResourceName: "db"}}})
		case "/accounts shop-eu web", "/accounts db nobody", "/secrets db nobody":
			answer(w, 200, Page[Account]{})
		case "/secrets shop-eu web":
			answer(w, 200, Page[Secret]{Items: []Secret{{ID: "s0", DeletedAt: &gone}, {ID: "s1", Name: "web", ResourceName: "shop-eu"}}})
		case "/accounts/a1  ":
			answer(w, 200, Account{ID: "a1"})
		case "/secrets/s1  ":
			answer(w, 200, Secret{ID: "s1"})
		case "/accounts forbidden x":
			answer(w, 403, Problem{Title: "no", Status: 403})
		default:
			answer(w, 404, none)
		}
	})
	for name, want := range map[string]string{
		"db/app": "a1", "shop-eu/web": "s1", "a1": "a1", "s1": "s1",
		"db/nobody": "404", "nothing/x": "404", "x": "404", "/x": "404", "db/": "404", "forbidden/x": "403",
	} {
		found, err := c.FindAccount(t.Context(), name)
		got := ""
		if p, ok := errors.AsType[*Problem](err); ok {
			got = fmt.Sprint(p.Status)
		} else {
			got = found.ID()
		}
		if got != want {
			t.Errorf("FindAccount(%q) = %q, %v, want %q", name, got, err, want)
		}
		if strings.Contains(name, "/") && err == nil && found.Name() != name {
			t.Errorf("FindAccount(%q).Name() = %q", name, found.Name())
		}
	}
}
