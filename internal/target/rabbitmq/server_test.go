package rabbitmq_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const (
	binary = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	epmd   = "/usr/bin/epmd"
)

// server is a real RabbitMQ of one test, with its own port mapper. It logs at the level of debug, and each request.
type server struct {
	*targettest.Server
	port, tlsPort string
}

// start starts a server with a password policy.
func start(t *testing.T) *server {
	t.Helper()
	s := &server{Server: targettest.NewServer(t), port: targettest.Port(t), tlsPort: targettest.Port(t)}
	node, dist, mapper := targettest.Port(t), targettest.Port(t), targettest.Port(t)
	s.Write(t, "rabbitmq.conf", strings.NewReplacer("$DIR", s.Dir, "$NODE", node, "$PORT", s.port, "$TLS", s.tlsPort).Replace(`
listeners.tcp.1 = 127.0.0.1:$NODE
management.tcp.ip = 127.0.0.1
management.tcp.port = $PORT
management.ssl.ip = 127.0.0.1
management.ssl.port = $TLS
management.ssl.cacertfile = $DIR/ca.crt
management.ssl.certfile = $DIR/srv.crt
management.ssl.keyfile = $DIR/srv.key
management.http_log_dir = $DIR/http
default_user = admin
default_pass = admin-password
log.file = false
log.console = true
log.console.level = debug
credential_validator.validation_backend = rabbit_credential_validator_min_password_length
credential_validator.min_length = 12
`))
	s.Write(t, "enabled_plugins", "[rabbitmq_management].\n")
	s.mapper(t, mapper)
	cmd := s.Command(binary)
	cmd.Env = append(cmd.Env, "RUNNING_UNDER_SYSTEMD=true", // no shell in between
		"RABBITMQ_NODENAME=kt"+node+"@localhost", "RABBITMQ_DIST_PORT="+dist, "ERL_EPMD_PORT="+mapper, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE="+s.Dir+"/mnesia", "RABBITMQ_LOG_BASE="+s.Dir+"/log", "RABBITMQ_ENABLED_PLUGINS_FILE="+s.Dir+"/enabled_plugins",
		"RABBITMQ_CONFIG_FILE="+s.Dir+"/rabbitmq.conf", "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_PID_FILE="+s.Dir+"/pid",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +S 2:2 +sbwt none")
	s.Start(t, cmd, func() error {
		status, _, err := s.ask("GET", "/whoami", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.tlsPort) // comes last
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}

// mapper starts the port mapper as a child of the test: the server would start one that outlives it.
func (s *server) mapper(t *testing.T, port string) {
	t.Helper()
	cmd := s.Command(epmd, "-port", port, "-address", "127.0.0.1")
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// ask sends the administrator's request to the API.
func (s *server) ask(method, path string, body any) (int, []byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:"+s.port+"/api"+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth("admin", "admin-password")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err = io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func (s *server) do(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	status, b, err := s.ask(method, path, body)
	if err != nil || status >= 300 {
		t.Fatalf("%s %s: status %d, %v\n%s", method, path, status, err, b)
	}
	return b
}

// create makes a user, by a hash, which the server's policy does not judge. It replaces one of the same name.
func (s *server) create(t *testing.T, name, value, tags string) target.Login {
	t.Helper()
	sum := sha256.Sum256([]byte("salt" + value))
	s.do(t, "PUT", "/users/"+url.PathEscape(name), map[string]string{"password_hash": base64.StdEncoding.EncodeToString(append([]byte("salt"), sum[:]...)), "tags": tags})
	return target.Login{User: name, Password: targettest.Value(value)}
}

// exists reports whether there is such a user.
func (s *server) exists(t *testing.T, name string) bool {
	t.Helper()
	status, _, err := s.ask("GET", "/users/"+url.PathEscape(name), nil)
	must(t, err)
	return status == http.StatusOK
}

// log returns what the server logged, and each file that it wrote.
func (s *server) log(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	must(t, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		if os.IsNotExist(err) { // a file that the server has just put away
			return nil
		}
		return err
	}))
	if !bytes.Contains(all.Bytes(), []byte("PUT /api/users/")) || !bytes.Contains(all.Bytes(), []byte("[debug]")) {
		t.Fatal("the logs show nothing")
	}
	return all.Bytes()
}

var hashes = regexp.MustCompile(`[A-Za-z0-9+/]{48}`)

// dump returns all that the server has of its users.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, path := range []string{"/users", "/permissions", "/topic-permissions", "/user-limits", "/vhosts?columns=name"} {
		out.Write(s.do(t, "GET", path, nil))
		out.WriteString("\n")
	}
	return out.String()
}

// tag gives a user other tags and leaves its password.
func (s *server) tag(t *testing.T, name, tags string) {
	t.Helper()
	var u map[string]any
	must(t, json.Unmarshal(s.do(t, "GET", "/users/"+url.PathEscape(name), nil), &u))
	s.do(t, "PUT", "/users/"+url.PathEscape(name), map[string]any{"password_hash": u["password_hash"], "hashing_algorithm": u["hashing_algorithm"], "tags": tags})
}

// rights are what a user with these tags can be given.
func (s *server) rights(tags string) (out []targettest.Right) {
	give := func(line, path string, body any) {
		out = append(out, targettest.Right{Line: line, Give: func(t *testing.T, account string) {
			t.Helper()
			s.do(t, "PUT", strings.ReplaceAll(path, "?", url.PathEscape(account)), body)
		}})
	}
	out = append(out, targettest.Right{Line: "has the tag policymaker", Give: func(t *testing.T, account string) { s.tag(t, account, strings.TrimPrefix(tags+",policymaker", ",")) }})
	give(`may configure "^a\\d" in vhost "/"`, "/permissions/%2F/?", map[string]string{"configure": `^a\d`, "write": ".*", "read": ""})
	give(`may read "^b" in vhost "shop"`, "/permissions/shop/?", map[string]string{"configure": "", "write": "", "read": "^b"})
	give(`may write the topics "^c" at exchange "amq.topic" in vhost "/"`, "/topic-permissions/%2F/?", map[string]string{"exchange": "amq.topic", "write": "^c", "read": ""})
	give("has the limit max-connections of 7", "/user-limits/?/max-connections", map[string]int{"value": 7})
	return out
}

// rehearsals meets users without a password, and tags that are not enough.
func rehearsals(t *testing.T, s *server, rec target.Login) {
	ctx, at := t.Context(), s.secure()
	s.create(t, "tried", "value-1", "")
	s.do(t, "PUT", "/users/tried-bare", map[string]string{"password_hash": "", "tags": ""})
	_, err := own.Rehearse(ctx, at, rec, "tried-bare")
	check(t, "no password", target.NotPermitted, err)
	for tags, want := range map[string]target.Outcome{"administrator": "", "monitoring,administrator": "", "": target.NotPermitted, "management": target.NotPermitted, "policymaker,monitoring": target.NotPermitted} {
		_, err := own.Rehearse(ctx, at, s.create(t, "tagged", "value-1", tags), "tried")
		check(t, "tags "+tags, want, err)
		_, err = own.Rights(ctx, at, login("tagged", "value-1"), "tried")
		check(t, "rights, tags "+tags, want, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
