package cli

import "github.com/spf13/cobra"

func (k *command) secretCommands() *cobra.Command {
	return k.group("secret", "Kubernetes Secrets and what their keys hold", k.secretList(), k.secretGet(), k.secretHistory(), k.secretRestore(), k.secretDuplicates())
}
