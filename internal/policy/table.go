package policy

import "github.com/keyturn/keyturn/internal/identity"

// need is what one role needs for one operation.
type need int

const (
	never  need = iota // whatever was granted: deny wins
	always             // no grant is needed
	view               // a grant of at least this level on the object
	use
	reveal
	manage
	own // the object belongs to the actor, such as its own token
)

// row is what each kind of person needs for an operation.
type row struct {
	administrator, operator, auditor, user need
	// anonymous is true for what nobody needs to be signed in for.
	anonymous bool
	// explicit is true where a token's scope must name the operation or its object: "*" is not enough.
	explicit bool
}

// table is the whole policy for people. What is not in it is denied.
var table = map[Operation]row{
	//               administrator operator  auditor  user
	ClusterConfig:  {always, always, never, never, false, false},
	ClusterTest:    {always, always, never, never, false, false},
	ClusterCreate:  {always, always, never, never, false, false},
	ClusterList:    {always, always, always, always, false, false},
	ClusterGet:     {always, view, always, view, false, false},
	ClusterUpdate:  {always, manage, never, manage, false, false},
	ClusterDelete:  {always, manage, never, manage, false, false},
	ClusterSecrets: {always, manage, always, manage, false, false},
	ClusterFetch:   {always, manage, never, manage, false, false},
	ClusterSync:    {always, manage, never, manage, false, false},

	ResourceList:   {always, always, always, always, false, false},
	ResourceGet:    {always, view, always, view, false, false},
	ResourceCreate: {always, always, never, never, false, false},
	ResourceUpdate: {always, manage, never, manage, false, false},
	ResourceDelete: {always, manage, never, manage, false, false},

	AccountList:     {always, always, always, always, false, false},
	AccountGet:      {always, view, always, view, false, false},
	AccountCreate:   {always, manage, never, manage, false, false},
	AccountUpdate:   {always, manage, never, manage, false, false},
	AccountDelete:   {always, manage, never, manage, false, false},
	AccountDownload: {always, reveal, never, reveal, false, false},
	AccountReveal:   {always, reveal, never, reveal, false, false},
	AccountReset:    {always, use, never, use, false, false},
	AccountVerify:   {always, use, never, use, false, false},
	AccountPlan:     {always, use, always, use, false, false}, // it names workloads
	AccountRehearse: {always, use, never, use, false, false},
	AccountVersions: {always, view, always, view, false, false},

	MappingList:   {always, always, always, always, false, false},
	MappingGet:    {always, view, always, view, false, false},
	MappingCreate: {always, manage, never, manage, false, false},
	MappingUpdate: {always, manage, never, manage, false, false},
	MappingDelete: {always, manage, never, manage, false, false},

	SecretHistory: {always, view, always, view, false, false},
	SecretRestore: {always, manage, never, manage, false, false},

	ConflictList:    {always, always, always, always, false, false},
	ConflictGet:     {always, view, always, view, false, false},
	ConflictResolve: {always, manage, never, manage, false, false},
	DuplicateList:   {always, always, always, always, false, false},

	// Whoever may look for a value can try guesses. An operator finds only what it may reveal anyway.
	LeakFind:   {always, always, never, never, false, true},
	LeakPlan:   {always, always, never, never, false, false},
	LeakRotate: {always, always, never, never, false, true},

	RunList:     {always, always, always, always, false, false},
	RunGet:      {always, view, always, view, false, false},
	RunResume:   {always, use, never, use, false, false},
	RunCancel:   {always, use, never, use, false, false},
	RunRollBack: {always, use, never, use, false, false},

	// A policy reaches accounts that its author need not manage, so only administrators change one.
	PolicyList:   {always, always, always, never, false, false},
	PolicyGet:    {always, always, always, never, false, false},
	PolicyCreate: {always, never, never, never, false, true},
	PolicyUpdate: {always, never, never, never, false, true},
	PolicyDelete: {always, never, never, never, false, true},
	PolicyAssign: {always, never, never, never, false, true},

	AuditList:   {always, never, always, never, false, false},
	AuditVerify: {always, never, always, never, false, false},
	AuditExport: {always, never, always, never, false, false},

	// What is not known after a restore is for an administrator to answer for.
	RestoreGet:    {always, never, always, never, false, false},
	RestoreCheck:  {always, never, never, never, false, true},
	RestoreAccept: {always, never, never, never, false, true},

	// Whoever turns the keys could lock everybody out, or keep an old key alive.
	KeyList:   {always, never, never, never, false, false},
	KeyRotate: {always, never, never, never, false, true},
	KeyRemove: {always, never, never, never, false, true},
	KeyRoot:   {always, never, never, never, false, true},

	// An operator names users and groups when sharing what it manages.
	UserList:     {always, always, always, never, false, false},
	UserGet:      {always, always, always, own, false, false},
	UserCreate:   {always, never, never, never, false, true},
	UserUpdate:   {always, never, never, never, false, true},
	UserDelete:   {always, never, never, never, false, true},
	UserPassword: {always, own, own, own, false, true},

	GroupList:   {always, always, always, never, false, false},
	GroupGet:    {always, always, always, never, false, false},
	GroupCreate: {always, never, never, never, false, true},
	GroupUpdate: {always, never, never, never, false, true},
	GroupDelete: {always, never, never, never, false, true},

	GrantList:   {always, manage, always, manage, false, false},
	GrantCreate: {always, manage, never, manage, false, true},
	GrantDelete: {always, manage, never, manage, false, true},

	// Nobody makes a token for somebody else: that would be acting as them.
	TokenList:   {always, own, always, own, false, false},
	TokenCreate: {own, own, own, own, false, true},
	TokenDelete: {always, own, own, own, false, true},

	SessionCreate: {always, always, always, always, true, true},
	SessionGet:    {always, always, always, always, false, false},
	SessionList:   {always, own, always, own, false, false},
	SessionDelete: {always, own, own, own, false, true},

	EventWatch:   {always, always, always, always, false, false},
	ServerUnseal: {always, never, never, never, true, true}, // the root key is the proof
	SetupRun:     {never, never, never, never, true, true},  // the one-time code is the proof
}

// systems is what each named part of Keyturn may do, on any object.
var systems = map[string][]Operation{
	"rotation-worker": {
		ClusterGet, ResourceGet, AccountGet, AccountReset, AccountVerify, AccountPlan, AccountRehearse, AccountVersions, MappingList, RunGet, RunResume,
	},
	"rotation-scheduler": {AccountList, AccountGet, AccountReset, AccountVerify, AccountPlan, AccountRehearse, RunList, RunGet, RunResume},
	"cluster-sync": {
		ClusterList, ClusterGet, ClusterSecrets, ClusterFetch, ClusterSync,
		ResourceList, ResourceGet, ResourceCreate, ResourceUpdate,
		AccountList, AccountGet, AccountCreate, AccountUpdate, MappingList,
	},
	"audit-sequencer": {AuditList, AuditVerify},
	"key-keeper":      {KeyRotate},
	"janitor":         {SessionList, SessionDelete, TokenList, TokenDelete, GrantList, GrantDelete},
}

// of returns what a role needs; a role that is not known needs what nobody has.
func (r row) of(role identity.Role) need {
	switch role {
	case identity.Administrator:
		return r.administrator
	case identity.Operator:
		return r.operator
	case identity.Auditor:
		return r.auditor
	case identity.PlainUser:
		return r.user
	}
	return never
}

// level returns the grant that n asks for, if it is one.
func (n need) level() (Level, bool) {
	switch n {
	case view:
		return View, true
	case use:
		return Use, true
	case reveal:
		return Reveal, true
	case manage:
		return Manage, true
	}
	return None, false
}
