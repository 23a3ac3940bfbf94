package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
)

func (k *command) keyCommands() *cobra.Command {
	return k.group("key", "The keys that seal values, and the root key that seals those", k.keyList(), k.keyRotate(), k.keyRemove(), k.keyRoot())
}

func (k *command) keyView() view[client.DataKey] {
	type row = client.DataKey
	return view[row]{
		name: func(d row) string { return d.ID },
		columns: []column[row]{
			{head: "ID", cell: func(d row) string { return d.ID }},
			{head: "STATE", cell: func(d row) string { return word(state.DataKey, d.State) }},
			{head: "AGE", cell: func(d row) string { return k.age(d.MadeAt) }},
			{head: "RECORDS", cell: func(d row) string { return fmt.Sprint(d.Records) }},
			{head: "USES", cell: func(d row) string { return fmt.Sprint(d.Uses) }},
			{head: "MADE", cell: func(d row) string { return instant(d.MadeAt) }, wide: true},
			{head: "RETIRED", cell: func(d row) string { return instantOf(d.RetiredAt) }, wide: true},
		},
	}
}

func (k *command) keyList() *cobra.Command {
	c := k.call("list", "List the keys that seal values, and how much is sealed with each", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			keys, err := api.Keys(ctx)
			if err != nil {
				return err
			}
			return printList(k, k.keyView(), keys, int64(len(keys)))
		})
	c.Long = "RECORDS are the values that are sealed with a key now; USES is how often it has sealed at most. A key is replaced by itself before it has sealed 2147483648 values."
	return c
}

func (k *command) keyRotate() *cobra.Command {
	var wait bool
	c := k.call("rotate [--wait]", "Make a new data key, and seal again what the one before has sealed", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			r, err := api.RotateKey(ctx)
			if err != nil {
				return err
			}
			k.done("Data key %s seals from now on. What older ones have sealed is sealed again in the background.", r.Active)
			keys := r.Items
			if wait {
				if keys, err = k.resealed(ctx, api, keys); err != nil {
					return err
				}
			}
			if k.output == "name" {
				return k.names([]string{r.Active})
			}
			return printList(k, k.keyView(), keys, int64(len(keys)))
		})
	c.Long = "The keys before open what they have sealed until nothing refers to them, and are removed with keyturn key remove. It goes on by itself after a server was stopped or killed."
	c.Flags().BoolVar(&wait, "wait", false, "until no value is sealed with an older key")
	return c
}

// resealed waits until nothing is sealed with a retired key, and says how far it has come.
func (k *command) resealed(ctx context.Context, api *client.Client, keys []client.DataKey) ([]client.DataKey, error) {
	said := int64(-1)
	for {
		var left int64
		for _, d := range keys {
			if d.State != "active" {
				left += d.Records
			}
		}
		if left == 0 {
			return keys, nil
		}
		if left != said {
			k.done("%d values are to be sealed again.", left)
			said = left
		}
		err := k.sleep(ctx)
		if err == nil {
			keys, err = api.Keys(ctx)
		}
		if err != nil {
			return nil, stopped(err, "the sealing", "keyturn key list")
		}
	}
}

func (k *command) keyRemove() *cobra.Command {
	var yes bool
	c := k.call("remove ID [--yes]", "Remove a retired data key that nothing is sealed with any more", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			if err := k.confirm(yes, "", "Data key %s is removed; backups of the database that were made before have their own copy of it.", args[0]); err != nil {
				return err
			}
			if err := api.RemoveKey(ctx, args[0]); err != nil {
				return err
			}
			k.done("Data key %s is removed.", args[0])
			return nil
		})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = k.complete(func(ctx context.Context, api *client.Client, _ string) ([]string, error) {
		keys, err := api.Keys(ctx)
		var ids []string
		for _, d := range keys {
			if d.State != "active" && d.Records == 0 {
				ids = append(ids, d.ID)
			}
		}
		return ids, err
	})
	return c
}

func (k *command) keyRoot() *cobra.Command {
	var asks, yes bool
	var file string
	c := k.call("root [--passphrase | --passphrase-file F|-] [--yes]", "Have the next root key take the place of the present one", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			var next client.NextRoot
			var err error
			if asks || file != "" {
				if next.Passphrase, err = k.newPassword("passphrase-file", file, "New passphrase"); err != nil {
					return err
				}
			}
			if err := k.confirm(yes, "", "The repository opens with the next root key from now on, and not with the present one any more. Is there a copy of the next one elsewhere?"); err != nil {
				return err
			}
			r, err := api.ChangeRoot(ctx, next)
			if err != nil {
				return err
			}
			if r.Changed {
				k.done("The repository is sealed with the next root key. Keep the one before as long as backups that were made under it.")
			} else {
				k.done("The repository was sealed with that root key already.")
			}
			return printOne(k, r, r.File, []fact{{"root key", r.File}, {"the one before", r.Old}, {"to do", r.Advice}})
		})
	c.Long = "A root key in a file is made beforehand on the server's machine, with keyturn server next-root-key; it never travels. A passphrase is given here as it is for keyturn unseal. See docs/keys.md."
	c.Flags().BoolVar(&asks, "passphrase", false, "ask for the new passphrase of a server that is unsealed with one")
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the new passphrase, - for standard input")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
