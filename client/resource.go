package client

// Resource is a system that holds accounts.
type Resource struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	ClusterID   string            `json:"clusterId,omitempty"`   // of a kubernetes resource
	ClusterName string            `json:"clusterName,omitempty"` // "(removed)" is not added; see clusterRemoved
	Removed     bool              `json:"clusterRemoved,omitempty"`
	Namespace   string            `json:"namespace,omitempty"`
	Settings    map[string]string `json:"settings,omitempty"`
	// Through is the cluster that it is reached through; nil for the direct way.
	Through *Through `json:"through,omitempty"`
	// ReconcileAccount is the account that may repair the others.
	ReconcileAccountID   string `json:"reconcileAccountId,omitempty"`
	ReconcileAccountName string `json:"reconcileAccountName,omitempty"`
	Accounts             int64  `json:"accounts"`
	// States counts its accounts (or Secrets) by state.
	States map[string]int64 `json:"states,omitempty"`
	// OnDrift is a namespace's drift policy; an answer to one question, not a list, has it.
	OnDrift   *Drift `json:"onDrift,omitempty"`
	CreatedAt Time   `json:"createdAt"`
	Rev       int64  `json:"rev"`
	Can       Can    `json:"can,omitempty"`
}

// NewResource is a resource to be made.
type NewResource struct {
	Name     string            `json:"name" minLength:"1" maxLength:"128"`
	Type     string            `json:"type" minLength:"1" maxLength:"32"`
	Settings map[string]string `json:"settings,omitempty"`
	Through  *Through          `json:"through,omitempty"`
}

// Through says that a resource is reached through a cluster, at its own port of a service or a pod there.
type Through struct {
	// Cluster is an id or a name when it is set, and an id when it is read; empty for a cluster that the reader may not see.
	Cluster string `json:"cluster" maxLength:"64" doc:"id or name; empty with an empty place for the direct way"`
	// Place is written namespace/service/NAME or namespace/pod/NAME; of ServiceAccounts namespace/serviceaccounts.
	Place string `json:"place" maxLength:"600" doc:"namespace/service/NAME or namespace/pod/NAME; of ServiceAccounts namespace/serviceaccounts"`
	// ClusterName and Removed are of answers only.
	ClusterName string `json:"clusterName,omitempty" maxLength:"64"`
	Removed     bool   `json:"clusterRemoved,omitempty"`
}

// ResourceChange changes what is given. Settings replace all settings; an empty ReconcileAccountID means none.
type ResourceChange struct {
	Name               *string            `json:"name,omitempty" minLength:"1" maxLength:"128"`
	Settings           *map[string]string `json:"settings,omitempty"`
	ReconcileAccountID *string            `json:"reconcileAccountId,omitempty" maxLength:"64"`
	Through            *Through           `json:"through,omitempty"`
}

// ResourceFilter chooses resources.
type ResourceFilter struct {
	ListOptions
	Name    string   `query:"name" maxLength:"400" doc:"exactly this one"`
	Type    []string `query:"type"`
	Cluster string   `query:"cluster" maxLength:"64" doc:"id or name"`
}

// Type is a kind of system that resources can be of.
type Type struct {
	Type        string  `json:"type"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Fields      []Field `json:"fields"`
	Verify      bool    `json:"verify"`
	Change      bool    `json:"change"`
	Reconcile   bool    `json:"reconcile"`
	Overlap     bool    `json:"overlap"` // an account takes its old value beside the new one until every reader has that
	// OverlapByReconcile says that without a reconcile account of its resource it does so only if it is told to.
	OverlapByReconcile bool   `json:"overlapByReconcile"`
	Alternating        bool   `json:"alternating"` // two accounts can be one object that takes turns: their rights can be compared
	Inside             bool   `json:"inside"`      // can be reached through a cluster
	OfCluster          bool   `json:"ofCluster"`   // is the ServiceAccounts of a cluster's namespace, which makes the values
	MinLength          int    `json:"minLength"`
	MaxLength          int    `json:"maxLength,omitempty"`
	Alphabet           string `json:"alphabet,omitempty"`
}

// Field is one setting of a resource.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Required bool     `json:"required,omitempty"`
	Default  string   `json:"default,omitempty"`
	Kind     string   `json:"kind" enum:"text,host,port,pem,choice"`
	Options  []string `json:"options,omitempty"`
}
