package client

import "context"

// Duplicates returns a page of the values that several places hold which the caller may read.
func (c *Client) Duplicates(ctx context.Context, filter DuplicateFilter) (Page[Duplicate], error) {
	return get[Page[Duplicate]](ctx, c, query(filter), "/duplicates")
}

// Duplicate returns one.
func (c *Client) Duplicate(ctx context.Context, id string) (Duplicate, error) {
	return get[Duplicate](ctx, c, nil, "/duplicates/{}", id)
}

// DuplicatePlaces returns a page of the places that hold one of them.
func (c *Client) DuplicatePlaces(ctx context.Context, id string, filter HolderFilter) (Page[Holder], error) {
	return get[Page[Holder]](ctx, c, query(filter), "/duplicates/{}/places", id)
}
