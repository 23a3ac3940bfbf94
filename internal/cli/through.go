package cli

import (
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
)

// throughFlags say through which cluster a resource is reached.
type throughFlags struct {
	cluster, place string
	given          func(name string) bool
}

func (t *throughFlags) flags(k *command, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.cluster, "through-cluster", "", `reach it through this connected cluster, "" for the direct way`)
	f.StringVar(&t.place, "through", "", "where in that cluster, as NAMESPACE/service/NAME or NAMESPACE/pod/NAME; of ServiceAccounts NAMESPACE/serviceaccounts")
	_ = c.RegisterFlagCompletionFunc("through-cluster", k.completeFlag(clusterNames))
	t.given = f.Changed
}

// change is the way that the flags ask for; what they do not say stays as it was. It is nil when they say nothing.
func (t *throughFlags) change(was *client.Through) *client.Through {
	if !t.given("through-cluster") && !t.given("through") {
		return nil
	}
	var now client.Through
	if was != nil {
		now = client.Through{Cluster: was.Cluster, Place: was.Place}
	}
	if t.given("through") {
		now.Place = t.place
	}
	if t.given("through-cluster") {
		now.Cluster = t.cluster
		if t.cluster == "" {
			now.Place = ""
		}
	}
	return &now
}

// throughText is the way as people read it, empty for the direct one.
func throughText(t *client.Through) string {
	if t == nil {
		return ""
	}
	name := t.ClusterName
	if name == "" {
		name = "a cluster that you do not see"
	}
	if t.Removed {
		name += " (removed)"
	}
	return t.Place + " in " + name
}
