package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/rotation"
	"github.com/keyturn/keyturn/internal/vault"
)

// MapKey stores a mapping, and adopted, if it is not nil, as the account's current version. It fails with fault.Conflict
// when the key is mapped, its Secret is gone or a reset is under way, and with fault.Stale when the Secret is not the one
// of revision secretRev any more or adopted is not the account's next version. part is what stands at the mapping's place
// now, nil where the credential is the whole value.
func (s *Store) MapKey(ctx context.Context, m inventory.Mapping, part *vault.Fingerprint, secretRev int64, adopted *inventory.Version, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if _, err := mappable(ctx, tx, m.SecretID, m.Key); err != nil {
			return err
		}
		// The revision moves, so that a sync which has read the Secret and not this mapping decides again.
		if err := execOne(ctx, tx, stale("Secret"), `UPDATE secrets SET rev = rev + 1 WHERE id = $1 AND rev = $2`, m.SecretID, secretRev); err != nil {
			return err
		}
		if err := noOpenRun(ctx, tx, `SELECT $1`, m.AccountID); err != nil {
			return err
		}
		if adopted != nil {
			if err := adopt(ctx, tx, *adopted); err != nil {
				return err
			}
		}
		place, err := placeText(m.Place)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO mappings (id, account_id, secret_id, key_name, uid, written, state, reason, checked_at, created_by, created_at, rev, fingerprint, place, on_write)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,1,$12,$13,$14)`,
			m.ID, m.AccountID, m.SecretID, m.Key, m.UID, m.Written, string(m.State), m.Reason, micro(m.CheckedAt), m.CreatedBy, micro(m.CreatedAt), m.Fingerprint[:], place, m.OnWrite)
		if err != nil {
			return err
		}
		if err := replan(ctx, tx, `SELECT $1`, m.AccountID); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE secret_keys SET part = $3 WHERE secret_id = $1 AND name = $2`, m.SecretID, m.Key, printed(part)); err != nil {
			return err
		}
		tx.Changed("mapping", m.ID, 1, m.AccountID)
		tx.Changed("account", m.AccountID, 0, "")
		tx.Changed("secret", m.SecretID, secretRev+1, "")
		return record(ctx, tx, ev)
	})
}

// adopt makes v, a value that a Secret key holds, the current version of an account. Other keys of the account that held
// the former one are behind then.
func adopt(ctx context.Context, tx *Tx, v inventory.Version) error {
	last, err := queryOne(ctx, tx, "account", scanInt, `SELECT COALESCE(MAX(number), 0) FROM versions WHERE account_id = $1`, v.AccountID)
	if err != nil {
		return err
	}
	if v.Number != last+1 {
		return stale("account")
	}
	return becomeCurrent(ctx, tx, v)
}

// MappingOf returns the mapping of a key. It fails with fault.NotFound when the key is not mapped.
func (s *Store) MappingOf(ctx context.Context, secretID, key string) (inventory.Mapping, error) {
	return queryOne(ctx, s.read(ctx), "mapping", scanMapping, `SELECT `+mappingColumns+` FROM mappings WHERE secret_id = $1 AND key_name = $2`,
		clean(secretID), clean(key))
}

// KeysWith returns keys that hold the value of a fingerprint and are not mapped, at most limit, those of tombstones left out.
func (s *Store) KeysWith(ctx context.Context, fp vault.Fingerprint, limit int) ([]inventory.KeyRef, error) {
	return queryAll(ctx, s.read(ctx), func(r scanner) (k inventory.KeyRef, err error) {
		return k, r.Scan(&k.SecretID, &k.ResourceID, &k.Cluster, &k.Namespace, &k.Secret, &k.Key)
	}, `SELECT s.id, s.resource_id, c.name, s.namespace, s.name, k.name FROM secret_keys k JOIN secrets s ON s.id = k.secret_id JOIN clusters c ON c.id = s.cluster_id
		WHERE k.fingerprint = $1 AND s.state <> 'tombstone'
		AND NOT EXISTS (SELECT 1 FROM mappings m WHERE m.secret_id = k.secret_id AND m.key_name = k.name)
		ORDER BY s.namespace, s.name, k.name LIMIT $2`, fp[:], limit)
}

// ResetAccount returns what a reset needs to know of an account. A Secret is none: what is in its keys is changed through
// the accounts that they are mapped to.
func (s *Store) ResetAccount(ctx context.Context, id string) (rotation.Account, error) {
	a, err := s.resetAccount(ctx, s.read(ctx), id)
	if fault.KindOf(err) == fault.NotFound {
		if _, other := s.Secret(ctx, id); other == nil {
			return rotation.Account{}, fault.New(fault.Conflict, "a Secret has no login of its own to change").WithCode("secret-not-resettable").
				WithCure("map its keys to accounts, and reset those")
		}
	}
	return a, err
}

// SetVerified stores what a login with the version that was current showed. It fails with fault.Stale when another one is
// by now.
func (s *Store) SetVerified(ctx context.Context, accountID string, version int64, state rotation.AccountState, reason string, at time.Time, ev audit.Event) error {
	if state != rotation.AccountVerified {
		at = time.Time{}
	}
	return s.SetAccountState(ctx, accountID, version, inventory.AccountState(state), reason, at, ev)
}

// Credential implements access.RevealStore. The answer's labels and sealed value are shared and must not be changed.
func (s *Store) Credential(ctx context.Context, accountID string, version int64) (access.Credential, error) {
	type which struct {
		id      string
		version int64
	}
	small := func(c access.Credential) bool { return len(c.Sealed) <= keepMax }
	return remembered(s, which{accountID, version}, small, func() (access.Credential, error) { return s.credential(ctx, accountID, version) })
}

func (s *Store) credential(ctx context.Context, accountID string, version int64) (access.Credential, error) {
	var secret int64
	var text string
	c, err := queryOne(ctx, s.read(ctx), "version", func(r scanner) (c access.Credential, err error) {
		var sealed []byte
		err = r.Scan(&c.AccountID, &c.Name, &c.ResourceID, &secret, &c.Namespace, &c.SecretName, &c.Type, &text, &c.Immutable, &c.Version, &sealed, &c.Turns)
		c.Sealed = vault.Sealed(sealed)
		return c, err
	}, `SELECT x.id, x.name, x.resource_id, x.secret, x.namespace, x.secret_name, x.type, x.labels, x.immutable, v.number, v.sealed,
		CASE WHEN v.number = x.current AND EXISTS (SELECT 1 FROM accounts a WHERE a.on_reveal > 0
			AND (a.id = x.id OR a.id IN (SELECT account_id FROM mappings WHERE secret_id = x.id))) THEN 1 ELSE 0 END
		FROM (SELECT id, name, resource_id, 0 AS secret, '' AS namespace, '' AS secret_name, '' AS type, '{}' AS labels, 0 AS immutable, current FROM accounts WHERE id = $1
			UNION ALL SELECT id, namespace || '/' || name, resource_id, 1, namespace, name, type, labels, immutable, current FROM secrets WHERE id = $1) x
		JOIN versions v ON v.account_id = x.id AND v.number = CASE WHEN $2 = 0 THEN x.current ELSE $2 END`, clean(accountID), version)
	if err != nil {
		return c, err
	}
	c.Secret = secret == 1
	return c, json.Unmarshal([]byte(text), &c.Labels)
}

// CredentialName returns the name of an account, or namespace/name of a Secret, a deleted one too. It fails with
// fault.NotFound when id is neither's.
func (s *Store) CredentialName(ctx context.Context, id string) (string, error) {
	type nameOf string
	return remembered(s, nameOf(id), always, func() (string, error) {
		return queryOne(ctx, s.read(ctx), "account", scanText, `SELECT name FROM accounts WHERE id = $1
			UNION ALL SELECT namespace || '/' || name FROM secrets WHERE id = $1`, clean(id))
	})
}

// ReleaseLeases gives back the leases of an owner that has begun anew: what it worked on is due at once.
func (s *Store) ReleaseLeases(ctx context.Context, owner string) error {
	return s.write(ctx, func(tx *Tx) error {
		for _, table := range []string{"runs", "fetches"} {
			if _, err := exec(ctx, tx, `UPDATE `+table+` SET lease_until = 0 WHERE lease_owner = $1 AND ended_at = 0`, owner); err != nil {
				return err
			}
		}
		for _, table := range []string{"ring_keys", "watches"} {
			if _, err := exec(ctx, tx, `UPDATE `+table+` SET lease_until = 0 WHERE lease_owner = $1`, owner); err != nil {
				return err
			}
		}
		return nil
	})
}

// FetchedNames returns which Secrets of a cluster are in the repository, tombstones left out, as namespace/name.
func (s *Store) FetchedNames(ctx context.Context, clusterID, namespace string) (map[string]bool, error) {
	names, err := queryAll(ctx, s.read(ctx), scanText, `SELECT namespace || '/' || name FROM secrets
		WHERE cluster_id = $1 AND ($2 = '' OR namespace = $2) AND state <> 'tombstone'`, clean(clusterID), clean(namespace))
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out, err
}
