package client

import "context"

// FindLeak tells who holds a value, as far as the caller may reveal it.
func (c *Client) FindLeak(ctx context.Context, q LeakQuery) (Leak, error) {
	return post[Leak](ctx, c, q, "/leaks/find")
}

// LeakPlaces returns a page of the places of a leak that was found.
func (c *Client) LeakPlaces(ctx context.Context, id string, filter HolderFilter) (Page[Holder], error) {
	return get[Page[Holder]](ctx, c, query(filter), "/leaks/{}/places", id)
}

// LeakPlan says which accounts have to be turned because of it.
func (c *Client) LeakPlan(ctx context.Context, id string) (LeakPlan, error) {
	return get[LeakPlan](ctx, c, nil, "/leaks/{}/plan", id)
}

// RotateLeak starts the runs that can be started now, and says of each account what became of it. When those have ended it is
// called again for the accounts that come after them.
func (c *Client) RotateLeak(ctx context.Context, id string) (LeakPlan, error) {
	return post[LeakPlan](ctx, c, nil, "/leaks/{}/rotate", id)
}
