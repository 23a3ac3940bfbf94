package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Accounts returns a page of the accounts that the caller may see. Secrets are accounts too; [Client.Secrets] has them.
func (c *Client) Accounts(ctx context.Context, filter AccountFilter) (Page[Account], error) {
	return get[Page[Account]](ctx, c, query(filter), "/accounts")
}

// Account returns one.
func (c *Client) Account(ctx context.Context, id string) (Account, error) {
	return get[Account](ctx, c, nil, "/accounts/{}", id)
}

// AddAccount makes an account on a resource, which is named by id or name.
func (c *Client) AddAccount(ctx context.Context, resource string, account NewAccount) (Account, error) {
	return post[Account](ctx, c, account, "/resources/{}/accounts", resource)
}

// UpdateAccount changes an account whose revision is still rev. It never touches the real system.
func (c *Client) UpdateAccount(ctx context.Context, id string, rev int64, change AccountChange) (Account, error) {
	return patch[Account](ctx, c, rev, change, "/accounts/{}", id)
}

// DeleteAccount deletes an account whose revision is still rev.
func (c *Client) DeleteAccount(ctx context.Context, id string, rev int64) error {
	return c.delete(ctx, rev, "/accounts/{}", id)
}

// Versions returns the versions of an account or a Secret, without values.
func (c *Client) Versions(ctx context.Context, id string) ([]Version, error) {
	list, err := get[items[Version]](ctx, c, nil, "/accounts/{}/versions", id)
	return list.Items, err
}

// Reveal returns a value of an account, or of one key of a Secret. It is recorded.
func (c *Client) Reveal(ctx context.Context, id string, ask Reveal) (Revealed, error) {
	return post[Revealed](ctx, c, ask, "/accounts/{}/reveal", id)
}

// Reset starts a run that changes an account's credential everywhere. [Client.Run] tells how far it is.
func (c *Client) Reset(ctx context.Context, id string, reset Reset) (Run, error) {
	return post[Run](ctx, c, reset, "/accounts/{}/reset", id)
}

// Verify logs in with the stored value and tells what that showed.
func (c *Client) Verify(ctx context.Context, id string) (Verified, error) {
	return post[Verified](ctx, c, nil, "/accounts/{}/verify", id)
}

// Secrets returns a page of the Secrets that the caller may see.
func (c *Client) Secrets(ctx context.Context, filter SecretFilter) (Page[Secret], error) {
	return get[Page[Secret]](ctx, c, query(filter), "/secrets")
}

// Secret returns one with its keys.
func (c *Client) Secret(ctx context.Context, id string) (Secret, error) {
	return get[Secret](ctx, c, nil, "/secrets/{}", id)
}

// Download returns a Secret with its values as a manifest in JSON that kubectl apply takes. It is recorded.
func (c *Client) Download(ctx context.Context, secret string) (Value, error) {
	path, err := at("/secrets/{}/download", secret)
	if err != nil {
		return Value{}, err
	}
	body, err := c.bytes(ctx, request{method: http.MethodPost, path: path})
	if err != nil {
		return Value{}, err
	}
	return NewValue(string(body)), nil
}

// Found is what [Client.FindAccount] found: one of the two.
type Found struct {
	Account *Account
	Secret  *Secret
}

// ID returns the id, which the routes of accounts take for both.
func (f Found) ID() string {
	if f.Account != nil {
		return f.Account.ID
	}
	return f.Secret.ID
}

// Name returns "resource/account".
func (f Found) Name() string {
	if f.Account != nil {
		return f.Account.ResourceName + "/" + f.Account.Name
	}
	return f.Secret.ResourceName + "/" + f.Secret.Name
}

// FindAccount returns the account that "resource/account" names, or an id. On a kubernetes resource that is a Secret,
// without its keys; of two of one name the one that was not deleted in its cluster. It needs no right on the resource.
func (c *Client) FindAccount(ctx context.Context, name string) (Found, error) {
	resource, account, ok := strings.Cut(name, "/")
	if !ok {
		return c.findByID(ctx, name)
	}
	if resource == "" || account == "" {
		return Found{}, noAccount(`Write it as "RESOURCE/ACCOUNT".`)
	}
	accounts, err := c.Accounts(ctx, AccountFilter{Resource: resource, Name: account})
	if err != nil && !notFound(err) {
		return Found{}, err
	}
	if len(accounts.Items) > 0 {
		return Found{Account: &accounts.Items[0]}, nil
	}
	secrets, err := c.Secrets(ctx, SecretFilter{Resource: resource, Name: account})
	if err != nil && !notFound(err) {
		return Found{}, err
	}
	if s := living(secrets.Items); s != nil {
		return Found{Secret: s}, nil
	}
	// Lists leave tombstones out, but their values are kept and can be asked for.
	gone, err := c.Secrets(ctx, SecretFilter{Resource: resource, Name: account, State: []string{"tombstone"}})
	if err != nil && !notFound(err) {
		return Found{}, err
	}
	if len(gone.Items) > 0 {
		return Found{Secret: &gone.Items[0]}, nil
	}
	return Found{}, noAccount("Look at the list of accounts; its names are RESOURCE/ACCOUNT.")
}

func (c *Client) findByID(ctx context.Context, id string) (Found, error) {
	account, err := c.Account(ctx, id)
	if err == nil {
		return Found{Account: &account}, nil
	}
	if !notFound(err) {
		return Found{}, err
	}
	secret, err := c.Secret(ctx, id)
	if err == nil {
		return Found{Secret: &secret}, nil
	}
	if !notFound(err) {
		return Found{}, err
	}
	return Found{}, noAccount(`Write it as "RESOURCE/ACCOUNT", or give its id.`)
}

// living returns the first Secret that is no tombstone, or else the first, or nil.
func living(secrets []Secret) *Secret {
	for i := range secrets {
		if secrets[i].DeletedAt == nil {
			return &secrets[i]
		}
	}
	if len(secrets) > 0 {
		return &secrets[0]
	}
	return nil
}

func notFound(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound
}

func noAccount(cure string) error {
	return &Problem{Type: problemType + "not-found", Title: "There is no such account", Status: http.StatusNotFound,
		Cause: "It does not exist, or you may not know of it.", Cure: cure}
}
