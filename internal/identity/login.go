package identity

import (
	"context"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// SignIn is what a proved sign-in changes, all of it or nothing.
type SignIn struct {
	Session Session
	User    User   // as it was read; its PasswordHash is the one to store
	Try     string // the try that is taken back
	Address string // the class of the address, known from now on; empty for none
}

// Login signs a user in. from says where the request came from and its id, and nothing else of it counts: its address is where
// the client itself is, with or without a port; one that stands for many clients, such as a proxy's, would let a stranger
// there use up the tries of all. Whatever is wrong with the pair, a disabled user included, the error is one and the same
// (fault.Unauthenticated, "wrong-credentials") and takes the same time. After too many failed tries it fails with
// fault.Throttled and RetryAfter, as it does while too many people sign in at once. Every attempt is recorded.
func (s *Service) Login(ctx context.Context, from Actor, name string, password vault.Value) (secret vault.Value, ses Session, u User, err error) {
	canonical, nameErr := CanonicalName(name)
	subject := subjectOf(canonical)
	if nameErr == nil {
		u, err = s.Store.User(ctx, canonical)
	}
	switch {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return secret, ses, u, err
	case err != nil || u.Name != canonical: // an id is no login name
		u = User{}
	case u.ID != "":
		subject = u.ID
	}
	refused := Evidence{Actor: from.nobody(), Action: "session.create", Kind: "user", ID: u.ID, Name: u.Name}
	try, err := s.charge(ctx, subject, from.Address, tryLimits{each: triesEach, all: triesAll}, refused)
	if err != nil {
		return secret, ses, User{}, err
	}
	in, refused, err := s.prove(ctx, u, try, password, refused)
	if err != nil {
		s.refund(ctx, try)
		refused.Refused = "nothing was checked: the server was busy, or the client went away"
		if err := s.Store.Attest(context.WithoutCancel(ctx), refused); err != nil {
			s.warn(ctx, "a try to sign in was not recorded", err)
		}
		return secret, ses, User{}, err
	}
	if refused.Refused == "" {
		in.Address = AddressClass(from.Address)
		in.Session.Address = from.Address
		secret, ses, err = s.start(ctx, in, from.Request)
		if fault.KindOf(err) != fault.Stale {
			return secret, ses, u.shown(), err
		}
		refused.Refused = "the user was changed during the sign-in"
	}
	// Whoever hangs up at this moment does not get out of the log.
	if err := s.Store.Attest(context.WithoutCancel(ctx), refused); err != nil {
		return vault.Value{}, Session{}, User{}, err
	}
	return vault.Value{}, Session{}, User{}, fault.New(fault.Unauthenticated, "the name or the password is wrong").WithCode("wrong-credentials").
		WithCure("check both; an administrator can set a new password")
}

// prove checks the password, and says in the evidence why it refuses. An error means that nothing was found out.
func (s *Service) prove(ctx context.Context, u User, try string, password vault.Value, ev Evidence) (SignIn, Evidence, error) {
	ok, rehash, err := false, false, error(nil)
	if u.ID == "" {
		err = s.Hasher.VerifyNobody(ctx, password)
	} else {
		ok, rehash, err = s.Hasher.Verify(ctx, u.PasswordHash, password)
	}
	if err != nil && fault.KindOf(err) != fault.Invalid { // Invalid: too long to be a password
		return SignIn{}, ev, err
	}
	switch {
	case u.ID == "":
		ev.Refused = "there is no such user"
	case !ok:
		ev.Refused = "the password is wrong"
	case u.Disabled:
		ev.Refused = "the user is disabled"
	case rehash:
		if hash, err := s.Hasher.Hash(ctx, password); err == nil { // or at the next sign-in
			u.PasswordHash = hash
		}
	}
	return SignIn{User: u, Try: try}, ev, nil
}

func (s *Service) start(ctx context.Context, in SignIn, request string) (vault.Value, Session, error) {
	now := s.now()
	secret, hash := NewSecret(PrefixSession)
	in.Session = Session{ID: newID(), UserID: in.User.ID, Hash: hash, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(SessionLife),
		Address: in.Session.Address}
	who := Holder{User: in.User}.actor(KindUser, in.Session.ID, in.Session.Address)
	who.Request = request
	ev := Evidence{Actor: who, Action: "session.create", Kind: "session", ID: in.Session.ID, Name: in.User.Name}
	if err := s.Store.StartSession(ctx, in, ev); err != nil {
		return vault.Value{}, Session{}, err
	}
	return secret, in.Session, nil
}
