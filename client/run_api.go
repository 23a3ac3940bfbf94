package client

import "context"

// Runs returns a page of the runs that the caller may see, without their steps.
func (c *Client) Runs(ctx context.Context, filter RunFilter) (Page[Run], error) {
	return get[Page[Run]](ctx, c, query(filter), "/runs")
}

// Run returns one with its steps and writes.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return get[Run](ctx, c, nil, "/runs/{}", id)
}

// ResumeRun lets a run that needs attention go on from what is known.
func (c *Client) ResumeRun(ctx context.Context, id string) (Run, error) {
	return post[Run](ctx, c, nil, "/runs/{}/resume", id)
}

// RollBackRun ends a run that is stopped on its way and returns the one that sets the value before it again.
func (c *Client) RollBackRun(ctx context.Context, id string) (Run, error) {
	return post[Run](ctx, c, nil, "/runs/{}/rollback", id)
}

// CancelRun gives up a run that has sent nothing to its system yet.
func (c *Client) CancelRun(ctx context.Context, id string) (Run, error) {
	return post[Run](ctx, c, nil, "/runs/{}/cancel", id)
}
