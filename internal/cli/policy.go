package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

func (k *command) policyCommands() *cobra.Command {
	return k.group("policy", "What values look like and when they are changed",
		k.policyList(), k.policyGet(), k.policyCreate(), k.policyEdit(), k.policyDelete(), k.policyAssign(), k.policyUnassign(), k.policyExplain())
}

func policyNames(ctx context.Context, api *client.Client, _ string) ([]string, error) {
	all, err := api.Policies(ctx)
	return mapped(all, func(p client.Policy) string { return p.Name }), err
}

func policyView() view[client.Policy] {
	type row = client.Policy
	return view[row]{
		name: func(p row) string { return p.Name },
		columns: []column[row]{
			{head: "NAME", cell: func(p row) string { return p.Name }, flexible: true},
			{head: "TURNS", cell: func(p row) string { return turns(p.Rotation) }, flexible: true},
			{head: "VALUES", cell: func(p row) string { return looks(p) }},
			{head: "HEARTBEAT", cell: func(p row) string { return heartbeat(p.Rotation) }},
			{head: "FOR", cell: func(p row) string { return reach(p) }, flexible: true},
			{head: "WINDOWS", cell: func(p row) string { return strings.Join(p.Rotation.Windows, ", ") }, wide: true},
			{head: "RECONCILE", cell: func(p row) string { return strings.Join(p.Rotation.Reconcile, ",") }, wide: true},
			{head: "DESCRIPTION", cell: func(p row) string { return p.Description }, wide: true},
		},
	}
}

// turns says when values are changed.
func turns(r client.PolicyRotation) string {
	var parts []string
	for _, p := range []struct{ what, text string }{{"every ", r.Every}, {"cron ", r.Cron}, {"at most ", r.MaxAge}, {"after a reveal ", r.OnReveal}} {
		if p.text != "" {
			parts = append(parts, p.what+p.text)
		}
	}
	return or(strings.Join(parts, "; "))
}

// waves says in which order clusters get a new value.
func waves(r client.PolicyRotation) string {
	var parts []string
	if len(r.Canary) > 0 {
		parts = append(parts, "first "+strings.Join(r.Canary, ", "))
	}
	if r.WaveSize != "" {
		parts = append(parts, r.WaveSize+" of the others at a time")
	}
	switch {
	case len(parts) == 0:
		return ""
	case r.WavePause == "ask":
		parts = append(parts, "each when somebody resumes")
	case r.WavePause != "":
		parts = append(parts, r.WavePause+" apart")
	}
	return strings.Join(parts, "; ")
}

// restarts says when and in which order workloads are restarted.
func restarts(r client.PolicyRotation) string {
	var parts []string
	if len(r.RestartOrder) > 0 {
		parts = append(parts, "in the order "+strings.Join(r.RestartOrder, ", "))
	}
	if len(r.RestartWindows) > 0 {
		parts = append(parts, "only "+strings.Join(r.RestartWindows, ", "))
	}
	return strings.Join(parts, "; ")
}

// looks says what values are like.
func looks(p client.Policy) string { return fmt.Sprintf("%.0f bits", p.EntropyBits) }

func heartbeat(r client.PolicyRotation) string {
	if r.Heartbeat == "" {
		return "1d"
	}
	return r.Heartbeat
}

// reach says what a policy is for.
func reach(p client.Policy) string {
	if p.BuiltIn {
		return "every other account"
	}
	return or(strings.Join(mapped(p.Assignments, func(a client.PolicyAssignment) string { return a.By + " " + named(a) }), ", "))
}

func named(a client.PolicyAssignment) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Pattern
}

func (k *command) policyList() *cobra.Command {
	return k.call("list", "List policies", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		all, err := api.Policies(ctx)
		if err != nil {
			return err
		}
		return printList(k, policyView(), all, int64(len(all)))
	})
}

func (k *command) policyGet() *cobra.Command {
	c := k.call("get NAME", "Show a policy", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		p, err := api.Policy(ctx, args[0])
		if err != nil {
			return err
		}
		return k.printPolicy(p)
	})
	c.ValidArgsFunction = k.complete(policyNames)
	return c
}

func (k *command) printPolicy(p client.Policy) error {
	r := p.Rotation
	facts := []fact{
		{"name", p.Name}, {"description", p.Description}, {"turns", turns(r)}, {"zone", r.Zone}, {"windows", strings.Join(r.Windows, ", ")}, {"jitter", r.Jitter},
		{"heartbeat", heartbeat(r)}, {"rehearsal", rehearsed(r)}, {"reconcile", strings.Join(r.Reconcile, ", ")}, {"waves", waves(r)}, {"if stuck", r.OnStuck}, {"immutable", r.Immutable},
		{"restarts", restarts(r)},
		{"values", valuesOf(p)},
	}
	if p.History > 0 {
		facts = append(facts, fact{"history", fmt.Sprintf("the last %d values are not used again", p.History)})
	}
	if p.BuiltIn {
		facts = append(facts, fact{"for", reach(p)})
	}
	facts = append(facts, fact{"id", p.ID})
	blackouts := view[client.Blackout]{columns: []column[client.Blackout]{
		{head: "BLACKOUT FROM", cell: func(b client.Blackout) string { return instant(b.From) }}, {head: "TO", cell: func(b client.Blackout) string { return instant(b.To) }},
		{head: "WHY", cell: func(b client.Blackout) string { return b.Why }, flexible: true},
	}}
	assigned := view[client.PolicyAssignment]{columns: []column[client.PolicyAssignment]{
		{head: "FOR", cell: func(a client.PolicyAssignment) string { return a.By }}, {head: "WHICH", cell: named, flexible: true},
		{head: "ASSIGNMENT", cell: func(a client.PolicyAssignment) string { return a.ID }},
	}}
	return printOne(k, p, p.Name, facts, part(k, blackouts, r.Blackouts), part(k, assigned, p.Assignments))
}

// valuesOf says what a policy asks of values beyond the default.
func valuesOf(p client.Policy) string {
	w := p.Password
	var parts []string
	switch {
	case w.Words != nil && *w.Words > 0:
		parts = append(parts, fmt.Sprintf("%d words", *w.Words))
	case w.Length != nil:
		parts = append(parts, fmt.Sprintf("%d characters", *w.Length))
	}
	if len(w.Alphabets) > 0 {
		parts = append(parts, "of "+strings.Join(w.Alphabets, ", "))
	}
	if n := len(w.Forbid); n > 0 {
		parts = append(parts, fmt.Sprintf("%d texts are forbidden", n))
	}
	if w.ForbidName != nil && *w.ForbidName {
		parts = append(parts, "without the account's name")
	}
	return strings.Join(append(parts, looks(p)), "; ")
}

func (k *command) policyDelete() *cobra.Command {
	var yes bool
	c := k.call("delete NAME", "Delete a policy; what it was for follows another", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		p, err := api.Policy(ctx, args[0])
		if err != nil {
			return err
		}
		if err := k.confirm(yes, "", "Delete policy %s with its %d assignments?", p.Name, len(p.Assignments)); err != nil {
			return err
		}
		if err := api.DeletePolicy(ctx, p.ID, p.Rev); err != nil {
			return err
		}
		k.done("Policy %s is deleted", p.Name)
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(policyNames)
	return c
}

func (k *command) policyAssign() *cobra.Command {
	var by assignee
	c := k.call("assign NAME --account A | --resource R | --label L | --rule G", "Say which accounts a policy is for", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			a, err := by.assignment(ctx, api)
			if err != nil {
				return err
			}
			p, err := api.AssignPolicy(ctx, args[0], a)
			if err != nil {
				return err
			}
			return k.printPolicy(p)
		})
	f := c.Flags()
	f.StringVar(&by.account, "account", "", "one account, as RESOURCE/ACCOUNT")
	f.StringVar(&by.resource, "resource", "", "every account of a resource")
	f.StringVar(&by.label, "label", "", "accounts of Secrets with these labels, such as env=prod,tier")
	f.StringVar(&by.rule, "rule", "", "accounts that globs name, as TYPE/RESOURCE/ACCOUNT, such as postgresql/prod-*/*")
	_ = c.RegisterFlagCompletionFunc("account", k.completeFlag(accountNames))
	_ = c.RegisterFlagCompletionFunc("resource", k.completeFlag(resourceNames))
	c.ValidArgsFunction = k.complete(policyNames)
	return c
}

// assignee are the flags that name accounts; exactly one is given.
type assignee struct{ account, resource, label, rule string }

func (b assignee) assignment(ctx context.Context, api *client.Client) (a client.NewPolicyAssignment, err error) {
	given := 0
	for _, x := range []client.NewPolicyAssignment{{By: "account", Pattern: b.account}, {By: "resource", Pattern: b.resource}, {By: "label", Pattern: b.label}, {By: "rule", Pattern: b.rule}} {
		if x.Pattern != "" {
			a = x
			given++
		}
	}
	if given != 1 {
		return a, usage("give one of --account, --resource, --label and --rule")
	}
	if a.By == "account" {
		found, err := api.FindAccount(ctx, a.Pattern)
		if err != nil {
			return a, err
		}
		a.Pattern = found.ID()
	}
	return a, nil
}

func (k *command) policyUnassign() *cobra.Command {
	c := k.call("unassign NAME ASSIGNMENT", "Take an assignment of a policy away", 2, 2, func(ctx context.Context, api *client.Client, args []string) error {
		if err := api.UnassignPolicy(ctx, args[0], args[1]); err != nil {
			return err
		}
		k.done("Policy %s has one assignment less", args[0])
		return nil
	})
	c.ValidArgsFunction = k.complete(policyNames)
	return c
}

func (k *command) policyExplain() *cobra.Command {
	c := k.call("explain RESOURCE/ACCOUNT", "Say which policy applies to an account, and why", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.FindAccount(ctx, args[0])
			if err != nil {
				return err
			}
			e, err := api.ExplainPolicy(ctx, found.ID())
			if err != nil {
				return err
			}
			first := client.PolicyReason{}
			if len(e.Applying) > 0 {
				first = e.Applying[0]
			}
			facts := []fact{{"account", e.ResourceName + "/" + e.AccountName}, {"policy", first.Policy}, {"because", first.Because},
				{"next", instantOf(e.NextAt)}, {"why then", e.NextWhy}, {"overdue", overdueWord(e.Overdue)}, {"next login", instantOf(e.CheckAt)}}
			reasons := view[client.PolicyReason]{columns: []column[client.PolicyReason]{
				{head: "POLICY", cell: func(r client.PolicyReason) string { return r.Policy }, flexible: true},
				{head: "BECAUSE", cell: func(r client.PolicyReason) string { return r.Because }, flexible: true},
			}}
			return printOne(k, e, first.Policy, facts, part(k, reasons, e.Applying))
		})
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func overdueWord(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func rehearsed(r client.PolicyRotation) string {
	if r.Rehearse == "" {
		return "1d"
	}
	return r.Rehearse
}
