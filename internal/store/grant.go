package store

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/internal/access"
	"github.com/keyturn/keyturn/internal/audit"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/policy"
)

var _ access.GateStore = (*Store)(nil)

// Viewer is for whom a list is made: it holds only what the viewer may know of, and counts nothing else.
type Viewer struct {
	All    bool   // sees everything, whatever was granted
	UserID string // otherwise: sees what the grants of this user and its groups reach
}

// rightsOf are common tables of all that a user's live grants give. $1 is the user, $2 the time. A cluster's level is
// passed on to its resources; "seen" names the resources in which only an account was granted.
const rightsOf = `WITH mine AS (SELECT object_kind AS kind, object_id AS id, MAX(level) AS level FROM grants
	WHERE (subject_kind = 'user' AND subject_id = $1
		OR subject_kind = 'group' AND subject_id IN (SELECT group_id FROM group_members WHERE user_id = $1))
	AND (expires_at = 0 OR expires_at > $2) GROUP BY object_kind, object_id),
rights AS (SELECT kind, id, level FROM mine
	UNION ALL SELECT 'resource', r.id, m.level FROM mine m JOIN resources r ON r.cluster_id = m.id WHERE m.kind = 'cluster'
	UNION ALL SELECT 'seen', a.resource_id, 1 FROM mine m JOIN accounts a ON a.id = m.id WHERE m.kind = 'account'
	UNION ALL SELECT 'seen', s.resource_id, 1 FROM mine m JOIN secrets s ON s.id = m.id WHERE m.kind = 'account')
`

// clause begins the WHERE clause of a list for v.
func (v Viewer) clause() *clause {
	c := &clause{}
	if !v.All {
		c.args = []any{v.UserID, micro(time.Now())}
	}
	return c
}

// with is what the statement begins with whose clause v began.
func (v Viewer) with() string {
	if v.All {
		return ""
	}
	return rightsOf
}

// The SQL conditions that a right reaches a row x of a list: a cluster, a resource, an account (a Secret is one), or what
// belongs to the account a.
const (
	reachesCluster   = `(kind = 'cluster' AND id = x.id)`
	reachesResource  = `(kind IN ('resource', 'seen') AND id = x.id)`
	reachesAccount   = `(kind = 'account' AND id = x.id OR kind = 'resource' AND id = x.resource_id)`
	reachesAccountOf = `(kind = 'account' AND id = x.account_id OR kind = 'resource' AND id = a.resource_id)`
)

// way is one way in which rows come into sight: their column is among the ids that a SELECT finds.
type way struct{ column, ids string }

const (
	grantedAccounts  = `SELECT id FROM rights WHERE kind = 'account'`
	grantedResources = `SELECT id FROM rights WHERE kind = 'resource'`
)

// What a viewer sees the rows of a list with; mappings and runs are seen with their account.
const (
	seesCluster   = "cluster"
	seesResource  = "resource"
	seesAccount   = "account"
	seesAccountOf = "account of"
)

var waysTo = map[string][]way{
	seesCluster:   {{`x.id`, `SELECT id FROM rights WHERE kind = 'cluster'`}},
	seesResource:  {{`x.id`, `SELECT id FROM rights WHERE kind IN ('resource', 'seen')`}},
	seesAccount:   {{`x.resource_id`, grantedResources}, {`x.id`, grantedAccounts}},
	seesAccountOf: {{`x.account_id`, grantedAccounts + ` UNION SELECT id FROM accounts WHERE resource_id IN (` + grantedResources + `)`}},
}

// visible limits c to the rows that v may know of; sees is one of the constants above.
func (v Viewer) visible(c *clause, sees string) {
	if !v.All {
		c.ways = waysTo[sees]
	}
}

// level is the SQL expression of v's level on row x; reaches is one of those conditions. Who sees everything without
// a grant has the level view by it.
func (v Viewer) level(reaches string) string {
	if v.All {
		return `1`
	}
	return `COALESCE((SELECT MAX(level) FROM rights WHERE ` + reaches + `), 0)`
}

// Level implements access.GateStore. An account may be a Secret. Its resource's and its cluster's grants count for it; for
// a resource its cluster's do, and a grant on any account in it lets the resource be seen.
func (s *Store) Level(ctx context.Context, userID, kind, id string, now time.Time) (policy.Level, error) {
	var object, reaches string
	switch kind {
	case access.Cluster:
		object, reaches = `SELECT $3 AS id`, reachesCluster
	case access.Resource:
		object, reaches = `SELECT $3 AS id`, reachesResource
	case access.Account:
		object, reaches = `SELECT id, resource_id FROM accounts WHERE id = $3 UNION ALL SELECT id, resource_id FROM secrets WHERE id = $3`, reachesAccount
	default:
		return policy.None, nil
	}
	level, err := queryOne(ctx, s.read(ctx), "level", scanInt,
		rightsOf+`SELECT COALESCE(MAX((SELECT MAX(level) FROM rights WHERE `+reaches+`)), 0) FROM (`+object+`) x`, userID, micro(now), clean(id))
	return policy.Level(level), err
}

// AddGrant stores a grant. It fails with fault.NotFound when its subject or object is not there, and with fault.Conflict
// when the subject has a grant on the object already.
func (s *Store) AddGrant(ctx context.Context, g access.Grant, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := insertGrant(ctx, tx, g); err != nil {
			return err
		}
		return record(ctx, tx, ev)
	})
}

// insertOwner stores the grant of whoever made an object, in the transaction that makes it.
func insertOwner(ctx context.Context, tx *Tx, owner *access.Grant) error {
	if owner == nil {
		return nil
	}
	return insertGrant(ctx, tx, *owner)
}

func insertGrant(ctx context.Context, tx *Tx, g access.Grant) error {
	subject, ok := subjects[g.SubjectKind]
	if !ok {
		return fault.New(fault.Invalid, "a grant is for a user or a group").WithField("subjectKind")
	}
	if _, err := queryOne(ctx, tx, g.SubjectKind, scanText, subject, g.SubjectID); err != nil {
		return err
	}
	object, ok := objects[g.ObjectKind]
	if !ok {
		return fault.New(fault.Invalid, "a grant is on a cluster, a resource or an account").WithField("objectKind")
	}
	if _, err := queryOne(ctx, tx, g.ObjectKind, scanText, object, g.ObjectID); err != nil {
		return err
	}
	n, err := exec(ctx, tx, `INSERT INTO grants (id, subject_kind, subject_id, object_kind, object_id, level, expires_at, granted_by, created_at, rev)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,1) ON CONFLICT (subject_kind, subject_id, object_kind, object_id) DO NOTHING`,
		g.ID, g.SubjectKind, g.SubjectID, g.ObjectKind, g.ObjectID, int64(g.Level), micro(g.ExpiresAt), g.GrantedBy, micro(g.CreatedAt))
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "the %s has a grant on this %s already", g.SubjectKind, g.ObjectKind).WithCode("grant-exists").
			WithCure("change that grant").WithUnchanged("nothing was written")
	}
	tx.Changed("grant", g.ID, 1, g.ObjectID)
	return nil
}

var subjects = map[string]string{
	access.User:  `SELECT id FROM users WHERE id = $1`,
	access.Group: `SELECT id FROM groups WHERE id = $1`,
}

var objects = map[string]string{
	access.Cluster:  `SELECT id FROM clusters WHERE id = $1`,
	access.Resource: `SELECT id FROM resources WHERE id = $1`,
	access.Account:  `SELECT id FROM accounts WHERE id = $1 UNION ALL SELECT id FROM secrets WHERE id = $1`,
}

// DeleteGrant ends a grant at once. It fails with fault.Stale when rev is not the stored one, or the grant is gone.
func (s *Store) DeleteGrant(ctx context.Context, id string, rev int64, ev audit.Event) error {
	return s.write(ctx, func(tx *Tx) error {
		if err := execOne(ctx, tx, stale("grant"), `DELETE FROM grants WHERE id = $1 AND rev = $2`, id, rev); err != nil {
			return err
		}
		tx.Changed("grant", id, rev+1, "")
		return record(ctx, tx, ev)
	})
}

const grantColumns = `x.id, x.subject_kind, x.subject_id, x.object_kind, x.object_id, x.level, x.expires_at, x.granted_by, x.created_at, x.rev`

func grantFields(g *access.Grant, expires, created *int64) []any {
	return []any{&g.ID, &g.SubjectKind, &g.SubjectID, &g.ObjectKind, &g.ObjectID, &g.Level, expires, &g.GrantedBy, created, &g.Rev}
}

// Grant returns a grant, whether it has expired or not.
func (s *Store) Grant(ctx context.Context, id string) (access.Grant, error) {
	return queryOne(ctx, s.read(ctx), "grant", func(r scanner) (g access.Grant, err error) {
		var expires, created int64
		err = r.Scan(grantFields(&g, &expires, &created)...)
		g.ExpiresAt, g.CreatedAt = instant(expires), instant(created)
		return g, err
	}, `SELECT `+grantColumns+` FROM grants x WHERE x.id = $1`, clean(id))
}

// GrantQuery chooses grants, expired ones included. Empty fields choose everything. Sort is created or expires.
type GrantQuery struct {
	ListQuery
	ObjectKind, ObjectID   string
	SubjectKind, SubjectID string
}

// GrantRow is a grant with the names of what it ties together. A name is empty when its bearer is gone.
type GrantRow struct {
	access.Grant
	SubjectName, ObjectName, GrantedByName string
}

// Grants returns one page of grants, counted by kind of object. It takes no Viewer: the caller may either see everything
// or manage the object that q names.
func (s *Store) Grants(ctx context.Context, q GrantQuery) (Page[GrantRow], error) {
	where := &clause{}
	where.equal(`x.object_kind`, q.ObjectKind)
	where.equal(`x.object_id`, q.ObjectID)
	where.equal(`x.subject_kind`, q.SubjectKind)
	where.equal(`x.subject_id`, q.SubjectID)
	l := listing[GrantRow]{
		table: `grants`, state: `x.object_kind`, usual: "-created",
		sorts: map[string]column{"created": {expr: `x.created_at`, number: true}, "expires": {expr: `x.expires_at`, number: true}},
		columns: grantColumns + `,
			COALESCE(CASE x.subject_kind WHEN 'user' THEN (SELECT name FROM users WHERE id = x.subject_id) ELSE (SELECT name FROM groups WHERE id = x.subject_id) END, ''),
			COALESCE(CASE x.object_kind WHEN 'cluster' THEN (SELECT name FROM clusters WHERE id = x.object_id) WHEN 'resource' THEN (SELECT name FROM resources WHERE id = x.object_id)
				ELSE COALESCE((SELECT name FROM accounts WHERE id = x.object_id), (SELECT namespace || '/' || name FROM secrets WHERE id = x.object_id)) END, ''),
			COALESCE((SELECT name FROM users WHERE id = x.granted_by), '')`,
		scan: func(r scanner) (g GrantRow, err error) {
			var expires, created int64
			err = r.Scan(append(grantFields(&g.Grant, &expires, &created), &g.SubjectName, &g.ObjectName, &g.GrantedByName)...)
			g.ExpiresAt, g.CreatedAt = instant(expires), instant(created)
			return g, err
		},
	}
	return l.page(ctx, s.read(ctx), q.ListQuery, nil, where)
}

// forget removes the grants on an object that is being deleted.
func forget(ctx context.Context, tx *Tx, objectKind, objectID string) error {
	_, err := exec(ctx, tx, `DELETE FROM grants WHERE object_kind = $1 AND object_id = $2`, objectKind, objectID)
	return err
}
