package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
)

// AddCluster stores a cluster that passed its checks. It fails with fault.Conflict when another one has its name or UID.
func (s *Store) AddCluster(ctx context.Context, c inventory.Cluster, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		scope, err := json.Marshal(c.Scope)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO clusters (id, name, server, ca_pem, token, scope, uid, version, state, reason, since, checked_at, synced_at, created_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,1)`,
			c.ID, c.Name, c.Server, c.CAPEM, []byte(c.Token), string(scope), c.UID, c.Version, string(c.State), c.Reason, micro(c.Since),
			micro(c.CheckedAt), micro(c.SyncedAt), micro(c.CreatedAt))
		if err != nil {
			return err
		}
		tx.Changed("cluster", c.ID, 1, "")
		return record(ctx, tx, ev)
	})
}

const clusterColumns = `id, name, server, ca_pem, token, scope, uid, version, state, reason, since, checked_at, synced_at, created_at, rev`

func scanCluster(r scanner) (c inventory.Cluster, err error) {
	var token []byte
	var scope string
	var since, checked, synced, created int64
	err = r.Scan(&c.ID, &c.Name, &c.Server, &c.CAPEM, &token, &scope, &c.UID, &c.Version, &c.State, &c.Reason, &since, &checked, &synced, &created, &c.Rev)
	if err != nil {
		return c, err
	}
	c.Token = vault.Sealed(token)
	c.Since, c.CheckedAt, c.SyncedAt, c.CreatedAt = instant(since), instant(checked), instant(synced), instant(created)
	return c, json.Unmarshal([]byte(scope), &c.Scope)
}

// Cluster returns a cluster, removed ones included.
func (s *Store) Cluster(ctx context.Context, id string) (inventory.Cluster, error) {
	return queryOne(ctx, s.read(ctx), "cluster", scanCluster, `SELECT `+clusterColumns+` FROM clusters WHERE id = $1`, id)
}

// AddResource stores a resource. It fails with fault.Conflict when another one has its name, or is of the same namespace.
func (s *Store) AddResource(ctx context.Context, r inventory.Resource, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		settings, err := json.Marshal(r.Settings)
		if err != nil {
			return err
		}
		var cluster any
		if r.ClusterID != "" {
			cluster = r.ClusterID
		}
		_, err = exec(ctx, tx, `INSERT INTO resources (id, name, type, cluster_id, namespace, settings, reconcile_account_id, created_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,1)`, r.ID, r.Name, r.Type, cluster, r.Namespace, string(settings), r.ReconcileAccountID, micro(r.CreatedAt))
		if err != nil {
			return err
		}
		tx.Changed("resource", r.ID, 1, "")
		return record(ctx, tx, ev)
	})
}

func scanResource(r scanner) (res inventory.Resource, err error) {
	var settings string
	var cluster *string
	var created int64
	err = r.Scan(&res.ID, &res.Name, &res.Type, &cluster, &res.Namespace, &settings, &res.ReconcileAccountID, &created, &res.Rev)
	if err != nil {
		return res, err
	}
	if cluster != nil {
		res.ClusterID = *cluster
	}
	res.CreatedAt = instant(created)
	return res, json.Unmarshal([]byte(settings), &res.Settings)
}

// Resource returns a resource.
func (s *Store) Resource(ctx context.Context, id string) (inventory.Resource, error) {
	return queryOne(ctx, s.read(ctx), "resource", scanResource,
		`SELECT id, name, type, cluster_id, namespace, settings, reconcile_account_id, created_at, rev FROM resources WHERE id = $1`, id)
}

// SetReconcileAccount makes an account of the resource the one that repairs the others; an empty id means none. It fails
// with fault.Stale when rev is not the stored one.
func (s *Store) SetReconcileAccount(ctx context.Context, resourceID string, rev int64, accountID string, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		err := execOne(ctx, tx, stale("resource"), `UPDATE resources SET reconcile_account_id = $3, rev = rev + 1 WHERE id = $1 AND rev = $2`,
			resourceID, rev, accountID)
		if err != nil {
			return err
		}
		tx.Changed("resource", resourceID, rev+1, "")
		return record(ctx, tx, ev)
	})
}

// AddAccount stores an account, and its first version where one is given (its Number is then 1).
func (s *Store) AddAccount(ctx context.Context, a inventory.Account, first *inventory.Version, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO accounts (id, resource_id, name, state, reason, verified_at, current, created_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,1)`,
			a.ID, a.ResourceID, a.Name, string(a.State), a.Reason, micro(a.VerifiedAt), a.Current, micro(a.CreatedAt))
		if err != nil {
			return err
		}
		if first != nil {
			if err := insertVersion(ctx, tx, *first); err != nil {
				return err
			}
		}
		tx.Changed("account", a.ID, 1, a.ResourceID)
		return record(ctx, tx, ev)
	})
}

func scanAccount(r scanner) (a inventory.Account, err error) {
	var verified, created int64
	err = r.Scan(&a.ID, &a.ResourceID, &a.Name, &a.State, &a.Reason, &verified, &a.Current, &created, &a.Rev)
	a.VerifiedAt, a.CreatedAt = instant(verified), instant(created)
	return a, err
}

// Account returns an account of a resource that is not a Kubernetes one.
func (s *Store) Account(ctx context.Context, id string) (inventory.Account, error) {
	return queryOne(ctx, s.read(ctx), "account", scanAccount,
		`SELECT id, resource_id, name, state, reason, verified_at, current, created_at, rev FROM accounts WHERE id = $1`, id)
}

// Versions returns an account's or a Secret's versions, newest first.
func (s *Store) Versions(ctx context.Context, accountID string) ([]inventory.Version, error) {
	return queryAll(ctx, s.read(ctx), scanVersion, `SELECT account_id, number, stage, source, actor_id, actor_name, created_at, retired_at, sealed
		FROM versions WHERE account_id = $1 ORDER BY number DESC`, accountID)
}

func scanVersion(r scanner) (v inventory.Version, err error) {
	var created, retired int64
	var sealed []byte
	err = r.Scan(&v.AccountID, &v.Number, &v.Stage, &v.Source, &v.ActorID, &v.ActorName, &created, &retired, &sealed)
	v.CreatedAt, v.RetiredAt, v.Sealed = instant(created), instant(retired), vault.Sealed(sealed)
	return v, err
}

// Imported is a Secret that was read from a cluster, with the sealed version of all its data.
type Imported struct {
	Secret  inventory.Secret
	Version inventory.Version
}

// AddSecrets stores Secrets that were not in the repository before, all of them or none.
func (s *Store) AddSecrets(ctx context.Context, all []Imported, ev audit.Event) error {
	return s.bulk(ctx, func(tx *Tx) error {
		_, err := insertRows(ctx, tx, `INSERT INTO secrets (id, cluster_id, resource_id, namespace, name, uid, resource_version, type, immutable, labels, size,
			current, state, reason, created_at, seen_at, deleted_at, rev)`, 18, "", len(all), func(args []any, i int) []any {
			x := all[i].Secret
			return append(args, x.ID, x.ClusterID, x.ResourceID, x.Namespace, x.Name, x.UID, x.ResourceVersion, x.Type, flag(x.Immutable),
				labels(x.Labels), x.Size, x.Current, string(x.State), x.Reason, micro(x.CreatedAt), micro(x.SeenAt), micro(x.DeletedAt), 1)
		})
		if err != nil {
			return err
		}
		var keys []keyRow
		for _, x := range all {
			for _, k := range x.Secret.Keys {
				keys = append(keys, keyRow{x.Secret.ID, k})
			}
		}
		_, err = insertRows(ctx, tx, `INSERT INTO secret_keys (secret_id, name, size, fingerprint)`, 4, "", len(keys), func(args []any, i int) []any {
			k := keys[i]
			return append(args, k.secret, k.key.Name, k.key.Size, k.key.Fingerprint[:])
		})
		if err != nil {
			return err
		}
		_, err = insertRows(ctx, tx, `INSERT INTO versions (account_id, number, stage, source, actor_id, actor_name, created_at, retired_at, sealed)`, 9, "",
			len(all), func(args []any, i int) []any {
				v := all[i].Version
				return append(args, v.AccountID, v.Number, string(v.Stage), string(v.Source), v.ActorID, v.ActorName, micro(v.CreatedAt), 0, []byte(v.Sealed))
			})
		if err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

type keyRow struct {
	secret string
	key    inventory.Key
}

func labels(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(m) // a map of strings always encodes
	return string(b)
}

// AddMapping stores that an account's credential stands in a Secret key. It fails with fault.Conflict when the key is
// mapped already.
func (s *Store) AddMapping(ctx context.Context, m inventory.Mapping, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		uid, err := queryOne(ctx, tx, "Secret", scanText, `SELECT uid FROM secrets WHERE id = $1`, m.SecretID)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `INSERT INTO mappings (id, account_id, secret_id, key_name, uid, written, state, reason, checked_at, created_by, created_at, rev)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,1)`,
			m.ID, m.AccountID, m.SecretID, m.Key, uid, m.Written, string(m.State), m.Reason, micro(m.CheckedAt), m.CreatedBy, micro(time.Now()))
		if err != nil {
			return err
		}
		tx.Changed("mapping", m.ID, 1, m.AccountID)
		return record(ctx, tx, ev)
	})
}

// Mappings returns the mappings of an account.
func (s *Store) Mappings(ctx context.Context, accountID string) ([]inventory.Mapping, error) {
	return queryAll(ctx, s.read(ctx), func(r scanner) (m inventory.Mapping, err error) {
		var checked, created int64
		err = r.Scan(&m.ID, &m.AccountID, &m.SecretID, &m.Key, &m.Written, &m.State, &m.Reason, &checked, &m.CreatedBy, &created, &m.Rev)
		m.CheckedAt, m.CreatedAt = instant(checked), instant(created)
		return m, err
	}, `SELECT id, account_id, secret_id, key_name, written, state, reason, checked_at, created_by, created_at, rev
		FROM mappings WHERE account_id = $1 ORDER BY id`, accountID)
}
