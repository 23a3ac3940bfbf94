package api

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// asker is a column of the matrix: somebody of a role, by what was granted to them on every object.
type asker struct {
	name    string
	secrets []string        // of a session or token, one for each letter
	users   []identity.User // whose they are
}

const letters = "nvurm" // none, view, use, reveal, manage

// askers makes somebody of each role at each level, and tokens of an administrator.
func (x *exposed) askers() []asker {
	var out []asker
	for _, role := range identity.Roles() {
		a := asker{name: string(role)}
		for _, level := range policy.Levels() {
			u := x.user(fmt.Sprintf("%s-%s", role, level), role)
			for kind, ids := range map[string][]string{access.Cluster: {x.cluster.ID}, access.Resource: {x.db.ID, x.idle.ID}} {
				for _, id := range ids {
					if level > policy.None {
						x.grant(u, kind, id, level)
					}
				}
			}
			a.users, a.secrets = append(a.users, u), append(a.secrets, x.session(u).Text())
		}
		out = append(out, a)
	}
	for _, scope := range []string{"*", "account.*"} {
		u := x.user("owner of "+map[string]string{"*": "all", "account.*": "accounts"}[scope], identity.Administrator)
		_, secret := x.token(u, scope)
		out = append(out, asker{name: "token " + scope, secrets: []string{secret}, users: []identity.User{u}})
	}
	return append(out, asker{name: "nobody", secrets: []string{""}, users: []identity.User{{}}})
}

// cell has a letter for each level at which the route lets the asker through the gate, "-" where it answers that it may
// not, "." where it answers that there is no such object, and "!" where it asks to sign in.
func (x *exposed) cell(r Route, a asker, own bool) string {
	var out strings.Builder
	for i, secret := range a.secrets {
		q := x.ask(r)
		switch {
		case own && a.users[i].ID == "":
			return ""
		case own:
			q.path, q.body = strings.ReplaceAll(q.path, x.other.ID, a.users[i].ID), shortPassword(q.body)
		case r.Path == "/api/v1/session" && r.Method == http.MethodDelete && a.users[i].ID != "" && !strings.HasPrefix(a.name, "token"):
			secret = x.session(a.users[i]).Text() // it is used up
		}
		got := x.put(q, secret, "If-Match", `"999"`)
		switch kind := got.kind(x.t); kind {
		case "unauthenticated":
			out.WriteString("!")
		case "denied":
			out.WriteString("-")
		case "not-found":
			out.WriteString(".")
		default:
			if got.status >= http.StatusInternalServerError || kind == "no-such-route" {
				x.t.Errorf("%s %s as %s: %d %s", r.Method, r.Path, a.name, got.status, got.body)
			}
			out.WriteString(letters[i : i+1])
		}
	}
	return out.String()
}

// shortPassword makes a change of one's own password one that is refused for its value, so that the session goes on.
func shortPassword(body any) any {
	if _, ok := body.(client.NewPassword); ok {
		return client.NewPassword{Current: client.NewValue("x"), Password: client.NewValue("short")}
	}
	return body
}

// SR-30: every route for every role and level of grant, through the whole handler. What the policy means is in the golden
// file of internal/policy; this one shows that each route asks it, and about the right object.
func TestSecurityMatrix(t *testing.T) {
	x := newExposed(t)
	askers := x.askers()
	var b strings.Builder
	fmt.Fprintf(&b, "%-46s", "")
	for _, a := range askers {
		fmt.Fprintf(&b, " %-15s", a.name)
	}
	b.WriteString("\n")
	row := func(r Route, own bool) {
		fmt.Fprintf(&b, "%-46s", strings.TrimSpace(fmt.Sprintf("%-6s %s %s", r.Method, strings.TrimPrefix(r.Path, "/api/v1"), map[bool]string{true: "(own)"}[own])))
		for _, a := range askers {
			fmt.Fprintf(&b, " %-15s", x.cell(r, a, own))
		}
		b.WriteString("\n")
	}
	for _, r := range x.server.Routes() {
		row(r, false)
		if strings.Contains(r.Path, "{user}") && r.Method != http.MethodDelete {
			row(r, true)
		}
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	got, path := strings.Join(lines, "\n")+"\n", filepath.Join("testdata", "security_matrix.golden")
	if *update {
		ok(t, os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	ok(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("who may do what changed; run with -update if that is meant (-want +got):\n%s", d)
	}
}

// carriers are the documents that have room for a value, each with the reason. Everything else must have none.
var carriers = map[reflect.Type]string{
	reflect.TypeFor[client.Revealed](): "the answer of a reveal",
	reflect.TypeFor[client.Session]():  "a sign-in hands the session's secret to a program, once",
	reflect.TypeFor[client.Token]():    "a new token is shown once",
}

// SR-31: what a route answers with has no room for a value by its type, but for carriers, and those hold none in an
// answer that is not marked as secret.
func TestSecurityAnswersHaveNoRoomForValues(t *testing.T) {
	x := newExposed(t)
	api := x.server.huma.OpenAPI()
	secret := map[string]bool{}
	for _, r := range x.server.Routes() {
		secret[r.Method+" "+r.Path] = r.Secret
	}
	seen := 0
	for path, item := range api.Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete, "PUT": item.Put} {
			if o == nil {
				continue
			}
			for status, response := range o.Responses {
				for _, media := range response.Content {
					if media.Schema == nil || media.Schema.Ref == "" || !strings.HasPrefix(status, "2") {
						continue
					}
					seen++
					for _, at := range valuesIn(api.Components.Schemas.TypeFromRef(media.Schema.Ref), "", map[reflect.Type]bool{}) {
						if !secret[method+" "+path] && !strings.HasPrefix(at, "carrier") {
							t.Errorf("%s %s answers with a value in %s", method, path, at)
						}
					}
				}
			}
		}
	}
	if seen < 30 {
		t.Fatalf("only %d answers have a type", seen)
	}
}

// valuesIn returns where a type has room for a value.
func valuesIn(t reflect.Type, at string, on map[reflect.Type]bool) []string {
	if t == nil || on[t] {
		return nil
	}
	switch t {
	case reflect.TypeFor[client.Value](), reflect.TypeFor[vault.Value](), reflect.TypeFor[vault.Sealed]():
		return []string{at}
	}
	if _, ok := carriers[t]; ok && at != "" || t == reflect.TypeFor[client.Session]() || t == reflect.TypeFor[client.Token]() {
		return []string{"carrier" + at}
	}
	on[t] = true
	defer delete(on, t)
	var out []string
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		out = valuesIn(t.Elem(), at+"[]", on)
	case reflect.Struct:
		for f := range t.Fields() {
			out = append(out, valuesIn(f.Type, at+"."+f.Name, on)...)
		}
	}
	return out
}

// bearer finds the secrets of tokens, sessions and setup codes.
var bearer = regexp.MustCompile(`k[tsc]_[A-Z2-7]{33}`)

// SR-31: no answer but those marked as secret holds a value of the estate.
func TestSecurityAnswersHoldNoValues(t *testing.T) {
	x := newExposed(t)
	x.token(x.other, "account.list")
	for _, r := range x.server.Routes() {
		if r.Secret || r.Method == http.MethodDelete {
			continue
		}
		q := x.ask(r)
		got := x.put(q, x.admin)
		for _, value := range []string{"canary-", password, "gravel teapot"} {
			if bytes.Contains(got.body, []byte(value)) {
				t.Errorf("%s %s answers with %q", r.Method, r.Path, value)
			}
		}
		if bearer.Match(got.body) {
			t.Errorf("%s %s answers with a secret that signs in", r.Method, r.Path)
		}
	}
	x.quiet()
}
