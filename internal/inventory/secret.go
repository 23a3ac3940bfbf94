package inventory

import (
	"time"

	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/vault"
)

// KeyState is how one key, or the Secret as a whole, compares with the repository. The words are those of client/state.
type KeyState string

// The states of a key, a Secret and a mapping.
const (
	InSync    KeyState = "in_sync"
	Syncing   KeyState = "syncing"
	Behind    KeyState = "behind"
	Drift     KeyState = "drift"
	Conflict  KeyState = "conflict"
	HandsOff  KeyState = "hands_off"
	Blocked   KeyState = "blocked"
	Tombstone KeyState = "tombstone"
)

// Secret is a Kubernetes Secret as it was last seen; its values are in its versions, sealed.
type Secret struct {
	ID              string
	ClusterID       string
	ResourceID      string
	Namespace, Name string
	UID             string
	ResourceVersion string
	Type            string
	Immutable       bool
	Labels          map[string]string
	Size            int64 // bytes of all values together
	Current         int64 // number of the current version
	State           KeyState
	Reason          string
	CreatedAt       time.Time // in the cluster
	SeenAt          time.Time // last time a list or a write showed it
	DeletedAt       time.Time // when it was found gone; zero while it is there
	Keys            []Key
	Rev             int64
}

// Key is one entry of a Secret's data.
type Key struct {
	Name        string
	Size        int64
	Fingerprint vault.Fingerprint // of the value that the cluster and the repository last agreed on
	// Common says that this value stands in many places without their having anything to do with each other.
	Common bool
	// Part is that of the credential which stands in the value, where a mapping says that it is a part of it; nil while it
	// cannot be read there.
	Part *vault.Fingerprint
	// Ours says that the key was Keyturn's own in the state in which its Secret is stored. A list does not tell.
	Ours bool
}

// KeyChangeKind is what a version of a Secret did to a key.
type KeyChangeKind string

// The changes of a key.
const (
	KeyAdded   KeyChangeKind = "added"
	KeyChanged KeyChangeKind = "changed"
	KeyRemoved KeyChangeKind = "removed"
)

// KeyChange is a key that a version has changed against the one before.
type KeyChange struct {
	Name   string
	Change KeyChangeKind
}

// Mapping says that an account's credential stands in a Secret key.
type Mapping struct {
	ID        string
	AccountID string
	SecretID  string
	Key       string
	Place     composite.Spec // where in the key's value the credential stands; the zero Spec: it is the value
	// OnWrite is what is done with what reads the key after it was written: "restart", "ask" or "nothing".
	OnWrite string
	UID     string // the Secret's, when it was mapped
	// Written is the number of the version that was last proved to stand there; 0 if none was.
	Written int64
	// Fingerprint is that of the credential that should stand there.
	Fingerprint vault.Fingerprint
	State       KeyState
	Reason      string
	CheckedAt   time.Time
	CreatedBy   string
	CreatedAt   time.Time
	Rev         int64
}
