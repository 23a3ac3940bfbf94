package client

// Conflict is a Secret that was changed in its cluster though the drift policy there is not that the cluster wins.
type Conflict struct {
	ID           string `json:"id"` // the Secret's
	ClusterID    string `json:"clusterId"`
	ClusterName  string `json:"clusterName"`
	ResourceID   string `json:"resourceId"`
	ResourceName string `json:"resourceName"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
	State        string `json:"state" enum:"open,healing,stopped,settled"`
	Policy       string `json:"policy" enum:"cluster_wins,vault_wins,ask"` // in force there
	// Reason says why it stopped or waits, Cure what to do.
	Reason    string `json:"reason,omitempty"`
	Cure      string `json:"cure,omitempty"`
	Since     Time   `json:"since"`
	ChangedAt Time   `json:"changedAt"`
	// ChangedBy is the field manager that made the change, as far as the cluster tells.
	ChangedBy string `json:"changedBy,omitempty"`
	// WantedBy is who asked for the vault's values to be written; left out where the policy does.
	WantedBy string `json:"wantedBy,omitempty"`
	// Heals is how often the vault's values were written lately.
	Heals int64         `json:"heals"`
	Keys  []ConflictKey `json:"keys"`
	Rev   int64         `json:"rev"`
	Can   Can           `json:"can,omitempty"`
}

// ConflictKey is a key that differs from what the vault has.
type ConflictKey struct {
	Name string `json:"name"`
	// Change is what was done to it in the cluster.
	Change string `json:"change" enum:"added,changed,removed"`
	// Version is that of the Secret in which the vault's value stands; 0 of a key that is mapped: its account has the value.
	Version     int64  `json:"version,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccountName string `json:"accountName,omitempty"` // with that of its resource
}

// ConflictFilter chooses conflicts; without a state all but those that are settled.
type ConflictFilter struct {
	ListOptions
	Cluster  string   `query:"cluster" maxLength:"253" doc:"name or id"`
	Resource string   `query:"resource" maxLength:"512" doc:"name or id"`
	State    []string `query:"state"`
}

// ConflictResolution says which side is right.
type ConflictResolution struct {
	Keep string `json:"keep" enum:"cluster,vault"`
}

// DriftChange sets a drift policy.
type DriftChange struct {
	Policy string `json:"policy" enum:",cluster_wins,vault_wins,ask" doc:"empty: a Secret's is its namespace's, and a namespace's its cluster's"`
}

// Drift is what is done when a key changes in a cluster.
type Drift struct {
	// Own is the policy that was set here; empty where it is inherited.
	Own string `json:"own" enum:",cluster_wins,vault_wins,ask"`
	// InForce is the policy that holds.
	InForce string `json:"inForce" enum:"cluster_wins,vault_wins,ask"`
}
