package client

import "context"

// Restore says whether the repository was restored from an old backup, and what is known since.
func (c *Client) Restore(ctx context.Context) (Restore, error) {
	return get[Restore](ctx, c, nil, "/restore")
}

// CheckRestored has accounts checked again after a restore.
func (c *Client) CheckRestored(ctx context.Context, check RestoreCheck) (Restore, error) {
	return post[Restore](ctx, c, check, "/restore/check")
}

// AcceptRestore ends a restore, with what is not known of some accounts.
func (c *Client) AcceptRestore(ctx context.Context, acceptance RestoreAcceptance) (Restore, error) {
	return post[Restore](ctx, c, acceptance, "/restore/accept")
}
