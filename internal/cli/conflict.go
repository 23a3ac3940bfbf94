package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) conflictCommands() *cobra.Command {
	return k.group("conflict", "Secrets that were changed in their cluster, where that does not simply count",
		k.conflictList(), k.conflictGet(), k.conflictResolve(), k.conflictPolicy())
}

func secretPath(x client.Conflict) string {
	return strings.Join([]string{x.ClusterName, x.Namespace, x.Name}, "/")
}

// changedKeys says what was done to the keys of a Secret, such as "password changed, note added".
func changedKeys(x client.Conflict) string {
	all := make([]string, len(x.Keys))
	for i, key := range x.Keys {
		all[i] = key.Name + " " + key.Change
	}
	return strings.Join(all, ", ")
}

func (k *command) conflictView() view[client.Conflict] {
	type row = client.Conflict
	return view[row]{
		name: secretPath,
		columns: []column[row]{
			{head: "SECRET", cell: secretPath, flexible: true},
			{head: "STATE", cell: func(x row) string { return word(state.Conflict, x.State) }},
			{head: "KEYS", cell: changedKeys, flexible: true},
			{head: "CHANGED BY", cell: func(x row) string { return x.ChangedBy }},
			{head: "SINCE", cell: func(x row) string { return k.age(x.Since) }},
			{head: "POLICY", cell: func(x row) string { return driftWord(x.Policy) }, wide: true},
			{head: "REASON", cell: func(x row) string { return x.Reason }, wide: true},
			{head: "CURE", cell: func(x row) string { return x.Cure }, wide: true},
		},
	}
}

// driftWord is a drift policy as the command line writes it.
func driftWord(policy string) string { return strings.ReplaceAll(policy, "_", "-") }

func (k *command) conflictList() *cobra.Command {
	var l listing
	var cluster, resource string
	c := k.call("list [--cluster C] [--resource R] [--state STATE]", "List conflicts, the newest first; those that are settled only if they are asked for", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			filter := client.ConflictFilter{ListOptions: l.options(), Cluster: cluster, Resource: resource, State: l.stateWords()}
			rows, total, err := collect(l.limit, func(cursor string) (client.Page[client.Conflict], error) {
				filter.Cursor = cursor
				return api.Conflicts(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.conflictView(), rows, total)
		})
	l.flags(c, true)
	k.placeFlags(c, &cluster, &resource)
	return c
}

// placeFlags are the flags that limit a command to a cluster or a namespace.
func (k *command) placeFlags(c *cobra.Command, cluster, resource *string) {
	c.Flags().StringVar(cluster, "cluster", "", "only those in this cluster")
	c.Flags().StringVar(resource, "resource", "", "only those of this resource, which is a namespace")
	_ = c.RegisterFlagCompletionFunc("cluster", k.completeFlag(clusterNames))
	_ = c.RegisterFlagCompletionFunc("resource", k.completeFlag(resourceNames))
}

func (k *command) conflictGet() *cobra.Command {
	c := k.call("get CLUSTER/NAMESPACE/SECRET", "Show what differs in a Secret, and who changed it", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			secret, err := secretAt(ctx, api, args[0])
			if err != nil {
				return err
			}
			x, err := api.Conflict(ctx, secret.ID)
			if err != nil {
				return err
			}
			return k.printConflict(x)
		})
	c.ValidArgsFunction = k.complete(conflictNames)
	return c
}

func (k *command) printConflict(x client.Conflict) error {
	facts := []fact{{"secret", secretPath(x)}, {"state", word(state.Conflict, x.State)}, {"reason", x.Reason}, {"cure", x.Cure}, {"policy", driftWord(x.Policy)},
		{"since", instant(x.Since)}, {"changed", instant(x.ChangedAt)}, {"changed by", x.ChangedBy}, {"asked to heal by", x.WantedBy}}
	for _, key := range x.Keys {
		what := key.Change + " in the cluster"
		switch {
		case key.AccountName != "":
			what += "; the vault's value is that of the account " + key.AccountName
		case key.Change == "added":
			what += "; the vault has no such key"
		default:
			what += fmt.Sprintf("; the vault's value is in version %d", key.Version)
		}
		facts = append(facts, fact{"key " + key.Name, what})
	}
	return printOne(k, x, secretPath(x), facts)
}

// secretAt returns the Secret of CLUSTER/NAMESPACE/SECRET, a deleted one too.
func secretAt(ctx context.Context, api *client.Client, path string) (client.Secret, error) {
	p := strings.Split(path, "/")
	if len(p) != 3 || slices.Contains(p, "") {
		return client.Secret{}, usage("a Secret is written CLUSTER/NAMESPACE/SECRET")
	}
	for _, states := range [][]string{nil, {"tombstone"}} { // without a state the deleted ones are left out
		found, err := api.Secrets(ctx, client.SecretFilter{Cluster: p[0], Namespace: p[1], Name: p[2], State: states})
		if err != nil {
			return client.Secret{}, err
		}
		if len(found.Items) > 0 {
			return found.Items[0], nil
		}
	}
	return client.Secret{}, &client.Problem{
		Type: "urn:keyturn:problem:not-found", Status: http.StatusNotFound, Title: "There is no such Secret",
		Cause: "It was not fetched, or you may not know of it.",
		Cure:  `Look at "keyturn secret list".`,
	}
}

func (k *command) conflictResolve() *cobra.Command {
	var keep, cluster, resource string
	var all, wait, yes bool
	c := k.call("resolve (CLUSTER/NAMESPACE/SECRET … | --all [--cluster C] [--resource R]) --keep cluster|vault", "Say which side is right", 0, 1000,
		func(ctx context.Context, api *client.Client, args []string) error {
			if keep != "cluster" && keep != "vault" {
				return usage("--keep is needed: cluster, or vault")
			}
			if all == (len(args) > 0) {
				return usage("name the Secrets, or give --all")
			}
			chosen, err := k.conflictsOf(ctx, api, args, client.ConflictFilter{Cluster: cluster, Resource: resource})
			if err != nil {
				return err
			}
			if all && len(chosen) > 0 {
				if err := k.confirm(yes, "", "Of %d Secrets the %s's values are kept.", len(chosen), keep); err != nil {
					return err
				}
			}
			return k.resolveEach(ctx, api, chosen, keep, wait)
		})
	c.Long = "With --keep cluster what the cluster has counts from now on. With --keep vault the vault's values are written to the cluster, soon after;\n" +
		"what a controller owns, or changed again in that moment, is not written over. Neither loses a value: each state is a version of the Secret."
	k.placeFlags(c, &cluster, &resource)
	f := c.Flags()
	f.StringVar(&keep, "keep", "", "whose values count: cluster or vault")
	f.BoolVar(&all, "all", false, "all conflicts that are not settled")
	f.BoolVar(&wait, "wait", false, "wait until the vault's values are written")
	f.BoolVar(&yes, "yes", false, "do not ask")
	_ = c.RegisterFlagCompletionFunc("keep", cobra.FixedCompletions([]string{"cluster", "vault"}, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = k.complete(conflictNames)
	return c
}

// conflictsOf returns the conflicts of the named Secrets, or, without names, those that filter chooses.
func (k *command) conflictsOf(ctx context.Context, api *client.Client, names []string, filter client.ConflictFilter) (chosen []client.Conflict, err error) {
	if len(names) == 0 {
		chosen, _, err = collect(0, func(cursor string) (client.Page[client.Conflict], error) {
			filter.Cursor = cursor
			return api.Conflicts(ctx, filter)
		})
		return chosen, err
	}
	for _, name := range names {
		secret, err := secretAt(ctx, api, name)
		if err != nil {
			return nil, err
		}
		x, err := api.Conflict(ctx, secret.ID)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, x)
	}
	return chosen, nil
}

// resolveEach goes on after one that fails, and fails with the first one's error.
func (k *command) resolveEach(ctx context.Context, api *client.Client, chosen []client.Conflict, keep string, wait bool) (first error) {
	now := make([]client.Conflict, 0, len(chosen))
	for _, x := range chosen {
		after, err := api.ResolveConflict(ctx, x.ID, x.Rev, keep)
		if err == nil && wait {
			after, err = untilHealed(ctx, api, after)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			after = x
		}
		now = append(now, after)
	}
	if err := printList(k, k.conflictView(), now, int64(len(now))); err != nil {
		return err
	}
	return first
}

// untilHealed waits until a conflict is settled or stopped. One that stopped is an error.
func untilHealed(ctx context.Context, api *client.Client, x client.Conflict) (client.Conflict, error) {
	var err error
	for x.State == "healing" {
		select {
		case <-ctx.Done():
			return x, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if x, err = api.Conflict(ctx, x.ID); err != nil {
			return x, err
		}
	}
	if x.State == "stopped" {
		return x, failed("the vault's values of "+secretPath(x)+" were not written: "+x.Reason, fact{"cure", x.Cure})
	}
	return x, nil
}

func (k *command) conflictPolicy() *cobra.Command {
	c := k.call("policy CLUSTER[/NAMESPACE[/SECRET]] [cluster-wins|vault-wins|ask|inherit]", "Show or set which side is right when a key changes in a cluster", 1, 2,
		func(ctx context.Context, api *client.Client, args []string) error {
			set := ""
			if len(args) == 2 {
				if set = strings.ReplaceAll(args[1], "-", "_"); set == "inherit" {
					set = ""
				} else if set == "" {
					return usage("the policy is cluster-wins, vault-wins, ask or inherit")
				}
			}
			d, err := driftAt(ctx, api, strings.Split(args[0], "/"), len(args) == 2, set)
			if err != nil {
				return err
			}
			own := driftWord(d.Own)
			if own == "" {
				own = "inherited"
			}
			return printOne(k, d, args[0], []fact{{"for", args[0]}, {"policy", driftWord(d.InForce)}, {"set here", own}})
		})
	c.Long = "A change in a cluster is what Keyturn did not do itself. With cluster-wins it is taken over. With vault-wins the vault's values are written again,\n" +
		"and the audit log tells who changed them. With ask it waits in the list of conflicts. A Secret inherits from its namespace, and that from its cluster."
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

// driftAt reads, or with set writes, the drift policy of a cluster, a namespace or a Secret.
func driftAt(ctx context.Context, api *client.Client, path []string, set bool, policy string) (client.Drift, error) {
	switch len(path) {
	case 1:
		cluster, err := api.Cluster(ctx, path[0])
		if err != nil || !set {
			return orNone(cluster.OnDrift), err
		}
		return api.SetClusterDrift(ctx, cluster.ID, cluster.Rev, policy)
	case 2:
		found, err := api.Resources(ctx, client.ResourceFilter{Cluster: path[0], Type: []string{"kubernetes"}, ListOptions: client.ListOptions{Search: path[1], Limit: 500}})
		if err != nil {
			return client.Drift{}, err
		}
		i := slices.IndexFunc(found.Items, func(r client.Resource) bool { return r.Namespace == path[1] })
		if i < 0 {
			return client.Drift{}, failed("no Secret of the namespace "+path[1]+" was fetched from "+path[0], fact{"cure", "look at keyturn resource list --type kubernetes"})
		}
		r, err := api.Resource(ctx, found.Items[i].ID)
		if err != nil || !set {
			return orNone(r.OnDrift), err
		}
		return api.SetResourceDrift(ctx, r.ID, r.Rev, policy)
	default:
		found, err := secretAt(ctx, api, strings.Join(path, "/"))
		if err != nil {
			return client.Drift{}, err
		}
		s, err := api.Secret(ctx, found.ID)
		if err != nil || !set {
			return orNone(s.OnDrift), err
		}
		return api.SetSecretDrift(ctx, s.ID, s.Rev, policy)
	}
}

func orNone(d *client.Drift) client.Drift {
	if d == nil {
		return client.Drift{}
	}
	return *d
}

// conflictNames completes Secrets that have a conflict.
func conflictNames(ctx context.Context, api *client.Client, typed string) ([]string, error) {
	page, err := api.Conflicts(ctx, client.ConflictFilter{ListOptions: client.ListOptions{Limit: 500}})
	var names []string
	for _, x := range page.Items {
		if p := secretPath(x); strings.HasPrefix(p, typed) {
			names = append(names, p)
		}
	}
	return names, err
}
