package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyturn/keyturn/client/state"
)

// about stands below the first line of "keyturn --help".
const about = `Turn the credentials that live in Kubernetes Secrets, and prove it.

Run a server with "keyturn server --data DIR"; it prints how to make the first
administrator. Everything else speaks to a server, as whom you signed in with
"keyturn login".

Environment:
  KEYTURN_URL     address of the server (default https://127.0.0.1:8443)
  KEYTURN_TOKEN   API token to use in place of a session
  KEYTURN_CACERT  file with the CA that signed the server's certificate

Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 conflict.
Values are read from files or standard input, never from arguments.`

// examples stand in the help of the commands that people begin with.
func examples() map[string]string {
	return map[string]string{
		"server":           "  keyturn server --data /var/lib/keyturn\n  keyturn server --data /var/lib/keyturn --listen 0.0.0.0:8443 --public-url https://keys.example",
		"login":            "  keyturn login --server https://keys.example:8443 --username anna",
		"cluster config":   "  keyturn cluster config --namespaces shop,pay --access read-only | kubectl apply -f -",
		"cluster add":      "  kubectl -n keyturn get secrets/keyturn-token -o jsonpath='{.data.token}' |\n    keyturn cluster add prod --url https://10.0.0.1:6443 --ca-file ca.crt --token-file -",
		"cluster fetch":    "  keyturn cluster fetch prod --all\n  keyturn cluster fetch prod --namespace shop --secret pay/db\n  keyturn cluster fetch prod --rule namespace=team-* --rule type=Opaque",
		"resource create":  "  keyturn resource create orders-db --type postgresql --set host=db.example --set-file tls_ca=ca.crt",
		"account create":   "  keyturn account create orders-db/app --value-file password.txt",
		"account reset":    "  keyturn account reset orders-db/app --wait\n  keyturn account reset orders-db/app --length 40 --alphabets lower,digits\n  keyturn account reset orders-db/app --value-file - --wait <password.txt",
		"account download": "  keyturn account download shop-prod/db | kubectl apply -f -",
		"mapping add":      "  keyturn mapping add orders-db/app prod/shop/db/password",
		"rotation plan":    "  keyturn rotation plan orders-db/app\n  keyturn account reset orders-db/app --plan HASH --wait",
		"rotation list":    "  keyturn rotation list --state needs_attention",
		"policy create":    "  keyturn policy create prod --every 30d --jitter 6h --window 'Fri 20:00-Sat 04:00' --zone Europe/Berlin --history 5\n  keyturn policy create shared --on-reveal 8h --reconcile refused --words 5",
		"policy assign":    "  keyturn policy assign prod --rule 'postgresql/prod-*/*'\n  keyturn policy assign prod --label env=prod",
		"key root":         "  keyturn server next-root-key --data /var/lib/keyturn   # on the server's machine\n  keyturn key root",
		"grant create":     "  keyturn grant create --group ops --resource orders-db --level use --expires 8h",
		"token create":     "  keyturn token create ci --scope account.reset --expires 30d >token",
		"audit export":     "  keyturn audit export --file audit.ktlog && keyturn audit verify --file audit.ktlog --key KEY",
	}
}

// finish gives every command of the tree what all have alike: the short names that kubectl taught people, examples, and
// a completion for each flag, so that no flag offers file names that does not take any.
func finish(root *cobra.Command) {
	root.Long = about
	shown := examples()
	for _, group := range root.Commands() {
		group.Example = shown[group.Name()]
		if group.HasSubCommands() && group.Name() != "server" {
			group.Aliases = append(group.Aliases, group.Name()+"s")
			group.DisableFlagsInUseLine = true
		}
		finishFlags(group)
		for _, c := range group.Commands() {
			c.Example = shown[group.Name()+" "+c.Name()]
			switch c.Name() {
			case "list":
				c.Aliases = append(c.Aliases, "ls")
			case "delete":
				c.Aliases = append(c.Aliases, "rm")
			}
			completeStates(c, group.Name())
			finishFlags(c)
		}
	}
}

// fixed are the flags that take one of a few words.
func fixed() map[string][]string {
	return map[string][]string{
		"alphabets":  {"lower", "upper", "digits", "symbols"},
		"reconcile":  {"refused"},
		"log-format": {"text", "json"},
		"log-level":  {"debug", "info", "warn", "error"},
	}
}

func finishFlags(c *cobra.Command) {
	words := fixed()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, has := c.GetFlagCompletionFunc(f.Name); has || f.Value.Type() == "bool" {
			return
		}
		switch {
		case words[f.Name] != nil:
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(words[f.Name], cobra.ShellCompDirectiveNoFileComp))
		case f.Name == "data":
			_ = c.MarkFlagDirname(f.Name)
		case strings.HasSuffix(f.Name, "file") || f.Name == "tls-cert" || f.Name == "tls-key":
			_ = c.MarkFlagFilename(f.Name)
		case f.Name != "set-file": // NAME=FILE
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
		}
	})
}

// completeStates offers the states of what a list holds.
func completeStates(c *cobra.Command, group string) {
	objects := map[string][]state.Object{"cluster": {state.Cluster}, "account": {state.Account, state.Key}, "mapping": {state.Key}, "rotation": {state.Run}}
	if c.Flags().Lookup("state") == nil {
		return
	}
	var words []string
	for _, object := range objects[group] {
		for _, s := range state.Of(object) {
			words = append(words, s.Word.API())
		}
	}
	slices.Sort(words)
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(slices.Compact(words), cobra.ShellCompDirectiveNoFileComp))
}
