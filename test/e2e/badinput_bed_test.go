package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/internal/target/targettest"
)

const patience = 40 * time.Second

var (
	setupCode = regexp.MustCompile(`/setup#(\S+)\n`)
	ownCert   = regexp.MustCompile(`its own certificate: (\S+)\n\s+SHA-256 ([0-9A-Fa-f:]+)\n`)
)

// scene is what one script plays with: its servers, and one account whose password stands in a Secret of each cluster.
type scene struct {
	work, program string
	servers       map[string]*daemon
	proxies       []*meddler
	alter         *targettest.Proxy
	first         string // the password that was proved last
	role, path    string // of the account: in PostgreSQL, and in Keyturn
	namespace     string
}

type sceneKey struct{}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

func (s *scene) close() {
	for _, d := range s.servers {
		d.stop(syscall.SIGTERM)
	}
	for _, p := range s.proxies {
		p.close()
	}
}

// daemon is one `keyturn server`.
type daemon struct {
	address, url string
	cert, print  string // its own certificate: the file, and its SHA-256
	pid          int
	done         chan struct{}
}

// spawn starts the program, which writes all it says to out.
func spawn(program string, args []string, out *os.File) (d *daemon, err error) {
	d = &daemon{}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=/usr/bin:/bin"}, out, out
	d.pid, d.done, err = launch(cmd)
	return d, err
}

// stop sends the signal and returns when the process is gone.
func (d *daemon) stop(sig syscall.Signal) {
	select {
	case <-d.done:
		return
	default:
	}
	_ = syscall.Kill(-d.pid, sig)
	select {
	case <-d.done:
	case <-time.After(15 * time.Second):
		_ = syscall.Kill(-d.pid, syscall.SIGKILL)
		<-d.done
	}
}

// server is the command `server start|sealed|kill|stop|thaw NAME [FLAG…]`. A first start also makes the administrator.
func (s *scene) server(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: server start|sealed|kill|stop|thaw NAME [FLAG…]")
	}
	name := args[1]
	switch args[0] {
	case "kill":
		s.servers[name].stop(syscall.SIGKILL)
		return
	case "stop":
		s.servers[name].stop(syscall.SIGTERM)
		return
	case "thaw":
		ts.Check(syscall.Kill(-s.servers[name].pid, syscall.SIGCONT))
		return
	}
	address := ""
	if old := s.servers[name]; old != nil {
		address = old.address
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		address = l.Addr().String()
		ts.Check(l.Close())
	}
	logPath := filepath.Join(s.work, name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	ts.Check(err)
	flags := append([]string{"server", "--data", filepath.Join(s.work, name), "--listen", address, "--allow-loopback-clusters"}, args[2:]...)
	d, err := spawn(s.program, flags, log)
	ts.Check(err)
	d.address, d.url = address, "https://"+address
	s.servers[name] = d
	ts.Check(poll(func() error { return d.ready(logPath, from, args[0] == "sealed") }))
	ts.Setenv("URL", d.url)
	ts.Setenv("KEYTURN_URL", d.url)
	said, err := os.ReadFile(logPath)
	ts.Check(err)
	if code := setupCode.FindSubmatch(said[from:]); code != nil {
		ts.Check(os.WriteFile(filepath.Join(s.work, "code"), code[1], 0o600))
		ts.Check(ts.Exec("keyturn", "setup", "--code-file", "code", "--ca-sha256", d.print, "--username", "anna", "--password-file", "password"))
	}
}

// ready reports nil when the server has said who it is and answers so.
func (d *daemon) ready(log string, from int64, sealed bool) error {
	said, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	select {
	case <-d.done:
		return last{fmt.Errorf("the server ended by itself:\n%s", said[from:])}
	default:
	}
	greeting := ownCert.FindSubmatch(said[from:])
	if greeting == nil {
		return errors.New("the server has not said what its certificate is")
	}
	d.cert, d.print = string(greeting[1]), string(greeting[2])
	status, body, err := d.call("", http.MethodGet, "/api/v1/health", nil)
	if err == nil && (status != http.StatusOK || bytes.Contains(body, []byte(`"sealed":true`)) != sealed) {
		err = fmt.Errorf("health: %d %s", status, body)
	}
	if err == nil && bytes.Contains(body, []byte(`"setup":true`)) && !setupCode.Match(said[from:]) {
		err = errors.New("the server has not printed the setup link")
	}
	return err
}

// call speaks HTTPS with the server, whose own certificate is the only one that is trusted.
func (d *daemon) call(token, method, path string, body []byte) (int, []byte, error) {
	cert, err := os.ReadFile(d.cert)
	if err != nil {
		return 0, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, answer, err
}

// last is an error that no waiting mends.
type last struct{ error }

func poll(ok func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ok()
		if err == nil || time.Now().After(end) {
			return err
		}
		if l, is := errors.AsType[last](err); is {
			return l.error
		}
	}
}

// mapped is the command `mapped`: a role in PostgreSQL, its account, and its password in a Secret of each cluster, all
// fetched and mapped. EAST_URL and EAST_CA may lead to the first cluster by a detour, PG_SET to PostgreSQL.
func (s *scene) mapped(ts *testscript.TestScript, _ bool, _ []string) {
	run := func(program string, args ...string) {
		ts.Check(ts.Exec(program, args...))
	}
	ts.Check(os.WriteFile(filepath.Join(s.work, "first"), []byte(s.first), 0o600))
	p := bed.postgres
	_, err := p.Psql(context.Background(), p.SuperUser, p.SuperPassword, fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD '%s'`, s.role, s.first))
	ts.Check(err)
	run("keyturn", append([]string{"resource", "create", "orders-db", "--type", "postgresql"}, strings.Fields(ts.Getenv("PG_SET"))...)...)
	run("keyturn", "account", "create", s.path, "--value-file", "first")
	for i, cluster := range []string{"east", "west"} {
		kubeconfig := bed.clusters.Planes[i].Kubeconfig
		if err := ts.Exec("kubectl", "--kubeconfig", kubeconfig, "get", "namespace", s.namespace); err != nil {
			run("kubectl", "--kubeconfig", kubeconfig, "create", "namespace", s.namespace)
		}
		run("kubectl", "--kubeconfig", kubeconfig, "-n", s.namespace, "create", "secret", "generic", "db", "--from-file=password=first", "--from-literal=user=app")
		upper := strings.ToUpper(cluster)
		run("keyturn", "cluster", "add", cluster, "--url", ts.Getenv(upper+"_URL"), "--ca-file", ts.Getenv(upper+"_CA"), "--token-file", cluster+".token", "--access", "read-write")
		run("keyturn", "cluster", "fetch", cluster, "--namespace", s.namespace)
		run("keyturn", "mapping", "add", s.path, cluster+"/"+s.namespace+"/db/password")
	}
}

// revealed returns what the vault holds as the account's current value.
func (s *scene) revealed(ts *testscript.TestScript) string {
	ts.Check(ts.Exec("keyturn", "account", "reveal", s.path))
	return ts.ReadFile("stdout")
}

// turned is the command that proves with kubectl and psql that one new value holds everywhere, and the old one nowhere.
func (s *scene) turned(ts *testscript.TestScript, _ bool, _ []string) {
	now := s.revealed(ts)
	if now == s.first || len(now) < 16 {
		ts.Fatalf("the vault's current value is not a new one")
	}
	_, err := bed.postgres.Psql(context.Background(), s.role, now, "SELECT 1")
	ts.Check(err)
	if _, err := bed.postgres.Psql(context.Background(), s.role, s.first, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		ts.Fatalf("the old password is not refused: %v", err)
	}
	s.holds(ts, now, "east", "west")
	s.first = now
}

// unturned is the command that proves that everything is as it was before.
func (s *scene) unturned(ts *testscript.TestScript, _ bool, _ []string) {
	if s.revealed(ts) != s.first {
		ts.Fatalf("the vault's current value is another")
	}
	_, err := bed.postgres.Psql(context.Background(), s.role, s.first, "SELECT 1")
	ts.Check(err)
	s.holds(ts, s.first, "east", "west")
}

// between is the command `between OLD-CLUSTER… [new CLUSTER…]`: PostgreSQL has the vault's new value, the named clusters
// still the old one, those after "new" the new one.
func (s *scene) between(ts *testscript.TestScript, _ bool, args []string) {
	now := s.revealed(ts)
	if now == s.first {
		ts.Fatalf("the vault has no new value")
	}
	_, err := bed.postgres.Psql(context.Background(), s.role, now, "SELECT 1")
	ts.Check(err)
	value := s.first
	for _, a := range args {
		if a == "new" {
			value = now
			continue
		}
		s.holds(ts, value, a)
	}
}

// holds fails unless the Secret db of each cluster has this password and its other key as it was.
func (s *scene) holds(ts *testscript.TestScript, value string, clusters ...string) {
	for _, c := range clusters {
		plane := bed.clusters.Planes[map[string]int{"east": 0, "west": 1}[c]]
		out, err := plane.Kubectl(context.Background(), "", "-n", s.namespace, "get", "secret", "db", "-o", "jsonpath={.data.password} {.data.user}")
		ts.Check(err)
		if out != base64.StdEncoding.EncodeToString([]byte(value))+" "+base64.StdEncoding.EncodeToString([]byte("app")) {
			ts.Fatalf("kubectl: the Secret in %s does not hold what it should", c)
		}
	}
}

// setUp prepares a script's environment.
func setUp(env *testscript.Env, program string) error {
	name := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(env.WorkDir), "script-"), "_", "-")
	s := &scene{work: env.WorkDir, program: program, servers: map[string]*daemon{}, first: rand.Text(), role: "bad_" + name, path: "orders-db/bad_" + name, namespace: "bad-" + name}
	env.Values[sceneKey{}] = s
	env.Defer(s.close)
	p := bed.postgres
	kubeBin := os.Getenv("KEYTURN_KUBE_BIN")
	if kubeBin == "" {
		var err error
		if kubeBin, err = filepath.Abs("../../tools/kube/bin"); err != nil {
			return err
		}
	}
	for k, v := range map[string]string{
		"HOME": env.WorkDir, "PATH": filepath.Dir(program) + ":" + kubeBin + ":/usr/bin:/bin",
		"NS": s.namespace, "ROLE": s.role, "ACCOUNT": s.path, "KUBECONFIG": bed.clusters.Planes[0].Kubeconfig, "WESTCONFIG": bed.clusters.Planes[1].Kubeconfig,
		"PG_SET": fmt.Sprintf("--set host=%s --set port=%d --set-file tls_ca=%s", p.Host, p.Port, p.CAFile),
	} {
		env.Setenv(k, v)
	}
	for i, cluster := range []string{"east", "west"} {
		plane := bed.clusters.Planes[i]
		env.Setenv(strings.ToUpper(cluster)+"_URL", plane.URL)
		env.Setenv(strings.ToUpper(cluster)+"_CA", filepath.Join(plane.Dir, "ca.crt"))
		if err := os.WriteFile(filepath.Join(env.WorkDir, cluster+".token"), []byte(bed.tokens[i]), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "password"), []byte(rand.Text()), 0o600)
}
