package client

import "context"

// Keys returns the data keys, the newest first.
func (c *Client) Keys(ctx context.Context) ([]DataKey, error) {
	list, err := get[items[DataKey]](ctx, c, nil, "/keys")
	return list.Items, err
}

// RotateKey makes a new data key. What the one before has sealed is sealed again in the background.
func (c *Client) RotateKey(ctx context.Context) (KeyRotation, error) {
	return post[KeyRotation](ctx, c, nil, "/keys/rotate")
}

// RemoveKey removes a retired data key that nothing is sealed with any more. A key has no revision.
func (c *Client) RemoveKey(ctx context.Context, id string) error {
	return c.delete(ctx, 0, "/keys/{}", id)
}

// ChangeRoot has the next root key take the place of the present one.
func (c *Client) ChangeRoot(ctx context.Context, next NextRoot) (RootChange, error) {
	return post[RootChange](ctx, c, next, "/keys/root")
}
