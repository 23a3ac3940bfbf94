package client

// Secret is a Kubernetes Secret in the repository: an account of its kubernetes resource. It holds no values.
type Secret struct {
	ID              string            `json:"id"`
	ClusterID       string            `json:"clusterId"`
	ClusterName     string            `json:"clusterName"`
	ResourceID      string            `json:"resourceId"`
	ResourceName    string            `json:"resourceName"`
	Namespace       string            `json:"namespace"`
	Name            string            `json:"name"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Type            string            `json:"type"`
	Immutable       bool              `json:"immutable,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Size            int64             `json:"size"` // bytes of all values together
	KeyCount        int64             `json:"keyCount"`
	MappedKeys      int64             `json:"mappedKeys"`
	// Mappings counts the mapped keys by state. State above is of the whole: whether what is stored is what the cluster has.
	Mappings  map[string]int64 `json:"mappings,omitempty"`
	Current   int64            `json:"current"`
	State     string           `json:"state"`
	Reason    string           `json:"reason,omitempty"`
	CreatedAt Time             `json:"createdAt"` // in the cluster
	SeenAt    Time             `json:"seenAt"`
	DeletedAt *Time            `json:"deletedAt,omitempty"`
	Rev       int64            `json:"rev"`
	// OnDrift is the Secret's drift policy; the answer for one Secret has it.
	OnDrift *Drift `json:"onDrift,omitempty"`
	// Keys are in the answer for one Secret, and in a list of those that are not mapped.
	Keys []Key `json:"keys,omitempty"`
	Can  Can   `json:"can,omitempty"`
}

// Key is one entry of a Secret's data.
type Key struct {
	Name string `json:"name"`
	// Size is an upper bound in steps, as an exact size is a password's length.
	Size    int64    `json:"size"`
	Mapping *Mapping `json:"mapping,omitempty"`
}

// SecretFilter chooses Secrets.
type SecretFilter struct {
	ListOptions
	Cluster   string   `query:"cluster" maxLength:"64" doc:"id or name"`
	Resource  string   `query:"resource" maxLength:"400" doc:"id or name"`
	Namespace string   `query:"namespace" maxLength:"63"`
	Name      string   `query:"name" maxLength:"253" doc:"exactly this one"`
	Type      []string `query:"type"`
	State     []string `query:"state"`
	Unmapped  bool     `query:"unmapped" doc:"only those with keys that are not mapped, with these keys"`
}
