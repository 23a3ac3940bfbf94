package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// Health returns what the server says of itself. It needs no token.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return get[Health](ctx, c, nil, "/health")
}

// Unseal opens a sealed server. It needs no token.
func (c *Client) Unseal(ctx context.Context, unseal Unseal) (Health, error) {
	return post[Health](ctx, c, unseal, "/unseal")
}

// Setup makes the first administrator and opens the first session. It needs no token but the one-time code.
func (c *Client) Setup(ctx context.Context, setup Setup) (Session, error) {
	return post[Session](ctx, c, setup, "/setup")
}

// Overview returns what waits for a person, and counts by state.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, nil, "/overview")
}

// maxMessage bounds one message of the event stream, which holds a few ids.
const maxMessage = 64 << 10

// Watch calls f with every change after the one with the number after, until ctx ends or the connection breaks; it
// always returns an error. The caller goes on from the last Seq that it got. f is called in order, by this goroutine.
func (c *Client) Watch(ctx context.Context, after int64, f func(Change)) error {
	q := url.Values{}
	if after > 0 {
		q.Set("after", strconv.FormatInt(after, 10))
	}
	res, err := c.open(ctx, request{method: http.MethodGet, path: "/events", query: q,
		accept: "text/event-stream, application/problem+json"}, nil, "")
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 4<<10), maxMessage)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !ok {
			continue // a comment that keeps the connection open, an event's name or id, or the end of a message
		}
		var change Change
		if json.Unmarshal(data, &change) != nil {
			return notKeyturn(res.StatusCode, "A message of the event stream is not one of Keyturn's.")
		}
		f(change)
	}
	err = lines.Err()
	if err == nil {
		err = errors.New("the server ended the event stream")
	}
	return noAnswer(ctx, err)
}
