package client

import (
	"context"
	"net/http"
)

// Conflicts returns a page of the conflicts of Secrets that the caller may see, the newest first.
func (c *Client) Conflicts(ctx context.Context, filter ConflictFilter) (Page[Conflict], error) {
	return get[Page[Conflict]](ctx, c, query(filter), "/conflicts")
}

// Conflict returns the conflict of a Secret, a settled one too.
func (c *Client) Conflict(ctx context.Context, secretID string) (Conflict, error) {
	return get[Conflict](ctx, c, nil, "/conflicts/{}", secretID)
}

// ResolveConflict says which side is right, cluster or vault, of a conflict whose revision is still rev. The vault's values are
// written soon after.
func (c *Client) ResolveConflict(ctx context.Context, secretID string, rev int64, keep string) (Conflict, error) {
	return with[Conflict](ctx, c, request{method: http.MethodPost, rev: rev, body: ConflictResolution{Keep: keep}}, "/conflicts/{}/resolve", secretID)
}

// SetClusterDrift sets the drift policy of a cluster whose revision is still rev.
func (c *Client) SetClusterDrift(ctx context.Context, cluster string, rev int64, policy string) (Drift, error) {
	return with[Drift](ctx, c, request{method: http.MethodPut, rev: rev, body: DriftChange{Policy: policy}}, "/clusters/{}/on-drift", cluster)
}

// SetResourceDrift sets that of a namespace, by its resource.
func (c *Client) SetResourceDrift(ctx context.Context, resource string, rev int64, policy string) (Drift, error) {
	return with[Drift](ctx, c, request{method: http.MethodPut, rev: rev, body: DriftChange{Policy: policy}}, "/resources/{}/on-drift", resource)
}

// SetSecretDrift sets that of a Secret.
func (c *Client) SetSecretDrift(ctx context.Context, secretID string, rev int64, policy string) (Drift, error) {
	return with[Drift](ctx, c, request{method: http.MethodPut, rev: rev, body: DriftChange{Policy: policy}}, "/secrets/{}/on-drift", secretID)
}
