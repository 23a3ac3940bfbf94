package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) rotationCommands() *cobra.Command {
	return k.group("rotation", "Runs: changes of credentials, step by step",
		k.rotationPlan(), k.rotationRehearse(), k.rotationRehearsal(), k.rotationList(), k.rotationGet(), k.rotationWatch(), k.rotationResume(), k.rotationRollBack(), k.rotationCancel())
}

func stepName(s string) string { return strings.ReplaceAll(s, "_", " ") }

func (k *command) runView() view[client.Run] {
	type row = client.Run
	return view[row]{
		name: func(r row) string { return r.ID },
		columns: []column[row]{
			{head: "RUN", cell: func(r row) string { return r.ID }},
			{head: "ACCOUNT", cell: func(r row) string { return r.ResourceName + "/" + r.AccountName }, flexible: true},
			{head: "STATE", cell: func(r row) string { return word(state.Run, r.State) }},
			{head: "KEYS", cell: func(r row) string { return fmt.Sprintf("%d/%d", r.KeysProved, r.Keys) }},
			{head: "AGE", cell: func(r row) string { return k.age(r.CreatedAt) }},
			{head: "STEP", cell: func(r row) string { return stepName(r.Step) }, wide: true},
			{head: "PROVED", cell: func(r row) string { return yesNo(r.Proved) }, wide: true},
			{head: "BY", cell: func(r row) string { return r.Actor }, wide: true},
			{head: "REASON", cell: func(r row) string { return r.Reason }, wide: true},
		},
	}
}

func (k *command) rotationList() *cobra.Command {
	var l listing
	var account string
	c := k.call("list [--account RESOURCE/ACCOUNT] [--state S]", "List runs, newest first", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			filter := client.RunFilter{ListOptions: l.options(), State: l.stateWords()}
			if account != "" {
				found, err := api.FindAccount(ctx, account)
				if err != nil {
					return err
				}
				filter.Account = found.ID()
			}
			rows, sum, err := collect(l.limit, func(cursor string) (client.Page[client.Run], error) {
				filter.Cursor = cursor
				return api.Runs(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.runView(), rows, sum)
		})
	l.flags(c, true)
	c.Flags().StringVar(&account, "account", "", "only those of this account")
	_ = c.RegisterFlagCompletionFunc("account", k.completeFlag(accountNames))
	return c
}

func (k *command) rotationGet() *cobra.Command {
	c := k.call("get RUN", "Show a run with its steps and keys", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		run, err := api.Run(ctx, args[0])
		if err != nil {
			return err
		}
		return k.printRun(run)
	})
	c.ValidArgsFunction = k.complete(runIDs)
	return c
}

func (k *command) rotationWatch() *cobra.Command {
	c := k.call("watch RUN", "Print each step of a run as it is done", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		return k.watchRun(ctx, api, args[0])
	})
	c.ValidArgsFunction = k.complete(runIDs)
	return c
}

func (k *command) rotationResume() *cobra.Command {
	var wait bool
	c := k.call("resume RUN [--wait]", "Let a run that needs attention go on", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			run, err := api.ResumeRun(ctx, args[0])
			if err != nil {
				return err
			}
			if wait {
				k.began(run.ID)
				return k.watchRun(ctx, api, run.ID)
			}
			k.done("Run %s goes on; see keyturn rotation watch %s", run.ID, run.ID)
			return k.printRun(run)
		})
	c.Flags().BoolVar(&wait, "wait", false, "print each step as it is done, and end with the run")
	c.ValidArgsFunction = k.complete(runIDs)
	return c
}

func (k *command) rotationRollBack() *cobra.Command {
	var wait bool
	c := k.call("rollback RUN [--wait]", "Set the value before a run again, everywhere", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			run, err := api.RollBackRun(ctx, args[0])
			if err != nil {
				return err
			}
			if wait {
				k.began(run.ID)
				return k.watchRun(ctx, api, run.ID)
			}
			k.done("Run %s sets the value before run %s again; see keyturn rotation watch %s", run.ID, args[0], run.ID)
			return k.printRun(run)
		})
	c.Long = "Ends a run that waits or needs attention after its value was proved, and starts one that sets the value before it again, through the same steps and with the same proofs."
	c.Flags().BoolVar(&wait, "wait", false, "print each step as it is done, and end with the run")
	c.ValidArgsFunction = k.complete(runIDs)
	return c
}

func (k *command) rotationCancel() *cobra.Command {
	c := k.call("cancel RUN", "Give up a run that has sent nothing to its system yet", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			run, err := api.CancelRun(ctx, args[0])
			if err != nil {
				return err
			}
			k.done("Run %s is cancelled; nothing was sent to the system.", run.ID)
			return k.printRun(run)
		})
	c.ValidArgsFunction = k.complete(runIDs)
	return c
}

// ordinal is the number of something; a dash where there is none.
func ordinal(n int) string {
	if n == 0 {
		return none
	}
	return fmt.Sprint(n)
}

// waveOf says which wave is being written; empty when all clusters go at once.
func waveOf(r client.Run) string {
	if r.Waves == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", r.Wave, r.Waves)
}

func (k *command) printRun(r client.Run) error {
	facts := []fact{
		{"run", r.ID}, {"account", r.ResourceName + "/" + r.AccountName}, {"state", word(state.Run, r.State)},
		{"reason", r.Reason}, {"cure", r.Cure}, {"step", stepName(r.Step)}, {"new", version(r.New)}, {"old", version(r.Old)},
		{"proved", yesNo(r.Proved)}, {"wave", waveOf(r)}, {"keys", fmt.Sprintf("%d of %d proved", r.KeysProved, r.Keys)},
		{"next try", instantOf(r.NextTryAt)}, {"reverts", r.Reverts}, {"plan", r.Plan}, {"by", r.Actor}, {"began", instant(r.CreatedAt)}, {"ended", instantOf(r.EndedAt)},
	}
	for _, f := range r.Facts {
		facts = append(facts, fact{"known", f})
	}
	for _, u := range r.Unseen {
		facts = append(facts, fact{"unseen", u})
	}
	return printOne(k, r, r.ID, facts, part(k, stepView(), r.Steps), part(k, writeView(), r.Writes), part(k, replacementView(), r.Replacements), part(k, rolloutView(), r.Rollouts))
}

func replacementView() view[client.RunReplacement] {
	type row = client.RunReplacement
	return view[row]{columns: []column[row]{
		{head: "REPLACED", cell: func(r row) string { return r.Cluster + "/" + r.Namespace + "/" + r.Secret }, flexible: true},
		{head: "BY", cell: func(r row) string { return r.Instead }},
		{head: "STATE", cell: func(r row) string { return word(state.Step, r.State) }},
		{head: "SWITCHED", cell: func(r row) string { return fmt.Sprintf("%d/%d", r.Switched, r.Consumers) }},
		{head: "HELD", cell: func(r row) string { return r.Held }, flexible: true},
		{head: "THE OLD ONE", cell: func(r row) string { return r.Old }, flexible: true},
	}}
}

func stepView() view[client.RunStep] {
	type row = client.RunStep
	return view[row]{columns: []column[row]{
		{head: "STEP", cell: func(s row) string { return stepName(s.Name) }},
		{head: "STATE", cell: func(s row) string { return word(state.Step, s.State) }},
		{head: "AT", cell: func(s row) string { return instantOf(s.At) }},
		{head: "NOTE", cell: func(s row) string { return s.Note }, flexible: true},
	}}
}

func writeView() view[client.RunWrite] {
	type row = client.RunWrite
	return view[row]{columns: []column[row]{
		{head: "KEY", cell: func(w row) string { return keyPath(w.Cluster, w.Namespace, w.Secret, w.Key) }, flexible: true},
		{head: "STATE", cell: func(w row) string { return word(state.Key, w.State) }},
		{head: "REASON", cell: func(w row) string { return w.Reason }, flexible: true},
		{head: "CURE", cell: func(w row) string { return w.Cure }, wide: true},
		{head: "WAVE", cell: func(w row) string { return ordinal(w.Wave) }, wide: true},
		{head: "TAKEN OVER FROM", cell: func(w row) string { return w.Taken }, wide: true},
		{head: "AT", cell: func(w row) string { return instantOf(w.At) }, wide: true},
	}}
}

func rolloutView() view[client.RunRollout] {
	type row = client.RunRollout
	return view[row]{columns: []column[row]{
		{head: "WORKLOAD", cell: func(r row) string { return r.Cluster + "/" + r.Namespace + "/" + r.Kind + "/" + r.Name }, flexible: true},
		{head: "STATE", cell: func(r row) string { return word(state.Rollout, r.State) }},
		{head: "READY", cell: func(r row) string { return fmt.Sprintf("%d/%d", r.Ready, r.Wanted) }},
		{head: "OLD", cell: func(r row) string { return fmt.Sprint(r.Old) }},
		{head: "REASON", cell: func(r row) string { return r.Reason }, flexible: true},
		{head: "CURE", cell: func(r row) string { return r.Cure }, wide: true},
		{head: "AT", cell: func(r row) string { return instantOf(r.At) }, wide: true},
	}}
}
