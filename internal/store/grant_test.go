package store_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/store"
	"github.com/keyturn/keyturn/internal/store/storetest"
)

// people stores a user of each name, and a group "team" that has the member "gina".
func people(t *testing.T, s *store.Store, users ...string) (byName map[string]string) {
	t.Helper()
	byName = map[string]string{"team": id()}
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec(`INSERT INTO groups (id, name, description, created_at, rev) VALUES ($1, 'team', '', 0, 1)`, byName["team"]); err != nil {
			return err
		}
		for _, name := range append(users, "gina") {
			byName[name] = id()
			_, err := tx.Exec(`INSERT INTO users (id, name, display_name, role, disabled, password_hash, password_set_at, last_login_at, created_at, rev)
				VALUES ($1, $2, '', 'user', 0, '', 0, 0, 0, 1)`, byName[name], name)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(`INSERT INTO group_members (user_id, group_id) VALUES ($1, $2)`, byName["gina"], byName["team"])
		return err
	}))
	return byName
}

func grant(subjectKind, subject, kind, object string, level policy.Level) access.Grant {
	return access.Grant{ID: id(), SubjectKind: subjectKind, SubjectID: subject, ObjectKind: kind, ObjectID: object, Level: level,
		GrantedBy: "nobody", CreatedAt: time.Now().UTC().Truncate(time.Microsecond), Rev: 1}
}

func give(t *testing.T, s *store.Store, g access.Grant) {
	t.Helper()
	must(t, s.AddGrant(t.Context(), g, happened("grant.create")))
}

func TestLevel(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 40)
		who := people(t, s, "cluster", "resource", "database", "account", "secret", "expired", "both", "nobody")
		cluster, ns, sec := w.Clusters[0].ID, w.Namespaces[0].ID, w.Secrets[0].ID
		give(t, s, grant("user", who["cluster"], "cluster", cluster, policy.Use))
		give(t, s, grant("user", who["resource"], "resource", ns, policy.Reveal))
		give(t, s, grant("user", who["database"], "resource", w.Database.ID, policy.Manage))
		give(t, s, grant("user", who["account"], "account", w.Accounts[0].ID, policy.Manage))
		give(t, s, grant("user", who["secret"], "account", sec, policy.Reveal))
		give(t, s, grant("group", who["team"], "account", w.Accounts[0].ID, policy.Use))
		old := grant("user", who["expired"], "cluster", cluster, policy.Manage)
		old.ExpiresAt = time.Now().Add(-time.Second)
		give(t, s, old)
		give(t, s, grant("user", who["both"], "cluster", cluster, policy.Manage))
		give(t, s, grant("user", who["both"], "account", sec, policy.View))
		for _, tt := range []struct {
			user, kind, id string
			want           policy.Level
		}{
			{"cluster", "cluster", cluster, policy.Use},
			{"cluster", "resource", ns, policy.Use},
			{"cluster", "account", sec, policy.Use},
			{"cluster", "account", w.Secrets[1].ID, policy.None}, // of the other cluster
			{"cluster", "account", w.Accounts[0].ID, policy.None},
			{"resource", "cluster", cluster, policy.None},
			{"resource", "resource", ns, policy.Reveal},
			{"resource", "account", sec, policy.Reveal},
			{"resource", "account", w.Secrets[2].ID, policy.None}, // the next namespace
			{"database", "account", w.Accounts[3].ID, policy.Manage},
			{"account", "account", w.Accounts[0].ID, policy.Manage},
			{"account", "account", w.Accounts[1].ID, policy.None},
			{"account", "resource", w.Database.ID, policy.View},
			{"secret", "account", sec, policy.Reveal},
			{"secret", "resource", ns, policy.View},
			{"secret", "account", w.Secrets[20].ID, policy.None}, // its neighbour
			{"secret", "cluster", cluster, policy.None},
			{"gina", "account", w.Accounts[0].ID, policy.Use},
			{"expired", "cluster", cluster, policy.None},
			{"expired", "account", sec, policy.None},
			{"both", "account", sec, policy.Manage},
			{"nobody", "account", sec, policy.None},
			{"cluster", "resource", cluster, policy.None}, // an id of another kind
			{"cluster", "user", cluster, policy.None},
			{"cluster", "account", "\x00", policy.None},
		} {
			got, err := s.Level(t.Context(), who[tt.user], tt.kind, tt.id, time.Now())
			if err != nil || got != tt.want {
				t.Errorf("%s on %s %s: %s, %v; want %s", tt.user, tt.kind, tt.id, got, err, tt.want)
			}
		}
	})
}

func TestAGrantEndsWhenItExpires(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 1)
		who := people(t, s, "anna")
		g := grant("user", who["anna"], "account", w.Accounts[0].ID, policy.Use)
		g.ExpiresAt = time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		give(t, s, g)
		for at, want := range map[time.Time]policy.Level{g.ExpiresAt.Add(-time.Microsecond): policy.Use, g.ExpiresAt: policy.None} {
			if got, err := s.Level(t.Context(), who["anna"], "account", w.Accounts[0].ID, at); err != nil || got != want {
				t.Errorf("at %s: %s, %v", at, got, err)
			}
		}
	})
}

func TestGrantsChange(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		w := storetest.Seed(t, s, 1)
		who := people(t, s, "anna")
		g := grant("user", who["anna"], "account", w.Secrets[0].ID, policy.Use)
		give(t, s, g)
		again := g
		again.ID = id()
		for name, bad := range map[string]struct {
			g    access.Grant
			want fault.Kind
		}{
			"twice":      {again, fault.Conflict},
			"no subject": {grant("group", who["anna"], "account", w.Secrets[0].ID, policy.Use), fault.NotFound},
			"no object":  {grant("user", who["anna"], "cluster", w.Secrets[0].ID, policy.Use), fault.NotFound},
			"no kind":    {grant("user", who["anna"], "key", w.Secrets[0].ID, policy.Use), fault.Invalid},
		} {
			if err := s.AddGrant(ctx, bad.g, happened("grant.create")); fault.KindOf(err) != bad.want {
				t.Errorf("%s: %v, want %s", name, err, bad.want)
			}
		}
		give(t, s, grant("group", who["team"], "cluster", w.Clusters[0].ID, policy.View))
		p, err := s.Grants(ctx, store.GrantQuery{ObjectKind: "account", ObjectID: w.Secrets[0].ID})
		must(t, err)
		if len(p.Items) != 1 || p.Total != 1 || p.Items[0].SubjectName != "anna" || p.Items[0].ObjectName != "ns00/secret-00000" || p.Items[0].Level != policy.Use {
			t.Errorf("%+v", p)
		}
		if p, err = s.Grants(ctx, store.GrantQuery{}); err != nil || p.Total != 2 || p.Items[0].SubjectName != "team" || p.Items[0].ObjectName != "prod-0" {
			t.Errorf("%+v, %v", p, err)
		}
		if err := s.DeleteGrant(ctx, g.ID, 2, happened("grant.delete")); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old revision: %v", err)
		}
		must(t, s.DeleteGrant(ctx, g.ID, 1, happened("grant.delete")))
		if _, err := s.Grant(ctx, g.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("deleted: %v", err)
		}
	})
}

func TestTheGateOnARealStore(t *testing.T) {
	databases.Each(t, func(t *testing.T, s *store.Store) {
		w := storetest.Seed(t, s, 1)
		who := people(t, s, "anna")
		give(t, s, grant("user", who["anna"], "account", w.Secrets[0].ID, policy.Use))
		anna := identity.Actor{ID: who["anna"], Name: "anna", Kind: identity.KindUser, Role: identity.PlainUser}
		gate := access.Gate{Store: s}
		granted, hidden := policy.Object{Kind: "account", ID: w.Secrets[0].ID}, policy.Object{Kind: "account", ID: w.Accounts[0].ID}
		if obj, err := gate.Check(t.Context(), anna, policy.AccountReset, granted, ""); err != nil || obj.Level != policy.Use {
			t.Errorf("granted: %+v, %v", obj, err)
		}
		if _, err := gate.Check(t.Context(), anna, policy.AccountReveal, granted, ""); fault.KindOf(err) != fault.Denied {
			t.Errorf("beyond the grant: %v", err)
		}
		if _, err := gate.Check(t.Context(), anna, policy.AccountGet, hidden, ""); fault.KindOf(err) != fault.NotFound {
			t.Errorf("without a grant: %v", err)
		}
		evs, err := s.AuditEvents(t.Context(), store.AuditFilter{Actor: anna.ID, Outcome: audit.Refused})
		must(t, err)
		if len(evs) != 2 || evs[0].Action != "account.get" || evs[1].Action != "account.reveal" {
			t.Errorf("%+v", evs)
		}
	})
}
