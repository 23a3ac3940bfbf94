package client

import (
	"context"
	"net/url"
)

// Login opens a session. Its Secret is the Token of a further Client.
func (c *Client) Login(ctx context.Context, login Login) (Session, error) {
	return post[Session](ctx, c, login, "/session")
}

// Session returns who the caller is.
func (c *Client) Session(ctx context.Context) (Session, error) {
	return get[Session](ctx, c, nil, "/session")
}

// Logout ends the caller's session.
func (c *Client) Logout(ctx context.Context) error {
	return c.send(ctx, request{method: "DELETE", path: "/session"})
}

// Users returns all users.
func (c *Client) Users(ctx context.Context) (Page[User], error) {
	return get[Page[User]](ctx, c, nil, "/users")
}

// User returns one, by id or name.
func (c *Client) User(ctx context.Context, user string) (User, error) {
	return get[User](ctx, c, nil, "/users/{}", user)
}

// AddUser makes a user.
func (c *Client) AddUser(ctx context.Context, user NewUser) (User, error) {
	return post[User](ctx, c, user, "/users")
}

// UpdateUser changes a user whose revision is still rev.
func (c *Client) UpdateUser(ctx context.Context, user string, rev int64, change UserChange) (User, error) {
	return patch[User](ctx, c, rev, change, "/users/{}", user)
}

// DeleteUser deletes a user whose revision is still rev.
func (c *Client) DeleteUser(ctx context.Context, user string, rev int64) error {
	return c.delete(ctx, rev, "/users/{}", user)
}

// SetPassword changes a user's password and ends the user's sessions.
func (c *Client) SetPassword(ctx context.Context, user string, password NewPassword) error {
	_, err := post[struct{}](ctx, c, password, "/users/{}/password", user)
	return err
}

// Groups returns all groups.
func (c *Client) Groups(ctx context.Context) (Page[Group], error) {
	return get[Page[Group]](ctx, c, nil, "/groups")
}

// Group returns one, by id or name.
func (c *Client) Group(ctx context.Context, group string) (Group, error) {
	return get[Group](ctx, c, nil, "/groups/{}", group)
}

// AddGroup makes a group.
func (c *Client) AddGroup(ctx context.Context, group NewGroup) (Group, error) {
	return post[Group](ctx, c, group, "/groups")
}

// UpdateGroup changes a group whose revision is still rev.
func (c *Client) UpdateGroup(ctx context.Context, group string, rev int64, change GroupChange) (Group, error) {
	return patch[Group](ctx, c, rev, change, "/groups/{}", group)
}

// DeleteGroup deletes a group whose revision is still rev, and with it what was granted to it.
func (c *Client) DeleteGroup(ctx context.Context, group string, rev int64) error {
	return c.delete(ctx, rev, "/groups/{}", group)
}

// Grants returns the grants that match.
func (c *Client) Grants(ctx context.Context, filter GrantFilter) (Page[Grant], error) {
	return get[Page[Grant]](ctx, c, query(filter), "/grants")
}

// AddGrant gives a user or a group a right on an object.
func (c *Client) AddGrant(ctx context.Context, grant NewGrant) (Grant, error) {
	return post[Grant](ctx, c, grant, "/grants")
}

// DeleteGrant takes a right back if its revision is still rev.
func (c *Client) DeleteGrant(ctx context.Context, id string, rev int64) error {
	return c.delete(ctx, rev, "/grants/{}", id)
}

// Sessions returns the sessions of a user, by id or name, that have not ended, or the caller's own for "".
func (c *Client) Sessions(ctx context.Context, user string) ([]OpenSession, error) {
	q := url.Values{}
	if user != "" {
		q.Set("user", user)
	}
	list, err := get[items[OpenSession]](ctx, c, q, "/sessions")
	return list.Items, err
}

// EndSession ends a session, at once. A session has no revision.
func (c *Client) EndSession(ctx context.Context, id string) error {
	return c.delete(ctx, 0, "/sessions/{}", id)
}

// Tokens returns the API tokens of a user, by id or name, or the caller's own for "".
func (c *Client) Tokens(ctx context.Context, owner string) (Page[Token], error) {
	q := url.Values{}
	if owner != "" {
		q.Set("owner", owner)
	}
	return get[Page[Token]](ctx, c, q, "/tokens")
}

// AddToken makes an API token for the caller. Its Secret is in this answer and nowhere else.
func (c *Client) AddToken(ctx context.Context, token NewToken) (Token, error) {
	return post[Token](ctx, c, token, "/tokens")
}

// DeleteToken ends an API token. A token never changes, so it has no revision.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	return c.delete(ctx, 0, "/tokens/{}", id)
}
