package client

// Run is one change of one credential.
type Run struct {
	ID           string `json:"id"`
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceID   string `json:"resourceId"`
	ResourceName string `json:"resourceName"`
	State        string `json:"state"`
	Strategy     string `json:"strategy" enum:"single,overlap,alternating"`
	// Login is the login of a pair whose value the run sets; the other one is left alone.
	Login     string `json:"login,omitempty"`
	Step      string `json:"step"` // the last one that is done
	New       int64  `json:"new,omitempty"`
	Old       int64  `json:"old,omitempty"`
	Proved    bool   `json:"proved"` // a login with the new value worked
	Typed     bool   `json:"typed,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Cure      string `json:"cure,omitempty"`
	Tries     int    `json:"tries,omitempty"`
	NextTryAt *Time  `json:"nextTryAt,omitempty"`
	// Wave is the wave of clusters that is being written, of Waves; both are left out when all clusters go at once.
	Wave  int `json:"wave,omitempty"`
	Waves int `json:"waves,omitempty"`
	// Keys and KeysProved count the mapped keys of the run.
	Keys       int64 `json:"keys"`
	KeysProved int64 `json:"keysProved"`
	// Reverts is the id of the run whose work this one undoes.
	Reverts string `json:"reverts,omitempty"`
	// Plan is the hash of the plan that the run was bound to.
	Plan      string `json:"plan,omitempty"`
	Actor     string `json:"actor"`
	CreatedAt Time   `json:"createdAt"`
	UpdatedAt Time   `json:"updatedAt"`
	EndedAt   *Time  `json:"endedAt,omitempty"`
	Rev       int64  `json:"rev"` // grows with every change
	// Steps and Writes are in the answer for one run only.
	Steps  []RunStep  `json:"steps,omitempty"`
	Writes []RunWrite `json:"writes,omitempty"`
	// Rollouts are the workloads that held the old value when the keys were written, and Unseen what of them could not be
	// seen, each one sentence. They too are in the answer for one run only.
	Rollouts []RunRollout `json:"rollouts,omitempty"`
	Unseen   []string     `json:"unseen,omitempty"`
	// Replacements are the Secrets, immutable ones or those of tokens, that the run puts others in the place of; in the answer for one run only.
	Replacements []RunReplacement `json:"replacements,omitempty"`
	// Facts are what is known now, each one sentence.
	Facts []string `json:"facts,omitempty"`
	Can   Can      `json:"can,omitempty"`
}

// RunStep is one step of a run.
type RunStep struct {
	Name  string `json:"name"`
	State string `json:"state" enum:"to_do,running,done,failed,skipped,unverified"`
	At    *Time  `json:"at,omitempty"` // when it was done
	Note  string `json:"note,omitempty"`
}

// RunWrite is one mapped key of a run.
type RunWrite struct {
	MappingID string `json:"mappingId"`
	ClusterID string `json:"clusterId"`
	Cluster   string `json:"cluster"`
	SecretID  string `json:"secretId"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
	Wave      int    `json:"wave,omitempty"` // in which it is written, if there are several
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Cure      string `json:"cure,omitempty"`
	Taken     string `json:"taken,omitempty"` // the one-shot writer whose key was taken over
	At        *Time  `json:"at,omitempty"`
}

// RunRollout is one workload that a run restarts and watches.
type RunRollout struct {
	ClusterID string `json:"clusterId"`
	Cluster   string `json:"cluster"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	State     string `json:"state" enum:"to_do,asks,rolling,done,stuck,held,skipped"`
	// Wanted counts the pods that there should be, New those made after the write, Ready those of them that are ready, and
	// Old those left from before.
	Wanted int    `json:"wanted"`
	New    int    `json:"new"`
	Ready  int    `json:"ready"`
	Old    int    `json:"old"`
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	At     *Time  `json:"at,omitempty"`
}

// RunReplacement is a Secret that a run puts another in the place of.
type RunReplacement struct {
	ClusterID string `json:"clusterId"`
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`  // the old one
	Instead   string `json:"instead"` // the one in its place
	// State is to_do until the new Secret is made and read back, running until the old one is deleted, and then done; failed
	// while the run needs attention because of it, and skipped when the run ended before that and the old one was kept.
	State string `json:"state" enum:"to_do,running,done,failed,skipped"`
	// Consumers counts the workloads of its namespace that read the account's keys, and Switched those of them of which no
	// pod is left from before.
	Consumers int `json:"consumers"`
	Switched  int `json:"switched"`
	// Old says whether the old Secret is there, and what has to be true before it is deleted.
	Old string `json:"old"`
	// Held says why the run does not get on with it.
	Held string `json:"held,omitempty"`
}

// RunFilter chooses runs.
type RunFilter struct {
	ListOptions
	Account string   `query:"account" maxLength:"64" doc:"id"`
	State   []string `query:"state"`
}
