package store_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/store"
)

func TestWhatHasEndedIsDroppedAtItsInstant(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		u := person(t, s, "anna", identity.Operator)
		in, hash := signIn(u, "192.0.2.1")
		seen, end := in.Session.LastSeenAt, in.Session.ExpiresAt
		tok := identity.Token{ID: id(), UserID: u.ID, Name: "ci", Hash: hash, CreatedAt: seen, ExpiresAt: end, Rev: 1}
		must(t, s.AddToken(ctx, tok, evidence("token.create")))
		const tick = time.Microsecond
		for name, tt := range map[string]struct {
			now, idle time.Time
			want      int
		}{
			"lasts": {end.Add(-tick), seen.Add(-tick), 1}, "expired": {end, seen.Add(-tick), 0}, "idle": {end.Add(-tick), seen, 0},
		} {
			in, _ := signIn(u, "192.0.2.1")
			in.Session.LastSeenAt, in.Session.ExpiresAt = seen, end
			must(t, s.StartSession(ctx, in, evidence("session.create")))
			before := recorded(t, s)
			must(t, s.DropEnded(ctx, tt.now, tt.idle, end.Add(-tick), func(int64, int64) identity.Evidence { return evidence("session.expire") }))
			all, err := s.Sessions(ctx, u.ID)
			must(t, err)
			if len(all) != tt.want || recorded(t, s)-before != int64(1-tt.want) {
				t.Errorf("%s: %d sessions are left, %d events", name, len(all), recorded(t, s)-before)
			}
			for _, x := range all {
				must(t, s.EndSession(ctx, x.ID, evidence("session.delete")))
			}
		}
		var sessions, tokens int64
		must(t, s.DropEnded(ctx, seen, seen.Add(-tick), end, func(a, b int64) identity.Evidence {
			sessions, tokens = a, b
			return evidence("session.expire")
		}))
		if sessions != 0 || tokens != 1 {
			t.Errorf("dropped %d sessions and %d tokens", sessions, tokens)
		}
	})
}

// What somebody typed is looked for, whatever it is: PostgreSQL itself takes no text with a NUL or of broken UTF-8.
func TestAnyTextIsLookedFor(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for _, text := range []string{"", "\x00", "a\x00b", "\xff\xfe", "\u202e"} {
			_, user := s.User(ctx, text)
			_, group := s.Group(ctx, text)
			_, session := s.Session(ctx, text)
			_, token := s.Token(ctx, text)
			_, cluster := s.Cluster(ctx, text)
			_, named := s.ClusterByName(ctx, text)
			_, resource := s.Resource(ctx, text)
			_, account := s.Account(ctx, text)
			_, secret := s.Secret(ctx, text)
			_, either := s.CredentialName(ctx, text)
			_, run := s.Run(ctx, text)
			_, fetch := s.Fetch(ctx, text)
			_, grant := s.Grant(ctx, text)
			_, event := s.AuditEvent(ctx, text)
			for i, err := range []error{user, group, session, token, cluster, named, resource, account, secret, either, run, fetch, grant, event} {
				if fault.KindOf(err) != fault.NotFound {
					t.Errorf("%q, look-up %d: %v", text, i, err)
				}
			}
		}
	})
}
