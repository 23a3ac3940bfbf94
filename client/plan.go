package client

// Plan is what a reset of an account would do now, and to whom. Asking for it changes nothing.
type Plan struct {
	// Hash names what of the plan consent is given to: the account with its version and strategy, the policy, the keys, the
	// workloads with their replicas, the waves. A reset that names it refuses when the world has changed since.
	Hash         string `json:"hash"`
	At           Time   `json:"at"`
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceID   string `json:"resourceId"`
	ResourceName string `json:"resourceName"`
	ResourceType string `json:"resourceType"`
	Current      int64  `json:"current"` // number of the current version; 0 if there is none
	Strategy     string `json:"strategy"`
	// Policy is the name of the policy that applies, PolicyBecause a sentence that says why.
	Policy        string `json:"policy,omitempty"`
	PolicyBecause string `json:"policyBecause,omitempty"`
	// Waves counts the waves in which clusters get the new value; it is left out when all go at once.
	Waves int `json:"waves,omitempty"`
	// Blast counts who is touched.
	Blast PlanBlast `json:"blast"`
	// Keys are the mapped keys, in the order in which they are written; Workloads are what reads them.
	Keys      []PlanKey      `json:"keys"`
	Workloads []PlanWorkload `json:"workloads"`
	// Warnings are of the whole; those of a key or a workload stand with it.
	Warnings []PlanWarning `json:"warnings,omitempty"`
	// Unseen is what could not be looked at, each one sentence; the plan is not complete then.
	Unseen   []string     `json:"unseen,omitempty"`
	Estimate PlanEstimate `json:"estimate"`
	// Lockout is set when whoever still has the old value cannot log in for a time, as under the strategy single.
	Lockout *PlanLockout `json:"lockout,omitempty"`
	Can     Can          `json:"can,omitempty"`
}

// PlanBlast counts what a run would touch.
type PlanBlast struct {
	Clusters int `json:"clusters"`
	Secrets  int `json:"secrets"`
	Keys     int `json:"keys"`
	// Blocked counts the keys that could not be written as things are.
	Blocked int `json:"blocked"`
	// Workloads counts all that read a key, Restarts those of them that would be restarted.
	Workloads int `json:"workloads"`
	Restarts  int `json:"restarts"`
	// Pods counts those that would be replaced.
	Pods int `json:"pods"`
	// SingleReplica counts the workloads that would be restarted and have one replica.
	SingleReplica int `json:"singleReplica"`
}

// PlanKey is one mapped key. Its state is in_sync (it holds the current version and would be written), drift (it holds
// something else, which would be written over), hands_off or blocked (it could not be written, Reason and Cure say why), or
// unseen (its cluster did not answer).
type PlanKey struct {
	MappingID string `json:"mappingId"`
	ClusterID string `json:"clusterId"`
	Cluster   string `json:"cluster"`
	SecretID  string `json:"secretId"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
	Wave      int    `json:"wave,omitempty"`
	OnWrite   string `json:"onWrite" enum:"restart,ask,nothing"`
	// Place says where in the key's value the credential stands; it is left out when it is the whole value.
	Place *Place `json:"place,omitempty"`
	State string `json:"state" enum:"in_sync,drift,hands_off,blocked,unseen"`
	// Owner is who holds the key: none, keyturn, one_shot (a person's tool, which would be taken over) or reconciler.
	Owner     string `json:"owner,omitempty" enum:"none,keyturn,one_shot,reconciler"`
	OwnerName string `json:"ownerName,omitempty"`
	Immutable bool   `json:"immutable,omitempty"`
	// Instead is the name of the Secret that would be put in the place of this one, which is immutable.
	Instead string `json:"instead,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Cure    string `json:"cure,omitempty"`
}

// PlanWorkload is an object that reads mapped keys.
type PlanWorkload struct {
	ClusterID string `json:"clusterId"`
	Cluster   string `json:"cluster"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Wave      int    `json:"wave,omitempty"`
	// Action is what becomes of it: restart, ask (first a person resumes the run), later (its next pods have the new value),
	// rename (it is told the name of the Secret in place of an immutable one, and nothing is restarted), none (it is left
	// alone), or refused (it should be restarted and may not be: the run would stop there).
	Action string `json:"action" enum:"restart,ask,later,rename,none,refused"`
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	Pods   int    `json:"pods"`  // that there should be
	Ready  int    `json:"ready"` // of them
	// Uses say how it reads the keys.
	Uses     []PlanUse     `json:"uses"`
	Warnings []PlanWarning `json:"warnings,omitempty"`
	// Lockout is set when its pods cannot log in with what they hold for a time.
	Lockout *PlanLockout `json:"lockout,omitempty"`
}

// PlanUse is one reference of a workload to a Secret.
type PlanUse struct {
	Secret    string   `json:"secret"`
	Keys      []string `json:"keys,omitempty"` // all if there are none
	How       string   `json:"how" doc:"env, envFrom, volume, projected, subPath, csi, volume driver, pull secret, service account, ingress"`
	Container string   `json:"container,omitempty"`
	Init      bool     `json:"init,omitempty"` // the container is an init container
	At        string   `json:"at,omitempty"`   // the variable, the mount's path or the volume
	Optional  bool     `json:"optional,omitempty"`
	// Refreshes says that running pods get to see a change without a restart; otherwise they read it at their start only.
	Refreshes bool `json:"refreshes"`
	// InPodsOnly says that running pods have the reference and the template does not.
	InPodsOnly bool `json:"inPodsOnly,omitempty"`
}

// PlanWarning is a fact to weigh before a run is begun.
type PlanWarning struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Cure string `json:"cure,omitempty"`
	// Blocks says that the run would stop there.
	Blocks bool `json:"blocks,omitempty"`
}

// PlanLockout is how long a value that the system takes no more is still held by readers.
type PlanLockout struct {
	// Seconds is an estimate from the change on the system on. It is 0 when OpenEnded: nothing in the run ends it.
	Seconds   int64 `json:"seconds"`
	OpenEnded bool  `json:"openEnded,omitempty"`
	// Until says what ends it, as one sentence.
	Until string `json:"until"`
}

// PlanEstimate is how long a run would take.
type PlanEstimate struct {
	Seconds int64          `json:"seconds"`
	Steps   []PlanStepTime `json:"steps"`
	// Basis says what the estimate is made from, as one sentence.
	Basis string `json:"basis"`
}

// PlanStepTime is the estimate of one step of a run.
type PlanStepTime struct {
	Step    string `json:"step"`
	Seconds int64  `json:"seconds"`
	// From is measured (in earlier runs, Runs of them) or assumed.
	From string `json:"from" enum:"measured,assumed"`
	Runs int    `json:"runs,omitempty"`
}

// Rehearsal is what was last found when the whole way of a run was tried without changing anything.
type Rehearsal struct {
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceID   string `json:"resourceId"`
	ResourceName string `json:"resourceName"`
	// State is running while one was asked for and is not done, and unknown while there was none or nobody could tell.
	State string `json:"state" enum:"running,ready,not_ready,stale,unknown"`
	// Reason and Cure are those of the first step that keeps the account from being ready.
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	At     *Time  `json:"at,omitempty"`     // when it was done
	NextAt *Time  `json:"nextAt,omitempty"` // when it is done again by itself
	Actor  string `json:"actor,omitempty"`
	// Steps are what was tried, in order.
	Steps []RehearsalStep `json:"steps"`
	Can   Can             `json:"can,omitempty"`
}

// RehearsalStep is one thing that was tried. Its state is done, failed, skipped (nothing to try here) or unverified (it
// could not be told).
type RehearsalStep struct {
	Name  string `json:"name" enum:"login,privilege,census,write,restart"`
	State string `json:"state" enum:"done,failed,skipped,unverified"`
	// Object is what it was tried on: the account, a Secret or a workload.
	Object  string `json:"object"`
	Cluster string `json:"cluster,omitempty"`
	// Proved says what was shown, as one sentence.
	Proved string `json:"proved,omitempty"`
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
}
