package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// canaries are the values that a test pushes through a server, by where they went in.
type canaries map[string]string

// new makes a value with characters that JSON, URLs, SQL and shells write differently.
func (c canaries) new(in string) string {
	c[in] = rand.Text() + `"&+/=< 'x`
	return c[in]
}

// put notes a value that somebody else made, and returns it.
func (c canaries) put(in, value string) string {
	c[in] = strings.TrimSpace(value)
	return value
}

// forms are how a value may look where it must not be. The letters and digits that it begins with stand for it: no
// encoding of the rest can hide those.
func forms(value string) [][]byte {
	core := value
	if i := strings.IndexAny(value, "\"&"); i > 0 {
		core = value[:i]
	}
	out := []string{core, strings.ToLower(core), hex.EncodeToString([]byte(core)), strings.ToUpper(hex.EncodeToString([]byte(core))), url.QueryEscape(value)}
	for pad := range 3 { // within a longer text that is in base64 as a whole
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", pad) + core + "xxx"))
		from, to := []int{0, 2, 3}[pad], (pad+len(core))/3*4
		out = append(out, text[from:to], strings.NewReplacer("+", "-", "/", "_").Replace(text[from:to]))
	}
	forms := make([][]byte, len(out))
	for i, f := range out {
		forms[i] = []byte(f)
	}
	return forms
}

// absent fails the test if a value, but for those that belong there, stands in a text.
func (c canaries) absent(t *testing.T, where string, text []byte, but ...string) {
	t.Helper()
	for in, value := range c {
		if slices.Contains(but, in) {
			continue
		}
		for i, form := range forms(value) {
			if at := bytes.Index(text, form); at >= 0 {
				t.Errorf("the value of %q stands in %s, in form %d", in, where, i)
				break
			}
		}
	}
}

func TestCanaryForms(t *testing.T) {
	c := canaries{}
	v := c.new("it")
	quoted, err := json.Marshal(v)
	must(t, err)
	for _, text := range []string{v, "x" + v, string(quoted), url.QueryEscape(v), url.PathEscape(v), hex.EncodeToString([]byte(v)), fmt.Sprintf("%X", v), strings.ToLower(v),
		base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte("{" + v)), base64.StdEncoding.EncodeToString([]byte(`{"a":"` + v + `"}`)),
		base64.StdEncoding.EncodeToString([]byte("ab" + v))} {
		found := false
		for _, f := range forms(v) {
			found = found || strings.Contains(text, string(f))
		}
		if !found {
			t.Errorf("%q is not recognised", text)
		}
	}
}

// TestCanary pushes known values through every way into a server and looks for each of them, in every encoding that is
// likely, in everything that comes out of it or that it stores.
func TestCanary(t *testing.T) {
	program := build(t)
	for _, repository := range repositories {
		t.Run(repository, func(t *testing.T) {
			var env []string
			database := "canary-" + repository
			if repository == "postgres" {
				env = []string{"KEYTURN_DATABASE=" + newDatabase(t, database)}
			}
			s := newSubject(t, program, env, "--allow-loopback-clusters")
			c := canaries{"setup code": s.code}
			p := &push{subject: s, c: c, role: "canary_" + repository, secret: "canary-" + repository}
			p.people()
			stop := p.watch()
			p.cluster()
			p.resets()
			p.mistakes()
			p.print()
			p.leave(stop)
			key, err := os.ReadFile(filepath.Join(s.data(), "root.key"))
			must(t, err)
			c.put("root key", string(key))
			p.answersHoldNothing()
			p.filesHoldNothing()
			if repository == "postgres" {
				p.tablesHoldNothing("repo_" + database)
			}
		})
	}
}

// leave looks at what only a running server shows, and ends it after its log is complete.
func (p *push) leave(stop func()) {
	for _, path := range []string{"/healthz", "/readyz", "/api/v1/health", "/api/v1/openapi.json", "/api/v1/overview"} {
		p.send("GET", path, p.token, "")
	}
	res, err := http.Get("http://" + p.metrics + "/metrics")
	must(p.t, err)
	body := new(bytes.Buffer)
	_, err = body.ReadFrom(res.Body)
	must(p.t, err, res.Body.Close())
	if !strings.Contains(body.String(), "keyturn_") {
		p.t.Errorf("no metrics: %s", body)
	}
	p.c.absent(p.t, "the metrics", body.Bytes())
	for _, file := range []string{"environ", "cmdline"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, file))
		must(p.t, err)
		p.c.absent(p.t, "/proc/PID/"+file, b)
	}
	p.filesHoldNothing() // with the journal that a clean stop folds in
	var export bytes.Buffer
	p.until("the audit log has every event", func() bool {
		v, err := p.admin.VerifyAudit(p.t.Context())
		must(p.t, err)
		return v.State == "intact" && v.Unsequenced <= 1
	})
	must(p.t, p.admin.AuditExport(p.t.Context(), &export, 0, 0))
	if n := bytes.Count(export.Bytes(), []byte("\n")); n < 50 {
		p.t.Errorf("the audit log has %d lines only", n)
	}
	stop()
	if p.stream.Len() == 0 {
		p.t.Error("the event stream told of nothing")
	}
	p.c.absent(p.t, "the event stream", p.stream.Bytes())
	p.stop()
}

// answersHoldNothing looks at every answer of the API and every output of the command line that was not asked for a value.
func (p *push) answersHoldNothing() {
	asked := func(to string) bool {
		return strings.HasSuffix(to, "/reveal") || strings.HasSuffix(to, "/download") || to == "POST /api/v1/session" || to == "POST /api/v1/tokens"
	}
	failed := 0
	for _, a := range p.answers {
		if a.status >= http.StatusBadRequest {
			failed++
		}
		if !asked(a.to) || a.status >= http.StatusBadRequest {
			p.c.absent(p.t, fmt.Sprintf("the answer to %s (%d)", a.to, a.status), a.text)
		}
	}
	if len(p.answers) < 60 || failed < 20 {
		p.t.Errorf("%d answers, %d errors: too few for a proof", len(p.answers), failed)
	}
	for _, a := range p.said {
		var typed []string // an error may name the argument that it is about
		if strings.Contains(a.to, p.c["value as an account"]) {
			typed = []string{"value as an account"}
		}
		p.c.absent(p.t, "the output of "+a.to, a.text, typed...)
	}
}

// filesHoldNothing looks at everything that the server has written.
func (p *push) filesHoldNothing() {
	files := 0
	must(p.t, filepath.WalkDir(p.data(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		own := map[bool][]string{true: {"root key"}}[d.Name() == "root.key"]
		p.c.absent(p.t, "the file "+d.Name(), b, own...)
		return err
	}))
	log, err := os.ReadFile(p.log())
	must(p.t, err)
	out, err := os.ReadFile(p.out())
	must(p.t, err)
	p.c.absent(p.t, "the log", log)
	p.c.absent(p.t, "the greeting", out, "setup code")
	if lines := bytes.Count(log, []byte("\n")); lines < 100 || files < 3 {
		p.t.Errorf("%d lines of log, %d files: too few for a proof", lines, files)
	}
}

// tablesHoldNothing looks at every row of the repository in PostgreSQL, and at the log of that server, which shows each
// statement with its parameters.
func (p *push) tablesHoldNothing(database string) {
	t, ctx, pg := p.t, p.t.Context(), bed.postgres
	in := `\connect "` + database + "\"\nSET log_statement = 'none';\n"
	names, err := pg.Psql(ctx, pg.SuperUser, pg.SuperPassword, in+`SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'`)
	must(t, err)
	tables := strings.Fields(names)
	size := 0
	for _, table := range tables {
		rows, err := pg.Psql(ctx, pg.SuperUser, pg.SuperPassword, in+"COPY "+table+" TO STDOUT")
		must(t, err)
		size += len(rows)
		p.c.absent(t, "the table "+table, []byte(rows))
	}
	if len(tables) < 15 || size < 20_000 {
		t.Errorf("%d tables with %d bytes: too few for a proof", len(tables), size)
	}
	log, err := os.ReadFile(pg.LogPath)
	must(t, err)
	if !bytes.Contains(log, []byte("SCRAM-SHA-256$")) {
		t.Error("PostgreSQL's log does not show statements, so it proves nothing")
	}
	// What somebody looks for is a parameter of the query: this server logs those because it was told to log everything.
	p.c.absent(t, "PostgreSQL's log", log, "searched for", "an id", "value as an account")
}
