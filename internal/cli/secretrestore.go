package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

func (k *command) secretRestore() *cobra.Command {
	var to client.SecretRestore
	var yes bool
	c := k.call("restore CLUSTER/NAMESPACE/SECRET [--version N] [--key K …]", "Bring a Secret back to an older version, in its cluster", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			secret, err := secretAt(ctx, api, args[0])
			if err != nil {
				return err
			}
			if err := k.confirm(yes, "", "%s", restoreQuestion(secret, to)); err != nil {
				return err
			}
			done, err := api.RestoreSecret(ctx, secret.ID, secret.Rev, to)
			if err != nil {
				return err
			}
			return k.printRestored(secret, done)
		})
	c.Long = "A Secret that was deleted in its cluster is made again, with its type and labels and, without --version, as it was last; there must be none of its name. " +
		"Any other gets exactly those keys that differ from the version, without --version the one before the current, if nobody changes it in that moment. " +
		"A key that is mapped to an account or that a controller keeps is not written; the answer says what to do. Annotations are not kept."
	f := c.Flags()
	f.Int64Var(&to.Version, "version", 0, "the version, see keyturn secret history")
	f.StringArrayVar(&to.Keys, "key", nil, "only this key; may be given several times")
	f.BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(secretNames)
	return c
}

func restoreQuestion(s client.Secret, to client.SecretRestore) string {
	what, version := "All keys", "the version before the current one"
	if len(to.Keys) > 0 {
		what = "The keys " + strings.Join(to.Keys, ", ")
	}
	if s.State == "tombstone" {
		version = "the last one before it was deleted"
	}
	if to.Version > 0 {
		version = fmt.Sprintf("version %d", to.Version)
	}
	return fmt.Sprintf("%s of %s become what they were in %s.", what, pathOf(s), version)
}

func (k *command) printRestored(s client.Secret, done client.SecretRestored) error {
	changes := make([]string, len(done.Keys))
	for i, key := range done.Keys {
		changes[i] = key.Name + " " + key.Change
	}
	facts := []fact{{"secret", pathOf(s)}, {"version", version(done.Version)}, {"keys", strings.Join(changes, ", ")}}
	switch {
	case done.Made:
		k.done("The Secret was made again in its cluster.")
	case len(done.Keys) == 0:
		k.done("The Secret is so already; nothing was written.")
	default:
		k.done("Written to the cluster.")
	}
	return printOne(k, done, pathOf(s), facts)
}
