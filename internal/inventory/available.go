package inventory

import "time"

// Available is what a cluster has now, as metadata.
type Available struct {
	Namespaces []AvailableNamespace
	Secrets    []AvailableSecret
	// Truncated is true when there are more Secrets than one answer holds.
	Truncated bool
}

// AvailableNamespace is a namespace as the cluster has it now. Problem says why its Secrets could not be listed.
type AvailableNamespace struct{ Name, Problem string }

// AvailableSecret is a Secret as the cluster has it now.
type AvailableSecret struct {
	Meta
	Keys      int
	CreatedAt time.Time
	Fetched   bool   // it is in the repository
	LeftOut   string // why a fetch of everything leaves it out; empty if it does not
}

// Add appends Secrets as long as there are at most most.
func (a *Available) Add(secrets []AvailableSecret, most int) error {
	if room := most - len(a.Secrets); len(secrets) > room {
		secrets, a.Truncated = secrets[:room], true
	}
	a.Secrets = append(a.Secrets, secrets...)
	return nil
}
