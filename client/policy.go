package client

// Policy says what the values of accounts look like and when they are changed.
type Policy struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// BuiltIn is the policy of every account that no other is for. It can be changed, not deleted.
	BuiltIn  bool           `json:"builtIn,omitempty"`
	Password PolicyPassword `json:"password"`
	// EntropyBits is how hard a value is to guess, before what a system cannot take is left out.
	EntropyBits float64        `json:"entropyBits"`
	History     int            `json:"history"`
	Rotation    PolicyRotation `json:"rotation"`
	// Assignments are what the policy is for, as far as the caller may know of it.
	Assignments []PolicyAssignment `json:"assignments"`
	// Accounts counts those that follow it, Overdue those of them whose value is older than it allows, and NextAt is when the
	// first of them is due; all as far as the caller may know of them.
	Accounts  int64 `json:"accounts"`
	Overdue   int64 `json:"overdue,omitempty"`
	NextAt    *Time `json:"nextAt,omitempty"`
	CreatedAt *Time `json:"createdAt,omitempty"`
	Rev       int64 `json:"rev"`
	Can       Can   `json:"can,omitempty"`
}

// PolicyPassword says what a value looks like. What is not given is the default's.
type PolicyPassword struct {
	Length    *int           `json:"length,omitempty" minimum:"1" maximum:"256" doc:"characters of a generated value, and the least of a typed one"`
	Alphabets []string       `json:"alphabets,omitempty" maxItems:"4" doc:"lower, upper, digits, symbols"`
	Exclude   *string        `json:"exclude,omitempty" maxLength:"128" doc:"characters that must not occur"`
	Require   map[string]int `json:"require,omitempty" doc:"how many characters of a class must occur at least"`
	First     []string       `json:"first,omitempty" maxItems:"4" doc:"the classes of the first character"`
	Words     *int           `json:"words,omitempty" minimum:"0" maximum:"20" doc:"a passphrase of so many words"`
	Separator *string        `json:"separator,omitempty" maxLength:"3" doc:"between words; - if not given"`
	Forbid    []string       `json:"forbid,omitempty" maxItems:"200" doc:"texts that must not occur, in whatever case"`
	// ForbidName forbids the name of the account.
	ForbidName *bool `json:"forbidName,omitempty"`
}

// PolicyRotation says when accounts are changed and looked after. Lengths of time are written as 30d, 12h or 1d12h.
type PolicyRotation struct {
	Every     string     `json:"every,omitempty" maxLength:"32" doc:"how long a value is kept"`
	Cron      string     `json:"cron,omitempty" maxLength:"128" doc:"five fields, in place of every"`
	Zone      string     `json:"zone,omitempty" maxLength:"64" doc:"IANA name of the zone of cron and windows; UTC if not given"`
	Windows   []string   `json:"windows,omitempty" maxItems:"50" doc:"such as Fri 20:00-Sat 04:00, or 22:00-04:00 for every day"`
	Blackouts []Blackout `json:"blackouts,omitempty" maxItems:"100"`
	Jitter    string     `json:"jitter,omitempty" maxLength:"32" doc:"accounts that are due at once are spread over it"`
	MaxAge    string     `json:"maxAge,omitempty" maxLength:"32" doc:"how old a value may become"`
	OnReveal  string     `json:"onReveal,omitempty" maxLength:"32" doc:"how long after its reveal a value is changed; not at all if not given"`
	Heartbeat string     `json:"heartbeat,omitempty" maxLength:"32" doc:"how often a login is tried; daily if not given, or off"`
	Rehearse  string     `json:"rehearse,omitempty" maxLength:"32" doc:"how often a run is rehearsed; daily if not given, or off"`
	Reconcile []string   `json:"reconcile,omitempty" maxItems:"4" doc:"refused: an account whose login is refused is repaired by the reconcile account"`
	Canary    []string   `json:"canary,omitempty" maxItems:"50" doc:"globs of the names of clusters that get a new value first"`
	WaveSize  string     `json:"waveSize,omitempty" maxLength:"8" doc:"how many clusters each later wave has, as a number or a share such as 25%; all if not given"`
	WavePause string     `json:"wavePause,omitempty" maxLength:"32" doc:"how long to wait between waves; ask: until somebody resumes the run"`
	// RestartOrder and RestartWindows say in which order and when workloads are restarted.
	RestartOrder   []string `json:"restartOrder,omitempty" maxItems:"50" doc:"globs of NAMESPACE/KIND/NAME; what matches the first is restarted first, the rest last"`
	RestartWindows []string `json:"restartWindows,omitempty" maxItems:"50" doc:"when restarts may begin, written as windows; always if not given"`

	Immutable string `json:"immutable,omitempty" enum:"refuse,replace," doc:"what is done with a mapped Secret that is immutable: refuse (the run stops there), or replace by a Secret of another name, which what reads the old one is told"`
	OnStuck   string `json:"onStuck,omitempty" enum:"rollback," doc:"rollback: a run that needs attention after its value was proved is rolled back while both values are valid"`
}

// Blackout is a time in which nothing is changed.
type Blackout struct {
	From Time   `json:"from"`
	To   Time   `json:"to"`
	Why  string `json:"why,omitempty" maxLength:"200"`
}

// NewPolicy is a policy to be made.
type NewPolicy struct {
	Name        string         `json:"name" minLength:"1" maxLength:"64"`
	Description string         `json:"description,omitempty" maxLength:"1000"`
	Password    PolicyPassword `json:"password,omitzero"`
	History     int            `json:"history,omitempty" minimum:"0" maximum:"100" doc:"versions that a new value must differ from"`
	Rotation    PolicyRotation `json:"rotation,omitzero"`
}

// PolicyChange changes what is given; Password and Rotation are replaced as a whole.
type PolicyChange struct {
	Name        *string         `json:"name,omitempty" minLength:"1" maxLength:"64"`
	Description *string         `json:"description,omitempty" maxLength:"1000"`
	Password    *PolicyPassword `json:"password,omitempty"`
	History     *int            `json:"history,omitempty" minimum:"0" maximum:"100"`
	Rotation    *PolicyRotation `json:"rotation,omitempty"`
}

// PolicyDraft is a policy that is being written.
type PolicyDraft struct {
	Password PolicyPassword `json:"password,omitzero"`
	Rotation PolicyRotation `json:"rotation,omitzero"`
}

// PolicyPreview is what a policy would come to.
type PolicyPreview struct {
	EntropyBits float64 `json:"entropyBits"`
	// Next are when a value that is made now, and each that follows it, would be changed; at most five, before accounts are
	// spread. Empty: the clock changes none.
	Next []PolicyTime `json:"next"`
}

// PolicyTime is when a value is due to be changed, and why then.
type PolicyTime struct {
	At  Time   `json:"at"`
	Why string `json:"why"`
}

// PolicyAssignment is what a policy is for. Pattern is an id, labels as env=prod,tier, or globs as TYPE/RESOURCE/ACCOUNT.
type PolicyAssignment struct {
	ID      string `json:"id"`
	By      string `json:"by" enum:"account,resource,label,rule"`
	Pattern string `json:"pattern"`
	Name    string `json:"name,omitempty"` // of the account or resource
}

// NewPolicyAssignment has a policy apply to accounts. Whatever policy was assigned to just the same is not any more.
type NewPolicyAssignment struct {
	By      string `json:"by" enum:"account,resource,label,rule"`
	Pattern string `json:"pattern" minLength:"1" maxLength:"1000" doc:"an account's id, a resource's id or name, labels, or globs"`
}

// PolicyExplanation says which policy applies to an account, and why.
type PolicyExplanation struct {
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceName string `json:"resourceName"`
	// Applying are the policies that are for it, the one that applies first.
	Applying []PolicyReason `json:"applying"`
	NextAt   *Time          `json:"nextAt,omitempty"`
	NextWhy  string         `json:"nextWhy,omitempty"`
	Overdue  bool           `json:"overdue,omitempty"`
	CheckAt  *Time          `json:"checkAt,omitempty"` // when a login is tried next
}

// PolicyReason is a policy that is for an account.
type PolicyReason struct {
	PolicyID string `json:"policyId"`
	Policy   string `json:"policy"`
	By       string `json:"by,omitempty"` // empty: it is the default
	Pattern  string `json:"pattern,omitempty"`
	Because  string `json:"because"`
}
