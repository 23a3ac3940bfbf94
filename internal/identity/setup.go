package identity

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

const setupLife = time.Hour

// SetupCode is a one-time code for making the first administrator, as it is stored.
type SetupCode struct {
	Hash      SecretHash `json:"-"`
	ExpiresAt time.Time
}

// SetupCode makes the one-time code for the first administrator, good for an hour, if there is no user yet. The code
// replaces the former one. Otherwise needed is false and nothing changes.
func (s *Service) SetupCode(ctx context.Context) (code vault.Value, needed bool, err error) {
	code, hash := NewSecret(PrefixSetup)
	ev := Evidence{Actor: System("setup"), Action: "setup.code", Kind: "setup"}
	needed, err = s.Store.PutSetupCode(ctx, SetupCode{Hash: hash, ExpiresAt: s.now().Add(setupLife)}, ev)
	if err != nil || !needed {
		return vault.Value{}, false, err
	}
	return code, true, nil
}

// Setup makes the first administrator. from says where the request came from and its id. It fails with fault.Unauthenticated ("setup-code-wrong") for a code that is wrong
// or has expired, with fault.Conflict ("setup-over") when there is a user already, with fault.Invalid for a name or
// password that may not be, which leaves the code good, and with fault.Throttled after too many wrong codes.
func (s *Service) Setup(ctx context.Context, from Actor, code vault.Value, name string, password vault.Value) (User, error) {
	ev := Evidence{Actor: from.nobody(), Action: "setup.run", Kind: "setup"}
	hash, try, err := s.checkCode(ctx, code, ev)
	if err != nil {
		return User{}, err
	}
	u, err := s.newUser(ctx, NewUser{Name: name, Role: Administrator, Password: password})
	if err == nil {
		ev.Kind, ev.ID, ev.Name = "user", u.ID, u.Name
		err = s.Store.AddFirstUser(ctx, u, hash, try, ev)
	}
	if err != nil {
		s.refund(ctx, try) // the code was right
		return User{}, err
	}
	return u.shown(), nil
}

// checkCode refuses a wrong code before anything is hashed for it, and returns the try that was counted.
func (s *Service) checkCode(ctx context.Context, code vault.Value, ev Evidence) (SecretHash, string, error) {
	wrong := fault.New(fault.Unauthenticated, "the setup code is wrong or has expired").WithCode("setup-code-wrong").
		WithCure("restart the server: it prints a new one")
	refuse := func(reason string) error {
		ev.Refused = reason
		if err := s.Store.Attest(context.WithoutCancel(ctx), ev); err != nil {
			return err
		}
		return wrong
	}
	p, hash, err := ParseSecret(code)
	if err != nil || p != PrefixSetup {
		return hash, "", refuse("that is no setup code")
	}
	// One subject and no address: an attacker with many addresses gets no more tries.
	try, err := s.charge(ctx, "setup", "", tryLimits{each: triesSetup}, ev)
	if err != nil {
		return hash, "", err
	}
	stored, err := s.Store.SetupCode(ctx)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		s.refund(ctx, try)
		return hash, "", fault.New(fault.Conflict, "there is nothing to set up: there is an administrator already").WithCode("setup-over").
			WithCure("sign in")
	case err != nil:
		s.refund(ctx, try)
		return hash, "", err
	case !stored.Hash.Equal(hash):
		return hash, "", refuse("the code is wrong")
	case !s.now().Before(stored.ExpiresAt):
		return hash, "", refuse("the code has expired")
	}
	return hash, try, nil
}
