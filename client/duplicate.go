package client

// Duplicate is a value that several places hold now: Secret keys and accounts. Which value that is nobody sees here.
type Duplicate struct {
	// ID stands for the value. It says nothing of it, and stays the same as long as the value is held.
	ID string `json:"id"`
	// Keys are how many keys hold it, Mapped how many of these are mapped, Namespaces and Clusters over how many they are
	// spread, and Accounts how many accounts log in with it.
	Keys       int64 `json:"keys"`
	Mapped     int64 `json:"mapped"`
	Namespaces int64 `json:"namespaces"`
	Clusters   int64 `json:"clusters"`
	Accounts   int64 `json:"accounts"`
	// Example is one of the keys, as cluster/namespace/secret/key.
	Example string `json:"example,omitempty"`
}

// DuplicateFilter chooses a page of duplicates, those in the most places first.
type DuplicateFilter struct {
	Of     string `query:"of" maxLength:"64" doc:"only what this Secret or account holds: its id"`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"rows on a page; 100 if not given"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
}

// HolderFilter chooses a page of the places that hold one value.
type HolderFilter struct {
	Search string `query:"q" maxLength:"253" doc:"part of the place's name"`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"rows on a page; 100 if not given"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
}

// Holder is a place that holds a value: a version of an account's credential, or a key of a Secret.
type Holder struct {
	Kind string `json:"kind" enum:"account,key"`
	// AccountID and what follows are the account, or that which the key is mapped to; Mapped is true also where the caller may
	// not know of that one.
	AccountID    string `json:"accountId,omitempty"`
	AccountName  string `json:"accountName,omitempty"`
	ResourceID   string `json:"resourceId,omitempty"`
	ResourceName string `json:"resourceName,omitempty"`
	ResourceType string `json:"resourceType,omitempty"`
	Mapped       bool   `json:"mapped,omitempty"`
	// SecretID and what follows are those of a key.
	SecretID    string `json:"secretId,omitempty"`
	ClusterID   string `json:"clusterId,omitempty"`
	ClusterName string `json:"clusterName,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Secret      string `json:"secret,omitempty"`
	Key         string `json:"key,omitempty"`
	// Gone is true where the Secret was deleted in its cluster.
	Gone bool `json:"gone,omitempty"`
	// Version is the account's, or the newest one of the Secret in which the key has the value; Stage is where it stands.
	Version   int64  `json:"version"`
	Stage     string `json:"stage"`
	VersionAt Time   `json:"versionAt"`
	Can       Can    `json:"can,omitempty"`
}
