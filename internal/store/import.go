package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/inventory"
	"github.com/keyturn/keyturn/internal/vault"
)

// Imported is a Secret that was read from a cluster, with the sealed version of all its data.
type Imported struct {
	Secret  inventory.Secret
	Version inventory.Version
}

// AddSecrets stores Secrets that were not in the repository before, all of them or none.
func (s *Store) AddSecrets(ctx context.Context, all []Imported, ev audit.Event) error {
	batch := make([]inventory.Import, len(all))
	for i := range all {
		batch[i] = inventory.Import{Secret: all[i].Secret, Values: &all[i].Version}
	}
	return s.bulk(ctx, func(tx *Tx) error {
		if err := putSecrets(ctx, tx, batch, nil); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// putSecrets inserts Secrets or replaces the rows with their ids, and the keys and the current version of those that come
// with values. There is no statement for a single Secret in here. Of those that asWas names, the columns that lists are
// sorted and counted by are as they are stored, and their indexes are spared.
func putSecrets(ctx context.Context, tx *Tx, batch []inventory.Import, asWas map[string]bool) error {
	if err := clearValues(ctx, tx, batch); err != nil {
		return err
	}
	const same = `ON CONFLICT (id) DO UPDATE SET uid = excluded.uid, resource_version = excluded.resource_version, type = excluded.type,
		immutable = excluded.immutable, labels = excluded.labels, size = excluded.size, current = excluded.current, reason = excluded.reason,
		seen_at = excluded.seen_at, rev = secrets.rev + 1`
	const other = same + `, state = excluded.state, created_at = excluded.created_at, deleted_at = 0`
	groups := map[string][]inventory.Secret{}
	for _, x := range batch {
		tail := other
		if asWas[x.Secret.ID] {
			tail = same
		}
		groups[tail] = append(groups[tail], x.Secret)
	}
	for tail, secrets := range groups {
		_, err := insertFew(ctx, tx, `INSERT INTO secrets (`+secretColumns+`)`, 18, tail, len(secrets), func(args []any, i int) []any {
			x := secrets[i]
			return append(args, x.ID, x.ClusterID, x.ResourceID, x.Namespace, x.Name, x.UID, x.ResourceVersion, x.Type, flag(x.Immutable),
				labels(x.Labels), x.Size, x.Current, string(x.State), x.Reason, micro(x.CreatedAt), micro(x.SeenAt), micro(x.DeletedAt), 1)
		})
		if err != nil {
			return err
		}
	}
	if err := relabelled(ctx, tx, batch); err != nil {
		return err
	}
	return putValues(ctx, tx, batch)
}

// relabelled has the plans made anew of accounts that are mapped to Secrets whose labels may be others, if a policy looks
// at labels.
func relabelled(ctx context.Context, tx *Tx, batch []inventory.Import) error {
	asked, err := queryOne(ctx, tx, "count", scanInt, `SELECT COUNT(*) FROM policy_assignments WHERE named_by = 'label'`)
	if err != nil || asked == 0 {
		return err
	}
	ids := make([]string, len(batch))
	for i, x := range batch {
		ids[i] = x.Secret.ID
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		_, err := exec(ctx, tx, `UPDATE accounts SET planned = 0 WHERE planned = 1 AND id IN (SELECT account_id FROM mappings WHERE secret_id IN (`+c.marks(part)+`))`, c.args...)
		return err
	})
}

// fewParams bounds the parameters of one statement on SQLite; with more of them nothing gets faster.
const fewParams = 256

// insertFew is insertRows with statements of the size at which each database is fastest.
func insertFew(ctx context.Context, tx *Tx, head string, cols int, tail string, n int, row func(args []any, i int) []any) (done int64, err error) {
	step := n
	if tx.maxParams < maxPostgresParams {
		step = chunk(n, fewParams/cols)
	}
	for from := 0; from < n && err == nil; from += step {
		var some int64
		some, err = insertRows(ctx, tx, head, cols, tail, min(step, n-from), func(args []any, i int) []any { return row(args, from+i) })
		done += some
	}
	return done, err
}

type keyRow struct {
	secret, ours string
	key          inventory.Key
}

func putValues(ctx context.Context, tx *Tx, batch []inventory.Import) error {
	var keys []keyRow
	var versions []inventory.Version
	for _, x := range batch {
		if x.Values == nil {
			continue
		}
		versions = append(versions, *x.Values)
		for _, k := range x.Secret.Keys {
			r := keyRow{secret: x.Secret.ID, key: k}
			if k.Ours {
				r.ours = x.Secret.ResourceVersion
			}
			keys = append(keys, r)
		}
	}
	_, err := insertFew(ctx, tx, `INSERT INTO secret_keys (secret_id, name, size, fingerprint, common, part, ours)`, 7, "", len(keys), func(args []any, i int) []any {
		k := keys[i]
		return append(args, k.secret, k.key.Name, k.key.Size, k.key.Fingerprint[:], flag(k.key.Common), printed(k.key.Part), k.ours)
	})
	if err != nil {
		return err
	}
	sealed := make([]vault.Sealed, len(versions))
	for i, v := range versions {
		sealed[i] = v.Sealed
	}
	if err := sealedWith(ctx, tx, sealed...); err != nil {
		return err
	}
	_, err = insertFew(ctx, tx, `INSERT INTO versions (account_id, number, stage, source, actor_id, actor_name, created_at, retired_at, sealed)`, 9, "",
		len(versions), func(args []any, i int) []any {
			v := versions[i]
			return append(args, v.AccountID, v.Number, string(v.Stage), string(v.Source), v.ActorID, v.ActorName, micro(v.CreatedAt), 0, []byte(v.Sealed))
		})
	return err
}

// clearValues makes room for new values of Secrets that are stored: their keys go, current becomes previous and what was
// previous retired.
func clearValues(ctx context.Context, tx *Tx, batch []inventory.Import) error {
	var ids []string
	for _, x := range batch {
		if x.Base > 0 && x.Values != nil {
			ids = append(ids, x.Secret.ID)
		}
	}
	if err := rememberKeys(ctx, tx, batch, ids); err != nil {
		return err
	}
	return inChunks(ids, func(part []string) error {
		c := &clause{}
		retired := c.arg(micro(time.Now()))
		marks := c.marks(part)
		_, err := exec(ctx, tx, `UPDATE versions SET stage = 'retired', retired_at = `+retired+` WHERE stage = 'previous' AND account_id IN (`+marks+`)`, c.args...)
		if err != nil {
			return err
		}
		c = &clause{}
		marks = c.marks(part)
		if _, err := exec(ctx, tx, `UPDATE versions SET stage = 'previous' WHERE stage = 'current' AND account_id IN (`+marks+`)`, c.args...); err != nil {
			return err
		}
		_, err = exec(ctx, tx, `DELETE FROM secret_keys WHERE secret_id IN (`+marks+`)`, c.args...)
		return err
	})
}

// inChunks calls f with parts of ids that fit into one statement.
func inChunks(ids []string, f func([]string) error) error {
	for ; len(ids) > 0; ids = ids[min(len(ids), maxKeysOf):] {
		if err := f(ids[:min(len(ids), maxKeysOf)]); err != nil {
			return err
		}
	}
	return nil
}

func labels(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(m) // a map of strings always encodes
	return string(b)
}

// selectionsText encodes the selections of a cluster; none is an empty list.
func selectionsText(all []inventory.Selection) (string, error) {
	if len(all) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(all)
	return string(b), err
}

func prints(keys []inventory.Key) map[string]vault.Fingerprint {
	m := make(map[string]vault.Fingerprint, len(keys))
	for _, k := range keys {
		m[k.Name] = k.Fingerprint
	}
	return m
}

// ImportSecrets implements inventory.FetchStore.
func (s *Store) ImportSecrets(ctx context.Context, f inventory.Fetch, batch []inventory.Import, ev audit.Event) (moved []string, err error) {
	err = s.bulk(ctx, func(tx *Tx) (err error) {
		if err := progress(ctx, tx, f); err != nil {
			return err
		}
		moved, err = importRecorded(ctx, tx, f.ClusterID, batch, ev)
		return err
	})
	return moved, err
}

// fewSecrets is up to how many Secrets share a transaction with other writers.
const fewSecrets = 16

// SawSecrets implements inventory.FetchStore.
func (s *Store) SawSecrets(ctx context.Context, clusterID string, batch []inventory.Import, ev audit.Event) (moved []string, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	write := s.write
	if len(batch) > fewSecrets {
		write = s.bulk
	}
	err = write(ctx, func(tx *Tx) (err error) {
		moved, err = importRecorded(ctx, tx, clusterID, batch, ev)
		return err
	})
	return moved, err
}

// importRecorded is importSecrets with its event, which is left out when nothing was stored.
func importRecorded(ctx context.Context, tx *Tx, clusterID string, batch []inventory.Import, ev audit.Event) (moved []string, err error) {
	if moved, err = importSecrets(ctx, tx, clusterID, batch); err != nil || len(moved) == len(batch) {
		return moved, err
	}
	return moved, record(ctx, tx, ev)
}

// importSecrets stores what of the batch is still at its base, and returns the ids of the others.
func importSecrets(ctx context.Context, tx *Tx, clusterID string, batch []inventory.Import) (moved []string, err error) {
	batch, asWas, moved, err := unmoved(ctx, tx, batch)
	if err != nil || len(batch) == 0 {
		return moved, err
	}
	resources, err := namespaceResources(ctx, tx, clusterID, batch)
	if err != nil {
		return nil, err
	}
	for i := range batch {
		batch[i].Secret.ClusterID = clusterID
		batch[i].Secret.ResourceID = resources[batch[i].Secret.Namespace]
	}
	kept, err := guardedOf(ctx, tx, batch)
	if err != nil {
		return nil, err
	}
	if err := judgeMappings(ctx, tx, batch); err != nil {
		return nil, err
	}
	if err := putSecrets(ctx, tx, batch, asWas); err != nil {
		return nil, err
	}
	if err := diverge(ctx, tx, batch, kept); err != nil {
		return nil, err
	}
	for _, x := range batch { // a new one is announced by its resource, or a large fetch would flood the listeners
		if x.Base > 0 {
			tx.Changed("secret", x.Secret.ID, x.Base+1, x.Secret.ResourceID)
		}
	}
	for _, id := range resources {
		tx.Changed("resource", id, 0, "")
	}
	return moved, nil
}

// unmoved returns a copy of what of the batch is still at its base, and the ids of the others. asWas are those whose state
// and time of creation are as they are stored.
func unmoved(ctx context.Context, tx *Tx, batch []inventory.Import) (still []inventory.Import, asWas map[string]bool, moved []string, err error) {
	var ids []string
	for _, x := range batch {
		if x.Base > 0 {
			ids = append(ids, x.Secret.ID)
		}
	}
	type stored struct {
		id, state    string
		rev, created int64
	}
	have := make(map[string]stored, len(ids))
	err = inChunks(ids, func(part []string) error {
		c := &clause{}
		rows, err := queryAll(ctx, tx, func(r scanner) (x stored, err error) { return x, r.Scan(&x.id, &x.state, &x.rev, &x.created) },
			`SELECT id, state, rev, created_at FROM secrets WHERE id IN (`+c.marks(part)+`)`, c.args...)
		for _, r := range rows {
			have[r.id] = r
		}
		return err
	})
	asWas = make(map[string]bool, len(ids))
	for _, x := range batch {
		h := have[x.Secret.ID]
		if x.Base != h.rev {
			moved = append(moved, x.Secret.ID)
			continue
		}
		still = append(still, x)
		asWas[x.Secret.ID] = x.Base > 0 && h.state == string(x.Secret.State) && h.created == micro(x.Secret.CreatedAt)
	}
	return still, asWas, moved, err
}

// namespaceResources returns the ids of the kubernetes resources of the batch's namespaces; those that are not there yet
// are made. A name that another resource has gets the first free number behind it.
func namespaceResources(ctx context.Context, tx *Tx, clusterID string, batch []inventory.Import) (map[string]string, error) {
	cluster, err := queryOne(ctx, tx, "cluster", scanText, `SELECT name FROM clusters WHERE id = $1`, clusterID)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	var missing []string
	for _, x := range batch {
		if _, known := ids[x.Secret.Namespace]; !known {
			ids[x.Secret.Namespace] = ""
			missing = append(missing, x.Secret.Namespace)
		}
	}
	for n := 1; ; n++ {
		err := inChunks(missing, func(part []string) error {
			c := &clause{}
			c.arg(clusterID)
			rows, err := queryAll(ctx, tx, func(r scanner) (x [2]string, err error) { return x, r.Scan(&x[0], &x[1]) },
				`SELECT namespace, id FROM resources WHERE cluster_id = $1 AND namespace IN (`+c.marks(part)+`)`, c.args...)
			for _, r := range rows {
				ids[r[0]] = r[1]
			}
			return err
		})
		missing = slices.DeleteFunc(missing, func(ns string) bool { return ids[ns] != "" })
		if err != nil || len(missing) == 0 {
			return ids, err
		}
		if err := makeResources(ctx, tx, clusterID, cluster, missing, n); err != nil {
			return nil, err
		}
	}
}

func makeResources(ctx context.Context, tx *Tx, clusterID, cluster string, namespaces []string, n int) error {
	_, err := insertRows(ctx, tx, `INSERT INTO resources (id, name, type, cluster_id, namespace, settings, reconcile_account_id, created_at, rev)`, 9,
		`ON CONFLICT (name) DO NOTHING`, len(namespaces), func(args []any, i int) []any {
			name := inventory.KubernetesResourceName(namespaces[i], cluster)
			if n > 1 {
				name = fmt.Sprintf("%s-%d", name, n)
			}
			id := uuid.Must(uuid.NewV7()).String()
			return append(args, id, name, inventory.TypeKubernetes, clusterID, namespaces[i], "{}", "", micro(time.Now()), 1)
		})
	return err
}
