package client

// LeakQuery names a value by itself, which is neither stored nor recorded, or by its SHA-256 in hex: one of the two.
type LeakQuery struct {
	Value  Value  `json:"value,omitzero"`
	SHA256 string `json:"sha256,omitempty" maxLength:"64"`
}

// Leak is what is known of who holds a value.
type Leak struct {
	// ID stands for the value from here on, so that it need not be sent again. It says nothing of it.
	ID string `json:"id"`
	// Total counts the places, Counts them by kind: versions (of accounts), keys (that hold it now), past (that once did, or are
	// those of deleted Secrets).
	Total  int64            `json:"total"`
	Counts map[string]int64 `json:"counts"`
	// Partial is true where the caller may not reveal everything: what it may not is not looked at.
	Partial bool     `json:"partial,omitempty"`
	Places  []Holder `json:"places"`
	// Next is the cursor of the further places; empty if these are all.
	Next string `json:"next,omitempty"`
	// Consumers are those that the last run of each account found; ConsumersNote says what is not known of others.
	Consumers     []LeakConsumer `json:"consumers"`
	ConsumersNote string         `json:"consumersNote"`
}

// LeakConsumer is a workload that read the keys of an account when a run of that account looked.
type LeakConsumer struct {
	AccountID   string `json:"accountId"`
	ClusterID   string `json:"clusterId"`
	ClusterName string `json:"clusterName"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	SeenAt      Time   `json:"seenAt"`
}

// LeakPlan says which accounts have to be turned, and in which order.
type LeakPlan struct {
	ID    string     `json:"id"`
	Steps []LeakStep `json:"steps"`
	// Unmapped are keys that hold the value and belong to no account that the caller may see, the first 100 of UnmappedTotal:
	// they have to be mapped before anything can be done about them.
	Unmapped      []Holder `json:"unmapped"`
	UnmappedTotal int64    `json:"unmappedTotal"`
	// Partial is true where the caller may not reveal everything, or more accounts than 1000 hold the value.
	Partial bool `json:"partial,omitempty"`
	Can     Can  `json:"can,omitempty"`
}

// LeakStep is one account of a plan. Its action is turn, waits (the accounts of After come first), runs (a run is under way or
// needs somebody), or skip (turning it would end nothing). After a rotation it may also be started, or refused.
type LeakStep struct {
	Order        int    `json:"order,omitempty"`
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceID   string `json:"resourceId"`
	ResourceName string `json:"resourceName"`
	ResourceType string `json:"resourceType"`
	Action       string `json:"action" enum:"turn,waits,runs,skip,started,refused"`
	Reason       string `json:"reason"`
	Cure         string `json:"cure,omitempty"`
	// After are the accounts that come first, as resource/account.
	After []string `json:"after,omitempty"`
	// Keys, Namespaces and Clusters are what a turn writes to; the plan of the account says what it restarts.
	Keys       int64  `json:"keys"`
	Namespaces int64  `json:"namespaces"`
	Clusters   int64  `json:"clusters"`
	Run        string `json:"run,omitempty"`
}
