package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// Equal is a value that more than one place holds now. A place is a Secret key or an account. A key that is mapped to the
// one account that holds the same is no second place: that is what a mapping is for.
type Equal struct {
	Print vault.Fingerprint // never shown to anybody
	// Keys, Namespaces and Clusters are those that hold it, Mapped the keys among them that are mapped, Accounts the accounts.
	Keys, Mapped, Namespaces, Clusters, Accounts int64
	Example                                      string // one key, as cluster/namespace/secret/key; empty if there is none
}

// Places is how many hold the value.
func (e Equal) Places() int64 { return e.Keys + e.Accounts }

// EqualQuery chooses a page of equal values, those in the most places first.
type EqualQuery struct {
	Limit int    // 1 to 500; zero means 100
	After *Equal // the last one of the page before; only its Print and its counts of keys and accounts are looked at
	Of    string // only what this Secret or account holds
	Print *vault.Fingerprint
}

// EqualPage is one page of them. Total counts all, and WithAccount those that an account holds.
type EqualPage struct {
	Items              []Equal
	More               bool
	Total, WithAccount int64
}

// readable limits id, which is that of an account or a Secret, to those whose value v may read: who may only see that a key
// is there must not learn that its value is one that he knows, such as that of a key which he wrote himself.
func (v Viewer) readable(id, table string) string {
	if v.All {
		return ""
	}
	least := strconv.Itoa(int(policy.Reveal))
	return ` AND ` + id + ` IN (SELECT id FROM rights WHERE kind = 'account' AND level >= ` + least + `
		UNION ALL SELECT id FROM ` + table + ` WHERE resource_id IN (SELECT id FROM rights WHERE kind = 'resource' AND level >= ` + least + `))`
}

// also begins a further common table after those of v.
func (v Viewer) also() string {
	if v.All {
		return `WITH `
	}
	return rightsOf + `, `
}

// equals are common tables of what v may read: held has a row for each place, equals one for each value of several places.
func (v Viewer) equals() string {
	return v.also() + `held AS (
	SELECT k.fingerprint AS print, 1 AS a_key, k.secret_id AS id, k.name AS name FROM secret_keys k
		WHERE k.common = 0 AND k.secret_id NOT IN (SELECT id FROM secrets WHERE state = 'tombstone')` + v.readable(`k.secret_id`, `secrets`) + `
	UNION ALL SELECT n.fingerprint, 0, n.account_id, '' FROM versions n
		WHERE n.fingerprint IS NOT NULL AND n.common = 0 AND n.stage = 'current'` + v.readable(`n.account_id`, `accounts`) + `),
several AS (SELECT print, SUM(a_key) AS keys, COUNT(*) - SUM(a_key) AS accounts, COUNT(*) AS places, MAX(name) AS one_name,
	MAX(CASE WHEN a_key = 1 THEN id ELSE '' END) AS one_secret, MAX(CASE WHEN a_key = 0 THEN id ELSE '' END) AS one_account
	FROM held GROUP BY print HAVING COUNT(*) > 1),
equals AS (SELECT print, keys, accounts, places FROM several WHERE keys > 1 OR accounts > 1
	OR NOT EXISTS (SELECT 1 FROM mappings m WHERE m.secret_id = one_secret AND m.key_name = one_name AND m.account_id = one_account))
`
}

// Equals returns one page of the values that stand in several places which v may read. Values that are common because they
// are no secrets are left out, and so are tombstones and all versions but the current ones.
func (s *Store) Equals(ctx context.Context, v Viewer, q EqualQuery) (EqualPage, error) {
	var p EqualPage
	limit, err := limitOf(q.Limit)
	if err != nil {
		return p, err
	}
	c := v.clause()
	total := `(SELECT COUNT(*) FROM equals), (SELECT COUNT(*) FROM equals WHERE accounts > 0)`
	if q.Of != "" {
		c.and(`e.print IN (SELECT print FROM held WHERE id = ` + c.arg(clean(q.Of)) + `)`)
	}
	if q.Print != nil {
		c.and(`e.print = ` + c.arg(q.Print[:]))
	}
	if len(c.terms) > 0 { // few are chosen, so they are counted with the condition
		some := `(SELECT COUNT(*) FROM equals e` + c.String()
		total = some + `), ` + some + ` AND e.accounts > 0)`
	}
	if q.After != nil {
		c.and(`(e.places, e.print) < (` + c.arg(q.After.Places()) + `, ` + c.arg(q.After.Print[:]) + `)`)
	}
	p.Items, err = queryAll(ctx, s.read(ctx), func(r scanner) (e Equal, err error) {
		var print []byte
		err = r.Scan(&print, &e.Keys, &e.Accounts, &p.Total, &p.WithAccount)
		copy(e.Print[:], print)
		return e, err
	}, v.equals()+`SELECT e.print, e.keys, e.accounts, `+total+` FROM equals e`+c.String()+` ORDER BY e.places DESC, e.print DESC LIMIT `+c.arg(limit+1), c.args...)
	if err != nil {
		return p, err
	}
	if p.More = len(p.Items) > limit; p.More {
		p.Items = p.Items[:limit]
	}
	return p, s.spread(ctx, v, p.Items)
}

// spread fills in over what each of the values is spread.
func (s *Store) spread(ctx context.Context, v Viewer, all []Equal) error {
	if len(all) == 0 {
		return nil
	}
	at := make(map[vault.Fingerprint]*Equal, len(all))
	prints := make([]vault.Fingerprint, len(all))
	for i := range all {
		at[all[i].Print], prints[i] = &all[i], all[i].Print
	}
	c := v.clause()
	marks := c.prints(prints)
	_, err := queryAll(ctx, s.read(ctx), func(r scanner) (none struct{}, err error) {
		var print []byte
		var e Equal
		if err := r.Scan(&print, &e.Namespaces, &e.Clusters, &e.Mapped, &e.Example); err != nil {
			return none, err
		}
		copy(e.Print[:], print)
		is := at[e.Print]
		is.Namespaces, is.Clusters, is.Mapped, is.Example = e.Namespaces, e.Clusters, e.Mapped, e.Example
		return none, nil
	}, v.with()+`SELECT k.fingerprint, COUNT(DISTINCT s.resource_id), COUNT(DISTINCT s.cluster_id), COUNT(m.id), MIN(c.name || '/' || s.namespace || '/' || s.name || '/' || k.name)
		FROM secret_keys k JOIN secrets s ON s.id = k.secret_id JOIN clusters c ON c.id = s.cluster_id
		LEFT JOIN mappings m ON m.secret_id = k.secret_id AND m.key_name = k.name
		WHERE k.fingerprint IN (`+marks+`) AND k.common = 0 AND s.state <> 'tombstone'`+v.readable(`k.secret_id`, `secrets`)+` GROUP BY 1`, c.args...)
	return err
}

// prints adds fingerprints, of which there is one at least, as marks does ids.
func (c *clause) prints(all []vault.Fingerprint) string {
	var marks []string
	for size := 1; len(marks) < len(all) || len(marks) < size; {
		if len(marks) == size {
			size *= 2
		}
		marks = append(marks, c.arg(all[min(len(marks), len(all)-1)][:]))
	}
	return strings.Join(marks, ",")
}

// limitOf is the limit of a page that so many rows were asked for of.
func limitOf(asked int) (int, error) {
	q := ListQuery{Limit: asked}
	if _, err := (listing[struct{}]{usual: "id", sorts: map[string]column{"id": {}}}).check(&q); err != nil {
		return 0, fmt.Errorf("page: %w", err)
	}
	return q.Limit, nil
}
