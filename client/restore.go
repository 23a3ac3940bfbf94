package client

// Restore says whether the repository was restored from a backup that is older than what it had done, and what is known since.
type Restore struct {
	// State is restored until somebody ends it, otherwise normal.
	State string `json:"state" enum:"normal,restored"`
	// SeenIn is where a later state of the repository was found.
	SeenIn  string `json:"seenIn,omitempty"`
	FoundAt *Time  `json:"foundAt,omitempty"`
	// Entries is how many entries the audit log had when that was noticed, Had how many it once had.
	Entries int64 `json:"entries"`
	Had     int64 `json:"had"`
	// Counts are the accounts by state.
	Counts   map[string]int64  `json:"counts"`
	Accounts []RestoredAccount `json:"accounts"` // those that wait for a person first
	// Witnesses are the clusters that keep how far the repository has come.
	Witnesses []RestoreWitness `json:"witnesses"`
	// Ended are the restores before, the newest first.
	Ended []EndedRestore `json:"ended"`
}

// RestoredAccount is what is known of an account since a restore.
type RestoredAccount struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"` // with that of its resource
	State  string   `json:"state" enum:"to_check,verified,adopted,agrees,undecided,unresolved"`
	Reason string   `json:"reason,omitempty"`
	Cure   string   `json:"cure,omitempty"`
	Tried  []string `json:"tried"`         // which values its system refused, by where they stand
	Run    string   `json:"run,omitempty"` // the open run of the backup that was given up
	At     *Time    `json:"at,omitempty"`
}

// RestoreWitness is a cluster that keeps how far the repository has come, as far as this server has seen it.
type RestoreWitness struct {
	Cluster string `json:"cluster"`
	Entries int64  `json:"entries"`           // of the audit log that it knows of
	Problem string `json:"problem,omitempty"` // why it keeps nothing
}

// EndedRestore is a restore that somebody has ended.
type EndedRestore struct {
	FoundAt Time   `json:"foundAt"`
	EndedAt Time   `json:"endedAt"`
	EndedBy string `json:"endedBy"`
	Entries int64  `json:"entries"`
	Had     int64  `json:"had"`
}

// RestoreCheck asks which accounts to check again.
type RestoreCheck struct {
	Accounts []string `json:"accounts,omitempty" maxItems:"10000" doc:"ids; none: all that wait for a person"`
}

// RestoreAcceptance ends a restore.
type RestoreAcceptance struct {
	Accounts []string `json:"accounts,omitempty" maxItems:"100000" doc:"ids of every account that is not settled: what is not known of it is accepted"`
}
