package client

import "context"

// Types returns the kinds of system that resources can be of.
func (c *Client) Types(ctx context.Context) ([]Type, error) {
	list, err := get[items[Type]](ctx, c, nil, "/types")
	return list.Items, err
}

// Resources returns a page of the resources that the caller may see.
func (c *Client) Resources(ctx context.Context, filter ResourceFilter) (Page[Resource], error) {
	return get[Page[Resource]](ctx, c, query(filter), "/resources")
}

// Resource returns one, by id or name.
func (c *Client) Resource(ctx context.Context, resource string) (Resource, error) {
	return get[Resource](ctx, c, nil, "/resources/{}", resource)
}

// AddResource makes a resource.
func (c *Client) AddResource(ctx context.Context, resource NewResource) (Resource, error) {
	return post[Resource](ctx, c, resource, "/resources")
}

// UpdateResource changes a resource whose revision is still rev.
func (c *Client) UpdateResource(ctx context.Context, resource string, rev int64, change ResourceChange) (Resource, error) {
	return patch[Resource](ctx, c, rev, change, "/resources/{}", resource)
}

// DeleteResource deletes a resource whose revision is still rev.
func (c *Client) DeleteResource(ctx context.Context, resource string, rev int64) error {
	return c.delete(ctx, rev, "/resources/{}", resource)
}
