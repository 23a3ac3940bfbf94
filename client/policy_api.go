package client

import "context"

// Policies returns every policy.
func (c *Client) Policies(ctx context.Context) ([]Policy, error) {
	list, err := get[items[Policy]](ctx, c, nil, "/policies")
	return list.Items, err
}

// Policy returns one, by id or name.
func (c *Client) Policy(ctx context.Context, policy string) (Policy, error) {
	return get[Policy](ctx, c, nil, "/policies/{}", policy)
}

// AddPolicy makes a policy that is for no account yet.
func (c *Client) AddPolicy(ctx context.Context, policy NewPolicy) (Policy, error) {
	return post[Policy](ctx, c, policy, "/policies")
}

// UpdatePolicy changes a policy whose revision is still rev.
func (c *Client) UpdatePolicy(ctx context.Context, policy string, rev int64, change PolicyChange) (Policy, error) {
	return patch[Policy](ctx, c, rev, change, "/policies/{}", policy)
}

// DeletePolicy deletes a policy whose revision is still rev, with its assignments.
func (c *Client) DeletePolicy(ctx context.Context, policy string, rev int64) error {
	return c.delete(ctx, rev, "/policies/{}", policy)
}

// AssignPolicy has a policy apply to accounts.
func (c *Client) AssignPolicy(ctx context.Context, policy string, assignment NewPolicyAssignment) (Policy, error) {
	return post[Policy](ctx, c, assignment, "/policies/{}/assignments", policy)
}

// UnassignPolicy takes an assignment away.
func (c *Client) UnassignPolicy(ctx context.Context, policy, assignment string) error {
	return c.delete(ctx, 0, "/policies/{}/assignments/{}", policy, assignment)
}

// ExplainPolicy says which policy applies to an account, and why.
func (c *Client) ExplainPolicy(ctx context.Context, account string) (PolicyExplanation, error) {
	return get[PolicyExplanation](ctx, c, nil, "/accounts/{}/policy", account)
}

// PreviewPolicy says what a policy would come to. Nothing is stored.
func (c *Client) PreviewPolicy(ctx context.Context, draft PolicyDraft) (PolicyPreview, error) {
	return post[PolicyPreview](ctx, c, draft, "/policies/preview")
}

// Schedule returns a page of the accounts that are due to be changed at some time, those that are overdue first.
func (c *Client) Schedule(ctx context.Context, filter ScheduleFilter) (Page[Account], error) {
	return get[Page[Account]](ctx, c, query(filter), "/schedule")
}
