package client

// Mapping says that an account's credential stands in a Secret key.
type Mapping struct {
	ID           string `json:"id"`
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	ResourceID   string `json:"resourceId"` // the account's
	ResourceName string `json:"resourceName"`
	ClusterID    string `json:"clusterId"`
	ClusterName  string `json:"clusterName"`
	SecretID     string `json:"secretId"`
	Namespace    string `json:"namespace"`
	Secret       string `json:"secret"`
	Key          string `json:"key"`
	Place        *Place `json:"place,omitempty"` // where in the key's value the credential stands; none: it is the value
	// Holds is what of the account stands there.
	Holds string `json:"holds,omitempty" enum:"password,username,both"`
	// OnWrite is what a run does, when it has written the key, with the workloads that read it.
	OnWrite   string `json:"onWrite" enum:"restart,ask,nothing"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Written   int64  `json:"written"` // version that was last proved to stand there; 0 if none
	Current   int64  `json:"current"` // the account's
	CheckedAt *Time  `json:"checkedAt,omitempty"`
	CreatedBy string `json:"createdBy"`
	CreatedAt Time   `json:"createdAt"`
	Rev       int64  `json:"rev"`
	Can       Can    `json:"can,omitempty"`
}

// Place says how a credential stands in a key's value.
type Place struct {
	Format   string `json:"format" enum:"whole,url,keyvalue,go-mysql,jdbc,pgpass,mycnf,env,properties,json,yaml,dockerconfigjson,htpasswd,template" doc:"how the value is read; whole: it is the password"`
	At       string `json:"at,omitempty" maxLength:"1024" doc:"where in it the password stands, by format: a JSON pointer, a key, a registry, a user"`
	User     string `json:"user,omitempty" maxLength:"1024" doc:"where the user name stands, for json, yaml, env and properties"`
	Template string `json:"template,omitempty" maxLength:"8192" doc:"the text of the format template, with {{user}} and {{password}}"`
}

// PlaceFormats are the words of Place.Format; the first is that of a credential which is the whole value.
func PlaceFormats() []string {
	return []string{"whole", "url", "keyvalue", "go-mysql", "jdbc", "pgpass", "mycnf", "env", "properties", "json", "yaml", "dockerconfigjson", "htpasswd", "template"}
}

// NewMapping maps a key to an account. Where the key's value is not the account's, Keep says which side is right.
type NewMapping struct {
	AccountID string `json:"accountId" minLength:"1" maxLength:"64"`
	SecretID  string `json:"secretId" minLength:"1" maxLength:"64"`
	Key       string `json:"key" minLength:"1" maxLength:"253"`
	// Place says where in the key's value the credential stands; none: it is the value.
	Place *Place `json:"place,omitempty"`
	// Holds says what of the account stands there: its password (if empty), its user name, or both.
	Holds string `json:"holds,omitempty" enum:"password,username,both"`
	// OnWrite says what a run does, when it has written the key, with the workloads that read it: restart and watch them (if
	// empty), ask a person first, or nothing.
	OnWrite string `json:"onWrite,omitempty" enum:"restart,ask,nothing"`
	// Keep is "vault" (the key is behind until the next reset or Write) or "cluster" (the key's value becomes the account's current version).
	Keep string `json:"keep,omitempty" enum:"vault,cluster"`
}

// MappingChange changes what is said of a mapping.
type MappingChange struct {
	OnWrite string `json:"onWrite" enum:"restart,ask,nothing" doc:"what a run does with the workloads that read the key, when it has written it"`
}

// Comparison is how a key compares with an account, told without showing either.
type Comparison struct {
	// Result is equal, differs, no_value (the account has none yet), key_missing, mapped (to another account) or unreadable
	// (the key's value is not what the place says).
	Result string `json:"result" enum:"equal,differs,no_value,key_missing,mapped,unreadable"`
	Reason string `json:"reason,omitempty"`
	// Owner names the controller that owns the key, when it may not be written; Advice says what to do instead.
	Owner  string `json:"owner,omitempty"`
	Advice string `json:"advice,omitempty"`
	// Places are what the value may be read as by its form, beside being the credential as a whole; the likeliest first. They
	// prove nothing; the result does.
	Places []Place `json:"places,omitempty"`
	// Others are other keys that hold the same value and that the caller may see.
	Others []KeyRef `json:"others,omitempty"`
}

// KeyRef names a Secret key.
type KeyRef struct {
	SecretID  string `json:"secretId"`
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
}

// MappingFilter chooses mappings.
type MappingFilter struct {
	ListOptions
	Account  string   `query:"account" maxLength:"64" doc:"id"`
	Secret   string   `query:"secret" maxLength:"64" doc:"id"`
	Resource string   `query:"resource" maxLength:"400" doc:"the Secret's resource, id or name"`
	Cluster  string   `query:"cluster" maxLength:"64" doc:"id or name"`
	State    []string `query:"state"`
}
