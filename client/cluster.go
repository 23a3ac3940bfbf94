package client

// Cluster is a connected Kubernetes cluster.
type Cluster struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Server    string `json:"server"`
	CA        string `json:"ca,omitempty"` // PEM; empty means the system's roots
	Scope     Scope  `json:"scope"`
	UID       string `json:"uid"` // of the namespace kube-system
	Version   string `json:"version"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Since     *Time  `json:"since,omitempty"`
	CheckedAt *Time  `json:"checkedAt,omitempty"`
	SyncedAt  *Time  `json:"syncedAt,omitempty"`
	CreatedAt Time   `json:"createdAt"`
	Rev       int64  `json:"rev"`
	// Counts of what came from it.
	Resources int64 `json:"resources"`
	Secrets   int64 `json:"secrets"`
	Mapped    int64 `json:"mapped"`
	Drifted   int64 `json:"drifted"`
	// Watch is how the cluster is followed; it is left out of one that nobody ever followed.
	Watch *Watch `json:"watch,omitempty"`
	// OnDrift says which side is right when a key changes in the cluster; an answer to one question, not a list, has it.
	OnDrift *Drift `json:"onDrift,omitempty"`
	// Fetch is the fetch or sync that is under way, or else the last one.
	Fetch *Fetch `json:"fetch,omitempty"`
	Can   Can    `json:"can,omitempty"`
}

// Watch says how a cluster is followed.
type Watch struct {
	State string `json:"state" enum:"live,comparing,waiting,off"`
	Since Time   `json:"since"`
	// Reason says why it waits, Cure what to do; NextAt is when it is tried again.
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	NextAt *Time  `json:"nextAt,omitempty"`
	// ChangedAt is when the last change was stored, ComparedAt when everything was compared last.
	ChangedAt  *Time `json:"changedAt,omitempty"`
	ComparedAt *Time `json:"comparedAt,omitempty"`
}

// Scope is what a connector has rights for.
type Scope struct {
	Namespaces []string `json:"namespaces,omitempty" maxItems:"1000" doc:"empty: the whole cluster"`
	Access     string   `json:"access" enum:"read-only,read-write"`
	Restart    bool     `json:"restart,omitempty" doc:"may restart workloads"`
	// PortForward lets resources be reached through the cluster.
	PortForward bool `json:"portForward,omitempty" doc:"may connect to ports of pods and services"`
	// RenewToken lets RenewToken work.
	RenewToken bool `json:"renewToken,omitempty" doc:"may renew its own long-lived token"`
	// Replace lets runs replace immutable Secrets, where an account's policy says so.
	Replace bool `json:"replace,omitempty" doc:"may make Secrets in place of immutable ones and of tokens, name them where those were named, and delete those"`
}

// NewCluster is a cluster to be tested or connected.
type NewCluster struct {
	Name   string `json:"name" minLength:"1" maxLength:"63"`
	Server string `json:"server" minLength:"1" maxLength:"2048" doc:"https URL of the API server"`
	CA     string `json:"ca,omitempty" maxLength:"262144" doc:"PEM; empty means the system's roots"`
	Token  Value  `json:"token" doc:"as it is or in base64"`
	Scope  Scope  `json:"scope"`
	// Reattach continues a cluster of the same uid that was removed: its resources and history come back to it.
	Reattach bool `json:"reattach,omitempty"`
}

// ClusterChange changes what is given. A change of server or CA needs the token again, as it goes to no other host.
type ClusterChange struct {
	Name   *string `json:"name,omitempty" minLength:"1" maxLength:"63"`
	Server *string `json:"server,omitempty" minLength:"1" maxLength:"2048"`
	CA     *string `json:"ca,omitempty" maxLength:"262144"`
	Token  Value   `json:"token,omitzero"`
	Scope  *Scope  `json:"scope,omitempty"`
}

// Report is the outcome of the three checks of a cluster.
type Report struct {
	OK      bool    `json:"ok"`
	Checks  []Check `json:"checks"`
	Version string  `json:"version,omitempty"`
	User    string  `json:"user,omitempty"` // as whom the token authenticates
	UID     string  `json:"uid,omitempty"`
	// Chain is what the server presented, when it was not trusted.
	Chain []Certificate `json:"chain,omitempty"`
	// Missing are the rights that the scope needs and the token lacks; MissingManifest is the YAML that adds them.
	Missing         []string `json:"missing,omitempty"`
	MissingManifest string   `json:"missingManifest,omitempty"`
	// Known names the cluster that has the same uid already. Removed is true if it was removed and can be re-attached.
	Known   string `json:"known,omitempty"`
	Removed bool   `json:"removed,omitempty"`
}

// Check is one of the three checks: host, api or token.
type Check struct {
	Name  string      `json:"name" enum:"host,api,token"`
	State string      `json:"state" enum:"to_do,running,done,failed"`
	Steps []CheckStep `json:"steps"`
}

// CheckStep is one thing that a check looked at.
type CheckStep struct {
	Name   string `json:"name"`
	State  string `json:"state" enum:"to_do,running,done,failed"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Cure   string `json:"cure,omitempty"`
}

// Certificate is one of a chain.
type Certificate struct {
	Subject  string `json:"subject"`
	Issuer   string `json:"issuer"`
	SHA256   string `json:"sha256"`
	NotAfter Time   `json:"notAfter"`
	PEM      string `json:"pem"`
}

// ClusterFilter chooses clusters.
type ClusterFilter struct {
	ListOptions
	State   []string `query:"state"`
	Removed bool     `query:"removed" doc:"removed ones too"`
}

// RemoteNamespace is a namespace as the cluster has it now.
type RemoteNamespace struct {
	Name string `json:"name"`
	// Problem says why its Secrets cannot be listed.
	Problem string `json:"problem,omitempty"`
}

// RemoteSecret is a Secret as the cluster has it now: what could be fetched, without values.
type RemoteSecret struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Type      string            `json:"type"`
	Keys      int               `json:"keys"`
	Labels    map[string]string `json:"labels,omitempty"`
	CreatedAt Time              `json:"createdAt"`
	Fetched   bool              `json:"fetched"`
	// LeftOut says why it is not fetched unless it is named.
	LeftOut string `json:"leftOut,omitempty"`
}

// RemoteSecrets is what a cluster has now.
type RemoteSecrets struct {
	Namespaces []RemoteNamespace `json:"namespaces"`
	Items      []RemoteSecret    `json:"items"`
	// Truncated is true when there are more than the answer holds; name a namespace to see the rest.
	Truncated bool `json:"truncated,omitempty"`
}

// Selection chooses Secrets to fetch. At least one of its fields is set.
type Selection struct {
	All        bool     `json:"all,omitempty"`
	Namespaces []string `json:"namespaces,omitempty" maxItems:"1000"`
	Secrets    []string `json:"secrets,omitempty" maxItems:"5000" doc:"namespace/name"`
	Rule       *Rule    `json:"rule,omitempty"`
}

// Rule chooses Secrets by pattern. Empty fields choose everything.
type Rule struct {
	Namespaces []string `json:"namespaces,omitempty" maxItems:"100" doc:"globs"`
	Names      []string `json:"names,omitempty" maxItems:"100" doc:"globs"`
	Labels     string   `json:"labels,omitempty" maxLength:"1000" doc:"k=v,k2!=v2,k3"`
	Types      []string `json:"types,omitempty" maxItems:"50"`
}

// Fetch is one fetch or sync of a cluster. It goes on whoever watches.
type Fetch struct {
	ID        string         `json:"id"`
	ClusterID string         `json:"clusterId"`
	Kind      string         `json:"kind" enum:"fetch,sync"`
	State     string         `json:"state" enum:"queued,running,waiting,done,failed"`
	Total     int64          `json:"total"` // that were seen so far
	Added     int64          `json:"added"`
	Changed   int64          `json:"changed"`
	Unchanged int64          `json:"unchanged"`
	Gone      int64          `json:"gone"`
	Skipped   int64          `json:"skipped"`
	Problems  []FetchProblem `json:"problems,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Cure      string         `json:"cure,omitempty"`
	Actor     string         `json:"actor"`
	CreatedAt Time           `json:"createdAt"`
	EndedAt   *Time          `json:"endedAt,omitempty"`
}

// FetchProblem is a Secret or namespace that was not brought, and why.
type FetchProblem struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name,omitempty"`
	Reason    string `json:"reason"`
}
