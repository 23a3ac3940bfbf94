package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) clusterSecrets() *cobra.Command {
	var namespace string
	c := k.call("secrets NAME [--namespace N]", "List what could be fetched: metadata, no values", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.Available(ctx, args[0], namespace)
			if err != nil {
				return err
			}
			if k.output == "json" || k.output == "yaml" {
				return k.document(found)
			}
			if err := printList(k, k.remoteView(), found.Items, int64(len(found.Items))); err != nil {
				return err
			}
			for _, n := range found.Namespaces {
				if n.Problem != "" {
					k.done("%s: %s", n.Name, n.Problem)
				}
			}
			if found.Truncated {
				k.done("There are more; name a namespace with --namespace to see them.")
			}
			return nil
		})
	c.Flags().StringVar(&namespace, "namespace", "", "only this namespace")
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

func (k *command) remoteView() view[client.RemoteSecret] {
	type row = client.RemoteSecret
	return view[row]{
		name: func(s row) string { return s.Namespace + "/" + s.Name },
		columns: []column[row]{
			{head: "NAMESPACE", cell: func(s row) string { return s.Namespace }, flexible: true},
			{head: "NAME", cell: func(s row) string { return s.Name }, flexible: true},
			{head: "TYPE", cell: func(s row) string { return s.Type }, flexible: true},
			{head: "KEYS", cell: func(s row) string { return fmt.Sprint(s.Keys) }},
			{head: "FETCHED", cell: func(s row) string { return yesNo(s.Fetched) }},
			{head: "AGE", cell: func(s row) string { return k.age(s.CreatedAt) }},
			{head: "LEFT OUT", cell: func(s row) string { return s.LeftOut }, wide: true},
			{head: "LABELS", cell: func(s row) string { return pairs(s.Labels) }, wide: true},
		},
	}
}

func (k *command) clusterFetch() *cobra.Command {
	var all, noWait bool
	var namespaces, secrets, rules []string
	c := k.call("fetch NAME (--all | --namespace N… | --secret NS/NAME… | --rule FIELD=PATTERN…)",
		"Bring chosen Secrets into the repository", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
			selection, err := selectionOf(all, namespaces, secrets, rules)
			if err != nil {
				return err
			}
			fetch, err := api.FetchSecrets(ctx, args[0], selection)
			if err != nil {
				return err
			}
			return k.follow(ctx, api, args[0], fetch, secrets, noWait)
		})
	f := c.Flags()
	f.BoolVar(&all, "all", false, "all Secrets but Helm releases and ServiceAccount tokens")
	f.StringSliceVar(&namespaces, "namespace", nil, "all of this namespace; may be repeated")
	f.StringSliceVar(&secrets, "secret", nil, "this one, as NAMESPACE/NAME; may be repeated")
	f.StringArrayVar(&rules, "rule", nil, "part of a rule: namespace=GLOB, name=GLOB, type=TYPE or label=SELECTOR; may be repeated")
	f.BoolVar(&noWait, "no-wait", false, "start it and return")
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

// selectionOf puts the flags together. It refuses none, which would be taken for all or for nothing.
func selectionOf(all bool, namespaces, secrets, rules []string) (client.Selection, error) {
	s := client.Selection{All: all, Namespaces: namespaces, Secrets: secrets}
	for _, name := range secrets {
		if ns, n, ok := strings.Cut(name, "/"); !ok || ns == "" || n == "" {
			return s, usage("--secret is written NAMESPACE/NAME")
		}
	}
	for _, rule := range rules {
		if s.Rule == nil {
			s.Rule = &client.Rule{}
		}
		field, pattern, _ := strings.Cut(rule, "=")
		switch {
		case pattern == "":
			return s, usage("--rule is written FIELD=PATTERN")
		case field == "namespace":
			s.Rule.Namespaces = append(s.Rule.Namespaces, pattern)
		case field == "name":
			s.Rule.Names = append(s.Rule.Names, pattern)
		case field == "type":
			s.Rule.Types = append(s.Rule.Types, pattern)
		case field == "label":
			s.Rule.Labels = strings.Trim(s.Rule.Labels+","+pattern, ",")
		default:
			return s, usage("a rule is about namespace, name, type or label")
		}
	}
	switch {
	case !all && len(namespaces) == 0 && len(secrets) == 0 && s.Rule == nil:
		return s, usage("say what to fetch: --all, --namespace, --secret or --rule")
	case all && (len(namespaces) > 0 || len(secrets) > 0 || s.Rule != nil):
		return s, usage("--all leaves nothing to choose; give it alone")
	}
	return s, nil
}

func (k *command) clusterSync() *cobra.Command {
	var noWait bool
	c := k.call("sync NAME", "Bring what was added, changed or deleted since", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		fetch, err := api.Sync(ctx, args[0])
		if err != nil {
			return err
		}
		return k.follow(ctx, api, args[0], fetch, nil, noWait)
	})
	c.Flags().BoolVar(&noWait, "no-wait", false, "start it and return")
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}

// follow waits for a fetch to end and prints its counts. It fails when the fetch did, or did not bring a Secret of chosen.
func (k *command) follow(ctx context.Context, api *client.Client, cluster string, f client.Fetch, chosen []string, noWait bool) error {
	var err error
	see := "keyturn cluster get " + cluster
	for !noWait && f.State != "done" && f.State != "failed" {
		k.progress("%s of %s: %s, %s", f.Kind, cluster, word(state.Run, f.State), fetchCounts(f))
		if err = k.sleep(ctx); err == nil {
			f, err = api.Fetch(ctx, f.ClusterID, f.ID)
		}
		if err != nil {
			k.progressEnd()
			return stopped(err, "the "+f.Kind, see)
		}
	}
	k.progressEnd()
	why := []fact{{"reason", f.Reason}, {"cure", f.Cure}}
	if f.State == "failed" {
		why = nil // the verdict says it
	}
	facts := slices.Concat([]fact{{f.Kind, word(state.Run, f.State)}}, why, []fact{
		{"seen", fmt.Sprint(f.Total)},
		{"added", fmt.Sprint(f.Added)}, {"changed", fmt.Sprint(f.Changed)}, {"unchanged", fmt.Sprint(f.Unchanged)},
		{"gone", fmt.Sprint(f.Gone)}, {"skipped", fmt.Sprint(f.Skipped)}, {"id", f.ID},
	})
	if err := printOne(k, f, f.ID, facts, part(k, problemView(), f.Problems)); err != nil {
		return err
	}
	if f.State == "failed" {
		return failed("the "+f.Kind+" of "+cluster+" failed", fact{"cause", f.Reason}, fact{"cure", f.Cure})
	}
	if missed := notBrought(f, chosen); len(missed) > 0 {
		return failed("not all that was named was brought", fact{"missing", strings.Join(missed, ", ")},
			fact{"cure", `look at "keyturn cluster secrets ` + cluster + `"; a sync brings them when they are there`})
	}
	return nil
}

// notBrought returns which of the chosen Secrets a fetch that ended did not bring, sorted. A rule or a namespace promises none.
func notBrought(f client.Fetch, chosen []string) []string {
	var out []string
	for _, p := range f.Problems {
		if name := p.Namespace + "/" + p.Name; slices.Contains(chosen, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func problemView() view[client.FetchProblem] {
	type row = client.FetchProblem
	return view[row]{columns: []column[row]{
		{head: "NOT BROUGHT", cell: func(p row) string { return p.Namespace + after("/", p.Name) }, flexible: true},
		{head: "REASON", cell: func(p row) string { return p.Reason }},
	}}
}

func fetchCounts(f client.Fetch) string {
	parts := []string{fmt.Sprintf("%d seen", f.Total)}
	for _, c := range []struct {
		n    int64
		word string
	}{{f.Added, "added"}, {f.Changed, "changed"}, {f.Unchanged, "unchanged"}, {f.Gone, "gone"}, {f.Skipped, "skipped"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	return strings.Join(slices.Compact(parts), ", ")
}

// progress shows one line that the next one replaces, where a person looks on.
func (k *command) progress(format string, args ...any) {
	if _, ok := terminal(k.Err); ok {
		_, _ = fmt.Fprintf(k.Err, "\r\x1b[K%s", cut(clean(fmt.Sprintf(format, args...)), 79))
	}
}

func (k *command) progressEnd() {
	if _, ok := terminal(k.Err); ok {
		_, _ = fmt.Fprint(k.Err, "\r\x1b[K")
	}
}

// sleep waits until it is time to look again.
func (k *command) sleep(ctx context.Context) error {
	t := time.NewTimer(k.poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
