// Package identity says who acts: people, their API tokens, and named system actors; and how each proves who it is.
package identity

// Role is what a user may do before any grant is looked at.
type Role string

// The roles. What each may do is policy's table, nowhere else.
const (
	Administrator Role = "administrator" // sets up everything and manages every object
	Operator      Role = "operator"      // connects clusters and creates resources; manages what it created or was granted
	Auditor       Role = "auditor"       // sees all metadata and the audit log, changes nothing, reveals nothing
	PlainUser     Role = "user"          // sees and does what was granted
)

// Roles lists every role, strongest first.
func Roles() []Role { return []Role{Administrator, Operator, Auditor, PlainUser} }

// ActorKind is what sort of thing acts.
type ActorKind string

// The kinds of actor.
const (
	KindUser      ActorKind = "user"
	KindToken     ActorKind = "token"     // an API token: acts as its owner, within its scopes
	KindSystem    ActorKind = "system"    // a named part of Keyturn, such as rotation-worker
	KindAnonymous ActorKind = "anonymous" // nobody yet: setup, login, unseal
)

// Actor is who acts. It is an explicit argument of every operation, so that forgetting it does not compile.
type Actor struct {
	ID     string // the user's id, or the system actor's name
	Name   string // login name as shown
	Kind   ActorKind
	Role   Role
	Groups []string // ids of the user's groups
	// Scopes limit a token to some operations ("account.reveal", "cluster.*", "*"). Nil for anyone but a token.
	Scopes []string
	// Via is the id of the session or token that the actor came with.
	Via string
	// Address is where the request came from, and Request its id, for the audit log.
	Address, Request string
}

// System returns the named system actor, such as "rotation-worker". Its rights are those of policy's system table.
func System(name string) Actor {
	return Actor{ID: "system:" + name, Name: name, Kind: KindSystem}
}

// nobody is the actor of a request that proves by itself who sends it, such as a sign-in: whoever it came with does not count.
func (a Actor) nobody() Actor {
	n := Anonymous(a.Address)
	n.Request = a.Request
	return n
}

// Anonymous is the actor of requests that nobody has signed.
func Anonymous(address string) Actor {
	return Actor{ID: "anonymous", Name: "anonymous", Kind: KindAnonymous, Address: address}
}
