package cli

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) resourceCommands() *cobra.Command {
	return k.group("resource", "Systems that hold accounts",
		k.resourceList(), k.resourceGet(), k.resourceTypes(), k.resourceCreate(), k.resourceEdit(), k.resourceDelete())
}

const kubernetes = "kubernetes"

// statesOf is what the accounts of a resource of that type have their states from.
func statesOf(resourceType string) state.Object {
	if resourceType == kubernetes {
		return state.Key
	}
	return state.Account
}

func (k *command) resourceView() view[client.Resource] {
	type row = client.Resource
	return view[row]{
		name: func(r row) string { return r.Name },
		columns: []column[row]{
			{head: "NAME", cell: func(r row) string { return r.Name }, flexible: true},
			{head: "TYPE", cell: func(r row) string { return r.Type }},
			{head: "ACCOUNTS", cell: func(r row) string { return fmt.Sprint(r.Accounts) }},
			{head: "STATES", cell: func(r row) string { return counts(statesOf(r.Type), r.States) }, flexible: true},
			{head: "AGE", cell: func(r row) string { return k.age(r.CreatedAt) }},
			{head: "CLUSTER", cell: clusterOf, wide: true},
			{head: "NAMESPACE", cell: func(r row) string { return r.Namespace }, wide: true},
			{head: "SETTINGS", cell: func(r row) string { return pairs(withoutLong(r.Settings)) }, wide: true},
		},
	}
}

func clusterOf(r client.Resource) string {
	if r.Removed {
		return r.ClusterName + " (removed)"
	}
	return r.ClusterName
}

// withoutLong leaves out what does not fit on a line, such as a CA.
func withoutLong(settings map[string]string) map[string]string {
	out := maps.Clone(settings)
	maps.DeleteFunc(out, func(_, v string) bool { return len(v) > 128 })
	return out
}

func (k *command) resourceList() *cobra.Command {
	var l listing
	var types []string
	var cluster string
	c := k.call("list", "List resources", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		filter := client.ResourceFilter{ListOptions: l.options(), Type: types, Cluster: cluster}
		rows, total, err := collect(l.limit, func(cursor string) (client.Page[client.Resource], error) {
			filter.Cursor = cursor
			return api.Resources(ctx, filter)
		})
		if err != nil {
			return err
		}
		return printList(k, k.resourceView(), rows, total)
	})
	l.flags(c, false)
	c.Flags().StringSliceVar(&types, "type", nil, "only these types")
	c.Flags().StringVar(&cluster, "cluster", "", "only what came from this cluster")
	_ = c.RegisterFlagCompletionFunc("cluster", k.completeFlag(clusterNames))
	_ = c.RegisterFlagCompletionFunc("type", k.completeFlag(typeNames))
	return c
}

func (k *command) resourceGet() *cobra.Command {
	c := k.call("get NAME", "Show a resource", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		r, err := api.Resource(ctx, args[0])
		if err != nil {
			return err
		}
		return k.printResource(r)
	})
	c.ValidArgsFunction = k.complete(resourceNames)
	return c
}

func (k *command) printResource(r client.Resource) error {
	facts := []fact{
		{"name", r.Name}, {"type", r.Type}, {"cluster", clusterOf(r)}, {"namespace", r.Namespace},
		{"settings", pairs(withoutLong(r.Settings))}, {"through", throughText(r.Through)}, {"reconciled by", r.ReconcileAccountName},
		{"accounts", fmt.Sprint(r.Accounts)}, {"states", counts(statesOf(r.Type), r.States)},
		{"created", instant(r.CreatedAt)}, {"id", r.ID},
	}
	return printOne(k, r, r.Name, facts)
}

func (k *command) resourceTypes() *cobra.Command {
	return k.call("types", "List the types of resources and their settings", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		types, err := api.Types(ctx)
		if err != nil {
			return err
		}
		return printList(k, typeView(), types, int64(len(types)))
	})
}

func typeView() view[client.Type] {
	type row = client.Type
	return view[row]{
		name: func(t row) string { return t.Type },
		columns: []column[row]{
			{head: "TYPE", cell: func(t row) string { return t.Type }},
			{head: "NAME", cell: func(t row) string { return t.Name }, flexible: true},
			{head: "SETTINGS", cell: func(t row) string { return fieldNames(t.Fields) }, flexible: true},
			{head: "DESCRIPTION", cell: func(t row) string { return t.Description }, wide: true},
		},
	}
}

// fieldNames lists settings, the optional ones in brackets.
func fieldNames(fields []client.Field) string {
	var out []string
	for _, f := range fields {
		name := f.Name
		if !f.Required {
			name = "[" + name + "]"
		}
		out = append(out, name)
	}
	return or(strings.Join(out, " "))
}

// settings are the flags that describe a system. They hold no value: an account's credential is its own.
type settings struct{ set, files []string }

func (s *settings) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.set, "set", nil, "a setting, as NAME=TEXT; may be repeated; see keyturn resource types")
	c.Flags().StringArrayVar(&s.files, "set-file", nil, "a setting from a file, as NAME=FILE; may be repeated")
}

// into changes the settings in m.
func (k *command) into(m map[string]string, s settings) error {
	for _, pair := range s.set {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return usage("--set is written NAME=TEXT")
		}
		m[name] = text
	}
	for _, pair := range s.files {
		name, path, ok := strings.Cut(pair, "=")
		if !ok || name == "" || path == "" {
			return usage("--set-file is written NAME=FILE")
		}
		text, err := k.text("set-file", path)
		if err != nil {
			return err
		}
		m[name] = text
	}
	return nil
}

func (k *command) resourceCreate() *cobra.Command {
	var kind string
	var s settings
	var way throughFlags
	c := k.call("create NAME --type TYPE [--set NAME=TEXT]… [--through-cluster CLUSTER --through PLACE]", "Make a resource", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		if kind == "" {
			return usage("--type is needed; see keyturn resource types")
		}
		n := client.NewResource{Name: args[0], Type: kind, Settings: map[string]string{}, Through: way.change(nil)}
		if err := k.into(n.Settings, s); err != nil {
			return err
		}
		r, err := api.AddResource(ctx, n)
		if err != nil {
			return err
		}
		k.done("Resource %s is made.", r.Name)
		return k.printResource(r)
	})
	c.Flags().StringVar(&kind, "type", "", "type of the system")
	s.flags(c)
	way.flags(k, c)
	_ = c.RegisterFlagCompletionFunc("type", k.completeFlag(typeNames))
	return c
}

func (k *command) resourceEdit() *cobra.Command {
	var name, reconcile string
	var unset []string
	var s settings
	var way throughFlags
	var c *cobra.Command
	c = k.call("edit NAME [--name NAME] [--set NAME=TEXT]… [--unset NAME]… [--through-cluster CLUSTER --through PLACE] [--reconcile-account ACCOUNT]",
		"Change a resource", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
			was, err := api.Resource(ctx, args[0])
			if err != nil {
				return err
			}
			change := client.ResourceChange{Through: way.change(was.Through)}
			if c.Flags().Changed("name") {
				change.Name = &name
			}
			if len(s.set)+len(s.files)+len(unset) > 0 {
				all := maps.Clone(was.Settings)
				if all == nil {
					all = map[string]string{}
				}
				for _, u := range unset {
					delete(all, u)
				}
				if err := k.into(all, s); err != nil {
					return err
				}
				change.Settings = &all
			}
			if c.Flags().Changed("reconcile-account") {
				id, err := reconcileID(ctx, api, was, reconcile)
				if err != nil {
					return err
				}
				change.ReconcileAccountID = &id
			}
			if change == (client.ResourceChange{}) {
				return usage("say what to change")
			}
			now, err := api.UpdateResource(ctx, was.ID, was.Rev, change)
			if err != nil {
				return err
			}
			k.done("Resource %s is changed.", now.Name)
			return k.printResource(now)
		})
	f := c.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringArrayVar(&unset, "unset", nil, "a setting to take away; may be repeated")
	f.StringVar(&reconcile, "reconcile-account", "", `account of the resource that may repair the others, "" for none`)
	s.flags(c)
	way.flags(k, c)
	c.ValidArgsFunction = k.complete(resourceNames)
	return c
}

// reconcileID returns the id of the account of r that is named, with or without the resource's name in front.
func reconcileID(ctx context.Context, api *client.Client, r client.Resource, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	found, err := api.FindAccount(ctx, r.Name+"/"+strings.TrimPrefix(name, r.Name+"/"))
	if err != nil {
		return "", err
	}
	return found.ID(), nil
}

func (k *command) resourceDelete() *cobra.Command {
	var yes bool
	c := k.call("delete NAME [--yes]", "Delete a resource", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		r, err := api.Resource(ctx, args[0])
		if err != nil {
			return err
		}
		if err := k.confirm(yes, r.Name, "Resource %s is deleted, with %d accounts.", r.Name, r.Accounts); err != nil {
			return err
		}
		if err := api.DeleteResource(ctx, r.ID, r.Rev); err != nil {
			return err
		}
		k.done("Resource %s is deleted.", r.Name)
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(resourceNames)
	return c
}
