package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

var _ identity.Store = (*Store)(nil)

// addressMemory is how long an address is known that a user does not sign in from any more.
const addressMemory = 180 * 24 * time.Hour

func event(ev identity.Evidence) audit.Event {
	e := audit.New(ev.Actor, ev.Action, audit.Object{Kind: ev.Kind, ID: ev.ID, Name: ev.Name})
	for k, v := range ev.Details {
		e = e.With(k, v)
	}
	if ev.Refused != "" {
		e = e.Refused(ev.Refused)
	}
	return e
}

// Attest implements identity.TryStore.
func (s *Store) Attest(ctx context.Context, ev identity.Evidence) error {
	return s.Record(ctx, event(ev))
}

// AddUser implements identity.UserStore.
func (s *Store) AddUser(ctx context.Context, u identity.User, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := insertUser(ctx, tx, u); err != nil {
			return err
		}
		return record(ctx, tx, event(ev))
	})
}

func insertUser(ctx context.Context, tx *Tx, u identity.User) error {
	tx.Changed("user", u.ID, 1, "")
	return execOne(ctx, tx, nameTaken("a user"), `INSERT INTO users (`+userColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,1) ON CONFLICT (name) DO NOTHING`,
		u.ID, u.Name, u.DisplayName, string(u.Role), flag(u.Disabled), u.PasswordHash, micro(u.PasswordSetAt), micro(u.LastLoginAt), micro(u.CreatedAt))
}

func nameTaken(what string) error {
	return fault.New(fault.Conflict, "there is %s with this name already", what).WithCode(CodeDuplicate).WithField("name").
		WithCure("choose another name").WithUnchanged("nothing was written")
}

// UpdateUser implements identity.UserStore.
func (s *Store) UpdateUser(ctx context.Context, u identity.User, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, stale("user"), `UPDATE users SET display_name = $3, role = $4, disabled = $5, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			u.ID, u.Rev, u.DisplayName, string(u.Role), flag(u.Disabled))
		if err != nil {
			return err
		}
		if err := keepAdministrator(ctx, tx); err != nil {
			return err
		}
		if u.Disabled {
			if _, err := exec(ctx, tx, `DELETE FROM sessions WHERE user_id = $1`, u.ID); err != nil {
				return err
			}
		}
		tx.Changed("user", u.ID, u.Rev+1, "")
		return record(ctx, tx, event(ev))
	})
}

// keepAdministrator fails when the transaction has left no administrator who can sign in.
func keepAdministrator(ctx context.Context, tx *Tx) error {
	n, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM users WHERE role = 'administrator' AND disabled = 0`)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "nobody else could administer Keyturn any more").WithCode("last-administrator").
			WithCure("make another user an administrator first").WithUnchanged("nothing was changed")
	}
	return err
}

// SetPassword implements identity.UserStore.
func (s *Store) SetPassword(ctx context.Context, u identity.User, keep, try string, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, stale("user"), `UPDATE users SET password_hash = $3, password_set_at = $4, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			u.ID, u.Rev, u.PasswordHash, micro(u.PasswordSetAt))
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, u.ID, keep); err != nil {
			return err
		}
		if err := refundTry(ctx, tx, try); err != nil {
			return err
		}
		tx.Changed("user", u.ID, u.Rev+1, "")
		return record(ctx, tx, event(ev))
	})
}

// DeleteUser implements identity.UserStore.
func (s *Store) DeleteUser(ctx context.Context, id string, rev int64, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		for _, text := range []string{
			`DELETE FROM sessions WHERE user_id = $1`,
			`DELETE FROM tokens WHERE user_id = $1`,
			`DELETE FROM group_members WHERE user_id = $1`,
			`DELETE FROM grants WHERE subject_kind = 'user' AND subject_id = $1`,
			`DELETE FROM known_addresses WHERE user_id = $1`,
			`DELETE FROM login_tries WHERE subject = $1`,
			`DELETE FROM login_blocks WHERE subject = $1`,
		} {
			if _, err := exec(ctx, tx, text, id); err != nil {
				return err
			}
		}
		if err := execOne(ctx, tx, stale("user"), `DELETE FROM users WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		if err := keepAdministrator(ctx, tx); err != nil {
			return err
		}
		tx.Changed("user", id, rev+1, "")
		return record(ctx, tx, event(ev))
	})
}

// AddGroup implements identity.GroupStore.
func (s *Store) AddGroup(ctx context.Context, g identity.Group, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, nameTaken("a group"), `INSERT INTO groups (id, name, description, created_at, rev) VALUES ($1,$2,$3,$4,1)
			ON CONFLICT (name) DO NOTHING`, g.ID, g.Name, g.Description, micro(g.CreatedAt))
		if err != nil {
			return err
		}
		return s.setMembers(ctx, tx, g, 1, ev)
	})
}

// UpdateGroup implements identity.GroupStore.
func (s *Store) UpdateGroup(ctx context.Context, g identity.Group, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		taken, err := queryAll(ctx, tx, scanText, `SELECT id FROM groups WHERE name = $1 AND id <> $2`, g.Name, g.ID)
		if err != nil {
			return err
		}
		if len(taken) > 0 {
			return nameTaken("a group")
		}
		err = execOne(ctx, tx, stale("group"), `UPDATE groups SET name = $3, description = $4, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			g.ID, g.Rev, g.Name, g.Description)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM group_members WHERE group_id = $1`, g.ID); err != nil {
			return err
		}
		return s.setMembers(ctx, tx, g, g.Rev+1, ev)
	})
}

// setMembers fills a group that has no members and ends the change that made it so.
func (s *Store) setMembers(ctx context.Context, tx *Tx, g identity.Group, rev int64, ev identity.Evidence) error {
	_, err := insertRows(ctx, tx, `INSERT INTO group_members (group_id, user_id)`, 2, "", len(g.Members), func(args []any, i int) []any {
		return append(args, g.ID, g.Members[i])
	})
	if hasCode(err, CodeReferenced) {
		return fault.New(fault.Invalid, "a member is not a user, or not any more").WithField("members").WithCure("choose among the users").
			WithUnchanged("nothing was written")
	}
	if err != nil {
		return err
	}
	tx.Changed("group", g.ID, rev, "")
	return record(ctx, tx, event(ev))
}

// DeleteGroup implements identity.GroupStore.
func (s *Store) DeleteGroup(ctx context.Context, id string, rev int64, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		if _, err := exec(ctx, tx, `DELETE FROM grants WHERE subject_kind = 'group' AND subject_id = $1`, id); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM group_members WHERE group_id = $1`, id); err != nil {
			return err
		}
		if err := execOne(ctx, tx, stale("group"), `DELETE FROM groups WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		tx.Changed("group", id, rev+1, "")
		return record(ctx, tx, event(ev))
	})
}

// StartSession implements identity.SessionStore. Sessions of the user that have run out go with it.
func (s *Store) StartSession(ctx context.Context, in identity.SignIn, ev identity.Evidence) error {
	x, u := in.Session, in.User
	now := micro(x.CreatedAt)
	return s.write(ctx, func(tx *Tx) error {
		// The time of the password says whether it is still the one that was proved; its hash may have been made anew.
		err := execOne(ctx, tx, stale("user"), `UPDATE users SET last_login_at = $3, password_hash = $4 WHERE id = $1 AND password_set_at = $2 AND disabled = 0`,
			u.ID, micro(u.PasswordSetAt), now, u.PasswordHash)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `DELETE FROM sessions WHERE user_id = $1 AND (expires_at <= $2 OR last_seen_at <= $3)`,
			u.ID, now, micro(x.CreatedAt.Add(-identity.SessionIdle)))
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO sessions (id, user_id, hash, created_at, last_seen_at, expires_at, address) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
			x.ID, u.ID, x.Hash[:], now, micro(x.LastSeenAt), micro(x.ExpiresAt), x.Address)
		if err != nil {
			return err
		}
		if err := refundTry(ctx, tx, in.Try); err != nil {
			return err
		}
		if in.Address != "" {
			_, err = exec(ctx, tx, `INSERT INTO known_addresses (user_id, address, last_at) VALUES ($1,$2,$3)
				ON CONFLICT (user_id, address) DO UPDATE SET last_at = excluded.last_at`, u.ID, in.Address, now)
			if err != nil {
				return err
			}
		}
		_, err = exec(ctx, tx, `DELETE FROM known_addresses WHERE user_id = $1 AND last_at < $2`, u.ID, micro(x.CreatedAt.Add(-addressMemory)))
		if err != nil {
			return err
		}
		tx.Changed("session", x.ID, 0, u.ID)
		return record(ctx, tx, event(ev))
	})
}

// EndSession implements identity.SessionStore.
func (s *Store) EndSession(ctx context.Context, id string, ev identity.Evidence) error {
	return s.remove(ctx, "session", `DELETE FROM sessions WHERE id = $1`, id, ev)
}

// DeleteToken implements identity.TokenStore.
func (s *Store) DeleteToken(ctx context.Context, id string, ev identity.Evidence) error {
	return s.remove(ctx, "token", `DELETE FROM tokens WHERE id = $1`, id, ev)
}

func (s *Store) remove(ctx context.Context, what, text, id string, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, fault.New(fault.NotFound, "there is no such %s", what), text, id); err != nil {
			return err
		}
		tx.Changed(what, id, 0, "")
		return record(ctx, tx, event(ev))
	})
}

// AddToken implements identity.TokenStore.
func (s *Store) AddToken(ctx context.Context, t identity.Token, ev identity.Evidence) error {
	scopes, err := json.Marshal(t.Scopes)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, nameTaken("a token"), `INSERT INTO tokens (id, user_id, name, scopes, hash, expires_at, created_at, last_used_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,1) ON CONFLICT (user_id, name) DO NOTHING`,
			t.ID, t.UserID, t.Name, string(scopes), t.Hash[:], micro(t.ExpiresAt), micro(t.CreatedAt), micro(t.LastUsedAt))
		if err != nil {
			return err
		}
		tx.Changed("token", t.ID, 1, t.UserID)
		return record(ctx, tx, event(ev))
	})
}

func setupOver() error {
	return fault.New(fault.Conflict, "setup is over, or its code was used or replaced").WithCode("setup-over").
		WithCure("sign in, or restart the server for a new code").WithUnchanged("nothing was written")
}

// PutSetupCode implements identity.SetupStore.
func (s *Store) PutSetupCode(ctx context.Context, c identity.SetupCode, ev identity.Evidence) (needed bool, err error) {
	err = s.write(ctx, func(tx *Tx) error {
		users, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM users`)
		if needed = err == nil && users == 0; !needed {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO setup_codes (one, hash, expires_at) VALUES (1, $1, $2)
			ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, c.Hash[:], micro(c.ExpiresAt))
		if err != nil {
			return err
		}
		return record(ctx, tx, event(ev))
	})
	return needed, err
}

// AddFirstUser implements identity.SetupStore.
func (s *Store) AddFirstUser(ctx context.Context, u identity.User, code identity.SecretHash, try string, ev identity.Evidence) error {
	return s.write(ctx, func(tx *Tx) error {
		users, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM users`)
		if err != nil {
			return err
		}
		if users > 0 {
			return setupOver()
		}
		if err := execOne(ctx, tx, setupOver(), `DELETE FROM setup_codes WHERE hash = $1`, code[:]); err != nil {
			return err
		}
		if err := insertUser(ctx, tx, u); err != nil {
			return err
		}
		if err := refundTry(ctx, tx, try); err != nil {
			return err
		}
		return record(ctx, tx, event(ev))
	})
}

// ChargeTry implements identity.TryStore. What is too old to count goes with it.
func (s *Store) ChargeTry(ctx context.Context, t identity.Try, decide func(identity.TryState) identity.TryAnswer, refused identity.Evidence) (
	a identity.TryAnswer, err error,
) {
	err = s.write(ctx, func(tx *Tx) error {
		st, address, err := tryState(ctx, tx, t)
		if err != nil {
			return err
		}
		a = decide(st)
		if a.Blocks != st.Blocks || !a.BlockedUntil.Equal(st.BlockedUntil) {
			if err := saveBlock(ctx, tx, t, address, a); err != nil {
				return err
			}
		}
		if a.Wait > 0 {
			return record(ctx, tx, event(refused))
		}
		if _, err := exec(ctx, tx, `DELETE FROM login_tries WHERE at <= $1`, micro(t.At.Add(-identity.TryWindow))); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO login_tries (id, subject, address, at) VALUES ($1,$2,$3,$4)`, t.ID, t.Subject, address, micro(t.At))
		return err
	})
	return a, err
}

func saveBlock(ctx context.Context, tx *Tx, t identity.Try, address string, a identity.TryAnswer) error {
	if _, err := exec(ctx, tx, `DELETE FROM login_blocks WHERE until <= $1`, micro(t.At.Add(-identity.BlockMemory))); err != nil {
		return err
	}
	_, err := exec(ctx, tx, `INSERT INTO login_blocks (subject, address, blocks, until) VALUES ($1,$2,$3,$4)
		ON CONFLICT (subject, address) DO UPDATE SET blocks = excluded.blocks, until = excluded.until`, t.Subject, address, a.Blocks, micro(a.BlockedUntil))
	return err
}

// RefundTry implements identity.TryStore.
func (s *Store) RefundTry(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *Tx) error { return refundTry(ctx, tx, id) })
}

func refundTry(ctx context.Context, tx *Tx, id string) error {
	if id == "" {
		return nil
	}
	_, err := exec(ctx, tx, `DELETE FROM login_tries WHERE id = $1`, id)
	return err
}
