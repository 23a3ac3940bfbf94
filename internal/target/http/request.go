package http

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	nethttp "net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/internal/target"
	"github.com/keyturn/keyturn/internal/vault"
)

// maxAnswer is how much of an answer is read, in bytes. Nothing in it is looked at.
const maxAnswer = 64 << 10

// minFIPSKey is the shortest key of an HMAC, in bytes, that Go's strict mode of FIPS 140 lets pass.
const minFIPSKey = 14

// request is one request, ready to be sent.
type request struct {
	method, path string
	headers      nethttp.Header
	body         []byte
}

// The events of a webhook.
const (
	eventChange = "credential.change"
	eventVerify = "credential.verify"
	// eventRehearse asks whether the change would be made. Its value is empty.
	eventRehearse = "credential.rehearse"
)

// message is the body of a webhook.
type message struct {
	Event    string `json:"event"`
	Resource string `json:"resource"`
	Account  string `json:"account"`
	Login    string `json:"login"`
	Value    string `json:"value"`
}

// change is the request that makes a change.
func (s settings) change(ch target.Change) (request, error) {
	v := values{account: ch.Account, login: ch.By, value: ch.Value}
	if ch.Self() {
		v.old = ch.By.Password
	}
	path, err := s.path.render(v)
	if err != nil {
		return request{}, err
	}
	if s.webhook {
		return s.signed(eventChange, string(path), v)
	}
	r := request{method: s.method, path: string(path), headers: nethttp.Header{}}
	for name, t := range s.headers {
		text, err := t.render(v)
		if err != nil {
			return request{}, err
		}
		r.headers.Set(name, string(text))
	}
	r.body, err = s.body.render(v)
	return r, err
}

// login is the request that proves l.
func (s settings) login(l target.Login) (request, error) {
	v := values{account: l.User, login: l, value: l.Password}
	path, err := s.verify.path.render(v)
	if err != nil {
		return request{}, err
	}
	if s.webhook {
		return s.signed(eventVerify, string(path), v)
	}
	var text []byte
	scheme := "Bearer "
	if s.verify.auth == authBasic {
		scheme = "Basic "
		text, err = basic(l)
	} else {
		text, err = template{{name: "value", encoding: "text"}}.render(v)
	}
	return request{method: s.verify.method, path: string(path), headers: nethttp.Header{"Authorization": {scheme + string(text)}}}, err
}

// signed is a webhook, signed with the login's value.
func (s settings) signed(event, path string, v values) (request, error) {
	if v.login.Password.Len() < minFIPSKey && fips140.Enforced() {
		return request{}, misconfigured("in the strict mode of FIPS 140 a webhook is signed with a key of 14 bytes or more", "give the reconcile login a longer password")
	}
	m := message{Event: event, Resource: s.resource, Account: v.account, Login: v.login.User}
	_ = v.value.Expose(func(b []byte) error { m.Value = string(b); return nil })
	body, err := json.Marshal(m)
	if err != nil {
		return request{}, misconfigured("the webhook cannot be written as JSON", "")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	headers := nethttp.Header{"Content-Type": {"application/json"}, "Keyturn-Signature": {"t=" + at + ",v1=" + sign(v.login.Password, at, body)}}
	return request{method: s.method, path: path, headers: headers, body: body}, nil
}

// sign is the HMAC-SHA-256 of the time, a full stop and the body, in hexadecimal.
func sign(key vault.Value, at string, body []byte) (signature string) {
	_ = key.Expose(func(b []byte) error {
		mac := hmac.New(sha256.New, b)
		mac.Write([]byte(at + "."))
		mac.Write(body)
		signature = hex.EncodeToString(mac.Sum(nil))
		return nil
	})
	return signature
}

// send returns the status of the answer. Its error is Unreachable as long as nothing of the request has been sent, and
// Unknown from then on.
func (t *Target) send(ctx context.Context, s settings, r request) (int, error) {
	defer clear(r.body)
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := nethttp.NewRequestWithContext(ctx, r.method, s.scheme+"://"+s.host+r.path, bytes.NewReader(r.body))
	if err != nil {
		return 0, misconfigured("the request cannot be written", "look at paths and headers in the resource's settings")
	}
	req.Header = r.headers
	req.Header.Set("User-Agent", "Keyturn")
	client := &nethttp.Client{
		Transport: &nethttp.Transport{
			Proxy: nil, DialContext: t.dial, TLSClientConfig: s.tls, TLSHandshakeTimeout: t.timeout,
			DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*nethttp.Request, []*nethttp.Request) error { return nethttp.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	switch {
	case err != nil && !connected.Load():
		return 0, unreachable(err)
	case err != nil:
		return 0, &target.Error{Outcome: target.Unknown, Msg: "the connection ended before the server answered", Cure: "log in with the new value, then with the old one, to see which holds"}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}
