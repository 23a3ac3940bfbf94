package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

func (k *command) accountCreate() *cobra.Command {
	var valueFile, pair, pairFile, strategy string
	c := k.call("create RESOURCE/ACCOUNT [--value-file F|-] [--strategy alternating --pair LOGIN]", "Make an account on a resource", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			resource, name, ok := strings.Cut(args[0], "/")
			if !ok || resource == "" || name == "" {
				return usage("the account is written RESOURCE/ACCOUNT")
			}
			if (strategy == "alternating") != (pair != "") && (strategy != "" || pairFile != "") {
				return usage("a pair is made with --strategy alternating --pair LOGIN; other strategies are chosen with keyturn account edit")
			}
			n := client.NewAccount{Name: name, Pair: pair}
			if valueFile != "" {
				var err error
				if n.Value, err = k.value("value-file", valueFile, ""); err != nil {
					return err
				}
			}
			a, err := api.AddAccount(ctx, resource, n)
			if err == nil && pairFile != "" {
				a, err = k.pairValue(ctx, api, a, pairFile)
			}
			if err != nil {
				return err
			}
			k.done("Account %s/%s is made.", a.ResourceName, a.Name)
			return k.printAccount(ctx, api, a)
		})
	valueFlag(c, &valueFile, "file with its present value, or - for standard input (default: not known)")
	c.Flags().StringVar(&strategy, "strategy", "", "alternating: the account is a pair of logins that take turns")
	_ = c.RegisterFlagCompletionFunc("strategy", cobra.FixedCompletions([]string{"alternating"}, cobra.ShellCompDirectiveNoFileComp))
	pairFlags(c, &pair, &pairFile)
	return c
}

// pairFlags are those of an account that is a pair.
func pairFlags(c *cobra.Command, pair, file *string) {
	c.Flags().StringVar(pair, "pair", "", "the second login of an account that alternates")
	c.Flags().StringVar(file, "pair-value-file", "", "file with the present value of the login of the pair that is not in use, or - for standard input")
	_ = c.MarkFlagFilename("pair-value-file")
}

// pairValue stores the value of the login of a pair that is not in use.
func (k *command) pairValue(ctx context.Context, api *client.Client, a client.Account, file string) (client.Account, error) {
	value, err := k.value("pair-value-file", file, "")
	if err != nil {
		return a, err
	}
	return api.UpdateAccount(ctx, a.ID, a.Rev, client.AccountChange{PairValue: value})
}

func valueFlag(c *cobra.Command, path *string, text string) {
	c.Flags().StringVar(path, "value-file", "", text)
	_ = c.MarkFlagFilename("value-file")
}

// onlyAccount refuses Secrets, which are what their cluster has.
func onlyAccount(ctx context.Context, api *client.Client, name string) (client.Account, error) {
	found, err := api.FindAccount(ctx, name)
	if err != nil {
		return client.Account{}, err
	}
	if found.Account == nil {
		return client.Account{}, usage("this is a Secret of a cluster: it is changed by resetting the account that its keys are mapped to")
	}
	return *found.Account, nil
}

func (k *command) accountEdit() *cobra.Command {
	var name, valueFile, strategy, pair, pairFile string
	c := k.call("edit RESOURCE/ACCOUNT [--name NAME] [--strategy S [--pair LOGIN]] [--value-file F|-]", "Change what is known of an account", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if name == "" && valueFile == "" && strategy == "" && pair == "" && pairFile == "" {
				return usage("say what to change: --name, --strategy, --pair, --value-file or --pair-value-file")
			}
			was, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			var change client.AccountChange
			if name != "" {
				change.Name = &name
			}
			if strategy != "" {
				if strategy == "best" {
					strategy = ""
				}
				change.Strategy = &strategy
			}
			if pair != "" {
				change.Pair = &pair
			}
			if valueFile != "" {
				if change.Value, err = k.value("value-file", valueFile, ""); err != nil {
					return err
				}
			}
			now := was
			if valueFile != "" || name != "" || change.Strategy != nil || pair != "" {
				now, err = api.UpdateAccount(ctx, was.ID, was.Rev, change)
			}
			if err == nil && pairFile != "" {
				now, err = k.pairValue(ctx, api, now, pairFile)
			}
			if err != nil {
				return err
			}
			k.done("Account %s/%s is changed; the system itself was not touched.", now.ResourceName, now.Name)
			return k.printAccount(ctx, api, now)
		})
	c.Long = "Change an account's name or how its resets go, or store a value that was changed elsewhere. To change it on the system, reset it."
	c.Flags().StringVar(&name, "name", "", "new name")
	c.Flags().StringVar(&strategy, "strategy", "", "single: one value at a time; overlap: the old one stays valid until every reader has the new; alternating: a pair of logins takes turns; best: what the type can")
	_ = c.RegisterFlagCompletionFunc("strategy", cobra.FixedCompletions([]string{"single", "overlap", "alternating", "best"}, cobra.ShellCompDirectiveNoFileComp))
	valueFlag(c, &valueFile, "file with the value that it has now (of a pair: that the login in use has), or - for standard input")
	pairFlags(c, &pair, &pairFile)
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func (k *command) accountDelete() *cobra.Command {
	var yes bool
	c := k.call("delete RESOURCE/ACCOUNT [--yes]", "Delete an account with its versions", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			a, err := onlyAccount(ctx, api, args[0])
			if err != nil {
				return err
			}
			name := a.ResourceName + "/" + a.Name
			if err := k.confirm(yes, name, "Account %s is deleted with all its versions and its %d mappings. The system itself is not touched.",
				name, total(a.Mappings)); err != nil {
				return err
			}
			if err := api.DeleteAccount(ctx, a.ID, a.Rev); err != nil {
				return err
			}
			k.done("Account %s is deleted.", name)
			return nil
		})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}
