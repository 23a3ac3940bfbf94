package client

import "context"

// Mappings returns a page of the mappings that the caller may see.
func (c *Client) Mappings(ctx context.Context, filter MappingFilter) (Page[Mapping], error) {
	return get[Page[Mapping]](ctx, c, query(filter), "/mappings")
}

// Mapping returns one.
func (c *Client) Mapping(ctx context.Context, id string) (Mapping, error) {
	return get[Mapping](ctx, c, nil, "/mappings/{}", id)
}

// CompareMapping tells how a key compares with an account, before it is mapped.
func (c *Client) CompareMapping(ctx context.Context, mapping NewMapping) (Comparison, error) {
	return post[Comparison](ctx, c, mapping, "/mappings/compare")
}

// AddMapping maps a key to an account. Where their values differ and Keep is empty it is refused with status 409 and
// the type [Differs].
func (c *Client) AddMapping(ctx context.Context, mapping NewMapping) (Mapping, error) {
	return post[Mapping](ctx, c, mapping, "/mappings")
}

// Differs is the type of the problem that asks which side of a mapping is right.
const Differs = problemType + "differs"

// UpdateMapping changes a mapping whose revision is still rev.
func (c *Client) UpdateMapping(ctx context.Context, id string, rev int64, change MappingChange) (Mapping, error) {
	return patch[Mapping](ctx, c, rev, change, "/mappings/{}", id)
}

// DeleteMapping deletes a mapping whose revision is still rev. The key keeps its value.
func (c *Client) DeleteMapping(ctx context.Context, id string, rev int64) error {
	return c.delete(ctx, rev, "/mappings/{}", id)
}
