package client

// Login asks for a session.
type Login struct {
	Name     string `json:"name" maxLength:"256"`
	Password Value  `json:"password"`
}

// Session is who the caller is. Secret is there in the answer to a login only, and only for callers that are no browser.
type Session struct {
	User      User     `json:"user"`
	Kind      string   `json:"kind" enum:"user,token"`
	Scopes    []string `json:"scopes,omitempty"` // of a token
	ExpiresAt *Time    `json:"expiresAt,omitempty"`
	IdleUntil *Time    `json:"idleUntil,omitempty"`
	Secret    Value    `json:"secret,omitzero"`
	// Can says by operation, such as "user.create", what the caller may do where no object is concerned.
	Can Can `json:"can"`
}

// OpenSession is a sign-in that lasts, as it is listed.
type OpenSession struct {
	ID         string `json:"id"`
	User       Member `json:"user"`
	CreatedAt  Time   `json:"createdAt"`
	LastSeenAt Time   `json:"lastSeenAt"` // up to a minute behind
	ExpiresAt  Time   `json:"expiresAt"`  // the latest end
	IdleUntil  Time   `json:"idleUntil"`  // its end without a further request
	Address    string `json:"address"`    // where the sign-in came from
	Current    bool   `json:"current"`    // it is the one that asks
	Can        Can    `json:"can,omitempty"`
}

// User is a person who signs in.
type User struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
	Role        string `json:"role" enum:"administrator,operator,auditor,user"`
	Disabled    bool   `json:"disabled"`
	LastLoginAt *Time  `json:"lastLoginAt,omitempty"`
	CreatedAt   Time   `json:"createdAt"`
	Rev         int64  `json:"rev"`
	Can         Can    `json:"can,omitempty"`
}

// NewUser is a user to be made.
type NewUser struct {
	Name        string `json:"name" minLength:"1" maxLength:"128"`
	DisplayName string `json:"displayName,omitempty" maxLength:"256"`
	Role        string `json:"role" enum:"administrator,operator,auditor,user"`
	Password    Value  `json:"password"`
}

// UserChange changes what is given.
type UserChange struct {
	DisplayName *string `json:"displayName,omitempty" maxLength:"256"`
	Role        *string `json:"role,omitempty" enum:"administrator,operator,auditor,user"`
	Disabled    *bool   `json:"disabled,omitempty"`
}

// NewPassword changes a user's password. Current is needed for one's own.
type NewPassword struct {
	Current  Value `json:"current,omitzero"`
	Password Value `json:"password"`
}

// Group is a set of users.
type Group struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Members     []Member `json:"members"`
	CreatedAt   Time     `json:"createdAt"`
	Rev         int64    `json:"rev"`
	Can         Can      `json:"can,omitempty"`
}

// Member is a user in a group.
type Member struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// NewGroup is a group to be made. Members are ids or names of users.
type NewGroup struct {
	Name        string   `json:"name" minLength:"1" maxLength:"128"`
	Description string   `json:"description,omitempty" maxLength:"1000"`
	Members     []string `json:"members,omitempty" maxItems:"1000"`
}

// GroupChange changes what is given.
type GroupChange struct {
	Name        *string   `json:"name,omitempty" minLength:"1" maxLength:"128"`
	Description *string   `json:"description,omitempty" maxLength:"1000"`
	Members     *[]string `json:"members,omitempty" maxItems:"1000"`
}

// Grant is a standing right of a user or a group on one object.
type Grant struct {
	ID          string `json:"id"`
	SubjectKind string `json:"subjectKind" enum:"user,group"`
	SubjectID   string `json:"subjectId"`
	SubjectName string `json:"subjectName"`
	ObjectKind  string `json:"objectKind" enum:"cluster,resource,account"`
	ObjectID    string `json:"objectId"`
	ObjectName  string `json:"objectName"`
	Level       string `json:"level" enum:"view,use,reveal,manage"`
	ExpiresAt   *Time  `json:"expiresAt,omitempty"`
	GrantedBy   string `json:"grantedBy"`
	CreatedAt   Time   `json:"createdAt"`
	Rev         int64  `json:"rev"`
	Can         Can    `json:"can,omitempty"`
}

// NewGrant is a grant to be made. SubjectID and ObjectID are ids; of a user, group, cluster or resource also the name.
type NewGrant struct {
	SubjectKind string `json:"subjectKind" enum:"user,group"`
	SubjectID   string `json:"subjectId" minLength:"1" maxLength:"256"`
	ObjectKind  string `json:"objectKind" enum:"cluster,resource,account"`
	ObjectID    string `json:"objectId" minLength:"1" maxLength:"256"`
	Level       string `json:"level" enum:"view,use,reveal,manage"`
	ExpiresAt   *Time  `json:"expiresAt,omitempty"`
}

// GrantFilter chooses grants.
type GrantFilter struct {
	SubjectKind string `query:"subjectKind" enum:"user,group"`
	SubjectID   string `query:"subject" maxLength:"256"`
	ObjectKind  string `query:"objectKind" enum:"cluster,resource,account"`
	ObjectID    string `query:"object" maxLength:"256"`
}

// Token is an API token. Secret is there in the answer to its making only.
type Token struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Owner      Member   `json:"owner"`
	Scopes     []string `json:"scopes"`
	ExpiresAt  Time     `json:"expiresAt"`
	CreatedAt  Time     `json:"createdAt"`
	LastUsedAt *Time    `json:"lastUsedAt,omitempty"`
	Secret     Value    `json:"secret,omitzero"`
	Can        Can      `json:"can,omitempty"`
}

// NewToken is a token to be made for the caller.
type NewToken struct {
	Name      string   `json:"name" minLength:"1" maxLength:"128"`
	Scopes    []string `json:"scopes" minItems:"1" maxItems:"64"`
	ExpiresAt Time     `json:"expiresAt" doc:"at most a year from now"`
}
