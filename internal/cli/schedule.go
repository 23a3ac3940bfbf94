package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

func (k *command) scheduleCommands() *cobra.Command {
	return k.group("schedule", "What is due when", k.scheduleList())
}

func (k *command) scheduleView() view[client.Account] {
	type row = client.Account
	return view[row]{
		name: func(a row) string { return a.ResourceName + "/" + a.Name },
		columns: []column[row]{
			{head: "ACCOUNT", cell: func(a row) string { return a.ResourceName + "/" + a.Name }, flexible: true},
			{head: "NEXT", cell: func(a row) string { return instantOf(a.NextAt) }},
			{head: "OVERDUE", cell: func(a row) string { return overdueWord(a.Overdue) }},
			{head: "POLICY", cell: func(a row) string { return a.Policy }, flexible: true},
			{head: "WHY", cell: func(a row) string { return a.NextWhy }, flexible: true},
			{head: "VALUE", cell: func(a row) string { return k.ageOf(a.ChangedAt) }, wide: true},
			{head: "BECAUSE", cell: func(a row) string { return a.PolicyBecause }, wide: true},
		},
	}
}

func (k *command) scheduleList() *cobra.Command {
	var l listing
	var filter client.ScheduleFilter
	c := k.call("list [--resource R] [--policy P] [--overdue] [--within 7d]", "List accounts by when they are due to be changed, those that are overdue first", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			filter.ListOptions = l.options()
			rows, sum, err := collect(l.limit, func(cursor string) (client.Page[client.Account], error) {
				filter.Cursor = cursor
				return api.Schedule(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.scheduleView(), rows, sum)
		})
	l.flags(c, false)
	c.Flags().StringVar(&filter.Resource, "resource", "", "only accounts on this resource")
	c.Flags().StringVar(&filter.Policy, "policy", "", "only accounts that follow this policy")
	c.Flags().BoolVar(&filter.Overdue, "overdue", false, "only those whose value is older than its policy allows")
	c.Flags().StringVar(&filter.Within, "within", "", "only those that are due within so long, such as 24h or 7d, and those that are overdue")
	_ = c.RegisterFlagCompletionFunc("policy", k.completeFlag(policyNames))
	_ = c.RegisterFlagCompletionFunc("resource", k.completeFlag(resourceNames))
	return c
}
