package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

// policyFlags say where the new value comes from and, if it is generated, how.
type policyFlags struct {
	length         int
	alphabets      []string
	exclude        string
	require        map[string]int
	generate, wait bool
	valueFile      string
	version        int64
	plan           string
}

func (p *policyFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&p.generate, "generate", false, "generate the value (the default)")
	valueFlag(c, &p.valueFile, "file with the new value, or - for standard input")
	f.Int64Var(&p.version, "version", 0, "set this older version again")
	f.StringVar(&p.plan, "plan", "", "hash of the plan that you agree to; refuse if the world has changed since")
	f.BoolVar(&p.wait, "wait", false, "print each step as it is done, and end with the run")
	f.IntVar(&p.length, "length", 0, "characters of a generated value (default 32)")
	f.StringSliceVar(&p.alphabets, "alphabets", nil, "of what: lower, upper, digits, symbols (default all)")
	f.StringVar(&p.exclude, "exclude", "", "characters that must not occur")
	f.StringToIntVar(&p.require, "require", nil, "how many must occur at least, as digits=2,upper=1")
}

// policy returns what was said about generating, nil if nothing was.
func (p *policyFlags) policy(f *pflag.FlagSet) *client.PasswordPolicy {
	if !f.Changed("length") && !f.Changed("alphabets") && !f.Changed("exclude") && !f.Changed("require") {
		return nil
	}
	out := client.PasswordPolicy{Length: p.length, Alphabets: p.alphabets, Require: p.require}
	if f.Changed("exclude") {
		out.Exclude = &p.exclude
	}
	return &out
}

func (k *command) reset(f *pflag.FlagSet, p policyFlags) (client.Reset, error) {
	policy := p.policy(f)
	ways := 0
	for _, given := range []bool{p.generate || policy != nil, p.valueFile != "", f.Changed("version")} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return client.Reset{}, usage("a value is generated, read from --value-file or taken from --version: choose one")
	}
	out := client.Reset{Policy: policy, Version: p.version, Plan: p.plan}
	if p.valueFile == "" {
		return out, nil
	}
	var err error
	out.Value, err = k.value("value-file", p.valueFile, "")
	return out, err
}

func (k *command) accountReset() *cobra.Command {
	var p policyFlags
	var c *cobra.Command
	c = k.call("reset RESOURCE/ACCOUNT [--generate | --value-file F|- | --version N] [--wait]",
		"Change a credential on the system and in every mapped key", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			reset, err := k.reset(c.Flags(), p)
			if err != nil {
				return err
			}
			account, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			run, err := api.Reset(ctx, account.ID, reset)
			if err != nil {
				return err
			}
			if p.wait {
				k.began(run.ID)
				return k.watchRun(ctx, api, run.ID)
			}
			k.done("Run %s is under way; see keyturn rotation watch %s", run.ID, run.ID)
			return k.printRun(run)
		})
	p.add(c)
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

// began says which run it is before it is waited for, so that it can be watched from elsewhere. Where programs read the
// output, only standard error has room for that.
func (k *command) began(id string) {
	w := k.Out
	if !k.tableOutput() {
		w = k.Err
	}
	_, _ = fmt.Fprintf(w, "run: %s\n", clean(id))
}

// stepDone are the states in which a step does not change any more while the run goes on.
var stepDone = map[string]bool{"done": true, "failed": true, "skipped": true, "unverified": true}

// runOver reports whether a run does not go on by itself.
func runOver(r client.Run) bool {
	switch r.State {
	case "queued", "running", "waiting":
		return false
	}
	return true
}

// watchRun prints each step of a run as it is done, with its time, and at the end what is known. It fails unless the run
// ended well.
func (k *command) watchRun(ctx context.Context, api *client.Client, id string) error {
	printed := map[string]string{}
	for {
		run, err := api.Run(ctx, id)
		if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == 404 {
			return err // nothing goes on
		}
		if err != nil {
			return stopped(err, "the run", "keyturn rotation watch "+id)
		}
		if k.tableOutput() {
			k.printSteps(run, printed)
		}
		if runOver(run) {
			return k.finishRun(run)
		}
		if err := k.sleep(ctx); err != nil {
			return stopped(err, "the run", "keyturn rotation watch "+id)
		}
	}
}

// printSteps prints what is new since printed, which it updates.
func (k *command) printSteps(run client.Run, printed map[string]string) {
	for _, step := range run.Steps {
		if step.Name == "rolled_out" {
			k.printRollouts(run.Rollouts, printed)
		}
		if !stepDone[step.State] || printed[step.Name] == step.State {
			continue
		}
		printed[step.Name] = step.State
		at := "        "
		if step.At != nil {
			at = step.At.UTC().Format("15:04:05")
		}
		_, _ = fmt.Fprintf(k.Out, "%s  %-11s  %s%s\n", at, clean(stepName(step.Name)), word(state.Step, step.State), clean(after(": ", step.Note)))
	}
	if waits := run.State + run.Reason; !runOver(run) && run.State == "waiting" && printed[""] != waits {
		printed[""] = waits
		k.done("%s%s", word(state.Run, run.State), after(": ", run.Reason))
	}
}

// printRollouts prints the workloads that got on since printed.
func (k *command) printRollouts(all []client.RunRollout, printed map[string]string) {
	for _, r := range all {
		now := fmt.Sprintf("%s: %d of %d pods ready on the new value, %d old left%s", word(state.Rollout, r.State), r.Ready, r.Wanted, r.Old, after("; ", r.Reason))
		id := "rollout " + r.ClusterID + "/" + r.UID
		if printed[id] == now || r.State == "to_do" {
			continue
		}
		printed[id] = now
		at := "        "
		if r.At != nil {
			at = r.At.UTC().Format("15:04:05")
		}
		_, _ = fmt.Fprintf(k.Out, "%s    %s/%s/%s  %s\n", at, clean(r.Namespace), clean(r.Kind), clean(r.Name), clean(now))
	}
}

func (k *command) finishRun(run client.Run) error {
	var known []fact
	for _, f := range run.Facts {
		known = append(known, fact{"known", f})
	}
	if !k.tableOutput() {
		if err := k.printRun(run); err != nil {
			return err
		}
	} else {
		out := []fact{{"state", word(state.Run, run.State)}}
		if run.State == "done" {
			out = append(out, known...)
		}
		for _, f := range out {
			if _, err := fmt.Fprintf(k.Out, "%s: %s\n", f.word, clean(f.text)); err != nil {
				return err
			}
		}
	}
	if run.State == "done" {
		return nil
	}
	why := append([]fact{{"cause", run.Reason}, {"cure", run.Cure}}, known...)
	return failed("the run is not done: "+word(state.Run, run.State), append(why, fact{"see", "keyturn rotation get " + run.ID})...)
}
