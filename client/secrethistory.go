package client

import (
	"context"
	"net/http"
)

// SecretVersion is a version of a Secret with what it changed.
type SecretVersion struct {
	Number int64  `json:"number"`
	Stage  string `json:"stage" enum:"pending,current,previous,retired"`
	Source string `json:"source" enum:"fetched,written,generated,typed,restored,adopted"`
	// Side says where the change was made.
	Side      string `json:"side" enum:"cluster,keyturn"`
	Actor     string `json:"actor"` // who brought it into the repository, or made the change in Keyturn
	CreatedAt Time   `json:"createdAt"`
	RetiredAt *Time  `json:"retiredAt,omitempty"`
	// Keys are those that differ from the version before; of the first version all.
	Keys []KeyChange `json:"keys"`
	Can  Can         `json:"can,omitempty"`
}

// KeyChange is what was done to a key.
type KeyChange struct {
	Name   string `json:"name"`
	Change string `json:"change" enum:"added,changed,removed"`
}

// VersionFilter chooses a page of versions, newest first.
type VersionFilter struct {
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"rows on a page; 100 if not given"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
}

// SecretVersions returns a page of a Secret's versions, newest first, without values.
func (c *Client) SecretVersions(ctx context.Context, id string, filter VersionFilter) (Page[SecretVersion], error) {
	return get[Page[SecretVersion]](ctx, c, query(filter), "/secrets/{}/versions", id)
}

// SecretRestore says which version to bring a Secret back to.
type SecretRestore struct {
	Version int64    `json:"version,omitempty" minimum:"0" doc:"0: a deleted Secret's last state, any other's version before the current one"`
	Keys    []string `json:"keys,omitempty" maxItems:"1000" doc:"only these; without any, all"`
}

// SecretRestored is what was written.
type SecretRestored struct {
	Version int64 `json:"version"`
	// Made says that the Secret was deleted and was made again.
	Made bool `json:"made"`
	// Keys are those that were written; none where the Secret was so already.
	Keys []KeyChange `json:"keys"`
}

// RestoreSecret brings a Secret whose revision is still rev back to an older version, in its cluster. A deleted one is made again.
func (c *Client) RestoreSecret(ctx context.Context, id string, rev int64, to SecretRestore) (SecretRestored, error) {
	return with[SecretRestored](ctx, c, request{method: http.MethodPost, rev: rev, body: to}, "/secrets/{}/restore", id)
}
