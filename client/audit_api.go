package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// AuditEvents returns a page of the audit log, newest first. The page's Total counts what matches the filter.
func (c *Client) AuditEvents(ctx context.Context, filter AuditFilter) (Page[AuditEvent], error) {
	return get[Page[AuditEvent]](ctx, c, query(filter), "/audit")
}

// AuditEvent returns one.
func (c *Client) AuditEvent(ctx context.Context, id string) (AuditEvent, error) {
	return get[AuditEvent](ctx, c, nil, "/audit/events/{}", id)
}

// VerifyAudit lets the server check the whole log.
func (c *Client) VerifyAudit(ctx context.Context) (AuditVerification, error) {
	return post[AuditVerification](ctx, c, nil, "/audit/verify")
}

// AuditExport writes the entries from ≤ seq < to to w, as lines of JSON that are proved without a server. A to of 0
// means all there are. After an error w holds a part that does not prove.
func (c *Client) AuditExport(ctx context.Context, w io.Writer, from, to int64) error {
	q := url.Values{}
	if from != 0 {
		q.Set("from", strconv.FormatInt(from, 10))
	}
	if to != 0 {
		q.Set("to", strconv.FormatInt(to, 10))
	}
	res, err := c.open(ctx, request{method: http.MethodGet, path: "/audit/export", query: q,
		accept: "application/x-ndjson, application/problem+json"}, nil, "")
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body := &watched{r: res.Body}
	if _, err := io.Copy(w, body); err != nil {
		if body.err != nil {
			return noAnswer(ctx, body.err)
		}
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// watched remembers whether reading failed, to tell that from a failed write.
type watched struct {
	r   io.Reader
	err error
}

func (c *watched) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
