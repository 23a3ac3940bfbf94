package client

// Health is what the server says of itself to everybody.
type Health struct {
	Sealed bool `json:"sealed"`
	// Setup is true while there is no user: the one-time link makes the first administrator.
	Setup bool `json:"setup,omitempty"`
	// Restored is true while the repository is one of an old backup, and nothing is changed anywhere: see Restore.
	Restored   bool   `json:"restored,omitempty"`
	Cause      string `json:"cause,omitempty"` // why it is sealed
	Cure       string `json:"cure,omitempty"`
	Since      *Time  `json:"since,omitempty"`
	Passphrase bool   `json:"passphrase,omitempty"` // true if a passphrase unseals it
	Version    string `json:"version"`
}

// Unseal opens a sealed server.
type Unseal struct {
	Passphrase Value `json:"passphrase,omitzero" doc:"not needed when the root key file was put back"`
}

// Setup makes the first administrator.
type Setup struct {
	Code     Value  `json:"code" doc:"the one-time code that the server printed"`
	Name     string `json:"name" maxLength:"128"`
	Password Value  `json:"password"`
}

// Overview is what the first page shows, limited to what the caller may see.
type Overview struct {
	AsOf Time `json:"asOf"`
	// Needs are what waits for a person, oldest danger first, at most 20.
	Needs      []Need           `json:"needs"`
	NeedsTotal int64            `json:"needsTotal"`
	Clusters   map[string]int64 `json:"clusters"` // by state
	Secrets    map[string]int64 `json:"secrets"`
	Accounts   map[string]int64 `json:"accounts"`
	Mappings   map[string]int64 `json:"mappings"`
	Runs       map[string]int64 `json:"runs"`
	LastProof  *Time            `json:"lastProof,omitempty"`
	// Due sums up the schedule.
	Due Due `json:"due"`
}

// Due says how many accounts are to be changed when, and which is the first.
type Due struct {
	Overdue int64 `json:"overdue"` // their values are older than their policies allow
	Day     int64 `json:"day"`     // due within 24 hours, those that are overdue left out
	// Next is the account that is due first, those that are overdue left out.
	Next *DueAccount `json:"next,omitempty"`
}

// DueAccount is an account that is to be changed.
type DueAccount struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	ResourceName string `json:"resourceName"`
	At           Time   `json:"at"`
}

// Need is one thing that waits for a person.
type Need struct {
	Kind   string `json:"kind"` // cluster, account, mapping or run
	ID     string `json:"id"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Since  *Time  `json:"since,omitempty"`
}

// Change is one message of the event stream: an object is not what it was. It carries no names.
type Change struct {
	Seq    int64  `json:"seq"`
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Rev    int64  `json:"rev"`
	Parent string `json:"parent,omitempty"`
}
