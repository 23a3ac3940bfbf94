package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Clusters returns a page of the clusters that the caller may see.
func (c *Client) Clusters(ctx context.Context, filter ClusterFilter) (Page[Cluster], error) {
	return get[Page[Cluster]](ctx, c, query(filter), "/clusters")
}

// Cluster returns one, by id or name.
func (c *Client) Cluster(ctx context.Context, cluster string) (Cluster, error) {
	return get[Cluster](ctx, c, nil, "/clusters/{}", cluster)
}

// AddCluster connects a cluster. One that does not pass its checks is not saved; the problem holds the report then.
func (c *Client) AddCluster(ctx context.Context, cluster NewCluster) (Cluster, error) {
	return post[Cluster](ctx, c, cluster, "/clusters")
}

// TestCluster runs the three checks on a cluster that is not saved.
func (c *Client) TestCluster(ctx context.Context, cluster NewCluster) (Report, error) {
	return post[Report](ctx, c, cluster, "/clusters/test")
}

// RetestCluster runs the three checks on a saved cluster with the changes given, and saves none of them.
func (c *Client) RetestCluster(ctx context.Context, cluster string, change ClusterChange) (Report, error) {
	return post[Report](ctx, c, change, "/clusters/{}/test", cluster)
}

// UpdateCluster changes a cluster whose revision is still rev, after testing it.
func (c *Client) UpdateCluster(ctx context.Context, cluster string, rev int64, change ClusterChange) (Cluster, error) {
	return patch[Cluster](ctx, c, rev, change, "/clusters/{}", cluster)
}

// RenewToken replaces the long-lived token of a cluster whose revision is still rev, and ends the one before.
func (c *Client) RenewToken(ctx context.Context, cluster string, rev int64) (Cluster, error) {
	return with[Cluster](ctx, c, request{method: http.MethodPost, rev: rev}, "/clusters/{}/renew-token", cluster)
}

// DeleteCluster removes the association whose revision is still rev. What came from the cluster stays.
func (c *Client) DeleteCluster(ctx context.Context, cluster string, rev int64) error {
	return c.delete(ctx, rev, "/clusters/{}", cluster)
}

// Available returns what could be fetched from a cluster now, in one namespace or, for "", in all.
func (c *Client) Available(ctx context.Context, cluster, namespace string) (RemoteSecrets, error) {
	q := url.Values{}
	if namespace != "" {
		q.Set("namespace", namespace)
	}
	return get[RemoteSecrets](ctx, c, q, "/clusters/{}/available", cluster)
}

// FetchSecrets starts a fetch. It goes on in the server; [Client.Fetch] tells how far it is.
func (c *Client) FetchSecrets(ctx context.Context, cluster string, selection Selection) (Fetch, error) {
	return post[Fetch](ctx, c, selection, "/clusters/{}/fetches", cluster)
}

// Sync starts a sync of what was fetched. [Client.Fetch] tells how far it is.
func (c *Client) Sync(ctx context.Context, cluster string) (Fetch, error) {
	return post[Fetch](ctx, c, nil, "/clusters/{}/sync", cluster)
}

// Fetches returns the fetches and syncs of a cluster, newest first.
func (c *Client) Fetches(ctx context.Context, cluster string) ([]Fetch, error) {
	list, err := get[items[Fetch]](ctx, c, nil, "/clusters/{}/fetches", cluster)
	return list.Items, err
}

// Fetch returns one fetch or sync of a cluster.
func (c *Client) Fetch(ctx context.Context, cluster, fetch string) (Fetch, error) {
	return get[Fetch](ctx, c, nil, "/clusters/{}/fetches/{}", cluster, fetch)
}

// Connector returns the manifest that gives Keyturn its rights in a cluster, as YAML for kubectl apply.
func (c *Client) Connector(ctx context.Context, scope Scope) ([]byte, error) {
	q := url.Values{}
	if len(scope.Namespaces) > 0 {
		q.Set("namespaces", strings.Join(scope.Namespaces, ","))
	}
	if scope.Access != "" {
		q.Set("access", scope.Access)
	}
	if scope.Restart {
		q.Set("restart", "true")
	}
	if scope.PortForward {
		q.Set("portForward", "true")
	}
	if scope.RenewToken {
		q.Set("renewToken", "true")
	}
	if scope.Replace {
		q.Set("replace", "true")
	}
	return c.bytes(ctx, request{method: http.MethodGet, path: "/connector", query: q, accept: "application/yaml, application/problem+json"})
}
