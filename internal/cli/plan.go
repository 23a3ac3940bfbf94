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

func (k *command) rotationPlan() *cobra.Command {
	c := k.call("plan RESOURCE/ACCOUNT", "Show what a reset would do now, and to whom", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			account, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			plan, err := api.Plan(ctx, account.ID)
			if err != nil {
				return err
			}
			return k.printPlan(plan)
		})
	c.Long = "Looks at every mapped key and at what reads it, and changes nothing. Bind a reset to the plan with \"keyturn account reset --plan HASH\": it refuses when the world has changed since."
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func (k *command) printPlan(p client.Plan) error {
	b := p.Blast
	facts := []fact{
		{"account", p.ResourceName + "/" + p.AccountName}, {"hash", p.Hash}, {"version", version(p.Current)}, {"strategy", p.Strategy},
		{"policy", p.Policy}, {"because", p.PolicyBecause}, {"waves", wavesOf(p)},
		{"keys", fmt.Sprintf("%d in %d Secrets of %d clusters; %d blocked", b.Keys, b.Secrets, b.Clusters, b.Blocked)},
		{"restarts", fmt.Sprintf("%d of %d workloads, %d pods; %d have a single replica", b.Restarts, b.Workloads, b.Pods, b.SingleReplica)},
		{"takes", "about " + spanOf(p.Estimate.Seconds)}, {"estimated from", p.Estimate.Basis},
	}
	if p.Lockout != nil {
		facts = append(facts, fact{"locked out", p.Lockout.Until})
	}
	facts = append(facts, keyFacts(p.Keys)...)
	for _, w := range p.Warnings {
		facts = append(facts, fact{"warning", w.Text})
	}
	for _, w := range p.Workloads {
		for _, x := range w.Warnings {
			facts = append(facts, fact{"warning", w.Cluster + "/" + w.Namespace + "/" + w.Kind + "/" + w.Name + ": " + x.Text})
		}
	}
	for _, u := range p.Unseen {
		facts = append(facts, fact{"unseen", u})
	}
	return printOne(k, p, p.ResourceName+"/"+p.AccountName, facts, part(k, planKeyView(), p.Keys), part(k, planWorkloadView(), p.Workloads))
}

// keyFacts say which immutable Secrets are replaced, and what to do about keys that could not be written, each once.
func keyFacts(keys []client.PlanKey) []fact {
	var out []fact
	for _, k := range keys {
		f := fact{"replaced", k.Cluster + "/" + k.Namespace + "/" + k.Secret + " by " + k.Instead + ", since it is immutable"}
		if k.State == "blocked" {
			f = fact{"cure", k.Cure}
		} else if k.Instead == "" {
			continue
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func wavesOf(p client.Plan) string {
	if p.Waves == 0 {
		return ""
	}
	return fmt.Sprint(p.Waves)
}

func spanOf(seconds int64) string { return (time.Duration(seconds) * time.Second).String() }

func planKeyView() view[client.PlanKey] {
	type row = client.PlanKey
	return view[row]{columns: []column[row]{
		{head: "KEY", cell: func(p row) string { return keyPath(p.Cluster, p.Namespace, p.Secret, p.Key) }, flexible: true},
		{head: "STATE", cell: func(p row) string { return word(state.Key, p.State) }},
		{head: "OWNER", cell: func(p row) string { return or(p.OwnerName) }},
		{head: "ON WRITE", cell: func(p row) string { return p.OnWrite }},
		{head: "REASON", cell: func(p row) string { return p.Reason }, flexible: true},
		{head: "CURE", cell: func(p row) string { return p.Cure }, wide: true},
		{head: "WAVE", cell: func(p row) string { return ordinal(p.Wave) }, wide: true},
	}}
}

func planWorkloadView() view[client.PlanWorkload] {
	type row = client.PlanWorkload
	return view[row]{columns: []column[row]{
		{head: "WORKLOAD", cell: func(w row) string { return w.Cluster + "/" + w.Namespace + "/" + w.Kind + "/" + w.Name }, flexible: true},
		{head: "ACTION", cell: func(w row) string { return w.Action }},
		{head: "PODS", cell: func(w row) string { return fmt.Sprint(w.Pods) }},
		{head: "LOCKED OUT", cell: lockedOut},
		{head: "READS", cell: reads, flexible: true},
		{head: "REASON", cell: func(w row) string { return w.Reason }, wide: true},
		{head: "CURE", cell: func(w row) string { return w.Cure }, wide: true},
		{head: "UNTIL", cell: func(w row) string {
			if w.Lockout == nil {
				return none
			}
			return w.Lockout.Until
		}, wide: true},
		{head: "WAVE", cell: func(w row) string { return ordinal(w.Wave) }, wide: true},
	}}
}

func lockedOut(w client.PlanWorkload) string {
	switch {
	case w.Lockout == nil:
		return none
	case w.Lockout.OpenEnded:
		return "open-ended"
	}
	return spanOf(w.Lockout.Seconds)
}

// reads says how a workload reads the keys, each way once.
func reads(w client.PlanWorkload) string {
	var ways []string
	seen := map[string]bool{}
	for _, u := range w.Uses {
		way := u.Secret + " as " + u.How
		if !seen[way] {
			seen[way] = true
			ways = append(ways, way)
		}
	}
	return strings.Join(ways, ", ")
}

func (k *command) rotationRehearse() *cobra.Command {
	var wait bool
	c := k.call("rehearse RESOURCE/ACCOUNT [--wait]", "Try the whole way of a reset without changing anything", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			account, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			r, err := api.Rehearse(ctx, account.ID)
			if err != nil {
				return err
			}
			if !wait {
				k.done("The rehearsal is under way; see keyturn rotation rehearsal %s", args[0])
				return nil
			}
			for r.State == "running" {
				if err := k.sleep(ctx); err != nil {
					return stopped(err, "the rehearsal", "keyturn rotation rehearsal "+args[0])
				}
				if r, err = api.Rehearsal(ctx, account.ID); err != nil {
					return err
				}
			}
			return k.judgedRehearsal(r)
		})
	c.Long = "Logs in, shows the right to change the value, has the API servers check each write and restart as dry runs. Nothing is changed. With --wait it fails unless the account is ready."
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end, and fail unless the account is ready")
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func (k *command) rotationRehearsal() *cobra.Command {
	c := k.call("rehearsal RESOURCE/ACCOUNT", "Show what the last rehearsal found", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			account, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			r, err := api.Rehearsal(ctx, account.ID)
			if err != nil {
				return err
			}
			return k.printRehearsal(r)
		})
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

// judgedRehearsal prints a rehearsal and fails unless it ended well.
func (k *command) judgedRehearsal(r client.Rehearsal) error {
	if err := k.printRehearsal(r); err != nil {
		return err
	}
	if r.State == "ready" {
		return nil
	}
	return failed("the account is not ready: "+word(state.Readiness, r.State), fact{"cause", r.Reason}, fact{"cure", r.Cure})
}

func (k *command) printRehearsal(r client.Rehearsal) error {
	facts := []fact{
		{"account", r.ResourceName + "/" + r.AccountName}, {"state", word(state.Readiness, r.State)}, {"reason", r.Reason}, {"cure", r.Cure},
		{"rehearsed", instantOf(r.At)}, {"by", r.Actor}, {"next", instantOf(r.NextAt)},
	}
	type row = client.RehearsalStep
	steps := view[row]{columns: []column[row]{
		{head: "STEP", cell: func(s row) string { return s.Name }},
		{head: "STATE", cell: func(s row) string { return word(state.Step, s.State) }},
		{head: "ON", cell: func(s row) string { return strings.TrimPrefix(s.Cluster+"/"+s.Object, "/") }, flexible: true},
		{head: "RESULT", cell: func(s row) string { return s.Proved + s.Reason }, flexible: true},
		{head: "CURE", cell: func(s row) string { return s.Cure }, wide: true},
	}}
	return printOne(k, r, r.ResourceName+"/"+r.AccountName, facts, part(k, steps, r.Steps))
}
