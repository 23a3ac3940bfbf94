package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/identity"
)

const userColumns = `id, name, display_name, role, disabled, password_hash, password_set_at, last_login_at, created_at, rev`

func scanUser(r scanner) (u identity.User, err error) {
	var disabled, set, last, created int64
	err = r.Scan(&u.ID, &u.Name, &u.DisplayName, &u.Role, &disabled, &u.PasswordHash, &set, &last, &created, &u.Rev)
	u.Disabled = disabled == 1
	u.PasswordSetAt, u.LastLoginAt, u.CreatedAt = instant(set), instant(last), instant(created)
	return u, err
}

// User implements identity.UserStore.
func (s *Store) User(ctx context.Context, idOrName string) (identity.User, error) {
	return queryOne(ctx, s.read(ctx), "user", scanUser, `SELECT `+userColumns+` FROM users WHERE id = $1 OR name = $1
		ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END`, clean(idOrName))
}

// Users implements identity.UserStore.
func (s *Store) Users(ctx context.Context) ([]identity.User, error) {
	return queryAll(ctx, s.read(ctx), scanUser, `SELECT `+userColumns+` FROM users ORDER BY name`)
}

const groupColumns = `g.id, g.name, g.description, g.created_at, g.rev,
	COALESCE((SELECT string_agg(m.user_id, ',') FROM (SELECT user_id FROM group_members WHERE group_id = g.id ORDER BY user_id) m), '')`

func scanGroup(r scanner) (g identity.Group, err error) {
	var created int64
	var members string
	err = r.Scan(&g.ID, &g.Name, &g.Description, &created, &g.Rev, &members)
	g.CreatedAt, g.Members = instant(created), listed(members)
	return g, err
}

// listed splits ids that string_agg has joined.
func listed(ids string) []string {
	if ids == "" {
		return nil
	}
	return strings.Split(ids, ",")
}

// Group implements identity.GroupStore.
func (s *Store) Group(ctx context.Context, idOrName string) (identity.Group, error) {
	return queryOne(ctx, s.read(ctx), "group", scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.id = $1 OR g.name = $1
		ORDER BY CASE WHEN g.id = $1 THEN 0 ELSE 1 END`, clean(idOrName))
}

// Groups implements identity.GroupStore.
func (s *Store) Groups(ctx context.Context) ([]identity.Group, error) {
	return queryAll(ctx, s.read(ctx), scanGroup, `SELECT `+groupColumns+` FROM groups g ORDER BY g.name`)
}

const (
	sessionColumns = `s.id, s.user_id, s.hash, s.created_at, s.last_seen_at, s.expires_at, s.address`
	tokenColumns   = `t.id, t.user_id, t.name, t.scopes, t.hash, t.expires_at, t.created_at, t.last_used_at, t.rev`
	// holderColumns are what a request needs to know of the user u.
	holderColumns = `u.id, u.name, u.display_name, u.role, u.disabled,
		COALESCE((SELECT string_agg(m.group_id, ',') FROM group_members m WHERE m.user_id = u.id), '')`
)

// holderRow receives holderColumns.
type holderRow struct {
	identity.Holder
	disabled int64
	groups   string
}

func (h *holderRow) dest() []any {
	return []any{&h.User.ID, &h.User.Name, &h.User.DisplayName, &h.User.Role, &h.disabled, &h.groups}
}

func (h *holderRow) holder() identity.Holder {
	h.User.Disabled, h.Groups = h.disabled == 1, listed(h.groups)
	return h.Holder
}

type held[T any] struct {
	thing  T
	holder identity.Holder
}

func scanSession(r scanner) (identity.Session, error) { return scanSessionAnd(r) }

// scanSessionAnd scans sessionColumns and what follows them.
func scanSessionAnd(r scanner, more ...any) (x identity.Session, err error) {
	var hash []byte
	var created, seen, expires int64
	err = r.Scan(append([]any{&x.ID, &x.UserID, &hash, &created, &seen, &expires, &x.Address}, more...)...)
	copy(x.Hash[:], hash)
	x.CreatedAt, x.LastSeenAt, x.ExpiresAt = instant(created), instant(seen), instant(expires)
	return x, err
}

// SessionByHash implements identity.SessionStore.
func (s *Store) SessionByHash(ctx context.Context, hash identity.SecretHash) (identity.Session, identity.Holder, error) {
	type byHash identity.SecretHash
	x, err := remembered(s, byHash(hash), always, func() (held[identity.Session], error) {
		return queryOne(ctx, s.read(ctx), "session", func(r scanner) (x held[identity.Session], err error) {
			var h holderRow
			x.thing, err = scanSessionAnd(r, h.dest()...)
			x.holder = h.holder()
			return x, err
		}, `SELECT `+sessionColumns+`, `+holderColumns+` FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = $1`, hash[:])
	})
	return x.thing, x.holder, err
}

// Session implements identity.SessionStore.
func (s *Store) Session(ctx context.Context, id string) (identity.Session, error) {
	return queryOne(ctx, s.read(ctx), "session", scanSession, `SELECT `+sessionColumns+` FROM sessions s WHERE s.id = $1`, clean(id))
}

// Sessions implements identity.SessionStore.
func (s *Store) Sessions(ctx context.Context, userID string) ([]identity.Session, error) {
	return queryAll(ctx, s.read(ctx), scanSession, `SELECT `+sessionColumns+` FROM sessions s WHERE s.user_id = $1 ORDER BY s.created_at DESC, s.id DESC`, userID)
}

func scanToken(r scanner) (identity.Token, error) { return scanTokenAnd(r) }

// scanTokenAnd scans tokenColumns and what follows them.
func scanTokenAnd(r scanner, more ...any) (t identity.Token, err error) {
	var hash []byte
	var scopes string
	var expires, created, used int64
	err = r.Scan(append([]any{&t.ID, &t.UserID, &t.Name, &scopes, &hash, &expires, &created, &used, &t.Rev}, more...)...)
	if err != nil {
		return t, err
	}
	copy(t.Hash[:], hash)
	t.ExpiresAt, t.CreatedAt, t.LastUsedAt = instant(expires), instant(created), instant(used)
	return t, json.Unmarshal([]byte(scopes), &t.Scopes)
}

// TokenByHash implements identity.TokenStore.
func (s *Store) TokenByHash(ctx context.Context, hash identity.SecretHash) (identity.Token, identity.Holder, error) {
	type byHash identity.SecretHash
	x, err := remembered(s, byHash(hash), always, func() (held[identity.Token], error) {
		return queryOne(ctx, s.read(ctx), "token", func(r scanner) (x held[identity.Token], err error) {
			var h holderRow
			x.thing, err = scanTokenAnd(r, h.dest()...)
			x.holder = h.holder()
			return x, err
		}, `SELECT `+tokenColumns+`, `+holderColumns+` FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1`, hash[:])
	})
	return x.thing, x.holder, err
}

// Token implements identity.TokenStore.
func (s *Store) Token(ctx context.Context, id string) (identity.Token, error) {
	return queryOne(ctx, s.read(ctx), "token", scanToken, `SELECT `+tokenColumns+` FROM tokens t WHERE t.id = $1`, clean(id))
}

// Tokens implements identity.TokenStore.
func (s *Store) Tokens(ctx context.Context, ownerID string) ([]identity.Token, error) {
	return queryAll(ctx, s.read(ctx), scanToken, `SELECT `+tokenColumns+` FROM tokens t WHERE $1 = '' OR t.user_id = $1 ORDER BY t.id DESC`, ownerID)
}

// SetupCode implements identity.SetupStore.
func (s *Store) SetupCode(ctx context.Context) (identity.SetupCode, error) {
	return queryOne(ctx, s.read(ctx), "setup code", func(r scanner) (c identity.SetupCode, err error) {
		var hash []byte
		var expires int64
		err = r.Scan(&hash, &expires)
		copy(c.Hash[:], hash)
		c.ExpiresAt = instant(expires)
		return c, err
	}, `SELECT hash, expires_at FROM setup_codes`)
}

// tries are some tries and when the oldest of them was.
type tries struct{ count, oldest int64 }

func scanTries(r scanner) (t tries, err error) { return t, r.Scan(&t.count, &t.oldest) }

// tryState returns what decides on t, and the address under which it is counted: none for one that is not known.
func tryState(ctx context.Context, tx *Tx, t identity.Try) (st identity.TryState, address string, err error) {
	since := micro(t.At.Add(-identity.TryWindow))
	known, err := queryAll(ctx, tx, scanText, `SELECT address FROM known_addresses WHERE user_id = $1 AND address = $2`, t.Subject, t.Address)
	if err != nil {
		return st, "", err
	}
	if len(known) > 0 {
		st.Known, address = true, t.Address
	}
	mine, err := queryOne(ctx, tx, "count", scanTries, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM login_tries
		WHERE subject = $1 AND address = $2 AND at > $3`, t.Subject, address, since)
	if err != nil {
		return st, "", err
	}
	all := tries{}
	if !st.Known {
		all, err = queryOne(ctx, tx, "count", scanTries, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM login_tries WHERE address = '' AND at > $1`, since)
		if err != nil {
			return st, "", err
		}
	}
	st.Count, st.CountAll, st.OldestAll = int(mine.count), int(all.count), instant(all.oldest)
	block, err := queryOne(ctx, tx, "block", func(r scanner) (b [2]int64, err error) { return b, r.Scan(&b[0], &b[1]) },
		`SELECT blocks, until FROM login_blocks WHERE subject = $1 AND address = $2`, t.Subject, address)
	if fault.KindOf(err) == fault.NotFound {
		return st, address, nil
	}
	st.Blocks, st.BlockedUntil = int(block[0]), instant(block[1])
	return st, address, err
}

// Touch implements identity.SessionStore.
func (s *Store) Touch(ctx context.Context, p identity.Prefix, id string, at time.Time) error {
	text := `UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`
	if p == identity.PrefixToken {
		text = `UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2`
	}
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, text, id, micro(at))
		return err
	})
}
