package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/internal/kube"
	"github.com/keyturn/keyturn/internal/target/targettest"
)

// TestBadInput plays the scripts of testdata/badinput, one after the other since they stop servers that all share. Each
// meets what goes wrong with the real program, looks at its exit code, at the cause and the cure that it names, and proves
// with kubectl and psql that nothing was lost or half saved.
func TestBadInput(t *testing.T) {
	program := filepath.Join(t.TempDir(), "keyturn")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/keyturn")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	reachEverything(t)
	do := func(f func(*scene, *testscript.TestScript, bool, []string)) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) { f(sceneOf(ts), ts, neg, args) }
	}
	testscript.RunT(inTurn{t}, testscript.Params{
		Dir:   filepath.Join("testdata", "badinput"),
		Setup: func(env *testscript.Env) error { return setUp(env, program) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": do((*scene).server), "mapped": do((*scene).mapped), "turned": do((*scene).turned), "unturned": do((*scene).unturned),
			"between": do((*scene).between), "proxy": do((*scene).proxy), "at": do((*scene).at), "met": do((*scene).met), "impostor": do((*scene).impostor),
			"fails": fails, "await": await, "capture": capture, "call": do((*scene).call), "psql": do((*scene).psql), "login": do((*scene).login),
			"apiserver": apiserver, "postgres": postgres, "repository": do((*scene).repository), "tmpfs": do((*scene).tmpfs),
			"alterproxy": func(ts *testscript.TestScript, _ bool, args []string) { alterProxy(t, ts, args) },
		},
	})
}

// inTurn is a test whose scripts do not run at the same time.
type inTurn struct{ *testing.T }

func (t inTurn) Parallel()     {}
func (t inTurn) Verbose() bool { return testing.Verbose() }
func (t inTurn) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(inTurn{t}) })
}

// reachEverything gives the connector of each cluster its rights in all namespaces, and lets PostgreSQL take connections
// without TLS, so that a proxy can see what goes over the wire.
func reachEverything(t *testing.T) {
	t.Helper()
	manifest, err := kube.Manifest(kube.Scope{WholeCluster: true, ReadWrite: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, plane := range bed.clusters.Planes {
		if _, err := plane.Kubectl(t.Context(), string(manifest), "apply", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	p := bed.postgres
	_, err = p.Psql(t.Context(), p.SuperUser, p.SuperPassword, `DO $do$ BEGIN EXECUTE format('COPY (VALUES (%L)) TO %L',
		'host all all 127.0.0.1/32 scram-sha-256', current_setting('hba_file')); END $do$; SELECT pg_reload_conf()`)
	if err != nil {
		t.Fatal(err)
	}
}

// fails is the command `fails CODE CAUSE CURE PROGRAM [ARG…]`: the program must end with this exit code, and name a cause
// and a cure that match, on standard error, or as part of the report or run that it was asked for.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[3], args[4:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	said := ts.ReadFile("stderr") + "\n" + ts.ReadFile("stdout")
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, should be %s", code, args[0])
	}
	for what, pattern := range map[string]string{"(?:error|cause|reason)": args[1], "cure": args[2]} {
		if !regexp.MustCompile(`(?im)^\s*` + what + `:.*(?:` + pattern + `)`).MatchString(said) {
			ts.Fatalf("no %s matches %q", what, pattern)
		}
	}
}

// await is the command `await REGEXP PROGRAM [ARG…]`: the program is run until its standard output matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(`(?is)` + args[0])
	ts.Check(poll(func() error {
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			return err
		}
		if out := ts.ReadFile("stdout"); !want.MatchString(out) {
			return fmt.Errorf("still: %s", out)
		}
		return nil
	}))
}

// capture is the command `capture NAME`: the last standard output becomes a variable.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// call is the command `call STATUS METHOD PATH [FILE]`: the API is asked as anna, and the answer is standard output.
func (s *scene) call(ts *testscript.TestScript, _ bool, args []string) {
	var kept struct{ Token string }
	if b, err := os.ReadFile(filepath.Join(s.work, ".config", "keyturn", "session.json")); err == nil {
		ts.Check(json.Unmarshal(b, &kept))
	}
	var body []byte
	if len(args) > 3 {
		body = []byte(ts.ReadFile(args[3]))
	}
	for _, d := range s.servers {
		if d.url != ts.Getenv("URL") {
			continue
		}
		status, answer, err := d.call(kept.Token, args[1], args[2], body)
		ts.Check(err)
		_, _ = ts.Stdout().Write(answer)
		if strconv.Itoa(status) != args[0] {
			ts.Fatalf("status %d, should be %s: %s", status, args[0], answer)
		}
	}
}

// login is the command `login NAME`: anna signs in at that server.
func (s *scene) login(ts *testscript.TestScript, _ bool, args []string) {
	d := s.servers[args[0]]
	ts.Setenv("URL", d.url)
	ts.Setenv("KEYTURN_URL", d.url)
	ts.Check(ts.Exec("keyturn", "login", "--ca-sha256", d.print, "--username", "anna", "--password-file", "password"))
}

// psql is the command `psql SQL`, as superuser.
func (s *scene) psql(ts *testscript.TestScript, _ bool, args []string) {
	out, err := bed.postgres.Psql(context.Background(), bed.postgres.SuperUser, bed.postgres.SuperPassword, args[0])
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), out)
}

// apiserver is the command `apiserver kill|start`, of the first cluster.
func apiserver(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "start" {
		ts.Check(bed.clusters.Planes[0].RestartAPIServer(context.Background()))
		return
	}
	bed.clusters.Planes[0].KillAPIServer()
}

// postgres is the command `postgres kill|start`.
func postgres(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "start" {
		ts.Check(bed.postgres.Restart(context.Background()))
		return
	}
	bed.postgres.Kill()
	ts.Defer(func() {
		if _, err := bed.postgres.Psql(context.Background(), bed.postgres.SuperUser, bed.postgres.SuperPassword, "SELECT 1"); err != nil {
			_ = bed.postgres.Restart(context.Background()) // the script failed before it did so itself
		}
	})
}

// repository is the command `repository`: an empty database for Keyturn, whose URL becomes DATABASE.
func (s *scene) repository(ts *testscript.TestScript, _ bool, _ []string) {
	p, name := bed.postgres, "repo_"+s.role
	for _, sql := range []string{fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD 'the-repository-s-own'`, name), fmt.Sprintf(`CREATE DATABASE %q OWNER %q`, name, name)} {
		_, err := p.Psql(context.Background(), p.SuperUser, p.SuperPassword, sql)
		ts.Check(err)
	}
	pass := filepath.Join(s.work, "pgpass")
	ts.Check(os.WriteFile(pass, fmt.Appendf(nil, "%s:%d:*:%s:the-repository-s-own\n", p.Host, p.Port, name), 0o600))
	ts.Setenv("DATABASE", fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=verify-full&sslrootcert=%s&passfile=%s", name, p.Host, p.Port, name, p.CAFile, pass))
}

// tmpfs is the command `tmpfs DIR SIZE`: a small disk.
func (s *scene) tmpfs(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+args[1]); err != nil {
		ts.Fatalf("a small disk cannot be mounted (%v): run the tests where mounts are allowed", err)
	}
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// alterProxy is the command `alterproxy start|before|after|never`: PG_SET leads through a proxy that breaks the connection
// before ALTER ROLE reaches PostgreSQL, or before its reply comes back.
func alterProxy(t *testing.T, ts *testscript.TestScript, args []string) {
	cuts := map[string]targettest.Cut{"before": targettest.CutBefore, "after": targettest.CutAfter, "never": targettest.CutNever}
	s := sceneOf(ts)
	if args[0] == "start" {
		s.alter = targettest.StartProxy(t, fmt.Sprintf("%s:%d", bed.postgres.Host, bed.postgres.Port), []byte("ALTER ROLE"))
		host, port, _ := strings.Cut(s.alter.Addr, ":")
		ts.Setenv("PG_SET", fmt.Sprintf("--set host=%s --set port=%s --set tls=off", host, port))
		return
	}
	s.alter.Set(cuts[args[0]])
}
