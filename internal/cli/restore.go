package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) restoreCommands() *cobra.Command {
	return k.group("restore", "After the repository was restored from a backup", k.restoreStatus(), k.restoreList(), k.restoreCheck(), k.restoreAccept())
}

func (k *command) restoreStatus() *cobra.Command {
	return k.call("status", "Say whether the repository is older than what it had done, and what is known since", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			r, err := api.Restore(ctx)
			if err != nil {
				return err
			}
			return k.printRestore(r)
		})
}

func (k *command) printRestore(r client.Restore) error {
	facts := []fact{{"repository", r.State}}
	if r.State == "restored" {
		facts = append(facts, fact{"noticed", instantOf(r.FoundAt)}, fact{"later state seen in", r.SeenIn},
			fact{"audit log", fmt.Sprintf("had %d entries, has %d", r.Had, r.Entries)})
		for _, w := range state.Of(state.Restored) {
			if n := r.Counts[w.Word.API()]; n > 0 {
				facts = append(facts, fact{string(w.Word), fmt.Sprint(n)})
			}
		}
	}
	for _, w := range r.Witnesses {
		what := fmt.Sprintf("knows of %d entries", w.Entries)
		if w.Problem != "" {
			what = w.Problem
		}
		facts = append(facts, fact{"cluster " + w.Cluster, what})
	}
	for _, e := range r.Ended {
		facts = append(facts, fact{"restored before", fmt.Sprintf("%s, ended by %s at %s", instant(e.FoundAt), e.EndedBy, instant(e.EndedAt))})
	}
	return printOne(k, r, r.State, facts)
}

func (k *command) restoredView() view[client.RestoredAccount] {
	type row = client.RestoredAccount
	return view[row]{
		name: func(a row) string { return a.Name },
		columns: []column[row]{
			{head: "ACCOUNT", cell: func(a row) string { return a.Name }, flexible: true},
			{head: "STATE", cell: func(a row) string { return word(state.Restored, a.State) }},
			{head: "REASON", cell: func(a row) string { return a.Reason }, flexible: true},
			{head: "CURE", cell: func(a row) string { return a.Cure }, wide: true},
			{head: "RUN GIVEN UP", cell: func(a row) string { return a.Run }, wide: true},
			{head: "AT", cell: func(a row) string { return instantOf(a.At) }, wide: true},
		},
	}
}

func (k *command) restoreList() *cobra.Command {
	var all bool
	c := k.call("list [--all]", "List the accounts of which it is not known which value is right", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			r, err := api.Restore(ctx)
			if err != nil {
				return err
			}
			rows := []client.RestoredAccount{}
			for _, a := range r.Accounts {
				if all || unsettled(a) {
					rows = append(rows, a)
				}
			}
			return printList(k, k.restoredView(), rows, int64(len(rows)))
		})
	c.Flags().BoolVar(&all, "all", false, "those of which it is known too")
	return c
}

// unsettled reports whether it is not known which value of an account is right.
func unsettled(a client.RestoredAccount) bool {
	return a.State != "verified" && a.State != "adopted" && a.State != "agrees"
}

func (k *command) restoreCheck() *cobra.Command {
	c := k.call("check [RESOURCE/ACCOUNT …]", "Try again which value the systems accept: of these accounts, or of all that are not settled", 0, 1000,
		func(ctx context.Context, api *client.Client, args []string) error {
			r, err := api.Restore(ctx)
			if err != nil {
				return err
			}
			ids, err := restoredIDs(r, args)
			if err != nil {
				return err
			}
			if r, err = api.CheckRestored(ctx, client.RestoreCheck{Accounts: ids}); err != nil {
				return err
			}
			k.done("They are being checked; see keyturn restore status")
			return k.printRestore(r)
		})
	c.Long = "Each check tries a few values only, since failed logins may lock an account out: the current one first, then others that were not refused before."
	c.ValidArgsFunction = k.complete(restoredNames)
	return c
}

func (k *command) restoreAccept() *cobra.Command {
	var unresolved []string
	var yes bool
	c := k.call("accept [--unresolved RESOURCE/ACCOUNT,…] [--yes]", "End the restore: everything goes on", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			r, err := api.Restore(ctx)
			if err != nil {
				return err
			}
			ids, err := restoredIDs(r, unresolved)
			if err != nil {
				return err
			}
			if err := k.confirm(yes, "", "The restore is ended: rotations and writes go on with what is known now, and of %d accounts that is accepted though nobody knows.", len(ids)); err != nil {
				return err
			}
			if r, err = api.AcceptRestore(ctx, client.RestoreAcceptance{Accounts: ids}); err != nil {
				return err
			}
			k.done("The restore is ended; everything goes on.")
			return k.printRestore(r)
		})
	c.Long = "Every account that is not settled has to be named: what is not known of it is then accepted, and recorded. Runs that were under way when the backup was made are given up."
	c.Flags().StringSliceVar(&unresolved, "unresolved", nil, "accounts to accept as they are, though it is not known which value is right")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	_ = c.RegisterFlagCompletionFunc("unresolved", k.completeFlag(restoredNames))
	return c
}

// restoredIDs returns the ids of accounts that a restore is about, by their names or ids.
func restoredIDs(r client.Restore, names []string) ([]string, error) {
	ids := make([]string, 0, len(names))
	for _, name := range names {
		found := ""
		for _, a := range r.Accounts {
			if a.Name == name || a.ID == name {
				found = a.ID
			}
		}
		if found == "" {
			return nil, failed("there is no account "+name+" in this restore", fact{"cure", "take a name from keyturn restore list --all"})
		}
		ids = append(ids, found)
	}
	return ids, nil
}

// restoredNames completes accounts that are not settled.
func restoredNames(ctx context.Context, api *client.Client, typed string) ([]string, error) {
	r, err := api.Restore(ctx)
	var names []string
	for _, a := range r.Accounts {
		if unsettled(a) && strings.HasPrefix(a.Name, typed) {
			names = append(names, a.Name)
		}
	}
	return names, err
}
