package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

// fuzzedHeaders are where the third input of the fuzzing goes, by the fourth.
var fuzzedHeaders = []string{"Idempotency-Key", "Content-Type", "If-Match", "Accept", "Content-Encoding", "Sec-Fetch-Site", "Origin", "Cookie", "X-Forwarded-For", "X-Request-Id"}

// mapper asks the real handler for mappings, over a real repository.
type mapper struct {
	*estate
	admin string // secret of an administrator's session
	known string // what the API says of itself: words in it are no echo
}

// FuzzMapping sends anything at all to POST /mappings and /mappings/compare. Whatever it is, the answer is no fault of the
// server's own and repeats nothing of it, and a mapping is stored entirely or not at all, one for each key.
func FuzzMapping(f *testing.F) {
	e := newEstate(f)
	_, root := e.as(identity.Administrator)
	document, err := e.server.OpenAPI()
	ok(f, err)
	x := &mapper{estate: e, admin: e.session(root).Text(), known: string(document)}
	for _, body := range x.corpus() {
		f.Add([]byte(body), false, "", "", byte(0))
		f.Add([]byte(body), true, "", "", byte(0))
	}
	good := x.wish("same", "")
	for _, path := range []string{"/", "/..", "/%2e%2e", "/../users", "//", "/%00", "?nonsense=planted-text", "?accountId=planted-text", "/planted-text", "/%ff%fe", "/;a", "x", "/compare/compare"} {
		f.Add([]byte(good), false, path, "", byte(0))
	}
	for i := range fuzzedHeaders {
		for _, value := range []string{"planted-text", strings.Repeat("k", longestKey+1), "application/xml", `"1"`, "cross-site", "gzip", "\xff\xfe", "application/json; charset=utf-16", CookieName + "=planted-text"} {
			f.Add([]byte(good), i%2 == 1, "", value, byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, compare bool, path, value string, header byte) {
		x.t = t
		x.try(body, compare, path, value, fuzzedHeaders[int(header)%len(fuzzedHeaders)])
	})
}

// wish is a body that asks for a mapping of a key of the estate's Secret.
func (x *mapper) wish(key, keep string) string {
	b, err := json.Marshal(client.NewMapping{AccountID: x.account.ID, SecretID: x.secret.ID, Key: key, Keep: keep})
	ok(x.t, err)
	return string(b)
}

// corpus are bodies: good ones, and hostile ones of each sort that somebody has broken a server with.
func (x *mapper) corpus() []string {
	good := x.wish("same", "")
	out := []string{good, x.wish("password", ""), x.wish("password", "vault"), x.wish("password", "cluster"), x.wish("binary", "cluster"), x.wish("absent-planted", ""),
		strings.Replace(good, x.account.ID, x.empty.ID, 1), strings.Replace(good, x.account.ID, x.secret.ID, 1), strings.Replace(good, x.secret.ID, x.account.ID, 1),
		"", "null", "[]", `"planted-text"`, "{}", good + good, good[:len(good)-2], strings.ToUpper(good),
		`{"accountId":["planted-text"],"secretId":{"planted-text":1},"key":1e400,"keep":null}`,
		`{"accountId":"` + x.empty.ID + `",` + good[1:],                                    // the same key twice: the last counts
		good[:len(good)-1] + `,"ACCOUNTID":"` + x.empty.ID + `"}`,                          // a key that only a careless decoder takes
		good[:len(good)-1] + `,"planted-text":"planted-text"}`,                             // a field that nobody knows
		strings.Repeat(`{"key":`, deepest+1) + "1" + strings.Repeat("}", deepest+1),        // too deep
		strings.Repeat("[", 10_000),                                                        // deeper, and cut off
		`{"key":"` + strings.Repeat("k", maxBody) + `"}`,                                   // too large
		strings.Replace(good, `"same"`, `"s\u0061me"`, 1),                                  // the same in other letters
		strings.Replace(good, `"key"`, `"k\u0065y"`, 1),                                    //
		strings.Replace(good, `"same"`, "\"\xff\xfe\"", 1), "\ufeff" + good, "\x00" + good, // no UTF-8, a byte order mark, NUL
	}
	for _, key := range []string{strings.Repeat("k", 253), strings.Repeat("k", 254), strings.Repeat("ü", 253), "..", ".", "../../etc", "a/b", "a\\b", "ключ-шифр", "sa\u006de\u0301", "same\u0000", "\u0000",
		" same", "same ", "SAME", "ｓａｍｅ", "\u202esame", "\r\nSet-Cookie: planted=1", "';DROP TABLE mappings;--", "<script>planted()</script>", "{{planted}}", "%00", "𝔰𝔞𝔪𝔢"} {
		out = append(out, x.wish(key, ""), strings.Replace(good, x.account.ID, key, 1), strings.Replace(good, x.secret.ID, key, 1), x.wish("same", key))
	}
	return out
}

// try sends one request and holds the answer and the repository to what they promise.
func (x *mapper) try(body []byte, compare bool, path, value, header string) {
	x.t.Helper()
	target := "/api/v1/mappings"
	if compare {
		target += "/compare"
	}
	u, err := url.ParseRequestURI(target + path)
	if err != nil || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return // no HTTP server passes it on
	}
	hr, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, "http://keyturn", bytes.NewReader(body))
	ok(x.t, err)
	hr.URL, hr.RemoteAddr = u, "192.0.2.1:1"
	hr.Header.Set("Content-Type", "application/json")
	hr.Header.Set("Authorization", "Bearer "+x.admin)
	hr.Header.Set(header, value)
	if value == "" {
		hr.Header.Del(header)
	}
	if hr.Header.Get("Content-Type") == "" {
		hr.Header.Set("Content-Type", "application/json")
	}
	before := x.count()
	x.logs.take()
	rec := httptest.NewRecorder()
	x.handler.ServeHTTP(rec, hr)
	logged, created := x.logs.take(), 0
	if rec.Code == http.StatusCreated && rec.Header().Get("Idempotency-Replayed") == "" {
		created = 1
	}
	if got := x.count() - before; got != int64(created) {
		x.t.Fatalf("answered %d, and there are %d mappings more", rec.Code, got)
	}
	switch {
	case rec.Code >= http.StatusInternalServerError:
		x.t.Fatalf("%d %s\n%s", rec.Code, rec.Body, logged)
	case rec.Code >= http.StatusBadRequest:
		x.plain(rec, logged, append(texts(body), path, strings.TrimLeft(path, "/?."), value))
	case created == 1:
		x.exact(rec, body)
	}
}

func (x *mapper) count() int64 {
	x.t.Helper()
	page, err := x.store.Mappings(x.t.Context(), store.Viewer{All: true}, store.MappingQuery{})
	ok(x.t, err)
	return page.Total
}

// plain fails the test if a refusal is no problem document, or if it or the log repeats one of what was sent. What has
// fewer than six letters stands in any text.
func (x *mapper) plain(rec *httptest.ResponseRecorder, logged string, sent []string) {
	x.t.Helper()
	var p client.Problem
	if kind := rec.Header().Get("Content-Type"); kind != "application/problem+json" || json.Unmarshal(rec.Body.Bytes(), &p) != nil || p.Type == "" || p.Status != rec.Code {
		x.t.Fatalf("no problem document: %d %s %s", rec.Code, kind, rec.Body)
	}
	answer := strings.Join(texts(rec.Body.Bytes()), "\n")
	for name, values := range rec.Header() {
		answer += "\n" + name + ": " + strings.Join(values, " ")
	}
	for _, s := range sent {
		if len(s) < 6 || strings.Contains(x.known, s) {
			continue
		}
		for where, text := range map[string]string{"answer": answer, "log": logged} {
			if strings.Contains(text, s) {
				x.t.Fatalf("the %s repeats %q: %s", where, s, text)
			}
		}
	}
}

// texts are the keys and values of a JSON document, or all of what is none.
func texts(b []byte) []string {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return []string{string(b)}
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for key, one := range v {
				out = append(out, key)
				walk(one)
			}
		}
	}
	walk(v)
	return out
}

// exact fails the test if a new mapping is not what was asked for, or if its key can be mapped a second time. Then it takes
// the mapping back.
func (x *mapper) exact(rec *httptest.ResponseRecorder, body []byte) {
	x.t.Helper()
	var made client.Mapping
	var asked map[string]any // by its exact names, unlike a decoder into a struct
	decode(x.t, rec.Body.Bytes(), &made)
	decode(x.t, body, &asked)
	row, err := x.store.Mapping(x.t.Context(), made.ID)
	ok(x.t, err)
	if row.AccountID != asked["accountId"] || row.SecretID != asked["secretId"] || row.Key != asked["key"] {
		x.t.Fatalf("asked for %s, stored %+v", body, row)
	}
	for _, other := range []string{x.account.ID, x.empty.ID} {
		again, err := json.Marshal(client.NewMapping{AccountID: other, SecretID: row.SecretID, Key: row.Key, Keep: "cluster"})
		ok(x.t, err)
		hr := httptest.NewRequestWithContext(x.t.Context(), http.MethodPost, "/api/v1/mappings", bytes.NewReader(again))
		hr.Header.Set("Content-Type", "application/json")
		hr.Header.Set("Authorization", "Bearer "+x.admin)
		second := httptest.NewRecorder()
		x.handler.ServeHTTP(second, hr)
		if second.Code != http.StatusConflict {
			x.t.Fatalf("the key was mapped twice: %d %s", second.Code, second.Body)
		}
	}
	ok(x.t, x.server.Mappings.Unmap(x.t.Context(), identity.System("test"), row.ID, row.Rev))
}
