package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/internal/rotation"
)

func TestARunSaysWhatItReplaces(t *testing.T) {
	out := client.Run{Writes: []client.RunWrite{{ClusterID: "c1", Cluster: "prod-eu"}}, Rollouts: []client.RunRollout{
		{ClusterID: "c1", Namespace: "shop", Name: "a", State: "done"}, {ClusterID: "c1", Namespace: "shop", Name: "b", State: "rolling"},
		{ClusterID: "c1", Namespace: "shop", Name: "c", State: "skipped"}, {ClusterID: "c1", Namespace: "other", Name: "d", State: "done"},
		{ClusterID: "c2", Namespace: "shop", Name: "e", State: "done"},
	}}
	at := func(newUID string, gone bool) rotation.Replacement {
		return rotation.Replacement{RunID: "r", ClusterID: "c1", Namespace: "shop", Old: "db", OldUID: "u", New: "db-1", NewUID: newUID, Gone: gone}
	}
	const (
		kept    = "It is deleted without a grace period once everything that names it names the new one and its value is retired."
		another = "The run stands still for another reason."
		named   = "the replaced Secret shop/db is kept: Job shop/once names it"
	)
	for name, tt := range map[string]struct {
		run              rotation.Run
		is               rotation.Replacement
		state, old, held string
	}{
		"a name is chosen": {rotation.Run{State: rotation.Running, Step: rotation.Verified}, at("", false), "to_do", "It stays as it is until the Secret in its place is made and read back.", ""},
		"it may not be made": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Verified, Reason: "1 of 1 keys are not written; first: shop/db key password: a quota is full"},
			at("", false), "failed", "It stays as it is until the Secret in its place is made and read back.", "1 of 1 keys are not written; first: shop/db key password: a quota is full"},
		"it is made":               {rotation.Run{State: rotation.Running, Step: rotation.Published}, at("v", false), "running", kept, ""},
		"a rollout is stuck":       {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Published, Reason: "Deployment shop/b: it is paused"}, at("v", false), "running", kept, another},
		"a name that begins alike": {rotation.Run{State: rotation.NeedsAttention, Step: rotation.Published, Reason: "shop/db-10 key a: refused"}, at("v", false), "running", kept, another},
		"a pod still runs":         {rotation.Run{State: rotation.Waiting, Step: rotation.RolledOut, Reason: named}, at("v", false), "running", "It is deleted next, if nothing names it any more.", "The replaced Secret shop/db is kept: Job shop/once names it"},
		"something names it":       {rotation.Run{State: rotation.NeedsAttention, Step: rotation.RolledOut, Reason: named}, at("v", false), "failed", "It is deleted next, if nothing names it any more.", "The replaced Secret shop/db is kept: Job shop/once names it"},
		"it is deleted":            {rotation.Run{State: rotation.Finished, Step: rotation.Done}, at("v", true), "done", "It was deleted once its value was retired and nothing named it any more.", ""},
		"rolled back":              {rotation.Run{State: rotation.RolledBack, Step: rotation.Published}, at("v", false), "skipped", "It was kept: the run ended before its value was retired.", ""},
	} {
		want := []client.RunReplacement{{ClusterID: "c1", Cluster: "prod-eu", Namespace: "shop", Secret: "db", Instead: "db-1", State: tt.state, Consumers: 3, Switched: 2, Old: tt.old, Held: tt.held}}
		inVain := at("", true)
		inVain.Old = "what was made in vain is gone"
		if diff := cmp.Diff(want, replacementsOf(tt.run, []rotation.Replacement{tt.is, inVain}, out)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
