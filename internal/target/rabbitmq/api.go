package rabbitmq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/target/dial"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 1 << 20

var errTooLong = errors.New("the answer is too long")

// api is the management API for one login.
type api struct {
	client *http.Client
	base   url.URL
	login  target.Login
}

// open makes the client. It follows no redirect and asks no proxy, so that a password goes nowhere but to the resource.
func (t *Target) open(c target.Connection, l target.Login) (*api, error) {
	if err := checkUser(l.User); err != nil {
		return nil, err
	}
	if l.Password.Len() == 0 {
		return nil, misconfigured("an empty password is never tried", "set a value first")
	}
	if err := t.Spec().Check(c); err != nil {
		return nil, misconfigured(err.Error(), "")
	}
	get := func(name string) string { return c.Get(fields(), name) }
	cfg, err := dial.TLS(get)
	if err != nil {
		return nil, err
	}
	a := &api{login: l, base: url.URL{Scheme: "https", Host: net.JoinHostPort(get(dial.Host), get(dial.Port))}}
	if cfg == nil {
		a.base.Scheme = "http"
	}
	a.client = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: t.dial, TLSClientConfig: cfg, TLSHandshakeTimeout: t.timeout,
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a, nil
}

func (a *api) close() { a.client.CloseIdleConnections() }

func misconfigured(msg, cure string) *target.Error {
	return &target.Error{Outcome: target.Misconfigured, Msg: msg, Cure: cure}
}

// answer is what the server said. kind and reason are its own words for a refusal, empty where the answer is not
// RabbitMQ's.
type answer struct {
	status       int
	body         []byte
	kind, reason string
}

// do sends one request about the object of these path elements. Its error is that of a transport that brought no answer.
func (a *api) do(ctx context.Context, method string, body []byte, path ...string) (answer, error) {
	u := a.base
	for _, element := range path {
		u.Path += "/" + element
		u.RawPath += "/" + url.PathEscape(element)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	_ = a.login.Password.Expose(func(b []byte) error { req.SetBasicAuth(a.login.User, string(b)); return nil })
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", "*") // nothing is created: the server answers 412 where there is no such object
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	out := answer{status: resp.StatusCode}
	out.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, err
	case len(out.body) > maxAnswer:
		return answer{}, errTooLong
	}
	var refusal struct {
		Error  string
		Reason any
	}
	if out.status >= 400 && json.Unmarshal(out.body, &refusal) == nil && refusal.Reason != nil {
		out.kind, out.reason = refusal.Error, fmt.Sprint(refusal.Reason) // a text, but for some mistakes of the request
	}
	return out, nil
}

// user is what the server says of a user. Its tags are a list or, before 3.9, a text, and are sent back as they came.
type user struct {
	Name      string          `json:"name"`
	Hash      string          `json:"password_hash"`
	Algorithm string          `json:"hashing_algorithm"`
	Tags      json.RawMessage `json:"tags"`
}

func (u user) has(hash string) bool { return u.Hash == hash && u.Algorithm == algorithm }

func (a *api) user(ctx context.Context, name string) (user, error) {
	got, err := a.do(ctx, http.MethodGet, nil, "api", "users", name)
	if err != nil {
		return user{}, unreachable(err)
	}
	if got.status != http.StatusOK {
		return user{}, userError(got)
	}
	var u user
	if json.Unmarshal(got.body, &u) != nil || u.Name != name || u.Tags == nil {
		return user{}, notManagement(got)
	}
	return u, nil
}

// set gives u another hash and leaves its tags as they were read.
func (a *api) set(ctx context.Context, u user, hash string) error {
	u.Hash, u.Algorithm = hash, algorithm
	body, err := json.Marshal(u)
	if err != nil {
		return misconfigured("the user cannot be sent back as it came", "look at its tags on the server")
	}
	got, err := a.do(ctx, http.MethodPut, body, "api", "users", u.Name)
	switch {
	case err != nil:
		return &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered the change", Cure: "log in with the new value, then with the old one, to see which holds"}
	case got.status == http.StatusCreated:
		return a.takeBack(ctx, u.Name)
	}
	return changeError(got)
}

// takeBack removes a user that the change has created, against its will: the user was deleted after it was read, and
// something on the way to the server drops the condition of the request.
func (a *api) takeBack(ctx context.Context, name string) error {
	got, err := a.do(ctx, http.MethodDelete, nil, "api", "users", name)
	if err != nil || got.status != http.StatusNoContent && got.status != http.StatusNotFound {
		return &target.Error{Outcome: target.Unknown, Msg: "the user was deleted at the same moment, and the change has created it again", Cure: "delete it on the server"}
	}
	return noSuchUser(got)
}

// whoami asks the server whom it let in.
func (a *api) whoami(ctx context.Context) error {
	_, err := a.tags(ctx)
	return err
}

// tags asks the server whom it let in, and returns the tags of that user. One without a tag that lets it use the API has
// proved its password, and gets none.
func (a *api) tags(ctx context.Context) ([]string, error) {
	got, err := a.do(ctx, http.MethodGet, nil, "api", "whoami")
	if err != nil {
		return nil, unreachable(err)
	}
	if got.status != http.StatusOK {
		return nil, loginError(got)
	}
	var me struct {
		Name string          `json:"name"`
		Tags json.RawMessage `json:"tags"`
	}
	switch {
	case json.Unmarshal(got.body, &me) != nil || me.Tags == nil:
		return nil, notManagement(got)
	case me.Name != a.login.User:
		return nil, &target.Error{Outcome: target.Unproven, Msg: "the server let the login in as another user", Cure: "look at proxies on the way, and at the server's authentication backends"}
	}
	return tagsOf(me.Tags), nil
}

// tagsOf reads tags, which are a list or, before 3.9, a text.
func tagsOf(raw json.RawMessage) (tags []string) {
	if json.Unmarshal(raw, &tags) == nil {
		return tags
	}
	var text string
	_ = json.Unmarshal(raw, &text)
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
