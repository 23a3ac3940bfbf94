package client

// AuditEvent is one thing that somebody did, or tried to.
type AuditEvent struct {
	ID        string            `json:"id"`
	Seq       int64             `json:"seq"` // its place in the log; -1 until it has one, within a second
	At        Time              `json:"at"`
	ActorID   string            `json:"actorId"`
	Actor     string            `json:"actor"`
	ActorKind string            `json:"actorKind"`
	Via       string            `json:"via,omitempty"`
	Address   string            `json:"address,omitempty"`
	RequestID string            `json:"requestId,omitempty"`
	Action    string            `json:"action"`
	Kind      string            `json:"kind,omitempty"` // of the object
	ObjectID  string            `json:"objectId,omitempty"`
	Object    string            `json:"object,omitempty"` // its name
	Parent    string            `json:"parent,omitempty"`
	Outcome   string            `json:"outcome" enum:"allowed,refused,failed"`
	Reason    string            `json:"reason,omitempty"`
	Run       string            `json:"run,omitempty"`
	Details   map[string]string `json:"details,omitempty"`
}

// AuditFilter chooses events, newest first. Cursor is the next of the page before.
type AuditFilter struct {
	Actor   string `query:"actor" maxLength:"256" doc:"id"`
	Action  string `query:"action" maxLength:"64"`
	Kind    string `query:"kind" maxLength:"32"`
	Object  string `query:"object" maxLength:"256" doc:"id"`
	Run     string `query:"run" maxLength:"64"`
	Outcome string `query:"outcome" enum:"allowed,refused,failed"`
	From    string `query:"from" maxLength:"64" doc:"RFC 3339, or a span before now such as -24h"`
	To      string `query:"to" maxLength:"64"`
	Limit   int    `query:"limit" minimum:"0" maximum:"500"`
	Cursor  string `query:"cursor" maxLength:"256"`
}

// AuditVerification is the outcome of checking the whole log.
type AuditVerification struct {
	State   string `json:"state" enum:"intact,broken,unchecked"`
	Entries int64  `json:"entries"`
	// Bad is the number of the first bad entry; -1 if there is none or it is not one entry that is wrong.
	Bad         int64  `json:"bad"`
	Reason      string `json:"reason,omitempty"`
	Cure        string `json:"cure,omitempty"`
	Head        string `json:"head,omitempty"` // the signed tree head
	Key         string `json:"key,omitempty"`  // verifies the head; keep it outside
	SignedAt    *Time  `json:"signedAt,omitempty"`
	Unsequenced int64  `json:"unsequenced"` // events that are committed and not in the tree yet
	// Restored says of each restore from a backup which entries it has lost.
	Restored []string `json:"restored,omitempty"`
}
