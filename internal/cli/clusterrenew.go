package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

func (k *command) clusterRenewToken() *cobra.Command {
	c := k.call("renew-token NAME", "Replace the connector's long-lived token by a new one, and end the old one", 1, 1,
		func(ctx context.Context, api *client.Client, args []string) error {
			cluster, err := api.Cluster(ctx, args[0])
			if err != nil {
				return err
			}
			now, err := api.RenewToken(ctx, cluster.ID, cluster.Rev)
			if err != nil {
				return err
			}
			k.done("Cluster %s has a new token; the old one has ended.", now.Name)
			return nil
		})
	c.Long = "Make another long-lived token for the connector's account, test the cluster with it, store it and delete the old one.\n" +
		"The connector needs the right to: cluster edit NAME --renew-token, with the manifest of cluster config --renew-token applied."
	c.ValidArgsFunction = k.complete(clusterNames)
	return c
}
