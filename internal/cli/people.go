package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

var roles = []string{"administrator", "operator", "auditor", "user"}

func (k *command) userCommands() *cobra.Command {
	return k.group("user", "People who sign in",
		k.userList(), k.userCreate(), k.userEdit(), k.userPassword(), k.userDelete())
}

func (k *command) userView() view[client.User] {
	type row = client.User
	return view[row]{
		name: func(u row) string { return u.Name },
		columns: []column[row]{
			{head: "NAME", cell: func(u row) string { return u.Name }, flexible: true},
			{head: "ROLE", cell: func(u row) string { return u.Role }},
			{head: "DISABLED", cell: func(u row) string { return yesNo(u.Disabled) }},
			{head: "LAST LOGIN", cell: func(u row) string { return k.ageOf(u.LastLoginAt) }},
			{head: "AGE", cell: func(u row) string { return k.age(u.CreatedAt) }},
			{head: "CALLED", cell: func(u row) string { return u.DisplayName }, flexible: true},
			{head: "ID", cell: func(u row) string { return u.ID }, wide: true},
		},
	}
}

func (k *command) printUser(u client.User) error {
	return printOne(k, u, u.Name, []fact{{"name", u.Name}, {"called", u.DisplayName}, {"role", u.Role}, {"disabled", yesNo(u.Disabled)},
		{"last login", instantOf(u.LastLoginAt)}, {"created", instant(u.CreatedAt)}, {"id", u.ID}})
}

func (k *command) userList() *cobra.Command {
	return k.call("list", "List users", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		page, err := api.Users(ctx)
		if err != nil {
			return err
		}
		return printList(k, k.userView(), page.Items, page.Total)
	})
}

func roleFlag(c *cobra.Command, role *string, text string) {
	c.Flags().StringVar(role, "role", "", text)
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp))
}

func (k *command) userCreate() *cobra.Command {
	n := client.NewUser{}
	var passwordFile string
	c := k.call("create NAME --role ROLE [--display-name TEXT] --password-file F|-", "Make a user", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if !slices.Contains(roles, n.Role) {
				return usage("--role is one of %s", strings.Join(roles, ", "))
			}
			n.Name = args[0]
			var err error
			if n.Password, err = k.newPassword("password-file", passwordFile, "Password of the new user"); err != nil {
				return err
			}
			u, err := api.AddUser(ctx, n)
			if err != nil {
				return err
			}
			k.done("User %s is made.", u.Name)
			return k.printUser(u)
		})
	roleFlag(c, &n.Role, strings.Join(roles, ", "))
	c.Flags().StringVar(&n.DisplayName, "display-name", "", "how people call them")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, or - for standard input")
	return c
}

func (k *command) userEdit() *cobra.Command {
	var display, role string
	var disable, enable bool
	var c *cobra.Command
	c = k.call("edit NAME [--display-name TEXT] [--role ROLE] [--disable | --enable]", "Change a user", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			var change client.UserChange
			if c.Flags().Changed("display-name") {
				change.DisplayName = &display
			}
			if role != "" {
				change.Role = &role
			}
			if disable != enable {
				change.Disabled = &disable
			}
			switch {
			case disable && enable:
				return usage("--disable and --enable exclude each other")
			case role != "" && !slices.Contains(roles, role):
				return usage("--role is one of %s", strings.Join(roles, ", "))
			case change == (client.UserChange{}):
				return usage("say what to change")
			}
			was, err := api.User(ctx, args[0])
			if err != nil {
				return err
			}
			now, err := api.UpdateUser(ctx, was.ID, was.Rev, change)
			if err != nil {
				return err
			}
			k.done("User %s is changed.", now.Name)
			return k.printUser(now)
		})
	f := c.Flags()
	f.StringVar(&display, "display-name", "", "how people call them")
	roleFlag(c, &role, "new role")
	f.BoolVar(&disable, "disable", false, "may not sign in any more")
	f.BoolVar(&enable, "enable", false, "may sign in again")
	c.ValidArgsFunction = k.complete(userNames)
	return c
}

func (k *command) userPassword() *cobra.Command {
	var currentFile, passwordFile string
	c := k.call("password NAME --password-file F|- [--current-file F|-]", "Change a password; one's own needs the current one", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if currentFile == "-" && passwordFile == "-" {
				return usage("standard input gives one value; put the other in a file")
			}
			me, err := api.Session(ctx)
			if err != nil {
				return err
			}
			var n client.NewPassword
			if own := me.User.Name == args[0] || me.User.ID == args[0]; own || currentFile != "" {
				if n.Current, err = k.value("current-file", currentFile, "Your current password"); err != nil {
					return err
				}
			}
			if n.Password, err = k.newPassword("password-file", passwordFile, "New password"); err != nil {
				return err
			}
			if err := api.SetPassword(ctx, args[0], n); err != nil {
				return err
			}
			k.done("The password is changed.")
			return nil
		})
	c.Flags().StringVar(&currentFile, "current-file", "", "file with the current password, or - for standard input")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file with the new password, or - for standard input")
	c.ValidArgsFunction = k.complete(userNames)
	return c
}

func (k *command) userDelete() *cobra.Command {
	var yes bool
	c := k.call("delete NAME [--yes]", "Delete a user", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		u, err := api.User(ctx, args[0])
		if err != nil {
			return err
		}
		if err := k.confirm(yes, "", "User %s is deleted, with sessions, tokens and grants. The audit log keeps the name.", u.Name); err != nil {
			return err
		}
		if err := api.DeleteUser(ctx, u.ID, u.Rev); err != nil {
			return err
		}
		k.done("User %s is deleted.", u.Name)
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(userNames)
	return c
}

func (k *command) groupCommands() *cobra.Command {
	return k.group("group", "Groups of users", k.groupList(), k.groupCreate(), k.groupEdit(), k.groupDelete())
}

func memberNames(members []client.Member) string {
	return or(strings.Join(mapped(members, func(m client.Member) string { return m.Name }), ","))
}

func (k *command) groupView() view[client.Group] {
	type row = client.Group
	return view[row]{
		name: func(g row) string { return g.Name },
		columns: []column[row]{
			{head: "NAME", cell: func(g row) string { return g.Name }, flexible: true},
			{head: "USERS", cell: func(g row) string { return fmt.Sprint(len(g.Members)) }},
			{head: "MEMBERS", cell: func(g row) string { return memberNames(g.Members) }, flexible: true},
			{head: "AGE", cell: func(g row) string { return k.age(g.CreatedAt) }},
			{head: "DESCRIPTION", cell: func(g row) string { return g.Description }, wide: true},
		},
	}
}

func (k *command) printGroup(g client.Group) error {
	return printOne(k, g, g.Name, []fact{{"name", g.Name}, {"description", g.Description}, {"members", memberNames(g.Members)},
		{"created", instant(g.CreatedAt)}, {"id", g.ID}})
}

func (k *command) groupList() *cobra.Command {
	return k.call("list", "List groups", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
		page, err := api.Groups(ctx)
		if err != nil {
			return err
		}
		return printList(k, k.groupView(), page.Items, page.Total)
	})
}

func (k *command) groupCreate() *cobra.Command {
	var n client.NewGroup
	c := k.call("create NAME [--member USER]… [--description TEXT]", "Make a group", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			n.Name = args[0]
			g, err := api.AddGroup(ctx, n)
			if err != nil {
				return err
			}
			k.done("Group %s is made.", g.Name)
			return k.printGroup(g)
		})
	c.Flags().StringSliceVar(&n.Members, "member", nil, "a user in it; may be repeated")
	c.Flags().StringVar(&n.Description, "description", "", "what it is for")
	_ = c.RegisterFlagCompletionFunc("member", k.completeFlag(userNames))
	return c
}

func (k *command) groupEdit() *cobra.Command {
	var name, description string
	var add, remove []string
	var c *cobra.Command
	c = k.call("edit NAME [--name NAME] [--description TEXT] [--add USER]… [--remove USER]…", "Change a group", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			was, err := api.Group(ctx, args[0])
			if err != nil {
				return err
			}
			var change client.GroupChange
			if c.Flags().Changed("name") {
				change.Name = &name
			}
			if c.Flags().Changed("description") {
				change.Description = &description
			}
			if len(add)+len(remove) > 0 {
				members := membership(was.Members, add, remove)
				change.Members = &members
			}
			if change == (client.GroupChange{}) {
				return usage("say what to change")
			}
			now, err := api.UpdateGroup(ctx, was.ID, was.Rev, change)
			if err != nil {
				return err
			}
			k.done("Group %s is changed.", now.Name)
			return k.printGroup(now)
		})
	f := c.Flags()
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&description, "description", "", "what it is for")
	f.StringSliceVar(&add, "add", nil, "a user to put in; may be repeated")
	f.StringSliceVar(&remove, "remove", nil, "a user to take out; may be repeated")
	_ = c.RegisterFlagCompletionFunc("add", k.completeFlag(userNames))
	_ = c.RegisterFlagCompletionFunc("remove", k.completeFlag(userNames))
	c.ValidArgsFunction = k.complete(groupNames)
	return c
}

// membership returns the ids of the members, and ids or names of those added, without those removed.
func membership(was []client.Member, add, remove []string) []string {
	out := []string{}
	for _, m := range was {
		if !slices.Contains(remove, m.Name) && !slices.Contains(remove, m.ID) {
			out = append(out, m.ID)
			add = slices.DeleteFunc(slices.Clone(add), func(a string) bool { return a == m.Name || a == m.ID })
		}
	}
	return append(out, add...)
}

func (k *command) groupDelete() *cobra.Command {
	var yes bool
	c := k.call("delete NAME [--yes]", "Delete a group and what was granted to it", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			g, err := api.Group(ctx, args[0])
			if err != nil {
				return err
			}
			if err := k.confirm(yes, "", "Group %s is deleted; its %d members lose what was granted to it.", g.Name, len(g.Members)); err != nil {
				return err
			}
			if err := api.DeleteGroup(ctx, g.ID, g.Rev); err != nil {
				return err
			}
			k.done("Group %s is deleted.", g.Name)
			return nil
		})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(groupNames)
	return c
}
