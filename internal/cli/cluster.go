package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) clusterCommands() *cobra.Command {
	return k.group("cluster", "Connect Kubernetes clusters, fetch and sync their Secrets",
		k.clusterConfig(), k.clusterTest(), k.clusterAdd(), k.clusterEdit(), k.clusterList(), k.clusterGet(),
		k.clusterRenewToken(), k.clusterDelete(), k.clusterSecrets(), k.clusterFetch(), k.clusterSync())
}

func (k *command) clusterView() view[client.Cluster] {
	return view[client.Cluster]{
		name: func(c client.Cluster) string { return c.Name },
		columns: []column[client.Cluster]{
			{head: "NAME", cell: func(c client.Cluster) string { return c.Name }, flexible: true},
			{head: "STATE", cell: func(c client.Cluster) string { return word(state.Cluster, c.State) }},
			{head: "VERSION", cell: func(c client.Cluster) string { return c.Version }, flexible: true},
			{head: "SECRETS", cell: func(c client.Cluster) string { return fmt.Sprint(c.Secrets) }},
			{head: "MAPPED", cell: func(c client.Cluster) string { return fmt.Sprint(c.Mapped) }},
			{head: "DRIFTED", cell: func(c client.Cluster) string { return fmt.Sprint(c.Drifted) }},
			{head: "SYNCED", cell: func(c client.Cluster) string { return k.ageOf(c.SyncedAt) }},
			{head: "AGE", cell: func(c client.Cluster) string { return k.age(c.CreatedAt) }},
			{head: "SERVER", cell: func(c client.Cluster) string { return c.Server }, wide: true},
			{head: "SCOPE", cell: func(c client.Cluster) string { return scopeText(c.Scope) }, wide: true},
			{head: "REASON", cell: func(c client.Cluster) string { return c.Reason }, wide: true},
		},
	}
}

func scopeText(s client.Scope) string {
	where := "whole cluster"
	if len(s.Namespaces) > 0 {
		where = strings.Join(s.Namespaces, ",")
	}
	text := where + " " + s.Access
	if s.Restart {
		text += " restart"
	}
	if s.PortForward {
		text += " port-forward"
	}
	if s.RenewToken {
		text += " renew-token"
	}
	if s.Replace {
		text += " replace"
	}
	return text
}

// scopeFlags are what a connector may do.
type scopeFlags struct {
	namespaces              []string
	access                  string
	restart, forward, renew bool
	replace                 bool
}

func (s *scopeFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&s.namespaces, "namespaces", nil, "only these namespaces, as a,b (default the whole cluster)")
	f.StringVar(&s.access, "access", "read-write", "read-only or read-write")
	f.BoolVar(&s.restart, "restart", false, "may restart workloads")
	f.BoolVar(&s.forward, "port-forward", false, "may connect to ports of pods and services, for resources that are reached through the cluster")
	f.BoolVar(&s.renew, "renew-token", false, "may renew its own long-lived token")
	f.BoolVar(&s.replace, "replace", false, "may make Secrets in place of immutable ones and of tokens, name them where those were named, and delete those; with --restart")
	_ = c.RegisterFlagCompletionFunc("access", cobra.FixedCompletions([]string{"read-only", "read-write"}, cobra.ShellCompDirectiveNoFileComp))
}

// scope returns the scope with what the flags say changed in it.
func (s *scopeFlags) scope(f *pflag.FlagSet, was client.Scope) (client.Scope, error) {
	if s.access != "read-only" && s.access != "read-write" {
		return was, usage("--access is read-only or read-write")
	}
	if f.Changed("namespaces") {
		was.Namespaces = s.namespaces
	}
	if f.Changed("access") || was.Access == "" {
		was.Access = s.access
	}
	if f.Changed("restart") {
		was.Restart = s.restart
	}
	if f.Changed("port-forward") {
		was.PortForward = s.forward
	}
	if f.Changed("renew-token") {
		was.RenewToken = s.renew
	}
	if f.Changed("replace") {
		was.Replace = s.replace
	}
	return was, nil
}

func (s *scopeFlags) changed(f *pflag.FlagSet) bool {
	return f.Changed("namespaces") || f.Changed("access") || f.Changed("restart") || f.Changed("port-forward") || f.Changed("renew-token") || f.Changed("replace")
}

func (k *command) clusterConfig() *cobra.Command {
	var flags scopeFlags
	var c *cobra.Command
	c = k.call("config [--namespaces a,b] [--access read-only|read-write] [--restart] [--port-forward] [--renew-token] [--replace]",
		"Print the manifest that gives Keyturn its rights in a cluster", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
			scope, err := flags.scope(c.Flags(), client.Scope{})
			if err != nil {
				return err
			}
			manifest, err := api.Connector(ctx, scope)
			if err != nil {
				return err
			}
			_, err = k.Out.Write(manifest)
			return err
		})
	c.Long = "Print keyturn-config.yaml. Apply it with kubectl, then read the token that \"cluster add\" needs with\n" +
		"kubectl -n keyturn get secrets/keyturn-token -o jsonpath='{.data.token}'"
	flags.add(c)
	return c
}

// connection are the flags that say where a cluster is.
type connection struct {
	url, caFile, tokenFile string
	scope                  scopeFlags
}

func (n *connection) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.url, "url", "", "https address of the cluster's API server")
	f.StringVar(&n.caFile, "ca-file", "", "file with the CA that signed its certificate (default the system's roots)")
	f.StringVar(&n.tokenFile, "token-file", "", "file with the connector's token, or - for standard input")
	_ = c.MarkFlagFilename("ca-file")
	_ = c.MarkFlagFilename("token-file")
	n.scope.add(c)
}

func (k *command) newCluster(c *cobra.Command, name string, n connection) (client.NewCluster, error) {
	out := client.NewCluster{Name: name, Server: n.url}
	if n.url == "" {
		return out, usage("--url is needed: the https address of the cluster's API server")
	}
	var err error
	if out.Scope, err = n.scope.scope(c.Flags(), out.Scope); err != nil {
		return out, err
	}
	if n.caFile != "" {
		if out.CA, err = k.text("ca-file", n.caFile); err != nil {
			return out, err
		}
	}
	out.Token, err = k.value("token-file", n.tokenFile, "Token of the connector")
	return out, err
}

func (k *command) clusterTest() *cobra.Command {
	var n connection
	var c *cobra.Command
	c = k.call("test NAME [--url URL --ca-file F --token-file F|-]", "Check a cluster, saved or not, step by step", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			var report client.Report
			var err error
			if n.url == "" {
				report, err = k.retest(ctx, api, c.Flags(), args[0], n)
			} else {
				var cluster client.NewCluster
				if cluster, err = k.newCluster(c, args[0], n); err != nil {
					return err
				}
				report, err = api.TestCluster(ctx, cluster)
			}
			if err != nil {
				return err
			}
			return k.printReport(report)
		})
	c.Long = "Check a cluster. With --url one that is not saved; without, the saved one of that name, as it is or with\n" +
		"what the other flags say in place of what is saved. Nothing is saved."
	n.add(c)
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

// retest checks a saved cluster with the changes that the flags say, if any.
func (k *command) retest(ctx context.Context, api *client.Client, f *pflag.FlagSet, name string, n connection) (client.Report, error) {
	if n.caFile == "" && n.tokenFile == "" && !n.scope.changed(f) {
		return api.RetestCluster(ctx, name, client.ClusterChange{})
	}
	was, err := api.Cluster(ctx, name)
	if err != nil {
		return client.Report{}, err
	}
	change, err := k.clusterChange(f, was, "", n)
	if err != nil {
		return client.Report{}, err
	}
	return api.RetestCluster(ctx, was.ID, change)
}

func (k *command) clusterAdd() *cobra.Command {
	var n connection
	var reattach bool
	var c *cobra.Command
	c = k.call("add NAME --url URL --ca-file F --token-file F|-", "Connect a cluster that passes its checks", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			cluster, err := k.newCluster(c, args[0], n)
			if err != nil {
				return err
			}
			cluster.Reattach = reattach
			added, err := api.AddCluster(ctx, cluster)
			if err != nil {
				return err
			}
			k.done("Cluster %s is connected.", added.Name)
			return k.printCluster(added)
		})
	n.add(c)
	c.Flags().BoolVar(&reattach, "reattach", false, "continue the removed cluster that this one is: its resources and history come back")
	return c
}

func (k *command) clusterEdit() *cobra.Command {
	var n connection
	var name string
	var c *cobra.Command
	c = k.call("edit NAME [--name NAME] [--url URL] [--ca-file F] [--token-file F|-]",
		"Change a cluster; it is tested again before it is saved", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
			was, err := api.Cluster(ctx, args[0])
			if err != nil {
				return err
			}
			change, err := k.clusterChange(c.Flags(), was, name, n)
			if err != nil {
				return err
			}
			now, err := api.UpdateCluster(ctx, was.ID, was.Rev, change)
			if err != nil {
				return err
			}
			k.done("Cluster %s is changed.", now.Name)
			return k.printCluster(now)
		})
	n.add(c)
	c.Flags().StringVar(&name, "name", "", "new name")
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

func (k *command) clusterChange(f *pflag.FlagSet, was client.Cluster, name string, n connection) (client.ClusterChange, error) {
	var change client.ClusterChange
	if f.Changed("name") {
		change.Name = &name
	}
	if f.Changed("url") {
		change.Server = &n.url
	}
	if f.Changed("ca-file") {
		ca := ""
		if n.caFile != "" {
			var err error
			if ca, err = k.text("ca-file", n.caFile); err != nil {
				return change, err
			}
		}
		change.CA = &ca
	}
	if f.Changed("token-file") || change.Server != nil || change.CA != nil { // which goes to no other host unasked
		var err error
		if change.Token, err = k.value("token-file", n.tokenFile, "Token of the connector"); err != nil {
			return change, err
		}
	}
	if n.scope.changed(f) {
		scope, err := n.scope.scope(f, was.Scope)
		if err != nil {
			return change, err
		}
		change.Scope = &scope
	}
	if change.Name == nil && change.Server == nil && change.CA == nil && change.Scope == nil && change.Token.IsZero() {
		return change, usage("say what to change")
	}
	return change, nil
}

func (k *command) clusterList() *cobra.Command {
	var l listing
	var removed bool
	c := k.call("list", "List clusters", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		filter := client.ClusterFilter{ListOptions: l.options(), State: l.stateWords(), Removed: removed}
		rows, total, err := collect(l.limit, func(cursor string) (client.Page[client.Cluster], error) {
			filter.Cursor = cursor
			return api.Clusters(ctx, filter)
		})
		if err != nil {
			return err
		}
		return printList(k, k.clusterView(), rows, total)
	})
	l.flags(c, true)
	c.Flags().BoolVar(&removed, "removed", false, "removed ones too")
	return c
}

func (k *command) clusterGet() *cobra.Command {
	c := k.call("get NAME", "Show a cluster", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		cluster, err := api.Cluster(ctx, args[0])
		if err != nil {
			return err
		}
		return k.printCluster(cluster)
	})
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

func (k *command) printCluster(c client.Cluster) error {
	facts := []fact{
		{"name", c.Name}, {"state", word(state.Cluster, c.State)}, {"reason", c.Reason}, {"server", c.Server},
		{"version", c.Version}, {"scope", scopeText(c.Scope)}, {"resources", fmt.Sprint(c.Resources)},
		{"secrets", fmt.Sprint(c.Secrets)}, {"mapped", fmt.Sprint(c.Mapped)}, {"drifted", fmt.Sprint(c.Drifted)},
		{"checked", instantOf(c.CheckedAt)}, {"synced", instantOf(c.SyncedAt)}, {"created", instant(c.CreatedAt)},
		{"uid", c.UID}, {"id", c.ID},
	}
	if c.Watch != nil {
		facts = append(facts, fact{"watch", word(state.Watch, c.Watch.State) + " since " + instant(c.Watch.Since)}, fact{"watch reason", c.Watch.Reason},
			fact{"last change", instantOf(c.Watch.ChangedAt)}, fact{"compared", instantOf(c.Watch.ComparedAt)})
	}
	if c.Fetch != nil {
		facts = append(facts, fact{"last " + c.Fetch.Kind, word(state.Run, c.Fetch.State) + ", " + fetchCounts(*c.Fetch)})
	}
	return printOne(k, c, c.Name, facts)
}

func (k *command) clusterDelete() *cobra.Command {
	var yes bool
	c := k.call("delete NAME [--yes]", "Remove the association with a cluster", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		cluster, err := api.Cluster(ctx, args[0])
		if err != nil {
			return err
		}
		if err := k.confirm(yes, "", "Cluster %s is removed: Keyturn no longer syncs its %d Secrets or writes its %d mapped keys. "+
			"Resources, values and history stay.", cluster.Name, cluster.Secrets, cluster.Mapped); err != nil {
			return err
		}
		if err := api.DeleteCluster(ctx, cluster.ID, cluster.Rev); err != nil {
			return err
		}
		k.done("Cluster %s is removed; its resources, values and history stay.", cluster.Name)
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}
