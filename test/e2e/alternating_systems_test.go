package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// turning is a real server on which two logins can take turns, as its administrator and as a program know it.
type turning struct {
	scheme   string
	typ      string
	settings map[string]string
	// add makes a login with a value; one that is no keeper may do what a program needs, a keeper what a reconcile account does.
	add func(t *testing.T, login, value string, keeper bool)
	// widen gives a login one more right, and says is how a run names that.
	widen func(t *testing.T, login string)
	says  string
	login func(ctx context.Context, user, password string) error
}

// A pair of logins of each system is turned again and again by the resource's reconcile account, while a program connects
// every 10 ms with whatever its Secret says. It is never refused. A difference of their rights stops the pair until it is
// mended, and in the end each login takes one value.
func TestAPairOfEachSystemNeverRefusesAReader(t *testing.T) {
	for name, start := range map[string]func(*testing.T) turning{"redis": turningRedis, "rabbitmq": turningRabbitMQ, "mariadb": turningMariaDB} {
		t.Run(name, func(t *testing.T) {
			on, ctx := start(t), t.Context()
			w, account := newPair(t, "turning-"+name, on.scheme, client.NewResource{Name: "turned", Type: on.typ, Settings: on.settings}, func(w *pagesWorld) {
				for _, login := range []string{"turn_a", "turn_b", "keyturn"} {
					w.values[login] = rand.Text()
					on.add(t, login, w.values[login], login == "keyturn")
				}
			})
			keeper := w.account("turned", "keyturn", w.values["keyturn"])
			made, err := w.admin.Resource(ctx, "turned")
			must(t, err)
			_, err = w.admin.UpdateResource(ctx, made.ID, made.Rev, client.ResourceChange{ReconcileAccountID: &keeper})
			must(t, err)
			for _, m := range []client.NewMapping{{Key: "username", Holds: "username"}, {Key: "password", Holds: "password"}, {Key: "url", Holds: "both", Place: &client.Place{Format: "url"}}} {
				must(t, w.mapPair(account, m))
			}
			reader := readSecret(t, bed.clusters.Planes[0], "turning-"+name, "db", "url", func(ctx context.Context, _ *url.URL, user, password string) error {
				return on.login(ctx, user, password)
			})
			const turns = 4
			for i := range turns {
				before := reader.logins.Load()
				w.reset(fmt.Sprintf("turn %d", i), account, client.Reset{}, "done")
				w.inUse(account, []string{"turn_b", "turn_a"}[i%2])
				w.eventually("the reader logs in after a turn", func() bool { return reader.logins.Load() > before+2 })
			}
			w.stoppedByADifference(account, on)
			w.inUse(account, "turn_b")
			w.eventually("the reader has the last value", func() bool { return reader.logins.Load() > 10 })
			reader.neverRefused(t, turns)

			versions, err := w.admin.Versions(ctx, account)
			must(t, err)
			valid := map[string]int{}
			for _, v := range versions {
				value, err := w.admin.Reveal(ctx, account, client.Reveal{Version: v.Number})
				must(t, err)
				err = on.login(ctx, v.Login, value.Value.Text())
				if works := v.Stage == "current" || v.Stage == "previous"; (err == nil) != works {
					t.Errorf("version %d of %s is %s; a login: %v", v.Number, v.Login, v.Stage, err)
				}
				if err == nil {
					valid[v.Login]++
				}
			}
			if valid["turn_a"] != 1 || valid["turn_b"] != 1 {
				t.Errorf("valid versions: %v", valid)
			}
		})
	}
}

// inUse fails the test unless the pair's login is in use and proved.
func (w *pagesWorld) inUse(account, login string) {
	w.t.Helper()
	a, err := w.admin.Account(w.t.Context(), account)
	must(w.t, err)
	if a.Login != login || a.State != "verified" {
		w.t.Fatalf("the login in use is %s (%s), should be %s", a.Login, a.State, login)
	}
}

// stoppedByADifference gives one login a right more, which stops a run before a value is made, and the other the same, which
// lets it go on.
func (w *pagesWorld) stoppedByADifference(account string, on turning) {
	w.t.Helper()
	on.widen(w.t, "turn_a")
	run, err := w.admin.Reset(w.t.Context(), account, client.Reset{})
	must(w.t, err)
	w.eventually("the difference stops the run", func() bool {
		run, err = w.admin.Run(w.t.Context(), run.ID)
		must(w.t, err)
		return run.State == "needs_attention"
	})
	if run.Step != "planned" || run.New != 0 || !strings.Contains(run.Reason, on.says) || run.Cure == "" {
		w.t.Errorf("the stopped run: %+v", run)
	}
	on.widen(w.t, "turn_b")
	_, err = w.admin.ResumeRun(w.t.Context(), run.ID)
	must(w.t, err)
	w.eventually("the mended run is done", func() bool {
		run, err = w.admin.Run(w.t.Context(), run.ID)
		must(w.t, err)
		return run.State == "done"
	})
}

func turningRedis(t *testing.T) turning {
	port := redisServer(t, "")
	return turning{scheme: "redis", typ: "redis", settings: map[string]string{"host": "127.0.0.1", "port": port, "tls": "off"}, says: "nly turn_a",
		add: func(t *testing.T, login, value string, keeper bool) {
			rules := []any{"ACL", "SETUSER", login, "on", "#" + sha(value), "resetchannels", "-@all"}
			if keeper {
				rules = append(rules, "+acl|setuser", "+acl|getuser", "+acl|save", "+acl|whoami", "+multi", "+exec")
			} else {
				rules = append(rules, "~shop:*", "+ping", "+get")
			}
			redisAdmin(t, port, rules...)
		},
		widen: func(t *testing.T, login string) { redisAdmin(t, port, "ACL", "SETUSER", login, "+set") },
		login: func(ctx context.Context, user, password string) error { return redisAs(ctx, port, user, password) },
	}
}

func turningRabbitMQ(t *testing.T) turning {
	s := targettest.StartRabbitMQ(t)
	return turning{scheme: "amqp", typ: "rabbitmq", settings: map[string]string{"host": "127.0.0.1", "port": s.TLSPort, "tls_ca": s.CA}, says: `nly turn_a may write "^shop" in vhost "/"`,
		add: func(t *testing.T, login, value string, keeper bool) {
			tags := "management"
			if keeper {
				tags = "administrator"
			}
			s.Do(t, "PUT", "/users/"+login, map[string]string{"password": value, "tags": tags})
		},
		widen: func(t *testing.T, login string) {
			s.Do(t, "PUT", "/permissions/%2F/"+login, map[string]string{"configure": "", "write": "^shop", "read": ""})
		},
		login: func(ctx context.Context, user, password string) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+s.Port+"/api/whoami", nil)
			if err != nil {
				return err
			}
			req.SetBasicAuth(user, password)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d", res.StatusCode)
			}
			return nil
		},
	}
}

func turningMariaDB(t *testing.T) turning {
	m := startMariaDB(t)
	must(t, m.run("CREATE DATABASE shop"))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(m.CA))
	return turning{scheme: "mysql", typ: "mysql", settings: m.settings(), says: "nly turn_a has DELETE on `shop`.*",
		add: func(t *testing.T, login, value string, keeper bool) {
			must(t, m.run(fmt.Sprintf("CREATE USER %s IDENTIFIED VIA mysql_native_password USING PASSWORD('%s')", login, value)))
			if keeper {
				must(t, m.run("GRANT CREATE USER ON *.* TO "+login+"; GRANT SELECT ON mysql.* TO "+login))
			} else {
				must(t, m.run("GRANT SELECT, INSERT ON shop.* TO "+login))
			}
		},
		widen: func(t *testing.T, login string) { must(t, m.run("GRANT DELETE ON shop.* TO "+login)) },
		login: func(ctx context.Context, user, password string) error {
			c := mysql.NewConfig()
			c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", "127.0.0.1:"+m.port, user, password, "shop"
			c.TLS = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
			connector, err := mysql.NewConnector(c)
			if err != nil {
				return err
			}
			conn, err := connector.Connect(ctx)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
}
