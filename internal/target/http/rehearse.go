package http

import (
	"context"
	"fmt"
	nethttp "net/http"
	"slices"

	"github.com/keyturn/keyturn/internal/target"
)

// Rehearse implements target.Rehearser, where the settings say how: by asking the system whether it would make the change.
// No value goes along. What the answer proves is for whoever described the request to know.
func (t *Target) Rehearse(ctx context.Context, c target.Connection, by target.Login, account string) (string, error) {
	if err := t.checkLogin(by); err != nil {
		return "", err
	}
	if err := checkUser(account); err != nil {
		return "", err
	}
	s, err := t.read(c)
	if err != nil {
		return "", err
	}
	if s.rehearse == nil {
		return "", &target.Error{Outcome: target.Unsupported, Msg: "this resource does not say how a change is rehearsed", Cure: "give it a path to rehearse at, if the system has something of the kind"}
	}
	req, err := s.rehearsal(by, account)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	got, err := t.send(ctx, s, req)
	if err != nil { // it changes nothing, so that nothing is left open
		return "", unreachable(err)
	}
	if err := s.rehearsed(got); err != nil {
		return "", err
	}
	return fmt.Sprintf("the system was asked whether it would make the change, and answered HTTP %d, which is its yes", got), nil
}

// rehearsal is the request that asks.
func (s settings) rehearsal(by target.Login, account string) (request, error) {
	v := values{account: account, login: by}
	path, err := s.rehearse.render(v)
	if err != nil {
		return request{}, err
	}
	if s.webhook {
		return s.signed(eventRehearse, string(path), v)
	}
	r := request{method: nethttp.MethodGet, path: string(path), headers: nethttp.Header{}}
	for name, t := range s.headers {
		if slices.ContainsFunc(t, func(p part) bool { return p.name == "value" || p.name == "old" }) { // there is none
			continue
		}
		text, err := t.render(v)
		if err != nil {
			return request{}, err
		}
		r.headers.Set(name, string(text))
	}
	return r, nil
}

// rehearsed says what the answer means.
func (s settings) rehearsed(status int) error {
	err := s.changeError(status)
	switch target.OutcomeOf(err) {
	case "", target.Refused, target.NotPermitted, target.NoSuchAccount, target.Unreachable, target.Misconfigured:
		return err
	case target.Unknown:
		if status >= 500 && status != nethttp.StatusNotImplemented || status == nethttp.StatusRequestTimeout {
			return notServed(status)
		}
	}
	return &target.Error{Outcome: target.Unsupported, Code: fmt.Sprintf("HTTP %d", status), Msg: "the system's answer does not tell whether it would make the change", Cure: "look at what it does at the path to rehearse at"}
}
