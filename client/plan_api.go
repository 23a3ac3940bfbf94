package client

import "context"

// Plan returns what a reset of an account would do now, and to whom. It changes nothing.
func (c *Client) Plan(ctx context.Context, accountID string) (Plan, error) {
	return get[Plan](ctx, c, nil, "/accounts/{}/plan", accountID)
}

// Rehearse has the whole way of a run tried without changing anything. The answer is running; Rehearsal says what came of it.
func (c *Client) Rehearse(ctx context.Context, accountID string) (Rehearsal, error) {
	return post[Rehearsal](ctx, c, nil, "/accounts/{}/rehearsal", accountID)
}

// Rehearsal returns what the last rehearsal of an account found.
func (c *Client) Rehearsal(ctx context.Context, accountID string) (Rehearsal, error) {
	return get[Rehearsal](ctx, c, nil, "/accounts/{}/rehearsal", accountID)
}
