package client

// Account is a login on a resource that is not a Kubernetes one.
type Account struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	ResourceID   string           `json:"resourceId"`
	ResourceName string           `json:"resourceName"`
	ResourceType string           `json:"resourceType"`
	State        string           `json:"state"`
	Reason       string           `json:"reason,omitempty"`
	VerifiedAt   *Time            `json:"verifiedAt,omitempty"`
	Current      int64            `json:"current"`             // number of the current version; 0 if there is none
	ChangedAt    *Time            `json:"changedAt,omitempty"` // when the current version was made
	Mappings     map[string]int64 `json:"mappings,omitempty"`  // by state
	// Strategy is how its values follow each other: single, overlap (both are valid until every reader has the new one),
	// alternating (it is a pair of logins), or empty for what its type is best at.
	Strategy string `json:"strategy,omitempty"`
	// Pair is the second login of a pair; the first is the name. Login is the one of them that is in use.
	Pair  string `json:"pair,omitempty"`
	Login string `json:"login,omitempty"`
	// Policy is the name of the policy that applies to it, PolicyBecause a sentence that says why.
	Policy        string `json:"policy,omitempty"`
	PolicyBecause string `json:"policyBecause,omitempty"`
	// NextAt is when it is due to be changed, NextWhy a clause that says why then, or why not.
	NextAt  *Time  `json:"nextAt,omitempty"`
	NextWhy string `json:"nextWhy,omitempty"`
	// Overdue is set when its value is older than the policy allows.
	Overdue bool `json:"overdue,omitempty"`
	// CheckAt is when a login is tried next.
	CheckAt *Time `json:"checkAt,omitempty"`
	// Readiness is what the last rehearsal showed of its next reset: ready, not_ready, stale (it was long ago) or unknown.
	// ReadyReason says why it is not ready or not known, RehearsedAt when that was, RehearseAt when it is tried next.
	Readiness   string `json:"readiness"`
	ReadyReason string `json:"readyReason,omitempty"`
	RehearsedAt *Time  `json:"rehearsedAt,omitempty"`
	RehearseAt  *Time  `json:"rehearseAt,omitempty"`
	// Run is the id of the run that is open on it.
	Run       string `json:"run,omitempty"`
	CreatedAt Time   `json:"createdAt"`
	Rev       int64  `json:"rev"`
	Can       Can    `json:"can,omitempty"`
}

// NewAccount is an account to be made on a resource. Value is its present credential, if it is known.
type NewAccount struct {
	Name  string `json:"name" minLength:"1" maxLength:"253"`
	Pair  string `json:"pair,omitempty" maxLength:"253" doc:"a second login: the account is a pair of which one is in use at a time"`
	Value Value  `json:"value,omitzero"`
}

// AccountChange changes what is given. Value stores a credential that was changed elsewhere, of a pair that of the login in
// use; PairValue is that of the other login. The system is not touched.
type AccountChange struct {
	Name     *string `json:"name,omitempty" minLength:"1" maxLength:"253"`
	Strategy *string `json:"strategy,omitempty" enum:"single,overlap,alternating," doc:"empty: what its type is best at; alternating needs a pair"`
	Pair     *string `json:"pair,omitempty" maxLength:"253" doc:"the second login of an account that alternates"`
	Value    Value   `json:"value,omitzero"`
	// PairValue is the value that the login of a pair takes which is not in use.
	PairValue Value `json:"pairValue,omitzero"`
}

// AccountFilter chooses accounts.
type AccountFilter struct {
	ListOptions
	Resource string   `query:"resource" maxLength:"400" doc:"id or name"`
	Name     string   `query:"name" maxLength:"253" doc:"exactly this one"`
	Type     []string `query:"type"`
	State    []string `query:"state"`
	Policy   string   `query:"policy" maxLength:"64" doc:"id or name of the policy that applies"`
	Ready    []string `query:"ready" doc:"ready, not_ready, stale, unknown"`
}

// ScheduleFilter chooses accounts that are due to be changed at some time.
type ScheduleFilter struct {
	AccountFilter
	Overdue bool   `query:"overdue" doc:"only those whose value is older than its policy allows"`
	Within  string `query:"within" maxLength:"32" doc:"only those that are due within so long, such as 24h, and those that are overdue"`
}

// Version is one value of a credential, without the value.
type Version struct {
	Number    int64  `json:"number"`
	Stage     string `json:"stage" enum:"pending,current,previous,retired"`
	Source    string `json:"source" enum:"fetched,generated,typed,restored,adopted,written"`
	Login     string `json:"login,omitempty"` // of a pair: whose value it is
	Actor     string `json:"actor"`
	CreatedAt Time   `json:"createdAt"`
	RetiredAt *Time  `json:"retiredAt,omitempty"`
	Can       Can    `json:"can,omitempty"`
}

// Reveal asks for a value. Version 0 means the current one. Key names one key of a Secret.
type Reveal struct {
	Version int64  `json:"version,omitempty" minimum:"0"`
	Key     string `json:"key,omitempty" maxLength:"253"`
	Reason  string `json:"reason,omitempty" maxLength:"1000" doc:"kept in the audit log; never a value"`
}

// Revealed is a value. Base64 is true when it is no valid UTF-8 and is therefore encoded.
type Revealed struct {
	Version int64 `json:"version"`
	Value   Value `json:"value"`
	Base64  bool  `json:"base64,omitempty"`
	// Restored is true while the repository is one of an old backup, so that a newer value may be in use.
	Restored bool `json:"restored,omitempty"`
}

// Reset changes a credential. At most one of Value and Version is given; without either a value is generated.
type Reset struct {
	Policy  *PasswordPolicy `json:"policy,omitempty"`
	Value   Value           `json:"value,omitzero"`
	Version int64           `json:"version,omitempty" minimum:"0" doc:"an older version, to be set again"`
	// Plan is the hash of the plan that was agreed to: the reset refuses when the world has changed since.
	Plan string `json:"plan,omitempty" maxLength:"128" doc:"hash of the plan that was agreed to; another one by now is refused"`
}

// PasswordPolicy says how a value is generated. What is not given is the default's.
type PasswordPolicy struct {
	Length int `json:"length,omitempty" minimum:"0" maximum:"256" doc:"characters; 32 if not given"`
	// Alphabets are the classes that characters come from: lower, upper, digits, symbols; none means all.
	Alphabets []string `json:"alphabets,omitempty" maxItems:"4" doc:"lower, upper, digits, symbols; all if not given"`
	Exclude   *string  `json:"exclude,omitempty" maxLength:"128" doc:"characters that must not occur"`
	// Require says how many characters of a class must occur at least.
	Require map[string]int `json:"require,omitempty"`
}

// Verified is what a login with the stored value showed.
type Verified struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	At     Time   `json:"at"`
}
