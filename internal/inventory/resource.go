package inventory

import (
	"time"
)

// TypeKubernetes is the type of the resources that a fetch makes, one for each namespace of a cluster. The other types
// are the target registry's.
const TypeKubernetes = "kubernetes"

// Resource is a system that holds accounts.
type Resource struct {
	ID   string
	Name string // unique
	Type string
	// ClusterID and Namespace are set on a kubernetes resource only.
	ClusterID, Namespace string
	// Settings say how to reach it (host, port, …), as the type's Spec describes them. No value is in them.
	Settings map[string]string
	// Through is the cluster that it is reached through; the zero value is the direct way.
	Through Through
	// ReconcileAccountID is the account that may repair the others; empty if there is none.
	ReconcileAccountID string
	CreatedAt          time.Time
	Rev                int64
}

// KubernetesResourceName is the name of the resource for one namespace of a cluster.
func KubernetesResourceName(namespace, cluster string) string { return namespace + "-" + cluster }

// AccountState is what is known of an account's current credential. The words are those of client/state.
type AccountState string

// The states of an account.
const (
	AccountVerified   AccountState = "verified"    // a login with current worked, at VerifiedAt
	AccountUnverified AccountState = "unverified"  // not tried since the change, or nothing to try it on
	AccountOutOfSync  AccountState = "out_of_sync" // the target refuses the stored value
	AccountLockedOut  AccountState = "locked_out"  // no known value logs in
)

// Account is a login on a resource that is not a Kubernetes one.
type Account struct {
	ID         string
	ResourceID string
	Name       string // the login; unique on its resource
	State      AccountState
	Reason     string
	VerifiedAt time.Time
	Current    int64 // number of the current version; 0 if none was stored yet
	// Strategy is how its values follow each other: "single", "overlap", "alternating", or empty for what its type is best at.
	Strategy string
	// Pair is the second login of an account whose strategy is alternating; empty for any other.
	Pair      string
	CreatedAt time.Time
	Rev       int64
}
