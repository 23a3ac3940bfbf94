package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	problemType = "urn:keyturn:problem:"

	// maxAnswer bounds what is read of one answer: a page of 500 rows, or a Secret's manifest with its 1 MiB in base64.
	maxAnswer = 64 << 20

	readTries = 4 // one and three more
	postTries = 3 // one and two more

	// longestPause bounds what a server's Retry-After may make a read wait for.
	longestPause = 5 * time.Second
)

// request is one call of a route.
type request struct {
	method, path string
	query        url.Values
	body         any
	rev          int64 // sent in If-Match unless it is zero
	accept       string
}

// call sends r and decodes the answer.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	body, err := c.bytes(ctx, r)
	if err != nil || len(body) == 0 {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		// The decoder's own message may quote the answer.
		return out, notKeyturn(http.StatusOK, "The answer is not the document that was asked for.")
	}
	return out, nil
}

// send is call for routes that answer with nothing.
func (c *Client) send(ctx context.Context, r request) error {
	_, err := c.bytes(ctx, r)
	return err
}

// bytes sends r and returns the whole answer.
func (c *Client) bytes(ctx context.Context, r request) ([]byte, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("client: encode request: %w", err)
		}
	}
	key := ""
	if r.method == http.MethodPost {
		key = rand.Text()
	}
	pause, sent := c.pause, false
	for try := 1; ; try++ {
		out, err := c.once(ctx, r, body, key)
		if err == nil {
			return out, nil
		}
		if u, ok := errors.AsType[*unreachable](err); ok && !sent && u.unsent() {
			u.problem.Cure, u.problem.Unchanged = "Check the address and that the server runs.", "Nothing was sent."
		} else {
			sent = true
		}
		if !again(r.method, try, err) {
			return nil, err
		}
		if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
			pause = max(pause, min(time.Duration(p.RetryAfter)*time.Second, longestPause))
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// again decides whether a request that failed is sent once more.
func again(method string, try int, err error) bool {
	_, broke := errors.AsType[*unreachable](err)
	broke = broke && !untrusted(err)
	switch method {
	case http.MethodGet:
		p, ok := errors.AsType[*Problem](err)
		away := ok && (p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout ||
			p.Status == http.StatusServiceUnavailable && p.Type != problemType+"sealed")
		return try < readTries && (broke || away)
	case http.MethodPost:
		return try < postTries && broke
	default:
		return false
	}
}

func (c *Client) once(ctx context.Context, r request, body []byte, key string) ([]byte, error) {
	res, err := c.open(ctx, r, body, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, noAnswer(ctx, err)
	}
	if len(out) > maxAnswer {
		return nil, notKeyturn(res.StatusCode, "The answer is longer than any that Keyturn gives.")
	}
	return out, nil
}

// open sends r and returns the answer if it is a good one. The caller closes its body.
func (c *Client) open(ctx context.Context, r request, body []byte, key string) (*http.Response, error) {
	target := c.base.String() + basePath + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c.header(req, r, len(body) > 0, key)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, err)
	}
	if res.StatusCode/100 != 2 {
		defer func() { _ = res.Body.Close() }()
		return nil, problem(res)
	}
	return res, nil
}

func (c *Client) header(req *http.Request, r request, hasBody bool, key string) {
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Text())
	}
	if hasBody {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if r.rev != 0 {
		req.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(r.rev, 10)))
	}
}

// problem reads a refusal. What is no problem document becomes one, without quoting what was in it.
func problem(res *http.Response) error {
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	isProblem := strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json")
	if err != nil || !isProblem || json.Unmarshal(body, p) != nil || p.Title == "" {
		p = notKeyturn(res.StatusCode, "The answer is not one of Keyturn's; something else answers at this address.")
	}
	p.Status = res.StatusCode
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = s
	}
	return p
}

func notKeyturn(status int, cause string) *Problem {
	return &Problem{
		Type:   "about:blank",
		Title:  fmt.Sprintf("The server answered %d %s", status, http.StatusText(status)),
		Status: status,
		Cause:  cause,
		Cure:   "Check the address, and that nothing stands between that changes answers.",
	}
}

// at returns the path of a route with the ids or names in it escaped.
func at(route string, ids ...string) (string, error) {
	for _, id := range ids {
		if id == "" || id == "." || id == ".." { // as a path they would name another route
			return "", &Problem{Type: problemType + "not-found", Title: "There is no such thing", Status: http.StatusNotFound,
				Cause: "The name is empty or only dots."}
		}
		route = strings.Replace(route, "{}", url.PathEscape(id), 1)
	}
	return route, nil
}

func get[T any](ctx context.Context, c *Client, query url.Values, route string, ids ...string) (T, error) {
	return with[T](ctx, c, request{method: http.MethodGet, query: query}, route, ids...)
}

func post[T any](ctx context.Context, c *Client, body any, route string, ids ...string) (T, error) {
	return with[T](ctx, c, request{method: http.MethodPost, body: body}, route, ids...)
}

func patch[T any](ctx context.Context, c *Client, rev int64, body any, route string, ids ...string) (T, error) {
	return with[T](ctx, c, request{method: http.MethodPatch, body: body, rev: rev}, route, ids...)
}

func with[T any](ctx context.Context, c *Client, r request, route string, ids ...string) (T, error) {
	var err error
	if r.path, err = at(route, ids...); err != nil {
		var none T
		return none, err
	}
	return call[T](ctx, c, r)
}

func (c *Client) delete(ctx context.Context, rev int64, route string, ids ...string) error {
	path, err := at(route, ids...)
	if err != nil {
		return err
	}
	return c.send(ctx, request{method: http.MethodDelete, path: path, rev: rev})
}

// items is a short list that comes without pages.
type items[T any] struct {
	Items []T `json:"items"`
}
