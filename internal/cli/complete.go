package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

const (
	// completeWithin bounds how long a person who pressed Tab waits.
	completeWithin = 2 * time.Second
	// completions is how many names are offered at most.
	completions = 200
)

// names offers what an argument may be, given its beginning. A name that goes on ends in a slash.
type names func(ctx context.Context, api *client.Client, begin string) ([]string, error)

// complete offers names for the arguments of a command, one source for each.
func (k *command) complete(sources ...names) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(sources) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return k.offer(c.Context(), sources[len(args)], begin)
	}
}

// completeFlag offers names for a flag.
func (k *command) completeFlag(source names) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		return k.offer(c.Context(), source, begin)
	}
}

func (k *command) offer(ctx context.Context, source names, begin string) ([]string, cobra.ShellCompDirective) {
	ctx, stop := context.WithTimeout(ctx, completeWithin)
	defer stop()
	api, err := k.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := source(ctx, api, begin)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	var out []string
	for _, name := range found {
		if strings.HasPrefix(name, begin) {
			out = append(out, clean(name))
		}
		if strings.HasSuffix(name, "/") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
	}
	return out, directive
}

func few(begin string) client.ListOptions {
	return client.ListOptions{Limit: completions, Search: begin}
}

// mapped returns f of every row.
func mapped[T any](rows []T, f func(T) string) []string {
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		out = append(out, f(row))
	}
	return out
}

func clusterNames(ctx context.Context, api *client.Client, begin string) ([]string, error) {
	page, err := api.Clusters(ctx, client.ClusterFilter{ListOptions: few(begin)})
	return mapped(page.Items, func(c client.Cluster) string { return c.Name }), err
}

func resourceNames(ctx context.Context, api *client.Client, begin string) ([]string, error) {
	page, err := api.Resources(ctx, client.ResourceFilter{ListOptions: few(begin)})
	return mapped(page.Items, func(r client.Resource) string { return r.Name }), err
}

func typeNames(ctx context.Context, api *client.Client, _ string) ([]string, error) {
	types, err := api.Types(ctx)
	return mapped(types, func(t client.Type) string { return t.Type }), err
}

func userNames(ctx context.Context, api *client.Client, _ string) ([]string, error) {
	page, err := api.Users(ctx)
	return mapped(page.Items, func(u client.User) string { return u.Name }), err
}

func groupNames(ctx context.Context, api *client.Client, _ string) ([]string, error) {
	page, err := api.Groups(ctx)
	return mapped(page.Items, func(g client.Group) string { return g.Name }), err
}

func runIDs(ctx context.Context, api *client.Client, _ string) ([]string, error) {
	page, err := api.Runs(ctx, client.RunFilter{ListOptions: few("")})
	return mapped(page.Items, func(r client.Run) string { return r.ID }), err
}

func accountNames(ctx context.Context, api *client.Client, begin string) ([]string, error) {
	resource, account, ok := strings.Cut(begin, "/")
	if !ok {
		found, err := resourceNames(ctx, api, begin)
		return mapped(found, func(name string) string { return name + "/" }), err
	}
	page, err := api.Accounts(ctx, client.AccountFilter{ListOptions: few(account), Resource: resource})
	if err != nil {
		return nil, err
	}
	out := mapped(page.Items, func(a client.Account) string { return resource + "/" + a.Name })
	secrets, err := api.Secrets(ctx, client.SecretFilter{ListOptions: few(account), Resource: resource})
	return append(out, mapped(secrets.Items, func(s client.Secret) string { return resource + "/" + s.Name })...), err
}

// keyPaths offers CLUSTER/NAMESPACE/SECRET/KEY, one part after the other.
func keyPaths(ctx context.Context, api *client.Client, begin string) ([]string, error) {
	p := strings.Split(begin, "/")
	switch len(p) {
	case 1:
		found, err := clusterNames(ctx, api, begin)
		return mapped(found, func(name string) string { return name + "/" }), err
	case 2:
		page, err := api.Resources(ctx, client.ResourceFilter{ListOptions: few(""), Cluster: p[0]})
		return mapped(page.Items, func(r client.Resource) string { return p[0] + "/" + r.Namespace + "/" }), err
	case 3:
		page, err := api.Secrets(ctx, client.SecretFilter{ListOptions: few(p[2]), Cluster: p[0], Namespace: p[1]})
		return mapped(page.Items, func(s client.Secret) string { return p[0] + "/" + p[1] + "/" + s.Name + "/" }), err
	case 4:
		secret, _, err := findKey(ctx, api, strings.Join(p[:3], "/")+"/any")
		if err != nil {
			return nil, err
		}
		secret, err = api.Secret(ctx, secret.ID)
		return mapped(secret.Keys, func(key client.Key) string { return strings.Join(p[:3], "/") + "/" + key.Name }), err
	}
	return nil, nil
}
