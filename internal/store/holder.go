package store

import (
	"context"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/policy"
	"github.com/keyturn/keyturn/internal/vault"
)

// Holder is a place that holds a value: a version of an account's credential, or a Secret key as it is or once was.
type Holder struct {
	// AccountID and what follows are the account whose version it is, or that the key is mapped to. They are empty where the
	// key is not mapped, or to an account whose value the viewer may not read; Mapped says which.
	AccountID, AccountName                 string
	ResourceID, ResourceName, ResourceType string
	Mapped                                 bool
	// SecretID and what follows are empty for an account's version.
	SecretID, ClusterID, ClusterName, Namespace, SecretName, Key string
	Gone                                                         bool // the Secret is a tombstone
	// Version is the account's, or the newest one of the Secret in which the key has the value; Stage is where it stands.
	Version int64
	Stage   string
	At      time.Time    // when that version was made
	Level   policy.Level // on the account whose version it is, or on the Secret
	at      string
}

// IsKey reports whether it is a Secret key.
func (h Holder) IsKey() bool { return h.SecretID != "" }

// HolderQuery chooses the places that hold one of the values.
type HolderQuery struct {
	Prints []vault.Fingerprint // one at least
	// Now leaves out all but what holds it now: current versions, and keys of Secrets that are there.
	Now bool
	// Unmapped leaves out all but keys that hold it now and are not mapped to an account that the viewer may read.
	Unmapped bool
	// Search is part of the name of a place.
	Search string
	Limit  int    // 1 to 500; zero means 100
	Cursor string // Next of the page before
}

// holderPart is one of the queries that are put together. Its columns are those of [scanHolder].
const (
	accountHolders = `SELECT '0' || r.name || '/' || x.name || '/' || CAST(9999999999 - n.number AS TEXT) || x.id AS at, x.id AS account_id, x.name AS account_name,
		r.id AS resource_id, r.name AS resource_name, r.type AS resource_type, 1 AS mapped, '' AS secret_id, '' AS cluster_id, '' AS cluster_name, '' AS namespace,
		'' AS secret_name, '' AS key_name, 0 AS gone, n.number AS number, n.stage AS stage, n.created_at AS made, %level AS level
	FROM versions n JOIN accounts x ON x.id = n.account_id JOIN resources r ON r.id = x.resource_id WHERE n.fingerprint IN (%prints)`

	keyHolders = `SELECT '1' || c.name || '/' || x.namespace || '/' || x.name || '/' || k.name || '/' || %past || x.id, COALESCE(a.id, ''), COALESCE(a.name, ''),
		COALESCE(r.id, ''), COALESCE(r.name, ''), COALESCE(r.type, ''), CASE WHEN m.id IS NULL THEN 0 ELSE 1 END, x.id, x.cluster_id, c.name, x.namespace,
		x.name, k.name, CASE WHEN x.state = 'tombstone' THEN 1 ELSE 0 END, n.number, n.stage, n.created_at, %level
	FROM %keys k JOIN secrets x ON x.id = k.secret_id JOIN clusters c ON c.id = x.cluster_id JOIN versions n ON n.account_id = x.id AND n.number = %number
		LEFT JOIN mappings m ON m.secret_id = k.secret_id AND m.key_name = k.name
		LEFT JOIN accounts a ON a.id = m.account_id%readable LEFT JOIN resources r ON r.id = a.resource_id
	WHERE k.fingerprint IN (%prints)`
)

func scanHolder(r scanner) (h Holder, err error) {
	var made int64
	err = r.Scan(&h.at, &h.AccountID, &h.AccountName, &h.ResourceID, &h.ResourceName, &h.ResourceType, &h.Mapped, &h.SecretID, &h.ClusterID, &h.ClusterName,
		&h.Namespace, &h.SecretName, &h.Key, &h.Gone, &h.Version, &h.Stage, &made, &h.Level)
	h.At = instant(made)
	return h, err
}

// Holders returns one page of the places which v may read that hold one of the values, accounts first, each by name. Counts
// says how many are accounts' versions ("versions"), keys that hold it now ("keys"), and keys that once did or are those of
// a tombstone ("past").
func (s *Store) Holders(ctx context.Context, v Viewer, q HolderQuery) (Page[Holder], error) {
	p := Page[Holder]{Counts: map[string]int64{}}
	limit, err := limitOf(q.Limit)
	if err != nil {
		return p, err
	}
	c := v.clause()
	all := v.also() + `holders AS (` + v.holders(c.prints(q.Prints), q.Now) + `)`
	if q.Unmapped {
		c.and(`secret_id <> '' AND gone = 0 AND stage = 'current' AND account_id = ''`)
	}
	if q.Search != "" {
		c.and(like(`at`, c.pattern(q.Search)))
	}
	kinds, err := queryAll(ctx, s.read(ctx), func(r scanner) (t tally, err error) { return t, r.Scan(&t.state, &t.n) },
		all+`SELECT CASE WHEN secret_id = '' THEN 'versions' WHEN stage = 'current' AND gone = 0 THEN 'keys' ELSE 'past' END, COUNT(*) FROM holders`+c.String()+` GROUP BY 1`, c.args...)
	if err != nil {
		return p, err
	}
	for _, k := range kinds {
		p.Counts[k.state] = k.n
		p.Total += k.n
	}
	if q.Cursor != "" {
		after, err := parseCursor(q.Cursor, holderOrder, false)
		if err != nil {
			return p, err
		}
		c.and(`at > ` + c.arg(after.Key))
	}
	p.Items, err = queryAll(ctx, s.read(ctx), scanHolder, all+`SELECT * FROM holders`+c.String()+` ORDER BY at LIMIT `+c.arg(limit+1), c.args...)
	if err == nil && len(p.Items) > limit {
		p.Items = p.Items[:limit]
		p.Next = position{Sort: holderOrder, Key: p.Items[limit-1].at}.cursor()
	}
	return p, err
}

const holderOrder = "place"

// holders is the query for all that hold one of prints, which are marks.
func (v Viewer) holders(prints string, now bool) string {
	fill := func(text string, more ...string) string {
		return strings.NewReplacer(append(more, "%prints", prints, "%level", v.level(reachesAccount), "%readable", v.readable(`a.id`, `accounts`))...).Replace(text)
	}
	accounts := fill(accountHolders) + v.readable(`x.id`, `accounts`)
	keys := fill(keyHolders, "%keys", "secret_keys", "%number", "x.current", "%past", "'0'") + v.readable(`x.id`, `secrets`)
	if now {
		return accounts + ` AND n.stage = 'current' UNION ALL ` + keys + ` AND x.state <> 'tombstone'`
	}
	past := fill(keyHolders, "%keys", "past_keys", "%number", "k.version", "%past", "'1'") + v.readable(`x.id`, `secrets`)
	// A key that holds it again is listed as that alone.
	return accounts + ` UNION ALL ` + keys + ` UNION ALL ` + past + `
		AND NOT EXISTS (SELECT 1 FROM secret_keys o WHERE o.secret_id = k.secret_id AND o.name = k.name AND o.fingerprint = k.fingerprint)`
}
