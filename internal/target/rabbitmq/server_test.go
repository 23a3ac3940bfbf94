package rabbitmq_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io/fs"
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

// server is a real RabbitMQ of one test.
type server struct{ *targettest.RabbitMQ }

func start(t *testing.T) *server {
	t.Helper()
	return &server{targettest.StartRabbitMQ(t)}
}

// create makes a user, by a hash, which the server's policy does not judge. It replaces one of the same name.
func (s *server) create(t *testing.T, name, value, tags string) target.Login {
	t.Helper()
	sum := sha256.Sum256([]byte("salt" + value))
	s.Do(t, "PUT", "/users/"+url.PathEscape(name), map[string]string{"password_hash": base64.StdEncoding.EncodeToString(append([]byte("salt"), sum[:]...)), "tags": tags})
	return target.Login{User: name, Password: targettest.Value(value)}
}

// exists reports whether there is such a user.
func (s *server) exists(t *testing.T, name string) bool {
	t.Helper()
	status, _, err := s.Ask("GET", "/users/"+url.PathEscape(name), nil)
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
		out.Write(s.Do(t, "GET", path, nil))
		out.WriteString("\n")
	}
	return out.String()
}

// tag gives a user other tags and leaves its password.
func (s *server) tag(t *testing.T, name, tags string) {
	t.Helper()
	var u map[string]any
	must(t, json.Unmarshal(s.Do(t, "GET", "/users/"+url.PathEscape(name), nil), &u))
	s.Do(t, "PUT", "/users/"+url.PathEscape(name), map[string]any{"password_hash": u["password_hash"], "hashing_algorithm": u["hashing_algorithm"], "tags": tags})
}

// rights are what a user with these tags can be given.
func (s *server) rights(tags string) (out []targettest.Right) {
	give := func(line, path string, body any) {
		out = append(out, targettest.Right{Line: line, Give: func(t *testing.T, account string) {
			t.Helper()
			s.Do(t, "PUT", strings.ReplaceAll(path, "?", url.PathEscape(account)), body)
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
	s.Do(t, "PUT", "/users/tried-bare", map[string]string{"password_hash": "", "tags": ""})
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
