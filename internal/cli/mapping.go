package cli

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) mappingCommands() *cobra.Command {
	return k.group("mapping", "Which Secret keys carry which account's credential",
		k.mappingList(), k.mappingAdd(), k.mappingEdit(), k.mappingDelete())
}

// keyPath names a Secret key. No part has a slash in it.
func keyPath(cluster, namespace, secret, key string) string {
	return strings.Join([]string{cluster, namespace, secret, key}, "/")
}

// keyView shows mappings below their account.
func keyView() view[client.Mapping] {
	type row = client.Mapping
	return view[row]{
		name: func(m row) string { return m.ID },
		columns: []column[row]{
			{head: "KEY", cell: func(m row) string { return keyPath(m.ClusterName, m.Namespace, m.Secret, m.Key) }, flexible: true},
			{head: "STATE", cell: func(m row) string { return word(state.Key, m.State) }},
			{head: "VERSION", cell: func(m row) string { return version(m.Written) }},
		},
	}
}

func (k *command) mappingView() view[client.Mapping] {
	type row = client.Mapping
	v := keyView()
	v.columns = append([]column[row]{
		{head: "ACCOUNT", cell: func(m row) string { return m.ResourceName + "/" + m.AccountName }, flexible: true},
	}, v.columns...)
	v.columns = append(v.columns,
		column[row]{head: "ON WRITE", cell: func(m row) string { return m.OnWrite }, wide: true},
		column[row]{head: "HOLDS", cell: func(m row) string { return m.Holds }, wide: true},
		column[row]{head: "PLACE", cell: func(m row) string { return placeText(m.Place) }, wide: true},
		column[row]{head: "CURRENT", cell: func(m row) string { return version(m.Current) }, wide: true},
		column[row]{head: "CHECKED", cell: func(m row) string { return k.ageOf(m.CheckedAt) }, wide: true},
		column[row]{head: "REASON", cell: func(m row) string { return m.Reason }, wide: true},
		column[row]{head: "ID", cell: func(m row) string { return m.ID }, wide: true},
	)
	return v
}

func (k *command) mappingList() *cobra.Command {
	var l listing
	var account, resource, cluster string
	c := k.call("list [--account RESOURCE/ACCOUNT] [--resource R] [--cluster C]", "List mappings", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			filter := client.MappingFilter{ListOptions: l.options(), Resource: resource, Cluster: cluster, State: l.stateWords()}
			if account != "" {
				found, err := api.FindAccount(ctx, account)
				if err != nil {
					return err
				}
				if found.Account != nil {
					filter.Account = found.ID()
				} else {
					filter.Secret = found.ID()
				}
			}
			rows, sum, err := collect(l.limit, func(cursor string) (client.Page[client.Mapping], error) {
				filter.Cursor = cursor
				return api.Mappings(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.mappingView(), rows, sum)
		})
	l.flags(c, true)
	f := c.Flags()
	f.StringVar(&account, "account", "", "only those of this account or Secret")
	f.StringVar(&resource, "resource", "", "only those of this resource's Secrets")
	f.StringVar(&cluster, "cluster", "", "only those in this cluster")
	_ = c.RegisterFlagCompletionFunc("account", k.completeFlag(accountNames))
	_ = c.RegisterFlagCompletionFunc("resource", k.completeFlag(resourceNames))
	_ = c.RegisterFlagCompletionFunc("cluster", k.completeFlag(clusterNames))
	return c
}

// findKey returns the Secret of CLUSTER/NAMESPACE/SECRET/KEY and the key's name.
func findKey(ctx context.Context, api *client.Client, path string) (client.Secret, string, error) {
	p := strings.Split(path, "/")
	if len(p) != 4 || slices.Contains(p, "") {
		return client.Secret{}, "", usage("a key is written CLUSTER/NAMESPACE/SECRET/KEY")
	}
	filter := client.SecretFilter{Cluster: p[0], Namespace: p[1], Name: p[2]}
	found, err := api.Secrets(ctx, filter)
	if err != nil {
		return client.Secret{}, "", err
	}
	for _, s := range found.Items {
		if s.DeletedAt == nil {
			return s, p[3], nil
		}
	}
	return client.Secret{}, "", &client.Problem{
		Type: "urn:keyturn:problem:not-found", Status: http.StatusNotFound, Title: "There is no such Secret",
		Cause: "It was not fetched, was deleted in its cluster, or you may not know of it.",
		Cure:  `Fetch it with "keyturn cluster fetch", or look at "keyturn account list --type kubernetes".`,
	}
}

// placeText is where in a key's value a credential stands, as one reads it; empty where it is the value.
func placeText(p *client.Place) string {
	if p == nil {
		return ""
	}
	if p.At == "" {
		return p.Format
	}
	return p.Format + " " + p.At
}

// placeFlags are the flags that say where in a key's value a credential stands.
type placeFlags struct{ format, at, user, template string }

func (p *placeFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.format, "format", "", "how the key's value is read, if the credential is a part of it: "+strings.Join(client.PlaceFormats()[1:], ", "))
	f.StringVar(&p.at, "at", "", "where in it the password stands: a JSON pointer, a key, a registry, a user, by format")
	f.StringVar(&p.user, "user-at", "", "where the user name stands (json, yaml, env, properties)")
	f.StringVar(&p.template, "template-file", "", "file with the text of the format template: {{user}} and {{password}} in it")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(client.PlaceFormats(), cobra.ShellCompDirectiveNoFileComp))
}

// place returns nil when no flag says that the credential is a part of the value.
func (p *placeFlags) place() (*client.Place, error) {
	if *p == (placeFlags{}) || *p == (placeFlags{format: "whole"}) {
		return nil, nil
	}
	if p.format == "" {
		return nil, usage("--at, --user-at and --template-file need --format")
	}
	out := &client.Place{Format: p.format, At: p.at, User: p.user}
	if p.template != "" {
		text, err := os.ReadFile(p.template)
		if err != nil {
			return nil, err
		}
		out.Template = string(text)
	}
	return out, nil
}

func (k *command) mappingAdd() *cobra.Command {
	var keep, onWrite, holds string
	var at placeFlags
	c := k.call("add RESOURCE/ACCOUNT CLUSTER/NAMESPACE/SECRET/KEY [--format F [--at PLACE]] [--holds H] [--on-write W] [--keep vault|cluster]",
		"Say that a key, or a part of its value, carries an account's credential", 2, 2, func(ctx context.Context, api *client.Client, args []string) error {
			place, err := at.place()
			if err != nil {
				return err
			}
			if keep != "" && keep != "vault" && keep != "cluster" {
				return usage("--keep is vault or cluster")
			}
			if holds != "" && !slices.Contains(holdsWords, holds) {
				return usage("--holds is password, username or both")
			}
			if err := checkOnWrite(onWrite); err != nil {
				return err
			}
			account, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			secret, key, err := findKey(ctx, api, args[1])
			if err != nil {
				return err
			}
			m, err := api.AddMapping(ctx, client.NewMapping{AccountID: account.ID, SecretID: secret.ID, Key: key, Place: place, Holds: holds, OnWrite: onWrite, Keep: keep})
			if err != nil {
				return err
			}
			k.done("%s carries %s/%s.", keyPath(m.ClusterName, m.Namespace, m.Secret, m.Key), m.ResourceName, m.AccountName)
			return k.printMapping(m)
		})
	at.add(c)
	c.Flags().StringVar(&holds, "holds", "", "what of the account stands there: password (if not given), username, or both, in a format that has a place for it")
	_ = c.RegisterFlagCompletionFunc("holds", cobra.FixedCompletions(holdsWords, cobra.ShellCompDirectiveNoFileComp))
	onWriteFlag(c, &onWrite)
	c.Flags().StringVar(&keep, "keep", "", "which side is right if their values differ: vault or cluster")
	_ = c.RegisterFlagCompletionFunc("keep", cobra.FixedCompletions([]string{"vault", "cluster"}, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = k.complete(accountNames, keyPaths)
	return c
}

func (k *command) printMapping(m client.Mapping) error {
	return printOne(k, m, m.ID, []fact{
		{"account", m.ResourceName + "/" + m.AccountName}, {"key", keyPath(m.ClusterName, m.Namespace, m.Secret, m.Key)}, {"place", placeText(m.Place)}, {"holds", m.Holds},
		{"on write", m.OnWrite},
		{"state", word(state.Key, m.State)}, {"reason", m.Reason}, {"version", version(m.Written)}, {"id", m.ID},
	})
}

// holdsWords are the words of --holds.
var holdsWords = []string{"password", "username", "both"}

// onWrites are the words of --on-write.
var onWrites = []string{"restart", "ask", "nothing"}

func onWriteFlag(c *cobra.Command, word *string) {
	c.Flags().StringVar(word, "on-write", "", "what a reset does with the workloads that read the key: restart (and watch them), ask first, nothing")
	_ = c.RegisterFlagCompletionFunc("on-write", cobra.FixedCompletions(onWrites, cobra.ShellCompDirectiveNoFileComp))
}

func checkOnWrite(word string) error {
	if word != "" && !slices.Contains(onWrites, word) {
		return usage("--on-write is restart, ask or nothing")
	}
	return nil
}

func (k *command) mappingEdit() *cobra.Command {
	var onWrite string
	c := k.call("edit (MAPPING | CLUSTER/NAMESPACE/SECRET/KEY) --on-write restart|ask|nothing", "Say what a reset does with the workloads that read a key", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if onWrite == "" {
				return usage("say what to change: --on-write")
			}
			if err := checkOnWrite(onWrite); err != nil {
				return err
			}
			was, err := findMapping(ctx, api, args[0])
			if err != nil {
				return err
			}
			m, err := api.UpdateMapping(ctx, was.ID, was.Rev, client.MappingChange{OnWrite: onWrite})
			if err != nil {
				return err
			}
			k.done("The mapping of %s is changed.", keyPath(m.ClusterName, m.Namespace, m.Secret, m.Key))
			return k.printMapping(m)
		})
	onWriteFlag(c, &onWrite)
	c.ValidArgsFunction = k.complete(keyPaths)
	return c
}

func (k *command) mappingDelete() *cobra.Command {
	var yes bool
	c := k.call("delete (MAPPING | CLUSTER/NAMESPACE/SECRET/KEY) [--yes]", "End a mapping; the key keeps its value", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			m, err := findMapping(ctx, api, args[0])
			if err != nil {
				return err
			}
			path := keyPath(m.ClusterName, m.Namespace, m.Secret, m.Key)
			if err := k.confirm(yes, "", "%s no longer follows %s/%s. The key keeps its value.", path, m.ResourceName, m.AccountName); err != nil {
				return err
			}
			if err := api.DeleteMapping(ctx, m.ID, m.Rev); err != nil {
				return err
			}
			k.done("The mapping of %s is deleted; the key keeps its value.", path)
			return nil
		})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(keyPaths)
	return c
}

func findMapping(ctx context.Context, api *client.Client, name string) (client.Mapping, error) {
	if !strings.Contains(name, "/") {
		return api.Mapping(ctx, name)
	}
	secret, key, err := findKey(ctx, api, name)
	if err != nil {
		return client.Mapping{}, err
	}
	for m, err := range client.All(func(cursor string) (client.Page[client.Mapping], error) {
		return api.Mappings(ctx, client.MappingFilter{Secret: secret.ID, ListOptions: client.ListOptions{Cursor: cursor}})
	}) {
		if err != nil || m.Key == key {
			return m, err
		}
	}
	return client.Mapping{}, missing("The key is not mapped", `Look at "keyturn mapping list".`)
}
