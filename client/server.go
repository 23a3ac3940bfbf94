package client

// Health is what the server says of itself to everybody.
type Health struct {
	Sealed bool `json:"sealed"`
	// Setup is true while there is no user: the one-time link makes the first administrator.
	Setup      bool   `json:"setup,omitempty"`
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
