package inventory

import (
	"slices"
	"time"

	"github.com/keyturn/keyturn/internal/vault"
)

// ClusterState is what the last check of a cluster proved. The words are those of client/state.
type ClusterState string

// The states of a cluster.
const (
	ClusterConnected    ClusterState = "connected"    // all three checks passed
	ClusterDegraded     ClusterState = "degraded"     // it answers, but a right is missing or something ends soon
	ClusterUnreachable  ClusterState = "unreachable"  // no answer on its address
	ClusterUntrusted    ClusterState = "untrusted"    // its certificate does not verify
	ClusterUnauthorised ClusterState = "unauthorised" // the token is refused
	ClusterRemoved      ClusterState = "removed"      // the association was deleted; resources and values are kept
)

// Scope is what a connector was given rights for. The zero value is read-only access to no namespace.
type Scope struct {
	// Namespaces are the named ones; empty with WholeCluster set means every namespace, now and later.
	Namespaces   []string
	WholeCluster bool
	ReadWrite    bool // may patch Secrets
	Restart      bool // may patch workloads so that their pods are replaced
	PortForward  bool // may connect to ports of pods and services
	Renew        bool // may renew its own long-lived token
	Replace      bool // may make Secrets in place of immutable ones and of tokens, name them where those were named, and delete those
}

// Covers reports whether the scope reaches into namespace.
func (s Scope) Covers(namespace string) bool {
	return s.WholeCluster || slices.Contains(s.Namespaces, namespace)
}

// Cluster is a connected Kubernetes cluster.
type Cluster struct {
	ID     string
	Name   string // as shown and typed; unique among clusters that are not removed
	Server string // https URL of the API server
	// CAPEM are the certificates that its own must chain to; empty means the system's roots.
	CAPEM string
	Token vault.Sealed // the connector's long-lived token
	Scope Scope
	// Selections are what was chosen to be fetched, in the order of the fetches; a sync keeps all of it in step.
	Selections []Selection
	UID        string // of the namespace kube-system: the cluster's identity
	Version    string // as the API server reports it

	State     ClusterState
	Reason    string // why it is in that state, for a person
	Since     time.Time
	CheckedAt time.Time
	SyncedAt  time.Time // end of the last fetch or sync that completed; zero if none did

	// ComparedAt is when the last compare of everything that was chosen began that was carried out to its end; zero if none was.
	ComparedAt time.Time

	CreatedAt time.Time
	Rev       int64
}
