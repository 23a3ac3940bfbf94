package identity

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const maxText = 256 // characters of a display name, a description or a token's name

// User is a person who can sign in.
type User struct {
	ID            string
	Name          string // canonical, unique
	DisplayName   string
	Role          Role
	Disabled      bool
	PasswordHash  string `json:"-"` // empty in what a Service returns
	PasswordSetAt time.Time
	LastLoginAt   time.Time // zero: never
	CreatedAt     time.Time
	Rev           int64
}

// shown returns u without what nobody outside needs.
func (u User) shown() User { u.PasswordHash = ""; return u }

// NewUser is a user to make.
type NewUser struct {
	Name, DisplayName string
	Role              Role
	Password          vault.Value
}

// UserChange is what to change of a user; nil fields stay as they are.
type UserChange struct {
	DisplayName *string
	Role        *Role
	Disabled    *bool
}

// User returns the user with the id, or else the one with the name in any spelling. It fails with fault.NotFound.
func (s *Service) User(ctx context.Context, idOrName string) (User, error) {
	key, err := CanonicalName(idOrName)
	if err != nil {
		return User{}, fault.New(fault.NotFound, "there is no such user")
	}
	u, err := s.Store.User(ctx, key)
	return u.shown(), err
}

// Users returns all users, sorted by name.
func (s *Service) Users(ctx context.Context) ([]User, error) {
	all, err := s.Store.Users(ctx)
	for i := range all {
		all[i] = all[i].shown()
	}
	return all, err
}

// CreateUser makes a user. It fails with fault.Invalid, naming the field, and with fault.Conflict when the name is taken.
func (s *Service) CreateUser(ctx context.Context, actor Actor, n NewUser) (User, error) {
	u, err := s.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	ev := onUser(actor, "user.create", u)
	ev.Details = map[string]string{"role": string(u.Role)}
	if err := s.Store.AddUser(ctx, u, ev); err != nil {
		return User{}, err
	}
	return u.shown(), nil
}

// newUser checks n and hashes its password.
func (s *Service) newUser(ctx context.Context, n NewUser) (User, error) {
	name, err := nameToGive(n.Name)
	if err != nil {
		return User{}, err
	}
	display, err := cleanText("displayName", n.DisplayName)
	if err != nil {
		return User{}, err
	}
	if err := checkRole(n.Role); err != nil {
		return User{}, err
	}
	hash, err := s.newHash(ctx, name, n.Password)
	if err != nil {
		return User{}, err
	}
	now := s.now()
	return User{ID: newID(), Name: name, DisplayName: display, Role: n.Role, PasswordHash: hash, PasswordSetAt: now, CreatedAt: now, Rev: 1}, nil
}

// UpdateUser changes a user; a new role counts from the next request on, and disabling ends all sessions. It fails with
// fault.NotFound, fault.Invalid, with fault.Stale when rev is not the stored one, and with fault.Conflict
// ("last-administrator") when no enabled administrator would be left.
func (s *Service) UpdateUser(ctx context.Context, actor Actor, id string, rev int64, c UserChange) (User, error) {
	u, err := s.Store.User(ctx, id)
	if err != nil {
		return User{}, err
	}
	details := map[string]string{}
	if c.DisplayName != nil {
		if u.DisplayName, err = cleanText("displayName", *c.DisplayName); err != nil {
			return User{}, err
		}
		details["displayName"] = u.DisplayName
	}
	if c.Role != nil {
		if err := checkRole(*c.Role); err != nil {
			return User{}, err
		}
		details["role"], details["roleBefore"] = string(*c.Role), string(u.Role)
		u.Role = *c.Role
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
		details["disabled"] = strconv.FormatBool(u.Disabled)
	}
	u.Rev = rev
	ev := onUser(actor, "user.update", u)
	ev.Details = details
	if err := s.Store.UpdateUser(ctx, u, ev); err != nil {
		return User{}, err
	}
	u.Rev++
	return u.shown(), nil
}

// SetPassword gives a user a new password. Who changes their own has to give the current one; wrong ones are counted and
// recorded as at a sign-in, and fail with fault.Invalid ("wrong-password"), later with fault.Throttled. All sessions of
// the user end, except the one that actor came with. Nobody gets the same password again as a new one.
func (s *Service) SetPassword(ctx context.Context, actor Actor, id string, current, next vault.Value) error {
	u, err := s.Store.User(ctx, id)
	if err != nil {
		return err
	}
	if err := CheckPassword(u.Name, next); err != nil {
		return err
	}
	ev := onUser(actor, "user.password", u)
	try := ""
	if actor.ID == u.ID {
		if current.Equal(next) {
			return fault.New(fault.Invalid, "the new password is the current one").WithField("password").WithCure("choose another one")
		}
		if try, err = s.checkCurrent(ctx, u, current, ev); err != nil {
			return err
		}
	}
	hash, err := s.Hasher.Hash(ctx, next)
	if err == nil {
		u.PasswordHash, u.PasswordSetAt = hash, s.now()
		err = s.Store.SetPassword(ctx, u, actor.Via, try, ev)
	}
	if err != nil && try != "" {
		s.refund(ctx, try)
	}
	return err
}

// checkCurrent returns the id of the try that a right password takes back.
func (s *Service) checkCurrent(ctx context.Context, u User, current vault.Value, ev Evidence) (string, error) {
	try, err := s.charge(ctx, u.ID, ev.Actor.Address, tryLimits{each: triesEach}, ev)
	if err != nil {
		return "", err
	}
	ok, _, err := s.Hasher.Verify(ctx, u.PasswordHash, current)
	if err != nil && fault.KindOf(err) != fault.Invalid {
		s.refund(ctx, try)
		return "", err
	}
	if ok {
		return try, nil
	}
	ev.Refused = "the current password is wrong"
	if err := s.Store.Attest(context.WithoutCancel(ctx), ev); err != nil {
		return "", err
	}
	return "", fault.New(fault.Invalid, "the current password is wrong").WithCode("wrong-password").WithField("current").
		WithCure("type it again, or ask an administrator for a new one").WithUnchanged("the password stays as it was")
}

// DeleteUser removes a user with their sessions, tokens, memberships and grants. It fails as UpdateUser does.
func (s *Service) DeleteUser(ctx context.Context, actor Actor, id string, rev int64) error {
	u, err := s.Store.User(ctx, id)
	if err != nil {
		return err
	}
	return s.Store.DeleteUser(ctx, u.ID, rev, onUser(actor, "user.delete", u))
}

func onUser(actor Actor, action string, u User) Evidence {
	return Evidence{Actor: actor, Action: action, Kind: "user", ID: u.ID, Name: u.Name}
}

func checkRole(r Role) error {
	if slices.Contains(Roles(), r) {
		return nil
	}
	return fault.New(fault.Invalid, "there is no such role").WithField("role").WithCure("use administrator, operator, auditor or user")
}

// nameToGive is CanonicalName for a new name: one that looks like an id could be taken for the id of somebody else.
func nameToGive(s string) (string, error) {
	name, err := CanonicalName(s)
	if err == nil && uuid.Validate(name) == nil {
		return "", fault.New(fault.Invalid, "the name looks like an id").WithField("name").WithCure("choose another one")
	}
	return name, err
}

// cleanText returns one line of text for people, trimmed and in its normal form. It may be empty.
func cleanText(field, s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxText || strings.ContainsFunc(s, odd) {
		return "", fault.New(fault.Invalid, "the text is too long or has invisible characters").WithField(field).
			WithCure("use one line of at most %d characters", maxText)
	}
	return s, nil
}
