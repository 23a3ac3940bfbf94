package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) leakCommands() *cobra.Command {
	return k.group("leak", "Who holds a value that has leaked, and what has to be turned", k.leakFind(), k.leakPlan(), k.leakRotate())
}

// leakFlags name the value: by itself, or by its hash.
type leakFlags struct{ valueFile, sha256 string }

func (l *leakFlags) add(c *cobra.Command) {
	valueFlag(c, &l.valueFile, "file with the value that leaked, or - for standard input")
	c.Flags().StringVar(&l.sha256, "sha256", "", "the SHA-256 of the value, in hex, instead of the value")
}

// find asks the server for the value that the flags name. The value goes no further than there.
func (k *command) find(ctx context.Context, api *client.Client, l leakFlags) (client.Leak, error) {
	q := client.LeakQuery{SHA256: l.sha256}
	if l.sha256 != "" && l.valueFile != "" {
		return client.Leak{}, usage("the value is read from --value-file or named by --sha256: choose one")
	}
	if l.sha256 == "" {
		var err error
		if q.Value, err = k.value("value-file", l.valueFile, "The value that leaked"); err != nil {
			return client.Leak{}, err
		}
	}
	return api.FindLeak(ctx, q)
}

func leakConsumerView(k *command) view[client.LeakConsumer] {
	type row = client.LeakConsumer
	return view[row]{columns: []column[row]{
		{head: "CONSUMER", cell: func(c row) string { return c.ClusterName + "/" + c.Namespace + "/" + c.Kind + "/" + c.Name }, flexible: true},
		{head: "SEEN", cell: func(c row) string { return k.age(c.SeenAt) }},
	}}
}

func (k *command) leakFind() *cobra.Command {
	var l leakFlags
	c := k.call("find --value-file F|- | --sha256 HEX", "List the accounts, versions, keys and consumers that hold a value", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			found, err := k.find(ctx, api, l)
			if err != nil {
				return err
			}
			if found.Next != "" {
				rest, _, err := collect(0, func(cursor string) (client.Page[client.Holder], error) {
					if cursor == "" {
						cursor = found.Next
					}
					return api.LeakPlaces(ctx, found.ID, client.HolderFilter{Limit: pageSize, Cursor: cursor})
				})
				if err != nil {
					return err
				}
				found.Places, found.Next = append(found.Places, rest...), ""
			}
			if found.Partial {
				k.done("Only what you may reveal was looked at; others may hold the value too.")
			}
			if found.Total == 0 && k.tableOutput() {
				k.done("Nothing holds it.")
				return nil
			}
			var names []string
			for _, h := range found.Places {
				names = append(names, holderName(h))
			}
			if k.output == "name" {
				return k.names(names)
			}
			facts := []fact{{"leak", found.ID}, {"held by", fmt.Sprintf("%d versions of accounts, %d keys; %d keys once held it or are of deleted Secrets",
				found.Counts["versions"], found.Counts["keys"], found.Counts["past"])}, {"consumers", found.ConsumersNote}}
			return printOne(k, found, found.ID, facts, part(k, k.leakPlaceView(), found.Places), part(k, leakConsumerView(k), found.Consumers))
		})
	c.Long = "The value is read from a file or from standard input, and neither stored nor written to any log; that you looked for one, and how many places were found, is recorded. " +
		"A line's end behind it makes no difference. Searches are limited to one a second, as they tell whether a guess is right."
	l.add(c)
	return c
}

// leakPlaceView is holderView with what is not as it was marked.
func (k *command) leakPlaceView() view[client.Holder] {
	v := k.holderView()
	v.columns = append(v.columns, column[client.Holder]{head: "NOTE", cell: func(h client.Holder) string {
		switch {
		case h.Gone:
			return "deleted in its cluster"
		case h.Kind == "key" && h.Stage != "current":
			return "holds another value now"
		}
		return ""
	}})
	return v
}

// leakStep is one account of a plan, with what its own plan says of whom it touches.
type leakStep struct {
	client.LeakStep
	Blast  *client.PlanBlast `json:"blast,omitempty"`
	Unseen []string          `json:"unseen,omitempty"`
}

type leakPlan struct {
	client.LeakPlan
	Steps []leakStep `json:"steps"`
}

// foreseen adds the plan of each account that is to be turned. Clusters are asked for that.
func foreseen(ctx context.Context, api *client.Client, p client.LeakPlan, ask bool) leakPlan {
	out := leakPlan{LeakPlan: p, Steps: make([]leakStep, len(p.Steps))}
	for i, s := range p.Steps {
		out.Steps[i].LeakStep = s
		if !ask || s.Action != "turn" && s.Action != "waits" {
			continue
		}
		plan, err := api.Plan(ctx, s.AccountID)
		if err != nil {
			out.Steps[i].Unseen = []string{"Its plan could not be made"}
			continue
		}
		out.Steps[i].Blast, out.Steps[i].Unseen = &plan.Blast, plan.Unseen
	}
	return out
}

func leakStepView() view[leakStep] {
	type row = leakStep
	return view[row]{
		name: func(s row) string { return s.ResourceName + "/" + s.AccountName },
		columns: []column[row]{
			{head: "ORDER", cell: func(s row) string { return ordinal(s.Order) }},
			{head: "ACCOUNT", cell: func(s row) string { return s.ResourceName + "/" + s.AccountName }, flexible: true},
			{head: "ACTION", cell: func(s row) string { return s.Action }},
			{head: "KEYS", cell: func(s row) string { return fmt.Sprint(s.Keys) }},
			{head: "CLUSTERS", cell: func(s row) string { return fmt.Sprint(s.Clusters) }},
			{head: "RESTARTS", cell: restartsOf},
			{head: "AFTER", cell: func(s row) string { return strings.Join(s.After, ", ") }, flexible: true},
			{head: "REASON", cell: func(s row) string { return s.Reason }, flexible: true},
			{head: "RUN", cell: func(s row) string { return s.Run }, wide: true},
			{head: "CURE", cell: func(s row) string { return s.Cure }, wide: true},
		},
	}
}

// restartsOf says whom a turn would restart, as far as that could be seen.
func restartsOf(s leakStep) string {
	switch {
	case s.Blast == nil && len(s.Unseen) > 0:
		return "not known"
	case s.Blast == nil:
		return ""
	case len(s.Unseen) > 0:
		return fmt.Sprintf("%d or more", s.Blast.Restarts)
	}
	return fmt.Sprintf("%d of %d", s.Blast.Restarts, s.Blast.Workloads)
}

func (k *command) printLeakPlan(p leakPlan) error {
	if p.Partial {
		k.done("Only what you may reveal was looked at; others may hold the value too.")
	}
	if k.output == "name" {
		return k.names(namesOf(leakStepView(), p.Steps))
	}
	facts := []fact{{"leak", p.ID}, {"accounts", fmt.Sprint(len(p.Steps))}}
	if p.UnmappedTotal > 0 {
		facts = append(facts, fact{"no account", fmt.Sprintf("%d keys hold it and are mapped to none that you may see: map them first", p.UnmappedTotal)})
	}
	return printOne(k, p, p.ID, facts, part(k, leakStepView(), p.Steps), part(k, k.holderView(), p.Unmapped))
}

// leakID returns the id of a leak: the argument, or that of the value which the flags name.
func (k *command) leakID(ctx context.Context, api *client.Client, args []string, l leakFlags) (string, error) {
	if len(args) == 0 {
		found, err := k.find(ctx, api, l)
		return found.ID, err
	}
	if l != (leakFlags{}) {
		return "", usage("name the leak by its id or by its value, not by both")
	}
	return args[0], nil
}

func (k *command) leakPlan() *cobra.Command {
	var l leakFlags
	var quick bool
	c := k.call("plan LEAK | --value-file F|- | --sha256 HEX [--no-forecast]", "Show which accounts have to be turned, in which order, and whom that touches", 0, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			id, err := k.leakID(ctx, api, args, l)
			if err != nil {
				return err
			}
			p, err := api.LeakPlan(ctx, id)
			if err != nil {
				return err
			}
			return k.printLeakPlan(foreseen(ctx, api, p, !quick))
		})
	c.Long = "An account that repairs the others of a resource comes after them. Nothing is known of systems that use each other. LEAK is what \"keyturn leak find\" printed."
	l.add(c)
	c.Flags().BoolVar(&quick, "no-forecast", false, "ask no cluster who reads the keys")
	return c
}

func (k *command) leakRotate() *cobra.Command {
	var l leakFlags
	var yes, wait bool
	c := k.call("rotate LEAK | --value-file F|- | --sha256 HEX [--wait]", "Start the runs that a leak asks for", 0, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			id, err := k.leakID(ctx, api, args, l)
			if err != nil {
				return err
			}
			p, err := api.LeakPlan(ctx, id)
			if err != nil {
				return err
			}
			turns := 0
			for _, s := range p.Steps {
				if s.Action == "turn" || s.Action == "waits" {
					turns++
				}
			}
			if err := k.confirm(yes, "", "%d accounts are turned: their systems, the keys that are mapped to them and what reads those are changed. See keyturn leak plan.", turns); err != nil {
				return err
			}
			begun, err := api.RotateLeak(ctx, id)
			if err != nil {
				return err
			}
			if wait {
				if begun, err = k.rotateAll(ctx, api, id, begun); err != nil {
					return err
				}
			}
			if err := k.printLeakPlan(foreseen(ctx, api, begun, false)); err != nil {
				return err
			}
			return leakVerdict(begun, wait)
		})
	c.Long = "Accounts that come after others are started once those have ended: with --wait by this command, otherwise by calling it again. " +
		"What cannot be turned is left out, and says why; it ends with code 1 then."
	l.add(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&wait, "wait", false, "until nothing is left that can be turned")
	return c
}

// rotateAll waits for the runs that were started and starts those that come after them, until a call starts none.
func (k *command) rotateAll(ctx context.Context, api *client.Client, id string, begun client.LeakPlan) (client.LeakPlan, error) {
	for {
		for _, s := range begun.Steps {
			if s.Run == "" || s.Action != "started" && s.Action != "runs" {
				continue
			}
			run, err := k.ended(ctx, api, s.Run)
			if err != nil {
				return begun, err
			}
			k.done("%s/%s: %s", s.ResourceName, s.AccountName, word(state.Run, run.State))
		}
		next, err := api.RotateLeak(ctx, id)
		if err != nil {
			return begun, err
		}
		begun = next
		if !slices.ContainsFunc(begun.Steps, func(s client.LeakStep) bool { return s.Action == "started" }) {
			return begun, nil
		}
	}
}

// ended waits until a run does not go on by itself.
func (k *command) ended(ctx context.Context, api *client.Client, id string) (client.Run, error) {
	for {
		run, err := api.Run(ctx, id)
		if err == nil && runOver(run) {
			return run, nil
		}
		if err == nil {
			err = k.sleep(ctx)
		}
		if err != nil {
			return run, stopped(err, "the run", "keyturn rotation watch "+id)
		}
	}
}

// leakVerdict fails where something of a leak is left that nobody is working on. After waiting nobody is.
func leakVerdict(p client.LeakPlan, waited bool) error {
	var left []fact
	for _, s := range p.Steps {
		if s.Action == "refused" || waited && s.Action != "skip" {
			left = append(left, fact{s.ResourceName + "/" + s.AccountName, s.Reason})
		}
	}
	if p.UnmappedTotal > 0 {
		left = append(left, fact{"no account", fmt.Sprintf("%d keys; map them with keyturn mapping add", p.UnmappedTotal)})
	}
	if len(left) == 0 {
		return nil
	}
	return failed("the value is still held where nothing was started", left...)
}
