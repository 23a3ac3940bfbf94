package client

// DataKey is one of the keys that seal values. The key itself is never shown.
type DataKey struct {
	ID string `json:"id"`
	// State is active for the one that seals every new value, retired for those that only open what they have sealed.
	State     string `json:"state" enum:"active,retired"`
	MadeAt    Time   `json:"madeAt"`
	RetiredAt *Time  `json:"retiredAt,omitempty"`
	// Records is how many stored values are sealed with it. A retired key is removed when there are none.
	Records int64 `json:"records"`
	// Uses is how many values were ever sealed with it, at most: uses are counted before they are made, many at a time.
	Uses int64 `json:"uses"`
}

// KeyRotation is a new data key, and the keys that there are now.
type KeyRotation struct {
	Active string    `json:"active"` // id of the new key
	Items  []DataKey `json:"items"`
}

// NextRoot asks that the next root key takes the place of the present one.
type NextRoot struct {
	Passphrase Value `json:"passphrase,omitzero" doc:"the new one, of a server that is unsealed with a passphrase; otherwise the next key is in a file beside the present one"`
}

// RootChange says what became of a change of the root key.
type RootChange struct {
	// Changed is false when the keys were wrapped by that root key already.
	Changed bool `json:"changed"`
	// File is where the server reads the root key, or the passphrase's parameters; Old is where the one before is kept, which
	// opens backups made until now.
	File string `json:"file"`
	Old  string `json:"old,omitempty"`
	// Advice says what is left to do by hand, where something is.
	Advice string `json:"advice,omitempty"`
}
