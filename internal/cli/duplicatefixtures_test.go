package cli

import (
	"net/http"
	"time"

	"github.com/keyturn/keyturn/client"
)

const (
	groupID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	leakID  = "0f1e2d3c4b5a69788796a5b4c3d2e1f0.00"
)

// history is that of the Secret web: a change in the cluster after it was fetched.
func history() []client.SecretVersion {
	return []client.SecretVersion{
		{Number: 2, Stage: "current", Source: "fetched", Side: "cluster", Actor: "cluster-sync", CreatedAt: ago(time.Hour), Keys: []client.KeyChange{{Name: "PASSWORD", Change: "changed"}, {Name: "tls.key", Change: "added"}}},
		{Number: 1, Stage: "previous", Source: "fetched", Side: "cluster", Actor: "ann", CreatedAt: ago(50 * time.Hour), Keys: []client.KeyChange{{Name: "PASSWORD", Change: "added"}}}}
}

// duplicateFixtures are one password in three keys, one of them mapped, and with the account that it is of.
func duplicateFixtures() map[string]any {
	group := client.Duplicate{ID: groupID, Keys: 37, Mapped: 1, Namespaces: 12, Clusters: 9, Accounts: 1, Example: "prod-eu/shop/web/PASSWORD"}
	account := client.Holder{Kind: "account", AccountID: "a1", AccountName: "app", ResourceID: "r1", ResourceName: "orders-db", ResourceType: "postgresql", Version: 3, Stage: "current", VersionAt: ago(time.Hour)}
	key := client.Holder{Kind: "key", SecretID: "s1", ClusterID: "c1", ClusterName: "prod-eu", Namespace: "shop", Secret: "web", Key: "PASSWORD", Mapped: true, AccountID: "a1",
		AccountName: "app", ResourceID: "r1", ResourceName: "orders-db", Version: 2, Stage: "current", VersionAt: ago(50 * time.Hour)}
	copied := client.Holder{Kind: "key", SecretID: "s2", ClusterID: "c1", ClusterName: "prod-eu", Namespace: "pay", Secret: "copy", Key: "PGPASSWORD", Version: 1, Stage: "current", VersionAt: ago(time.Minute)}
	turned := client.LeakStep{Order: 1, AccountID: "a1", AccountName: "app", ResourceID: "r1", ResourceName: "orders-db", ResourceType: "postgresql", Action: "turn",
		Reason: "Its current value is the leaked one", Keys: 2, Namespaces: 2, Clusters: 1}
	waits := client.LeakStep{Order: 2, AccountID: "a2", AccountName: "admin", ResourceID: "r1", ResourceName: "orders-db", ResourceType: "postgresql", Action: "waits",
		Reason: "Its current value is the leaked one", Cure: "Turn the accounts that it repairs first", After: []string{"orders-db/app"}}
	started, ended := turned, waits
	started.Action, started.Run = "started", runID
	ended.Action, ended.Reason, ended.Cure, ended.After = "skip", "Its system was given another value since", "", nil
	past := copied
	past.Key, past.Stage = "OLD", "retired"
	begun := []client.LeakPlan{{ID: leakID, Steps: []client.LeakStep{started, waits}}, {ID: leakID, Steps: []client.LeakStep{started, waits}}, {ID: leakID, Steps: []client.LeakStep{ended}}}
	return map[string]any{
		"POST /leaks/find": client.Leak{ID: leakID, Total: 4, Counts: map[string]int64{"versions": 1, "keys": 2, "past": 1}, Places: []client.Holder{account, key}, Next: "c", Partial: true,
			Consumers: []client.LeakConsumer{{AccountID: "a1", ClusterName: "prod-eu", Kind: "Deployment", Namespace: "shop", Name: "web", SeenAt: ago(time.Hour)}}, ConsumersNote: "No cluster was asked now."},
		"GET /leaks/" + leakID + "/places": page(copied, past),
		"GET /leaks/" + leakID + "/plan":   client.LeakPlan{ID: leakID, Steps: []client.LeakStep{turned, waits}, Unmapped: []client.Holder{copied}, UnmappedTotal: 1},
		"POST /leaks/" + leakID + "/rotate": func(*http.Request) any {
			next := begun[0]
			begun = begun[min(1, len(begun)-1):]
			return next
		},
		"GET /duplicates":                        page(group, client.Duplicate{ID: "ff", Keys: 2, Namespaces: 1, Clusters: 1, Example: "prod-eu/shop/web/USER"}),
		"GET /duplicates/" + groupID + "/places": page(account, key, copied),
	}
}
