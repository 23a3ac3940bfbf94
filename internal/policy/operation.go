package policy

// Operation is something that an actor can ask for, written "object.verb". The audit log, the scopes of tokens and the
// API use the same words.
type Operation string

// The operations.
const (
	ClusterConfig  Operation = "cluster.config" // download the connector's manifest
	ClusterTest    Operation = "cluster.test"   // of a cluster that is not saved yet; ClusterUpdate otherwise
	ClusterCreate  Operation = "cluster.create"
	ClusterList    Operation = "cluster.list"
	ClusterGet     Operation = "cluster.get"
	ClusterUpdate  Operation = "cluster.update"
	ClusterDelete  Operation = "cluster.delete"
	ClusterSecrets Operation = "cluster.secrets" // list what could be fetched
	ClusterFetch   Operation = "cluster.fetch"
	ClusterSync    Operation = "cluster.sync"

	ResourceList   Operation = "resource.list"
	ResourceGet    Operation = "resource.get"
	ResourceCreate Operation = "resource.create"
	ResourceUpdate Operation = "resource.update"
	ResourceDelete Operation = "resource.delete"

	AccountList     Operation = "account.list"
	AccountGet      Operation = "account.get"
	AccountCreate   Operation = "account.create" // decided on the resource that it joins
	AccountUpdate   Operation = "account.update"
	AccountDelete   Operation = "account.delete"
	AccountDownload Operation = "account.download"
	AccountReveal   Operation = "account.reveal"
	AccountReset    Operation = "account.reset"
	AccountVerify   Operation = "account.verify"
	AccountPlan     Operation = "account.plan"     // what a reset would do, and to whom
	AccountRehearse Operation = "account.rehearse" // try it without changing anything, and see what came of that
	AccountVersions Operation = "account.versions"

	MappingList   Operation = "mapping.list"
	MappingGet    Operation = "mapping.get"    // decided on the account
	MappingCreate Operation = "mapping.create" // decided on the account, and again on the Secret's resource
	MappingUpdate Operation = "mapping.update" // decided on the account
	MappingDelete Operation = "mapping.delete" // decided on the account

	SecretHistory Operation = "secret.history" // which keys each of its versions changed
	SecretRestore Operation = "secret.restore" // write an older version to the cluster

	ConflictList    Operation = "conflict.list"
	ConflictGet     Operation = "conflict.get"     // decided on the Secret
	ConflictResolve Operation = "conflict.resolve" // decided on the Secret
	DuplicateList   Operation = "duplicate.list"   // equal values, of what the caller may reveal

	LeakFind   Operation = "leak.find"   // who holds a value that the caller gives: an oracle for guesses, so it is limited and recorded
	LeakPlan   Operation = "leak.plan"   // which accounts have to be turned then, and in which order
	LeakRotate Operation = "leak.rotate" // begin; each account is decided again as account.reset

	RunList     Operation = "run.list"
	RunGet      Operation = "run.get"      // decided on the account
	RunResume   Operation = "run.resume"   // decided on the account
	RunCancel   Operation = "run.cancel"   // the same
	RunRollBack Operation = "run.rollback" // the same

	PolicyList   Operation = "policy.list" // of passwords and rotation
	PolicyGet    Operation = "policy.get"
	PolicyCreate Operation = "policy.create"
	PolicyUpdate Operation = "policy.update"
	PolicyDelete Operation = "policy.delete"
	PolicyAssign Operation = "policy.assign" // say what it is for, or that it is not any more

	AuditList   Operation = "audit.list"
	AuditVerify Operation = "audit.verify"
	AuditExport Operation = "audit.export"

	RestoreGet    Operation = "restore.get"    // what a restore from a backup has lost, and what is known of each account since
	RestoreCheck  Operation = "restore.check"  // try again which values systems accept
	RestoreAccept Operation = "restore.accept" // end it, with what could not be found out

	KeyList   Operation = "key.list" // of the keys that seal values
	KeyRotate Operation = "key.rotate"
	KeyRemove Operation = "key.remove"
	KeyRoot   Operation = "key.root" // have the next root key wrap them

	UserList     Operation = "user.list"
	UserGet      Operation = "user.get"
	UserCreate   Operation = "user.create"
	UserUpdate   Operation = "user.update"
	UserDelete   Operation = "user.delete"
	UserPassword Operation = "user.password" // one's own, with the current one; an administrator's reset of another's

	GroupList   Operation = "group.list"
	GroupGet    Operation = "group.get"
	GroupCreate Operation = "group.create"
	GroupUpdate Operation = "group.update"
	GroupDelete Operation = "group.delete"

	GrantList   Operation = "grant.list"   // decided on the object that the grant is for
	GrantCreate Operation = "grant.create" // the same
	GrantDelete Operation = "grant.delete" // the same

	TokenList   Operation = "token.list"
	TokenCreate Operation = "token.create"
	TokenDelete Operation = "token.delete"

	SessionCreate Operation = "session.create" // login
	SessionGet    Operation = "session.get"    // who am I
	SessionList   Operation = "session.list"
	SessionDelete Operation = "session.delete" // logout

	EventWatch   Operation = "event.watch" // the stream of ids that changed, filtered by grants
	ServerUnseal Operation = "server.unseal"
	SetupRun     Operation = "setup.run" // make the first administrator, with the one-time code
)
