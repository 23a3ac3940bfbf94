package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyturn/keyturn/client"
)

// ruleFlags describe a policy. Only those that were given change something; an empty text takes a rule away.
type ruleFlags struct {
	description, every, cron, zone, jitter, maxAge, onReveal, heartbeat, rehearse, exclude, waveSize, wavePause, onStuck, immutable string
	windows, blackouts, reconcile, alphabets, forbid, canary, restartOrder, restartWindows                                          []string
	length, words, history                                                                                                          int
	forbidName                                                                                                                      bool
}

func (p *ruleFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&p.description, "description", "", "what it is for")
	f.StringVar(&p.every, "every", "", "change values after this time, such as 30d")
	f.StringVar(&p.cron, "cron", "", "change values when this comes to pass: minute, hour, day, month, weekday")
	f.StringVar(&p.zone, "zone", "", "time zone of cron and windows, such as Europe/Berlin (default UTC)")
	f.StringArrayVar(&p.windows, "window", nil, `only then, such as "Fri 20:00-Sat 04:00"; may be repeated`)
	f.StringArrayVar(&p.blackouts, "blackout", nil, "not then, as FROM/TO or FROM/TO/WHY with times such as 2027-01-02T15:00:00Z; may be repeated")
	f.StringVar(&p.jitter, "jitter", "", "spread accounts that are due at once over this time")
	f.StringVar(&p.maxAge, "max-age", "", "how old a value may become")
	f.StringVar(&p.onReveal, "on-reveal", "", "change a value so long after it was revealed")
	f.StringVar(&p.heartbeat, "heartbeat", "", "try a login this often, or off (default 1d)")
	f.StringVar(&p.rehearse, "rehearse", "", "rehearse a reset this often, or off (default 1d)")
	f.StringSliceVar(&p.reconcile, "reconcile", nil, "repair an account by its reconcile account when its login is: refused")
	f.StringSliceVar(&p.canary, "canary", nil, "clusters that get a new value first, as globs of their names")
	f.StringVar(&p.waveSize, "wave-size", "", "how many clusters each later wave has, such as 3 or 25% (default all)")
	f.StringVar(&p.wavePause, "wave-pause", "", "how long to wait between waves, or ask: until somebody resumes the run")
	f.StringSliceVar(&p.restartOrder, "restart-order", nil, "globs of NAMESPACE/KIND/NAME; workloads that match the first are restarted first, the rest last")
	f.StringSliceVar(&p.restartWindows, "restart-window", nil, "when restarts may begin, such as 22:00-04:00 (default always)")
	f.StringVar(&p.immutable, "immutable", "", "what is done with a mapped Secret that is immutable: refuse, or replace by one of another name (default refuse)")
	f.StringVar(&p.onStuck, "on-stuck", "", "what is done with a run that needs attention after its value was proved: rollback (default nothing)")
	f.IntVar(&p.length, "length", 0, "characters of a value")
	f.StringSliceVar(&p.alphabets, "alphabets", nil, "classes of characters: lower, upper, digits, symbols")
	f.StringVar(&p.exclude, "exclude", "", "characters that must not occur")
	f.IntVar(&p.words, "words", 0, "make passphrases of so many words")
	f.StringArrayVar(&p.forbid, "forbid", nil, "a text that must not occur in a value; may be repeated")
	f.BoolVar(&p.forbidName, "forbid-name", false, "forbid the account's name")
	f.IntVar(&p.history, "history", 0, "so many versions are not used again")
}

// over changes what was given on the command line.
func (p *ruleFlags) over(f *pflag.FlagSet, to *client.Policy) error {
	r, w := &to.Rotation, &to.Password
	for name, x := range map[string]struct{ from, to *string }{
		"description": {&p.description, &to.Description}, "every": {&p.every, &r.Every}, "cron": {&p.cron, &r.Cron}, "zone": {&p.zone, &r.Zone}, "jitter": {&p.jitter, &r.Jitter},
		"max-age": {&p.maxAge, &r.MaxAge}, "on-reveal": {&p.onReveal, &r.OnReveal}, "heartbeat": {&p.heartbeat, &r.Heartbeat}, "rehearse": {&p.rehearse, &r.Rehearse},
		"wave-size": {&p.waveSize, &r.WaveSize}, "wave-pause": {&p.wavePause, &r.WavePause}, "on-stuck": {&p.onStuck, &r.OnStuck}, "immutable": {&p.immutable, &r.Immutable},
	} {
		if f.Changed(name) {
			*x.to = *x.from
		}
	}
	for name, x := range map[string]struct{ from, to *[]string }{
		"window": {&p.windows, &r.Windows}, "reconcile": {&p.reconcile, &r.Reconcile}, "alphabets": {&p.alphabets, &w.Alphabets}, "forbid": {&p.forbid, &w.Forbid},
		"canary": {&p.canary, &r.Canary}, "restart-order": {&p.restartOrder, &r.RestartOrder}, "restart-window": {&p.restartWindows, &r.RestartWindows},
	} {
		if f.Changed(name) {
			*x.to = withoutEmpty(*x.from)
		}
	}
	if f.Changed("length") {
		w.Length = &p.length
	}
	if f.Changed("words") {
		w.Words = &p.words
	}
	if f.Changed("exclude") {
		w.Exclude = &p.exclude
	}
	if f.Changed("forbid-name") {
		w.ForbidName = &p.forbidName
	}
	if f.Changed("history") {
		to.History = p.history
	}
	if !f.Changed("blackout") {
		return nil
	}
	r.Blackouts = nil
	for _, text := range withoutEmpty(p.blackouts) {
		b, err := parseBlackout(text)
		if err != nil {
			return err
		}
		r.Blackouts = append(r.Blackouts, b)
	}
	return nil
}

// withoutEmpty lets an empty text take all of a list away.
func withoutEmpty(all []string) (out []string) {
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func parseBlackout(text string) (b client.Blackout, err error) {
	parts := strings.SplitN(text, "/", 3)
	if len(parts) < 2 {
		return b, usage("--blackout is written FROM/TO or FROM/TO/WHY")
	}
	for i, to := range []*client.Time{&b.From, &b.To} {
		if *to, err = time.Parse(time.RFC3339, parts[i]); err != nil {
			return b, usage("the times of --blackout are written as 2027-01-02T15:00:00Z")
		}
	}
	if len(parts) == 3 {
		b.Why = parts[2]
	}
	return b, nil
}

func (k *command) policyCreate() *cobra.Command {
	var p ruleFlags
	var c *cobra.Command
	c = k.call("create NAME", "Make a policy", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		var made client.Policy
		if err := p.over(c.Flags(), &made); err != nil {
			return err
		}
		made, err := api.AddPolicy(ctx, client.NewPolicy{Name: args[0], Description: made.Description, Password: made.Password, History: made.History, Rotation: made.Rotation})
		if err != nil {
			return err
		}
		return k.printPolicy(made)
	})
	p.flags(c.Flags())
	return c
}

func (k *command) policyEdit() *cobra.Command {
	var p ruleFlags
	var name string
	var c *cobra.Command
	c = k.call("edit NAME", "Change what is given of a policy", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		was, err := api.Policy(ctx, args[0])
		if err != nil {
			return err
		}
		if err := p.over(c.Flags(), &was); err != nil {
			return err
		}
		change := client.PolicyChange{Description: &was.Description, Password: &was.Password, History: &was.History, Rotation: &was.Rotation}
		if c.Flags().Changed("name") {
			change.Name = &name
		}
		now, err := api.UpdatePolicy(ctx, was.ID, was.Rev, change)
		if err != nil {
			return err
		}
		return k.printPolicy(now)
	})
	p.flags(c.Flags())
	c.Flags().StringVar(&name, "name", "", "another name")
	c.ValidArgsFunction = k.complete(policyNames)
	return c
}
