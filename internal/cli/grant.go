package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

var levels = []string{"view", "use", "reveal", "manage"}

func (k *command) grantCommands() *cobra.Command {
	return k.group("grant", "Standing rights of users and groups on single objects",
		k.grantList(), k.grantCreate(), k.grantDelete())
}

// sides are the flags that name who gets a right, and on what.
type sides struct{ user, group, cluster, resource, account string }

func (k *command) sideFlags(c *cobra.Command, s *sides) {
	f := c.Flags()
	for name, to := range map[string]struct {
		text   *string
		source names
	}{
		"user": {&s.user, userNames}, "group": {&s.group, groupNames}, "cluster": {&s.cluster, clusterNames},
		"resource": {&s.resource, resourceNames}, "account": {&s.account, accountNames},
	} {
		form := "name of the " + name
		if name == "account" {
			form = "the account, as RESOURCE/ACCOUNT"
		}
		f.StringVar(to.text, name, "", form)
		_ = c.RegisterFlagCompletionFunc(name, k.completeFlag(to.source))
	}
}

// subject returns the kind and name of who, empty if nobody was named.
func (s sides) subject() (kind, name string, err error) {
	return one("--user and --group", side{"user", s.user}, side{"group", s.group})
}

// object returns the kind and id, or name, of what. An account's name is looked up, as the API knows accounts by id.
func (s sides) object(ctx context.Context, api *client.Client) (kind, id string, err error) {
	kind, id, err = one("--cluster, --resource and --account",
		side{"cluster", s.cluster}, side{"resource", s.resource}, side{"account", s.account})
	if err == nil && kind == "account" {
		var found client.Found
		if found, err = api.FindAccount(ctx, id); err == nil {
			id = found.ID()
		}
	}
	return kind, id, err
}

type side struct{ kind, name string }

func one(flags string, all ...side) (kind, name string, err error) {
	for _, s := range all {
		if s.name != "" && kind != "" {
			return "", "", usage("%s exclude each other", flags)
		}
		if s.name != "" {
			kind, name = s.kind, s.name
		}
	}
	return kind, name, nil
}

func (k *command) grantView() view[client.Grant] {
	type row = client.Grant
	return view[row]{
		name: func(g row) string { return g.ID },
		columns: []column[row]{
			{head: "ID", cell: func(g row) string { return g.ID }},
			{head: "WHO", cell: func(g row) string { return g.SubjectKind + " " + g.SubjectName }, flexible: true},
			{head: "LEVEL", cell: func(g row) string { return g.Level }},
			{head: "ON", cell: func(g row) string { return g.ObjectKind + " " + g.ObjectName }, flexible: true},
			{head: "ENDS", cell: func(g row) string { return instantOf(g.ExpiresAt) }, wide: true},
			{head: "BY", cell: func(g row) string { return g.GrantedBy }, wide: true},
			{head: "AGE", cell: func(g row) string { return k.age(g.CreatedAt) }, wide: true},
		},
	}
}

func (k *command) printGrant(g client.Grant) error {
	return printOne(k, g, g.ID, []fact{{"who", g.SubjectKind + " " + g.SubjectName}, {"level", g.Level},
		{"on", g.ObjectKind + " " + g.ObjectName}, {"ends", instantOf(g.ExpiresAt)}, {"by", g.GrantedBy}, {"id", g.ID}})
}

func (k *command) grantList() *cobra.Command {
	var s sides
	c := k.call("list [--user U | --group G] [--cluster C | --resource R | --account RESOURCE/ACCOUNT]", "List grants", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			var filter client.GrantFilter
			var err error
			if filter.SubjectKind, filter.SubjectID, err = s.subject(); err != nil {
				return err
			}
			if filter.ObjectKind, filter.ObjectID, err = s.object(ctx, api); err != nil {
				return err
			}
			page, err := api.Grants(ctx, filter)
			if err != nil {
				return err
			}
			return printList(k, k.grantView(), page.Items, page.Total)
		})
	k.sideFlags(c, &s)
	return c
}

func (k *command) grantCreate() *cobra.Command {
	var s sides
	var level, expires string
	c := k.call("create (--user U | --group G) (--cluster C | --resource R | --account RESOURCE/ACCOUNT) --level LEVEL [--expires SPAN|TIME]",
		"Give a user or group a right", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
			n := client.NewGrant{Level: level}
			var err error
			if n.SubjectKind, n.SubjectID, err = s.subject(); err != nil {
				return err
			}
			if !slices.Contains(levels, level) {
				return usage("--level is one of %s", strings.Join(levels, ", "))
			}
			if expires != "" {
				end, err := k.until(expires)
				if err != nil {
					return err
				}
				n.ExpiresAt = &end
			}
			if n.ObjectKind, n.ObjectID, err = s.object(ctx, api); err != nil {
				return err
			}
			if n.SubjectKind == "" || n.ObjectKind == "" {
				return usage("say who, with --user or --group, and on what, with --cluster, --resource or --account")
			}
			g, err := api.AddGrant(ctx, n)
			if err != nil {
				return err
			}
			return k.printGrant(g)
		})
	k.sideFlags(c, &s)
	c.Flags().StringVar(&level, "level", "", strings.Join(levels, ", ")+"; each includes those before it")
	c.Flags().StringVar(&expires, "expires", "", "when it ends: a span such as 8h or 30d, a day, or a time in RFC 3339")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// until reads an end: a span from now, a day, which ends at its beginning in UTC, or a time.
func (k *command) until(s string) (time.Time, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return k.now().UTC().AddDate(0, 0, n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return k.now().UTC().Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage("--expires is a span such as 8h or 30d, a day such as 2027-01-31, or a time in RFC 3339")
}

func (k *command) grantDelete() *cobra.Command {
	var yes bool
	c := k.call("delete GRANT [--yes]", "Take a right back", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		page, err := api.Grants(ctx, client.GrantFilter{})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(page.Items, func(g client.Grant) bool { return g.ID == args[0] })
		if i < 0 {
			return missing("There is no such grant", `Look at "keyturn grant list".`)
		}
		g := page.Items[i]
		if err := k.confirm(yes, "", "%s %s no longer may %s %s %s.", g.SubjectKind, g.SubjectName, g.Level, g.ObjectKind, g.ObjectName); err != nil {
			return err
		}
		if err := api.DeleteGrant(ctx, g.ID, g.Rev); err != nil {
			return err
		}
		k.done("The grant is deleted.")
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(func(ctx context.Context, api *client.Client, _ string) ([]string, error) {
		page, err := api.Grants(ctx, client.GrantFilter{})
		return mapped(page.Items, func(g client.Grant) string { return g.ID }), err
	})
	return c
}

// missing is what the server would have said, for names that are looked up here.
func missing(title, cure string) error {
	return &client.Problem{Type: "urn:keyturn:problem:not-found", Status: http.StatusNotFound, Title: title, Cure: cure}
}

func (k *command) tokenCommands() *cobra.Command {
	return k.group("token", "API tokens for programs", k.tokenList(), k.tokenCreate(), k.tokenDelete())
}

func (k *command) tokenView() view[client.Token] {
	type row = client.Token
	return view[row]{
		name: func(t row) string { return t.ID },
		columns: []column[row]{
			{head: "ID", cell: func(t row) string { return t.ID }},
			{head: "NAME", cell: func(t row) string { return t.Name }, flexible: true},
			{head: "ENDS", cell: func(t row) string { return t.ExpiresAt.UTC().Format(time.DateOnly) }},
			{head: "USED", cell: func(t row) string { return k.ageOf(t.LastUsedAt) }},
			{head: "OWNER", cell: func(t row) string { return t.Owner.Name }, wide: true},
			{head: "SCOPES", cell: func(t row) string { return strings.Join(t.Scopes, ",") }, wide: true},
			{head: "AGE", cell: func(t row) string { return k.age(t.CreatedAt) }, wide: true},
		},
	}
}

func (k *command) tokenList() *cobra.Command {
	var owner string
	c := k.call("list [--owner USER]", "List API tokens, without their secrets", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			page, err := api.Tokens(ctx, owner)
			if err != nil {
				return err
			}
			return printList(k, k.tokenView(), page.Items, page.Total)
		})
	c.Flags().StringVar(&owner, "owner", "", "those of this user (default your own)")
	_ = c.RegisterFlagCompletionFunc("owner", k.completeFlag(userNames))
	return c
}

func (k *command) tokenCreate() *cobra.Command {
	var n client.NewToken
	var expires string
	c := k.call("create NAME --scope SCOPE… [--expires SPAN|TIME]", "Make an API token and print its secret, once", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if len(n.Scopes) == 0 {
				return usage(`--scope is needed: "object.verb", "object.*" or "*"`)
			}
			n.Name = args[0]
			var err error
			if n.ExpiresAt, err = k.until(expires); err != nil {
				return err
			}
			t, err := api.AddToken(ctx, n)
			if err != nil {
				return err
			}
			if k.output == "json" || k.output == "yaml" {
				return k.document(t)
			}
			k.done("Token %s ends %s. Its secret is shown this once:", t.Name, instant(t.ExpiresAt))
			_, err = fmt.Fprintln(k.Out, t.Secret.Text())
			return err
		})
	c.Flags().StringSliceVar(&n.Scopes, "scope", nil, `what it may do: "object.verb", "object.*", or "*" for all but changing policies and users, groups, grants, tokens and sessions, which are named; may be repeated`)
	c.Flags().StringVar(&expires, "expires", "90d", "when it ends, at most a year from now")
	return c
}

func (k *command) tokenDelete() *cobra.Command {
	var yes bool
	c := k.call("delete TOKEN [--yes]", "End an API token", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		if err := k.confirm(yes, "", "Token %s stops working at once.", args[0]); err != nil {
			return err
		}
		if err := api.DeleteToken(ctx, args[0]); err != nil {
			return err
		}
		k.done("The token is deleted.")
		return nil
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(func(ctx context.Context, api *client.Client, _ string) ([]string, error) {
		page, err := api.Tokens(ctx, "")
		return mapped(page.Items, func(t client.Token) string { return t.ID }), err
	})
	return c
}
