package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// echoes are what a request plants: a text as people's passwords look, one that is a word like a scope, and one that is
// hostile to pages, logs and SQL. None may come back in an error, nor be in a log, whatever field it was put in.
func echoes() []string {
	return []string{"echo-7Hq2-x9", "echoword.echoverb", "<echo>'\";--\r\nSet-Cookie: echo=1"}
}

// planted are the bodies made of one that is good: each with one place of it replaced, by a text and by what is of the
// wrong type, and each with one field that nobody knows.
func planted(t *testing.T, good any, echo string) []any {
	t.Helper()
	text, err := json.Marshal(good)
	ok(t, err)
	var count func(v any) int
	count = func(v any) int {
		n := 1
		switch v := v.(type) {
		case map[string]any:
			for _, x := range v {
				n += count(x)
			}
		case []any:
			for _, x := range v {
				n += count(x)
			}
		}
		return n
	}
	decoded := func() (v any) { decode(t, text, &v); return v }
	var out []any
	for place := range count(decoded()) {
		for _, with := range []any{echo, []any{echo}, map[string]any{echo: echo}, map[string]any{"nonsense": echo}} {
			out = append(out, replace(decoded(), place, with))
		}
	}
	return out
}

// replace returns v with what stands at a place, counted depth first over sorted names, replaced.
func replace(v any, place int, with any) any {
	at := -1
	var walk func(v any) any
	walk = func(v any) any {
		if at++; at == place {
			if m, isMap := v.(map[string]any); isMap {
				if extra, ok := with.(map[string]any); ok { // one field more
					for k, x := range extra {
						m[k] = x
					}
					return m
				}
			}
			return with
		}
		switch v := v.(type) {
		case map[string]any:
			for _, k := range sortedKeys(v) {
				v[k] = walk(v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		}
		return v
	}
	return walk(v)
}

// SR-51: no error repeats what was submitted, in whatever place.
func TestSecurityNoEchoOfBodies(t *testing.T) {
	x := newExposed(t)
	sent := 0
	for _, r := range x.server.Routes() {
		q := x.ask(r)
		if q.body == nil {
			continue
		}
		for _, echo := range echoes() {
			for _, body := range planted(t, q.body, echo) {
				q.body = body
				sent++
				x.noEcho(r, x.put(q, x.admin, "If-Match", `"999"`, "Sec-Fetch-Site", "none"), echo)
			}
		}
	}
	if sent < 500 {
		t.Errorf("only %d bodies were sent", sent)
	}
	x.noEchoInLogs()
}

// noEcho fails the test if an error repeats a text, as it is or encoded.
func (x *exposed) noEcho(r Route, got reply, echo string) {
	x.t.Helper()
	if got.status >= http.StatusInternalServerError {
		x.t.Errorf("%s %s: %d %s", r.Method, r.Path, got.status, got.body)
	}
	for name := range got.header {
		if strings.Contains(strings.Join(got.header[name], " "), "echo") {
			x.t.Errorf("%s %s: the header %s repeats what was sent", r.Method, r.Path, name)
		}
	}
	if got.status < http.StatusBadRequest {
		return // what was stored may be shown, such as a name
	}
	quoted, err := json.Marshal(echo)
	ok(x.t, err)
	for _, form := range []string{"echo", string(quoted), base64.StdEncoding.EncodeToString([]byte(echo)), url.QueryEscape(echo)} {
		if bytes.Contains(got.body, []byte(form)) {
			x.t.Errorf("%s %s repeats what was sent: %s", r.Method, r.Path, got.body)
			return
		}
	}
}

func (x *exposed) noEchoInLogs() {
	x.t.Helper()
	for line := range strings.Lines(x.logs.String()) {
		if strings.Contains(line, "echo") {
			x.t.Errorf("logged: %s", line)
		}
	}
	x.quiet()
}

// SR-51, SR-70: bodies that do not decode, nest too deep or are too large are refused at once and not repeated.
func TestSecurityMalformedBodies(t *testing.T) {
	x := newExposed(t)
	const echo = "echo-7Hq2-x9"
	deep := strings.Repeat(`{"a":`, deepest+1) + `"` + echo + `"` + strings.Repeat("}", deepest+1)
	for _, r := range x.server.Routes() {
		q := x.ask(r)
		if q.body == nil {
			continue
		}
		for name, tt := range map[string]struct {
			body string
			want []int
		}{
			"cut off":      {`{"name": "` + echo, []int{400, 422}},
			"no JSON":      {echo, []int{400, 422}},
			"XML":          {"<name>" + echo + "</name>", []int{400, 422}},
			"a number":     {`{"name": 12` + echo + `}`, []int{400, 422}},
			"two":          {`{"name":"` + echo + `"} {"name":"` + echo + `"}`, []int{400, 422}},
			"too deep":     {deep, []int{400, 422}},
			"bad UTF-8":    {"{\"" + echo + "\": \"\xff\xfe\"}", []int{400, 422}},
			"too large":    {`{"name": "` + echo + strings.Repeat("x", maxBody) + `"}`, []int{413}},
			"many numbers": {`{"name": [` + strings.Repeat("1,", 1<<18) + `1], "x": "` + echo + `"}`, []int{400, 422}},
		} {
			got := x.sendText(q, tt.body)
			found := false
			for _, status := range tt.want {
				found = found || got.status == status
			}
			if !found {
				t.Errorf("%s %s, %s: %d %s", r.Method, r.Path, name, got.status, got.body)
			}
			x.noEcho(r, got, echo)
		}
	}
	x.noEchoInLogs()
}

// sendText sends a body as it is, as the administrator.
func (x *exposed) sendText(q question, body string) reply {
	x.t.Helper()
	q.body = json.RawMessage(nil)
	req, err := http.NewRequestWithContext(x.t.Context(), q.method, x.url+"/api/v1"+q.path, strings.NewReader(body))
	ok(x.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+x.admin)
	return x.do(req)
}

// SR-51: neither what stands in a query, a path or a header is repeated.
func TestSecurityNoEchoOfParameters(t *testing.T) {
	x := newExposed(t)
	routes := map[string]Route{}
	for _, r := range x.server.Routes() {
		routes[r.Method+" "+r.Path] = r
	}
	for path, item := range x.server.huma.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
			r, there := routes[method+" "+path]
			if o == nil || !there || method == http.MethodDelete && r.Op == "session.delete" {
				continue
			}
			for _, echo := range echoes() {
				for _, q := range x.misasked(r, o, echo) {
					x.noEcho(r, x.put(q, x.admin), echo)
				}
				if !strings.ContainsAny(echo, "\r\n") {
					q := x.ask(r)
					x.noEcho(r, x.put(q, x.admin, "If-Match", echo, "Accept", echo, "Range", echo, "Origin", "https://"+echo, "X-Forwarded-For", echo), echo)
					x.noEcho(r, x.put(q, "", "Authorization", "Bearer "+echo, "Cookie", CookieName+"="+echo, "If-Match", echo), echo)
				}
			}
		}
	}
	x.noEchoInLogs()
}

// misasked are requests of a route with a text in each parameter in turn, and in one that nobody knows.
func (x *exposed) misasked(r Route, o *huma.Operation, echo string) []question {
	var out []question
	good := x.ask(r)
	add := func(name string) {
		q := good
		q.path, _, _ = strings.Cut(q.path, "?")
		q.path += fmt.Sprintf("?%s=%s", url.QueryEscape(name), url.QueryEscape(echo))
		out = append(out, q)
	}
	for _, p := range o.Parameters {
		switch p.In {
		case "query":
			if name := p.Name; name != "search" && name != "q" {
				add(name)
			}
		case "path":
			q := good
			q.path = strings.ReplaceAll(strings.TrimPrefix(r.Path, "/api/v1"), "{"+p.Name+"}", url.PathEscape(echo))
			out = append(out, q)
		}
	}
	add("nonsense")
	add(echo)
	return out
}
