package redis_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

const binary = "/usr/bin/redis-server"

// rights are those that the documentation asks for.
const rights = "resetchannels -@all +acl|setuser +acl|getuser +acl|save +acl|whoami +multi +exec +config|get"

// server is a real Redis of one test. All that it logs is kept: its log at the level of debug, the slow log of every
// command, the log of refusals, and what MONITOR shows.
type server struct {
	*targettest.Server
	port, tlsPort string
	stop          func()
	admin         *redis.Client

	mu      sync.Mutex
	monitor strings.Builder
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// start starts a server with these users and these further lines of redis.conf. The first user is admin.
func start(t *testing.T, users, conf string) *server {
	t.Helper()
	s := &server{Server: targettest.NewServer(t), port: targettest.Port(t), tlsPort: targettest.Port(t)}
	admin := "user admin on #" + hash("admin-pw") + " ~* &* +@all\n"
	s.Write(t, "redis.conf", fmt.Sprintf(`bind 127.0.0.1
port %[1]s
tls-port %[2]s
tls-cert-file %[3]s/srv.crt
tls-key-file %[3]s/srv.key
tls-ca-cert-file %[3]s/ca.crt
tls-auth-clients no
dir %[3]s
save ""
daemonize no
loglevel debug
slowlog-log-slower-than 0
slowlog-max-len 100000
acllog-max-len 100000
%[4]s
`, s.port, s.tlsPort, s.Dir, strings.ReplaceAll(strings.ReplaceAll(conf, "$DIR", s.Dir), "$ADMIN", strings.TrimSpace(admin))))
	s.Write(t, "users.acl", admin+users)
	s.admin = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + s.port, Username: "admin", Password: "admin-pw", DisableIdentity: true})
	t.Cleanup(func() { _ = s.admin.Close() })
	s.run(t)
	return s
}

func (s *server) run(t *testing.T) {
	t.Helper()
	s.stop = s.Start(t, s.Command(binary, s.Dir+"/redis.conf"), func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port) // the client would log each failure
		if err != nil {
			return err
		}
		_ = conn.Close()
		return s.admin.Ping(context.Background()).Err()
	})
	s.watch(t)
}

// watch keeps what MONITOR shows until the server ends.
func (s *server) watch(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprint(conn, "AUTH admin admin-pw\r\nMONITOR\r\n")
	must(t, err)
	lines := bufio.NewScanner(conn)
	for range 2 {
		if !lines.Scan() || lines.Text() != "+OK" {
			t.Fatalf("MONITOR was refused: %q", lines.Text())
		}
	}
	go func() {
		for lines.Scan() {
			s.mu.Lock()
			s.monitor.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
		}
	}()
}

func (s *server) log(t *testing.T) []byte {
	t.Helper()
	slow := s.do(t, "SLOWLOG", "GET", "-1")
	refused := s.do(t, "ACL", "LOG", "100000")
	mark := rand.Text() // what MONITOR shows of everything before has come in when this has
	s.do(t, "ECHO", mark)
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.seen(), mark); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("MONITOR shows nothing")
		}
	}
	return []byte(s.seen() + fmt.Sprint(slow, refused) + s.Read(t, "output") + s.Read(t, "users.acl") + s.Read(t, "redis.conf"))
}

func (s *server) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.monitor.String()
}

func (s *server) do(t *testing.T, command ...any) any {
	t.Helper()
	v, err := s.admin.Do(t.Context(), command...).Result()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return v
}

// create makes a user whose password is value, with rules beside it.
func (s *server) create(t *testing.T, name, value, rules string) target.Login {
	t.Helper()
	command := []any{"ACL", "SETUSER", name, "reset", "#" + hash(value)}
	for rule := range strings.FieldsSeq(rules) {
		command = append(command, rule)
	}
	s.do(t, command...)
	return target.Login{User: name, Password: targettest.Value(value)}
}

// dump returns all users as the server has them in memory, with their rules in the order of the alphabet, and as they are
// on disk.
func (s *server) dump(t *testing.T) string {
	t.Helper()
	var users []string
	for _, line := range s.do(t, "ACL", "LIST").([]any) {
		words := strings.Fields(line.(string))
		slices.Sort(words)
		users = append(users, strings.Join(words, " "))
	}
	return strings.Join(users, "\n") + "\n" + s.Read(t, "users.acl") + "\n" + s.Read(t, "redis.conf")
}

// rights are further rules for a user that has +@read on app:*.
func (s *server) rights() (out []targettest.Right) {
	for _, r := range [][2]string{
		{"~more:*", "may reach the keys ~more:*"},
		{"%R~read:*", "may reach the keys %R~read:*"},
		{"&news", "may reach the channels &news"},
		{"+publish", "may use the commands -@all +@read +publish"},
		{"(+get ~sel:*)", "has the selector (may reach the keys ~sel:*; may use the commands -@all +get)"},
		{"skip-sanitize-payload", "has the flag skip-sanitize-payload"},
	} {
		out = append(out, targettest.Right{Line: r[1], Give: func(t *testing.T, account string) { s.do(t, "ACL", "SETUSER", account, r[0]) }})
	}
	return out
}

// rehearsals takes each right of a reconcile login away, and meets users that are not as they should be.
func rehearsals(t *testing.T, s *server) {
	ctx, at := t.Context(), s.secure()
	s.create(t, "tried", "value-1", "on ~app:* +@read")
	for right, want := range map[string]target.Outcome{
		"+acl|setuser": target.NotPermitted, "+acl|getuser": target.NotPermitted, "+acl|save": target.NotPermitted, "+multi": target.NotPermitted, "+exec": target.NotPermitted,
		"+config|get": target.Unsupported, "+acl|whoami": "",
	} {
		by := s.create(t, "some-rights", "rec-pw", "on "+strings.Replace(rights, right, "", 1))
		_, err := own.Rehearse(ctx, at, by, "tried")
		check(t, "without "+right, want, err)
	}
	by := s.create(t, "some-rights", "rec-pw", "on "+rights)
	for name, rules := range map[string]string{"off": "off", "open": "on nopass"} {
		s.create(t, "tried-"+name, "value-1", rules)
		_, err := own.Rehearse(ctx, at, by, "tried-"+name)
		check(t, name, target.NotPermitted, err)
	}
	// A user that somebody has changed in memory alone stays unsaved.
	s.do(t, "ACL", "SAVE")
	s.do(t, "ACL", "SETUSER", "tried", "~unsaved:*")
	before := s.dump(t)
	_, err := own.Rehearse(ctx, at, by, "tried")
	check(t, "unsaved", "", err)
	if after := s.dump(t); after != before || !strings.Contains(before, "~unsaved:*") {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
