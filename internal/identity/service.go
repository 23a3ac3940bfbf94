package identity

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/vault"
)

// Service is what can be done with people: users, groups, sessions, tokens and the first administrator. It asks nobody
// whether the actor may: that was decided before. Set the fields before the first call and do not copy it; then its methods may be called by
// several goroutines at once. Besides the faults they name, methods fail with those of the Store.
type Service struct {
	Store  Store
	Hasher *Hasher
	// At tells the time. Nil means time.Now.
	At func() time.Time
	// Log gets what an operator should know. Nil means no log.
	Log *slog.Logger

	charging turn
}

// Evidence is what the audit log will say of a change or a refusal. The store records it in the transaction of the change.
type Evidence struct {
	Actor          Actor
	Action         string // object and verb: "user.create"
	Kind, ID, Name string // of what was acted on
	Refused        string // why it was refused; empty when it was not. Never what was submitted.
	// Details are further facts by name, such as a new role. Never a value.
	Details map[string]string
}

// Store keeps people. Every change and its evidence are one transaction; what is returned without an error is durable.
type Store interface {
	UserStore
	GroupStore
	SessionStore
	TokenStore
	SetupStore
	TryStore
	EndedStore
}

// UserStore keeps users.
type UserStore interface {
	// User returns the user with the id, or else the one with the name. It fails with fault.NotFound.
	User(ctx context.Context, idOrName string) (User, error)
	// Users returns all users sorted by name.
	Users(ctx context.Context) ([]User, error)
	// AddUser fails with fault.Conflict when the name is taken.
	AddUser(ctx context.Context, u User, ev Evidence) error
	// UpdateUser writes display name, role and disabled of the user with u.Rev, and ends the sessions of one who is
	// disabled. It fails with fault.Stale, and with fault.Conflict ("last-administrator") when no enabled administrator
	// would be left.
	UpdateUser(ctx context.Context, u User, ev Evidence) error
	// SetPassword writes the password's hash and time of the user with u.Rev, ends all sessions of the user but keep, and
	// takes the try back. It fails with fault.Stale.
	SetPassword(ctx context.Context, u User, keep, try string, ev Evidence) error
	// DeleteUser removes the user and everything that is theirs. It fails as UpdateUser does.
	DeleteUser(ctx context.Context, id string, rev int64, ev Evidence) error
}

// GroupStore keeps groups.
type GroupStore interface {
	// Group returns the group with the id, or else the one with the name. It fails with fault.NotFound.
	Group(ctx context.Context, idOrName string) (Group, error)
	// Groups returns all groups sorted by name.
	Groups(ctx context.Context) ([]Group, error)
	// AddGroup fails with fault.Conflict when the name is taken and with fault.Invalid when a member is no user.
	AddGroup(ctx context.Context, g Group, ev Evidence) error
	// UpdateGroup writes the group with g.Rev. It fails as AddGroup does, and with fault.Stale.
	UpdateGroup(ctx context.Context, g Group, ev Evidence) error
	// DeleteGroup fails with fault.Stale.
	DeleteGroup(ctx context.Context, id string, rev int64, ev Evidence) error
}

// Holder is whom a bearer secret belongs to. The password's hash is not in it.
type Holder struct {
	User   User
	Groups []string // ids
}

// SessionStore keeps sessions.
type SessionStore interface {
	// SessionByHash returns a session and its user in one read. It fails with fault.NotFound.
	SessionByHash(ctx context.Context, hash SecretHash) (Session, Holder, error)
	// Session fails with fault.NotFound.
	Session(ctx context.Context, id string) (Session, error)
	// Sessions returns the sessions of a user, newest first, those that have run out included.
	Sessions(ctx context.Context, userID string) ([]Session, error)
	// StartSession stores what a sign-in changes. It fails with fault.Stale when the user was disabled or has got
	// another password since it was read.
	StartSession(ctx context.Context, in SignIn, ev Evidence) error
	// EndSession fails with fault.NotFound.
	EndSession(ctx context.Context, id string, ev Evidence) error
	// Touch notes that the session or the token was used. It records no evidence and never turns time back.
	Touch(ctx context.Context, p Prefix, id string, at time.Time) error
}

// TokenStore keeps API tokens.
type TokenStore interface {
	// TokenByHash returns a token and its owner in one read. It fails with fault.NotFound.
	TokenByHash(ctx context.Context, hash SecretHash) (Token, Holder, error)
	// Token fails with fault.NotFound.
	Token(ctx context.Context, id string) (Token, error)
	// Tokens returns the tokens of a user, or all when ownerID is empty, newest first.
	Tokens(ctx context.Context, ownerID string) ([]Token, error)
	// AddToken fails with fault.Conflict when the owner has a token of that name.
	AddToken(ctx context.Context, t Token, ev Evidence) error
	// DeleteToken fails with fault.NotFound.
	DeleteToken(ctx context.Context, id string, ev Evidence) error
}

// SetupStore keeps the one setup code, and the promise that there is one first administrator.
type SetupStore interface {
	// PutSetupCode replaces the code if there is no user, and reports whether that was so.
	PutSetupCode(ctx context.Context, code SetupCode, ev Evidence) (bool, error)
	// SetupCode fails with fault.NotFound when setup is over or has not begun.
	SetupCode(ctx context.Context) (SetupCode, error)
	// AddFirstUser uses up the code, takes the try back and stores u. It fails with fault.Conflict when there is a user
	// already or the code is not the stored one.
	AddFirstUser(ctx context.Context, u User, code SecretHash, try string, ev Evidence) error
}

// TryStore counts the tries to sign in, for all servers together.
type TryStore interface {
	// ChargeTry asks decide, which is pure and may be called more than once, and stores its answer together with the
	// try, or with the evidence when the try has to wait.
	ChargeTry(ctx context.Context, t Try, decide func(TryState) TryAnswer, refused Evidence) (TryAnswer, error)
	// RefundTry takes a try back. One that is not there is no error.
	RefundTry(ctx context.Context, id string) error
	// Attest records evidence that belongs to no change.
	Attest(ctx context.Context, ev Evidence) error
}

// now is cut to what is stored, so that what a method returns is what a later read returns.
func (s *Service) now() time.Time {
	at := time.Now
	if s.At != nil {
		at = s.At
	}
	return at().UTC().Truncate(time.Microsecond)
}

func (s *Service) warn(ctx context.Context, msg string, err error) {
	if s.Log != nil {
		s.Log.WarnContext(ctx, msg, "err", err)
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// newHash checks a new password for the user with this name and hashes it.
func (s *Service) newHash(ctx context.Context, name string, password vault.Value) (string, error) {
	if err := CheckPassword(name, password); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, password)
}
