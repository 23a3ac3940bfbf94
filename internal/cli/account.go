package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) accountCommands() *cobra.Command {
	return k.group("account", "Accounts: logins on systems, and the Secrets of clusters",
		k.accountList(), k.accountGet(), k.accountCreate(), k.accountEdit(), k.accountDelete(), k.accountVersions(),
		k.accountDownload(), k.accountReveal(), k.accountReset(), k.accountVerify())
}

// accountRow is an account or a Secret in one table. Its document is that of the one it is.
type accountRow struct{ client.Found }

// MarshalJSON gives what the API answered.
func (r accountRow) MarshalJSON() ([]byte, error) {
	if r.Account != nil {
		return json.Marshal(r.Account)
	}
	return json.Marshal(r.Secret)
}

// of returns what one of the two says.
func of(account func(*client.Account) string, secret func(*client.Secret) string) func(accountRow) string {
	return func(r accountRow) string {
		if r.Account != nil {
			return account(r.Account)
		}
		return secret(r.Secret)
	}
}

func (k *command) accountView() view[accountRow] {
	return view[accountRow]{
		name: accountRow.Name,
		columns: []column[accountRow]{
			{head: "NAME", cell: accountRow.Name, flexible: true},
			{head: "TYPE", cell: of(func(a *client.Account) string { return a.ResourceType },
				func(s *client.Secret) string { return s.Type }), flexible: true},
			{head: "STATE", cell: of(func(a *client.Account) string { return word(state.Account, a.State) },
				func(s *client.Secret) string { return word(state.Key, s.State) })},
			{head: "VERSION", cell: of(func(a *client.Account) string { return version(a.Current) },
				func(s *client.Secret) string { return version(s.Current) })},
			{head: "MAPPED", cell: of(func(a *client.Account) string { return fmt.Sprint(total(a.Mappings)) },
				func(s *client.Secret) string { return fmt.Sprintf("%d/%d", s.MappedKeys, s.KeyCount) })},
			{head: "AGE", cell: of(func(a *client.Account) string { return k.age(a.CreatedAt) },
				func(s *client.Secret) string { return k.age(s.CreatedAt) })},
			{head: "READY", cell: of(func(a *client.Account) string { return word(state.Readiness, a.Readiness) },
				func(*client.Secret) string { return none }), wide: true},
			{head: "SIZE", cell: of(func(*client.Account) string { return none },
				func(s *client.Secret) string { return size(s.Size) }), wide: true},
			{head: "CHANGED", cell: of(func(a *client.Account) string { return k.ageOf(a.ChangedAt) },
				func(s *client.Secret) string { return k.age(s.SeenAt) }), wide: true},
			{head: "REASON", cell: of(func(a *client.Account) string { return a.Reason },
				func(s *client.Secret) string { return s.Reason }), wide: true},
		},
	}
}

func total(n map[string]int64) int64 {
	var sum int64
	for _, c := range n {
		sum += c
	}
	return sum
}

func (k *command) accountList() *cobra.Command {
	var l listing
	var resource string
	var types, ready []string
	c := k.call("list [--resource R] [--type T] [--ready S]", "List accounts, then the Secrets of clusters", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			others := slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == kubernetes })
			var rows []accountRow
			var sum int64
			if len(types) == 0 || len(others) > 0 {
				filter := client.AccountFilter{ListOptions: l.options(), Resource: resource, Type: others, State: l.stateWords(), Ready: apiWords(ready)}
				found, n, err := collect(l.limit, func(cursor string) (client.Page[client.Account], error) {
					filter.Cursor = cursor
					return api.Accounts(ctx, filter)
				})
				if err != nil {
					return err
				}
				sum += n
				for i := range found {
					rows = append(rows, accountRow{client.Found{Account: &found[i]}})
				}
			}
			secrets := len(ready) == 0 && (len(types) == 0 || slices.Contains(types, kubernetes)) // no Secret is rehearsed
			if secrets && (l.limit == 0 || len(rows) < l.limit) {
				found, n, err := k.secrets(ctx, api, l, resource, len(rows))
				if err != nil {
					return err
				}
				sum += n
				rows = append(rows, found...)
			}
			return printList(k, k.accountView(), rows, sum)
		})
	l.flags(c, true)
	c.Flags().StringVar(&resource, "resource", "", "only those on this resource")
	c.Flags().StringSliceVar(&types, "type", nil, "only those on resources of these types")
	c.Flags().StringSliceVar(&ready, "ready", nil, "only accounts of these: ready, not-ready, stale, unknown")
	_ = c.RegisterFlagCompletionFunc("ready", cobra.FixedCompletions([]string{"ready", "not-ready", "stale", "unknown"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("resource", k.completeFlag(resourceNames))
	_ = c.RegisterFlagCompletionFunc("type", k.completeFlag(typeNames))
	return c
}

// secrets lists Secrets as accounts, after so many rows that there are already.
func (k *command) secrets(ctx context.Context, api *client.Client, l listing, resource string, have int) ([]accountRow, int64, error) {
	if l.limit > 0 {
		l.limit -= have
	}
	filter := client.SecretFilter{ListOptions: l.options(), Resource: resource, State: l.stateWords()}
	found, n, err := collect(l.limit, func(cursor string) (client.Page[client.Secret], error) {
		filter.Cursor = cursor
		return api.Secrets(ctx, filter)
	})
	var rows []accountRow
	for i := range found {
		rows = append(rows, accountRow{client.Found{Secret: &found[i]}})
	}
	return rows, n, err
}

func (k *command) accountGet() *cobra.Command {
	c := k.call("get RESOURCE/ACCOUNT", "Show an account", 1, 1, func(ctx context.Context, api *client.Client, args []string) error {
		found, err := api.FindAccount(ctx, args[0])
		if err != nil {
			return err
		}
		if found.Account != nil {
			return k.printAccount(ctx, api, *found.Account)
		}
		secret, err := api.Secret(ctx, found.ID()) // with its keys
		if err != nil {
			return err
		}
		return k.printSecret(secret, secret.ResourceName+"/"+secret.Name)
	})
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func (k *command) printAccount(ctx context.Context, api *client.Client, a client.Account) error {
	facts := []fact{
		{"name", a.ResourceName + "/" + a.Name}, {"type", a.ResourceType}, {"state", word(state.Account, a.State)},
		{"strategy", a.Strategy}, {"pair", pairText(a)}, {"login in use", a.Login},
		{"reason", a.Reason}, {"verified", instantOf(a.VerifiedAt)}, {"version", version(a.Current)},
		{"changed", instantOf(a.ChangedAt)}, {"mappings", counts(state.Key, a.Mappings)}, {"open run", a.Run},
		{"policy", a.Policy}, {"because", a.PolicyBecause}, {"next", instantOf(a.NextAt)}, {"why then", a.NextWhy}, {"overdue", overdueWord(a.Overdue)},
		{"ready", word(state.Readiness, a.Readiness)}, {"why", a.ReadyReason}, {"rehearsed", instantOf(a.RehearsedAt)}, {"next rehearsal", instantOf(a.RehearseAt)},
		{"created", instant(a.CreatedAt)}, {"id", a.ID},
	}
	var mappings []client.Mapping
	if k.tableOutput() && total(a.Mappings) > 0 {
		page, err := api.Mappings(ctx, client.MappingFilter{Account: a.ID})
		if err != nil {
			return err
		}
		mappings = page.Items
	}
	return printOne(k, a, a.ResourceName+"/"+a.Name, facts, part(k, keyView(), mappings))
}

// pairText names both logins of a pair; empty for any other account.
func pairText(a client.Account) string {
	if a.Pair == "" {
		return ""
	}
	return a.Name + ", " + a.Pair
}

// printSecret shows a Secret under the name that the command took for it.
func (k *command) printSecret(s client.Secret, name string) error {
	facts := []fact{
		{"name", name}, {"type", s.Type}, {"cluster", s.ClusterName}, {"namespace", s.Namespace},
		{"state", word(state.Key, s.State)}, {"reason", s.Reason}, {"immutable", yesNo(s.Immutable)}, {"size", size(s.Size)},
		{"version", version(s.Current)}, {"labels", pairs(s.Labels)}, {"seen", instant(s.SeenAt)},
		{"deleted", instantOf(s.DeletedAt)}, {"created", instant(s.CreatedAt)}, {"id", s.ID},
	}
	type row = client.Key
	keys := view[row]{columns: []column[row]{
		{head: "KEY", cell: func(k row) string { return k.Name }, flexible: true},
		{head: "SIZE", cell: func(k row) string { return "≤ " + size(k.Size) }},
		{head: "MAPPED TO", cell: func(k row) string {
			if k.Mapping == nil {
				return none
			}
			return k.Mapping.ResourceName + "/" + k.Mapping.AccountName
		}, flexible: true},
		{head: "STATE", cell: func(k row) string {
			if k.Mapping == nil {
				return none
			}
			return word(state.Key, k.Mapping.State)
		}},
	}}
	return printOne(k, s, name, facts, part(k, keys, s.Keys))
}

func (k *command) accountVersions() *cobra.Command {
	c := k.call("versions RESOURCE/ACCOUNT", "List the versions of an account's credential", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.FindAccount(ctx, args[0])
			if err != nil {
				return err
			}
			versions, err := api.Versions(ctx, found.ID())
			if err != nil {
				return err
			}
			return printList(k, k.versionView(found.Account != nil && found.Account.Pair != ""), versions, int64(len(versions)))
		})
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

// versionView has a column for the login where versions belong to a pair.
func (k *command) versionView(pair bool) view[client.Version] {
	type row = client.Version
	v := view[row]{
		name: func(v row) string { return fmt.Sprint(v.Number) },
		columns: []column[row]{
			{head: "VERSION", cell: func(v row) string { return version(v.Number) }},
			{head: "STAGE", cell: func(v row) string { return word(state.Version, v.Stage) }},
			{head: "SOURCE", cell: func(v row) string { return v.Source }},
			{head: "BY", cell: func(v row) string { return v.Actor }, flexible: true},
			{head: "AGE", cell: func(v row) string { return k.age(v.CreatedAt) }},
			{head: "CREATED", cell: func(v row) string { return instant(v.CreatedAt) }, wide: true},
			{head: "RETIRED", cell: func(v row) string { return instantOf(v.RetiredAt) }, wide: true},
		},
	}
	if pair {
		v.columns = slices.Insert(v.columns, 2, column[row]{head: "LOGIN", cell: func(v row) string { return v.Login }, flexible: true})
	}
	return v
}

func (k *command) accountDownload() *cobra.Command {
	var file string
	c := k.call("download RESOURCE/ACCOUNT [--file F]", "Print a Secret with its values, as JSON for kubectl apply", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.FindAccount(ctx, args[0])
			if err != nil {
				return err
			}
			if found.Secret == nil {
				return usage("only Secrets are downloaded; this account is one of a system: use keyturn account reveal")
			}
			manifest, err := api.Download(ctx, found.ID())
			if err != nil {
				return err
			}
			if file == "" {
				_, err = io.WriteString(k.Out, manifest.Text())
				return err
			}
			if err := writeFile(filepath.Clean(file), []byte(manifest.Text())); err != nil {
				return err
			}
			k.done("Written; only you may read the file. It holds the values.")
			return nil
		})
	c.Flags().StringVar(&file, "file", "", "write it here, readable by you only, in place of standard output")
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

func (k *command) accountReveal() *cobra.Command {
	var ask client.Reveal
	c := k.call("reveal RESOURCE/ACCOUNT [--version N] [--key KEY] [--reason TEXT]", "Print a value; this is recorded", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.FindAccount(ctx, args[0])
			if err != nil {
				return err
			}
			if found.Secret != nil && ask.Key == "" {
				return usage("--key is needed: which key of the Secret; see keyturn account get")
			}
			revealed, err := api.Reveal(ctx, found.ID(), ask)
			if err != nil {
				return err
			}
			if revealed.Restored {
				k.done("The repository was restored from an old backup: unless this account was checked since, a newer value may be in use; see keyturn restore list --all")
			}
			return k.printValue(revealed)
		})
	f := c.Flags()
	f.Int64Var(&ask.Version, "version", 0, "an older version (default the current one)")
	f.StringVar(&ask.Key, "key", "", "key of a Secret")
	f.StringVar(&ask.Reason, "reason", "", "why; kept in the audit log")
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}

// printValue prints a value as it is, for programs; at a terminal with a line end and without what a terminal obeys.
func (k *command) printValue(r client.Revealed) error {
	if k.output == "json" || k.output == "yaml" {
		return k.document(r)
	}
	text := r.Value.Text()
	if _, ok := terminal(k.Out); ok {
		if r.Base64 {
			k.done("The value is binary; this is its base64.")
		}
		_, err := fmt.Fprintln(k.Out, cleanLines(text))
		return err
	}
	if r.Base64 {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("the server's base64 cannot be decoded")
		}
		_, err = k.Out.Write(raw)
		return err
	}
	_, err := io.WriteString(k.Out, text)
	return err
}

func (k *command) accountVerify() *cobra.Command {
	c := k.call("verify RESOURCE/ACCOUNT", "Log in with the stored value to prove it", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			found, err := api.FindAccount(ctx, args[0])
			if err != nil {
				return err
			}
			v, err := api.Verify(ctx, found.ID())
			if err != nil {
				return err
			}
			object := state.Account
			if found.Secret != nil {
				object = state.Key
			}
			facts := []fact{{"account", found.Name()}, {"state", word(object, v.State)}, {"at", instant(v.At)}}
			if err := printOne(k, v, found.Name(), facts); err != nil {
				return err
			}
			if v.State != "verified" && v.State != "in_sync" {
				return failed(found.Name()+" was not proved: it is "+word(object, v.State), fact{"cause", v.Reason}, fact{"cure", v.Cure})
			}
			return nil
		})
	c.ValidArgsFunction = k.complete(accountNames)
	return c
}
