package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

func evidence(action string) identity.Evidence {
	return identity.Evidence{Actor: identity.System("test"), Action: action, Kind: "user", ID: "u", Name: "n", Details: map[string]string{"k": "v"}}
}

func person(t *testing.T, s *store.Store, name string, role identity.Role) identity.User {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	u := identity.User{ID: id(), Name: name, DisplayName: name + "!", Role: role, PasswordHash: "$h", PasswordSetAt: now, CreatedAt: now, Rev: 1}
	must(t, s.AddUser(t.Context(), u, evidence("user.create")))
	return u
}

func signIn(u identity.User, address string) (identity.SignIn, identity.SecretHash) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	_, hash := identity.NewSecret(identity.PrefixSession)
	return identity.SignIn{User: u, Address: address, Session: identity.Session{ID: id(), UserID: u.ID, Hash: hash, CreatedAt: now, LastSeenAt: now,
		ExpiresAt: now.Add(time.Hour), Address: address + ":1"}}, hash
}

func recorded(t *testing.T, s *store.Store) int64 {
	t.Helper()
	n, err := s.CountAuditEvents(t.Context(), store.AuditFilter{})
	must(t, err)
	return n
}

// atOnce runs n calls together and returns how many had no error; the others must have one of the kind.
func atOnce(t *testing.T, n int, kind fault.Kind, call func(i int) error) int {
	t.Helper()
	errs := make(chan error)
	for i := range n {
		go func() { errs <- call(i) }()
	}
	good := 0
	for range n {
		if err := <-errs; err == nil {
			good++
		} else if fault.KindOf(err) != kind {
			t.Errorf("got %v, want %s", err, kind)
		}
	}
	return good
}

func TestUsersAreStored(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		u := person(t, s, "anna", identity.Administrator)
		person(t, s, u.ID[:8]+"x", identity.PlainUser)
		for _, key := range []string{u.ID, "anna"} {
			got, err := s.User(ctx, key)
			if d := cmp.Diff(u, got); err != nil || d != "" {
				t.Errorf("%v\n%s", err, d)
			}
		}
		before := recorded(t, s)
		again := u
		again.ID = id()
		for what, err := range map[string]error{
			"same name":      s.AddUser(ctx, again, evidence("user.create")),
			"stale update":   s.UpdateUser(ctx, identity.User{ID: u.ID, Rev: 7, Role: u.Role}, evidence("user.update")),
			"stale password": s.SetPassword(ctx, identity.User{ID: u.ID, Rev: 7}, "", "", evidence("user.password")),
			"stale delete":   s.DeleteUser(ctx, u.ID, 7, evidence("user.delete")),
			"last of them":   s.DeleteUser(ctx, u.ID, u.Rev, evidence("user.delete")),
		} {
			if k := fault.KindOf(err); k != fault.Conflict && k != fault.Stale {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got, err := s.User(ctx, u.ID); err != nil || !cmp.Equal(got, u) || recorded(t, s) != before {
			t.Errorf("a refused change left something: %+v, %v", got, err)
		}
		evs, err := s.AuditEvents(ctx, store.AuditFilter{Action: "user.create"})
		if err != nil || len(evs) != 2 || evs[0].Outcome != audit.Allowed || evs[0].Details["k"] != "v" || evs[0].Object.Name != "n" {
			t.Errorf("events %+v, %v", evs, err)
		}
	})
}

func TestOneAdministratorIsLeftOfTwoWhoLeaveAtOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		var all []identity.User
		for i := range 4 {
			all = append(all, person(t, s, fmt.Sprintf("root%d", i), identity.Administrator))
		}
		good := atOnce(t, 4, fault.Conflict, func(i int) error {
			if i%2 == 0 {
				return s.DeleteUser(t.Context(), all[i].ID, 1, evidence("user.delete"))
			}
			u := all[i]
			u.Role = identity.PlainUser
			return s.UpdateUser(t.Context(), u, evidence("user.update"))
		})
		n, err := s.Int(`SELECT COUNT(*) FROM users WHERE role = 'administrator'`)
		if good != 3 || n != 1 || err != nil {
			t.Errorf("%d left office, %d administrators, %v", good, n, err)
		}
	})
}

func TestOneFirstUser(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		_, hash := identity.NewSecret(identity.PrefixSetup)
		_, wrong := identity.NewSecret(identity.PrefixSetup)
		for _, h := range []identity.SecretHash{wrong, hash} {
			needed, err := s.PutSetupCode(ctx, identity.SetupCode{Hash: h, ExpiresAt: time.Now().Add(time.Hour)}, evidence("setup.code"))
			if !needed || err != nil {
				t.Fatal(err)
			}
		}
		if c, err := s.SetupCode(ctx); err != nil || !c.Hash.Equal(hash) {
			t.Fatalf("the code is not the last one: %v", err)
		}
		first := func(name string, code identity.SecretHash) error {
			return s.AddFirstUser(ctx, identity.User{ID: id(), Name: name, Role: identity.Administrator, PasswordHash: "$h"}, code, "", evidence("setup.run"))
		}
		if err := first("x", wrong); fault.KindOf(err) != fault.Conflict {
			t.Errorf("wrong code: %v", err)
		}
		if good := atOnce(t, 6, fault.Conflict, func(i int) error { return first(fmt.Sprint("u", i), hash) }); good != 1 {
			t.Errorf("%d first users", good)
		}
		if needed, err := s.PutSetupCode(ctx, identity.SetupCode{Hash: wrong}, evidence("setup.code")); needed || err != nil {
			t.Errorf("needed %v, %v", needed, err)
		}
		if _, err := s.SetupCode(ctx); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a code is left: %v", err)
		}
		if users, err := s.Users(ctx); err != nil || len(users) != 1 {
			t.Errorf("%d users, %v", len(users), err)
		}
	})
}

func TestSessionsAndTokensAreReadWithTheirHolder(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		person(t, s, "root", identity.Administrator)
		u := person(t, s, "anna", identity.Operator)
		var groups []string
		for _, name := range []string{"a", "b"} {
			g := identity.Group{ID: id(), Name: name, Members: []string{u.ID}, CreatedAt: time.Now()}
			must(t, s.AddGroup(ctx, g, evidence("group.create")))
			groups = append(groups, g.ID)
		}
		in, hash := signIn(u, "192.0.2.1")
		must(t, s.StartSession(ctx, in, evidence("session.create")))
		x, h, err := s.SessionByHash(ctx, hash)
		if d := cmp.Diff(in.Session, x); err != nil || d != "" || len(h.Groups) != 2 || h.User.Name != "anna" || h.User.Role != identity.Operator || h.User.PasswordHash != "" {
			t.Errorf("%+v, %v\n%s", h, err, d)
		}
		seen := in.Session.LastSeenAt.Add(time.Minute)
		must(t, s.Touch(ctx, identity.PrefixSession, x.ID, seen), s.Touch(ctx, identity.PrefixSession, x.ID, seen.Add(-time.Second)))
		if x, err = s.Session(ctx, x.ID); err != nil || !x.LastSeenAt.Equal(seen) {
			t.Errorf("seen at %v, %v", x.LastSeenAt, err)
		}
		tok := identity.Token{ID: id(), UserID: u.ID, Name: "ci", Scopes: []string{"a.*", "b.c"}, Hash: hash, CreatedAt: u.CreatedAt, ExpiresAt: seen, Rev: 1}
		must(t, s.AddToken(ctx, tok, evidence("token.create")), s.Touch(ctx, identity.PrefixToken, tok.ID, seen))
		tok.LastUsedAt = seen
		got, h, err := s.TokenByHash(ctx, hash)
		if d := cmp.Diff(tok, got); err != nil || d != "" || len(h.Groups) != 2 || h.User.ID != u.ID {
			t.Errorf("%+v, %v\n%s", h, err, d)
		}
		same := tok
		same.ID, same.Hash = id(), identity.SecretHash{1}
		if err := s.AddToken(ctx, same, evidence("token.create")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("same name: %v", err)
		}

		for owner, want := range map[string]int{"": 1, u.ID: 1, id(): 0} {
			if all, err := s.Tokens(ctx, owner); err != nil || len(all) != want {
				t.Errorf("%d tokens of %q, %v", len(all), owner, err)
			}
		}
		brief := tok
		brief.ID, brief.Name, brief.Hash = id(), "brief", identity.SecretHash{2}
		must(t, s.AddToken(ctx, brief, evidence("token.create")), s.DeleteToken(ctx, brief.ID, evidence("token.delete")))
		if err := s.DeleteToken(ctx, brief.ID, evidence("token.delete")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("deleted twice: %v", err)
		}
		out, outHash := signIn(u, "192.0.2.1")
		must(t, s.StartSession(ctx, out, evidence("session.create")), s.EndSession(ctx, out.Session.ID, evidence("session.delete")))
		if _, _, err := s.SessionByHash(ctx, outHash); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an ended session: %v", err)
		}

		changed := u
		changed.PasswordHash, changed.PasswordSetAt = "$new", seen
		must(t, s.SetPassword(ctx, changed, "", "", evidence("user.password")))
		late, _ := signIn(u, "192.0.2.1")
		if err := s.StartSession(ctx, late, evidence("session.create")); fault.KindOf(err) != fault.Stale {
			t.Errorf("signed in with the password of before: %v", err)
		}
		if all, err := s.Sessions(ctx, u.ID); err != nil || len(all) != 0 {
			t.Errorf("%d sessions, %v", len(all), err)
		}
		must(t, s.DeleteUser(ctx, u.ID, 2, evidence("user.delete")))
		if _, _, err := s.TokenByHash(ctx, hash); fault.KindOf(err) != fault.NotFound {
			t.Errorf("the token outlived its owner: %v", err)
		}
		for _, id := range groups {
			if g, err := s.Group(ctx, id); err != nil || len(g.Members) != 0 {
				t.Errorf("group %+v, %v", g, err)
			}
		}
	})
}

func TestGroupMembersAreUsers(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		u := person(t, s, "anna", identity.Operator)
		g := identity.Group{ID: id(), Name: "a", Members: []string{u.ID}, Rev: 1}
		must(t, s.AddGroup(ctx, g, evidence("group.create")))
		g.Members = []string{u.ID, "nobody"}
		if err := s.UpdateGroup(ctx, g, evidence("group.update")); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a member who is nobody: %v", err)
		}
		if got, err := s.Group(ctx, "a"); err != nil || len(got.Members) != 1 || got.Rev != 1 {
			t.Errorf("group %+v, %v", got, err)
		}
		g.Members, g.Name = nil, "b"
		must(t, s.UpdateGroup(ctx, g, evidence("group.update")))
		if all, err := s.Groups(ctx); err != nil || len(all) != 1 || all[0].Name != "b" || all[0].Rev != 2 || all[0].Members != nil {
			t.Errorf("groups %+v, %v", all, err)
		}
	})
}

func TestGrantsGoWithTheirSubject(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		person(t, s, "root", identity.Administrator)
		a, b := person(t, s, "anna", identity.Operator), person(t, s, "bob", identity.Operator)
		g := identity.Group{ID: id(), Name: "g", Members: []string{a.ID}}
		must(t, s.AddGroup(ctx, g, evidence("group.create")))
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO grants (id, subject_kind, subject_id, object_kind, object_id, level, expires_at, granted_by, created_at, rev)
				VALUES ('1','user',$1,'account','x',1,0,'',0,1), ('2','user',$2,'account','x',1,0,'',0,1), ('3','group',$3,'account','x',1,0,'',0,1)`, a.ID, b.ID, g.ID)
			return err
		}))
		must(t, s.DeleteUser(ctx, a.ID, 1, evidence("user.delete")))
		if n, err := s.Int(`SELECT COUNT(*) FROM grants WHERE id <> '1'`); n != 2 || err != nil {
			t.Errorf("grants of others: %d, %v", n, err)
		}
		must(t, s.DeleteGroup(ctx, g.ID, 1, evidence("group.delete")))
		if n, err := s.Int(`SELECT COUNT(*) FROM grants`); n != 1 || err != nil {
			t.Errorf("%d grants are left, %v", n, err)
		}
	})
}

// fiveEach is a rule for the tests; the real one is identity's.
func fiveEach(st identity.TryState) identity.TryAnswer {
	if st.Count >= 5 {
		return identity.TryAnswer{Wait: time.Minute, Blocks: st.Blocks + 1, BlockedUntil: time.UnixMicro(1_000_000)}
	}
	return identity.TryAnswer{Blocks: st.Blocks, BlockedUntil: st.BlockedUntil}
}

func TestTriesAreCountedOnce(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		u := person(t, s, "anna", identity.Operator)
		now := time.Now()
		var last identity.TryState
		charge := func(subject, address string, at time.Time) (string, bool) {
			t.Helper()
			tryID := id()
			a, err := s.ChargeTry(ctx, identity.Try{ID: tryID, Subject: subject, Address: address, At: at}, func(st identity.TryState) identity.TryAnswer {
				last = st
				return fiveEach(st)
			}, identity.Evidence{Actor: identity.System("test"), Action: "session.create", Refused: "too many"})
			must(t, err)
			return tryID, a.Wait == 0
		}
		var passed string
		for i := range 5 {
			passed, _ = charge(u.ID, fmt.Sprint("192.0.2.", i), now)
		}
		if _, ok := charge(u.ID, "192.0.2.99", now); ok || last.Known {
			t.Errorf("a sixth try went on: %+v", last)
		}
		if evs, err := s.AuditEvents(ctx, store.AuditFilter{Outcome: audit.Refused}); err != nil || len(evs) != 1 || evs[0].Reason != "too many" {
			t.Errorf("events %+v, %v", evs, err)
		}
		must(t, s.RefundTry(ctx, passed), s.RefundTry(ctx, passed))
		if _, ok := charge(u.ID, "192.0.2.99", now); !ok || last.Count != 4 || last.CountAll != 4 || last.Blocks != 1 || last.BlockedUntil.UnixMicro() != 1_000_000 {
			t.Errorf("after one was taken back: %+v", last)
		}
		in, _ := signIn(u, "192.0.2.1")
		must(t, s.StartSession(ctx, in, evidence("session.create")))
		if _, ok := charge(u.ID, "192.0.2.1", now); !ok || !last.Known || last.Count != 0 || last.CountAll != 0 || last.Blocks != 0 {
			t.Errorf("from a known address: %+v", last)
		}
		if _, ok := charge("name:x", "192.0.2.1", now); !ok || last.Known || last.Count != 0 || last.CountAll != 5 || last.OldestAll.UnixMicro() != now.UnixMicro() {
			t.Errorf("another name: %+v", last)
		}
		if _, ok := charge(u.ID, "192.0.2.99", now.Add(identity.TryWindow)); !ok || last.Count != 0 || last.CountAll != 0 {
			t.Errorf("when the window has passed: %+v", last)
		}
		if n, err := s.Int(`SELECT COUNT(*) FROM login_tries`); n != 1 || err != nil {
			t.Errorf("%d old tries are kept, %v", n-1, err)
		}
	})
}

func TestTriesAtOnceShareOneLimit(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		now := time.Now()
		good := atOnce(t, 16, fault.Throttled, func(int) error {
			a, err := s.ChargeTry(t.Context(), identity.Try{ID: id(), Subject: "s", At: now}, fiveEach, evidence("session.create"))
			if err == nil && a.Wait > 0 {
				return fault.New(fault.Throttled, "wait")
			}
			return err
		})
		if good != 5 {
			t.Errorf("%d tries went on, want 5", good)
		}
	})
}
