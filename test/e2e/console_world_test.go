package e2e

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/test/testbed"
)

// pagesFacts is what the browser's part has to know of the world.
type pagesFacts struct {
	URL, Sealed, UsedCode string
	Restored              string            // a server with anna on a database that was put back
	Passwords             map[string]string // by user
	IDs                   map[string]string // of what has no name in its address
	Hostile               string            // name of a resource
	HostileAccount        string            // name of an account on it
	Clusters              map[string]pagesCluster
	PlainHTTP, NoAPI      pagesCluster
}

// pagesCluster is what somebody types to connect a cluster.
type pagesCluster struct{ URL, CA, Token string }

// pagesWorld has something in every state that a page can show.
type pagesWorld struct {
	*subject
	admin    *client.Client
	clusters map[string]client.Cluster
	values   map[string]string // what the keys hold, by account
	facts    pagesFacts
}

// namespaceCount is how many namespaces the largest cluster has, besides Kubernetes' own.
const namespaceCount = 120

// newPagesWorld makes the world as a list: what is there, then what breaks.
func newPagesWorld(t *testing.T, program string) *pagesWorld {
	t.Helper()
	s, password := newSubject(t, program, nil, "--allow-loopback-clusters", "--sync-on-demand"), rand.Text()
	w := &pagesWorld{subject: s, clusters: map[string]client.Cluster{}, values: map[string]string{}}
	w.facts = pagesFacts{URL: s.url, UsedCode: s.code, Passwords: map[string]string{"anna": password}, IDs: map[string]string{}, Clusters: map[string]pagesCluster{}}
	w.admin = s.as(client.NewValue(s.setUp(password)))
	w.facts.Sealed = passphraseServer(t, program, rand.Text())
	w.facts.Restored = restoredServer(t, program, password)
	w.impostors()

	// Two are its own: on the shared ones other tests give the connector more rights than it may have here.
	eu, us, stage := w.plane("prod-eu"), bed.clusters.Planes[1], w.plane("stage")
	w.namespaces(eu, "checkout", "ledger", "vault")
	w.connect("prod-eu", eu, client.Scope{Namespaces: []string{"checkout", "ledger", "vault"}, Access: "read-write", Restart: true})
	w.connect("stage", stage, client.Scope{Access: "read-write", Restart: true, PortForward: true, Replace: true})
	unplug := w.connectBehind("prod-us", us, client.Scope{Namespaces: []string{"shop"}, Access: "read-write"})
	w.manySecrets(stage)
	w.resource("orders-db", bed.postgres.Port)
	w.resource("legacy-db", w.closedPort())
	for _, role := range []string{"pages_app", "pages_held", "pages_frozen", "pages_guarded", "pages_stale"} {
		w.role(role)
	}
	w.secret(eu, "checkout/db", "kubectl-create", "pages_app", "")
	w.secret(eu, "checkout/worker", "kubectl-create", "pages_app", "")
	w.secret(eu, "checkout/held-api", "kubectl-create", "pages_held", "")
	w.secret(eu, "checkout/held-worker", "some-operator", "pages_held", "")
	w.secret(eu, "checkout/frozen", "kubectl-create", "pages_frozen", "immutable: true")
	w.secret(eu, "checkout/gone", "kubectl-create", "another", "")
	w.secret(eu, "ledger/db", "kubectl-create", "another", "")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout", "ledger"}})

	app := w.account("orders-db", "pages_app", w.values["pages_app"], "checkout/db", "checkout/worker")
	held := w.account("orders-db", "pages_held", w.values["pages_held"], "checkout/held-api", "checkout/held-worker")
	frozen := w.account("orders-db", "pages_frozen", w.values["pages_frozen"], "checkout/frozen")
	guarded := w.account("orders-db", "pages_guarded", w.values["pages_guarded"])
	stale := w.account("orders-db", "pages_stale", rand.Text())
	w.account("legacy-db", "pages_down", rand.Text())
	w.verify(stale, "out_of_sync")
	w.people(app)
	w.hostile()

	w.reset("done", app, client.Reset{}, "done")
	w.reset("held", held, client.Reset{}, "needs_attention")
	w.reset("frozen", frozen, client.Reset{}, "needs_attention")
	w.asked(eu)
	w.guard("pages_guarded")
	w.reset("rolledBack", guarded, client.Reset{Value: client.NewValue("pages_guarded")}, "rolled_back")
	w.policies(eu, stage)
	w.conflicts(eu)

	w.kubectl(eu, "", "-n", "checkout", "delete", "secret", "gone")
	w.sync("prod-eu")
	w.kubectl(eu, "", "-n", "vault", "delete", "rolebindings", "--all")
	w.mayList(eu, "vault", "no")
	w.fetch("prod-eu", client.Selection{Namespaces: []string{"checkout", "ledger", "vault"}})
	unplug()
	w.retest("prod-eu", "degraded")
	w.retest("prod-us", "unreachable")
	return w
}

// people makes one of each role, and one with a single grant.
func (w *pagesWorld) people(granted string) {
	for name, role := range map[string]string{"aldo": "auditor", "uma": "user", "nils": "user"} {
		w.facts.Passwords[name] = rand.Text()
		_, err := w.admin.AddUser(w.t.Context(), client.NewUser{Name: name, Role: role, Password: client.NewValue(w.facts.Passwords[name])})
		must(w.t, err)
	}
	_, err := w.admin.AddGrant(w.t.Context(), client.NewGrant{SubjectKind: "user", SubjectID: "uma", ObjectKind: "account", ObjectID: granted, Level: "reveal"})
	must(w.t, err)
	_, err = w.admin.AddGroup(w.t.Context(), client.NewGroup{Name: "db-owners", Description: "who keeps the databases"})
	must(w.t, err)
}

// hostile makes a resource, an account and a user whose names look like markup, run from right to left, and are as long as
// can be.
func (w *pagesWorld) hostile() {
	w.t.Helper()
	fill := func(s string, most int) string { return s + strings.Repeat("x", most-utf8.RuneCountInString(s)) }
	w.facts.Hostile = fill(`<img src=x onerror=alert(1)> שלום עולם "quoted" `, 128)
	_, err := w.admin.AddResource(w.t.Context(), client.NewResource{Name: w.facts.Hostile, Type: "postgresql", Settings: databaseSettings(bed.postgres.Port)})
	must(w.t, err)
	w.facts.HostileAccount = fill(`<b onmouseover=alert(1)>bold`, 253)
	w.account(w.facts.Hostile, w.facts.HostileAccount, rand.Text())
	u, err := w.admin.AddUser(w.t.Context(), client.NewUser{Name: strings.Repeat("long-", 12) + "name", DisplayName: fill(`<script>alert(1)</script> مرحبا `, 128), Role: "user", Password: client.NewValue(rand.Text())})
	must(w.t, err)
	w.facts.IDs["hostile"] = u.ID
}

// plane starts a cluster of this world's own.
func (w *pagesWorld) plane(name string) *testbed.ControlPlane {
	w.t.Helper()
	p, err := testbed.StartControlPlane(w.t.Context(), testbed.Options{Name: name, Etcd: bed.clusters.Etcd, Nodes: 1})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, p.Stop()) })
	return p
}

func (w *pagesWorld) kubectl(p *testbed.ControlPlane, stdin string, args ...string) string {
	w.t.Helper()
	out, err := p.Kubectl(w.t.Context(), stdin, args...)
	must(w.t, err)
	return out
}

func (w *pagesWorld) namespaces(p *testbed.ControlPlane, names ...string) {
	w.t.Helper()
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", name)
	}
	w.kubectl(p, text.String(), "create", "-f", "-")
}

// connect gives the connector its rights in a cluster and connects it.
func (w *pagesWorld) connect(name string, p *testbed.ControlPlane, scope client.Scope) {
	w.t.Helper()
	w.rights(p, scope)
	w.add(name, p.URL, string(p.CAPEM), w.token(p), scope)
}

// connectBehind connects a cluster through a line that the returned function cuts.
func (w *pagesWorld) connectBehind(name string, p *testbed.ControlPlane, scope client.Scope) (cut func()) {
	w.t.Helper()
	w.rights(p, scope)
	m, err := newMeddler(p)
	must(w.t, err)
	w.t.Cleanup(m.close)
	w.add(name, m.web.URL, certificateOf(m.web), w.token(p), scope)
	return m.close
}

func (w *pagesWorld) rights(p *testbed.ControlPlane, scope client.Scope) {
	w.t.Helper()
	manifest, err := w.admin.Connector(w.t.Context(), scope)
	must(w.t, err)
	w.kubectl(p, string(manifest), "apply", "-f", "-")
	for _, namespace := range scope.Namespaces {
		w.mayList(p, namespace, "yes")
	}
	if len(scope.Namespaces) == 0 {
		w.mayList(p, "default", "yes")
	}
}

// mayList waits until the cluster answers so ("yes" or "no") to whether the connector may list a namespace's Secrets: its
// authoriser learns of a role or a binding a moment after the request that wrote it was answered.
func (w *pagesWorld) mayList(p *testbed.ControlPlane, namespace, answer string) {
	w.t.Helper()
	w.eventually("the connector's right to list "+namespace+" is "+answer, func() bool {
		// It ends with exit code 1 where the answer is no.
		out, _ := p.Kubectl(w.t.Context(), "", "-n", namespace, "auth", "can-i", "list", "secrets", "--as=system:serviceaccount:keyturn:keyturn")
		return strings.TrimSpace(out) == answer
	})
}

// token waits until Kubernetes has filled the connector's token in.
func (w *pagesWorld) token(p *testbed.ControlPlane) string {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if token := w.kubectl(p, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}"); token != "" {
			return token
		}
	}
	w.t.Fatal("the connector has no token")
	return ""
}

func (w *pagesWorld) add(name, url, ca, token string, scope client.Scope) {
	w.t.Helper()
	made, err := w.admin.AddCluster(w.t.Context(), client.NewCluster{Name: name, Server: url, CA: ca, Token: client.NewValue(token), Scope: scope})
	must(w.t, err)
	w.clusters[name] = made
	w.facts.Clusters[name] = pagesCluster{url, ca, token}
}

// retest looks at a cluster again, which must show a state.
func (w *pagesWorld) retest(name, state string) {
	w.t.Helper()
	_, err := w.admin.RetestCluster(w.t.Context(), w.clusters[name].ID, client.ClusterChange{})
	must(w.t, err)
	c, err := w.admin.Cluster(w.t.Context(), name)
	must(w.t, err)
	if c.State != state {
		w.t.Fatalf("%s is %s (%s), should be %s", name, c.State, c.Reason, state)
	}
}

// manySecrets fills a cluster with namespaces that each have a Secret or two.
func (w *pagesWorld) manySecrets(p *testbed.ControlPlane) {
	w.t.Helper()
	var names []string
	var secrets strings.Builder
	for i := range namespaceCount {
		name := fmt.Sprintf("team-%03d", i+1)
		names = append(names, name)
		for _, secret := range []string{"db-credentials", "api-token"}[:1+i%2] {
			fmt.Fprintf(&secrets, "---\napiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s, labels: {team: t%d}}\nstringData: {password: %q}\n", name, secret, i%7, rand.Text())
		}
	}
	w.namespaces(p, names...)
	w.kubectl(p, secrets.String(), "create", "-f", "-")
}

// secret makes a Secret with the password of a role, or of nobody, under a field manager.
func (w *pagesWorld) secret(p *testbed.ControlPlane, path, manager, role, more string) {
	w.t.Helper()
	value, ok := w.values[role]
	if !ok {
		value = rand.Text()
	}
	namespace, name, _ := strings.Cut(path, "/")
	manifest := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s, labels: {app: %s}}\nstringData: {password: %q, user: %s}\n%s\n", namespace, name, name, value, role, more)
	w.kubectl(p, manifest, "create", "--field-manager", manager, "-f", "-")
}

// fetch imports and waits for the end, whatever it is.
func (w *pagesWorld) fetch(cluster string, s client.Selection) {
	w.t.Helper()
	f, err := w.admin.FetchSecrets(w.t.Context(), w.clusters[cluster].ID, s)
	must(w.t, err)
	w.ended(f)
}

func (w *pagesWorld) sync(cluster string) {
	w.t.Helper()
	f, err := w.admin.Sync(w.t.Context(), w.clusters[cluster].ID)
	must(w.t, err)
	w.ended(f)
}

func (w *pagesWorld) ended(f client.Fetch) {
	w.t.Helper()
	w.eventually("the fetch ends", func() bool {
		now, err := w.admin.Fetch(w.t.Context(), f.ClusterID, f.ID)
		must(w.t, err)
		return now.State == "done" || now.State == "failed"
	})
}

func (w *pagesWorld) eventually(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("it never came true that %s", what)
}

func databaseSettings(port int) map[string]string {
	return map[string]string{"host": bed.postgres.Host, "port": strconv.Itoa(port), "database": "postgres", "tls_ca": string(bed.postgres.CAPEM)}
}

func (w *pagesWorld) resource(name string, port int) {
	w.t.Helper()
	_, err := w.admin.AddResource(w.t.Context(), client.NewResource{Name: name, Type: "postgresql", Settings: databaseSettings(port)})
	must(w.t, err)
}

// closedPort is one where nothing listens.
func (w *pagesWorld) closedPort() int {
	_, port, _ := strings.Cut(closedAddress(w.t), ":")
	n, err := strconv.Atoi(port)
	must(w.t, err)
	return n
}

func (w *pagesWorld) psql(sql string) {
	w.t.Helper()
	_, err := bed.postgres.Psql(w.t.Context(), bed.postgres.SuperUser, bed.postgres.SuperPassword, "SET log_statement = 'none';\n"+sql)
	must(w.t, err)
}

func (w *pagesWorld) role(name string) {
	w.t.Helper()
	w.values[name] = rand.Text()
	w.psql(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, w.values[name]))
}

// guard has the server check the passwords that a role sets: its own name is none.
func (w *pagesWorld) guard(role string) {
	w.t.Helper()
	w.psql(fmt.Sprintf("ALTER ROLE %s SET session_preload_libraries = 'passwordcheck'", role))
}

// account makes an account with a value, maps the key "password" of some Secrets of prod-eu to it, and returns its id.
func (w *pagesWorld) account(resource, name, value string, secrets ...string) string {
	w.t.Helper()
	a, err := w.admin.AddAccount(w.t.Context(), resource, client.NewAccount{Name: name, Value: client.NewValue(value)})
	must(w.t, err)
	all, err := w.admin.Secrets(w.t.Context(), client.SecretFilter{Cluster: "prod-eu"})
	must(w.t, err)
	for _, path := range secrets {
		i := slices.IndexFunc(all.Items, func(s client.Secret) bool { return s.Namespace+"/"+s.Name == path })
		if i < 0 {
			w.t.Fatalf("%s was not fetched", path)
		}
		_, err := w.admin.AddMapping(w.t.Context(), client.NewMapping{AccountID: a.ID, SecretID: all.Items[i].ID, Key: "password"})
		must(w.t, err)
		w.facts.IDs[path] = all.Items[i].ID
	}
	return a.ID
}

func (w *pagesWorld) verify(account, state string) {
	w.t.Helper()
	v, err := w.admin.Verify(w.t.Context(), account)
	must(w.t, err)
	if v.State != state {
		w.t.Fatalf("the account is %s (%s), should be %s", v.State, v.Reason, state)
	}
}

// reset starts a run, keeps its id under a name, and waits until it has a state.
func (w *pagesWorld) reset(as, account string, r client.Reset, state string) {
	w.t.Helper()
	run, err := w.admin.Reset(w.t.Context(), account, r)
	must(w.t, err)
	w.facts.IDs[as] = run.ID
	w.eventually("the run "+as+" is "+state, func() bool {
		run, err = w.admin.Run(w.t.Context(), run.ID)
		must(w.t, err)
		if run.EndedAt != nil && run.State != state {
			w.t.Fatalf("the run %s is %s (%s), should be %s", as, run.State, run.Reason, state)
		}
		return run.State == state
	})
}

// impostors start what somebody might take for a cluster: a server without TLS, and a web site.
func (w *pagesWorld) impostors() {
	site := func() *httptest.Server {
		web := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(out, "<!DOCTYPE html><title>Welcome</title>")
		}))
		web.Config.ErrorLog = log.New(io.Discard, "", 0)
		w.t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
		return web
	}
	plain, secured := site(), site()
	plain.Start()
	secured.StartTLS()
	w.facts.PlainHTTP = pagesCluster{URL: strings.Replace(plain.URL, "http:", "https:", 1)}
	w.facts.NoAPI = pagesCluster{URL: secured.URL, CA: certificateOf(secured)}
}

func certificateOf(web *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))
}
