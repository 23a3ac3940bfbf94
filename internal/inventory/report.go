package inventory

import "time"

// CheckState is how far a check or a step of one came. The words are those of client/state for steps.
type CheckState string

// The states of a check.
const (
	CheckToDo   CheckState = "to_do" // not reached, because something before it failed
	CheckDone   CheckState = "done"
	CheckFailed CheckState = "failed"
)

// The names of the three checks, in order.
const (
	CheckHost  = "host"  // the address answers, with a certificate that verifies
	CheckAPI   = "api"   // it is a Kubernetes API server
	CheckToken = "token" // the token authenticates and has the rights that the scope needs
)

// Report is the outcome of the three checks of a cluster.
type Report struct {
	Checks []Check
	// Version is the API server's; User as whom the token authenticates; UID that of the namespace kube-system. Each is
	// empty if the checks did not come so far.
	Version, User, UID string
	// Chain is what the server presented, when it was not trusted.
	Chain []Certificate
	// Missing are the rights that the token lacks, in words; MissingManifest is the YAML that adds them.
	Missing         []string
	MissingManifest string
}

// Check is one of the three.
type Check struct {
	Name  string
	State CheckState
	Steps []CheckStep
}

// CheckStep is one thing that a check looked at. Code, Cause and Cure are set when it failed.
type CheckStep struct {
	Name, Detail      string
	State             CheckState
	Code, Cause, Cure string
}

// Certificate is one of a chain.
type Certificate struct {
	Subject, Issuer, SHA256, PEM string
	NotAfter                     time.Time
}

// OK reports whether every check passed.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if c.State != CheckDone {
			return false
		}
	}
	return len(r.Checks) > 0
}

// Failure returns the first step that failed, and the check that it belongs to.
func (r Report) Failure() (check string, step CheckStep, failed bool) {
	for _, c := range r.Checks {
		for _, s := range c.Steps {
			if s.State == CheckFailed {
				return c.Name, s, true
			}
		}
	}
	return "", CheckStep{}, false
}

// ClusterState returns what the report says of a connected cluster, and why.
func (r Report) ClusterState() (ClusterState, string) {
	check, step, failed := r.Failure()
	switch {
	case !failed:
		return ClusterConnected, ""
	case step.Code == "cluster-rights-missing":
		return ClusterDegraded, step.Cause
	case check == CheckToken:
		return ClusterUnauthorised, step.Cause
	case step.Name == "certificate":
		return ClusterUntrusted, step.Cause
	}
	return ClusterUnreachable, step.Cause
}
