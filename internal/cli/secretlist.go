package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

// pathOf is what other commands take for a Secret: CLUSTER/NAMESPACE/SECRET.
func pathOf(s client.Secret) string {
	return strings.Join([]string{s.ClusterName, s.Namespace, s.Name}, "/")
}

func (k *command) secretView() view[client.Secret] {
	type row = client.Secret
	return view[row]{
		name: pathOf,
		columns: []column[row]{
			{head: "SECRET", cell: pathOf, flexible: true},
			{head: "TYPE", cell: func(s row) string { return s.Type }, flexible: true},
			{head: "STATE", cell: func(s row) string { return word(state.Key, s.State) }},
			{head: "VERSION", cell: func(s row) string { return version(s.Current) }},
			{head: "MAPPED", cell: func(s row) string { return fmt.Sprintf("%d/%d", s.MappedKeys, s.KeyCount) }},
			{head: "AGE", cell: func(s row) string { return k.age(s.CreatedAt) }},
			{head: "SIZE", cell: func(s row) string { return size(s.Size) }, wide: true},
			{head: "SEEN", cell: func(s row) string { return k.age(s.SeenAt) }, wide: true},
			{head: "DELETED", cell: func(s row) string { return k.ageOf(s.DeletedAt) }, wide: true},
			{head: "REASON", cell: func(s row) string { return s.Reason }, wide: true},
		},
	}
}

func (k *command) secretList() *cobra.Command {
	var l listing
	f := client.SecretFilter{}
	c := k.call("list [--cluster C] [--resource R] [--namespace N] [--type T] [--state S]", "List Secrets; those that were deleted in their cluster only with --state tombstone", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			f.ListOptions, f.State = l.options(), l.stateWords()
			rows, total, err := collect(l.limit, func(cursor string) (client.Page[client.Secret], error) {
				f.Cursor = cursor
				return api.Secrets(ctx, f)
			})
			if err != nil {
				return err
			}
			return printList(k, k.secretView(), rows, total)
		})
	l.flags(c, true)
	k.placeFlags(c, &f.Cluster, &f.Resource)
	c.Flags().StringVarP(&f.Namespace, "namespace", "n", "", "only those in namespaces of this name")
	c.Flags().StringSliceVar(&f.Type, "type", nil, "only Secrets of these types, such as kubernetes.io/tls")
	c.Flags().BoolVar(&f.Unmapped, "unmapped", false, "only those with a key that is not mapped")
	return c
}

func (k *command) secretGet() *cobra.Command {
	c := k.call("get CLUSTER/NAMESPACE/SECRET", "Show a Secret with its keys, a deleted one too", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := secretAt(ctx, api, args[0])
			if err != nil {
				return err
			}
			secret, err := api.Secret(ctx, found.ID) // with its keys
			if err != nil {
				return err
			}
			return k.printSecret(secret, pathOf(secret))
		})
	c.ValidArgsFunction = k.complete(secretNames)
	return c
}

func keyChanges(v client.SecretVersion) string {
	all := make([]string, len(v.Keys))
	for i, key := range v.Keys {
		all[i] = key.Name + " " + key.Change
	}
	return strings.Join(all, ", ")
}

func (k *command) secretHistory() *cobra.Command {
	var limit int
	c := k.call("history CLUSTER/NAMESPACE/SECRET", "List the versions of a Secret: which keys each changed, when, by whom and from which side", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			secret, err := secretAt(ctx, api, args[0])
			if err != nil {
				return err
			}
			filter := client.VersionFilter{Limit: (&listing{limit: limit}).options().Limit}
			rows, total, err := collect(limit, func(cursor string) (client.Page[client.SecretVersion], error) {
				filter.Cursor = cursor
				return api.SecretVersions(ctx, secret.ID, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.historyView(), rows, total)
		})
	c.Long = "No value is opened or shown. Side says where the change was made: in the cluster, or by Keyturn."
	c.Flags().IntVar(&limit, "limit", 0, "show at most so many (default all)")
	c.ValidArgsFunction = k.complete(secretNames)
	return c
}

func (k *command) historyView() view[client.SecretVersion] {
	type row = client.SecretVersion
	return view[row]{
		name: func(v row) string { return fmt.Sprint(v.Number) },
		columns: []column[row]{
			{head: "VERSION", cell: func(v row) string { return version(v.Number) }},
			{head: "STAGE", cell: func(v row) string { return word(state.Version, v.Stage) }},
			{head: "KEYS", cell: keyChanges, flexible: true},
			{head: "SIDE", cell: func(v row) string { return v.Side }},
			{head: "BY", cell: func(v row) string { return v.Actor }, flexible: true},
			{head: "AGE", cell: func(v row) string { return k.age(v.CreatedAt) }},
			{head: "SOURCE", cell: func(v row) string { return v.Source }, wide: true},
			{head: "CREATED", cell: func(v row) string { return instant(v.CreatedAt) }, wide: true},
			{head: "RETIRED", cell: func(v row) string { return instantOf(v.RetiredAt) }, wide: true},
		},
	}
}

// secretNames completes CLUSTER/NAMESPACE/SECRET.
func secretNames(ctx context.Context, api *client.Client, begin string) ([]string, error) {
	cluster, rest, ok := strings.Cut(begin, "/")
	if !ok {
		found, err := clusterNames(ctx, api, begin)
		return mapped(found, func(name string) string { return name + "/" }), err
	}
	page, err := api.Secrets(ctx, client.SecretFilter{ListOptions: few(rest), Cluster: cluster})
	return mapped(page.Items, pathOf), err
}
