package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func duplicateView() view[client.Duplicate] {
	type row = client.Duplicate
	return view[row]{
		name: func(d row) string { return d.ID },
		columns: []column[row]{
			{head: "GROUP", cell: func(d row) string { return d.ID }},
			{head: "KEYS", cell: func(d row) string { return fmt.Sprint(d.Keys) }},
			{head: "MAPPED", cell: func(d row) string { return fmt.Sprint(d.Mapped) }},
			{head: "NAMESPACES", cell: func(d row) string { return fmt.Sprint(d.Namespaces) }},
			{head: "CLUSTERS", cell: func(d row) string { return fmt.Sprint(d.Clusters) }},
			{head: "ACCOUNTS", cell: func(d row) string { return fmt.Sprint(d.Accounts) }},
			{head: "SUCH AS", cell: func(d row) string { return d.Example }, flexible: true},
		},
	}
}

// holderName is what other commands take for a place: RESOURCE/ACCOUNT, or CLUSTER/NAMESPACE/SECRET/KEY.
func holderName(h client.Holder) string {
	if h.Kind == "account" {
		return h.ResourceName + "/" + h.AccountName
	}
	return keyPath(h.ClusterName, h.Namespace, h.Secret, h.Key)
}

// mappedTo is the account that a key is mapped to.
func mappedTo(h client.Holder) string {
	switch {
	case h.Kind == "account":
		return ""
	case h.AccountID != "":
		return h.ResourceName + "/" + h.AccountName
	case h.Mapped:
		return "one that you may not see"
	}
	return "no account"
}

func (k *command) holderView() view[client.Holder] {
	type row = client.Holder
	return view[row]{
		name: holderName,
		columns: []column[row]{
			{head: "PLACE", cell: holderName, flexible: true},
			{head: "KIND", cell: func(h row) string { return h.Kind }},
			{head: "MAPPED TO", cell: mappedTo, flexible: true},
			{head: "VERSION", cell: func(h row) string { return version(h.Version) }},
			{head: "STAGE", cell: func(h row) string { return word(state.Version, h.Stage) }},
			{head: "AGE", cell: func(h row) string { return k.age(h.VersionAt) }},
		},
	}
}

func (k *command) secretDuplicates() *cobra.Command {
	var of, search string
	var limit int
	c := k.call("duplicates [GROUP] [--of RESOURCE/ACCOUNT] [--search TEXT]", "List values that several keys or accounts hold, or who holds one of them", 0, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			size := pageSize
			if limit > 0 {
				size = min(size, limit)
			}
			if len(args) == 1 {
				rows, sum, err := collect(limit, func(cursor string) (client.Page[client.Holder], error) {
					return api.DuplicatePlaces(ctx, args[0], client.HolderFilter{Search: search, Limit: size, Cursor: cursor})
				})
				if err != nil {
					return err
				}
				return printList(k, k.holderView(), rows, sum)
			}
			filter := client.DuplicateFilter{Limit: size}
			if search != "" {
				return usage("--search looks among the places of one GROUP")
			}
			if of != "" {
				found, err := api.FindAccount(ctx, of)
				if err != nil {
					return err
				}
				filter.Of = found.ID()
			}
			rows, sum, err := collect(limit, func(cursor string) (client.Page[client.Duplicate], error) {
				filter.Cursor = cursor
				return api.Duplicates(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, duplicateView(), rows, sum)
		})
	c.Long = "No value is opened to find equal ones. Only what you may reveal is looked at and counted. Not listed are values that stand in many places because they are no secrets: " +
		"empty and short ones, small numbers, words such as true, and certificates. A key and the account that it is mapped to are one place."
	f := c.Flags()
	f.StringVar(&of, "of", "", "only what this account or Secret holds")
	f.StringVar(&search, "search", "", "only places of the GROUP with this in their name")
	f.IntVar(&limit, "limit", 0, "show at most so many (default all)")
	_ = c.RegisterFlagCompletionFunc("of", k.completeFlag(accountNames))
	return c
}
