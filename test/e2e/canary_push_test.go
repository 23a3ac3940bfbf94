package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/client"
)

// push is one server with the values that went into it.
type push struct {
	*subject
	c            canaries
	role, secret string // of PostgreSQL; of Kubernetes
	token        string // of the session that the administrator works with
	admin        *client.Client
	account      client.Account
	leaf         client.Secret
	stream       bytes.Buffer
}

func (p *push) people() {
	t, ctx := p.t, p.t.Context()
	p.token = p.c.put("first session", p.setUp(p.c.new("administrator's password")))
	p.admin = p.as(client.NewValue(p.token))
	user, err := p.admin.AddUser(ctx, client.NewUser{Name: "bob", Role: "user", Password: client.NewValue(p.c.new("bob's password"))})
	must(t, err, p.admin.SetPassword(ctx, user.ID, client.NewPassword{Password: client.NewValue(p.c.new("bob's second password"))}))
	ses, err := p.as(client.Value{}).Login(ctx, client.Login{Name: "bob", Password: client.NewValue(p.c["bob's second password"])})
	must(t, err)
	bob := p.as(client.NewValue(p.c.put("bob's session", ses.Secret.Text())))
	made, err := p.admin.AddToken(ctx, client.NewToken{Name: "ci", Scopes: []string{"account.*"}, ExpiresAt: time.Now().Add(time.Hour)})
	must(t, err)
	_, err = p.as(client.NewValue(p.c.put("API token", made.Secret.Text()))).Accounts(ctx, client.AccountFilter{})
	must(t, err)
	for _, err := range []error{
		bob.SetPassword(ctx, user.ID, client.NewPassword{Current: client.NewValue(p.c.new("wrong current password")), Password: client.NewValue(p.c.new("next password"))}),
		p.admin.SetPassword(ctx, user.ID, client.NewPassword{Password: client.NewValue(p.c.new("password") + strings.Repeat("x", 2000))}),
		second(p.as(client.Value{}).Login(ctx, client.Login{Name: "bob", Password: client.NewValue(p.c.new("wrong password"))})),
		second(p.as(client.Value{}).Login(ctx, client.Login{Name: p.c.new("password as a name"), Password: client.NewValue("x")})),
		second(p.as(client.NewValue(p.c.new("unknown bearer"))).Session(ctx)),
		second(p.as(client.Value{}).Setup(ctx, client.Setup{Code: client.NewValue(p.c.new("wrong setup code")), Name: "x", Password: client.NewValue(p.c.new("setup password"))})),
	} {
		if err == nil {
			t.Error("a mistake was taken")
		}
	}
}

func second[T any](_ T, err error) error { return err }

// watch listens to the event stream until the test is done with it.
func (p *push) watch() (stop func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.admin.Watch(ctx, 0, func(c client.Change) { _ = json.NewEncoder(&p.stream).Encode(c) })
	}()
	return func() { cancel(); <-ended }
}

// cluster connects a real one and fetches a Secret whose values are known.
func (p *push) cluster() {
	t, ctx, plane := p.t, p.t.Context(), bed.clusters.Planes[0]
	manifest, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": p.secret, "namespace": "shop"},
		"stringData": map[string]string{"password": p.c.new("account's first password"), "other": p.c.new("another key")}})
	must(t, err, second(plane.Kubectl(ctx, string(manifest), "apply", "--server-side", "-f", "-")))
	raw, err := base64.StdEncoding.DecodeString(bed.tokens[0])
	must(t, err)
	p.c.put("connector's token", string(raw))
	scope := client.Scope{Namespaces: []string{"shop"}, Access: "read-write"}
	good := client.NewCluster{Name: "canary", Server: plane.URL, CA: string(plane.CAPEM), Token: client.NewValue(bed.tokens[0]), Scope: scope}
	for _, change := range []func(*client.NewCluster){
		func(n *client.NewCluster) { n.Token = client.NewValue(p.c.new("wrong token")) },
		func(n *client.NewCluster) { n.Token = client.NewValue(bed.tokens[0][:len(bed.tokens[0])-40]) },
		func(n *client.NewCluster) { n.CA = p.c.new("value as a CA") },
		func(n *client.NewCluster) {
			n.Server = "https://" + url.PathEscape(p.c.new("value as a URL")) + "@127.0.0.1"
		},
		func(n *client.NewCluster) { n.Server = p.c.new("value as a server") },
		func(n *client.NewCluster) { n.Scope.Namespaces = []string{p.c.new("value as a namespace")} },
		func(n *client.NewCluster) {
			n.Server = p.impostor()
			n.Token = client.NewValue(p.c.new("token for an impostor"))
		},
	} {
		bad := good
		change(&bad)
		if report, err := p.admin.TestCluster(ctx, bad); err == nil && report.OK {
			t.Errorf("a wrong connection passed: %+v", bad.Server)
		}
		if _, err := p.admin.AddCluster(ctx, bad); err == nil {
			t.Error("a wrong connection was saved")
		}
	}
	made, err := p.admin.AddCluster(ctx, good)
	must(t, err)
	job, err := p.admin.FetchSecrets(ctx, made.ID, client.Selection{Secrets: []string{"shop/" + p.secret}})
	must(t, err)
	p.until("the fetch is done", func() bool {
		f, err := p.admin.Fetch(ctx, made.ID, job.ID)
		must(t, err)
		return f.State == "done"
	})
	page, err := p.admin.Secrets(ctx, client.SecretFilter{Name: p.secret})
	must(t, err)
	p.leaf = page.Items[0]
	shown, err := p.admin.Reveal(ctx, p.leaf.ID, client.Reveal{Key: "other"})
	must(t, err)
	whole, err := p.admin.Download(ctx, p.leaf.ID)
	must(t, err)
	if shown.Value.Text() != p.c["another key"] || !strings.Contains(whole.Text(), base64.StdEncoding.EncodeToString([]byte(p.c["another key"]))) {
		t.Error("what is revealed is not what stands in the cluster, so this test would find nothing")
	}
}

// impostor is an address where somebody speaks who is no API server and repeats whatever is said.
func (p *push) impostor() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(p.t, err)
	p.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				b := make([]byte, 4096)
				n, _ := conn.Read(b)
				_, _ = conn.Write(b[:n])
			}()
		}
	}()
	return "https://" + l.Addr().String()
}

func (p *push) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	p.t.Fatalf("%s: not within the time", what)
}

// database makes a resource that leads to PostgreSQL, or to what says it is.
func (p *push) database(name, host string, port int) client.Resource {
	r, err := p.admin.AddResource(p.t.Context(), client.NewResource{Name: name, Type: "postgresql", Settings: map[string]string{
		"host": host, "port": strconv.Itoa(port), "database": "postgres", "tls_ca": string(bed.postgres.CAPEM)}})
	must(p.t, err)
	return r
}

// resets turns the key by a typed value and by a generated one, and lets resets fail on the way to the system.
func (p *push) resets() {
	t, ctx, pg := p.t, p.t.Context(), bed.postgres
	first := p.c["account's first password"]
	sql := fmt.Sprintf("SET log_statement = 'none';\nCREATE ROLE %s LOGIN PASSWORD '%s'", p.role, strings.ReplaceAll(first, "'", "''"))
	must(t, second(pg.Psql(ctx, pg.SuperUser, pg.SuperPassword, sql)))
	var err error
	p.account, err = p.admin.AddAccount(ctx, p.database("canary-db", pg.Host, pg.Port).ID, client.NewAccount{Name: p.role, Value: client.NewValue(first)})
	must(t, err)
	mapping := client.NewMapping{AccountID: p.account.ID, SecretID: p.leaf.ID, Key: "password"}
	must(t, second(p.admin.CompareMapping(ctx, mapping)), second(p.admin.AddMapping(ctx, mapping)))
	p.reset(p.account.ID, client.Reset{Value: client.NewValue(p.c.new("typed password"))}, "done")
	p.reset(p.account.ID, client.Reset{Policy: &client.PasswordPolicy{Length: 40}}, "done")
	now, err := p.admin.Reveal(ctx, p.account.ID, client.Reveal{})
	must(t, err)
	p.c.put("generated password", now.Value.Text())
	must(t, second(p.admin.Verify(ctx, p.account.ID)), second(pg.Psql(ctx, p.role, now.Value.Text(), "SELECT 1")))

	dead, err := net.ResolveTCPAddr("tcp", closedAddress(t))
	must(t, err)
	echo, err := url.Parse(p.impostor())
	must(t, err)
	port, err := strconv.Atoi(echo.Port())
	must(t, err)
	for name, at := range map[string]int{"refused": pg.Port, "down": dead.Port, "dropped": port} {
		r := p.database("canary-"+name, "127.0.0.1", at)
		a, err := p.admin.AddAccount(ctx, r.ID, client.NewAccount{Name: p.role, Value: client.NewValue(p.c.new("present password, " + name))})
		must(t, err)
		p.reset(a.ID, client.Reset{Value: client.NewValue(p.c.new("typed password, " + name))}, "")
		if _, err := p.admin.Verify(ctx, a.ID); err != nil {
			t.Log(name, err)
		}
	}
}

// reset starts a run and waits until it is in a state, or until it has failed once when that is empty.
func (p *push) reset(account string, r client.Reset, state string) {
	p.t.Helper()
	run, err := p.admin.Reset(p.t.Context(), account, r)
	must(p.t, err)
	p.until("the run of a reset is "+state, func() bool {
		run, err = p.admin.Run(p.t.Context(), run.ID)
		must(p.t, err)
		return run.State == state || state == "" && run.State != "queued" && run.State != "running"
	})
}

// mistakes puts values where none belong.
func (p *push) mistakes() {
	quoted := func(in string) string {
		b, err := json.Marshal(p.c.new(in))
		must(p.t, err)
		return string(b)
	}
	account := "/api/v1/accounts/" + p.account.ID
	for _, x := range []struct{ method, path, body string }{
		{"POST", account + "/reset", `{"value": ` + quoted("cut body")},
		{"POST", account + "/reset", `{"valu": ` + quoted("unknown field") + `}`},
		{"POST", account + "/reset", `{"version": ` + quoted("value for a number") + `}`},
		{"POST", account + "/reset", quoted("text for an object")},
		{"POST", account + "/reset", `{` + quoted("value as a field's name") + `: 1}`},
		{"POST", account + "/reset", `{"value": ` + quoted("value with a policy") + `, "policy": {"length": 20}}`},
		{"POST", account + "/reset", `{"value": ` + quoted("too large") + strings.Repeat(" ", 3<<20) + `}`},
		{"POST", account + "/reveal", `{"key": ` + quoted("value as a key") + `}`},
		{"PATCH", account, `{"value": ` + quoted("stored without a revision") + `}`},
		{"GET", "/api/v1/accounts?q=" + url.QueryEscape(p.c.new("searched for")), ""},
		{"GET", "/api/v1/accounts?sort=" + url.QueryEscape(p.c.new("sorted by")), ""},
		{"GET", "/api/v1/accounts?limit=" + url.QueryEscape(p.c.new("a limit")), ""},
		{"GET", "/api/v1/accounts?" + url.QueryEscape(p.c.new("a parameter")) + "=1", ""},
		{"GET", "/api/v1/accounts/" + url.PathEscape(strings.ReplaceAll(p.c.new("an id"), "/", "")), ""},
		{"GET", "/" + url.PathEscape(strings.ReplaceAll(p.c.new("a page"), "/", "")), ""},
		{"BREW", "/api/v1/" + strings.ReplaceAll(url.PathEscape(p.c.new("a route")), "%2F", ""), ""},
	} {
		if status, text := p.send(x.method, x.path, p.token, x.body); status >= http.StatusInternalServerError {
			p.t.Errorf("%s %s: %d %s", x.method, x.path, status, text)
		}
	}
}

// print lets the command line show whatever it can without being asked for a value.
func (p *push) print() {
	name := "canary-db/" + p.role
	for _, args := range []string{
		"whoami", "cluster list", "cluster get canary", "cluster secrets canary", "resource list", "resource get canary-db", "account list", "account get " + name,
		"account versions " + name, "account verify " + name, "mapping list", "rotation list", "audit list", "user list", "token list", "grant list", "audit verify", "version",
	} {
		for _, format := range []string{"table", "json", "yaml"} {
			if _, err := p.keyturn("", append(strings.Fields(args), "-o", format)...); err != nil {
				p.t.Error(err)
			}
		}
	}
	for in, args := range map[string]string{"reset by the command line": "account reset " + name + " --value-file -", "too long for a token": "cluster test x --url https://127.0.0.1:1 --token-file -"} {
		_, _ = p.keyturn(p.c.new(in), strings.Fields(args)...)
	}
	_, _ = p.keyturn("", "account", "reveal", p.c.new("value as an account")) // on purpose in an argument, where it does not belong
}
